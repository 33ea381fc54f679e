"""Expressions in lines of bounded length, and data in blocks of JSON and base64."""

import base64
import json
import re
from typing import Any

__all__ = ["WIDTH", "Group", "Part", "base64_block", "flat", "json_block", "lay", "quoted"]

#: Columns of a line of a statement; functions and ``try`` may indent it by 8 more.
WIDTH = 92

_INDENT = 4
_DEEPEST = 16  # maximal columns of indentation
_PIECE = 72  # characters of a long text in one line

# Characters that tools strip, change, hide or refuse; JSON itself escapes control characters.
_UNSAFE = re.compile(
    "[\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\ud800-\uf8ff\ufeff\ufff0-\uffff\u1680\u2000-\u200a]"
)
_BLOCK_WIDTH = 100  # columns of a block, which is never indented
_LONG_LINE = re.compile(rf".{{{_BLOCK_WIDTH + 1},}}")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)|[^\\]")


class Group:
    """Brackets with parts in them: each has a prefix, and is text or a group.

    A prefix is text, such as ``name=``, or the key of a dict, as a group.
    """

    __slots__ = ("close", "length", "open", "parts", "separator")

    def __init__(
        self, opening: str, parts: "list[tuple[str | Group, str | Group]]", closing: str, separator: str = ","
    ) -> None:
        self.open, self.parts, self.close, self.separator = opening, parts, closing, separator
        self.length: int
        inside = sum(_length(part) for _, part in parts)
        inside += sum(len(prefix) if isinstance(prefix, str) else prefix.length + 2 for prefix, _ in parts)
        separators = max(len(parts) - 1, 1 if opening == "(" else 0)
        self.length = inside + len(opening) + len(closing) + 2 * separators


#: A part of a group: its prefix, and its text or group.
Part = tuple[str | Group, str | Group]


def _length(item: str | Group) -> int:
    return len(item) if isinstance(item, str) else item.length


def lay(item: str | Group, column: int, indent: int = 0) -> str:
    """Return the text of an expression that starts at a column, in lines of bounded length.

    Parameters
    ----------
    column
        Characters before and after it in its first line.
    indent
        Spaces before a closing bracket on a line of its own.
    """
    if isinstance(item, str):
        return item
    if column + item.length <= WIDTH or not item.parts:
        return flat(item)
    inner = min(indent + _INDENT, _DEEPEST)
    blanks = " " * inner
    if item.separator and all(
        isinstance(part, str) and not prefix and _is_number(part) for prefix, part in item.parts
    ):
        lines = _packed([str(part) for _, part in item.parts], WIDTH - inner)
        return f"{item.open}\n{blanks}" + f"\n{blanks}".join(lines) + f"\n{' ' * indent}{item.close}"
    lines = []
    for prefix, part in item.parts:
        before = prefix if isinstance(prefix, str) else f"{lay(prefix, inner + 2, inner)}: "
        column = inner + len(before) - before.rfind("\n") - 1 + 1
        lines.append(f"{blanks}{before}{lay(part, column, inner)}{item.separator}")
    return f"{item.open}\n" + "\n".join(lines) + f"\n{' ' * indent}{item.close}"


def flat(item: str | Group) -> str:
    """Return an expression on one line."""
    if isinstance(item, str):
        return item
    inside = f"{item.separator} ".join(
        (prefix if isinstance(prefix, str) else f"{flat(prefix)}: ") + flat(part)
        for prefix, part in item.parts
    )
    if item.open == "(" and item.separator and len(item.parts) == 1:
        inside += ","  # a tuple of one
    return f"{item.open}{inside}{item.close}"


def _is_number(text: str) -> bool:
    return text[0].isdigit() or text[0] == "-"


def _packed(texts: list[str], width: int) -> list[str]:
    """Return lines of texts, each as long as possible."""
    lines: list[str] = []
    line = ""
    for text in texts:
        if line and len(line) + len(text) + 2 > width:
            lines.append(line)
            line = ""
        line += f" {text}," if line else f"{text},"
    return [*lines, line]


def quoted(value: str | bytes) -> str | Group:
    """Return a text or bytes as literals, on several lines if it is long."""
    text = repr(value)
    if len(text) <= _PIECE + 2:
        return text
    pieces: list[tuple[str | Group, str | Group]] = []
    start = 0
    while start < len(value):
        stop = start + _PIECE
        while len(repr(value[start:stop])) > _PIECE + 16 and stop > start + 1:
            stop -= max((stop - start) // 4, 1)
        line_end = (
            value.rfind("\n", start, stop) if isinstance(value, str) else value.rfind(b"\n", start, stop)
        )
        if line_end > start:
            stop = line_end + 1
        pieces.append(("", repr(value[start:stop])))
        start = stop
    return Group("(", pieces, ")", "") if len(pieces) > 1 else pieces[0][1]


def json_block(value: Any, function: str) -> str:
    """Return the call that makes a value from JSON text, with one item per line.

    Parameters
    ----------
    value
        A value that JSON represents exactly.
    function
        The name of ``json.loads`` in the text.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",\n", ": "))
    if not text.isascii() or "\x7f" in text:
        text = _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    text = text.replace("'''", "''\\u0027")
    is_long = max(map(len, text.split("\n"))) > _BLOCK_WIDTH
    broken = _LONG_LINE.sub(_break, text) if is_long else text
    tail = "'''" if broken == text or len(broken) == len(text) else "'''.replace('\\\\\\n', '')"
    return f"{function}(r'''\n{broken}\n{tail})"


def _break(found: re.Match[str]) -> str:
    """Break a long line of JSON within its texts, by backslashes that continue them on the next line."""
    pieces: list[str] = []
    line = ""
    for token in _ESCAPE.findall(found[0]):
        line += token
        if len(line) >= _BLOCK_WIDTH - 8 or (token == "\\n" and len(line) > _BLOCK_WIDTH // 2):  # noqa: S105
            pieces.append(line)
            line = ""
    if not line:
        line = pieces.pop()
    return "\\\n".join([*pieces, line])


def base64_block(data: bytes, function: str) -> str:
    """Return the call that makes bytes from base64 text."""
    text = base64.b64encode(data).decode("ascii")
    lines = "\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    return f"{function}('''\n{lines}\n''')"
