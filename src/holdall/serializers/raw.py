"""Bytes, as they are."""

from typing import Any

from holdall.abc import Data
from holdall.errors import SerializationError
from holdall.serializers import OptionSerializer

__all__ = ["BytesSerializer"]

# Below this size a copy costs less than avoiding it.
_LARGE = 1 << 16


class BytesSerializer(OptionSerializer[Any]):
    r"""Bytes, as they are: the data are the value. Loading never runs code.

    ``bytearray`` and ``memoryview`` are accepted and come back as ``bytes``.

    Examples
    --------
    >>> BytesSerializer().dumps(bytearray(b"\x00\x01"))
    b'\x00\x01'
    """

    name = "bytes"
    suffix = ".bin"

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        if type(value) is bytes:
            return value
        if not isinstance(value, bytes | bytearray | memoryview):
            raise SerializationError(
                f"serializer 'bytes' keeps bytes, bytearray and memoryview, got {type(value).__name__}: "
                "convert it, or use serializer='pickle'",
            )
        return memoryview(value).tobytes()

    def parts(self, value: Any) -> Data:  # docstring inherited
        if type(value) is bytes:
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            view = memoryview(value)
            if view.nbytes >= _LARGE and view.c_contiguous:
                return [view.cast("B")]
        return self.dumps(value)

    # The type itself, so that no Python call is made between the persister and the value.
    loads = staticmethod(bytes)  # type: ignore[assignment]
