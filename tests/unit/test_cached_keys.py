"""A remembered listing follows own writes, never others', and belongs to one store only."""

import copy
import json
import pickle
import threading
import types

import pytest

from holdall import (
    DELETE_CURRENT,
    ITEM_NOT_AVAILABLE,
    FileDirStore,
    InvalidArgumentError,
    MemoryStore,
    Persister,
    Store,
    UnsupportedError,
)
from holdall.conditional import ANY_ETAG
from holdall.keys import AnyKeys, PathKeys
from holdall.persisters.mapping import MappingPersister
from holdall.testing._races import in_threads
from holdall.wrappers import cached_keys, expiring
from holdall.wrappers._cached_keys import CachedKeysPersister


class Listing(dict):
    """Counts how often it is listed."""

    listed = 0

    def __iter__(self):
        self.listed += 1
        return super().__iter__()


@cached_keys(keys_cache=["b", "a"])
class Chosen(MemoryStore):
    """A class whose instances list two keys."""


@cached_keys
class Remembering(FileDirStore):
    """A class with a cache of its own in each instance."""


def test_the_place_is_listed_once_and_only_when_somebody_asks():
    place = Listing(a=1, b=2)
    store = cached_keys(place)
    store["c"] = 3
    assert place.listed == 0
    assert list(store) == ["a", "b", "c"]
    assert "a" in store
    assert "x" not in store
    assert len(store) == 3
    assert dict(store.items()) == {"a": 1, "b": 2, "c": 3}
    del store["a"]
    store.update({"d": 4})
    assert list(store.keys()) == ["b", "c", "d"]
    assert place.listed == 1


WRITES = {
    "[]": lambda s: s.__setitem__("new", 1),
    "update": lambda s: s.update({"new": 1}),
    "update with pairs": lambda s: s.update([("new", 1)]),
    "|=": lambda s: s.__ior__({"new": 1}),
    "setdefault": lambda s: s.setdefault("new", 1),
    "set_item_if": lambda s: s.set_item_if(
        "new", value=1, condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE
    ),
    "setdefault_if": lambda s: s.setdefault_if(
        "new", default_value=1, condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE
    ),
    "transform_item": lambda s: s.transform_item("new", transformer=lambda _: 1),
    "a view": lambda s: s.get_subdict("new").__setitem__("below", 1),
    "a copy": lambda s: copy.copy(s).__setitem__("new", 1),
}
DELETIONS = {
    "del": lambda s: s.__delitem__("old"),
    "pop": lambda s: s.pop("old"),
    "popitem": lambda s: s.popitem(),
    "discard": lambda s: s.discard("old"),
    "a joker": lambda s: s.__setitem__("old", DELETE_CURRENT),
    "discard_if": lambda s: s.discard_if("old", condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE),
    "transform_item": lambda s: s.transform_item("old", transformer=lambda _: DELETE_CURRENT),
    "clear": lambda s: s.clear(),
}


@pytest.mark.parametrize("keys_cache", [list, sorted, ["old"]], ids=["list", "sorted", "given"])
@pytest.mark.parametrize("asked_before", [True, False])
@pytest.mark.parametrize("write", WRITES)
def test_every_write_is_listed(write, keys_cache, asked_before):
    store = cached_keys({"old": 0}, keys_cache=keys_cache)
    if asked_before:
        assert list(store) == ["old"]
    WRITES[write](store)
    assert len(list(store)) == len(store) == 2
    assert any(key.startswith("new") and key in store for key in store)


@pytest.mark.parametrize("keys_cache", [list, sorted, ["old"]], ids=["list", "sorted", "given"])
@pytest.mark.parametrize("asked_before", [True, False])
@pytest.mark.parametrize("delete", DELETIONS)
def test_every_deletion_is_seen(delete, keys_cache, asked_before):
    store = cached_keys({"old": 0}, keys_cache=keys_cache)
    if asked_before:
        assert list(store) == ["old"]
    DELETIONS[delete](store)
    assert list(store) == []
    assert "old" not in store
    with pytest.raises(KeyError):
        del store["old"]


def test_what_others_do_is_seen_after_refresh(tmp_path):
    store = cached_keys(FileDirStore(tmp_path))
    store["a"] = 1
    assert list(store) == ["a"]
    other = FileDirStore(tmp_path)
    other["b"] = 2
    del other["a"]
    assert list(store) == ["a"]
    assert store["b"] == 2, "only the listing is cached"
    assert store.setdefault("b", 7) == 2
    store.refresh()
    assert list(store) == ["b"]


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
    ],
)
@pytest.mark.parametrize("keys_cache", [list, sorted, lambda keys: keys[:], ["a", "b"]])
def test_what_others_deleted_is_off_the_list_when_an_own_deletion_meets_it(verb, keys_cache):
    place = {"a": 1, "b": 2}
    store = cached_keys(place, keys_cache=keys_cache)
    assert list(store) == ["a", "b"]
    del place["a"]
    verb(store)
    assert list(store) == ["b"]
    assert len(store) == 1
    assert "a" not in store


def test_keys_are_in_the_order_asked_for():
    store = cached_keys({"b": 1, "c": 2}, keys_cache=sorted)
    assert list(store) == ["b", "c"]
    store["a"] = 0
    assert list(store) == ["a", "b", "c"]
    backwards = cached_keys(store, keys_cache=lambda keys: sorted(keys, reverse=True))
    assert list(backwards) == ["c", "b", "a"]


def test_a_function_may_leave_keys_out():
    place = {"a": 1, "_hidden": 2}
    store = cached_keys(place, keys_cache=lambda keys: [key for key in keys if key[0] != "_"])
    assert list(store) == ["a"]
    store["_more"] = 3
    store["b"] = 4
    assert list(store) == ["a", "b"]
    assert "_more" not in store
    assert sorted(store.newest_keys()) == ["a", "b"]
    store.clear()
    assert place == {"_hidden": 2, "_more": 3}, "what is not listed is not ours to delete"


def test_given_keys_are_copied_and_checked_by_refresh():
    given = ["b", "gone", "a"]
    place = Listing(a=1, b=2, c=3)
    store = cached_keys(place, keys_cache=given)
    given.append("too late")
    store.update([("d", 4)])
    del store["a"]
    assert list(store) == ["b", "gone", "d"]
    assert place.listed == 0
    assert dict(store.items()) == {"b": 2, "d": 4}
    store.refresh()
    assert list(store) == ["b", "d"]
    assert given == ["b", "gone", "a", "too late"]
    store.clear()
    assert place == {"c": 3}


def test_instances_of_a_wrapped_class_share_nothing():
    first, second = Chosen({"a": 1, "b": 2, "c": 3}), Chosen()
    first["x"] = 9
    del first["a"]
    assert list(first) == ["b", "x"]
    assert list(second) == ["b", "a"]
    assert isinstance(first, MemoryStore)
    assert type(first).__doc__ == "A class whose instances list two keys."


@pytest.mark.parametrize("wrong", [iter(["a"]), "ab", b"ab", 3, None])
def test_what_cannot_be_a_list_of_keys_is_refused(wrong):
    with pytest.raises(InvalidArgumentError):
        cached_keys({}, keys_cache=wrong)


def test_keys_that_are_equal_but_not_the_same_stay_apart(tmp_path):
    store = cached_keys(FileDirStore(tmp_path, keys=AnyKeys() | PathKeys(suffix=".pkl")))
    store.update([(1, "int"), (True, "bool"), (1.0, "float"), ("1", "str")])
    assert len(store) == len(list(store)) == 4
    del store[True]
    assert True not in store
    assert 1 in store
    assert sorted(map(repr, store)) == ["'1'", "1", "1.0"]


def test_listed_keys_need_not_be_hashable():
    class ByJson(Store):
        def _id_of_key(self, key):
            return json.dumps(key)

        def _key_of_id(self, id):
            return json.loads(id)

    place = ByJson({'{"a": 1}': "x", "[2]": "y"})
    store = cached_keys(place)
    assert list(store) == [{"a": 1}, [2]]
    assert len(store) == 2
    assert store[{"a": 1}] == "x"


def test_it_can_be_pickled_and_reads_foreign_mappings(tmp_path):
    store = Remembering(tmp_path)
    store["a"] = 1
    again = pickle.loads(pickle.dumps(store))
    assert type(again) is Remembering
    assert list(store) == ["a"]
    FileDirStore(tmp_path)["b"] = 2
    assert (list(store), sorted(again)) == (["a"], ["a", "b"])
    fixed = cached_keys(types.MappingProxyType({"a": 1}))
    assert list(fixed) == ["a"]
    with pytest.raises(UnsupportedError):
        fixed["b"] = 2
    assert list(fixed) == ["a"]


def test_purging_what_expired_takes_it_off_the_list(monkeypatch):
    place = expiring({}, ttl=3600)
    store = cached_keys(place)
    store["a"] = 1
    assert list(store) == ["a"]
    later = types.SimpleNamespace(time=lambda: 1e12)
    monkeypatch.setattr("holdall.wrappers._expiring.time", later)
    assert store.purge() == 1
    assert list(store) == []


# ---------------------------------------------------------------------- failures and races


class Failing(Persister):
    """A place that may store something and then fail."""

    def __init__(self):
        self.inner, self.fails, self.stores = {}, False, True

    def __getitem__(self, id):
        return self.inner[id]

    def __setitem__(self, id, data):
        if not self.fails or self.stores:
            self.inner[id] = data
        if self.fails:
            raise OSError("no answer")

    def __delitem__(self, id):
        del self.inner[id]

    def __iter__(self):
        return iter(list(self.inner))


@pytest.mark.parametrize("stores", [True, False])
@pytest.mark.parametrize("write", ["[]", "update", "set_item_if"])
def test_a_write_that_fails_is_listed_if_it_happened(write, stores):
    place = Failing()
    store = cached_keys(Store(place))
    assert list(store) == []
    place.fails, place.stores = True, stores
    with pytest.raises(OSError, match="no answer"):
        WRITES[write](store)
    assert list(store) == (["new"] if stores else [])


class Paused(MappingPersister):
    """A place whose writes can be held up after they were done."""

    def __init__(self):
        super().__init__({})
        self.hold, self.done, self.go = None, threading.Event(), threading.Event()

    def put(self, id, data):
        super().put(id, data)
        if data == self.hold:
            self.done.set()
            assert self.go.wait(20)


def test_a_deletion_that_overtakes_a_write_is_not_undone_in_the_list():
    place = Paused()
    cached = CachedKeysPersister(place)
    assert list(cached) == []
    place.hold = "slow"
    writer = threading.Thread(target=cached.put, args=("a", "slow"))
    writer.start()
    assert place.done.wait(20)
    del cached["a"]  # it is there already, though its writer has not returned
    place.go.set()
    writer.join(20)
    assert list(cached) == list(place) == []
    assert not cached._busy
    assert not cached._contested


def test_threads_that_write_and_delete_leave_a_true_list():
    place = {}
    store = cached_keys(place)

    def work(me):
        for number in range(150):
            key = f"k{(number * 7 + me) % 5}"
            if (number + me) % 3:
                store.update({key: me, f"own{me}": number})
            else:
                store.discard(key)
            if number % 40 == 0:
                store.refresh()
            list(store)

    in_threads(4, work)
    assert sorted(store) == sorted(place)


Words = cached_keys(keys_cache=["a", "b"])(MemoryStore)


def test_given_keys_belong_to_each_instance():
    one, other = Words({"a": 1, "b": 2}), Words({"a": 1, "b": 2})
    one.update([("c", 3)])
    del one["a"]
    assert (list(one), list(other)) == (["b", "c"], ["a", "b"])
    with pytest.raises(KeyError):
        del one["absent"]
