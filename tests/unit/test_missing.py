"""A source with `__missing__` makes values for `[]`; to every other verb, what is absent is absent."""

from collections import Counter, UserDict, defaultdict

import pytest

from holdall import ITEM_NOT_AVAILABLE, Store
from holdall.conditional import ANY_ETAG
from holdall.keys import AnyKeys
from holdall.testing import StoreContract
from holdall.wrappers import cached_keys, cached_values, expiring, flatten, overlay, wrap_kvs, write_back


class Made(UserDict):
    """Makes a text for each absent key, and keeps it."""

    def __missing__(self, key):
        self[key] = "made"
        return "made"


@pytest.mark.soak
class TestStoreOverAMappingThatMakesValues(StoreContract):
    def open(self, place):
        return Store(defaultdict(str), serializer="json")

    def open_with(self, place, **options):
        return Store(defaultdict(lambda: b'"made"'), serializer="json", **options)

    def test_absence_is_a_key_error_with_the_users_key(self, place):
        """But for `[]`, which makes the value."""
        store = self.open(place)
        for verb in (store.__delitem__, store.pop, store.etag, store.timestamp):
            with pytest.raises(KeyError) as caught:
                verb("a")
            assert caught.value.args == ("a",)
        assert store == {}


SOURCES = {"a defaultdict": lambda: defaultdict(lambda: "made"), "a UserDict": Made}
WRAPPED = {
    "a store": Store,
    "a store over a store": lambda source: Store(Store(source)),
    "other keys": lambda source: Store(source, keys=AnyKeys()),
    "wrap_kvs": lambda source: wrap_kvs(source, id_of_key=lambda k: k + "!", key_of_id=lambda i: i[:-1]),
    "cached_values": cached_values,
    "cached_keys": cached_keys,
    "write_back": write_back,
    "expiring": lambda source: expiring(source, ttl=3600),
    "overlay": lambda source: overlay(source, {}),
}


@pytest.mark.parametrize("wrapped", WRAPPED)
@pytest.mark.parametrize("source", SOURCES)
def test_only_square_brackets_make_a_value(source, wrapped):
    place = SOURCES[source]()
    store = WRAPPED[wrapped](place)
    assert store.get("x", "absent") == "absent"
    assert store.get("x") is None
    assert store.pop("x", "absent") == "absent"
    assert store.discard("x") is False
    assert ("x", "made") not in store.items()
    assert "x" not in store
    found = store.get_item_if("x", condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE)
    assert found.new_value is ITEM_NOT_AVAILABLE
    seen = []
    store.transform_item("y", transformer=lambda old: seen.append(old) or "new")
    assert seen == [ITEM_NOT_AVAILABLE]
    with pytest.raises(KeyError), store.edit("x"):
        pass
    assert store.setdefault("z", "default") == "default"
    assert dict(store.items()) == {"y": "new", "z": "default"}
    store.flush()
    assert sorted(place.values()) != ["made"]
    assert len(place) == 2


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("wrapped", ["a store", "a store over a store", "cached_values"])
def test_square_brackets_are_those_of_the_source(source, wrapped):
    place = SOURCES[source]()
    store = WRAPPED[wrapped](place)
    assert store["x"] == "made"
    assert dict(place) == {"x": "made"}


def test_a_list_of_a_defaultdict_grows():
    store = Store(defaultdict(list))
    store["x"].append(1)
    assert store["x"] == [1]


def test_what_vanishes_while_it_is_listed_is_not_made_again():
    source = defaultdict(lambda: "made", a=1, b=2)
    store = Store(source)
    for _ in store.items():
        source.clear()
    assert source == {}
    source.update(a=1)
    keys = iter([["a"]])
    store.oldest_keys = lambda _=None: next(keys)
    source.clear()
    assert store.oldest_values() == []
    assert source == {}


def test_the_next_layer_is_asked_before_a_value_is_made():
    upper = Counter()
    assert overlay(upper, {"x": 7})["x"] == 7
    assert overlay(upper, {"x": 7}, promote=True)["x"] == 7
    assert upper == {"x": 7}
    with pytest.raises(KeyError):
        overlay(Counter(), {})["x"]


def test_nothing_is_made_on_the_way_to_what_lies_below():
    source = defaultdict(dict, a={"b": 1})
    store = flatten(source)
    assert ("x", "y") not in store
    assert store.get(("x", "y")) is None
    with pytest.raises(KeyError):
        store["x", "y"]
    assert dict(source) == {"a": {"b": 1}}
    store["x", "y"] = 2
    assert dict(source) == {"a": {"b": 1}, "x": {"y": 2}}
