"""The place behind the memory: a store, as a spilling persister uses it."""

import errno
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any, NamedTuple

from holdall.conditional import Stat
from holdall.errors import StoreFullError
from holdall.store import Store
from holdall.wrappers.spilling._changes import Mark, mark_of_data, mark_of_pieces

__all__ = ["Loaded", "SlowSide"]

_SMALL = 1 << 16  # data of which a check sum costs next to nothing


class Loaded(NamedTuple):
    """A value that was read, its mark (None if that would be dear), and how long it took."""

    value: Any
    mark: Mark | None
    nbytes: int
    seconds: float


class SlowSide:
    """Reads, writes and marks the values of a store.

    Parameters
    ----------
    store
        The store in which values lie that are not in memory.
    limit
        Bytes that their data may take; None for any.
    """

    def __init__(self, store: Store[Any, Any], limit: int | None = None) -> None:
        self.limit = limit
        self._volume: int | None = None  # of all data, if it was ever asked for
        self.use(store)
        self.bytes_read = 0
        self.bytes_written = 0
        self.links = self.copies = 0

    def use(self, store: Store[Any, Any]) -> None:
        """Read from, and write to, a store from now on."""
        self.store = store
        self._serialized = store._serializer is not None  # else data are whatever values are
        self.persister: Any = store._persister

    def volume(self) -> int:
        """Return the bytes that the data take there."""
        nbytes = getattr(self.persister, "nbytes", None)
        if isinstance(nbytes, int):
            return nbytes
        return sum(stat.size or 0 for _, stat in self.persister.scan())

    def check_room(self, key: Any, data: Any) -> None:
        """Raise `StoreFullError` if data would not fit into the limit; count them if they do."""
        if self.limit is None:
            return
        try:
            more = -(self.persister.stat(self.store._id(key)).size or 0)
        except KeyError:
            more = 0
        more += self.size(data)
        if self._volume is None or self._volume + more > self.limit:
            self._volume = sum(stat.size or 0 for _, stat in self.persister.scan())
            if more > 0 and self._volume + more > self.limit:
                raise StoreFullError(
                    errno.ENOSPC,
                    f"the value of {key!r:.80} takes {self.size(data):,} bytes on disk, where "
                    f"{self._volume:,} of {self.limit:,} are taken; what was stored before is untouched",
                    self.persister.place,
                )
        self._volume += more

    def dump(self, key: Any, value: Any) -> Any:
        """Return the data of a value, or the value where the store takes values.

        Raises
        ------
        SerializationError
            If the value cannot be stored.
        """
        return self.store._data(key, value)

    def has(self, key: Any) -> bool:
        """Tell whether a value lies there."""
        return self.store._id(key) in self.persister

    def put(self, key: Any, data: Any) -> None:
        """Store data."""
        self.check_room(key, data)
        self.persister.put(self.store._id(key), data)
        self.bytes_written += self.size(data)

    def load(self, key: Any) -> Loaded:
        """Read a value, large ones from the open file.

        Raises
        ------
        KeyError
            If there is none.
        """
        store = self.store
        start = perf_counter()
        id = store._id(key)
        limit = store._limit
        try:
            data = self.persister[id] if limit is None else self.persister.fetch(id, limit)
        except KeyError:
            raise KeyError(key) from None
        whole = isinstance(data, bytes)
        value = store._value_of_file(key, data)
        seconds = perf_counter() - start
        return self._loaded(key, value, data if whole else None, seconds)

    def read(self, key: Any) -> tuple[Loaded, Stat]:
        """Read a value and its stat, as one snapshot."""
        start = perf_counter()
        data, stat = self.persister.read(self.store._id(key))
        value = self.store._value(key, data)
        seconds = perf_counter() - start
        return self._loaded(key, value, data if isinstance(data, bytes) else None, seconds), stat

    def _loaded(self, key: Any, value: Any, data: bytes | None, seconds: float) -> Loaded:
        if not self._serialized:
            mark, nbytes = None, 0
        elif data is not None and len(data) <= _SMALL:
            mark, nbytes = mark_of_data(data), len(data)
        elif hasattr(value, "nbytes") or hasattr(value, "memory_usage"):  # buffers: quick to give data of
            again = self.dump(key, value)
            mark, nbytes = mark_of_pieces(again), self.size(again)
        elif data is not None:
            mark, nbytes = mark_of_data(data), len(data)
        else:
            mark, nbytes = None, 0
        self.bytes_read += nbytes
        return Loaded(value, mark, nbytes, seconds)

    def same(self, key: Any, data: Any, mark: Mark | None) -> bool:
        """Tell whether data are those that were stored, by their mark or else by reading them again."""
        if mark is None:
            stored = self.persister.get(self.store._id(key))
            if not self._serialized:
                return stored is data
            mark = mark_of_data(stored)
            return mark is not None and mark == mark_of_data(data)
        return mark == (mark_of_data(data) if mark[0] == "crc" else mark_of_pieces(data))

    def mark(self, data: Any) -> Mark | None:
        """Return the mark of data that are just being stored."""
        return mark_of_pieces(data) if self._serialized else None

    def size(self, data: Any) -> int:
        """Return the length of data in bytes; 0 for objects."""
        if not self._serialized:
            return 0
        if type(data) is list:
            return sum(piece.nbytes if type(piece) is memoryview else len(piece) for piece in data)
        return len(data) if isinstance(data, bytes | bytearray) else 0

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:
        """Store data of many keys in one go where the place can."""

        def counted() -> Iterator[tuple[Any, Any]]:
            for key, data in items:
                self.check_room(key, data)
                yield self.store._id(key), data
                self.bytes_written += self.size(data)

        self.persister.write_many(counted())
