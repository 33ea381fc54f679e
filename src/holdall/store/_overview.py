"""Some items of a store as a table: for the prompt, for notebooks, and for pandas."""

import math
import time
from collections.abc import Iterable
from typing import Any, NamedTuple, Self

from holdall._units import shown_age, shown_size

__all__ = ["ItemRow", "Overview"]

_KEY = 80  # characters of a key to show
_HEAD = ("key", "type", "size", "age", "value")


class ItemRow(NamedTuple):
    """The description of an item.

    Parameters
    ----------
    key
        Its key.
    type
        The name of the type of its value; if the value was not read, the name of its format.
    size
        Bytes of its data; None where they have no size in bytes.
    mtime
        Time of its last modification, POSIX seconds; ``nan`` if unknown.
    value
        The value on one line, if it is small and can be shown without running code; "" for others.
    """

    key: Any
    type: str
    size: int | None
    mtime: float
    value: str


class Overview(tuple[ItemRow, ...]):  # noqa: SLOT001  (no tuple has slots)
    """Some items of a store: a tuple of `ItemRow` that prompts and notebooks show as a table.

    Parameters
    ----------
    rows
        The items.
    title
        The line above them.
    note
        The line below them, such as that there are more.

    Examples
    --------
    >>> Overview([ItemRow("a", "list", 12, math.nan, "[1, 2]")], "Numbers()", "…")
    Numbers()
    key  type  size  age  value
    'a'  list  12 B       [1, 2]
    …
    """

    title: str
    note: str

    def __new__(cls, rows: Iterable[ItemRow] = (), title: str = "", note: str = "") -> Self:
        made = super().__new__(cls, rows)
        made.title, made.note = title, note
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self), self.title, self.note)

    def _cells(self) -> list[tuple[str, ...]]:
        now = time.time()
        return [_cells(row, now) for row in self]

    def __repr__(self) -> str:
        lines = [_HEAD, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join(filter(None, (self.title, *(table if self else ()), self.note)))

    def _repr_html_(self) -> str:
        import html  # noqa: PLC0415  (2 ms)

        def line(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        shown = f"<p>{html.escape(self.title)}</p>" if self.title else ""
        if self:
            rows = "".join(line(cells, "td") for cells in self._cells())
            shown += f"<table>{line(_HEAD, 'th')}{rows}</table>"
        return shown + (f"<p>{html.escape(self.note)}</p>" if self.note else "")


def _cells(row: ItemRow, now: float) -> tuple[str, ...]:
    key = repr(row.key)
    return (
        key if len(key) <= _KEY else key[: _KEY - 1] + "…",
        row.type,
        "" if row.size is None else shown_size(row.size),
        "" if math.isnan(row.mtime) else shown_age(now - row.mtime),
        row.value,
    )
