"""Connections to files of SQLite: at rest while the process forks, and closed in the child.

Those to servers need none of it, so the functions ignore them.
"""

import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.exc import DBAPIError

from holdall._sqlite.connections import Guarded, identity, refuse_if_lost

__all__ = ["close", "give", "guard", "take", "watched"]

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
