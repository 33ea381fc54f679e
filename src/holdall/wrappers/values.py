"""The values of a place, remembered in another store."""

import json
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from holdall.abc import Capability, Persister, PersisterWrapper
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import CorruptValueError, InvalidArgumentError
from holdall.store import Store
from holdall.store._nested import StorePersister
from holdall.wrappers._base import over_itself, wrapper

__all__ = ["CachedValuesPersister", "cached_values"]

_NOTHING: Final = object()
_STRIPES = 64


class _Note(NamedTuple):
    """What is known of a cached value, beside it."""

    etag: str  # of the source
    kept: str  # of the cached value
    time: float


class _Stripe:
    """Some of the keys: their lock, and how many own writes to them there were."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.writes = 0


class CachedValuesPersister(PersisterWrapper):
    """Reads values through another store, which keeps them.

    Parameters
    ----------
    inner
        The source.
    cache
        The store that keeps values, or any mutable mapping.
    max_age, validate, etags
        As in `cached_values`.

    Notes
    -----
    Threads: safe; a value that was read before an own write is never cached after it. Several threads that
    miss at once fetch once each. Processes: with ``validate="etag"``, no stale value is served. Without, what
    others write is seen when the cached value is too old, was deleted, or after `refresh`. Conditional
    operations always ask the source. After a crash: the source is as it leaves itself; with
    ``validate="etag"`` a cached value counts only if it is the one that was noted. Cost: a hit is a read of
    the cache, and with ``validate="etag"`` a stat of the source; a miss is a read of the source and a write
    to the cache.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> source, cache = {"a": 1}, {}
    >>> place = CachedValuesPersister(MappingPersister.of(source), cache)
    >>> place["a"], cache
    (1, {'a': 1})
    """

    def __init__(
        self,
        inner: Any,
        cache: Any,
        *,
        max_age: float | None = None,
        validate: str | None = None,
        etags: MutableMapping[Any, str] | None = None,
    ) -> None:
        super().__init__(inner)
        self.cache = StorePersister(cache if isinstance(cache, Store) else Store(cache))
        self.max_age = max_age
        self.validate = validate
        self.etags = etags
        own_times = {Capability.MTIME, Capability.PERSISTENT} <= self.cache.capabilities
        self._note_times = max_age is not None and not own_times
        self._plain = max_age is None and validate is None
        self._warned = False
        self._off = False  # the cache could not be cleared, so nothing in it counts
        self._distrusted: set[Any] = set()  # names of what could not be deleted there
        self._names: dict[Any, Any] = {}  # of cached keys that are no text: 1 may be in the place of True
        self._reset()

    def _reset(self) -> None:
        self._stripes = [_Stripe() for _ in range(_STRIPES)]
        self._notes: dict[Any, _Note] = {}  # by name

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_stripes", "_notes")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims, but for transactions."""
        return super().capabilities - {Capability.TRANSACTIONS}

    def transaction(self) -> AbstractContextManager[None]:
        """Refuse: what is remembered here would outlive a transaction that is undone."""
        return Persister.transaction(self)

    # ------------------------------------------------------------------ the cache

    def _name(self, key: Any) -> Any:
        named = getattr(self.inner, "_id", None)
        return key if named is None else named(key)

    def _stripe(self, name: Any) -> _Stripe:
        return self._stripes[hash(name) % _STRIPES]

    def _failed(self, doing: str, error: Exception) -> None:
        """Go on without the cache; say so once."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the cache in {self.cache.place} failed at {doing}, values come from {self.place}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _cached(self, key: Any, name: Any, etag: str | None) -> Any:
        """Give the cached value if there is one that counts, else `_NOTHING`."""
        if self._off or name in self._distrusted:
            return _NOTHING
        try:
            if type(key) is not str and self._names.get(key, name) != name:
                return _NOTHING
            if self._plain:
                return self.cache[key]
            value, stat = self.cache.read(key)
            return value if self._counts(self._noted(key, name), stat, etag) else _NOTHING
        except (KeyError, CorruptValueError):
            return _NOTHING
        except Exception as error:
            self._failed("reading", error)
            return _NOTHING

    def _counts(self, note: _Note | None, stat: Stat, etag: str | None) -> bool:
        known = note is not None and note.kept == stat.etag
        if etag is not None and not (known and note.etag == etag):  # type: ignore[union-attr]
            return False
        if self.max_age is None:
            return True
        if self._note_times:
            return known and abs(time.time() - note.time) < self.max_age  # type: ignore[union-attr]
        return abs(time.time() - stat.mtime) < self.max_age  # a clock that was set back is no reason to keep

    def _noted(self, key: Any, name: Any) -> _Note | None:
        if self.etags is None:
            return self._notes.get(name)
        try:
            return _Note(*json.loads(self.etags[key]))
        except (KeyError, ValueError, TypeError):
            return None

    def _keep(self, key: Any, name: Any, value: Any, etag: str, writes: int) -> None:
        """Cache a value, unless there was an own write since it was asked for."""
        stripe = self._stripe(name)
        with stripe.lock:
            if self._off or writes != stripe.writes:
                return
            try:
                if self.validate is None and not self._note_times:
                    self.cache.put(key, value)
                else:
                    note = _Note(etag, self.cache.write(key, value).etag, time.time())
                    if self.etags is None:
                        self._notes[name] = note
                    else:
                        self.etags[key] = json.dumps(note)
                if type(key) is not str:
                    self._names[key] = name
            except Exception as error:
                self._failed("writing", error)
            else:
                self._distrusted.discard(name)

    def _forget(self, key: Any) -> None:
        """Drop a cached value after an own write: what is read from now on is new."""
        name = self._name(key)
        stripe = self._stripe(name)
        with stripe.lock:
            stripe.writes += 1
            self._notes.pop(name, None)
            try:
                _discard(self.cache, key)
                if self.etags is not None:
                    _discard(self.etags, key)
            except Exception as error:
                self._distrusted.add(name)
                self._failed("deleting", error)

    def _forget_all(self) -> None:
        for stripe in self._stripes:
            stripe.lock.acquire()
        try:
            for stripe in self._stripes:
                stripe.writes += 1
            self._notes.clear()
            self._off = True
            self.cache.remove_many(list(self.cache))
            self._off = False
            self._distrusted.clear()
            self._names.clear()
        except Exception as error:
            self._failed("clearing", error)
        finally:
            for stripe in self._stripes:
                stripe.lock.release()

    def refresh(self) -> None:  # docstring inherited
        super().refresh()
        self._forget_all()

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: Any) -> Any:
        name = self._name(id)
        if self.validate is None:
            value = self._cached(id, name, None)
            if value is not _NOTHING:
                return value
            writes = self._stripe(name).writes
            value, etag = self.inner[id], ""
        else:
            value = self._cached(id, name, self.inner.stat(id).etag)
            if value is not _NOTHING:
                return value
            writes = self._stripe(name).writes
            value, stat = self.inner.read(id)
            etag = stat.etag
        self._keep(id, name, value, etag, writes)
        return value

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        return self.inner.read(id)  # type: ignore[no-any-return]

    # ------------------------------------------------------------------ writing

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        inner = self._writable()
        try:
            inner.put(id, data)
        finally:
            self._forget(id)

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        inner = self._writable()
        try:
            return inner.write(id, data, expected)  # type: ignore[no-any-return]
        finally:
            self._forget(id)

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        inner = self._writable()
        try:
            inner.remove(id, expected)
        finally:
            self._forget(id)

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:  # docstring inherited
        inner = self._writable()
        written: list[Any] = []

        def noted() -> Iterator[tuple[Any, Any]]:
            for id, data in items:
                written.append(id)
                yield id, data

        try:
            inner.write_many(noted())
        finally:
            for id in written:
                self._forget(id)

    def clear(self) -> None:  # docstring inherited
        try:
            self._writable().clear()
        finally:
            self._forget_all()

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        count = super().purge(owns, prefix)
        if count:  # which ones is not told
            self._forget_all()
        return count

    def flush(self) -> None:  # docstring inherited
        super().flush()
        self.cache.flush()

    def close(self) -> None:  # docstring inherited
        super().close()
        self.cache.close()


def _discard(mapping: MutableMapping[Any, Any], key: Any) -> None:
    try:
        del mapping[key]
    except KeyError:
        pass


@wrapper
def cached_values(
    store: Any,
    *,
    cache: Any = dict,
    max_age: float | None = None,
    validate: str | None = None,
    etags: MutableMapping[Any, str] | None = None,
) -> None:
    """Keep values that were read in another store, and read them from there.

    Parameters
    ----------
    store
        A store, a store class, or any mapping or class of these, also one that can only be read; without
        one, a decorator is given.
    cache
        A store or a mutable mapping, which gets the values under their keys and belongs to this use; or a
        class or function that makes one, so that each instance of a wrapped class has its own.
    max_age
        Seconds for which a cached value counts; None: for ever. By the times of the cache if it keeps them
        between runs, otherwise by notes in memory, without which a value does not count.
    validate
        ``"etag"`` to compare, at each read, the version that the source has with the one that was cached.
    etags
        With ``validate="etag"``: a mapping that keeps the versions as text under the same keys, so that they
        count between runs. None keeps them in memory.

    Raises
    ------
    InvalidArgumentError
        If an option is not one of those above.

    Notes
    -----
    Only values are cached: listing, ``in``, ``len`` and the conditional operations ask the source. An own
    write or deletion, by whatever verb, deletes the cached value, and the next read fetches it: what is
    cached is always what the source gave. ``refresh()`` deletes all cached values. A cached value that cannot
    be decoded is fetched anew. A cache that fails in any other way is passed by, with one `RuntimeWarning`.

    A dict as cache keeps the objects themselves: who changes one that he got changes it for the next reader.
    ``lambda: MemoryStore(serializer="pickle")`` gives each reader a copy.

    See `CachedValuesPersister` for threads, processes and costs.

    Examples
    --------
    >>> class Slow(dict):
    ...     def __getitem__(self, key):
    ...         print("fetching", key)
    ...         return super().__getitem__(key)
    >>> kept = {}
    >>> pages = cached_values(Slow(a="first"), cache=kept)
    >>> pages["a"], pages["a"]
    fetching a
    ('first', 'first')
    >>> kept
    {'a': 'first'}
    """
    if validate not in (None, "etag"):
        raise InvalidArgumentError(f'validate is "etag" or None, got {validate!r:.80}')
    if etags is not None and validate is None:
        raise InvalidArgumentError('etags are kept for validate="etag" only')
    if max_age is not None and (type(max_age) not in (int, float) or not max_age > 0):
        raise InvalidArgumentError(
            f"max_age is a number of seconds, more than 0, or None, got {max_age!r:.80}"
        )
    if callable(cache) and not isinstance(cache, Mapping):
        cache = cache()
    store._persister = CachedValuesPersister(
        over_itself(store), cache, max_age=max_age, validate=validate, etags=etags
    )
