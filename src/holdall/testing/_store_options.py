"""Laws of stores beyond a dict: hooks, options, failing serializers, display, handles."""

import copy
import math
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability
from holdall.conditional import DELETE_CURRENT, KEEP_CURRENT
from holdall.errors import InvalidArgumentError, ReadOnlyError, SerializationError
from holdall.testing._store_base import StoreBase, same_items


class OptionLaws(StoreBase):
    """Laws of hooks, options and handles; `StoreContract` inherits them."""

    #: A value that no serializer can write.
    unstorable: Any = threading.Lock()

    def open_with(self, place: Path, **options: Any) -> Any:  # noqa: ARG002  (for overrides)
        """Open the store with ``value_type=`` or ``append_only=``; without it their laws are skipped."""
        pytest.skip("no open_with() is given")

    # ------------------------------------------------------------------ hooks

    def test_each_hook_alone_takes_part(self, place: Path) -> None:
        """A single hook is used by reading, writing and listing, and breaks nothing."""
        store, model = self.partly(place)
        for name in ("_id_of_key", "_key_of_id", "_data_of_obj", "_obj_of_data"):
            asked: list[Any] = []
            hooked = copy.copy(store)
            usual = getattr(hooked, name)

            def hook(given: Any, asked: list[Any] = asked, usual: Any = usual) -> Any:
                asked.append(given)
                return usual(given)

            setattr(hooked, name, hook)
            hooked[self.absent] = model[self.absent] = self.values[0]
            assert same_items(hooked, model)
            assert asked, f"{name} was not asked"
            is_text = isinstance(self.keys[0], str)
            part = hooked.get_subdict("part" if is_text else ("part",))
            inner = "inner" if is_text else ("inner",)
            before = len(asked)
            part[inner] = self.values[1]
            assert part[inner] == self.values[1]
            assert list(part) == [inner]
            assert len(asked) > before, f"{name} was not asked by a view"
            part.clear(force=True)
            assert same_items(store, model)

    def test_one_way_names_are_listed_as_they_are_found(self, place: Path) -> None:
        """With a one-way `_id_of_key`, listing, ``len`` and ``in`` agree, and no key comes twice."""
        self.text_keys()
        store = self.fresh(place, Capability.WRITABLE)
        one, two, three = self.values[:3]
        store.update({"one": one, "ONE": two, "two": three})
        folded = copy.copy(store)
        usual = folded._id_of_key
        folded._id_of_key = lambda key: usual(key.lower())
        assert same_items(folded, {"one": one, "two": three})
        folded["Two"] = two
        folded["THREE"] = one
        assert (folded["ONE"], folded["tWO"]) == (one, two)
        assert same_items(folded, {"one": one, "two": two, "three": one})
        folded.clear(force=True)
        assert same_items(folded, {})
        assert same_items(store, {"ONE": two})

    def test_hooks_of_values_change_what_is_kept(self, place: Path) -> None:
        """What `_data_of_obj` gives is stored, and what `_obj_of_data` gives is read."""
        store, model = self.partly(place)
        key, (old, new) = self.keys[0], self.values[:2]
        writing = copy.copy(store)
        dump = writing._data_of_obj
        writing._data_of_obj = lambda value: dump(new if value == old else value)
        writing[key] = old
        assert store[key] == new
        reading = copy.copy(store)
        load = reading._obj_of_data
        reading._obj_of_data = lambda data: old if load(data) == new else load(data)
        assert reading[key] == old
        assert reading.get(key) == dict(reading.items())[key] == old
        assert same_items(store, {**model, key: new})

    # ------------------------------------------------------------------ guards

    def test_values_of_another_type_are_refused(self, place: Path) -> None:
        """With value_type=, every verb refuses other values before anything is written."""
        good = self.values[0]
        store = self.open_with(place, value_type=type(good))
        key = self.keys[0]
        store[key] = good
        bad = 3.5 if not isinstance(good, float) else "text"
        writes: tuple[Callable[[Any], Any], ...] = (
            lambda key: store.__setitem__(key, bad),
            lambda key: store.update({key: bad}),
            lambda key: store.update([(key, bad)]),
            lambda key: store.__ior__({key: bad}),
            lambda key: store.transform_item(key, transformer=lambda _: bad),
        )
        for write in writes:
            for name in (key, self.absent):
                with pytest.raises(InvalidArgumentError) as caught:
                    write(name)
                assert isinstance(caught.value, TypeError)
        with pytest.raises(TypeError):
            store.setdefault(self.absent, bad)
        assert same_items(store, {key: good})
        store[key] = KEEP_CURRENT
        store[key] = DELETE_CURRENT
        assert same_items(store, {})

    def test_values_of_another_type_are_not_read(self, place: Path) -> None:
        """With value_type=, no verb gives a value of another type, which another handle has stored."""
        good, key, other = self.values[0], self.keys[0], self.keys[1]
        bad = 3.5 if not isinstance(good, float) else "text"
        free = self.open_with(place)
        if Capability.PERSISTENT not in free.pipeline.persister.capabilities:
            pytest.skip("two handles share nothing")
        try:
            free.update({key: bad, other: good})
        except SerializationError:
            pytest.skip("the serializer knows one type")
        free.flush()
        store = self.open_with(place, value_type=type(good))
        for read in (
            lambda: store[key],
            lambda: store.get(key),
            lambda: store.pop(key),
            lambda: store.pop(key, None),
            lambda: store.setdefault(key, good),
            lambda: dict(store.items()),
            lambda: list(store.values()),
            lambda: store.transform_item(key, transformer=lambda old: old),
        ):
            with pytest.raises(InvalidArgumentError, match="values of this store are") as caught:
                read()
            assert isinstance(caught.value, TypeError)
            assert repr(key) in str(caught.value)
        assert store[other] == good
        assert set(store) == {key, other}
        store[key] = good
        assert same_items(store, {key: good, other: good})

    def test_an_append_only_store_only_grows(self, place: Path) -> None:
        """With append_only=True, items are added by every verb, and changed or deleted by none."""
        store = self.open_with(place, append_only=True)
        one, two, three = self.keys[:3]
        v1, v2, v3 = self.values[:3]
        store[one] = v1
        store.update({two: v2})
        assert store.setdefault(three, v3) == v3
        assert store.setdefault(three, v1) == v3
        model = {one: v1, two: v2, three: v3}
        for change in (
            lambda: store.__setitem__(one, v2),
            lambda: store.__setitem__(one, DELETE_CURRENT),
            lambda: store.update({one: v2}),
            lambda: store.__ior__({one: v2}),
            lambda: store.__delitem__(one),
            lambda: store.pop(one),
            lambda: store.pop(one, None),
            lambda: store.discard(one),
            lambda: store.transform_item(one, transformer=lambda _: v2),
            lambda: store.transform_item(one, transformer=lambda _: DELETE_CURRENT),
            lambda: store.clear(force=True),
            store.popitem,
        ):
            with pytest.raises(ReadOnlyError):
                change()
            assert same_items(store, model)
        assert store.pop(self.absent, 7) == 7
        assert store.discard(self.absent) is False
        with pytest.raises(KeyError):
            del store[self.absent]

    def test_a_value_that_cannot_be_written_leaves_the_old_one(self, place: Path) -> None:
        """A failure to serialize raises, and changes nothing."""
        store, model = self.partly(place)
        if store.serializer is None:
            pytest.skip("values are kept as they are")
        writes: tuple[Callable[[Any], Any], ...] = (
            lambda key: store.__setitem__(key, self.unstorable),
            lambda key: store.update({key: self.unstorable}),
            lambda key: store.transform_item(key, transformer=lambda _: self.unstorable),
        )
        for write in writes:
            for key in (self.keys[0], self.absent):
                with pytest.raises(SerializationError):
                    write(key)
        with pytest.raises(SerializationError):
            store.setdefault(self.absent, self.unstorable)
        assert same_items(store, model)

    def test_a_large_value_comes_back_as_it_was(self, place: Path) -> None:
        """A value that a serializer writes in pieces is stored as a whole by every verb, not as a view."""
        store = self.fresh(place, Capability.WRITABLE)
        if not isinstance(self.values[0], str | bytes):
            pytest.skip("values are neither text nor bytes")
        large = self.values[0] * 70_000
        store[self.absent] = large
        assert store[self.absent] == large
        writes: list[Callable[[Any], Any]] = [
            lambda key: store.update([(key, large)]),
            lambda key: store.setdefault(key, large),
        ]
        if Capability.CAS_THREADS in store.pipeline.persister.capabilities:
            writes.append(lambda key: store.transform_item(key, transformer=lambda _: large))
        for key in self.keys:
            for write in writes:
                store.discard(key)
                write(key)
                assert store[key] == large, "what was accepted cannot be read"

    # ------------------------------------------------------------------ what is shown

    def test_what_is_shown_is_escaped_and_bounded(self, place: Path) -> None:
        """Neither keys nor their number break a notebook."""
        self.text_keys()
        store = self.fresh(place, Capability.WRITABLE)
        store["<script>"] = self.values[0]
        assert "<script>" in store
        assert "<script>" not in store._repr_html_()
        store.update((f"{number:04}" + "x" * 60, self.values[0]) for number in range(self.times(1020)))
        assert len(store._repr_html_()) < 20_000
        assert len(store._ipython_key_completions_()) <= 1000
        assert len(repr(store)) < 2000

    # ------------------------------------------------------------------ handles

    def test_a_closed_store_is_open_again_when_it_is_used(self, place: Path) -> None:
        """close() may be called twice, and loses nothing."""
        store, model = self.partly(place, Capability.PERSISTENT)
        store.flush()
        store.close()
        store.close()
        assert same_items(self.open(place), model)
        assert same_items(store, model)
        store[self.absent] = model[self.absent] = self.values[0]
        assert same_items(self.open(place), model)

    def test_refreshing_and_purging_lose_nothing(self, place: Path) -> None:
        """refresh() and purge() change nothing where nothing is cached and nothing has expired."""
        store, model = self.partly(place)
        store.refresh()
        assert same_items(store, model)
        assert store.purge() == 0
        assert same_items(store, model)

    def test_old_items_are_purged_and_young_ones_stay(self, place: Path) -> None:
        """purge(older_than=) deletes items written longer ago than that, and returns how many."""
        store, model = self.partly(place, Capability.WRITABLE, Capability.MTIME)
        assert store.purge(older_than=3600) == 0
        assert same_items(store, model)
        for wrong in (-1, "1", True, math.nan):
            with pytest.raises(InvalidArgumentError):
                store.purge(older_than=wrong)
        time.sleep(self.tick)
        assert store.purge(older_than=0) == len(model)
        assert len(store) == 0

    def test_the_bytes_of_all_items_are_told(self, place: Path) -> None:
        """`nbytes` grows with what is stored, where sizes are known."""
        store, _ = self.partly(place, Capability.WRITABLE, Capability.BYTES)
        if not isinstance(self.values[0], str | bytes):
            pytest.skip("values are neither text nor bytes")
        before = store.nbytes
        store[self.absent] = self.values[0] * 70_000
        assert store.nbytes > before

    def test_two_stores_of_one_place_are_one(self, place: Path) -> None:
        """What is written or deleted through one store is visible in the other at once."""
        store, model = self.partly(place, Capability.PERSISTENT)
        second = self.open(place)
        assert same_items(second, model)
        second[self.absent] = model[self.absent] = self.values[0]
        store[self.keys[0]] = model[self.keys[0]] = self.values[2]
        del store[self.keys[1]], model[self.keys[1]]
        for either in (store, second):
            assert same_items(either, model)
            assert self.keys[1] not in either
            assert either.get(self.keys[1]) is None
        assert store.etag(self.absent) == second.etag(self.absent)

    def test_a_pickled_store_keeps_its_options(self, place: Path) -> None:
        """Stores can be sent to other processes with their options."""
        store, model = self.partly(place, Capability.PERSISTENT)
        again = pickle.loads(pickle.dumps(store))
        assert type(again) is type(store)
        assert repr(again) == repr(store)
        assert again.get_params().keys() == store.get_params().keys()
        again[self.absent] = model[self.absent] = self.values[0]
        assert same_items(store, model)
