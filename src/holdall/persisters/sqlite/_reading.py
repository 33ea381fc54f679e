"""Reading items from a table: as a whole, in part, one by one and by pages."""

import errno
import io
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from holdall.abc import Unary
from holdall.conditional import Stat
from holdall.errors import CorruptValueError, StoreUnavailableError, UnsupportedError
from holdall.persisters.sqlite._files import LargeFiles
from holdall.persisters.sqlite._place import SqlitePlace, as_id, as_text, spans, stat_of
from holdall.persisters.sqlite._session import Session

_EVERYTHING = 1 << 62  # bytes, or items
_FIRST_PAGE, _PAGE = 30, 1000  # rows; many iterations stop soon
_PIECE = 1 << 20  # bytes of large data copied at a time
_SELECTED = 1 << 18  # bytes from which a copy costs more than another call
_BATCH = 10_000  # ids looked up by one statement


class SqliteReading(SqlitePlace):
    """The part of `SqlitePersister` for reading."""

    @property
    def getter(self) -> Unary:  # docstring inherited
        return self.fetch

    def __getitem__(self, id: str) -> bytes:
        return cast("bytes", self.fetch(id))

    def fetch(self, id: str, limit: int = _EVERYTHING) -> Any:  # docstring inherited
        # _get() and _run() are inlined: four calls less are a third of a small read.
        try:
            session = self._sessions.local.session
            with session.lock:
                session.verify_at_times()
                row = session.execute(self._sql.get, (id,)).fetchone()
        except (AttributeError, sqlite3.Error, UnicodeEncodeError):
            return self._get(id, limit)  # the slow path raises the right error, or succeeds
        if type(id) is str:
            if row is None:
                raise KeyError(id)
            if type(row[0]) is bytes:
                return row[0]
        return self._get(id, limit)

    def look(self, id: str) -> Any:
        """Return data in the row of their id, the number of large ones, or None if there are none."""
        try:
            session = self._sessions.local.session
            with session.lock:
                session.verify_at_times()
                row = session.execute(self._sql.get, (id,)).fetchone()
        except (AttributeError, sqlite3.Error, UnicodeEncodeError):
            rows = self._rows(self._sql.get, as_id(id))
            row = rows[0] if rows else None
        return None if row is None else row[0]

    def _get(self, id: Any, limit: int) -> Any:
        """Return the data of an id, those of over `limit` bytes as a file."""
        gone = None
        while True:
            rows = self._rows(self._sql.get, as_id(id))
            if not rows:
                raise KeyError(id)
            [(data,)] = rows
            if type(data) is bytes:
                return data
            large = self._large(id, data, limit)
            if large is not None:
                return large
            gone = self._replaced(id, data, gone)

    def _replaced(self, id: Any, number: int, before: int | None) -> int:
        """Return the number of large data that are gone, if they may have been replaced.

        Numbers are never reused, so an item that still has the number of missing data has lost them.
        """
        if number == before:
            raise CorruptValueError(
                f"the data of {id!r:.120} in {self.place} are lost, the file was damaged: "
                "check() counts such items; write it again, or delete it"
            )
        return number

    def _large(self, id: Any, number: int, limit: int) -> Any:
        """Return the large data of an id by their number; None if they are gone."""
        rows = self._rows(self._sql.get_large, min(limit, _SELECTED), number)
        if not rows:
            return None
        [(size, data)] = rows
        if type(data) is str:
            return self._need_files(id).fetch(data, limit)
        if data is not None:
            return data
        what = f"the data of {id!r:.120} cannot be read"
        if size > limit and not self._in_transaction():  # invisible to another connection
            return self._open_large(number, what)

        def read(session: Session) -> bytes | None:
            # Directly into the bytes object: a SELECT would make two copies.
            try:
                blob = session.connection.blobopen(f"{self.table}:large", "data", number, readonly=True)
            except sqlite3.OperationalError:
                if session.execute(self._sql.size_large, (number,)).fetchall():
                    raise
                return None  # replaced or deleted after its size was read
            with blob:
                return blob.read()

        return self._run(read, what)

    def _need_files(self, id: Any) -> LargeFiles:
        if self._files is None:
            raise UnsupportedError(
                f"the data of {id!r:.120} lie in a file beside {self.place}: open it with files= "
                "(SQLiteStore does), where the folder of them is",
            )
        return self._files

    def file_of(self, id: str) -> str | None:
        """Return the path of the file that the data of an id have of their own; None if in the database.

        The file never changes, and is deleted when the item is deleted or gets other data: map it, or make a
        hard link to it, to keep the data.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        rows = self._rows(self._sql.get, as_id(id))
        if not rows:
            raise KeyError(id)
        [(number,)] = rows
        rows = [] if type(number) is bytes else self._rows(self._sql.get_large, 0, number)
        row = rows[0][1] if rows else None
        return self._need_files(id).path_of(row) if type(row) is str else None

    def _open_large(self, number: int, what: str) -> BinaryIO | None:
        """Open large data as a file; return None if they are gone."""
        # An open blob holds the state of the database for its connection, so it has one of its own.
        session = self._sessions.connect(writes=False)
        connection = session.connection
        try:
            connection.execute("BEGIN")
            if not connection.execute(self._sql.size_large, (number,)).fetchall():
                session.close()
                return None
            blob = connection.blobopen(f"{self.table}:large", "data", number, readonly=True)
        except BaseException as error:
            session.close()
            if isinstance(error, sqlite3.Error):
                raise self._sessions.translated(error, what) from error
            raise
        file = _LargeFile(session, blob, self.path, lambda error: self._sessions.translated(error, what))
        return cast("BinaryIO", io.BufferedReader(file, 1 << 18))

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        data = self._get(id, 0)
        return io.BytesIO(data) if type(data) is bytes else cast("BinaryIO", data)

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        gone = None
        while True:
            rows = self._rows(self._sql.read, as_id(id))
            if not rows:
                raise KeyError(id)
            [(version, kept)] = rows
            data = kept if type(kept) is bytes else self._large(id, kept, _EVERYTHING)
            if data is not None:
                return data, stat_of(version, len(data))
            gone = self._replaced(id, kept, gone)

    def stat(self, id: str) -> Stat:  # docstring inherited
        gone = None
        while True:
            rows = self._rows(self._sql.stat, as_id(id))
            if not rows:
                raise KeyError(id)
            [(version, size)] = rows
            stat = self._stat(version, size)
            if stat is not None:
                return stat
            gone = self._replaced(id, size, gone)

    def _stat(self, version: int, size: int) -> Stat | None:
        """Return a stat; None for large data that are gone."""
        if size >= 0:
            return stat_of(version, size)
        sizes = self._rows(self._sql.size_large, -size)
        return stat_of(version, sizes[0][0]) if sizes else None

    def __contains__(self, id: object) -> bool:
        return bool(self._rows(self._sql.has, as_id(id)))

    def __len__(self) -> int:
        return int(self._rows(self._sql.count)[0][0])

    # ------------------------------------------------------------------ many

    def __iter__(self) -> Iterator[str]:
        return self.ids()

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        for page in self.pages(prefix):
            yield from page

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        for rows in self._pages("id", prefix):
            yield [as_text(id) for (id,) in rows]

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        for rows in self._pages(f"id, version, {self._sql.size}", prefix):
            for id, version, size in rows:
                stat = self._stat(version, size)
                if stat is None:  # large data replaced or deleted after the page was read
                    try:
                        stat = self.stat(as_text(id))
                    except KeyError:
                        continue
                yield as_text(id), stat

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]]:  # docstring inherited
        for rows in self._pages("id, data", prefix):
            # Checked after the page was read: the first writer of large data makes their table before.
            if type(rows[-1][0]) is str and not self._rows(self._sql.any_large):
                yield rows
            else:
                yield from self._sifted(rows, _EVERYTHING if limit is None else limit)

    def _sifted(self, rows: list[Any], limit: int) -> Iterator[list[tuple[str, Any]]]:
        """Yield the rows of a page in their order, each row with large data in a list of its own."""
        small: list[tuple[str, Any]] = []
        for raw_id, data in rows:
            id = as_text(raw_id)
            if type(data) is bytes:
                small.append((id, data))
                continue
            if small:
                yield small
                small = []
            try:
                found = [(id, self._get(id, limit))]
            except KeyError:
                continue
            yield found
        if small:
            yield small

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield id and data of those ids that exist, in the given order.

        Up to 10,000 ids are one snapshot, except for data of over about 1,000 bytes.
        """
        rest = iter(ids)
        while batch := list(itertools.islice(rest, _BATCH)):
            # JSON has no lone surrogates, and SQLite's JSON ends text at a null character.
            plain = all(type(id) is str and "\x00" not in id and type(as_id(id)) is str for id in batch)
            rows = (
                self._rows(self._sql.read_many, json.dumps(batch))
                if plain
                else zip(batch, itertools.repeat(None))
            )
            for id, data in rows:
                if type(data) is bytes:
                    yield id, data
                    continue
                try:
                    found = self._get(id, _EVERYTHING)
                except KeyError:
                    continue
                yield id, found

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[str]:  # docstring inherited
        order = "version DESC, id DESC" if newest else "version, id"
        where, bounds = "", []
        if prefix:
            bounds = spans(prefix)
            where = "WHERE " + " OR ".join("id >= ? AND id < ?" for _ in bounds)
        rows = self._rows(
            f"SELECT id FROM {self._sql.items} {where} ORDER BY {order} LIMIT ?",
            *(bound for pair in bounds for bound in pair),
            -1 if limit is None else min(max(limit, 0), _EVERYTHING),
        )
        return (as_text(id) for (id,) in rows)

    def _pages(self, columns: str, prefix: str) -> Iterator[list[Any]]:
        """Yield pages of rows in the order of their ids, each in a transaction of its own."""
        for low, high in spans(prefix) if prefix else [("", None)]:
            yield from self._range(columns, low, high)

    def _range(self, columns: str, low: str | bytes, high: str | bytes | None) -> Iterator[list[Any]]:
        before = high is not None
        statement = self._sql.page(columns, after=False, before=before)
        size = _FIRST_PAGE
        while rows := self._rows(statement, low, *((high, size) if before else (size,))):
            yield rows
            if len(rows) < size:
                return
            low, size = rows[-1][0], _PAGE
            statement = self._sql.page(columns, after=True, before=before)


class _LargeFile(io.RawIOBase):
    """Large data as a file, with the session that it needs."""

    def __init__(
        self,
        session: Session,
        blob: sqlite3.Blob,
        path: str,
        translated: Callable[[sqlite3.Error], Exception],
    ) -> None:
        self._session = session
        self._blob = blob
        self._path = path
        self._translated = translated

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        with self._using() as blob:
            blob.seek(offset, whence)
            return blob.tell()

    def readinto(self, buffer: Any) -> int:
        # In pieces, since each is made before it is put into the buffer.
        with self._using() as blob:
            try:
                data = blob.read(min(len(buffer), _PIECE))
            except sqlite3.Error as error:
                raise self._translated(error) from error
        buffer[: len(data)] = data
        return len(data)

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Blob]:
        with self._session.lock:
            if self._session.closed:
                raise StoreUnavailableError(
                    errno.EBADF,
                    "this file of a large value was opened before the process was forked: open it again",
                    self._path,
                )
            yield self._blob

    def close(self) -> None:
        if not self.closed:
            self._session.close()  # closes the blob too
        super().close()
