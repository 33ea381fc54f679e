"""Every store serves as the cache of `cachetools.cached`."""

import pytest

from holdall import AnyKeys, Digest, FileDirStore, MemoryStore, NullStore, PathKeys, Store
from holdall.wrappers import cached_keys, cached_values, expiring, overlay, write_back

cachetools = pytest.importorskip("cachetools")
HOUR = 3600


def folder(place, **options):
    return FileDirStore(place, keys=AnyKeys() | PathKeys(suffix=".pkl"), **options)


STORES = {
    "memory": lambda place: MemoryStore(),
    "pickles in memory": lambda place: MemoryStore(serializer="pickle"),
    "a foreign mapping": lambda place: Store(cachetools.LRUCache(100)),
    "folder": folder,
    "folder of json": lambda place: folder(place, serializer="json"),
    "a part of a folder": lambda place: folder(place).get_subdict(("part",)),
    "cached_keys": lambda place: cached_keys(folder(place)),
    "cached_values": lambda place: cached_values(folder(place)),
    "write_back": lambda place: write_back(folder(place)),
    "expiring": lambda place: expiring(folder(place), ttl=HOUR),
    "overlay": lambda place: overlay(MemoryStore(), folder(place), write="all"),
}


def calls_of(store, **options):
    calls = []

    @cachetools.cached(store, **options)
    def hello(*names, sep=" "):
        calls.append(names)
        return sep.join(["hello", *map(str, names)])

    return hello, calls


@pytest.mark.parametrize("name", STORES)
def test_a_store_is_a_cache(name, tmp_path):
    store = STORES[name](tmp_path)
    hello, calls = calls_of(store)
    for _ in range(3):
        assert hello("QT") == "hello QT"
        assert hello("a", 1) == "hello a 1"
        assert hello("a/b", "..") == "hello a/b .."
        if name != "a part of a folder":  # the empty tuple is below no prefix
            assert hello() == "hello"
    assert len(calls) == len(store) == (3 if name == "a part of a folder" else 4)
    assert ("QT",) in store
    store.clear()
    assert hello("QT") == "hello QT"
    assert calls[-1] == ("QT",)


def test_results_are_kept_between_runs(tmp_path):
    assert calls_of(folder(tmp_path))[0]("QT") == "hello QT"
    hello, calls = calls_of(folder(tmp_path))
    assert hello("QT") == "hello QT"
    assert calls == []


def test_keyword_arguments_want_a_key_that_has_a_name(tmp_path):
    def key(*args, **named):
        return args, tuple(sorted(named.items()))

    hello, calls = calls_of(folder(tmp_path), key=key)
    assert [hello("a", sep="-"), hello("a", sep="-"), hello("a")] == ["hello-a", "hello-a", "hello a"]
    assert len(calls) == 2
    digests = FileDirStore(tmp_path / "digests", keys=Digest() | PathKeys(suffix=".pkl"))
    hello, calls = calls_of(digests, key=lambda *args, **named: repr((args, sorted(named.items()))))
    assert [hello("a", sep="-"), hello("a", sep="-")] == ["hello-a", "hello-a"]
    assert len(calls) == 1


def test_the_null_store_switches_a_cache_off():
    hello, calls = calls_of(NullStore())
    assert [hello("a"), hello("a")] == ["hello a"] * 2
    assert len(calls) == 2
