"""Reading the items of a table: one by one, many, and by pages in the order of their ids."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from holdall._shown import shown
from holdall.conditional import Stat
from holdall.errors import CorruptValueError
from holdall.persisters.sqlite._ids import as_id, as_text, spans, stat_of
from holdall.persisters.sqlite._large import LargeData
from holdall.persisters.sqlite._table import Table

EVERYTHING = 1 << 62  # bytes, or items
_FIRST_PAGE, _PAGE = 30, 1000  # rows; many iterations stop soon
_BATCH = 10_000  # ids looked up by one statement


class Items:
    """The items of a table as a reader sees them."""

    def __init__(self, table: Table, large: LargeData) -> None:
        self._table = table
        self._large = large
        self._sql = table.sql

    # ------------------------------------------------------------------ one

    def fetch(self, id: Any, limit: int) -> Any:
        """Return the data of an id, those of over `limit` bytes as a file."""

        def whole(data: Any) -> Any:
            return data if type(data) is bytes else self._large.fetch(id, data, limit)

        return self._find(id, self._sql.get, whole)

    def read(self, id: str) -> tuple[bytes, Stat]:
        """Return the data of an id and their stat."""

        def both(version: int, kept: Any) -> tuple[bytes, Stat] | None:
            data = kept if type(kept) is bytes else self._large.fetch(id, kept, EVERYTHING)
            return None if data is None else (data, stat_of(version, len(data)))

        return self._find(id, self._sql.read, both)  # type: ignore[no-any-return]

    def stat(self, id: str) -> Stat:
        """Return the stat of an id."""
        return self._find(id, self._sql.stat, self._stat)  # type: ignore[no-any-return]

    def _stat(self, version: int, size: int) -> Stat | None:
        """Return a stat; None for large data that are gone."""
        found = size if size >= 0 else self._large.size(-size)
        return None if found is None else stat_of(version, found)

    def _find(self, id: Any, statement: str, finish: Callable[..., Any]) -> Any:
        """Return what is made of the row of an id, again if its large data are replaced meanwhile."""
        gone = None
        while True:
            rows = self._table.rows(statement, as_id(id))
            if not rows:
                raise KeyError(id)
            found = finish(*rows[0])
            if found is not None:
                return found
            # Numbers are never reused, so an item that still has the number of missing data has lost them.
            if rows[0][-1] == gone:
                raise CorruptValueError(
                    f"the data of {shown(id, 120)} in {self._table.place} are lost, the file was damaged: "
                    "check() counts such items; write it again, or delete it"
                )
            gone = rows[0][-1]

    # ------------------------------------------------------------------ many

    def pages(self, prefix: str) -> Iterator[list[str]]:
        """Yield the ids with a prefix, in pages."""
        for rows in self._pages("id", prefix):
            yield [as_text(id) for (id,) in rows]

    def scan(self, prefix: str) -> Iterator[tuple[str, Stat]]:
        """Yield id and stat of the items with a prefix."""
        for rows in self._pages(f"id, version, {self._sql.size}", prefix):
            for id, version, size in rows:
                stat = self._stat(version, size)
                if stat is None:  # large data replaced or deleted after the page was read
                    try:
                        stat = self.stat(as_text(id))
                    except KeyError:
                        continue
                yield as_text(id), stat

    def contents(self, prefix: str, limit: int) -> Iterator[list[tuple[str, Any]]]:
        """Yield id and data of the items with a prefix, in pages; those of over `limit` bytes as a file."""
        for rows in self._pages("id, data", prefix):
            # Checked after the page was read: the first writer of large data makes their table before.
            if type(rows[-1][0]) is str and not self._table.rows(self._sql.any_large):
                yield rows
            else:
                yield from self._sifted(rows, limit)

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
                found = [(id, self.fetch(id, limit))]
            except KeyError:
                continue
            yield found
        if small:
            yield small

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield id and data of those ids that exist, in the given order."""
        rest = iter(ids)
        while batch := list(itertools.islice(rest, _BATCH)):
            # JSON has no lone surrogates, and SQLite's JSON ends text at a null character.
            plain = all(type(id) is str and "\x00" not in id and type(as_id(id)) is str for id in batch)
            rows = (
                self._table.rows(self._sql.read_many, json.dumps(batch))
                if plain
                else zip(batch, itertools.repeat(None))
            )
            for id, data in rows:
                if type(data) is bytes:
                    yield id, data
                    continue
                try:
                    found = self.fetch(id, EVERYTHING)
                except KeyError:
                    continue
                yield id, found

    def by_age(self, prefix: str, *, newest: bool, limit: int | None) -> Iterator[str]:
        """Return ids in the order of their last writes."""
        order = "version DESC, id DESC" if newest else "version, id"
        where, bounds = "", []
        if prefix:
            bounds = spans(prefix)
            where = "WHERE " + " OR ".join("id >= ? AND id < ?" for _ in bounds)
        rows = self._table.rows(
            f"SELECT id FROM {self._sql.items} {where} ORDER BY {order} LIMIT ?",
            *(bound for pair in bounds for bound in pair),
            -1 if limit is None else min(max(limit, 0), EVERYTHING),
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
        while rows := self._table.rows(statement, low, *((high, size) if before else (size,))):
            yield rows
            if len(rows) < size:
                return
            low, size = rows[-1][0], _PAGE
            statement = self._sql.page(columns, after=True, before=before)
