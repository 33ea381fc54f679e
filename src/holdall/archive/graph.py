"""The graph of everything that named values refer to: one node per object, found without recursion."""

from collections.abc import Callable, Mapping
from operator import ne
from typing import Any, Protocol

from holdall.errors import SerializationError

__all__ = ["PLAIN", "Fill", "Graph", "Node", "PlainSlots", "walk"]

#: Texts and bytes longer than this keep their identity: shared ones are stored once.
LONG = 200

#: Decimal digits beyond which neither the compiler nor JSON reads an int (sys.int_info).
_MAX_BITS = 14_000

_ALWAYS_PLAIN = frozenset({type(None), bool, complex, type(...), type(NotImplemented)})

#: Types whose values are written into the text directly.
PLAIN = _ALWAYS_PLAIN | {int, float, str, bytes}


class PlainSlots(list[Any]):
    """Slots that are not nodes, so that they need not be searched."""


class Fill:
    """How an object is filled after it was made: `how` is one of the helpers of the grammar.

    ``pairs`` says whether the slots are alternating keys and values.
    """

    __slots__ = ("function", "how", "pairs", "slots")

    def __init__(self, how: str, slots: list[Any], *, pairs: bool = False, function: Any = None) -> None:
        self.how = how
        self.slots = slots
        self.pairs = pairs
        self.function = function


class Node:
    """One object: how it is made, from which slots, and what fills it.

    A slot is either a plain value or another node.

    Attributes
    ----------
    kind
        ``list``, ``tuple``, ``set``, ``frozenset``, ``dict`` (slots are its items), ``call`` (slots are
        the arguments, those of `keywords` last), ``ref`` (a name; `extra` is a `Reference`), ``leaf``
        (a long text or bytes, or a huge int), ``member`` (`extra` is a name, after the reference of the
        first slot), ``flags`` (slots are members), ``external`` (`extra` is the name of an array),
        ``code`` (the result of `get_persistent_rep`).
    uses
        How many slots and names refer to it.
    """

    __slots__ = (
        "anchor",
        "block",
        "depth",
        "digest",
        "extra",
        "fills",
        "function",
        "height",
        "is_json",
        "keywords",
        "kind",
        "label",
        "late",
        "name",
        "names",
        "obj",
        "own",
        "parent",
        "pending",
        "shelled",
        "size",
        "slots",
        "state",
        "uses",
    )

    def __init__(self, obj: Any, parent: "Node | None", label: Any) -> None:
        self.obj = obj
        self.parent = parent
        self.label = label
        self.kind = ""
        self.slots: list[Any] = []
        self.function: Node | None = None
        self.keywords: tuple[str, ...] = ()
        self.fills: tuple[Fill, ...] = ()
        self.extra: Any = None
        self.uses = 0
        self.names: list[str] = []
        # Results of planning (see plan.py).
        self.state = self.depth = 0
        self.anchor: Node | None = None
        self.late: list[Node] | None = None
        self.pending: list[Any] | None = None
        self.shelled = False
        self.digest: str | None = None
        # Decisions of emission (see layout.py).
        self.size = self.height = 0
        self.is_json = self.own = self.block = False
        self.name: str | None = None

    @property
    def path(self) -> str:
        """Where the object is, as a user would write it: ``x['a'][3].handle``."""
        parts: list[str] = []
        node: Node | None = self
        while node is not None:
            parts.append(_written(node.label))
            node = node.parent
        if len(parts) > 40:  # a chain of thousands would hide the message
            parts[20:-20] = ["..."]
        return "".join(reversed(parts))

    def children(self) -> list[Any]:
        """Return all slots, those of the fills included."""
        found = self.slots
        if self.function is not None:
            found = [*found, self.function]
        for fill in self.fills:
            found = [*found, *fill.slots]
            if fill.function is not None:
                found.append(fill.function)
        return found

    def parts(self) -> list["Node"]:
        """Return the slots that are nodes, those of the fills included."""
        if type(self.slots) is PlainSlots and self.function is None and not self.fills:
            return []
        return [slot for slot in self.children() if type(slot) is Node]


def _written(label: Any) -> str:
    """Return one step of a path; labels are tuples of kind and step."""
    kind, which = label
    if kind == "name":
        return str(which)
    if kind == "item":
        shown = repr(which) if type(which) in PLAIN else f"<{type(which).__name__}>"
        return f"[{shown if len(shown) <= 60 else shown[:60] + '...'}]"
    if kind == "attribute":
        return f".{which}" if isinstance(which, str) else f".__dict__[{which!r}]"
    if kind == "key":
        return ".keys()"
    if kind == "member":
        return "{...}"
    return f".{which}" if which else ""


class Graph:
    """The nodes of named values.

    Attributes
    ----------
    roots
        Name -> slot, in the order of the names.
    nodes
        All nodes, in the order in which they were found.
    """

    def __init__(self, describe: Callable[["Graph", Node], None]) -> None:
        self._describe = describe
        self._known: dict[int, Node] = {}
        self._todo: list[Node] = []
        self.kept: list[Any] = []  # temporary objects must live as long as their ids are used
        self.nodes: list[Node] = []
        self.roots: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """Add a named value, and everything that it refers to."""
        slot = self.slot(value, None, ("name", name))
        self.roots[name] = slot
        if type(slot) is Node:
            slot.names.append(name)
        self.drain()

    def drain(self) -> None:
        """Describe all nodes that were found, and those that are found in turn."""
        todo, describe, nodes = self._todo, self._describe, self.nodes
        while todo:
            node = todo.pop()
            nodes.append(node)
            start = len(todo)
            describe(self, node)
            todo[start:] = todo[start:][::-1]  # the first child is the next

    def slot(self, value: Any, parent: Node | None, label: Any) -> Any:
        """Return the value itself if it is plain, otherwise its node."""
        kind = type(value)
        if kind in PLAIN and (kind in _ALWAYS_PLAIN or _is_short(value)):
            return value
        node = self._known.get(id(value))
        if node is None:
            node = Node(value, parent, label)
            self._known[id(value)] = node
            self._todo.append(node)
        node.uses += 1
        return node

    def keep(self, value: Any) -> Any:
        """Keep a temporary object alive, and return it."""
        self.kept.append(value)
        return value

    def items(self, values: Any, node: Node) -> list[Any]:
        """Return the slots of the items of a sequence."""
        if _all_plain(values):
            return PlainSlots(values)
        slot = self.slot
        return [slot(value, node, ("item", index)) for index, value in enumerate(values)]

    def pairs(self, mapping: Any, node: Node, label: str = "item") -> list[Any]:
        """Return the slots of keys and values, alternating."""
        flat: list[Any] = []
        slot = self.slot
        if _all_plain(mapping.keys()):
            if _all_plain(mapping.values()):
                flat = PlainSlots(mapping.keys())
                flat *= 2
                flat[::2], flat[1::2] = mapping.keys(), mapping.values()
                return flat
            for key, value in mapping.items():
                flat += (key, slot(value, node, (label, key)))
            return flat
        for key, value in mapping.items():
            flat += (slot(key, node, ("key", None)), slot(value, node, (label, key)))
        return flat

    def refuse(self, node: Node, reason: str) -> SerializationError:
        """Return the error with the object that cannot be archived, its path, and the reason."""
        return SerializationError(f"cannot archive {node.path}, {_a(type(node.obj))}: {reason}")


class _Describe(Protocol):
    """The parameter of `walk`: see `objects.Describer`."""

    def __call__(self, graph: "Graph", node: Node) -> None: ...

    def finish(self, graph: "Graph") -> None: ...


def walk(values: Mapping[str, Any], describe: _Describe) -> Graph:
    """Return the graph of named values.

    Parameters
    ----------
    values
        Name -> value.
    describe
        Called once per object, with the graph and the new node: sets how the object is made. Its `finish` is
        called when all have been found.

    Raises
    ------
    SerializationError
        If something cannot be archived; the message says where it is.
    """
    graph = Graph(describe)
    for name, value in values.items():
        graph.add(name, value)
    describe.finish(graph)
    return graph


def _a(cls: type) -> str:
    """Return the name of a class for a message."""
    module = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
    return f"of type {module}{cls.__qualname__}"


def _is_short(value: Any) -> bool:
    """Return whether an int, float, str or bytes needs no identity, and no special form."""
    kind = type(value)
    if kind is int:
        return bool(value.bit_length() <= _MAX_BITS)
    if kind is float:
        return bool(value == value)  # noqa: PLR0124  (a nan is found in a list by its identity)
    return len(value) <= LONG


def _all_plain(values: Any) -> bool:
    """Return whether all values are plain and need no node, in few steps."""
    kinds = set(map(type, values))
    if not kinds <= PLAIN:
        return False
    if len(kinds) == 1 and not kinds <= _ALWAYS_PLAIN:
        kind = next(iter(kinds))
        if kind is float:
            return not any(map(ne, values, values))
        if kind is int:
            return bool(max(values).bit_length() <= _MAX_BITS and min(values).bit_length() <= _MAX_BITS)
        return max(map(len, values)) <= LONG
    return all(type(value) in _ALWAYS_PLAIN or _is_short(value) for value in values)
