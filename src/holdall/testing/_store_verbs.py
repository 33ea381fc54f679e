"""Laws of everyday changes: edit, increment, transaction."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability
from holdall.errors import (
    ConflictError,
    InvalidArgumentError,
    InvalidKeyError,
    ReadOnlyError,
    UnsupportedError,
)
from holdall.testing._races import in_threads
from holdall.testing._store_base import StoreBase, same_items

CAS_THREADS = Capability.CAS_THREADS
TRANSACTIONS = Capability.TRANSACTIONS


class VerbLaws(StoreBase):
    """Laws of everyday changes; `StoreContract` inherits them."""

    def _with(self, place: Path, key: Any, value: Any) -> Any:
        """Open a store with a value, and skip the law where such values are not supported."""
        store = self.fresh(place, CAS_THREADS)
        try:
            store[key] = value
            kept = store[key]
        except Exception:
            pytest.skip(f"values like {value!r} are not kept")
        if kept != value or type(kept) is not type(value):
            pytest.skip(f"{value!r} becomes {kept!r}")
        return store

    # ------------------------------------------------------------------ edit

    def test_what_is_edited_is_stored_at_the_end(self, place: Path) -> None:
        """A change in place is stored when the block ends, and invisible to others before."""
        key = self.keys[0]
        store = self._with(place, key, ["one"])
        with store.edit(key) as value:
            value.append("two")
            assert store[key] == ["one"]
        assert store[key] == ["one", "two"]
        with store.edit(key) as value:
            value.append("three")
        assert store[key] == ["one", "two", "three"]

    def test_an_edit_that_fails_stores_nothing(self, place: Path) -> None:
        """After an error in the block the value is as it was."""
        key = self.keys[0]
        store = self._with(place, key, ["one"])
        with pytest.raises(ZeroDivisionError), store.edit(key) as value:
            value.append("two")
            raise ZeroDivisionError
        assert store[key] == ["one"]

    def test_an_edit_that_lost_its_race_is_refused(self, place: Path) -> None:
        """A concurrent write or delete wins, and the block raises."""
        key = self.keys[0]
        store = self._with(place, key, ["one"])

        def write() -> None:
            store[key] = ["theirs"]

        def delete() -> None:
            del store[key]

        for change, left in ((write, {key: ["theirs"]}), (delete, {})):
            with pytest.raises(ConflictError) as caught, store.edit(key) as value:
                change()
                value.append("mine")
            assert same_items(store, left)
            assert caught.value.actual == (store.etag(key) if left else caught.value.actual)
        with pytest.raises(ConflictError), store.edit(key, default=[]) as value:
            write()
            value.append("mine")
        assert store[key] == ["theirs"]

    def test_an_edit_begins_with_its_default(self, place: Path) -> None:
        """Where nothing is stored, a copy of the default is yielded; without one it is a KeyError."""
        key = self.keys[0]
        store = self._with(place, key, ["one"])
        absent, default = self.keys[1], ["default"]
        with pytest.raises(KeyError) as caught, store.edit(absent):
            pytest.fail("the block must not run")
        assert caught.value.args == (absent,)
        with store.edit(absent, default=default) as value:
            value.append("more")
        with store.edit(key, default=default) as value:
            value.append("more")
        assert default == ["default"]
        assert same_items(store, {key: ["one", "more"], absent: ["default", "more"]})
        with pytest.raises(InvalidKeyError), store.edit(self.impossible, default=default):
            pytest.fail("the block must not run")

    def test_what_cannot_change_in_place_is_not_edited(self, place: Path) -> None:
        """A block over a text or number would lose its change silently."""
        key = self.keys[0]
        store = self._with(place, key, "text")
        for name, default in ((key, None), (self.keys[1], 5), (self.keys[1], (1, "a"))):
            with pytest.raises(InvalidArgumentError), store.edit(name, default=default):
                pytest.fail("the block must not run")
        assert same_items(store, {key: "text"})

    # ------------------------------------------------------------------ increment

    def test_increment_adds_and_gives_the_sum(self, place: Path) -> None:
        """What is stored afterwards is what increment() returns."""
        key = self.keys[0]
        store = self._with(place, key, 40)
        etag = store.etag(key)
        assert store.increment(key) == store[key] == 41
        assert store.etag(key) != etag
        assert store.increment(key, by=-1) == store.increment(key, by=0) == store[key] == 40
        assert store.increment(key, by=0.5) == store[key] == 40.5
        assert store.increment(self.keys[1]) == store[self.keys[1]] == 1
        assert store.increment(self.keys[2], 5, default=100) == store[self.keys[2]] == 105

    def test_what_is_no_number_is_not_incremented(self, place: Path) -> None:
        """Neither what is stored, nor what is added to it."""
        key = self.keys[0]
        store = self._with(place, key, 1)
        for wrong in ({"by": "1"}, {"by": [1]}, {"by": None}, {"default": "0"}):
            with pytest.raises(InvalidArgumentError):
                store.increment(key, **wrong)
        assert same_items(store, {key: 1})
        store[key] = self.values[0]
        with pytest.raises(InvalidArgumentError) as caught:
            store.increment(key)
        assert isinstance(caught.value, TypeError)
        assert same_items(store, {key: self.values[0]})
        with pytest.raises(InvalidKeyError):
            store.increment(self.impossible)

    def test_no_increment_of_threads_is_lost(self, place: Path) -> None:
        """Increments of several threads add up, and each gets a sum of its own."""
        key = self.keys[0]
        store = self._with(place, key, 0)
        sums = in_threads(3, lambda _: [store.increment(key) for _ in range(30)])
        assert sorted(itertools.chain(*sums)) == list(range(1, 91))
        assert store[key] == 90

    # ------------------------------------------------------------------ transaction

    def test_a_place_without_transactions_says_so(self, place: Path) -> None:
        """It raises before the block runs."""
        store = self.open(place)
        if TRANSACTIONS in store.pipeline.persister.capabilities:
            pytest.skip("claims TRANSACTIONS")
        with pytest.raises((UnsupportedError, ReadOnlyError)), store.transaction():
            pytest.fail("the block must not run")

    def test_a_transaction_is_made_whole(self, place: Path) -> None:
        """Writes in the block are there afterwards, and readable in it."""
        store, model = self.partly(place, TRANSACTIONS)
        first, second, third = self.keys[:3]
        with store.transaction():
            store[first] = model[first] = self.values[2]
            assert store[first] == self.values[2]
            del store[second], model[second]
            assert second not in store
            assert len(store) == 2
            store.update({self.absent: self.values[1]})
            model[self.absent] = self.values[1]
            assert same_items(store, model)
            assert store.transform_item(third, transformer=lambda _: self.values[0]).attempts == 1
            model[third] = self.values[0]
        assert same_items(store, model)

    def test_a_transaction_that_fails_was_not(self, place: Path) -> None:
        """After an error in the block everything is as it was, etags included."""
        store, model = self.partly(place, TRANSACTIONS)
        etags = {key: store.etag(key) for key in model}
        for error in (ZeroDivisionError, KeyError, KeyboardInterrupt):
            with pytest.raises(error), store.transaction():
                store[self.keys[0]] = self.values[2]
                store.clear(force=True)
                store[self.absent] = self.values[0]
                raise error
            assert same_items(store, model)
            assert {key: store.etag(key) for key in model} == etags

    def test_a_transaction_in_a_transaction_is_a_part_of_it(self, place: Path) -> None:
        """It can be undone by itself, and is undone with the outer one."""
        store, model = self.partly(place, TRANSACTIONS)
        with store.transaction():
            with store.transaction():
                store[self.keys[0]] = model[self.keys[0]] = self.values[1]
            with pytest.raises(ZeroDivisionError), store.transaction():
                store.clear(force=True)
                raise ZeroDivisionError
            assert same_items(store, model)
        assert same_items(store, model)
        with pytest.raises(ZeroDivisionError), store.transaction():
            with store.transaction():
                store.clear(force=True)
            raise ZeroDivisionError
        assert same_items(store, model)

    def test_nobody_sees_half_a_transaction(self, place: Path) -> None:
        """Another handle sees the old items until the block ends, and all new ones then."""
        store, model = self.partly(place, TRANSACTIONS, Capability.PERSISTENT)
        second = self.open(place)
        with store.transaction():
            store[self.keys[0]] = self.values[2]
            del store[self.keys[1]]
            assert same_items(second, model)
        model[self.keys[0]] = self.values[2]
        del model[self.keys[1]]
        assert same_items(second, model)

    def test_transactions_of_threads_follow_each_other(self, place: Path) -> None:
        """What a thread has read in its transaction, no other changes before it ends."""
        store = self.fresh(place, TRANSACTIONS)
        one, two = self.keys[:2]
        store[one] = store[two] = self.values[0]
        ring = list(self.values)

        def work(_: int) -> None:
            for _ in range(40):
                with store.transaction():
                    assert store[one] == store[two]
                    store[one] = ring[(ring.index(store[one]) + 1) % len(ring)]
                    store[two] = ring[(ring.index(store[two]) + 1) % len(ring)]

        in_threads(3, work)
        assert store[one] == store[two] == ring[120 % len(ring)]
