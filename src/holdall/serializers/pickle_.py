"""Pickle: any Python object, with large buffers written and read without a copy."""

import io
import pickle
from struct import Struct
from typing import Any, BinaryIO, NoReturn

from holdall.abc import Data
from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError
from holdall.serializers import OptionSerializer

__all__ = ["FILLER", "FILLER_SIZE", "LARGE", "MAP_END", "MAP_START", "PickleSerializer", "Pieces"]

#: From this size on the pickler passes a buffer on instead of copying it into a frame.
LARGE = 1 << 16
_LARGE_TYPES = frozenset({bytes, bytearray, str})

#: The start of what is written after a pickle to make it differ from the last one; random bytes follow.
FILLER = b"\n# holdall "
#: With eight bytes in hex, for object stores.
FILLER_SIZE = len(FILLER) + 16
#: The start and end of the map between a pickle and its filler, by which its buffers are mapped into memory.
MAP_START, MAP_END = b"\n# holdall map\n", b"\n#mapped"

# A pickle of protocol 4 or 5 starts with PROTO n FRAME and the length of the frame in 8 bytes.
_FRAME_START = 11
_frame_length = Struct("<Q").unpack_from

_dumps = pickle.dumps
_loads = pickle.loads


class PickleSerializer(OptionSerializer[Any]):
    """Any Python object. Loading can run code that the data name: load only what you trust.

    Parameters
    ----------
    protocol
        Version of the pickle format; from 5 on, large buffers are not copied.
    stream_from
        Size in bytes from which a store reads the value from the open file.

    Notes
    -----
    The data are plain pickles: ``pickle.load`` reads them anywhere. Writable arrays come back writable.
    Threads: stateless.

    Examples
    --------
    >>> serializer = PickleSerializer()
    >>> serializer.loads(serializer.dumps({1: {2, 3}}))
    {1: {2, 3}}
    """

    name = "pickle"
    suffix = ".pkl"
    executes_code = True
    options = ("protocol", "stream_from")
    stream_from: int | None = 1 << 20

    def __init__(self, protocol: int = 5, stream_from: int | None = 1 << 20) -> None:
        if protocol not in range(pickle.HIGHEST_PROTOCOL + 1):
            raise InvalidArgumentError(
                f"protocol is a number from 0 to {pickle.HIGHEST_PROTOCOL}, got {protocol!r}",
            )
        self.protocol = protocol
        self.stream_from = stream_from

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        try:
            return _dumps(value, self.protocol)
        except Exception as error:
            _refuse(value, error)

    def parts(self, value: Any) -> Data:  # docstring inherited
        protocol = self.protocol
        if protocol < 5:
            return self.dumps(value)
        if type(value) in _LARGE_TYPES and len(value) >= LARGE:
            return self._pieces(value)
        try:
            return _dumps(value, protocol, buffer_callback=_keep_small)
        except _LargeBufferError:
            return self._pieces(value)
        except Exception as error:
            _refuse(value, error)

    def _pieces(self, value: Any) -> Data:
        pieces = Pieces()
        try:
            pickle.Pickler(pieces, self.protocol).dump(value)
        except Exception as error:
            _refuse(value, error)
        return pieces.parts

    def filler(self, nonce: bytes) -> bytes:  # docstring inherited
        # No unpickler reads beyond the STOP of a pickle.
        return FILLER + nonce.hex().encode()

    def loads(self, data: bytes) -> Any:  # docstring inherited
        # Nearly every value fits into one frame, whose length is known, or is so small that it has no frame
        # but only one STOP, a full stop. Then nothing can follow it. For the others the unpickler shows where
        # it stopped, which takes three times as long.
        size = len(data)
        if size > _FRAME_START:
            end = _FRAME_START + _frame_length(data, 3)[0]
            if end == size or (end + FILLER_SIZE == size and data.startswith(FILLER, end)):
                return _loads(data)
        elif type(data) is bytes and data.find(b".") == size - 1:
            return _loads(data)
        return _load_to_end(io.BytesIO(data))

    def load(self, file: BinaryIO) -> Any:  # docstring inherited
        if isinstance(file, io.BufferedIOBase):
            return _load_to_end(file)
        # Raw reads may be short (at 2 GiB at the latest). A buffered reader continues until all is read, and
        # reads parts larger than its buffer directly into the value.
        raw = file if isinstance(file, io.RawIOBase) else _Raw(file)
        buffered = io.BufferedReader(raw)
        try:
            return _load_to_end(buffered)
        finally:
            buffered.detach()  # otherwise it would close the caller's file


class _LargeBufferError(Exception):
    """Raised when pickling is about to copy a large buffer."""


def _keep_small(buffer: pickle.PickleBuffer) -> bool:
    if buffer.raw().nbytes >= LARGE:
        raise _LargeBufferError
    return True  # in band


class Pieces:
    """A file for the pickler that keeps what is written, large buffers without a copy."""

    def __init__(self) -> None:
        self.parts: list[bytes | bytearray | memoryview] = []

    def write(self, chunk: Any) -> int:
        """Take what the pickler writes."""
        if type(chunk) is not bytes:
            chunk = pickle.PickleBuffer(chunk).raw()
            if chunk.nbytes < LARGE:  # may be a view of memory that the pickler reuses
                chunk = bytes(chunk)
        self.parts.append(chunk)
        return len(chunk)


class _Raw(io.RawIOBase):
    """Any object with ``readinto`` as a raw file."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer) or 0


def _load_to_end(file: Any) -> Any:
    value = pickle.Unpickler(file).load()
    rest = file.read(1)
    if rest and not _is_ours(rest + file.read()):
        raise CorruptValueError("the data go on after the end of the pickle")
    return value


def _is_ours(rest: bytes) -> bool:
    """Return whether what follows a pickle is filler, perhaps with a map before it."""
    filler, before = rest[-FILLER_SIZE:], rest[:-FILLER_SIZE]
    if not filler.startswith(FILLER) or len(filler) != FILLER_SIZE:
        return False
    return not before or (before.startswith(MAP_START) and before.endswith(MAP_END))


def _refuse(value: Any, error: Exception) -> NoReturn:
    if isinstance(error, MemoryError | OSError):  # not the value's fault
        raise error
    raise SerializationError(
        f"a value of type {type(value).__qualname__} cannot be pickled: {str(error) or type(error).__name__}",
    ) from error
