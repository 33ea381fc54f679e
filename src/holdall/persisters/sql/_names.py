"""Ids and versions as bytes in a table."""

from typing import Any, Final

from holdall._shown import shown
from holdall._utf8 import decode_all
from holdall.conditional import Expected
from holdall.errors import CorruptValueError, InvalidKeyError
from holdall.persisters.sql._dialect import MAX_KEY

__all__ = ["bytes_of", "etag_of", "id_of", "ids_of", "key_if_any", "key_of", "successor", "version_of"]

_END: Final = b"\xff" * 8  # above all keys, which are UTF-8


def key_of(id: Any, error: type[Exception]) -> bytes:
    """Return the bytes of an id; raise the error if it cannot be a key."""
    key = key_if_any(id)
    if key is None:
        if error is KeyError:
            raise KeyError(id)
        size = len(id.encode("utf-8", "surrogatepass")) if isinstance(id, str) else 0
        why = f"has {size:,} bytes, and {MAX_KEY:,} is the most" if size else "is no text"
        raise InvalidKeyError(f"{shown(id)} cannot be a key in a table of SQL: it {why}")
    return key


def key_if_any(id: Any) -> bytes | None:
    """Return the bytes of an id, or None if it cannot be a key."""
    if not isinstance(id, str):
        return None
    key = id.encode("utf-8", "surrogatepass")
    return key if len(key) <= MAX_KEY else None


def bytes_of(found: Any) -> bytes:
    """Return what a column holds; text and numbers, which others may have put there in SQLite, as text."""
    if type(found) is bytes:
        return found
    return str(found).encode() if isinstance(found, str | int | float) else bytes(found)


def etag_of(version: Any) -> str:
    """Return the etag of a version; one that others have made text in SQLite is equal to no bytes."""
    if isinstance(version, str | int | float):
        raise CorruptValueError(f"the version of an item is {shown(version)}, and no bytes: write it anew")
    return bytes(version).hex()


def id_of(key: Any) -> str:
    """Return the id of the bytes of a key."""
    try:
        return bytes_of(key).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise CorruptValueError(f"{shown(key)} in the column of keys is no text in UTF-8") from error


def ids_of(keys: list[Any]) -> list[str]:
    """Return the ids of the bytes of several keys."""
    return decode_all(keys) or list(map(id_of, keys))


def version_of(expected: Expected) -> bytes:
    """Return the version of an etag; one that no row has for an etag of another persister."""
    try:
        return bytes.fromhex(str(expected))
    except ValueError:  # an etag of another persister
        return b"?"


def successor(start: bytes) -> bytes:
    """Return the least bytes above all that start so."""
    start = start.rstrip(b"\xff")
    return start[:-1] + bytes([start[-1] + 1]) if start else _END
