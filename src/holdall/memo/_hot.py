"""Results in memory: found without a lock, bounded in number and bytes."""

import sys
import threading
from collections import deque
from math import inf
from typing import Any

__all__ = ["Entry", "Hot", "size_of"]

_SLACK = 100
_ALIASES = 4  # quick keys of one entry: {1, 2} and {2, 1} are one argument in two forms


class Entry:
    """A result in memory.

    Parameters
    ----------
    key
        Its key.
    value
        The result.
    expires
        When it is no longer valid, in seconds of `time.time`.
    size
        What it takes, in bytes; 0 where nobody counts.
    """

    __slots__ = ("aliases", "expires", "key", "size", "used", "value")

    def __init__(self, key: str, value: Any, expires: float = inf, size: int = 0) -> None:
        self.key = key
        self.value = value
        self.expires = expires
        self.size = size
        self.used = False
        self.aliases: tuple[Any, ...] = ()


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
    Cost of a hit: a look-up and a mark. When there is no more room, the oldest entry that was not used since
    the last look goes; one that was is marked unused and moves to the end. That is nearly the least recently
    used one, and costs those who read nothing.
    """

    def __init__(self, maxsize: int | None, max_bytes: int | None) -> None:
        self.maxsize = maxsize
        self.max_bytes = max_bytes
        self.entries: dict[str, Entry] = {}
        self.quick: dict[Any, Entry] = {}
        self._bounded = maxsize is not None or max_bytes is not None
        # The oldest first; some are gone already. A dict is slow to give its first item after deletions.
        self._order: deque[Entry] = deque()
        self._bytes = 0
        self.reset_lock()

    def reset_lock(self) -> None:
        """Begin with a lock that nobody holds, as in a forked child."""
        self._lock = threading.RLock()

    def put(self, key: str, value: Any, quick: Any, expires: float) -> None:
        """Keep a result, in the place of an older one."""
        size = 0 if self.max_bytes is None else size_of(value)
        if self.maxsize == 0 or (self.max_bytes is not None and size > self.max_bytes):
            self.discard(key)
            return
        entry = Entry(key, value, expires, size)
        with self._lock:
            if key in self.entries:
                self.discard(key)
            self.entries[key] = entry
            self._bytes += size
            if quick is not None:
                entry.aliases = (quick,)
                self.quick[quick] = entry
            if self._bounded:
                self._order.append(entry)
                self._shrink()

    def alias(self, quick: Any, entry: Entry) -> None:
        """Let an entry be found by a quick key too."""
        if quick is None or len(entry.aliases) >= _ALIASES:
            return
        with self._lock:
            if self.entries.get(entry.key) is entry and quick not in self.quick:
                entry.aliases += (quick,)
                self.quick[quick] = entry

    def discard(self, key: str) -> bool:
        """Drop a result; tell whether there was one."""
        with self._lock:
            entry = self.entries.pop(key, None)
            if entry is None:
                return False
            for quick in entry.aliases:
                self.quick.pop(quick, None)
            self._bytes -= entry.size
            return True

    def clear(self) -> None:
        """Drop all results."""
        with self._lock:
            self.entries.clear()
            self.quick.clear()
            self._order.clear()
            self._bytes = 0

    def _shrink(self) -> None:
        most = inf if self.maxsize is None else self.maxsize
        heaviest = inf if self.max_bytes is None else self.max_bytes
        entries, order = self.entries, self._order
        while len(entries) > most or self._bytes > heaviest:
            entry = order.popleft()
            if entries.get(entry.key) is not entry:
                continue
            if entry.used:
                entry.used = False
                order.append(entry)
            else:
                self.discard(entry.key)
        if len(order) > 2 * len(entries) + _SLACK:  # replaced and forgotten ones
            self._order = deque(entry for entry in order if entries.get(entry.key) is entry)

    @property
    def nbytes(self) -> int:
        """What all results take, in bytes."""
        if self.max_bytes is not None:
            return self._bytes
        return sum(size_of(entry.value) for entry in list(self.entries.values()))


def size_of(value: Any) -> int:
    """Estimate what a result takes in memory, in bytes: containers and attributes with what they hold.

    Parameters
    ----------
    value
        The result. Arrays and tables are asked; what an object shares with itself counts once.
    """
    total, seen, todo = 0, set(), [value]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type):
            continue
        seen.add(id(thing))
        try:
            own = sys.getsizeof(thing)
        except Exception:  # a class of its own mind
            own = 64
        nbytes = getattr(thing, "nbytes", None)
        total += max(own, nbytes) if type(nbytes) is int else own
        if isinstance(thing, dict):
            todo += thing.keys()
            todo += thing.values()
        elif isinstance(thing, list | tuple | set | frozenset):
            todo += thing
        elif hasattr(thing, "__dict__") and not callable(thing):
            todo.append(vars(thing))
    return total
