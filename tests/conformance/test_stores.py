"""Every store passes the one suite."""

import shelve

import pytest

from holdall import (
    ITEM_NOT_AVAILABLE,
    FileDirStore,
    MemoryStore,
    MultiFormatStore,
    NullStore,
    ScriptStore,
    SQLiteStore,
    Store,
)
from holdall.conditional import ANY_ETAG
from holdall.keys import AnyKeys, PathKeys
from holdall.testing import StoreContract


class TestMemoryStore(StoreContract):
    def open(self, place):
        return MemoryStore()

    def open_with(self, place, **options):
        return MemoryStore(**options)


@pytest.mark.soak
class TestStoreOverADict(StoreContract):
    def open(self, place):
        return Store({}, serializer="json")

    def open_with(self, place, **options):
        return Store({}, serializer="json", **options)


class TestFileDirStore(StoreContract):
    def open(self, place):
        return FileDirStore(place / "store")


@pytest.mark.soak
class TestFileDirStoreOfJson(StoreContract):
    def open(self, place):
        return FileDirStore(place / "store", serializer="json", durability="power")

    def open_with(self, place, **options):
        return FileDirStore(place / "store", serializer="json", **options)

    def intrude(self, place):
        (place / "store").mkdir()
        (place / "store" / "foreign.json").write_text('"of somebody else"')
        return "foreign"


@pytest.mark.soak
class TestFileDirStoreWithTuples(StoreContract):
    keys = (("a",), ("b",), ("c", "d"), ("é ü", ".."))

    def open(self, place):
        return FileDirStore(place / "store", keys=tuple)

    def test_it_shows_itself_briefly(self, place):
        store, items = self.filled(place)
        assert len(repr(store)) < 2000
        assert set(store._ipython_key_completions_()) == set(items)

    def test_popping_threads_get_different_items(self, place):
        store, items = self.filled(place)
        assert {store.pop(key) for key in items} == set(self.values)


@pytest.mark.soak
class TestFileDirStoreOfAnyKeys(StoreContract):
    keys = (1, "1", "c/d", (True, 1.5))

    def open(self, place):
        return FileDirStore(place / "store", keys=AnyKeys() | PathKeys(suffix=".pkl"))


class TestSQLiteStore(StoreContract):
    def open(self, place):
        return SQLiteStore(place / "store.db")


@pytest.mark.soak
class TestSQLiteStoreOfJson(StoreContract):
    def open(self, place):
        return SQLiteStore(place / "store.db", serializer="json", table="of json", durability="power")

    def open_with(self, place, **options):
        return SQLiteStore(place / "store.db", serializer="json", **options)


@pytest.mark.soak
class TestSQLiteStoreOfAnyKeys(StoreContract):
    keys = (1, "1", "c/d", (True, 1.5))

    def open(self, place):
        return SQLiteStore(place / "store.db")


@pytest.mark.soak
class TestSQLiteStoreWithFiles(StoreContract):
    values = ("one" * 1000, "two", "three" * 1000)

    def open(self, place):
        return SQLiteStore(place / "store.db", files_from=1000)

    def open_with(self, place, **options):
        return SQLiteStore(place / "store.db", files_from=1000, **options)


@pytest.mark.soak
class TestPartOfASQLiteStore(StoreContract):
    def open(self, place):
        return SQLiteStore(place / "store.db").get_subdict("part")


@pytest.mark.soak
class TestFileDirStoreOfATemplate(StoreContract):
    def open(self, place):
        return FileDirStore(place / "store", keys="{}.pkl")

    def intrude(self, place):
        (place / "store").mkdir()
        (place / "store" / "foreign.pkl").write_bytes(b"of somebody else")
        return "foreign"


class TestFormatAmongOthers(StoreContract):
    def open(self, place):
        return self.formats(place).json

    def open_with(self, place, **options):
        return self.formats(place, **options).json

    def formats(self, place, **options):
        formats = MultiFormatStore(place / "store", "text", json="json", **options)
        formats.text.update({"a": "of another format", "other": "too"})
        return formats

    def intrude(self, place):
        (place / "store").mkdir()
        (place / "store" / "foreign.json").write_text('"of somebody else"')
        return "foreign"


class TestScriptStore(StoreContract):
    def open(self, place):
        return ScriptStore(place / "script.py", create=True)

    def open_with(self, place, **options):
        return ScriptStore(place / "script.py", create=True, **options)


@pytest.mark.soak
class TestScriptStoreOfAnyKeys(StoreContract):
    keys = (1, "1", "c/d", (True, 1.5))
    values = (b"one", b"two", b"three")  # which JSON cannot keep

    def open(self, place):
        return ScriptStore(place / "script.py", create=True, durability="power")


@pytest.mark.soak
class TestScriptStoreInMemory(StoreContract):
    def open(self, place):
        return eval("ScriptStore(fallback='memory')", {"ScriptStore": ScriptStore})


@pytest.mark.soak
class TestPartOfAScriptStore(StoreContract):
    def open(self, place):
        return ScriptStore(place / "script.py", create=True, serializer="json").get_subdict("part")


class TestPartOfAStore(StoreContract):
    def open(self, place):
        return FileDirStore(place / "store").get_subdict("part")


class TestStoreOverAStore(StoreContract):
    def open(self, place):
        return Store(FileDirStore(place / "store", serializer="text", suffix=".txt"))


@pytest.mark.soak
class TestStoreOverAShelf(StoreContract):
    def open(self, place):
        return Store(shelve.Shelf({}), keys=PathKeys())  # files of a shelf may belong to one thread


class TestNullStore(StoreContract):
    def open(self, place):
        return NullStore()

    def test_nothing_is_kept_and_every_verb_says_so(self, place):
        store = self.open(place)
        usual = {"condition": ANY_ETAG, "expected_etag": ITEM_NOT_AVAILABLE}
        nothing = (True, ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE)
        for _ in range(2):
            store["a"] = 1
            store.update(b=2)
            assert store.set_item_if("a", value=1, **usual) == nothing
            assert store.setdefault_if("a", default_value=1, **usual) == nothing
            assert store.get_item_if("a", **usual) == nothing
            assert store.discard_if("a", **usual) == nothing
            changed = store.transform_item("a", transformer=lambda _: 1)
            assert (changed.resulting_etag, changed.new_value) == (ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE)
            assert store.setdefault("a", 1) == 1
            assert store.increment("a") == 1
            for ages in (store.newest_keys, store.oldest_keys, store.newest_values, store.oldest_values):
                assert ages() == ages(3) == []
            for verb in (store.timestamp, store.etag, store.pop, store.__getitem__, store.__delitem__):
                with pytest.raises(KeyError):
                    verb("a")
            assert store == {}
