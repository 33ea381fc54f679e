"""The records of a bounded persister: sizes, uses, times; and the ledger in memory."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from holdall._eviction import Entry, Policy, make_policy
from holdall._eviction.sizeof import sizeof
from holdall._posix.fork import new_lock
from holdall.abc import Capability
from holdall.conditional import ANY_ETAG, Expected, Stat

__all__ = ["Ledger", "MemoryLedger"]


class Ledger(ABC):
    """The records of a bounded persister: its size, the order of eviction, and expiry.

    Notes
    -----
    A write and its record belong together: both are made within `turn`, unless the persister itself keeps the
    records (`automatic`).
    """

    #: Whether the persister itself records writes and deletions.
    automatic: bool = False

    def fetch(self, inner: Any, id: Any, limit: int) -> Any:
        """Return the data of an item that has not expired, possibly as a file over `limit` bytes."""
        if self.expires(id) <= time.time():
            raise KeyError(id)
        return inner.fetch(id, limit)

    def put(self, inner: Any, id: Any, data: Any, size: int) -> tuple[int, int]:
        """Store data, and return upper bounds of the totals after that."""
        with self.turn():
            inner.put(id, data)
            self.wrote(id, size)
            return self.totals()

    def write(
        self, inner: Any, id: Any, data: Any, expected: Expected, *, size: int, at: float | None
    ) -> Stat:
        """Store data with an expiry, if the item is in the expected state; expired ones count as absent."""
        with self.turn():
            if expected is not ANY_ETAG:
                self.bury(inner, id)
            stat: Stat = inner.write(id, data, expected)
            self.wrote(id, size)
            if at is not None:
                self.expire(id, at)
            return stat

    def bury(self, inner: Any, id: Any) -> None:
        """Delete an item if it has expired."""
        if self.expires(id) <= time.time():
            try:
                inner.remove(id)
            except KeyError:
                pass
            self.removed([id])

    @abstractmethod
    def turn(self) -> AbstractContextManager[Any]:
        """Exclude all other writers of records; turns can be nested."""

    @abstractmethod
    def size(self, id: Any, data: Any) -> int:
        """Return how many bytes of the limit an item takes."""

    @abstractmethod
    def wrote(self, id: Any, size: int) -> None:
        """Record a write, which removes the expiry of the item."""

    @abstractmethod
    def removed(self, ids: Iterable[Any]) -> None:
        """Record deletions."""

    @abstractmethod
    def totals(self) -> tuple[int, int]:
        """Return the bytes of the limit in use, and the number of items."""

    @abstractmethod
    def hit(self, id: Any) -> None:
        """Note a use, to be recorded by the next `flush`."""

    @abstractmethod
    def flush(self) -> None:
        """Record the noted uses."""

    @abstractmethod
    def expire(self, id: Any, at: float | None) -> bool:
        """Set when an item expires, in POSIX seconds; return whether it is there."""

    @abstractmethod
    def expires(self, id: Any) -> float:
        """Return when an item expires; infinity for never."""

    @abstractmethod
    def expired(self, now: float, limit: int = -1) -> list[Any]:
        """Return the ids of expired items."""

    @abstractmethod
    def victims(self, nbytes: float, items: int, spare: Callable[[Any], bool], now: float) -> list[Any]:
        """Return ids to evict, for so many bytes and items; expired ones first, none of the spared."""

    @abstractmethod
    def clear(self) -> None:
        """Forget all records."""

    def close(self) -> None:
        """Record the noted uses, and release what the ledger has open."""
        self.flush()


class _Record(Entry):
    """An item of a persister in memory."""

    __slots__ = ("expires",)

    def __init__(self, key: Any, size: int) -> None:
        super().__init__(key, size)
        self.expires = math.inf


def _always_admitting(capacity: float) -> Any:
    from holdall._eviction.heap import GdsfPolicy, Way  # noqa: PLC0415  (needs heapdict)

    return GdsfPolicy(capacity, way=Way.ALWAYS)


class MemoryLedger(Ledger):
    """Records in memory, for one process.

    Parameters
    ----------
    policy
        A policy by name, or a function that makes one for a capacity.
    capacity
        The limit of the persister.
    """

    def __init__(self, policy: str | Callable[[int], Any], capacity: int) -> None:
        self._policy = self._made(policy, capacity)
        self._chosen = policy, capacity
        self._lock = new_lock()
        self._records: dict[Any, _Record] = {}
        self._expiring: dict[Any, _Record] = {}
        self._bytes = 0

    def turn(self) -> AbstractContextManager[Any]:  # docstring inherited
        return self._lock

    def take_over(self, inner: Any, owns: Callable[[Any], bool], policy: str, capacity: int) -> None:
        """Switch to a policy, and update the records to the existing items."""
        with self._lock:
            if (policy, capacity) != self._chosen:
                order, self._chosen = list(self._policy), (policy, capacity)
                self._policy = self._made(policy, capacity)
                for record in order:
                    self._policy.admit(record)
                    self._policy.insert(record)
            found = list(inner.by_age() if Capability.MTIME in inner.capabilities else inner)
            self.removed(self._records.keys() - set(found))
            for id in found:
                try:
                    if id not in self._records and owns(id):
                        self.wrote(id, self.size(id, inner[id]))
                except KeyError:
                    continue

    @staticmethod
    def _made(policy: Any, capacity: int) -> Policy:
        # Every written item must be admitted; only its size may prevent that.
        return make_policy(_always_admitting if policy == "gdsf" else policy, capacity)

    def size(self, id: Any, data: Any) -> int:  # docstring inherited
        if type(data) is list:
            data = b"".join(data) if all(isinstance(part, bytes | memoryview) for part in data) else data
        return sizeof(data) + sizeof(id)

    def wrote(self, id: Any, size: int) -> None:  # docstring inherited
        record = self._records.get(id)
        if record is None:
            record = self._records[id] = _Record(id, size)
            self._policy.admit(record)
        else:
            self._policy.discard(record)
            self._bytes -= int(record.size)
            record.size = size
            record.expires = math.inf
            self._expiring.pop(id, None)
        self._bytes += size
        self._policy.insert(record)

    def removed(self, ids: Iterable[Any]) -> None:  # docstring inherited
        for id in ids:
            record = self._records.pop(id, None)
            if record is not None:
                self._policy.discard(record)
                self._bytes -= int(record.size)
                self._expiring.pop(id, None)

    def totals(self) -> tuple[int, int]:  # docstring inherited
        return self._bytes, len(self._records)

    def hit(self, id: Any) -> None:  # docstring inherited
        record = self._records.get(id)
        if record is not None:
            self._policy.hit(record)

    def flush(self) -> None:  # docstring inherited
        return

    def expire(self, id: Any, at: float | None) -> bool:  # docstring inherited
        record = self._records.get(id)
        if record is None:
            return False
        if at is None:
            record.expires = math.inf
            self._expiring.pop(id, None)
        else:
            record.expires = at
            self._expiring[id] = record
        return True

    def expires(self, id: Any) -> float:  # docstring inherited
        if not self._expiring:
            return math.inf
        record = self._expiring.get(id)
        return math.inf if record is None else record.expires

    def expired(self, now: float, limit: int = -1) -> list[Any]:  # docstring inherited
        expiring = list(self._expiring.values())  # at once: others write meanwhile
        found = [record.key for record in expiring if record.expires <= now]
        return found if limit < 0 else found[:limit]

    def victims(
        self, nbytes: float, items: int, spare: Callable[[Any], bool], now: float
    ) -> list[Any]:  # docstring inherited
        gone = [self._records[id] for id in self.expired(now) if not spare(id)]
        chosen: list[_Record] = []
        for record in gone:
            if nbytes <= 0 and items <= 0:
                break
            chosen.append(record)
            nbytes -= record.size
            items -= 1
        if nbytes > 0 or items > 0:
            for record in chosen:
                self._policy.discard(record)
            chosen += self._policy.pop(nbytes, items=items, spare=lambda record: spare(record.key))
        return [record.key for record in chosen]

    def clear(self) -> None:  # docstring inherited
        self._policy.clear()
        self._records.clear()
        self._expiring.clear()
        self._bytes = 0
