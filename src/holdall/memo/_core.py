"""What happens when a memoized function is called: look in memory, in the store, and compute once.

The algorithm is written once, as a generator that asks its driver to compute, to wait and to sleep; threads
drive it in one way and tasks in another. While the function runs, nothing of it is on the stack, so that
recursion goes half as deep as without it, and no less.
"""

import functools
import itertools
import sys
import threading
import time
import types
from collections.abc import Callable, Generator
from hashlib import blake2b
from math import inf
from typing import Any, cast

from holdall.conditional import AHEAD
from holdall.errors import InvalidArgumentError, StoreUnavailableError
from holdall.memo._arguments import Arguments, quick_key
from holdall.memo._entries import MISSING, Entries, warn
from holdall.memo._flight import Flight, Flights
from holdall.memo._home import layers_of
from holdall.memo._hot import Entry, Hot
from holdall.memo._locks import KeyLocks
from holdall.memo._names import Name
from holdall.memo._options import SOURCE, Options
from holdall.memo._places import open_store
from holdall.memo._project import MAIN
from holdall.memo._results import Held, Keeping
from holdall.memo._version import Code

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
    #: Where its results lie, of one that came from another process.
    _sent_place: tuple[str, str] | None = None

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        functools.update_wrapper(cast("Any", self), function, updated=())
        for attribute, value in getattr(function, "__dict__", {}).items():
            if not hasattr(type(self), attribute):  # a verb of ours is not hidden
                self.__dict__[attribute] = value
        self.__wrapped__ = function
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
        self._by_position = self._arguments.by_position
        self._exact = self._arguments.exact
        self._quick_key = quick_key if self._arguments.quick else _no_quick_key
        self._ttl = options.ttl
        self._reach = inf if options.ttl is None else options.ttl + AHEAD
        self._named: Name | None = None
        try:
            self._named = Name(function)
        except TypeError as error:
            if options.place is not None and options.name is None:
                raise InvalidArgumentError(f"{error}: give name=") from None
        self._name = options.name or (repr(function)[:80] if self._named is None else str(self._named))
        self._watch_code(function)
        self._hot = Hot(options.memory_limit, options.nbytes)
        self._quick = self._hot.quick
        self._flights = Flights()
        self._keeping = Keeping(self._name, options.copy)
        self._reset_counters()
        self._opening = threading.RLock()
        self._store: Any = _UNKNOWN
        self._entries: Any = _UNKNOWN
        self._trouble: StoreUnavailableError | None = None
        self._locks: Any = _UNKNOWN
        # A look before the lock is for nothing where results are mostly new; one miss foretells another.
        self._lock_first = False
        self._offset = 0

    def _watch_code(self, function: Any) -> None:
        """Begin to notice when the code of the function is replaced, unless the version is chosen by hand."""
        by_code = self._options.version == SOURCE
        watched = by_code and isinstance(function, types.FunctionType)
        self._plain = function if watched else _no_quick_key
        self._bytecode = self._first_code = self._plain.__code__
        self._owner: type | None = None
        self._code: Code | None = None
        # What is typed in is typed in again, and what it calls as well, so a quick answer is no right one.
        module = sys.modules.get(getattr(function, "__module__", None) or "")
        self._typed_in = watched and module is not None and _is_session(module)
        if self._typed_in:
            self._quick_key, self._by_position, self._exact = _no_quick_key, -1, -1

    def __set_name__(self, owner: type, name: str) -> None:
        """Note the class that this is a method of."""
        del name
        self._owner = owner

    def _check_code(self) -> None:
        """Begin anew if the code is another than that of the results that are known."""
        code = self._code
        if code is None and self._typed_in:
            code = self._code = Code(self.__wrapped__, self._owner)
        if self._plain.__code__ is not self._bytecode or (code is not None and code.changed()):
            with self._opening:
                self._bytecode = self._plain.__code__
                self._code, self._entries = None, _UNKNOWN
                self._hot.clear()

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
        if entry is None or self._plain.__code__ is not self._bytecode:
            return None
        if self._ttl is not None and not 0 < entry.expires - time.time() <= self._reach:
            return None
        self._hit()
        entry.used = True
        return entry

    # ------------------------------------------------------------------ the algorithm

    def _steps(self, values: tuple[Any, ...], quick: Any, owner: Any) -> Steps:
        """Give the result of a call: known, awaited, or computed by this caller."""
        self._check_code()
        call = self._call(values)
        call.quick = None if self._typed_in else quick
        entry = self._entry(call)
        if entry is not None:
            return entry.given()
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
                if other.value is not None:
                    self._hit()
                    return other.value.given()
            entries = None if call.local else self._opened()
            lock_first = self._lock_first and entries is not None
            value = MISSING if lock_first else self._look(call, entries, flight)
            if value is MISSING:
                value = yield from self._lead(call, entries, flight)
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
                value = self._look(call, entries, flight)  # again: now nobody else can be about to write it
                if value is not MISSING:
                    self._lock_first = False
                    return value
                self._lock_first = True
                if free:
                    return (yield from self._compute(call, entries, flight))
            finally:
                locks.release(offset, flight)
            yield pause
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _look(self, call: Call, entries: Entries | None, flight: Flight) -> Any:
        """Return a known result, `MISSING` if there is none."""
        if self._fresh:
            return MISSING
        entry = self._entry(call)
        if entry is not None:
            flight.value = Held(entry.value, entry.copy)
            return entry.given()
        if entries is None:
            return MISSING
        value, expires = entries.look(call.key)
        if value is not MISSING:
            value, held = self._keeping.adopt(value)
            if held is not None:
                flight.value = held
                self._hot.put(call.key, held, call.quick, expires)
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
        if not self._keeping.keeps(value):
            return value  # and those who wait compute for themselves
        held = flight.value = self._keeping.hold(value)
        if self._options.cache_if is not None and not self._options.cache_if(value):
            return value
        if held is not None:
            expires = inf if self._ttl is None else time.time() + self._ttl
            self._hot.put(call.key, held, call.quick, expires)
        if entries is not None:
            if self._code is not None and self._code.changed():  # by the call: which code was it?
                return value
            if self._options.version == SOURCE:
                entries.tell_of_others()
            entries.keep(call.key, value, held)
        return value

    def _entry(self, call: Call) -> Entry | None:
        """Return a result in memory that is valid."""
        entry = None if self._fresh else self._hot.entries.get(call.key)
        if entry is None or not 0 < entry.expires - time.time() <= self._reach:
            return None
        self._hot.alias(call.quick, entry)
        self._hit()
        entry.used = True
        return entry

    def _call(self, values: tuple[Any, ...]) -> Call:
        """Find the key of arguments in normal form."""
        digest, local = self._arguments.key(values)
        key = f"{self._arguments.readable(values)} #{digest}" if self._options.readable else digest
        return Call(key, digest, local)

    # ------------------------------------------------------------------ the store

    def _opened(self) -> Entries | None:
        """Give the results in the store, None if there is no store or it does not answer."""
        if self._options.place is None:
            return None
        if self._entries is _UNKNOWN:
            with self._opening:
                if self._entries is _UNKNOWN:
                    try:
                        family, version = self._place_of_entries()
                        name = f"{family}/{version}".encode("utf-8", "surrogatepass")
                        self._offset = int.from_bytes(blake2b(name, digest_size=7).digest())
                        self._entries = Entries(self.store, family, version, self._ttl, self._name)
                    except StoreUnavailableError as error:
                        self._entries, self._trouble = None, error
                        warn(f"holdall cannot open the store of {self._name}, and goes on without", error)
        return self._entries  # type: ignore[no-any-return]

    def _place_of_entries(self) -> tuple[str, str]:
        """Return the name below which results of all versions lie, and what tells this one's.

        Raises
        ------
        InvalidArgumentError
            If functions of one factory could not be told apart.
        """
        options = self._options
        if self._sent_place is not None and self._plain.__code__ is self._first_code:
            return self._sent_place
        name = options.name or ("" if self._named is None else self._named.whole())
        if options.version == SOURCE or (options.name is None and _encloses(self.__wrapped__)):
            code = Code(self.__wrapped__, self._owner)
            if options.name is None and code.untold:
                title, why = next(iter(code.untold.items()))
                raise InvalidArgumentError(
                    f"{self._name} encloses {title.rpartition(' ')[2]!r}, by which functions of that name "
                    f"may differ: {why}. Or say by name= which function it is"
                )
            if code.identity:
                name += f"/~{code.identity}"
            if options.version == SOURCE:
                self._code = code
                return name, f"@{code.version}"
        version = "" if options.version is None else str(options.version)
        return name, "@" + version.replace("%", "%25").replace("/", "%2F")

    def _place_if_any(self) -> tuple[str, str] | None:
        """Return what tells the results of this function in a store, None without one."""
        return None if self._options.place is None else self._place_of_entries()

    @property
    def store(self) -> Any:
        """The whole store, in which other functions may have their results too; None without one."""
        if self._store is _UNKNOWN:
            with self._opening:
                if self._store is _UNKNOWN:
                    place = self._options.place
                    self._store = None if place is None else open_store(place, self._options.bounds)
        return self._store

    @property
    def entries(self) -> Any:
        """The results of this function in the store, by key: a part of `store`; None without one.

        Raises
        ------
        StoreUnavailableError
            If the store cannot be opened.
        """
        entries = self._looked_at()
        return None if entries is None else entries.valid

    def _looked_at(self) -> Entries | None:
        """Return the results in the store for somebody who asks for them, and not for a call."""
        entries = self._opened()
        if entries is None and self._trouble is not None:
            raise StoreUnavailableError(
                f"the store of {self._name} cannot be opened, so no results can be listed or forgotten "
                f"there: mend it, or move it away, and begin a new process ({self._trouble})"
            )
        return entries


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


def _encloses(function: Any) -> bool:
    return any(getattr(layer, "__closure__", None) for layer in layers_of(function))


def _is_session(module: Any) -> bool:
    return module.__name__ in MAIN and not hasattr(module, "__file__")
