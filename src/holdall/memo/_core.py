"""A call of a memoized function: look in memory, in the store, and compute once.

The algorithm is written once, as a generator that asks its driver to compute, to wait and to sleep; threads
drive it in one way and tasks in another. While the function runs, no frame of the generator is on the stack,
so that recursion can go at least half as deep as without memoizing.
"""

import functools
import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Generator
from math import inf
from time import perf_counter
from typing import Any, cast

from holdall._posix.fork import new_lock
from holdall.conditional import AHEAD
from holdall.memo._arguments import Arguments, quick_key
from holdall.memo._entries import MISSING, Entries
from holdall.memo._flight import Flight, Flights
from holdall.memo._hot import Entry
from holdall.memo._log import log
from holdall.memo._options import SOURCE, Options
from holdall.memo._placed import Placed
from holdall.memo._references import Hit
from holdall.memo._results import Held, Keeping

__all__ = ["COMPUTE", "Core", "Steps", "fail"]

_MOST_ERRORS = 10_000  # kept at a time
_UNKNOWN: Any = object()

#: Requests of the algorithm to its driver, besides flights to wait for, seconds to sleep, errors to raise.
COMPUTE: Any = object()
Steps = Generator[Any, Any, Any]


class _Counter:
    """A number that threads count up without a lock: ``next`` of a count is atomic."""

    def __init__(self) -> None:
        self._count = itertools.count()
        self._looks = 0
        self.up = self._count.__next__
        self._lock = new_lock()

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
        Whether the key is valid only in this process.
    """

    __slots__ = ("digest", "key", "local", "quick", "refused", "renewed", "values")

    def __init__(self, key: str, digest: str, local: bool) -> None:
        self.key = key
        self.digest = digest
        self.local = local
        self.quick: Any = None
        self.values: tuple[Any, ...] = ()
        self.renewed: Entry | None = None  # recomputed before it expires
        self.refused = False  # whether ``valid=`` refused the known result


class Core(Placed):
    """A function, its known results, and those being computed.

    Parameters
    ----------
    function
        The function.
    options
        The options of `memoize`.
    """

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        functools.update_wrapper(cast("Any", self), function, updated=())
        for attribute, value in getattr(function, "__dict__", {}).items():
            if not hasattr(type(self), attribute):  # keep our own methods
                self.__dict__[attribute] = value
        super().__init__(function, options)
        self._arguments = Arguments(
            function,
            ignore=options.ignore,
            key=options.key,
            typed=options.typed,
            identity=options.identity,
            local=options.place is None,
        )
        self._fresh = False  # whether known results are ignored
        self._by_position = self._arguments.by_position
        self._exact = self._arguments.exact
        self._quick_key = quick_key if self._arguments.quick else _no_quick_key
        self._quick = self._hot.quick
        self._flights = Flights()
        self._valid = options.valid
        # With ``valid=``, speed does not matter; and in a session, functions and what they call are
        # redefined, so that a quick answer may be wrong.
        if options.valid is not None or self._typed_in:
            self._quick_key, self._by_position, self._exact = _no_quick_key, -1, -1
        self._errors: dict[str, tuple[Exception, float, BaseException | None]] = {}
        self._keeping = Keeping(self._name, options.copy, mapping=options.mmap_mode is not None)
        self._reset_counters()
        self._locks: Any = _UNKNOWN
        # If results are mostly new, a look without the lock is useless; one miss predicts the next.
        self._lock_first = False
        # What is here besides attributes of the function, and those that will be set.
        self._parts = vars(self).keys() - getattr(function, "__dict__", {}).keys()

    def _reset_counters(self) -> None:
        self._hits, self._misses, self._store_hits = _Counter(), _Counter(), _Counter()
        self._seconds, self._timing = 0.0, threading.Lock()
        self._told, self._told_seconds = 0, 0.0  # results whose cost was in the store
        self._hit, self._miss, self._store_hit = self._hits.up, self._misses.up, self._store_hits.up

    def _after_fork(self) -> None:
        """Restart after a fork what threads of the parent were doing."""
        self._flights.clear()
        self._hot.reset_lock()
        self._timing = threading.Lock()
        self._opening = threading.RLock()

    def _found(self, quick: Any) -> Entry | None:
        """Return a valid result in memory by its quick key."""
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
        """Return the result of a call: known, awaited, or computed by this caller."""
        self._check_code()
        call = self._call(values)
        call.quick = None if self._typed_in else quick
        entry = self._entry(call)
        if entry is not None:
            return entry.given()
        if self._errors and not self._fresh:
            known = self._known_error(call.key)
            if known is not None:
                yield known
        flight = Flight(owner)
        try:  # so that no interrupt leaves others waiting
            while self._options.lock:
                other = self._flights.begin(call.key, flight)
                if other is flight:
                    break
                if not Flights.wait(owner, other):  # we would wait for our own caller
                    value, error = yield COMPUTE
                    return value if error is None else MISSING
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
            flight.finish()
            self._flights.end(call.key, flight)

    def _lead(self, call: Call, entries: Entries | None, flight: Flight) -> Steps:
        """Compute a result, unless another process does."""
        locks = None if entries is None else self._key_locks(entries)
        if locks is None:
            return (yield from self._compute(call, entries, flight))
        offset = int(call.digest[:15], 16) ^ self._offset
        pause, longest = locks.pauses
        while True:
            try:
                free = locks.acquire(offset, flight)
                value = self._look(call, entries, flight)  # again: now nobody else can be writing it
                if value is not MISSING:
                    self._lock_first = False
                    return value
                self._lock_first = True
                if free:
                    return (yield from self._compute(call, entries, flight))
            finally:
                locks.release(offset, flight)
            yield pause
            pause = min(pause * 1.5, longest)

    def _look(self, call: Call, entries: Entries | None, flight: Flight) -> Any:
        """Return a known result, or `MISSING`."""
        if self._fresh:
            return MISSING
        entry = self._entry(call)
        if entry is not None:
            flight.value = Held(entry.value, entry.copy)
            return entry.given()
        if entries is None or call.refused:
            return MISSING
        value, made, seconds = entries.look(call.key)
        if value is MISSING or not self._is_valid(call, made, seconds):
            return MISSING
        if call.renewed is not None and made <= call.renewed.made:
            return MISSING  # nobody else has recomputed it
        value = self._adopt(call, flight, value, made, seconds)
        self._store_hit()
        if seconds is not None:
            with self._timing:
                self._told += 1
                self._told_seconds += seconds
        log("a result of %s was in the store", self._name)
        return value

    def _adopt(self, call: Call, flight: Flight, value: Any, made: float, seconds: float | None) -> Any:
        """Keep a result that is from the store in memory, and return what a caller may have."""
        value, held = self._keeping.adopt(value)
        if held is not None:
            flight.value = held
            self._remember(call, held, made, seconds)
        return value

    def _mapped(self, call: Call, entries: Entries, flight: Flight, value: Any, seconds: float) -> Any:
        """Return a computed result as mapped from its file, so that it need not stay in memory."""
        found, made, _ = entries.look(call.key)
        if found is not MISSING:
            return self._adopt(call, flight, found, made, seconds)
        held = flight.value = self._keeping.hold(value)
        if held is not None:
            self._remember(call, held, time.time(), seconds)
        return value

    def _is_valid(self, call: Call, made: float, seconds: float | None) -> bool:
        """Return whether the callback accepts a known result; asked only once per call if it refuses."""
        if self._valid is None:
            return True
        age, arguments = max(0.0, time.time() - made), self._arguments.named(call.values)
        hit = Hit(age, arguments, seconds, self._version_known())
        call.refused = not self._valid(hit)
        return not call.refused

    def _key_locks(self, entries: Entries) -> Any:
        """Return the locks or leases among processes, opened when something is to be computed."""
        if self._locks is _UNKNOWN:
            self._locks = entries.locks(self._options.lease) if self._options.lock else None
        return self._locks

    def _compute(self, call: Call, entries: Entries | None, flight: Flight) -> Steps:
        """Compute the result, and keep it."""
        started = perf_counter()
        value, error = yield COMPUTE
        seconds = perf_counter() - started
        if error is not None:
            return self._instead(call, flight, error)
        self._miss()
        self._errors.pop(call.key, None)  # of a call before
        with self._timing:
            self._seconds += seconds
        log("%s was computed in %.6f seconds", self._name, seconds)
        if self._options.off:
            return value
        if not self._keeping.keeps(value):
            return value  # waiting calls compute for themselves
        mapping = entries is not None and self._options.mmap_mode is not None
        held = flight.value = None if mapping else self._keeping.hold(value)
        if self._options.cache_if is not None and not self._options.cache_if(value):
            return value
        if held is not None:
            self._remember(call, held, time.time(), seconds)
        if entries is not None:
            if self._code is not None and self._code.changed():  # by the call: the code is unknown
                return value
            if self._options.version == SOURCE:
                entries.tell_of_others()
            kept = entries.keep(call.key, value, held, seconds, flight.fence)
            if not kept:
                self._hot.discard(call.key)  # a newer one is there
            elif mapping:
                value = self._mapped(call, entries, flight, value, seconds)
        return value

    def _entry(self, call: Call) -> Entry | None:
        """Return a valid result in memory, and count the hit."""
        entry = self._valid_entry(call)
        if entry is not None and self._is_to_be_renewed(call, entry):
            return None
        if entry is not None:
            self._hot.alias(call.quick, entry)
            self._hit()
            entry.used = True
        return entry

    def _valid_entry(self, call: Call) -> Entry | None:
        """Return a valid result in memory."""
        entry = None if self._fresh or call.refused else self._hot.entries.get(call.key)
        if entry is None or not 0 < entry.ends - time.time() <= self._reach:
            return None
        return entry if self._is_valid(call, entry.made, entry.seconds) else None

    def _remember(self, call: Call, held: Held, made: float, seconds: float | None) -> None:
        """Keep a result in memory."""
        held.made, held.seconds = made, seconds
        if self._ttl is None:
            self._hot.put(call.key, held, call.quick, inf)
            return
        expires, renew, beta = made + self._ttl, inf, self._options.beta
        if beta:
            if seconds is None:  # from a store without costs
                seconds = self._mean_seconds()
            # XFetch of Vattani, Chierichetti and Lowenstein (2015), drawn once per result and process.
            renew = expires + seconds * beta * math.log(1 - random.random())  # noqa: S311  (not a secret)
        self._hot.put(call.key, held, call.quick, expires, renew)

    def _mean_seconds(self) -> float:
        """Return how long computing takes on average."""
        known = self._misses.value() + self._told
        return (self._seconds + self._told_seconds) / known if known else 0.0

    def _is_to_be_renewed(self, call: Call, entry: Entry) -> bool:
        """Return whether this call recomputes a valid result, while others get the old one."""
        if call.renewed is entry:
            return True
        if entry.expires > time.time():
            return False
        with self._timing:
            first = entry.expires != entry.ends
            entry.expires = entry.ends
        if first:
            call.renewed = entry
        return first

    def _instead(self, call: Call, flight: Flight, error: Exception) -> Any:
        """Return what the caller gets in place of an error: a result that was to be renewed, or `MISSING`."""
        known = call.renewed
        if known is None or known.ends <= time.time():
            flight.error = error
            self._keep_error(call, error)
            return MISSING
        log("%s was not renewed before its end: %r", self._name, error)
        flight.value = Held(known.value, known.copy)
        self._hit()
        return known.given()

    def _keep_error(self, call: Call, error: Exception) -> None:
        """Keep an error for the requested time."""
        if not self._options.errors_ttl:
            return
        now = time.time()
        if len(self._errors) >= _MOST_ERRORS:
            self._errors = {key: known for key, known in self._errors.copy().items() if known[1] > now}
        if len(self._errors) < _MOST_ERRORS:
            self._errors[call.key] = error, now + self._options.errors_ttl, error.__context__

    def _known_error(self, key: str) -> Exception | None:
        """Return the error that a call raised a while ago, if it is kept."""
        error, until, context = self._errors.get(key, (None, 0.0, None))
        if error is None:
            return None
        if not 0 < until - time.time() <= (self._options.errors_ttl or 0) + AHEAD:
            self._errors.pop(key, None)
            return None
        error.__context__ = context  # and not what another call was raised in
        return error.with_traceback(None)  # else it would grow from call to call

    def _call(self, values: tuple[Any, ...]) -> Call:
        """Return the key of arguments in normal form, as a call."""
        digest, local = self._arguments.key(values)
        key = f"{self._arguments.readable(values)} #{digest}" if self._options.readable else digest
        call = Call(key, digest, local)
        call.values = values
        return call


def fail(steps: Steps, error: BaseException) -> Any:
    """Pass an error of the function to the algorithm; return what the caller gets instead, or `MISSING`."""
    if isinstance(error, Exception):
        try:
            steps.send((None, error))
        except StopIteration as stop:
            return stop.value
    else:
        steps.close()  # an interrupt is not a result for others
    return MISSING


def _no_quick_key(values: Any) -> None:
    del values
