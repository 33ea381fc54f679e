"""Data to be sent: in one or several pieces, and made different although their values are equal."""

import io
import os
from typing import Any, BinaryIO, TypeVar

from holdall.abc import Data, KeyedSerializer, Serializer

__all__ = [
    "Pieces",
    "UniqueBytes",
    "UniqueSerializer",
    "as_given",
    "buffers",
    "is_unique",
    "unique",
]

V = TypeVar("V")

_NONCE = 8  # bytes: enough for the states of one object, which are few
_SMALL = 1 << 20  # bytes below which pieces are joined


class UniqueBytes(bytes):
    """Data, or their last piece, that no other write of this store equals."""


def is_unique(data: Any) -> bool:
    """Return whether no other write of this store has equal data, so that etags never come back."""
    return type(data) is UniqueBytes or (type(data) is list and bool(data) and type(data[-1]) is UniqueBytes)


def buffers(data: Any) -> tuple[list[memoryview], int]:
    """Return the pieces of data, and their total size; raise TypeError if one is not a buffer."""
    pieces = data if type(data) is list else [data]
    views = [memoryview(piece).cast("B") for piece in pieces]
    return views, sum(view.nbytes for view in views)


class Pieces(io.RawIOBase):
    """A file over buffers, from one offset to another, without a copy.

    Parameters
    ----------
    views
        The buffers.
    start, stop
        The first offset, and the end, in their bytes.
    """

    def __init__(self, views: list[memoryview], start: int, stop: int) -> None:
        super().__init__()
        self.views: list[memoryview] = []
        for view in views:
            if start < view.nbytes and stop > 0:
                self.views.append(view[max(start, 0) : stop])
            start -= view.nbytes
            stop -= view.nbytes
        self._size = sum(view.nbytes for view in self.views)
        self._at = 0

    def __len__(self) -> int:
        return self._size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes, and return how many."""
        wanted = memoryview(buffer).cast("B")
        done, skip = 0, self._at
        for view in self.views:
            if skip < view.nbytes and done < wanted.nbytes:
                piece = view[skip : skip + wanted.nbytes - done]
                wanted[done : done + piece.nbytes] = piece
                done += piece.nbytes
            skip = max(0, skip - view.nbytes)
        self._at += done
        return done

    def whole(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.views)


class UniqueSerializer(Serializer[V]):
    """A serializer whose data differ from write to write, by filler that loading ignores.

    Parameters
    ----------
    inner
        The serializer; its `Serializer.filler` returns the filler.
    """

    def __init__(self, inner: Serializer[V]) -> None:
        self.inner = inner
        self.name, self.suffix = inner.name, inner.suffix
        self.executes_code, self.stream_from = inner.executes_code, inner.stream_from

    def dumps(self, value: V) -> bytes:  # docstring inherited
        data = self.parts(value)
        return b"".join(data) if isinstance(data, list) else data

    def parts(self, value: V) -> Data:  # docstring inherited
        filler = self.inner.filler(os.urandom(_NONCE))
        data = self.inner.parts(value)
        if filler is None:
            return data
        if not isinstance(data, list):
            if len(data) < _SMALL:
                return UniqueBytes(data + filler)
            data = [data]
        return [*data, UniqueBytes(filler)]

    def loads(self, data: bytes) -> V:  # docstring inherited
        return self.inner.loads(data)

    def load(self, file: BinaryIO) -> V:  # docstring inherited
        return self.inner.load(file)

    def filler(self, nonce: bytes) -> bytes | None:  # docstring inherited
        return self.inner.filler(nonce)

    def __repr__(self) -> str:
        return repr(self.inner)


class _UniqueKeyedSerializer(KeyedSerializer[V]):
    """The same for a family of serializers."""

    def __init__(self, inner: KeyedSerializer[V]) -> None:
        self.inner = inner
        self.name, self.suffix = inner.name, inner.suffix

    def for_id(self, id: str) -> Serializer[V]:  # docstring inherited
        return UniqueSerializer(self.inner.for_id(id))

    def runs_code(self, id: str) -> bool:  # docstring inherited
        return self.inner.runs_code(id)

    def __repr__(self) -> str:
        return repr(self.inner)


def as_given(serializer: Any) -> Any:
    """Return the serializer that was passed to `unique`."""
    return (
        serializer.inner if isinstance(serializer, UniqueSerializer | _UniqueKeyedSerializer) else serializer
    )


def unique(serializer: Serializer[V]) -> Serializer[V]:
    """Return a serializer whose data differ from write to write, as far as its format allows."""
    if isinstance(serializer, KeyedSerializer):
        return _UniqueKeyedSerializer(serializer)
    return serializer if serializer.filler(bytes(_NONCE)) is None else UniqueSerializer(serializer)
