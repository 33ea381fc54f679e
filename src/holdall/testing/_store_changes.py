"""Laws of changes with concurrent writers: popitem and head, and the results of transformations."""

import copy
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability
from holdall.conditional import DELETE_CURRENT, ITEM_NOT_AVAILABLE, KEEP_CURRENT
from holdall.errors import InvalidArgumentError
from holdall.testing._store_base import StoreBase, same_items

CAS_THREADS = Capability.CAS_THREADS


class ChangeLaws(StoreBase):
    """Laws of changes with concurrent writers; `StoreContract` inherits them."""

    # ------------------------------------------------------------------ popitem, head

    def test_an_item_that_others_took_is_passed_over(self, place: Path) -> None:
        """popitem() and head() continue with the next item; KeyError means that the store is empty."""
        for verb in ("popitem", "head"):
            store, model = self.partly(place, CAS_THREADS)
            crossed = _crossed(store, [lambda listed, store=store: store.discard(listed[0])])
            key, value = getattr(crossed, verb)()
            assert model[key] == value
            gone = next(iter(set(model) - set(store) - ({key} if verb == "popitem" else set())))
            assert gone in model
            # Others take all that was listed, and add one.
            new, late = self.absent, self.values[2]

            def replace(listed: list[Any], store: Any = store, new: Any = new, late: Any = late) -> None:
                for key in listed:
                    store.discard(key)
                store[new] = late

            assert getattr(_crossed(store, [replace]), verb)() == (new, late)
            store.discard(new)
            # Others take all of two listings.
            store.update(model)
            taking = [lambda listed, store=store: [store.discard(key) for key in listed]] * 2
            with pytest.raises(KeyError):
                getattr(_crossed(store, taking), verb)()
            assert same_items(store, {})

    # ------------------------------------------------------------------ transform_item

    def test_a_transformer_of_an_absent_item_gets_the_default(self, place: Path) -> None:
        """A transformer and a default may be given by position; the default is not changed by it."""
        store, model = self.partly(place, CAS_THREADS)
        given: list[Any] = []

        def replace(old: Any) -> Any:
            given.append(old)
            return self.values[2]

        for key in (self.keys[0], self.absent):
            store.transform_item(key, replace, self.values[1])
            model[key] = self.values[2]
        store.discard(self.absent)
        store.transform_item(self.absent, transformer=replace, default=None)
        assert given == [self.values[0], self.values[1], None]
        assert same_items(store, model)
        default = ["mine"]
        store.discard(self.absent)

        def change(old: Any) -> Any:
            old.append("theirs")
            return self.values[2]

        store.transform_item(self.absent, change, default)
        assert default == ["mine"]
        assert same_items(store, model)

    def test_a_transformer_that_forgets_to_return_is_refused(self, place: Path) -> None:
        """None for a value that can change in place is a forgotten return, and nothing is stored."""
        store, model = self.partly(place, CAS_THREADS)
        defaults: list[Any] = [[], {}, set(), {"a": 1}]
        for default in defaults:
            with pytest.raises(InvalidArgumentError, match=r"return the new value, or use edit\(\)"):
                store.transform_item(self.absent, lambda _: None, default)
        assert same_items(store, model)
        for value in ({"theme": "dark"}, ["a"]):
            try:
                store[self.absent] = value
                kept = store[self.absent]
            except Exception:  # such values are not supported here
                store.discard(self.absent)
                continue
            if kept == value:
                with pytest.raises(InvalidArgumentError, match=r"return the new value, or use edit\(\)"):
                    store.transform_item(self.absent, lambda _: None)
                assert store[self.absent] == value
            store.discard(self.absent)
        assert same_items(store, model)

    def test_a_transformation_tells_whether_it_changed_the_item(self, place: Path) -> None:
        """Of several that claim one item, one learns that it changed it, the others that they did not."""
        store, _ = self.partly(place, CAS_THREADS)
        me, other = self.values[0], self.values[1]

        def claim(owner: Any, name: Any) -> Any:
            return name if owner is ITEM_NOT_AVAILABLE else KEEP_CURRENT

        first = store.transform_item(self.absent, lambda owner: claim(owner, me))
        again = store.transform_item(self.absent, lambda owner: claim(owner, me))
        second = store.transform_item(self.absent, lambda owner: claim(owner, other))
        assert [result.value_was_mutated for result in (first, again, second)] == [True, False, False]
        assert first.actual_etag is ITEM_NOT_AVAILABLE
        assert {result.new_value for result in (first, again, second)} == {me}
        assert first.resulting_etag == second.actual_etag == second.resulting_etag
        for joker, changed in ((DELETE_CURRENT, True), (DELETE_CURRENT, False), (KEEP_CURRENT, False)):
            result = store.transform_item(self.absent, lambda _, give=joker: give)
            assert result.value_was_mutated is changed


def _crossed(store: Any, turns: list[Any]) -> Any:
    """Return a handle of a store where a function of another writer runs after each of the first listings."""
    turns = list(turns)

    def iterate(self: Any) -> Any:
        listed = list(type(store).__iter__(self))
        if turns:
            turns.pop(0)(listed)
        return iter(listed)

    made = copy.copy(store)
    made.__class__ = type("Crossed", (type(store),), {"__iter__": iterate})
    return made
