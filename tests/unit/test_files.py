"""What is particular to a store in a folder: the files themselves, and all that may lie beside them."""

import copy
import errno
import fcntl
import gc
import json
import os
import pickle
import random
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import contextmanager

import pytest

from holdall import (
    ANY_ETAG,
    ETAG_HAS_CHANGED,
    ETAG_IS_THE_SAME,
    ITEM_NOT_AVAILABLE,
    ConflictError,
    CorruptValueError,
    FileDirStore,
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    PathKeys,
    SerializationError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.keys import Suffix
from holdall.persisters.files import FilesPersister
from processes._support import PYTHON, child_environment, control, files_below, leftovers, tree

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode_of(where):
    return stat.S_IMODE(os.stat(where).st_mode)


@contextmanager
def no_pauses():
    """See that nothing is tried again after a pause."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: pytest.fail(f"it slept for {seconds} s"))
        yield


def run_python(code, *arguments, timeout=100):
    """Run code in an interpreter of its own, and give what it printed."""
    done = subprocess.run(
        [PYTHON, "-c", code, *map(str, arguments)],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def outcome(action):
    """Give what an action returns, or the class of what it raises."""
    try:
        return action()
    except Exception as error:
        return type(error)


# ---------------------------------------------------------------------- layout


@pytest.mark.parametrize(
    ("serializer", "value", "suffix", "load"),
    [
        ("json", {"accent": "#fa0"}, ".json", json.loads),
        ("pickle", {"accent": {1, 2}}, ".pkl", pickle.loads),
        ("text", "é\r\n", "", bytes.decode),
        ("bytes", b"\x00\xff", "", bytes),
    ],
)
def test_a_file_holds_what_the_serializer_wrote_and_nothing_else(path, serializer, value, suffix, load):
    store = FileDirStore(path, serializer=serializer)
    store["theme/dark"] = value
    store.close()
    assert files_below(path) == {f"theme/dark{suffix}", ".holdall/store.json"}
    assert load((path / f"theme/dark{suffix}").read_bytes()) == value
    assert store.file_of("theme/dark") == str(path / f"theme/dark{suffix}")


def test_a_file_written_by_another_program_is_an_item(path):
    (path / "theme").mkdir(parents=True)
    (path / "theme/dark.json").write_text('{"accent": "#fa0"}')
    store = FileDirStore(path, serializer="json")
    assert dict(store.items()) == {"theme/dark": {"accent": "#fa0"}}


def test_names_that_look_alike_lie_side_by_side(path):
    items = {"a": 1, "a/b": 2, "a.json/b": 3, "a.json": 4, "a/b/c": 5, "A": 6}
    FileDirStore(path, serializer="json").update(items)
    assert dict(FileDirStore(path).items()) == items


def test_tuples_are_folders(path):
    store = FileDirStore(path, serializer="json", keys=tuple)
    store["a", "b"] = 1
    assert (path / "a/b.json").exists()
    assert list(store) == [("a", "b")]


def test_a_suffix_of_ones_own_hides_other_files(path):
    store = FileDirStore(path, serializer="json", suffix=".conf")
    store["a"] = 1
    (path / "b.json").write_text("2")
    assert (path / "a.conf").exists()
    assert list(store) == ["a"]


def test_keys_of_ones_own_name_files_themselves(path):
    store = FileDirStore(path, serializer="json", keys=PathKeys())
    store["a/notes"] = 1
    assert (path / "a/notes").read_text() == "1"
    with pytest.raises(InvalidArgumentError):
        FileDirStore(path, serializer="json", keys=PathKeys(), suffix=".json")


@pytest.mark.parametrize(
    ("mask", "file", "folder"),
    [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700), (0o002, 0o664, 0o775), (0o000, 0o666, 0o777)],
)
def test_the_umask_is_respected(path, mask, file, folder):
    with umask(mask):
        with FileDirStore(path, serializer="json") as store:
            store["a/b"] = 1
            [workspace] = control(path) - {"store.json"}
            assert mode_of(path / ".holdall" / workspace) == 0o700
            with store.persister.writer("a/streamed.json") as stream:
                stream.write(b"1")
    assert mode_of(path) == folder
    assert mode_of(path / "a") == folder
    assert mode_of(path / "a/b.json") == file
    assert mode_of(path / "a/streamed.json") == file
    assert mode_of(path / ".holdall/store.json") == file


def test_a_pickle_is_never_writable_for_all(path):
    with umask(0):
        store = FileDirStore(path)
        store["a"] = 1
    assert not mode_of(path / "a.pkl") & 0o002
    assert store["a"] == 1


# ---------------------------------------------------------------------- without a path


def test_a_temporary_folder_is_private_and_made_by_the_first_write(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = FileDirStore()
    assert len(store) == 0
    assert "a" not in store
    assert store.get("a") is None
    assert list(store.items()) == []
    assert not store.discard("a")
    assert repr(store)
    assert os.listdir(tmp_path) == []
    with umask(0):
        store["a"] = 1
    assert mode_of(store.path) == 0o700
    assert os.path.dirname(os.path.dirname(store.path)) == str(tmp_path)


def test_a_temporary_folder_that_was_deleted_comes_back_private(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = FileDirStore()
    store["a"] = 1
    shutil.rmtree(store.path)
    store["a"] = 2
    assert store["a"] == 2
    assert mode_of(store.path) == 0o700


def test_temporary_stores_are_strangers(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, other = FileDirStore(), FileDirStore()
    one["a"] = 1
    assert "a" not in other
    assert one.path != other.path


# ---------------------------------------------------------------------- reading writes nothing


def read_all(store):
    """Do everything that reads."""
    for key in ["x", "deep/er/y", "absent", "no/thing"]:
        store.get(key)
        assert (key in store) == (key in set(store))
        outcome(lambda key=key: store.etag(key))
        outcome(lambda key=key: store.timestamp(key))
        outcome(lambda key=key: store[key])
        store.get_item_if(key, condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE)
    len(store)
    bool(store)
    dict(store.items())
    list(store.values())
    store.head()
    repr(store)
    store.newest_keys(2)
    list(store.get_subdict("deep"))
    assert store == store.copy()
    store.pop("absent", None)
    outcome(lambda: store.discard("absent"))


@pytest.fixture
def foreign(path):
    """A folder that another program made."""
    (path / "deep/er").mkdir(parents=True)
    (path / "x.json").write_text("1")
    (path / "deep/er/y.json").write_text("[2]")
    (path / "notes.txt").write_text("hello")
    return path


@pytest.mark.parametrize("read_only", [False, True])
def test_reading_a_foreign_folder_changes_nothing(foreign, read_only):
    before = tree(foreign)
    with FileDirStore(foreign, serializer="json", read_only=read_only) as store:
        read_all(store)
        assert dict(store.items()) == {"x": 1, "deep/er/y": [2]}
    assert tree(foreign) == before


@pytest.mark.parametrize("read_only", [False, True])
def test_reading_a_store_changes_nothing(path, read_only):
    with FileDirStore(path, serializer="json") as store:
        store.update({"x": 1, "deep/er/y": 2})
    before = tree(path)
    with FileDirStore(path, read_only=read_only) as store:
        read_all(store)
    assert tree(path) == before


def test_a_store_opened_for_reading_refuses_to_write(foreign):
    before = tree(foreign)
    store = FileDirStore(foreign, serializer="json", read_only=True)
    for attempt in [
        lambda: store.__setitem__("x", 2),
        lambda: store.__delitem__("x"),
        lambda: store.pop("x"),
        lambda: store.setdefault("new", 1),
        lambda: store.update(x=2),
        lambda: store.transform_item("x", transformer=lambda value: value),
        lambda: store.clear(force=True),
        lambda: store.set_item_if("x", value=2, condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE),
    ]:
        with pytest.raises(UnsupportedError, match="read_only"):
            attempt()
    assert tree(foreign) == before


def test_opening_for_reading_what_is_not_there_says_so(path):
    with pytest.raises(StoreNotFoundError) as caught:
        FileDirStore(path, read_only=True)
    assert isinstance(caught.value, FileNotFoundError)
    assert str(path) in str(caught.value)
    assert not path.exists()


def test_a_folder_that_is_a_file_says_so(path):
    path.write_text("I am a file")
    with pytest.raises(StoreUnavailableError) as caught:
        FileDirStore(path)
    assert caught.value.errno == errno.ENOTDIR
    assert path.read_text() == "I am a file"


# ---------------------------------------------------------------------- foreign files


@pytest.fixture
def messy(path, tmp_path):
    """A store among whatever else can lie in a folder."""
    FileDirStore(path, serializer="json").update({"ok": 1, "sub/ok": 2})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_text('"secret"')
    root = os.fsencode(path)
    for name in [
        b"with space",
        b"%zz.json",
        b"%41.json",
        b"100%.json",
        b"\xff\xfe.json",
        b"no-suffix",
        b".hidden.json",
        b"a:b.json",
        b"tail .json",
    ]:
        with open(os.path.join(root, name), "wb") as file:
            file.write(b"7")
    os.mkdir(path / ".git")
    (path / ".git/x.json").write_text("7")
    os.mkdir(os.path.join(root, b"\xff-folder"))
    with open(os.path.join(root, b"\xff-folder/x.json"), "wb") as file:
        file.write(b"7")
    os.symlink(outside / "secret.json", path / "link.json")
    os.symlink(outside, path / "linked")
    os.symlink("nowhere", path / "dangling.json")
    os.symlink("loop.json", path / "loop.json")
    os.mkfifo(path / "pipe.json")
    os.mkdir(path / "folder.json")
    os.mkdir(path / "empty")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(path)  # the name of a socket must be short
        try:
            listener.bind("socket.json")
        finally:
            os.chdir(here)
    return path


# Keys of what is no plain file, or hidden.
STRANGE = ["link", "linked/secret", "dangling", "loop", "pipe", "folder", "socket", ".hidden", ".git/x"]


@pytest.mark.timeout(100)
def test_foreign_files_never_break_iteration(messy):
    store = FileDirStore(messy)
    ours = {"ok": 1, "sub/ok": 2}
    extra = set(store) - set(ours)
    assert {"ok", "sub/ok"} <= set(store)
    assert not extra & set(STRANGE)
    for key in extra:  # other programs' files, whose names are what the codec would have made
        assert os.path.isfile(store.file_of(key))
        assert not os.path.islink(store.file_of(key))
        assert store[key] == 7
    assert len(store) == len(list(store)) == len(dict(store.items()))
    assert set(store.newest_keys()) == set(store)
    assert store.head()[0] in store
    assert store.random_key() in store
    assert repr(store)


@pytest.mark.timeout(100)
@pytest.mark.parametrize("key", STRANGE)
def test_what_is_no_plain_file_is_no_item(messy, key):
    store = FileDirStore(messy)
    assert key not in store
    assert store.get(key, "nothing") == "nothing"
    assert outcome(lambda: store.pop(key, "nothing")) in {"nothing", InvalidKeyError}
    assert outcome(lambda: store.discard(key)) in {False, InvalidKeyError}
    with pytest.raises(KeyError):
        store[key]
    with pytest.raises(KeyError):
        store.etag(key)
    with pytest.raises(KeyError):
        del store[key]


@pytest.mark.timeout(100)
def test_the_persister_is_no_less_careful(messy):
    """Also with hidden files, and without a codec that sorts names out."""
    place = FilesPersister(messy)
    assert {"ok.json", "sub/ok.json", ".git/x.json", ".hidden.json", "no-suffix"} <= set(place)
    assert not {
        name for name in place if name.startswith((".holdall", "link", "pipe", "socket", "folder", "loop"))
    }
    for id in place:
        assert place[id] in {b"1", b"2", b"7"}
        assert place.stat(id).size == 1
    ids = ["link.json", "linked/secret.json", "pipe.json", "folder.json", "socket.json", "dangling.json"]
    for id in [*ids, ".", "..", "", "sub", "sub/", "/etc/passwd", "sub/../ok.json", "../outside/secret.json"]:
        assert id not in place
        for read in (place.__getitem__, place.stat, place.read, place.reader, place.remove):
            with pytest.raises(KeyError):
                read(id)


@pytest.mark.timeout(100)
def test_writing_where_a_link_or_a_pipe_stands_is_refused(messy, tmp_path):
    store = FileDirStore(messy)
    for key in ["link", "dangling", "pipe", "socket", "loop"]:
        with pytest.raises(StoreUnavailableError, match="no file"):
            store[key] = "mine"
        assert key not in store
    assert leftovers(messy) == set()
    assert (tmp_path / "outside/secret.json").read_text() == '"secret"'
    assert not (messy / "nowhere").exists()


@pytest.mark.timeout(100)
def test_writing_where_a_folder_stands_is_refused(messy):
    store = FileDirStore(messy)
    with pytest.raises(StoreUnavailableError) as caught:
        store["folder"] = 1
    assert "folder" in str(caught.value)
    assert str(messy) in str(caught.value)
    assert leftovers(messy) == set()
    assert (messy / "folder.json").is_dir()


def test_unreadable_files_do_not_break_iteration(messy):
    (messy / "unreadable.json").write_text("1")
    for name in (
        messy,
        messy / "sub",
        messy / "ok.json",
        messy / "sub/ok.json",
        messy.parent,
        messy.parent.parent,
    ):
        os.chmod(name, mode_of(name) | 0o555)
    os.chmod(messy / "unreadable.json", 0)
    code = """
import os, sys
from holdall import FileDirStore, StoreUnavailableError
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
store = FileDirStore(sys.argv[1], read_only=True)
keys = set(store)
assert {"ok", "sub/ok", "unreadable"} <= keys, keys
assert len(store) == len(keys)
assert store["ok"] == 1
try:
    store["unreadable"]
except StoreUnavailableError as error:
    assert error.errno == 13 and "unreadable" in str(error), error
else:
    raise AssertionError("it was read")
print("done")
"""
    shared = _reachable(messy)
    if not shared:
        pytest.skip("another user cannot reach the folder of this test")
    assert run_python(code, messy).strip() == "done"


def _reachable(where):
    """Open the way to a folder for everybody, as far as it is ours."""
    if os.geteuid() != 0:
        return True
    for parent in where.parents:
        if parent.name.startswith("pytest-") or "pytest-of" in parent.name:
            os.chmod(parent, mode_of(parent) | 0o055)
    return all(mode_of(parent) & 0o001 for parent in where.parents)


# ---------------------------------------------------------------------- nothing outside the root

ESCAPES = [
    "..",
    ".",
    "",
    "../evil",
    "a/../../evil",
    "/tmp/evil",
    "//evil",
    "a//b",
    "a/./b",
    "./a",
    "~/evil",
    "a\0b",
    "..\\evil",
    "\udcff/../evil",
    ".holdall/store",
    ".holdall",
    "nested/.holdall/x",
]


@pytest.mark.parametrize("key", ESCAPES)
@pytest.mark.parametrize("hidden", [False, True])
def test_no_key_reaches_outside_or_into_the_control_folder(path, key, hidden):
    store = FileDirStore(path, serializer="json", hidden=hidden)
    store["ok"] = 1
    record = (path / ".holdall/store.json").read_bytes()
    before = tree(path.parent).keys() - tree(path).keys()
    try:
        store[key] = "new"
    except InvalidKeyError:
        assert key not in store
    else:
        assert store[key] == "new"
        assert key in set(store)
        assert os.path.realpath(store.file_of(key)).startswith(str(path) + os.sep)
        del store[key]
        assert key not in store
    assert tree(path.parent).keys() - tree(path).keys() == before
    assert (path / ".holdall/store.json").read_bytes() == record
    assert leftovers(path) == set()
    assert dict(store.items()) == {"ok": 1}


@pytest.mark.parametrize(
    "id",
    [
        "..",
        ".",
        "",
        "../evil",
        "a/../../evil",
        "/evil",
        "a//b",
        "a/",
        "a\0b",
        ".holdall/evil",
        ".holdall",
        "b/.holdall",
    ],
)
def test_no_id_reaches_outside_or_into_the_control_folder(path, id):
    place = FilesPersister(path)
    place["ok"] = b"1"
    before = set(tree(path.parent)) - {os.fsencode(path / "a")}
    for attempt in (
        lambda: place.put(id, b"evil"),
        lambda: place.write(id, b"evil"),
        lambda: _stream(place, id),
    ):
        with pytest.raises(InvalidKeyError):
            attempt()
    assert set(tree(path.parent)) - {os.fsencode(path / "a"), os.fsencode(path / "a/.")} <= before
    assert id not in place
    assert list(place) == ["ok"]
    assert leftovers(path) == set()


def _stream(place, id):
    with place.writer(id) as file:
        file.write(b"evil")


@pytest.mark.parametrize("depth", ["sub", "sub/deeper"])
def test_a_folder_swapped_for_a_link_is_not_followed(path, tmp_path, depth):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.json").write_text('"secret"')
    store = FileDirStore(path, serializer="json")
    key = f"{depth}/x"
    store[key] = "mine"
    shutil.rmtree(path / depth)
    os.symlink(outside, path / depth)
    before = tree(outside)
    assert key not in store
    assert store.get(key) is None
    assert list(store) == []
    assert list(store.get_subdict("sub")) == []
    with pytest.raises(KeyError):
        del store[key]
    for new in (key, f"{depth}/new", f"{depth}/down/new"):
        try:
            store[new] = "mine"
        except StoreUnavailableError:
            assert new not in store
        else:
            assert store[new] == "mine"
    assert tree(outside) == before
    assert leftovers(path) == set()


def test_a_control_folder_that_is_a_link_is_not_followed(path, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    path.mkdir()
    os.symlink(outside, path / ".holdall")
    store = FileDirStore(path, serializer="json")
    with pytest.raises(StoreUnavailableError):
        store["x"] = 1
    store.close()
    assert os.listdir(outside) == []


def test_a_link_in_a_workspace_of_the_dead_is_removed_not_followed(path, tmp_path):
    FileDirStore(path, serializer="json")["x"] = 1
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    workspace = path / ".holdall/w-1-0-dead"
    workspace.mkdir()
    os.symlink(precious, workspace / "0")
    os.symlink(tmp_path, path / ".holdall/w-1-0-link")
    with FileDirStore(path) as store:
        store["x"] = 2
    assert not workspace.exists()
    assert precious.read_text() == "keep me"


def test_a_root_that_is_a_link_is_where_it_leads(path, tmp_path):
    path.mkdir()
    os.symlink(path, tmp_path / "link")
    FileDirStore(tmp_path / "link", serializer="json")["x"] = 1
    assert FileDirStore(path)["x"] == 1


# ---------------------------------------------------------------------- the record


def test_the_record_tells_with_what_a_folder_was_made(path):
    FileDirStore(path, serializer="json")["x"] = 1
    record = json.loads((path / ".holdall/store.json").read_text())
    assert record["serializer"] == "json"
    assert "PathKeys" in record["keys"]


@pytest.mark.parametrize("other", [{"serializer": "pickle"}, {"serializer": "text"}])
def test_reopening_with_another_serializer_is_refused(path, other):
    FileDirStore(path, serializer="json")["x"] = 1
    with pytest.raises(MismatchError) as caught:
        FileDirStore(path, **other)
    for word in ("json", other["serializer"], "serializer", str(path)):
        assert word in str(caught.value)


@pytest.mark.parametrize("keys", [tuple, PathKeys(), PathKeys(suffix=".json", fold_case=True)])
def test_reopening_with_another_key_codec_is_refused(path, keys):
    FileDirStore(path, serializer="json")["x"] = 1
    with pytest.raises(MismatchError) as caught:
        FileDirStore(path, serializer="json", keys=keys)
    for word in ("PathKeys(suffix='.json')", "keys", str(path)):
        assert word in str(caught.value)


def test_a_refused_reopening_changes_nothing_and_leaks_nothing(path):
    with FileDirStore(path, serializer="json") as store:
        store["x"] = 1
    before, descriptors = tree(path), open_descriptors()
    for _ in range(5):
        with pytest.raises(MismatchError):
            FileDirStore(path, serializer="pickle")
    gc.collect()
    assert tree(path) == before
    assert open_descriptors() == descriptors


def test_a_mismatch_found_late_is_refused_every_time(path):
    """Two stores are opened before the folder exists: the second to write is refused, and stays so."""
    first = FileDirStore(path, serializer="json")
    second = FileDirStore(path, serializer="pickle")
    first["x"] = 1
    for attempt in [
        lambda: second.__setitem__("y", 1),
        lambda: second.update(y=1),
        lambda: second.setdefault("y", 1),
    ]:
        for _ in range(2):
            with pytest.raises(MismatchError):
                attempt()
    assert files_below(path) - leftovers_in(path) == {"x.json", ".holdall/store.json"}
    assert leftovers(path) == set()


def leftovers_in(path):
    return {os.path.join(".holdall", name) for name in leftovers(path)}


@pytest.mark.parametrize(
    ("serializer", "value"),
    [("json", [1]), ("text", "é"), ("pickle", {1}), ("bytes", b"x"), ("npz", {})],
)
def test_the_recorded_serializer_is_adopted(path, serializer, value):
    if serializer == "npz":
        pytest.importorskip("numpy")
    with FileDirStore(path, serializer=serializer) as store:
        store["x"] = value
    again = FileDirStore(path)
    assert again.serializer == store.serializer
    assert again["x"] == value
    assert again.file_of("x") == store.file_of("x")


def test_a_serializer_object_matches_its_name(path):
    from holdall.serializers import get_serializer

    FileDirStore(path, serializer=get_serializer("json"))["x"] = 1
    assert FileDirStore(path, serializer="json")["x"] == 1
    assert FileDirStore(path)["x"] == 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b'{"serializer": "json"}',
        b"\0" * 100,
        b"[" * 100_000,
    ],
)
def test_a_damaged_record_is_corrupt_not_absent(path, text):
    with FileDirStore(path, serializer="json") as store:
        store["x"] = 1
    (path / ".holdall/store.json").write_bytes(text)
    for options in ({}, {"serializer": "json"}, {"serializer": "pickle"}, {"read_only": True}):
        with pytest.raises(CorruptValueError) as caught:
            FileDirStore(path, **options)
        assert str(path / ".holdall/store.json") in str(caught.value)
    assert (path / ".holdall/store.json").read_bytes() == text
    assert (path / "x.json").read_text() == "1"


def test_a_record_of_a_newer_format_is_refused_by_name(path):
    FileDirStore(path, serializer="json")["x"] = 1
    (path / ".holdall/store.json").write_text('{"holdall": 99, "serializer": "future"}')
    for options in ({}, {"serializer": "json"}):
        with pytest.raises(MismatchError) as caught:
            FileDirStore(path, **options)
        assert "99" in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "dangling"])
def test_a_record_that_is_no_file_is_an_error_of_ours(path, tmp_path, kind):
    with FileDirStore(path, serializer="json") as store:
        store["x"] = 1
    record = path / ".holdall/store.json"
    os.rename(record, tmp_path / "elsewhere")
    match kind:
        case "fifo":
            os.mkfifo(record)
        case "folder":
            record.mkdir()
        case "link":
            os.symlink(tmp_path / "elsewhere", record)
        case "dangling":
            os.symlink("nowhere", record)
    code = """
import os, sys
from holdall import FileDirStore, HoldallError
before = len(os.listdir("/proc/self/fd"))
for options in {}, {"serializer": "json"}:
    try:
        FileDirStore(sys.argv[1], **options)
    except HoldallError as error:
        assert sys.argv[1] in str(error), error
    else:
        raise AssertionError("it was opened")
"""
    run_python(code, path)


def test_a_record_is_kept_when_a_second_store_writes(path):
    FileDirStore(path, serializer="json")["x"] = 1
    before = (path / ".holdall/store.json").read_bytes()
    FileDirStore(path)["y"] = 1
    assert (path / ".holdall/store.json").read_bytes() == before


# ---------------------------------------------------------------------- clear


def test_clearing_a_foreign_folder_needs_force(foreign):
    store = FileDirStore(foreign, serializer="json")
    for _ in range(2):
        with pytest.raises(UnsupportedError, match="force=True") as caught:
            store.clear()
        assert str(foreign) in str(caught.value)
        store["mine"] = 1  # it is not ours for having been written to
    assert len(FileDirStore(foreign)) == 3
    with pytest.raises(UnsupportedError):
        FileDirStore(foreign).clear()
    store.clear(force=True)
    assert len(store) == 0
    assert (foreign / "notes.txt").read_text() == "hello"


def test_files_that_came_after_the_folder_was_opened_are_not_cleared_by_a_slip(path):
    store = FileDirStore(path, serializer="json")  # there is no folder yet
    store.clear()
    path.mkdir()
    (path / "theirs.json").write_text("1")
    with pytest.raises(UnsupportedError):
        store.clear()
    assert store == {"theirs": 1}
    store["x"] = 2
    with pytest.raises(UnsupportedError):
        store.clear()
    assert store == {"theirs": 1, "x": 2}


@pytest.mark.parametrize("made", ["", ".holdall"])
def test_a_folder_that_another_handle_is_just_making_is_no_foreign_one(path, made):
    (path / made).mkdir(parents=True)
    store = FileDirStore(path, serializer="json")
    assert store.persister.owned
    FileDirStore(path, serializer="json")["x"] = 1
    store.clear()
    assert store == {}


def test_a_record_that_is_written_at_the_last_moment_counts(path, monkeypatch):
    (path / ".holdall").mkdir(parents=True)
    store = FileDirStore(path, serializer="json")
    other = FileDirStore(path, serializer="json")
    list_folder = os.listdir

    def listdir(where):
        monkeypatch.undo()
        other["x"] = 1
        return list_folder(where)

    monkeypatch.setattr(os, "listdir", listdir)
    assert store.persister.owned


def test_clearing_an_own_folder_needs_none(path):
    FileDirStore(path, serializer="json").update({"x": 1, "a/b/c": 2})
    store = FileDirStore(path)
    (path / "notes.txt").write_text("hello")
    store.clear()
    assert dict(store.items()) == {}
    assert sorted(os.listdir(path)) == [".holdall", "notes.txt"]


def test_an_empty_folder_of_somebody_else_becomes_ours(path):
    path.mkdir()
    store = FileDirStore(path, serializer="json")
    store["x"] = 1
    store.clear()
    assert len(store) == 0


# ---------------------------------------------------------------------- trust


def make_foreign(where, how):
    """Make a file one that another user could have written."""
    match how:
        case "owner":
            os.chown(where, 12345, -1)
        case "everybody":
            os.chmod(where, 0o666)
        case "group":
            os.chown(where, -1, 12345)
            os.chmod(where, 0o664)


@pytest.mark.parametrize(
    "how",
    [pytest.param("owner", marks=as_root), "everybody", pytest.param("group", marks=as_root)],
)
def test_pickles_that_others_could_have_written_are_not_loaded(path, how):
    store = FileDirStore(path)
    store["a/x"] = Canary(path.parent / "canary")
    make_foreign(store.file_of("a/x"), how)
    for action in [
        lambda: store["a/x"],
        lambda: store.get("a/x"),
        lambda: store.pop("a/x"),
        lambda: dict(store.items()),
        lambda: list(store.values()),
        lambda: store.transform_item("a/x", transformer=lambda value: value),
        lambda: FileDirStore(path)["a/x"],
        lambda: pickle.loads(pickle.dumps(store))["a/x"],
        lambda: FileDirStore(path).setdefault("a/x", 1),
    ]:
        with pytest.raises(UntrustedStoreError) as caught:
            action()
        assert isinstance(caught.value, PermissionError)
        assert "a/x" in str(caught.value)
        assert str(path) in str(caught.value)
        assert "trust=True" in str(caught.value)
    assert not (path.parent / "canary").exists()
    assert list(store) == ["a/x"]
    assert "a/x" in store
    assert FileDirStore(path, trust=True)["a/x"] == "loaded"
    assert (path.parent / "canary").exists()


@pytest.mark.parametrize("size", [10, 3 << 20])
@as_root
def test_large_pickles_are_inspected_too(path, size):
    store = FileDirStore(path)
    store["x"] = b"x" * size
    os.chown(store.file_of("x"), 12345, -1)
    with pytest.raises(UntrustedStoreError):
        store["x"]


class Canary:
    """Something whose loading leaves a trace."""

    def __init__(self, where):
        self.where = where

    def __reduce__(self):
        return touch, (str(self.where),)


def touch(where):
    with open(where, "w"):
        return "loaded"


@pytest.mark.parametrize("how", ["owner", "everybody", "group"])
def test_data_that_run_nothing_are_read_from_anybody(path, how):
    if how != "everybody" and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    store = FileDirStore(path, serializer="json")
    store["a/x"] = 1
    make_foreign(store.file_of("a/x"), how)
    assert store["a/x"] == 1


@as_root
def test_a_group_of_ones_own_may_write(path):
    store = FileDirStore(path)
    store["x"] = 1
    os.chmod(store.file_of("x"), 0o664)
    assert store["x"] == 1


# ---------------------------------------------------------------------- errors that are certain are quick


def content(where):
    with open(where, "rb") as file:
        return file.read()


@pytest.mark.parametrize("nested", ["x", "deep/er/x"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "longer", "missing class"])
@pytest.mark.parametrize("size", [10, 3 << 20])
def test_a_damaged_pickle_is_corrupt_at_once(path, nested, damage, size):
    store = FileDirStore(path)
    store[nested] = ["x" * size, {"a": 1}]
    where = store.file_of(nested)
    data = content(where)
    expected = CorruptValueError
    match damage:
        case "truncated":
            data = data[:-1]
        case "garbage":
            data = b"\x93NOT A PICKLE" * (len(data) // 10)
        case "empty":
            data = b""
        case "longer":
            data += b"x"
        case "missing class":
            data = b"cno_such_module\nThing\n."
            expected = SerializationError
    with open(where, "wb") as file:
        file.write(data)
    for action in [
        lambda: store[nested],
        lambda: store.get(nested, 1),
        lambda: store.setdefault(nested, 1),
        lambda: store.pop(nested, 1),
    ]:
        with no_pauses(), pytest.raises(expected) as caught:
            action()
        assert not isinstance(caught.value, KeyError)
        assert repr(nested) in str(caught.value)
        assert str(path) in str(caught.value)
    assert nested in store
    assert content(where) == data
    store[nested] = "repaired"
    assert store[nested] == "repaired"


@pytest.mark.parametrize(
    ("serializer", "old", "bad"),
    [
        ("pickle", 1, lambda: None),
        ("json", 1, {1, 2}),
        ("json", 1, float("nan")),
        ("text", "a", 1),
        ("bytes", b"a", "text"),
    ],
)
def test_a_value_that_cannot_be_written_leaves_the_old_one(path, serializer, old, bad):
    store = FileDirStore(path, serializer=serializer)
    store["a/x"] = old
    etag = store.etag("a/x")
    before = files_below(path)
    for attempt in [
        lambda: store.__setitem__("a/x", bad),
        lambda: store.__setitem__("new/x", bad),
        lambda: store.setdefault("new/x", bad),
        lambda: store.update({"a/x": bad}),
        lambda: store.transform_item("a/x", transformer=lambda _: bad),
        lambda: store.set_item_if("a/x", value=bad, condition=ANY_ETAG, expected_etag=etag),
    ]:
        with no_pauses(), pytest.raises(SerializationError):
            attempt()
    assert store["a/x"] == old
    assert store.etag("a/x") == etag
    assert files_below(path) == before
    assert not (path / "new").exists()


def test_a_value_that_fails_half_way_leaves_nothing(path):
    class Fails:
        def __reduce__(self):
            raise RuntimeError("no")

    store = FileDirStore(path)
    store["x"] = "old"
    with pytest.raises(SerializationError):
        store["x"] = [b"x" * 300_000, Fails()]
    assert store["x"] == "old"
    assert leftovers(path) == set()


def test_a_stream_that_fails_half_way_leaves_nothing(path):
    place = FilesPersister(path)
    place["x"] = b"old"

    def fail():
        with place.writer("x") as file:
            file.write(b"new" * 10_000)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert place["x"] == b"old"
    assert leftovers(path) == set()
    with place.writer("x") as file:
        file.write(b"new")
        assert place["x"] == b"old"
    with place.reader("x") as file:
        assert file.read() == b"new"


# ---------------------------------------------------------------------- deleted behind the back


@pytest.mark.parametrize("again", ["nothing", "folder", "store"])
def test_a_folder_deleted_behind_the_back_is_an_empty_one(path, again):
    store = FileDirStore(path, serializer="json")
    store.update({"x": 1, "a/b/c": 2})
    shutil.rmtree(path)
    if again == "folder":
        path.mkdir()
    elif again == "store":
        FileDirStore(path, serializer="json")["x"] = 3
    left = {"x": 3} if again == "store" else {}
    assert list(store) == list(left)
    assert len(store) == len(left)
    assert ("x" in store) == ("x" in left)
    assert store.get("x") == left.get("x")
    assert "a/b/c" not in store
    assert list(store.get_subdict("a")) == []
    assert dict(store.items()) == left
    with pytest.raises(KeyError):
        del store["a/b/c"]
    store["a/b/c"] = 4
    store["y"] = 5
    assert dict(store.items()) == {**left, "a/b/c": 4, "y": 5}
    assert dict(FileDirStore(path).items()) == {**left, "a/b/c": 4, "y": 5}
    assert (path / ".holdall/store.json").exists()


ACTIONS = {
    "list": list,
    "len": len,
    "in": lambda store: "x" in store,
    "in below": lambda store: "a/x" in store,
    "get": lambda store: store.get("x"),
    "get below": lambda store: store.get("a/x"),
    "items": lambda store: dict(store.items()),
    "newest": lambda store: list(store.newest_keys()),
    "subdict": lambda store: dict(store.get_subdict("a")),
    "discard": lambda store: store.discard("x"),
    "pop": lambda store: store.pop("x", None),
    "clear": lambda store: store.clear(),
    "repr": lambda store: bool(repr(store)) and None,
}


@pytest.mark.parametrize("action", ACTIONS)
def test_each_first_look_at_a_deleted_folder_finds_nothing(path, action):
    store = FileDirStore(path, serializer="json")
    store.update({"x": 1, "a/x": 2})
    shutil.rmtree(path)
    assert not ACTIONS[action](store)
    assert not path.exists()


@pytest.mark.parametrize("action", ["put", "write", "update", "setdefault", "transform", "stream"])
def test_each_first_write_to_a_deleted_folder_makes_it_anew(path, action):
    store = FileDirStore(path, serializer="json")
    store.update({"x": 1, "a/x": 2})
    shutil.rmtree(path)
    match action:
        case "put":
            store["a/x"] = 3
        case "write":
            store.set_item_if("a/x", value=3, condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE)
        case "update":
            store.update({"a/x": 3})
        case "setdefault":
            store.setdefault("a/x", 3)
        case "transform":
            store.transform_item("a/x", transformer=lambda value: 3 if value is ITEM_NOT_AVAILABLE else 0)
        case "stream":
            with store.persister.writer("a/x.json") as file:
                file.write(b"3")
    assert dict(store.items()) == {"a/x": 3}
    assert dict(FileDirStore(path).items()) == {"a/x": 3}


def test_a_nested_folder_deleted_behind_the_back_is_made_anew(path):
    store = FileDirStore(path, serializer="json")
    store["a/b/c"] = 1
    shutil.rmtree(path / "a")
    assert "a/b/c" not in store
    assert list(store) == []
    store["a/b/c"] = 2
    assert store["a/b/c"] == 2


def test_a_control_folder_deleted_behind_the_back_is_made_anew(path):
    store = FileDirStore(path, serializer="json")
    store["x"] = 1
    shutil.rmtree(path / ".holdall")
    assert store["x"] == 1
    store["y"] = 2
    store.transform_item("x", transformer=lambda value: value + 1)
    assert dict(store.items()) == {"x": 2, "y": 2}
    assert (path / ".holdall/store.json").exists()


def test_empty_folders_are_pruned_and_others_stay(path):
    store = FileDirStore(path, serializer="json")
    store.update({"a/b/c/d": 1, "a/x": 2, "e/f": 3, "e/g": 4})
    (path / "e/foreign.txt").write_text("keep me")
    del store["a/b/c/d"]
    assert sorted(os.listdir(path / "a")) == ["x.json"]
    store.discard("a/x")
    assert not (path / "a").exists()
    store.pop("e/f")
    store.pop("e/g")
    assert os.listdir(path / "e") == ["foreign.txt"]


# ---------------------------------------------------------------------- levels and hidden files


def test_levels_bound_what_is_listed_and_written(path):
    FileDirStore(path, serializer="json").update({"x": 1, "a/x": 2, "a/b/x": 3})
    for levels, keys in {1: {"x"}, 2: {"x", "a/x"}, 3: {"x", "a/x", "a/b/x"}}.items():
        store = FileDirStore(path, max_levels=levels)
        assert set(store) == keys
        assert len(store) == len(keys)
        assert ("a/x" in store) == ("a/x" in keys)
        assert ("a/b/x" in store) == ("a/b/x" in keys)
        assert store.get("a/b/x") == (3 if levels == 3 else None)
        deeper = "/".join("abcd"[: levels + 1])
        with pytest.raises(InvalidKeyError):
            store[deeper] = 1
        assert leftovers(path) == set()
    for wrong in (0, -1, "1", True, 1.5):
        with pytest.raises(InvalidArgumentError):
            FileDirStore(path, max_levels=wrong)


def test_hidden_files_are_seen_by_option(path):
    with FileDirStore(path, serializer="json", hidden=True) as store:
        store.update({".x": 1, "a/.y": 2, ".z/b": 3, "w": 4})
        assert set(store) == {".x", "a/.y", ".z/b", "w"}
        assert (path / ".x.json").exists()
    (path / ".holdall/evil.json").write_text("1")
    with FileDirStore(path, serializer="json", hidden=True) as store:
        assert set(store) == {".x", "a/.y", ".z/b", "w"}
        assert ".holdall/evil" not in store
        store.clear()
        assert (path / ".holdall/evil.json").exists()


def test_hidden_files_of_others_are_not_seen_without_the_option(foreign):
    (foreign / ".secret.json").write_text("1")
    (foreign / ".git").mkdir()
    (foreign / ".git/x.json").write_text("1")
    store = FileDirStore(foreign, serializer="json")
    assert set(store) == {"x", "deep/er/y"}
    assert ".secret" not in store
    store[".secret"] = 2  # readable back, and not under that name
    assert store[".secret"] == 2
    assert (foreign / ".secret.json").read_text() == "1"


# ---------------------------------------------------------------------- mapped arrays


def test_mapped_arrays_outlive_a_replacement(path):
    np = pytest.importorskip("numpy")
    store = FileDirStore(path, serializer="npy", mmap_mode="r")
    store["a/x"] = np.arange(1000)
    mapped = store["a/x"]
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    store["a/x"] = np.zeros(1000, dtype=int)
    assert (mapped == np.arange(1000)).all()
    assert (store["a/x"] == 0).all()
    del store["a/x"]
    assert (mapped == np.arange(1000)).all()
    plain = FileDirStore(path, serializer="npy")
    plain["y"] = np.arange(3)
    assert not isinstance(plain["y"], np.memmap)
    with pytest.raises(InvalidArgumentError):
        FileDirStore(path, serializer="npy", mmap_mode="r+")
    with pytest.raises(InvalidArgumentError):
        FileDirStore(path.parent / "other", serializer="json", mmap_mode="r")


# ---------------------------------------------------------------------- ages


def test_memory_for_the_newest_is_bounded_by_their_number(path):
    store = FileDirStore(path, serializer="bytes")
    store["x/0"] = b""
    for number in range(1, 8000):  # half a megabyte of names and entries, if all were kept
        os.close(os.open(path / f"x/{number}.bin", os.O_CREAT | os.O_WRONLY))
    peaks = []
    for look in (store.newest_keys, store.oldest_keys, store.newest_values):
        tracemalloc.start()
        found = look(5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(found) == 5
    assert max(peaks) < 100_000


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("prefix", ["", "a", "a/", "b/c/", ".h", "none/"])
def test_the_first_by_age_are_those_of_all(path, prefix, hidden):
    place = FilesPersister(path, hidden=True)
    ids = ["1", "2", "a/1", "a/b/1", "a/b/2", "ab", "b/c/1", "b/c/2", "b/c/3", ".h/1", ".h1", "b/.h"]
    for number, id in enumerate(random.Random(7).sample(ids, len(ids))):
        place[id] = b""
        os.utime(path / id, ns=(0, number // 2 * 10**9))  # of two each the times are equal
    os.symlink("1", path / "link")
    os.mkfifo(path / "pipe")
    place = FilesPersister(path, hidden=hidden)
    for newest in (False, True):
        ordered = list(place.by_age(prefix, newest=newest))
        assert sorted(ordered) == sorted(place.ids(prefix))
        for limit in range(-1, len(ids) + 1):
            assert list(place.by_age(prefix, newest=newest, limit=limit)) == ordered[: max(limit, 0)]


# ---------------------------------------------------------------------- etags


@pytest.mark.parametrize("key", ["x", "a/x"])
def test_etags_of_rapid_writes_never_repeat(path, key):
    store = FileDirStore(path, serializer="bytes")
    seen = set()
    for _ in range(1500):
        store[key] = b"same"
        seen.add(store.etag(key))
    for _ in range(1500):
        seen.add(store.persister.write(key + ".bin", b"same").etag)
    assert len(seen) == 3000


def test_etags_of_what_is_deleted_and_made_again_never_repeat(path):
    store = FileDirStore(path, serializer="bytes")
    seen = set()
    for _ in range(1000):
        store["a/x"] = b"same"
        seen.add(store.etag("a/x"))
        del store["a/x"]
    assert len(seen) == 1000


def test_etags_of_several_handles_and_threads_never_repeat(path):
    seen = []

    def write():
        place = FilesPersister(path)
        seen.extend(place.write("x", b"same").etag for _ in range(300))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == len(seen) == 1200


def test_an_etag_stays_as_long_as_nothing_changes(path):
    store = FileDirStore(path, serializer="json")
    store.update({"x": 1, "a/y": 2})
    etags = {key: store.etag(key) for key in store}
    store["other"] = 3
    store["a/other"] = 3
    store.close()
    again = FileDirStore(path)
    assert all(again[key] and again.etag(key) == etag for key, etag in etags.items())
    assert all(again.persister.read(id)[1] == again.persister.stat(id) for id in again.persister)


@pytest.mark.parametrize("change", ["in place", "replaced", "truncated", "touched", "linked"])
def test_a_change_by_another_program_changes_the_etag(path, change):
    store = FileDirStore(path, serializer="bytes")
    store["x"] = b"0123456789"
    where, before = store.file_of("x"), store.etag("x")
    old = os.stat(where)
    time.sleep(0.02)  # longer than a tick of the clock of the file system
    match change:
        case "in place":
            with open(where, "r+b") as file:
                file.write(b"9876543210")
        case "replaced" | "linked":
            other = path.parent / "other"
            other.write_bytes(b"9876543210")
            (os.replace if change == "replaced" else _link_over)(other, where)
        case "truncated":
            os.truncate(where, 5)
        case "touched":
            os.utime(where)
    os.utime(where, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert store.etag("x") != before
    result = store.set_item_if("x", value=b"mine", condition=ETAG_IS_THE_SAME, expected_etag=before)
    assert not result.condition_was_satisfied
    assert store["x"] != b"mine"
    assert store.get_item_if("x", condition=ETAG_HAS_CHANGED, expected_etag=before).condition_was_satisfied


def _link_over(other, where):
    os.unlink(where)
    os.link(other, where)


def test_handles_of_one_process_exclude_each_other(path):
    """Locks belong to descriptors: two handles of one process are as two processes."""
    stores = [FileDirStore(path, serializer="json") for _ in range(4)]
    stores[0]["n"] = 0

    def count(store):
        for _ in range(100):
            store.transform_item("n", transformer=lambda value: value + 1, n_retries=None)

    threads = [threading.Thread(target=count, args=(store,)) for store in stores for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0]["n"] == 800


class Background(threading.Thread):
    """A thread that does one thing, may never end, and hands on what it raised."""

    def __init__(self, action):
        super().__init__(daemon=True)
        self.action = action
        self.start()

    def run(self):
        self.result = outcome(self.action)

    def ends(self, within):
        self.join(within)
        return not self.is_alive()


@contextmanager
def held(store):
    """Hold the lock of the folder as another process would."""
    folder = os.open(store.path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def test_a_writer_waits_for_the_lock(path):
    one, other = FileDirStore(path, serializer="json"), FileDirStore(path, serializer="json")
    one["x"] = 1
    with held(one):
        writer = Background(lambda: other.update(x=2))
        assert not writer.ends(0.2)
        assert one["x"] == 1
    assert writer.ends(10)
    assert one["x"] == 2


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("when", ["opened before", "opened meanwhile"])
def test_a_reader_never_waits_for_the_lock(path, read_only, when):
    one = FileDirStore(path, serializer="json")
    one["a/x"] = 1
    options = {"read_only": read_only}
    before = FileDirStore(path, **options)

    def read():
        store = before if when == "opened before" else FileDirStore(path, **options)
        return store["a/x"], list(store), len(store), "a/x" in store, bool(store.etag("a/x"))

    with held(one):
        reader = Background(read)
        ended = reader.ends(3)
    assert ended, "the reader waited for a writer"
    assert reader.result == (1, ["a/x"], 1, True, True)


def test_a_stale_write_is_refused_with_the_actual_state(path):
    place = FilesPersister(path)
    first = place.write("a/x", b"1", ITEM_NOT_AVAILABLE)
    second = place.write("a/x", b"2", first.etag)
    for expected in (first.etag, ITEM_NOT_AVAILABLE):
        with pytest.raises(ConflictError) as caught:
            place.write("a/x", b"3", expected)
        assert caught.value.actual == second.etag
        assert "a/x" in str(caught.value)
        with pytest.raises(ConflictError):
            place.remove("a/x", expected)
    assert place["a/x"] == b"2"
    with pytest.raises(ConflictError) as caught:
        place.write("new/x", b"3", first.etag)
    assert caught.value.actual is ITEM_NOT_AVAILABLE
    assert leftovers(path) == set()
    assert not (path / "new").exists()


# ---------------------------------------------------------------------- descriptors


def open_descriptors():
    gc.collect()  # stores of other tests
    return len(os.listdir("/proc/self/fd"))


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="there is no /proc")


def use_in_all_ways(store, key):
    """Do what succeeds and what fails, at places that are sound and at those that are not."""
    for action in [
        lambda: store.__setitem__(key, 1),
        lambda: store[key],
        lambda: store[key + "/absent"],
        lambda: store["link"],
        lambda: store["pipe"],
        lambda: store["folder"],
        lambda: store["linked/secret"],
        lambda: store["corrupt"],
        lambda: store.__setitem__("folder", 1),
        lambda: store.__setitem__("linked/x", 1),
        lambda: store.__setitem__(key, {1, 2}),
        lambda: store.etag(key),
        lambda: store.transform_item(key, transformer=lambda value: value),
        lambda: store.set_item_if(key, value=1, condition=ETAG_IS_THE_SAME, expected_etag="stale"),
        lambda: store.persister.write(f"{key}.json", b"1", "stale"),
        lambda: list(store),
        lambda: next(iter(store.items())),
        lambda: store.pop(key),
        lambda: store.discard(key),
    ]:
        outcome(action)


@needs_proc
def test_operations_leak_no_descriptors(messy):
    (messy / "corrupt.json").write_text("{")
    store = FileDirStore(messy)
    store["x"] = 1
    before = open_descriptors()
    for turn in range(60):
        use_in_all_ways(store, f"{'deep/' * (turn % 4)}k{turn % 5}")
    assert open_descriptors() == before
    store.close()
    store.close()
    assert open_descriptors() == before - 2
    assert store["ok"] == 1


@needs_proc
@pytest.mark.parametrize("serializer", ["pickle", "npy"])
def test_large_values_leak_no_descriptors(path, serializer):
    np = pytest.importorskip("numpy")
    store = FileDirStore(path, serializer=serializer)
    value = np.zeros(1 << 18)
    store["x"] = value
    before = open_descriptors()
    for _ in range(20):
        assert store["x"].nbytes == value.nbytes
    os.truncate(store.file_of("x"), 1 << 20)
    for _ in range(20):
        with pytest.raises(CorruptValueError):
            store["x"]
    assert open_descriptors() == before


@needs_proc
def test_stores_that_are_let_go_give_their_descriptors_back(path):
    FileDirStore(path, serializer="json")["x"] = 1
    before = open_descriptors()
    for turn in range(20):
        store = FileDirStore(path)
        store["x"] = turn
        assert store["x"] == turn
        del store
    assert open_descriptors() == before
    assert control(path) == {"store.json"}


def test_a_closed_store_opens_again_when_used(path):
    store = FileDirStore(path, serializer="json")
    store["x"] = 1
    store.close()
    assert control(path) == {"store.json"}
    assert store["x"] == 1
    store.close()
    assert list(store) == ["x"]
    store.close()
    store["a/x"] = 2
    with store:
        assert store.pop("a/x") == 2
    assert control(path) == {"store.json"}


# ---------------------------------------------------------------------- fork, pickle, exit

FORK = """
import os, sys
from holdall import FileDirStore
store = FileDirStore(sys.argv[1], serializer="json")
store["x"] = "parent"
view = store.get_subdict("a")
child = os.fork()
if child == 0:
    assert store["x"] == "parent"
    store["x"] = "child"
    store["a/y"] = 1
    assert view["y"] == 1
    del store
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert store["x"] == "child"
store["x"] = "parent again"
assert view["y"] == 1
print(len(os.listdir(os.path.join(store.path, ".holdall"))))
"""


def test_a_fork_shares_the_store_and_not_its_workspace(path):
    assert run_python(FORK, path).strip() == "3"  # the record, the parent's and the dead child's
    with FileDirStore(path) as store:
        assert dict(store.items()) == {"x": "parent again", "a/y": 1}
    assert control(path) == {"store.json"}


def test_a_fork_that_exits_properly_leaves_the_workspace_of_its_parent(path):
    code = FORK.replace("del store\n    os._exit(0)", "store.close(); sys.exit(0)")
    assert run_python(code, path).strip() == "2"


@pytest.mark.parametrize(
    "ending",
    ["", "sys.exit(3)", "raise SystemExit(3)", "1 / 0", "store = None", "store.loop = store; del store"],
)
def test_the_end_of_the_interpreter_leaves_no_workspace(path, ending):
    code = f"""
import sys
from holdall import FileDirStore
store = FileDirStore(sys.argv[1])
store["a/x"] = 1
{ending}
"""
    subprocess.run(
        [PYTHON, "-c", code, str(path)],
        env=child_environment(),
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert control(path) == {"store.json"}
    assert FileDirStore(path)["a/x"] == 1


@pytest.mark.parametrize("clone", [lambda store: pickle.loads(pickle.dumps(store)), copy.copy, copy.deepcopy])
def test_a_copied_store_is_another_handle_of_the_same_place(path, clone):
    store = FileDirStore(path, serializer="json", hidden=True, max_levels=2, durability="power")
    store["x"] = 1
    other = clone(store)
    assert type(other) is FileDirStore
    assert other.get_params() == store.get_params()
    assert other["x"] == 1
    other["y/z"] = 2
    assert store["y/z"] == 2
    with pytest.raises(InvalidKeyError):
        other["a/b/c"] = 1
    for options in ("durability", "guard", "hidden", "max_levels", "read_only", "record"):
        assert getattr(other.persister, options) == getattr(store.persister, options)


def test_a_pickled_temporary_store_is_the_same_place(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = FileDirStore()
    other = pickle.loads(pickle.dumps(store))
    store["x"] = 1
    assert other["x"] == 1
    assert other.path == store.path


def test_options_that_are_not_ours_are_refused(path):
    for options in ({"durability": "eternal"}, {"max_levels": 0}, {"serializer": "no such"}):
        with pytest.raises(InvalidArgumentError):
            FileDirStore(path, **options)
    with pytest.raises(HoldallError):
        FileDirStore(os.fsencode(path))
    assert not path.exists()
    assert sys.getfilesystemencoding() == "utf-8"


def test_what_is_hidden_is_neither_listed_nor_found(tmp_path):
    (tmp_path / "deep" / ".git").mkdir(parents=True)
    for name in (".hidden", "deep/.env", "deep/.git/config", "seen"):
        (tmp_path / name).write_text("x")
    store = FileDirStore(tmp_path, serializer="text", keys=Suffix(""))
    shown = FileDirStore(tmp_path, serializer="text", keys=Suffix(""), hidden=True)
    assert list(store) == ["seen"]
    assert sorted(shown) == [".hidden", "deep/.env", "deep/.git/config", "seen"]
    for name in (".hidden", "deep/.env", "deep/.git/config"):
        assert shown[name] == "x"
        assert name in shown
        assert name not in store
        for look in (store.__getitem__, store.etag, store.timestamp, store.__delitem__):
            with pytest.raises(KeyError):
                look(name)
        assert store.get(name) is None
        assert store.discard(name) is False
    assert (tmp_path / ".hidden").exists()
