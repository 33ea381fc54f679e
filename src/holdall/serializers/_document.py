"""The base of formats of whole documents: text that is read back before it is stored."""

import codecs
import copy
import math
from abc import abstractmethod
from importlib import import_module
from typing import Any

from holdall._options import not_imported
from holdall.abc import Serializer
from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError, UnsupportedError
from holdall.serializers import OptionSerializer

__all__ = [
    "DocumentSerializer",
    "check_bound",
    "decoded",
    "encoded",
    "if_encoded_otherwise",
    "if_not_strict",
    "mark_and_encoding",
    "optional",
    "same",
]

# Programs put it at the beginning of files in UTF-8. It is not part of the text.
_MARK = "\ufeff"
# UTF-32 first, as its mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def optional(module: str, name: str, extra: str) -> Any:
    """Import a package that may not be installed.

    Parameters
    ----------
    module
        The name of the module.
    name
        The name of the serializer that needs it.
    extra
        The extra of holdall that installs it.

    Raises
    ------
    UnsupportedError
        If it is not installed, or lacks something of its own.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise not_imported(f"serializer {name!r}", error, extra) from error


def check_bound(name: str, bound: int | None) -> int | None:
    """Return a limit for reading; raise `InvalidArgumentError` if it is invalid."""
    if bound is not None and (type(bound) is not int or bound < 1):
        raise InvalidArgumentError(f"{name} must be 1 or more, or None for no bound, got {bound!r}")
    return bound


def encoded(text: str, encoding: str, errors: str = "strict") -> bytes:
    """Encode text so that `decoded` returns it even if it begins with a byte order mark."""
    if text.startswith(_MARK) and _is_utf8(encoding):
        text = _MARK + text
    return str.encode(text, encoding, errors)


def decoded(data: bytes, encoding: str, errors: str = "strict") -> str:
    """Decode the text of a file, without a byte order mark at its beginning."""
    text = str(data, encoding, errors)
    return text.removeprefix(_MARK) if text.startswith(_MARK) and _is_utf8(encoding) else text


def _is_utf8(encoding: str) -> bool:
    # Other encodings have codecs that handle a mark, as "utf-8-sig" and "utf-16", or know none.
    return codecs.lookup(encoding).name == "utf-8"


def mark_and_encoding(data: bytes) -> tuple[bytes, str]:
    """Return the byte order mark of data, which may be empty, and the encoding that it stands for."""
    for mark, encoding in _MARKS.items():
        if data[: len(mark)] == mark:
            return mark, encoding
    return b"", "utf-8"


def if_encoded_otherwise(serializer: Any, error: Exception) -> str:
    """Recommend another encoding for data that are no text in that of a serializer which takes others."""
    if not isinstance(error, UnicodeError) or "encoding" not in getattr(serializer, "options", ()):
        return ""
    return (
        f"; if they have another encoding, such as 'cp1252', give {type(serializer).__name__}(encoding=...)"
    )


def if_not_strict(serializer: Serializer[Any], value: Any) -> str:
    """Recommend ``strict=False`` for a value that was refused, if it could be stored then."""
    loose: Any = copy.copy(serializer)
    if not loose.strict or "strict" not in loose.options:
        return ""
    loose.strict = False
    try:
        loose.dumps(value)
    except Exception:
        return ""
    return f"{type(serializer).__name__}(strict=False), or "


def same(written: Any, read: Any) -> bool:
    """Return whether values are equal, with any two NaN equal."""
    if read == written:
        return True
    if isinstance(written, float) and isinstance(read, float):
        return math.isnan(written) and math.isnan(read)
    if isinstance(written, dict) and isinstance(read, dict):
        return written.keys() == read.keys() and all(same(written[name], read[name]) for name in written)
    if isinstance(written, list) and isinstance(read, list):
        return len(written) == len(read) and all(map(same, written, read))
    return False


class DocumentSerializer(OptionSerializer[Any]):
    """Text in some format, written and read as a whole; subclasses define `_write` and `_read`.

    What is written is read back, and refused if it cannot be read, or if it is not equal and ``strict``.
    """

    strict: bool = True
    encoding: str = "utf-8"

    @abstractmethod
    def _write(self, value: Any) -> str:
        """Return the text of a value."""

    @abstractmethod
    def _read(self, text: str) -> Any:
        """Return the value of a text."""

    def _decoded(self, data: bytes) -> str:
        return decoded(data, self.encoding)

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        try:
            text = self._write(value)
            data = encoded(text, self.encoding)
            read = self._read(self._decoded(data))
            equal = not self.strict or self._equal(value, read)
        except Exception as error:
            if isinstance(error, MemoryError | UnsupportedError):
                raise
            raise SerializationError(self._complaint(value, str(error) or type(error).__name__)) from error
        if not equal:
            raise SerializationError(
                self._complaint(value, f"{self._unlike(value)} would come back different")
            )
        return data

    def _equal(self, written: Any, read: Any) -> bool:
        return same(written, read)

    def _unlike(self, value: Any) -> str:
        return f"this {type(value).__name__}"

    def _complaint(self, value: Any, what: str) -> str:
        remedy = f"convert it, or use {if_not_strict(self, value)}another serializer"
        return f"serializer {self.name!r}: {what}; {remedy}"

    def loads(self, data: bytes) -> Any:  # docstring inherited
        try:
            return self._read(self._decoded(data))
        except Exception as error:
            if isinstance(error, MemoryError | UnsupportedError):
                raise
            hint = if_encoded_otherwise(self, error)
            raise CorruptValueError(f"the data are not {self.name.upper()}: {error}{hint}") from error
