"""A table of a SQLite database as a place: many small data in one file, large ones piece by piece."""

import os
from typing import Any

from holdall.abc import Capability
from holdall.errors import HoldallError, UntrustedStoreError
from holdall.persisters.sqlite._place import as_id, as_text, find_record
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._sessions import Sessions
from holdall.persisters.sqlite._upkeep import SqliteUpkeep

__all__ = ["SqlitePersister", "as_id", "as_text", "recorded"]


class SqlitePersister(SqliteUpkeep):
    """A table of a SQLite database as a place.

    Parameters
    ----------
    path
        The file; it and its folder are made if they are not there. None for a private temporary one.
    table
        The table; one file may have many.
    durability
        ``"process"``: a returned write survives the death of the process (``synchronous=NORMAL``).
        ``"power"``: also a power cut (``FULL``).
    guard
        Whether to refuse a file that somebody else could have written (`UntrustedStoreError`).
    read_only
        Whether to open the file for reading only; it and the table must exist then.
    timeout
        How long to wait for other writers, in seconds.
    record
        Options that are recorded when the table is made, and compared when it is opened.
    files
        A persister that takes large data, such as a folder, which must have a `path` of its own and belongs
        to this table. None keeps all in the database; data that lie in files already cannot be read then.
    files_from
        Size in bytes, over 960, from which data are written to `files`, each to a file of its own. None
        writes no more files, and reads those that there are.

    Raises
    ------
    MismatchError
        If the file is no database of holdall, or the table was made with another `record`.
    StoreNotFoundError
        If the file is to be read and is not there, or has no such table.
    StoreUnavailableError
        If the file cannot be opened, or others keep it locked for longer than `timeout`.

    Notes
    -----
    Threads: each has a connection of its own. Processes: any number; a forked child opens its own
    connections. Readers never wait, nor make writers wait; writers take turns. After a crash: each call
    of a method that writes has happened wholly or not at all. Cost: one statement a read or write.

    The etag is the version of the item: the time of the write in nanoseconds, asked for when the write
    has its turn, and at least one more than the version before it, and than those of all items that were
    deleted: no etag comes again, whatever the clock says.

    With `files`, the database alone tells which file an item has: the file gets its name in the transaction
    that gives it to the item, and is deleted after the one that takes it away. So an item has its old or its
    new data after a crash, wherever they lie, and conditional writes are as exact. What a killed writer left
    over is deleted when the place is next opened. A file never changes: it may be mapped into memory, and
    linked to (`file_of`). In a transaction that is going on, large data stay in the database.

    The file format of SQLite is described at https://sqlite.org/fileformat2.html; what holdall puts into
    it, on the page on formats.

    Examples
    --------
    >>> place = SqlitePersister(None)
    >>> place["a"] = b"hello"
    >>> place["a"], list(place), place.check()
    (b'hello', ['a'], [])
    >>> place.close()
    """

    capabilities = frozenset(
        {
            Capability.BYTES,
            Capability.WRITABLE,
            Capability.PERSISTENT,
            Capability.MTIME,
            Capability.CHEAP_STAT,
            Capability.STREAMING,
            Capability.TRANSACTIONS,
            Capability.CAS_THREADS,
            Capability.CAS_HOST,
        },
    )


def recorded(path: str | os.PathLike[str], table: str, *, guard: bool) -> dict[str, Any]:
    """Return with what a table was made, by option; nothing where there is no record of it.

    Parameters
    ----------
    path
        The file, which need not exist.
    table
        Name of the table.
    guard
        Whether to refuse a file that somebody else could have written. That has to be asked before the file
        is opened at all: SQLite takes what lies in the log, and gives the log to the owner of the file.

    Raises
    ------
    UntrustedStoreError
        If the file is refused.
    """
    found: dict[str, Any] = {}

    def look(session: Session) -> None:
        found.update(find_record(session.connection, absolute, table) or {})

    try:
        absolute = os.path.abspath(os.fspath(path))
        sessions = Sessions(absolute, sync=False, timeout=5, read_only=True, guard=guard, prepare=look)
        sessions.connect().close()
    except UntrustedStoreError:
        raise
    except (HoldallError, TypeError, ValueError):
        pass  # whoever opens it for use will tell
    return found
