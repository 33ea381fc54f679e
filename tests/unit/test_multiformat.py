"""Several formats in one folder: each by itself, and all by one record."""

import copy
import json
import os
import pickle

import numpy as np
import pytest

from holdall import (
    CorruptValueError,
    FileDirStore,
    InvalidArgumentError,
    MismatchError,
    MultiFormatStore,
    ReadOnlyError,
    StoreNotFoundError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.keys import AnyKeys
from holdall.serializers import TextSerializer
from processes._support import control, files_below, tree


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def three(path):
    with MultiFormatStore(
        path, "json", arrays="npy", notes={"serializer": "text", "suffix": ".md"}
    ) as formats:
        yield formats


def record_of(path):
    return json.loads((path / ".holdall/store.json").read_text())


# ---------------------------------------------------------------------- the formats


def test_each_format_is_a_store_of_its_own(three, path):
    three.json["a"] = {"loss": 0.5}
    three.notes["a"] = "text"
    three.arrays["deep/b"] = np.arange(3)
    assert files_below(path) == {"a.json", "a.md", "deep/b.npy", ".holdall/store.json"} | {
        name for name in files_below(path) if "/w-" in name
    }
    assert (dict(three.json), dict(three.notes), list(three.arrays)) == (
        {"a": {"loss": 0.5}},
        {"a": "text"},
        ["deep/b"],
    )
    del three.notes["a"]
    assert three.json["a"] == {"loss": 0.5}
    assert "a" not in three.notes


def test_clearing_one_format_leaves_the_others(three):
    three.json["a"] = three.notes["a"] = "x"
    three.json.clear()
    assert (len(three.json), dict(three.notes)) == (0, {"a": "x"})


def test_an_overview_of_all_formats(three):
    three.json["a"], three.json["b"], three.notes["a"] = 1, [2], "text"
    rows = three.overview()
    assert {(row.key, row.value) for row in rows} == {
        (("json", "a"), "1"),
        (("json", "b"), "[2]"),
        (("notes", "a"), "'text'"),
    }
    assert (rows.title, rows.note) == (repr(three), "")
    assert len(three.overview(None, values=False)) == 3
    assert (len(three.overview(2)), len(three.overview(0))) == (2, 0)
    assert three.overview(2).note
    assert three.get_subdict("x").overview() == ()
    for wrong in ("2", -1, 1.5):
        with pytest.raises(InvalidArgumentError, match="max_n"):
            three.overview(wrong)


def test_verbs_over_all_formats(three, path):
    stores = three.json, three.notes
    for number, key in enumerate(["run/a", "run/b", "c"]):
        for store in stores:
            store[key] = str(number)
            os.utime(store.file_of(key), (100 + number, 100 + number + (store is three.notes) / 2))
    assert three.newest_keys(3) == [("notes", "c"), ("json", "c"), ("notes", "run/b")]
    assert three.oldest_keys(2) == [("json", "run/a"), ("notes", "run/a")]
    assert len(three.newest_keys()) == len(three.oldest_keys()) == 6
    part = three.get_subdict("run")
    assert sorted(part.json) == sorted(part.notes) == ["a", "b"]
    assert part.newest_keys(1) == [("notes", "b")]
    assert dict(pickle.loads(pickle.dumps(part)).json) == {"a": "0", "b": "1"}
    assert repr(part) == f"{three!r}.get_subdict('run')"
    assert part.discard("a")
    assert not part.discard("a")
    assert (sorted(three.json), sorted(three.notes)) == (["c", "run/b"], ["c", "run/b"])
    part.clear()
    assert (list(three.json), list(three.notes)) == (["c"], ["c"])
    three.clear()
    assert len(three.json) == len(three.notes) == 0


def test_foreign_folders_are_cleared_by_force_only(tmp_path):
    (tmp_path / "a.json").write_text("1")
    formats = MultiFormatStore(tmp_path, "json", notes={"serializer": "text", "suffix": ".md"})
    with pytest.raises(UnsupportedError, match="force=True"):
        formats.clear()
    formats.clear(force=True)
    assert os.listdir(tmp_path) in ([], [".holdall"])


def test_it_is_a_mapping_of_names(three):
    assert list(three) == ["json", "arrays", "notes"]
    assert (len(three), "json" in three, "xml" in three) == (3, True, False)
    assert three["json"] is three.json is three.get("json")
    assert all(isinstance(store, FileDirStore) for store in three.values())
    with pytest.raises(KeyError):
        three["xml"]
    with pytest.raises(TypeError):
        three["new"] = {}


def test_its_formats_can_be_found(three):
    assert {"json", "arrays", "notes", "path", "close"} <= set(dir(three))
    assert three._ipython_key_completions_() == ["json", "arrays", "notes"]
    assert repr(three).startswith(f"MultiFormatStore({str(three.path)!r}, json='json', arrays='npy', notes=")
    assert not hasattr(three, "xml")
    with pytest.raises(AttributeError, match="no format 'note'; did you mean 'notes'"):
        three.note
    with pytest.raises(AttributeError, match="its formats are json, arrays, notes"):
        three.xyz


def test_its_options_make_it_anew(three):
    three.json["a"] = 1
    again = MultiFormatStore(**three.get_params())
    assert (list(again), again.json["a"], repr(again)) == (list(three), 1, repr(three))
    assert list(three.get_params()) == sorted(three.get_params())


def test_a_serializer_may_be_given_itself(path):
    latin = TextSerializer(encoding="latin-1")
    formats = MultiFormatStore(path, latin, json="json")
    formats.text["a"] = "é"
    assert (path / "a.txt").read_bytes() == b"\xe9"


def test_formats_by_a_table(path):
    formats = MultiFormatStore(path, formats={"trust": "json"}, notes="text")
    assert list(formats) == ["trust", "notes"]


# ---------------------------------------------------------------------- options


def test_options_are_shared_and_a_format_may_have_its_own(path):
    formats = MultiFormatStore(
        path,
        json={"serializer": "json", "value_type": dict, "durability": "power"},
        text={"serializer": "text", "append_only": False, "hidden": True},
        append_only=True,
    )
    formats.json["a"] = {}
    with pytest.raises(ReadOnlyError):
        formats.json["a"] = {"b": 1}
    with pytest.raises(InvalidArgumentError):
        formats.json["b"] = 3
    formats.text[".profile"] = "1"
    formats.text[".profile"] = "2"
    assert (path / ".profile.txt").read_text() == "2"
    assert formats.json.get_params()["durability"] == "power"
    assert formats.text.get_params()["durability"] == "process"


@pytest.mark.parametrize("keys", [tuple, AnyKeys(), (str, int)])
def test_keys_are_named_alike_in_all_formats(path, keys):
    key = {tuple: ("a", "b")}.get(keys, 7)
    formats = MultiFormatStore(path, "json", "text", keys=keys)
    formats.json[key], formats.text[key] = 1, "one"
    again = MultiFormatStore(path, keys=keys)
    assert (dict(again.json), dict(again.text)) == ({key: 1}, {key: "one"})
    with pytest.raises(MismatchError):
        MultiFormatStore(path, "json", "text")


def test_a_pickle_that_others_could_have_written_is_refused_in_its_format_only(path):
    formats = MultiFormatStore(path, "json", "pickle")
    formats.json["a"] = formats.pickle["a"] = 1
    for file in (path / "a.json", path / "a.pkl"):
        os.chmod(file, 0o666)
    assert formats.json["a"] == 1
    with pytest.raises(UntrustedStoreError):
        formats.pickle["a"]
    assert MultiFormatStore(path, trust=True).pickle["a"] == 1


def test_arrays_can_be_mapped(path):
    formats = MultiFormatStore(path, arrays={"serializer": "npy", "mmap_mode": "r"})
    formats.arrays["a"] = np.arange(3)
    assert type(formats.arrays["a"]) is np.memmap


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"a": "json", "b": "json"}, "'a' with suffix '.json' and 'b' with suffix '.json'"),
        ({"a": "json", "b": {"serializer": "text", "suffix": ".x.json"}}, "could not be told apart"),
        ({"b": {"serializer": "text", "suffix": ".x.json"}, "a": "json"}, "could not be told apart"),
        ({"a": "json", "b": {"serializer": "text", "suffix": ".JSON"}}, "could not be told apart"),
        ({"a": {"serializer": "json", "sufix": ".x"}}, "has no option 'sufix'"),
        ({"a": {"serializer": "json", "read_only": True}}, "has no option 'read_only'"),
        ({"a": {"suffix": ".x"}}, "needs a serializer"),
        ({"a": "jsn"}, "format 'a'.*did you mean 'json'"),
        ({"readonly": True}, "format 'readonly'"),
        ({"items": "json"}, "cannot be called 'items'"),
        ({"formats": {"not a name": "json"}}, "'not a name'"),
        ({"formats": {"_private": "json"}}, "'_private'"),
        ({"a": "json", "durability": "none"}, "durability"),
        ({}, "has no formats yet"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_made(path, arguments, complaint):
    with pytest.raises(InvalidArgumentError, match=complaint):
        MultiFormatStore(path, **arguments)
    assert not path.exists()


def test_one_name_is_one_format(path):
    with pytest.raises(InvalidArgumentError, match="two formats are called 'json'"):
        MultiFormatStore(path, "json", json="text")


# ---------------------------------------------------------------------- the record


def test_the_record_names_all_formats(three, path):
    three.notes["a"] = "x"
    assert record_of(path) == {
        "holdall": 1,
        "owned": True,
        "formats": {
            ".json": {"name": "json", "serializer": "json", "keys": "PathKeys(suffix='.json')"},
            ".npy": {"name": "arrays", "serializer": "npy", "keys": "PathKeys(suffix='.npy')"},
            ".md": {"name": "notes", "serializer": "text", "keys": "PathKeys(suffix='.md')"},
        },
    }


def test_a_folder_knows_its_formats(three, path):
    three.json["a"] = 1
    again = MultiFormatStore(path)
    assert (list(again), again.json["a"]) == (["json", "arrays", "notes"], 1)
    again.notes["b"] = "x"
    assert (path / "b.md").exists()


def test_some_of_the_formats_may_be_opened_and_others_added(three, path):
    three.json["a"] = 1
    more = MultiFormatStore(path, "json", "bytes")
    assert list(MultiFormatStore(path)) == ["json", "arrays", "notes"]  # reading writes nothing
    more.bytes["a"] = b"x"
    assert list(MultiFormatStore(path)) == ["json", "arrays", "notes", "bytes"]
    assert record_of(path)["owned"] is True


def test_a_plain_store_opens_any_one_of_the_formats(three, path):
    three.json["a"] = 1
    three.notes["a"] = "x"
    plain = FileDirStore(path, serializer="json")
    plain["b"] = 2
    assert dict(three.json) == dict(plain) == {"a": 1, "b": 2}
    assert dict(FileDirStore(path, serializer="text", suffix=".md")) == {"a": "x"}
    assert pickle.loads(pickle.dumps(three.json)) == plain
    assert set(record_of(path)["formats"]) == {".json", ".npy", ".md"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"serializer": "text"},
        {"serializer": "text", "suffix": ".json"},
        {"serializer": "json", "keys": tuple},
    ],
)
def test_a_plain_store_of_another_format_says_what_there_is(three, path, options):
    three.json["a"] = 1
    with pytest.raises(MismatchError, match=r"several formats, '\.json' by 'json', '\.npy' by 'npy'"):
        FileDirStore(path, **options)


def test_a_folder_of_one_format_takes_others_and_stays_what_it_was(path):
    FileDirStore(path, serializer="json")["a"] = 1
    with pytest.raises(MismatchError, match="name that format among the others"):
        MultiFormatStore(path, "text")
    formats = MultiFormatStore(path, "json", "text")
    assert formats.json["a"] == 1
    assert "formats" not in record_of(path)
    formats.text["a"] = "x"
    assert FileDirStore(path)["a"] == 1
    assert list(MultiFormatStore(path)) == ["json", "text"]


def test_a_folder_of_one_format_can_be_opened_without_naming_it(path):
    FileDirStore(path, serializer="json")["a"] = 1
    assert MultiFormatStore(path).json["a"] == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"json": "json", "notes": "text", "x": {"serializer": "bytes", "suffix": ".a.npy"}}, "'.npy'.*told"),
        ({"json": {"serializer": "text", "suffix": ".json"}}, "were made with serializer 'json'"),
        ({"json": "json", "keys": tuple}, "tuples=True"),
    ],
)
def test_a_format_that_contradicts_the_record_is_refused(three, path, options, complaint):
    three.json["a"] = 1
    with pytest.raises(MismatchError, match=complaint):
        MultiFormatStore(path, **options)


def test_two_that_open_an_empty_folder_at_once_agree_or_say_so(path):
    one = MultiFormatStore(path, "json", "text")
    two = MultiFormatStore(path, "json", "bytes")
    other = FileDirStore(path, serializer="pickle")
    one.json["a"] = 1
    two.bytes["a"] = b"x"
    assert list(MultiFormatStore(path)) == ["json", "text", "bytes"]
    with pytest.raises(MismatchError):
        other["a"] = 1
    assert sorted(os.listdir(path)) == [".holdall", "a.bin", "a.json"]


@pytest.mark.parametrize("formats", ['{".x": {}}', '["x"]', '{".x": 3}'])
def test_a_record_that_makes_no_sense_is_corrupt(path, formats):
    (path / ".holdall").mkdir(parents=True)
    (path / ".holdall/store.json").write_text(f'{{"holdall": 1, "formats": {formats}}}')
    for kind in (MultiFormatStore, FileDirStore):
        with pytest.raises(CorruptValueError):
            kind(path)


def test_a_serializer_that_has_no_name_here_is_a_mismatch(path):
    (path / ".holdall").mkdir(parents=True)
    entry = {".x": {"name": "x", "serializer": "unheard", "keys": "PathKeys(suffix='.x')"}}
    (path / ".holdall/store.json").write_text(json.dumps({"holdall": 1, "formats": entry}))
    with pytest.raises(MismatchError, match="'unheard'"):
        MultiFormatStore(path)


# ---------------------------------------------------------------------- the folder


def test_foreign_files_of_all_formats_are_read_and_nothing_is_written(path):
    path.mkdir()
    (path / "a.json").write_text("1")
    (path / "a.txt").write_text("one")
    (path / "image.png").write_bytes(b"x")
    before = tree(path)
    with MultiFormatStore(path, "json", "text", read_only=True) as formats:
        assert (dict(formats.json), dict(formats.text)) == ({"a": 1}, {"a": "one"})
        with pytest.raises(UnsupportedError):
            formats.json["b"] = 2
    assert tree(path) == before
    with pytest.raises(StoreNotFoundError):
        MultiFormatStore(path / "none", "json", read_only=True)


def test_a_temporary_folder_is_one_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    formats = MultiFormatStore(None, "json", "text")
    assert len(formats.json) == len(formats.text) == 0
    assert os.listdir(tmp_path) == []
    formats.json["a"], formats.text["a"] = 1, "x"
    assert len(os.listdir(tmp_path)) == 1
    assert formats.path.startswith(str(tmp_path))
    again = pickle.loads(pickle.dumps(formats))
    assert (again.path, again.json["a"], again.text["a"]) == (formats.path, 1, "x")


def test_all_formats_share_one_workspace(three, path):
    three.json["a"] = three.notes["a"] = "x"
    three.arrays["a"] = np.zeros(1)
    assert len(control(path) - {"store.json"}) == 1
    three.close()
    assert control(path) == {"store.json"}
    assert three.json["a"] == "x"
    three.notes["b"] = "again"
    assert three.notes["b"] == "again"


def test_handles_travel_and_are_copied(three):
    three.json["a"] = 1
    for again in (pickle.loads(pickle.dumps(three)), copy.copy(three)):
        assert type(again) is MultiFormatStore
        assert repr(again) == repr(three)
        again.json["a"] += 1
    assert three.json["a"] == 3


def test_a_subclass_travels_as_itself(path):
    again = pickle.loads(pickle.dumps(Project(path)))
    assert type(again) is Project
    assert list(again) == ["json", "text"]


class Project(MultiFormatStore):
    def __init__(self, path):
        super().__init__(path, "json", "text")


def test_a_folder_named_as_a_file_of_another_format_is_an_error_not_a_loss(path):
    formats = MultiFormatStore(path, "json", "text")
    formats.text["a.json/b"] = "x"
    with pytest.raises(OSError, match="folder"):
        formats.json["a"] = 1
    assert formats.text["a.json/b"] == "x"
    assert dict(formats.json) == {}
