"""Laws of stores as dicts: behaviour of the whole dict protocol, compared with a dict."""

import tempfile
from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability
from holdall.errors import UnsupportedError
from holdall.testing._races import in_threads
from holdall.testing._store_base import StoreBase, same_items


class _HasKeys:
    """The minimal mapping that `dict.update` accepts."""

    def __init__(self, items: dict[Any, Any]) -> None:
        self.inner = items

    def keys(self) -> Any:
        return self.inner.keys()

    def __getitem__(self, key: Any) -> Any:
        return self.inner[key]


class MannersLaws(StoreBase):
    """Laws of a store as a dict; `StoreContract` inherits them."""

    def intrude(self, place: Path) -> Any:  # noqa: ARG002  (for overrides)
        """Store an item in an empty place by other means than holdall, and return its key."""
        pytest.skip("no intrude() is given")

    def test_writing_by_every_verb(self, place: Path) -> None:
        """[], update in all of its forms, setdefault and |= leave and give what they do with a dict."""
        one, two, three, four = self.keys[:4]
        v1, v2, v3 = self.values[:3]
        store = self.fresh(place, Capability.WRITABLE)
        for write in (
            lambda m: m.__setitem__(one, v2),
            lambda m: m.__setitem__(four, v2),
            lambda m: m.update({one: v3, four: v1}),
            lambda m: m.update([(one, v2), (three, v2)]),
            lambda m: m.update(iter([(one, v3), (one, v2)])),
            lambda m: m.update(_HasKeys({four: v3})),
            lambda m: m.update(UserDict({two: v1})),
            lambda m: m.update({}),
            lambda m: m.update(),
            lambda m: m.__ior__({two: v1}) is m,
            lambda m: m.__ior__([(four, v2)]) is m,
            lambda m: m.setdefault(one, v3),
            lambda m: m.setdefault(four, v2),
            lambda m: m.update(m),
        ):
            store.clear()
            model = dict(zip(self.keys[:3], self.values[:3], strict=True))
            store.update(model)
            assert write(store) == write(model)
            assert same_items(store, model)

    def test_update_takes_keywords(self, place: Path) -> None:
        """Keywords are keys too, and win over what comes before them."""
        store = self.fresh(place, Capability.WRITABLE)
        one, two = self.keys[:2]
        if not all(isinstance(key, str) for key in (one, two)):
            pytest.skip("keys are not text")
        store.update({one: self.values[0]}, **{one: self.values[1], two: self.values[2]})
        assert same_items(store, {one: self.values[1], two: self.values[2]})

    def test_defaults_insert_nothing(self, place: Path) -> None:
        """Asking for an absent key with a default, or deleting it by discard, changes nothing."""
        store, model = self.partly(place)
        default = object()
        assert store.get(self.absent, default) is default
        assert store.pop(self.absent, default) is default
        assert store.get(self.absent) is store.pop(self.absent, None) is None
        assert store.discard(self.absent) is False
        assert same_items(store, model)

    def test_views_behave_as_sets(self, place: Path) -> None:
        """Views of keys and items take part in the operations of sets."""
        store, model = self.partly(place)
        first = self.keys[0]
        keys, items = store.keys(), store.items()
        assert keys == set(model)
        assert keys & {first, self.absent} == {first}
        assert keys | {self.absent} == set(model) | {self.absent}
        assert keys - {first} == set(model) - {first}
        assert keys ^ {first} == set(model) - {first}
        assert keys.isdisjoint({self.absent})
        assert keys <= {*model, self.absent}
        assert (first, self.values[0]) in items
        assert (first, self.values[1]) not in items
        assert (self.absent, self.values[0]) not in items
        assert "no pair" not in items

    def test_equality_is_that_of_a_dict(self, place: Path) -> None:
        """A store equals any mapping with the same items, in any order, and nothing else."""
        store, model = self.partly(place)
        for same in (model, dict(reversed(model.items())), UserDict(model), store):
            assert store == same
            assert not store != same  # noqa: SIM202  (both operators are tested)
        fewer = dict(list(model.items())[1:])
        for different in (
            {},
            fewer,
            {**model, self.absent: self.values[0]},
            {**model, self.keys[0]: self.values[1]},
            {**fewer, self.absent: self.values[0]},
            None,
            3,
            list(model),
            list(model.items()),
        ):
            assert store != different
            assert not store == different  # noqa: SIM201
        with pytest.raises(TypeError):
            hash(store)

    def test_merging_gives_plain_dicts(self, place: Path) -> None:
        """`|` on either side and copy() give dicts, and leave the store as it is."""
        store, model = self.partly(place)
        other = {self.keys[0]: self.values[2], self.absent: self.values[0]}
        for result, expected in (
            (store | other, model | other),
            (other | store, other | model),
            (store | store, model),
            (store.copy(), model),
        ):
            assert type(result) is dict
            assert result == expected
        merges: tuple[Callable[[], Any], ...] = (lambda: store | [1], lambda: [1] | store)
        for merge in merges:
            with pytest.raises(TypeError):
                merge()
        assert same_items(store, model)

    def test_fromkeys_makes_a_store(self, place: Path) -> None:
        """Store.fromkeys(keys, value) is a new store with that value for each key."""
        kind = type(self.fresh(place, Capability.WRITABLE))
        usual, tempfile.tempdir = tempfile.tempdir, str(place)
        try:
            made = kind.fromkeys(["one", "two"], "value")
        except TypeError:
            pytest.skip("the class needs arguments")
        finally:
            tempfile.tempdir = usual
        assert type(made) is kind
        assert same_items(made, {"one": "value", "two": "value"})
        made.close()

    def test_clear_asks_before_it_deletes_what_others_wrote(self, place: Path) -> None:
        """A store with foreign items is cleared by force only."""
        key = self.intrude(place)
        store = self.fresh(place, Capability.WRITABLE)
        store[self.absent] = self.values[0]
        with pytest.raises(UnsupportedError):
            store.clear()
        assert set(store) == {key, self.absent}
        store.clear(force=True)
        assert list(store) == []

    def test_items_leave_out_what_vanishes(self, place: Path) -> None:
        """Deleting items during iteration is no error."""
        store, model = self.partly(place)
        for seen, (key, value) in enumerate(store.items()):
            assert model[key] == value
            if seen == 0:
                for other in set(model) - {key}:
                    store.discard(other)
        assert len(store) == 1
        store.update(model)
        for key in store:
            del store[key]
        assert same_items(store, {})

    def test_one_of_several_threads_inserts_an_item(self, place: Path) -> None:
        """Of several that call setdefault at once, one inserts its default; all get it."""
        store = self.fresh(place, Capability.CAS_THREADS)
        key = self.keys[0]
        for _ in range(20):
            store.discard(key)
            got = in_threads(3, lambda me: store.setdefault(key, self.values[me]))
            assert got == [store[key]] * 3
