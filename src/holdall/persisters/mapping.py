"""A persister over any mapping: a plain dict, a foreign MutableMapping, a read-only Mapping."""

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from sys import stdlib_module_names
from typing import Any
from weakref import WeakValueDictionary

from holdall._posix.fork import new_lock
from holdall.abc import Capability, Persister, Unary
from holdall.conditional import ANY_ETAG, VALUE_NOT_RETRIEVED, Expected, Stat
from holdall.errors import ReadOnlyError, UnsupportedError

__all__ = ["MappingPersister"]

_READS = frozenset({Capability.MTIME, Capability.CHEAP_STAT})
_WRITES = _READS | {Capability.WRITABLE, Capability.CAS_THREADS}

# One adapter per mapping, so that all stores over one dict take part in the same compare-and-swap. The
# adapter holds its mapping, so an id() stays taken while its entry lives.
_adapters: WeakValueDictionary[int, "MappingPersister"] = WeakValueDictionary()
_adapters_lock = new_lock()  # reentrant: a finalizer may make a store while one is made

_versions = itertools.count(1)


class MappingPersister(Persister):
    """A persister over any mapping; ids and data are whatever the mapping takes.

    Parameters
    ----------
    mapping
        The mapping to adapt. A `collections.abc.Mapping` that is not mutable is read-only. A ``__missing__``
        of it, as in a defaultdict, is used by ``[]`` alone: for all other verbs, absent ids are absent.

    Notes
    -----
    Threads: compare-and-swap is linearizable among all users of holdall in this process. Direct changes of a
    dict are noticed at the next stat, unless the same object is stored again; of direct changes of another
    mapping only a deletion is noticed, by a look before the id is used again. Processes: as the mapping.
    After a crash: as the mapping. Cost: an unconditional write adds a lock and a time stamp; versions are
    made when they are needed.

    Examples
    --------
    >>> persister = MappingPersister.of({})
    >>> before = persister.write("a", 1)
    >>> persister.put("a", 2)
    >>> persister.stat("a").etag == before.etag
    False
    """

    def __init__(self, mapping: Mapping[Any, Any]) -> None:
        self.mapping: Any = mapping
        mutable = isinstance(mapping, MutableMapping) or hasattr(mapping, "__setitem__")
        self.capabilities = _WRITES if mutable else _READS
        self.makes_missing = hasattr(type(mapping), "__missing__")
        self._lock = new_lock()  # the result of `lock`, without a call
        # By id: the time of a write whose stat was never read, or (data, Stat) once it was.
        self._seen: dict[Any, Any] = {}
        # A dict returns the object that was stored, so another object is another state. Other mappings may
        # return a new one at each look.
        self._keeps_objects = isinstance(mapping, dict) and type(mapping).__getitem__ is dict.__getitem__

    @classmethod
    def of(cls, mapping: Mapping[Any, Any]) -> "MappingPersister":
        """Return the one adapter of a mapping.

        Parameters
        ----------
        mapping
            The mapping to adapt.
        """
        with _adapters_lock:
            found = _adapters.get(id(mapping))
            if found is None:
                found = _adapters[id(mapping)] = cls(mapping)
            return found

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).of, (self.mapping,)

    @property
    def at_hand(self) -> bool:
        """Whether it is a dict, or of the standard library: others may be slow, or lie on a network."""
        return self._keeps_objects or type(self.mapping).__module__.partition(".")[0] in stdlib_module_names

    @property
    def lock(self) -> AbstractContextManager[Any]:  # docstring inherited
        return self._lock

    @property
    def place(self) -> str:  # docstring inherited
        return f"a {type(self.mapping).__name__} in memory"

    @property
    def getter(self) -> Unary:  # docstring inherited
        return self.mapping.__getitem__  # type: ignore[no-any-return]

    def __getitem__(self, id: Any) -> Any:
        return self.mapping[id]

    def __iter__(self) -> Iterator[Any]:
        # Most mappings must not change during iteration.
        return iter(list(self.mapping))

    def __contains__(self, id: object) -> bool:
        return id in self.mapping

    def __len__(self) -> int:
        mapping = self.mapping
        return len(mapping) if hasattr(mapping, "__len__") else sum(1 for _ in mapping)

    def ids(self, prefix: str = "") -> Iterator[Any]:  # docstring inherited
        return (id for id in self if id.startswith(prefix)) if prefix else iter(self)

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[Any]:  # docstring inherited
        until = time.monotonic() + seconds
        found: list[Any] = []
        try:
            for id in self.mapping:  # only as far as needed: listing may be slow
                if not prefix or (isinstance(id, str) and id.startswith(prefix)):
                    found.append(id)
                if len(found) >= limit or time.monotonic() > until:
                    break
        except RuntimeError:  # changed meanwhile
            return found
        return found

    def glance(self, id: Any, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        del limit
        if self._keeps_objects:
            return self.read(id)
        if id not in self.mapping:
            raise KeyError(id)
        seen = self._seen.get(id)
        mtime = seen if type(seen) is float else math.nan
        return VALUE_NOT_RETRIEVED, seen[1] if type(seen) is tuple else Stat("", mtime, None)

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        with self.lock:
            try:
                data = self._present(id)
            except KeyError:
                self._seen.pop(id, None)  # deleted directly: what follows is another state
                raise
            seen = self._seen.get(id)
            if type(seen) is tuple and (seen[0] is data or not self._keeps_objects):
                return data, seen[1]
            mtime = seen if type(seen) is float else time.time()
            size = len(data) if isinstance(data, bytes | bytearray) else None
            stat = Stat(f"{next(_versions):x}", mtime, size)
            self._seen[id] = (data if self._keeps_objects else None), stat
            return data, stat

    def _present(self, id: Any) -> Any:
        """Return existing data, without making missing ones."""
        if self.makes_missing and id not in self.mapping:
            raise KeyError(id)
        return self.mapping[id]

    def read_many(self, ids: Iterable[Any]) -> Iterator[tuple[Any, Any]]:  # docstring inherited
        for id in ids:
            try:
                data = self._present(id)
            except KeyError:
                continue
            yield id, data

    def _check_writable(self) -> None:
        if Capability.WRITABLE not in self.capabilities:
            raise ReadOnlyError(f"{self.place} can only be read")

    def write_dated(self, items: Iterable[tuple[Any, Any, float]]) -> None:  # docstring inherited
        for id, data, mtime in items:
            with self._lock:
                self.put(id, data)
                if not math.isnan(mtime):
                    self._seen[id] = float(mtime)

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        with self._lock:
            try:
                self.mapping[id] = data
            except TypeError:
                self._check_writable()
                raise
            self._seen[id] = time.time()

    __setitem__ = put

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        with self.lock:
            self.require(id, expected)
            self.put(id, data)
            return self.read(id)[1]

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._check_writable()
        with self.lock:
            self.require(id, expected)
            del self.mapping[id]
            self._seen.pop(id, None)

    def __delitem__(self, id: Any) -> None:
        self.remove(id)

    def clear(self) -> None:  # docstring inherited
        self._check_writable()
        if not hasattr(type(self.mapping), "clear"):
            super().clear()
            return
        clear: Any = self.mapping.clear
        with self._lock:
            try:
                clear()
            except (
                AttributeError,
                NotImplementedError,
                TypeError,
            ) as error:  # None, or a method that refuses
                raise UnsupportedError(f"{self.place} is not to be cleared: {error}") from error
            self._seen.clear()
