"""A persister over a table of an SQL database: bytes by key, with a version for each."""

import itertools
import math
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from operator import itemgetter
from typing import Any, Final

from holdall._options import check_bytes, is_unicode
from holdall._posix.lock import check_timeout
from holdall._shown import shown
from holdall.abc import Capability, VersionedPersister, conflict, join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    OutcomeUnknownError,
    StoreTimeoutError,
    StoreUnavailableError,
    ValueTooLargeError,
)
from holdall.persisters.sql._connections import LARGE, Connections, wait
from holdall.persisters.sql._dialect import MAX_KEY, PAGE, dialect_of, packet_of, put_all
from holdall.persisters.sql._engine import PATIENCE
from holdall.persisters.sql._names import bytes_of, etag_of, id_of, ids_of, key_if_any, key_of, version_of
from holdall.persisters.sql._reading import Reading

__all__ = ["MAX_KEY", "SqlPersister"]

_TRIES: Final = 3  # after a write whose answer was lost, or an update that others prevented


class SqlPersister(VersionedPersister):
    """A table of PostgreSQL, MySQL, MariaDB or SQLite, with the columns key, version, mtime and data.

    Parameters
    ----------
    target
        The URL of a database, or an engine of SQLAlchemy.
    table
        Name of the table, made if it does not exist.
    timeout
        Seconds to wait for locks of others, then `StoreTimeoutError` is raised.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.
    MismatchError
        If there is a table of that name with other columns.
    StoreUnavailableError
        If the server does not answer, or refuses the request.

    Notes
    -----
    Threads, processes, machines: each write is one statement, which compares the version where one is
    expected, so that compare-and-swap is linearizable among all. A write carries a random version: if the
    connection is lost before the answer, that version is looked for, so that it counts once, or raises
    `OutcomeUnknownError`. Transactions of one table follow each other. After a crash: the acknowledged
    writes. Cost: one round trip per operation; `write_many` is one transaction, and a listing requests 2,000
    keys at a time.

    SQLAlchemy makes the connections and quotes names; statements are passed to the driver directly.
    """

    capabilities = frozenset(
        {
            Capability.WRITABLE,
            Capability.PERSISTENT,
            Capability.BYTES,
            Capability.MTIME,
            Capability.CHEAP_STAT,
            Capability.TRANSACTIONS,
            Capability.CAS_THREADS,
            Capability.CAS_HOST,
            Capability.CAS_WORLD,
        }
    )
    bulk = True

    def __init__(self, target: Any, *, table: str = "items", timeout: float = PATIENCE) -> None:
        given: Any = table
        if not is_unicode(given) or not given or "\0" in given:
            raise InvalidArgumentError(f"table is the name of a table, got {shown(table)}")
        self.table = table
        self._server = Connections(target, check_timeout(timeout))
        self._sql = dialect_of(self._server.engine, table, timeout)
        self._prepare()
        if self._sql.name in {"mysql", "mariadb"}:
            # The driver sends bytes as text, which doubles some; a statement that is too long ends the
            # session.
            packet = self._server.run("the limits cannot be asked for", packet_of)
            self._sql = self._sql._replace(max_data=min(self._sql.max_data, packet // 2 - 10_000))
        self._reading = Reading(self._server, self._sql)

    def _prepare(self) -> None:
        """Make the table if it does not exist, and check its columns."""
        create, probe, errors = self._sql.create, self._sql.probe, self._server.errors
        for attempt in range(3):
            try:
                self._server.run("the table cannot be made", lambda cursor: cursor.execute(create))
                break
            except StoreUnavailableError:
                # Of two concurrent attempts to make it one may fail; and without the right to make it, it can
                # be used.
                if attempt == 2 and not self._is_there():
                    raise
        try:
            with self._server.transaction():  # also ended by an error
                self._server.run("the table cannot be read", lambda cursor: cursor.execute(probe, (b"",)))
        except StoreTimeoutError:
            raise
        except StoreUnavailableError as error:
            if isinstance(error.__cause__, errors) and not self._server.is_lost(error.__cause__):
                raise MismatchError(
                    f"{self.place} has other columns than key, version, mtime and data: give another table= "
                    f"({error.__cause__})"
                ).about(location=self.place) from error
            raise

    def _is_there(self) -> bool:
        try:
            self._server.run("", lambda cursor: cursor.execute(self._sql.probe, (b"",)))
        except StoreUnavailableError:
            return False
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        target = self._server.target
        if not isinstance(target, str):
            target = self._server.engine.url.render_as_string(hide_password=False)
        return _reopened, (type(self), target, self.table, self._server.timeout)

    @property
    def place(self) -> str:  # docstring inherited
        return f"table {self.table!r} of {self._server.place}"

    # ------------------------------------------------------------------ reading

    def _one(self, id: Any, statement: str) -> Any:
        """Return the row of an id."""
        key = key_of(id, KeyError)
        if self._server.in_transaction:
            statement += self._sql.for_update

        def ask(cursor: Any) -> Any:
            cursor.execute(statement, (key,))
            return cursor.fetchone()

        row = self._server.run(f"{shown(id)} cannot be read", ask)
        if row is None:
            raise KeyError(id)
        return row

    def read(self, id: str) -> tuple[Any, Stat]:  # docstring inherited
        found, version, mtime = self._one(id, self._sql.read)
        data = bytes_of(found)
        return data, Stat(etag_of(version), mtime, len(data))

    def stat(self, id: str) -> Stat:  # docstring inherited
        version, mtime, size = self._one(id, self._sql.stat)
        return Stat(etag_of(version), mtime, size)

    def __contains__(self, id: object) -> bool:
        try:
            self.stat(id)  # type: ignore[arg-type]
        except KeyError:
            return False
        return True

    def __len__(self) -> int:
        def ask(cursor: Any) -> Any:
            cursor.execute(self._sql.count_all)
            return cursor.fetchone()

        return int(self._server.run("the items cannot be counted", ask)[0])

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        return itertools.chain.from_iterable(self.pages(prefix))

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        for rows in self._reading.rows(self._sql.page, prefix, "the keys cannot be listed"):
            yield ids_of([key for (key,) in rows])

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        for rows in self._reading.rows(self._sql.scan, prefix, "the keys cannot be listed"):
            for key, version, mtime, size in rows:
                yield id_of(key), Stat(etag_of(version), mtime, size)

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        del limit
        return self._reading.contents(prefix)

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:  # docstring inherited
        return self._reading.some(ids)

    # ------------------------------------------------------------------ writing

    def _row(self, id: Any, data: Any) -> tuple[bytes, bytes, float, bytes]:
        key = key_of(id, InvalidKeyError)
        check_bytes(id, data)
        whole = bytes(join_parts(data))
        if len(whole) > self._sql.max_data:
            raise ValueTooLargeError(
                f"the data for {shown(id)} have {len(whole):,} bytes, and {self._sql.name} takes "
                f"{self._sql.max_data:,} at most"
            )
        return key, secrets.token_bytes(12), time.time(), whole

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        key, version, mtime, whole = self._row(id, data)
        if expected is ANY_ETAG:
            statement, bound = self._sql.put, (key, version, mtime, whole)
        elif expected is ITEM_NOT_AVAILABLE:
            statement, bound = self._sql.insert, (key, version, mtime, whole)
        else:
            old = version_of(expected)
            statement, bound = self._sql.swap, (version, mtime, whole, key, old)  # type: ignore[assignment]
        changed = self._change(id, statement, bound, version, expected)
        if not changed:
            raise self._conflict(id, expected)
        return Stat(version.hex(), mtime, len(whole))

    def _change(
        self, id: Any, statement: str, bound: tuple[Any, ...], version: bytes, expected: Expected
    ) -> bool:
        """Execute a write; return whether it changed something, even if the answer was lost."""
        what = f"{shown(id)} cannot be written"
        large = max(len(part) for part in bound if type(part) is bytes) > LARGE

        def change(cursor: Any) -> int:
            try:
                cursor.execute(statement, bound)
            except self._server.errors as error:
                if self._server.is_duplicate(error):
                    return 0
                raise
            return int(cursor.rowcount)

        try:
            return self._server.run(what, change, again=False, large=large) > 0
        except StoreUnavailableError as error:
            if not self._server.was_lost(error):
                raise
            lost = error
        for _ in range(_TRIES):
            try:
                there: Etag = self.stat(id).etag
            except KeyError:
                there = ITEM_NOT_AVAILABLE
            except StoreUnavailableError:
                break
            if there == version.hex():
                return True
            # Only a write that expects a version may be sent again: versions never repeat, so it cannot undo
            # a write of others over the first one.
            if expected is ANY_ETAG or expected is ITEM_NOT_AVAILABLE or there != expected:
                break
            try:
                if self._server.run(what, change, again=False, large=large) > 0:
                    return True
            except StoreUnavailableError as error:
                lost = error
        raise OutcomeUnknownError(
            0,
            f"the answer to a write of {shown(id)} was lost, so it may have happened or not: read it again",
            self.place,
        ) from lost

    def _conflict(self, id: str, expected: Expected) -> Exception:
        try:
            actual: Etag = self.stat(id).etag
        except KeyError:
            actual = ITEM_NOT_AVAILABLE
        return conflict(self, id, expected, actual)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        key = key_of(id, KeyError)
        if expected is ITEM_NOT_AVAILABLE:
            if id in self:
                raise self._conflict(id, expected)
            raise KeyError(id)
        bound = (key,) if expected is ANY_ETAG else (key, version_of(expected))
        statement = self._sql.delete if expected is ANY_ETAG else self._sql.delete_at

        def delete(cursor: Any) -> int:
            cursor.execute(statement, bound)
            return int(cursor.rowcount)

        try:
            deleted = self._server.run(f"{shown(id)} cannot be deleted", delete, again=False)
        except StoreUnavailableError as error:
            if not self._server.was_lost(error):
                raise
            raise OutcomeUnknownError(
                0,
                f"the answer to a deletion of {shown(id)} was lost: it may have happened or not",
                self.place,
            ) from error
        if not deleted:
            if expected is ANY_ETAG or id not in self:
                raise KeyError(id)
            raise self._conflict(id, expected)

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items in one transaction."""
        self._in_one((*self._row(id, data),) for id, data in items)

    def write_dated(self, items: Iterable[tuple[str, Any, float]]) -> None:  # docstring inherited
        rows = ((*self._row(id, data), mtime) for id, data, mtime in items)
        now = time.time()
        self._in_one(
            (key, version, now if math.isnan(mtime) else mtime, whole)
            for key, version, _, whole, mtime in rows
        )

    def _in_one(self, rows: Iterator[tuple[Any, ...]]) -> None:
        # One row per key, as a statement cannot write a row twice, and all in one order, since two writers of
        # the same keys in different orders would wait for each other.
        each = sorted({row[0]: row for row in rows}.values(), key=itemgetter(0))
        for attempt in range(_TRIES):
            try:
                with self._server.transaction():
                    for start in range(0, len(each), PAGE):
                        batch = each[start : start + PAGE]
                        self._server.run("items cannot be written", partial(put_all, self._sql, batch))
            except StoreTimeoutError as error:
                if attempt == _TRIES - 1 or not self._server.was_in_the_way(error):
                    raise
                wait(attempt)
            else:
                return

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        waiting = iter(ids)
        while batch := list(itertools.islice(waiting, PAGE)):
            keys = [key for id in batch if (key := key_if_any(id)) is not None]
            if keys:
                self._delete(keys)

    def _delete(self, keys: list[bytes]) -> None:
        text = self._reading.with_marks(self._sql.drop_some, len(keys))
        self._server.run("items cannot be deleted", lambda cursor: cursor.execute(text, keys))

    def transaction(self) -> AbstractContextManager[None]:
        """Make one transaction of this thread's writes in the context: after an error, none of them happened.

        This thread reads its own writes within the context; others see all of them at the end, and wait with
        their writes until then, as the table is locked; on MySQL and MariaDB only other transactions wait,
        and writes to rows that this one has read. A nested transaction is a part of the outer one, and can be
        undone by itself.
        """
        return self._server.transaction(self._sql.begin, self._sql.after)

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._server.drop()


def _reopened(cls: type[SqlPersister], target: str, table: str, timeout: float) -> SqlPersister:
    return cls(target, table=table, timeout=timeout)
