"""Whether two values are the same, types included."""

import pickle
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

__all__ = ["same_value"]

_PLAIN = frozenset({int, bool, str, bytes, type(None), bytearray})


def same_value(one: Any, other: Any) -> bool:
    """Return whether two values are equal, with the same types at all levels.

    Parameters
    ----------
    one, other
        Any values.

    Examples
    --------
    >>> same_value({"a": [1]}, {"a": [1]}), same_value([1], [True]), same_value(float("nan"), float("nan"))
    (True, False, True)
    """
    pending = [(one, other)]
    seen = set()
    while pending:
        a, b = pending.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        if type(a) is not type(b):
            return False
        seen.add((id(a), id(b)))
        parts = _parts(a, b)
        if parts is None:
            return False
        pending += parts
    return True


def _parts(a: Any, b: Any) -> list[tuple[Any, Any]] | None:
    """Return the parts that are left to compare; None if the values differ. Both have one type."""
    if type(a) in _PLAIN:
        return [] if a == b else None
    if type(a) is float or type(a) is complex:  # nan is nan, and -0.0 is not 0.0
        return [] if repr(a) == repr(b) else None
    if type(a) in (list, tuple):
        return list(zip(a, b, strict=True)) if len(a) == len(b) else None
    if type(a) is dict:
        return _of_mappings(a, b)
    if type(a) in (set, frozenset):
        return _of_sets(a, b)
    return [] if _same_object(a, b) else None


def _of_mappings(a: Mapping[Any, Any], b: Mapping[Any, Any]) -> list[tuple[Any, Any]] | None:
    if len(a) != len(b):
        return None
    keys = {key: key for key in b}
    if any(key not in keys for key in a):
        return None
    return [pair for key in a for pair in ((key, keys[key]), (a[key], b[key]))]


def _of_sets(a: AbstractSet[Any], b: AbstractSet[Any]) -> list[tuple[Any, Any]] | None:
    if a != b:
        return None
    others = {item: item for item in b}
    return [(item, others[item]) for item in a]


def _same_object(a: Any, b: Any) -> bool:
    if hasattr(a, "dtype") and hasattr(a, "tobytes") and not getattr(a.dtype, "hasobject", True):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    try:
        if pickle.dumps(a) == pickle.dumps(b):
            return True
    except Exception:  # noqa: S110  (compare by their own methods)
        pass
    equal = a == b
    return bool(equal.all()) if hasattr(equal, "all") else bool(equal)
