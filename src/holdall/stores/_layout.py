"""JSON files of other programs keep their layout when their value changes."""

import re
from typing import Any

from holdall.abc import KeyedSerializer, Reader, Serializer
from holdall.serializers.json_ import JsonSerializer

__all__ = ["KeepingLayout"]

_SECOND_LINE = re.compile(rb"[\[{][ \r]*\n([ \t]+)")
_MAX_INDENT = 16


class KeepingLayout(KeyedSerializer[Any]):
    """A serializer that writes JSON with the indentation and the last line end of the existing data.

    Parameters
    ----------
    kept
        The serializer: that of JSON, or one that is chosen by the id.
    persister
        The persister with the files.
    """

    def __init__(self, kept: Serializer[Any], persister: Reader) -> None:
        self.kept = kept
        self.persister = persister
        self.name = kept.name
        self.suffix = kept.suffix
        self.stream_from = kept.stream_from

    def for_id(self, id: str) -> Serializer[Any]:  # docstring inherited
        found = self.kept.for_id(id) if isinstance(self.kept, KeyedSerializer) else self.kept
        if type(found) is JsonSerializer and found.indent is None:
            return _AsFound(found, self.persister, id)
        return found

    def __repr__(self) -> str:
        return repr(self.kept)


class _AsFound(Serializer[Any]):
    """The serializer of one JSON file."""

    def __init__(self, json: JsonSerializer, persister: Reader, id: str) -> None:
        self.json = json
        self.persister = persister
        self.id = id
        self.name = json.name
        self.suffix = json.suffix
        self.stream_from = json.stream_from

    def dumps(self, value: Any) -> bytes:
        try:
            old = bytes(self.persister[self.id])
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
