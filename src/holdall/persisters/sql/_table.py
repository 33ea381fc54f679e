"""The structure of a foreign table: its key columns, its value columns, and which of its rows are items."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc

from holdall._shown import shown
from holdall.conditional import Stat
from holdall.errors import CorruptValueError, InvalidArgumentError, InvalidKeyError, StoreNotFoundError

__all__ = ["Shape", "fetched", "said", "stat_of"]

_SEVERAL: Final = (list, tuple, set, frozenset)  # of which a column must hold one
_PLAIN: Final = (int, float, str, bytes)
# What is equal to a value of a type, and may name it.
_ALSO: Final[dict[str, tuple[type, ...]]] = {"float": (int,), "Decimal": (int, float)}


class Shape:
    """The columns and rows of a table that are used, and the statements for them.

    Parameters
    ----------
    table
        The table.
    key_columns, value_columns
        Its columns that identify a row, and those of its value.
    where
        The required values of columns.
    unique
        Whether no two rows have one key.
    takes_nul
        Whether text may hold the character NUL.
    any_type
        Whether a column may hold numbers, text and bytes, whatever its type is.
    """

    def __init__(
        self,
        table: sa.Table,
        key_columns: list[Any],
        value_columns: list[Any],
        where: dict[str, Any],
        *,
        unique: bool,
        takes_nul: bool,
        any_type: bool = False,
    ) -> None:
        self.table = table
        self.key_columns = key_columns
        self.value_columns = value_columns
        self.width = len(key_columns)
        self._names = [str(column.name) for column in value_columns]  # SQLAlchemy has a class of its own
        self._where = where
        self.unique = unique
        self._takes_nul = takes_nul
        self._types = [_type_of(column) for column in key_columns]
        self._found = _PLAIN if any_type else ()
        self._computed = [column.name for column in value_columns if column.computed is not None]
        named = [column.is_not(None) for column in key_columns if column.nullable]
        self.inside: Any = sa.and_(sa.true(), *named, *(_condition(table.c[n], v) for n, v in where.items()))
        self.rows = sa.select(*key_columns, *value_columns).where(self.inside)
        self.keys = sa.select(*key_columns).where(self.inside).distinct()
        self.count = sa.select(sa.func.count()).select_from(self.keys.subquery())
        self.to_write = sa.select(
            *key_columns, *value_columns, sa.case((self.inside, 1), else_=0).label("holdall_inside")
        )

    @classmethod
    def of(
        cls,
        connection: sa.Connection,
        name: str,
        place: str,
        *,
        unique: bool,
        key_columns: Any,
        value_columns: Any,
        where: Any,
    ) -> "Shape":
        """Return the shape of a table of a database.

        Parameters
        ----------
        connection
            A connection to the database.
        name
            The table.
        place
            The location of the database, for messages.
        unique
            Whether no two rows may have one key.
        key_columns, value_columns, where
            As for `SQLRows`.

        Raises
        ------
        InvalidArgumentError
            If an option does not name a column, or several rows can have the same key columns.
        StoreNotFoundError
            If there is no such table.
        """
        try:
            table = sa.Table(name, sa.MetaData(), autoload_with=connection, resolve_fks=False)
        except exc.NoSuchTableError:
            raise StoreNotFoundError(2, f"there is no table {shown(name)}", place) from None
        apart = True
        if key_columns is None:
            keys = list(table.primary_key.columns)
            if not keys:
                raise InvalidArgumentError(f"table {shown(name)} has no primary key: give key_columns=")
        else:
            keys = _columns(table, key_columns, "key_columns")
            apart = _is_unique(connection, table, {column.name for column in keys})
            if unique and not apart:
                raise InvalidArgumentError(
                    f"table {shown(name)} may have several rows of one {', '.join(c.name for c in keys)}: "
                    "give key_columns= that are a primary key or unique, or read_only=True"
                )
        rest = [column for column in table.columns if column not in set(keys)]
        values = rest if value_columns is None else _columns(table, value_columns, "value_columns")
        if where is not None and not isinstance(where, Mapping):
            raise InvalidArgumentError(f"where is a dict of what columns must hold, got {shown(where)}")
        conditions = dict(where or {})
        if conditions:
            _columns(table, list(conditions), "where")
        takes_nul = connection.dialect.name != "postgresql"
        any_type = connection.dialect.name == "sqlite"
        return cls(table, keys, values, conditions, unique=apart, takes_nul=takes_nul, any_type=any_type)

    # ------------------------------------------------------------------ keys

    def key(self, id: Any, *, found: bool = False) -> tuple[Any, ...]:
        """Return the values of the key columns; raise `InvalidKeyError` where they take no such values.

        Parameters
        ----------
        id
            The key of a row.
        found
            Whether only rows that are there are asked for, into which others may have put other types.
        """
        parts = (id,) if self.width == 1 else id
        if not isinstance(parts, tuple) or len(parts) != self.width:
            names = ", ".join(column.name for column in self.key_columns)
            raise InvalidKeyError(f"a key of {self.table.name} is a tuple of {names}, got {shown(id)}")
        for column, types, part in zip(self.key_columns, self._types, parts, strict=True):
            fits = isinstance(part, types) or (found and types[0] in _PLAIN and isinstance(part, self._found))
            if not fits or not self._can_be_sent(part):
                raise InvalidKeyError(
                    f"{shown(part)} cannot be a {column.name} of {self.table.name}: {column.type}"
                )
        return parts

    def _can_be_sent(self, part: Any) -> bool:
        if not isinstance(part, str):
            return part is not None
        try:
            part.encode()
        except UnicodeEncodeError:
            return False
        return self._takes_nul or "\0" not in part

    def id(self, row: Any) -> Any:
        """Return the key of a row: a tuple, or the value of the one key column."""
        return row[0] if self.width == 1 else tuple(row)[: self.width]

    def named(self, key: tuple[Any, ...]) -> Any:
        """Return the condition that a row has a key."""
        return sa.and_(*(column == part for column, part in zip(self.key_columns, key, strict=True)))

    def is_key(self, key: tuple[Any, ...]) -> Any:
        """Return the condition that a row is an item and has a key."""
        return sa.and_(self.inside, self.named(key))

    def is_after(self, key: tuple[Any, ...]) -> Any:
        """Return the condition that a row comes after a key."""
        if self.width == 1:
            return self.key_columns[0] > key[0]
        return sa.tuple_(*self.key_columns) > sa.tuple_(
            *(
                sa.bindparam(None, part, column.type)
                for column, part in zip(self.key_columns, key, strict=True)
            )
        )

    # ------------------------------------------------------------------ values

    def value(self, row: Any) -> dict[str, Any]:
        """Return the value of a row."""
        return dict(zip(self._names, tuple(row)[self.width :], strict=False))

    def checked(self, id: Any, data: Any) -> dict[str, Any]:
        """Return a value unchanged; raise `InvalidArgumentError` unless it has exactly the value columns."""
        if not isinstance(data, Mapping):
            raise InvalidArgumentError(
                f"a value of {self.table.name} is a dict of its columns, and no {type(data).__name__}"
            )
        names = self._names
        if set(data) != set(names):
            raise InvalidArgumentError(
                f"the value for {shown(id)} must have {', '.join(names)}, and has {', '.join(map(str, data))}"
            )
        if self._computed:
            raise InvalidArgumentError(
                f"{shown(id)} cannot be written: the database computes {', '.join(self._computed)} by "
                "itself, give value_columns= without it"
            )
        for name, wanted in self._where.items():
            if name in data and not _holds(data[name], wanted):
                raise InvalidArgumentError(
                    f"the value for {shown(id)} has {name}={shown(data[name])}, which where= leaves out"
                )
        return dict(data)

    def whole(self, id: Any, key: tuple[Any, ...], row: dict[str, Any]) -> dict[str, Any]:
        """Return all columns of a new row, including those of the condition."""
        found = {column.name: part for column, part in zip(self.key_columns, key, strict=True)}
        found.update(row)
        for name, wanted in self._where.items():
            if name not in found:
                if isinstance(wanted, _SEVERAL):
                    raise InvalidArgumentError(
                        f"{shown(id)} cannot be inserted: where= does not say which {name} it is to have"
                    )
                found[name] = wanted
            elif not _holds(found[name], wanted):
                raise InvalidKeyError(f"{shown(id)} has {name}={shown(found[name])}, which where= leaves out")
        return found


def stat_of(row: dict[str, Any]) -> Stat:
    """Return the stat of a value, whose etag is a digest."""
    digest = hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16)
    return Stat(digest.hexdigest(), math.nan, None)


def fetched(statement: Any, connection: sa.Connection) -> list[Any]:
    """Return the rows that a statement gives."""
    rows = connection.execute(statement)
    try:
        return list(rows.all())
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        # SQLite keeps what its other users put into a column, be it of another type.
        raise CorruptValueError(
            f"a row holds what is no value of the type of its column: {type(error).__name__}: {error}"
        ) from error


def said(error: BaseException | None) -> str:
    """Return the driver's message of an error, on one line."""
    text = " ".join(str(getattr(error, "orig", None) or error).split())
    return f"{text:.300}"


def _columns(table: sa.Table, names: Any, option: str) -> list[Any]:
    given = [names] if isinstance(names, str) else names
    if not isinstance(given, list | tuple) or not given or len(set(map(str, given))) != len(given):
        raise InvalidArgumentError(
            f"{option} is the name of a column, or a list of names, got {shown(names)}"
        )
    for name in given:
        if not isinstance(name, str) or name not in table.c:
            there = ", ".join(table.c.keys())
            raise InvalidArgumentError(f"{option}: {table.name} has no column {shown(name)}, it has {there}")
    return [table.c[name] for name in given]


def _is_unique(connection: sa.Connection, table: sa.Table, names: set[str]) -> bool:
    """Return whether no two rows have the same values in some columns."""
    look = sa.inspect(connection)
    unique = [{column.name for column in table.primary_key.columns}]
    unique += [set(found["column_names"]) for found in look.get_unique_constraints(table.name)]
    unique += [
        {str(name) for name in found["column_names"]}
        for found in look.get_indexes(table.name)
        if found["unique"] and not any("where" in option for option in found.get("dialect_options", {}))
    ]
    return any(columns and columns <= names for columns in unique)


def _condition(column: Any, wanted: Any) -> Any:
    if isinstance(wanted, _SEVERAL):
        return column.in_(list(wanted))
    return column.is_(None) if wanted is None else column == wanted


def _holds(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, _SEVERAL) else bool(value == wanted)


def _type_of(column: Any) -> tuple[type, ...]:
    """Return the types of what a key column takes."""
    try:
        found = column.type.python_type
    except NotImplementedError:
        return (object,)
    return (found, *_ALSO.get(found.__name__, ()))
