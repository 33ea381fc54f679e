"""Functions and filters around stores and classes of stores."""

import json
from types import MappingProxyType

import pytest
from tests.unit._wrappers_support import fail, minus_one, plus_one

from holdall import (
    CorruptValueError,
    FileDirStore,
    InvalidArgumentError,
    InvalidKeyError,
    MemoryStore,
    SerializationError,
    Store,
    UnsupportedError,
)
from holdall.abc import NOT_MINE, Reader
from holdall.conditional import ETAG_IS_THE_SAME, ITEM_NOT_AVAILABLE, KEEP_CURRENT
from holdall.keys import Prefix, Suffix
from holdall.wrappers import filt_iter, wrap_keys, wrap_kvs


def by_suffix_out(key, text):
    return int(text) if key.endswith(".int") else text


def by_suffix_in(key, value):
    assert key.endswith(".int") == isinstance(value, int)
    return str(value)


# ---------------------------------------------------------------------- functions


@pytest.mark.parametrize(
    ("option", "function", "key", "value", "inner"),
    [
        ("id_of_key", str.upper, "a", 1, {"A": 1}),
        ("data_of_obj", str, "a", 1, {"a": "1"}),
        ("data_of_obj", json.dumps, "a", [1], {"a": "[1]"}),
        ("preset", lambda key, value: (key, value), "a", 1, {"a": ("a", 1)}),
    ],
)
def test_functions_that_go_inwards_work_alone(option, function, key, value, inner):
    given = {}
    store = wrap_kvs(given, **{option: function})
    store[key] = value
    assert given == inner
    given.clear()
    store.update({key: value})
    assert given == inner
    given.clear()
    store.setdefault(key, value)
    assert given == inner
    given.clear()
    store.transform_item(key, transformer=lambda _: value)
    assert given == inner
    del store[key]
    assert given == {}


@pytest.mark.parametrize(
    ("option", "function", "seen"),
    [
        ("key_of_id", str.upper, {"A": b"1"}),
        ("obj_of_data", bytes.decode, {"a": "1"}),
        ("obj_of_data", int, {"a": 1}),
        ("postget", lambda key, value: (key, value), {"a": ("a", b"1")}),
    ],
)
def test_functions_that_go_outwards_work_alone(option, function, seen):
    store = wrap_kvs({"a": b"1"}, **{option: function})
    key, value = next(iter(seen.items()))
    assert list(store) == [key]
    if option != "key_of_id":
        assert store[key] == store.get(key) == value
        assert list(store.values()) == [value]
        assert dict(store.items()) == seen
        assert store.newest_values() == [value]
        assert store.head() == (key, value)
        assert store.copy() == seen
        assert store | {} == seen
        assert store.pop(key) == value


def test_stacked_functions_are_composed_and_nothing_is_nested():
    inner = {}
    store = Store(inner)
    for _ in range(7):
        store = wrap_kvs(store, obj_of_data=plus_one, data_of_obj=minus_one)
    store["a"] = 10
    assert inner == {"a": 3}
    assert store["a"] == dict(store.items())["a"] == 10
    assert store.store is inner
    assert type(store) is Store
    assert store.etag("a") == Store(inner).etag("a")


def test_the_last_wrapper_is_outermost():
    inner = {}
    first = wrap_kvs(inner, id_of_key=lambda key: "1" + key, key_of_id=lambda name: name[1:])
    second = wrap_kvs(first, id_of_key=lambda key: "2" + key, key_of_id=lambda name: name[1:])
    second["a"] = 0
    assert inner == {"12a": 0}
    assert list(second) == ["a"]
    assert list(first) == ["2a"]


def test_preset_and_postget_see_the_key_of_their_own_layer():
    inner = {}
    typed = wrap_kvs(inner, preset=by_suffix_in, postget=by_suffix_out)
    outer = wrap_kvs(typed, id_of_key=lambda name: f"{name}.int", key_of_id=lambda name: name[:-4])
    outer["n"] = 7
    assert inner == {"n.int": "7"}
    assert outer["n"] == outer.pop("n") == 7
    outer.update(n=8)
    assert dict(outer.items()) == {"n": 8}
    assert outer.transform_item("n", transformer=plus_one).new_value == 9
    part = wrap_kvs({}, preset=lambda key, value: f"{key}={value}").get_subdict("p")
    part["a"] = 1
    assert part["a"] == "p/a=1"


def test_preset_comes_before_data_of_obj_and_postget_after_obj_of_data():
    inner = {}
    store = wrap_kvs(
        inner,
        preset=lambda key, value: [key, value],
        data_of_obj=json.dumps,
        obj_of_data=json.loads,
        postget=lambda key, value: (key, *value),
    )
    store["a"] = 1
    assert inner == {"a": '["a", 1]'}
    assert store["a"] == ("a", "a", 1)


def test_the_functions_of_a_view_lie_on_top_of_it():
    store = MemoryStore({"p/A": 1, "q/B": 2})
    view = wrap_kvs(store.get_subdict("p"), id_of_key=str.upper, key_of_id=str.lower)
    view["b"] = 3
    assert view == {"a": 1, "b": 3}
    assert store["p/B"] == 3
    assert view.get_subdict("x") == {}
    nested = wrap_kvs({"ROOT/A": 1}, id_of_key=str.upper, key_of_id=str.lower).get_subdict("root")
    assert nested == {"a": 1}


# ---------------------------------------------------------------------- errors


READS = [
    lambda store: store["a"],
    lambda store: store.get("a"),
    lambda store: store.setdefault("a", 5),
    lambda store: store.pop("a"),
    lambda store: store.pop("a", None),
    lambda store: list(store.values()),
    lambda store: list(store.items()),
    lambda store: store.popitem(),
    lambda store: store.transform_item("a", transformer=plus_one),
]


WRITES = [
    lambda store: store.__setitem__("a", 5),
    lambda store: store.update(a=5),
    lambda store: store.setdefault("new", 5),
    lambda store: store.transform_item("a", transformer=lambda _: 5),
    lambda store: store.set_item_if(
        "new", value=5, condition=ETAG_IS_THE_SAME, expected_etag=ITEM_NOT_AVAILABLE
    ),
]


@pytest.mark.parametrize("option", ["obj_of_data", "postget"])
@pytest.mark.parametrize("read", READS)
def test_a_key_error_of_a_decoder_is_not_absence(option, read):
    inner = {"a": 1}
    with pytest.raises(CorruptValueError, match="KeyError"):
        read(wrap_kvs(inner, **{option: fail(KeyError("a"))}))
    with pytest.raises(ZeroDivisionError):
        read(wrap_kvs(inner, **{option: fail(ZeroDivisionError())}))
    with pytest.raises(CorruptValueError):
        read(wrap_kvs(wrap_kvs(inner, **{option: fail(KeyError("a"))}), obj_of_data=str))
    assert inner == {"a": 1}


@pytest.mark.parametrize("option", ["data_of_obj", "preset"])
@pytest.mark.parametrize("write", WRITES)
def test_an_error_on_the_way_in_leaves_everything_as_it_was(option, write):
    inner = {"a": 1}
    with pytest.raises(SerializationError, match="boom"):
        write(wrap_kvs(inner, **{option: fail(KeyError("boom"))}))
    with pytest.raises(ZeroDivisionError):
        write(wrap_kvs(inner, **{option: fail(ZeroDivisionError())}))
    assert inner == {"a": 1}


@pytest.mark.parametrize(
    "use", [*READS[:5], *WRITES, lambda store: "a" in store, lambda store: store.discard("a")]
)
def test_a_key_error_of_a_function_of_keys_is_not_absence(use):
    inner = {"a": 1}
    with pytest.raises(InvalidArgumentError, match="does not mean that the key is absent") as caught:
        use(wrap_kvs(inner, id_of_key=fail(KeyError("config"))))
    assert not isinstance(caught.value, KeyError)
    with pytest.raises(ZeroDivisionError):
        use(wrap_kvs(inner, id_of_key=fail(ZeroDivisionError())))
    assert inner == {"a": 1}


@pytest.mark.parametrize(
    "use", [list, len, bool, dict, lambda s: s.popitem(), lambda s: s.random_key(), lambda s: s.clear()]
)
def test_a_key_error_while_listing_is_not_absence(use):
    inner = {"a": 1}
    with pytest.raises(InvalidArgumentError, match="no key can be made of 'a'"):
        use(wrap_kvs(inner, key_of_id=fail(KeyError("a"))))
    with pytest.raises(ZeroDivisionError):
        use(wrap_kvs(inner, key_of_id=fail(ZeroDivisionError())))
    assert inner == {"a": 1}


def test_a_key_that_a_function_cannot_take_is_impossible():
    store = wrap_kvs({"A": 1}, id_of_key=str.upper, key_of_id=str.lower)
    assert 5 not in store
    assert (store.get(5), store.discard(5), store.pop(5, 0)) == (None, False, 0)
    for use in (lambda: store[5], lambda: store.__setitem__(5, 1)):
        with pytest.raises(InvalidKeyError, match="5 has no name"):
            use()
    absent = pytest.raises(KeyError, match=r"^'b'$")
    with absent:
        store["b"]


def test_a_broken_serializer_below_is_told_from_the_users_functions(tmp_path):
    store = FileDirStore(tmp_path, serializer="json")
    store["a"] = 1
    (tmp_path / "a.json").write_bytes(b"{")
    wrapped = wrap_kvs(store, obj_of_data=plus_one)
    with pytest.raises(CorruptValueError):
        wrapped["a"]
    with pytest.raises(CorruptValueError):
        list(wrapped.values())
    (tmp_path / "a.json").write_bytes(b'"text"')
    with pytest.raises(TypeError):
        wrapped["a"]
    assert wrap_kvs(store, data_of_obj=lambda value: {value})["a"] == "text"
    with pytest.raises(SerializationError):
        wrap_kvs(store, data_of_obj=lambda value: {value})["a"] = 1


def test_a_function_gives_values_and_no_commands():
    store = wrap_kvs({"a": 1}, data_of_obj=lambda _: KEEP_CURRENT)
    for write in WRITES:
        with pytest.raises(InvalidArgumentError, match="is not a value"):
            write(store)
    store["a"] = KEEP_CURRENT
    assert store == {"a": 1}


def test_value_types_are_those_of_the_store_below(tmp_path):
    store = wrap_kvs(MemoryStore(value_type=int), obj_of_data=str, data_of_obj=int)
    store["a"] = "1"
    assert store["a"] == "1"
    with pytest.raises(InvalidArgumentError):
        wrap_kvs(MemoryStore(value_type=int), data_of_obj=str)["a"] = 1


@pytest.mark.parametrize("wrong", [{"obj_of_data": 3}, {"id_of_key": "upper"}, {"postget": {}}])
def test_what_is_no_function_is_refused_at_once(wrong):
    for thing in ((), ({},), (Store,)):
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            wrap_kvs(*thing, **wrong)
    with pytest.raises(TypeError, match="object_of_data"):
        wrap_kvs(object_of_data=int)


# ---------------------------------------------------------------------- functions that are no pair


NO_PAIRS = [
    (lambda key: "p/" + key, lambda name: name[3:]),
    (lambda key: "p/" + key, lambda _: NOT_MINE),
    (str.upper, fail(ValueError("no"))),
    (lambda key: key[::-1] + "x", lambda name: name[::-1]),
]


@pytest.mark.parametrize("pair", NO_PAIRS)
@pytest.mark.parametrize("write", [*WRITES[:3], lambda s: s.transform_item("ab", transformer=lambda _: 1)])
def test_functions_that_are_no_pair_are_reported_before_anything_is_lost(pair, write):
    inner = {}
    encode, decode = pair
    store = wrap_kvs(inner, id_of_key=encode, key_of_id=decode)
    for wrapped in (
        store,
        wrap_kvs(store, id_of_key=lambda key: key + "+", key_of_id=lambda name: name[:-1]),
    ):
        with pytest.raises(InvalidArgumentError, match=r"id_of_key .* key_of_id"):
            write(wrapped)
    assert inner == {}


def test_other_spellings_of_a_key_are_no_loss():
    inner = {}
    store = wrap_kvs(
        inner,
        id_of_key=lambda key: key if isinstance(key, str) else "/".join(key),
        key_of_id=lambda name: tuple(name.split("/")),
    )
    store["a"] = 1
    store["a", "b"] = 2
    assert list(store) == [("a",), ("a", "b")]
    assert store["a"] == store[("a",)] == 1
    folded = wrap_kvs(inner, id_of_key=str.lower, key_of_id=str)
    folded["ADA"] = 3
    assert folded["ada"] == 3


def test_the_check_is_made_once_and_does_not_slow_later_writes():
    asked = []

    def decode(name):
        asked.append(name)
        return name[1:]

    store = wrap_kvs({}, id_of_key=lambda key: "_" + key, key_of_id=decode)
    assert store.get("a") is None
    assert asked == []
    for key in "abc":
        store[key] = 1
        store.update({key: 2})
    assert asked == ["_a"]


# ---------------------------------------------------------------------- filters


def test_one_rule_for_all_verbs():
    inner = {"a.py": 1, "b.txt": 2, 3: 4}
    store = filt_iter(inner, suffix=".py")
    assert store == {"a.py": 1}
    assert (len(store), bool(store), list(store), store.newest_keys()) == (1, True, ["a.py"], ["a.py"])
    assert "b.txt" not in store
    assert 3 not in store
    assert store.get("b.txt") is None
    assert store.discard("b.txt") is False
    for use in (
        lambda: store["b.txt"],
        lambda: store.__setitem__("c.txt", 1),
        lambda: store.update({"c.txt": 1}),
        lambda: store.__delitem__("b.txt"),
        lambda: store.setdefault("c.txt", 1),
        lambda: store.etag("b.txt"),
    ):
        with pytest.raises(InvalidKeyError, match=r"left out.*suffix='\.py'"):
            use()
    store["c.py"] = 5
    store.clear()
    assert inner == {"b.txt": 2, 3: 4}
    assert not store


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"filt": lambda key: key > "b"}, ["c", "dd"]),
        ({"filt": str.isalpha}, ["a", "b", "c", "dd"]),
        ({"filt": {"a", "x"}}, ["a"]),
        ({"filt": ["a", "c"]}, ["a", "c"]),
        ({"filt": iter(["a", "c"])}, ["a", "c"]),
        ({"filt": {"b": 0}}, ["b"]),
        ({"regex": "^.$"}, ["a", "b", "c"]),
        ({"prefix": ("a", "d")}, ["a", "dd"]),
        ({"suffix": "d", "prefix": "d"}, ["dd"]),
        ({"filt": MemoryStore({"c": 1})}, ["c"]),
    ],
)
def test_filters_of_all_kinds(options, kept):
    inner = {"a": 1, "b": 2, "c": 3, "dd": 4}
    store = filt_iter(inner, **options)
    assert list(store) == kept
    assert [key for key in inner if key in store] == kept
    assert len(store) == len(kept)


def test_filters_stack_and_unhashable_keys_can_be_collected():
    store = filt_iter(filt_iter({"a": 1, "ab": 2, "b": 3}, prefix="a"), suffix="b")
    assert store == {"ab": 2}
    listed = filt_iter({1: 1, 2: 2}, filt=[[1], 2])
    assert list(listed) == [2]


@pytest.mark.parametrize("wrong", [{}, {"filt": "abc"}, {"filt": 3}, {"prefix": 3}, {"suffix": ("a", 1)}])
def test_wrong_filters_are_refused_at_once(wrong):
    for thing in ((), ({},), (Store,)):
        with pytest.raises(InvalidArgumentError):
            filt_iter(*thing, **wrong)


def test_a_prefix_is_passed_on_to_the_place(tmp_path):
    store = FileDirStore(tmp_path, serializer="json")
    store.update({"a/x": 1, "a/y/z": 2, "b/x": 3, "ab": 4})
    asked = []
    ids = type(store.pipeline.persister).ids

    class Watched(type(store.pipeline.persister)):
        def ids(self, prefix=""):
            asked.append(prefix)
            return ids(self, prefix)

    store.pipeline.persister.__class__ = Watched
    below = filt_iter(store, prefix="a/")
    assert set(below) == {"a/x", "a/y/z"}
    assert asked == ["a/"]
    assert filt_iter(wrap_kvs(store, id_of_key=str.lower, key_of_id=str.upper), prefix="A/") == {
        "A/X": 1,
        "A/Y/Z": 2,
    }
    assert filt_iter(store.get_subdict("a"), prefix="y/") == {"y/z": 2}
    assert below.get_subdict("a") == {"x": 1, "y/z": 2}


def test_keys_by_codec():
    inner = {"run-1.txt": 1, "other": 2}
    store = wrap_keys(inner, keys=Suffix(".txt") | Prefix("run-"))
    store["2"] = 3
    assert store == {"1": 1, "2": 3}
    assert wrap_keys(inner, keys=(str.upper, str.lower)).get("x") is None
    assert 5 not in store
    with pytest.raises(InvalidArgumentError):
        wrap_keys(inner, keys=5)


def body(data):
    return data["body"]


def test_a_decoder_that_fails_is_not_an_absent_item():
    inner = {"a": {}}
    s = wrap_kvs(inner, obj_of_data=body)
    assert "a" in s
    for read in (s.get, s.__getitem__, lambda key: s.setdefault(key, 1), lambda key: s.pop(key, 1)):
        with pytest.raises(CorruptValueError):
            read("a")
    assert inner == {"a": {}}


def test_functions_are_called_with_one_argument_whatever_its_name():
    def seen(self, more="nothing"):
        return self, more

    assert wrap_kvs({"a": 1}, obj_of_data=seen)["a"] == (1, "nothing")
    assert wrap_kvs({"a": "7"}, obj_of_data=int)["a"] == 7
    assert wrap_kvs({"a": b"x"}, obj_of_data=bytes.decode)["a"] == "x"


def test_what_is_left_out_is_left_out_of_every_verb():
    s = filt_iter({"a": 1, "b": 2}, filt=["a"])
    assert (list(s), len(s), "b" in s, s.get("b"), bool(filt_iter(s, filt=set()))) == (
        ["a"],
        1,
        False,
        None,
        False,
    )
    for use in (s.__getitem__, s.__delitem__, lambda key: s.__setitem__(key, 1)):
        with pytest.raises(InvalidKeyError):
            use("b")


def test_what_can_only_be_read_says_so():
    class Squares(Reader):
        def __getitem__(self, id):
            return id * id

        def __iter__(self):
            return iter(range(3))

    for source in (Squares(), MappingProxyType({0: 0, 1: 1, 2: 4})):
        s = wrap_kvs(source, obj_of_data=lambda value: value + 1)
        assert dict(s) == {0: 1, 1: 2, 2: 5}
        for write in (lambda s=s: s.__setitem__(3, 1), lambda s=s: s.pop(1), lambda s=s: s.update({1: 1})):
            with pytest.raises(UnsupportedError):
                write()
