"""Which names objects can have, checked before any request."""

import re
from typing import Any

from holdall._shown import shown
from holdall.errors import InvalidArgumentError, InvalidKeyError

__all__ = ["LONGEST", "checked_prefix", "key_of", "speakable"]

#: The longest key of an object, in bytes of UTF-8.
LONGEST = 1024
# What XML 1.0 cannot contain, escaped or not: such names cannot be in a request to delete many objects.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def checked_prefix(prefix: Any) -> str:
    """Return a prefix that ends with "/", or "".

    Raises
    ------
    InvalidArgumentError
        If servers would interpret it as another one.
    """
    if not isinstance(prefix, str):
        raise InvalidArgumentError(f"a prefix is text, got {type(prefix).__name__}: {shown(prefix)}")
    if not prefix:
        return ""
    whole = prefix if prefix.endswith("/") else f"{prefix}/"
    parts = whole[:-1].split("/")
    if not all(parts) or {".", ".."} & {*parts}:
        raise InvalidArgumentError(
            f"prefix {shown(prefix, 120)} has an empty part, '.' or '..', which servers fold into other "
            "names: give parts joined by single '/'",
        )
    try:
        size = len(whole.encode())
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"prefix {shown(prefix, 120)} has no UTF-8") from None
    if size >= LONGEST:
        raise InvalidArgumentError(
            f"prefix {shown(prefix, 120)} leaves no room for names: {size} bytes of {LONGEST}"
        )
    return whole


def key_of(prefix: str, id: Any, location: str) -> str:
    """Return the key of the object of an id.

    Raises
    ------
    InvalidKeyError
        If no object can have such a key.
    """
    if type(id) is not str or not id:
        raise InvalidKeyError(
            f"{shown(id, 120)} cannot name an object in {location}: ids are text, not empty"
        )
    key = prefix + id
    try:
        size = len(id) if len(key) * 4 <= LONGEST else len(key.encode())
        if not key.isascii():
            key.encode()
    except UnicodeEncodeError:
        raise InvalidKeyError(
            f"{shown(id, 120)} cannot name an object in {location}: it has no UTF-8"
        ) from None
    if size > LONGEST:
        raise InvalidKeyError(
            f"{shown(id, 120)} cannot name an object in {location}: with the prefix it has {size} bytes of "
            f"UTF-8, and {LONGEST} are possible",
        )
    if id[-1] == "/":
        raise InvalidKeyError(
            f"{shown(id, 120)} cannot name an object in {location}: it ends with '/', as folders do"
        )
    if "." in id and not {".", ".."}.isdisjoint(id.split("/")):
        raise InvalidKeyError(
            f"{shown(id, 120)} cannot name an object in {location}: clients fold the parts '.' and '..' "
            "into other names",
        )
    return key


def speakable(key: str) -> bool:
    """Return whether XML can contain a key."""
    return _UNSPEAKABLE.search(key) is None
