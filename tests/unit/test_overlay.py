"""Several stores as one: who is read, who is written, and what cannot be deleted."""

import collections
import pickle
import threading
import types

import pytest

from holdall import (
    ITEM_NOT_AVAILABLE,
    CorruptValueError,
    FileDirStore,
    InvalidArgumentError,
    InvalidKeyError,
    MemoryStore,
    ReadOnlyError,
    Store,
    UnsupportedError,
)
from holdall.conditional import ANY_ETAG, ETAG_IS_THE_SAME
from holdall.keys import AnyKeys, PathKeys
from holdall.persisters.mapping import MappingPersister
from holdall.testing._races import in_threads
from holdall.wrappers import cached_values, overlay
from processes._support import crew


def test_the_first_store_that_has_a_key_gives_its_value():
    first, second, third = {"a": 1}, {"a": 2, "b": 2}, {"b": 3, "c": 3}
    store = overlay(first, second, third)
    assert dict(store) == dict(collections.ChainMap(first, second, third)) == {"a": 1, "b": 2, "c": 3}
    assert list(store) == ["a", "b", "c"]
    assert len(store) == 3
    assert {key: value for key, value in store.items() if key in store} == store
    with pytest.raises(KeyError) as caught:
        store["x"]
    assert caught.value.args == ("x",)
    store["b"] = store["d"] = 9
    store.update(c=8)
    assert first == {"a": 1, "b": 9, "d": 9, "c": 8}
    assert (second, third) == ({"a": 2, "b": 2}, {"b": 3, "c": 3})


def test_layers_keep_their_names_and_formats(tmp_path):
    text = FileDirStore(tmp_path / "text", serializer="text")
    store = overlay(FileDirStore(tmp_path / "json", serializer="json"), text)
    text["p/a"] = "from below"
    store["p/b"] = [1]
    part = store.get_subdict("p")
    assert part == {"a": "from below", "b": [1]}
    assert (tmp_path / "json" / "p" / "b.json").read_text() == "[1]"
    assert pickle.loads(pickle.dumps(store)) == store
    assert set(store.newest_keys()) == {"p/a", "p/b"}
    assert set(store.subdicts()) == {"p"}


DELETIONS = {
    "del": lambda s: s.__delitem__("a"),
    "pop": lambda s: s.pop("a"),
    "discard": lambda s: s.discard("a"),
    "clear": lambda s: s.clear(force=True),
    "discard_if": lambda s: s.discard_if("a", condition=ETAG_IS_THE_SAME, expected_etag=s.etag("a")),
}


@pytest.mark.parametrize("delete", DELETIONS)
def test_a_deletion_that_would_uncover_another_value_is_refused(delete):
    for first in ({"a": 1}, {}):
        upper, lower = dict(first), {"a": 2}
        store = overlay(upper, lower)
        with pytest.raises(ReadOnlyError, match="does not write to"):
            DELETIONS[delete](store)
        assert (upper, lower) == (first, {"a": 2})
        assert "a" in store


@pytest.mark.parametrize("delete", DELETIONS)
def test_a_deletion_reaches_all_that_are_written(delete):
    for layers in (({"a": 1}, {"a": 2}), ({}, {"a": 2}), ({"a": 1}, {})):
        store = overlay(*layers, write="all")
        DELETIONS[delete](store)
        assert layers == ({}, {})
        assert "a" not in store
    for write in ("first", "all"):
        store = overlay({}, {"b": 1}, write=write)
        assert store.discard("a") is False
        with pytest.raises(KeyError) as caught:
            del store["a"]
        assert caught.value.args == ("a",)


def test_writing_to_all_writes_to_all():
    layers = [{}, {"a": 0}, {}]
    store = overlay(*layers, write="all")
    store["a"] = 1
    store.update(b=2)
    store.setdefault("c", 3)
    store.transform_item("a", transformer=lambda n: n + 10)
    assert layers == [{"a": 11, "b": 2, "c": 3}] * 3


def test_readers_see_the_new_value_when_all_have_it():
    class Failing(dict):
        def __setitem__(self, key, value):
            raise OSError("no room")

    first, last = {"a": 1}, {"a": 1}
    store = overlay(first, Failing(a=1), last, write="all")
    with pytest.raises(OSError, match="no room"):
        store["a"] = 2
    assert (store["a"], first["a"], last["a"]) == (1, 1, 2)


def test_etags_are_those_of_the_layer():
    upper, lower = MemoryStore(), MemoryStore({"a": 1})
    store = overlay(upper, lower)
    before = store.etag("a")
    assert store.etag("a") == before
    upper["a"] = 1
    assert store.etag("a") != before
    swap = store.set_item_if("a", value=2, condition=ETAG_IS_THE_SAME, expected_etag=before)
    assert (swap.condition_was_satisfied, swap.actual_etag) == (False, store.etag("a"))
    assert store.timestamp("a") == upper.timestamp("a")
    del upper["a"]
    assert store.etag("a") == before
    swap = store.set_item_if("a", value=2, condition=ETAG_IS_THE_SAME, expected_etag=before)
    assert swap.condition_was_satisfied
    assert (upper, lower) == ({"a": 2}, {"a": 1})
    insert = store.set_item_if("b", value=1, condition=ETAG_IS_THE_SAME, expected_etag=ITEM_NOT_AVAILABLE)
    assert insert.condition_was_satisfied
    lower["c"] = 1
    insert = store.set_item_if("c", value=2, condition=ETAG_IS_THE_SAME, expected_etag=ITEM_NOT_AVAILABLE)
    assert not insert.condition_was_satisfied


def count(n):
    return 1 if n is ITEM_NOT_AVAILABLE else n + 1


def test_threads_count_through_an_overlay(tmp_path):
    lower = {"n": 100, "m": 7}
    for write in ("first", "all"):
        store = overlay(FileDirStore(tmp_path / write), dict(lower), write=write)
        in_threads(
            3,
            lambda _, store=store: [
                store.transform_item(key, transformer=count, n_retries=None)
                for _ in range(30)
                for key in ("n", "new")
            ],
        )
        assert store == {"n": 190, "m": 7, "new": 90}


def test_processes_count_over_a_layer_that_is_not_written(tmp_path):
    FileDirStore(tmp_path / "second")["n"] = 100
    crew("count_through_an_overlay", tmp_path, 40, n=2)
    assert FileDirStore(tmp_path / "first") == {"n": 180}


def test_a_swap_of_a_lower_value_loses_against_one_that_came_first():
    class Overtaken(MappingPersister):
        """Somebody else writes between the look and the write."""

        def write(self, id, data, expected=ANY_ETAG):
            self.mapping.setdefault(id, "theirs")
            return super().write(id, data, expected)

    upper = Overtaken({})
    store = overlay(Store(upper), {"a": "low"})
    swap = store.set_item_if("a", value="mine", condition=ETAG_IS_THE_SAME, expected_etag=store.etag("a"))
    assert (swap.condition_was_satisfied, swap.new_value) == (False, "theirs")
    assert upper.mapping == {"a": "theirs"}


def test_keys_that_are_equal_but_not_the_same_stay_apart(tmp_path):
    codec = AnyKeys() | PathKeys(suffix=".pkl")
    first, second = (FileDirStore(tmp_path / name, keys=codec) for name in "ab")
    first[1] = "int"
    second[True] = second[1] = "bool"
    store = overlay(first, second)
    assert list(map(repr, store)) == ["1", "True"]
    assert len(store) == 2
    assert (store[1], store[True]) == ("int", "bool")


def test_a_key_that_one_layer_cannot_have_is_looked_for_in_the_others(tmp_path):
    store = overlay(FileDirStore(tmp_path), {("a", 1): "tuple", "b": "text"})
    assert store["a", 1] == "tuple"
    assert ("a", 1) in store
    assert set(store) == {("a", 1), "b"}
    with pytest.raises(InvalidKeyError):
        store["a", 1] = "new"
    only = overlay(FileDirStore(tmp_path), FileDirStore(tmp_path / "x"))
    assert only.get(("a", 1)) is None
    assert ("a", 1) not in only
    for use in (lambda: only["a", 1], lambda: only.etag(("a", 1)), lambda: only.__delitem__(("a", 1))):
        with pytest.raises(InvalidKeyError):
            use()


def test_a_damaged_value_is_not_hidden_by_a_lower_one(tmp_path):
    first = FileDirStore(tmp_path, serializer="json")
    first["a"] = 1
    with open(first.file_of("a"), "w") as file:
        file.write("{")
    store = overlay(first, {"a": 2})
    for use in (lambda: store["a"], lambda: store.get("a"), lambda: store.setdefault("a", 3)):
        with pytest.raises(CorruptValueError):
            use()


# ---------------------------------------------------------------------- promotion


def test_what_is_found_below_is_copied_up():
    upper, lower = {}, {"a": 1, "b": 2}
    store = overlay(upper, lower, promote=True)
    assert upper == {}
    assert "a" in store
    assert store.get("x") is None
    assert upper == {}
    assert store["a"] == 1
    assert upper == {"a": 1}
    assert dict(store.items()) == lower == upper


def test_promotion_never_replaces_what_was_written_meanwhile():
    upper = {}

    class Slow(dict):
        def __getitem__(self, key):
            value = super().__getitem__(key)
            store[key] = "written meanwhile"
            return value

    store = overlay(upper, Slow(a="old"), promote=True)
    assert store["a"] == "old"
    assert upper == {"a": "written meanwhile"}
    assert store["a"] == "written meanwhile"


def test_a_value_that_cannot_be_copied_up_is_read_all_the_same(tmp_path):
    upper = FileDirStore(tmp_path, serializer="json")
    store = overlay(upper, {"a": {1}, "b": {2}, "c": 3}, promote=True)
    with pytest.warns(RuntimeWarning, match="not copied") as caught:
        assert [store["a"], store["b"], store["c"]] == [{1}, {2}, 3]
    assert len(caught) == 1
    assert dict(upper) == {"c": 3}


# ---------------------------------------------------------------------- what is refused


def test_only_the_first_layer_need_be_writable():
    fixed = types.MappingProxyType({"a": 1})
    store = overlay(dict, fixed)
    store["a"] = 2
    assert store["a"] == 2
    shown = overlay(fixed, {})
    for write in (
        lambda: shown.__setitem__("b", 1),
        lambda: shown.update(b=1),
        lambda: shown.setdefault("b", 1),
        lambda: shown.pop("a"),
        lambda: shown.clear(force=True),
        lambda: overlay({}, fixed, write="all"),
        lambda: overlay(fixed, {}, promote=True),
    ):
        with pytest.raises(UnsupportedError, match="can only be read"):
            write()
    assert shown == {"a": 1}
    for wrong in (overlay, lambda: overlay({}, write="last"), lambda: overlay(5), lambda: overlay({}, None)):
        with pytest.raises(InvalidArgumentError):
            wrong()


def test_refresh_flush_and_close_reach_every_layer():
    source = {"a": 1}
    layer = cached_values(source)
    store = overlay({}, layer)
    assert store["a"] == 1
    source["a"] = 2
    assert store["a"] == 1
    store.refresh()
    assert store["a"] == 2
    with store:
        store.flush()
    assert Store(store)["a"] == 2


def test_iteration_goes_on_while_others_write():
    store = overlay({"a": 1}, {"b": 2})
    met = []
    for key in store:
        met.append(key)
        thread = threading.Thread(target=store.__setitem__, args=(f"new{key}", 1))
        thread.start()
        thread.join()
    assert {"a", "b"} <= set(met)
