"""A memoized function as its users see it."""

import inspect
import os
import sys
import time
import weakref
from _thread import get_ident
from collections.abc import Callable
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar, overload

from holdall._eviction.amounts import parse_size
from holdall.memo import _flight, _locks, _places
from holdall.memo._arguments import ATOMS, BadCallError, plain_key
from holdall.memo._bound import Bound
from holdall.memo._core import COMPUTE, Core, fail
from holdall.memo._entries import MISSING
from holdall.memo._flight import Flight
from holdall.memo._options import SOURCE, Options
from holdall.memo._project import MAIN
from holdall.memo._purging import Limits, purge
from holdall.memo._version import Code, VersionInfo

__all__ = ["CacheInfo", "Memoized"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class CacheInfo(NamedTuple):
    """What became of the calls of a memoized function in this process, and what is in memory."""

    #: Calls answered without computing: from memory, from the store, or by waiting for another call.
    hits: int
    #: Calls that computed.
    misses: int
    #: How many results memory holds at the most; None for any number.
    maxsize: int | None
    #: How many it holds.
    currsize: int
    #: Calls answered from memory, or by waiting.
    memory_hits: int
    #: Calls answered from the store.
    store_hits: int
    #: What the results in memory take, in bytes: an estimate.
    bytes: int


class Memoized(Core, Generic[P, R]):
    """A function whose results are kept; `memoize` makes it.

    Notes
    -----
    Threads: safe. One call computes, others with the same arguments wait for it. Processes: the same, where
    the store is a folder or a SQLite file. After a crash: results in the store are there, and who waited for
    the crashed process computes. Cost: a microsecond for a result in memory.
    """

    __wrapped__: Callable[P, R]

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        super().__init__(function, options)
        _everything.add(self)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        values: tuple[Any, ...] | None = None
        quick: Any = None
        if not kwargs and len(args) <= self._by_position:
            if len(args) == 1:
                cls = type(args[0])
                if cls is int or cls is str:  # which nothing else in the table is equal to
                    quick = args[0]
                elif cls in ATOMS:
                    quick = (cls, args[0])
            elif ATOMS.issuperset(map(type, args)):
                quick = (*map(type, args), *args)
        if quick is None:
            if len(args) == self._exact and not kwargs:
                values, quick = args, plain_key(args)
            else:
                try:
                    values = self._arguments.values(args, kwargs)
                except BadCallError:
                    return self.__wrapped__(*args, **kwargs)  # which says what is wrong
                quick = self._quick_key(values)
        entry = self._quick.get(quick)
        if (
            entry is not None
            and self._plain.__code__ is self._bytecode
            and (self._ttl is None or 0 < entry.expires - time.time() <= self._reach)
        ):
            self._hit()
            entry.used = True
            return entry.value if entry.copy is None else entry.copy(entry.value)  # type: ignore[no-any-return]
        if values is None:
            try:
                values = self._arguments.values(args, kwargs)
            except BadCallError:
                return self.__wrapped__(*args, **kwargs)
        # In line, so that a recursive function needs one frame a level more than without us.
        steps = self._steps(values, quick, get_ident())
        answer: Any = None
        try:
            while True:
                try:
                    step = steps.send(answer)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                answer = None
                if step is COMPUTE:
                    try:
                        answer = (self.__wrapped__(*args, **kwargs), None)
                    except BaseException as error:
                        fail(steps, error)
                        raise
                elif type(step) is float:
                    time.sleep(step)
                elif type(step) is Flight:
                    step.wait()
                else:
                    raise step
        finally:
            steps.close()

    # ------------------------------------------------------------------ what users ask for

    def _normal(self, args: Any, kwargs: Any) -> tuple[Any, ...]:
        try:
            return self._arguments.values(args, kwargs)
        except BadCallError:
            inspect.signature(self.__wrapped__).bind(*args, **kwargs)  # says what is wrong
            raise

    def cache_info(self) -> CacheInfo:
        """Tell what became of the calls in this process, and what is in memory.

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
        )

    def cache_clear(self, *, outdated: bool = False) -> None:
        """Forget all results of this function and version, in memory and in the store.

        Parameters
        ----------
        outdated
            Whether to drop the results of its other versions instead, as `outdated` lists them.

        Raises
        ------
        StoreUnavailableError
            If the store cannot be opened; memory has forgotten them then.
        """
        if outdated:
            for part in self._others().values():
                part.clear(force=True)
            return
        self._hot.clear()
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
        """Return which version it is, and what was followed to find that out.

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
        """Give the key of a call: that of its result in `entries`.

        Raises
        ------
        InvalidArgumentError
            If an argument cannot be keyed.
        """
        return self._call(self._normal(args, kwargs)).key

    def forget(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result of a call; tell whether there was one.

        Raises
        ------
        StoreUnavailableError
            If the store cannot be opened; memory has forgotten it then.
        """
        call = self._call(self._normal(args, kwargs))
        known = self._hot.discard(call.key)
        entries = None if call.local else self._looked_at()
        return (entries is not None and bool(entries.view.discard(call.key))) or known

    def purge(
        self,
        *,
        older_than: float | None = None,
        max_items: int | None = None,
        max_bytes: float | str | None = None,
    ) -> int:
        """Delete results that are no longer valid from the store, and old ones, as many as you say.

        Parameters
        ----------
        older_than
            Delete what was computed longer ago than so many seconds, too.
        max_items
            Keep at the most so many results, the youngest.
        max_bytes
            Keep at the most so many bytes, the youngest: a number or text such as ``"500MB"``.

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
        """Give the result of a call if it is known, and compute nothing.

        Raises
        ------
        KeyError
            If it is not known.
        """
        call = self._call(self._normal(args, kwargs))
        entry = self._hot.entries.get(call.key)
        if entry is not None and 0 < entry.expires - time.time() <= self._reach:
            return entry.given()
        entries = None if call.local else self._opened()
        value = MISSING if entries is None else entries.look(call.key)[0]
        if value is MISSING:
            raise KeyError(call.key)
        return self._keeping.adopt(value)[0]

    def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result of a call anew, and keep it in the place of the old one."""
        self._opened()
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), _quick={}, _fresh=True)
        return twin(*args, **kwargs)

    # ------------------------------------------------------------------ as functions do

    @overload
    def __get__(self, instance: None, owner: Any = None) -> "Memoized[P, R]": ...
    @overload
    def __get__(self: "Memoized[Concatenate[S, Q], R]", instance: S, owner: Any = None) -> "Bound[Q, R]": ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else Bound(self, instance)

    def __repr__(self) -> str:
        return f"<memoized {self._name or repr(self.__wrapped__)}>"

    def __reduce__(self) -> Any:
        name = by_name(self)
        if name is not None and not (self.__module__ in MAIN and is_by_value()):
            return name
        return _shell, (type(self),), self.__getstate__()

    def __getstate__(self) -> Any:
        """Return what it is made of; in another process, the same name and version are not found again."""
        return self.__wrapped__, self._options, self._place_if_any()

    def __setstate__(self, state: Any) -> None:
        function, options, self._sent_place = state
        self.__init__(function, options)  # type: ignore[misc]

    def __copy__(self) -> "Memoized[P, R]":
        return self

    def __deepcopy__(self, memo: Any) -> "Memoized[P, R]":
        return self


def _shell(cls: type[Memoized[Any, Any]]) -> Memoized[Any, Any]:
    """Make a memoized function before its state, of which it may be a part, as where it calls itself."""
    return object.__new__(cls)


def is_by_value() -> bool:
    """Tell whether it is cloudpickle that asks, which takes along what a script has defined."""
    pickler = sys._getframe(2).f_locals.get("self")  # noqa: SLF001  (the only way to ask)
    return any("cloudpickle" in base.__module__ for base in type(pickler).__mro__)


def by_name(thing: Any) -> str | None:
    """Give the qualified name by which pickle finds an object in its module, None if it does not."""
    name = str(getattr(thing, "__qualname__", ""))
    found: Any = sys.modules.get(getattr(thing, "__module__", None) or "")
    for part in name.split("."):
        found = getattr(found, part, None)
    return name if found is thing else None


_everything: weakref.WeakSet[Memoized[Any, Any]] = weakref.WeakSet()


def _after_fork() -> None:
    _locks.after_fork()
    _places.after_fork()
    _flight.forget_waiting()
    for memoized in list(_everything):
        memoized._after_fork()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
