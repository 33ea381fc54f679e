"""The questions to a memoized function: what is known, what to forget, the outcomes of calls."""

import inspect
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from holdall._eviction.amounts import parse_size
from holdall.errors import InvalidArgumentError, StoreUnavailableError
from holdall.memo._arguments import BadCallError
from holdall.memo._core import Core
from holdall.memo._entries import MISSING
from holdall.memo._options import SOURCE
from holdall.memo._purging import Limits, purge
from holdall.memo._references import Reference
from holdall.memo._version import Code, VersionInfo

__all__ = ["Asking", "CacheInfo"]

P = ParamSpec("P")
R = TypeVar("R")


class CacheInfo(NamedTuple):
    """The outcomes of calls of a memoized function in this process, and the results in memory."""

    #: Calls answered without computing: from memory, from the store, or by waiting for another call.
    hits: int
    #: Calls that computed.
    misses: int
    #: How many results memory holds at the most; None for any number.
    maxsize: int | None
    #: How many results it holds.
    currsize: int
    #: Calls answered from memory, or by waiting.
    memory_hits: int
    #: Calls answered from the store.
    store_hits: int
    #: The estimated size of the results in memory, in bytes.
    bytes: int
    #: How many seconds the computing calls took in total.
    seconds: float
    #: How many seconds the hits have saved: the cost of each result where the store has it, else the average.
    saved: float


class Asking(Core, Generic[P, R]):
    """A memoized function, except the call."""

    __wrapped__: Callable[P, R]

    @abstractmethod
    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    def _normal(self, args: Any, kwargs: Any) -> tuple[Any, ...]:
        try:
            return self._arguments.values(args, kwargs)
        except BadCallError:
            inspect.signature(self.__wrapped__).bind(*args, **kwargs)  # raises what is wrong
            raise

    def cache_info(self) -> CacheInfo:
        """Return the outcomes of calls in this process, and what is in memory.

        Examples
        --------
        >>> from holdall import memoize
        >>> @memoize
        ... def square(x): return x * x
        >>> square(2) + square(2)
        8
        >>> square.cache_info()[:4]
        (1, 1, None, 1)
        """
        hot, memory, store = self._hot, self._hits.value(), self._store_hits.value()
        return CacheInfo(
            hits=memory + store,
            misses=self._misses.value(),
            maxsize=hot.maxsize,
            currsize=len(hot.entries),
            memory_hits=memory,
            store_hits=store,
            bytes=hot.nbytes,
            seconds=self._seconds,
            saved=self._told_seconds + (memory + store - self._told) * self._mean_seconds(),
        )

    def cache_clear(self, *, outdated: bool = False) -> None:
        """Forget all results of this function and version, in memory and in the store.

        Parameters
        ----------
        outdated
            Whether to delete the results of its other versions instead, as `outdated` lists them.

        Raises
        ------
        StoreUnavailableError
            If the store cannot be opened; the results in memory are forgotten then.
        """
        if outdated:
            for part in self._others().values():
                part.clear(force=True)
            return
        self._hot.clear()
        self._errors.clear()
        self._reset_counters()
        entries = self._looked_at()
        if entries is not None:
            entries.view.clear(force=True)

    def outdated(self) -> dict[str, int]:
        """Return how many results of other versions are in the store, by version.

        Examples
        --------
        >>> from holdall import memoize
        >>> place = {}
        >>> def square(x): return x * x
        >>> memoize(place, version=1)(square)(2)
        4
        >>> memoize(place, version=2)(square).outdated()
        {'1': 1}
        """
        return {version: len(part) for version, part in sorted(self._others().items())}

    def version_info(self) -> VersionInfo:
        """Return the version, and what was followed to find it.

        Examples
        --------
        >>> from holdall import memoize
        >>> factor = 2
        >>> def twice(x): return factor * x
        >>> f = memoize({})(twice)
        >>> [name.rpartition(".")[2] for name in f.version_info().variables]
        ['factor']
        """
        self._check_code()
        code = self._code or Code(self.__wrapped__, self._owner)
        chosen = self._options.version
        if chosen == SOURCE:
            place = self._sent_place and self._place_of_entries()
            return code.info(place[1][1:] if place else code.version)
        return code.info("" if chosen is None else str(chosen))

    def _others(self) -> dict[str, Any]:
        entries = self._looked_at()
        return {} if entries is None else entries.outdated()

    def cache_key(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the key of a call, which is that of its result in `entries`.

        Raises
        ------
        InvalidArgumentError
            If an argument has no key.
        """
        return self._call(self._normal(args, kwargs)).key

    def forget(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result of a call; return whether there was one.

        Raises
        ------
        StoreUnavailableError
            If the store cannot be opened; the result in memory is forgotten then.
        """
        call = self._call(self._normal(args, kwargs))
        known = self._hot.discard(call.key)
        self._errors.pop(call.key, None)
        entries = None if call.local else self._looked_at()
        return (entries is not None and bool(entries.view.discard(call.key))) or known

    def purge(
        self,
        *,
        older_than: float | None = None,
        max_items: int | None = None,
        max_bytes: float | str | None = None,
    ) -> int:
        """Delete results that are no longer valid from the store, and old ones beyond the limits.

        Parameters
        ----------
        older_than
            Also delete results computed longer ago than this many seconds.
        max_items
            Keep at most this many results, the newest.
        max_bytes
            Keep at most this many bytes, the newest: a number or text such as ``"500MB"``.

        Returns
        -------
        int
            How many results were deleted. One that is renewed meanwhile stays.

        Raises
        ------
        UnsupportedError
            If the store keeps no times, or no sizes where bytes are counted.
        StoreUnavailableError
            If the store cannot be opened.

        Examples
        --------
        >>> from holdall import memoize, MemoryStore
        >>> square = memoize(MemoryStore())(lambda x: x * x)
        >>> square(2), square(3), square.purge(older_than=3600), square.purge(max_items=1)
        (4, 9, 0, 1)
        """
        entries = self._looked_at()
        if entries is None:
            return 0
        nbytes = None if max_bytes is None else parse_size(max_bytes, "max_bytes")
        gone = purge(entries.view, entries.ttl, Limits(older_than, max_items, nbytes))
        for key in gone:
            self._hot.discard(key)
        return len(gone)

    def peek(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return the result of a call if it is known; compute nothing.

        Raises
        ------
        KeyError
            If it is not known, or not valid.
        """
        call = self._call(self._normal(args, kwargs))
        entry = self._valid_entry(call)
        if entry is not None:
            return entry.given()
        entries = None if call.local or call.refused else self._opened()
        value, made, seconds = (MISSING, 0.0, None) if entries is None else entries.look(call.key)
        if value is MISSING or not self._is_valid(call, made, seconds):
            raise KeyError(call.key)
        return self._keeping.adopt(value)[0]

    def cached(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Return whether the result of a call is known; compute and load nothing, and count no hit."""
        call = self._call(self._normal(args, kwargs))
        if self._valid_entry(call) is not None:
            return True
        entries = None if call.local or call.refused else self._opened()
        if entries is None:
            return False
        if self._valid is None:
            return call.key in entries.valid
        value, made, seconds = entries.look(call.key)
        return value is not MISSING and self._is_valid(call, made, seconds)

    def shelve(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return a reference to the result of a call, which is computed if it is not in the store.

        Returns
        -------
        Reference
            An object that loads the result later, in another process too. For a coroutine function, an
            awaitable.

        Raises
        ------
        InvalidArgumentError
            If results are kept only in memory.
        StoreUnavailableError
            If the result could not be kept in the store.
        """
        entries, key = self._to_shelve(args, kwargs)
        if key not in entries.valid or not self.cached(*args, **kwargs):
            self(*args, **kwargs)
        return self._shelved(entries, key)

    def _to_shelve(self, args: Any, kwargs: Any) -> tuple[Any, str]:
        call = self._call(self._normal(args, kwargs))
        entries = None if call.local else self._looked_at()
        if entries is None:
            raise InvalidArgumentError(
                f"results of {self._name} are kept in memory only: give a store or path"
            )
        return entries, call.key

    def _shelved(self, entries: Any, key: str) -> Reference:
        if key not in entries.valid:
            raise StoreUnavailableError(
                f"the result of {self._name} is not in the store: it was not kept there"
            )
        return Reference(entries.view, f"{entries.family}/{entries.version}", key)
