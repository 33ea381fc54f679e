"""Arrays of numpy: in the text or beside it, and their shared memory."""

import warnings
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from holdall.archive.dtypes import (
    as_helper,
    describe_dtype,
    describe_raw_scalar,
    describe_scalar,
    dtype_name,
    dtype_slot,
    is_simple,
    without_padding,
)
from holdall.archive.graph import Fill, Graph, Node
from holdall.archive.references import Reference, public_name
from holdall.archive.values import as_call, reference

__all__ = ["finish", "route"]

#: Elements up to which an array in the text is a list of numbers; more are bytes in base64.
_READABLE = 1_000

_FEW = 20  # elements, of which some may be nan

_PLAIN_CLASSES = (np.ndarray, np.memmap)


def route(cls: type, found: list[Node]) -> Any:
    """Return the function that describes objects of a class of numpy, or None for its own reduction.

    Arrays are only added to `found`; `finish` describes them.
    """
    if issubclass(cls, np.ma.MaskedArray):
        return _masked if "__reduce__" not in vars(cls) or cls is np.ma.MaskedArray else None
    if issubclass(cls, np.ndarray):
        own = [base for base in cls.__mro__ if "__reduce__" in vars(base) or "__setstate__" in vars(base)]
        if own[0] not in {np.ndarray, np.recarray}:
            return None

        def find(graph: Graph, node: Node) -> None:
            if node.obj.dtype.hasobject or node.obj.dtype.kind == "T":
                _objects(graph, node)
            else:
                found.append(node)

        return find
    if issubclass(cls, np.dtype):
        return describe_dtype
    if issubclass(cls, np.generic):
        return describe_scalar
    if issubclass(cls, np.ufunc) or cls.__name__ == "_ArrayFunctionDispatcher":
        return _function
    if cls.__module__.partition(".")[0] == "ml_dtypes":
        return describe_raw_scalar
    if issubclass(cls, np.random.Generator):
        return _generator
    if issubclass(cls, np.random.BitGenerator | np.random.RandomState):
        return _random_state
    return None


# ------------------------------------------------------------------ which arrays share memory


def finish(describer: Any, graph: Graph) -> None:
    """Describe all arrays, with those that share memory as views of one."""
    while describer.arrays:
        owners: dict[int, list[Node]] = {}
        for node in describer.arrays:
            owners.setdefault(id(_owner(node.obj)), []).append(node)
        describer.arrays.clear()
        for nodes in owners.values():
            if len(nodes) > 1:
                _shared(graph, nodes, describer)
            else:
                _array(graph, nodes[0], describer)
        graph.drain()


def _owner(array: Any) -> Any:
    """Return the array that owns the memory of a view."""
    base = array
    while base is not None:
        if isinstance(base, np.ndarray):
            array = base
        base = getattr(base, "base", None)  # between the views of `as_strided` is an object of its own
    return array


def _shared(graph: Graph, nodes: list[Node], describer: Any) -> None:
    """Describe arrays with a common owner: as views of it, or of the bytes that they cover."""
    owner = _owner(nodes[0].obj)
    base = next((node for node in nodes if node.obj is owner), None)
    if base is not None and not (owner.flags.c_contiguous or owner.flags.f_contiguous):
        base = None
    start = owner.__array_interface__["data"][0]
    if base is None:
        spans = [_span(node.obj) for node in nodes]
        low, high = min(span[0] for span in spans), max(span[1] for span in spans)
        covered = _bytes_of(owner, low, high)
        if covered is None:  # memory that cannot be viewed as a whole
            for node in nodes:
                _array(graph, node, describer)
            return
        base = graph.slot(graph.keep(covered), nodes[0].parent, nodes[0].label)
        start = low
        base.uses -= 1
        graph.drain()
        describer.arrays.pop()
    _array(graph, base, describer)
    for node in nodes:
        if node is base:
            continue
        array = node.obj
        offset = array.__array_interface__["data"][0] - start
        base.uses += 1
        as_helper(
            graph,
            node,
            "_view",
            base,
            dtype_slot(graph, node, array.dtype),
            array.shape,
            array.strides,
            offset,
        )
        _dress(graph, node, array)


def _span(array: Any) -> tuple[int, int]:
    """Return the addresses of the first byte of an array, and of the first byte after it."""
    start: int = array.__array_interface__["data"][0]
    if not array.size:
        return start, start
    ends = [stride * (length - 1) for stride, length in zip(array.strides, array.shape, strict=True)]
    low, high = sum(end for end in ends if end < 0), sum(end for end in ends if end > 0)
    return start + low, start + high + int(array.itemsize)


def _bytes_of(owner: Any, low: int, high: int) -> Any:
    """Return a copy of the bytes of an owner between two addresses; None if it has gaps."""
    order = "C" if owner.flags.c_contiguous else "F" if owner.flags.f_contiguous else None
    if order is None:
        axes = sorted(range(owner.ndim), key=lambda axis: -abs(owner.strides[axis]))
        owner = owner.transpose(axes)
        if not owner.flags.c_contiguous:
            return None
        order = "C"
    start = owner.__array_interface__["data"][0]
    flat = without_padding(owner.view(np.ndarray)).reshape(-1, order=order).view(np.uint8)
    return flat[low - start : high - start].copy()


# ------------------------------------------------------------------ one array


def _array(graph: Graph, node: Node, describer: Any) -> None:
    """Describe an array, beside the text or in it."""
    array = node.obj
    plain = array if type(array) is np.ndarray else array.view(np.ndarray)
    if isinstance(array, np.recarray) and plain.dtype.type is np.record:
        plain = plain.view(np.dtype((np.void, plain.dtype)))
    target = node
    dressed = type(array) not in _PLAIN_CLASSES or not array.flags.writeable
    if dressed:  # the base of the view has no object of its own
        target = Node(graph.keep(plain), node.parent, node.label)
        target.uses = 1
        graph.nodes.append(target)
    if array.size > describer.threshold and array.dtype.itemsize:
        _external(graph, target, plain, describer.data_format)
    else:
        _inline(graph, target, plain)
    if dressed:
        _wrap(graph, node, target)


def _dress(graph: Graph, node: Node, array: Any) -> None:
    """Add class and writeability to a described view."""
    if type(array) in _PLAIN_CLASSES and array.flags.writeable:
        return
    inner = Node(array, node.parent, node.label)
    inner.uses = 1
    inner.kind, inner.slots, inner.extra, inner.function = node.kind, node.slots, node.extra, node.function
    graph.nodes.append(inner)
    _wrap(graph, node, inner)


def _wrap(graph: Graph, node: Node, inner: Node) -> None:
    """Describe a node as another array, with its class and writeability."""
    array = node.obj
    node.function = None
    if type(array) not in _PLAIN_CLASSES:
        node.kind, node.extra = "call", "_cast"
        node.slots = [inner, None, reference(graph, node, type(array))]
        attributes = getattr(array, "__dict__", None)
        if attributes and type(array) is not np.matrix:
            node.fills = (Fill("fill", graph.pairs(attributes, node, "attribute"), pairs=True),)
        if array.flags.writeable:
            return
        cast = Node(array, node.parent, node.label)
        cast.uses = 1
        cast.kind, cast.extra, cast.slots, cast.fills = node.kind, node.extra, node.slots, node.fills
        node.fills = ()
        graph.nodes.append(cast)
        inner = cast
    node.kind, node.extra, node.slots = "call", "_readonly", [inner]


def _external(graph: Graph, node: Node, array: Any, data_format: str) -> None:
    """Describe an array in a file, in a form that the format keeps."""
    array = graph.keep(without_padding(array))
    c_order, f_order = array.flags.c_contiguous, array.flags.f_contiguous
    native = _is_kept(array.dtype, data_format)
    without_axes = data_format == "hdf5" and not array.ndim  # h5py would return a scalar
    if native and not without_axes and (c_order or (f_order and data_format != "hdf5") or not f_order):
        node.kind, node.extra = "external", array
        return
    order = "F" if f_order and not c_order else "C"
    flat = array.reshape(-1, order=order)
    if not native:
        flat = np.ascontiguousarray(flat).view(np.uint8) if array.size else np.empty(0, np.uint8)
    stored = Node(graph.keep(flat), node.parent, node.label)
    stored.kind, stored.extra, stored.uses = "external", flat, 1
    graph.nodes.append(stored)
    dtype = None if native else dtype_slot(graph, node, array.dtype)
    as_helper(graph, node, "_restore", stored, dtype, array.shape, order)


def _is_kept(dtype: Any, data_format: str) -> bool:
    """Return whether a format keeps a dtype."""
    if dtype.kind in "biufc" and dtype.isbuiltin in {0, 1} and is_simple(dtype):
        return True
    if data_format == "hdf5" or dtype.isbuiltin == 2:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again = npy_format.descr_to_dtype(npy_format.dtype_to_descr(dtype))
    except Exception:  # any error of a foreign dtype: store its bytes
        return False
    return bool(_spelled(again) == _spelled(dtype))


def _spelled(dtype: Any) -> Any:
    """Return everything that distinguishes a dtype from others."""
    fields = dtype.fields and [(name, _spelled(field[0]), *field[1:]) for name, field in dtype.fields.items()]
    sub = dtype.subdtype and (_spelled(dtype.subdtype[0]), dtype.subdtype[1])
    return (
        dtype.type,
        dtype.str,
        dtype.names,
        fields,
        sub,
        dtype.itemsize,
        dtype.isalignedstruct,
        bool(dtype.metadata),
    )


def _inline(graph: Graph, node: Node, array: Any) -> None:
    """Describe an array in the text."""
    dtype = array.dtype
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    simple = dtype.kind in "biufcSU" and dtype.itemsize <= 1024 and is_simple(dtype)
    simple = simple and dtype.char not in "gG" and not (dtype.kind in "SU" and not dtype.itemsize)
    if (
        simple
        and array.size <= _READABLE
        and (array.size <= _FEW or dtype.kind != "f" or not np.isnan(array).any())
    ):
        data: Any = graph.keep(array.tolist() if array.size else [])
        if order == "C" and array.size:
            as_call(graph, node, np.array, data, dtype_name(dtype))
            return
    else:
        data = graph.keep(without_padding(array).tobytes(order))
    as_helper(
        graph,
        node,
        "_ndarray",
        data,
        dtype_slot(graph, node, dtype),
        array.shape,
        *(["F"] if order == "F" else []),
    )


def _objects(graph: Graph, node: Node) -> None:
    """Describe an array of Python objects, or of texts of any length, by its elements."""
    array = node.obj
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    if array.dtype.kind not in "OT":
        raise graph.refuse(node, "a structure with Python objects in it cannot be archived")
    if type(array) not in _PLAIN_CLASSES:
        raise graph.refuse(node, "Python objects are archived in plain arrays only")
    items = graph.keep(array.reshape(-1).tolist())
    as_helper(graph, node, "_objects", items, dtype_slot(graph, node, array.dtype), array.shape, order)
    if not array.flags.writeable:
        _dress(graph, node, array)


# ------------------------------------------------------------------ other things of numpy


def _function(graph: Graph, node: Node) -> None:
    """Describe a function of numpy by its name."""
    del graph
    obj = node.obj
    node.kind, node.extra = "ref", public_name(obj, getattr(obj, "__module__", None) or "numpy", obj.__name__)


def _masked(graph: Graph, node: Node) -> None:
    """Describe a masked array."""
    array = node.obj
    if array is np.ma.masked:
        node.kind, node.extra = "ref", Reference("numpy.ma", "masked")
        return
    mask = False if array.mask is np.ma.nomask else array.mask
    data = array.view(np.ndarray)
    graph.keep((data, mask))
    filled = array._fill_value  # noqa: SLF001  (fill_value would invent one)
    fill = None if filled is None else graph.keep(np.array(filled))
    as_helper(
        graph, node, "_masked", data, mask, fill, bool(array.hardmask), reference(graph, node, type(array))
    )
    state = {key: value for key, value in vars(array).items() if key not in _OF_MASKED}
    if state:
        node.fills = (Fill("fill", graph.pairs(graph.keep(state), node, "attribute"), pairs=True),)


_OF_MASKED = frozenset(
    {
        "_mask",
        "_fill_value",
        "_hardmask",
        "_sharedmask",
        "_isfield",
        "_baseclass",
        "_optinfo",
        "_basedict",
    }
)


def _generator(graph: Graph, node: Node) -> None:
    """Describe a generator of random numbers by its bit generator."""
    as_call(graph, node, type(node.obj), node.obj.bit_generator)


def _random_state(graph: Graph, node: Node) -> None:
    """Describe the state of random numbers."""
    obj = node.obj
    as_call(graph, node, type(obj))
    state = obj.get_state(legacy=False) if isinstance(obj, np.random.RandomState) else obj.state
    node.fills = (Fill("setstate", [graph.slot(graph.keep(state), node, ("", ""))]),)
