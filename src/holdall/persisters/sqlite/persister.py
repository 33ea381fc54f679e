"""A persister over a table of a SQLite database: one transaction per call, checked by what writes."""

import io
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, cast

from holdall._options import Durability
from holdall._shown import shown
from holdall.abc import Capability, Persister, Unary, conflict
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import ConflictError
from holdall.persisters.sqlite._batches import checked
from holdall.persisters.sqlite._files import LargeFiles, check_smallest
from holdall.persisters.sqlite._ids import as_id, stat_of, version_of
from holdall.persisters.sqlite._items import EVERYTHING, Items
from holdall.persisters.sqlite._large import PIECE, LargeData
from holdall.persisters.sqlite._schema import INLINE
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._sessions import clock
from holdall.persisters.sqlite._table import BLIND, Table
from holdall.persisters.sqlite._writing import Writing

__all__ = ["SqlitePersister"]

_OPTIONS = ("table", "durability", "guard", "read_only", "timeout", "record", "files", "files_from")


class SqlitePersister(Persister):
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

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        table: str = "items",
        durability: Durability = "process",
        guard: bool = False,
        read_only: bool = False,
        timeout: float = 60.0,
        record: Mapping[str, str] | None = None,
        files: Persister | None = None,
        files_from: int | None = None,
    ) -> None:
        check_smallest(files, files_from)
        self.table = table
        self.durability = durability
        self.guard = guard
        self.read_only = read_only
        self.timeout = timeout
        self.record = dict(record or {})
        self.files = files
        self.files_from = files_from
        if read_only:
            self.capabilities = self.capabilities - {
                Capability.WRITABLE,
                Capability.TRANSACTIONS,
                Capability.CAS_THREADS,
                Capability.CAS_HOST,
            }
        self._table = Table(
            path,
            table,
            durability=durability,
            guard=guard,
            read_only=read_only,
            timeout=timeout,
            record=self.record,
        )
        self.path = self._table.path
        self._files = LargeFiles(self._table, files, files_from)
        self._large = LargeData(self._table, self._files)
        self._items = Items(self._table, self._large)
        self._writing = Writing(self._table, self._large, self._files)
        self._sql = self._table.sql

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), self.path, **{name: getattr(self, name) for name in _OPTIONS}), ()

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return True

    @property
    def place(self) -> str:  # docstring inherited
        return self._table.place

    @property
    def nbytes(self) -> int:
        """Bytes that the file, its write-ahead log and the files beside it take on the disk."""
        return self._table.nbytes

    @property
    def lock_file(self) -> str | None:
        """A file beside the database of which processes lock bytes while they compute an item."""
        # Beside the real file, so that all who reach it by links agree.
        return None if self.read_only else f"{os.path.realpath(self.path)}-lock"

    def close(self) -> None:
        """Close the connections of all threads; the next use opens new ones."""
        self._table.sessions.close()
        if self.files is not None:
            self.files.close()

    # ------------------------------------------------------------------ reading

    @property
    def getter(self) -> Unary:  # docstring inherited
        return self.fetch

    def __getitem__(self, id: str) -> bytes:
        return cast("bytes", self.fetch(id))

    def fetch(self, id: str, limit: int = EVERYTHING) -> Any:  # docstring inherited
        rows = self._table.rows(self._sql.get, as_id(id))
        if not rows:
            raise KeyError(id)
        [(data,)] = rows
        return data if type(data) is bytes else self._items.fetch(id, limit)

    def look(self, id: str) -> Any:
        """Return data in the row of their id, the number of large ones, or None if there are none."""
        rows = self._table.rows(self._sql.get, as_id(id))
        return rows[0][0] if rows else None

    def file_of(self, id: str) -> str | None:
        """Return the path of the file that the data of an id have of their own; None if in the database.

        The file never changes, and is deleted when the item is deleted or gets other data: map it, or make a
        hard link to it, to keep the data.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        return self._large.file_of(id)

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        data = self._items.fetch(id, 0)
        return io.BytesIO(data) if type(data) is bytes else cast("BinaryIO", data)

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        rows = self._table.rows(self._sql.read, as_id(id))
        if not rows:
            raise KeyError(id)
        [(version, data)] = rows
        return (data, stat_of(version, len(data))) if type(data) is bytes else self._items.read(id)

    def stat(self, id: str) -> Stat:  # docstring inherited
        return self._items.stat(id)

    def __contains__(self, id: object) -> bool:
        return bool(self._table.rows(self._sql.has, as_id(id)))

    def __len__(self) -> int:
        return int(self._table.rows(self._sql.count)[0][0])

    def __iter__(self) -> Iterator[str]:
        return self.ids()

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        for page in self._items.pages(prefix):
            yield from page

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        return self._items.pages(prefix)

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        return self._items.scan(prefix)

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]]:  # docstring inherited
        return self._items.contents(prefix, EVERYTHING if limit is None else limit)

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield id and data of those ids that exist, in the given order.

        Up to 10,000 ids are one snapshot, except for data of over about 1,000 bytes.
        """
        return self._items.read_many(ids)

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[str]:  # docstring inherited
        return self._items.by_age(prefix, newest=newest, limit=limit)

    # ------------------------------------------------------------------ writing

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        if type(data) is bytes and type(id) is str and len(id) + len(data) <= INLINE:
            self._table.change(self._sql.put, (as_id(id), data), id)
            if self._files.ready:
                self._files.delete_dropped()
        else:
            self._writing.one(id, data, BLIND)

    __setitem__ = put

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        if type(expected) is type(id) is str and type(data) is bytes and len(id) + len(data) <= INLINE:
            # What swap() does is in line: see change().
            old = version_of(expected)
            new = max(old + 1, clock())
            done = self._table.change(self._sql.swap, (new, data, as_id(id), old), id)
            if self._files.ready:
                self._files.delete_dropped()
            if done:
                return stat_of(new, len(data))
            raise self._conflict(id, expected)
        return self.write_and(id, data, expected, None)

    def write_and(self, id: str, data: Any, expected: Expected, then: Callable[[], object] | None) -> Stat:
        """Store data as `write` does, and call a function in the same transaction.

        It is called when the item is written and still invisible to others; its error undoes the write. It
        may use this persister.
        """
        stat = self._writing.one(id, data, expected, then)
        if stat is None:
            raise self._conflict(id, expected)
        return stat

    def _conflict(self, id: str, expected: Expected) -> ConflictError:
        """Return the error for an item that was not in the expected state."""
        try:
            actual: Etag = self.stat(id).etag
        except KeyError:
            actual = ITEM_NOT_AVAILABLE
        return conflict(self, id, expected, actual)

    def modify(self, id: str, change: Callable[[Any], bytes]) -> None:
        """Replace the data of an item by a function of them, in one atomic step.

        Parameters
        ----------
        id
            The id of the item.
        change
            Called with the data, if they are stored beside their id, or with the number of larger data;
            returns new data that fit beside the id. It must not use this persister.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        self._table.check_writable()

        def run(session: Session) -> int:
            session.change.function = change
            try:
                return session.execute(self._sql.modify, (clock(), as_id(id))).rowcount
            except sqlite3.Error:
                session.change.raise_error()
                raise
            finally:
                session.change.function = None

        if not self._table.run(run, f"{shown(id, 120)} cannot be written"):
            raise KeyError(id)

    def link(self, id: str, path: str) -> bool:
        """Store an existing file under an id, by a hard link; return whether that was possible.

        Parameters
        ----------
        id
            The id to write.
        path
            A file that never changes, such as one from `file_of` of another persister.

        Returns
        -------
        bool
            False, and nothing is changed, where large data do not go to files, where the file is too small to
            be one of its own here, and where the system makes no link.
        """
        return self._files.link(id, path)

    @contextmanager
    def writer(self, id: str) -> Iterator[BinaryIO]:
        """Open a binary file whose content is stored when the context ends without an error.

        Up to 1 MB is kept in memory, more in a temporary file.
        """
        import tempfile  # noqa: PLC0415  (slow to import)

        self._table.check_writable()
        checked(id, b"")
        with tempfile.SpooledTemporaryFile(max_size=PIECE) as file:
            yield cast("BinaryIO", file)
            if file.seek(0, 2) > PIECE:
                self._writing.from_file(id, cast("BinaryIO", file))
            else:
                file.seek(0)
                self.put(id, file.read())

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items in one transaction: all of them, or after an error none."""
        self._writing.many(items)

    def move_apart(self, id: str) -> None:
        """Move data from the row of their id to the table for large ones; keep the etag."""
        self._large.move_apart(id)

    # ------------------------------------------------------------------ deleting

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        if expected is ANY_ETAG:
            done = self._table.change(self._sql.remove, (as_id(id),), id, "deleted")
        else:
            values = as_id(id), version_of(expected)
            done = self._table.change(self._sql.remove_version, values, id, "deleted")
        self._files.delete_dropped()
        if not done:
            if expected is ANY_ETAG:
                raise KeyError(id)
            raise conflict(self, id, expected, self.stat(id).etag)

    def remove_many(self, ids: Iterable[str]) -> None:
        """Delete those of the ids that exist, in one transaction."""
        keys = [(as_id(id),) for id in ids]

        def delete(session: Session) -> None:
            with session.transaction() as connection:
                connection.executemany(self._sql.remove, keys)

        self._table.check_writable()
        if keys:
            self._table.run(delete, "the items cannot be deleted")
            self._files.delete_dropped()

    def clear(self) -> None:  # docstring inherited
        def delete(session: Session) -> None:
            with session.transaction() as connection:
                connection.execute(self._sql.clear)
                connection.execute(self._sql.clear_large)

        self._table.check_writable()
        self._table.run(delete, "the items cannot be deleted")
        self._files.delete_dropped()

    # ------------------------------------------------------------------ the database

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one transaction of this thread's writes in the context: after an error, none of them happened.

        This thread reads its own writes within the context; others see all of them when it ends, and wait
        with their writes until then. A nested transaction is a part of the outer one, and can be undone by
        itself. Large data are stored in the database, whatever `files_from`.

        Raises
        ------
        StoreUnavailableError
            If others keep the database locked for longer than the timeout, or an error within has undone the
            transaction but was caught.
        """
        self._table.check_writable()
        with self._table.unit():
            yield
        self._files.delete_dropped()

    def execute(self, statement: str, *arguments: Any) -> list[Any]:
        """Run a statement for other tables of the file, in the transaction of this thread if it has one."""
        return self._table.run(  # type: ignore[no-any-return]
            lambda session: session.execute(statement, arguments).fetchall(), "the database cannot be used"
        )

    def limit_log(self, nbytes: int) -> None:
        """Let the write-ahead log have only about so many bytes; at least 250 pages are kept."""
        self._table.sessions.log_pages = min(self._table.sessions.log_pages, max(250, nbytes // 4096))
        if not self._table.in_transaction():
            self.close()  # the next use opens connections with the limit

    def check(self) -> list[str]:
        """Check every page of the file, and the consistency of the table.

        Returns
        -------
        list of str
            What is wrong, one sentence each; empty if nothing is.

        Raises
        ------
        StoreUnavailableError
            If the file cannot be read at all.
        """
        from holdall.persisters.sqlite import _upkeep  # noqa: PLC0415  (rarely needed)

        return _upkeep.problems(self._table, self._files)

    def vacuum(self) -> int:
        """Rewrite the file without the space of deleted data.

        Returns
        -------
        int
            Bytes that were freed; negative if a reader prevented the log from being emptied within the
            timeout.

        Raises
        ------
        StoreUnavailableError
            If others keep the database locked for longer than the timeout.
        """
        self._table.check_writable()
        from holdall.persisters.sqlite import _upkeep  # noqa: PLC0415  (rarely needed)

        return _upkeep.shrink(self._table, self._files)
