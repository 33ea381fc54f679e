"""Any store as a cache that evicts: bounded in bytes or items, with an expiry per item."""

import copy
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from holdall._eviction import POLICIES, PolicyName
from holdall._eviction.amounts import parse_size
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

#: Wrappers below which a place may be bounded, as they neither rename ids nor remember anything.
_CLEAR = (AppendOnlyPersister, ExpiringPersister)

_LOG = 3_500_000  # bytes that a write-ahead log may have beside a small bound

# Handles of one place in memory share its records.
_ledgers: WeakKeyDictionary[Any, dict[Any, MemoryLedger]] = WeakKeyDictionary()
_ledgers_lock = threading.Lock()


def _place(store: Any) -> BoundedPersister:
    """Return the bounded persister of a store."""
    return _find(store)[0]


def _find(store: Any, key: Any = None) -> tuple[BoundedPersister, Any]:
    """Return the bounded persister of a store, and the id that a key has there."""
    place: Any = StorePersister(store)
    while not isinstance(place, BoundedPersister):
        if isinstance(place, StorePersister):
            key = None if key is None else place.id_of(key)
            place = place.inner.pipeline.persister
        else:
            place = place.inner
    return place, key


@added_method
def _set(self: Any, key: Any, value: Any, ttl: float | None = None) -> None:
    """Store a value that is there for so many seconds; None for as long as there is room."""
    with _place(self).living(ttl):
        self[key] = value


@added_method
def _touch(self: Any, key: Any, ttl: float | None = None) -> bool:
    """Count a use of an item, and let it be there for so many seconds from now; tell whether it is there."""
    place, id = _find(self, key)
    with place.living(ttl):
        return place.touch(id)


@added_method
def _stats(self: Any) -> BoundedStats:
    """Return counts of hits, misses and evictions, and what the store holds."""
    return _place(self).stats()


@added_method
def _volume(self: Any) -> int:
    """Return the bytes that the store takes, of those that `bounded` counts."""
    return _place(self).ledger.totals()[0]


def _methods(**_: Any) -> dict[str, Callable[..., Any]]:
    return {"set": _set, "touch": _touch, "stats": _stats, "volume": _volume}


@with_methods(_methods)
def bounded(
    store: Store[Any, Any],
    *,
    max_bytes: float | str | None = None,
    max_items: int | None = None,
    policy: PolicyName = "lru",
) -> Pipeline:
    """Keep a store within a bound: what is used least goes when there is no more room.

    Parameters
    ----------
    store
        A store, a store class, or any mapping or class of these; without one, a decorator is given.
    max_bytes
        How much it may hold: a number of bytes or text such as ``"500MB"``. Files count as the blocks that
        they take, rows of a SQLite file with what SQLite needs around them, values in memory by estimate.
    max_items
        How many items it may hold.
    policy
        Who goes first: ``"lru"``, who was not used for the longest time; ``"sieve"``, nearly so, and noted
        more cheaply; ``"lfu"``, who is used least often, as of late; ``"gdsf"``, who takes the most room for
        the use that it sees, so that as many as possible stay. Expired items go before all others.

    Raises
    ------
    InvalidArgumentError
        If neither bound is given, or an option is not of its kind.
    UnsupportedError
        If the store cannot be written, or shows a part of a store only (`get_subdict`, `filt_iter`): bound
        the whole, and take the part of that.
    ValueTooLargeError
        By a write of a value that is larger than the bound; nothing is evicted then.

    Notes
    -----
    The store has four words more. ``set(key, value, ttl=seconds)`` stores a value that is absent for every
    verb after that time; a write by any other verb stays until it is evicted. ``touch(key, ttl=None)`` counts
    as a use and sets the time anew. ``volume()`` is what counts against `max_bytes`, and ``stats()`` tells
    hits, misses and evictions. ``purge()`` deletes what has expired.

    After each write the store is within its bound. Evictions make a little more room than is needed, up to
    1 % of the bound and 64 items, so that most writes find room. `update` writes and evicts in portions.
    Only items that the store lists are ever evicted: other files in its folder stay, and do not count. Rows
    of a table that it does not list stay, too, but do count.

    The records of who was used lie in the database of a `SQLiteStore`, and in one beside the files of a
    `FileDirStore`: they are exact among processes, and outlive them. A read only takes a note, which is
    written down with the next hundreds; a killed process loses these. Who else writes to the table is
    counted, who writes to the folder only when it is next opened. All other stores have their records in the
    memory of this process, and count what is there when they are opened.

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
        raise InvalidArgumentError(f"max_items is a number of items from 1, or None, got {max_items!r:.80}")
    nbytes = None if max_bytes is None else parse_size(max_bytes, "max_bytes")
    if nbytes is not None and nbytes < 1:
        raise InvalidArgumentError(f"max_bytes must be more than 0, got {max_bytes!r:.80}")
    if policy not in POLICIES:
        raise InvalidArgumentError(f"policy is one of {', '.join(map(repr, POLICIES))}, got {policy!r:.80}")
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
    return store.pipeline.over(_over_ground(store, store.pipeline.persister, make))


def _over_ground(store: Any, persister: Any, make: Callable[..., BoundedPersister]) -> Any:
    """Bound a place below the wrappers that only look at its data, in copies of these."""
    if any(isinstance(layer, Under | Filter) for layer in store.pipeline.layers):
        raise UnsupportedError(
            f"{store!r:.200} shows a part of a store, and what it does not show would count and be evicted "
            "as well: bound the whole store, and take the part of that",
        )
    if isinstance(persister, StorePersister):
        below = persister.inner
        bound = _over_ground(below, below.pipeline.persister, make)
        return StorePersister(below.with_persister(bound))
    if type(persister) in _CLEAR:
        made = copy.copy(persister)
        made.inner = _over_ground(store, persister.inner, make)
        return made
    return make(persister, owns=StorePersister(store).owns)


def _open_ledger(
    inner: Any, owns: Callable[[Any], bool], *, policy: str, capacity: int, max_bytes: int | None
) -> Ledger:
    """Open the records of a place, where they are exact among as many as possible."""
    if isinstance(inner, SqlitePersister):
        if max_bytes is not None:
            inner.limit_log(max_bytes * 3 // 20 + _LOG)
        return TableLedger(inner, policy)
    if isinstance(inner, FilesPersister):
        folder = os.path.dirname(str(inner.lock_file))
        return FolderLedger(os.path.join(folder, "bounded.db"), policy, inner.scan(), owns)
    return _memory_ledger(inner, owns, policy, capacity)


def _memory_ledger(inner: Any, owns: Callable[[Any], bool], policy: str, capacity: int) -> MemoryLedger:
    ground = inner
    while isinstance(ground, PersisterWrapper):
        ground = ground.inner
    with _ledgers_lock:
        shared = _ledgers.setdefault(ground, {})
        ledger = shared.setdefault(type(inner), MemoryLedger(policy, capacity))
    ledger.take_over(inner, owns, policy, capacity)
    return ledger
