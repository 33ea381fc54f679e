"""What is wrapped is a store still, and passes the suite of every store."""

import json

import pytest

from holdall import FileDirStore, InvalidArgumentError, MemoryStore, ScriptStore, SQLiteStore, Store
from holdall.keys import Prefix
from holdall.store import Pipeline, StorePersister
from holdall.testing import StoreContract
from holdall.testing._races import in_threads
from holdall.wrappers import (
    add_ipython_key_completions,
    aliases,
    appendable,
    compose,
    filt_iter,
    flatten,
    wrap_keys,
    wrap_kvs,
    wrapper,
)


def prefixed(key):
    return "key:" + key


def unprefixed(name):
    return name[4:]


def boxed(value):
    return [value]


def unboxed(box):
    (value,) = box
    return value


def with_key(key, value):
    return [key, value]


def without_key(key, pair):
    assert pair[0] == key, f"{pair[0]!r} is not {key!r}"
    return pair[1]


def every(key):
    return True


def item2kv(item):
    return item, item


functions = wrap_kvs(id_of_key=prefixed, key_of_id=unprefixed, data_of_obj=boxed, obj_of_data=unboxed)
keyed = wrap_kvs(preset=with_key, postget=without_key)
codec = wrap_keys(keys=Prefix("name-"))
everything = filt_iter(filt=every)
words = aliases(read="load", write="save")


@wrapper
def inside_out(store):
    return Pipeline(StorePersister(store))


tall = compose(
    functions,
    keyed,
    everything,
    words,
    codec,
    inside_out,
    functions,
    appendable(item2kv=item2kv),
    add_ipython_key_completions,
    keyed,
)


@tall
class Tall(FileDirStore):
    """A class with everything around it."""


@functions
class Wrapped(FileDirStore):
    """A wrapped class."""


class Sub(Wrapped):
    """A subclass with hooks on top."""

    def _data_of_obj(self, obj):
        return super()._data_of_obj({"value": obj})

    def _obj_of_data(self, data):
        return super()._obj_of_data(data)["value"]


class TestFunctionsOverADict(StoreContract):
    def open(self, place):
        return functions({})

    def open_with(self, place, **options):
        return wrap_kvs(MemoryStore(**options), id_of_key=prefixed, key_of_id=unprefixed)


@pytest.mark.soak
class TestKeyedFunctionsOverAMemoryStore(StoreContract):
    def open(self, place):
        return keyed(functions(MemoryStore()))


@pytest.mark.soak
class TestJsonOverADict(StoreContract):
    def open(self, place):
        return wrap_kvs(Store({}), data_of_obj=json.dumps, obj_of_data=json.loads)


@pytest.mark.soak
class TestFunctionsOverFiles(StoreContract):
    def open(self, place):
        return functions(keyed(FileDirStore(place / "store", serializer="json")))


@pytest.mark.soak
class TestAllOfThemAroundADatabase(StoreContract):
    def open(self, place):
        return tall(SQLiteStore(place / "store.db"))


class TestAWrappedClass(StoreContract):
    def open(self, place):
        return Wrapped(place / "store", serializer="json")

    def open_with(self, place, **options):
        return everything(Wrapped)(place / "store", append_only=options.get("append_only", False))

    def test_values_of_another_type_are_refused(self, place):
        """The type is that of the values below the functions, which are lists here."""
        store = Wrapped(place / "store", value_type=list)
        store["a"] = "one"
        assert store == {"a": "one"}

    def test_values_of_another_type_are_not_read(self, place):
        """The type is that of the values below the functions, which are lists here."""
        Wrapped(place / "store")["a"] = "one"
        with pytest.raises(InvalidArgumentError, match=r"values of this store are .*'a'"):
            Wrapped(place / "store", value_type=dict)["a"]


@pytest.mark.soak
class TestASubclassOfAWrappedClass(StoreContract):
    def open(self, place):
        return Sub(place / "store", serializer="json")


class TestACodec(StoreContract):
    def open(self, place):
        return codec(FileDirStore(place / "store"))


class TestAFilter(StoreContract):
    def open(self, place):
        return everything(FileDirStore(place / "store"))

    def open_with(self, place, **options):
        return everything(FileDirStore(place / "store", serializer="json", **options))


@pytest.mark.soak
class TestAllOfThem(StoreContract):
    def open(self, place):
        return Tall(place / "store", serializer="json")


@pytest.mark.soak
class TestAllOfThemAroundAnInstance(StoreContract):
    def open(self, place):
        return tall(MemoryStore())


@pytest.mark.soak
class TestAllOfThemAroundAScript(StoreContract):
    def open(self, place):
        return tall(ScriptStore(place / "script.py", create=True))


@pytest.mark.soak
class TestAPartOfAWrappedStore(StoreContract):
    def open(self, place):
        return functions(Wrapped(place / "store").get_subdict("p")).get_subdict("q")


class TestFlat(StoreContract):
    keys = (("a", "1"), ("b", "1"), ("c", "x"), ("d", "x"))

    def open(self, place):
        return flatten(FileDirStore(place / "store", serializer="json"), levels=2)

    def test_it_shows_itself_briefly(self, place):
        store, items = self.filled(place)
        assert len(repr(store)) < 2000
        assert set(store._ipython_key_completions_()) == set(items)

    def test_popping_threads_get_different_items(self, place):
        """Those of one dict, so that all threads write to the same file."""
        store = self.open(place)
        keys = [("a", str(number)) for number in range(10)]
        store.update(dict.fromkeys(keys, 1))
        taken = in_threads(4, lambda _: sum(store.pop(key, None) is not None for key in keys))
        assert sum(taken) == 10
        assert store == {}
