"""Changes of values in the text of a YAML file."""

import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from holdall.serializers._splice import CannotEditError, Edit, Entry, Node, Notation, exactly

__all__ = ["YamlText"]

_ENDS = "\n\r\x85\u2028\u2029"  # of lines
_NO_PLAIN_TEXT = re.compile(f"[{_ENDS}\ufeff]")
_END_OF_LINE = re.compile(f"\r\n|[{_ENDS}]")
_REST_OF_LINE = re.compile(f"[^{_ENDS}]*")
_COLON = re.compile(rf"(?:\s|#[^{_ENDS}]*+)*+:")  # after a name
_NOTHING = "tag:yaml.org,2002:null"
_QUESTION = re.compile(r"\?[ \t]+\Z")  # before a complex name
_TEXT = "tag:yaml.org,2002:str"
_BINARY = "tag:yaml.org,2002:binary"
_MERGE = "tag:yaml.org,2002:merge"
_IN_FLOW = frozenset(":,?[]{}")  # need quotes in brackets
_MERGED = object()  # for the name of what is merged
_NO_NAME = object()  # for an alias as a name
_WIDTH = 2**31 - 1  # of lines, so that none is broken


class _Alias(yaml.Node):  # type: ignore[misc]
    """An alias as a node."""

    id = "alias"


class _Composer(yaml.SafeLoader):  # type: ignore[misc]
    """Compose a tree of nodes with their anchors, and with aliases as nodes of their own."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            super().compose_node(parent, index)  # raises if there is no such anchor
            return _Alias("", event.anchor, event.start_mark, event.end_mark)
        node = super().compose_node(parent, index)
        node.anchor = event.anchor
        return node


class _Written:
    """A value that keeps its text."""

    def __init__(self, value: Any, node: Any) -> None:
        self.value = value
        self.node = node


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Write text on one line, and repeat what occurs twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def represent_str(self, data: str) -> Any:
        style = '"' if _NO_PLAIN_TEXT.search(data) else None
        return self.represent_scalar(_TEXT, data, style=style)

    def represent_binary(self, data: bytes) -> Any:
        return self.represent_scalar(_BINARY, b64encode(data).decode("ascii"), style='"')

    def represent_written(self, data: _Written) -> Any:
        if self.default_flow_style and data.node.style is None and not _IN_FLOW.isdisjoint(data.node.value):
            return self.represent_data(data.value)  # as the text would get quotes and a type
        return self.represent_scalar(data.node.tag, data.node.value, style=data.node.style)


_Dumper.add_representer(str, _Dumper.represent_str)
_Dumper.add_representer(bytes, _Dumper.represent_binary)
_Dumper.add_representer(_Written, _Dumper.represent_written)


class YamlText(Notation):
    """A YAML mapping, in blocks or in brackets: the text of other values and all comments stay."""

    def __init__(self, text: str) -> None:
        self.anchors: list[tuple[str, int]] = []
        self.targets: dict[str, Any] = {}  # the nodes of anchors
        self.aliases: list[tuple[str, tuple[Any, ...], int]] = []
        self.starts = [0, *(found.end() for found in _END_OF_LINE.finditer(text))]  # of lines
        super().__init__(text)
        if self.line_end not in text and len(self.starts) > 1:
            self.line_end = text[self.starts[1] - 1]

    def line_start(self, position: int) -> int:  # docstring inherited
        return self.starts[bisect_right(self.starts, position) - 1]

    # ------------------------------------------------------------------ where things are

    def parse(self) -> Node:  # docstring inherited
        root = yaml.compose(self.text, Loader=_Composer)
        if root is None:  # nothing but comments
            return Node(len(self.text), len(self.text), [])
        if isinstance(root, yaml.ScalarNode) and root.tag == _NOTHING:
            return Node(root.start_mark.index, root.end_mark.index, [])
        return self._node(root, ())

    def _node(self, node: Any, path: tuple[Any, ...]) -> Node:
        start, end = node.start_mark.index, node.end_mark.index
        if isinstance(node, _Alias):
            self.aliases.append((node.value, path, start))
            return Node(start, end, node=node)
        if node.anchor:
            self.anchors.append((node.anchor, start))
            self.targets[node.anchor] = node
        if isinstance(node, yaml.MappingNode):
            entries = [self._entry(key, value, path) for key, value in node.value]
            if not node.flow_style and entries:
                end = entries[-1].value.end
            return Node(start, end, entries, bool(node.flow_style), node)
        if isinstance(node, yaml.SequenceNode):
            parts = [self._node(part, path) for part in node.value]
            return Node(start, parts[-1].end if parts and not node.flow_style else end, node=node)
        if node.style is not None and node.style in "|>":
            end = start + len(self.text[start:end].rstrip())
        return Node(start, end, node=node)

    def _entry(self, key: Any, value: Any, path: tuple[Any, ...]) -> Entry:
        name = _name(key)
        key_node = self._node(key, path)
        below = path if name in {_MERGED, _NO_NAME} else (*path, name)
        start = key_node.start
        question = _QUESTION.search(self.text, self.line_start(start), start)
        if question:
            start = question.start()
        value_node = self._node(value, below)
        if value_node.start == value_node.end and not self._colon(key_node.end, value_node.start):
            value_node.start = value_node.end = key_node.end  # a name alone; the parser says the next token
        return Entry(name, start, key_node.end, value_node)

    def _colon(self, key_end: int, end: int) -> int | None:
        """Return the end of the colon between a name and a value; None if there is none."""
        found = _COLON.match(self.text, key_end, end)
        return found and found.end()

    def depending(self, gone: list[Entry]) -> Iterator[Sequence[str]]:  # docstring inherited
        for entry in gone:
            names = {name for name, start in self.anchors if entry.start <= start < entry.value.end}
            for name, path, start in self.aliases:
                if name in names and not entry.start <= start < entry.value.end:
                    yield path

    def sources(self, table: Node) -> list[Entry]:  # docstring inherited
        return [entry for entry in table.entries or [] if entry.name is _MERGED]

    # ------------------------------------------------------------------ changes

    def replace(self, table: Node, entry: Entry, value: Any) -> Iterator[Edit]:  # docstring inherited
        old = entry.value
        anchor = getattr(old.node, "anchor", None)
        name = f"&{anchor} " if anchor else ""
        in_block = not old.flow or (isinstance(old.node, yaml.SequenceNode) and not old.node.flow_style)
        if in_block and not anchor and type(value) is type(_sample(old.node)) and value:
            column = old.start - self.line_start(old.start)
            yield old.start, old.end, self._lines(value, " " * column)
            return
        colon = self._colon(entry.key_end, old.start)
        if colon is None:  # a name alone
            if table.flow:
                yield entry.key_end, entry.key_end, ": " + self._inline(value)
            else:
                end = self._end_of_entry(entry)
                yield end, end, f"{self.line_end}{self.indent_of(entry.start)}: {self._inline(value)}"
            return
        if isinstance(old.node, _Alias) and isinstance(value, dict) and value and not table.flow:
            indent = " " * (entry.start - self.line_start(entry.start) + 2)
            yield colon, old.end, ""
            end = self._end_of_entry(entry)
            yield end, end, self.line_end + indent + self._lines(value, indent)
            return
        new = name + self._inline(value)
        begin = self.line_start(old.start)
        if begin <= colon:  # on the line of the name
            blank = "" if self.text[old.start - 1 : old.start].isspace() else " "
            after = self.text[old.end : old.end + 1]
            yield old.start, old.end, blank + new + ("" if not after or after in " \t\r\n,}]" else " ")
            return
        yield colon, colon, " " + new  # before a comment, if any
        yield begin - (2 if self.text[begin - 2 : begin] == "\r\n" else 1), old.end, ""

    def add(self, table: Node, items: dict[str, Any]) -> Iterator[Edit]:  # docstring inherited
        entries = table.entries or []
        if table.flow and (entries or table is not self.root):
            inside = [self._inline({name: value})[1:-1] for name, value in items.items()]
            if not entries:
                yield table.end - 1, table.end - 1, ", ".join(inside)
                return
            own_lines = self.line_start(entries[0].start) > table.start
            indent = self.line_end + self.indent_of(entries[0].start)
            comma = "," + indent if own_lines else ", "
            yield entries[-1].value.end, entries[-1].value.end, "".join(comma + text for text in inside)
            return
        if not entries:  # the whole document
            begin = self.line_start(table.start)
            start = begin + len(self.text[begin : table.start].rstrip())
            text = (self.line_end if start > begin else "") + self._lines(items, "")
            yield start, table.end, text + self.line_end if table.start == table.end else text
            return
        indent = " " * (entries[0].start - self.line_start(entries[0].start))
        text = self._lines(items, indent)
        end = self._end_of_entry(entries[-1])
        at_start = self.line_start(end) == end
        yield end, end, indent + text + self.line_end if at_start else self.line_end + indent + text

    def remove(self, table: Node, gone: list[Entry]) -> Iterator[Edit]:  # docstring inherited
        if table.flow:
            yield from super().remove(table, gone)
            return
        entries = table.entries or []
        for entry in gone:
            start, end = self.line_start(entry.start), self._end_of_entry(entry)
            if self.text[start : entry.start].strip():  # on the line where the table begins
                yield entry.start, entries[1].start, ""
                continue
            found = _END_OF_LINE.match(self.text, end)
            yield start, found.end() if found else end, ""

    def empty(self, root: Node) -> Iterator[Edit]:  # docstring inherited
        if root is not self.root:
            raise CannotEditError("only the outermost table can be empty")
        yield root.start, root.end, "{}"

    def _end_of_entry(self, entry: Entry) -> int:
        """Return the end of the line on which an entry ends, or the line after its block of text."""
        last: Any = entry.value.node
        while isinstance(last, yaml.CollectionNode) and last.value and not last.flow_style:
            last = last.value[-1]
            last = last[1] if isinstance(last, tuple) else last
        if isinstance(last, yaml.ScalarNode) and last.style and last.style in "|>":
            return int(last.end_mark.index)
        found = _REST_OF_LINE.match(self.text, entry.value.end)
        return found.end() if found else entry.value.end

    # ------------------------------------------------------------------ text of values

    def as_written(self, value: Any, path: Sequence[str]) -> Any:  # docstring inherited
        node = self.root.node
        for name in path:
            node = self._target(node)
            node = self._found(node, name) if isinstance(node, yaml.MappingNode) else None
        return self._as_written(value, node)

    def _as_written(self, value: Any, node: Any) -> Any:
        node = self._target(node)
        if isinstance(value, dict) and isinstance(node, yaml.MappingNode):
            return {name: self._as_written(part, self._found(node, name)) for name, part in value.items()}
        if isinstance(value, list) and isinstance(node, yaml.SequenceNode):
            parts = [*node.value, *[None] * len(value)]
            return [self._as_written(part, parts[index]) for index, part in enumerate(value)]
        if isinstance(node, yaml.ScalarNode) and (node.value or node.style) and node.style not in {"|", ">"}:
            same = exactly(yaml.SafeLoader("").construct_object(node), value)
            return _Written(value, node) if same else value
        return value

    def _found(self, table: Any, name: Any) -> Any:
        """Return the node of a name in a table, or in those that are merged into it."""
        own = [value for key, value in table.value if _name(key) == name]
        if own:
            return own[-1]
        for key, value in table.value:
            if key.tag == _MERGE:
                merged = self._target(value)
                for other in merged.value if isinstance(merged, yaml.SequenceNode) else [merged]:
                    found = self._found(self._target(other), name)
                    if found is not None:
                        return found
        return None

    def _target(self, node: Any) -> Any:
        return self.targets[node.value] if isinstance(node, _Alias) else node

    def _inline(self, value: Any) -> str:
        return self._dumped(value, flow=True).replace("\n", " ")

    def _lines(self, value: Any, indent: str) -> str:
        return self._dumped(value, flow=False).replace("\n", self.line_end + indent)

    def _dumped(self, value: Any, *, flow: bool) -> str:
        options: dict[str, Any] = {
            "Dumper": _Dumper, "width": _WIDTH, "sort_keys": False, "default_flow_style": flow,
        }  # fmt: skip
        text = str(yaml.dump(value, allow_unicode=True, **options))
        if re.search("[\x85\u2028\u2029\ufeff]", text):
            text = str(yaml.dump(value, allow_unicode=False, **options))
        return text.removesuffix("\n").removesuffix("\n...")


def _name(key: Any) -> Any:
    """Return the name that a node stands for."""
    if key.tag == _TEXT:
        return key.value
    if key.tag == _MERGE:
        return _MERGED
    if isinstance(key, yaml.ScalarNode):
        return yaml.SafeLoader("").construct_object(key)
    return _NO_NAME


def _sample(node: Any) -> Any:
    return {} if isinstance(node, yaml.MappingNode) else []
