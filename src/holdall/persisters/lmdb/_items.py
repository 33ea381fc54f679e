"""How an item is stored in LMDB: the key of its id, and what comes before its data."""

import hashlib
import itertools
import struct
import time
from typing import Any, Final, NamedTuple

from holdall._shown import shown
from holdall._utf8 import decode_all
from holdall.abc import join_parts
from holdall.conditional import Stat
from holdall.errors import InvalidKeyError

__all__ = [
    "ESCAPE",
    "HEAD_SIZE",
    "LONGEST",
    "Name",
    "as_bytes",
    "head_of",
    "ids_of",
    "keys_of",
    "name_of",
    "parted",
    "stat_of",
]

_HEAD: Final = struct.Struct("<QQ")  # number of the transaction that wrote the item, its time in nanoseconds
_LENGTH: Final = struct.Struct("<I")  # of an id stored before its data
HEAD_SIZE: Final = _HEAD.size
#: Starts the keys of ids that are stored under a digest; no text in UTF-8 begins so.
ESCAPE: Final = b"\xff"
#: Bytes of a key of LMDB.
LONGEST: Final = 511

_pack = _HEAD.pack
_number_of_write = itertools.count().__next__
_now = time.time_ns


class Name(NamedTuple):
    """The name of an id in LMDB."""

    key: bytes
    before: bytes  # stored before the data: the id, if the key is a digest of it

    def data(self, found: Any) -> bytes:
        """Return the data of what is stored, with one copy if that is a view."""
        return bytes(found[HEAD_SIZE + len(self.before) :])

    def stat(self, found: Any, start: str) -> Stat:
        """Return the stat of what is stored."""
        return stat_of(found, len(self.before), start)


def name_of(id: Any) -> Name:
    """Return the name of an id: itself, or a digest of one that LMDB does not take as a key."""
    if not isinstance(id, str):
        raise InvalidKeyError(f"ids are str, got {type(id).__name__}: {shown(id)}")
    key = id.encode("utf-8", "surrogatepass")
    if 0 < len(key) <= LONGEST:
        return Name(key, b"")
    digest = hashlib.blake2b(key, digest_size=24).digest()
    return Name(ESCAPE + digest, _LENGTH.pack(len(key)) + key)


def keys_of(ids: list[Any]) -> list[bytes] | None:
    """Return the keys of ids, if LMDB takes all of them as they are."""
    try:
        keys = "\0".join(ids).encode().split(b"\0")
    except (TypeError, UnicodeError):
        return None
    sizes = set(map(len, keys))
    return keys if len(keys) == len(ids) and 0 not in sizes and max(sizes) <= LONGEST else None


def head_of(number: int) -> bytes:
    """Return version and time of a write in a transaction of a number.

    No two transactions have the same number, and a counter distinguishes the writes of one.
    """
    return _pack(number << 16 | _number_of_write() & 0xFFFF, _now())


def stat_of(found: Any, before: int, start: str) -> Stat:
    """Return the stat of what is stored, with some bytes before its data."""
    number, mtime = _HEAD.unpack_from(found)
    return Stat(f"{start}-{number:x}", mtime / 1e9, len(found) - HEAD_SIZE - before)


def ids_of(keys: list[bytes]) -> list[str]:
    """Return the ids of keys that are no digests."""
    return decode_all(keys) or [key.decode("utf-8", "surrogatepass") for key in keys]


def parted(found: Any) -> tuple[bytes, bytes]:
    """Return the id stored before data, as bytes, and the rest."""
    (length,) = _LENGTH.unpack_from(found, HEAD_SIZE)
    start = HEAD_SIZE + _LENGTH.size
    end = start + length
    return bytes(found[start:end]), b"".join((found[:HEAD_SIZE], found[end:]))


def as_bytes(data: Any) -> bytes:
    """Return data of any kind as bytes."""
    data = join_parts(data)
    return data if isinstance(data, bytes) else bytes(memoryview(data).cast("B"))
