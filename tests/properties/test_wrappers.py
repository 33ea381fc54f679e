"""Any wrappers in any order are a dict still: random stacks beside a plain dict."""

import copy
import json
import pickle

from hypothesis import given
from hypothesis import strategies as st

from exploring import examples
from holdall import MemoryStore, Store
from holdall.keys import Prefix, Suffix
from holdall.store import Pipeline, StorePersister
from holdall.wrappers import (
    add_ipython_key_completions,
    aliases,
    compose,
    filt_iter,
    wrap_keys,
    wrap_kvs,
    wrapper,
)


def add_x(key):
    return key + "x"


def cut_x(name):
    return name[:-1]


def turned(text):
    return text[::-1]


def boxed(value):
    return [value]


def unboxed(box):
    return box[0]


def signed(key, value):
    return {"by": key, "value": value}


def unsigned(key, signature):
    assert signature["by"] == key, "a function saw the key of another layer"
    return signature["value"]


def not_hidden(key):
    return "!" not in key


@wrapper
def inside_out(store):
    return Pipeline(StorePersister(store))


class Foreign(dict):
    """A mapping of somebody else."""


WRAPPERS = [
    wrap_kvs(id_of_key=add_x, key_of_id=cut_x),
    wrap_kvs(id_of_key=turned, key_of_id=turned),
    wrap_kvs(data_of_obj=boxed, obj_of_data=unboxed),
    wrap_kvs(data_of_obj=json.dumps, obj_of_data=json.loads),
    wrap_kvs(preset=signed, postget=unsigned),
    wrap_kvs(
        id_of_key=turned,
        key_of_id=turned,
        preset=signed,
        postget=unsigned,
        data_of_obj=json.dumps,
        obj_of_data=json.loads,
    ),
    wrap_keys(keys=Prefix("p")),
    wrap_keys(keys=Suffix(".s")),
    filt_iter(filt=not_hidden),
    add_ipython_key_completions,
    inside_out,
]
WORDS = aliases(read="load", write="save")

keys = st.text(alphabet="abx!./", max_size=3)
stacks = st.lists(st.sampled_from(WRAPPERS), max_size=6)
values = st.integers() | st.text(max_size=2) | st.none()
operations = st.lists(
    st.tuples(
        st.sampled_from(["set", "save", "del", "pop", "update", "setdefault", "transform", "copy"]),
        keys,
        values,
    ),
    max_size=12,
)


def open_stack(stack, form):
    """Give the store, and the mapping at the bottom of it."""
    inner = {}
    if form == "instance":
        return compose(*stack)(WORDS(inner)), inner
    if form == "foreign":
        return compose(*stack)(WORDS(wrap_kvs(Foreign)())), None
    cls = compose(*stack, WORDS)(MemoryStore if form == "class" else Store)
    return cls(inner), inner


def apply(operation, key, value, store, model):
    """Do the same with both; a key that a filter refuses is a KeyError for both."""
    if "!" in key and "filt" in model:
        return store
    items = model["items"]
    if operation == "set":
        store[key] = items[key] = value
    elif operation == "save":
        store.save(key, value)
        items[key] = value
    elif operation == "del":
        assert store.discard(key) is (items.pop(key, store) is not store)
    elif operation == "pop":
        assert store.pop(key, "none") == items.pop(key, "none")
    elif operation == "update":
        store.update({key: value, key + "a": value})
        items.update({key: value, key + "a": value})
    elif operation == "setdefault":
        assert store.setdefault(key, value) == items.setdefault(key, value)
    elif operation == "transform":
        store.transform_item(key, transformer=lambda _: value)
        items[key] = value
    elif operation == "copy":
        return copy.copy(store)
    return store


@examples(80)
@given(
    stack=stacks, form=st.sampled_from(["instance", "class", "store class", "foreign"]), operations=operations
)
def test_any_stack_of_wrappers_is_a_dict(stack, form, operations):
    store, inner = open_stack(stack, form)
    filtered = any(repr(one).startswith("filt_iter") for one in stack)
    model = {"items": {}, **({"filt": True} if filtered else {})}
    for operation, key, value in operations:
        store = apply(operation, key, value, store, model)
    items = model["items"]
    assert dict(store.items()) == {key: store[key] for key in store} == items
    assert store == items
    assert len(store) == len(items)
    assert bool(store) == bool(items)
    assert sorted(store.newest_keys()) == sorted(items)
    assert all(store.load(key) == value and key in store for key, value in items.items())
    assert sorted(store._ipython_key_completions_()) == sorted(items)
    assert len({store.etag(key) for key in items}) == len(items)
    if inner is not None:
        assert len(inner) == len(items)
    part = {key[2:]: value for key, value in items.items() if key.startswith("a/")}
    assert store.get_subdict("a") == part
    if form == "instance":
        again = pickle.loads(pickle.dumps(store))
        assert again == items
        assert again.load is not store.load
    store.clear()
    assert store == {}
    assert not inner
