"""Results as pickles that contain what computing them cost, and whose arrays can be mapped into memory.

The data are plain pickles, which any unpickler reads. Unpicklers ignore what follows the end of a pickle.
There we write the seconds, and before them, where results are mapped, a second pickle of the same value that
refers to the large buffers in the first one. From the second pickle and a map of the file, the value is made
without reading the buffers. Operations that do nothing are put before the buffers to align them.
"""

import io
import pickle
import struct
import sys
import threading
from functools import partial
from typing import Any, BinaryIO

from holdall._options import MmapMode
from holdall.abc import Data
from holdall.errors import InvalidArgumentError
from holdall.serializers._maps import mapped_file
from holdall.serializers.pickle_ import (
    FILLER,
    FILLER_SIZE,
    LARGE,
    MAP_END,
    MAP_START,
    PickleSerializer,
    Pieces,
)

__all__ = ["ResultPickles", "noted", "seconds_of", "with_result_pickles"]

_COST_SIZE = FILLER_SIZE - len(FILLER)
_LENGTH = struct.Struct("<Q")
_ALIGNED = 64  # bytes
_HEADER = 9  # bytes before a large buffer: the operation and the length
_MOST_TWICE = 1 << 20  # bytes of a pickle, less its large buffers, above which it is not written twice
_END_SIZE = _LENGTH.size + len(MAP_END) + FILLER_SIZE


class _Noted(threading.local):
    """How many seconds computing took, passed between a serializer and its caller, beside the value."""

    #: Of the value that is being written; None if it was not measured.
    to_write: float | None = None
    #: Of the value that was read last; None if its data do not contain it.
    read: float | None = None


noted = _Noted()


def seconds_of(end: bytes) -> float | None:
    """Return the seconds at the end of data; None if there are none."""
    if end[-1:] != b"s":  # as in "# holdall      0.00125s": other filler is hexadecimal
        return None
    try:
        return float(end[-_COST_SIZE:-1])
    except ValueError:
        return None


class ResultPickles(PickleSerializer):
    """Any Python object, with the seconds in `noted`.

    Parameters
    ----------
    mmap_mode
        ``"r"`` maps large arrays into memory read-only instead of reading them, ``"c"`` copy-on-write, where
        the store keeps values in files; None reads them.
    """

    options = ("mmap_mode", "stream_from")

    def __init__(self, mmap_mode: MmapMode | None = None) -> None:
        super().__init__()
        self.mmap_mode = mmap_mode
        if mmap_mode is not None:
            self.stream_from = LARGE

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        return super().dumps(value) + self._cost()

    def parts(self, value: Any) -> Data:  # docstring inherited
        data: Any = super().parts(value)
        if type(data) is bytes:
            return data + self._cost()
        mapped = data[-1][-len(MAP_END) :] == MAP_END
        return [*data, self._cost() or (self.filler(bytes(8)) if mapped else b"")]

    def _cost(self) -> bytes:
        seconds = noted.to_write
        return b"" if seconds is None else b"%b%15.8gs" % (FILLER, seconds)

    def _pieces(self, value: Any) -> Data:
        pieces = None if self.mmap_mode is None else _with_map(value)
        return super()._pieces(value) if pieces is None else pieces

    def loads(self, data: bytes) -> Any:  # docstring inherited
        if data[-FILLER_SIZE:-_COST_SIZE] != FILLER:
            return super().loads(data)
        noted.read = seconds_of(data[-_COST_SIZE:])
        return pickle.loads(data)  # complete, since its end was written; what follows the pickle is ignored

    def load(self, file: BinaryIO) -> Any:  # docstring inherited
        try:
            start = file.tell()
            size = file.seek(0, io.SEEK_END)
            file.seek(max(start, size - _END_SIZE))
            end = file.read(_END_SIZE)
            file.seek(start)
        except (AttributeError, OSError):  # a stream
            return super().load(file)
        if self.mmap_mode is not None and end[_LENGTH.size : -FILLER_SIZE] == MAP_END and not start:
            found = mapped_file(file, self.mmap_mode)
            if found is not None:
                value = _over(found, size, self.mmap_mode)
                noted.read = seconds_of(end)
                return value
        value = super().load(file)
        noted.read = seconds_of(end)
        return value


# ---------------------------------------------------------------------- writing for maps


class _AlignedPieces(Pieces):
    """A file for the pickler that aligns large buffers and records where they are."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.buffers: list[tuple[int, int]] = []  # where each begins, and how long it is
        self._is_next = False

    def note(self, buffer: pickle.PickleBuffer) -> bool:
        """Expect a buffer in the next write."""
        self._is_next = _is_large(buffer)
        return True

    def write(self, chunk: Any) -> int:
        if self._is_next and type(chunk) is not bytes:
            self._is_next = False
            head: Any = self.parts.pop()
            padding = -self.size % _ALIGNED
            if padding == 1:  # there is no operation of one byte that does nothing
                padding += _ALIGNED
            self.parts.append(head[:-_HEADER] + _nothing(padding) + head[-_HEADER:])
            self.size += padding
            self.buffers.append((self.size, pickle.PickleBuffer(chunk).raw().nbytes))
        written = super().write(chunk)
        self.size += written
        return written


def _is_large(buffer: pickle.PickleBuffer) -> bool:
    return buffer.raw().nbytes >= LARGE


def _nothing(size: int) -> bytes:
    """Return operations that do nothing: push None, or a byte, and pop it."""
    return b"K\x000" + b"N0" * ((size - 3) // 2) if size % 2 else b"N0" * (size // 2)


def _with_map(value: Any) -> list[Any] | None:
    """Return pieces of a pickle with a map; None if there is nothing to map, or it would be too long."""
    pieces = _AlignedPieces()
    try:
        pickle.Pickler(pieces, 5, buffer_callback=pieces.note).dump(value)
    except Exception:
        return None  # pickling without a map will raise it
    sizes = [size for _, size in pieces.buffers]
    if not sizes or pieces.size - sum(sizes) > _MOST_TWICE:
        return None
    apart: list[pickle.PickleBuffer] = []

    def take(buffer: pickle.PickleBuffer) -> bool:
        if _is_large(buffer):
            apart.append(buffer)
            return False
        return True

    rest = pickle.dumps(value, 5, buffer_callback=take)
    if [buffer.raw().nbytes for buffer in apart] != sizes:  # pickled differently from the first time
        return None
    index = pickle.dumps((pieces.buffers, rest), 5)
    return [*pieces.parts, MAP_START + index + _LENGTH.pack(len(index)) + MAP_END]


# ---------------------------------------------------------------------- reading by maps


def _over(source: Any, size: int, mode: str) -> Any:
    """Return the value over a mapped file."""
    view = memoryview(source)
    end = size - _END_SIZE
    (length,) = _LENGTH.unpack(view[end : end + _LENGTH.size])
    buffers, rest = pickle.loads(view[end - length : end])
    value = pickle.loads(rest, buffers=[view[start : start + long] for start, long in buffers])
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        return value

    def named(part: Any) -> Any:
        if type(part) is not numpy.ndarray or part.flags.owndata:
            return part
        array = part.view(numpy.memmap)
        array._mmap, array.mode = source, mode  # noqa: SLF001  (as numpy does itself)
        return array

    if type(value) is dict:
        value.update({key: named(part) for key, part in value.items()})
        return value
    if type(value) in {list, tuple}:
        return type(value)(map(named, value))
    return named(value)


# ---------------------------------------------------------------------- in stores


def with_result_pickles(view: Any, mmap_mode: MmapMode | None) -> Any:
    """Return a part of a store whose pickles contain what results cost, and are mapped on request.

    Raises
    ------
    InvalidArgumentError
        If results are to be mapped, and their format is neither pickle nor npy.
    """
    serializer = view.pipeline.serializer
    if serializer == PickleSerializer(stream_from=getattr(serializer, "stream_from", None)):
        return view.derive(partial(_serialized, serializer=ResultPickles(mmap_mode)), name="results")
    if mmap_mode is None:
        return view
    name = getattr(serializer, "name", None)
    if name != "npy":
        raise InvalidArgumentError(
            f"mmap_mode= maps arrays from files of pickles or npy, and this store has serializer={name!r}"
        )
    from holdall.serializers.npy import NpySerializer  # noqa: PLC0415  (needs numpy)

    mapping = NpySerializer(allow_pickle=serializer.allow_pickle, mmap_mode=mmap_mode)
    return view.derive(partial(_serialized, serializer=mapping), name="results")


def _serialized(store: Any, serializer: Any) -> Any:
    return store.pipeline._replace(serializer=serializer)
