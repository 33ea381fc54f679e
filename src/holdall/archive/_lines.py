"""The text of an archive, cut into logical lines without parsing it.

The parser takes some hundred times the memory of its input, so it gets one statement at a time, and never the
blocks of data: those are cut out here, and replaced by names.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from holdall.errors import CorruptValueError

__all__ = ["MAX_STATEMENT", "Line", "logical_lines"]

#: Maximal length of a statement, without its blocks.
MAX_STATEMENT = 256 * 1024

# Nested brackets; holdall writes at most 40, and the parser accepts 200.
_MAX_DEPTH = 100

_TOKEN = re.compile(
    r"""
    (?P<plain> [^'"\#()\[\]{}\n\\]+ )
    | (?P<triple> '''(?:[^'\\]++|\\.|'(?!''))*+''' | \"""(?:[^"\\]++|\\.|"(?!""))*+\""" )
    | (?P<text> '(?:[^'\\\n]++|\\[\\'"abfnrtvxuU0-7])*+' | "(?:[^"\\\n]++|\\[\\'"abfnrtvxuU0-7])*+" )
    | (?P<comment> \#[^\n]* )
    | (?P<open> [(\[{] )
    | (?P<close> [)\]}] )
    | (?P<end> \n+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class Line(NamedTuple):
    """One logical line: a simple statement, or the head of a compound one."""

    #: Number of its first line, from 1.
    number: int
    #: Spaces before it.
    indent: int
    #: The statement, with names such as ``__block_0__`` instead of blocks.
    text: str
    #: The blocks, by name.
    blocks: dict[str, str]
    #: Its start and end in the whole text.
    start: int
    end: int


def logical_lines(text: str) -> Iterator[Line]:
    """Yield the logical lines of a text, without comments and empty lines.

    Parameters
    ----------
    text
        The text, with line feeds as line ends.

    Raises
    ------
    CorruptValueError
        If a string or a bracket does not end, or a statement is longer than in archives.
    """
    position, number = 0, 1
    match, size = _TOKEN.match, len(text)
    while position < size:
        start, first = position, number
        pieces: list[str] = []
        blocks: dict[str, str] = {}
        length = depth = 0
        while position < size:
            token = match(text, position)
            if token is None:
                raise CorruptValueError(f"line {number}: {text[position : position + 20]!r} is in no archive")
            position = token.end()
            kind, found = token.lastgroup, token[0]
            number += found.count("\n") if kind != "plain" else 0
            if kind == "end" and not depth:
                break
            if kind == "comment":
                continue
            if kind == "open":
                depth += 1
            elif kind == "close":
                depth -= 1
            elif kind == "triple":
                if "\\" in found and not _is_raw(pieces):
                    raise CorruptValueError(f"line {number}: a block with escapes in it is in no archive")
                found = _cut(found, pieces, blocks)
            length += len(found)
            if length > MAX_STATEMENT or depth > _MAX_DEPTH:
                raise CorruptValueError(f"line {first}: a statement larger or deeper than those of archives")
            pieces.append(found)
        if depth > 0:
            raise CorruptValueError(f"line {first}: a bracket that is not closed: was the file cut short?")
        line = "".join(pieces)
        bare = line.strip(" ")
        if bare:
            yield Line(first, len(line) - len(line.lstrip(" ")), bare, blocks, start, position)


def _is_raw(pieces: list[str]) -> bool:
    return bool(pieces) and (pieces[-1] == "r" or pieces[-1].endswith(" r"))


def _cut(found: str, pieces: list[str], blocks: dict[str, str]) -> str:
    """Store a block, and return the name that replaces it."""
    if _is_raw(pieces):
        pieces[-1] = pieces[-1][:-1]
    name = f"__block_{len(blocks)}__"
    blocks[name] = found[3:-3]
    return name
