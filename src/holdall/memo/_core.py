"""What happens when a memoized function is called: look in memory, in the store, and compute once.

The algorithm is written once, as a generator that asks its driver to compute, to wait and to sleep; threads
drive it in one way and tasks in another. While the function runs, nothing of it is on the stack, so that
recursion goes half as deep as without it, and no less.
"""

import copy as copying
import functools
import inspect
import itertools
import threading
import time
from collections.abc import Callable, Generator
from hashlib import blake2b
from math import inf
from typing import Any, cast

from holdall.errors import InvalidArgumentError, StoreUnavailableError
from holdall.memo._arguments import Arguments, quick_key
from holdall.memo._entries import MISSING, Entries, open_store, warn
from holdall.memo._flight import Flight, Flights
from holdall.memo._hot import Entry, Hot
from holdall.memo._locks import KeyLocks
from holdall.memo._options import Options
from holdall.memo._source import full_name, nonlocals, source_version

__all__ = ["COMPUTE", "Core", "Steps", "fail"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5e-3, 50e-3  # seconds between looks at what another process computes
_UNKNOWN: Any = object()

#: What the algorithm asks its driver to do, beside flights to wait for, seconds to sleep, errors to raise.
COMPUTE: Any = object()
Steps = Generator[Any, Any, Any]


class _Counter:
    """A number that threads count up without a lock: ``next`` of a count is one step."""

    def __init__(self) -> None:
        self._count = itertools.count()
        self._looks = 0
        self.up = self._count.__next__
        self._lock = threading.Lock()

    def value(self) -> int:
        with self._lock:
            self._looks += 1
            return next(self._count) - self._looks + 1


class Call:
    """A call of a memoized function.

    Parameters
    ----------
    key
        The key of its result.
    digest
        The digest in that key.
    local
        Whether the key means something in this process only.
    """

    __slots__ = ("digest", "key", "local", "quick")

    def __init__(self, key: str, digest: str, local: bool) -> None:
        self.key = key
        self.digest = digest
        self.local = local
        self.quick: Any = None


class Core:
    """A function, the results of it that are known, and those being computed.

    Parameters
    ----------
    function
        The function.
    options
        What `memoize` was told.
    """

    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        functools.update_wrapper(cast("Any", self), function)
        self._options = options
        self._arguments = Arguments(
            function,
            ignore=options.ignore,
            key=options.key,
            typed=options.typed,
            identity=options.identity,
            local=options.place is None,
        )
        self._fresh = False  # whether known results are passed over
        self._exact = self._arguments.exact
        self._quick_key = quick_key if self._arguments.quick else _no_quick_key
        self._ttl = options.ttl
        self._copied = copying.deepcopy if options.copy else None
        self._name = options.name or full_name(function)
        if self._name is None and options.place is not None:
            raise InvalidArgumentError(f"{function!r:.80} has no name to find its results by: give name=")
        self._max_bytes = options.nbytes
        self._hot = Hot(options.memory_limit, options.nbytes)
        self._quick = self._hot.quick
        self._flights = Flights()
        self._warned = False
        self._reset_counters()
        self._opening = threading.RLock()
        self._store: Any = _UNKNOWN
        self._entries: Any = _UNKNOWN
        self._locks: Any = _UNKNOWN
        # A look before the lock is for nothing where results are mostly new; one miss foretells another.
        self._lock_first = False
        self._offset = 0

    def _reset_counters(self) -> None:
        self._hits, self._misses, self._store_hits = _Counter(), _Counter(), _Counter()
        self._hit, self._miss, self._store_hit = self._hits.up, self._misses.up, self._store_hits.up

    def _after_fork(self) -> None:
        """Begin anew what threads of the parent were doing."""
        self._flights.clear()
        self._hot.reset_lock()
        self._opening = threading.RLock()

    def _found(self, quick: Any) -> Entry | None:
        """Give a valid result in memory by its quick key."""
        entry = self._quick.get(quick)
        if entry is None or (self._ttl is not None and time.time() >= entry.expires):
            return None
        self._hit()
        entry.used = True
        return entry

    # ------------------------------------------------------------------ the algorithm

    def _steps(self, values: tuple[Any, ...], quick: Any, owner: Any) -> Steps:
        """Give the result of a call: known, awaited, or computed by this caller."""
        call = self._call(values)
        call.quick = quick
        if call.key in self._hot.entries:
            value = self._in_memory(call)
            if value is not MISSING:
                return value
        flight = Flight(owner)
        try:  # from here on, so that no interrupt leaves others waiting
            while self._options.lock:
                other = self._flights.begin(call.key, flight)
                if other is flight:
                    break
                if not Flights.wait(owner, other):  # we are called by what we would wait for
                    answer = yield COMPUTE
                    return answer[0]
                try:
                    yield other
                finally:
                    Flights.waited(owner)
                if self._fresh:
                    continue
                if other.error is not None:
                    yield other.error
                if other.succeeded:
                    self._hit()
                    return self._own(other.value)
            entries = None if call.local else self._opened()
            lock_first = self._lock_first and entries is not None
            value = MISSING if lock_first else self._look(call, entries)
            if value is MISSING:
                value = yield from self._lead(call, entries, flight)
            else:
                flight.succeeded = True
            flight.value = value
            return value
        finally:
            flight.land()
            self._flights.end(call.key, flight)

    def _lead(self, call: Call, entries: Entries | None, flight: Flight) -> Steps:
        """Compute a result, unless another process does."""
        locks = None if entries is None else self._key_locks(entries)
        if locks is None:
            return (yield from self._compute(call, entries, flight))
        offset = int(call.digest[:15], 16) ^ self._offset
        pause = _FIRST_PAUSE
        while True:
            try:
                free = locks.acquire(offset, flight)
                value = self._look(call, entries)  # again: now nobody else can be about to write it
                if value is not MISSING:
                    self._lock_first = False
                    flight.succeeded = True
                    return value
                self._lock_first = True
                if free:
                    return (yield from self._compute(call, entries, flight))
            finally:
                locks.release(offset, flight)
            yield pause
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _look(self, call: Call, entries: Entries | None) -> Any:
        """Give a known result, `MISSING` if there is none."""
        if self._fresh:
            return MISSING
        value = self._in_memory(call) if call.key in self._hot.entries else MISSING
        if value is MISSING and entries is not None:
            value, expires = entries.look(call.key)
            if value is not MISSING:
                self._hot.put(call.key, self._own(value), call.quick, expires)
                self._store_hit()
        return value

    def _key_locks(self, entries: Entries) -> KeyLocks | None:
        """Give the locks among processes, which are opened when there is something to compute."""
        if self._locks is _UNKNOWN:
            self._locks = entries.locks if self._options.lock else None
        return self._locks  # type: ignore[no-any-return]

    def _compute(self, call: Call, entries: Entries | None, flight: Flight) -> Steps:
        """Let the function be called, and keep what it gives."""
        value, error = yield COMPUTE
        if error is not None:
            flight.error = error
            return None
        self._miss()
        flight.succeeded = True
        if self._options.cache_if is not None and not self._options.cache_if(value):
            return value
        if hasattr(type(value), "__next__") or inspect.iscoroutine(value):
            self._warn_of(value)
            return value
        expires = inf if self._ttl is None else time.time() + self._ttl
        self._hot.put(call.key, self._own(value), call.quick, expires)
        if entries is not None:
            entries.keep(call.key, value)
        return value

    def _in_memory(self, call: Call) -> Any:
        entry = None if self._fresh else self._hot.entries.get(call.key)
        if entry is None or time.time() >= entry.expires:
            return MISSING
        self._hot.alias(call.quick, entry)
        self._hit()
        entry.used = True
        return self._own(entry.value)

    def _own(self, value: Any) -> Any:
        return value if self._copied is None else self._copied(value)

    def _call(self, values: tuple[Any, ...]) -> Call:
        """Find the key of arguments in normal form."""
        digest, local = self._arguments.key(values)
        key = f"{self._arguments.readable(values)} #{digest}" if self._options.readable else digest
        return Call(key, digest, local)

    def _warn_of(self, value: Any) -> None:
        if not self._warned:
            self._warned = True
            what = f"{self._name} returns a {type(value).__name__}, which can be used only once"
            warn(f"{what}, and is not kept: return a list", None)

    # ------------------------------------------------------------------ the store

    def _opened(self) -> Entries | None:
        """Give the results in the store, None if there is no store or it does not answer."""
        if self._options.place is None:
            return None
        if self._entries is _UNKNOWN:
            with self._opening:
                if self._entries is _UNKNOWN:
                    try:
                        name = self._place_of_entries()
                        self._offset = int.from_bytes(blake2b(name.encode(), digest_size=7).digest())
                        self._entries = Entries(self.store, name, self._ttl)
                    except StoreUnavailableError as error:
                        self._entries = None
                        warn(f"holdall cannot open the store of {self._name}, and goes on without", error)
        return self._entries  # type: ignore[no-any-return]

    def _place_of_entries(self) -> str:
        """Give the name below which the results lie: function, version, nonlocal constants."""
        version = self._options.version
        name = str(self._name)
        if version == "source":
            return f"{name}/@{source_version(self.__wrapped__)}"
        if version is not None:
            name += f"/@{version}"
        # Who gives a name says what the function is.
        others = "" if self._options.name else nonlocals(self.__wrapped__)
        return f"{name}/~{others}" if others else name

    @property
    def store(self) -> Any:
        """The whole store, in which other functions may have their results too; None without one."""
        if self._store is _UNKNOWN:
            with self._opening:
                if self._store is _UNKNOWN:
                    place = self._options.place
                    self._store = None if place is None else open_store(place, self._max_bytes)
        return self._store

    @property
    def entries(self) -> Any:
        """The results of this function in the store, by key: a part of `store`; None without one."""
        entries = self._opened()
        return None if entries is None else entries.view


def fail(steps: Steps, error: BaseException) -> None:
    """Tell the algorithm that the function raised an error; an interrupt is no result for others."""
    if isinstance(error, Exception):
        try:
            steps.send((None, error))
        except StopIteration:
            pass
    else:
        steps.close()


def _no_quick_key(values: Any) -> None:
    del values
