"""Compare and swap in use: conditions, etags and results, retries, keys, formats, handles that travel."""

import copy
import json
import os
import pickle
import subprocess
import sys
import time
from collections import Counter
from typing import assert_type

import pytest

from holdall import (
    DELETE_CURRENT,
    ITEM_NOT_AVAILABLE,
    KEEP_CURRENT,
    ConflictError,
    CorruptValueError,
    FileDirStore,
    InvalidArgumentError,
    InvalidKeyError,
    MemoryStore,
    MismatchError,
    MultiFormatStore,
    NullStore,
    ReadOnlyError,
    SerializationError,
    SQLiteStore,
    Store,
    ZipStore,
)
from holdall.conditional import (
    ALWAYS_RETRIEVE,
    ANY_ETAG,
    ETAG_HAS_CHANGED,
    ETAG_IS_THE_SAME,
    IF_ETAG_CHANGED,
    NEVER_RETRIEVE,
    VALUE_NOT_RETRIEVED,
)
from holdall.keys import PathKeys
from holdall.wrappers import write_once

OPENERS = {
    "memory": lambda folder, **options: MemoryStore(**options),
    "dict": lambda folder, **options: Store({}, serializer="pickle", **options),
    "files": lambda folder, **options: FileDirStore(folder / "store", **options),
    "sqlite": lambda folder, **options: SQLiteStore(folder / "store.db", **options),
    "zip": lambda folder, **options: ZipStore(folder / "store.zip", serializer="pickle", **options),
}


@pytest.fixture(params=OPENERS)
def opened(request, tmp_path):
    """Give a function that opens a store of each kind with options."""
    made = []

    def open_it(**options):
        made.append(OPENERS[request.param](tmp_path, **options))
        return made[-1]

    yield open_it
    for store in made:
        store.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


def quick(action, error):
    """See that an action fails with an error at once: it does not pause to try again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: pytest.fail(f"it slept for {seconds} s"))
        with pytest.raises(error) as caught:
            action()
    return str(caught.value)


# ---------------------------------------------------------------------- the examples


def test_settings_in_a_folder(path):
    app_settings = FileDirStore(path)
    app_settings["username"] = "alex"
    app_settings["theme"] = "dark"
    app_settings["notifications_enabled"] = True
    app_settings["recent_projects"] = ["project_a", "project_b"]
    assert app_settings["theme"] == "dark"
    reloaded_settings = FileDirStore(path)
    assert len(reloaded_settings) == 4
    assert "username" in reloaded_settings


def test_types_for_checkers_and_at_run_time(path):
    d: FileDirStore[str, int] = FileDirStore(path, value_type=int)
    d["count"] = 42
    assert_type(d["count"], int)
    cache: MemoryStore[str, str] = MemoryStore()
    cache["x"] = "text"
    with pytest.raises(TypeError):
        d["name"] = "Alice"  # type: ignore[assignment]
    assert d == {"count": 42}
    assert FileDirStore(path, value_type=(int, str))["count"] == 42


def test_inserting_if_absent(opened):
    d = opened()
    flags = {"condition": ETAG_IS_THE_SAME, "expected_etag": ITEM_NOT_AVAILABLE}
    first = d.setdefault_if("token", default_value="v1", **flags)
    assert (first.condition_was_satisfied, first.actual_etag, first.new_value) == (
        True,
        ITEM_NOT_AVAILABLE,
        "v1",
    )
    second = d.setdefault_if("token", default_value="v2", **flags)
    assert (second.condition_was_satisfied, second.value_was_mutated, second.new_value) == (
        False,
        False,
        "v1",
    )


def test_a_loop_that_compares_and_swaps(opened):
    d = opened()
    for wanted in (1, 2):
        while True:
            r = d.get_item_if("count", condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE)
            new_value = 1 if r.new_value is ITEM_NOT_AVAILABLE else r.new_value + 1
            r2 = d.set_item_if(
                "count", value=new_value, condition=ETAG_IS_THE_SAME, expected_etag=r.actual_etag
            )
            if r2.condition_was_satisfied:
                break
        assert d["count"] == wanted


def test_the_additional_methods(opened):
    d = opened()
    before = time.time()
    d["a/x"], d["b"] = 1, 2
    assert d.timestamp("b") == pytest.approx(before, abs=10)
    assert d.random_key() in {"a/x", "b"}
    assert set(d.oldest_keys()) == set(d.newest_keys(max_n=None)) == {"a/x", "b"}
    assert sorted(d.oldest_values()) == sorted(d.newest_values(2)) == [1, 2]
    assert d.oldest_keys(max_n=0) == d.newest_keys(max_n=-1) == []
    assert d.get_subdict("a") == {"x": 1}
    assert {first: dict(part) for first, part in d.subdicts().items()} == {"a": {"x": 1}}
    assert (d.discard("b"), d.discard("b")) == (True, False)
    assert type(d)(**d.get_params()) == d
    d["b"] = KEEP_CURRENT
    d["a/x"] = DELETE_CURRENT
    assert d == {}


def test_several_formats_in_one_folder(path):
    formats = MultiFormatStore(path, "pickle", "json", txt="text")
    formats.json["x"], formats.pickle["x"], formats.txt["x"] = [1], {2}, "three"
    assert (formats["json"]["x"], formats["pickle"]["x"], list(formats)) == (
        [1],
        {2},
        ["pickle", "json", "txt"],
    )
    formats.json.clear()
    assert (len(formats.json), formats.txt["x"], pickle.loads(pickle.dumps(formats)).pickle["x"]) == (
        0,
        "three",
        {2},
    )


def test_a_place_that_keeps_nothing():
    null = NullStore()
    null["x"] = 1
    assert (len(null), "x" in null, null.pop("x", 7), null.random_key()) == (0, False, 7, None)
    assert null.setdefault("x", 1) == 1
    with pytest.raises(KeyError):
        null["x"]


def test_the_first_write_of_a_key_counts(opened):
    below = opened()
    results = write_once(below, check_probability=1)
    results["x"] = 1
    results["x"] = 1
    for repeat in (2, True, 1.0):
        with pytest.raises(MismatchError):
            results["x"] = repeat
    results.update({"x": 1, "y": 2})
    write_once(below)["x"] = "not compared, and ignored"
    assert below == {"x": 1, "y": 2}
    assert type(results["x"]) is int
    assert results.etag("x") == below.etag("x")  # there it is another one
    assert results.timestamp("x") == below.timestamp("x")
    for change in (
        lambda: results.pop("x"),
        lambda: results.discard("x"),
        lambda: results.__delitem__("x"),
        lambda: results.transform_item("x", transformer=lambda old: old + 1),
        results.clear,
    ):
        with pytest.raises(ReadOnlyError):
            change()
    assert below == {"x": 1, "y": 2}


# ---------------------------------------------------------------------- results and flags


def test_results_are_frozen_and_structured(opened):
    store = opened()
    flags = {"condition": ANY_ETAG, "expected_etag": ITEM_NOT_AVAILABLE}
    results = [
        store.get_item_if("x", **flags),
        store.set_item_if("x", value=1, **flags),
        store.setdefault_if("x", default_value=2, **flags),
        store.discard_if("x", **flags),
    ]
    for result in results:
        assert result._fields == ("condition_was_satisfied", "actual_etag", "resulting_etag", "new_value")
        assert result.value_was_mutated is (result.actual_etag != result.resulting_etag)
        assert hash(result) == hash(copy.copy(result))
    results.append(store.transform_item("x", transformer=lambda _: 3))
    assert results[-1]._fields == ("resulting_etag", "new_value", "attempts", "actual_etag")
    assert results[-1].value_was_mutated
    for result in results:
        for name in (*result._fields, "another"):
            with pytest.raises(AttributeError):
                setattr(result, name, None)
        assert type(pickle.loads(pickle.dumps(result))) is type(result)


def test_a_value_comes_along_by_the_etags_and_not_by_the_condition(opened):
    store = opened()
    store["x"] = "old"
    etag = store.etag("x")
    failed = store.get_item_if("x", condition=ETAG_IS_THE_SAME, expected_etag="another")
    assert (failed.condition_was_satisfied, failed.new_value) == (False, "old")
    held = store.get_item_if("x", condition=ETAG_IS_THE_SAME, expected_etag=etag)
    assert (held.condition_was_satisfied, held.new_value) == (True, VALUE_NOT_RETRIEVED)
    both = store.get_item_if(
        "x", condition=ETAG_HAS_CHANGED, expected_etag=etag, retrieve_value=ALWAYS_RETRIEVE
    )
    assert (both.condition_was_satisfied, both.new_value, both.actual_etag) == (False, "old", etag)


def test_sentinels_and_jokers_stay_what_they_are(opened):
    marks = [ITEM_NOT_AVAILABLE, VALUE_NOT_RETRIEVED, KEEP_CURRENT, DELETE_CURRENT, ANY_ETAG, NEVER_RETRIEVE]
    assert all(copy.deepcopy(mark) is pickle.loads(pickle.dumps(mark)) is mark for mark in marks)
    store = opened()
    store["x"] = marks  # within a value they are values
    assert all(found is mark for found, mark in zip(store["x"], marks, strict=True))
    with pytest.raises(InvalidArgumentError):  # there it is stored, and then `pop` finds nothing
        store["x"] = ITEM_NOT_AVAILABLE
    assert store.pop("x") == marks


def test_an_equal_value_written_again_is_a_change(opened):
    store = opened()
    store["x"] = 1
    result = store.set_item_if("x", value=1, condition=ANY_ETAG, expected_etag=store.etag("x"))
    assert result.value_was_mutated


def test_wrong_flags_are_refused(opened):
    store = opened()
    good = {"condition": ANY_ETAG, "expected_etag": ITEM_NOT_AVAILABLE, "retrieve_value": IF_ETAG_CHANGED}
    for name, wrong in (
        ("condition", True),
        ("retrieve_value", True),
        ("expected_etag", VALUE_NOT_RETRIEVED),
    ):
        with pytest.raises(InvalidArgumentError) as caught:
            store.set_item_if("x", value=1, **{**good, name: wrong})
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, ValueError)
    for wrong in (-1, 2.0, "3"):
        with pytest.raises(InvalidArgumentError):
            store.transform_item("x", transformer=lambda _: 1, n_retries=wrong)
    assert store == {}


def test_giving_up_tells_the_attempts_and_sleeps_for_no_first_race(opened, monkeypatch):
    pauses = []
    monkeypatch.setattr("holdall.store._conditional.time.sleep", pauses.append)
    store = opened()
    store["n"] = 0

    def busy(n):
        store["n"] = n + 1
        return "lost"

    with pytest.raises(ConflictError, match=r"'n' .* each of 4 attempts") as caught:
        store.transform_item("n", transformer=busy, n_retries=3)
    assert (caught.value.attempts, store["n"]) == (4, 4)
    assert len(pauses) == 2  # after the second and third attempt; the first try again is at once
    assert all(0 <= pause <= 0.02 for pause in pauses)


def test_an_append_only_store_answers_what_changes_nothing(opened):
    store = opened(append_only=True)
    flags = {"condition": ANY_ETAG, "expected_etag": "none"}
    store["x"] = 1
    assert store.discard_if("absent", **flags).condition_was_satisfied
    assert store.transform_item("new", transformer=lambda _: 2).new_value == 2
    assert store.transform_item("new", transformer=lambda _: KEEP_CURRENT).new_value == 2
    refused = store.set_item_if("x", value=2, condition=ETAG_IS_THE_SAME, expected_etag="another")
    assert (refused.condition_was_satisfied, refused.new_value) == (False, 1)
    with pytest.raises(ReadOnlyError):
        store.set_item_if("x", value=2, **flags)
    assert (store.setdefault("x", 3), store.pop("absent", 7), store.discard("absent")) == (1, 7, False)


# ---------------------------------------------------------------------- keys


def test_keys_that_have_no_name_there(opened):
    store = opened()
    keys = [
        "",
        "a b",
        "a/b",
        "é",
        "日本",
        "x" * 247,
        "y" * 254,
        "z" * 5000,
        "CON",
        "nul.txt",
        "..",
        ".",
        "a\n",
    ]
    store.update((key, number) for number, key in enumerate(keys))
    assert {key: store[key] for key in keys} == dict(zip(keys, range(len(keys)), strict=True))
    assert len(store) == len(keys)


def test_keys_of_one_name_there_are_two_here(path):
    store = FileDirStore(path)
    pairs = {"foo": 1, "foo_vs6r": 2, "a": 3, "A": 4, "a/b": 5, "a.pkl": 6, "a.pkl/b": 7}
    store.update(pairs)
    assert FileDirStore(path) == pairs
    tuples = FileDirStore(path.parent / "tuples", keys=tuple)
    tuples[("a",)], tuples["a", "b"] = 1, 2
    assert dict(tuples.items())[("a",)] == 1
    assert len({*map(str.lower, os.listdir(path))}) < len(os.listdir(path))  # kept apart by case, unless
    folded = FileDirStore(path.parent / "folded", keys=PathKeys(suffix=".pkl", fold_case=True))
    folded["a"], folded["A"] = 1, 2
    assert (folded["a"], folded["A"]) == (1, 2)
    names = [name for name in os.listdir(folded.path) if name[0] != "."]
    assert len({*map(str.lower, names)}) == 2


def test_a_key_of_another_type_is_absent(path):
    store = FileDirStore(path)
    for key in (1, b"a", None, {"a"}, ["a"], ()):
        assert (key in store, store.get(key, 7), store.discard(key), store.pop(key, 7)) == (
            False,
            7,
            False,
            7,
        )
        with pytest.raises(InvalidKeyError):
            store[key] = 1


# ---------------------------------------------------------------------- values


class Name(str):
    """Text of a type of its own."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [{1: 2}, {(1, 2): 3}, lambda: None, bytearray(b"a"), (1,), {1}, float, object(), {"x": [b"1"]}],
    ids=lambda value: type(value).__name__,
)
def test_json_loses_nothing_in_silence(path, value):
    store = FileDirStore(path, serializer="json")
    store["x"] = "old"
    quick(lambda: store.__setitem__("x", value), SerializationError)
    assert store["x"] == "old"


def test_json_runs_nothing_and_has_no_magic_words(path):
    store = FileDirStore(path, serializer="json")
    tales = {
        "object": {"py/object": "os.system"},
        "reduce": {"py/reduce": [{"py/type": "os.system"}, {"py/tuple": [f"touch {path}/ran"]}]},
    }
    store.update(tales)
    assert store == tales
    assert not (path / "ran").exists()
    (path / "empty.json").write_bytes(b"")
    (path / "bare.json").write_text("v")
    for key in ("empty", "bare"):
        quick(lambda key=key: store[key], CorruptValueError)


def test_text_comes_back_with_its_ends_of_lines(tmp_path):
    ends = "a\rb\r\nc\nd"
    for store in (
        FileDirStore(tmp_path / "store", serializer="text"),
        ZipStore(tmp_path / "store.zip", serializer="text"),
        SQLiteStore(tmp_path / "store.db", serializer="text"),
    ):
        store["x"] = ends
        assert store["x"] == ends
        store.close()
    named = FileDirStore(tmp_path / "named", value_type=Name)
    named["x"] = Name("text")
    assert type(named["x"]) is Name


# ---------------------------------------------------------------------- the manners of a dict


def test_views_are_views_and_nothing_reads_everything(opened):
    class Counting(MemoryStore):
        reads = 0

        def _obj_of_data(self, data):
            type(self).reads += 1
            return data

    counting = Counting({str(number): number for number in range(100)})
    assert bool(counting)
    assert (len(counting.keys()), "5" in counting.keys()) == (100, True)  # noqa: SIM118  (the view is meant)
    assert str(counting)
    assert repr(counting)
    assert list(counting.keys())
    assert Counting.reads == 0
    store = opened()
    store["a"] = 1
    keys = store.keys()
    store["b"] = 2
    assert sorted(keys) == ["a", "b"]
    assert store | {"c": 3} == {"a": 1, "b": 2, "c": 3}
    store |= [("d", 4)]
    assert copy.copy(store) == store.copy() == {"a": 1, "b": 2, "d": 4}
    for key in store:
        del store[key]
    assert not store


def test_arrays_are_compared_as_wholes(opened):
    numpy = pytest.importorskip("numpy")
    store = opened()
    store["x"] = numpy.arange(3)
    assert store == {"x": numpy.arange(3)}
    assert store != {"x": numpy.arange(4)}
    assert store != {"x": numpy.array([0, 1, 3])}
    assert store != {"x": 0}
    store["x"] = 0.5
    assert store == {"x": numpy.float64(0.5)}


def test_a_view_stays_that_of_its_store(opened):
    store = opened()
    store.update({"x/y": 1, **{f"other/{number}": number for number in range(100)}})
    view = store.get_subdict("x")
    store.clear(force=True)  # there a view is lost when much was deleted
    view["z"] = 2
    assert store == {"x/z": 2}

    class Mine(type(store)):
        """A subclass whose views are of it, too."""

    mine = Mine(**store.get_params())
    assert type(mine.get_subdict("x")) is Mine


def test_every_handle_travels(opened):
    store = opened()
    store["x"] = 1
    for again in (copy.copy(store), pickle.loads(pickle.dumps(store)), type(store)(**store.get_params())):
        assert again == {"x": 1}
        again.close()


def test_a_random_key_is_drawn_evenly_in_one_pass(opened):
    store = opened()
    keys = [f"k{number}" for number in range(8)]
    store.update(dict.fromkeys(keys, 0))
    draws = 1600
    counts = Counter(store.random_key() for _ in range(draws))
    assert set(counts) == set(keys)
    mean = draws / len(keys)
    # Chi-square with 7 degrees of freedom is over 50 once in a hundred million times.
    assert sum((count - mean) ** 2 / mean for count in counts.values()) < 50

    class Once(MemoryStore):
        passes = 0

        def __iter__(self):
            type(self).passes += 1
            return super().__iter__()

    assert Once(dict.fromkeys(keys)).random_key() in keys
    assert Once.passes == 1


# ---------------------------------------------------------------------- files


class Vanished:
    """A class that is taken away, so that its pickles cannot be loaded."""


def test_what_cannot_work_fails_at_once(path, monkeypatch):
    store = FileDirStore(path)
    store["x"] = 1
    quick(lambda: store.__setitem__("x", lambda: None), SerializationError)
    good = pickle.dumps([1, 2, 3])
    for data in (b"garbage", good[:-2], b""):
        (path / "x.pkl").write_bytes(data)
        assert "'x'" in quick(lambda: store["x"], CorruptValueError)
    store["x"] = Vanished()
    monkeypatch.delattr(sys.modules[__name__], "Vanished")
    quick(lambda: store["x"], SerializationError)
    texts = FileDirStore(path.parent / "json", serializer="json")
    texts["x"] = [1, 2]
    (path.parent / "json" / "x.json").write_text("[1, ")
    quick(lambda: texts["x"], CorruptValueError)
    quick(lambda: texts.transform_item("x", transformer=lambda old: old), CorruptValueError)


def test_a_folder_knows_with_what_it_was_made(path, tmp_path):
    FileDirStore(path, serializer="json")["x"] = 1
    with pytest.raises(MismatchError):
        FileDirStore(path, serializer="pickle")
    with pytest.raises(MismatchError):
        FileDirStore(path, keys=tuple)
    assert FileDirStore(path) == {"x": 1}
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        FileDirStore(tmp_path / "file")["x"] = 1
    assert (tmp_path / "file").read_text() == "no folder"


def test_suffixes_of_which_one_ends_another_are_apart(path):
    formats = MultiFormatStore(path, "json")
    longer = FileDirStore(path.parent / "longer", serializer="json", suffix=".x.json")
    formats.json.update({"a": 1, "a.x": 2})
    longer.update({"a": 1, "a.x": 2})
    assert formats.json == longer == {"a": 1, "a.x": 2}


def test_files_of_others_and_looks_at_what_is_not_there_disturb_nothing(path):
    store = FileDirStore(path)
    store["x"] = 1
    (path / "my file.pkl").write_bytes(pickle.dumps(2))
    (path / "notes.txt").write_text("of somebody else")
    before = sorted(os.listdir(path))
    assert dict(store.items()) == {"x": 1, "my file": 2}
    assert len(store) == len(list(store)) == 2
    assert store.random_key() in store
    assert dict(store.get_subdict("nope")) == {}
    assert store.subdicts() == {}
    assert ("nope/x" in store, store.get("nope/x")) == (False, None)
    assert sorted(os.listdir(path)) == before


def test_others_can_read_and_nothing_is_left_behind(path):
    mask = os.umask(0o022)
    try:
        store = FileDirStore(path)
        store["a/b/c"] = 1
    finally:
        os.umask(mask)
    assert os.stat(path / "a/b/c.pkl").st_mode & 0o777 == 0o644
    del store["a/b/c"]
    assert [name for name in os.listdir(path) if name[0] != "."] == []


CLEARING = """
import sys, threading, holdall
store = holdall.FileDirStore(sys.argv[1])
store["ready"] = 1
print(flush=True)
stop = threading.Thread(target=sys.stdin.read)
stop.start()
while stop.is_alive():
    store.clear()
"""


def test_clearing_and_looking_by_age_beside_a_writer_fail_nowhere(path):
    """There, both raise FileNotFoundError, and the writer stands still for half a minute."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    clearers = [subprocess.Popen([sys.executable, "-c", CLEARING, str(path)], **pipes) for _ in range(2)]
    for process in clearers:
        process.stdout.readline()
    store = FileDirStore(path)
    for number in range(50):
        store[f"a/b{number % 5}/c"] = number
        assert isinstance(store.newest_keys(2), list)
        assert isinstance(store.oldest_values(), list)
    for process in clearers:
        assert process.communicate()[1].decode() == ""
        assert process.returncode == 0


def test_a_small_import():
    """There it takes a third of a second and a thousand modules."""
    program = (
        "import sys, holdall; holdall.FileDirStore; holdall.SQLiteStore\n"
        "import json; print(json.dumps(sorted(sys.modules)))"
    )
    loaded = json.loads(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
    )
    assert not {"numpy", "pandas", "boto3", "joblib", "jsonpickle", "pyarrow"} & set(loaded)
    assert len(loaded) < 200
