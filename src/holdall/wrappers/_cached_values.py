"""The values of a store, cached in another store."""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

from holdall._shown import shown
from holdall.abc import Capability, PersisterWrapper
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import (
    InvalidArgumentError,
    InvalidKeyError,
)
from holdall.store import Pipeline, Store, StorePersister
from holdall.wrappers._of_function import function_wrapper
from holdall.wrappers._value_cache import NOTHING, REFUSALS, ValueCache

__all__ = ["CachedValuesPersister", "cached_values"]


class CachedValuesPersister(PersisterWrapper):
    """Read values through another store, which keeps them.

    Parameters
    ----------
    inner
        The source.
    cache
        The store for the values, or any mutable mapping.
    max_age, validate, etags, fill
        As in `cached_values`.

    Notes
    -----
    Threads: safe; a value that was read before an own write is never cached after it. Several threads that
    miss at once fetch once each. Processes: with ``validate="etag"``, no stale value is returned. Otherwise,
    writes of others are seen when the cached value is too old, was deleted, or after `refresh`. Conditional
    operations always use the source. After a crash: the source is as it leaves itself; with
    ``validate="etag"`` a cached value is valid only if it is the recorded one. Cost: a hit is a read of the
    cache, and with ``validate="etag"`` a stat of the source; a miss is a read of the source and a write to
    the cache.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> source, cache = {"a": 1}, {}
    >>> persister = CachedValuesPersister(MappingPersister.of(source), cache)
    >>> persister["a"], cache
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
        fill: str = "reads",
    ) -> None:
        super().__init__(inner)
        self.remembered = ValueCache(inner, cache, max_age=max_age, validate=validate, etags=etags)
        self.validate = validate
        self.fill = fill

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims, except transactions."""
        return super().capabilities - {Capability.TRANSACTIONS}

    def transaction(self) -> AbstractContextManager[None]:
        """Raise: the cache would outlive a transaction that is undone."""
        raise self._no_transactions("values in the cache would outlive one that is undone", "cached_values")

    @contextmanager
    def _changing(self, key: Any) -> Iterator[None]:
        """Drop the cached value of a key that is changed, unless the source refuses the change."""
        try:
            yield
        except REFUSALS:
            raise
        except BaseException:
            self.remembered.forget(key)
            raise
        self.remembered.forget(key)

    def refresh(self) -> None:  # docstring inherited
        super().refresh()
        self.remembered.forget_all()

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: Any) -> Any:
        name = self.remembered.name(id)
        if self.validate is None:
            value = self.remembered.get(id, name, None)
            if value is not NOTHING:
                return value
            writes = self.remembered.writes(name)
            try:
                value, etag = self.inner[id], ""
            except KeyError:
                if not self.remembered.plain:  # an expired one may be there
                    self.remembered.forget(id)
                raise
        else:
            value = self.remembered.get(id, name, self.stat(id).etag)
            if value is not NOTHING:
                return value
            writes = self.remembered.writes(name)
            value, stat = self._read(id)
            etag = stat.etag
        self.remembered.keep(id, name, value, etag, writes)
        return value

    def __contains__(self, id: object) -> bool:
        return id in self.inner

    def _read(self, id: Any) -> tuple[Any, Stat]:
        try:
            return self.inner.read(id)  # type: ignore[no-any-return]
        except KeyError:
            self._lost(id)
            raise

    def _lost(self, id: Any) -> None:
        """Drop the cached value of a key that the source does not have, if it is a key at all."""
        try:
            self.remembered.forget(id)
        except InvalidKeyError:
            pass

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        if self.fill == "reads":
            return self._read(id)
        name = self.remembered.name(id)
        writes = self.remembered.writes(name)
        value, stat = self._read(id)
        self.remembered.keep(id, name, value, stat.etag, writes)
        return value, stat

    def glance(self, id: Any, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        return self.inner.glance(id, limit)  # type: ignore[no-any-return]

    def stat(self, id: Any) -> Stat:  # docstring inherited
        try:
            return self.inner.stat(id)  # type: ignore[no-any-return]
        except KeyError:
            self._lost(id)
            raise

    def scan(self, prefix: str = "") -> Iterator[tuple[Any, Stat]]:  # docstring inherited
        return self.inner.scan(prefix)  # type: ignore[no-any-return]

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[Any]:  # docstring inherited
        return self.inner.by_age(prefix, newest=newest, limit=limit)  # type: ignore[no-any-return]

    # ------------------------------------------------------------------ writing

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        inner = self._writable()
        if self.fill == "reads":
            with self._changing(id):
                inner.put(id, data)
        elif self.validate is None:
            self.remembered.write(id, data, lambda: inner.put(id, data))
        else:
            self.remembered.write(id, data, lambda: inner.write(id, data))

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        inner = self._writable()
        if self.fill == "reads":
            with self._changing(id):
                return inner.write(id, data, expected)  # type: ignore[no-any-return]
        stat = self.remembered.write(id, data, lambda: inner.write(id, data, expected))
        assert stat is not None  # noqa: S101  (write returns one)
        return stat

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        inner = self._writable()
        with self._changing(id):
            inner.remove(id, expected)

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
            if self._can_change():
                for id in written:
                    self.remembered.forget(id)

    def clear(self) -> None:  # docstring inherited
        try:
            self._writable().clear()
        finally:
            if self._can_change():
                self.remembered.forget_all()

    def _can_change(self) -> bool:
        """Return whether a refused write of several items may have changed some of them."""
        return Capability.WRITABLE in self.inner.capabilities

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        count = super().purge(owns, prefix)
        if count:  # which ones is unknown
            self.remembered.forget_all()
        return count

    def flush(self) -> None:  # docstring inherited
        super().flush()
        self.remembered.cache.flush()

    def close(self) -> None:  # docstring inherited
        super().close()
        self.remembered.cache.close()


@function_wrapper
def cached_values(
    store: Store[Any, Any],
    *,
    cache: Any = dict,
    max_age: float | None = None,
    validate: str | None = None,
    etags: MutableMapping[Any, str] | None = None,
    fill: Literal["reads", "all"] = "reads",
) -> Pipeline:
    """Keep values that were read in another store, and read them from there.

    Parameters
    ----------
    store
        A store, a store class, or any mapping or class of these, even read-only; without one, a decorator is
        returned. Or a function from a key to its value, with `cache` and `max_age` as options: a store of
        what it has returned is returned, as `on_missing` makes it.
    cache
        A store or a mutable mapping, which gets the values under their keys and must have no other use; or a
        class or function that makes one, so that each instance of a wrapped class has its own.
    max_age
        Seconds for which a cached value is valid; None for no limit. By the times of the cache if it keeps
        them between runs, otherwise by notes in memory, without which a value is not valid.
    validate
        ``"etag"`` to compare, at each read, the version in the source with the cached one.
    etags
        With ``validate="etag"``: a mapping that keeps the versions as text under the same keys, so that they
        are valid between runs. None keeps them in memory.
    fill
        ``"reads"`` caches what ``[]``, ``get`` and iteration fetch; ``"all"`` also what single own writes
        store and what conditional operations read, which saves the request of the next read. The source must
        then return values as they were written: the value itself is cached, not what reading would make of
        it.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Only values are cached: listing, ``in``, ``len`` and the conditional operations use the source. An own
    write or deletion, by any verb, deletes the cached value, and the next read fetches it: unless
    ``fill="all"``, only values from the source are cached. A write that the source refuses leaves the cache
    as it is; a conditional operation that finds an item missing in the source drops its cached value.
    ``refresh()`` deletes all cached values. A cached value that cannot be decoded is fetched again. If the
    cache fails in any other way, it is bypassed, with one `RuntimeWarning`.

    A dict as cache keeps the objects themselves: a reader who changes one changes it for the next reader.
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
    >>> squares = cached_values(lambda n: n * n)
    >>> squares[3], list(squares), 4 in squares
    (9, [3], False)
    """
    if validate not in (None, "etag"):
        raise InvalidArgumentError(f'validate is "etag" or None, got {shown(validate)}')
    if etags is not None and validate is None:
        raise InvalidArgumentError('etags are kept for validate="etag" only')
    if max_age is not None and (type(max_age) not in (int, float) or not max_age > 0):
        raise InvalidArgumentError(
            f"max_age is a number of seconds, more than 0, or None, got {shown(max_age)}"
        )
    if fill not in ("reads", "all"):
        raise InvalidArgumentError(f'fill is "reads" or "all", got {shown(fill)}')
    if callable(cache) and not isinstance(cache, Mapping):
        cache = cache()
    source = StorePersister(store)
    return Pipeline(
        CachedValuesPersister(source, cache, max_age=max_age, validate=validate, etags=etags, fill=fill)
    )
