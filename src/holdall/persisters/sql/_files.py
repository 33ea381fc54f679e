"""Connections to files of SQLite: at rest while the process forks, and closed in the child; and their errors.

Those to servers need none of it, so the functions ignore them.
"""

import errno
import os
import sqlite3
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import event
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.exc import DBAPIError

from holdall._sqlite import Guarded, identity, refuse_if_lost
from holdall.errors import (
    HoldallError,
    StoreFullError,
    StoreNotFoundError,
    StoreTimeoutError,
    StoreUnavailableError,
)

__all__ = ["close", "give", "guard", "take", "told", "watched"]

_guarded: dict[int, Guarded] = {}  # by the id of the connection, which has no weak references


def guard(connection: Any) -> None:
    """Make forks wait for a new connection whenever it is taken; refuse one that the parent is writing to."""
    if isinstance(connection, sqlite3.Connection):
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        if path:  # otherwise it is in memory
            file = identity(path)
            refuse_if_lost(file, path)
            _guarded[id(connection)] = Guarded(connection, None, path, file, writes=True)


def _find(connection: Any) -> Guarded | None:
    found = _guarded.get(id(connection))
    return found if found is not None and found.connection is connection else None


def take(connection: Any) -> None:
    """Begin to use a connection."""
    if (found := _find(connection)) is not None:
        found.lock.acquire()


def give(connection: Any) -> None:
    """End the use of a connection by this thread."""
    if (found := _find(connection)) is not None:
        found.lock.release()


def close(connection: Any) -> None:
    """Close a connection, whatever state it is in."""
    found = _find(connection)
    if found is not None:
        del _guarded[id(connection)]
        connection = found
    with suppress(Exception):  # already lost
        connection.close()
    if found is not None:
        with suppress(RuntimeError):  # it was idle
            found.lock.release()


class _OwnConnections(OptionEngine):
    """An engine as another one, with connections that only we use."""

    pool: Any = None  # in place of that of the other

    def __init__(self, engine: Any) -> None:
        super().__init__(engine, {})
        self.pool = engine.pool.recreate()


def watched(engine: Any) -> Any:
    """Return an engine for one thread at a time, whose connections to files rest in forks."""
    if engine.dialect.name != "sqlite" or isinstance(engine, _OwnConnections):
        return engine
    own = _OwnConnections(engine)
    event.listen(own, "connect", lambda connection, _: guard(connection))
    event.listen(own, "checkout", lambda connection, *_: take(connection))
    event.listen(own, "checkin", lambda connection, _: give(connection))
    event.listen(own, "close", lambda connection, _: close(connection))
    with suppress(DBAPIError):  # the next use tells what is wrong
        with own.connect() as connection:
            path = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
        if not path:
            own.pool.dispose()
            return engine  # a database in memory is that of its connections
    return own


# ---------------------------------------------------------------------- errors


def told(error: sqlite3.Error, what: str, path: str, place: str) -> HoldallError:
    """Return our error for an error of SQLite."""
    code = str(getattr(error, "sqlite_errorname", ""))
    family = "_".join(code.split("_")[:2])
    if family in {"SQLITE_BUSY", "SQLITE_LOCKED"}:
        return StoreTimeoutError(
            errno.EBUSY, f"{what}: others were in the way, and nothing was changed; try again: {error}", place
        )
    if family == "SQLITE_FULL" or code == "SQLITE_IOERR_SHMSIZE":
        return StoreFullError(errno.ENOSPC, f"{what}: {error}", place)
    if family == "SQLITE_CANTOPEN":
        number = _why(path)
        kind = StoreNotFoundError if number == errno.ENOENT else StoreUnavailableError
        return kind(number, f"{what}: {os.strerror(number)}", place)
    if family in {"SQLITE_READONLY", "SQLITE_PERM"}:
        return StoreUnavailableError(
            errno.EACCES, f"{what}: the file and its folder must be writable for that ({error})", place
        )
    if family in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
        return StoreUnavailableError(
            errno.EIO, f"{what}: the file is damaged, or is no SQLite database ({error})", place
        )
    number = errno.EIO if family == "SQLITE_IOERR" else 0
    return StoreUnavailableError(number, f"{what}: {error}", place)


def _why(path: str) -> int:
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
