"""How a store is looked at: the table of some of its items, in bounded time for notebooks."""

import itertools
import time
from typing import Any

from holdall._shown import shown
from holdall.conditional import VALUE_NOT_RETRIEVED, Stat
from holdall.errors import HoldallError, InvalidArgumentError
from holdall.store._brief import brief
from holdall.store._display import StoreDisplay
from holdall.store._glance import format_of, glance
from holdall.store._overview import ItemRow, Overview

__all__ = ["html_of", "overview_of"]

_ROWS = 10
_GLANCE = 0.03  # seconds for the display in a notebook
_SMALL = 2000  # bytes of data up to which the value is shown
_ASK = "call overview() to look: a look may take long, or ask another machine"
_ERROR = 300  # characters of an error shown instead of items


def overview_of(store: StoreDisplay[Any, Any], max_n: int | None, *, values: bool) -> Overview:
    """Return the table that `Store.overview` returns."""
    if max_n is not None and (type(max_n) is not int or max_n < 0):
        raise InvalidArgumentError(f"max_n is a number of items or None, got {shown(max_n)}")
    compiled = store._compiled  # noqa: SLF001  (a part of the store)
    if values:
        rows = (_row(compiled, key, id) for key, id in compiled.pairs_of_ids())
    else:
        rows = (_row_of_stat(compiled, key, stat) for key, stat in compiled.stats())
    found = list(itertools.islice((row for row in rows if row), None if max_n is None else max_n + 1))
    return Overview(found[:max_n], repr(store), _note(found, max_n))


def html_of(store: StoreDisplay[Any, Any]) -> str:
    """Return some items as HTML if that is fast; never an error."""
    compiled = store._compiled  # noqa: SLF001  (a part of the store)
    if not compiled.persister.at_hand:
        return Overview((), repr(store), _ASK)._repr_html_()
    until = time.monotonic() + _GLANCE
    rows: list[ItemRow] = []
    note = ""
    try:
        pairs, all_of_them = store._some_pairs(_ROWS + 1, _GLANCE / 2)  # noqa: SLF001
        for key, id in pairs:
            if len(rows) == _ROWS or time.monotonic() > until:
                all_of_them = False
                break
            row = _row(compiled, key, id)
            if row is not None:
                rows.append(row)
        note = "" if all_of_them else "…"
    except (HoldallError, OSError) as error:
        note = str(error)[:_ERROR]
    return Overview(rows, repr(store), note)._repr_html_()


def _row(compiled: Any, key: Any, id: Any) -> ItemRow | None:
    """Return the row of an item; None if it was deleted meanwhile."""
    try:
        value, stat = glance(compiled, id, _SMALL)
    except KeyError:
        return None
    if value is VALUE_NOT_RETRIEVED:
        return ItemRow(key, format_of(compiled, id), stat.size, stat.mtime, "")
    return ItemRow(key, type(value).__name__, stat.size, stat.mtime, brief(value))


def _row_of_stat(compiled: Any, key: Any, stat: Stat) -> ItemRow:
    return ItemRow(key, format_of(compiled, compiled.id(key)), stat.size, stat.mtime, "")


def _note(rows: list[ItemRow], max_n: int | None) -> str:
    return "…" if max_n is not None and len(rows) > max_n else ""
