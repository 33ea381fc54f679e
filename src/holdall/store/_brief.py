"""Any value in one short line, without calling code of its type."""

import itertools
from typing import Any, Final

__all__ = ["brief"]

_PLAIN: Final = frozenset({bool, float, complex, type(None), type(Ellipsis)})
_DATES: Final = frozenset({"date", "datetime", "time", "timedelta"})
_BRACKETS: Final[dict[type, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}
_ITEMS, _LEVELS, _BITS = 6, 3, 256


def brief(value: Any, room: int = 60) -> str:
    """Return a value on one line of at most `room` characters; the cost does not depend on its size.

    Parameters
    ----------
    value
        Any object. Of unusual types only the name of the type is shown, and of arrays and tables the shape.
    room
        The maximal number of characters.

    Examples
    --------
    >>> brief({"a": [1, 2.5, None], "b": "text"})
    "{'a': [1, 2.5, None], 'b': 'text'}"
    >>> brief(list(range(10**6)))
    '[0, 1, 2, 3, 4, 5, …]'
    >>> brief(object())
    '<object>'
    """
    shown = _brief(value, room, _LEVELS)
    return shown if len(shown) <= room else shown[: room - 1] + "…"


def _brief(value: Any, room: int, levels: int) -> str:
    kind = type(value)
    if kind in _PLAIN:
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() <= _BITS else f"<int of {value.bit_length()} bits>"
    if kind in (str, bytes):
        return repr(value[:room]) + "…" * (len(value) > room)
    if kind in _BRACKETS:
        return _container(value, room, levels)
    if kind.__module__ == "datetime" and kind.__name__ in _DATES:
        return str(value)
    if kind.__module__.partition(".")[0] in ("numpy", "pandas"):
        return f"<{_with_shape(value)}>"
    return f"<{kind.__qualname__}>"


def _container(value: Any, room: int, levels: int) -> str:
    """Return the first items of a container."""
    start, end = _BRACKETS[type(value)]
    if not value:
        return repr(value)
    if not levels:
        return f"{start}…{end}"
    first = list(itertools.islice(value.items() if type(value) is dict else value, _ITEMS))
    if type(value) is dict:
        shown = [f"{_brief(key, room, levels - 1)}: {_brief(item, room, levels - 1)}" for key, item in first]
    else:
        shown = [_brief(item, room, levels - 1) for item in first]
    if len(value) > len(shown):
        shown.append("…")
    elif type(value) is tuple and len(shown) == 1:
        end = ",)"
    return start + ", ".join(shown) + end


def _with_shape(value: Any) -> str:
    """Return the type and shape of an array, a numpy number or a table."""
    kind = type(value).__name__
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if not isinstance(shape, tuple):
        return kind
    if shape == () and hasattr(value, "item"):
        return f"{kind} {_brief(value.item(), 40, 0)}" if type(value.item()) in (*_PLAIN, int) else kind
    return f"{kind} {shape}" if dtype is None else f"{kind} {shape} {str(dtype)[:40]}"
