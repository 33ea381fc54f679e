"""The lines of the data block: how records are written, recognized and checked.

This module handles bytes and no files. The page on formats describes the format.
"""

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterator
from itertools import product
from operator import add
from typing import Any, NamedTuple
from zlib import crc32

from holdall.errors import CorruptValueError

#: The number of the format, in the marker.
FORMAT = 1
MARKER = b"# === holdall data %d: kept by this script, edit above this line ===" % FORMAT
#: A line that begins a data block, in any format.
MARKERS = re.compile(rb"^# === holdall data (\d+)\b[^\r\n]*===[ \t]*\r?$", re.MULTILINE)

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.<>/-]*")
_QUOTED_NAME = re.compile(rb'("(?:[^"\\]|\\.)*")( = | deleted$)')
_PLAIN_TEXT = re.compile(rb"(?!base64 )[\x20-\x7e]*").fullmatch
_TAIL = re.compile(rb" #: [0-9a-f]{16} [0-9a-f]{8}$")
_HEAD = re.compile(rb'# ([A-Za-z_][\w.<>/-]*|"(?:[^"\\]|\\.)*") (?:=|deleted)(?: |$)')
_CHECKSUM = re.compile(rb"[0-9a-f]{8}$")
_CLOSE = re.compile(rb"#:[0-9a-f]{24}$")
_BASE64 = b"base64 "
_COMPACTED = b"compacted"
# Into how many lines a formatter may have wrapped a record; a longer one is only reported.
_WRAPPED = 400
# How many lines may look like its last one.
_ENDS = 4
# How many lines may be wrapped in either way.
_UNSURE = 8
#: The version below all others.
NEVER = b"0" * 16


class Record(NamedTuple):
    """One line: an item, a deletion (without text), or the note of a compaction (without name)."""

    name: bytes
    text: bytes | None
    version: bytes


def quote_name(id: str) -> bytes:
    """Return an id as the name of a record: unchanged if it looks like a name, else as a JSON string."""
    if _PLAIN_NAME.fullmatch(id) and id.encode() != _COMPACTED:
        return id.encode()
    # No three quotes in a row, so that a search for strings in the script finds none here.
    return json.dumps(id).replace("'''", "'\\u0027'").encode()


def id_of_name(name: bytes) -> str:
    """Return the id of a name."""
    if name[:1] == b'"':
        return str(json.loads(name))
    return name.decode("ascii")


def text_of_data(data: bytes) -> bytes:
    """Return data as the text of a record: unchanged if they are one line of ASCII, else in base64."""
    if _PLAIN_TEXT(data) and b"'''" not in data and b'"""' not in data:
        return data
    return _BASE64 + b2a_base64(data, newline=False)


def data_of_text(text: bytes) -> bytes:
    """Return the data of a text."""
    if not text.startswith(_BASE64):
        return text
    try:
        return a2b_base64(text[len(_BASE64) :], strict_mode=True)
    except Base64Error as error:
        raise CorruptValueError(f"a record with a right checksum holds no base64: {error}") from error


def size_of_text(text: bytes) -> int:
    """Return the length of the data of a text."""
    if not text.startswith(_BASE64):
        return len(text)
    return (len(text) - len(_BASE64)) // 4 * 3 - text[-2:].count(b"=")


def sealed(body: bytes) -> bytes:
    """Return the line of a record: a comment, with a checksum at its end."""
    return b"# %b %08x" % (body, crc32(body))


def line_of(name: bytes, text: bytes | None, version: bytes) -> bytes:
    """Return the line of a record."""
    if text is None:
        return sealed(b"%b deleted #: %b" % (name, version))
    return sealed(b"%b = %b #: %b" % (name, text, version))


def line_of_compaction(version: bytes) -> bytes:
    """Return the line which says that the block was compacted when `version` was the last one."""
    return sealed(b"%b #: %b" % (_COMPACTED, version))


def parse(line: bytes) -> Record | None:
    """Read a line without its end; return None if it is not an intact record."""
    # Editors add trailing spaces, and a carriage return before the newline.
    line = line.rstrip()
    if b"%08x" % crc32(line[2:-9]) != line[-8:] or line[:2] != b"# ":
        return None
    head, mark, version = line[2:-9].rpartition(b" #: ")
    if not mark or len(version) != 16:
        return None
    if head[:1] == b'"':
        quoted = _QUOTED_NAME.match(head)
        if quoted is None:
            return None
        text = head[quoted.end() :] if quoted[2] == b" = " else None
        return Record(quoted[1], text, version)
    name, equals, text = head.partition(b" = ")
    if equals:
        return Record(name, text, version)
    if head == _COMPACTED:
        return Record(b"", None, version)
    if head.endswith(b" deleted"):
        return Record(head[:-8], None, version)
    return None


def is_damaged(line: bytes) -> bool:
    """Return whether a line is a damaged record."""
    return line.startswith(b"#") and _TAIL.search(line.rstrip()) is not None


def id_in(line: bytes) -> str | None:
    """Return the probable id of a damaged record; None if it is unknown."""
    head = _HEAD.match(line)
    if head is None:
        return None
    try:
        return id_of_name(head[1])
    except ValueError:  # from JSON
        return None


def rejoined(lines: list[bytes], first: int) -> tuple[int, Record] | None:
    """Find a record that a formatter has wrapped into several lines.

    Parameters
    ----------
    lines
        The lines, without their ends.
    first
        The line in which the record begins.

    Returns
    -------
    tuple
        Its last line, and the record; None if there is none.
    """
    if not _HEAD.match(lines[first]):
        return None
    pieces: list[bytes] = []
    ends = 0
    for last in range(first, min(first + _WRAPPED, len(lines))):
        line = lines[last].rstrip()
        if not line.startswith(b"# ") or (pieces and _HEAD.match(line)):
            return None
        pieces.append(line[2:])
        if len(pieces) > 1 and _CHECKSUM.search(line) and _is_end(pieces):
            ends += 1
            if ends > _ENDS:
                return None  # keeps the time linear in the size of any file
            for body in _joins(pieces):
                record = parse(b"# " + body)
                if record is not None:
                    return last, record
    return None


def _is_end(pieces: list[bytes]) -> bool:
    """Return whether these can be the last lines of a record: version and checksum."""
    return _CLOSE.search(b"".join(pieces[-3:]).replace(b" ", b"")[-26:]) is not None


def _joins(pieces: list[bytes]) -> Iterator[bytes]:
    """Yield the lines that may have been wrapped into these pieces.

    Words are split at a space, which is lost, or behind a hyphen; words longer than a line are split where
    the line is full.
    """
    yield b" ".join(pieces)
    widest = max(map(len, pieces))
    full = [i for i, piece in enumerate(pieces[:-1]) if len(piece) == widest or piece.endswith(b"-")]
    gaps = [b" "] * len(pieces)
    gaps[-1] = b""
    for choice in product((b"", b" "), repeat=min(len(full), _UNSURE)):
        for i in full:
            gaps[i] = b""
        for i, gap in zip(full, choice, strict=False):
            gaps[i] = gap
        yield b"".join(map(add, pieces, gaps))


def place_of(part: Any) -> str:
    """Return a line for messages: its start, without non-ASCII characters."""
    return repr(part[:60].decode("ascii", "replace"))
