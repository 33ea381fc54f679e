"""Whether a value in memory still is the stored one."""

import mmap
import sys
import zlib
from typing import Any, Final

__all__ = ["Mark", "is_frozen", "mark_of_data", "mark_of_pieces"]

#: A mark of data: how it was made, their length, and a checksum.
Mark = tuple[str, int, int]

_ATOMS: Final = frozenset({bool, bytes, complex, float, int, str, type(None), range, type(...)})
_FEW: Final = 16
_LARGE: Final = 1 << 16  # from here on the faster checksum pays off
# Lengths of the rows that are summed: odd, and without a common factor. So no change that repeats at any
# distance, such as a sign in every element, cancels out in both sums. Words of one row lie closer than those
# of one column, so two words never share both: exchanged values, or two signs, change some sum.
_ROW: Final = 1019
_COLUMNS: Final = 1021


def is_frozen(value: Any) -> bool:
    """Return whether a value cannot be changed."""
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is tuple or kind is frozenset:
        return len(value) <= _FEW and all(map(is_frozen, value))
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return False
    owner = value
    while isinstance(owner, numpy.ndarray):
        if owner.flags.writeable or owner.dtype.hasobject:
            return False
        owner = owner.base
    return owner is None or type(owner) in {bytes, mmap.mmap}  # files are published once


def mark_of_data(data: Any) -> Mark | None:
    """Return the mark of data, however they are split into pieces; None if they are not bytes."""
    pieces = data if type(data) is list else [data]
    length = total = 0
    for piece in pieces:
        if not isinstance(piece, bytes | bytearray | memoryview):
            return None
        total = zlib.crc32(piece, total)
        length += len(piece) if type(piece) is not memoryview else piece.nbytes
    return "crc", length, total


def mark_of_pieces(data: Any) -> Mark | None:
    """Return the mark of data that are always split in the same way; faster for large pieces."""
    numpy = sys.modules.get("numpy")
    if type(data) is not list or numpy is None:
        return mark_of_data(data)
    length = total = 0
    for piece in data:
        view = memoryview(piece).cast("B")
        whole = view.nbytes // 8
        if view.nbytes < _LARGE:
            total = zlib.crc32(view, total)
        else:
            words = numpy.frombuffer(view[: whole * 8], numpy.uint64)
            for axis, width in ((1, _ROW), (0, _COLUMNS)):
                end = whole - whole % width
                sums = numpy.add.reduce(words[:end].reshape(-1, width), axis=axis)
                total = zlib.crc32(words[end:], zlib.crc32(sums, total))
            total = zlib.crc32(view[whole * 8 :], total)
        length += view.nbytes
    return "sums", length, total
