"""Large data in rows of a table of their own: read and written in pieces."""

import errno
import io
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from holdall._shown import shown
from holdall.abc import join_parts
from holdall.errors import StoreUnavailableError
from holdall.persisters.sqlite._files import LargeFiles
from holdall.persisters.sqlite._ids import as_id
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._table import Table

#: Bytes up to which data are bound, or read, as a whole.
PIECE = 1 << 20
_SELECTED = 1 << 18  # bytes from which a copy costs more than another call


class LargeData:
    """The large data of a table, by the number that the row of their item has."""

    def __init__(self, table: Table, files: LargeFiles) -> None:
        self._table = table
        self._files = files
        self._sql = table.sql
        self._name = f"{table.name}:large"

    # ------------------------------------------------------------------ reading

    def fetch(self, id: Any, number: int, limit: int) -> Any:
        """Return the data of an item, those of over `limit` bytes as a file; None if they are gone."""
        rows = self._table.rows(self._sql.get_large, min(limit, _SELECTED), number)
        if not rows:
            return None
        [(size, data)] = rows
        if type(data) is str:
            return self._files.fetch(id, data, limit)
        if data is not None:
            return data
        what = f"the data of {shown(id, 120)} cannot be read"
        if size > limit and not self._table.in_transaction():  # invisible to another connection
            return self._open(number, what)

        def read(session: Session) -> bytes | None:
            # Directly into the bytes object: a SELECT would make two copies.
            try:
                blob = session.connection.blobopen(self._name, "data", number, readonly=True)
            except sqlite3.OperationalError:
                if session.execute(self._sql.size_large, (number,)).fetchall():
                    raise
                return None  # replaced or deleted after its size was read
            with blob:
                return blob.read()

        return self._table.run(read, what)

    def _open(self, number: int, what: str) -> BinaryIO | None:
        """Open large data as a file; return None if they are gone."""
        # An open blob holds the state of the database for its connection, so it has one of its own.
        sessions = self._table.sessions
        session = sessions.connect(writes=False)
        connection = session.connection
        try:
            connection.execute("BEGIN")
            if not connection.execute(self._sql.size_large, (number,)).fetchall():
                session.close()
                return None
            blob = connection.blobopen(self._name, "data", number, readonly=True)
        except BaseException as error:
            session.close()
            if isinstance(error, sqlite3.Error):
                raise sessions.translated(error, what) from error
            raise
        file = _LargeFile(session, blob, self._table.path, lambda error: sessions.translated(error, what))
        return cast("BinaryIO", io.BufferedReader(file, 1 << 18))

    def size(self, number: int) -> int | None:
        """Return the bytes of data; None if they are gone."""
        rows = self._table.rows(self._sql.size_large, number)
        return rows[0][0] if rows else None

    def file_of(self, id: str) -> str | None:
        """Return the path of the file that the data of an id have of their own; None if in the database."""
        rows = self._table.rows(self._sql.get, as_id(id))
        if not rows:
            raise KeyError(id)
        [(number,)] = rows
        rows = [] if type(number) is bytes else self._table.rows(self._sql.get_large, 0, number)
        row = rows[0][1] if rows else None
        return self._files.path_of(id, row) if type(row) is str else None

    # ------------------------------------------------------------------ writing

    def add(self, connection: sqlite3.Connection, data: Any, size: int) -> int:
        """Store large data, whole or in pieces, and return their number."""
        if size <= PIECE:
            number = connection.execute(self._sql.add_large, (join_parts(data),)).lastrowid
        else:
            # Space is reserved and written piece by piece, without a second copy.
            number = connection.execute(self._sql.reserve_large, (size,)).lastrowid
            with connection.blobopen(self._name, "data", cast("int", number)) as blob:
                for part in [data] if type(data) is bytes else data:
                    blob.write(part)
        for statement in self._sql.make_triggers:  # so that they are deleted with their item
            connection.execute(statement)
        return cast("int", number)

    def move_apart(self, id: str) -> None:
        """Move data from the row of their id to the table for large ones; keep the etag."""

        def move(session: Session) -> None:
            with session.transaction() as connection:
                rows = connection.execute(self._sql.get, (as_id(id),)).fetchall()
                if rows and type(rows[0][0]) is bytes:
                    number = self.add(connection, rows[0][0], len(rows[0][0]))
                    connection.execute(self._sql.replace_data, (number, as_id(id)))

        self._table.check_writable()
        self._table.run(move, f"{shown(id, 120)} cannot be moved")


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
                data = blob.read(min(len(buffer), PIECE))
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
