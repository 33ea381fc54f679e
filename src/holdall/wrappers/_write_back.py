"""Writes that are buffered in memory."""

import atexit
import copy
import io
import math
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Final

from holdall._posix.fork import Living, at_fork
from holdall._shown import shown
from holdall.abc import Capability, Persister, PersisterWrapper, Reader, join_parts
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import InvalidArgumentError, UnsupportedError
from holdall.persisters.guards import AppendOnlyPersister, ReadOnlyPersister
from holdall.store import Pipeline, Store, StorePersister
from holdall.wrappers._base import wrapper

__all__ = ["WriteBackPersister", "write_back"]

_DELETED: Final = object()
_NOTHING: Final = object()
_NO_ENTRY: Final = (0, _NOTHING)


class _Buffer:
    """The writes that wait for the persister."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.forget()
        _buffers.add(self)

    def forget(self) -> None:
        self.lock = threading.RLock()
        # By id, the time of the last write and its data; readers look without the lock.
        self.items: dict[Any, tuple[int, Any]] = {}
        self.size = 0
        self.turn = 0
        self.pushing = False

    def data(self, id: Any) -> Any:
        return self.items.get(id, _NO_ENTRY)[1]

    def hold(self, id: Any, data: Any) -> None:
        self.size += _size(data) - _size(self.data(id))
        self.turn += 1
        self.items[id] = self.turn, data
        _waiting.add(self)

    def drop(self, written: Iterable[tuple[Any, tuple[int, Any]]]) -> None:
        """Drop entries, except those that the thread itself has replaced since, in a finalizer, say."""
        for id, entry in written:
            if self.items.get(id) is entry:
                self.size -= _size(self.items.pop(id)[1])
        if not self.items:
            _waiting.discard(self)

    def push(self) -> None:
        """Write all to the persister; what could not be written stays here."""
        with self.lock:
            if self.pushing or not self.items:
                return
            self.pushing = True
            try:
                self._push()
            finally:
                self.pushing = False

    def _push(self) -> None:
        # An entry is dropped after it was written, so readers find it here or there.
        entries = sorted(self.items.copy().items(), key=_turn_of)
        deleted = [(id, entry) for id, entry in entries if entry[1] is _DELETED]
        written = [(id, entry) for id, entry in entries if entry[1] is not _DELETED]
        if deleted:
            self.inner.remove_many([id for id, _ in deleted])
            self.drop(deleted)
        if not written:
            return
        try:
            self.inner.write_many([(id, data) for id, (_, data) in written])
        except OSError:  # no answer: the state of all of them is unknown
            raise
        except Exception:
            self._push_one_by_one(written)
        else:
            self.drop(written)

    def _push_one_by_one(self, items: list[tuple[Any, tuple[int, Any]]]) -> None:
        """Write all but refused items, so that one bad item does not delay the others."""
        first: Exception | None = None
        for id, entry in items:
            try:
                self.inner.put(id, entry[1])
            except OSError:
                raise
            except Exception as error:
                first = first or error
            else:
                self.drop([(id, entry)])
        if first is not None:
            raise first


# All buffers, and those that must be kept until they are written, even without their store.
_buffers: Living[_Buffer] = Living()
_waiting: set[_Buffer] = set()


def _push_all() -> None:
    """Write what still waits, before the interpreter ends or the process forks."""
    for buffer in list(_waiting):
        try:
            buffer.push()
        except Exception as error:
            warnings.warn(
                f"{len(buffer.items)} buffered writes did not reach {buffer.inner.place}: {error}",
                RuntimeWarning,
                stacklevel=1,
            )


def _forget_all() -> None:
    """Leave what waits to the parent of a forked process, which has it too."""
    for buffer in _buffers:
        buffer.forget()
    _waiting.clear()


atexit.register(_push_all)
at_fork(before=_push_all, after_in_child=_forget_all)


def _turn_of(entry: tuple[Any, tuple[int, Any]]) -> int:
    return entry[1][0]


def _size(data: Any) -> int:
    return len(data) if isinstance(data, bytes) else 0


class WriteBackPersister(PersisterWrapper):
    """Keep writes and deletions in memory until they are flushed.

    Parameters
    ----------
    inner
        The persister to write to.
    max_items, max_bytes
        As in `write_back`.

    Notes
    -----
    Threads: safe; writers wait during a flush. Processes: others see a write when it is flushed, so neither
    compare-and-swap among processes nor persistence of a returned write is claimed. A forked child starts
    with nothing waiting: the parent flushes before it forks. After a crash: waiting writes are lost, and the
    rest is as the inner persister leaves it. Cost: a write is a dictionary entry; a flush is one
    ``write_many``.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> inner = {}
    >>> persister = WriteBackPersister(MappingPersister.of(inner))
    >>> persister["a"] = 1
    >>> persister["a"], inner
    (1, {})
    >>> persister.flush()
    >>> inner
    {'a': 1}
    """

    def __init__(self, inner: Any, max_items: int | None = 1000, max_bytes: int | None = None) -> None:
        super().__init__(inner)
        self.max_items = max_items
        self.max_bytes = max_bytes
        self._begin()

    def _begin(self) -> None:
        self._buffer = _Buffer(self.inner)
        persister = self.inner
        while isinstance(persister, PersisterWrapper):
            persister = persister.inner
        # Over another store, an id is a key, which may have no name there: raise that at once.
        self._check = persister.id_of if isinstance(persister, StorePersister) else None

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims, except immediate visibility of writes."""
        return super().capabilities - {
            Capability.PERSISTENT,
            Capability.TRANSACTIONS,
            Capability.CAS_HOST,
            Capability.CAS_WORLD,
        }

    def transaction(self) -> AbstractContextManager[None]:
        """Raise: the buffer would outlive a transaction that is undone."""
        raise self._no_transactions("waiting writes would outlive one that is undone", "write_back")

    def __getstate__(self) -> dict[str, Any]:
        self._buffer.push()
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_buffer", "_check")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    # ------------------------------------------------------------------ looking

    def _held(self, id: Any) -> Any:
        """Return the data that wait under an id, or `_NOTHING`; raise KeyError if its deletion waits."""
        data = self._buffer.data(id)
        if data is _DELETED:
            raise KeyError(id)
        return data

    def __getitem__(self, id: Any) -> Any:
        data = self._held(id)
        return self.inner[id] if data is _NOTHING else data

    def glance(self, id: Any, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        data = self._held(id)
        if data is _NOTHING:
            return self.inner.glance(id, limit)  # type: ignore[no-any-return]
        return data, Stat("", math.nan, len(data) if isinstance(data, bytes) else None)

    def fetch(self, id: Any, limit: int) -> Any:  # docstring inherited
        data = self._held(id)
        return self.inner.fetch(id, limit) if data is _NOTHING else data

    def reader(self, id: Any) -> BinaryIO:  # docstring inherited
        data = self._held(id)
        return self.inner.reader(id) if data is _NOTHING else io.BytesIO(data)

    def __contains__(self, id: object) -> bool:
        data = self._buffer.data(id)
        return id in self.inner if data is _NOTHING else data is not _DELETED

    def __len__(self) -> int:
        with self._buffer.lock:
            count = len(self.inner)
            for id, (_, data) in self._buffer.items.copy().items():
                count += (data is not _DELETED) - (id in self.inner)
            return count

    def ids(self, prefix: str = "") -> Iterator[Any]:  # docstring inherited
        with self._buffer.lock:
            held = dict(self._buffer.items)
        for id in self.inner.ids(prefix):
            if id not in held:
                yield id
        for id, (_, data) in held.items():
            if data is not _DELETED and (not prefix or id.startswith(prefix)):
                yield id

    def __iter__(self) -> Iterator[Any]:
        return self.ids()

    def pages(self, prefix: str = "") -> Iterator[list[Any]]:  # docstring inherited
        return Reader.pages(self, prefix)

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[Any]:  # docstring inherited
        until = time.monotonic() + seconds
        found: list[Any] = []
        with self._buffer.lock:
            items = self._buffer.items
            for id, (_, data) in items.items():
                if data is not _DELETED and (not prefix or (isinstance(id, str) and id.startswith(prefix))):
                    found.append(id)
                if len(found) >= limit or time.monotonic() > until:
                    return found
        more = self.inner.peek(prefix, limit=limit, seconds=seconds)
        found += [id for id in more if self._buffer.data(id) is _NOTHING]
        return list(dict.fromkeys(found))[:limit]  # one that was written meanwhile is met twice

    # ------------------------------------------------------------------ needs the persister

    def _settle(self, id: Any) -> None:
        if id in self._buffer.items:
            self._buffer.push()  # all of it, to keep the order of writes

    def stat(self, id: Any) -> Stat:  # docstring inherited
        self._settle(id)
        return super().stat(id)

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        self._settle(id)
        return self.inner.read(id)  # type: ignore[no-any-return]

    def scan(self, prefix: str = "") -> Iterator[tuple[Any, Stat]]:  # docstring inherited
        self._buffer.push()
        return super().scan(prefix)

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        with self._buffer.lock:
            self._settle(id)
            return super().write(id, data, expected)

    # ------------------------------------------------------------------ writing

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        self._writable()
        if self._check is not None:
            self._check(id)
        if Capability.BYTES in self.inner.capabilities:
            data = join_parts(data)
            if type(data) is not bytes:
                data = bytes(memoryview(data))  # raises now if at all, and later changes do not matter
        elif self.max_bytes is not None:
            raise UnsupportedError(
                f"{self.place} keeps objects, which have no length in bytes: bound the buffer by max_items",
            )
        with self._buffer.lock:
            if self.max_bytes is not None and len(data) > self.max_bytes:
                self._buffer.push()
                self.inner.put(id, data)
                return
            self._make_room(id, _size(data))
            self._buffer.hold(id, data)

    def _make_room(self, id: Any, size: int) -> None:
        """Flush before the limit is exceeded, so that a write that cannot be kept is refused."""
        buffer = self._buffer
        old = buffer.data(id)
        full = self.max_items is not None and old is _NOTHING and len(buffer.items) >= self.max_items
        if full or (self.max_bytes is not None and buffer.size - _size(old) + size > self.max_bytes):
            buffer.push()

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        inner = self._writable()
        with self._buffer.lock:
            if expected is not ANY_ETAG:
                self._settle(id)
                inner.remove(id, expected)
                return
            if id not in self:
                raise KeyError(id)
            self._make_room(id, 0)
            self._buffer.hold(id, _DELETED)

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:  # docstring inherited
        Persister.write_many(self, items)

    def remove_many(self, ids: Iterable[Any]) -> None:  # docstring inherited
        self._writable()
        for id in ids:  # the flush finds out whether they exist
            with self._buffer.lock:
                self._make_room(id, 0)
                self._buffer.hold(id, _DELETED)

    def clear(self) -> None:  # docstring inherited
        with self._buffer.lock:
            cleared = self._buffer.items.copy()
            self._writable().clear()
            self._buffer.drop(cleared.items())

    def purge(self, owns: Any, prefix: str = "") -> int:  # docstring inherited
        self._buffer.push()
        return super().purge(owns, prefix)

    def flush(self) -> None:  # docstring inherited
        self._buffer.push()
        self.inner.flush()

    def close(self) -> None:  # docstring inherited
        self._buffer.push()
        self.inner.close()


@wrapper
def write_back(
    store: Store[Any, Any], *, max_items: int | None = 1000, max_bytes: int | None = None
) -> Pipeline:
    """Keep writes in memory until ``flush()``, ``close()``, or a limit; reading sees them at once.

    Parameters
    ----------
    store
        A store, a store class, or any mapping or class of these; without one, a decorator is returned.
    max_items
        How many writes and deletions may wait; the next one flushes them first. None for no limit.
    max_bytes
        How many bytes of data may wait; larger data are written at once. None for no limit. Only for stores
        of bytes.

    Raises
    ------
    InvalidArgumentError
        If a limit is not a positive whole number.

    Notes
    -----
    Values are serialized when they are written, so errors are raised then, and later changes of an object do
    not matter. Operations that need the state of the store flush first, if they concern a waiting item:
    ``etag``, ``timestamp``, the conditional operations, ``pop``, a ``setdefault`` that inserts. So these are
    as linearizable among threads as without the buffer. Items are written in the order of their last writes,
    deletions before them, and with the time of the flush.

    A flush that fails keeps what was not written, and raises; a write that finds the buffer full and cannot
    flush it raises too, and changes nothing. Use the store in ``with``, or call ``close()``. What still waits
    when the interpreter ends is written then, even if the store was dropped meanwhile; if that fails, there
    is a `RuntimeWarning`. This does not apply to a process that is killed, calls ``os._exit``, or is a child
    made by `multiprocessing`: those must ``flush()`` themselves. ``clear()`` of the whole store is done at
    once.

    See `WriteBackPersister` for threads, processes and costs.

    Examples
    --------
    >>> target = {}
    >>> with write_back(target) as store:
    ...     store["a"] = 1
    ...     print(store["a"], target)
    1 {}
    >>> target
    {'a': 1}
    """
    for name, bound in (("max_items", max_items), ("max_bytes", max_bytes)):
        if bound is not None and (type(bound) is not int or bound < 1):
            raise InvalidArgumentError(f"{name} is a whole number, 1 or more, or None, got {shown(bound)}")
    return store.pipeline.over(_under_guards(store.pipeline.persister, max_items, max_bytes))


def _under_guards(persister: Any, *bounds: int | None) -> Any:
    """Put a buffer around a persister, below its guards, so that they refuse a write when it is made."""
    if not isinstance(persister, AppendOnlyPersister | ReadOnlyPersister):
        return WriteBackPersister(persister, *bounds)
    guard = copy.copy(persister)
    guard.inner = _under_guards(guard.inner, *bounds)
    return guard
