"""Results of functions are kept: where, what, for how long, and what is done where a store fails."""

import dataclasses
import enum
import os
import time
import types

import pytest
from tests.unit._memo_support import PLACES, counted

import holdall
import holdall.abc
from four_methods import FourMethods
from holdall import FileDirStore, MemoryStore, NullStore, SQLiteStore, Store, memoize
from holdall.memo import MEMORY, CacheInfo


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
    class Timeless(FourMethods):
        capabilities = frozenset({holdall.abc.Capability.WRITABLE})

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
