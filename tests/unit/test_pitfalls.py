"""Where stores of the field lose data, leak or confuse: each of these must be right here."""

import copy
import os
import pickle
import subprocess
import sys
import traceback
from types import MappingProxyType

import pytest

from holdall import (
    CorruptValueError,
    FileDirStore,
    InvalidKeyError,
    MemoryStore,
    ReadOnlyError,
    SerializationError,
    SQLiteStore,
    Store,
    StoreUnavailableError,
    UnsupportedError,
    ZipStore,
)
from holdall.abc import Reader
from holdall.keys import Prefix, Suffix, Template
from holdall.serializers import by_suffix
from holdall.wrappers import (
    add_ipython_key_completions,
    cached_keys,
    cached_values,
    filt_iter,
    flatten,
    read_only,
    wrap_keys,
    wrap_kvs,
    write_back,
)


def body(data):
    return data["body"]


def plus_one(value):
    return value + 1


@wrap_kvs(obj_of_data=plus_one)
class Inner(MemoryStore):
    """Wrapped once."""

    def twice(self, key):
        return self[key], self[key]


@wrap_kvs(obj_of_data=plus_one)
class Outer(Inner):
    """Wrapped twice."""


Words = cached_keys(keys_cache=["a", "b"])(MemoryStore)


# ---------------------------------------------------------------------- data that is lost or wrong


def test_a_decoder_that_fails_is_not_an_absent_item():
    inner = {"a": {}}
    s = wrap_kvs(inner, obj_of_data=body)
    assert "a" in s
    for read in (s.get, s.__getitem__, lambda key: s.setdefault(key, 1), lambda key: s.pop(key, 1)):
        with pytest.raises(CorruptValueError):
            read("a")
    assert inner == {"a": {}}


@pytest.mark.parametrize("given", [{"a": 1}, MemoryStore({"a": 1})])
def test_read_only_refuses_every_verb_and_changes_nothing_that_was_given(given):
    ro = read_only(given)
    writes = (
        lambda: ro.__setitem__("a", 2),
        lambda: ro.__delitem__("a"),
        lambda: ro.pop("a"),
        ro.popitem,
        ro.clear,
        lambda: ro.update(a=2),
        lambda: ro.setdefault("b", 2),
        lambda: ro.__ior__({"a": 2}),
        lambda: ro.discard("a"),
        lambda: ro.transform_item("a", transformer=plus_one),
    )
    for write in writes:
        with pytest.raises(ReadOnlyError):
            write()
    assert dict(given) == {"a": 1}
    given["b"] = 2
    assert len(ro) == 2


def test_a_guarded_class_leaves_the_class_that_was_given_alone(tmp_path):
    class Plain(MemoryStore):
        pass

    read_only(Plain)
    plain = Plain()
    plain["a"] = 1
    assert plain == {"a": 1}


def test_caches_know_of_own_writes_and_deletions():
    s = cached_values({"a": 1}, cache=dict)
    assert s["a"] == 1
    s["a"] = 2
    assert s["a"] == 2
    del s["a"]
    with pytest.raises(KeyError):
        s["a"]


def test_what_waits_to_be_written_can_be_read(tmp_path):
    s = write_back(FileDirStore(tmp_path, serializer="json"))
    s["a"] = [1]
    assert s["a"] == [1]
    assert list(s) == ["a"]
    del s["a"]
    assert "a" not in s
    s.close()


def test_what_waits_is_written_when_the_interpreter_ends(tmp_path):
    code = (
        "from holdall import *; from holdall.wrappers import write_back\n"
        f"write_back(FileDirStore({str(tmp_path)!r}, serializer='json'))['a'] = 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert FileDirStore(tmp_path) == {"a": 1}


def test_what_a_source_gives_is_decoded_once():
    s = cached_values(wrap_kvs({"a": "1"}, obj_of_data=int), cache=MemoryStore(serializer="json"))
    assert [s["a"], s["a"]] == [1, 1]
    above = wrap_kvs(s, obj_of_data=plus_one)
    assert [above["a"], above["a"]] == [2, 2]


@pytest.mark.parametrize("serializer", ["bytes", "text", "json"])
def test_a_value_that_cannot_be_written_leaves_the_old_one(tmp_path, serializer):
    s = FileDirStore(tmp_path, serializer=serializer)
    good = {"bytes": b"1", "text": "1", "json": 1}[serializer]
    s["a"] = good
    with pytest.raises(SerializationError):
        s["a"] = object()
    with pytest.raises(SerializationError):
        s["new/folder"] = object()
    assert s == {"a": good}
    assert not (tmp_path / "new").exists()


def test_text_and_json_come_back_as_they_were(tmp_path):
    texts = FileDirStore(tmp_path / "texts", serializer="text")
    texts["a"] = "a\r\nb\n\u00e9"
    assert texts["a"] == "a\r\nb\n\u00e9"
    with pytest.raises(SerializationError):
        FileDirStore(tmp_path / "json", serializer="json")["a"] = {1: (2, 3)}


def test_given_keys_belong_to_each_instance():
    one, other = Words({"a": 1, "b": 2}), Words({"a": 1, "b": 2})
    one.update([("c", 3)])
    del one["a"]
    assert (list(one), list(other)) == (["b", "c"], ["a", "b"])
    with pytest.raises(KeyError):
        del one["absent"]


def test_hooks_and_attributes_of_an_instance_travel():
    s = Store({"a": "x"})
    s._obj_of_data = str.upper
    s.note = "mine"
    for other in (copy.copy(s), pickle.loads(pickle.dumps(s))):
        assert other["a"] == "X"
        assert other.note == "mine"


def test_keys_that_would_meet_are_told_before_anything_is_lost():
    s = wrap_kvs({}, id_of_key=str, key_of_id=lambda name: name[0])
    with pytest.raises(ValueError, match="key_of_id"):
        s["ab"] = 1
    assert not s.store


def test_foreign_names_are_left_out_and_not_cut():
    inner = {"README": 1, "a.txt": 2, "p-b.csv": 3, "foo.csv.bak": 4}
    for keys, seen in (
        (Suffix(".txt"), ["a"]),
        (Prefix("p-"), ["b.csv"]),
        (Template("{}.csv"), ["p-b"]),
        (Template("p-{n:d}.csv"), []),
    ):
        s = wrap_keys(inner, keys=keys)
        assert list(s) == [key for key, _ in s.items()] == seen
        assert len(s) == len(seen)


# ---------------------------------------------------------------------- places that others could reach


def test_keys_are_never_commands_or_ways_out(tmp_path):
    archive = ZipStore(tmp_path / "a.zip")
    for key in ("x; touch y", "$(touch y)", "a b"):
        archive[key] = b"1"
        archive[key] = b"2"
        del archive[key]
    assert os.listdir(tmp_path) == ["a.zip"]
    root = tmp_path / "a[1]"
    files = FileDirStore(root, serializer="text", suffix=".txt")
    for key in ("../evil", "/etc/evil", "..", "a/../../evil"):
        files[key] = "in here"
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "a[1]"]
    assert len(files) == len(list(files)) == 4
    files.clear()
    assert os.listdir(tmp_path / "a[1]") == [".holdall"]


def test_a_loop_of_links_lists_no_ghosts_and_deleting_keeps_no_copy(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    s = FileDirStore(tmp_path, serializer="text", suffix=".txt")
    assert list(s) == ["a"]
    del s["a"]
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if name.startswith("a")]


# ---------------------------------------------------------------------- kinds, copies, pickles


def test_wrapped_things_are_what_they_say():
    assert isinstance(Outer(), Inner)
    assert isinstance(Outer(), MemoryStore)
    assert Outer.__doc__ == "Wrapped twice."
    assert (Outer.__module__, Outer.__qualname__) == (__name__, "Outer")
    assert wrap_kvs(dict, obj_of_data=str).__name__ == "DictStore"


def test_what_can_only_be_read_says_so():
    class Squares(Reader):
        def __getitem__(self, id):
            return id * id

        def __iter__(self):
            return iter(range(3))

    for source in (Squares(), MappingProxyType({0: 0, 1: 1, 2: 4})):
        s = wrap_kvs(source, obj_of_data=plus_one)
        assert dict(s) == {0: 1, 1: 2, 2: 5}
        for write in (lambda s=s: s.__setitem__(3, 1), lambda s=s: s.pop(1), lambda s=s: s.update({1: 1})):
            with pytest.raises(UnsupportedError):
                write()


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


# ---------------------------------------------------------------------- errors that tell


def test_an_absent_key_is_the_users_in_a_short_traceback():
    s = {}
    for prefix in "abc":
        s = wrap_keys(s, keys=Prefix(prefix))
    with pytest.raises(KeyError) as caught:
        s["mine"]
    assert caught.value.args == ("mine",)
    assert len(traceback.extract_tb(caught.value.__traceback__)) <= 5


def test_a_place_out_of_order_is_not_an_absent_item(tmp_path):
    s = FileDirStore(tmp_path / "files", serializer="text", suffix="")
    s["a/b"] = "x"
    with pytest.raises(KeyError):
        s["a"]  # a folder is no item
    (tmp_path / "table.db").write_bytes(b"no table at all" * 100)
    with pytest.raises((CorruptValueError, StoreUnavailableError)):
        SQLiteStore(tmp_path / "table.db", serializer="json").get("a")


def test_functions_are_called_with_one_argument_whatever_its_name():
    def seen(self, more="nothing"):
        return self, more

    assert wrap_kvs({"a": 1}, obj_of_data=seen)["a"] == (1, "nothing")
    assert wrap_kvs({"a": "7"}, obj_of_data=int)["a"] == 7
    assert wrap_kvs({"a": b"x"}, obj_of_data=bytes.decode)["a"] == "x"


def test_completion_works_on_any_mapping():
    for thing in ({"tea": 1}, MappingProxyType({"tea": 1}), Store({"tea": 1})):
        assert add_ipython_key_completions(thing)._ipython_key_completions_() == ["tea"]


def test_a_name_without_a_known_suffix_holds_bytes(tmp_path):
    s = FileDirStore(tmp_path, serializer=by_suffix())
    s["unknown.xyz"] = b"1"
    s["empty"] = b""
    assert s == {"unknown.xyz": b"1", "empty": b""}


def test_what_is_hidden_is_hidden_from_every_verb(tmp_path):
    (tmp_path / ".hidden").write_text("x")
    s = FileDirStore(tmp_path, serializer="text", suffix="")
    assert ".hidden" not in s
    assert s.get(".hidden") is None
    assert not s
    s[".hidden"] = "y"
    assert list(s) == [".hidden"]
    assert (tmp_path / ".hidden").read_text() == "x"


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


def test_nested_mappings_are_one_by_tuples():
    nested = {"a": {"x": 1}, "b": {"y": {"z": 2}}}
    s = flatten(nested)
    assert s == {("a", "x"): 1, ("b", "y", "z"): 2}
    s["a", "x"] = 3
    assert nested["a"] == {"x": 3}


def test_importing_says_and_makes_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import holdall, holdall.wrappers; holdall.FileDirStore"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == done.stderr == b""
    assert os.listdir(tmp_path) == []


def test_a_store_is_shown_as_made_and_is_no_key_itself():
    s = wrap_kvs({"a": 1}, obj_of_data=plus_one)
    assert repr(s) == "wrap_kvs(Store(persister={'a': 1}), obj_of_data=plus_one)"
    assert len(repr(Store({number: number for number in range(10_000)}))) < 500
    with pytest.raises(TypeError, match="Outer"):
        hash(Outer())
