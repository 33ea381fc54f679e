"""One line of ASCII: JSON where that is exact, else a pickle in base64."""

import json
import math
from binascii import a2b_base64, b2a_base64
from typing import Any

from holdall.errors import CorruptValueError, SerializationError
from holdall.serializers import OptionSerializer
from holdall.serializers.json_ import JsonSerializer
from holdall.serializers.pickle_ import PickleSerializer

__all__ = ["LineSerializer"]

_PICKLE = b"pickle "
_encode = json.JSONEncoder(allow_nan=False).encode
_encode_text = json.encoder.encode_basestring_ascii
_json = JsonSerializer()
_pickle = PickleSerializer()
_ATOMS = frozenset({int, bool, type(None)})


class LineSerializer(OptionSerializer[Any]):
    """One line of ASCII, suitable for a comment: readable JSON if it represents the value exactly.

    That is, if the value consists of ``dict`` with ``str`` keys, ``list``, ``str``, ``int``, ``float``,
    ``bool`` and ``None``, and not of subclasses of these. A date or a datetime is written as that word and
    ISO 8601, if that is exact: without a time zone, or with an offset. All else is ``pickle`` and a pickle in
    base64.

    Parameters
    ----------
    pickles
        Whether to read and write pickles. Otherwise, values that JSON cannot represent exactly are refused,
        and loading never runs code.

    Notes
    -----
    Threads: stateless. A list that occurs twice in a JSON value comes back as two lists.

    Examples
    --------
    >>> serializer = LineSerializer()
    >>> serializer.dumps({"name": "x", "n": [1, 2.5, None]})
    b'{"name": "x", "n": [1, 2.5, null]}'
    >>> serializer.dumps((1, 2))[:10], serializer.loads(serializer.dumps((1, 2)))
    (b'pickle gAW', (1, 2))
    >>> from datetime import datetime
    >>> serializer.dumps(datetime(2026, 1, 2, 3, 4))
    b'datetime 2026-01-02T03:04:00'
    """

    name = "line"
    suffix = ".line"
    executes_code = True
    options = ("pickles",)

    def __init__(self, *, pickles: bool = True) -> None:
        self.pickles = pickles
        self.executes_code = pickles

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        try:
            if type(value) is int:  # a common case: counters
                return b"%d" % value
            if _is_exact(value):
                text = _encode_text(value) if type(value) is str else _encode(value)
                # Three quotes in a row would end a string, where others look for strings.
                return (text.replace("'''", "'\\u0027'") if "'''" in text else text).encode()
            if type(value).__module__ == "datetime" and (line := _date_text(value)):
                return line
        except (ValueError, RecursionError):
            pass  # too many digits or too deep: pickle may work
        if not self.pickles:
            return self._refuse(value)
        return _PICKLE + b2a_base64(_pickle.dumps(value), newline=False)

    parts = dumps

    def _refuse(self, value: Any) -> bytes:
        _json.dumps(value)  # raises what is wrong
        raise SerializationError(
            f"{type(value).__name__} would come back as something else: use LineSerializer(pickles=True)"
        )

    def loads(self, data: bytes) -> Any:  # docstring inherited
        if not data.startswith(_PICKLE):
            return _date_of(bytes(data)) if data.startswith(b"date") else _json.loads(data)
        if not self.pickles:
            raise SerializationError(
                "the value is a pickle: use LineSerializer(pickles=True) if you trust it"
            )
        try:
            raw = a2b_base64(bytes(data[len(_PICKLE) :]), strict_mode=True)
        except ValueError as error:
            raise CorruptValueError(f"the pickle is no base64: {error}") from error
        return _pickle.loads(raw)


def _date_text(value: Any) -> bytes | None:
    """Return a date or datetime as text; None for other types, or if it would not come back equal."""
    from datetime import date, datetime  # noqa: PLC0415  (rarely needed)

    if type(value) not in {date, datetime}:
        return None
    text = value.isoformat()
    again = type(value).fromisoformat(text)
    if type(value) is datetime:
        # Equal moments may differ in zone, and a repeated hour has the same text both times.
        same = repr(again.tzinfo) == repr(value.tzinfo) and again.fold == value.fold
    else:
        same = True
    return f"{type(value).__name__} {text}".encode() if same and again == value else None


def _date_of(data: bytes) -> Any:
    from datetime import date, datetime  # noqa: PLC0415

    by_name: dict[bytes, Any] = {b"date": date, b"datetime": datetime}
    kind, _, text = data.partition(b" ")
    try:
        return by_name[kind].fromisoformat(text.decode("ascii"))
    except (KeyError, ValueError) as error:
        raise CorruptValueError(f"{data[:80]!r} is no date or datetime: {error}") from error


def _is_exact(value: Any) -> bool:
    """Return whether a value comes back from JSON exactly, with the type of each part."""
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is str:
        return value.isascii() or _is_unicode(value)
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(map(_is_exact, value))
    if kind is dict:
        return all(type(key) is str and _is_exact(key) for key in value) and all(
            map(_is_exact, value.values())
        )
    return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # two adjacent surrogates come back as one character
        return False
    return True
