"""Stores of results: opened once in a process, for all functions that share one."""

import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from holdall._eviction import PolicyName
from holdall.abc import Capability
from holdall.errors import StoreUnavailableError
from holdall.store import Store

__all__ = ["Bounds", "after_fork", "is_place", "open_store", "opening"]


class Bounds(NamedTuple):
    """The limits of the store of a path, and what is evicted first."""

    max_bytes: int | None = None
    max_items: int | None = None
    policy: PolicyName = "lru"
    #: Whether large results in a database have files of their own.
    files: bool = False


NO_BOUNDS = Bounds()

# Functions with the same path share its store, and so its connections.
_stores: WeakValueDictionary[tuple[str, Bounds], Any] = WeakValueDictionary()
_opening = threading.RLock()

_LARGE = 1 << 16  # from this size on, in bytes, a result has a file of its own
_DATABASES = (".db", ".sqlite", ".sqlite3")


def open_store(place: Any, bounds: Bounds = NO_BOUNDS) -> Any:
    """Return the store for results.

    Parameters
    ----------
    place
        A store, any mapping, or a path: of a SQLite file if it ends in ``.db``, ``.sqlite`` or ``.sqlite3``,
        otherwise of a folder.
    bounds
        The limits of the store of a path.
    """
    if isinstance(place, Store):
        return place
    if not isinstance(place, str | os.PathLike):
        return Store(place)
    path = os.path.abspath(place)
    with _opening:
        store = _stores.get((path, bounds))
        if store is None:
            store = _open_path(path, files=bounds.files)
            bounded_at_all = bounds.max_bytes or bounds.max_items  # 0 keeps nothing in memory
            if bounded_at_all and Capability.WRITABLE in store.pipeline.persister.capabilities:
                from holdall.wrappers._bounded import bounded  # noqa: PLC0415  (only with limits)

                max_bytes, max_items, policy, _ = bounds
                store = bounded(store, max_bytes=max_bytes or None, max_items=max_items, policy=policy)
            _stores[path, bounds] = store
        return store


def _open_path(path: str, *, files: bool) -> Any:
    """Open the store of a path, read-only where it cannot be written."""
    if path.endswith(_DATABASES):
        from holdall.stores.sqlite import SQLiteStore  # noqa: PLC0415  (sqlite3 is slow to import)

        cls: Any = partial(SQLiteStore, files_from=_LARGE) if files else SQLiteStore
    else:
        from holdall.stores.files import FileDirStore  # noqa: PLC0415  (only for folders)

        cls = FileDirStore
    if os.path.exists(path) and not os.access(path, os.W_OK):
        return cls(path, read_only=True)
    try:
        return cls(path)
    except StoreUnavailableError as error:
        try:
            return cls(path, read_only=True)
        except Exception:
            raise error from None


def is_place(thing: Any) -> bool:
    """Return whether this can be the store of results, and not a function to be memoized."""
    return isinstance(thing, str | os.PathLike | Mapping) or (
        hasattr(thing, "__getitem__")
        and hasattr(thing, "__iter__")
        and not callable(thing)
        and not isinstance(thing, Sequence)
    )


def opening() -> Any:
    """Return the lock under which stores, and files to lock, are opened."""
    return _opening


def after_fork() -> None:
    """Replace the lock by a free one."""
    global _opening  # noqa: PLW0603
    _opening = threading.RLock()
