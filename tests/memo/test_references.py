"""References to results, and whether a result is asked about before it is given."""

import asyncio
import pickle
import types

import numpy as np
import pytest

from holdall import FileDirStore, InvalidArgumentError, MemoryStore, StoreUnavailableError, memoize
from holdall.memo import MEMORY, Hit, Reference
from processes._support import collect, fork


def double(x, y=0):
    return [2 * x, y]


@pytest.mark.parametrize("name", ["kept.db", "kept"])
def test_a_reference_loads_the_result_in_another_process(name, tmp_path):
    f = memoize(tmp_path / name)(double)
    reference = f.shelve(1)
    assert isinstance(reference, Reference)
    assert (reference.get(), f.cache_info().misses) == ([2, 0], 1)
    data = pickle.dumps(reference)
    assert len(data) < 2000
    assert collect([fork(lambda: pickle.loads(data).get())], 20) == [(True, [2, 0])]
    assert f.shelve(1, y=0) == reference != f.shelve(2)
    assert len({reference, f.shelve(1), f.shelve(2)}) == 2
    f.forget(1)
    with pytest.raises(KeyError, match="no longer"):
        reference.get()
    f.store.close()


def test_a_known_result_is_not_loaded_for_its_reference(tmp_path):
    class Counting(FileDirStore):
        loads = 0

        def __getitem__(self, key):
            Counting.loads += 1
            return super().__getitem__(key)

    with Counting(tmp_path / "kept") as store:
        memoize(store, name="f", version=1)(double)(1)
        Counting.loads = 0
        reference = memoize(store, name="f", version=1)(double).shelve(1)
        assert Counting.loads == 0
        assert reference.get() == [2, 0]


def test_an_array_is_mapped_where_the_store_maps(tmp_path):
    with FileDirStore(tmp_path / "kept", serializer="npy", mmap_mode="r") as store:
        f = memoize(store)(np.arange)
        mapped = f.shelve(1000).get()
        assert type(mapped) is np.memmap
        assert mapped.tolist() == list(range(1000))
        again = memoize(store)(np.arange)
        assert type(again(1000)) is np.memmap
        assert again(1000) is again(1000)


def test_references_need_a_store_that_has_the_result(tmp_path):
    with pytest.raises(InvalidArgumentError, match="memory"):
        memoize(double).shelve(1)
    f = memoize(tmp_path / "kept.db", cache_if=lambda result: False)(double)
    with pytest.raises(StoreUnavailableError, match="not in the store"):
        f.shelve(1)
    f.store.close()


def test_coroutine_functions_and_methods_give_references(tmp_path):
    class Model:
        @memoize(tmp_path / "kept.db", ignore="self")
        async def run(self, x):
            return x

    async def main():
        reference = await Model().run.shelve(1)
        return reference.get(), await Model().run.shelve(1) == reference

    assert asyncio.run(main()) == (1, True)
    Model.run.store.close()


def test_whether_a_result_is_known_can_be_asked(tmp_path):
    for place in (MEMORY, {}, tmp_path / "kept.db"):
        f = memoize(place)(double)
        assert not f.cached(1)
        f(1)
        assert f.cached(1)
        assert f.cached(x=1, y=0)
        assert not f.cached(2)
        assert f.cache_info()[:2] == (0, 1)
        again = memoize(place)(double)
        assert again.cached(1) == (place is not MEMORY)
        if place is not MEMORY:
            f.store.close()


# ---------------------------------------------------------------------- validation


@pytest.mark.parametrize("name", [None, "kept.db", "kept"])
def test_a_result_is_given_if_the_callback_says_so(name, tmp_path):
    asked = []
    answer = types.SimpleNamespace(valid=True)

    def valid(hit):
        asked.append(hit)
        return answer.valid

    place = MEMORY if name is None else tmp_path / name
    f = memoize(place, valid=valid, version="v1", name="double")(double)
    assert (f(1), asked) == ([2, 0], [])
    assert f(1) == f(x=1) == [2, 0]
    assert [hit.arguments for hit in asked] == [{"x": 1, "y": 0}] * 2
    assert all(isinstance(hit, Hit) and 0 <= hit.age < 60 and hit.version == "v1" for hit in asked)
    assert all(0 <= hit.seconds < 60 for hit in asked)
    answer.valid = False
    assert f(1) == [2, 0]
    assert f.cache_info()[:2] == (2, 2)
    assert not f.cached(1)
    with pytest.raises(KeyError):
        f.peek(1)
    if place is not MEMORY:
        answer.valid = True
        again = memoize(place, valid=valid, version="v1", name="double")(double)
        assert again(1) == [2, 0]
        assert again.cache_info().store_hits == 1
        assert 0 <= asked[-1].seconds < 60  # the store tells
        f.store.close()


def test_a_callback_is_told_what_key_gave():
    with pytest.raises(InvalidArgumentError, match="valid="):
        memoize(valid=1)
    f = memoize(
        MemoryStore(), valid=lambda hit: hit.arguments["key"] == 0 and hit.age < 60, key=lambda x: x % 2
    )(abs)
    assert (f(2), f(4), f.cache_info().misses) == (2, 2, 1)
