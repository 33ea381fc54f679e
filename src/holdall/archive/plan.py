"""The order in which the objects of a graph are made and filled, so that sharing and cycles are kept.

An object that can be filled after it was made (a list, dict, set, or an instance with attributes or items)
may be needed before it is complete, if it is on a cycle: then it is made empty first (a *shell*). Objects
that cannot be changed later (a tuple, a frozenset, the result of a call) are made after their parts. Sets and
dicts are filled after the objects in them that are needed for their hashes, where that is possible; where it
is not, as on a cycle with a frozenset, these objects get their plain attributes before.

The walk is that of Tarjan's algorithm for strongly connected components (R. Tarjan, "Depth-first search
and linear graph algorithms", 1972), without recursion.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

from holdall.archive.graph import Fill, Graph, Node, PlainSlots
from holdall.errors import SerializationError

__all__ = ["FREE", "Component", "Step", "arrange", "components", "sort_sets"]

#: Nodes that can be written wherever they are needed: names, and nodes that depend only on names.
FREE = frozenset({"ref", "member", "flags"})

_FILLABLE = frozenset({"list", "dict", "set"})
_NEW, _CREATING, _FILLING, _DONE = range(4)


class Step(NamedTuple):
    """`make` an object complete, make its `shell`, `fill` a shell, or give it some `attributes` before."""

    what: str
    node: Node
    fills: tuple[Fill, ...] = ()


class Component:
    """Names that share objects, and the steps that make them.

    Attributes
    ----------
    names
        Name -> slot.
    steps
        The steps, in order.
    late
        Sets and dicts with objects that are completed later, so that their hashes must be checked.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.steps: list[Step] = []
        self.late: list[Node] = []

    @property
    def nodes(self) -> Iterable[Node]:
        """Yield each node once, parts before wholes, shells where they are completed."""
        return (step.node for step in self.steps if step.what in {"make", "fill"})


def components(graph: Graph, free: frozenset[str] = FREE) -> list[Component]:
    """Return the names grouped by shared objects; `free` kinds of nodes count as not shared."""
    owner: dict[Node, int] = {}
    group = list(range(len(graph.roots)))

    def find(index: int) -> int:
        while group[index] != index:
            group[index] = group[group[index]]
            index = group[index]
        return index

    for index, root in enumerate(graph.roots.values()):
        todo = [root]
        while todo:
            node = todo.pop()
            if type(node) is not Node or node.kind in free:
                continue
            first = owner.get(node)
            if first is None:
                owner[node] = index
                todo += node.parts()
            else:
                here, there = find(index), find(first)
                group[max(here, there)] = min(here, there)
    parts: dict[int, Component] = {}
    for index, (name, slot) in enumerate(graph.roots.items()):
        parts.setdefault(find(index), Component()).names[name] = slot
    return list(parts.values())


# ------------------------------------------------------------------ sets have no order of their own


def sort_sets(graph: Graph) -> None:
    """Sort the items of sets by their content alone."""
    for node in graph.nodes:
        if node.kind in {"set", "frozenset"}:
            kinds = set(map(type, node.slots))
            if len(kinds) == 1 and Node not in kinds and kinds <= {int, str, bytes, bool}:
                node.slots.sort()
            else:
                node.slots.sort(key=_sort_key)


def _sort_key(slot: Any) -> tuple[str, str]:
    if type(slot) is not Node:
        return (type(slot).__name__, repr(slot))
    return (type(slot.obj).__name__, _digest(slot))


def _digest(root: Node) -> str:
    """Return the content of a node: as text, or the hash of a long text. Cycles are cut."""
    todo: list[tuple[Node, bool]] = [(root, False)]
    while todo:
        node, children_done = todo.pop()
        if node.digest not in {None, "^"}:
            continue
        if not children_done:
            node.digest = "^"
            todo.append((node, True))
            todo += (
                (child, False) for child in node.children() if type(child) is Node and child.digest is None
            )
            continue
        node.digest = _shorten(_content(node))
    return str(root.digest)


def _content(node: Node) -> str:
    parts = [slot.digest or "^" if type(slot) is Node else repr(slot) for slot in node.children()]
    if node.kind in {"set", "frozenset"}:
        parts.sort()
    extra = node.obj if node.kind == "leaf" else None if node.kind == "external" else node.extra
    return f"{node.kind}{extra!r}({','.join(parts)})"


def _shorten(text: str) -> str:
    return (
        text
        if len(text) <= 100
        else blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    )


# ------------------------------------------------------------------ the order


class _Frame:
    """A node in progress, with the children that remain."""

    __slots__ = ("children", "index", "key_low", "keys", "low", "node")

    def __init__(self, node: Node, depth: int) -> None:
        self.node = node
        self.index = 0
        self.low = self.key_low = depth
        self.keys: set[int] | None = None
        node.depth = depth
        if node.kind in _FILLABLE:
            node.state = _FILLING
            self.children = _nodes(node.slots)
        else:
            node.state = _CREATING
            self.children = _nodes(node.slots)
            if node.function is not None:
                self.children.insert(0, node.function)

    def is_key(self, child: Node) -> bool:
        """Return whether a child is hashed when the node is filled."""
        if self.keys is None:
            self.keys = set(map(id, _keys(self.node)))
        return id(child) in self.keys


def _nodes(slots: list[Any]) -> list[Node]:
    if type(slots) is PlainSlots:
        return []
    return [slot for slot in slots if type(slot) is Node]


def _keys(node: Node) -> list[Node]:
    """Return the nodes that are hashed when a node is made or filled."""
    keys: list[Any] = [] if type(node.slots) is PlainSlots else node.slots
    if node.kind == "dict":
        keys = keys[::2]
    elif node.kind not in {"set", "frozenset"}:
        keys = []
    for fill in node.fills:
        if fill.how == "items":
            keys = [*keys, *fill.slots[::2]]
    return _nodes(keys)


def _plain(fill: Fill) -> Fill:
    """Return the part of a fill whose attributes are plain values."""
    pairs = zip(fill.slots[::2], fill.slots[1::2], strict=True)
    plain = PlainSlots(slot for pair in pairs if Node not in map(type, pair) for slot in pair)
    return Fill(fill.how, plain, pairs=True)


def arrange(component: Component) -> None:
    """Find the steps of a component.

    Raises
    ------
    SerializationError
        If making an object needs the object itself.
    """
    walk = _Walk(component)
    for slot in component.names.values():
        if type(slot) is Node and slot.state == _NEW:
            walk.run(slot)


class _Walk:
    """The state of `arrange`."""

    def __init__(self, component: Component) -> None:
        self.steps = component.steps
        self.late = component.late
        self.hashable: dict[Node, bool] = {}  # with whether anything in it was unfinished
        self.stack: list[_Frame] = []

    def run(self, root: Node) -> None:
        """Make one root, and everything that it needs."""
        stack = self.stack
        stack.append(_Frame(root, 0))
        while stack:
            frame = stack[-1]
            if frame.index == len(frame.children):
                self._finish(frame)
                continue
            child = frame.children[frame.index]
            frame.index += 1
            if child.state == _NEW:
                stack.append(_Frame(child, len(stack)))
            elif child.state == _FILLING:
                self._shell(child)
                self._note(frame, child, child.depth)
            elif child.state == _CREATING:
                self._postpone(child)
            elif child.anchor is not None:
                anchor: Node | None = child.anchor
                while anchor is not None and anchor.state == _DONE:
                    anchor = anchor.anchor
                child.anchor = anchor
                if anchor is not None:
                    self._note(frame, child, anchor.depth)

    def _shell(self, node: Node) -> None:
        if not node.shelled:
            node.shelled = True
            self.steps.append(Step("shell", node))

    def _note(self, frame: _Frame, child: Node, depth: int) -> None:
        """Note that a child is complete only when the node at a depth of the stack is."""
        frame.low = min(frame.low, depth)
        if depth < frame.key_low and frame.is_key(child):
            frame.key_low = depth

    def _finish(self, frame: _Frame) -> None:
        """Make a node whose children are done, or continue with its fills."""
        node, stack = frame.node, self.stack
        if node.state == _CREATING:
            fills = [
                slot for fill in node.fills for slot in (*fill.slots, fill.function) if type(slot) is Node
            ]
            if node.fills:
                node.state = _FILLING
                frame.children, frame.index = fills, 0
                if node.pending:
                    self._shell(node)
                    self._resume(node)
                return
            if node.kind == "frozenset" and self._make_hashable(node):
                node.shelled = True  # it gets a name
            self.steps.append(Step("make", node))
            self._leave(frame)
            self._resume(node)
            return
        if frame.key_low < node.depth:
            self._shell(node)
            anchor = stack[frame.key_low].node
            anchor.late = [*(anchor.late or ()), node]
            self.late.append(node)
        else:
            if self._make_hashable(node):
                self._shell(node)
            self.steps.append(Step("fill" if node.shelled else "make", node))
        self._leave(frame)

    def _make_hashable(self, node: Node) -> bool:
        """Give plain attributes to unfinished objects that a node hashes; return whether there are any."""
        unfinished = False
        seen = []
        todo = _keys(node)
        while todo:
            child = todo.pop()
            if child.kind in {"tuple", "frozenset"}:
                if child in self.hashable:
                    unfinished = unfinished or self.hashable[child]
                else:
                    self.hashable[child] = False
                    seen.append(child)
                    todo += _nodes(child.slots)
            elif child.state == _FILLING:
                unfinished = True
                if child not in self.hashable:
                    self.hashable[child] = True
                    fills = tuple(_plain(fill) for fill in child.fills if fill.how in {"fill", "slots"})
                    self.steps.append(Step("attributes", child, fills))
        self.hashable |= dict.fromkeys(seen, unfinished)
        if unfinished:
            self.late.append(node)  # its hashes are checked in the end
        return unfinished

    def _leave(self, frame: _Frame) -> None:
        """Remove a finished node from the stack, and fill the nodes that waited for it."""
        node, stack = frame.node, self.stack
        stack.pop()
        node.state = _DONE
        if frame.low < node.depth:
            node.anchor = stack[frame.low].node
        if node.late:
            if node.anchor is not None:
                node.anchor.late = [*(node.anchor.late or ()), *node.late]
            else:
                for late in node.late:
                    self._make_hashable(late)
                    self.steps.append(Step("fill", late))
            node.late = None
        if stack and node.anchor is not None:
            self._note(stack[-1], node, node.anchor.depth)

    def _postpone(self, child: Node) -> None:
        """Postpone the nearest object that can be filled later until `child` has been made."""
        stack = self.stack
        index = len(stack) - 1
        while index > child.depth and stack[index].node.state != _FILLING:
            index -= 1
        if index == child.depth:
            raise SerializationError(
                f"cannot archive {child.path}: making it needs the object itself "
                f"(through {stack[-1].node.path}), and nothing between can be filled later"
            )
        for frame in stack[index + 1 :]:
            frame.node.state = _NEW
        frame = stack[index]
        del stack[index:]
        frame.index -= 1
        self._shell(frame.node)
        frame.node.depth = child.depth
        child.pending = [*(child.pending or ()), frame]
        self._note(stack[-1], frame.node, child.depth)

    def _resume(self, node: Node) -> None:
        """Continue with the nodes that waited for `node`."""
        waiting, node.pending = node.pending or (), None
        for frame in reversed(waiting):
            frame.node.depth = frame.low = frame.key_low = len(self.stack)
            self.stack.append(frame)
