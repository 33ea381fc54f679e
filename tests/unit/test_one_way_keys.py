"""Whatever functions of keys are given, what is listed is what is found, and nothing is listed twice."""

import itertools

import pytest

from holdall import FileDirStore, InvalidKeyError, MemoryStore, SQLiteStore, Store
from holdall.abc import NOT_MINE
from holdall.keys import Digest
from holdall.wrappers import cached_keys, cached_values, expiring, overlay, read_only, wrap_kvs


def prefixed(key):
    return f"user/{key}"


def unprefixed(id):
    return id.removeprefix("user/") if id.startswith("user/") else NOT_MINE


def short(key):
    return key[:1]


def picky(key):
    if key == "ada":
        raise InvalidKeyError("no ada")
    return key


INWARD = (str.lower, str.upper, prefixed, short, len, picky, hash)
OUTWARD = (None, str.lower, str.title, unprefixed, short, str, lambda _: NOT_MINE, lambda _: "ada")
ITEMS = {"Ada": 1, "ada": 2, "ADA": 3, "user/ada": 4, "a": 5, "3": 6, "USER/b": 7}
PLACES = {
    "dict": lambda path: Store({}),
    "pickles": lambda path: MemoryStore(serializer="pickle"),
    "folder": lambda path: FileDirStore(path / "folder"),
    "database": lambda path: SQLiteStore(path / "store.db"),
}
AROUND = (lambda s: s, read_only, cached_keys, cached_values, lambda s: expiring(s, ttl=3600))


def agrees(store):
    keys = list(store)
    assert len(keys) == len(set(keys)) == len(store), "listed twice, or not counted"
    assert bool(store) == bool(keys)
    assert all(key in store for key in keys), "listed and not found"
    assert dict(store.items()) == {key: store[key] for key in keys}
    assert sorted(store.values()) == sorted(store[key] for key in keys)
    assert set(store.keys()) == set(store.newest_keys()) == set(keys)
    assert store == {key: store[key] for key in keys}
    return keys


@pytest.mark.parametrize("place", PLACES)
def test_listing_finding_and_counting_agree(place, tmp_path):
    below = PLACES[place](tmp_path)
    below.update(ITEMS)
    for inward, outward in itertools.product(INWARD, OUTWARD):
        store = wrap_kvs(below, id_of_key=inward, key_of_id=outward)
        for around in AROUND if place == "dict" else AROUND[:1]:
            agrees(around(store))
        agrees(wrap_kvs(store, id_of_key=str.lower))
    assert below == ITEMS


@pytest.mark.parametrize("place", PLACES)
def test_the_listed_are_those_whose_keys_lead_back(place, tmp_path):
    below = PLACES[place](tmp_path)
    below.update(ITEMS)
    assert sorted(wrap_kvs(below, id_of_key=str.lower)) == ["3", "a", "ada", "user/ada"]
    assert sorted(wrap_kvs(below, id_of_key=prefixed, key_of_id=unprefixed)) == ["ada"]
    assert sorted(wrap_kvs(below, key_of_id=unprefixed)) == ["ada"]  # alone, it only changes the listing
    assert sorted(wrap_kvs(below, id_of_key=str.lower, key_of_id=str.title)) == ["3", "A", "Ada", "User/Ada"]


def test_a_hook_alone_lists_what_it_finds():
    class Users(Store):
        def _id_of_key(self, key):
            return key.lower()

    below = {"Ada": 1, "ada": 2}
    users = Users(below)
    assert agrees(users) == ["ada"]
    users["BOB"] = 3
    assert agrees(users) == ["ada", "bob"]
    assert users.popitem() == ("ada", 2)
    users.clear()
    assert (agrees(users), below) == ([], {"Ada": 1})
    part = Users({"x/Ada": 1, "x/ada": 2}).get_subdict("x")
    assert agrees(part) == ["ada"]
    assert agrees(overlay(Users({"A": 1, "a": 2}), {"b": 3})) == ["a", "b"]


def test_a_pair_of_functions_as_codec_lists_what_it_finds():
    store = Store({"Ada": 1, "ada": 2, "user/ada": 3}, keys=(str.lower, str.title))
    assert agrees(store) == ["Ada", "User/Ada"]


def test_one_way_codecs_stay_as_they_were(tmp_path):
    store = wrap_kvs(FileDirStore(tmp_path, keys=Digest()), id_of_key=str.lower)
    store["Ada"] = 1
    assert store["ADA"] == 1
    assert "ada" in store


def test_keys_that_would_meet_are_told_before_anything_is_lost():
    s = wrap_kvs({}, id_of_key=str, key_of_id=lambda name: name[0])
    with pytest.raises(ValueError, match="key_of_id"):
        s["ab"] = 1
    assert not s.store
