"""The error numbers of the system, and their translation to errors of holdall."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from holdall.errors import HoldallError, StoreFullError, StoreUnavailableError

__all__ = ["ABSENT", "FULL", "NO_FLOCK", "REFUSED", "TOO_MANY", "at", "number_in", "translate", "translating"]


def _numbers(*names: str) -> frozenset[int]:
    """Return the numbers of errors; not every system has all of them."""
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


#: There is no room: on the disk, in the user's quota, or in a file of this file system or process.
FULL: Final = _numbers("ENOSPC", "EDQUOT", "EFBIG")
#: Too many files are open, in the process or in the system.
TOO_MANY: Final = _numbers("EMFILE", "ENFILE")
#: Writing is not allowed.
REFUSED: Final = _numbers("EROFS", "EACCES", "EPERM")
#: There is no such file, or something else has its name.
ABSENT: Final = _numbers("ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EISDIR", "ENXIO")
#: The file system has no lock for this descriptor.
NO_FLOCK: Final = _numbers("EBADF", "ENOLCK", "EOPNOTSUPP", "ENOSYS", "EINVAL")
#: There is no connection to a server.
_NO_CONNECTION: Final = _numbers("ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "EPIPE")
_QUOTED: Final = re.compile(r"\b(?:Errno|Error) (\d+)\b")
_TIMED_OUT: Final = re.compile("timed out|timeout", re.IGNORECASE)


def translate(error: OSError, what: str, path: str) -> StoreUnavailableError:
    """Return our error for an error of the system, with the refused path if it is known."""
    number = error.errno or 0
    said = os.strerror(number) if number else str(error)
    refused = error.filename
    if isinstance(refused, str) and os.path.isabs(refused):
        path = refused
    if number in FULL:
        return StoreFullError(
            number, f"{what}: no room left ({said}); what was stored before is untouched", path
        )
    if number == errno.EISDIR:
        return StoreUnavailableError(number, "it is a folder: give the name of a file", path)
    if number == errno.ENOTDIR and (file := _file_in(path)):
        said = f"{file} is a file, and no folder; give another path, or open it by a store that is one file"
    if number in TOO_MANY:
        said += "; close stores that are not used any more, or raise the limit (ulimit -n)"
    return StoreUnavailableError(number, f"{what}: {said}", path)


def number_in(said: str, otherwise: int = 0) -> int:
    """Return the number of the system's error for what a driver says of a connection that it has not got."""
    if (quoted := _QUOTED.search(said)) is not None:
        return int(quoted[1])
    for number in _NO_CONNECTION:
        if os.strerror(number) in said:
            return number
    return errno.ETIMEDOUT if _TIMED_OUT.search(said) else otherwise


def _file_in(path: str) -> str | None:
    """Return the file that a path leads through, or to."""
    while path and not os.path.lexists(path):
        above = os.path.dirname(path)
        path = "" if above == path else above
    return path if os.path.isfile(path) else None


@contextmanager
def translating(what: str, path: str) -> Iterator[None]:
    """Translate errors of the system to ours, by `translate`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, HoldallError):
            raise
        raise translate(error, what, path) from error


@contextmanager
def at(path: str) -> Iterator[None]:
    """Add a path to errors of the system that have only a name in a folder, or nothing."""
    try:
        yield
    except OSError as error:
        if not isinstance(error, HoldallError):
            error.filename = path
        raise
