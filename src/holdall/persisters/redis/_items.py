"""How an item is stored in Redis: a mark, a random version and its time come before its data."""

import os
import struct
import time
from typing import Any, Final

from holdall._options import check_bytes
from holdall._shown import shown
from holdall.abc import join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Stat
from holdall.errors import ValueTooLargeError

__all__ = ["MAGIC", "SIZE", "etag_of", "head_of", "stat_of", "version_of", "whole_of"]

MAGIC: Final = b"h1"
_HEAD: Final = struct.Struct("<2s14sQ")  # mark, random version, time in nanoseconds
#: Bytes before the data.
SIZE: Final = _HEAD.size
_LARGEST: Final = (512 << 20) - SIZE  # bytes, of a value of Redis


def whole_of(id: str, data: Any) -> bytes:
    """Return what to store for data."""
    check_bytes(id, data)
    joined: bytes = join_parts(data)
    if len(joined) > _LARGEST:
        raise ValueTooLargeError(
            f"the data for {shown(id)} have {len(joined):,} bytes, and Redis takes {_LARGEST:,} at most"
        )
    return _HEAD.pack(MAGIC, os.urandom(14), time.time_ns()) + joined


def stat_of(head: bytes, size: int) -> Stat | None:
    """Return the stat of what is stored, of which the start is given; None if holdall did not write it."""
    if head[:2] != MAGIC or size < SIZE:
        return None
    _, version, time_ns = _HEAD.unpack_from(head)
    return Stat(version.hex(), time_ns / 1e9, size - SIZE)


def version_of(whole: bytes) -> bytes:
    """Return mark and version at the start of what is stored."""
    return whole[:16]


def head_of(expected: Expected) -> bytes:
    """Return what the head of an item must begin with."""
    if expected is ANY_ETAG:
        return b"*"
    if expected is ITEM_NOT_AVAILABLE:
        return b""
    try:
        return MAGIC + bytes.fromhex(str(expected))
    except ValueError:
        return b"no etag of ours"


def etag_of(head: Any) -> Any:
    """Return the etag of what a script has found instead."""
    return head[2:16].hex() if isinstance(head, bytes) and head else ITEM_NOT_AVAILABLE
