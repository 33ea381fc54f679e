"""Keys that subdicts() gives fit get_subdict(), whatever names the keys."""

import pytest

from holdall import FileDirStore, MemoryStore
from holdall.keys import AnyKeys, PathKeys, Template

KEYS = {
    "text": (None, ["a/x", "a/y/z", "b/x", "c"]),
    "tuples": (PathKeys(tuples=True), [("a", "x"), ("a", "y", "z"), ("b", "x"), ("c",)]),
    "template": (Template("{city}_{year:d}"), [("a", 1), ("a", 2), ("b", 1)]),
    "numbers first": (Template("{year:d}_{city}"), [(1, "a"), (1, "b"), (2, "a")]),
    "dicts": (Template("{city}_{year:d}", keys="dict"), [{"city": "a", "year": 1}, {"city": "b", "year": 2}]),
    "named": (Template("{city}_{year:d}", keys="namedtuple"), [("a", 1), ("a", 2), ("b", 1)]),
    "any": (AnyKeys(), ["a/x", ("a", "y"), ("a", 1), ("b", 2), (1, 2), "c", 5]),
}


@pytest.mark.parametrize("kind", KEYS)
def test_what_subdicts_gives_is_what_get_subdict_takes(kind, tmp_path):
    codec, keys = KEYS[kind]
    store = MemoryStore(keys=codec)
    for number, key in enumerate(keys):
        store[key] = number
    views = store.subdicts()
    assert views
    for first, view in views.items():
        assert len(view) > 0
        again = store.get_subdict(first)
        assert list(again.items()) == list(view.items())
    assert sum(map(len, views.values())) <= len(store)
    if kind != "any":
        short = sum(1 for key in keys if key in ("c", ("c",)))
        assert sum(map(len, views.values())) == len(store) - short


def test_a_part_of_tuple_keys_is_read_and_written_by_its_first_word(tmp_path):
    store = FileDirStore(tmp_path, keys=tuple, serializer="json")
    store["a", "b"] = 1
    part = store.get_subdict("a")
    assert dict(part) == {("b",): 1}
    part["new"] = 2
    assert dict(store) == {("a", "b"): 1, ("a", "new"): 2}
    assert dict(store.get_subdict(["a"])) == dict(part)
    assert ("new" in part, ["new"] in part, part.get(["new"]), part[["new"]]) == (True, True, 2, 2)
    assert (["a", "b"] in store, store[["a", "b"]], store.get("a", "no")) == (True, 1, "no")


def test_a_prefix_that_ends_with_a_slash_finds_what_lies_under_it():
    store = MemoryStore({"a/x": 1, "a/y/z": 2, "ab": 3})
    assert dict(store.get_subdict("a/")) == {"x": 1, "y/z": 2}
    assert dict(store.get_subdict("a/y/")) == {"z": 2}
    assert dict(store.get_subdict("a").get_subdict("y/")) == {"z": 2}
