"""A list of a store takes one listing, though Python asks for an iterator and for a length."""

import threading

import pytest

from four_methods import FourMethods
from holdall import MemoryStore, Store
from holdall.keys import PathKeys
from holdall.persisters.mapping import MappingPersister

TAKES = [list, tuple, sorted, lambda store: list(store.keys())]


class Counting(MappingPersister):
    """A mapping that is listed page by page, and counts how often."""

    listed = 0

    def pages(self, prefix=""):
        self.listed += 1
        yield from super().pages(prefix)

    def __len__(self):
        self.listed += 1
        return super().__len__()


@pytest.fixture
def listed():
    place = Counting({})
    store = Store(place, keys=PathKeys(suffix=".x"), serializer="json")
    store.update({f"k{number}": number for number in range(600)})
    place.listed = 0
    return store, place


@pytest.mark.parametrize("take", TAKES)
def test_keys_are_listed_once(listed, take):
    store, place = listed
    assert set(take(store)) == {f"k{number}" for number in range(600)}
    assert place.listed == 1


def test_items_and_values_are_listed_once(listed):
    store, place = listed
    assert sorted(list(store.values())) == list(range(600))  # noqa: C414  (sorted() asks for no length)
    assert place.listed == 1
    assert len(list(store.items())) == 600
    assert place.listed == 2


class Broken(FourMethods):
    def __iter__(self):
        yield "a.x"
        raise TypeError("the backend is broken")


@pytest.mark.parametrize("keys", [None, PathKeys(suffix=".x")], ids=["own", "by a codec"])
@pytest.mark.parametrize("take", [*TAKES, len, lambda store: list(store.items())])
def test_a_type_error_is_not_mistaken_for_a_store_without_a_length(take, keys):
    with pytest.raises(TypeError, match="is broken"):
        take(Store(Broken(**{"a.x": b"1"}), keys=keys, serializer="json"))


def test_a_length_is_that_of_the_moment(listed):
    store, _ = listed
    waiting = iter(store)
    store["new"] = 1
    assert len(store) == 601
    store["newer"] = 1
    assert len(store) == 602
    assert len(set(waiting)) in {601, 602}


def test_an_iterator_that_has_begun_is_left_alone(listed):
    store, _ = listed
    begun = iter(store)
    first = next(begun)
    assert len(store) == 600
    assert len({first, *begun}) == 600


def test_the_iterator_of_another_thread_is_left_alone(listed):
    store, _ = listed
    waiting = iter(store)
    counts = []
    thread = threading.Thread(target=lambda: counts.append(len(store)))
    thread.start()
    thread.join()
    assert counts == [600]
    assert len(list(waiting)) == 600


def test_a_forgotten_iterator_shares_nothing():
    store = MemoryStore({"a": 1})
    iter(store)
    assert len(store) == 1
