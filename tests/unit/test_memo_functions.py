"""What memoized functions do: methods, recursion, one computation among threads, manners of functions."""

import gc
import inspect
import pickle
import threading
import time
import warnings
import weakref

import pytest
from tests.unit._memo_support import PLACES, counted

import holdall
import holdall.abc
from holdall import SQLiteStore, Store, memoize
from holdall.memo import Memoized


@pytest.fixture(params=PLACES)
def place(request, tmp_path):
    place = PLACES[request.param](tmp_path)
    yield place
    if isinstance(place, Store):
        place.close()


@pytest.fixture
def cache(tmp_path):
    with SQLiteStore(tmp_path / "cache.db") as store:
        yield store


# ---------------------------------------------------------------------- memory


def test_memory_is_bounded_in_number_and_drops_what_is_not_used():
    calls = []
    f = memoize(maxsize=3)(lambda x: calls.append(x) or x)
    for x in (1, 2, 3):
        f(x)
    f(1)
    f(4)
    assert f.cache_info().currsize == 3
    del calls[:]
    assert f(1) == 1
    assert calls == []
    for x in range(1000):
        f(x)
        f([x])
        f({x})
    assert len(f._quick) <= 12
    assert f.cache_info().currsize == 3


def test_memory_is_bounded_in_bytes():
    f = memoize(max_bytes=10_000, name="f")(bytes)
    for n in range(1000, 4000, 100):
        f(n)
        assert f.cache_info().bytes <= 10_000
    assert f.cache_info().currsize >= 2
    f(50_000)
    with pytest.raises(KeyError):
        f.peek(50_000)
    f.cache_clear()
    assert f.cache_info().bytes == 0


def test_beside_a_store_what_memory_drops_is_not_lost(cache):
    f, calls = counted(cache, maxsize=2)
    for x in range(5):
        f(x)
    assert [f(x) for x in range(5)] == list(range(5))
    assert len(calls) == 5
    none, calls = counted(cache, maxsize=0)
    assert [none(1), none(1)] == [1, 1]
    assert (calls, none.cache_info().store_hits, none.cache_info().currsize) == ([], 2, 0)


def test_sizes_are_estimated():
    import numpy as np

    from holdall._eviction.sizeof import sizeof as size_of

    shared = bytes(100_000)
    assert 100_000 < size_of(shared) < size_of([shared, shared]) < 101_000
    assert size_of({"a": bytes(50_000), "b": {bytes(60_000)}}) > 110_000
    assert size_of(np.zeros(1000)) >= 8000

    class Holder:
        def __init__(self):
            self.data = bytes(10_000)
            self.me = self

    assert 10_000 < size_of(Holder()) < 12_000


def test_counters_count_every_call_of_many_threads():
    f = memoize(lambda x: x)

    def work():
        for i in range(2000):
            f(i % 10)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    info = f.cache_info()
    assert (info.hits + info.misses, info.misses) == (16_000, 10)
    assert f.cache_info() == info


# ---------------------------------------------------------------------- methods


class Shape:
    made = 0

    def __init__(self, side):
        self.side = side

    @memoize
    def area(self):
        Shape.made += 1
        return self.side**2

    @memoize({}, ignore="self", name="scaled")
    def scaled(self, by):
        return self.side * by

    @memoize({}, identity="self")
    def grown(self, by):
        return self.side + by

    @memoize({})
    def stored(self, by):
        return by

    @staticmethod
    @memoize({})
    def static(x):
        return ("static", x)

    @memoize({})
    @staticmethod
    def static_too(x):
        return ("static too", x)

    @classmethod
    @memoize({})
    def of_class(cls, x):
        return (cls.__name__, x)

    @memoize({})
    @classmethod
    def of_class_too(cls, x):
        return (cls.__name__, x)

    @property
    @memoize
    def half(self):
        return self.side / 2


class Square(Shape):
    pass


def test_methods_in_memory_know_their_object():
    two, three = Shape(2), Shape(3)
    assert (two.area(), three.area(), two.area(), Shape.area(two)) == (4, 9, 4, 4)
    assert (two.half, three.half, two.half) == (1, 1.5, 1)
    assert two.area.forget() is True
    with pytest.raises(KeyError):
        two.area.peek()
    assert three.area.peek() == 9
    assert three.area.refresh() == 9
    assert two.area.cache_key() != three.area.cache_key()
    assert two.area.cache_info().misses >= 2
    assert two.area == two.area
    assert hash(two.area) == hash(two.area)
    assert two.area != three.area
    assert "area" in repr(two.area)


def test_methods_do_not_keep_their_objects_alive():
    for method in ("area", "grown"):
        shape = Shape(5)
        reference = weakref.ref(shape)
        getattr(shape, method)(*([] if method == "area" else [1]))
        del shape
        gc.collect()
        assert reference() is None


def test_an_object_can_be_ignored_or_known_by_identity():
    assert Shape(2).scaled(3) == Shape(7).scaled(3) == 6
    two, three = Shape(2), Shape(3)
    assert (two.grown(1), three.grown(1), two.grown(1)) == (3, 4, 3)
    assert two.grown.cache_info().misses >= 2
    assert len(two.grown.entries) == 0  # identity means nothing outside of this process


def test_an_object_that_nothing_is_known_of_cannot_be_stored():
    with pytest.raises(TypeError, match=r"argument 'self' of Shape\.stored"):
        Shape(1).stored(2)


def test_static_and_class_methods():
    assert Shape.static(1) == Shape(1).static(1) == ("static", 1)
    assert Shape.static_too(1) == Shape(1).static_too(1) == ("static too", 1)
    for name in ("of_class", "of_class_too"):
        assert getattr(Shape, name)(1) == getattr(Shape(1), name)(1) == ("Shape", 1)
        assert getattr(Square, name)(1) == getattr(Square(1), name)(1) == ("Square", 1)
    assert Shape.of_class_too.forget(1) is True
    assert Shape.of_class_too.forget(1) is False
    assert Square.of_class_too.forget(1) is True


# ---------------------------------------------------------------------- recursion


@memoize
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def test_recursion_goes_deep():
    fib.cache_clear()
    assert fib(250) == 7896325826131730509282738943634332893686268675876375
    assert fib.cache_info().misses == 251


def test_mutual_recursion(cache):
    @memoize(cache)
    def even(n):
        return n == 0 or odd(n - 1)

    @memoize(cache)
    def odd(n):
        return n != 0 and even(n - 1)

    assert even(100)
    assert not odd(100)
    assert even.cache_info().misses + odd.cache_info().misses == 202


def test_a_call_that_needs_its_own_result_computes_it(cache):
    depth = []

    @memoize(cache)
    def f(x):
        depth.append(x)
        return f(x) + 1 if len(depth) < 3 else 0

    assert f(1) == 2
    assert f(1) == 2


def test_recursion_through_threads(cache):
    @memoize(cache)
    def f(n):
        if n < 2:
            return n
        results = {}
        threads = [
            threading.Thread(target=lambda k=k: results.__setitem__(k, f(k)), daemon=True)
            for k in (n - 1, n - 2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        return sum(results.values())

    assert f(12) == 144
    assert f.cache_info().misses == 13


def test_threads_that_would_wait_for_each_other_do_not(cache):
    barrier = threading.Barrier(2)
    first = threading.local()

    @memoize(cache)
    def ping(n):
        if not getattr(first, "met", False):
            first.met = True
            barrier.wait(10)
            return pong(n)
        return 1

    @memoize(cache)
    def pong(n):
        if not getattr(first, "met", False):
            first.met = True
            barrier.wait(10)
            return ping(n)
        return 1

    threads = [threading.Thread(target=function, args=(1,), daemon=True) for function in (ping, pong)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


# ---------------------------------------------------------------------- one computation


def at_once(n, function, *args):
    """Call a function in several threads at once and give what each got, results and errors."""
    barrier = threading.Barrier(n)
    outcomes = [None] * n

    def work(i):
        barrier.wait(10)
        try:
            outcomes[i] = function(*args)
        except Exception as error:
            outcomes[i] = error

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return outcomes


def test_threads_compute_once(place):
    calls = []

    @memoize(place)
    def f(x):
        calls.append(x)
        time.sleep(0.2)
        return [x]

    outcomes = at_once(8, f, 1)
    assert outcomes == [[1]] * 8
    assert calls == [1]
    info = f.cache_info()
    assert (info.hits, info.misses) == (7, 1)


def test_an_error_reaches_all_who_wait(place):
    calls = []

    @memoize(place)
    def f(x):
        calls.append(x)
        time.sleep(0.2)
        raise LookupError(x)

    outcomes = at_once(8, f, 1)
    assert {type(outcome) for outcome in outcomes} == {LookupError}
    assert len(calls) == 1


def test_what_is_not_kept_is_still_given_to_all_who_wait():
    calls = []

    @memoize(cache_if=lambda result: False)
    def f(x):
        calls.append(x)
        time.sleep(0.2)
        return x

    assert at_once(4, f, 1) == [1] * 4
    assert calls == [1]


def test_without_a_lock_each_computes(cache):
    barrier = threading.Barrier(3)

    @memoize(cache, lock=False)
    def f(x):
        barrier.wait(10)
        return x

    assert at_once(3, f, 1) == [1] * 3


def test_two_function_objects_over_one_store_compute_once(tmp_path):
    # What they enclose changes while they run, and would be part of the version of who looks at it late.
    functions = [counted(tmp_path / "kept", version=None) for _ in range(4)]
    slow = []
    for _, calls in functions:
        calls.function = lambda x, y: (slow.append(x), time.sleep(0.2), x)[-1]
    pool = [f for f, _ in functions]
    assert at_once(4, lambda: pool.pop()(1)) == [1] * 4
    assert slow == [1]


def test_one_who_wakes_after_an_interrupt_takes_over():
    started, calls = threading.Event(), []

    @memoize
    def f(x):
        calls.append(x)
        if len(calls) == 1:
            started.set()
            time.sleep(0.2)
            raise SystemExit
        return x

    def interrupted():
        with pytest.raises(SystemExit):
            f(1)

    outcomes = []
    first = threading.Thread(target=interrupted)
    first.start()
    started.wait(5)
    second = threading.Thread(target=lambda: outcomes.append(f(1)))
    second.start()
    first.join(10)
    second.join(10)
    assert (outcomes, calls) == ([1], [1, 1])


def test_refreshing_waits_for_nobody_in_vain_and_gives_to_all():
    counter = iter(range(100))
    f = memoize(lambda: (time.sleep(0.05), next(counter))[1])
    assert f() == 0
    assert sorted(at_once(3, f.refresh)) == [1, 2, 3]
    assert f() == 3


# ---------------------------------------------------------------------- as functions do


@memoize({})
def at_module_level(x: int, *, y: str = "a") -> str:
    """Give y, x times."""
    return y * x


hidden = memoize({})(lambda x: x)


def test_it_looks_like_the_function():
    assert at_module_level.__name__ == "at_module_level"
    assert at_module_level.__doc__ == "Give y, x times."
    assert str(inspect.signature(at_module_level)) == "(x: int, *, y: str = 'a') -> str"
    assert at_module_level.__wrapped__(2) == "aa"
    assert callable(at_module_level)
    assert "at_module_level" in repr(at_module_level)
    assert isinstance(at_module_level, Memoized)


def test_it_is_pickled_by_name():
    assert pickle.loads(pickle.dumps(at_module_level)) is at_module_level
    assert pickle.loads(pickle.dumps(Shape.area)) is Shape.area
    shape = Square(3)
    bound = pickle.loads(pickle.dumps(shape.area))
    assert bound() == 9
    import copy

    assert copy.copy(at_module_level) is copy.deepcopy(at_module_level) is at_module_level


def plain(x):
    return [x]


def test_a_function_memoized_under_another_name_is_pickled_with_its_options(tmp_path):
    other = memoize(tmp_path / "x.db", maxsize=7)(plain)
    other(1)
    again = pickle.loads(pickle.dumps(other))
    assert again is not other
    assert again(1) == [1]
    assert again.cache_info()[:3] == (1, 0, 7)
    again.store.close()
    other.store.close()


def test_what_functions_cannot_be_pickled_these_cannot_either():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(hidden)


@pytest.mark.parametrize(
    "option",
    [
        {"ttl": -1}, {"ttl": "1"}, {"maxsize": -1}, {"maxsize": 1.5}, {"max_bytes": "many"}, {"key": 3},
        {"cache_if": 3}, {"lock": 1}, {"version": 1.5}, {"version": ""}, {"name": ""}, {"typed": 1},
        {"nonsense": 1}, {"copy": "deep"}, {"readable": 2},
    ],
    ids=str,
)  # fmt: skip
def test_options_are_checked(option):
    with pytest.raises(holdall.InvalidArgumentError):
        memoize({}, **option)


def test_nothing_is_warned_about_where_all_is_well(cache):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f, _ = counted(cache)
        assert f(1) == f(1) == 1


def test_names_are_those_of_the_file_where_the_module_is_main(tmp_path):
    import subprocess
    import sys

    script = tmp_path / "script.py"
    script.write_text(
        "import holdall\n"
        "@holdall.memoize('kept.db')\n"
        "def f(x):\n"
        "    print('computing')\n"
        "    return x\n"
        "f(1)\n"
        "print(*f.store)\n"
    )
    commands = (["script.py"], ["-m", "script"], ["-c", "import script"])
    outputs = [
        subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.split()
        for command in commands
    ]
    assert outputs[0] == ["computing", outputs[0][-1]]
    assert outputs[1] == outputs[2] == outputs[0][1:]
    assert "+script.f/@" in outputs[0][1]
