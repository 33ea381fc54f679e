"""Whether a value was read back as it was written, with its types."""

import math
import struct
from abc import abstractmethod
from typing import Any

from holdall.errors import CorruptValueError, SerializationError, UnsupportedError
from holdall.serializers import OptionSerializer
from holdall.serializers._document import if_encoded_otherwise, if_not_strict

__all__ = ["ExactSerializer", "alike"]

_PASSED_ON = (MemoryError, UnsupportedError)
# Bytes of data that no memory is too small for: if one is, they claim more than they hold.
_SMALL = 1 << 20


def alike(one: Any, other: Any) -> bool:
    """Return whether two values are equal, with the same types at all levels, NaN and -0.0 included.

    Dicts with another order are different.
    """
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict):
        return alike(list(one.items()), list(other.items()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, set | frozenset):
        return bool(one == other) and {*map(type, one)} == {*map(type, other)}
    return bool(one == other)


class ExactSerializer(OptionSerializer[Any]):
    """A binary format that is read back before it is stored; subclasses define `_write` and `_read`."""

    strict: bool = True

    @abstractmethod
    def _write(self, value: Any) -> bytes:
        """Return the data of a value."""

    @abstractmethod
    def _read(self, data: bytes) -> Any:
        """Return the value of data."""

    def _equal(self, written: Any, read: Any) -> bool:
        return alike(written, read)

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        try:
            data = self._write(value)
            # Unreadable data are never stored, not even if the value need not come back equal.
            read = self._read(data)
            same = not self.strict or self._equal(value, read)
        except _PASSED_ON:
            raise
        except Exception as error:
            raise SerializationError(
                f"serializer {self.name!r} cannot write this {type(value).__name__}: "
                f"{str(error) or type(error).__name__}; convert it, or use another serializer",
            ) from error
        if not same:
            raise SerializationError(
                f"serializer {self.name!r}: this {type(value).__name__} would come back different; "
                f"convert it, or use {if_not_strict(self, value)}another serializer",
            )
        return data

    def loads(self, data: bytes) -> Any:  # docstring inherited
        try:
            return self._read(data)
        except _PASSED_ON as error:
            if isinstance(error, MemoryError) and len(data) <= _SMALL:
                raise CorruptValueError(
                    f"the data are not {self.name}: {len(data)} bytes claim more than the memory: {error}"
                ) from error
            raise
        except Exception as error:
            hint = if_encoded_otherwise(self, error)
            raise CorruptValueError(f"the data are not {self.name}: {error}{hint}") from error
