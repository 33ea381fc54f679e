"""Laws of many items at once: copying between stores, and progress."""

import copy
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability, PersisterWrapper
from holdall.errors import CorruptValueError, HoldallError, InvalidArgumentError, UnsupportedError
from holdall.store import Store
from holdall.testing._store_base import StoreBase, same_items

WRITABLE = Capability.WRITABLE
AGES = (300, 200, 100)  # seconds


class _Counting(PersisterWrapper):
    """Count the verbs by which a persister is written."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.calls: list[str] = []

    def put(self, id: Any, data: Any) -> None:
        self.calls.append("put")
        self.inner.put(id, data)

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:
        self.calls.append("write_many")
        self.inner.write_many(items)


class CopyLaws(StoreBase):
    """Laws of many items at once; `StoreContract` inherits them."""

    filled: Callable[..., Any]

    def test_copying_into_a_store_writes_many_at_once(self, place: Path) -> None:
        """copy_to() passes all items to a store at once, and counts them."""
        items = {key: self.values[number % 3] for number, key in enumerate(self.keys)}
        source: Store[Any, Any] = Store(dict(items))
        store = self.fresh(place)
        counting = _Counting(store.pipeline.persister)
        counts: list[int] = []
        target = store.with_persister(counting)
        assert source.copy_to(target, progress=counts.append) == len(items)
        assert counting.calls == ["write_many"]
        assert counts == list(range(1, len(items) + 1))
        assert same_items(store, items)

    def test_copying_what_is_new_leaves_the_rest(self, place: Path) -> None:
        """With only_new=True nothing is overwritten, for any source and target."""
        store, items = self.filled(place)
        kept = dict.fromkeys(list(items)[:2], "kept")
        target: dict[Any, Any] = dict(kept)
        counts: list[int] = []
        assert store.copy_to(target, only_new=True, progress=counts.append) == len(items) - 2
        assert counts == list(range(1, len(items) - 1))
        assert target == {**items, **kept}
        store.discard(self.keys[0])
        other = dict.fromkeys(items, self.values[1])
        assert Store(other).copy_to(store, only_new=True) == 1
        assert same_items(store, {**items, self.keys[0]: self.values[1]})

    def test_copying_keeps_times_or_refuses(self, place: Path) -> None:
        """With keep_times=True an item keeps its age; if times cannot be kept nothing is copied."""
        store = self.fresh(place)
        items = dict(zip(self.keys[:3], self.values[:3], strict=True))
        dated: Store[Any, Any] = Store({})
        times = dict(zip(items, (time.time() - age for age in AGES), strict=True))
        dated.pipeline.persister.write_dated((key, items[key], times[key]) for key in items)
        try:
            copied = dated.copy_to(store, keep_times=True)
        except UnsupportedError:
            assert same_items(store, {})
        else:
            assert copied == len(items)
            assert same_items(store, items)
            back: Store[Any, Any] = Store({})
            assert store.copy_to(back, keep_times=True) == len(items)
            for key in items:
                for held in (store, back):
                    assert held.timestamp(key) == pytest.approx(times[key], abs=2)
            before = store.etag(self.keys[0])
            dated.copy_to(store, keep_times=True)
            assert store.etag(self.keys[0]) != before, "an etag came twice"
        with pytest.raises(UnsupportedError, match="keep_times"):
            dated.copy_to({}, keep_times=True)

    def test_copying_skips_what_cannot_be_stored(self, place: Path) -> None:
        """With on_error="skip" all others are copied, and one warning names what is missing."""
        store = self.fresh(place)
        good = dict(zip(self.keys[:3], self.values[:3], strict=True))
        pairs = [*list(good.items())[:1], (self.impossible, self.values[0]), *list(good.items())[1:]]

        class Pairs(Store[Any, Any]):
            """Holds keys that cannot be keys of a dict."""

            def __iter__(self) -> Any:
                return iter([key for key, _ in pairs])

            def __getitem__(self, wanted: Any) -> Any:
                return next(value for key, value in pairs if key == wanted)

        with pytest.raises((HoldallError, TypeError)):
            Pairs().copy_to(store)
        store.clear()
        counts: list[int] = []
        with pytest.warns(RuntimeWarning, match=r"copied 3 items and left out 1: .*InvalidKeyError"):
            assert Pairs().copy_to(store, on_error="skip", progress=counts.append) == len(good)
        assert counts == [1, 2, 3]
        assert same_items(store, good)

    def test_copying_skips_what_cannot_be_read(self, place: Path) -> None:
        """With on_error="skip" a damaged value is left out, with a warning."""
        store, items = self.filled(place)
        damaged, sound = copy.copy(store), copy.copy(store)

        def decode(data: Any) -> Any:
            value = sound._obj_of_data(data)
            if value == self.values[0]:
                raise KeyError("damaged")
            return value

        damaged._obj_of_data = decode
        with pytest.raises(CorruptValueError):
            damaged.copy_to({})
        target: dict[Any, Any] = {}
        left = {key: value for key, value in items.items() if value != self.values[0]}
        missing = len(items) - len(left)
        with pytest.warns(
            RuntimeWarning, match=f"copied {len(left)} items and left out {missing}: .*Corrupt"
        ):
            assert damaged.copy_to(target, on_error="skip") == len(left)
        assert target == left

    def test_what_is_copied_to_is_a_mapping(self, place: Path) -> None:
        """A path, a class and a wrong option are refused, with advice what to do."""
        store = self.open(place)
        with pytest.raises(InvalidArgumentError, match=r"FileDirStore\('elsewhere'\)"):
            store.copy_to("elsewhere")
        for wrong in (Path("elsewhere"), dict, None, 5, (1, 2)):
            with pytest.raises(InvalidArgumentError, match="mutable mapping"):
                store.copy_to(wrong)
        with pytest.raises(InvalidArgumentError, match="'raise' or 'skip'"):
            store.copy_to({}, on_error="ignore")

    def test_update_and_reading_tell_their_progress(self, place: Path) -> None:
        """A function gets the number of items so far, after each; a keyword of that name is an item."""
        store = self.fresh(place)
        items = {key: self.values[number % 3] for number, key in enumerate(self.keys)}
        steps = list(range(1, len(items) + 1))
        for take in (
            lambda tell: store.update(list(items.items()), tell),
            lambda tell: list(store.items(progress=tell)),
            lambda tell: list(store.values(progress=tell)),
            lambda tell: store.copy(progress=tell),
        ):
            counts: list[int] = []
            take(counts.append)
            assert counts == steps
        assert same_items(store, items)
