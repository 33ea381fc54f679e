"""How long results live: early recomputation, errors that are kept for a while, age, and nothing at all."""

import asyncio
import math
import random
import time

import pytest

from holdall import FileDirStore, MemoryStore, SQLiteStore, memoize
from holdall.errors import InvalidArgumentError
from holdall.memo import _core


class Clock:
    """A clock that is set by hand, and by which each computation takes ten seconds."""

    def __init__(self, monkeypatch):
        self.now = 1e9
        self.ticks = 0
        monkeypatch.setattr(time, "time", lambda: self.now)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(_core, "perf_counter", self._counter)
        monkeypatch.setattr(random, "random", lambda: 1 - math.exp(-1))  # whose logarithm is -1

    def _counter(self):
        self.ticks += 10
        return float(self.ticks)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def counting():
    """Return a function that counts its calls."""
    calls = []

    def function(x):
        calls.append(x)
        return [x, len(calls)]

    return function


# ---------------------------------------------------------------------- before the end


@pytest.mark.parametrize("place", [(), ({},)])
def test_one_call_computes_anew_before_the_end_and_others_get_the_old_result(clock, place):
    nested = []

    @memoize(*place, ttl=100, beta=2, version=None, name="f")
    def f(x):
        if nested:
            nested.append(f(x))
        return clock.now

    assert f(1) == 1e9
    clock.now += 79
    assert f(1) == 1e9
    clock.now += 2  # twenty seconds before the end
    nested.append(None)
    assert f(1) == 1e9 + 81
    assert nested == [None, 1e9], "who calls meanwhile gets what is still valid"
    assert f.cache_info().misses == 2
    clock.now += 79
    assert (f(1), f.cache_info().misses) == (1e9 + 81, 2), "the new one has its own span"
    clock.now += 50
    nested.clear()
    assert (f(1), f.cache_info().misses) == (clock.now, 3)


@pytest.mark.parametrize("place", [(), ({},)])
def test_a_renewal_that_fails_leaves_the_result_that_is_valid(clock, place):
    broken = []

    @memoize(*place, ttl=100, beta=1, version=None, name="f")
    def f(x):
        if broken:
            clock.now += broken.pop()
            raise OSError("no network")
        return [clock.now]

    assert f(1) == [1e9]
    clock.now += 95
    broken.append(0)
    assert f(1) == [1e9], "the old result is valid for five seconds"
    assert f(1) == [1e9]
    assert f.cache_info().misses == 1
    clock.now += 6
    broken.append(0)
    with pytest.raises(OSError, match="no network"):
        f(1)
    assert f(1) == [clock.now]


def test_a_renewal_that_fails_after_the_end_fails(clock):
    broken = []

    @memoize(ttl=100, beta=1)
    def f(x):
        if broken:
            clock.now += broken.pop()
            raise OSError("no network")
        return clock.now

    assert f(1) == 1e9
    clock.now += 95
    broken.append(10)
    with pytest.raises(OSError, match="no network"):
        f(1)


def test_a_renewal_by_a_task_that_fails_leaves_the_result(clock):
    broken = []

    @memoize(ttl=100, beta=1)
    async def f(x):
        if broken:
            raise OSError("no network")
        return clock.now

    assert asyncio.run(f(1)) == 1e9
    clock.now += 95
    broken.append(1)
    assert asyncio.run(f(1)) == 1e9


def test_an_interrupt_of_a_renewal_reaches_the_caller(clock):
    broken = []

    @memoize(ttl=100, beta=1)
    def f(x):
        if broken:
            raise KeyboardInterrupt
        return clock.now

    assert f(1) == 1e9
    clock.now += 95
    broken.append(1)
    with pytest.raises(KeyboardInterrupt):
        f(1)
    assert f(1) == 1e9


def test_looking_renews_nothing(clock):
    f = memoize(ttl=100, beta=1)(lambda x: clock.now)
    f(1)
    clock.now += 95
    assert f.peek(1) == 1e9
    assert f.cached(1)
    assert f.cache_info().misses == 1
    assert f(1) == 1e9 + 95


def test_what_another_process_has_renewed_is_taken_from_the_store(clock):
    place = MemoryStore()
    one = memoize(place, ttl=100, beta=1, version=None, name="f")(lambda x: clock.now)
    other = memoize(place, ttl=100, beta=1, version=None, name="f")(lambda x: clock.now)
    assert one(1) == other(1) == 1e9
    assert other.cache_info()[:2] == (1, 0)
    clock.now += 92
    assert one(1) == 1e9 + 92
    assert other(1) == 1e9, "it has never computed, and so does not know how long that takes"
    other(2)
    clock.now += 95
    assert one(1) == clock.now
    clock.now += 1
    assert other(1) == clock.now - 1, "which is the other one's"
    assert other.cache_info().misses == 1


def test_an_error_of_an_early_computation_leaves_the_old_result(clock):
    fails = []

    @memoize(ttl=100, beta=1)
    def f(x):
        if fails:
            raise OSError("no line")
        return 5

    f(1)
    clock.now += 95
    fails.append(1)
    assert f(1) == 5
    assert f(1) == 5
    clock.now += 6
    with pytest.raises(OSError, match="no line"):
        f(1)


def test_tasks_compute_early_too(clock):
    @memoize(ttl=100, beta=1)
    async def f(x):
        return clock.now

    assert asyncio.run(f(1)) == 1e9
    clock.now += 95
    assert asyncio.run(f(1)) == 1e9 + 95


def test_beta_without_an_end_means_nothing():
    with pytest.raises(InvalidArgumentError, match="give ttl="):
        memoize(beta=1)
    with pytest.raises(InvalidArgumentError, match="beta= must be a number from 0"):
        memoize(ttl=1, beta=-1)


# ---------------------------------------------------------------------- errors


def test_errors_are_kept_for_a_time(clock):
    calls = []

    @memoize({}, errors_ttl=60, version=None, name="f")
    def f(x):
        calls.append(x)
        raise LookupError(f"no {x}")

    seen = []
    for _ in range(3):
        with pytest.raises(LookupError, match="no 1") as caught:
            f(1)
        seen.append(len(caught.traceback))
    assert calls == [1]
    assert seen[1] == seen[2], "the traceback does not grow"
    clock.now += 61
    with pytest.raises(LookupError):
        f(1)
    assert calls == [1, 1]
    f.forget(1)
    with pytest.raises(LookupError):
        f(1)
    f.cache_clear()
    with pytest.raises(LookupError):
        f(1)
    with pytest.raises(LookupError):
        f.refresh(1)
    assert calls == [1] * 5
    assert len(f.entries) == 0, "errors are not shared by the store"
    clock.now -= 86_400
    with pytest.raises(LookupError):
        f(1)
    assert calls == [1] * 6, "a clock that was ahead makes no error last"


def test_a_result_takes_the_place_of_an_older_error(clock):
    fails = [True]

    @memoize(errors_ttl=60, ttl=10)
    def f(x):
        if fails[0]:
            raise LookupError
        return x

    with pytest.raises(LookupError):
        f(1)
    fails[0] = False
    assert f.refresh(1) == f(1) == 1
    clock.now += 20
    assert f(1) == 1


def test_a_kept_error_forgets_in_what_it_was_raised_again():
    @memoize(errors_ttl=60)
    def f(x):
        raise LookupError

    with pytest.raises(LookupError):
        f(1)
    try:
        int("x")
    except ValueError:
        with pytest.raises(LookupError):
            f(1)
    with pytest.raises(LookupError) as caught:
        f(1)
    assert caught.value.__context__ is None


def test_errors_are_not_kept_unless_asked_for_and_interrupts_never():
    calls = []

    @memoize(errors_ttl=60)
    def interrupted(x):
        calls.append(x)
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            interrupted(1)
    assert calls == [1, 1]


def test_the_number_of_errors_is_bounded(clock, monkeypatch):
    monkeypatch.setattr(_core, "_MOST_ERRORS", 10)
    calls = []

    @memoize(errors_ttl=60)
    def f(x):
        calls.append(x)
        raise LookupError

    for x in range(12):
        with pytest.raises(LookupError):
            f(x)
    assert len(f._errors) == 10
    clock.now += 61
    with pytest.raises(LookupError):
        f(12)
    assert len(f._errors) == 1


# ---------------------------------------------------------------------- age


@pytest.mark.parametrize("make", [lambda path: MemoryStore(), lambda path: {}])
def test_results_that_are_too_old_go(clock, tmp_path, make):
    function = counting()
    place = make(tmp_path / "kept")
    f = memoize(place, max_age=80, version=1, name="f")(function)
    old = memoize(place, version=0, name="f")(function)
    old(7)
    assert f(1) == [1, 2]
    clock.now += 79
    assert f(1) == [1, 2]
    clock.now += 2
    assert f(1) == [1, 3]
    assert len(f.entries) == 1
    assert len(f.store) == 1, "those of other versions are swept as well"


def test_age_holds_on_disk(tmp_path):
    for path in (tmp_path / "kept.db", tmp_path / "kept"):
        f = memoize(path, max_age=3600, max_items=100, version=1, name="f")(counting())
        assert f(1) == f(1) == [1, 1]
        assert len(f.entries) == 1
        assert isinstance(f.store, SQLiteStore | FileDirStore)
    with pytest.raises(InvalidArgumentError, match="max_age= must be a number of seconds"):
        memoize(tmp_path, max_age=0)


def test_the_shorter_span_holds(clock):
    for spans in ({"ttl": 10, "max_age": 50}, {"ttl": 50, "max_age": 10}):
        f = memoize(MemoryStore(), version=1, name="f", **spans)(counting())
        f(1)
        clock.now += 11
        assert f(1) == [1, 2]


# ---------------------------------------------------------------------- off


def test_none_switches_off(tmp_path):
    function = counting()
    f = memoize(None, ttl=5, max_items=3, policy="lfu", max_age=9, copy=True)(function)
    assert [f(1), f(1)] == [[1, 1], [1, 2]]
    assert (f.store, f.entries, f.cached(1), f.forget(1)) == (None, None, False, False)
    assert f.cache_info()[:4] == (0, 2, 0, 0)
    with pytest.raises(KeyError):
        f.peek(1)
    with pytest.raises(InvalidArgumentError, match="ttl="):
        memoize(None, ttl=-1)
    with pytest.raises(InvalidArgumentError, match="no option 'tll'"):
        memoize(None, tll=1)
    with pytest.raises(InvalidArgumentError, match="no option 'off'"):
        memoize({}, off=True)

    @memoize(None)
    async def g(x):
        return function(x)

    assert [asyncio.run(g(2)), asyncio.run(g(2))] == [[2, 3], [2, 4]]


def test_results_that_cannot_be_kept_are_no_matter_where_nothing_is():
    f = memoize(None)(lambda x: (n for n in range(x)))
    assert list(f(3)) == [0, 1, 2]


def test_no_place_is_memory():
    f = memoize()(counting())
    assert f(1) == f(1) == [1, 1]
