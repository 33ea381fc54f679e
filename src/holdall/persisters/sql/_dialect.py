"""The differences between SQL servers: the types of the columns, the statements, and their limits."""

import math
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from holdall.errors import UnsupportedError

__all__ = ["LISTED", "MAX_KEY", "PAGE", "PAGE_BYTES", "Dialect", "dialect_of", "packet_of", "put_all"]

#: Bytes of a key, on every server: the index of PostgreSQL takes 2,704 incompressible ones.
MAX_KEY: Final = 2_000
PAGE: Final = 500  # rows per request
LISTED: Final = 2_000  # of a listing
PAGE_BYTES: Final = 4 << 20  # of their data, unless a single one is larger
_UPSERT: Final = (
    "ON CONFLICT ({key}) DO UPDATE SET {version} = EXCLUDED.{version}, {mtime} = EXCLUDED.{mtime}, "
    "{data} = EXCLUDED.{data}"
)
_MYSQL_UPSERT: Final = "ON DUPLICATE KEY UPDATE " + ", ".join(
    f"{{{column}}} = VALUES({{{column}}})" for column in ("version", "mtime", "data")
)


class Dialect(NamedTuple):
    """The statements of one server for one table.

    Parameters
    ----------
    name
        The name of the dialect in SQLAlchemy.
    create, read, stat, put, insert, swap, delete, delete_at, count_all, page, scan, contents, some, whole,
    drop_some, probe
        Statements, with the driver's marks for parameters.
    put_many
        A statement that writes many rows, given as one list per column; "" if the driver itself is efficient.
    begin, after
        Statements that begin a transaction, so that those of one table follow each other, and those after its
        end.
    for_update
        Keeps others from writing rows that were read in a transaction, where nothing else does.
    max_data
        Maximal bytes of a value.
    """

    name: str
    create: str
    read: str
    stat: str
    put: str
    insert: str
    swap: str
    delete: str
    delete_at: str
    count_all: str
    page: str
    scan: str
    contents: str
    some: str
    whole: str
    drop_some: str
    probe: str
    put_many: str
    begin: tuple[str, ...]
    after: tuple[str, ...]
    for_update: str
    max_data: int


def dialect_of(engine: Any, table: str, timeout: float) -> Dialect:
    """Return the statements for a table of an engine.

    Parameters
    ----------
    engine
        An engine of SQLAlchemy.
    table
        Name of the table.

    Raises
    ------
    UnsupportedError
        If the server is of an unknown kind.
    """
    name = engine.dialect.name
    if name not in {"postgresql", "mysql", "mariadb", "sqlite"}:
        raise UnsupportedError(f"SQLStore knows PostgreSQL, MySQL, MariaDB and SQLite, not {name}")
    quote = engine.dialect.identifier_preparer.quote_identifier
    mark = "?" if engine.dialect.paramstyle == "qmark" else "%s"
    mysql = name in {"mysql", "mariadb"}
    columns = {column: quote(column) for column in ("key", "version", "mtime", "data")}
    key, version, mtime, data = columns.values()
    name_of_table = quote(table)
    # Where parameters are marked by "%s", other per cent signs are doubled.
    where = name_of_table if mark == "?" else name_of_table.replace("%", "%%")
    into = f"INSERT INTO {where} ({key}, {version}, {mtime}, {data})"
    row = f"{into} VALUES ({mark}, {mark}, {mark}, {mark})"
    lists = ", ".join(f"%b::{kind}[]" for kind in ("bytea", "bytea", "float8", "bytea"))
    blob = {"postgresql": "BYTEA", "sqlite": "BLOB"}.get(name, "LONGBLOB")
    # Bytes, not text: no collation makes two keys equal, or changes their order.
    key_type = f"VARBINARY({MAX_KEY})" if mysql else blob
    upsert = (_MYSQL_UPSERT if mysql else _UPSERT).format(**columns)
    # MySQL only has IGNORE, which truncates long values: there, use the error.
    nothing = "" if mysql else f"ON CONFLICT ({key}) DO NOTHING"
    new = f"{version} = {mark}, {mtime} = {mark}, {data} = {mark}"
    marks = "{marks}"
    # Table locks would block readers: a named lock instead, and locks of the rows that are read.
    lock = f"MD5(CONCAT(DATABASE(), '.{blake2b(table.encode(), digest_size=12).hexdigest()}'))"
    is_small = f"CASE WHEN LENGTH({data}) <= {PAGE_BYTES // LISTED}"
    small = f"{is_small} THEN NULL ELSE LENGTH({data}) END, {is_small} THEN {data} END"
    order = f"WHERE {key} >= {mark} AND {key} < {mark} ORDER BY {key} LIMIT {mark}"
    return Dialect(
        name=name,
        create=(
            f"CREATE TABLE IF NOT EXISTS {name_of_table} ({key} {key_type} NOT NULL PRIMARY KEY, "
            f"{version} {'VARBINARY(16)' if mysql else blob} NOT NULL, {mtime} DOUBLE PRECISION NOT NULL, "
            f"{data} {blob} NOT NULL)"
        ),
        read=f"SELECT {data}, {version}, {mtime} FROM {where} WHERE {key} = {mark}",
        stat=f"SELECT {version}, {mtime}, LENGTH({data}) FROM {where} WHERE {key} = {mark}",
        put=f"{row} {upsert}",
        insert=f"{row} {nothing}",
        swap=f"UPDATE {where} SET {new} WHERE {key} = {mark} AND {version} = {mark}",
        delete=f"DELETE FROM {where} WHERE {key} = {mark}",
        delete_at=f"DELETE FROM {where} WHERE {key} = {mark} AND {version} = {mark}",
        count_all=f"SELECT COUNT(*) FROM {name_of_table}",
        page=f"SELECT {key} FROM {where} {order}",
        scan=f"SELECT {key}, {version}, {mtime}, LENGTH({data}) FROM {where} {order}",
        contents=f"SELECT {key}, {small} FROM {where} {order}",
        some=f"SELECT {key}, {small} FROM {where} WHERE {key} IN ({marks})",
        whole=f"SELECT {key}, {data} FROM {where} WHERE {key} IN ({marks})",
        drop_some=f"DELETE FROM {where} WHERE {key} IN ({marks})",
        # Qualified by the table, since SQLite takes an unknown quoted name as text.
        probe=(
            f"SELECT {', '.join(f'{where}.{column}' for column in columns.values())} FROM {where} "
            f"WHERE {where}.{key} = {mark}"
        ),
        put_many=f"{into} SELECT * FROM unnest({lists}) {upsert}" if name == "postgresql" else "",
        begin={
            "postgresql": ("BEGIN", f"LOCK TABLE {name_of_table} IN SHARE ROW EXCLUSIVE MODE"),
            "sqlite": ("BEGIN IMMEDIATE",),
        }.get(name, (f"SELECT GET_LOCK({lock}, {math.ceil(timeout)})", "BEGIN")),
        after=(f"SELECT RELEASE_LOCK({lock})",) if mysql else (),
        for_update=" FOR UPDATE" if mysql else "",
        max_data={"postgresql": 1 << 29, "sqlite": 999_000_000}.get(name, 1 << 30),
    )


def put_all(sql: Dialect, rows: list[tuple[Any, ...]], cursor: Any) -> None:
    """Write many rows."""
    if sql.put_many:
        cursor.execute(sql.put_many, [list(column) for column in zip(*rows, strict=True)])
    else:
        cursor.executemany(sql.put, rows)


def packet_of(cursor: Any) -> int:
    """Return how many bytes MySQL accepts in one statement."""
    cursor.execute("SELECT @@max_allowed_packet")
    return int(cursor.fetchone()[0])
