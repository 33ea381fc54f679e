"""The command line: ``holdall``, or ``python -m holdall``."""

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
from holdall.cli._opening import UsageError, printable
from holdall.errors import HoldallError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Parameters
    ----------
    arguments
        The arguments after the name of the program; None for those of this process.

    Returns
    -------
    int
        0 for success; 1 if something was not found, differs or cannot be done, with a line on the standard
        error; 2 if the arguments do not fit together.

    Raises
    ------
    SystemExit
        If the arguments are not a command, with status 2.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "script.py")
    >>> with open(path, "w") as file:
    ...     _ = file.write("print('hello')")
    >>> main(["script", path, "set", "count", "3"])
    count = 3
    0
    >>> main(["script", path, "list"])
    count = 3
    0
    """
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning  # type: ignore[assignment]
            status = int(options.run(options))
            sys.stdout.flush()
    except BrokenPipeError:
        _close_output()
        return 1
    except KeyboardInterrupt:
        return 130  # as in shells
    except (UsageError, HoldallError, OSError, KeyError, UnicodeError, RecursionError) as error:
        said = f"no value is called {error.args[0]!r}" if type(error) is KeyError else str(error)
        # Advice in warnings is for Python code, not for the command line.
        _say_error(said.replace("pass trust=True", "give --trust"))
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
            hint = _meant(unknown[0].partition("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found, unknown

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


def _say_error(text: str) -> None:
    line = " ".join(text.split())
    print(f"holdall: {printable(line)}", file=sys.stderr)  # noqa: T201  (the output of a command line)


def _say_warning(message: Warning | str, *_: object) -> None:
    _say_error(f"warning: {message}")


def _close_output() -> None:
    """Prevent further writes to a pipe that nobody reads, which would be another error."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
