"""Writing items of any kind and size, and many of them in batches that are sorted and sent at once."""

import errno
import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from operator import itemgetter
from typing import Any, BinaryIO

from holdall._shown import shown
from holdall.conditional import Stat
from holdall.errors import StoreUnavailableError
from holdall.persisters.sqlite._batches import Batch, batches, by_id, checked, fits, size_of
from holdall.persisters.sqlite._files import LargeFiles
from holdall.persisters.sqlite._ids import as_id, as_text, stat_of
from holdall.persisters.sqlite._large import PIECE, LargeData
from holdall.persisters.sqlite._schema import ROWS
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._sessions import CACHE, clock
from holdall.persisters.sqlite._table import BLIND, Table

_MANY, _BULK_CACHE = 1000, 32_000  # items from which a connection gets so many KiB for pages
_STEP = 256  # ns between the items of a batch, so that their times differ as floats, too


class Writing:
    """The way of data into a table, of large ones into pieces and files."""

    def __init__(self, table: Table, large: LargeData, files: LargeFiles) -> None:
        self._table = table
        self._large = large
        self._files = files

    def one(self, id: str, data: Any, expected: Any, then: Callable[[], object] | None = None) -> Stat | None:
        """Write an item as `Table.swap` does, and call a function in the same transaction."""
        self._table.check_writable()
        _, data = checked(id, data)
        return self._one(id, data, size_of(data), expected, then)

    def from_file(self, id: str, file: BinaryIO) -> None:
        """Write an item from an open file."""
        self._one(id, _Pieces(file), file.seek(0, 2), BLIND, None)

    def _one(
        self, id: str, data: Any, size: int, expected: Any, then: Callable[[], object] | None
    ) -> Stat | None:
        if self._files.take(size):
            version = self._files.write(id, [data] if type(data) is bytes else data, expected, then)
            return None if version is None else stat_of(version, size)
        key = as_id(id)
        small = fits(key, data)

        def store(session: Session) -> int | None:
            if small and then is None:
                return self._table.swap(session.connection, key, data, expected)
            with session.transaction() as connection:
                kept = data if small else self._large.add(connection, data, size)
                version = self._table.swap(connection, key, kept, expected)
                if version is not None:
                    if then is not None:
                        then()
                elif not small:
                    connection.execute(self._table.sql.drop_large, (kept,))
                return version

        version = self._table.run(store, f"{shown(id, 120)} cannot be written")
        self._files.delete_dropped()
        return None if version is None else stat_of(version, size)

    def many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items in one transaction: all of them, or after an error none."""
        self._table.check_writable()
        rest = batches(items)
        # A single batch is made before the lock is taken, as making values may take long.
        first = next(rest, None)
        if first is None:
            return
        folder = self._files.folder_for(first)

        def store(session: Session) -> None:
            many = len(first.keys) >= _MANY
            if folder is not None:
                self._files.plan(session, folder)
            with _large_cache(session) if many else nullcontext(), session.transaction() as connection:
                names = self._files.names_in(connection, folder)
                self._put(connection, first, names)
                for batch in rest:
                    # The iterator of items may have used this persister, too.
                    if session.closed or not connection.in_transaction:
                        raise StoreUnavailableError(
                            errno.ECANCELED,
                            "the items cannot be written, none of them was: the database was closed, or a "
                            "write to it failed, while they were made",
                            self._table.path,
                        )
                    self._put(connection, batch, names)

        try:
            self._table.run(store, "the items cannot be written")
        except BaseException:
            if folder is not None:
                self._files.tidy()
            raise
        self._files.delete_dropped()

    def _put(self, connection: sqlite3.Connection, batch: Batch, names: Iterator[str] | None) -> None:
        if batch.large:
            batch.data = [self._kept(connection, key, data, names) for key, data in zip(*batch, strict=True)]
        sql = self._table.sql
        [(floor,)] = connection.execute(sql.floor).fetchall()
        first = max(clock(), floor + 1)
        rows = list(zip(batch.keys, itertools.count(first, _STEP), batch.data, strict=False))
        # In the order of the ids neighbours share pages: twice as fast for keys in any order. Sorting is
        # stable, so of several data for one id the last still wins.
        try:
            rows.sort(key=itemgetter(0))
        except TypeError:  # text and bytes
            rows.sort(key=by_id)
        several, rest = divmod(len(rows), ROWS)
        for start in range(0, several * ROWS, ROWS):
            values = itertools.chain.from_iterable(rows[start : start + ROWS])
            connection.execute(sql.put_rows, list(values))
        if rest:
            connection.executemany(sql.put_dated, rows[-rest:])

    def _kept(
        self, connection: sqlite3.Connection, key: str | bytes, data: Any, names: Iterator[str] | None
    ) -> Any:
        """Return what is stored beside an id: the data, or the number of large ones."""
        if fits(key, data):
            return data
        number = self._files.add(connection, as_text(key), data, names)
        if number is not None:
            return number
        try:
            return self._large.add(connection, data, size_of(data))
        except sqlite3.DataError as error:  # of many, this one is too large
            raise self._table.sessions.translated(
                error, f"{shown(as_text(key), 120)} cannot be written"
            ) from error


class _Pieces:
    """The content of a file in pieces, from its beginning each time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        return iter(lambda: self._file.read(PIECE), b"")


@contextmanager
def _large_cache(session: Session) -> Iterator[None]:
    """Let a connection keep more pages in memory: bulk writes write the same ones repeatedly."""
    session.execute(f"PRAGMA cache_size = -{_BULK_CACHE}")
    try:
        yield
    finally:
        if not session.closed:
            session.execute(f"PRAGMA cache_size = -{CACHE}")
