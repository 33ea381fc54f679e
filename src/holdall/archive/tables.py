"""Rows of a table: each object of a large graph on a line of JSON."""

import base64
from typing import Any

from holdall.archive.graph import Node
from holdall.archive.layout import Group
from holdall.archive.plan import FREE, Component
from holdall.archive.writer import Body, code_function, one_line

__all__ = ["table_rows"]

_JSON = frozenset({type(None), bool, int, float, str})


class _Rows:
    """The rows so far, and the expressions in them."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.rows: list[list[Any]] = []
        self.functions: list[str | Group] = []
        self._numbers: dict[str, int] = {}

    def function(self, text: str | Group) -> list[Any]:
        """Return the slot of an expression."""
        key = one_line(text)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.functions)
            self.functions.append(text)
        return ["f", number]

    def row(self, *items: Any) -> list[Any]:
        """Add a row, and return the slot of its value."""
        self.rows.append(list(items))
        return [len(self.rows) - 1]

    def slot(self, value: Any) -> Any:
        """Return a slot as JSON."""
        kind = type(value)
        if kind in _JSON:
            return value
        if kind is Node:
            if value.kind in FREE or value.kind == "external":
                return self.function(self.body.construct(value))
            if value.kind == "leaf" and value.is_json and not value.own:
                return value.obj
            return [value.depth]
        if kind is complex:
            return self.row("complex", value.real, value.imag)
        if kind is bytes:
            return self.bytes(value)
        return self.function(self.body.plain(value))

    def slots(self, values: list[Any]) -> list[Any]:
        """Return slots as JSON."""
        if set(map(type, values)) <= _JSON:
            return values
        slot = self.slot
        return [value if type(value) in _JSON else slot(value) for value in values]

    def bytes(self, value: bytes) -> list[Any]:
        """Add a row of bytes."""
        if len(value) <= 1024 and value.isascii():
            return self.row("bytes", value.decode("latin-1"))
        return self.row("base64", base64.b64encode(value).decode("ascii"))


def table_rows(component: Component, body: Body) -> tuple[list[str | Group], list[list[Any]]]:
    """Return the expressions and the rows that make the objects of a component.

    The `depth` of each node is then the number of its row.
    """
    rows = _Rows(body)
    for what, node, fills in component.steps:
        if node.kind in FREE or node.kind == "external":
            continue
        if node.is_json and not node.own:
            continue  # part of another
        if what == "fill":
            _fill(rows, node, [node.depth])
        elif what == "attributes":
            for fill in fills:
                _fill_by(rows, fill, [node.depth])
        else:
            made, filled = _make(rows, node)
            node.depth = made[0]
            if what == "make" and not filled:
                _fill(rows, node, made, created=True)
    for slot in component.names.values():
        if type(slot) is Node and (slot.kind in FREE or slot.kind == "external"):
            slot.name = None
    return rows.functions, rows.rows


def _make(rows: _Rows, node: Node) -> tuple[list[Any], bool]:
    """Add the row that makes an object; return its slot, and whether it is already filled."""
    kind = node.kind
    if node.is_json:
        return rows.row("json", node.obj), True
    if kind == "leaf":
        made = rows.bytes(node.obj) if type(node.obj) is bytes else rows.row("int", hex(node.obj))
        return made, True
    if kind in {"list", "set", "dict"}:
        return rows.row(kind, *([] if node.shelled else rows.slots(node.slots))), True
    if kind in {"tuple", "frozenset"}:
        return rows.row(kind, *rows.slots(node.slots)), True
    if kind == "code":
        return rows.row("call", rows.function(code_function(node, rows.body)), *rows.slots(node.slots)), True
    slots = node.slots
    if (
        node.extra == "_new"
        and len(slots) == 1
        and not node.shelled
        and node.fills
        and node.fills[0].how == "fill"
    ):
        made = rows.row("object", rows.slot(slots[0]), *rows.slots(node.fills[0].slots))
        for fill in node.fills[1:]:
            _fill_by(rows, fill, made)
        return made, True
    function = rows.function(rows.body.helper(node.extra)) if node.extra else rows.slot(node.function)
    if node.keywords:
        plain = len(slots) - len(node.keywords)
        arguments = rows.row("tuple", *rows.slots(slots[:plain]))
        pairs = [item for pair in zip(node.keywords, rows.slots(slots[plain:]), strict=True) for item in pair]
        return rows.row("apply", function, arguments, rows.row("dict", *pairs)), False
    return rows.row("call", function, *rows.slots(slots)), False


def _fill(rows: _Rows, node: Node, made: list[Any], *, created: bool = False) -> None:
    """Add the rows that fill an object."""
    if not created and node.slots and node.kind in {"list", "set", "dict"}:
        how = {"list": "extend", "set": "add", "dict": "update"}[node.kind]
        rows.row(how, made, *rows.slots(node.slots))
    for fill in node.fills:
        _fill_by(rows, fill, made)


def _fill_by(rows: _Rows, fill: Any, made: list[Any]) -> None:
    if fill.how == "set by":
        rows.row("set by", rows.slot(fill.function), made, rows.slot(fill.slots[0]))
        return
    how = {"extend": "append"}.get(fill.how, fill.how)
    if fill.how in {"fill", "slots", "items"}:
        rows.body.helper(f"_{fill.how}")
    rows.row(how, made, *rows.slots(fill.slots))
