"""Classes and foreign things are wrapped; all else of them is kept."""

import copy
import inspect
import json
import pickle
from collections.abc import Mapping, MutableMapping
from types import MappingProxyType

import pytest
from tests.unit._wrappers_support import fail, minus_one, plus_one

from holdall import (
    CorruptValueError,
    FileDirStore,
    InvalidArgumentError,
    MemoryStore,
    Store,
    UnsupportedError,
)
from holdall.abc import Reader
from holdall.conditional import ETAG_IS_THE_SAME
from holdall.store import Pipeline, StorePersister
from holdall.wrappers import (
    add_ipython_key_completions,
    aliases,
    append_only,
    appendable,
    cached_keys,
    compose,
    expiring,
    filt_iter,
    read_only,
    wrap_kvs,
    wrapper,
    write_once,
)


@wrap_kvs(data_of_obj=json.dumps, obj_of_data=json.loads)
class JsonTexts(Store):
    """JSON in a dict."""

    def bump(self, key):
        self[key] = {"n": self[key]["n"] + 1}
        return self[key]


Shifted = wrap_kvs(JsonTexts, id_of_key=str.upper, key_of_id=str.lower)


AsNumbers = wrap_kvs(obj_of_data=int, data_of_obj=str)


# ---------------------------------------------------------------------- classes


def test_methods_of_a_wrapped_class_see_the_outside():
    store = JsonTexts({"a": '{"n": 1}'})
    assert store.bump("a") == {"n": 2}
    assert store.store == {"a": '{"n": 2}'}
    again = wrap_kvs(store, id_of_key=str.lower)
    assert again.bump("A") == {"n": 3}


def test_a_wrapped_class_keeps_its_face():
    assert JsonTexts.__name__ == JsonTexts.__qualname__ == "JsonTexts"
    assert JsonTexts.__doc__ == "JSON in a dict."
    assert issubclass(Shifted, JsonTexts)
    assert "serializer" in inspect.signature(wrap_kvs(FileDirStore)).parameters
    assert isinstance(wrap_kvs(FileDirStore()).pipeline.persister, type(FileDirStore().pipeline.persister))


def test_classes_bound_at_module_level_pickle_under_any_name():
    store = Shifted({})
    store["a"] = {"n": 1}
    assert store.store == {"A": '{"n": 1}'}
    again = pickle.loads(pickle.dumps(store))
    assert type(again) is Shifted
    assert again == {"a": {"n": 1}}
    assert copy.copy(store) == store
    assert pickle.loads(pickle.dumps(JsonTexts({"a": "1"})))["a"] == 1
    shifted = wrap_kvs(MemoryStore({"a": 1}), obj_of_data=plus_one)
    assert pickle.loads(pickle.dumps(shifted))["a"] == 2
    assert pickle.loads(pickle.dumps(AsNumbers))({"a": "3"})["a"] == 3
    assert pickle.loads(pickle.dumps(compose(AsNumbers, read_only)))({"a": "3"})["a"] == 3
    assert pickle.loads(pickle.dumps(filt_iter({"a": 1, "b": 2}, filt={"a"}))) == {"a": 1}


class Point(tuple):
    __slots__ = ()


class Points(JsonTexts):
    """Hooks of a subclass lie on top of the wrapped class."""

    def __init__(self, *args, scale=1, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = scale

    def _data_of_obj(self, obj):
        return super()._data_of_obj([part * self.scale for part in obj])

    def _obj_of_data(self, data):
        return Point(part // self.scale for part in super()._obj_of_data(data))

    def _id_of_key(self, key):
        return key.upper()

    def _key_of_id(self, id):
        return id.lower()


Framed = wrap_kvs(Points, postget=lambda key, point: (key, point))


class FramedMore(Framed):
    def _obj_of_data(self, data):
        return [*data, "more"]


def test_hooks_of_a_subclass_of_a_wrapped_class():
    points = Points({}, scale=2)
    points["a"] = Point((1, 2))
    assert points.store == {"A": "[2, 4]"}
    assert points["a"] == (1, 2)
    assert type(points["a"]) is Point
    assert list(points) == ["a"]
    assert Framed(points.store, scale=2)["a"] == ("a", (1, 2))
    more = FramedMore(points.store, scale=2)
    assert more["a"] == ["a", (1, 2), "more"]
    for store in (points, more):
        for other in (copy.copy(store), pickle.loads(pickle.dumps(store)) if store is points else store):
            assert other == store
            assert other.scale == 2
    assert more.get_subdict("x") == {}
    assert wrap_kvs(points, obj_of_data=sum)["a"] == 3


def test_hooks_below_and_above_while_the_instance_is_made():
    seen = []

    @wrap_kvs(obj_of_data=plus_one, data_of_obj=minus_one)
    class Inner(Store):
        def __init__(self):
            super().__init__()
            self["start"] = 1
            seen.append(self["start"])

        def _data_of_obj(self, obj):
            return [obj]

        def _obj_of_data(self, data):
            return data[0]

    @wrap_kvs(obj_of_data=lambda value: -value, data_of_obj=lambda value: -value)
    class Outer(Inner):
        def __init__(self):
            super().__init__()
            self["next"] = 5

        def _obj_of_data(self, data):
            return data * 10

        def _data_of_obj(self, obj):
            return obj // 10 if obj % 10 == 0 else obj

    store = Outer()
    assert seen == [1]
    assert store.store == {"start": [1], "next": [4]}
    assert store == {"start": -20, "next": -50}


def test_a_hook_given_to_an_instance_takes_part_and_is_kept():
    store = MemoryStore({"a": 1})
    store._obj_of_data = plus_one
    wrapped = wrap_kvs(store, obj_of_data=str)
    assert (wrapped["a"], copy.copy(wrapped)["a"], pickle.loads(pickle.dumps(wrapped))["a"]) == ("2",) * 3
    made = JsonTexts({"a": "1"})
    made._obj_of_data = plus_one
    assert (made["a"], wrap_kvs(made, obj_of_data=str)["a"]) == (2, "2")


def test_attributes_and_options_of_the_one_given_are_kept():
    store = MemoryStore({"a": 1})
    store.tag = "t"
    wrapped = wrap_kvs(store, obj_of_data=str)
    assert wrapped.tag == "t"
    assert [change.name for change in wrapped.get_params()["changes"]] == ["wrap_kvs"]
    assert repr(wrapped) == "wrap_kvs(MemoryStore(mapping={'a': 1}), obj_of_data=str)"
    assert store["a"] == 1
    assert "changes" not in store.get_params()


@read_only
class Shown(FileDirStore):
    """A class of its own, which is made anew with its wrapper."""


@pytest.mark.parametrize(
    "make",
    [
        lambda store: store.get_subdict("a"),
        lambda store: read_only(store.get_subdict("a")),
        lambda store: read_only(store).get_subdict("a"),
        lambda store: filt_iter(store, prefix="a/").get_subdict("a").get_subdict("b"),
        lambda store: read_only(expiring(wrap_kvs(store, obj_of_data=str), ttl=60)),
        lambda store: wrap_kvs(store, id_of_key="a/{}".format, key_of_id=lambda name: name[2:]),
        lambda store: store.derive(lambda one: one.pipeline, name="mine"),
        lambda store: Shown(store.path).get_subdict("a"),
    ],
)
def test_options_make_a_store_anew(tmp_path, make):
    store = FileDirStore(tmp_path / "s", serializer="json")
    store.update({"a/b/c": 1, "a/d": 2, "e": 3})
    wrapped = make(store)
    again = type(wrapped).from_params(wrapped.get_params())
    assert type(again) is type(wrapped)
    assert dict(again) == dict(wrapped) != {}
    assert repr(again) == repr(wrapped)
    assert again.get_params() == wrapped.get_params()


def test_steps_are_shown_from_the_inside_out():
    store = read_only(expiring(MemoryStore({"a/b": 1}).get_subdict("a"), ttl=5)).get_subdict("b")
    shown = "read_only(expiring(MemoryStore(mapping={'a/b': 1}).get_subdict('a'), ttl=5)).get_subdict('b')"
    assert repr(store) == shown


# ---------------------------------------------------------------------- foreign things


class Least:
    """As little as a mapping can be."""

    def __getitem__(self, key):
        return {"a": "1"}[key]

    def __iter__(self):
        return iter("a")


class Squares(Reader):
    """A read-only source of two methods."""

    def __init__(self, n=3):
        self.n = n

    def __getitem__(self, id):
        if id not in map(str, range(self.n)):
            raise KeyError(id)
        return str(int(id) ** 2)

    def __iter__(self):
        return map(str, range(self.n))


class Foreign(MutableMapping):
    """Somebody else's."""

    def __init__(self, **items):
        self.items_ = items

    def __getitem__(self, key):
        return self.items_[key]

    def __setitem__(self, key, value):
        self.items_[key] = value

    def __delitem__(self, key):
        del self.items_[key]

    def __iter__(self):
        return iter(self.items_)

    def __len__(self):
        return len(self.items_)


Wrapped = wrap_kvs(Foreign, obj_of_data=int)


WrappedDict = wrap_kvs(dict, obj_of_data=int, data_of_obj=str)


@pytest.mark.parametrize(
    "thing",
    [{"a": "1"}, MappingProxyType({"a": "1"}), Least(), Foreign(a="1"), Store({"a": "1"})],
    ids=lambda thing: type(thing).__name__,
)
def test_any_mapping_can_be_wrapped(thing):
    store = wrap_kvs(thing, obj_of_data=int)
    assert isinstance(store, Store)
    assert store == {"a": 1}
    assert store.get("b") is None
    if isinstance(thing, MutableMapping):
        store["b"] = "2"
        assert thing["b"] == "2"
    else:
        with pytest.raises(UnsupportedError):
            store["b"] = "2"


def test_classes_of_mappings_can_be_wrapped():
    assert Wrapped(a="1") == {"a": 1}
    assert Wrapped.__doc__ == "Somebody else's."
    store = WrappedDict(a="1")
    store["b"] = 2
    assert store == {"a": 1, "b": 2}
    assert store.store == {"a": "1", "b": "2"}
    squares = wrap_kvs(Squares, obj_of_data=int)(n=4)
    assert list(squares.values()) == [0, 1, 4, 9]
    for made in (Wrapped(a="1"), store):
        again = pickle.loads(pickle.dumps(made))
        assert type(again) is type(made)
        assert again == made
    assert WrappedDict.fromkeys("ab", 1) == {"a": 1, "b": 1}
    assert isinstance(Wrapped(), Mapping)


def test_two_classes_of_one_mapping_do_not_meet():
    assert not issubclass(wrap_kvs(Foreign), Wrapped)
    inner = {}
    one, two = wrap_kvs(inner, data_of_obj=str), wrap_kvs(inner, obj_of_data=int)
    one["a"] = 1
    assert two["a"] == 1


# ---------------------------------------------------------------------- all else is kept


def test_times_versions_and_bulk_are_those_of_the_place(tmp_path):
    store = FileDirStore(tmp_path, serializer="json")
    wrapped = wrap_kvs(
        store, id_of_key=str.lower, key_of_id=str.upper, obj_of_data=plus_one, data_of_obj=minus_one
    )
    wrapped.update({"A": 1, "B/C": 2})
    assert store == {"a": 0, "b/c": 1}
    assert wrapped.etag("A") == store.etag("a")
    assert wrapped.timestamp("A") == store.timestamp("a")
    assert set(wrapped.newest_keys()) == {"A", "B/C"}
    assert wrapped.get_subdict("B") == {"C": 2}
    assert wrapped.path == store.path
    assert wrapped.file_of("A") == store.file_of("a")
    held = wrapped.set_item_if("A", value=5, condition=ETAG_IS_THE_SAME, expected_etag=store.etag("a"))
    assert held.condition_was_satisfied
    assert store["a"] == 4
    assert wrapped.transform_item("A", transformer=plus_one).new_value == 6
    with wrapped as entered:
        assert entered is wrapped
    assert wrapped._ipython_key_completions_()


def test_large_values_are_still_streamed(tmp_path):
    numpy = pytest.importorskip("numpy")
    store = FileDirStore(tmp_path, serializer="npy")
    store["a"] = numpy.arange(300_000)
    fetched = []
    fetch = store.pipeline.persister.fetch
    store.pipeline.persister.fetch = lambda name, limit: fetched.append(name) or fetch(name, limit)
    wrapped = wrap_kvs(store, obj_of_data=lambda array: array.sum())
    assert wrapped["a"] == store["a"].sum()
    assert fetched == ["a.npy"]
    with pytest.raises(CorruptValueError):
        wrap_kvs(store, obj_of_data=fail(KeyError("x")))["a"]


# ---------------------------------------------------------------------- manners


def test_own_words_on_instances_and_classes(tmp_path):
    words = {
        "read": "load",
        "write": "save",
        "delete": "drop",
        "exists": "has",
        "list": "names",
        "count": "n",
    }

    @aliases(**words)
    class Repository(FileDirStore):
        """With the words of this application."""

    for store in (aliases(FileDirStore(tmp_path / "a"), **words), Repository(tmp_path / "b")):
        store.save("x", 1)
        assert (store.load("x"), store.has("x"), store.names(), store.n()) == (1, True, ["x"], 1)
        assert store["x"] == 1
        guarded = read_only(copy.copy(store))
        with pytest.raises(TypeError, match="read-only"):
            guarded.save("x", 2)
        assert guarded.load("x") == 1
        assert wrap_kvs(store, obj_of_data=plus_one).load("x") == 2
        assert store.get_subdict("p").names() == []
        store.drop("x")
        assert store.n() == 0
    assert Repository.load.__doc__
    store = aliases(MemoryStore(), write="dump", value_first=True)
    store.dump(1, "a")
    again = pickle.loads(pickle.dumps(store))
    again.dump(2, "a")
    assert (again["a"], store["a"]) == (2, 1)


@pytest.mark.parametrize("wrong", [{"read": "get"}, {"write": "not a name"}, {"count": 3}])
def test_words_that_hide_others_are_refused(wrong):
    for thing in ((), ({},), (Store,)):
        with pytest.raises(InvalidArgumentError):
            aliases(*thing, **wrong)
    with pytest.raises(TypeError):
        aliases({}, peek="look")


def item2kv(item):
    return item["name"], item


def test_appending():
    @appendable(item2kv=item2kv)
    class People(MemoryStore):
        pass

    for store in (People(), appendable({}, item2kv=item2kv), append_only(appendable({}, item2kv=item2kv))):
        store.append({"name": "Ada"})
        store.extend({"name": name} for name in ("Alan", "Grace"))
        assert list(store) == ["Ada", "Alan", "Grace"]
        assert wrap_kvs(store, id_of_key=str.title).append({"name": "kurt"}) is None
        assert store["Kurt"] == {"name": "kurt"}
    with pytest.raises(TypeError, match="append-only"):
        store.append({"name": "Ada"})
    again = pickle.loads(pickle.dumps(appendable({}, item2kv=item2kv)))
    again.append({"name": "Ada"})
    assert list(again) == ["Ada"]
    with pytest.raises(InvalidArgumentError):
        appendable({}, item2kv=None)
    with pytest.raises(TypeError):
        appendable({})


def test_completions_and_stacks():
    assert add_ipython_key_completions({"a": 1})._ipython_key_completions_() == ["a"]
    stack = compose(
        filt_iter(suffix=".n"),
        wrap_kvs(id_of_key=lambda key: f"{key}.n", key_of_id=lambda name: name[:-2]),
        wrap_kvs(obj_of_data=int, data_of_obj=str),
        write_once,
    )
    inner = {"a.n": "1", "b": "2"}

    @stack
    class Numbers(Store):
        """Numbers."""

    for store in (stack(inner), Numbers(inner)):
        assert store == {"a": 1}
        store.update(a=5)
        assert store["a"] == 1
    assert Numbers.__doc__ == "Numbers."
    assert "filt_iter" in repr(stack)
    assert compose()(store) is store
    assert compose(stack, read_only)(inner) == {"a": 1}
    for wrong in (3, Store):
        with pytest.raises(InvalidArgumentError):
            compose(wrong)


def test_a_wrapper_that_needs_keys_and_values_looks_through_the_store():
    @wrapper
    def nested(store):
        return Pipeline(StorePersister(store))

    inner = {"A": '{"n": 1}'}
    assert wrap_kvs(nested(Points), obj_of_data=list)({"A": "[1, 2]"}) == {"a": [1, 2]}
    for store in (nested(Shifted(inner)), nested(Shifted)(inner)):
        assert store == {"a": {"n": 1}}
        assert store.etag("a") == Store(inner).etag("A")
        assert store.bump("a") == {"n": 2}
        store["a"] = {"n": 1}
        assert inner == {"A": '{"n": 1}'}
        assert copy.copy(store) == {"a": {"n": 1}}

    class Below(nested(Points)):
        def _obj_of_data(self, data):
            return sum(super()._obj_of_data(data))

    assert Below({"A": "[1, 2]"}) == {"a": 3}


@wrap_kvs(obj_of_data=plus_one)
class Inner(MemoryStore):
    """Wrapped once."""

    def twice(self, key):
        return self[key], self[key]


@wrap_kvs(obj_of_data=plus_one)
class Outer(Inner):
    """Wrapped twice."""


Words = cached_keys(keys_cache=["a", "b"])(MemoryStore)


def test_wrapped_things_are_what_they_say():
    assert isinstance(Outer(), Inner)
    assert isinstance(Outer(), MemoryStore)
    assert Outer.__doc__ == "Wrapped twice."
    assert (Outer.__module__, Outer.__qualname__) == (__name__, "Outer")
    assert wrap_kvs(dict, obj_of_data=str).__name__ == "DictStore"


def test_methods_copies_and_unions_see_the_outside():
    s = Outer({"a": 1})
    assert s.twice("a") == (3, 3)
    assert dict(s.copy()) == s | {} == {"a": 3}
    assert s | {"b": 1} == {"a": 3, "b": 1}
    assert dict(Outer.fromkeys("ab", 1)) == {"a": 3, "b": 3}


def test_wrapped_classes_and_files_pickle(tmp_path):
    for s in (
        Outer({"a": 1}),
        Words({"a": 1, "b": 2}),
        FileDirStore(tmp_path),
        read_only(FileDirStore(tmp_path)),
    ):
        again = pickle.loads(pickle.dumps(s))
        assert type(again) is type(s)
        assert dict(again) == dict(s)


def test_a_store_is_shown_as_made_and_is_no_key_itself():
    s = wrap_kvs({"a": 1}, obj_of_data=plus_one)
    assert repr(s) == "wrap_kvs(Store(persister={'a': 1}), obj_of_data=plus_one)"
    assert len(repr(Store({number: number for number in range(10_000)}))) < 500
    with pytest.raises(TypeError, match="Outer"):
        hash(Outer())
