"""How containers, names, methods and members of enumerations are made again."""

import sys
from enum import Flag
from types import BuiltinMethodType, ModuleType

from holdall.archive.graph import Graph, Node
from holdall.archive.references import Reference, UnnamedError, locate, public_name
from holdall.archive.values import as_call, reference

__all__ = [
    "describe_dict",
    "describe_leaf",
    "describe_list",
    "describe_member",
    "describe_method",
    "describe_module",
    "describe_named",
    "describe_set",
    "describe_tuple",
]


def describe_list(graph: Graph, node: Node) -> None:
    """Describe a list."""
    node.kind, node.slots = "list", graph.items(node.obj, node)


def describe_tuple(graph: Graph, node: Node) -> None:
    """Describe a tuple."""
    node.kind, node.slots = "tuple", graph.items(node.obj, node)


def describe_set(graph: Graph, node: Node) -> None:
    """Describe a set or frozenset."""
    node.kind = type(node.obj).__name__
    node.slots = [graph.slot(value, node, ("member", None)) for value in node.obj]


def describe_dict(graph: Graph, node: Node) -> None:
    """Describe a dict."""
    node.kind, node.slots = "dict", graph.pairs(node.obj, node)


def describe_leaf(graph: Graph, node: Node) -> None:
    """Describe a long text, long bytes, a huge int, or a float that is not a number."""
    del graph
    node.kind = "leaf"


def describe_named(graph: Graph, node: Node) -> None:
    """Describe a class or function by its name."""
    del graph
    node.kind, node.extra = "ref", locate(node.obj)


def describe_module(graph: Graph, node: Node) -> None:
    """Describe a module by its name."""
    name = node.obj.__name__
    if sys.modules.get(name) is not node.obj or name == "__main__":
        raise graph.refuse(node, f"no other process can import {name}")
    node.kind, node.extra = "ref", Reference(name, "")


def describe_method(graph: Graph, node: Node) -> None:
    """Describe a bound method by its name, if it has one in a class or module, else by its instance."""
    obj = node.obj
    name = obj.__name__ if isinstance(obj, BuiltinMethodType) else obj.__func__.__name__
    owner = obj.__self__
    if owner is None or isinstance(owner, ModuleType):
        return describe_named(graph, node)
    try:
        if isinstance(owner, type):
            where = locate(owner)
            path = f"{where.path}.{name}"
            node.kind, node.extra = "ref", public_name(obj, where.module, path)
        else:
            node.kind, node.extra = "ref", public_name(obj, type(owner).__module__, name)
    except UnnamedError:
        as_call(graph, node, getattr, owner, name)
    return None


def describe_member(graph: Graph, node: Node) -> None:
    """Describe a member of an enumeration by name, flags as members, unnamed bits by value."""
    obj, cls = node.obj, type(node.obj)
    if obj._name_ in cls.__members__ and cls.__members__[obj._name_] is obj:
        node.kind, node.extra, node.function = "member", obj._name_, reference(graph, node, cls)
        return
    if not isinstance(obj, Flag):
        if cls(obj._value_) is not obj:  # made by `_missing_`
            raise graph.refuse(node, "it is no member of its enumeration")
        as_call(graph, node, cls, obj._value_)
        return
    value, slots = obj._value_, []
    for member in cls:  # canonical members: single bits
        if value & member._value_ == member._value_ and member._value_:
            slots.append(graph.slot(member, node, ("", "")))
            value &= ~member._value_
    if not value and len(slots) > 1:
        node.kind, node.slots = "flags", slots
    else:
        as_call(graph, node, cls, obj._value_)
