"""JSON, strictly: a value that would not come back equal raises an error."""

import codecs
import json
import marshal
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from holdall._shown import shown
from holdall.errors import CorruptValueError, SerializationError
from holdall.serializers import OptionSerializer

if TYPE_CHECKING:
    from holdall.serializers._splice import Put

__all__ = ["JsonEdits", "JsonSerializer"]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


#: The types that JSON reads back.
_PLAIN = (int, float, str, list, dict)
_MARK = codecs.BOM_UTF8
_OLD = 2  # the last marshal version where equal values have equal dumps
_WHITE = str.maketrans("01", " \t")

_decoder = json.JSONDecoder(parse_constant=_no_constant)
_decode, _read_back = _decoder.decode, _decoder.raw_decode


class JsonEdits:
    """Changes of values in the text of a document, for serializers of JSON."""

    _edited: Any = None

    def prepare_edits(self) -> None:
        """Import what `edit` needs: imports fail while a process ends."""
        from holdall.serializers._json_text import edited_json  # noqa: PLC0415  (for documents only)

        self._edited = edited_json

    def edit(
        self,
        data: bytes,
        document: dict[str, Any],
        puts: "Sequence[Put]",
        drops: Sequence[Sequence[str]],
    ) -> bytes | None:
        """Change values in the text of a document, and nothing else; see `TomlSerializer.edit`."""
        if self._edited is None:
            self.prepare_edits()
        return self._edited(self, data, document, puts, drops)  # type: ignore[no-any-return]


class JsonSerializer(JsonEdits, OptionSerializer[Any]):
    """JSON in UTF-8, readable by anything. Loading never runs code.

    Parameters
    ----------
    strict
        Whether to refuse a value that would not come back equal, such as a tuple or a dict with keys that are
        not text. The value is read back for that, which about triples the cost of writing.
    indent
        Number of spaces, or the text, to indent by; None writes one line.
    sort_keys
        Whether dicts are written in the order of their keys.
    stream_from
        Size in bytes from which a store reads the value from the open file.

    Notes
    -----
    NaN and the infinities are always refused: they are not JSON. Lone surrogates are kept. Values of types
    derived from those of JSON, such as members of an ``IntEnum`` or an ``OrderedDict``, would come back as
    plain ones and are refused, unless `strict` is False. Reading removes a byte order mark at the beginning
    of a file, and takes UTF-16 and UTF-32 too, as `json.loads` does.

    Examples
    --------
    >>> serializer = JsonSerializer()
    >>> serializer.dumps({"a": [1, None, "é"]}).decode()
    '{"a": [1, null, "é"]}'
    >>> serializer.dumps({"a": (1, 2)})
    Traceback (most recent call last):
    ...
    holdall.errors.SerializationError: $.a: tuple would come back as list; ...
    """

    name = "json"
    suffix = ".json"
    options = ("strict", "indent", "sort_keys", "stream_from")

    def __init__(
        self,
        *,
        strict: bool = True,
        indent: int | str | None = None,
        sort_keys: bool = False,
        stream_from: int | None = None,
    ) -> None:
        self.strict = strict
        self.indent = indent
        self.sort_keys = sort_keys
        self.stream_from = stream_from
        same: dict[str, Any] = {"allow_nan": False, "indent": indent, "sort_keys": sort_keys}
        self._encoder = json.JSONEncoder(ensure_ascii=False, **same)
        self._ascii_encoder = json.JSONEncoder(**same)
        self._end = "" if indent is None else "\n"

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        equal = True
        try:
            text = self._encoder.encode(value) + self._end
            try:
                data = text.encode()
            except UnicodeEncodeError:  # lone surrogates need escapes
                text = self._ascii_encoder.encode(value) + self._end
                data = text.encode()
            if self.strict:
                back = _read_back(text)[0]
                equal = bool(back == value)
                # CPython's own dump of constants refuses types derived from those of JSON, or writes them as
                # something else. It checks them in C; a check of each part in Python would cost more than the
                # rest.
                if equal and self.sort_keys:
                    equal = len(marshal.dumps(value, _OLD)) == len(marshal.dumps(back, _OLD))
                elif equal:
                    equal = marshal.dumps(value, _OLD) == marshal.dumps(back, _OLD)
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            raise SerializationError(self._complaint(value, str(error) or type(error).__name__)) from error
        if not equal:
            raise SerializationError(
                self._complaint(value, f"{type(value).__name__} would come back different"),
            )
        return data

    def filler(self, nonce: bytes) -> bytes:  # docstring inherited
        # White space is not part of the value: a space or a tab for each bit.
        return f"{int.from_bytes(nonce):0{8 * len(nonce)}b}".translate(_WHITE).encode()

    def loads(self, data: bytes) -> Any:  # docstring inherited
        try:
            try:
                # The byte order mark is removed here: its codec cannot be imported while a process ends.
                return _decode(str(data[3:] if data[:3] == _MARK else data, "utf-8"))
            except ValueError:
                encoding = json.detect_encoding(bytes(data[:4]))
                if encoding.startswith("utf-8"):
                    raise
                return _decode(str(data, encoding))
        except (ValueError, RecursionError) as error:
            raise CorruptValueError(f"the data are not JSON: {error}") from error

    def _complaint(self, value: Any, otherwise: str) -> str:
        try:
            found = _offence(value, "$", self.strict, set())
        except Exception:  # too deep, or a value whose own methods fail
            found = None
        remedy = "convert it, or use serializer='pickle'"
        if self.strict:
            try:
                JsonSerializer(strict=False, sort_keys=self.sort_keys).dumps(value)
                remedy += " or JsonSerializer(strict=False)"
            except SerializationError:
                pass
        return f"{found or f'$: {otherwise}'}; {remedy}"


def _offence(value: Any, path: str, strict: bool, above: set[int]) -> str | None:
    """Return a description of the first part of a value that JSON cannot store, or None."""
    if value is None or isinstance(value, bool):
        return None
    if strict and type(value) not in _PLAIN and isinstance(value, int | float | str | list | dict):
        kind = next(plain for plain in _PLAIN if isinstance(value, plain))
        return f"{path}: {type(value).__name__} would come back as {kind.__name__}"
    if isinstance(value, int):
        try:
            int.__repr__(value)
        except ValueError as error:
            return f"{path}: {error}"
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{path}: {float(value)} is not JSON"
    if isinstance(value, str):
        return _paired(value, path) if strict else None
    if not isinstance(value, dict | list | tuple):
        return f"{path}: {type(value).__name__} is not a type of JSON"
    if id(value) in above:
        return f"{path}: {type(value).__name__} contains itself"
    if strict and isinstance(value, tuple):
        return f"{path}: {type(value).__name__} would come back as list"
    above.add(id(value))
    if isinstance(value, dict):
        for key, item in value.items():
            found = _key_offence(key, path, strict)
            found = found or _offence(item, path + _step(key), strict, above)
            if found:
                return found
    else:
        for index, item in enumerate(value):
            found = _offence(item, f"{path}[{index}]", strict, above)
            if found:
                return found
    above.discard(id(value))
    return None


def _key_offence(key: Any, path: str, strict: bool) -> str | None:
    if strict and isinstance(key, str) and type(key) is not str:
        return f"{path}: the key {shown(key)} is {type(key).__name__}, and would come back as str"
    if isinstance(key, str):
        return _paired(key, f"{path}{_step(key)}") if strict else None
    if strict or not (key is None or isinstance(key, int | float)):
        return f"{path}: the key {shown(key)} is {type(key).__name__}, keys of JSON are str"
    return _offence(key, path, strict, set())


def _paired(text: str, path: str) -> str | None:
    # JSON reads two adjacent escapes as one character, so it cannot keep them apart.
    if json.loads(json.dumps(text)) == text:
        return None
    return f"{path}: a pair of surrogates would come back as one character"


def _step(key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{json.dumps(key)}]" if isinstance(key, str) else f"[{shown(key)}]"
