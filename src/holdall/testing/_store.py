"""The laws of stores: the dict protocol, and what holdall adds to them."""

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability
from holdall.conditional import (
    DELETE_CURRENT,
    ITEM_NOT_AVAILABLE,
    KEEP_CURRENT,
    VALUE_NOT_RETRIEVED,
)
from holdall.errors import CorruptValueError, InvalidArgumentError, InvalidKeyError
from holdall.store import _display, _looking
from holdall.testing._names import HOSTILE_NAMES
from holdall.testing._races import in_threads
from holdall.testing._store_changes import ChangeLaws
from holdall.testing._store_conditional import ConditionalLaws
from holdall.testing._store_copying import CopyLaws
from holdall.testing._store_manners import MannersLaws
from holdall.testing._store_options import OptionLaws
from holdall.testing._store_verbs import VerbLaws


class StoreContract(ConditionalLaws, ChangeLaws, CopyLaws, VerbLaws, MannersLaws, OptionLaws):
    """The laws of stores; subclass it and define `open`.

    Examples
    --------
    >>> from holdall import MemoryStore
    >>> class TestMemory(StoreContract):
    ...     def open(self, place):
    ...         return MemoryStore()
    """

    #: Seconds after which a write has a later time than the one before it.
    tick: float = 0.005
    #: The part of the usual repetitions to run: less for stores that take milliseconds per request.
    pace: float = 1.0
    #: Three or more different values that the store accepts.
    values: tuple[Any, ...] = ("one", "two", "three")
    #: Four or more keys that the store accepts, one of them below a prefix.
    keys: tuple[Any, ...] = ("a", "b", "c/d", "é ü")
    #: Something that no store accepts as a key.
    impossible: Any = ["list"]

    def open(self, place: Path) -> Any:  # noqa: ARG002  (for overrides)
        """Return a store of a place: an empty folder at first, the same one to reopen it."""
        raise InvalidArgumentError("a contract needs open(place): define how to open the store")

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """Return an empty folder."""
        return tmp_path

    def times(self, usual: int) -> int:
        """Return how often to repeat something that is usually repeated so often."""
        return max(3, round(usual * self.pace))

    def fresh(self, place: Path, *claims: Capability) -> Any:
        """Open an empty store, and skip the law if its persister does not claim what the law is about."""
        store = self.open(place)
        for claim in (Capability.WRITABLE, *claims):
            if claim not in store.pipeline.persister.capabilities:
                pytest.skip(f"does not claim {claim.name}")
        return store

    def filled(self, place: Path, *claims: Capability) -> tuple[Any, dict[Any, Any]]:
        """Open a store and store an item under each key."""
        store = self.fresh(place, *claims)
        items = {key: self.values[number % 3] for number, key in enumerate(self.keys)}
        for key, value in items.items():
            store[key] = value
        return store, items

    # ------------------------------------------------------------------ a dict

    def test_it_holds_what_a_dict_holds(self, place: Path) -> None:
        """Reading, listing, counting and comparing are those of a dict."""
        store, items = self.filled(place)
        assert {key: store[key] for key in items} == items
        assert set(store) == set(items)
        assert len(store) == len(list(store)) == len(items)
        assert bool(store)
        assert store == items
        assert items == store
        assert store != {}
        assert store != {**items, self.keys[0]: self.values[2]}
        assert all(key in store for key in items)
        assert store.copy() == items
        assert {**store} == items

    def test_an_empty_store_is_false(self, place: Path) -> None:
        """An empty store is false, empty, and equal to an empty dict."""
        store = self.open(place)
        assert (bool(store), len(store), list(store), store == {}) == (False, 0, [], True)

    def test_absence_is_a_key_error_with_the_users_key(self, place: Path) -> None:
        """KeyError carries the key that the user gave, from every verb."""
        store = self.open(place)
        key = self.keys[2]
        for verb in (store.__getitem__, store.__delitem__, store.pop, store.etag):
            with pytest.raises(KeyError) as caught:
                verb(key)
            assert caught.value.args == (key,)
        assert store.get(key) is None
        assert store.get(key, 7) == store.pop(key, 7) == 7
        assert store.discard(key) is False
        for verb in (store.popitem, store.head):
            with pytest.raises(KeyError):
                verb()

    def test_views_are_live(self, place: Path) -> None:
        """keys(), values() and items() show the state at the time of the look."""
        store, items = self.filled(place)
        keys, values, pairs = store.keys(), store.values(), store.items()
        del store[self.keys[0]]
        removed = items.pop(self.keys[0])
        assert set(keys) == set(items)
        assert sorted(values) == sorted(items.values())
        assert dict(pairs) == items
        assert len(keys) == len(values) == len(pairs) == len(items)
        assert (self.keys[1], items[self.keys[1]]) in pairs
        assert (self.keys[0], removed) not in pairs
        assert items[self.keys[1]] in values
        assert self.keys[0] not in keys

    def test_changing(self, place: Path) -> None:
        """Writing, deleting and popping are those of a dict."""
        store, items = self.filled(place)
        first, second, third = self.keys[:3]
        store[first] = items[first] = self.values[2]
        del store[second], items[second]
        assert store.pop(third) == items.pop(third)
        assert store == items
        assert store.discard(first) is True
        del items[first]
        key, value = store.popitem()
        assert items.pop(key) == value
        assert store == items

    def test_updating(self, place: Path) -> None:
        """update() takes mappings, objects with keys, pairs and keywords; ``|`` and ``|=`` too."""
        store = self.fresh(place)
        one, two, three = self.values[:3]
        first, second, third = self.keys[:3]
        store.update({first: one})
        store.update([(second, two)])

        class Keys:
            def keys(self) -> list[Any]:
                return [third]

            def __getitem__(self, key: Any) -> Any:
                return three

        store.update(Keys())
        expected = {first: one, second: two, third: three}
        assert store == expected
        assert store | {first: two} == expected | {first: two}
        assert {first: two} | store == expected
        store |= {first: three}
        assert store[first] == three
        store.update()
        with pytest.raises((TypeError, ValueError)):
            store.update(5)

    def test_setdefault(self, place: Path) -> None:
        """setdefault() inserts where nothing is, and never replaces."""
        store = self.fresh(place)
        one, two, _ = self.values[:3]
        assert store.setdefault(self.keys[0], one) == one
        assert store.setdefault(self.keys[0], two) == one
        assert store[self.keys[0]] == one

    def test_clearing(self, place: Path) -> None:
        """clear() deletes all items."""
        store, _ = self.filled(place)
        store.clear()
        assert store == {}

    def test_an_impossible_key_is_absent(self, place: Path) -> None:
        """Looking for it returns False or the default; using it raises InvalidKeyError, storing nothing."""
        store, items = self.filled(place)
        bad = self.impossible
        assert (bad in store, store.get(bad, 7), store.discard(bad), store.pop(bad, 7)) == (
            False,
            7,
            False,
            7,
        )
        uses: tuple[Callable[[], Any], ...] = (
            lambda: store[bad],
            lambda: store.__setitem__(bad, self.values[0]),
            lambda: store.__delitem__(bad),
            lambda: store.setdefault(bad, self.values[0]),
            lambda: store.update([(bad, self.values[0])]),
            lambda: store.etag(bad),
            lambda: store.transform_item(bad, transformer=lambda old: old),
        )
        for use in uses:
            with pytest.raises(InvalidKeyError) as caught:
                use()
            assert isinstance(caught.value, KeyError)
            assert isinstance(caught.value, TypeError)
        assert store == items

    # ------------------------------------------------------------------ layers

    def test_a_decoder_that_raises_is_not_absence(self, place: Path) -> None:
        """A KeyError inside a decoder never looks like a missing key, and nothing is overwritten."""
        store, items = self.filled(place)
        broken = copy.copy(store)

        def decode(data: Any) -> Any:
            raise KeyError(data)

        broken._obj_of_data = decode
        key = self.keys[0]
        for verb in (
            lambda: broken[key],
            lambda: broken.get(key),
            lambda: broken.setdefault(key, self.values[1]),
            lambda: broken.pop(key, None),
            lambda: list(broken.values()),
        ):
            with pytest.raises(CorruptValueError):
                verb()
        assert key in broken
        assert store == items

    def test_an_error_of_a_hook_reaches_the_user(self, place: Path) -> None:
        """Any other error of a hook is raised unchanged, and nothing is half-written."""
        store, items = self.filled(place)
        broken = copy.copy(store)

        def fail(_: Any) -> Any:
            raise ZeroDivisionError

        broken._data_of_obj = fail
        with pytest.raises(ZeroDivisionError):
            broken[self.keys[0]] = self.values[1]
        assert store == items

    def test_jokers_are_commands(self, place: Path) -> None:
        """KEEP_CURRENT leaves an item, DELETE_CURRENT deletes it; sentinels are no values."""
        store, items = self.filled(place)
        first, second = self.keys[:2]
        store[first] = KEEP_CURRENT
        assert store == items
        store[first] = DELETE_CURRENT
        store[first] = DELETE_CURRENT
        store[first] = KEEP_CURRENT
        store.update({second: DELETE_CURRENT})
        del items[first], items[second]
        assert store == items
        one, two = self.values[:2]
        store.update([(first, one), (first, DELETE_CURRENT), (second, DELETE_CURRENT), (second, two)])
        items[second] = two
        assert store == items
        store.update([(second, KEEP_CURRENT), (first, DELETE_CURRENT), (first, KEEP_CURRENT)])
        assert store == items
        for value in (ITEM_NOT_AVAILABLE, VALUE_NOT_RETRIEVED):
            with pytest.raises(InvalidArgumentError):
                store[first] = value
        for command in (KEEP_CURRENT, DELETE_CURRENT, ITEM_NOT_AVAILABLE):
            with pytest.raises(InvalidArgumentError):
                store.setdefault(first, command)
        assert store == items

    # ------------------------------------------------------------------ time and hierarchy

    def test_items_know_their_age(self, place: Path) -> None:
        """Keys and values can be listed by age."""
        store = self.fresh(place, Capability.MTIME)
        for number, key in enumerate(self.keys[:3]):
            store[key] = self.values[number]
            threading.Event().wait(self.tick)
        assert store.timestamp(self.keys[0]) < store.timestamp(self.keys[2])
        assert store.oldest_keys() == list(self.keys[:3])
        assert store.newest_keys() == list(self.keys[2::-1])
        assert store.newest_keys(1) == [self.keys[2]]
        assert store.oldest_values(2) == list(self.values[:2])
        assert store.newest_values(1) == [self.values[2]]
        assert store.oldest_keys(0) == store.newest_values(0) == []
        with pytest.raises(KeyError):
            store.timestamp(self.keys[3])

    def test_random_keys_are_keys(self, place: Path) -> None:
        """random_key() gives any of the keys, and None where there is none."""
        store = self.fresh(place)
        assert store.random_key() is None
        store, items = self.filled(place)
        draws = max(60, self.times(200))  # of four keys, 60 draws miss one once in ten million times
        assert {store.random_key() for _ in range(draws)} == set(items)

    def test_views_of_a_prefix(self, place: Path) -> None:
        """A part of a store is a store over the same items."""
        store = self.fresh(place)
        if not isinstance(self.keys[2], str):
            pytest.skip("keys are no text")
        one, two, three = self.values[:3]
        store.update({"p/a": one, "p/q/b": two, "other": three, "pp/a": three})
        part = store.get_subdict("p")
        assert part == {"a": one, "q/b": two}
        assert type(part) is type(store)
        part["new"] = three
        assert store["p/new"] == three
        assert part.get_subdict("q") == {"b": two}
        assert set(store.subdicts()) == {"p", "pp"}
        del part["q/b"]
        assert "p/q/b" not in store
        part.clear(force=True)
        assert part == {}
        assert store == {"other": three, "pp/a": three}

    # ------------------------------------------------------------------ handles

    def test_a_copied_handle_shares_the_place(self, place: Path) -> None:
        """copy.copy gives a second handle of the same items."""
        store, _ = self.filled(place)
        second = copy.copy(store)
        second[self.keys[0]] = self.values[2]
        assert store[self.keys[0]] == self.values[2]
        assert type(second) is type(store)

    def test_reopening_and_pickling_find_everything(self, place: Path) -> None:
        """Another handle of the same place holds the same items."""
        store, items = self.filled(place, Capability.PERSISTENT)
        assert self.open(place) == items
        assert pickle.loads(pickle.dumps(store)) == items
        with store:
            pass
        assert store == items
        assert self.open(place) == items

    def test_it_shows_itself_briefly(self, place: Path) -> None:
        """The display of a store is bounded, whatever its content."""
        store = self.fresh(place)
        store.update((f"key{number}", self.values[0]) for number in range(30))
        assert type(store).__name__ in repr(store)
        assert len(repr(store)) < 2000
        shown = store.overview()
        assert (len(shown), shown.note) == (10, "…")
        assert shown._repr_html_().count("<tr>") == 11
        with pytest.MonkeyPatch.context() as patch:  # on a busy machine it would show less
            patch.setattr(_looking, "_GLANCE", 60)
            patch.setattr(_display, "_SECONDS", 60)
            if store.pipeline.persister.at_hand:
                assert store._repr_html_().count("<tr>") == 11
            assert set(store._ipython_key_completions_()) == set(store)
        assert list(store.get_params()) == sorted(store.get_params())

    def test_copying_to_another_mapping(self, place: Path) -> None:
        """copy_to() copies every item, and counts."""
        store, items = self.filled(place)
        target: dict[Any, Any] = {}
        counts: list[int] = []
        assert store.copy_to(target, progress=counts.append) == len(items)
        assert target == items
        assert counts == list(range(1, len(items) + 1))
        assert store.head() in items.items()

    def test_hostile_names_are_kept_apart_or_refused(self, place: Path) -> None:
        """Names that break stores come back exactly, all of them together, or raise InvalidKeyError."""
        store = self.fresh(place)
        if not isinstance(self.keys[2], str):
            pytest.skip("keys are no text")
        kept = {}
        for number, name in enumerate(HOSTILE_NAMES):
            value = self.values[number % 3]
            try:
                store[name] = value
            except InvalidKeyError:
                assert name not in store
            else:
                kept[name] = value
        assert len(kept) > 5
        assert dict(store.items()) == kept

    def test_popping_threads_get_different_items(self, place: Path) -> None:
        """Of several threads that pop a key, one gets it."""
        store = self.fresh(place, Capability.CAS_THREADS)
        store.update((f"key{number}", self.values[0]) for number in range(20))

        def take(_: int) -> int:
            return sum(store.pop(f"key{number}", None) is not None for number in range(20))

        assert sum(in_threads(4, take)) == 20
        assert store == {}
