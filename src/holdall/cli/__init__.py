"""The command line: ``holdall``, or ``python -m holdall``."""

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without the import
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: "Sequence[str] | None" = None) -> int:
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
    try:  # the import takes most of the time until the command begins
        from holdall.cli._commands import run  # noqa: PLC0415

        return run(arguments)
    except KeyboardInterrupt:
        return 130  # as in shells
