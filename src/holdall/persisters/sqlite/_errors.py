"""Errors of SQLite, translated to ours."""

import errno
import sqlite3

from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    StoreFullError,
    StoreTimeoutError,
    StoreUnavailableError,
)

_BUSY, _LOCKED, _FULL, _TOO_BIG = 5, 6, 13, 18
_CORRUPT, _NOT_A_DATABASE = 11, 26
_READ_ONLY, _CANNOT_OPEN = 8, 14
_NO_ROOM_TO_SHARE = 4874  # SQLITE_IOERR_SHMSIZE: the shared memory file cannot grow


def translate(error: sqlite3.Error, what: str, path: str, timeout: float, *, read_only: bool) -> HoldallError:
    """Return our error for an error of SQLite, which came of an attempt at something."""
    code = getattr(error, "sqlite_errorcode", 0)
    kind = code & 0xFF
    if kind in {_BUSY, _LOCKED}:
        return StoreTimeoutError(
            errno.EBUSY,
            f"{what}: others kept the database locked for over {timeout:g} s; "
            "raise timeout, or end the process that holds a transaction open",
            path,
        )
    if kind == _FULL or code == _NO_ROOM_TO_SHARE:
        return StoreFullError(
            errno.ENOSPC, f"{what}: no room left; what was stored before is untouched", path
        )
    if kind == _TOO_BIG:
        return InvalidArgumentError(f"{what}: it is larger than a value in SQLite can be; use a FileDirStore")
    if is_damage(error):
        return StoreUnavailableError(
            errno.EIO,
            f"{what}: the file is damaged, or is no SQLite database ({error}); take a copy of it. What lies "
            "in other pages can still be read key by key, with read_only=True if need be, and by the command "
            "`sqlite3 FILE .recover`",
            path,
        )
    if kind in {_READ_ONLY, _CANNOT_OPEN}:
        remedy = (
            "what was written last can be read when somebody who may write there has opened and closed it"
            if read_only
            else "to read what is there, open it with read_only=True"
        )
        return StoreUnavailableError(
            errno.EACCES,
            f"{what}: the file and its folder must be writable for that ({error}); {remedy}",
            path,
        )
    return StoreUnavailableError(errno.EIO, f"{what}: {error}", path)


def is_damage(error: BaseException | None) -> bool:
    """Return whether an error says that the file is not, or no longer, a database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {_CORRUPT, _NOT_A_DATABASE}
