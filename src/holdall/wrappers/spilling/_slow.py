"""The slow store, as a spilling persister uses it."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from time import perf_counter
from typing import Any, NamedTuple

from holdall._posix.fork import new_lock
from holdall._shown import shown
from holdall.conditional import Stat
from holdall.errors import StoreFullError
from holdall.store import Store, StorePersister
from holdall.wrappers.spilling._changes import Mark, mark_of_data, mark_of_pieces

__all__ = ["Loaded", "SlowSide"]

_SMALL = 1 << 16  # data whose checksum costs next to nothing
_NOTES = 100_000  # marks that are remembered


class Loaded(NamedTuple):
    """A value that was read, its mark (None if that would be slow), and how long it took."""

    value: Any
    mark: Mark | None
    nbytes: int
    seconds: float


class SlowSide:
    """Read, write and mark the values of a store.

    Parameters
    ----------
    store
        The store for values that are not in memory.
    limit
        Bytes that their data may take; None for no limit.
    """

    def __init__(self, store: Store[Any, Any], limit: int | None = None) -> None:
        self.limit = limit
        self._noting = new_lock()  # held while notes are made and dropped
        self.marking = True  # whether changes are detected by marks
        self._counting = new_lock()  # held while the volume is counted
        self._volume: int | None = None  # of all data, once it was needed
        self._under_way = 0  # bytes that are being written, and not in the volume yet
        self.use(store)
        self.bytes_read = 0
        self.bytes_written = 0
        self.links = self.copies = 0

    def use(self, store: Store[Any, Any]) -> None:
        """Use another store from now on."""
        self.store = store
        self.place = StorePersister(store)
        self.serialized = store.pipeline.serializer is not None  # otherwise data are the values themselves
        self._notes: dict[Any, tuple[tuple[int, ...], Mark]] = {}  # of large data: their file, their mark
        self.persister: Any = store.pipeline.persister

    def volume(self) -> int:
        """Return the bytes that the data take there."""
        nbytes = getattr(self.persister, "nbytes", None)
        if isinstance(nbytes, int):
            return nbytes
        return sum(stat.size or 0 for _, stat in self.persister.scan())

    @contextmanager
    def room(self) -> Iterator[Callable[[Any, Any], None]]:
        """Give a function that counts data, and raises `StoreFullError` if they would exceed the limit.

        The data are written within the context: until its end, other threads count them as well.
        """
        counted: list[int] = []
        written = False
        try:
            yield lambda key, data: counted.append(self._count(key, data))
            written = True
        finally:
            with self._counting:
                self._under_way -= sum(more for more in counted if more > 0)
                known = written and self._volume is not None
                self._volume = self._volume + sum(counted) if known else None  # type: ignore[operator]

    def _count(self, key: Any, data: Any) -> int:
        """Return how many bytes more data will take, which are then under way."""
        if self.limit is None:
            return 0
        try:
            more = -(self.persister.stat(self.place.id_of(key)).size or 0)
        except KeyError:
            more = 0
        more += self.size(data)
        with self._counting:
            if self._volume is None or self._volume + self._under_way + more > self.limit:
                self._volume = sum(stat.size or 0 for _, stat in self.persister.scan())
                taken = self._volume + self._under_way
                if more > 0 and taken + more > self.limit:
                    raise StoreFullError(
                        errno.ENOSPC,
                        f"the value of {shown(key)} takes {self.size(data):,} bytes on disk, where "
                        f"{taken:,} of {self.limit:,} are taken; what was stored before is untouched",
                        self.persister.place,
                    )
            self._under_way += max(more, 0)
        return more

    def dump(self, key: Any, value: Any) -> Any:
        """Return the data of a value, or the value itself where the store takes values.

        Raises
        ------
        SerializationError
            If the value cannot be stored.
        """
        return self.place.data_of(key, value)

    def has(self, key: Any) -> bool:
        """Return whether a value is stored."""
        return self.place.id_of(key) in self.persister

    def put(self, key: Any, data: Any) -> None:
        """Store data."""
        if self.limit is None:
            self.persister.put(self.place.id_of(key), data)
        else:
            with self.room() as count:
                count(key, data)
                self.persister.put(self.place.id_of(key), data)
        self.bytes_written += self.size(data)

    def _note(self, id: Any, file: tuple[int, ...], mark: Mark) -> None:
        """Remember the mark of large data, so that it need not be computed when they are read again."""
        with self._noting:
            self._notes.pop(id, None)
            self._notes[id] = file, mark
            if len(self._notes) > _NOTES:
                del self._notes[next(iter(self._notes))]

    def load(self, key: Any) -> Loaded:
        """Read a value, large ones from the open file.

        Raises
        ------
        KeyError
            If there is none.
        """
        start = perf_counter()
        id = self.place.id_of(key)
        limit = self.place.limit
        try:
            # Large data also come in pieces, and are copied once.
            data = self.persister[id] if limit is None else self.persister.fetch(id, min(limit, _SMALL))
        except KeyError:
            raise KeyError(key) from None
        whole = data if isinstance(data, bytes) else None
        file = _identity(data) if self.serialized else None
        value = self.place.value_of(key, data)
        seconds = perf_counter() - start
        if file is not None and (note := self._notes.get(id)) is not None and note[0] == file:
            mark = note[1]
            self.bytes_read += mark[1]
            return Loaded(value, mark, mark[1], seconds)
        loaded = self._loaded(key, value, whole, seconds)
        if file is not None and loaded.mark is not None:
            self._note(id, file, loaded.mark)
        return loaded

    def read(self, key: Any) -> tuple[Loaded, Stat]:
        """Read a value and its stat, as one snapshot."""
        start = perf_counter()
        data, stat = self.persister.read(self.place.id_of(key))
        value = self.place.value_of(key, data)
        seconds = perf_counter() - start
        return self._loaded(key, value, data if isinstance(data, bytes) else None, seconds), stat

    def _loaded(self, key: Any, value: Any, data: bytes | None, seconds: float) -> Loaded:
        if not (self.serialized and self.marking):
            mark, nbytes = None, len(data or b"")
        elif data is not None and len(data) <= _SMALL:
            mark, nbytes = mark_of_data(data), len(data)
        elif hasattr(value, "nbytes") or hasattr(value, "memory_usage"):  # buffers: fast to serialize
            again = self.dump(key, value)
            mark, nbytes = mark_of_pieces(again), self.size(again)
        elif data is not None:
            mark, nbytes = mark_of_data(data), len(data)
        else:
            mark, nbytes = None, 0
        self.bytes_read += nbytes
        return Loaded(value, mark, nbytes, seconds)

    def same(self, key: Any, data: Any, mark: Mark | None) -> bool:
        """Return whether data are the stored ones, by their mark or else by reading them again."""
        if mark is None:
            stored = self.persister.get(self.place.id_of(key))
            if not self.serialized:
                return stored is data
            mark = mark_of_data(stored)
            return mark is not None and mark == mark_of_data(data)
        return mark == (mark_of_data(data) if mark[0] == "crc" else mark_of_pieces(data))

    def mark(self, data: Any) -> Mark | None:
        """Return the mark of data that have just been stored."""
        return mark_of_pieces(data) if self.serialized and self.marking else None

    def mark_of_value(self, key: Any, value: Any) -> Mark | None:
        """Return the mark of a value that has been stored otherwise."""
        return mark_of_pieces(self.dump(key, value)) if self.serialized else None

    def size(self, data: Any) -> int:
        """Return the length of data in bytes; 0 for objects."""
        if not self.serialized:
            return 0
        if type(data) is list:
            return sum(piece.nbytes if type(piece) is memoryview else len(piece) for piece in data)
        return len(data) if isinstance(data, bytes | bytearray) else 0

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:
        """Store data of many keys, at once where the store can."""
        with self.room() as count:

            def counted() -> Iterator[tuple[Any, Any]]:
                for key, data in items:
                    count(key, data)
                    yield self.place.id_of(key), data
                    self.bytes_written += self.size(data)

            self.persister.write_many(counted())


def _identity(data: Any) -> tuple[int, ...] | None:
    """Return what tells an open file of data from all others; None if they are no file of the system."""
    if type(data) is not FileIO:
        return None
    stat = os.fstat(data.fileno())  # files are published once, each with a time of its own
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
