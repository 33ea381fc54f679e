"""``holdall completion``: a script with which bash and zsh complete commands and options."""

import argparse
from typing import Any

from holdall.cli._saying import say

_SCRIPT = """\
if [ -n "${ZSH_VERSION-}" ]; then
  autoload -U +X compinit bashcompinit
  compinit
  bashcompinit
fi
_holdall() {
  local word="${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="@commands@"
  else
    case "${COMP_WORDS[1]}" in
@cases@
    esac
    case "$word" in
      -*) ;;
      *) words="${words#*|}" ;;
    esac
    words="${words%%|*}"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _holdall holdall"""


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    about = "print a script by which bash and zsh complete commands and options"
    one = commands.add_parser(
        "completion", help=about, description=f'{about.capitalize()}: eval "$(holdall completion)".'
    )
    one.set_defaults(run=lambda _: _completion(commands.choices))


def _completion(parsers: dict[str, argparse.ArgumentParser]) -> int:
    cases = [
        f'      {name}) words="{" ".join(_options(parser))}|{" ".join(_verbs(parser))}" ;;'
        for name, parser in parsers.items()
    ]
    say(_SCRIPT.replace("@commands@", " ".join(parsers)).replace("@cases@", "\n".join(cases)))
    return 0


def _options(parser: argparse.ArgumentParser) -> list[str]:
    actions = parser._actions  # noqa: SLF001  (argparse has no public name for it)
    return [name for action in actions for name in action.option_strings if name.startswith("--")]


def _verbs(parser: argparse.ArgumentParser) -> list[str]:
    actions = parser._actions  # noqa: SLF001
    return [name for action in actions if isinstance(action.choices, dict) for name in action.choices]
