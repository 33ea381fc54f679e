"""Tables of archives: the rows of a block of JSON, each of which makes or fills a value."""

from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdall._shown import shown
from holdall.archive._making import HELPERS, fill_container, require_hashable
from holdall.errors import CorruptValueError, SerializationError

if TYPE_CHECKING:
    from holdall.archive._evaluate import Evaluator

__all__ = ["Table", "Values"]


class Values(list[Any]):
    """The values of a table, which names are taken from by their number."""


class Table:
    """The rows of a table, evaluated one after the other.

    Attributes
    ----------
    values
        One value per row.
    """

    def __init__(self, evaluator: "Evaluator", functions: list[Any], rows: Any) -> None:
        self.evaluator = evaluator
        self.functions = functions
        self.values = Values()
        if type(rows) is not list:
            raise evaluator.error("a table is a list of rows")
        for row in rows:
            make = _ROWS.get(row[0]) if type(row) is list and row and type(row[0]) is str else None
            if make is None:
                raise evaluator.error(f"a row of a table that is no row: {shown(row)}")
            try:
                self.values.append(make(self, row))
            except SerializationError:
                raise
            except Exception as error:
                raise evaluator.error(f"row {len(self.values)} of a table: {error}") from error

    def get(self, slot: Any) -> Any:
        """Return the value of a slot."""
        return self.evaluator.resolved(self.raw(slot))

    def raw(self, slot: Any) -> Any:
        """Return the value of a slot, without resolving names."""
        if type(slot) is not list:
            return slot
        if len(slot) == 1 and type(slot[0]) is int and 0 <= slot[0] < len(self.values):
            return self.values[slot[0]]
        if len(slot) == 2 and slot[0] == "f" and type(slot[1]) is int and 0 <= slot[1] < len(self.functions):
            return self.functions[slot[1]]
        raise CorruptValueError(f"{shown(slot)} is no slot")

    def all(self, row: list[Any], start: int) -> list[Any]:
        """Return the values of the slots from one on."""
        get = self.get
        return [get(slot) if type(slot) is list else slot for slot in row[start:]]

    def pairs(self, row: list[Any], start: int) -> list[tuple[Any, Any]]:
        """Return the values of the slots from one on, in pairs."""
        found = self.all(row, start)
        return list(zip(found[::2], found[1::2], strict=True))

    def dict(self, row: list[Any], start: int) -> dict[Any, Any]:
        """Return the values of the slots from one on, as a dict."""
        return {require_hashable(key): value for key, value in self.pairs(row, start)}

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a helper."""
        return HELPERS[name](self.evaluator.allowed, *arguments)


def _filled(how: str, row: list[Any], table: Table, content: Any) -> None:
    fill_container(table.get(row[1]), how, content)


_ROWS: dict[str, Callable[[Table, list[Any]], Any]] = {
    "json": lambda _, row: row[1],
    "list": lambda table, row: table.all(row, 1),
    "tuple": lambda table, row: tuple(table.all(row, 1)),
    "set": lambda table, row: set(map(require_hashable, table.all(row, 1))),
    "frozenset": lambda table, row: frozenset(map(require_hashable, table.all(row, 1))),
    "dict": lambda table, row: table.dict(row, 1),
    "bytes": lambda _, row: row[1].encode("latin-1"),
    "base64": lambda _, row: b64decode("".join(row[1:]), validate=True),
    "int": lambda _, row: int(row[1], 16),
    "complex": lambda _, row: complex(row[1], row[2]),
    "call": lambda table, row: table.evaluator.apply(table.raw(row[1]), tuple(table.all(row, 2)), {}),
    "apply": lambda table, row: table.evaluator.apply(
        table.raw(row[1]), table.get(row[2]), table.get(row[3])
    ),
    "object": lambda table, row: table.call("_object", table.get(row[1]), table.dict(row, 2)),
    "extend": lambda table, row: _filled("extend", row, table, table.all(row, 2)),
    "update": lambda table, row: _filled("update", row, table, table.dict(row, 2)),
    "add": lambda table, row: _filled("update", row, table, table.all(row, 2)),
    "fill": lambda table, row: table.call("_fill", table.get(row[1]), table.dict(row, 2)),
    "slots": lambda table, row: table.call("_slots", table.get(row[1]), table.dict(row, 2)),
    "setstate": lambda table, row: table.call("_setstate", table.get(row[1]), table.get(row[2])),
    "append": lambda table, row: table.call("_extend", table.get(row[1]), table.all(row, 2)),
    "items": lambda table, row: table.call("_items", table.get(row[1]), table.pairs(row, 2)),
    "chain": lambda table, row: table.call("_chain", *table.all(row, 1)),
    "set by": lambda table, row: table.evaluator.apply(
        table.raw(row[1]), (table.get(row[2]), table.get(row[3])), {}
    ),
}
