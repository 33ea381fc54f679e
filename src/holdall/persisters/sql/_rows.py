"""A persister over the rows of an existing table: dicts of columns by the key of the row."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from holdall._posix.fork import finalize, forget_in_child
from holdall._shown import shown
from holdall.abc import Capability, Persister, conflict
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    OutcomeUnknownError,
    ReadOnlyError,
)
from holdall.persisters.sql._engine import (
    AGAIN,
    ClosedByInterrupts,
    code_of,
    connect,
    engine_of,
    forget,
    place_of,
    told,
)
from holdall.persisters.sql._files import watched
from holdall.persisters.sql._table import Shape, fetched, said, stat_of

__all__ = ["RowsPersister"]

T = TypeVar("T")

_READS: Final = frozenset({Capability.PERSISTENT})
_WRITES: Final = frozenset(
    {Capability.WRITABLE, Capability.CAS_THREADS, Capability.CAS_HOST, Capability.CAS_WORLD}
)
_PAGE: Final = 500
_ATTEMPTS: Final = 8
_CHECKS: Final = {"3819", "4025"}  # of MySQL and MariaDB: a row refused by CHECK
# Begins a writing transaction, so that values that are too long are not truncated.
_STRICT: Final = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
_FIRST: Final = {"sqlite": "BEGIN IMMEDIATE", "mysql": _STRICT, "mariadb": _STRICT}


class RowsPersister(Persister):
    """The rows of an existing table: ids are the keys of rows, data are dicts of columns.

    Parameters
    ----------
    target
        The URL of a database, or an engine of SQLAlchemy.
    table
        Name of a table, or of a view.
    key_columns
        The column that identifies a row, or several; None for the primary key.
    value_columns
        The columns of a value; None for all others.
    where
        Which rows are items: the required values of columns, or one of a list.
    read_only
        Whether to refuse writes.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid, or several rows can have the same key columns.
    StoreNotFoundError
        If there is no such table.
    StoreUnavailableError
        If the server does not answer, or refuses the request.

    Notes
    -----
    Threads, processes, machines: each write is one transaction, which locks the row that it reads, so that
    conditional writes are linearizable among all. The etag of a row is a digest of its value. After a crash:
    the acknowledged writes. Cost: one round trip to read, four to write; listing requests 500 rows at a time.
    """

    owned = False
    bulk = True

    def __init__(
        self,
        target: Any,
        table: str,
        *,
        key_columns: Any = None,
        value_columns: Any = None,
        where: Mapping[str, Any] | None = None,
        read_only: bool = False,
    ) -> None:
        given: Any = table
        if not isinstance(given, str) or not given or "\0" in given:
            raise InvalidArgumentError(f"table is the name of a table, got {shown(table)}")
        self._target = target
        self.table = table
        self._options = {
            "key_columns": key_columns,
            "value_columns": value_columns,
            "where": where,
            "read_only": read_only,
        }
        self.read_only = read_only
        self.capabilities = _READS if read_only else _READS | _WRITES
        self.engine = watched(engine_of(target, pool_pre_ping=True))
        if self.engine.dialect.name != "sqlite":  # row locks last as long as a transaction
            self.engine = self.engine.execution_options(isolation_level="READ COMMITTED")
        self._url = place_of(self.engine)
        forget_in_child(self)
        self._owns = isinstance(target, str) or self.engine is not target
        if self._owns:
            finalize(self, self.engine.dispose)
        self._shape = self._run(
            "the table cannot be looked at",
            lambda connection: Shape.of(
                connection,
                table,
                self._url,
                unique=not read_only,
                key_columns=key_columns,
                value_columns=value_columns,
                where=where,
            ),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        target = self._target
        if not isinstance(target, str):
            target = self.engine.url.render_as_string(hide_password=False)
        return _reopened, (type(self), target, self.table, self._options)

    @property
    def place(self) -> str:  # docstring inherited
        return f"table {self.table!r} of {self._url}"

    def after_fork(self) -> None:
        """Forget the connections of the parent."""
        forget(self.engine)

    def _run(
        self,
        what: str,
        work: Callable[[sa.Connection], T],
        *,
        write: bool = False,
        wrong: type[InvalidArgumentError | InvalidKeyError] = InvalidArgumentError,
    ) -> T:
        """Call a function in one transaction; repeat it if others prevented it."""
        for attempt in range(_ATTEMPTS):
            ending = False
            try:
                with connect(self.engine, self._url) as connection, ClosedByInterrupts(connection):
                    if write and (first := _FIRST.get(self.engine.dialect.name)):
                        connection.exec_driver_sql(first)
                    result = work(connection)
                    if write:
                        ending = True
                        connection.commit()
                    return result
            except exc.IntegrityError:
                raise
            except (exc.DataError, UnicodeError, OverflowError) as error:
                raise wrong(f"{what}: {said(error)}") from error
            except exc.DBAPIError as error:
                cause: Any = error.orig
                if not error.connection_invalidated and self._never_sent(cause):
                    raise wrong(f"{what}: {said(error)}") from error
                if code_of(cause) in _CHECKS:
                    raise self._refused(what, error) from error
                if ending and error.connection_invalidated:
                    raise OutcomeUnknownError(
                        0, f"{what}: the answer was lost, so it may have happened or not", self.place
                    ) from error
                if code_of(cause) in AGAIN and attempt < _ATTEMPTS - 1:
                    time.sleep(0.01 * 2**attempt)
                    continue
                raise told(cause, what, self.engine) from error
            except exc.StatementError as error:  # a value that the column does not accept
                raise wrong(f"{what}: {said(error)}") from error
        raise AssertionError  # pragma: no cover

    def _never_sent(self, error: Any) -> bool:
        """Return whether the driver itself has refused a value, of a type that it does not know."""
        dbapi: Any = self.engine.dialect.dbapi
        return isinstance(error, dbapi.ProgrammingError | dbapi.InterfaceError) and not code_of(error)

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: Any) -> dict[str, Any]:
        return self.read(id)[0]

    def read(self, id: Any) -> tuple[dict[str, Any], Stat]:  # docstring inherited
        key = self._shape.key(id, found=True)
        row = self._run(
            f"{shown(id)} cannot be read",
            lambda connection: self._row(connection, key),
            wrong=InvalidKeyError,
        )
        if row is None:
            self._shape.key(id)  # which says if there cannot be one
            raise KeyError(id)
        return row, stat_of(row)

    def _row(self, connection: sa.Connection, key: tuple[Any, ...]) -> dict[str, Any] | None:
        """Return the value of the one row of a key, or None."""
        shape = self._shape
        rows = fetched(shape.rows.where(shape.is_key(key)).limit(2), connection)
        found = [
            row for row in rows if tuple(row)[: shape.width] == key
        ]  # not rows that are only equal by collation
        if len(found) > 1:
            raise MismatchError(
                f"several rows of {self.place} have the key {shown(key)}: give other key_columns="
            )
        return shape.value(found[0]) if found else None

    def __iter__(self) -> Iterator[Any]:
        return (id for page in self.pages() for id in page)

    def __contains__(self, id: object) -> bool:
        try:
            self.read(id)
        except KeyError:
            return False
        return True

    def __len__(self) -> int:
        return self._run(
            "the rows cannot be counted",
            lambda connection: int(connection.execute(self._shape.count).scalar_one()),
        )

    def ids(self, prefix: str = "") -> Iterator[Any]:  # docstring inherited
        return (id for page in self.pages(prefix) for id in page)

    def pages(self, prefix: str = "") -> Iterator[list[Any]]:  # docstring inherited
        for rows in self._pages(self._shape.keys):
            ids = [self._shape.id(row) for row in rows]
            page = [id for id in ids if isinstance(id, str) and id.startswith(prefix)] if prefix else ids
            if page:
                yield page

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[Any, Any]]] | None:  # docstring inherited
        del limit
        if prefix or not self._shape.unique:
            return None
        shape = self._shape
        return ([(shape.id(row), shape.value(row)) for row in rows] for rows in self._pages(shape.rows))

    def _pages(self, statement: Any) -> Iterator[list[Any]]:
        """Yield pages of rows in the order of their keys, each as of its request."""
        shape = self._shape
        asked = statement.order_by(*shape.key_columns).limit(_PAGE)
        page = asked
        while True:
            rows = self._run("the rows cannot be listed", partial(fetched, page))
            if rows:
                yield rows
            if len(rows) < _PAGE:
                return
            page = asked.where(shape.is_after(tuple(rows[-1])[: shape.width]))

    # ------------------------------------------------------------------ writing

    def __setitem__(self, id: Any, data: Any) -> None:
        self.write(id, data)

    def __delitem__(self, id: Any) -> None:
        self.remove(id)

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        self.write(id, data)

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        return self._write([(id, data)], expected)[-1]

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:
        """Store several rows in one transaction."""
        self._write(list(items), ANY_ETAG)

    def _write(self, items: list[tuple[Any, Any]], expected: Expected) -> list[Stat]:
        self._check_writable()
        shape = self._shape
        rows = [(id, shape.key(id), shape.checked(id, data)) for id, data in items]
        if not rows:
            return []
        what = f"{shown(rows[0][0])} cannot be written" if len(rows) == 1 else "the rows cannot be written"

        def work(connection: sa.Connection) -> list[Stat]:
            return [self._put(connection, id, key, row, expected) for id, key, row in rows]

        for attempt in range(_ATTEMPTS):
            try:
                return self._run(what, work, write=True)
            except _InsertRefusedError as error:
                # Of two concurrent inserts of one row one is refused, and finds it at the next look.
                if attempt == _ATTEMPTS - 1 or self._run(what, partial(self._row, key=error.key)) is None:
                    raise self._refused(what, error.__cause__) from error.__cause__
            except exc.IntegrityError as error:
                raise self._refused(what, error) from error
        raise AssertionError  # pragma: no cover

    def _refused(self, what: str, error: BaseException | None) -> InvalidArgumentError:
        return InvalidArgumentError(f"{what}: {self.place} refuses the row: {said(error)}")

    def _put(
        self,
        connection: sa.Connection,
        id: Any,
        key: tuple[Any, ...],
        row: dict[str, Any],
        expected: Expected,
    ) -> Stat:
        shape = self._shape
        there = self._locked(connection, id, key)
        self._compare(id, there, expected)
        if there is None:
            try:
                connection.execute(shape.table.insert().values(shape.whole(id, key, row)))
            except exc.IntegrityError as error:
                raise _InsertRefusedError(key) from error
        elif row:
            connection.execute(shape.table.update().where(shape.is_key(key)).values(row))
        stored = self._row(connection, key)  # as the columns have converted it
        if stored is None:
            raise InvalidKeyError(f"{shown(id)} is no key of {self.place}: its columns make another of it")
        return stat_of(stored)

    def _locked(self, connection: sa.Connection, id: Any, key: tuple[Any, ...]) -> dict[str, Any] | None:
        """Return the value of the row of a key, and lock it until the end of the transaction."""
        shape = self._shape
        rows = fetched(shape.to_write.where(shape.named(key)).with_for_update(), connection)
        if not rows:
            return None
        found = tuple(rows[0])
        if found[: shape.width] != key:
            raise InvalidKeyError(
                f"{shown(id)} would be the row {shown(found[: shape.width])} of {self.place}: its columns do "
                "not tell them apart"
            )
        if not found[-1]:
            raise InvalidArgumentError(f"{shown(id)} names a row of {self.place} that where= leaves out")
        return shape.value(found)

    def _compare(self, id: Any, there: dict[str, Any] | None, expected: Expected) -> None:
        if expected is not ANY_ETAG:
            actual: Etag = ITEM_NOT_AVAILABLE if there is None else stat_of(there).etag
            if actual != expected:
                raise conflict(self, id, expected, actual)

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._check_writable()
        key = self._shape.key(id, found=True)
        what = f"{shown(id)} cannot be deleted"

        def work(connection: sa.Connection) -> None:
            there = self._row(connection, key) and self._locked(connection, id, key)
            self._compare(id, there, expected)
            if there is None:
                raise KeyError(id)
            connection.execute(self._shape.table.delete().where(self._shape.is_key(key)))

        try:
            self._run(what, work, write=True, wrong=InvalidKeyError)
        except exc.IntegrityError as error:  # other rows refer to it
            raise self._refused(what, error) from error

    def clear(self) -> None:  # docstring inherited
        self._check_writable()
        what = "the rows cannot be deleted"
        delete = self._shape.table.delete().where(self._shape.inside)
        try:
            self._run(what, lambda connection: connection.execute(delete), write=True)
        except exc.IntegrityError as error:
            raise self._refused(what, error) from error

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyError(f"{self.place} was opened with read_only=True")

    def close(self) -> None:
        """Close the connections, if no others use them; the next use opens new ones."""
        if self._owns:
            self.engine.dispose()


class _InsertRefusedError(exc.SQLAlchemyError):
    """A row could not be inserted."""

    def __init__(self, key: tuple[Any, ...]) -> None:
        super().__init__(key)
        self.key = key


def _reopened(cls: type[RowsPersister], target: Any, table: str, options: dict[str, Any]) -> RowsPersister:
    return cls(target, table, **options)
