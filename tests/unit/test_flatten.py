"""A mapping of mappings seen as one store."""

import pickle
import threading
from types import MappingProxyType

import pytest

from holdall import FileDirStore, InvalidArgumentError, InvalidKeyError, MemoryStore, Store
from holdall.conditional import ETAG_IS_THE_SAME, ITEM_NOT_AVAILABLE
from holdall.errors import UnsupportedError
from holdall.wrappers import flatten, read_only, wrap_kvs

NESTED = {"a": {"x": {"1": 1}, "y": {}}, "b": {"x": {"1": 2, "2": 3}}}


@pytest.fixture(params=["dict", "memory", "files"])
def nested(request, tmp_path):
    """Give a place of nested dicts, as objects, behind a store, and in files that are read anew."""
    if request.param == "dict":
        return pickle.loads(pickle.dumps(NESTED))
    store = MemoryStore() if request.param == "memory" else FileDirStore(tmp_path, serializer="json")
    store.update(pickle.loads(pickle.dumps(NESTED)))
    return store


@pytest.mark.parametrize(
    ("levels", "seen"),
    [
        (1, {("a",): NESTED["a"], ("b",): NESTED["b"]}),
        (2, {("a", "x"): {"1": 1}, ("a", "y"): {}, ("b", "x"): {"1": 2, "2": 3}}),
        (3, {("a", "x", "1"): 1, ("b", "x", "1"): 2, ("b", "x", "2"): 3}),
        (None, {("a", "x", "1"): 1, ("b", "x", "1"): 2, ("b", "x", "2"): 3}),
    ],
)
def test_levels_make_tuples(nested, levels, seen):
    store = flatten(nested, levels=levels)
    assert store == seen
    assert dict(store.items()) == seen
    assert len(store) == len(seen)
    assert all(key in store for key in seen)
    assert store.get(("a", "z", "1")) is None
    with pytest.raises(KeyError):
        store["c", "x", "1"]


def test_writing_and_deleting_reach_the_place(nested):
    store = flatten(nested, levels=3)
    store["a", "x", "1"] = 10
    store["new", "p", "q"] = 11
    store.update({("b", "z", "1"): 12, ("b", "z", "2"): 13})
    del store["b", "x", "1"]
    assert store.pop(("b", "x", "2")) == 3
    assert store.setdefault(("b", "x", "3"), 14) == 14
    assert store.setdefault(("b", "x", "3"), 15) == 14
    assert dict(nested.items()) == {
        "a": {"x": {"1": 10}, "y": {}},
        "b": {"x": {"3": 14}, "z": {"1": 12, "2": 13}},
        "new": {"p": {"q": 11}},
    }
    with pytest.raises(KeyError):
        del store["b", "x", "1"]
    store.clear(force=True)
    assert store == {}


def test_a_dict_that_was_given_out_is_not_changed(nested):
    before = nested["a"]
    flatten(nested, levels=3)["a", "x", "1"] = 10
    assert before == {"x": {"1": 1}, "y": {}}


@pytest.mark.parametrize("key", ["a", ("a",), ("a", "x"), ("a", "x", "1", "2"), (), 3])
def test_keys_are_tuples_of_that_length(key):
    store = flatten(NESTED, levels=3)
    assert key not in store
    assert store.get(key) is None
    with pytest.raises(InvalidKeyError, match="tuples of 3"):
        store[key] = 1


def test_what_is_no_mapping_has_nothing_below_it():
    inner = {"a": 1, "b": {"c": 2}}
    assert flatten(inner, levels=2) == {("b", "c"): 2}
    assert flatten(inner) == {("a",): 1, ("b", "c"): 2}
    for levels in (2, None):
        with pytest.raises(InvalidKeyError, match=r"'a',.* is int"):
            flatten(inner, levels=levels)["a", "x"] = 1
    assert ("b",) not in flatten(inner)
    assert inner == {"a": 1, "b": {"c": 2}}


def test_stores_below_are_places(tmp_path):
    files = FileDirStore(tmp_path, serializer="json")
    places = {"files": files, "memory": {"deep": MemoryStore({"k": 1})}, "fixed": MappingProxyType({"k": 2})}
    store = flatten(places)
    store["files", "a/b"] = 3
    store["memory", "deep", "n"] = 4
    assert files == {"a/b": 3}
    assert store == {
        ("files", "a/b"): 3,
        ("memory", "deep", "k"): 1,
        ("memory", "deep", "n"): 4,
        ("fixed", "k"): 2,
    }
    assert store.etag(("files", "a/b")) == files.etag("a/b")
    assert store.timestamp(("files", "a/b")) == files.timestamp("a/b")
    with pytest.raises(UnsupportedError):
        store["fixed", "k"] = 5
    del store["files", "a/b"]
    assert files == {}


def test_no_change_of_a_sibling_is_lost(tmp_path):
    store = flatten(FileDirStore(tmp_path, serializer="json"), levels=2)

    def count(name):
        for _ in range(25):
            store.transform_item(
                ("shared", name),
                transformer=lambda n: 1 if n is ITEM_NOT_AVAILABLE else n + 1,
                n_retries=None,
            )
            store["shared", f"other {name}"] = name

    threads = [threading.Thread(target=count, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key: store["shared", key] for key in "abc"} == dict.fromkeys("abc", 25)
    assert len(store) == 6


def test_conditional_operations_and_other_wrappers(nested):
    store = flatten(nested, levels=3)
    key = ("a", "x", "1")
    etag = store.etag(key)
    held = store.set_item_if(key, value=5, condition=ETAG_IS_THE_SAME, expected_etag=etag)
    assert held.condition_was_satisfied
    assert not store.set_item_if(key, value=6, condition=ETAG_IS_THE_SAME, expected_etag=etag)[0]
    assert store.discard_if(key, condition=ETAG_IS_THE_SAME, expected_etag=store.etag(key))[0]
    joined = wrap_kvs(store, id_of_key=lambda text: tuple(text.split("/")), key_of_id="/".join)
    joined["a/x/1"] = 7
    assert joined == {"a/x/1": 7, "b/x/1": 2, "b/x/2": 3}
    assert joined.get_subdict("b/x") == {"1": 2, "2": 3}
    with pytest.raises(TypeError, match="read-only"):
        read_only(joined)["a/x/1"] = 1


def test_classes_options_and_pickles(tmp_path):
    class Cities(MemoryStore):
        """By country and name."""

    Flat = flatten(levels=2)(Cities)
    store = Flat({"fr": {"paris": 2}})
    assert store["fr", "paris"] == 2
    assert Flat.__doc__ == "By country and name."
    assert isinstance(store, Cities)
    files = flatten(FileDirStore(tmp_path, serializer="json"), levels=2)
    files["a", "b"] = 1
    assert pickle.loads(pickle.dumps(files)) == {("a", "b"): 1}
    for wrong in (0, -1, 1.5, "2", True):
        for thing in ((), ({},), (Store,)):
            with pytest.raises(InvalidArgumentError, match="levels"):
                flatten(*thing, levels=wrong)


def test_nested_mappings_are_one_by_tuples():
    nested = {"a": {"x": 1}, "b": {"y": {"z": 2}}}
    s = flatten(nested)
    assert s == {("a", "x"): 1, ("b", "y", "z"): 2}
    s["a", "x"] = 3
    assert nested["a"] == {"x": 3}
