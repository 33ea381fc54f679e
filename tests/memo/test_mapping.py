"""Results that are arrays, or hold some, are mapped from their files, in whatever place these are."""

import asyncio
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from holdall import FileDirStore, InvalidArgumentError, MemoryStore, SQLiteStore, memoize
from holdall.memo._pickles import ResultPickles
from holdall.serializers import PickleSerializer
from processes._support import collect, fork

MANY = 20_000  # numbers: enough to be worth a map
PLACES = {
    "folder": lambda path: path / "kept",
    "database": lambda path: path / "kept.db",
    "npy": lambda path: FileDirStore(path / "kept", serializer="npy"),
    "tiers": lambda path: SQLiteStore(path / "kept.db", files_from=10_000),
}


def numbers(n):
    return np.arange(n)


def tables(n):
    return {"a": np.arange(n), "b": np.ones((n, 2), "f4"), "n": n}


@pytest.mark.parametrize("mode", ["r", "c"])
@pytest.mark.parametrize("name", PLACES)
def test_arrays_are_mapped_from_the_first_call_on(name, mode, tmp_path):
    f = memoize(PLACES[name](tmp_path), mmap_mode=mode, version=1)(numbers)
    reference = pickle.loads(pickle.dumps(f.shelve(MANY)))
    given = [f(MANY), f(MANY), f.peek(MANY), f.refresh(MANY), reference.get()]
    given.append(memoize(f.store, mmap_mode=mode, version=1)(numbers)(MANY))
    for array in given:
        assert type(array) is np.memmap
        assert (array.flags.writeable, array.flags.aligned) == (mode == "c", True)
        assert np.array_equal(array, np.arange(MANY))
    assert f.cache_info()[:2] == (2, 2)
    assert (f(MANY) is f(MANY)) == (mode == "r")
    if mode == "c":
        f(MANY)[0] = 7  # a caller's change stays with the caller
        assert f(MANY)[0] == 0
    f.store.close()


def test_threads_that_wait_get_maps_of_their_own(tmp_path):
    together, calls = threading.Barrier(4), []

    @memoize(tmp_path / "kept", mmap_mode="c")
    def slow(n):
        calls.append(n)
        return np.arange(n)

    def change(number):
        together.wait()
        array = slow(MANY)
        array += number
        return int(array[0]), type(array)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(change, range(4))) == [(number, np.memmap) for number in range(4)]
    assert calls == [MANY]
    slow.store.close()


def test_coroutine_functions_map_too(tmp_path):
    @memoize(tmp_path / "kept", mmap_mode="r")
    async def later(n):
        return np.arange(n)

    async def main():
        return [type(await later(MANY)) for _ in range(2)], type((await later.shelve(MANY)).get())

    assert asyncio.run(main()) == ([np.memmap] * 2, np.memmap)
    later.store.close()


@pytest.mark.parametrize("name", ["folder", "database", "tiers"])
def test_arrays_of_a_dict_are_mapped(name, tmp_path):
    f = memoize(PLACES[name](tmp_path), mmap_mode="r", ttl=1000)(tables)
    for given in (f(MANY), f(MANY), f.shelve(MANY).get()):
        assert [type(part) for part in given.values()] == [np.memmap, np.memmap, int]
        assert not given["a"].flags.writeable
        assert np.array_equal(given["b"], np.ones((MANY, 2)))
    given.clear()
    assert f(MANY)["n"] == MANY
    assert collect([fork(lambda: type(f.shelve(MANY).get()["a"]).__name__)], 20) == [(True, "memmap")]
    f.store.close()


VALUES = {
    "C order": np.arange(40_000.0).reshape(200, 200),
    "F order": np.asfortranarray(np.arange(40_000.0).reshape(200, 200)),
    "read-only": np.frombuffer(bytes(100_000), "u1"),
    "records": np.zeros(MANY, [("a", "i4"), ("b", "f8")]),
    "every second": np.arange(2 * MANY)[::2],
    "times": np.arange(MANY).astype("M8[s]"),
    "objects": np.array([None] * MANY),
    "small": np.arange(3),
    "list": [np.zeros(MANY), [np.ones(MANY)], "text"],
    "tuple": (b"x" * 70_001, np.ones(70_001, "u1"), bytearray(70_003), np.ones(70_007, "u1")),
    "frame": pd.DataFrame(np.arange(2.0 * MANY).reshape(-1, 2), columns=["a", "b"]),
    "text": "x" * 100_000,
}


def same(one, other):
    if isinstance(one, pd.DataFrame):
        return one.equals(other)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize("kind", VALUES)
def test_all_results_are_plain_pickles(kind, tmp_path):
    value = VALUES[kind]
    with FileDirStore(tmp_path / "kept") as store:
        f = memoize(store, mmap_mode="r", name="f", version=1)(lambda: value)
        assert same(value, f())
        (file,) = store
        data = Path(store.file_of(file)).read_bytes()
        assert same(value, pickle.loads(data))
        assert same(value, PickleSerializer().loads(data))
        assert same(value, store[file])
        assert same(value, memoize(store, name="f", version=1)(lambda: None)())  # without maps, too


def test_large_buffers_lie_where_arrays_may(tmp_path):
    for size in range(70_000, 70_070):
        pieces = ResultPickles("r").parts([bytes(size % 64), np.ones(size, "u1")])
        start = next(i for i, piece in enumerate(pieces) if len(piece) == size)
        assert sum(map(len, pieces[:start])) % 64 == 0
        assert same([bytes(size % 64), np.ones(size, "u1")], pickle.loads(b"".join(map(bytes, pieces))))


def test_what_was_cut_off_is_computed_again(tmp_path):
    f = memoize(tmp_path / "kept", mmap_mode="r", maxsize=0)(numbers)
    f(MANY)
    (key,) = f.store
    os.truncate(f.store.file_of(key), 100_000)
    with pytest.warns(RuntimeWarning, match="look up"):
        assert f(MANY)[-1] == MANY - 1
    assert f(MANY)[-1] == MANY - 1
    assert f.cache_info()[:2] == (1, 2)
    f.store.close()


def test_a_result_that_is_not_kept_is_given_all_the_same(tmp_path):
    f = memoize(tmp_path / "kept", mmap_mode="r", cache_if=lambda result: len(result) > 10)(numbers)
    assert f(3).tolist() == [0, 1, 2]
    assert type(f(MANY)) is np.memmap
    f.store.close()
    g = memoize(FileDirStore(tmp_path / "npy", serializer="npy"), mmap_mode="r")(lambda: "no array")
    with pytest.warns(RuntimeWarning, match="cannot write"):
        assert g() == "no array"
    assert (g(), g.cache_info().misses) == ("no array", 1)
    g.store.close()


def test_without_a_file_a_result_is_kept_in_memory(tmp_path):
    FileDirStore(tmp_path / "kept")["other"] = 1
    f = memoize(FileDirStore(tmp_path / "kept", read_only=True), mmap_mode="r")(numbers)
    with pytest.warns(RuntimeWarning, match="cannot write"):
        f(MANY)[0] = 7
    assert (f(MANY)[0], f.cache_info()[:2]) == (0, (1, 1))


def test_places_without_arrays_in_files_are_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match="give a place"):
        memoize(mmap_mode="r")(numbers)
    with pytest.raises(InvalidArgumentError, match="bypass"):
        memoize(tmp_path, mmap_mode="r+")
    with pytest.raises(InvalidArgumentError, match="serializer='json'"):
        memoize(FileDirStore(serializer="json"), mmap_mode="r")(numbers)(1)
    with pytest.raises(InvalidArgumentError, match="serializer=None"):
        memoize(MemoryStore(), mmap_mode="r")(numbers)(1)
    assert memoize(None, mmap_mode="r")(numbers)(2).tolist() == [0, 1]
