"""Dtypes and scalars of numpy."""

import math
from typing import Any

import numpy as np

from holdall.archive.graph import Graph, Node
from holdall.archive.values import as_call

__all__ = [
    "as_helper",
    "describe_dtype",
    "describe_raw_scalar",
    "describe_scalar",
    "dtype_name",
    "dtype_slot",
    "is_simple",
    "without_padding",
]


def as_helper(graph: Graph, node: Node, helper: str, *arguments: Any) -> None:
    """Describe a node as the call of a helper; arguments may be nodes."""
    graph.keep(arguments)
    node.kind, node.extra = "call", helper
    node.slots = [value if type(value) is Node else graph.slot(value, node, ("", "")) for value in arguments]


def dtype_name(dtype: Any) -> str:
    """Return the text of a simple dtype; the same on all machines."""
    text = dtype.name if dtype.isnative and dtype.kind in "biufc" else dtype.str
    return str(text if np.dtype(text) == dtype else dtype.str)


def dtype_slot(graph: Graph, node: Node, dtype: Any) -> Any:
    """Return the argument for numpy functions that take a dtype."""
    simple = dtype.kind in "biufcSUmM" and is_simple(dtype)
    return dtype_name(dtype) if simple else graph.slot(dtype, node, ("attribute", "dtype"))


def is_simple(dtype: Any) -> bool:
    """Return whether a dtype is one of numpy, and its name tells all of it: numbers may have fields."""
    return dtype.type.__module__ == "numpy" and not dtype.metadata and dtype.names is None


def describe_dtype(graph: Graph, node: Node) -> None:
    """Describe a dtype."""
    dtype = node.obj
    keywords = {"metadata": dict(dtype.metadata)} if dtype.metadata else {}
    if dtype.kind == "T":
        return _string_dtype(graph, node)
    if dtype.names is not None:
        spec: dict[str, Any] = {"names": list(dtype.names)}
        fields = [dtype.fields[name] for name in dtype.names]
        spec["formats"] = [
            field[0] if field[0].names or field[0].subdtype else _spec(field[0]) for field in fields
        ]
        spec["offsets"] = [field[1] for field in fields]
        if any(len(field) > 2 for field in fields):
            spec["titles"] = [field[2] if len(field) > 2 else None for field in fields]
        spec["itemsize"] = dtype.itemsize
        if dtype.isalignedstruct:
            spec["aligned"] = True
        if dtype.type is not np.void:  # np.record, or a number with fields
            plain: Any = np.dtype(graph.keep(spec))
            return as_call(graph, node, np.dtype, (dtype.type, plain), **keywords)
        return as_call(graph, node, np.dtype, spec, **keywords)
    if dtype.subdtype is not None:
        return as_call(graph, node, np.dtype, (_spec(dtype.subdtype[0]), dtype.shape), **keywords)
    return as_call(graph, node, np.dtype, _spec(dtype, bare=True), **keywords)


def _spec(dtype: Any, *, bare: bool = False) -> Any:
    """Return the text or scalar class of a dtype without fields; `bare` without metadata."""
    if (dtype.metadata and not bare) or dtype.names or dtype.subdtype or dtype.kind == "T":
        return dtype
    if dtype.type.__module__ != "numpy" or dtype.type is np.record:
        return dtype.type
    return dtype_name(dtype)


def _string_dtype(graph: Graph, node: Node) -> None:
    dtype = node.obj
    keywords = {} if dtype.coerce else {"coerce": False}
    if hasattr(dtype, "na_object"):
        keywords["na_object"] = dtype.na_object
    as_call(graph, node, type(dtype), **keywords)


def describe_scalar(graph: Graph, node: Node) -> None:
    """Describe a scalar of numpy."""
    scalar, cls = node.obj, type(node.obj)
    kind = scalar.dtype.kind
    if kind in "biufc" and not isinstance(scalar, np.longdouble | np.clongdouble):
        as_call(graph, node, cls, scalar.item())
    elif kind in "mM":
        unit, count = np.datetime_data(scalar.dtype)
        text = unit if count == 1 else f"{count}{unit}"
        value = str(scalar) if kind == "M" or np.isnat(scalar) else int(scalar.astype(np.int64))
        as_call(graph, node, cls, value, *([] if unit == "generic" else [text]))
    elif kind in "SU":  # item() would strip zeros
        as_call(graph, node, cls, bytes(scalar) if kind == "S" else "".join(scalar))
    else:
        describe_raw_scalar(graph, node)


def describe_raw_scalar(graph: Graph, node: Node) -> None:
    """Describe a scalar by its bytes."""
    array = np.array(node.obj)
    if array.dtype.hasobject:
        raise graph.refuse(node, "a structure with Python objects in it cannot be archived")
    as_helper(
        graph,
        node,
        "_scalar",
        without_padding(array).tobytes(),
        graph.slot(array.dtype, node, ("attribute", "dtype")),
    )


def without_padding(array: Any) -> Any:
    """Return an array whose padding is zero instead of old memory."""
    kept = _value_bytes(array.dtype)
    if kept.all() or not array.size:
        return array
    in_columns = array.flags.f_contiguous and not array.flags.c_contiguous
    clean = np.array(array, order="F" if in_columns else "C")
    # order="A": a view, whichever order it has
    clean.reshape(-1, order="A").view(np.uint8).reshape(-1, array.dtype.itemsize)[:, ~kept] = 0
    return clean


def _value_bytes(dtype: Any) -> Any:
    """Return, for each byte of an item, whether it is part of the value."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.tile(_value_bytes(base), math.prod(shape))
    if dtype.names is not None:  # fields may overlap
        kept = np.zeros(dtype.itemsize, bool)
        for field, start, *_ in (dtype.fields[name] for name in dtype.names):
            kept[start : start + field.itemsize] |= _value_bytes(field)
        return kept
    kept = np.ones(dtype.itemsize, bool)
    long = dtype.type in (np.longdouble, np.clongdouble)  # other packages use their dtype.char again
    if long and np.finfo(dtype).nmant == 63:  # 80 bits in 12 or 16 bytes
        number = np.arange(np.dtype("g").itemsize) < 10
        kept = np.resize(number if dtype.isnative else number[::-1], dtype.itemsize)
    return kept
