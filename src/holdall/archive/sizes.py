"""Which objects of a component are written within others, and which have a statement or block."""

from typing import Any

from holdall.archive.graph import Node
from holdall.archive.plan import FREE, Component

__all__ = ["LITERAL_LEAVES", "choose"]

#: Maximal leaves of all literals of a component; beyond, data go into JSON blocks, then into a table.
LITERAL_LEAVES = 2_000

#: Leaves from which JSON goes into a block if there are too many literals.
_SMALL_BLOCK = 100

_DEEPEST = 36  # brackets in a statement; helpers and splitting add a few
_DEEPEST_JSON = 40
_LONG_TEXT = 2_000  # characters
_LONG_BYTES = 1_024

_JSON_TYPES = frozenset({type(None), bool, int, float, str, Node})
_STR_KEYS = frozenset({str})


def choose(component: Component) -> bool:
    """Choose the nodes with statements and blocks of their own; return whether the literals are few enough.

    Otherwise a table must be written, where each node has its own row, except JSON.
    """
    nodes = list(component.nodes)
    if _measure(nodes, 0) > LITERAL_LEAVES:
        return False
    if _measure(nodes, LITERAL_LEAVES) > LITERAL_LEAVES:
        return _measure(nodes, _SMALL_BLOCK) <= LITERAL_LEAVES or _measure(nodes, 0) <= LITERAL_LEAVES
    return True


def _measure(nodes: list[Node], limit: int) -> int:
    """Set sizes and flags, with JSON of more than `limit` leaves in blocks; return the other leaves."""
    weight = 0
    for node in nodes:
        node.block = False
        node.own = bool(node.names) or node.shelled or (node.uses > 1 and node.kind not in FREE)
        if node.fills and any(fill.how == "set by" for fill in node.fills):
            node.own = True  # a statement calls the setter
        kinds = set(map(type, node.slots))
        node.is_json = _holds_json(node, kinds)
        node.size = len(node.slots) + 1
        node.height = 1
        if str in kinds or bytes in kinds:
            node.size += sum(len(slot) for slot in node.slots if type(slot) in {str, bytes}) // 40
        if node.kind == "leaf":
            node.size = _leaf_size(node.obj)
            node.block = _is_long(node.obj)
            node.own = node.own or node.block or type(node.obj) is int
        elif Node in kinds or node.fills or node.function is not None:
            _measure_parts(node, limit)
        if node.own:
            _set_block(node, limit)
            weight += 0 if node.block else node.size
    return weight


def _holds_json(node: Node, kinds: set[Any]) -> bool:
    """Return whether JSON represents an object and its parts exactly."""
    if node.kind == "leaf":
        return type(node.obj) is str or type(node.obj) is float
    if not kinds <= _JSON_TYPES:
        return False
    if node.kind == "dict" and set(map(type, node.slots[::2])) <= _STR_KEYS:
        values = node.slots[1::2]
    elif node.kind == "list":
        values = node.slots
    else:
        return False
    if node.shelled:
        return False
    return Node not in kinds or all(
        type(slot) is not Node
        or (
            slot.is_json
            and slot.uses == 1
            and not slot.names
            and not slot.shelled
            and slot.height < _DEEPEST_JSON
        )
        for slot in values
    )


def _measure_parts(node: Node, limit: int) -> None:
    """Add up the parts of a node that are written within it."""
    size, height = node.size, 0
    for slot in node.parts():
        if node.is_json:  # its parts are written with it
            slot.own = slot.block = False
        elif not slot.own:
            if slot.height >= _DEEPEST and slot.kind not in FREE:
                slot.own = True
            elif slot.is_json and slot.size > limit:
                _set_block(slot, limit)
        if not slot.own:
            size += slot.size
            height = max(height, slot.height)
    node.height = height + (3 if node.fills else 1)
    for fill in node.fills:
        size += len(fill.slots)
        size += sum([len(slot) for slot in fill.slots if type(slot) is str or type(slot) is bytes]) // 40
    node.size = size


def _set_block(node: Node, limit: int) -> None:
    """Put JSON of more than so many leaves into a block of its own."""
    if node.is_json and node.kind != "leaf" and node.size > limit and not node.shelled:
        node.own = node.block = True


def _is_long(value: Any) -> bool:
    if type(value) is str:
        return len(value) > _LONG_TEXT
    return type(value) is bytes and len(value) > _LONG_BYTES


def _leaf_size(value: Any) -> int:
    """Return the number of leaves that a long one counts as."""
    if type(value) is float:
        return 1
    return len(value) // 40 if type(value) is not int else value.bit_length() // 160
