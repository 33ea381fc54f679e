"""What the formats of whole documents share: text that is read back before it counts as written."""

from abc import abstractmethod
from importlib import import_module
from typing import Any

from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError, UnsupportedError
from holdall.serializers import OptionSerializer

__all__ = ["DocumentSerializer", "check_bound", "optional"]


def optional(module: str, name: str, extra: str) -> Any:
    """Import a package that not everybody has.

    Parameters
    ----------
    module
        Name of the module.
    name
        Of the serializer that needs it.
    extra
        The extra of holdall that brings it.

    Raises
    ------
    UnsupportedError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UnsupportedError(
            f'serializer {name!r} needs {module}, which is not installed: pip install "holdall[{extra}]"',
        ) from error


def check_bound(name: str, bound: int | None) -> int | None:
    """Return the bound of what is read; raise `InvalidArgumentError` if it is none."""
    if bound is not None and (type(bound) is not int or bound < 1):
        raise InvalidArgumentError(f"{name} must be 1 or more, or None for no bound, got {bound!r}")
    return bound


class DocumentSerializer(OptionSerializer[Any]):
    """Text in some format, written and read as a whole; give `_write` and `_read`.

    Unless ``strict`` is False, what is written is read back, and refused if it is not equal.
    """

    strict: bool = True
    encoding: str = "utf-8"

    @abstractmethod
    def _write(self, value: Any) -> str:
        """Turn a value into text."""

    @abstractmethod
    def _read(self, text: str) -> Any:
        """Turn text into a value."""

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        try:
            text = self._write(value)
            data = text.encode(self.encoding)
            same = not self.strict or bool(self._read(data.decode(self.encoding)) == value)
        except Exception as error:
            if isinstance(error, MemoryError | UnsupportedError):
                raise
            raise SerializationError(self._complaint(str(error) or type(error).__name__)) from error
        if not same:
            raise SerializationError(self._complaint(f"{self._unlike(value)} would come back different"))
        return data

    def _unlike(self, value: Any) -> str:
        return f"this {type(value).__name__}"

    def _complaint(self, what: str) -> str:
        remedy = (
            f", or {type(self).__name__}(strict=False)" if self.strict and "strict" in self.options else ""
        )
        return f"serializer {self.name!r}: {what}; convert it{remedy}, or use another serializer"

    def loads(self, data: bytes) -> Any:  # docstring inherited
        try:
            return self._read(str(data, self.encoding))
        except Exception as error:
            if isinstance(error, MemoryError | UnsupportedError):
                raise
            raise CorruptValueError(f"the data are not {self.name.upper()}: {error}") from error
