"""Writing items: each call one transaction, conditions checked by the statement that writes."""

import errno
import itertools
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from operator import itemgetter
from typing import Any, BinaryIO, cast

from holdall.abc import conflict, join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.persisters.sqlite._place import as_id, as_text, stat_of
from holdall.persisters.sqlite._reading import SqliteReading
from holdall.persisters.sqlite._schema import INLINE, ROWS
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._sessions import CACHE, clock

_BATCH, _BATCH_BYTES = 50_000, 32 << 20  # items, and bytes of large ones, that are sorted and sent in one go
_MANY, _BULK_CACHE = 1000, 32_000  # items from which a connection may take so many KiB for pages
_STEP = 256  # ns between the items of a batch, so that their times differ as floats, too
_PIECE = 1 << 20  # bytes up to which data are bound whole


class SqliteWriting(SqliteReading):
    """The part of `SqlitePersister` that writes."""

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        if type(data) is bytes and type(id) is str and len(id) + len(data) <= INLINE:
            # In line what _run() does: two calls less are a tenth of a small write.
            try:
                session = self._sessions.local.session
                with session.lock:
                    session.execute(self._sql.put, (id, data))
            except (AttributeError, UnicodeEncodeError):
                pass  # the first use by this thread, or an id that is kept as bytes
            except sqlite3.Error as error:
                self._check_writable()
                if not session.closed:  # what was waited for is not waited for twice
                    raise self._sessions.translated(error, f"{id!r:.120} cannot be written") from error
            else:
                return
        self._check_writable()
        key, data = _checked(id, data)

        def store(session: Session) -> None:
            if _fits(key, data):
                session.execute(self._sql.put, (key, data))
            else:
                with session.transaction() as connection:
                    connection.execute(self._sql.put, (key, self._add_large(connection, data)))

        self._run(store, f"{id!r:.120} cannot be written")

    __setitem__ = put

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        if type(expected) is type(id) is str and type(data) is bytes and len(id) + len(data) <= INLINE:
            # In line what _run() and _swap() do, as in put(): 9.3 µs instead of 10.9.
            old = _version(expected)
            new = max(old + 1, clock())
            try:
                session = self._sessions.local.session
                with session.lock:
                    done = session.execute(self._sql.swap, (new, data, id, old)).rowcount
            except (AttributeError, UnicodeEncodeError):
                pass
            except sqlite3.Error as error:
                self._check_writable()
                if not session.closed:
                    raise self._sessions.translated(error, f"{id!r:.120} cannot be written") from error
            else:
                if not done:
                    raise self._conflict(id, expected)
                return Stat(str(new), new / 1e9, len(data))
        self._check_writable()
        key, data = _checked(id, data)
        size = _size(data)

        def store(session: Session) -> Any:
            if _fits(key, data):
                return self._swap(session.connection, key, data, expected)
            with session.transaction() as connection:
                number = self._add_large(connection, data)
                version = self._swap(connection, key, number, expected)
                if version is None:
                    connection.execute(self._sql.drop_large, (number,))
                return version

        version = self._run(store, f"{id!r:.120} cannot be written")
        if version is None:
            raise self._conflict(id, expected)
        return stat_of(version, size)

    def _swap(self, connection: sqlite3.Connection, key: Any, data: Any, expected: Expected) -> int | None:
        """Write data, or their number, if the item is in the expected state; give the new version."""
        if expected is ANY_ETAG:
            rows = connection.execute(self._sql.write, (key, data)).fetchall()
        elif expected is ITEM_NOT_AVAILABLE:
            rows = connection.execute(self._sql.insert, (key, data)).fetchall()
        else:
            old = _version(expected)
            # The old one was above all before it, so this one is.
            new = max(old + 1, clock())
            done = connection.execute(self._sql.swap, (new, data, key, old)).rowcount
            rows = [(new,)] if done else []
        return rows[0][0] if rows else None

    def _conflict(self, id: str, expected: Expected) -> Exception:
        try:
            actual: Etag = self.stat(id).etag
        except KeyError:
            actual = ITEM_NOT_AVAILABLE
        return conflict(self, id, expected, actual)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._check_writable()
        key = as_id(id)

        def delete(session: Session) -> int:
            if expected is ANY_ETAG:
                return session.execute(self._sql.remove, (key,)).rowcount
            return session.execute(self._sql.remove_version, (key, _version(expected))).rowcount

        if not self._run(delete, f"{id!r:.120} cannot be deleted"):
            if expected is ANY_ETAG:
                raise KeyError(id)
            raise conflict(self, id, expected, self.stat(id).etag)

    # ------------------------------------------------------------------ many

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items in one transaction: all of them, or after an error none."""
        self._check_writable()
        batches = _batches(items)
        # What fits into one batch is made before the lock is taken: making values may take long.
        first = next(batches, None)

        def store(session: Session) -> None:
            assert first is not None  # noqa: S101  (it would not be called)
            many = len(first.keys) >= _MANY
            with _large_cache(session) if many else nullcontext(), session.transaction() as connection:
                self._put_batch(connection, first)
                for batch in batches:
                    # What makes the items may have used this place, too.
                    if session.closed or not connection.in_transaction:
                        raise StoreUnavailableError(
                            errno.ECANCELED,
                            "the items cannot be written, none of them was: the place was closed, or a write "
                            "to it failed, while they were made",
                            self.path,
                        )
                    self._put_batch(connection, batch)

        if first is not None:
            self._run(store, "the items cannot be written")

    def _put_batch(self, connection: sqlite3.Connection, batch: "_Batch") -> None:
        if batch.large:
            batch.data = [self._kept(connection, key, data) for key, data in zip(*batch, strict=True)]
        rows = list(zip(batch.keys, itertools.count(clock(), _STEP), batch.data, strict=False))
        # In the order of the ids neighbours share pages: twice as fast where keys come in any order.
        # Sorting is stable, so of several data for one id the last still wins.
        try:
            rows.sort(key=itemgetter(0))
        except TypeError:  # text and bytes
            rows.sort(key=_by_id)
        several, rest = divmod(len(rows), ROWS)
        for start in range(0, several * ROWS, ROWS):
            values = itertools.chain.from_iterable(rows[start : start + ROWS])
            connection.execute(self._sql.put_rows, list(values))
        if rest:
            connection.executemany(self._sql.put_dated, rows[-rest:])

    def _kept(self, connection: sqlite3.Connection, key: str | bytes, data: Any) -> Any:
        """Give what is kept beside an id: the data, or the number of large ones."""
        if _fits(key, data):
            return data
        try:
            return self._add_large(connection, data)
        except sqlite3.DataError as error:  # of many, this one is too large
            raise self._sessions.translated(error, f"{as_text(key)!r:.120} cannot be written") from error

    def remove_many(self, ids: Iterable[str]) -> None:
        """Delete those of the ids that exist, in one transaction."""
        self._check_writable()
        keys = [(as_id(id),) for id in ids]

        def delete(session: Session) -> None:
            with session.transaction() as connection:
                connection.executemany(self._sql.remove, keys)

        if keys:
            self._run(delete, "the items cannot be deleted")

    def clear(self) -> None:  # docstring inherited
        self._check_writable()

        def delete(session: Session) -> None:
            with session.transaction() as connection:
                connection.execute(self._sql.clear)
                connection.execute(self._sql.clear_large)

        self._run(delete, "the items cannot be deleted")

    # ------------------------------------------------------------------ large data

    @contextmanager
    def writer(self, id: str) -> Iterator[BinaryIO]:
        """Open a binary file whose content is stored when the context is left without an error.

        Up to 1 MB is kept in memory, more in a temporary file.
        """
        self._check_writable()
        key, _ = _checked(id, b"")
        with tempfile.SpooledTemporaryFile(max_size=_PIECE) as file:
            yield cast("BinaryIO", file)
            size = file.seek(0, 2)
            file.seek(0)
            if size <= _PIECE:
                self.put(id, file.read())
                return

            def store(session: Session) -> None:
                with session.transaction() as connection:
                    file.seek(0)
                    pieces = iter(lambda: file.read(_PIECE), b"")
                    number = self._fill_large(connection, size, pieces)
                    connection.execute(self._sql.put, (key, number))

            self._run(store, f"{id!r:.120} cannot be written")

    def _add_large(self, connection: sqlite3.Connection, data: Any) -> int:
        """Store large data and give their number."""
        size = _size(data)
        if size > _PIECE:
            parts = data if type(data) is list else [data]
            return self._fill_large(connection, size, parts)
        number = connection.execute(self._sql.add_large, (join_parts(data),)).lastrowid
        return self._droppable(connection, number)

    def _fill_large(self, connection: sqlite3.Connection, size: int, parts: Iterable[Any]) -> int:
        """Reserve room for large data and write them piece by piece, so that no second copy is made."""
        number = connection.execute(self._sql.reserve_large, (size,)).lastrowid
        assert number is not None  # noqa: S101  (a row was inserted)
        with connection.blobopen(f"{self.table}:large", "data", number) as blob:
            for part in parts:
                blob.write(part)
        return self._droppable(connection, number)

    def _droppable(self, connection: sqlite3.Connection, number: int | None) -> int:
        """See that large data go when their item does."""
        for statement in self._sql.make_triggers:
            connection.execute(statement)
        assert number is not None  # noqa: S101  (a row was inserted)
        return number

    def _check_writable(self) -> None:
        if self.read_only:
            raise UnsupportedError(f"{self.place} was opened with read_only=True")


def _by_id(row: tuple[Any, ...]) -> tuple[bool, Any]:
    return type(row[0]) is bytes, row[0]


def _checked(id: Any, data: Any) -> tuple[str | bytes, Any]:
    """Give id and data as they are stored."""
    key = as_id(id)
    if key is None:
        raise InvalidKeyError(f"ids are text, got {type(id).__name__}: {id!r:.80}")
    if type(data) is not bytes:
        try:
            data = [memoryview(part).cast("B") for part in (data if type(data) is list else [data])]
        except TypeError as error:
            raise InvalidArgumentError(
                f"the data for {id!r:.80} are {type(data).__name__}, not bytes: give the store a serializer",
            ) from error
    return key, data


class _Batch:
    """Ids and data that are written together."""

    def __init__(self) -> None:
        self.keys: list[str | bytes] = []
        self.data: list[Any] = []
        self.large = False  # whether some data do not fit beside their id

    def __iter__(self) -> Iterator[list[Any]]:
        return iter((self.keys, self.data))


def _batches(items: Iterable[tuple[str, Any]]) -> Iterator[_Batch]:
    """Cut items into batches that are bounded in number and in bytes."""
    batch = _Batch()
    size, count = 0, 0
    for id, data in items:
        if type(data) is bytes and type(id) is str and id.isascii() and len(id) + len(data) <= INLINE:
            batch.keys.append(id)
            batch.data.append(data)
            count += 1
        else:
            key, parts = _checked(id, data)
            batch.keys.append(key)
            batch.data.append(parts)
            batch.large = True
            size += _size(parts)
            count += 1
        if count == _BATCH or size > _BATCH_BYTES:
            yield batch
            batch, size, count = _Batch(), 0, 0
    if count:
        yield batch


@contextmanager
def _large_cache(session: Session) -> Iterator[None]:
    """Let a connection keep more pages: in bulk, the same ones are written again and again."""
    session.execute(f"PRAGMA cache_size = -{_BULK_CACHE}")
    try:
        yield
    finally:
        if not session.closed:
            session.execute(f"PRAGMA cache_size = -{CACHE}")


def _size(data: Any) -> int:
    return len(data) if type(data) is bytes else sum(part.nbytes for part in data)


def _fits(key: Any, data: Any) -> bool:
    return type(data) is bytes and len(key) + len(data) <= INLINE


def _version(etag: Any) -> int:
    """Give the version of an etag, one that no item has if it is none of ours."""
    if isinstance(etag, str) and etag.isascii() and etag.isdigit() and len(etag) < 20:
        version = int(etag)
        if str(version) == etag and version < 1 << 63:
            return version
    return -1
