"""Results in memory: found without a lock, limited in number and bytes."""

import threading
from math import inf
from typing import Any

from holdall._eviction import Entry as PolicyEntry
from holdall._eviction import SievePolicy
from holdall._eviction.sizeof import sizeof
from holdall.memo._results import Held

__all__ = ["Entry", "Hot"]

_ALIASES = 4  # quick keys of one entry: {1, 2} and {2, 1} are equal arguments


class Entry(PolicyEntry):
    """A result in memory.

    Parameters
    ----------
    key
        Its key.
    held
        The kept result.
    expires
        When it is no longer valid, in seconds of `time.time`.
    renew
        When it should be computed again, before that.
    size
        Its size in bytes; 0 if it is not counted.
    """

    __slots__ = ("aliases", "copy", "ends", "expires", "made", "seconds", "value")

    def __init__(self, key: str, held: Held, expires: float = inf, size: int = 0, renew: float = inf) -> None:
        super().__init__(key, size)
        self.value = held.value
        self.copy = held.copy
        self.made = held.made
        self.seconds = held.seconds
        self.ends = expires
        #: Until when it is returned without a check.
        self.expires = min(expires, renew)
        self.aliases: tuple[Any, ...] = ()

    def given(self) -> Any:
        """Return the result for a caller."""
        return self.value if self.copy is None else self.copy(self.value)


class Hot:
    """Entries by key, and by quick keys.

    Parameters
    ----------
    maxsize
        How many entries at the most; None for any number.
    max_bytes
        How many bytes their results may take at the most; None for any.

    Notes
    -----
    Threads: all methods are safe; reading `quick` and `entries` takes no lock. Processes: each has its own.
    Cost of a hit: a look-up and a mark. If there is no room, `SievePolicy` chooses what goes, which costs
    readers nothing.
    """

    def __init__(self, maxsize: int | None, max_bytes: int | None) -> None:
        self.maxsize = maxsize
        self.max_bytes = max_bytes
        self.entries: dict[str, Entry] = {}
        self.quick: dict[Any, Entry] = {}
        self._bounded = maxsize is not None or max_bytes is not None
        self._policy = SievePolicy(inf if max_bytes is None else max_bytes)
        self._bytes: float = 0
        self.reset_lock()

    def reset_lock(self) -> None:
        """Replace the lock by a free one, as in a forked child."""
        self._lock = threading.RLock()

    def put(self, key: str, held: Held, quick: Any, expires: float, renew: float = inf) -> None:
        """Keep a result, replacing an older one."""
        size = 0 if self.max_bytes is None else sizeof(held.value)
        if self.maxsize == 0 or (self.max_bytes is not None and size > self.max_bytes):
            self.discard(key)
            return
        entry = Entry(key, held, expires, size, renew)
        with self._lock:
            if key in self.entries:
                self.discard(key)
            if self._bounded:
                if len(self.entries) == self.maxsize or self.max_bytes is not None:
                    self._make_room(size)
                self._policy.insert(entry)
            self.entries[key] = entry
            self._bytes += size
            if quick is not None:
                entry.aliases = (quick,)
                self.quick[quick] = entry

    def alias(self, quick: Any, entry: Entry) -> None:
        """Let an entry be found by a quick key too."""
        if quick is None or len(entry.aliases) >= _ALIASES:
            return
        with self._lock:
            if self.entries.get(entry.key) is entry and quick not in self.quick:
                entry.aliases += (quick,)
                self.quick[quick] = entry

    def discard(self, key: str) -> bool:
        """Drop a result; return whether there was one."""
        with self._lock:
            entry = self.entries.pop(key, None)
            if entry is None:
                return False
            for quick in entry.aliases:
                self.quick.pop(quick, None)
            self._bytes -= entry.size
            self._policy.discard(entry)
            return True

    def clear(self) -> None:
        """Drop all results."""
        with self._lock:
            self.entries.clear()
            self.quick.clear()
            self._policy.clear()
            self._bytes = 0

    def _make_room(self, size: int) -> None:
        """Drop results until there is room for one more."""
        many = 0 if self.maxsize is None else len(self.entries) + 1 - self.maxsize
        heavy = 0 if self.max_bytes is None else self._bytes + size - self.max_bytes
        for entry in self._policy.pop(heavy, items=many):
            self.discard(entry.key)

    @property
    def nbytes(self) -> int:
        """The size of all results, in bytes."""
        if self.max_bytes is not None:
            return int(self._bytes)
        return sum(sizeof(entry.value) for entry in list(self.entries.values()))
