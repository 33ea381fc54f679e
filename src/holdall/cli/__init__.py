"""The command line: ``holdall``, or ``python -m holdall``."""

import argparse
import sys
from collections.abc import Sequence

from holdall._version import __version__
from holdall.cli import _memo, _script
from holdall.errors import HoldallError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says.

    Parameters
    ----------
    arguments
        The words after the name of the program; None for those of this process.

    Returns
    -------
    int
        0 if it was done, 1 if something spoke against it, which is said on the standard error.

    Raises
    ------
    SystemExit
        If the words are no command, with status 2.

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
    parser = argparse.ArgumentParser(prog="holdall", description="Look after what holdall keeps.")
    parser.add_argument("--version", action="version", version=f"holdall {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _script.add_to(commands)
    _memo.add_to(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:
        return 1
    except (HoldallError, OSError, KeyError) as error:
        said = f"no value is called {error.args[0]!r}" if type(error) is KeyError else str(error)
        print(f"holdall: {said}", file=sys.stderr)  # noqa: T201  (that is what a command line does)
        return 1
