"""What a subclass overrides of [], [] =, del and iteration is what its dict verbs go through."""

import copy
import pickle
from collections import UserDict

import pytest

from holdall import FileDirStore, MemoryStore, SQLiteStore, Store
from holdall.errors import UnsupportedError
from holdall.wrappers import (
    aliases,
    appendable,
    bounded,
    cached_keys,
    cached_values,
    expiring,
    filt_iter,
    flatten,
    read_only,
    wrap_keys,
    wrap_kvs,
    write_back,
    write_once,
)


def loud(base):
    class Loud(base):
        def __getitem__(self, key):
            return ("got", super().__getitem__(key))

        def __setitem__(self, key, value):
            super().__setitem__(key, value * 2)

        def __delitem__(self, key):
            self.deleted.append(key)
            super().__delitem__(key)

        def __iter__(self):
            return (key for key in super().__iter__() if key != "hidden")

    Loud.deleted = []
    return Loud


PLACES = {
    "memory": (MemoryStore, lambda path: ()),
    "pickles": (lambda: loud(MemoryStore), lambda path: ()),
    "folder": (FileDirStore, lambda path: (path / "folder",)),
    "database": (SQLiteStore, lambda path: (path / "store.db",)),
}


def dict_verbs(store):
    """Do with a store what users do with dicts, and note what they see."""
    store["a"] = 1
    store.update(b=2, hidden=3)
    store.update({"c": 4})
    seen = [store["a"], store.get("b"), store.get("none", "absent"), store.setdefault("a", 9)]
    seen += [store.setdefault("d", 5), store["d"]]
    seen += [sorted(store), sorted(store.keys()), sorted(store.items()), sorted(store.values())]
    seen += [dict(store), store.copy() if not isinstance(store, UserDict) else dict(store.items())]
    seen += [store | {} if not isinstance(store, UserDict) else dict(store.items())]
    seen += [store.pop("a"), store.pop("none", "absent"), "a" in store]
    store.update(e=6)
    seen.append(sorted(dict([store.popitem() for _ in range(4)]).items()))
    seen.append(list(store))
    store["z"] = 1
    store.clear()
    return [*seen, sorted(store.deleted)]


@pytest.mark.parametrize("place", ["memory", "folder", "database"])
def test_verbs_see_what_a_user_dict_would_show(place, tmp_path):
    base, where = PLACES[place]
    store = loud(base)(*where(tmp_path))
    found, wanted = dict_verbs(store), dict_verbs(loud(UserDict)())
    assert found[:-1] == wanted[:-1]
    assert set(found[-1]) == set("abcdez")
    store |= {"e": 6}  # which a UserDict does past its own methods
    assert store["e"] == ("got", 12)


def test_each_override_alone_takes_part():
    class Doubled(MemoryStore):
        def __setitem__(self, key, value):
            super().__setitem__(key, value * 2)

    store = Doubled()
    store.update([("a", 1)], b=2)
    assert store == {"a": 2, "b": 4}
    assert (store.setdefault("c", 3), store["c"]) == (3, 6)

    class Few(MemoryStore):
        def __iter__(self):
            return (key for key in super().__iter__() if key != "x")

    few = Few({"x": 1, "y": 2})
    assert (list(few.items()), list(few.values()), few.copy(), few.popitem()) == (
        [("y", 2)],
        [2],
        {"y": 2},
        ("y", 2),
    )
    few.clear()
    assert few.store == {"x": 1}

    class Counted(MemoryStore):
        def __getitem__(self, key):
            self.reads = vars(self).get("reads", 0) + 1
            return super().__getitem__(key)

    counted = Counted({"a": 1, "b": 2})
    assert (counted.get("a"), dict(counted.items()), list(counted.values())) == (1, {"a": 1, "b": 2}, [1, 2])
    assert counted.newest_values() == [2, 1]
    assert counted.reads == 7


def test_what_a_class_writes_itself_stays():
    class Both(MemoryStore):
        def __getitem__(self, key):
            return ("got", super().__getitem__(key))

        def pop(self, key, *default):
            return ("popped", super().pop(key, *default))

    class Later(Both):
        def __delitem__(self, key):
            super().__delitem__(key)

    assert Both({"a": 1}).pop("a") == ("popped", 1)
    assert Later({"a": 1}).pop("a") == ("popped", 1)


def test_clear_of_a_class_with_del_minds_who_made_the_place(tmp_path):
    class Careful(FileDirStore):
        def __delitem__(self, key):
            super().__delitem__(key)

    (tmp_path / "mine.txt").write_text("not of holdall")
    store = Careful(tmp_path, serializer="text")
    with pytest.raises(UnsupportedError, match="force=True"):
        store.clear()
    store.clear(force=True)
    assert list(store) == []


# ---------------------------------------------------------------------- foreign classes


class Totals(dict):
    """A mapping class of somebody else, with methods of its own."""

    def total(self):
        return sum(self.values())

    @property
    def largest(self):
        return max(self.values())

    @staticmethod
    def unit():
        return "kg"

    def inner_total(self):
        return super().__len__()


Weights = wrap_kvs(Totals, obj_of_data=float)
Tenfold = wrap_kvs(Totals, obj_of_data=lambda value: value * 10)


def test_methods_of_a_foreign_class_see_the_outside():
    store = Tenfold({"a": 1, "b": 2})
    assert (store.total(), store.largest, store.unit()) == (30, 20, "kg")
    assert store.inner_total() == 2
    store["c"] = 3
    assert store.total() == 60
    with pytest.raises(AttributeError, match="no_such"):
        store.no_such()
    assert Tenfold({"a": 1}).store.total() == 1


def test_attributes_of_a_foreign_instance_are_found():
    class Named(dict):
        def __init__(self, name, items):
            super().__init__(items)
            self.name = name

        def label(self):
            return f"{self.name}: {len(self)}"

    store = filt_iter(filt={"a"})(Named)("mine", {"a": 1, "b": 2})
    assert store.label() == "mine: 1"
    assert store.name == "mine"


# ---------------------------------------------------------------------- pickles


class Plain(MemoryStore):
    """A class to be wrapped."""


def named(item):
    return item["name"], item


def doubled(key, value):
    return value


WRAPPED = {
    "wrap_kvs": wrap_kvs(postget=doubled)(Plain),
    "wrap_keys": wrap_keys(keys="{}.x")(Plain),
    "filt_iter": filt_iter(prefix="")(Plain),
    "read_only": read_only(Plain),
    "write_once": write_once(Plain),
    "cached_keys": cached_keys(Plain),
    "cached_values": cached_values(Plain),
    "write_back": write_back(Plain),
    "expiring": expiring(ttl=60)(Plain),
    "flatten": flatten(levels=1)(Plain),
    "aliases": aliases(read="load")(Plain),
    "appendable": appendable(item2kv=named)(Plain),
    "bounded": bounded(max_items=5)(Plain),
}
for _name, _class in WRAPPED.items():
    globals()[f"Wrapped_{_name}"] = _class


@pytest.mark.parametrize("name", WRAPPED)
def test_instances_of_wrapped_classes_pickle(name):
    store = WRAPPED[name]({("k",) if name == "x" else "k.x": 1})
    again = pickle.loads(pickle.dumps(store))
    assert type(again) is WRAPPED[name]
    assert isinstance(again, Plain)
    assert dict(again.items()) == dict(store.items())


def test_instances_of_a_wrapped_foreign_class_pickle():
    again = pickle.loads(pickle.dumps(Weights({"a": 1})))
    assert (type(again), again.total(), Store(again) == {"a": 1.0}) == (Weights, 1.0, True)


def test_hooks_and_attributes_of_an_instance_travel():
    s = Store({"a": "x"})
    s._obj_of_data = str.upper
    s.note = "mine"
    for other in (copy.copy(s), pickle.loads(pickle.dumps(s))):
        assert other["a"] == "X"
        assert other.note == "mine"
