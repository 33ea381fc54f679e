"""A persister over a table of a SQLite database: many small data in one file, large data in pieces."""

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
    """A table of a SQLite database.

    Parameters
    ----------
    path
        The file; it and its folder are made if they do not exist. None for a private temporary one.
    table
        The table; one file may have many.
    durability
        ``"process"``: a returned write survives the death of the process (``synchronous=NORMAL``).
        ``"power"``: also a power failure (``FULL``).
    guard
        Whether to refuse a file that others could have written (`UntrustedStoreError`).
    read_only
        Whether to open the file read-only; it and the table must exist then.
    timeout
        Seconds to wait for other writers.
    record
        Options that are recorded when the table is made, and compared when it is opened.
    files
        A persister for large data, such as a folder, which must have a `path` of its own and serves only this
        table. None keeps all data in the database; existing data in files cannot be read then.
    files_from
        Size in bytes, over 960, from which data are written to `files`, each to a file of its own. None
        writes no more files, but reads existing ones.

    Raises
    ------
    MismatchError
        If the file is not a database of holdall, or the table was made with another `record`.
    StoreNotFoundError
        If the file is only to be read and does not exist, or has no such table.
    StoreUnavailableError
        If the file cannot be opened, or others keep it locked for longer than `timeout`.

    Notes
    -----
    Threads: each has a connection of its own. Processes: any number; a forked child opens its own
    connections. Readers never wait, nor make writers wait; writers take turns. After a crash: each call of a
    method that writes has happened completely or not at all. Cost: one statement per read or write.

    The etag is the version of the item: the time of the write in nanoseconds, taken while the write has its
    turn, and greater than the previous version and those of all deleted items: no etag is ever repeated,
    whatever the clock.

    With `files`, the database alone records which file an item has: the file gets its name in the transaction
    that assigns it to the item, and is deleted after the one that removes it. So after a crash an item has
    its old or its new data, wherever they are, and conditional writes are as exact. Leftovers of a killed
    writer are deleted when the database is next opened. A file never changes: it may be mapped into memory,
    and linked to (`file_of`). During a transaction, large data are stored in the database.

    The file format of SQLite is described at https://sqlite.org/fileformat2.html; the tables of holdall in
    it, on the page on formats.

    Examples
    --------
    >>> persister = SqlitePersister(None)
    >>> persister["a"] = b"hello"
    >>> persister["a"], list(persister), persister.check()
    (b'hello', ['a'], [])
    >>> persister.close()
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
    """Return the options that a table was made with; none if they were not recorded.

    Parameters
    ----------
    path
        The file, which need not exist.
    table
        Name of the table.
    guard
        Whether to refuse a file that others could have written. This must be checked before the file is
        opened: SQLite applies what is in the log, and gives the log to the owner of the file.

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
        pass  # opening it for use will raise
    return found
