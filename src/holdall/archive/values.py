"""Readable forms of values of the standard library: ``date(2024, 1, 31)`` instead of its bytes."""

import array
import collections
import datetime as dt
import decimal
import fractions
import functools
import gc
import pathlib
import re
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

from holdall.archive.graph import Fill, Graph, Node
from holdall.archive.references import Reference

__all__ = ["EXACT", "as_call", "reference"]


def reference(graph: Graph, node: Node, obj: Any) -> Any:
    """Return the slot of a class or function in a node, given itself or by its `Reference`."""
    if isinstance(obj, Reference):
        named = Node(None, node, ("", ""))
        named.kind, named.extra, named.uses = "ref", obj, 1
        graph.nodes.append(named)
        return named
    return graph.slot(obj, node, ("", ""))


def as_call(graph: Graph, node: Node, function: Any, *arguments: Any, **keywords: Any) -> None:
    """Describe a node as a call."""
    slot = graph.slot
    graph.keep((arguments, keywords))
    node.kind = "call"
    node.function = reference(graph, node, function)
    node.slots = [slot(value, node, ("", "")) for value in (*arguments, *keywords.values())]
    node.keywords = tuple(keywords)


def _date(graph: Graph, node: Node) -> None:
    obj = node.obj
    as_call(graph, node, dt.date, obj.year, obj.month, obj.day)


def _clock(obj: Any) -> list[int]:
    """Return hour, minute, second and microsecond without trailing zeros."""
    parts = [obj.hour, obj.minute, obj.second, obj.microsecond]
    while len(parts) > 2 and not parts[-1]:
        parts.pop()
    return parts


def _zone(obj: Any) -> dict[str, Any]:
    keywords = {} if obj.tzinfo is None else {"tzinfo": obj.tzinfo}
    return {**keywords, "fold": obj.fold} if obj.fold else keywords


def _datetime(graph: Graph, node: Node) -> None:
    obj = node.obj
    as_call(graph, node, dt.datetime, obj.year, obj.month, obj.day, *_clock(obj), **_zone(obj))


def _time(graph: Graph, node: Node) -> None:
    as_call(graph, node, dt.time, *_clock(node.obj), **_zone(node.obj))


def _timedelta(graph: Graph, node: Node) -> None:
    obj = node.obj
    names = ("days", "seconds", "microseconds")
    parts = {name: getattr(obj, name) for name in names if getattr(obj, name)}
    as_call(graph, node, dt.timedelta, **parts)


def _timezone(graph: Graph, node: Node) -> None:
    if node.obj is dt.UTC:
        node.kind, node.extra, node.function = "member", "utc", reference(graph, node, dt.timezone)
    else:
        as_call(graph, node, dt.timezone, *node.obj.__getinitargs__())


def _zoneinfo(graph: Graph, node: Node) -> None:
    obj = node.obj
    if obj.key is None:
        raise graph.refuse(node, "it was made from a file, and has no key")
    cached = zoneinfo.ZoneInfo(obj.key) is obj
    as_call(graph, node, zoneinfo.ZoneInfo if cached else zoneinfo.ZoneInfo.no_cache, obj.key)


def _uuid(graph: Graph, node: Node) -> None:
    obj = node.obj
    keywords = {} if obj.is_safe is uuid.SafeUUID.unknown else {"is_safe": obj.is_safe}
    as_call(graph, node, uuid.UUID, str(obj), **keywords)


def _path(cls: type) -> Callable[[Graph, Node], None]:
    def describe(graph: Graph, node: Node) -> None:
        as_call(graph, node, cls, str(node.obj))

    return describe


def _pattern(graph: Graph, node: Node) -> None:
    obj = node.obj
    flags = re.RegexFlag(obj.flags & ~(re.UNICODE if isinstance(obj.pattern, str) else 0))
    as_call(graph, node, re.compile, obj.pattern, *([flags] if flags else []))


def _partial(graph: Graph, node: Node) -> None:
    obj = node.obj
    as_call(graph, node, functools.partial, obj.func, *obj.args, **obj.keywords)
    if obj.__dict__:
        node.fills = (Fill("fill", graph.pairs(obj.__dict__, node, "attribute"), pairs=True),)


def _slice(graph: Graph, node: Node) -> None:
    as_call(graph, node, slice, node.obj.start, node.obj.stop, node.obj.step)


def _range(graph: Graph, node: Node) -> None:
    obj = node.obj
    as_call(graph, node, range, obj.start, obj.stop, *([obj.step] if obj.step != 1 else []))


def _bytearray(graph: Graph, node: Node) -> None:
    as_call(graph, node, bytearray, bytes(node.obj))


def _array(graph: Graph, node: Node) -> None:
    as_call(graph, node, array.array, node.obj.typecode, node.obj.tolist())


def _deque(graph: Graph, node: Node) -> None:
    obj = node.obj
    as_call(graph, node, collections.deque, *([] if obj.maxlen is None else [[], obj.maxlen]))
    if obj:
        node.fills = (Fill("extend", graph.items(graph.keep(list(obj)), node)),)


def _mapping(cls: type) -> Callable[[Graph, Node], None]:
    def describe(graph: Graph, node: Node) -> None:
        as_call(graph, node, cls)
        fills = [Fill("items", graph.pairs(node.obj, node), pairs=True)] if node.obj else []
        if vars(node.obj):
            fills.append(Fill("fill", graph.pairs(vars(node.obj), node, "attribute"), pairs=True))
        node.fills = tuple(fills)

    return describe


def _namespace(graph: Graph, node: Node) -> None:
    as_call(graph, node, types.SimpleNamespace)
    if vars(node.obj):
        node.fills = (Fill("fill", graph.pairs(vars(node.obj), node, "attribute"), pairs=True),)


def _proxy(graph: Graph, node: Node) -> None:
    (mapping,) = gc.get_referents(node.obj)
    as_call(graph, node, types.MappingProxyType, mapping)


def _decimal(graph: Graph, node: Node) -> None:
    as_call(graph, node, decimal.Decimal, str(node.obj))


def _fraction(graph: Graph, node: Node) -> None:
    as_call(graph, node, fractions.Fraction, node.obj.numerator, node.obj.denominator)


#: Exact type -> the function that describes its objects. Subclasses use their own reduction.
EXACT: dict[type, Callable[[Graph, Node], None]] = {
    array.array: _array,
    bytearray: _bytearray,
    collections.Counter: _mapping(collections.Counter),
    collections.OrderedDict: _mapping(collections.OrderedDict),
    collections.deque: _deque,
    dt.date: _date,
    dt.datetime: _datetime,
    dt.time: _time,
    dt.timedelta: _timedelta,
    dt.timezone: _timezone,
    decimal.Decimal: _decimal,
    fractions.Fraction: _fraction,
    functools.partial: _partial,
    pathlib.PurePosixPath: _path(pathlib.PurePosixPath),
    pathlib.PureWindowsPath: _path(pathlib.PureWindowsPath),
    range: _range,
    re.Pattern: _pattern,
    slice: _slice,
    type(pathlib.Path()): _path(pathlib.Path),
    types.MappingProxyType: _proxy,
    types.SimpleNamespace: _namespace,
    uuid.UUID: _uuid,
    zoneinfo.ZoneInfo: _zoneinfo,
}
