"""Writing items: one transaction per call, with conditions checked by the statement that writes."""

import errno
import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from operator import itemgetter
from typing import Any, BinaryIO, cast

from holdall.abc import conflict
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import StoreUnavailableError
from holdall.persisters.sqlite._batches import Batch, batches, by_id, checked, fits, size_of
from holdall.persisters.sqlite._large import PIECE, SqliteLarge, version_of
from holdall.persisters.sqlite._place import as_id, as_text, stat_of
from holdall.persisters.sqlite._schema import INLINE, ROWS
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._sessions import CACHE, clock

_MANY, _BULK_CACHE = 1000, 32_000  # items from which a connection gets so many KiB for pages
_STEP = 256  # ns between the items of a batch, so that their times differ as floats, too


class SqliteWriting(SqliteLarge):
    """The part of `SqlitePersister` for writing."""

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        if type(data) is bytes and type(id) is str and len(id) + len(data) <= INLINE:
            # _run() is inlined: two calls less are a tenth of a small write.
            try:
                session = self._sessions.local.session
                with session.lock:
                    session.verify()
                    session.execute(self._sql.put, (id, data))
            except (AttributeError, UnicodeEncodeError):
                pass  # the first use by this thread, or an id stored as bytes
            except sqlite3.Error as error:
                self._check_writable()
                self._note_undone(session)
                if not session.closed:  # do not wait twice
                    raise self._sessions.translated(error, f"{id!r:.120} cannot be written") from error
            else:
                if self._watch:
                    self._delete_dropped(session)
                return
        self._check_writable()
        key, data = checked(id, data)
        if self._goes_to_file(size_of(data)):
            self._write_file(id, key, data, ANY_ETAG)
            return

        def store(session: Session) -> None:
            if fits(key, data):
                session.execute(self._sql.put, (key, data))
            else:
                with session.transaction() as connection:
                    connection.execute(self._sql.put, (key, self._add_large(connection, data)))

        self._run(store, f"{id!r:.120} cannot be written")
        self._delete_dropped()

    __setitem__ = put

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        if type(expected) is type(id) is str and type(data) is bytes and len(id) + len(data) <= INLINE:
            # _run() and _swap() are inlined, as in put(): 9.3 µs instead of 10.9.
            old = version_of(expected)
            new = max(old + 1, clock())
            try:
                session = self._sessions.local.session
                with session.lock:
                    session.verify()
                    done = session.execute(self._sql.swap, (new, data, id, old)).rowcount
            except (AttributeError, UnicodeEncodeError):
                pass
            except sqlite3.Error as error:
                self._check_writable()
                self._note_undone(session)
                if not session.closed:
                    raise self._sessions.translated(error, f"{id!r:.120} cannot be written") from error
            else:
                if not done:
                    raise self._conflict(id, expected)
                if self._watch:
                    self._delete_dropped(session)
                return Stat(str(new), new / 1e9, len(data))
        self._check_writable()
        key, data = checked(id, data)
        size = size_of(data)
        if self._goes_to_file(size):
            version = self._write_file(id, key, data, expected)
            if version is None:
                raise self._conflict(id, expected)
            return stat_of(version, size)

        def store(session: Session) -> Any:
            if fits(key, data):
                return self._swap(session.connection, key, data, expected)
            with session.transaction() as connection:
                number = self._add_large(connection, data)
                version = self._swap(connection, key, number, expected)
                if version is None:
                    connection.execute(self._sql.drop_large, (number,))
                return version

        version = self._run(store, f"{id!r:.120} cannot be written")
        self._delete_dropped()
        if version is None:
            raise self._conflict(id, expected)
        return stat_of(version, size)

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
        # _run() is inlined, as in put().
        try:
            session = self._sessions.local.session
            with session.lock:
                session.verify()
                session.change.function = change
                done = session.execute(self._sql.modify, (clock(), id)).rowcount
                session.change.function = None
        except (AttributeError, UnicodeEncodeError):
            done = self._modify(id, change)
        except sqlite3.Error as error:
            self._check_writable()
            self._note_undone(session)
            session.change.raise_error()
            if not session.closed:
                raise self._sessions.translated(error, f"{id!r:.120} cannot be written") from error
            done = self._modify(id, change)
        if not done:
            raise KeyError(id)

    def _modify(self, id: str, change: Callable[[Any], bytes]) -> int:
        """Do the same as `modify` for a thread without a connection, or an id stored as bytes."""
        self._check_writable()

        def run(session: Session) -> int:
            session.change.function = change
            try:
                return session.execute(self._sql.modify, (clock(), as_id(id))).rowcount
            except sqlite3.Error:
                session.change.raise_error()
                raise
            finally:
                session.change.function = None

        return int(self._run(run, f"{id!r:.120} cannot be written"))

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
            return session.execute(self._sql.remove_version, (key, version_of(expected))).rowcount

        done = self._run(delete, f"{id!r:.120} cannot be deleted")
        self._delete_dropped()
        if not done:
            if expected is ANY_ETAG:
                raise KeyError(id)
            raise conflict(self, id, expected, self.stat(id).etag)

    # ------------------------------------------------------------------ many

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items in one transaction: all of them, or after an error none."""
        self._check_writable()
        rest = batches(items)
        # A single batch is made before the lock is taken, as making values may take long.
        first = next(rest, None)
        if first is None:
            return
        folder = self._planned_folder(first)

        def store(session: Session) -> None:
            many = len(first.keys) >= _MANY
            if folder is not None:
                self._plan(session, folder)
            with _large_cache(session) if many else nullcontext(), session.transaction() as connection:
                files = self._bulk_files(session, folder)
                self._put_batch(connection, first, files)
                for batch in rest:
                    # The iterator of items may have used this persister, too.
                    if session.closed or not connection.in_transaction:
                        raise StoreUnavailableError(
                            errno.ECANCELED,
                            "the items cannot be written, none of them was: the database was closed, or a "
                            "write to it failed, while they were made",
                            self.path,
                        )
                    self._put_batch(connection, batch, files)

        try:
            self._run(store, "the items cannot be written")
        except BaseException:
            if folder is not None:
                self._sweep()
            raise
        self._delete_dropped()

    def _put_batch(
        self, connection: sqlite3.Connection, batch: Batch, files: Iterator[str] | None = None
    ) -> None:
        if batch.large:
            batch.data = [self._kept(connection, key, data, files) for key, data in zip(*batch, strict=True)]
        [(floor,)] = connection.execute(self._sql.floor).fetchall()
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
            connection.execute(self._sql.put_rows, list(values))
        if rest:
            connection.executemany(self._sql.put_dated, rows[-rest:])

    def _kept(
        self, connection: sqlite3.Connection, key: str | bytes, data: Any, files: Iterator[str] | None
    ) -> Any:
        """Return what is stored beside an id: the data, or the number of large ones."""
        if fits(key, data):
            return data
        if files is not None and self._files is not None and self._files.takes(size_of(data)):
            pieces = data if type(data) is list else [data]
            with self._files.staged(as_text(key), pieces, next(files)) as staged:
                staged.publish()
                return self._add_file(connection, staged)
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
            self._delete_dropped()

    def clear(self) -> None:  # docstring inherited
        self._check_writable()

        def delete(session: Session) -> None:
            with session.transaction() as connection:
                connection.execute(self._sql.clear)
                connection.execute(self._sql.clear_large)

        self._run(delete, "the items cannot be deleted")
        self._delete_dropped()

    # ------------------------------------------------------------------ large data

    @contextmanager
    def writer(self, id: str) -> Iterator[BinaryIO]:
        """Open a binary file whose content is stored when the context ends without an error.

        Up to 1 MB is kept in memory, more in a temporary file.
        """
        self._check_writable()
        key, _ = checked(id, b"")
        with tempfile.SpooledTemporaryFile(max_size=PIECE) as file:
            yield cast("BinaryIO", file)
            size = file.seek(0, 2)
            file.seek(0)
            if size <= PIECE:
                self.put(id, file.read())
                return
            pieces = iter(lambda: file.read(PIECE), b"")
            if self._goes_to_file(size):
                self._write_file(id, key, pieces, ANY_ETAG)
                return

            def store(session: Session) -> None:
                with session.transaction() as connection:
                    file.seek(0)
                    number = self._fill_large(connection, size, pieces)
                    connection.execute(self._sql.put, (key, number))

            self._run(store, f"{id!r:.120} cannot be written")
            self._delete_dropped()


@contextmanager
def _large_cache(session: Session) -> Iterator[None]:
    """Let a connection keep more pages in memory: bulk writes write the same ones repeatedly."""
    session.execute(f"PRAGMA cache_size = -{_BULK_CACHE}")
    try:
        yield
    finally:
        if not session.closed:
            session.execute(f"PRAGMA cache_size = -{CACHE}")
