"""All commands of the command line, and what becomes of their errors."""

import argparse
import os
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from holdall._version import __version__
from holdall.cli import (
    _changing,
    _completion,
    _copying,
    _exchange,
    _looking,
    _memo,
    _script,
    _serve,
    _upkeep,
)
from holdall.cli._opening import UsageError
from holdall.cli._saying import say_error
from holdall.errors import HoldallError

__all__ = ["run"]

_ADVICE = {
    "pass trust=True": "give --trust",
    "create=True makes an empty one": "make an empty file first",
}


def run(arguments: Sequence[str] | None) -> int:
    """Run a command line, and return its status; see `holdall.cli.main`."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning  # type: ignore[assignment]
            options = _parser().parse_args(arguments)
            status = int(options.run(options))
            if sys.stdout is not None:  # as where the program was started without one
                sys.stdout.flush()
    except BrokenPipeError:
        _close_output()
        return 1
    except (UsageError, HoldallError, OSError, KeyError, UnicodeError, RecursionError) as error:
        said = f"no value is called {error.args[0]!r}" if type(error) is KeyError else str(error)
        # Advice in messages is for Python code, not for the command line.
        for advice, ours in _ADVICE.items():
            said = said.replace(advice, ours)
        say_error(said)
        return 2 if isinstance(error, UsageError) else 1
    return status


class _Parser(argparse.ArgumentParser):
    """A parser that takes options anywhere, and says what was probably meant."""

    _mixed = False  # whether `parse_known_intermixed_args` is under way, which calls `parse_known_args`

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        found, unknown = super().parse_known_args(args, namespace)
        if self._mixed:
            return found, unknown
        if unknown and not any(action.nargs == argparse.PARSER for action in self._actions):
            self._mixed = True
            found, unknown = self.parse_known_intermixed_args(args, namespace)
            self._mixed = False
        if unknown:  # each command tells it with its own usage
            option = unknown[0].partition("=")[0]
            hint = _meant(option, self._option_string_actions)
            if self.takes_below(option):
                hint = ": it comes after the command"
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found, unknown

    def takes(self, option: str) -> bool:
        """Return whether the command has an option, or one of its verbs."""
        return option in self._option_string_actions or self.takes_below(option)

    def takes_below(self, option: str) -> bool:
        """Return whether a command below this one has an option, which stands before its name."""
        below: Any = [action.choices for action in self._actions if action.nargs == argparse.PARSER]
        return any(parser.takes(option) for parsers in below for parser in parsers.values())

    def error(self, message: str) -> NoReturn:
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        hint = _meant(choice[1], re.findall(r"[\w-]+", choice[2])) if choice else ""
        super().error(message + hint)


def _meant(word: str, words: Iterable[str]) -> str:
    close = get_close_matches(word, list(words), 1)
    return f": did you mean {close[0]!r}?" if close else ""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="holdall",
        description="Look after what holdall keeps.",
        epilog="Stores are named by addresses, such as dir:results?serializer=json, sqlite:cache.db#table, "
        "s3://bucket/prefix, or by a path. The status is 0 if it was done, 1 if something was not found, "
        "differs or cannot be done, and 2 if the command was wrong.",
    )
    parser.add_argument("--version", action="version", version=f"holdall {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (_looking, _changing, _copying, _upkeep, _exchange, _serve, _script, _memo, _completion):
        group.add_to(commands)
    return parser


def _say_warning(message: Warning | str, *_: object) -> None:
    say_error(f"warning: {message}")


def _close_output() -> None:
    """Prevent further writes to a pipe that nobody reads, which would be another error."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
