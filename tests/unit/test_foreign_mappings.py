"""Mappings with ways of their own, as stores."""

import dbm.dumb

import pytest

from holdall import MemoryStore, Store
from holdall.errors import InvalidArgumentError, InvalidKeyError, UnsupportedError


class Keeps(dict):
    def clear(self):
        raise NotImplementedError("ask first")


class Never(dict):
    clear = None


class Counted(dict):
    cleared = 0

    def clear(self):
        self.cleared += 1
        super().clear()


class Bare:
    """Not even a mapping: the five methods."""

    def __init__(self):
        self.kept = {"a": 1}

    def __getitem__(self, key):
        return self.kept[key]

    def __setitem__(self, key, value):
        self.kept[key] = value

    def __delitem__(self, key):
        del self.kept[key]

    def __iter__(self):
        return iter(self.kept)

    def __len__(self):
        return len(self.kept)


@pytest.mark.parametrize("kind", [Keeps, Never])
@pytest.mark.parametrize("make", [Store, MemoryStore])
def test_a_mapping_that_refuses_to_be_cleared_is_not_cleared(kind, make):
    mapping = kind(a=1)
    with pytest.raises(UnsupportedError, match=f"a {kind.__name__} in memory is not to be cleared"):
        make(mapping).clear()
    assert mapping == {"a": 1}


def test_a_mapping_is_cleared_in_its_own_way():
    mapping = Counted(a=1)
    store = Store(mapping)
    before = store.etag("a")
    store.clear()
    assert (mapping, mapping.cleared) == ({}, 1)
    store["a"] = 1
    assert store.etag("a") != before
    bare = Bare()
    Store(bare).clear()
    assert bare.kept == {}


@pytest.fixture
def database(tmp_path):
    with dbm.dumb.open(str(tmp_path / "d"), "c") as opened:
        yield opened


def test_a_dbm_is_a_store_of_text_and_bytes(database):
    store = Store(database, serializer="json")
    store.update({"a": 1, "ü/b": [2]})
    assert dict(store) == {"a": 1, "ü/b": [2]}
    assert sorted(store.keys()) == ["a", "ü/b"]
    assert dict(store.get_subdict("ü")) == {"b": [2]}
    assert sorted(database.keys()) == [b"a", "ü/b".encode()]
    assert dict(Store(database, serializer="json", keys="ü/{}")) == {"b": [2]}
    other = Store(database, serializer="json")
    assert other.transform_item("a", lambda n: n + 1).new_value == store["a"] == 2
    assert store.pop("a") == 2
    assert "a" not in store
    assert 5 not in store
    store.clear()
    assert len(database.keys()) == 0


def test_a_dbm_without_a_serializer_takes_bytes_only(database):
    store = Store(database)
    store["a"] = b"1"
    assert dict(store) == {"a": b"1"}
    with pytest.raises(InvalidArgumentError, match="serializer"):
        store["a"] = "text"
    assert store["a"] == b"1"
    with pytest.raises((InvalidKeyError, KeyError)):
        store[5] = b"1"
    database[b"\xff"] = b"2"
    assert {key: store[key] for key in store} == {"a": b"1", "\udcff": b"2"}


def test_all_stores_over_a_dbm_share_its_versions(database):
    one, other = Store(database, serializer="pickle"), Store(database, serializer="pickle")
    one["a"] = 1
    before = one.etag("a")
    other["a"] = 1
    assert one.etag("a") != before
