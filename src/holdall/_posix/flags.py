"""Flags for opening files and folders that follow no links and do not wait for pipes."""

import os
from typing import Final

__all__ = ["BELOW", "CREATE", "FOLDER", "READ"]

_CLOEXEC: Final = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)

#: A folder by its path, in which links are followed: it is the user's choice.
FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _CLOEXEC
#: A folder below another.
BELOW: Final = FOLDER | _NOFOLLOW
#: A file to read; a pipe in its place returns at once.
READ: Final = os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | _CLOEXEC
#: A new file, to write, and to read again.
CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC
