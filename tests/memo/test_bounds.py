"""How much is kept on disk, and what is deleted of it."""

import os

import pytest

from holdall import InvalidArgumentError, MemoryStore, SQLiteStore, UnsupportedError, memoize
from holdall.memo import MEMORY
from processes._support import collect, fork


def same(x):
    return x


@pytest.mark.parametrize("name", ["kept.db", "kept"])
@pytest.mark.parametrize("policy", ["lru", "sieve", "lfu", "gdsf"])
def test_the_number_of_results_on_disk_is_bounded(name, policy, tmp_path):
    f = memoize(tmp_path / name, max_items=3, policy=policy)(same)
    g = memoize(tmp_path / name, max_items=3, policy=policy)(str)
    for x in range(5):
        assert (f(x), g(x)) == (x, str(x))
    assert len(f.entries) + len(g.entries) <= 3
    f.store.close()


@pytest.mark.parametrize("name", ["kept.db", "kept"])
def test_bounds_are_exact_among_processes(name, tmp_path):
    def fill(number):
        f = memoize(tmp_path / name, max_items=5, name="same", version=1)(same)
        for x in range(20):
            f(100 * number + x)
        return True

    assert collect([fork(fill, number) for number in range(3)], 60) == [(True, True)] * 3
    f = memoize(tmp_path / name, max_items=5, name="same", version=1)(same)
    assert 0 < len(f.entries) <= 5
    f.store.close()


def test_bounds_are_of_paths():
    for place in (MEMORY, {}, MemoryStore()):
        with pytest.raises(InvalidArgumentError, match="bounded"):
            memoize(place, max_items=3)
    for wrong in ({"max_items": 0}, {"policy": "newest"}):
        with pytest.raises(InvalidArgumentError):
            memoize("x.db", **wrong)


@pytest.mark.parametrize("name", ["kept.db", "kept"])
def test_results_are_purged_by_age_number_and_size(name, tmp_path):
    f = memoize(tmp_path / name, version=1)(bytes)
    for x in range(6):
        f(1000 + x)
    assert f.purge() == 0
    assert f.purge(older_than=3600) == 0
    assert (f.purge(max_items=4), f.purge(max_bytes="3.5KB"), len(f.entries)) == (2, 1, 3)
    assert f.cache_info().currsize == 3
    kept = {len(value) for value in f.entries.values()}
    assert len(kept) == 3
    assert f.purge(older_than=0) == 3
    assert len(f.entries) == 0
    f.store.close()


def test_the_oldest_are_purged(tmp_path):
    f = memoize(tmp_path / "kept", version=1)(same)
    for x in range(4):
        f(x)
        [path] = (tmp_path / "kept").rglob(f"{f.cache_key(x)}*")
        os.utime(path, (1e9 + x, 1e9 + x))
    assert f.purge(max_items=1) == 3
    assert list(f.entries.values()) == [3]
    f.store.close()


def test_purging_touches_no_other_function_or_version(tmp_path):
    with SQLiteStore(tmp_path / "kept.db") as cache:
        functions = [memoize(cache, name=name, version=v)(same) for name in "fg" for v in (1, 2)]
        for f in functions:
            f(1)
        assert functions[0].purge(older_than=0) == 1
        assert [len(f.entries) for f in functions] == [0, 1, 1, 1]
    assert memoize(same).purge(older_than=0) == 0


def test_what_keeps_no_sizes_cannot_be_purged_by_size():
    f = memoize(MemoryStore())(same)
    f(1)
    with pytest.raises(UnsupportedError, match="sizes"):
        f.purge(max_bytes=1)
