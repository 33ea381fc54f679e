"""The keys of a store, cached."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

from holdall._posix.fork import new_lock
from holdall._shown import shown
from holdall.abc import Capability, Persister, PersisterWrapper, Unary
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.store import Pipeline, Store, StorePersister
from holdall.wrappers._base import wrapper

__all__ = ["CachedKeysPersister", "cached_keys"]

# Functions that return the given keys, each once: membership needs no call of them.
_WHOLE: tuple[Any, ...] = (list, tuple, set, frozenset, sorted)


class CachedKeysPersister(PersisterWrapper):
    """List ids once, and answer questions about them from that list.

    Parameters
    ----------
    inner
        The persister whose ids are cached.
    keys_cache
        As in `cached_keys`.

    Notes
    -----
    Threads: safe; own writes and deletions are in the list when they return, whatever ran concurrently.
    Processes: listing, ``in`` and ``len`` do not see what others write or delete before `refresh`; all else
    uses the persister. After a crash: the list is lost, and made again. Cost: one listing at the first look;
    then a look-up in a dict. Memory for all ids.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> inner = {"b": 1}
    >>> persister = CachedKeysPersister(MappingPersister.of(inner), sorted)
    >>> list(persister)
    ['b']
    >>> persister["a"] = 2
    >>> inner["unseen"] = 3
    >>> list(persister)
    ['a', 'b']
    """

    def __init__(self, inner: Persister, keys_cache: Any = list) -> None:
        super().__init__(inner)
        self._pick = keys_cache if callable(keys_cache) else None
        self._given = () if callable(keys_cache) else tuple(keys_cache)
        self._reset()

    def _reset(self) -> None:
        self._lock = new_lock()
        # Keys by their ids in the persister: 1 and True may be two keys, and lists may be keys.
        self._known: dict[Any, Any] | None = None
        self._picked: dict[Any, Any] | None = None
        self._busy: dict[Any, int] = {}  # current writes, by name
        self._contested: set[Any] = set()  # names with several current writes

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims, except transactions."""
        return super().capabilities - {Capability.TRANSACTIONS}

    def transaction(self) -> AbstractContextManager[None]:
        """Raise: the cache would outlive a transaction that is undone."""
        raise self._no_transactions("keys in memory would outlive one that is undone", "cached_keys")

    def __getstate__(self) -> dict[str, Any]:
        unsaved = ("_lock", "_known", "_picked", "_busy", "_contested")
        return {name: value for name, value in vars(self).copy().items() if name not in unsaved}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    # ------------------------------------------------------------------ the list

    def _name(self, key: Any) -> Any:
        named = getattr(self.inner, "id_of", None)
        return key if named is None else named(key)

    def _named(self, keys: Iterable[Any]) -> dict[Any, Any]:
        return {self._name(key): key for key in keys}

    def _listed(self) -> dict[Any, Any]:
        """Return the list, to be called, and its result used, under the lock."""
        if self._known is None:
            self._known = self._named(self._given if self._pick is None else self.inner)
            self._picked = None
        if self._pick is None or self._pick in _WHOLE:
            return self._known
        return self._chosen(self._pick)

    def _chosen(self, pick: Unary) -> dict[Any, Any]:
        if self._picked is None:
            self._picked = self._named(pick(list((self._known or {}).values())))
        return self._picked

    def _snapshot(self) -> list[Any]:
        with self._lock:
            listed = self._listed()
            if self._pick is sorted:
                listed = self._chosen(self._pick)
            return list(listed.values())

    def _begin(self, name: Any) -> None:
        with self._lock:
            self._busy[name] = count = self._busy.get(name, 0) + 1
            if count > 1:
                self._contested.add(name)

    def _end(self, name: Any, key: Any, present: bool | None) -> None:
        """Enter the outcome of a write; look up an unknown one, or one with concurrent writes."""
        with self._lock:
            if present is None or name in self._contested:
                present = self._look(key)
            self._busy[name] -= 1
            if not self._busy[name]:
                del self._busy[name]
                self._contested.discard(name)
            if self._known is None and self._pick is None:
                self._listed()
            known = self._known
            if known is None or present is None or present == (name in known):
                return
            self._picked = None
            if present:
                known[name] = key
            else:
                del known[name]

    def _look(self, key: Any) -> bool | None:
        try:
            return key in self.inner
        except Exception:  # the error of the write matters more
            if self._pick is not None:
                self._known = None  # list again when the persister answers
            return None

    def _changing(self, key: Any, change: Callable[[], Any], *, present: bool) -> Any:
        name = self._name(key)
        self._begin(name)
        outcome: bool | None = None
        try:
            result = change()
            outcome = present
        except KeyError:
            outcome = None if present else False
            raise
        finally:
            self._end(name, key, outcome)
        return result

    def refresh(self) -> None:  # docstring inherited
        super().refresh()
        with self._lock:
            if self._pick is None:
                listed = self._listed()
                self._known = {name: key for name, key in listed.items() if key in self.inner}
            else:
                self._known = self._picked = None

    # ------------------------------------------------------------------ looking

    @property
    def getter(self) -> Unary:  # docstring inherited
        return self.inner.getter  # type: ignore[no-any-return]

    def __contains__(self, id: object) -> bool:
        try:
            name = self._name(id)
        except InvalidKeyError:
            return False
        with self._lock:
            return name in self._listed()

    def __len__(self) -> int:
        with self._lock:
            return len(self._listed())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._snapshot())

    def ids(self, prefix: str = "") -> Iterator[Any]:  # docstring inherited
        return (id for id in self if not prefix or id.startswith(prefix))

    def pages(self, prefix: str = "") -> Iterator[list[Any]]:  # docstring inherited
        yield list(self.ids(prefix))

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[Any]:  # docstring inherited
        with self._lock:
            if self._known is not None or self._pick is None:
                found = (
                    id
                    for id in self._listed().values()
                    if not prefix or (isinstance(id, str) and id.startswith(prefix))
                )
                return list(islice(found, limit))
        # Listing may take long, and completion of keys does not wait for it.
        return list(self._pick(self.inner.peek(prefix, limit=limit, seconds=seconds)))

    def scan(self, prefix: str = "") -> Iterator[tuple[Any, Stat]]:  # docstring inherited
        if self._pick is None:  # a few of many, or of a persister that cannot list
            yield from Persister.scan(self, prefix)
            return
        with self._lock:
            listed = dict(self._listed())
        for id, stat in self.inner.scan(prefix):
            if self._name(id) in listed:
                yield id, stat

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        try:
            return self.inner.read(id)  # type: ignore[no-any-return]
        except KeyError:
            self._lost(id)
            raise

    def glance(self, id: Any, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        return self.inner.glance(id, limit)  # type: ignore[no-any-return]

    def stat(self, id: Any) -> Stat:  # docstring inherited
        try:
            return self.inner.stat(id)  # type: ignore[no-any-return]
        except KeyError:
            self._lost(id)
            raise

    def _lost(self, key: Any) -> None:
        """Remove a key that the persister does not have from the list, unless it is being written."""
        try:
            name = self._name(key)
        except InvalidKeyError:
            return
        with self._lock:
            if self._known and name in self._known and name not in self._busy and self._look(key) is False:
                del self._known[name]
                self._picked = None

    # ------------------------------------------------------------------ writing

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        inner = self._writable()
        self._changing(id, lambda: inner.put(id, data), present=True)

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        inner = self._writable()
        stat: Stat = self._changing(id, lambda: inner.write(id, data, expected), present=True)
        return stat

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        inner = self._writable()
        self._changing(id, lambda: inner.remove(id, expected), present=False)

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:  # docstring inherited
        inner = self._writable()
        begun: list[tuple[Any, Any]] = []

        def noted() -> Iterator[tuple[Any, Any]]:
            for id, data in items:
                name = self._name(id)
                self._begin(name)
                begun.append((name, id))
                yield id, data

        outcome = None
        try:
            inner.write_many(noted())
            outcome = True
        finally:
            for name, id in begun:
                self._end(name, id, outcome)

    def clear(self) -> None:  # docstring inherited
        if self._pick not in _WHOLE:  # delete only what is listed
            self.remove_many(list(self))
            return
        try:
            self._writable().clear()
        finally:
            with self._lock:
                self._known = self._picked = None

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        try:
            return super().purge(owns, prefix)
        finally:
            self.refresh()


@wrapper
def cached_keys(
    store: Store[Any, Any], *, keys_cache: Callable[[list[Any]], Iterable[Any]] | Collection[Any] = list
) -> Pipeline:
    """List the keys once, and answer ``in``, ``len`` and iteration from that list.

    Parameters
    ----------
    store
        A store, a store class, or any mapping or class of these; without one, a decorator is returned.
    keys_cache
        What to make of the list of keys: a function such as ``list``, ``sorted``, or one that leaves keys
        out; or the keys themselves, in the desired order, which are then listed without asking the store.

    Raises
    ------
    InvalidArgumentError
        If `keys_cache` is neither a function nor a collection that can be read more than once.

    Notes
    -----
    Own writes and deletions, by any verb, are in the list when they return. Those of others are not, until
    ``refresh()``, or until ``pop`` or a conditional operation finds their item deleted. Only the listing is
    cached: ``[]``, ``get`` and the conditional operations use the store, so a key that is not listed can
    still be read. Keys given in `keys_cache` are assumed to exist; ``refresh()`` drops those that do not.
    ``clear()`` deletes what is listed, where the list is not the whole. The given collection is copied, and
    never changed.

    See `CachedKeysPersister` for threads, processes and costs.

    Examples
    --------
    >>> mapping = {"b": 1, "a": 2}
    >>> store = cached_keys(mapping, keys_cache=sorted)
    >>> list(store)
    ['a', 'b']
    >>> mapping["foreign"] = 3
    >>> store["c"] = 4
    >>> list(store), "foreign" in store
    (['a', 'b', 'c'], False)
    >>> store.refresh()
    >>> len(store)
    4
    >>> list(cached_keys(mapping, keys_cache=["foreign", "a"]))
    ['foreign', 'a']
    """
    if not callable(keys_cache) and (
        isinstance(keys_cache, str | bytes) or not isinstance(keys_cache, Collection)
    ):
        raise InvalidArgumentError(
            f"keys_cache is a function of the list of keys, or a collection of keys, got {shown(keys_cache)}",
        )
    return Pipeline(CachedKeysPersister(StorePersister(store), keys_cache))
