"""Whether this system has what files of stores are written by."""

import os

from holdall.errors import UnsupportedError

__all__ = ["require_posix"]

_BY_DESCRIPTOR = {os.open, os.stat, os.rename, os.unlink, os.mkdir, os.rmdir}


def require_posix(what: str) -> None:
    """Raise `UnsupportedError` on a system that does not reach and lock files by descriptor, such as Windows.

    Parameters
    ----------
    what
        What was to be made, as the beginning of a sentence in the plural.
    """
    if not os.supports_dir_fd >= _BY_DESCRIPTOR:
        raise UnsupportedError(
            f"{what} need a POSIX system, as Linux and macOS: files are reached and locked by descriptor; "
            "use memory or a server here"
        )
