"""JSON files of others keep their layout when they get another value."""

import re
from typing import Any

from holdall.abc import KeyedSerializer, Reader, Serializer
from holdall.serializers.json_ import JsonSerializer

__all__ = ["KeepingLayout"]

_SECOND_LINE = re.compile(rb"[\[{][ \r]*\n([ \t]+)")
_MAX_INDENT = 16


class KeepingLayout(KeyedSerializer[Any]):
    """A serializer that writes JSON with the indentation and the last line end of what lies there.

    Parameters
    ----------
    kept
        The serializer: that of JSON, or one that chooses it by the id.
    place
        Where the files lie.
    """

    def __init__(self, kept: Serializer[Any], place: Reader) -> None:
        self.kept = kept
        self.place = place
        self.name = kept.name
        self.suffix = kept.suffix
        self.stream_from = kept.stream_from

    def for_id(self, id: str) -> Serializer[Any]:  # docstring inherited
        found = self.kept.for_id(id) if isinstance(self.kept, KeyedSerializer) else self.kept
        if type(found) is JsonSerializer and found.indent is None:
            return _AsFound(found, self.place, id)
        return found

    def __repr__(self) -> str:
        return repr(self.kept)


class _AsFound(Serializer[Any]):
    """The serializer of one file of JSON."""

    def __init__(self, json: JsonSerializer, place: Reader, id: str) -> None:
        self.json = json
        self.place = place
        self.id = id
        self.name = json.name
        self.suffix = json.suffix
        self.stream_from = json.stream_from

    def dumps(self, value: Any) -> bytes:
        try:
            old = bytes(self.place[self.id])
        except KeyError:
            return self.json.dumps(value)
        lines = _SECOND_LINE.match(old)
        end = b"\n" if old.endswith(b"\n") else b""
        if lines is None or len(lines[1]) > _MAX_INDENT:
            return self.json.dumps(value) + end
        same = {"strict": self.json.strict, "sort_keys": self.json.sort_keys}
        return JsonSerializer(indent=lines[1].decode(), **same).dumps(value).rstrip(b"\n") + end

    def loads(self, data: bytes) -> Any:
        return self.json.loads(data)
