"""Memoized functions: what is kept where, for how long, and what happens when something goes wrong."""

import dataclasses
import enum
import gc
import inspect
import os
import pickle
import threading
import time
import types
import warnings
import weakref

import pytest

import holdall
import holdall.abc
from holdall import FileDirStore, MemoryStore, NullStore, SQLiteStore, Store, memoize
from holdall.memo import MEMORY, CacheInfo, Memoized

PLACES = {
    "memory": lambda path: MEMORY,
    "dict": lambda path: {},
    "folder": lambda path: path / "kept",
    "database": lambda path: path / "kept.db",
    "json": lambda path: FileDirStore(path / "json", serializer="json"),
    "tuples": lambda path: FileDirStore(path / "tuples", keys=tuple),
    "store": lambda path: MemoryStore(serializer="pickle"),
}


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


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int
    y: list


class Calls(list):
    def function(self, x, y=0):
        self.append((x, y))
        return x + y


def counted(place=MEMORY, **options):
    calls = Calls()

    @memoize(place, name="counted", **options)
    def f(x, y=0):
        return calls.function(x, y)

    return f, calls


# ---------------------------------------------------------------------- places


def test_a_result_is_computed_once_wherever_it_is_kept(place):
    f, calls = counted(place)
    assert [f(1), f(1, 0), f(x=1), f(y=0, x=1), f(2), f(1)] == [1, 1, 1, 1, 2, 1]
    assert calls == [(1, 0), (2, 0)]
    assert f.cache_info()[:4] == (4, 2, None if place is MEMORY else 10_000, 2)
    assert f.peek(1) == 1
    with pytest.raises(KeyError):
        f.peek(3)
    assert f.forget(1) is True
    assert f.forget(1) is False
    assert f(1) == 1
    assert f.refresh(2) == 2
    assert calls == [(1, 0), (2, 0), (1, 0), (2, 0)]
    if place is MEMORY:
        assert f.entries is None
        assert f.store is None
    else:
        assert len(f.entries) == 2
        assert f.entries[f.cache_key(2)] == 2
        assert f.cache_key(1) in f.entries
    f.cache_clear()
    assert f.cache_info() == CacheInfo(0, 0, None if place is MEMORY else 10_000, 0, 0, 0, 0, 0, 0)
    assert f(1) == 1
    assert len(calls) == 5


@pytest.mark.parametrize("name", ["dict", "folder", "database", "json", "tuples", "store"])
def test_another_function_object_finds_what_is_stored(name, tmp_path):
    place = PLACES[name](tmp_path)
    f, calls = counted(place)
    f(1)
    again, more = counted(place)
    assert again(1) == again(1) == 1
    assert (calls, more) == ([(1, 0)], [])
    info = again.cache_info()
    assert (info.hits, info.misses, info.store_hits, info.memory_hits) == (2, 0, 1, 1)


def test_the_ways_to_write_the_decorator(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    @memoize
    def bare(x):
        return x

    @memoize()
    def called(x):
        return x

    @memoize("x.db")
    def database(x):
        return x

    @memoize("folder")
    def folder(x):
        return x

    @memoize(tmp_path / "y.sqlite3")
    def path(x):
        return x

    assert os.listdir() == []  # nothing is opened before there is something to do
    functions = (bare, called, database, folder, path)
    assert [f(1) for f in functions] == [1] * 5
    assert [type(f.store) for f in functions] == [
        type(None),
        type(None),
        SQLiteStore,
        FileDirStore,
        SQLiteStore,
    ]
    for wrong in (3, [1, 2], b"x"):
        with pytest.raises(holdall.InvalidArgumentError):
            memoize(wrong)
    with pytest.raises(holdall.InvalidArgumentError):
        memoize({})(3)
    for f in functions[2:]:
        f.store.close()


def test_functions_share_a_store_and_keep_apart(cache):
    @memoize(cache)
    def one(x):
        return ("one", x)

    @memoize(cache)
    def two(x):
        return ("two", x)

    assert one(1) == ("one", 1)
    assert two(1) == ("two", 1)
    assert len(cache) == 2
    one.cache_clear()
    assert list(two.entries.values()) == [("two", 1)]
    assert len(cache) == 1
    version = two.version_info().version
    name = f"holdall+tests.unit.test_memo.{two.__qualname__}/@{version}"
    assert list(cache.get_subdict(name)) == [two.cache_key(1)]


def test_closures_of_one_factory_keep_apart(cache):
    def make(n):
        @memoize(cache)
        def add(x):
            return x + n

        return add

    assert [make(1)(1), make(2)(1), make(1)(1)] == [2, 3, 2]
    assert len(cache) == 2


def test_nameless_functions_keep_apart(cache):
    double, triple = memoize(cache)(lambda x: x * 2), memoize(cache)(lambda x: x * 3)
    assert (double(1), triple(1)) == (2, 3)


def test_readable_keys_begin_with_the_arguments(tmp_path):
    @memoize(tmp_path / "kept", readable=True)
    def f(x, *, path):
        return x

    f({"a": 1}, path="a/b\n")
    f(1, path="y" * 1000)
    first, second = sorted(f.entries)
    assert first.startswith("x=1, path='yyy")
    assert len(first) < 200
    assert second.startswith(r"x={'a': 1}, path='a_b\n' #")
    assert len(os.listdir(tmp_path / "kept")) == 2
    g, calls = counted(tmp_path / "kept", readable=True)
    assert g(1) == g(1.0)
    assert len(g.entries) == len(calls) == 1


def test_readable_keys_of_equal_arguments_are_equal():
    import datetime as dt
    from decimal import Decimal

    f = memoize({}, readable=True, name="f")(lambda *values: 0)
    assert f.cache_key({"a": 1, "b": {1, 2, "x"}}) == f.cache_key({"b": {"x", 2, 1.0}, "a": Decimal(1)})
    shown = {
        "*values=(1.5, True, None, b'x')": (1.5, True, None, b"x"),
        "*values=({1, 'x'})": ({1, "x"},),
        "*values=(date('2024-02-29'), Color('RED', 1))": (dt.date(2024, 2, 29), Color.RED),
        "*values=(Point(x=1, y=[2]), <5000 bytes>)": (Point(1, [2]), bytes(5000)),
        "*values=...": (print,),
    }
    typed = memoize({}, readable=True, name="f", typed=True)(lambda *values: 0)
    for text, values in shown.items():
        assert typed.cache_key(*values).partition(" #")[0] == text


# ---------------------------------------------------------------------- results


def test_none_is_a_result(place):
    calls = []

    @memoize(place)
    def f(x):
        calls.append(x)

    assert f(1) is None
    assert f(1) is None
    assert f.peek(1) is None
    assert calls == [1]


def test_errors_are_raised_and_not_kept(place):
    calls = []

    @memoize(place)
    def f(x):
        calls.append(x)
        raise LookupError(x)

    for _ in range(2):
        with pytest.raises(LookupError):
            f(1)
    assert calls == [1, 1]
    assert f.cache_info().currsize == 0


@pytest.mark.parametrize("error", [StopIteration, KeyError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_any_error_reaches_the_caller_and_leaves_nothing_locked(error, cache):
    outcomes = [error("x"), error("y"), 5]

    @memoize(cache)
    def f():
        outcome = outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    for _ in range(2):
        with pytest.raises(error):
            f()
    assert f() == 5


def test_only_what_the_predicate_accepts_is_kept(place):
    f, calls = counted(place, cache_if=lambda result: result > 1)
    assert [f(1), f(1), f(2), f(2)] == [1, 1, 2, 2]
    assert calls == [(1, 0), (1, 0), (2, 0)]


@pytest.mark.parametrize("make", [lambda: (x for x in "ab"), lambda: iter([1]), lambda: map(str, [1])])
def test_what_can_be_used_once_is_not_kept(make, cache):
    f = memoize(cache, name="f")(make)
    with pytest.warns(RuntimeWarning, match="only once"):
        first = list(f())
    assert list(f()) == first
    assert len(f.entries) == 0


def test_generators_are_refused():
    def generator():
        yield 1

    async def agenerator():
        yield 1

    for function in (generator, agenerator):
        with pytest.raises(TypeError, match="generator is a generator"):
            memoize(function)
        with pytest.raises(holdall.InvalidArgumentError):
            memoize({})(function)


def test_what_cannot_be_serialized_is_kept_in_memory_and_warned_about_once(cache):
    @memoize(cache)
    def f(x):
        return lambda: x

    with pytest.warns(RuntimeWarning, match="cannot write results of .*f, and goes on") as caught:
        first = f(1)
    assert caught[0].filename == __file__
    assert f(1) is first
    assert f(2)() == 2
    assert len(f.entries) == 0


def test_commands_to_stores_are_not_stored():
    store = MemoryStore()

    @memoize(store)
    def f(x):
        return holdall.DELETE_CURRENT

    with pytest.warns(RuntimeWarning, match="command"):
        assert f(1) is holdall.DELETE_CURRENT
    assert f(1) is holdall.DELETE_CURRENT
    assert len(store) == 0


# ---------------------------------------------------------------------- stores that fail


def test_a_read_only_store_answers_and_is_warned_about_once(tmp_path):
    f, _ = counted(tmp_path / "kept")
    f(1)
    for frozen in (
        FileDirStore(tmp_path / "kept", read_only=True),
        FileDirStore(tmp_path / "kept", append_only=True),
    ):
        again, calls = counted(frozen)
        assert again(1) == 1
        assert calls == []
        if frozen.get_params().get("read_only"):
            with pytest.warns(RuntimeWarning, match="read_only=True") as caught:
                assert [again(2), again(2), again(3)] == [2, 2, 3]
            assert len(caught) == 1
            assert calls == [(2, 0), (3, 0)]


def test_a_full_store_is_warned_about_once():
    class Full(dict):
        def __setitem__(self, key, value):
            raise holdall.StoreFullError(28, "no room", "place")

    f, calls = counted(Full())
    with pytest.warns(RuntimeWarning, match="no room") as caught:
        assert [f(1), f(2), f(1)] == [1, 2, 1]
    assert len(caught) == 1
    assert len(calls) == 2


def test_what_cannot_be_read_is_computed_and_stored_anew(tmp_path):
    f, _ = counted(tmp_path / "kept")
    f(1)
    [path] = [
        os.path.join(d, n) for d, _, names in os.walk(tmp_path / "kept") for n in names if n.endswith(".pkl")
    ]
    with open(path, "wb") as file:
        file.write(b"nonsense")
    again, calls = counted(tmp_path / "kept")
    with pytest.warns(RuntimeWarning, match="cannot look up"):
        assert again(1) == 1
    third, more = counted(tmp_path / "kept")
    assert third(1) == 1
    assert (calls, more) == ([(1, 0)], [])


def test_a_store_that_cannot_be_opened_is_done_without(tmp_path):
    (tmp_path / "file").write_text("no folder")
    f, calls = counted(tmp_path / "file" / "kept.db")
    with pytest.warns(RuntimeWarning, match="cannot open") as caught:
        assert [f(1), f(1), f(2)] == [1, 1, 2]
    assert len(caught) == 1
    assert len(calls) == 2


def test_a_store_with_other_options_is_an_error(tmp_path):
    with SQLiteStore(tmp_path / "x.db", serializer="json") as store:
        store["x"] = 1
    f, _ = counted(SQLiteStore(tmp_path / "x.db"))
    assert f(1) == 1
    f.store.close()


def test_a_store_that_keeps_nothing_leaves_memory():
    f, calls = counted(NullStore())
    assert [f(1), f(1)] == [1, 1]
    assert len(calls) == 1
    g, calls = counted(NullStore(), maxsize=0)
    assert [g(1), g(1)] == [1, 1]
    assert len(calls) == 2


# ---------------------------------------------------------------------- time, versions


HOUR = 3600


@pytest.fixture
def clock(monkeypatch):
    """A clock that can be put forward for memoized functions; what is stored has the times of the system."""
    state = types.SimpleNamespace(ahead=0)
    fake = types.SimpleNamespace(time=lambda: time.time() + state.ahead, sleep=time.sleep)
    for module in ("memo._core", "memo._entries", "memo._memoized", "memo._purging", "wrappers._expiring"):
        monkeypatch.setattr(f"holdall.{module}.time", fake)
    return state


def test_results_are_valid_for_a_while(tmp_path, clock):
    for place in (MEMORY, {}, tmp_path / "x.db", tmp_path / "folder"):
        clock.ahead = 0
        f, calls = counted(place, ttl=HOUR)
        assert [f(1), f(1)] == [1, 1]
        again, more = counted(place, ttl=HOUR)
        again(1)
        assert (len(calls), len(more)) == (1, 1 if place is MEMORY else 0)
        clock.ahead = HOUR / 2
        assert f(1) == 1
        assert len(calls) == 1
        clock.ahead = HOUR + 1
        assert f(1) == 1
        assert len(calls) == 2
        with pytest.raises(KeyError):
            counted(place, ttl=0)[0].peek(1)
        if place is not MEMORY:
            f.store.close()


def test_a_result_from_a_store_is_as_old_as_it_was_there(tmp_path, clock):
    f, _ = counted(tmp_path / "folder", ttl=HOUR)
    f(1)
    clock.ahead = HOUR * 2 / 3
    again, calls = counted(tmp_path / "folder", ttl=HOUR)
    again(1)
    assert calls == []
    clock.ahead = HOUR + 1
    again(1)
    assert len(calls) == 1


def test_what_is_no_longer_valid_is_not_listed_and_can_be_purged(tmp_path, clock):
    for place in (MemoryStore(), tmp_path / "x.db", tmp_path / "folder"):
        clock.ahead = 0
        f, _ = counted(place, ttl=HOUR)
        f(1), f(2)
        assert (len(f.entries), f.purge()) == (2, 0)
        clock.ahead = HOUR + 1
        assert (len(f.entries), f.purge(), f.purge()) == (0, 2, 0)
        f.store.close()


def test_a_clock_that_went_ahead_keeps_no_result_longer(tmp_path, clock):
    for place in (MEMORY, {}, tmp_path / "x.db", tmp_path / "folder"):
        clock.ahead = 0
        f, calls = counted(place, ttl=HOUR)
        assert f(1) == 1
        clock.ahead = -24 * HOUR  # it was a day ahead when the result was computed
        assert f(1) == 1
        assert len(calls) == 2
        if place is not MEMORY:
            with pytest.raises(KeyError):
                counted(place, ttl=HOUR)[0].peek(1)
            f.store.close()


def test_ttl_needs_times():
    class Timeless(holdall.Persister):
        capabilities = frozenset({holdall.abc.Capability.WRITABLE})

        def __init__(self):
            self.data = {}

        def __getitem__(self, id):
            return self.data[id]

        def __setitem__(self, id, data):
            self.data[id] = data

        def __delitem__(self, id):
            del self.data[id]

        def __iter__(self):
            return iter(list(self.data))

    f, _ = counted(Store(Timeless()), ttl=1)
    with pytest.raises(holdall.InvalidArgumentError, match="ttl= needs times"):
        f(1)
    g, calls = counted(Store(Timeless()))
    assert [g(1), g(1)] == [1, 1]
    assert len(calls) == 1


def test_versions_keep_apart(cache):
    for version in ("a", "b", 1, None):
        f, calls = counted(cache, version=version)
        assert f(1) == 1
        assert len(calls) == 1
    assert len(cache.get_subdict("counted")) == 4
    f, calls = counted(cache, version="b")
    f(1)
    assert calls == []
    f.cache_clear()
    assert len(cache.get_subdict("counted")) == 3


SOURCE = '''
from holdall import memoize
{constant}
def helper(x):
    return {helper}
{more}
def f(x, y={default}):
    """{doc}"""
    # {comment}
    return {body} + helper(x) + K
'''


def version_of(tmp_path, **parts):
    import importlib.util

    from holdall.memo._version import Code

    standard = {
        "constant": "K = 1",
        "helper": "x",
        "more": "",
        "default": 1,
        "doc": "",
        "comment": "",
        "body": "x",
    }
    path = tmp_path / f"source{len(os.listdir(tmp_path))}.py"
    path.write_text(SOURCE.format(**{**standard, **parts}))
    spec = importlib.util.spec_from_file_location("source", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Code(module.f).version


def test_the_source_version_changes_with_what_the_function_does(tmp_path):
    first = version_of(tmp_path)
    assert version_of(tmp_path) == first
    assert version_of(tmp_path, doc="other", comment="other", body="(x)") == first
    assert version_of(tmp_path, more="def unused(): pass\nOTHER = 5") == first
    changes = [{"body": "x * 2"}, {"helper": "x * 2"}, {"constant": "K = 2"}, {"default": 2}]
    versions = {version_of(tmp_path, **change) for change in changes}
    assert len(versions | {first}) == 5


def test_an_edited_function_does_not_find_its_old_results(cache):
    def make(n):
        @memoize(cache, version="source", name="edited")
        def f(x):
            return x + n

        return f

    assert [make(1)(1), make(2)(1), make(1)(1)] == [2, 3, 2]
    scope = {}
    exec("def f(x): return x", scope)
    assert memoize(cache, name="typed in")(scope["f"])(1) == 1
    exec("def f(x): return x + 1", scope)
    f = memoize(cache, name="typed in")(scope["f"])
    with pytest.warns(RuntimeWarning, match="typed in has changed"):
        assert f(1) == 2
    assert f(2) == 3


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
