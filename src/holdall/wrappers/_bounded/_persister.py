"""A persister with a limit of size."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

from holdall._posix.fork import new_lock
from holdall._shown import shown
from holdall.abc import Persister, PersisterWrapper, Reader, Unary
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import InvalidArgumentError, ValueTooLargeError
from holdall.wrappers._bounded._ledger import Ledger

__all__ = ["BoundedPersister", "BoundedStats"]

_SLACK = 64  # items evicted in advance, to save work for the next writes
_PAGE = 256  # items that are written at once


class BoundedStats(NamedTuple):
    """The size of a bounded store, and the counts of this handle."""

    #: Reads that found their key, and reads that did not, since the handle was made.
    hits: int
    misses: int
    #: Items that this handle has evicted.
    evictions: int
    #: Bytes and items in the store, of all processes.
    volume: int
    items: int
    #: The limit; None for none.
    max_bytes: int | None
    max_items: int | None


class BoundedPersister(PersisterWrapper):
    """Evict items of another persister so that it stays within a limit.

    Parameters
    ----------
    inner
        The persister with the items.
    open_ledger
        Returns the ledger of that persister on first use; called with `inner` and `owns`.
    max_bytes, max_items
        The limit; None for none.
    owns
        Returns whether an item may be evicted; None for all.

    Notes
    -----
    Threads and processes: as exact as the ledger. After a crash: as the inner persister, and within the limit
    after the next write. Cost: one look at the totals per write; one note in memory per read.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> from holdall.wrappers._bounded._ledger import MemoryLedger
    >>> persister = BoundedPersister(MappingPersister({}), lambda *_: MemoryLedger("lru", 2), max_items=2)
    >>> persister["a"], persister["b"] = 1, 2
    >>> persister["a"]
    1
    >>> persister["c"] = 3
    >>> sorted(persister)
    ['a', 'c']
    """

    def __init__(
        self,
        inner: Any,
        open_ledger: Callable[[Any, Callable[[Any], bool]], Ledger],
        *,
        max_bytes: int | None = None,
        max_items: int | None = None,
        owns: Callable[[Any], bool] | None = None,
    ) -> None:
        super().__init__(inner)
        self.max_bytes = max_bytes
        self.max_items = max_items
        self._open_ledger = open_ledger
        self._owns = owns or _any
        self._reset()

    def _reset(self) -> None:
        self._opening = new_lock()
        self._opened: Ledger | None = None
        self._local = threading.local()  # the time to live for this thread's writes
        self._mortal = 0  # how many threads are within living()
        self._hits = self._misses = self._evictions = 0

    def __getstate__(self) -> dict[str, Any]:
        made = {"_opening", "_opened", "_local", "_mortal", "_hits", "_misses", "_evictions"}
        return {name: value for name, value in super().__getstate__().items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    @property
    def ledger(self) -> Ledger:
        """The records of the persister."""
        return self._opened or self._open()

    def _open(self) -> Ledger:
        with self._opening:
            if self._opened is None:
                self._opened = self._open_ledger(self.inner, self._owns)
            return self._opened

    # ------------------------------------------------------------------ reading

    def _alive(self, id: Any) -> None:
        """Raise KeyError for an item that has expired."""
        if self.ledger.expires(id) <= time.time():
            raise KeyError(id)

    def fetch(self, id: str, limit: int = 1 << 62) -> Any:  # docstring inherited
        ledger = self._opened or self.ledger
        try:
            data = ledger.fetch(self.inner, id, limit)
        except KeyError:
            self._misses += 1
            raise
        self._hits += 1
        ledger.hit(id)
        return data

    @property
    def getter(self) -> Unary:  # docstring inherited
        return self.fetch

    def __getitem__(self, id: str) -> Any:
        return self.fetch(id)

    def read(self, id: str) -> tuple[Any, Stat]:  # docstring inherited
        try:
            self._alive(id)
            found: tuple[Any, Stat] = self.inner.read(id)
        except KeyError:
            self._misses += 1
            raise
        self._hits += 1
        self.ledger.hit(id)
        return found

    def stat(self, id: str) -> Stat:  # docstring inherited
        self._alive(id)
        return self.inner.stat(id)  # type: ignore[no-any-return]

    def glance(self, id: str, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        self._alive(id)
        return self.inner.glance(id, limit)  # type: ignore[no-any-return]

    def __contains__(self, id: object) -> bool:
        return id in self.inner and self.ledger.expires(id) > time.time()

    def reader(self, id: str) -> Any:  # docstring inherited
        self._alive(id)
        self.ledger.hit(id)
        return self.inner.reader(id)

    # ------------------------------------------------------------------ listing

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        for page in self.pages(prefix):
            yield from page

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        for page in self.inner.pages(prefix):
            gone = set(self.ledger.expired(time.time()))
            yield [id for id in page if id not in gone] if gone else page

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[str]:  # docstring inherited
        found = self.inner.peek(prefix, limit=limit, seconds=seconds)
        gone = set(self.ledger.expired(time.time()))
        return [id for id in found if id not in gone]

    def __iter__(self) -> Iterator[str]:
        return self.ids()

    def __len__(self) -> int:
        count = len(self.inner)
        gone = self.ledger.expired(time.time())
        return count - sum(id in self.inner for id in gone) if gone else count

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        gone = set(self.ledger.expired(time.time()))
        return ((id, stat) for id, stat in self.inner.scan(prefix) if id not in gone)

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[str]:  # docstring inherited
        if self.ledger.expired(time.time(), 1):
            return Reader.by_age(self, prefix, newest=newest, limit=limit)
        return self.inner.by_age(prefix, newest=newest, limit=limit)  # type: ignore[no-any-return]

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:  # docstring inherited
        asked = list(ids)
        gone = set(self.ledger.expired(time.time()))
        return iter(self.inner.read_many([id for id in asked if id not in gone] if gone else asked))

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        pages = self.inner.contents(prefix, limit)
        return None if pages is None else self._living(pages)

    def _living(self, pages: Iterable[list[tuple[str, Any]]]) -> Iterator[list[tuple[str, Any]]]:
        for page in pages:
            gone = set(self.ledger.expired(time.time()))
            yield [item for item in page if item[0] not in gone] if gone else page

    # ------------------------------------------------------------------ writing

    def _size(self, id: Any, data: Any) -> int:
        """Return the size of an item; raise ValueTooLargeError if it exceeds the limit."""
        try:
            size = self.ledger.size(id, data)
        except TypeError:
            return 0  # the persister itself will refuse it
        if self.max_bytes is not None and size > self.max_bytes:
            raise ValueTooLargeError(
                f"the value for {shown(id, 120)} takes {size:,} bytes, and {self.place} is bounded to "
                f"{self.max_bytes:,}: nothing was evicted or changed",
            )
        return size

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        inner = self._writable()
        size = self._size(id, data)
        ledger = self._opened or self.ledger
        at = self._expiry() if self._mortal else None
        if at is None:
            totals = ledger.put(inner, id, data, size)
        else:
            ledger.write(inner, id, data, ANY_ETAG, size=size, at=at)
            totals = ledger.totals()
        # A turn of its own: a failed eviction must not undo the record of the write.
        if self._excess(*totals):
            self._settle(id)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        inner = self._writable()
        size, at = self._size(id, data), self._expiry()
        stat = self.ledger.write(inner, id, data, expected, size=size, at=at)
        self._settle(id)
        return stat

    def _settle(self, keep: Any = None) -> None:
        """Evict what exceeds the limit, and a little more, but never the item just written."""
        ledger = self.ledger
        if not self._excess(*ledger.totals()):
            return
        with ledger.turn():
            ledger.flush()
            nbytes, items = ledger.totals()
            if not self._excess(nbytes, items):
                return  # another thread has just made room
            over_bytes: float = 0
            over_items = 0
            if self.max_bytes is not None and nbytes > self.max_bytes:
                over_bytes = nbytes - self.max_bytes + min(self.max_bytes // 100, _SLACK * (nbytes // items))
            if self.max_items is not None and items > self.max_items:
                over_items = items - self.max_items + min(self.max_items // 100, _SLACK)
            owns = self._owns

            def spare(id: Any) -> bool:
                return id == keep or not owns(id)

            victims = ledger.victims(over_bytes, over_items, spare, time.time())
            self.inner.remove_many(victims)
            ledger.removed(victims)
            self._evictions += len(victims)

    def _excess(self, nbytes: int, items: int) -> bool:
        return (self.max_bytes is not None and nbytes > self.max_bytes) or (
            self.max_items is not None and items > self.max_items
        )

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        inner = self._writable()
        if self.ledger.automatic:
            self._check_alive(id, expected)
            inner.remove(id, expected)
            return
        with self.ledger.turn():
            self._check_alive(id, expected)
            inner.remove(id, expected)
            self.ledger.removed([id])

    def _check_alive(self, id: Any, expected: Any) -> None:
        if self.ledger.expires(id) <= time.time():
            self.require(id, expected)
            raise KeyError(id)

    def transaction(self) -> AbstractContextManager[None]:  # docstring inherited
        self._open()  # not within the transaction, which an error undoes
        return super().transaction()

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items, in portions, each followed by the necessary evictions."""
        inner = self._writable()
        for portion in self._portions(items):
            with nullcontext() if self.ledger.automatic else self.ledger.turn():
                inner.write_many((id, data) for id, data, _ in portion)
                for id, _, size in portion:
                    self.ledger.wrote(id, size)
            self._settle()

    def _portions(self, items: Iterable[tuple[str, Any]]) -> Iterator[list[tuple[str, Any, int]]]:
        """Yield lists of items, with their sizes, that take little of the limit, which holds meanwhile."""
        most = _PAGE if self.max_items is None else max(1, min(_PAGE, self.max_items // 16))
        room = math.inf if self.max_bytes is None else self.max_bytes / 16
        portion: list[tuple[str, Any, int]] = []
        taken = 0
        for id, data in items:
            size = self._size(id, data)
            if portion and (len(portion) == most or taken + size > room):
                yield portion
                portion, taken = [], 0
            portion.append((id, data, size))
            taken += size
        if portion:
            yield portion

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        gone = list(ids)
        with nullcontext() if self.ledger.automatic else self.ledger.turn():
            self._writable().remove_many(gone)
            self.ledger.removed(gone)

    def clear(self) -> None:  # docstring inherited
        with self.ledger.turn():
            self._writable().clear()
            self.ledger.clear()

    @contextmanager
    def writer(self, id: str) -> Iterator[Any]:  # docstring inherited
        with Persister.writer(self, id) as file:
            yield file

    # ------------------------------------------------------------------ expiry

    @property
    def _ttl(self) -> float | None:
        return vars(self._local).get("ttl")

    def _expiry(self) -> float | None:
        """Return when the writes of this thread expire; None for never."""
        ttl = self._ttl
        return None if ttl is None else time.time() + ttl

    @contextmanager
    def living(self, ttl: float | None) -> Iterator[None]:
        """Set the time to live for the writes of this thread within the context."""
        if ttl is not None and not (type(ttl) in {int, float} and ttl > 0):
            raise InvalidArgumentError(f"ttl is a number of seconds, more than 0, or None, got {shown(ttl)}")
        before, self._local.ttl = self._ttl, ttl
        with self._opening:
            self._mortal += 1
        try:
            yield
        finally:
            self._local.ttl = before
            with self._opening:
                self._mortal -= 1

    def touch(self, id: str) -> bool:
        """Count a use of an item, and set its expiry as `living` says; return whether it is there."""
        with self.ledger.turn():
            if id not in self:
                return False
            self.ledger.hit(id)
            return self.ledger.expire(id, self._expiry())

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        count: int = self._writable().purge(owns, prefix)
        with self.ledger.turn():
            gone = [id for id in self.ledger.expired(time.time()) if owns(id) and id.startswith(prefix)]
            self.inner.remove_many(gone)
            self.ledger.removed(gone)
        return count + len(gone)

    # ------------------------------------------------------------------ handle

    def stats(self) -> BoundedStats:
        """Return counts and sizes."""
        return BoundedStats(
            self._hits, self._misses, self._evictions, *self.ledger.totals(), self.max_bytes, self.max_items
        )

    def flush(self) -> None:  # docstring inherited
        if self._opened is not None:
            self._opened.flush()
        self.inner.flush()

    def close(self) -> None:  # docstring inherited
        if self._opened is not None:
            self._opened.close()
        self.inner.close()


def _any(_: Any) -> bool:
    return True
