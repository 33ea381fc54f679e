"""Whether what was read back is what was written, types and all."""

import math
import struct
from abc import abstractmethod
from typing import Any

from holdall.errors import CorruptValueError, SerializationError, UnsupportedError
from holdall.serializers import OptionSerializer
from holdall.serializers._document import if_not_strict

__all__ = ["ExactSerializer", "alike"]

_PASSED_ON = (MemoryError, UnsupportedError)


def alike(one: Any, other: Any) -> bool:
    """Tell whether two values are equal, of the same types all the way down, NaN and -0.0 included.

    Dicts count as different where their order differs.
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
    """A binary format that is read back before it counts as written; give `_write` and `_read`."""

    strict: bool = True

    @abstractmethod
    def _write(self, value: Any) -> bytes:
        """Turn a value into data."""

    @abstractmethod
    def _read(self, data: bytes) -> Any:
        """Turn data into a value."""

    def _equal(self, written: Any, read: Any) -> bool:
        return alike(written, read)

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        try:
            data = self._write(value)
            # What nobody can read is never stored, not even if it need not be the same.
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
        except _PASSED_ON:
            raise
        except Exception as error:
            raise CorruptValueError(f"the data are not {self.name}: {error}") from error
