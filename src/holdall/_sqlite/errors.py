"""Errors of SQLite, translated to ours."""

import errno
import os
import sqlite3
from urllib.parse import unquote, urlsplit

from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    StoreFullError,
    StoreNotFoundError,
    StoreTimeoutError,
    StoreUnavailableError,
)

__all__ = ["is_damage", "translate"]

_PERM, _BUSY, _LOCKED, _READ_ONLY, _IO, _CORRUPT = 3, 5, 6, 8, 10, 11
_FULL, _CANNOT_OPEN, _TOO_BIG, _NOT_A_DATABASE = 13, 14, 18, 26
_NO_ROOM_TO_SHARE = 4874  # SQLITE_IOERR_SHMSIZE: the shared memory file cannot grow


def translate(
    error: sqlite3.Error,
    what: str,
    path: str,
    place: str | None = None,
    *,
    timeout: float | None = None,
    read_only: bool | None = None,
) -> HoldallError:
    """Return our error for an error of SQLite, which came of an attempt at something.

    Parameters
    ----------
    error
        The error.
    what
        What failed, for the message.
    path
        The file, or its URI.
    place
        Where it is, for the message; None for the path.
    timeout
        For how many seconds others were waited for; None if that is not known.
    read_only
        Whether it is open with that option; None where there is no such option.
    """
    place = path if place is None else place
    code = getattr(error, "sqlite_errorcode", 0)
    kind = code & 0xFF
    if kind in {_BUSY, _LOCKED}:
        waited = "others kept the database locked for too long"
        if timeout is not None:
            waited = f"others kept the database locked for over {timeout:g} s"
        return StoreTimeoutError(
            errno.EBUSY,
            f"{what}: {waited}; raise timeout, or end the process that holds a transaction open. "
            "Nothing was changed",
            place,
        )
    if kind == _FULL or code == _NO_ROOM_TO_SHARE:
        return StoreFullError(
            errno.ENOSPC, f"{what}: no room left; what was stored before is untouched", place
        )
    if kind == _TOO_BIG:
        return InvalidArgumentError(f"{what}: it is larger than a value in SQLite can be; use a FileDirStore")
    if is_damage(error):
        how = "" if read_only is None else "key by key, with read_only=True if need be, and "
        return StoreUnavailableError(
            errno.EIO,
            f"{what}: the file is damaged, or is no SQLite database ({error}); take a copy of it. What lies "
            f"in other pages can still be read {how}by the command `sqlite3 FILE .recover`",
            place,
        )
    if kind == _CANNOT_OPEN and (number := _number_of(path)) != errno.EACCES:
        missing = StoreNotFoundError if number == errno.ENOENT else StoreUnavailableError
        return missing(number, f"{what}: {os.strerror(number)}", place)
    if kind in {_READ_ONLY, _CANNOT_OPEN, _PERM}:
        return StoreUnavailableError(
            errno.EACCES,
            f"{what}: the file and its folder must be writable for that ({error}){_REMEDIES[read_only]}",
            place,
        )
    return StoreUnavailableError(errno.EIO if kind == _IO else 0, f"{what}: {error}", place)


#: What to do where the file cannot be written, by whether it is open read-only.
_REMEDIES = {
    None: "",
    False: "; to read what is there, open it with read_only=True",
    True: "; what was written last can be read when somebody who may write there has opened and closed it",
}


def is_damage(error: BaseException | None) -> bool:
    """Return whether an error says that the file is not, or no longer, a database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {_CORRUPT, _NOT_A_DATABASE}


def _number_of(path: str) -> int:
    """Return the number of the system's error for a file that cannot be opened, without opening it."""
    if path.startswith("file:"):
        path = unquote(urlsplit(path).path)
    folder = os.path.dirname(path) or os.curdir
    try:
        os.stat(folder)
        os.stat(path)
    except FileNotFoundError:
        return errno.ENOENT if os.path.islink(path) or not os.path.isdir(folder) else errno.EACCES
    except OSError as error:
        return error.errno or errno.EIO
    return errno.EISDIR if os.path.isdir(path) else errno.EACCES
