"""How a result is copied, so that changes by callers do not affect later calls."""

import copy
import copyreg
import marshal
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from typing import Any

__all__ = ["SHALLOW", "Copier", "copier_of"]

Copier = Callable[[Any], Any]

_ATOMS = frozenset(
    {int, float, complex, bool, str, bytes, type(None), type(...), type(NotImplemented), range}
)
_SHARED = (type, Enum, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
# All classes of these modules are immutable, as are numpy's numbers and pandas' times.
_IMMUTABLE = frozenset({"datetime", "decimal", "fractions", "ipaddress", "pathlib", "re", "uuid", "zoneinfo"})
_TIMES = frozenset({"Timestamp", "Timedelta", "Period", "Interval", "NaTType", "NAType"})
_PLAIN = frozenset({list, dict, set, tuple, frozenset})
#: Copiers that share the items.
SHALLOW: frozenset[Any] = frozenset({list.copy, dict.copy, set.copy})


def copier_of(value: Any) -> Copier | None:
    """Return a function that copies a result and all mutable parts of it; None if it is immutable.

    Parameters
    ----------
    value
        The result, or an equal one.
    """
    if _is_immutable(value):
        return None
    cls = type(value)
    if cls in _PLAIN:
        if _are_immutable(value) and (cls is not dict or _are_immutable(value.values())):
            return cls.copy  # type: ignore[no-any-return]
        if _is_plain(value):
            return _copy_plain
    root = cls.__module__.partition(".")[0]
    if root == "pandas":
        return _copier_of_pandas(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return _copier_of_array(numpy, value)
    return copy.deepcopy


def _is_immutable(value: Any) -> bool:
    cls = type(value)
    if cls in _ATOMS or isinstance(value, _SHARED):
        return True
    if cls is tuple or cls is frozenset:
        return _are_immutable(value)
    root = cls.__module__.partition(".")[0]
    if root in _IMMUTABLE:
        return True
    if root == "numpy":
        dtype = getattr(value, "dtype", None)
        if cls.__name__ in {"ndarray", "memmap"}:
            return not value.dtype.hasobject and _is_sealed(value)
        return cls.__name__ == "dtype" or (
            dtype is not None
            and not hasattr(value, "__array_finalize__")
            and dtype.names is None
            and dtype.subdtype is None
            and not dtype.hasobject
            and value.shape == ()
        )
    if root == "pandas":
        return cls.__name__ in _TIMES
    # An object without content represents itself, such as `object()` as a mark for "not found".
    return not _has_content(value)


def _has_content(value: Any) -> bool:
    """Return whether an object has more than its class, as pickle sees it."""
    cls: Any = type(value)
    own = cls.__reduce_ex__ is not object.__reduce_ex__ or cls.__reduce__ is not object.__reduce__
    if own or cls in copyreg.dispatch_table:
        return True
    try:
        made = value.__reduce_ex__(2)
    except Exception:
        return True
    return not isinstance(made, tuple) or made[1:] != ((cls,), None, None, None)


def _are_immutable(values: Iterable[Any]) -> bool:
    return all(type(value) in _ATOMS or _is_immutable(value) for value in values)


def _is_plain(value: Any) -> bool:
    """Return whether built-in values contain only such values, so that `marshal` copies them quickly."""
    todo, seen = [value], 0
    while todo:
        value = todo.pop()
        cls = type(value)
        seen += 1
        if cls is dict:
            todo += value
            todo += value.values()
        elif cls in _PLAIN:
            todo += value
        elif cls not in _ATOMS or cls is range or seen > _MANY:
            return False
    return True


_MANY = 100_000  # of more it is slow to find out; and recursive values have no end


def _copy_plain(value: Any) -> Any:
    return marshal.loads(marshal.dumps(value))  # noqa: S302  (just written)


def _copy_pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value, 5))


def _copier_of_pandas(value: Any) -> Copier:
    """Return a copier by pandas for tables without mutable objects, which pandas would share."""
    names = {"DataFrame", "Series", "Index"}
    if not any(base.__name__ in names for base in type(value).__mro__):
        return copy.deepcopy
    columns = [value] if value.ndim == 1 else [value.iloc[:, i] for i in range(value.shape[1])]
    for column in columns:
        if column.dtype == object and not _are_immutable(column.array):
            return _copy_pickled
    return type(value).copy if not hasattr(value, "index") else _copy_table


def _copy_table(value: Any) -> Any:
    """Copy a table, and its indexes, whose names can be changed."""
    copied = value.copy(deep=True)
    copied.index = value.index.copy()
    if value.ndim == 2:
        copied.columns = value.columns.copy()
    return copied


def _copier_of_array(numpy: Any, value: Any) -> Copier | None:
    if type(value) in {numpy.ndarray, numpy.memmap} and not value.dtype.hasobject:
        return None if _is_sealed(value) else partial(numpy.array, order="K", subok=True)
    if hasattr(value, "mask") or value.dtype.hasobject:
        return copy.deepcopy
    return _copy_array


def _copy_array(value: Any) -> Any:
    """Copy an array of a subclass, whose attributes deepcopy would lose."""
    copied = value.copy(order="K")
    vars_of = getattr(value, "__dict__", None)
    if vars_of:
        vars(copied).update(copy.deepcopy(vars_of))
    return copied


def _is_sealed(value: Any) -> bool:
    """Return whether nobody can write the memory of an array, as that of a file mapped read-only."""
    while isinstance(value, sys.modules["numpy"].ndarray):
        if value.flags.writeable or value.flags.owndata:
            return False
        value = value.base
    try:
        return memoryview(value).readonly
    except TypeError:
        return False
