"""Changes of values in the text of a JSON file."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from holdall.abc import Serializer
from holdall.serializers._document import mark_and_encoding
from holdall.serializers._splice import (
    CannotEditError,
    Edit,
    Entry,
    Node,
    Notation,
    Put,
    edited,
    settle,
)

__all__ = ["JsonText", "edited_json"]

_SPACE = re.compile(r"[ \t\n\r]*")
_FIRST_INDENT = re.compile(r"\{\s*\n([ \t]+)")
_value = json.JSONDecoder().raw_decode


class JsonText(Notation):
    """A JSON object: names and values keep their text, white space stays.

    Parameters
    ----------
    text
        The text, which is valid.
    dump
        The function that writes a value, by its indentation and its separators.
    """

    def __init__(self, text: str, dump: Callable[[Any, str | None, tuple[str, str]], str]) -> None:
        self.dump = dump
        found = _FIRST_INDENT.search(text)
        self.unit = found[1] if found else None
        super().__init__(text)
        first = next(iter(self.root.entries or []), None)
        colon = text[first.key_end : first.value.start] if first else ": "
        self.separators = (",", ":") if colon == ":" and self.unit is None else (", ", colon)

    def parse(self) -> Node:  # docstring inherited
        return self._node(self._after(0))

    def _after(self, position: int) -> int:
        found = _SPACE.match(self.text, position)
        return found.end() if found else position

    def _node(self, start: int) -> Node:
        if self.text[start] != "{":
            return Node(start, _value(self.text, start)[1])
        entries: list[Entry] = []
        position = self._after(start + 1)
        while self.text[position] != "}":
            name, key_end = _value(self.text, position)
            value = self._node(self._after(self._after(key_end) + 1))
            entries.append(Entry(name, position, key_end, value))
            position = self._after(value.end)
            if self.text[position] == ",":
                position = self._after(position + 1)
        return Node(start, position + 1, entries)

    def replace(self, table: Node, entry: Entry, value: Any) -> Iterable[Edit]:  # docstring inherited
        old = self.text[entry.value.start : entry.value.end]
        lines = "\n" in old or (old[0] not in "[{" and self._in_lines(table))
        yield entry.value.start, entry.value.end, self._written(value, self.indent_of(entry.start), lines)

    def add(self, table: Node, items: dict[str, Any]) -> Iterable[Edit]:  # docstring inherited
        lines = self._in_lines(table)
        indent = self.indent_of(table.entries[0].start if table.entries else table.start)
        if not table.entries:
            indent += self.unit or ""
        between = self.line_end + indent if lines else ""
        comma = "," if lines else self.separators[0]
        texts = [
            between + self.dump(name, None, self.separators) + self.separators[1]
            + self._written(value, indent, lines)
            for name, value in items.items()
        ]  # fmt: skip
        if table.entries:
            end = table.entries[-1].value.end
            yield end, end, "".join(comma + text for text in texts)
        else:
            close = self.line_end + self.indent_of(table.start) if lines else ""
            yield table.start, table.end, "{" + comma.join(texts) + close + "}"

    def empty(self, root: Node) -> Iterable[Edit]:  # docstring inherited
        if root is not self.root:
            raise CannotEditError("only the outermost table can be empty")
        yield root.start, root.end, "{}"

    def _in_lines(self, table: Node) -> bool:
        """Return whether the entries of a table are on lines of their own."""
        if not table.entries:
            return self.unit is not None
        return "\n" in self.text[table.start : table.entries[0].start]

    def _written(self, value: Any, indent: str, lines: bool) -> str:
        text = self.dump(value, (self.unit or "  ") if lines else None, self.separators)
        return text.replace("\n", self.line_end + indent)


def edited_json(
    serializer: Serializer[Any],
    data: bytes,
    document: dict[str, Any],
    puts: Sequence[Put],
    drops: Sequence[Sequence[str]],
) -> bytes | None:
    """Change values in the text of a document that a serializer of JSON reads; see `TomlSerializer.edit`."""
    # Dumping raises if a value is invalid.
    settle(document, [(path, serializer.loads(serializer.dumps(value))) for path, value in puts])
    if not data.strip():
        return None

    def dump(value: Any, indent: str | None, separators: tuple[str, str]) -> str:
        options: dict[str, Any] = {
            "allow_nan": False, "indent": indent, "sort_keys": getattr(serializer, "sort_keys", False),
        }  # fmt: skip
        if indent is not None:
            separators = (",", separators[1])
        text = json.dumps(value, ensure_ascii=False, separators=separators, **options)
        try:
            text.encode()
        except UnicodeEncodeError:
            text = json.dumps(value, separators=separators, **options)
        return text

    def read(text: str) -> Any:
        return serializer.loads(text.encode())

    mark, encoding = mark_and_encoding(data)
    encoding = encoding if mark else json.detect_encoding(data)
    text = str(data[len(mark) :], encoding)
    new = edited(lambda text: JsonText(text, dump), read, text, document, puts=puts, drops=drops)
    return None if new is None else mark + new.encode(encoding)
