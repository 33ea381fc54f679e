"""Items with a time to live."""

import time
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any, BinaryIO

from holdall._shown import shown
from holdall.abc import Capability, Persister, PersisterWrapper, Reader, conflict
from holdall.conditional import AHEAD, ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Stat
from holdall.errors import ConflictError, InvalidArgumentError, UnsupportedError
from holdall.store import Pipeline, Store
from holdall.wrappers._base import wrapper

__all__ = ["ExpiringPersister", "expiring"]


class ExpiringPersister(PersisterWrapper):
    """Hide items that were written longer ago than a time to live.

    Parameters
    ----------
    inner
        A persister that claims MTIME.
    ttl
        The time to live in seconds.

    Notes
    -----
    Threads and processes: as the inner persister; renewing an item wins against purging it. All handles of a
    store should have the same ttl, and their clocks should agree. After a crash: times are those of the
    persister. Cost: a look at the time of each item that is read or listed.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> persister = ExpiringPersister(MappingPersister({}), ttl=3600)
    >>> persister["a"] = 1
    >>> persister["a"]
    1
    """

    def __init__(self, inner: Any, ttl: float) -> None:
        super().__init__(inner)
        self.ttl = ttl

    def _alive(self, stat: Stat) -> bool:
        # A time in the future, from a wrong clock, does not show that an item is young.
        return 0 < stat.mtime + self.ttl - time.time() <= self.ttl + AHEAD

    # ------------------------------------------------------------------ looking

    def stat(self, id: str) -> Stat:  # docstring inherited
        stat: Stat = self.inner.stat(id)
        if self._alive(stat):
            return stat
        raise KeyError(id)

    def read(self, id: str) -> tuple[Any, Stat]:  # docstring inherited
        data, stat = self.inner.read(id)
        if self._alive(stat):
            return data, stat
        raise KeyError(id)

    def glance(self, id: str, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        data, stat = self.inner.glance(id, limit)
        if self._alive(stat):
            return data, stat
        raise KeyError(id)

    def __getitem__(self, id: str) -> Any:
        return self.read(id)[0]

    def __contains__(self, id: object) -> bool:
        try:
            self.stat(id)  # type: ignore[arg-type]
        except KeyError:
            return False
        return True

    def fetch(self, id: str, limit: int) -> Any:  # docstring inherited
        self.stat(id)  # a replacement is younger
        return self.inner.fetch(id, limit)

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        self.stat(id)
        return self.inner.reader(id)  # type: ignore[no-any-return]

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        return ((id, stat) for id, stat in self.inner.scan(prefix) if self._alive(stat))

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        return (id for id, _ in self.scan(prefix))

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        return Reader.pages(self, prefix)

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[str]:  # docstring inherited
        until = monotonic() + 2 * seconds
        found = self.inner.peek(prefix, limit=limit, seconds=seconds)
        return [id for id in found if monotonic() < until and id in self]

    def __iter__(self) -> Iterator[str]:
        return self.ids()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    # ------------------------------------------------------------------ writing

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self._writable().put(id, data)

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        self._writable().write_many(items)

    def write_dated(self, items: Iterable[tuple[str, Any, float]]) -> None:  # docstring inherited
        self._writable().write_dated(items)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        inner = self._writable()
        if expected is not ITEM_NOT_AVAILABLE:
            self.require(id, expected)
            return inner.write(id, data, expected)  # type: ignore[no-any-return]
        while True:
            try:
                there = inner.stat(id)
            except KeyError:
                state: Any = ITEM_NOT_AVAILABLE
            else:
                if self._alive(there):
                    raise conflict(self, id, expected, there.etag)
                state = there.etag
            try:
                return inner.write(id, data, state)  # type: ignore[no-any-return]
            except ConflictError:  # another writer was faster: look again
                continue

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        inner = self._writable()
        self.require(id, expected)
        self.stat(id)
        inner.remove(id, expected)

    def clear(self) -> None:  # docstring inherited
        self._writable().clear()

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        inner: Persister = self._writable()
        count = inner.purge(owns, prefix)
        for id, stat in inner.scan(prefix):
            if self._alive(stat) or not owns(id):
                continue
            try:
                inner.remove(id, stat.etag)
            except (ConflictError, KeyError):  # renewed or deleted
                continue
            count += 1
        return count


@wrapper
def expiring(store: Store[Any, Any], *, ttl: float) -> Pipeline:
    """Make items absent some time after they were last written.

    Parameters
    ----------
    store
        A store, a store class, or any mapping or class of these; without one, a decorator is returned.
    ttl
        The time to live in seconds, more than 0.

    Raises
    ------
    UnsupportedError
        If the store keeps no times of modification.
    InvalidArgumentError
        If `ttl` is not a positive number.

    Notes
    -----
    An expired item is absent for every verb, and a write over it is an insertion. It takes space until
    ``purge()`` deletes expired items, and returns how many; ``clear()`` of the whole store deletes it too. An
    item that is renewed while it is purged stays. Times are those of the store, as ``timestamp`` returns
    them. A time of more than 10 seconds in the future comes from a wrong clock, and its item counts as
    expired.

    See `ExpiringPersister` for threads, processes and costs.

    Examples
    --------
    >>> import os
    >>> from holdall import FileDirStore
    >>> folder = FileDirStore(serializer="json")
    >>> sessions = expiring(folder, ttl=1800)
    >>> sessions["ann"] = "logged in"
    >>> "ann" in sessions
    True
    >>> os.utime(folder.file_of("ann"), (0, 0))  # as if it were written long ago
    >>> "ann" in sessions, sessions.setdefault("ann", "new")
    (False, 'new')
    >>> os.utime(folder.file_of("ann"), (0, 0))
    >>> sessions.purge()
    1
    """
    if type(ttl) not in (int, float) or not ttl > 0:
        raise InvalidArgumentError(f"ttl is a number of seconds, more than 0, got {shown(ttl)}")
    inner = store.pipeline.persister
    if Capability.MTIME not in inner.capabilities:
        raise UnsupportedError(f"{inner.place} keeps no times of modification, so nothing there can expire")
    return store.pipeline.over(ExpiringPersister(inner, ttl))
