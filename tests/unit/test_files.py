"""What is particular to a store in a folder: layout, ages, etags, and how it ends."""

import errno
import fcntl
import json
import os
import pickle
import random
import shutil
import threading
import time
import tracemalloc
from contextlib import contextmanager

import pytest
from tests.unit._files_support import mode_of, outcome

from holdall import (
    ITEM_NOT_AVAILABLE,
    ConflictError,
    FileDirStore,
    InvalidArgumentError,
    InvalidKeyError,
    SerializationError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.conditional import ANY_ETAG, ETAG_HAS_CHANGED, ETAG_IS_THE_SAME
from holdall.keys import PathKeys
from holdall.persisters.files import FilesPersister
from processes._support import control, files_below, leftovers, tree


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


@pytest.mark.soak
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
