"""Values as HTML: text, JSON, arrays and tables, images, and the repr of others; all bounded."""

import json
from collections.abc import Iterable
from typing import Any, Final

from holdall.errors import HoldallError
from holdall.serializers import get_serializer
from holdall.serve._html import Markup, element

__all__ = ["image_type", "preview"]

_TEXT, _BYTES = 200_000, 4096  # characters of text, and bytes in hexadecimal, to show
_ROWS, _COLUMNS, _PARTS = 50, 20, 20

# Images that browsers show, and nothing else: no SVG, which can contain scripts.
_IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def image_type(data: Any) -> str | None:
    """Return the media type of an image by its first bytes; None for anything that is not shown as one.

    Parameters
    ----------
    data
        The content, or anything that is not bytes.

    Examples
    --------
    >>> image_type(b"GIF89a..."), image_type(b"<svg>"), image_type(3)
    ('image/gif', None, None)
    """
    if not isinstance(data, bytes):
        return None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _IMAGES if data.startswith(start)), None)


def preview(value: Any) -> Markup:
    """Return a preview of a value.

    Parameters
    ----------
    value
        Any value that is not an image.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes | bytearray):
        return _bytes(bytes(value))
    module = type(value).__module__.partition(".")[0]
    if module == "numpy" and hasattr(value, "dtype"):
        return _array(value)
    if module == "pandas" and hasattr(value, "iloc"):
        return _frame(value)
    if type(value) is dict and any(hasattr(item, "dtype") for item in value.values()):
        return _parts(value)
    try:
        get_serializer("json").dumps(value)  # raises for what would not come back equal
        return _text(json.dumps(value, indent=2, ensure_ascii=False))
    except (HoldallError, ValueError, TypeError, RecursionError):
        return _text(repr(value))


def _text(text: str) -> Markup:
    more = f"… and {len(text) - _TEXT:,} characters more" if len(text) > _TEXT else None
    return element("div", element("pre", text[:_TEXT]), _note(more))


def _note(text: str | None) -> Markup | None:
    return None if text is None else element("p", text, class_="note")


def _bytes(data: bytes) -> Markup:
    """Return bytes as text if they are text, otherwise in hexadecimal."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if all(char.isprintable() or char in "\t\r\n" for char in text[:_TEXT]):
        return _text(text)
    lines = [
        f"{start:08x}  {row.hex(' '):<47}  {''.join(chr(b) if 32 <= b < 127 else '.' for b in row)}"
        for start in range(0, min(len(data), _BYTES), 16)
        for row in (data[start : min(start + 16, _BYTES)],)
    ]
    more = f"… and {len(data) - _BYTES:,} bytes more" if len(data) > _BYTES else None
    return element("div", element("pre", "\n".join(lines)), _note(more))


def _array(array: Any) -> Markup:
    """Return the beginning of an array: for more than two dimensions, its first table."""
    shape = tuple(array.shape)
    about = element("p", f"{array.dtype}, {' x '.join(map(str, shape)) or 'one number'}", class_="note")
    if 0 in shape:
        return about
    part, where = array, ""
    while part.ndim > 2:
        part, where = part[0], where + "0, "
    if part.ndim == 0:
        return element("div", about, _text(str(part[()])))
    if part.ndim == 1:
        part = part[None]
    rows = [[str(cell) for cell in row[:_COLUMNS]] for row in part[:_ROWS]]
    shown = _table(None, rows)
    cut = part.shape[0] > _ROWS or part.shape[1] > _COLUMNS
    note = f"[{where}:, :] of it" if where else None
    return element("div", about, shown, _note("only the beginning" if cut else None), _note(note))


def _frame(frame: Any) -> Markup:
    """Return the beginning of a table, or of a column, of pandas."""
    if not hasattr(frame, "columns"):
        frame = frame.to_frame()
    part = frame.iloc[:_ROWS, :_COLUMNS]
    about = element("p", f"{frame.shape[0]:,} rows, {frame.shape[1]:,} columns", class_="note")
    head = ["", *map(str, part.columns)]
    rows = [[str(index), *map(str, row)] for index, row in zip(part.index, part.to_numpy(), strict=True)]
    return element("div", about, _table(head, rows))


def _table(head: list[str] | None, rows: Iterable[list[str]]) -> Markup:
    lines = [element("tr", *(element("th", cell) for cell in head))] if head else []
    lines += [element("tr", *(element("td", cell, class_="number") for cell in row)) for row in rows]
    return element("div", element("table", *lines), class_="wide")


def _parts(value: dict[Any, Any]) -> Markup:
    """Return a dict of arrays, each under its name."""
    shown: list[Markup | None] = []
    for name in list(value)[:_PARTS]:
        shown += [element("h2", str(name)), preview(value[name])]
    more = f"… and {len(value) - _PARTS:,} more" if len(value) > _PARTS else None
    return element("div", *shown, _note(more))
