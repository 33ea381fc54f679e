"""Writes that wait are read, are not lost by failures, and reach the place in the end."""

import copy
import gc
import os
import pickle
import subprocess
import sys

import pytest

from holdall import (
    ITEM_NOT_AVAILABLE,
    FileDirStore,
    InvalidArgumentError,
    InvalidKeyError,
    MemoryStore,
    ReadOnlyError,
    SerializationError,
    Store,
    StoreFullError,
    UnsupportedError,
)
from holdall.persisters.mapping import MappingPersister
from holdall.testing._races import in_threads
from holdall.wrappers import append_only, cached_values, read_only, write_back, write_once
from holdall.wrappers._write_back import _waiting


class Place(MappingPersister):
    """Notes what is written to it, and refuses what it is told to."""

    def __init__(self, items=()):
        super().__init__(dict(items))
        self.calls, self.puts = [], []
        self.refused = {}  # id -> error

    def put(self, id, data):
        if id in self.refused:
            raise self.refused[id]
        super().put(id, data)
        self.puts.append(id)

    __setitem__ = put

    def write_many(self, items):
        items = list(items)
        self.calls.append(sorted(id for id, _ in items))
        for id, data in items:
            self.put(id, data)


@write_back(max_items=5)
class Buffered(FileDirStore):
    """A folder that is written by fives."""


def test_writes_wait_and_reading_sees_them():
    place = Place({"old": 1, "gone": 2})
    store = write_back(Store(place))
    store["new"] = 3
    store.update({"old": 4, "more": 5})
    del store["gone"]
    assert place.mapping == {"old": 1, "gone": 2}
    assert store == {"old": 4, "new": 3, "more": 5}
    assert (len(store), "gone" in store, store.get("gone"), store.head()) == (3, False, None, ("new", 3))
    assert store.get_subdict("x") == {}
    assert dict(store.items()) == dict(zip(store, store.values(), strict=True))
    with pytest.raises(KeyError):
        del store["gone"]
    assert store.discard("never") is False
    store.flush()
    assert place.mapping == {"old": 4, "new": 3, "more": 5}
    assert place.calls == [["more", "new", "old"]], "one write_many"
    store.flush()
    assert len(place.calls) == 1


def test_a_write_after_a_deletion_and_the_other_way_round():
    place = Place({"a": 1, "b": 1})
    store = write_back(Store(place))
    del store["a"]
    store["a"] = 2
    store["b"] = 2
    del store["b"]
    store["c"] = 2
    assert store.discard("c") is True
    assert (store, len(store)) == ({"a": 2}, 1)
    store.flush()
    assert place.mapping == {"a": 2}


def test_what_only_the_place_can_tell_flushes_first():
    verbs = (
        lambda s: s.etag("a"),
        lambda s: s.timestamp("a"),
        lambda s: s.newest_keys(),
        lambda s: s.transform_item("a", transformer=lambda n: n + 1),
        lambda s: s.pop("a"),
    )
    for verb in verbs:
        place = Place()
        store = write_back(Store(place))
        store.update(a=1, b=2)
        store.setdefault("b", 7)
        assert place.mapping == {}
        verb(store)
        assert place.mapping["b"] == 2
        assert store == place.mapping


def test_the_bound_is_kept_before_a_write_is_taken():
    place = Place()
    store = write_back(Store(place), max_items=2)
    store.update(a=1, b=2)
    store["a"] = 3
    assert place.mapping == {}
    store["c"] = 4
    assert place.mapping == {"a": 3, "b": 2}
    place.refused = {"c": StoreFullError("no room")}
    store["d"] = 5
    with pytest.raises(StoreFullError):
        store["e"] = 6
    assert "e" not in store
    with pytest.raises(StoreFullError):
        del store["a"]
    assert store == {"a": 3, "b": 2, "c": 4, "d": 5}
    place.refused = {}
    store["e"] = 6
    assert place.mapping == {"a": 3, "b": 2, "c": 4, "d": 5}


def test_bytes_are_bounded(tmp_path):
    folder = FileDirStore(tmp_path, serializer="bytes")
    store = write_back(folder, max_items=None, max_bytes=100)
    store["a"] = b"x" * 60
    store["b"] = b"x" * 40
    store["b"] = b"y" * 40
    assert list(folder) == []
    store["c"] = b"x"
    assert sorted(folder) == ["a", "b"]
    store["large"] = b"x" * 101
    assert sorted(folder) == ["a", "b", "c", "large"]
    del store["large"]
    store["a"] = b"z" * 100
    assert "large" in folder
    store.flush()
    assert sorted(folder) == ["a", "b", "c"]
    with pytest.raises(UnsupportedError, match="max_items"):
        write_back({}, max_bytes=10)["a"] = 1


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "1"])
@pytest.mark.parametrize("option", ["max_items", "max_bytes"])
def test_a_bound_is_a_positive_whole_number(option, wrong):
    with pytest.raises(InvalidArgumentError, match=option):
        write_back(**{option: wrong})


def test_values_are_written_as_they_were(tmp_path):
    store = write_back(FileDirStore(tmp_path, serializer="json"))
    value = [1]
    store["a"] = value
    value.append(2)
    assert store["a"] == [1]
    with pytest.raises(SerializationError):
        store["b"] = {1, 2}
    store.flush()
    assert FileDirStore(tmp_path) == {"a": [1]}


def test_a_key_that_has_no_name_below_is_refused_when_it_is_written(tmp_path):
    store = write_back(cached_values(FileDirStore(tmp_path)))
    for verb in (store.__setitem__, lambda key, value: store.update([(key, value)])):
        with pytest.raises(InvalidKeyError):
            verb(("a", 1), "value")
    store["a"] = 1
    assert len(pickle.loads(pickle.dumps(store))) == 1
    store.close()
    assert FileDirStore(tmp_path) == {"a": 1}


def test_lists_are_values_where_objects_are_kept():
    place = {}
    store = write_back(place)
    store["a"] = ["text"]
    assert store["a"] == ["text"]
    store.close()
    assert place == {"a": ["text"]}


def test_items_reach_the_place_in_the_order_of_their_last_writes():
    place = {}
    store = write_back(place)
    for key in ("a", "b", "c", "a"):
        store[key] = key
    store.flush()
    assert list(place) == ["b", "c", "a"]


# ---------------------------------------------------------------------- failures


def test_what_is_refused_does_not_hold_up_the_others():
    place = Place({"gone": 0})
    store = write_back(Store(place))
    store.update(a=1, bad=2, c=3)
    del store["gone"]
    place.refused = {"bad": ValueError("not this one")}
    with pytest.raises(ValueError, match="not this one"):
        store.flush()
    assert place.mapping == {"a": 1, "c": 3}
    assert store == {"a": 1, "bad": 2, "c": 3}
    with pytest.raises(ValueError, match="not this one"):
        store.close()
    place.refused = {}
    store.close()
    assert place.mapping == {"a": 1, "c": 3, "bad": 2}


def test_while_the_place_does_not_answer_all_is_kept():
    place = Place()
    store = write_back(Store(place))
    store.update(a=1, b=2, c=3)
    place.refused = {"b": ConnectionError("no answer")}
    for attempts in (1, 2):
        with pytest.raises(ConnectionError):
            store.flush()
        assert store == {"a": 1, "b": 2, "c": 3}
        assert place.puts == ["a"] * attempts, "nobody tries item by item where there is no answer"
    place.refused = {}
    with store:
        store["d"] = 4
    assert place.mapping == {"a": 1, "b": 2, "c": 3, "d": 4}


def test_guards_refuse_when_the_write_is_made():
    for guarded in (write_back(append_only({"a": 1})), write_back(MemoryStore({"a": 1}, append_only=True))):
        with pytest.raises(ReadOnlyError):
            guarded["a"] = 2
        guarded["b"] = 3
        guarded.flush()
        assert guarded == {"a": 1, "b": 3}
    with pytest.raises(ReadOnlyError):
        write_back(read_only({"a": 1}))["b"] = 2
    once = write_back(write_once({"a": 1}))
    once["a"] = 2
    assert once["a"] == 1


def test_threads_lose_nothing():
    place = {}
    store = write_back(place, max_items=3)

    def work(me):
        for number in range(120):
            key = f"{me}-{number % 7}"
            store[key] = number
            assert store[key] == number
            if number % 11 == 0:
                store.flush()
            if number % 13 == 0:
                del store[key]
                assert key not in store
                store[key] = number
            store.transform_item(
                "n", transformer=lambda n: 1 if n is ITEM_NOT_AVAILABLE else n + 1, n_retries=None
            )
            assert store["n"] > number

    in_threads(4, work)
    store.close()
    assert place["n"] == 480
    assert len(place) == 29
    assert store == place


# ---------------------------------------------------------------------- the end of things


def test_handles_share_what_waits_and_pickles_have_it_written(tmp_path):
    store = Buffered(tmp_path)
    store["a"] = 1
    assert list(FileDirStore(tmp_path)) == []
    assert copy.copy(store)["a"] == 1
    store.get_subdict("b")["c"] = 2
    assert store["b/c"] == 2
    again = pickle.loads(pickle.dumps(store))
    assert type(again) is Buffered
    assert FileDirStore(tmp_path) == again == {"a": 1, "b/c": 2}
    again["d"] = 3
    assert "d" not in store
    again.close()
    assert store["d"] == 3


def test_nothing_is_held_that_is_written():
    before = len(_waiting)
    place = {}
    store = write_back(place)
    store["a"] = 1
    assert len(_waiting) == before + 1
    store.flush()
    assert len(_waiting) == before
    store["b"] = 1
    store.clear()
    assert len(_waiting) == before
    assert store == place == {}
    store["a"] = 1
    del store
    gc.collect()
    assert len(_waiting) == before + 1, "what waits outlives the store"
    assert place == {}
    for buffer in list(_waiting):
        buffer.push()
    assert place == {"a": 1}


SCRIPT = """
import gc, os, sys
from holdall import FileDirStore
from holdall.wrappers import write_back
store = write_back(FileDirStore(sys.argv[1], serializer="json"))
store["a"] = 1
"""


def run(script, place):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + script, str(place)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("ending", ["", "del store; gc.collect()", "sys.exit(3)", "raise SystemExit"])
def test_what_waits_is_written_when_the_interpreter_ends(ending, tmp_path):
    assert run(ending, tmp_path / "s").stderr == ""
    assert FileDirStore(tmp_path / "s") == {"a": 1}


def test_what_cannot_be_written_in_the_end_is_told(tmp_path):
    done = run("import shutil; open(sys.argv[1], 'w').close()", tmp_path / "s")
    assert "RuntimeWarning: 1 buffered writes did not reach" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_sees_what_waited_and_writes_none_of_it(tmp_path):
    done = run(
        """
seen, tell = os.pipe()
heard, ready = os.pipe()
child = os.fork()
if child == 0:
    assert store["a"] == 1
    store["child"] = 2
    os.write(ready, b"x")
    os.read(seen, 1)
    sys.exit()  # flushes what the child wrote
os.read(heard, 1)
store["a"] = 3
store.flush()
os.write(tell, b"x")
os.waitpid(child, 0)
assert store["child"] == 2
""",
        tmp_path / "s",
    )
    assert done.stderr == ""
    assert FileDirStore(tmp_path / "s") == {"a": 3, "child": 2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_what_the_parent_could_not_write_is_still_the_parents(tmp_path):
    done = run(
        """
from holdall.wrappers import _write_back as buffer
class Place(dict):
    def __setitem__(self, key, value):
        raise OSError("not now")
other = write_back(Place())
other["b"] = 1
child = os.fork()
if child == 0:
    os._exit(len(buffer._waiting))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert other["b"] == 1
""",
        tmp_path / "s",
    )
    assert done.returncode == 0
    assert "1 buffered writes did not reach a Place in memory: not now" in done.stderr
    assert FileDirStore(tmp_path / "s") == {"a": 1}


def test_what_waits_to_be_written_can_be_read(tmp_path):
    s = write_back(FileDirStore(tmp_path, serializer="json"))
    s["a"] = [1]
    assert s["a"] == [1]
    assert list(s) == ["a"]
    del s["a"]
    assert "a" not in s
    s.close()


def test_what_waits_in_a_store_that_has_no_name_is_written_when_the_interpreter_ends(tmp_path):
    code = (
        "from holdall import *; from holdall.wrappers import write_back\n"
        f"write_back(FileDirStore({str(tmp_path)!r}, serializer='json'))['a'] = 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert FileDirStore(tmp_path) == {"a": 1}
