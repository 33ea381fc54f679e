"""Copying between stores: many at once, with times where they are kept, past what cannot be copied."""

import os
import warnings

import pytest

from holdall import (
    CorruptValueError,
    FileDirStore,
    MemoryStore,
    ReadOnlyError,
    SQLiteStore,
    Store,
    StoreFullError,
    UnsupportedError,
    ZipStore,
)
from holdall.abc import PersisterWrapper
from holdall.serializers.text import TextSerializer
from holdall.stores.document import DocumentStore
from holdall.wrappers import read_only, wrap_kvs, write_once

ITEMS = {f"k{number:04}": number for number in range(2000)}
LONG_AGO = 1_000_000_000.25


def test_an_archive_is_written_once(tmp_path, monkeypatch):
    replaced = []
    target = ZipStore(tmp_path / "many.zip", serializer="json")
    whole = target.pipeline.persister._whole
    monkeypatch.setattr(whole, "replace", lambda *args, do=whole.replace: (replaced.append(1), do(*args)))
    assert Store(ITEMS).copy_to(target) == len(ITEMS)
    assert target == ITEMS
    assert len(replaced) == 1
    assert Store({**ITEMS, "new": 1}).copy_to(target, only_new=True) == 1
    assert len(replaced) == 2
    assert Store(ITEMS).copy_to(target, on_error="skip") == len(ITEMS)
    assert len(replaced) == 4  # a thousand at a time, so that others are none the worse for one


def test_an_append_only_archive_is_written_once(tmp_path, monkeypatch):
    replaced = []
    target = ZipStore(tmp_path / "many.zip", serializer="json", append_only=True)
    whole = target.pipeline.persister.inner._whole
    monkeypatch.setattr(whole, "replace", lambda *args, do=whole.replace: (replaced.append(1), do(*args)))
    assert Store(ITEMS).copy_to(target) == len(ITEMS)
    assert replaced == [1]
    for update in ({"new": 1, "k0007": 2}, [("new", 1), ("new", 2)]):
        with pytest.raises(
            ReadOnlyError, match=r"is append-only: '(k0007|new).*' is there and stays as it is"
        ) as caught:
            target.update(update)
        assert caught.value.location == str(tmp_path / "many.zip")
    assert target == ITEMS


def test_a_database_takes_all_or_nothing(tmp_path):
    target = SQLiteStore(tmp_path / "many.db", serializer="json")
    with pytest.raises(ValueError, match="bad"):
        Store({**ITEMS, "bad": {1}}).copy_to(target)
    assert len(target) == 0
    with pytest.warns(RuntimeWarning, match=r"copied 2000 items and left out 1: 'bad' \(SerializationError"):
        assert Store({**ITEMS, "bad": {1}}).copy_to(target, on_error="skip") == len(ITEMS)
    assert target == ITEMS


def test_what_the_place_refuses_is_left_out_alone():
    class Choosy(PersisterWrapper):
        def put(self, id, data):
            if data % 500 == 7:
                raise ReadOnlyError(f"{id} stays away")
            self.inner.put(id, data)

    target = MemoryStore().derive(lambda store: store.pipeline.over(Choosy(store.pipeline.persister)))
    with pytest.warns(
        RuntimeWarning, match="copied 1996 items and left out 4: 'k0007' .*, 'k0507' .* and 1 more"
    ):
        assert Store(ITEMS).copy_to(target, on_error="skip") == 1996
    assert target == {key: value for key, value in ITEMS.items() if value % 500 != 7}


@pytest.mark.parametrize(
    "make", [lambda: MemoryStore(append_only=True), lambda: write_once(MemoryStore(), check_probability=1)]
)
def test_an_append_only_store_gets_what_it_does_not_have(make):
    target = make()
    target["k0001"] = "kept"
    with pytest.warns(RuntimeWarning, match="copied 1999 items and left out 1: 'k0001'"):
        assert Store(ITEMS).copy_to(target, on_error="skip") == 1999
    assert target == {**ITEMS, "k0001": "kept"}
    assert Store(ITEMS).copy_to(target, only_new=True) == 0


def test_a_place_that_takes_nothing_is_an_error_whatever_is_skipped():
    class Full(PersisterWrapper):
        def put(self, id, data):
            raise StoreFullError(28, "full")

    full = MemoryStore().derive(lambda store: store.pipeline.over(Full(store.pipeline.persister)))
    for target, error in ((full, StoreFullError), (read_only(MemoryStore()), ReadOnlyError)):
        for options in ({}, {"on_error": "skip"}, {"only_new": True}):
            with pytest.raises(error):
                Store(ITEMS).copy_to(target, **options)


@pytest.mark.parametrize(
    ("name", "open_at"),
    [
        ("memory", lambda path: MemoryStore()),
        ("folder", lambda path: FileDirStore(path, serializer="json")),
        ("zip", lambda path: ZipStore(path, serializer="json")),
        ("a part", lambda path: FileDirStore(path, serializer="json").get_subdict("part")),
        ("wrapped", lambda path: wrap_kvs(FileDirStore(path, serializer="json"), id_of_key=str.upper,
                                          key_of_id=str.lower)),
    ],
)  # fmt: skip
def test_times_are_kept(name, open_at, tmp_path):
    old = FileDirStore(tmp_path / "old", serializer="json")
    old.update(a=1, b=2)
    os.utime(old.file_of("a"), (LONG_AGO, LONG_AGO))
    new = open_at(tmp_path / "new")
    assert old.copy_to(new, keep_times=True) == 2
    assert new.timestamp("a") == pytest.approx(LONG_AGO, abs=0.002)
    assert new.timestamp("b") == pytest.approx(old.timestamp("b"), abs=0.002)
    assert new.oldest_keys(1) == ["a"]
    etags = set()
    for number in range(50):  # the same time, again and again
        old["a"] = number
        os.utime(old.file_of("a"), (LONG_AGO, LONG_AGO))
        old.copy_to(new, keep_times=True)
        etags.add(new.etag("a"))
    assert len(etags) == 50


def test_where_times_are_not_kept_nothing_is_copied(tmp_path):
    source = Store(ITEMS)
    for target in (SQLiteStore(tmp_path / "times.db"), {}, DocumentStore(tmp_path / "times.json")):
        with pytest.raises(UnsupportedError, match="keep_times"):
            source.copy_to(target, keep_times=True)
        assert len(target) == 0


def test_a_subclass_gets_what_it_overrides(tmp_path):
    class Loud(MemoryStore):
        def __setitem__(self, key, value):
            if value == 5:
                raise ValueError("five")
            super().__setitem__(key.upper(), value)

    small = Store({key: ITEMS[key] for key in list(ITEMS)[:10]})
    target = Loud()
    with pytest.warns(RuntimeWarning, match=r"'k0005' \(ValueError: five\)"):
        assert small.copy_to(target, on_error="skip") == 9
    assert "K0001" in target
    counts = []
    target.update({"a": 1, "b": 2}, counts.append, c=3)
    assert (counts, target["C"]) == ([1, 2, 3], 3)


class NamedBytes(bytes):
    """Bytes, and yet another type."""


@pytest.mark.parametrize("kind", [bytearray, memoryview, NamedBytes])
def test_skipping_takes_data_of_any_type(tmp_path, kind):
    """A serializer may return any buffer, and that of a shared place returns a kind of its own."""

    class Texts(TextSerializer):
        def dumps(self, value):
            return kind(value.encode())

    target = SQLiteStore(tmp_path / "kinds.db", serializer=Texts())
    assert Store({"a": "1", "b": "2"}).copy_to(target, on_error="skip") == 2
    assert target == {"a": "1", "b": "2"}


def test_skipping_reads_past_damage(tmp_path):
    store = FileDirStore(tmp_path / "damaged", serializer="json")
    store.update(a=1, b=2, c=3)
    with open(store.file_of("b"), "w") as file:
        file.write("{torn")
    with pytest.raises(CorruptValueError):
        store.copy_to({})
    target = {}
    with pytest.warns(RuntimeWarning, match=r"copied 2 items and left out 1: 'b' \(CorruptValueError"):
        store.copy_to(target, on_error="skip")
    assert target == {"a": 1, "c": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Store(target).copy_to({}, on_error="skip") == 2
