"""Compact formats of other languages: MessagePack, CBOR, and JSON by orjson."""

import codecs
import io
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from holdall.errors import InvalidArgumentError
from holdall.serializers._document import optional
from holdall.serializers._exact import ExactSerializer
from holdall.serializers.json_ import JsonEdits

__all__ = ["CborSerializer", "MsgpackSerializer", "OrjsonSerializer"]

_MAX_DEPTH = 400
_CONTAINERS = (Mapping, list, tuple, AbstractSet)


class MsgpackSerializer(ExactSerializer):
    r"""MessagePack: numbers, text, bytes, lists, dicts, times with a zone. Loading never runs code.

    Parameters
    ----------
    strict
        Whether to refuse what would come back different, such as tuples and subclasses. Otherwise tuples come
        back as lists.

    Raises
    ------
    UnsupportedError
        If msgpack is not installed: it comes with the extra ``holdall[msgpack]``.

    Examples
    --------
    >>> packed = MsgpackSerializer()
    >>> packed.dumps({"a": [1, b"x"]}), packed.loads(b"\x92\x01\xc0")
    (b'\x81\xa1a\x92\x01\xc4\x01x', [1, None])
    """

    name = "msgpack"
    suffix = ".msgpack"
    options = ("strict",)

    def __init__(self, *, strict: bool = True) -> None:
        optional("msgpack", "msgpack", "msgpack")
        self.strict = strict

    def _write(self, value: Any) -> bytes:
        return bytes(optional("msgpack", "msgpack", "msgpack").packb(value, datetime=True))

    def _read(self, data: bytes) -> Any:
        return optional("msgpack", "msgpack", "msgpack").unpackb(data, strict_map_key=False, timestamp=3)


class CborSerializer(ExactSerializer):
    r"""CBOR (RFC 8949) with all its types: times, sets, decimals, UUIDs. Loading never runs code.

    Parameters
    ----------
    strict
        Whether to refuse what would come back different.

    Raises
    ------
    UnsupportedError
        If cbor2 is not installed: it comes with the extra ``holdall[cbor]``.

    Examples
    --------
    >>> CborSerializer().dumps({"a": [1, b"x"]})
    b'\xa1aa\x82\x01Ax'
    """

    name = "cbor"
    suffix = ".cbor"
    options = ("strict",)

    def __init__(self, *, strict: bool = True) -> None:
        optional("cbor2", "cbor", "cbor")
        self.strict = strict

    def _write(self, value: Any) -> bytes:
        _check_depth(value)
        return bytes(optional("cbor2", "cbor", "cbor").dumps(value, date_as_datetime=False))

    def _read(self, data: bytes) -> Any:
        file = io.BytesIO(data)
        value = optional("cbor2", "cbor", "cbor").load(file)
        if file.read(1):
            raise ValueError("something follows the value")
        return value


class OrjsonSerializer(JsonEdits, ExactSerializer):
    """JSON, written and read by orjson, which is several times faster. Loading never runs code.

    The files are those of ``"json"``, except that integers have at most 64 bits.

    Parameters
    ----------
    strict
        Whether to refuse what would come back different. Otherwise times, UUIDs, dataclasses and NumPy's
        scalars come back as text, dicts and numbers, and NaN as None.
    indent
        2, or None for one line.

    Raises
    ------
    UnsupportedError
        If orjson is not installed: it comes with the extra ``holdall[orjson]``.

    Examples
    --------
    >>> OrjsonSerializer().dumps({"a": [1, None, "é"]}).decode()
    '{"a":[1,null,"é"]}'
    """

    name = "orjson"
    suffix = ".json"
    options = ("strict", "indent")

    def __init__(self, *, strict: bool = True, indent: int | None = None) -> None:
        optional("orjson", "orjson", "orjson")
        if indent not in (None, 2):
            raise InvalidArgumentError(f"orjson indents by 2 or not at all, got indent={indent!r}")
        self.strict = strict
        self.indent = indent

    def _write(self, value: Any) -> bytes:
        orjson = optional("orjson", "orjson", "orjson")
        how = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE if self.indent else 0
        if not self.strict:
            how |= orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
        return bytes(orjson.dumps(value, option=how))

    def _read(self, data: bytes) -> Any:
        return optional("orjson", "orjson", "orjson").loads(bytes(data).removeprefix(codecs.BOM_UTF8))


def _check_depth(value: Any) -> None:
    """Raise for nesting deeper than cbor2 reads; it ends the process where it writes far deeper."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [item for inner in level for item in _items(inner)]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {_MAX_DEPTH} levels")


def _items(value: Any) -> Iterable[Any]:
    """Return the items of a container that can be containers themselves."""
    if isinstance(value, Mapping):
        return [item for pair in value.items() for item in pair if isinstance(item, _CONTAINERS)]
    if isinstance(value, _CONTAINERS):
        return [item for item in value if isinstance(item, _CONTAINERS)]
    return ()
