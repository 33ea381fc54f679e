"""Any store as a cache that evicts: with a limit of bytes or items, and an expiry per item."""

import copy
import os
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from holdall._eviction import POLICIES, PolicyName
from holdall._eviction.amounts import parse_size
from holdall._posix.fork import new_lock
from holdall._shown import PATH, shown
from holdall.abc import Capability, PersisterWrapper
from holdall.errors import InvalidArgumentError, UnsupportedError
from holdall.keys import Under
from holdall.persisters.files import FilesPersister
from holdall.persisters.guards import AppendOnlyPersister
from holdall.persisters.sqlite import SqlitePersister
from holdall.store import Pipeline, Store, StorePersister
from holdall.wrappers._aliases import with_methods
from holdall.wrappers._base import added_method
from holdall.wrappers._bounded._ledger import Ledger, MemoryLedger
from holdall.wrappers._bounded._persister import BoundedPersister, BoundedStats
from holdall.wrappers._bounded._table import FolderLedger, TableLedger
from holdall.wrappers._expiring import ExpiringPersister
from holdall.wrappers._filt_iter import Filter

__all__ = ["BoundedPersister", "BoundedStats", "bounded"]

#: Wrappers below which a persister may be bounded, as they neither rename ids nor cache anything.
_CLEAR = (AppendOnlyPersister, ExpiringPersister)

_LOG = 3_500_000  # maximal bytes of the write-ahead log for a small limit

# Handles of one mapping in memory share its records.
_ledgers: WeakKeyDictionary[Any, dict[Any, MemoryLedger]] = WeakKeyDictionary()
_ledgers_lock = new_lock()


def _place(store: Any) -> BoundedPersister:
    """Return the bounded persister of a store."""
    return _find(store)[0]


def _find(store: Any, key: Any = None) -> tuple[BoundedPersister, Any]:
    """Return the bounded persister of a store, and the id of a key in it."""
    persister: Any = StorePersister(store)
    while not isinstance(persister, BoundedPersister):
        if isinstance(persister, StorePersister):
            key = None if key is None else persister.id_of(key)
            persister = persister.inner.pipeline.persister
        else:
            persister = persister.inner
    return persister, key


@added_method
def _set(self: Any, key: Any, value: Any, ttl: float | None = None) -> None:
    """Store a value with a time to live in seconds; None for no limit."""
    with _place(self).living(ttl):
        self[key] = value


@added_method
def _touch(self: Any, key: Any, ttl: float | None = None) -> bool:
    """Count a use of an item and set its time to live; return whether it is there."""
    persister, id = _find(self, key)
    with persister.living(ttl):
        return persister.touch(id)


@added_method
def _stats(self: Any) -> BoundedStats:
    """Return counts of hits, misses and evictions, and the size of the store."""
    return _place(self).stats()


@added_method
def _volume(self: Any) -> int:
    """Return the bytes of the store, as `bounded` counts them."""
    return _place(self).ledger.totals()[0]


def _methods(**_: Any) -> dict[str, Callable[..., Any]]:
    return {"set": _set, "touch": _touch, "stats": _stats, "volume": _volume}


@with_methods(_methods, replaces={"set", "stats"})
def bounded(
    store: Store[Any, Any],
    *,
    max_bytes: float | str | None = None,
    max_items: int | None = None,
    policy: PolicyName = "lru",
) -> Pipeline:
    """Limit the size of a store: when there is no room, the least used items are evicted.

    Parameters
    ----------
    store
        A store, a store class, or any mapping or class of these; without one, a decorator is returned.
    max_bytes
        The maximal size: a number of bytes or text such as ``"500MB"``. Files count by the blocks that they
        occupy, rows of a SQLite file with SQLite's overhead, values in memory by estimate.
    max_items
        The maximal number of items.
    policy
        What is evicted first: ``"lru"``, the least recently used; ``"sieve"``, nearly so, with less
        bookkeeping; ``"lfu"``, the least frequently used of late; ``"gdsf"``, the largest for their use, so
        that as many items as possible stay. Expired items go before all others.

    Raises
    ------
    InvalidArgumentError
        If neither limit is given, or an option is invalid.
    UnsupportedError
        If the store is read-only, or shows only a part of a store (`get_subdict`, `filt_iter`): bound the
        whole store, and take the part of that.
    ValueTooLargeError
        When a value is written that is larger than the limit; nothing is evicted then.

    Notes
    -----
    The store has additional methods. ``set(key, value, ttl=seconds)`` stores a value that is absent for every
    verb after that time; other verbs write values that stay until they are evicted. ``touch(key, ttl=None)``
    counts as a use and sets the time again. ``volume()`` is what counts against `max_bytes`, and ``stats()``
    returns hits, misses and evictions. ``purge()`` deletes expired items.

    After each write the store is within its limit. Evictions make a little more room than is needed, up to 1
    % of the limit and 64 items, so that most writes find room. `update` writes and evicts in portions. Only
    items that the store lists are ever evicted: other files in its folder stay, and do not count. Rows of a
    table that it does not list also stay, but do count.

    The records of uses are in the database of an `SQLiteStore`, and in one beside the files of a
    `FileDirStore`: they are exact among processes, and persistent. A read only notes its use, which is
    written together with some hundred others; a killed process loses these. Other writers to the table are
    counted, other writers to the folder only when it is next opened. All other stores have their records in
    the memory of this process, and count the existing items when they are opened.

    Examples
    --------
    >>> cache = bounded({}, max_items=2)
    >>> cache["a"], cache["b"] = 1, 2
    >>> cache["a"]
    1
    >>> cache["c"] = 3
    >>> sorted(cache), cache.stats().evictions
    (['a', 'c'], 1)
    """
    if max_bytes is None and max_items is None:
        raise InvalidArgumentError("bounded needs a bound: max_bytes=, max_items= or both")
    if max_items is not None and (type(max_items) is not int or max_items < 1):
        raise InvalidArgumentError(f"max_items is a number of items from 1, or None, got {shown(max_items)}")
    nbytes = None if max_bytes is None else parse_size(max_bytes, "max_bytes")
    if nbytes is not None and nbytes < 1:
        raise InvalidArgumentError(f"max_bytes must be more than 0, got {shown(max_bytes)}")
    if policy not in POLICIES:
        raise InvalidArgumentError(f"policy is one of {', '.join(map(repr, POLICIES))}, got {shown(policy)}")
    if Capability.WRITABLE not in store.pipeline.persister.capabilities:
        raise UnsupportedError(
            f"{store.pipeline.persister.place} cannot be written, so there is nothing to bound"
        )
    make = partial(
        BoundedPersister,
        open_ledger=partial(_open_ledger, policy=policy, capacity=nbytes or max_items or 0, max_bytes=nbytes),
        max_bytes=nbytes,
        max_items=max_items,
    )
    return store.pipeline.over(_over_innermost(store, store.pipeline.persister, make))


def _over_innermost(store: Any, persister: Any, make: Callable[..., BoundedPersister]) -> Any:
    """Bound the persister below the wrappers that only look at its data, in copies of these."""
    if any(isinstance(layer, Under | Filter) for layer in store.pipeline.layers):
        raise UnsupportedError(
            f"{shown(store, PATH)} shows a part of a store, and what it does not show would count and be "
            "evicted as well: bound the whole store, and take the part of that",
        )
    if isinstance(persister, StorePersister):
        below = persister.inner
        bound = _over_innermost(below, below.pipeline.persister, make)
        return StorePersister(below.with_persister(bound))
    if type(persister) in _CLEAR:
        made = copy.copy(persister)
        made.inner = _over_innermost(store, persister.inner, make)
        return made
    return make(persister, owns=StorePersister(store).owns)


def _open_ledger(
    inner: Any, owns: Callable[[Any], bool], *, policy: str, capacity: int, max_bytes: int | None
) -> Ledger:
    """Open the records of a persister, exact among as many handles and processes as possible."""
    if isinstance(inner, SqlitePersister):
        if max_bytes is not None:
            inner.limit_log(max_bytes * 3 // 20 + _LOG)
        return TableLedger(inner, policy)
    if isinstance(inner, FilesPersister):
        folder = os.path.dirname(str(inner.lock_file))
        return FolderLedger(os.path.join(folder, "bounded.db"), policy, inner.scan(), owns)
    return _memory_ledger(inner, owns, policy, capacity)


def _memory_ledger(inner: Any, owns: Callable[[Any], bool], policy: str, capacity: int) -> MemoryLedger:
    innermost = inner
    while isinstance(innermost, PersisterWrapper):
        innermost = innermost.inner
    with _ledgers_lock:
        shared = _ledgers.setdefault(innermost, {})
        ledger = shared.setdefault(type(inner), MemoryLedger(policy, capacity))
    ledger.take_over(inner, owns, policy, capacity)
    return ledger
