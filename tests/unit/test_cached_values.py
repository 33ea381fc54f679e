"""Cached values are those of the source: after own writes, after failures, and between runs."""

import contextlib
import functools
import json
import os
import pickle
import threading
import time
import types

import pytest

from holdall import (
    DELETE_CURRENT,
    ITEM_NOT_AVAILABLE,
    KEEP_CURRENT,
    FileDirStore,
    InvalidArgumentError,
    MemoryStore,
    Persister,
    Reader,
    ReadOnlyError,
    Store,
    StoreFullError,
    UnsupportedError,
)
from holdall.conditional import ALWAYS_RETRIEVE, ANY_ETAG, ETAG_IS_THE_SAME
from holdall.keys import AnyKeys, PathKeys
from holdall.testing._races import in_threads
from holdall.wrappers import cached_values, read_only, wrap_kvs


class Source(dict):
    """Counts what is read from it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.read = []

    def __getitem__(self, key):
        value = super().__getitem__(key)
        self.read.append(key)
        return value


@cached_values(cache=dict)
class Remembering(FileDirStore):
    """A folder that remembers what it has read."""


def test_a_value_is_fetched_once_and_kept_under_its_key(tmp_path):
    source = Source({"https://example.org/a": {"title": "A"}})
    pages = FileDirStore(tmp_path / "pages", serializer="json")
    store = cached_values(source, cache=pages)
    for _ in range(3):
        assert store["https://example.org/a"] == {"title": "A"}
        assert list(store.items()) == [("https://example.org/a", {"title": "A"})]
    assert source.read == ["https://example.org/a"]
    assert dict(pages) == {"https://example.org/a": {"title": "A"}}
    with open(pages.file_of("https://example.org/a")) as file:
        assert json.load(file) == {"title": "A"}
    assert "absent" not in store
    assert store.get("absent", 7) == 7
    assert list(pages) == ["https://example.org/a"]


def test_what_is_kept_serves_the_next_run(tmp_path):
    for run in range(2):
        source = Source(a="text")
        store = cached_values(source, cache=FileDirStore(tmp_path, serializer="text"))
        assert store["a"] == "text"
        assert len(source.read) == (run == 0)


def test_a_source_needs_no_more_than_to_be_read():
    class Web(Reader):
        def __getitem__(self, id):
            return f"<{id}>"

        def __iter__(self):
            raise UnsupportedError("the web cannot be listed")

    kept = {}
    web = cached_values(Store(Web()), cache=kept)
    assert web["a"] == "<a>"
    assert kept == {"a": "<a>"}
    with pytest.raises(UnsupportedError, match="cannot be listed"):
        list(web)
    with pytest.raises(UnsupportedError, match="only be read"):
        web["a"] = "x"
    assert cached_values(types.MappingProxyType({"a": 1}))["a"] == 1


CHANGES = {
    "[]": lambda s: s.__setitem__("a", "new"),
    "update": lambda s: s.update({"a": "new"}),
    "update with pairs": lambda s: s.update([("a", "new")]),
    "|=": lambda s: s.__ior__({"a": "new"}),
    "set_item_if": lambda s: s.set_item_if(
        "a", value="new", condition=ETAG_IS_THE_SAME, expected_etag=s.etag("a")
    ),
    "transform_item": lambda s: s.transform_item("a", transformer=lambda _: "new"),
    "del, setdefault": lambda s: s.__delitem__("a") or s.setdefault("a", "new"),
    "pop, setdefault_if": lambda s: (
        s.pop("a")
        and s.setdefault_if("a", default_value="new", condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE)
    ),
    "a view": lambda s: s.get_subdict("b").__setitem__("c", "new"),
}
DELETIONS = {
    "del": lambda s: s.__delitem__("a"),
    "pop": lambda s: s.pop("a"),
    "popitem": lambda s: s.popitem(),
    "discard": lambda s: s.discard("a"),
    "a joker": lambda s: s.__setitem__("a", DELETE_CURRENT),
    "clear": lambda s: s.clear(),
    "discard_if": lambda s: s.discard_if("a", condition=ANY_ETAG, expected_etag=s.etag("a")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_own_write_is_read(change):
    source, cache = {"a": "old", "b/c": "old"}, {}
    store = cached_values(source, cache=cache)
    assert (store["a"], store["b/c"]) == ("old", "old")
    CHANGES[change](store)
    assert {store["a"], store["b/c"]} == ({"old", "new"} if change == "a view" else {"new", "old"})
    assert dict(store.items()) == source
    assert cache == source


@pytest.mark.parametrize("delete", DELETIONS)
def test_every_own_deletion_is_seen(delete):
    source, cache = {"a": "old"}, {}
    store = cached_values(source, cache=cache)
    assert store["a"] == "old"
    DELETIONS[delete](store)
    assert source == cache == {}
    assert store.get("a") is None
    with pytest.raises(KeyError):
        store["a"]


@pytest.mark.parametrize("options", [{}, {"validate": "etag"}, {"max_age": 60}], ids=str)
@pytest.mark.parametrize(
    "verb",
    [
        lambda s: s.pop("a", None),
        lambda s: s.discard("a"),
        lambda s: s.discard_if("a", condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE),
        lambda s: s.set_item_if(
            "a", value=DELETE_CURRENT, condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE
        ),
        lambda s: s.transform_item("a", transformer=lambda _: DELETE_CURRENT),
        lambda s: s.transform_item("a", transformer=lambda _: KEEP_CURRENT),
        lambda s: s.get_item_if("a", condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE),
        lambda s: s.etag("a"),
        lambda s: s.timestamp("a"),
        lambda s: s.__delitem__("a"),
    ],
)
def test_what_the_source_lost_is_dropped_by_every_verb_that_learns_of_it(verb, options):
    source, cache = {"a": 1}, {}
    store = cached_values(source, cache=cache, **options)
    assert store["a"] == 1
    del source["a"]
    with contextlib.suppress(KeyError):
        verb(store)
    assert cache == {}
    assert store.get("a", 7) == 7


@pytest.mark.parametrize("options", [{"validate": "etag"}, {"max_age": 60}], ids=str)
def test_what_the_source_lost_is_dropped_when_it_is_fetched_in_vain(options, monkeypatch):
    source, cache = {"a": 1}, {}
    store = cached_values(source, cache=cache, **options)
    assert store["a"] == 1
    del source["a"]
    fake = types.SimpleNamespace(time=lambda: time.time() + 61)
    monkeypatch.setattr("holdall.wrappers._value_cache.time", fake)
    assert store.get("a", 7) == 7
    assert cache == {}


def _read_only(source):
    return read_only(source)


@pytest.mark.parametrize("fill", ["reads", "all"])
@pytest.mark.parametrize("lock", [_read_only, types.MappingProxyType])
def test_a_refused_write_leaves_the_cache_as_it_is(lock, fill):
    source = {"a": 1, "b": 2}
    cache = {}
    store = cached_values(lock(source), cache=cache, fill=fill)
    assert dict(store.items()) == source
    for change in (
        *(change for name, change in CHANGES.items() if name != "a view"),
        *DELETIONS.values(),
        lambda s: s.increment("a"),
    ):
        with pytest.raises((ReadOnlyError, UnsupportedError)):
            change(store)
        assert cache == source == {"a": 1, "b": 2}


@pytest.mark.parametrize("options", [{}, {"validate": "etag"}, {"max_age": 60}], ids=str)
def test_own_writes_and_conditional_reads_fill_the_cache_if_asked(options):
    source = Source(a="old", b="other")
    cache = {}
    store = cached_values(source, cache=cache, fill="all", **options)
    assert (
        store.get_item_if(
            "b", condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE, retrieve_value=ALWAYS_RETRIEVE
        ).new_value
        == "other"
    )
    assert cache == {"b": "other"}
    for value, write in (
        ("1", lambda: store.__setitem__("a", "1")),
        ("2", lambda: store.transform_item("a", transformer=lambda _: "2")),
        ("3", lambda: store.set_item_if("a", value="3", condition=ANY_ETAG, expected_etag=store.etag("a"))),
        ("4", lambda: store.pop("a") and store.setdefault("a", "4")),
    ):
        write()
        assert cache["a"] == source["a"] == value
        reads = len(source.read)
        if "validate" not in options:
            assert store["a"] == value
            assert len(source.read) == reads, "what was written was fetched"
    store.update(a="5")
    assert (store["a"], cache["a"]) == ("5", "5")
    del store["a"]
    assert cache == {"b": "other"}


def test_a_write_that_failed_or_met_another_is_not_kept():
    class Meeting(dict):
        def __setitem__(self, key, value):
            super().__setitem__(key, value)
            if value == "mine":  # another thread writes before this write has come back
                in_threads(1, lambda _: store.__setitem__("a", "theirs"))
                super().__setitem__(key, value)
            if value == "failed":
                raise ConnectionError("was it written?")

    class Place(Persister):
        def __init__(self):
            self.inner = Meeting()

        def __getitem__(self, id):
            return self.inner[id]

        def put(self, id, data):
            self.inner[id] = data

        __setitem__ = put

        def __delitem__(self, id):
            del self.inner[id]

        def __iter__(self):
            return iter(self.inner)

    cache = {}
    store = cached_values(Store(Place()), cache=cache, fill="all")
    store["a"] = "mine"
    assert cache == {}
    assert store["a"] == "mine"
    with pytest.raises(ConnectionError):
        store["a"] = "failed"
    assert cache == {}
    assert store["a"] == "failed"


@pytest.mark.parametrize("change", [*CHANGES])
def test_a_read_during_an_own_write_does_not_replace_what_was_written(change):
    if change == "a view":
        return
    source = Slow()
    store = cached_values(source, fill="all")
    reader = threading.Thread(target=store.get, args=("a",))
    reader.start()
    assert source.asked.wait(20)
    CHANGES[change](store)
    source.go.set()
    reader.join(20)
    assert store["a"] == "new"


def test_functions_of_values_that_go_one_way_are_applied_once():
    class Hello(Store):
        def _obj_of_data(self, data):
            return f"hello {data}"

    store = cached_values(Hello({}), cache=(cache := {}))
    store["a"] = "Ann"
    assert [store["a"], store["a"]] == ["hello Ann"] * 2
    assert cache == {"a": "hello Ann"}


def test_keys_that_are_equal_but_not_the_same_stay_apart(tmp_path):
    for options in ({}, {"max_age": 60}, {"validate": "etag"}):
        source = FileDirStore(tmp_path / str(options), keys=AnyKeys() | PathKeys(suffix=".pkl"))
        source.update([(1, "int"), (True, "bool"), (1.0, "float"), ("1", "str")])
        store = cached_values(source, cache=dict, **options)
        for _ in range(2):
            for key in (1, True, 1.0, "1"):
                assert store[key] == source[key]
        del store[True]
        assert store[1] == "int"


def test_instances_of_a_wrapped_class_have_a_cache_each(tmp_path):
    first, second = Remembering(tmp_path / "1"), Remembering(tmp_path / "2")
    first["a"], second["a"] = 1, 2
    assert (first["a"], second["a"], first["a"]) == (1, 2, 1)
    again = pickle.loads(pickle.dumps(first))
    assert type(again) is Remembering
    again["a"] = 3
    assert again["a"] == 3


# ---------------------------------------------------------------------- stale values


def test_what_others_write_is_seen_at_once_if_the_etag_is_compared(tmp_path):
    other = FileDirStore(tmp_path / "source")
    other["a"] = 1
    cache = {}
    store = cached_values(FileDirStore(tmp_path / "source"), cache=cache, validate="etag")
    assert [store["a"], store["a"]] == [1, 1]
    for value in range(20):
        other["a"] = value
        assert store["a"] == value
    cache["a"] = "not from the source"
    assert store["a"] == 19
    del other["a"]
    assert store.get("a") is None


def test_without_comparing_others_are_seen_after_refresh():
    source, cache = {"a": 1}, {}
    store = cached_values(source, cache=cache)
    assert store["a"] == 1
    source["a"] = 2
    assert store["a"] == 1
    assert store.pop("a") == 2, "conditional operations ask the source"
    source["a"] = 3
    assert store["a"] == 3
    source["a"] = 4
    store.refresh()
    assert cache == {}
    assert store["a"] == 4


def test_etags_may_be_kept_between_runs(tmp_path):
    source = FileDirStore(tmp_path / "source")
    source["a"] = 1

    class Watched(FileDirStore):
        reads = 0

        def _obj_of_data(self, data):
            Watched.reads += 1
            return super()._obj_of_data(data)

    def run():
        return cached_values(
            Watched(tmp_path / "source"),
            cache=FileDirStore(tmp_path / "cache"),
            validate="etag",
            etags=FileDirStore(tmp_path / "etags", serializer="text"),
        )

    assert [run()["a"] for _ in range(3)] == [1, 1, 1]
    assert Watched.reads == 1
    source["a"] = 2
    assert [run()["a"] for _ in range(3)] == [2, 2, 2]
    assert Watched.reads == 2
    FileDirStore(tmp_path / "cache")["a"] = "another process has put an older value here"
    assert [run()["a"] for _ in range(2)] == [2, 2]
    assert Watched.reads == 3
    FileDirStore(tmp_path / "etags", serializer="text")["a"] = "garbage"
    assert [run()["a"] for _ in range(2)] == [2, 2]
    assert Watched.reads == 4
    del run()["a"]
    assert FileDirStore(tmp_path / "cache") == FileDirStore(tmp_path / "etags") == {}


def test_a_value_is_fetched_again_when_it_is_too_old(tmp_path):
    source = Source(a=1)
    cache = FileDirStore(tmp_path)
    store = cached_values(source, cache=cache, max_age=60)
    assert [store["a"], store["a"], len(source.read)] == [1, 1, 1]
    old = time.time() - 61
    os.utime(cache.file_of("a"), (old, old))
    assert [store["a"], store["a"], len(source.read)] == [1, 1, 2]
    again = cached_values(source, cache=FileDirStore(tmp_path), max_age=60)
    assert [again["a"], len(source.read)] == [1, 2]


def test_in_memory_an_age_is_that_of_the_fetch(monkeypatch):
    source = Source(a=1)
    store = cached_values(source, cache={"a": "of unknown age"}, max_age=60)
    assert [store["a"], store["a"], len(source.read)] == [1, 1, 1]
    fake = types.SimpleNamespace(time=lambda: time.time() + 61)
    monkeypatch.setattr("holdall.wrappers._value_cache.time", fake)
    assert [store["a"], store["a"], len(source.read)] == [1, 1, 2]


class Slow(dict):
    """Gives its answer when it is told to."""

    def __init__(self):
        super().__init__(a="old")
        self.asked, self.go = threading.Event(), threading.Event()

    def __getitem__(self, key):
        value = super().__getitem__(key)
        if threading.current_thread() is not threading.main_thread():
            self.asked.set()
            assert self.go.wait(20)
        return value


@pytest.mark.parametrize("change", [*CHANGES, "clear, write"])
def test_a_value_that_was_overtaken_by_an_own_write_is_not_kept(change):
    if change == "a view":
        return
    source = Slow()
    store = cached_values(source)
    reader = threading.Thread(target=store.get, args=("a",))
    reader.start()
    assert source.asked.wait(20)
    if change == "clear, write":
        store.clear()
        source["a"] = "new"
    else:
        CHANGES[change](store)
    source.go.set()
    reader.join(20)
    assert store["a"] == "new"


def test_threads_read_what_was_written(tmp_path):
    source = MemoryStore(serializer="json")
    store = cached_values(source, cache=FileDirStore(tmp_path))
    store.update({"a": 0, "b": 0})

    def work(me):
        for number in range(1, 120):
            if me == 0:
                store["a"] = number
                assert store["a"] == number
            elif me == 1:
                store.transform_item("b", transformer=lambda n: n + 1, n_retries=None)
            else:
                before = store["a"]
                assert store["a"] >= before

    in_threads(4, work)
    assert (store["a"], store["b"]) == (source["a"], source["b"]) == (119, 119)


# ---------------------------------------------------------------------- caches that fail


class Broken(dict):
    """Fails at what it is told to."""

    verbs = ()

    def __init__(self, *verbs):
        super().__init__()
        self.verbs = verbs

    def __getitem__(self, key):
        if "read" in self.verbs:
            raise ConnectionError("no cache today")
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        if "write" in self.verbs:
            raise StoreFullError("no room")
        super().__setitem__(key, value)

    def __delitem__(self, key):
        if "delete" in self.verbs:
            raise PermissionError("not allowed")
        super().__delitem__(key)

    def __iter__(self):
        if "list" in self.verbs:
            raise ConnectionError("no list today")
        return super().__iter__()


@pytest.mark.parametrize("options", [{}, {"max_age": 60}, {"validate": "etag"}], ids=str)
@pytest.mark.parametrize("verbs", [("read",), ("write",), ("read", "write", "delete", "list")], ids=str)
def test_a_cache_that_fails_breaks_nothing_and_says_so_once(verbs, options):
    store = cached_values({"a": 1}, cache=Broken(*verbs), **options)

    def use():
        assert [store["a"], store["a"]] == [1, 1]
        store["a"] = 2
        assert [store["a"], store["a"]] == [2, 2]
        del store["a"]
        assert store.get("a") is None
        store.clear()

    with pytest.warns(RuntimeWarning, match="the cache in .* failed") as caught:
        use()
    assert len(caught) == 1


@pytest.mark.parametrize("change", ["[]", "update", "transform_item"])
def test_what_cannot_be_deleted_from_the_cache_is_not_served(change):
    store = cached_values({"a": "old"}, cache=(cache := Broken()))
    assert store["a"] == "old"
    cache.verbs = ("delete", "write")
    with pytest.warns(RuntimeWarning, match="deleting"):
        CHANGES[change](store)
    assert dict.__getitem__(cache, "a") == "old"
    assert store["a"] == "new"
    assert pickle.loads(pickle.dumps(store))["a"] == "new"
    cache.verbs = ()
    assert [store["a"], cache] == ["new", {"a": "new"}]


def test_a_cache_that_cannot_be_cleared_is_not_used_until_it_can():
    source = {"a": 1}
    store = cached_values(source, cache=(cache := Broken()))
    assert store["a"] == 1
    cache.verbs = ("list",)
    with pytest.warns(RuntimeWarning, match="clearing"):
        store.clear()
    source["a"] = 2
    assert store["a"] == 2
    cache.verbs = ()
    store.refresh()
    assert [store["a"], cache] == [2, {"a": 2}]


def test_a_read_only_cache_is_read(tmp_path):
    FileDirStore(tmp_path)["a"] = "kept"
    store = cached_values({"a": "source", "b": "source"}, cache=read_only(FileDirStore(tmp_path)))
    assert store["a"] == "kept"
    with pytest.warns(RuntimeWarning, match="read-only"):
        assert store["b"] == "source"
    store["a"] = "new"
    assert store["a"] == "new"


def test_a_damaged_cached_value_is_fetched_again(tmp_path):
    source = Source(a=[1])
    cache = FileDirStore(tmp_path, serializer="json")
    store = cached_values(source, cache=cache)
    assert store["a"] == [1]
    with open(cache.file_of("a"), "w") as file:
        file.write("[1")
    assert [store["a"], store["a"]] == [[1], [1]]
    assert source.read == ["a", "a"]
    assert cache["a"] == [1]


def test_a_key_or_a_value_that_the_cache_cannot_keep_comes_from_the_source(tmp_path):
    source = {("a", 1): "tuple", "set": {1, 2}, "ok": "text"}
    store = cached_values(source, cache=FileDirStore(tmp_path, serializer="json"))

    def use():
        for _ in range(2):
            assert [store["a", 1], store["set"], store["ok"]] == ["tuple", {1, 2}, "text"]
        store["a", 1] = "new"
        assert store["a", 1] == "new"

    with pytest.warns(RuntimeWarning, match="failed at writing") as caught:
        use()
    assert len(caught) == 1
    assert list(FileDirStore(tmp_path)) == ["ok"]


def test_errors_of_the_source_are_the_users():
    class Down(dict):
        def __getitem__(self, key):
            raise ConnectionError("no answer")

    store = cached_values(Down(a=1), cache={"b": 2})
    with pytest.raises(ConnectionError):
        store["a"]
    assert store["b"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"validate": "mtime"},
        {"validate": True},
        {"max_age": 0},
        {"max_age": "1"},
        {"max_age": True},
        {"etags": {}},
        {"cache": 5},
        {"fill": "writes"},
        {"fill": True},
    ],
    ids=str,
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(InvalidArgumentError):
        cached_values({}, **{"cache": {}, **wrong})


# ---------------------------------------------------------------------- functions as sources


def test_a_function_is_a_source(tmp_path):
    calls = []

    def download(url):
        calls.append(url)
        if url == "absent":
            raise KeyError(url)
        return f"page of {url}"

    for _ in range(2):
        pages = cached_values(download, cache=FileDirStore(tmp_path / "pages", serializer="text"))
        assert pages["a"] == "page of a"
        assert (list(pages), "b" in pages, pages.get("b")) == (["a"], False, None)
    assert calls == ["a"]
    with pytest.raises(KeyError):
        pages["absent"]
    del pages["a"]
    assert (list(pages), pages["a"]) == ([], "page of a")
    assert calls == ["a", "absent", "a"]


def test_what_a_function_returned_may_be_too_old(tmp_path):
    calls = []
    kept = FileDirStore(tmp_path / "kept", serializer="json")
    pages = cached_values(lambda url: len(calls.append(url) or calls), cache=kept, max_age=60)
    assert (pages["a"], pages["a"]) == (1, 1)
    os.utime(kept.file_of("a"), (0, 0))
    assert ("a" in pages, pages["a"], kept["a"]) == (False, 2, 2)


def test_any_callable_is_a_function_and_its_cache_a_dict_or_a_class():
    assert cached_values(str.upper)["a"] == "A"
    assert cached_values(functools.partial(int, base=2), cache=MemoryStore)["11"] == 3
    cache = {}
    assert cached_values({"x": 1}.get, cache=cache)["x"] == 1
    assert cache == {"x": 1}


@pytest.mark.parametrize("options", [{"validate": "etag"}, {"fill": "all"}, {"max_age": -1}, {"wrong": 1}])
def test_options_that_mean_nothing_for_a_function(options):
    with pytest.raises(InvalidArgumentError):
        cached_values(str.upper, **options)


def test_caches_know_of_own_writes_and_deletions():
    s = cached_values({"a": 1}, cache=dict)
    assert s["a"] == 1
    s["a"] = 2
    assert s["a"] == 2
    del s["a"]
    with pytest.raises(KeyError):
        s["a"]


def test_what_a_source_gives_is_decoded_once():
    s = cached_values(wrap_kvs({"a": "1"}, obj_of_data=int), cache=MemoryStore(serializer="json"))
    assert [s["a"], s["a"]] == [1, 1]
    above = wrap_kvs(s, obj_of_data=lambda value: value + 1)
    assert [above["a"], above["a"]] == [2, 2]
