"""What the author of a backend meets who has read one page: names of places, and keys that are no text."""

import pickle
import sqlite3
import weakref

import pytest

from holdall import InvalidKeyError, Persister, PersisterWrapper, Reader, Store, UnsupportedError
from holdall.keys import AnyKeys


class Table(Persister):
    """Four methods; SQLite makes text of numbers in a column of text, and refuses tuples in its own words."""

    def __init__(self, name=None):
        if name is not None:
            self.place = name
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        weakref.finalize(self, self.db.close)
        self.db.execute("CREATE TABLE kv (id TEXT PRIMARY KEY, data BLOB)")

    def __getitem__(self, id):
        row = self.db.execute("SELECT data FROM kv WHERE id = ?", [id]).fetchone()
        if row is None:
            raise KeyError(id)
        return row[0]

    def __setitem__(self, id, data):
        self.db.execute("INSERT OR REPLACE INTO kv VALUES (?, ?)", [id, data])

    def __delitem__(self, id):
        if not self.db.execute("DELETE FROM kv WHERE id = ?", [id]).rowcount:
            raise KeyError(id)

    def __iter__(self):
        return (id for (id,) in self.db.execute("SELECT id FROM kv").fetchall())


class Page(Reader):
    def __init__(self, place, owned):
        self.place, self.owned = place, owned

    def __getitem__(self, id):
        raise KeyError(id)

    def __iter__(self):
        return iter(())


@pytest.mark.parametrize("key", [1, ("a", 2), None, b"x", 1.5, {}], ids=repr)
def test_keys_that_are_no_text_are_refused_before_the_place_sees_them(key):
    store = Store(Table(), serializer="json")
    store["1"] = "text"
    for verb in (
        lambda: store[key],
        lambda: store.__setitem__(key, 0),
        lambda: store.__delitem__(key),
        lambda: store.update([(key, 0)]),
        lambda: store.increment(key),
        lambda: store.setdefault(key, 0),
        lambda: store.etag(key),
    ):
        with pytest.raises(InvalidKeyError, match=r"keys of Table are str, got .*keys=AnyKeys\(\)"):
            verb()
    assert key not in store
    assert store.get(key, "none") == "none"
    assert not store.discard(key)
    assert dict(store) == {"1": "text"}


def test_a_codec_names_keys_that_are_no_text():
    store = Store(Table(), serializer="json", keys=AnyKeys())
    store[1], store["1"], store["a", 2] = "int", "text", "tuple"
    assert dict(store) == {1: "int", "1": "text", ("a", 2): "tuple"}


def test_text_of_a_subclass_is_text_and_parts_work():
    class Name(str):
        __slots__ = ()

    store = Store(Table(), serializer="json")
    store[Name("a/b")] = 1
    assert store.get_subdict("a")["b"] == 1
    assert list(store.items()) == [("a/b", 1)]


def test_a_constructor_names_its_place_by_an_attribute():
    assert Table().place == "Table"
    assert Table("a table in memory").place == "a table in memory"
    wrapped = PersisterWrapper(Table("a table in memory"))
    assert (wrapped.place, wrapped.owned) == ("a table in memory", True)
    again = pickle.loads(pickle.dumps(Page("a page", owned=False)))
    assert (again.place, again.owned) == ("a page", False)
    with pytest.raises(UnsupportedError, match="a page"):
        Store(Page("a page", owned=False)).clear()
