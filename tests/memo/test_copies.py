"""What a caller does to a result never shows in a later call, in memory as from the store."""

import asyncio
import collections
import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import os
import pathlib
import re
import sqlite3
import threading
import warnings

import numpy as np
import pandas as pd
import pytest

from exploring import in_soak
from holdall import FileDirStore, MemoryStore, SQLiteStore, Store, memoize
from holdall.memo import MEMORY
from holdall.memo._copying import copier_of
from holdall.wrappers import cached_values


@dataclasses.dataclass
class Model:
    weights: list


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: int


class Slots:
    __slots__ = ("x",)

    def __init__(self, x):
        self.x = x

    def __repr__(self):
        return f"Slots({self.x})"


class Color(enum.Enum):
    RED = 1


class Array(np.ndarray):
    pass


def array_with(k):
    made = np.arange(3.0).view(Array)
    made.k = k
    return made


def shared_list():
    shared = [1]
    return [shared, shared]


def put(target, key, value):
    target[key] = value


CHANGED = {
    "list": (lambda: [1, 2], lambda r: r.append(3)),
    "nested list": (lambda: [[1], 2], lambda r: r[0].append(3)),
    "list of a shared list": (shared_list, lambda r: r[0].append(3)),
    "dict": (lambda: {"a": 1}, lambda r: r.update(b=2)),
    "nested dict": (lambda: {"a": {"b": [1.5, None, b"x"]}}, lambda r: r["a"]["b"].clear()),
    "set": (lambda: {1}, lambda r: r.add(2)),
    "tuple of lists": (lambda: ([1], 2), lambda r: r[0].append(2)),
    "bytearray": (lambda: bytearray(b"ab"), lambda r: r.clear()),
    "list of a bytearray": (lambda: [bytearray(b"ab")], lambda r: r[0].clear()),
    "slots": (lambda: Slots([1]), lambda r: r.x.append(2)),
    "deque": (lambda: collections.deque([1]), lambda r: r.append(2)),
    "Counter": (lambda: collections.Counter("ab"), lambda r: r.clear()),
    "object": (lambda: Model([1]), lambda r: r.weights.append(2)),
    "array": (lambda: np.arange(3), lambda r: put(r, 0, 7)),
    "transposed array": (lambda: np.arange(6).reshape(2, 3).T, lambda r: put(r, 0, 7)),
    "array of objects": (lambda: np.array([[1], [2, 3]], dtype=object), lambda r: r[0].append(7)),
    "records": (lambda: np.zeros(2, "i4,f8"), lambda r: put(r["f0"], 0, 7)),
    "array with attributes": (lambda: array_with([1]), lambda r: (put(r, 0, 7), r.k.append(2))),
    "masked array": (lambda: np.ma.array([1, 2], mask=[0, 1]), lambda r: put(r, 1, 7)),
    "record": (lambda: np.zeros(2, "i4,f8")[0], lambda r: put(r, "f0", 7)),
    "dict of arrays": (lambda: {"a": np.arange(3)}, lambda r: put(r["a"], 0, 7)),
    "frame": (lambda: pd.DataFrame({"a": [1, 2]}), lambda r: put(r.loc, (0, "a"), -1)),
    "frame's columns": (lambda: pd.DataFrame({"a": [1, 2]}), lambda r: put(r, "b", 1)),
    "frame's index": (lambda: pd.DataFrame({"a": [1]}), lambda r: setattr(r.index, "name", "x")),
    "frame's attrs": (lambda: pd.DataFrame({"a": [1]}), lambda r: r.attrs.update(unit="m")),
    "frame of objects": (lambda: pd.DataFrame({"a": [[1], [2]]}), lambda r: r.loc[0, "a"].append(3)),
    "frame's memory": (
        lambda: pd.DataFrame({"a": [1, 2]}),
        lambda r: put(r["a"].array, 0, 7),
    ),
    "series": (lambda: pd.Series([1, 2]), lambda r: put(r, 0, 7)),
    "series' name": (lambda: pd.Series([1, 2]), lambda r: setattr(r, "name", "x")),
    "index": (lambda: pd.Index([1, 2]), lambda r: setattr(r, "name", "x")),
}
PLACES = {
    "memory": lambda path: MEMORY,
    "dict": lambda path: {},
    "memory store": lambda path: MemoryStore(),
    "database": lambda path: SQLiteStore(path / "kept.db"),
    "cached": lambda path: cached_values(FileDirStore(path / "cached")),
}


def text_of(result):
    """Show all that a result holds."""
    if isinstance(result, pd.DataFrame | pd.Series | pd.Index):
        names = getattr(getattr(result, "index", result), "names", None)
        return f"{result!r} {getattr(result, 'attrs', None)} {names}"
    return f"{result!r} {getattr(result, '__dict__', None)}"


# A dict keeps the same objects as a store in memory, and a cache is before what the database shows.
SOME_PLACES = ["memory", "memory store", "database", *in_soak("dict", "cached")]


@pytest.fixture(params=SOME_PLACES)
def place(request, tmp_path):
    place = PLACES[request.param](tmp_path)
    yield place
    if isinstance(place, Store):
        place.close()


@pytest.mark.parametrize("what", CHANGED)
@pytest.mark.parametrize("maxsize", [None, 0], ids=["", "nothing in memory"])
def test_what_a_caller_changes_shows_in_no_later_call(what, place, maxsize):
    if place is MEMORY and maxsize == 0:
        pytest.skip("nothing is kept")
    if what == "array with attributes" and isinstance(place, Store) and not isinstance(place, MemoryStore):
        pytest.skip("pickle loses attributes of arrays")
    make, change = CHANGED[what]
    f = memoize(place, maxsize=maxsize, name="f", version=1)(lambda x: make())
    for x in range(2):
        fresh = text_of(make())
        for turn in range(4):
            result = f(x) if turn < 3 else f.peek(x)
            assert text_of(result) == fresh
            change(result)
            assert text_of(result) != fresh or "memory" in what
    assert f.cache_info().misses == 2
    if place is not MEMORY:  # another function object, as in another process
        g = memoize(place, maxsize=maxsize, name="f", version=1)(lambda x: 1 / 0)
        for x in (0, 0, 1):
            result = g(x)
            assert text_of(result) == fresh
            change(result)


SHARED = {
    "int": 5,
    "text": "a",
    "tuple": (1, ("a", None), frozenset({1.5})),
    "enum": Color.RED,
    "class": Model,
    "function": array_with,
    "sentinel": object(),
    "date": dt.date(2020, 1, 1),
    "Decimal": decimal.Decimal("0.1"),
    "path": pathlib.Path("a"),
    "pattern": re.compile("a"),
    "range": range(3),
    "numpy number": np.float32(0.1),
    "Timestamp": pd.Timestamp("2020"),
    "tuple of dates": (dt.date(2020, 1, 1),),
    "stateless object": type("Missing", (), {})(),
}


@pytest.mark.parametrize("what", SHARED)
def test_what_nobody_can_change_is_not_copied(what):
    value = SHARED[what]
    assert copier_of(value) is None
    f = memoize(lambda: value)
    assert f() is f() is value


def test_read_only_memory_is_not_copied(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert copier_of(mapped) is None
    assert copier_of(np.frombuffer(b"abc", "u1")) is None
    sealed = np.arange(3)
    sealed.setflags(write=False)
    assert copier_of(sealed) is not None  # its owner may open it again


def test_what_the_function_changes_later_shows_in_no_later_call(place):
    kept = []

    def append(x):
        kept.append(x)
        return kept

    f = memoize(place, name="append", version=1)(append)
    assert (list(f(1)), list(f(2)), f(1), f(2)) == ([1], [1, 2], [1], [1, 2])


def test_who_promises_gets_the_object_itself():
    f = memoize(copy=False)(lambda: [1])
    assert f() is f()
    f().append(2)
    assert f() == [1, 2]


class Locked:
    def __init__(self):
        self.lock = threading.Lock()


def test_what_cannot_be_copied_is_not_kept_in_memory():
    for place in (MEMORY, {}):
        f = memoize(place, name="f", version=1)(Locked)
        with pytest.warns(RuntimeWarning, match="Locked, which cannot be copied.*copy=False"):
            first = f()
        assert len({id(made) for made in (first, f(), f())}) == 3
        g = memoize(place, name="g", version=1, copy=False)(Locked)
        assert g() is g()


def generate():
    yield 1


async def wait():
    return 1


@contextlib.contextmanager
def enter():
    yield 1


USED_UP = {
    "generator": generate,
    "map": lambda: map(str, [1]),
    "file": lambda: open(os.devnull),  # noqa: SIM115
    "context manager": enter,
    "connection": lambda: sqlite3.connect(":memory:"),
    "coroutine": wait,
}


@pytest.mark.parametrize("what", USED_UP)
@pytest.mark.parametrize("place", [MEMORY, {}], ids=["memory", "dict"])
def test_what_is_used_up_is_passed_on_and_not_kept(what, place):
    def f():  # a function that is a generator itself is refused
        return USED_UP[what]()

    f = memoize(place, name=what, version=1)(f)
    with pytest.warns(RuntimeWarning, match="and is not kept"):
        results = [f()]
    results += [f(), f()]
    assert f.cache_info()[:2] == (0, 3)
    assert len(set(map(id, results))) == 3
    for result in results:
        if hasattr(result, "close"):
            result.close()


def test_what_is_used_up_is_computed_by_each_who_waits():
    started, go_on = threading.Event(), threading.Event()

    @memoize
    def f():
        started.set()
        go_on.wait(10)
        return iter([1, 2])

    results = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=lambda: results.append(list(f()))) for _ in range(3)]
        threads[0].start()
        assert started.wait(10)
        for thread in threads[1:]:
            thread.start()
        while len(_waiting()) < 2:
            pass
        go_on.set()
        for thread in threads:
            thread.join()
    assert results == [[1, 2]] * 3


@pytest.mark.parametrize("keep", [True, False])
def test_those_who_waited_get_copies_of_their_own(keep):
    started, go_on = threading.Event(), threading.Event()

    @memoize(cache_if=lambda value: keep)
    def f():
        started.set()
        go_on.wait(10)
        return [1]

    results = []

    def call():
        results.append(f())
        results[-1].append(2)

    threads = [threading.Thread(target=call)]
    threads[0].start()
    assert started.wait(10)
    threads += [threading.Thread(target=call) for _ in range(3)]
    for thread in threads[1:]:
        thread.start()
    while len(_waiting()) < 3:
        pass
    go_on.set()
    for thread in threads:
        thread.join()
    assert results == [[1, 2]] * 4
    assert f.cache_info().misses == 1


def _waiting():
    from holdall.memo import _flight

    return dict(_flight._waiting)


def test_tasks_get_copies_of_their_own():
    @memoize
    async def f():
        await asyncio.sleep(0)
        return {"a": [1]}

    async def main():
        results = await asyncio.gather(f(), f(), f())
        for result in [*results, await f()]:
            assert result == {"a": [1]}
            result["a"].append(2)
        return await f()

    assert asyncio.run(main()) == {"a": [1]}
