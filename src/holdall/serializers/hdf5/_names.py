"""The names of keys and attributes, and the notes beside them."""

import json
import re
from typing import Any

from holdall._shown import shown
from holdall.errors import CorruptValueError, SerializationError

# The attribute of an object with what HDF5 itself cannot store. No user's name becomes this one.
NOTE = "holdall"

_IN_LINKS = re.compile("[%/\0\ud800-\udfff]")
_IN_ATTRIBUTES = re.compile("[%\0\ud800-\udfff]")
_ESCAPE = re.compile("%(?:u([0-9a-f]{4})|([0-9a-f]{2}))")
_NO_NAME = "%"


def link_name(key: Any) -> str:
    """Return the name of the link for a key; HDF5 refuses '', '.' and names with '/'."""
    if type(key) is not str:
        raise SerializationError(f"keys are str, got {type(key).__name__}: {shown(key)}")
    return key.replace(".", "%2e") if key in (".", "..") else _IN_LINKS.sub(_escape, key) or _NO_NAME


def attribute_name(name: Any) -> str:
    """Return the name of an attribute in the file."""
    if type(name) is not str:
        raise SerializationError(f"names of attributes are str, got {type(name).__name__}: {shown(name)}")
    return "%68oldall" if name == NOTE else _IN_ATTRIBUTES.sub(_escape, name) or _NO_NAME


def original(name: str) -> str:
    """Return the key or attribute name of a name in the file."""
    return "" if name == _NO_NAME else _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), name)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"%{code:02x}" if code < 256 else f"%u{code:04x}"


def note_of(thing: Any) -> dict[str, Any]:
    """Return the note of an object of h5py."""
    if NOTE not in thing.attrs:
        return {}
    text = thing.attrs[NOTE]
    try:
        note = json.loads(text)
    except (TypeError, ValueError) as error:
        raise CorruptValueError(f"{thing.name}: attribute {NOTE!r} is no JSON: {shown(text)}") from error
    if not isinstance(note, dict):
        raise CorruptValueError(f"{thing.name}: attribute {NOTE!r} is no JSON object: {shown(text)}")
    return note
