"""The helpers of archives, applied to objects of exactly the types that a reader may fill.

The functions themselves are those of `prelude.HELPERS`; their arguments are checked here.
"""

import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from holdall._shown import shown
from holdall.archive import prelude
from holdall.archive._allowed import MAX_INLINE, Allowed, Name, is_array_data, is_dtype, is_hashable, is_shape

__all__ = ["COPYREG", "HELPERS", "Helper", "fill_container", "require_hashable"]

_LISTS = (list, deque)
_MAPPINGS = (dict, OrderedDict, Counter, defaultdict)
_WITH_ATTRIBUTES = (SimpleNamespace, OrderedDict, Counter, partial)
_ARRAY_CLASSES = ("numpy.matrix", "numpy.recarray", "numpy.rec.recarray", "numpy.ma.MaskedArray")


def _defined() -> dict[str, Any]:
    scope: dict[str, Any] = {}
    for text in prelude.HELPERS.values():
        exec(text, scope)  # noqa: S102  (the fixed text of this library)
    return scope


_FUNCTIONS = _defined()


def _require(fine: Any, message: str) -> None:
    if not fine:
        raise TypeError(message)


def fill_container(target: Any, how: str, content: Any) -> None:
    """Extend a list, or update a dict or set, of exactly these types.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    kinds = (type(target), how, type(content))
    _require(
        kinds in {(list, "extend", list), (dict, "update", dict), (set, "update", list)},
        f"{how} of {type(target).__name__} with {type(content).__name__}: no archive does so",
    )
    if how == "update":
        for key in content:
            require_hashable(key)
    getattr(target, how)(content)


def require_hashable(key: Any) -> Any:
    """Return a key or a member of a set, if its hash is computed in reasonable time.

    Raises
    ------
    TypeError
        If it is nested too deep, or has too many parts.
    """
    _require(is_hashable(key), "a key with more parts than are hashed here")
    return key


def _trusted(allowed: Allowed, obj: Any, types: tuple[type, ...], what: str) -> None:
    _require(type(obj) in types or allowed.is_trusted(obj), f"{type(obj).__name__} is not to be {what}")


def _class(allowed: Allowed, cls: Any) -> None:
    _require(
        allowed.is_trusted_class(cls),
        f"{shown(cls)} is not among the classes that may be made: allow=[...] adds those that you trust",
    )


def _is_array_class(cls: type) -> bool:
    return f"{cls.__module__}.{cls.__qualname__}" in {*_ARRAY_CLASSES, "numpy.matrixlib.defmatrix.matrix"}


def _is_attributes(values: Any) -> bool:
    return type(values) is dict and all(type(name) is str for name in values)


def _new(allowed: Allowed, cls: Any, *arguments: Any) -> Any:
    _class(allowed, cls)
    return cls.__new__(cls, *arguments)


def _new_ex(allowed: Allowed, cls: Any, arguments: Any, keywords: Any) -> Any:
    _class(allowed, cls)
    return cls.__new__(cls, *arguments, **keywords)


def _object(allowed: Allowed, cls: Any, values: Any) -> Any:
    return _fill(allowed, _new(allowed, cls), values)


def _fill(allowed: Allowed, obj: Any, values: Any) -> Any:
    harmless = isinstance(obj, BaseException) and type(obj).__module__ == "builtins"
    if not harmless and not _is_array_class(type(obj)):
        _trusted(allowed, obj, _WITH_ATTRIBUTES, "given attributes")
    _require(_is_attributes(values), "attributes are a dict with names")
    return _FUNCTIONS["_fill"](obj, values)


def _slots(allowed: Allowed, obj: Any, values: Any) -> Any:
    _require(_is_attributes(values), "attributes are a dict with names")
    if isinstance(obj, BaseException) and type(obj).__module__ == "builtins":
        _require(not any(name.startswith("_") for name in values), "these are no attributes of an exception")
    else:
        _trusted(allowed, obj, (), "given attributes")
    return _FUNCTIONS["_slots"](obj, values)


def _setstate(allowed: Allowed, obj: Any, state: Any) -> Any:
    _trusted(allowed, obj, (), "given a state")
    return _FUNCTIONS["_setstate"](obj, state)


def _extend(allowed: Allowed, obj: Any, items: Any) -> Any:
    _trusted(allowed, obj, _LISTS, "extended")
    _require(type(items) is list, "what is extended gets a list")
    return _FUNCTIONS["_extend"](obj, items)


def _items(allowed: Allowed, obj: Any, pairs: Any) -> Any:
    _trusted(allowed, obj, _MAPPINGS, "given items")
    _require(type(pairs) is list and all(type(pair) is tuple for pair in pairs), "items are a list of pairs")
    if type(obj) in _MAPPINGS:
        for pair in pairs:
            require_hashable(pair[0])
    return _FUNCTIONS["_items"](obj, pairs)


def _error(allowed: Allowed, cls: Any, arguments: Any) -> Any:
    harmless = isinstance(cls, type) and issubclass(cls, BaseException) and cls.__module__ == "builtins"
    if not harmless:
        _class(allowed, cls)
    _require(type(arguments) is tuple, "the arguments of an exception are a tuple")
    return _FUNCTIONS["_error"](cls, arguments)


def _chain(allowed: Allowed, error: Any, cause: Any, context: Any, suppress: Any) -> Any:
    del allowed
    fine = isinstance(error, BaseException) and type(suppress) is bool
    fine = fine and all(link is None or isinstance(link, BaseException) for link in (cause, context))
    _require(fine, "exceptions are chained to exceptions")
    return _FUNCTIONS["_chain"](error, cause, context, suppress)


# -- arrays


def _is_array(value: Any, *, of_objects: bool = False) -> bool:
    import numpy as np  # noqa: PLC0415

    return isinstance(value, np.ndarray) and (of_objects or not value.dtype.hasobject)


def _is_layout(shape: Any, order: Any) -> bool:
    return is_shape(shape) and order in ("C", "F")


def _dtype(spec: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    _require(is_dtype(spec), f"{shown(spec)} is no dtype of plain data")
    dtype = np.dtype(spec)
    _require(not dtype.hasobject, "arrays of Python objects are not loaded")
    return dtype


def _ndarray(allowed: Allowed, data: Any, dtype: Any, shape: Any, order: Any = "C") -> Any:
    del allowed
    dtype = _dtype(dtype)
    _require(is_shape(shape) and order in ("C", "F"), "an array has a shape and an order")
    size = math.prod(shape) * dtype.itemsize
    _require(size <= MAX_INLINE, f"an array of {size} bytes is too large for the text")
    if type(data) is bytes:
        _require(len(data) == size, f"an array of {size} bytes is made of {len(data)}")
    else:
        _require(type(data) is list and is_array_data(data, dtype), "an array is made of bytes or numbers")
    return _FUNCTIONS["_ndarray"](data, dtype, shape, order)


def _cast(allowed: Allowed, array: Any, dtype: Any, cls: Any = None) -> Any:
    import numpy as np  # noqa: PLC0415

    _require(_is_array(array), "only arrays are cast")
    plain = cls in (None, np.matrix, np.recarray, np.ndarray) or allowed.is_trusted_class(cls)
    _require(plain, f"{shown(cls)} is no class of arrays that may be made")
    return _FUNCTIONS["_cast"](array, None if dtype is None else _dtype(dtype), cls)


def _view(allowed: Allowed, base: Any, dtype: Any, shape: Any, *where: Any) -> Any:
    del allowed
    strides, offset = where
    _require(_is_array(base) and is_shape(shape), "views are of arrays, and have a shape")
    _require(
        type(strides) is tuple and all(type(step) is int for step in strides), "strides are whole numbers"
    )
    _require(type(offset) is int and offset >= 0, "a view starts within its array")
    return _FUNCTIONS["_view"](base, _dtype(dtype), shape, strides, offset)  # numpy checks the bounds


def _readonly(allowed: Allowed, array: Any) -> Any:
    del allowed
    _require(_is_array(array, of_objects=True), "only arrays are made read-only")
    return _FUNCTIONS["_readonly"](array)


def _masked(allowed: Allowed, data: Any, mask: Any, *options: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    fill, hard, cls = options
    fine = _is_array(data, of_objects=True) and (mask is False or _is_array(mask))
    fine = fine and (fill is None or _is_array(fill, of_objects=True))
    _require(fine and type(hard) is bool, "a masked array is made of arrays")
    _require(cls is np.ma.MaskedArray or allowed.is_trusted_class(cls), f"{shown(cls)} is no masked array")
    return _FUNCTIONS["_masked"](data, mask, fill, hard, cls)


def _restore(allowed: Allowed, array: Any, dtype: Any, shape: Any, order: Any = "C") -> Any:
    del allowed
    _require(
        _is_array(array) and is_shape(shape) and order in ("C", "F"), "an array has a shape and an order"
    )
    return _FUNCTIONS["_restore"](array, None if dtype is None else _dtype(dtype), shape, order)


def _objects(allowed: Allowed, items: Any, dtype: Any, shape: Any, order: Any = "C") -> Any:
    del allowed
    _require(type(items) is list and _is_layout(shape, order), "an array has items, a shape and an order")
    plain = dtype == "O" or type(dtype).__name__ in ("ObjectDType", "StringDType")
    _require(plain, "these are no Python objects")
    return _FUNCTIONS["_objects"](items, dtype, shape, order)


def _scalar(allowed: Allowed, data: Any, dtype: Any) -> Any:
    del allowed
    _require(type(data) is bytes and len(data) == _dtype(dtype).itemsize, "a scalar is made of its bytes")
    return _FUNCTIONS["_scalar"](data, _dtype(dtype))


#: The function of each helper.
HELPERS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(_new, _new_ex, _object, _fill, _slots, _setstate, _extend, _items, _error, _chain),
        *(_ndarray, _cast, _view, _readonly, _masked, _restore, _objects, _scalar),
    )
}


class Helper:
    """A function of the prelude that the text has defined."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.apply: Callable[..., Any] = HELPERS.get(name, _unknown)


def _unknown(*arguments: Any) -> Any:
    raise TypeError(f"it is not called so, with {len(arguments) - 1} arguments")


#: The helpers that the text takes from copyreg.
COPYREG = {
    Name("copyreg", "__newobj__"): Helper("_new"),
    Name("copyreg", "__newobj_ex__"): Helper("_new_ex"),
}
