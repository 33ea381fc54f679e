"""Flags with which files and folders are opened, so that no link is followed and no pipe waited for."""

import os
from typing import Final

__all__ = ["BELOW", "CREATE", "FOLDER", "READ"]

_CLOEXEC: Final = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)

#: A folder by its path, in which links count: it is the user's choice.
FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _CLOEXEC
#: A folder below another.
BELOW: Final = FOLDER | _NOFOLLOW
#: A file to read; a pipe in its place answers at once.
READ: Final = os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | _CLOEXEC
#: A file that is not there yet, to write, and to read again.
CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC
