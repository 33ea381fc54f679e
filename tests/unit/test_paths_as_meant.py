"""Paths mean what they say: ~ is the home, addresses and templates are told as such, nothing is no path."""

import re

import pytest

from holdall import FileDirStore, LmdbStore, ScriptStore, SpillStore, SQLiteStore, Store, ZipStore
from holdall.archive import ArchiveStore
from holdall.errors import InvalidArgumentError, MismatchError, UnsupportedError
from holdall.stores.document import DocumentStore
from holdall.stores.tar import TarStore

KINDS = [FileDirStore, SQLiteStore, LmdbStore, ZipStore, ScriptStore, SpillStore, ArchiveStore, DocumentStore]


@pytest.mark.parametrize("kind", [*KINDS, TarStore], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "path is empty"),
        ("s3://bucket/x", "holdall.open"),
        ("folder/{}.py", "keys="),
        ("folder/{city}_{n:d}.json", "keys="),
        ("a\0b", "NUL"),
    ],
)
def test_what_is_no_path_is_told(kind, path, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError, match=re.escape(said)):
        list(kind(path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "kind", [FileDirStore, SQLiteStore, LmdbStore, ZipStore, SpillStore], ids=lambda kind: kind.__name__
)
def test_the_home_folder_is_found(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    store = kind("~/kept", serializer="json")
    store["a"] = [1]
    store.close()
    assert kind(str(tmp_path / "kept"), serializer="json")["a"] == [1]


def test_braces_in_names_of_folders_are_names(tmp_path):
    for name in ("{}", "a[1]{}*", "{x}"):
        FileDirStore(f"{tmp_path}/{name}", serializer="json")["a"] = 1
        assert FileDirStore(f"{tmp_path}/{name}")["a"] == 1


def test_lists_and_tuples_are_sources_by_index():
    store = Store(["a", "b"])
    assert (dict(store), store[1], len(store), 2 in store, -1 in store) == (
        {0: "a", 1: "b"},
        "b",
        2,
        False,
        False,
    )
    assert Store((b"[1]",), serializer="json")[0] == [1]
    for wrong in (2, -1, "0", True, None):
        with pytest.raises(KeyError):
            store[wrong]
    with pytest.raises(UnsupportedError):
        store[0] = "c"
    with pytest.raises(InvalidArgumentError):
        Store("text")


def test_nothing_binding_is_recorded_in_a_folder_of_others(tmp_path):
    (tmp_path / "notes.txt").write_text("tea")
    (tmp_path / "a.json").write_text("[1]")
    by_suffix = FileDirStore(tmp_path, serializer="by_suffix")
    by_suffix["new.json"] = [2]
    assert FileDirStore(tmp_path, serializer="text")["notes.txt"] == "tea"
    assert sorted(FileDirStore(tmp_path, serializer="json")) == ["a", "new"]
    assert FileDirStore(tmp_path, serializer="json", keys=tuple)[("a",)] == [1]
    assert FileDirStore(tmp_path)["new.json"] == [2], "what was recorded is taken where nothing is asked for"
    with pytest.raises(UnsupportedError, match="force=True"):
        by_suffix.clear()


def test_a_folder_of_holdall_is_still_opened_as_it_was_made(tmp_path):
    FileDirStore(tmp_path / "made", serializer="json")["a"] = 1
    with pytest.raises(MismatchError):
        FileDirStore(tmp_path / "made", serializer="text")
