"""Every store serves as the cache of `cachetools.cached`."""

import pytest

from holdall import (
    FileDirStore,
    InvalidKeyError,
    MemoryStore,
    MultiFormatStore,
    NullStore,
    ScriptStore,
    SQLiteStore,
    Store,
    ZipStore,
)
from holdall.abc import NOT_MINE
from holdall.keys import AnyKeys, Digest, PathKeys
from holdall.wrappers import (
    append_only,
    cached_keys,
    cached_values,
    compose,
    expiring,
    filt_iter,
    overlay,
    wrap_kvs,
    write_back,
    write_once,
)

cachetools = pytest.importorskip("cachetools")
HOUR = 3600


def folder(place, **options):
    return FileDirStore(place, keys=AnyKeys() | PathKeys(suffix=".pkl"), **options)


def script(path):
    path.write_text("print('hello')\n")
    return ScriptStore(path)


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
    "sqlite": lambda place: SQLiteStore(place / "cache.db"),
    "sqlite of json": lambda place: SQLiteStore(place / "cache.db", serializer="json"),
    "sqlite in memory of its own": lambda place: SQLiteStore(),
    "a part of sqlite": lambda place: SQLiteStore(place / "cache.db").get_subdict(("part",)),
    "sqlite, wrapped": lambda place: expiring(cached_keys(SQLiteStore(place / "cache.db")), ttl=HOUR),
    "script": lambda place: script(place / "program.py"),
    "zip": lambda place: ZipStore(place / "a.zip", serializer="json", keys=AnyKeys() | PathKeys()),
    "a format of several": lambda place: MultiFormatStore(place, "json", keys=AnyKeys() | PathKeys()).json,
    "a dict, wrapped": lambda place: compose(filt_iter(filt=lambda key: True), wrap_kvs(data_of_obj=str))({}),
}
PARTS = ("a part of a folder", "a part of sqlite")  # the empty tuple is below no prefix


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
        if name not in PARTS:
            assert hello() == "hello"
    assert len(calls) == len(store) == (3 if name in PARTS else 4)
    assert ("QT",) in store
    store.clear()
    assert hello("QT") == "hello QT"
    assert calls[-1] == ("QT",)
    store.close()


@pytest.mark.parametrize("name", [name for name in STORES if name not in PARTS])
def test_a_store_is_a_cache_of_keyword_arguments_and_types(name, tmp_path):
    store = STORES[name](tmp_path)
    hello, calls = calls_of(store)
    for _ in range(2):
        assert [hello("a", sep="-"), hello("a", 1, sep="-"), hello("a")] == [
            "hello-a",
            "hello-a-1",
            "hello a",
        ]
    assert len(calls) == len(store) == len(list(store)) == 3
    store.clear()
    typed, calls = calls_of(store, key=cachetools.keys.typedkey)
    for _ in range(2):
        assert [typed(1), typed(1.0), typed(True), typed("1", sep="-")] == [
            *("hello 1", "hello 1.0", "hello True", "hello-1")
        ]
    assert len(calls) == len(store) == 4
    store.close()


def test_a_store_is_a_cache_for_guards_of_its_items(tmp_path):
    for store in (append_only({}), write_once(SQLiteStore())):
        hello, calls = calls_of(store)
        assert [hello("a"), hello("a"), hello("a", sep="-")] == ["hello a", "hello a", "hello-a"]
        assert len(calls) == 2
        store.close()


def test_the_other_options_of_cachetools(tmp_path):
    import threading

    with SQLiteStore(tmp_path / "cache.db") as store:
        for options in (
            {"info": True},
            {"lock": threading.RLock()},
            {"info": True, "lock": threading.RLock()},
        ):
            hello, calls = calls_of(store, **options)
            assert [hello("a", sep="-"), hello("a", sep="-")] == ["hello-a", "hello-a"]
            assert len(calls) == 1
            if "info" in options:
                assert hello.cache_info()[:2] == (1, 1)  # a hit, a miss
            hello.cache_clear()
            assert not store

    class Greeter:
        def __init__(self, store):
            self.store = store
            self.calls = 0

        @cachetools.cachedmethod(lambda self: self.store)
        def hello(self, name, sep=" "):
            self.calls += 1
            return f"hello{sep}{name}"

    with SQLiteStore() as store:
        greeter = Greeter(store)
        assert [greeter.hello("a", sep="-") for _ in range(3)] == ["hello-a"] * 3
        assert [greeter.hello("a") for _ in range(3)] == ["hello a"] * 3
        assert greeter.calls == 2


def test_keys_with_keyword_arguments_are_listed(tmp_path):
    keys = [cachetools.keys.hashkey("a", sep="-"), cachetools.keys.typedkey(1, 1.5, x=b"y")]
    with SQLiteStore(tmp_path / "cache.db", serializer="json") as store:
        store.update(dict.fromkeys(keys, 1))
        assert set(store) == set(keys)
    with SQLiteStore(tmp_path / "cache.db") as store:
        assert set(store) == set(keys)


class HashedTuple(tuple):  # noqa: SLOT001  (it has attributes)
    """A key that remembers its hash, as those of many caches."""

    def __hash__(self):
        if not hasattr(self, "_hash"):
            self._hash = tuple.__hash__(self)
        return self._hash


def test_tuples_that_remember_their_hash_are_tuples(tmp_path):
    key = HashedTuple(("a", 1, HashedTuple((2,))))
    codec = AnyKeys()
    assert codec.encode(key) == codec.encode(("a", 1, (2,)))
    assert codec.decode(codec.encode(key)) == key
    assert hash(codec.decode(codec.encode(key))) == hash(key)
    with SQLiteStore(tmp_path / "cache.db", serializer="json") as store:
        hello, calls = calls_of(store, key=lambda *args: HashedTuple(args))
        assert [hello("a", 1), hello("a", 1), hello("a", True)] == ["hello a 1", "hello a 1", "hello a True"]
        assert len(calls) == 2
        assert list(store) == [("a", 1), ("a", True)]
        assert type(next(iter(store))) is tuple


def test_a_class_of_the_name_of_another_is_no_key():
    fake = type("_HashedTuple", (tuple,), {"__module__": "cachetools.keys"})
    for key in (fake, ("a", fake), object, ("a", list)):
        with pytest.raises(InvalidKeyError, match="no name for type"):
            AnyKeys().encode(key)
    assert AnyKeys().decode("!type('cachetools.keys.hashkey')") is NOT_MINE
    assert AnyKeys().decode("!type('os.system')") is NOT_MINE


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
