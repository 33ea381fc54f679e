"""Reading many rows of a table, by ranges of keys and by lists of them, with a few megabytes of memory."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from holdall.persisters.sql._connections import Connections
from holdall.persisters.sql._dialect import LISTED, PAGE, PAGE_BYTES, Dialect
from holdall.persisters.sql._names import bytes_of, id_of, ids_of, key_if_any, successor

__all__ = ["Reading"]

_Row = tuple[bytes, int, Any]  # key, and the data unless they are large, or else their size


class Reading:
    """Queries for many rows of one table.

    Parameters
    ----------
    server
        The connections.
    sql
        The statements.

    Notes
    -----
    Small data come with their keys. Larger ones are requested in a second step, as many at once as make
    `PAGE_BYTES`, so that a table of large values is read with little memory, wherever they are in it. No
    cursor stays open meanwhile: a slow reader holds neither a transaction nor a connection.
    """

    def __init__(self, server: Connections, sql: Dialect) -> None:
        self.server = server
        self.sql = sql

    def rows(self, statement: str, prefix: str, what: str) -> Iterator[list[Any]]:
        """Yield pages of the rows whose keys start with a prefix, each as of its request."""
        start = prefix.encode("utf-8", "surrogatepass")
        end = successor(start)
        while True:

            def ask(cursor: Any, start: bytes = start) -> Any:
                cursor.execute(statement, (start, end, LISTED))
                return cursor.fetchall()

            rows = self.server.run(what, ask)
            if rows:
                yield rows
            if len(rows) < LISTED:
                return
            start = bytes_of(rows[-1][0]) + b"\0"  # the next possible key

    def contents(self, prefix: str) -> Iterator[list[tuple[str, bytes]]]:
        """Yield ids and data, in the order of the keys."""
        for rows in self.rows(self.sql.contents, prefix, "the items cannot be read"):
            data = [row[2] for row in rows]
            if set(map(type, data)) == {bytes}:  # the usual page, without a call per row
                yield list(zip(ids_of([row[0] for row in rows]), data, strict=True))
                continue
            for group in self._filled(rows):
                yield [(id_of(key), bytes_of(data)) for key, data in group]

    def some(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield id and data of those ids that exist, in the given order."""
        waiting = iter(ids)
        while batch := list(itertools.islice(waiting, PAGE)):
            keys = [key for id in batch if (key := key_if_any(id)) is not None]
            found = {bytes_of(row[0]): row for row in self._in(self.sql.some, keys)}
            for group in self._filled([found[key] for key in keys if key in found]):
                for key, data in group:
                    yield id_of(key), bytes_of(data)

    def _filled(self, rows: list[_Row]) -> Iterator[list[tuple[bytes, Any]]]:
        """Yield groups of keys and data; data that are already there cost nothing."""
        group: list[_Row] = []
        nbytes = 0
        for row in rows:
            size = 0 if row[2] is not None else row[1]
            if len(group) == PAGE or (group and nbytes + size > PAGE_BYTES):
                yield self._whole(group)
                group, nbytes = [], 0
            group.append(row)
            nbytes += size
        if group:
            yield self._whole(group)

    def _whole(self, group: list[_Row]) -> list[tuple[bytes, Any]]:
        """Return keys and data, the large ones by another query; rows that vanish meanwhile are skipped."""
        keys = [bytes_of(key) for key, _, data in group if data is None]
        if not keys:
            return [(key, data) for key, _, data in group]
        large = dict(self._in(self.sql.whole, keys))
        filled = ((key, large.get(bytes_of(key)) if data is None else data) for key, _, data in group)
        return [(key, data) for key, data in filled if data is not None]

    def _in(self, statement: str, keys: list[bytes]) -> list[Any]:
        """Return the rows of those keys that exist."""
        if not keys:
            return []
        text = self.with_marks(statement, len(keys))

        def ask(cursor: Any) -> Any:
            cursor.execute(text, keys)
            return cursor.fetchall()

        found: list[Any] = self.server.run("the items cannot be read", ask)
        return found

    def with_marks(self, statement: str, count: int) -> str:
        """Return a statement for a list of so many keys."""
        mark = "?" if self.server.engine.dialect.paramstyle == "qmark" else "%s"
        before, _, after = statement.rpartition("{marks}")  # which may be a part of the name of the table
        return f"{before}{', '.join([mark] * count)}{after}"
