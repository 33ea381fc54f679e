"""Changes to the text of a document of nested tables that keep all other text.

A notation finds the tables and values in a text. Changes become edits of the text; the result is read again,
and remaining differences are changed in turn.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

__all__ = [
    "CannotEditError",
    "Edit",
    "Entry",
    "Node",
    "Notation",
    "Put",
    "applied",
    "edited",
    "exactly",
    "merged",
    "settle",
]

#: Path and value of an item.
Put = tuple[Sequence[str], Any]
#: Start and end of a part of the text, and its replacement.
Edit = tuple[int, int, str]
# Values that are shared by aliases are corrected in the round after the one that changed them.
_ROUNDS = 4
# By how many lines before and after it a change may be found.
_LINES_AROUND = ((0, 0), (1, 0), (0, 1), (2, 0), (2, 1), (3, 3))


class CannotEditError(Exception):
    """Raised for a change that edits of the text cannot make."""


@dataclass(slots=True, eq=False)
class Node:
    """The position of a value: a table, with its entries, or anything else."""

    start: int
    end: int
    entries: list["Entry"] | None = None
    flow: bool = True  # in brackets
    node: Any = None  # the parser's node
    names: dict[Any, "Entry"] | None = None


@dataclass(slots=True, eq=False)
class Entry:
    """A name, which may be a number or any other key, and its value in a table."""

    name: Any
    start: int
    key_end: int
    value: Node


@dataclass(slots=True)
class _Plan:
    """The entries to replace, add and remove."""

    replaced: dict[int, tuple[Node, Entry, Any]] = field(default_factory=dict)
    added: dict[int, tuple[Node, dict[str, Any]]] = field(default_factory=dict)
    removed: dict[int, tuple[Node, list[Entry]]] = field(default_factory=dict)

    def entries(self) -> list[Entry]:
        gone = [entry for _, entries in self.removed.values() for entry in entries]
        return [*gone, *(entry for _, entry, _ in self.replaced.values())]

    def remove(self, table: Node, entries: list[Entry]) -> None:
        gone = self.removed.setdefault(id(table), (table, []))[1]
        gone += [entry for entry in entries if entry not in gone]


class Notation(ABC):
    """A text in some format, and how to change it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.line_end = "\r\n" if "\r\n" in text else "\n"
        self.first: Notation = self  # of the text before all changes
        self.root = self.parse()

    @abstractmethod
    def parse(self) -> Node:
        """Find the tables and values."""

    @abstractmethod
    def replace(self, table: Node, entry: Entry, value: Any) -> Iterable[Edit]:
        """Replace a value."""

    @abstractmethod
    def add(self, table: Node, items: dict[str, Any]) -> Iterable[Edit]:
        """Add entries to a table."""

    @abstractmethod
    def empty(self, root: Node) -> Iterable[Edit]:
        """Remove all entries of the outermost table."""

    def remove(self, table: Node, gone: list[Entry]) -> Iterator[Edit]:
        """Remove some entries of a table: with the comma before, or after, each."""
        entries = table.entries or []
        ids = set(map(id, gone))
        kept = False
        for index, entry in enumerate(entries):
            if id(entry) not in ids:
                kept = True
            elif kept:
                yield entries[index - 1].value.end, entry.value.end, ""
            else:
                yield entry.start, entries[index + 1].start, ""

    def depending(self, gone: list[Entry]) -> Iterable[Sequence[str]]:  # noqa: ARG002
        """Return the paths of values that cannot be read without these entries."""
        return ()

    def sources(self, table: Node) -> list[Entry]:  # noqa: ARG002
        """Return the entries by which a table has names of other tables."""
        return []

    def as_written(self, value: Any, path: Sequence[str]) -> Any:  # noqa: ARG002
        """Return a value that `replace` and `add` write as this text has it at a path, if possible."""
        return value

    def indent_of(self, position: int) -> str:
        """Return the white space at the beginning of a line."""
        line = self.text[self.line_start(position) : position]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def line_start(self, position: int) -> int:
        """Return the start of the line of a position."""
        return self.text.rfind("\n", 0, position) + 1

    def changed(self, document: dict[str, Any], puts: Iterable[Put], drops: Iterable[Sequence[str]]) -> str:
        """Return the text after changes that lead to `document`."""
        plan = _Plan()
        for path in drops:
            self._drop(plan, document, path)
        for path, _ in puts:
            self._put(plan, document, path)
        known: list[Entry] = []
        while len(known) < len(changing := plan.entries()):
            known = changing
            for path in self.depending(known):
                if path:
                    self._put(plan, document, path)
                else:  # the next round adds what came from there
                    plan.remove(self.root, self.sources(self.root))
        edits: list[Edit] = []
        end = 0
        for table, entry, value in sorted(plan.replaced.values(), key=lambda planned: planned[1].start):
            if entry.start >= end:  # else it is in a table that is rewritten
                edits += self.replace(table, entry, value)
                end = entry.value.end
        # A rewritten table contains all its changes; the next round makes those elsewhere.
        if not any(entry.value.entries is not None for _, entry, _ in plan.replaced.values()):
            for table, items in plan.added.values():
                edits += self.add(table, items)
            for table, entries in plan.removed.values():
                whole = len(entries) == len(table.entries or [])
                edits += self.empty(table) if whole else self.remove(table, entries)
        return applied(self.text, edits)

    def _drop(self, plan: _Plan, document: Any, path: Sequence[str]) -> None:
        table, owner = self.root, None
        for index, name in enumerate(path):
            entry = _own(table, name)
            if entry is None:  # the table, or the name in it, is defined elsewhere
                sources = self.sources(table)
                if sources and (owner is None or len(sources) < len(table.entries or [])):
                    plan.remove(table, sources)  # the next round adds what else came from there
                else:
                    self._rewrite(plan, owner, document, path[:index])
                return
            if name not in document:
                plan.remove(table, [other for other in table.entries or [] if other.name == name])
                return
            table, document, owner = entry.value, document[name], (table, entry)

    def _put(self, plan: _Plan, document: Any, path: Sequence[str]) -> None:
        table, owner = self.root, None
        for index, name in enumerate(path):
            if table.entries is None:  # the table is defined elsewhere
                self._rewrite(plan, owner, document, path[:index])
                return
            entry = _own(table, name)
            if entry is None:
                value = self.first.as_written(document[name], path[: index + 1])
                plan.added.setdefault(id(table), (table, {}))[1][name] = value
                return
            if index == len(path) - 1:
                plan.replaced[id(entry)] = (table, entry, self.first.as_written(document[name], path))
                return
            table, document, owner = entry.value, document[name], (table, entry)

    def _rewrite(
        self, plan: _Plan, owner: tuple[Node, Entry] | None, value: Any, path: Sequence[str]
    ) -> None:
        if owner is None:
            raise CannotEditError("the outermost table has the value from elsewhere")
        plan.replaced[id(owner[1])] = (*owner, self.first.as_written(value, path))


def _own(table: Node, name: Any) -> Entry | None:
    """Return the entry of a name; of several, the last, as readers do."""
    if table.names is None:
        table.names = {entry.name: entry for entry in table.entries or []}
    return table.names.get(name)


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits, which do not overlap, to a text."""
    parts, position = [], 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        if start < position:
            raise CannotEditError("changes overlap")
        parts += [text[position:start], new]
        position = end
    return "".join([*parts, text[position:]])


def merged(base: str, old: str, new: str) -> str:
    """Make the changes from `base` to `new` in `old`; return `new` where their place is not found there."""
    if base == old:
        return new
    lines, others = base.splitlines(keepends=True), new.splitlines(keepends=True)
    for kind, a, b, c, d in reversed(SequenceMatcher(None, lines, others, autojunk=False).get_opcodes()):
        for before, after in () if kind == "equal" else _LINES_AROUND:
            first, last = max(a - before, 0), b + after
            place = "".join(lines[first:last])
            if place and old.count(place) == 1:
                old = old.replace(place, "".join([*lines[first:a], *others[c:d], *lines[b:last]]))
                break
        else:
            if kind != "equal":
                return new
    return old


def settle(document: dict[str, Any], puts: Iterable[Put]) -> None:
    """Replace new values by what will be read of them: a list for a tuple, where that is allowed."""
    for path, value in puts:
        table = document
        for name in path[:-1]:
            table = table[name]
        table[path[-1]] = value


def edited(
    notation: Callable[[str], Notation],
    read: Callable[[str], Any],
    text: str,
    document: dict[str, Any],
    *,
    puts: Iterable[Put],
    drops: Iterable[Sequence[str]],
) -> str | None:
    """Return a text changed to that of a document; None if edits cannot do it."""
    try:
        first = None
        for _ in range(_ROUNDS):
            now = notation(text)
            first = now.first = first or now
            text = now.changed(document, puts, drops)
            puts, drops = [], []
            _differences(read(text), document, (), puts, drops)
            if not puts and not drops:
                return text
    except CannotEditError:
        pass
    return None


def _differences(found: Any, wanted: Any, path: tuple[Any, ...], puts: list[Any], drops: list[Any]) -> None:
    """Collect the changes from one document to another."""
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        if not exactly(found, wanted):
            puts.append((path, wanted))
        return
    for name in {**found, **wanted}:
        if name not in wanted:
            drops.append((*path, name))
        elif name not in found:
            puts.append(((*path, name), wanted[name]))
        else:
            _differences(found[name], wanted[name], (*path, name), puts, drops)


def exactly(one: Any, other: Any) -> bool:
    """Return whether values are equal and of one type, NaN equal to NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(exactly(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(exactly, one, other))
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124
