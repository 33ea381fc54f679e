"""Laws of conditional operations: the truth table, and retries.

The table contains the expected result of each combination; it is written independently, so that it does not
repeat a mistake of the code.
"""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from holdall.abc import Capability
from holdall.conditional import (
    ALWAYS_RETRIEVE,
    ANY_ETAG,
    DELETE_CURRENT,
    ETAG_HAS_CHANGED,
    ETAG_IS_THE_SAME,
    IF_ETAG_CHANGED,
    ITEM_NOT_AVAILABLE,
    KEEP_CURRENT,
    NEVER_RETRIEVE,
    VALUE_NOT_RETRIEVED,
)
from holdall.errors import ConflictError, InvalidArgumentError, InvalidKeyError
from holdall.testing._races import in_threads
from holdall.testing._store_base import StoreBase, same_items

CAS_THREADS = Capability.CAS_THREADS

# (condition, whether expected and actual etag are the same) -> whether the operation goes ahead
HOLDS = {
    (ANY_ETAG, True): True,
    (ANY_ETAG, False): True,
    (ETAG_IS_THE_SAME, True): True,
    (ETAG_IS_THE_SAME, False): False,
    (ETAG_HAS_CHANGED, True): False,
    (ETAG_HAS_CHANGED, False): True,
}
# (retrieval, whether they are the same) -> whether the value of an unchanged item is returned
BRINGS = {
    (ALWAYS_RETRIEVE, True): True,
    (ALWAYS_RETRIEVE, False): True,
    (IF_ETAG_CHANGED, True): False,
    (IF_ETAG_CHANGED, False): True,
    (NEVER_RETRIEVE, True): False,
    (NEVER_RETRIEVE, False): False,
}


class _Row(NamedTuple):
    """One combination, with the item in the required state."""

    condition: Any
    retrieval: Any
    present: bool
    expected: Any
    actual: Any
    holds: bool
    left: Any  # the value returned for an unchanged item


class ConditionalLaws(StoreBase):
    """Laws of conditional operations; `StoreContract` inherits them."""

    def _rows(self, store: Any) -> Iterator[_Row]:
        """Set up every combination of condition, retrieval, presence and expected etag."""
        key, value = self.keys[0], self.values[0]
        store[key] = self.values[1]
        stale = store.etag(key)
        for condition, retrieval, present, expects in itertools.product(
            (ANY_ETAG, ETAG_IS_THE_SAME, ETAG_HAS_CHANGED),
            (ALWAYS_RETRIEVE, IF_ETAG_CHANGED, NEVER_RETRIEVE),
            (True, False),
            ("same", "stale", "absent"),
        ):
            store.discard(key)
            if present:
                store[key] = value
            actual = store.etag(key) if present else ITEM_NOT_AVAILABLE
            expected = {"same": actual, "stale": stale, "absent": ITEM_NOT_AVAILABLE}[expects]
            same = expects == "same" or (expects == "absent" and not present)
            left = value if BRINGS[retrieval, same] else VALUE_NOT_RETRIEVED
            yield _Row(
                condition,
                retrieval,
                present,
                expected,
                actual,
                HOLDS[condition, same],
                left if present else ITEM_NOT_AVAILABLE,
            )

    def _now(self, store: Any) -> Any:
        return store.etag(self.keys[0]) if self.keys[0] in store else ITEM_NOT_AVAILABLE

    def test_get_item_if_follows_the_table(self, place: Path) -> None:
        """Reading returns both etags and whether the condition holds, and changes nothing."""
        store = self.fresh(place, CAS_THREADS)
        for row in self._rows(store):
            result = store.get_item_if(
                self.keys[0],
                condition=row.condition,
                expected_etag=row.expected,
                retrieve_value=row.retrieval,
            )
            assert tuple(result) == (row.holds, row.actual, row.actual, row.left), row
            assert not result.value_was_mutated
            assert self._now(store) == row.actual

    def test_set_item_if_follows_the_table(self, place: Path) -> None:
        """Writing happens where the condition holds, and nowhere else; jokers are obeyed there only."""
        store = self.fresh(place, CAS_THREADS)
        key = self.keys[0]
        for new in (self.values[2], KEEP_CURRENT, DELETE_CURRENT):
            for row in self._rows(store):
                result = store.set_item_if(
                    key,
                    value=new,
                    condition=row.condition,
                    expected_etag=row.expected,
                    retrieve_value=row.retrieval,
                )
                now = self._now(store)
                assert result.condition_was_satisfied is row.holds, row
                assert result.actual_etag == row.actual, row
                assert result.resulting_etag == now, row
                if not row.holds or new is KEEP_CURRENT:
                    assert now == row.actual, row
                    assert result.new_value == row.left, row
                    assert key not in store or store[key] == self.values[0]
                elif new is DELETE_CURRENT:
                    assert now is ITEM_NOT_AVAILABLE, row
                    assert result.new_value is ITEM_NOT_AVAILABLE, row
                else:
                    assert now != row.actual, row
                    assert result.new_value == store[key] == new, row
                assert result.value_was_mutated == (now != row.actual)

    def test_setdefault_if_follows_the_table(self, place: Path) -> None:
        """Inserting happens where there is nothing and the condition holds; a present item stays."""
        store = self.fresh(place, CAS_THREADS)
        key, default = self.keys[0], self.values[2]
        for row in self._rows(store):
            result = store.setdefault_if(
                key,
                default_value=default,
                condition=row.condition,
                expected_etag=row.expected,
                retrieve_value=row.retrieval,
            )
            now = self._now(store)
            inserts = row.holds and not row.present
            assert tuple(result) == (row.holds, row.actual, now, default if inserts else row.left), row
            assert store.get(key, "none") == (
                default if inserts else self.values[0] if row.present else "none"
            )
        for joker in (KEEP_CURRENT, DELETE_CURRENT, ITEM_NOT_AVAILABLE):
            with pytest.raises(InvalidArgumentError):
                store.setdefault_if(
                    key, default_value=joker, condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE
                )

    def test_discard_if_follows_the_table(self, place: Path) -> None:
        """Deleting happens where the condition holds, and brings no value."""
        store = self.fresh(place, CAS_THREADS)
        for row in self._rows(store):
            result = store.discard_if(self.keys[0], condition=row.condition, expected_etag=row.expected)
            stays = row.present and not row.holds
            left = (row.actual, VALUE_NOT_RETRIEVED) if stays else (ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE)
            assert tuple(result) == (row.holds, row.actual, *left), row
            assert (self.keys[0] in store) is stays

    def test_conditional_operations_check_their_arguments(self, place: Path) -> None:
        """Invalid flags, etags and keys are refused."""
        store = self.fresh(place, CAS_THREADS)
        usual = {
            "condition": ANY_ETAG,
            "expected_etag": ITEM_NOT_AVAILABLE,
            "retrieve_value": ALWAYS_RETRIEVE,
        }
        for wrong in (
            {"condition": True},
            {"condition": ALWAYS_RETRIEVE},
            {"expected_etag": 5},
            {"expected_etag": None},
            {"expected_etag": ANY_ETAG},
            {"retrieve_value": ANY_ETAG},
            {"retrieve_value": False},
        ):
            with pytest.raises(InvalidArgumentError):
                store.get_item_if(self.keys[0], **{**usual, **wrong})
            with pytest.raises(InvalidArgumentError):
                store.set_item_if(self.keys[0], value=self.values[0], **{**usual, **wrong})
        key = self.impossible
        with pytest.raises(InvalidKeyError):
            store.get_item_if(key, **usual)
        with pytest.raises(InvalidKeyError):
            store.set_item_if(key, value=self.values[0], **usual)
        with pytest.raises(InvalidKeyError):
            store.transform_item(key, transformer=lambda old: old)
        assert len(store) == 0

    def test_an_etag_changes_with_the_value_only(self, place: Path) -> None:
        """The etag stays while nobody writes, and every change leads to another."""
        store = self.fresh(place, CAS_THREADS)
        key = self.keys[0]
        met = set()
        for number in range(self.times(60)):
            store[key] = self.values[number % len(self.values)]
            etag = store.etag(key)
            assert isinstance(etag, str)
            assert etag == store.etag(key)
            assert store[key] == self.values[number % len(self.values)]
            assert store.etag(key) == etag
            met.add((etag, number % len(self.values)))
            if number % 7 == 0:
                del store[key]
        assert len({etag for etag, _ in met}) == len(met), "one etag stood for two values"

    # ------------------------------------------------------------------ transforming

    def test_transform_item_replaces_by_a_function(self, place: Path) -> None:
        """The transformer gets the value, or the mark of absence, and its result is stored."""
        store, model = self.partly(place, CAS_THREADS)
        given: list[Any] = []

        def replace(old: Any) -> Any:
            given.append(old)
            return self.values[2]

        for key in (self.keys[0], self.absent):
            before = store.etag(key) if key in store else ITEM_NOT_AVAILABLE
            result = store.transform_item(key, transformer=replace)
            assert tuple(result) == (store.etag(key), self.values[2], 1, before)
            model[key] = self.values[2]
        assert given == [self.values[0], ITEM_NOT_AVAILABLE]
        assert same_items(store, model)

    def test_transform_item_obeys_jokers(self, place: Path) -> None:
        """KEEP_CURRENT leaves the item, DELETE_CURRENT deletes it, present or not."""
        store, model = self.partly(place, CAS_THREADS)
        key = self.keys[0]
        etag = store.etag(key)
        kept = store.transform_item(key, transformer=lambda _: KEEP_CURRENT)
        assert tuple(kept) == (etag, model[key], 1, etag)
        gone = (ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE, 1)
        for joker in (KEEP_CURRENT, DELETE_CURRENT):
            left = store.transform_item(self.absent, transformer=lambda _, give=joker: give)
            assert tuple(left) == (*gone, ITEM_NOT_AVAILABLE)
        assert same_items(store, model)
        assert tuple(store.transform_item(key, transformer=lambda _: DELETE_CURRENT)) == (*gone, etag)
        del model[key]
        assert same_items(store, model)

    def test_transform_item_tries_again_as_often_as_it_may(self, place: Path) -> None:
        """Each lost race is one more attempt; after the last one a conflict reports how many there were."""
        store = self.fresh(place, CAS_THREADS)
        key = self.keys[0]
        for losses, retries in ((0, 0), (1, 1), (2, 6), (3, 3), (9, None), (9, "the default")):
            seen: list[Any] = []

            def transform(old: Any, losses: int = losses, seen: list[Any] = seen) -> Any:
                seen.append(old)
                if len(seen) <= losses:
                    store[key] = self.values[len(seen) % 2]
                return self.values[2]

            options = {} if retries == "the default" else {"n_retries": retries}
            store[key] = self.values[0]
            result = store.transform_item(key, transformer=transform, **options)
            assert result.attempts == len(seen) == losses + 1
            assert store[key] == result.new_value == self.values[2]
        for retries in (0, 2):
            calls: list[int] = []

            def lose(_: Any, calls: list[int] = calls) -> Any:
                calls.append(1)
                store[key] = self.values[len(calls) % 2]
                return self.values[2]

            with pytest.raises(ConflictError) as caught:
                store.transform_item(key, transformer=lose, n_retries=retries)
            assert caught.value.attempts == len(calls) == retries + 1
            assert caught.value.actual == store.etag(key)
            assert store[key] != self.values[2]
        for wrong in (-1, 1.5, True, "6"):
            with pytest.raises(InvalidArgumentError):
                store.transform_item(key, transformer=lambda old: old, n_retries=wrong)

    def test_a_transformer_that_fails_changes_nothing(self, place: Path) -> None:
        """Errors of the transformer are raised unchanged."""
        store, model = self.partly(place, CAS_THREADS)
        for key in (self.keys[0], self.absent):
            for error in (ZeroDivisionError, KeyError, ConflictError):

                def fail(_: Any, error: Any = error) -> Any:
                    raise error("of the transformer")

                with pytest.raises(error, match="of the transformer"):
                    store.transform_item(key, transformer=fail)
        assert same_items(store, model)

    def test_no_transformation_of_threads_is_lost(self, place: Path) -> None:
        """Two threads that each move a value on by one step, again and again, move it on by two each time."""
        store = self.fresh(place, CAS_THREADS)
        key, ring = self.keys[0], list(self.values)
        store[key] = ring[0]
        gate = threading.Barrier(2)

        def step(old: Any) -> Any:
            return ring[(ring.index(old) + 1) % len(ring)]

        def work(_: int) -> None:
            try:
                for number in range(1, self.times(60) + 1):
                    gate.wait()
                    store.transform_item(key, transformer=step, n_retries=None)
                    gate.wait()
                    assert store[key] == ring[2 * number % len(ring)], "a step was lost"
            except BaseException:
                gate.abort()
                raise

        in_threads(2, work)
