"""A store of the rows of a table, and a mapping of the tables of a database."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from holdall._options import given, not_imported
from holdall.errors import StoreNotFoundError
from holdall.keys import IdentityKeys
from holdall.store import Store
from holdall.store._typing import K

__all__ = ["SQLRows", "SQLTables"]


class SQLRows(Store[K, dict[str, Any]]):
    """The rows of an SQL table as a dict: keys are those of the rows, values are dicts of their columns.

    Parameters
    ----------
    target
        The URL of a database, as for `SQLStore`, or an engine of SQLAlchemy.
    table
        Name of an existing table, or of a view.
    key_columns
        Name of the column that identifies a row, or a list of several; None for the primary key.
    value_columns
        Names of the columns of a value; None for all others.
    where
        Which rows are items, by column: the required value, or a list of them. Rows that are written get that
        value.
    read_only
        Whether to refuse writes.
    append_only
        Whether rows can only be added.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid, or several rows can have the same key columns.
    StoreNotFoundError
        If there is no such table.
    StoreUnavailableError
        If the server does not answer, or refuses the request.
    UnsupportedError
        If SQLAlchemy or the driver is not installed.

    Notes
    -----
    The key of a row is the value of its one key column, or a tuple of several. A value has exactly the value
    columns: leave out those that the server fills itself. Rows with NULL in a key column have no key.

    Threads, processes, machines: conditional operations are linearizable among all users of `SQLRows`, and
    see the writes of everyone else: the etag of a row is a digest of its value, so that writing an equal
    value is no change. `update` is one transaction.
    After a crash: the acknowledged writes. Cost: one round trip to read and four to write.

    Examples
    --------
    >>> import sqlite3, tempfile
    >>> path = f"{tempfile.mkdtemp()}/x.db"
    >>> with sqlite3.connect(path) as database:
    ...     _ = database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)")
    >>> database.close()
    >>> users = SQLRows(f"sqlite:///{path}", "users")
    >>> users[7] = {"name": "Ann", "age": 41}
    >>> users[7], list(users)
    ({'name': 'Ann', 'age': 41}, [7])
    >>> users.close()
    """

    def __init__(
        self,
        target: Any,
        table: str,
        *,
        key_columns: Any = None,
        value_columns: Any = None,
        where: Mapping[str, Any] | None = None,
        read_only: bool = False,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        try:
            from holdall.persisters.sql._rows import RowsPersister  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise not_imported("SQLRows", error, "sql") from error
        persister = RowsPersister(
            target,
            table,
            key_columns=key_columns,
            value_columns=value_columns,
            where=where,
            read_only=read_only,
        )
        self._params = options
        self._assemble(persister, IdentityKeys(), None, append_only=append_only)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if not isinstance(self._params["target"], str):  # an engine, which cannot be pickled
            return {**state, "_params": {**self._params, "target": None}}
        return state


class SQLTables(Mapping[str, SQLRows[Any]]):
    """The tables of a database as a mapping of their names to `SQLRows`.

    Parameters
    ----------
    target
        The URL of a database, as for `SQLStore`, or an engine of SQLAlchemy.
    read_only
        Whether all tables are read-only.

    Raises
    ------
    InvalidArgumentError
        If the target is neither of these.
    StoreUnavailableError
        If the server does not answer, or refuses the request.
    UnsupportedError
        If SQLAlchemy or the driver is not installed.

    Notes
    -----
    Tables without a primary key are left out, since their rows have no keys: `SQLRows` takes them with
    ``key_columns=``. All tables share one engine, and each access sees the current tables. Tables are not
    made or dropped here. Threads, processes, after a crash: as `SQLRows`. Cost: iteration asks the server for
    the names of its tables, and ``[]`` for the columns of one.

    Examples
    --------
    >>> import sqlite3, tempfile
    >>> path = f"{tempfile.mkdtemp()}/x.db"
    >>> with sqlite3.connect(path) as database:
    ...     _ = database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
    ...     _ = database.execute("INSERT INTO users VALUES (7, 'Ann')")
    >>> database.close()
    >>> with SQLTables(f"sqlite:///{path}") as tables:
    ...     list(tables), tables["users"][7]
    (['users'], {'name': 'Ann'})
    """

    def __init__(self, target: Any, *, read_only: bool = False) -> None:
        try:
            from holdall.persisters.sql._tables import Database  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise not_imported("SQLTables", error, "sql") from error
        self._database = Database(target)
        self._read_only = read_only
        self._database.names()  # so that a wrong address raises here

    def __getitem__(self, name: str) -> SQLRows[Any]:
        if name not in self:
            raise KeyError(name)
        try:
            return SQLRows(self._database.engine, name, read_only=self._read_only)
        except StoreNotFoundError:  # dropped meanwhile
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._database.has(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._database.names())

    def __len__(self) -> int:
        return len(self._database.names())

    __eq__ = object.__eq__  # do not compare by reading all tables
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        if not hasattr(self, "_database"):  # its constructor failed
            return object.__repr__(self)
        return f"SQLTables({self._database.place!r})"

    def close(self) -> None:
        """Close the connections, if no others use them; the next use opens new ones."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._database.address, self._read_only)


def _reopened(target: str, read_only: bool) -> SQLTables:
    return SQLTables(target, read_only=read_only)
