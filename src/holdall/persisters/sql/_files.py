"""Connections to files of SQLite: at rest while the process forks, and closed in the child.

Those to servers need none of it, so the functions ignore them.
"""

import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import event

from holdall._sqlite import Guarded, identity, refuse_if_lost

__all__ = ["close", "give", "guard", "take", "watch"]

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


def watch(engine: Any) -> None:
    """Do all this for the connections of an engine that one thread at a time uses."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: guard(connection))
        event.listen(engine, "checkout", lambda connection, *_: take(connection))
        event.listen(engine, "checkin", lambda connection, _: give(connection))
        event.listen(engine, "close", lambda connection, _: close(connection))
