"""A SQLite file on a full disk, and one that must not be written."""

import errno
import hashlib
import os
import shutil
import stat

import pytest

from holdall import SQLiteStore, StoreFullError, StoreNotFoundError, StoreUnavailableError
from holdall.conditional import ETAG_IS_THE_SAME
from processes._openers import private_folder
from processes._support import crew, fill, mount, run, unmount

LARGE = b"x" * 400_000
ITEMS = {"a": 1, "b": [2, 3], "large": "x" * 50_000}


def write(store, key, value):
    store[key] = value


def write_if(store, key, value):
    store.set_item_if(key, value=value, condition=ETAG_IS_THE_SAME, expected_etag=store.etag(key))


def transform(store, key, value):
    store.transform_item(key, transformer=lambda _: value)


def update(store, key, value):
    store.update({key: value, "other": value})


def stream(store, key, value):
    with store.persister.writer(next(iter(store.persister))) as file:
        file.write(value)


def many_small(store, key, value):
    store.update({(key, number): value[:500] for number in range(800)} | {key: value})


WRITES = [write, write_if, transform, update, stream, many_small]


# ---------------------------------------------------------------------- full


@pytest.mark.parametrize("files_from", [None, 1000])
@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("overwrite", WRITES)
def test_a_full_disk_keeps_the_old_value(disk, overwrite, durability, files_from):
    small = disk("size=3m")
    store = SQLiteStore(small / "store.db", serializer="bytes", durability=durability, files_from=files_from)
    store["a/key"] = b"old" * 1000
    ballast = fill(small)
    with pytest.raises(StoreFullError) as caught:
        overwrite(store, "a/key", LARGE)
    assert caught.value.errno == errno.ENOSPC
    assert store.path in str(caught.value)
    assert "untouched" in str(caught.value)
    assert dict(store.items()) == {"a/key": b"old" * 1000}
    assert store.check() == []
    os.unlink(ballast)
    assert dict(store.items()) == {"a/key": b"old" * 1000}
    overwrite(store, "a/key", LARGE)
    assert store["a/key"] == LARGE
    assert store.check() == []
    store.close()
    with SQLiteStore(small / "store.db") as again:
        assert again["a/key"] == LARGE
        assert again.check() == []


def test_writing_until_the_disk_is_full_loses_nothing(disk):
    small = disk("size=2m")
    store = SQLiteStore(small / "store.db", serializer="bytes")
    written = {}

    def write_on():
        for number in range(10_000):
            store[number] = bytes([number % 256]) * (5000 if number % 3 else 100)
            written[number] = number % 256

    for _ in range(3):
        with pytest.raises(StoreFullError):
            write_on()
        found = {number: value[0] for number, value in store.items()}
        assert found == written
        assert store.check() == []
    assert len(written) > 50
    store.close()
    with SQLiteStore(small / "store.db") as again:
        assert {number: value[0] for number, value in again.items()} == written
        assert again.check() == []


def test_a_value_larger_than_the_disk_leaves_room_for_others(disk):
    small = disk("size=3m")
    with SQLiteStore(small / "store.db", serializer="bytes") as store:
        with pytest.raises(StoreFullError):
            store["huge"] = bytes(4 << 20)
        assert "huge" not in store
        store["small"] = LARGE
        assert store["small"] == LARGE
        assert store.check() == []


def test_a_file_that_cannot_be_made_on_a_full_disk_can_be_made_later(disk):
    small = disk("size=1m")
    ballast = fill(small)
    for _ in range(2):
        with pytest.raises(StoreFullError) as caught:
            SQLiteStore(small / "store.db", serializer="bytes")
        assert str(small) in str(caught.value)
    os.unlink(ballast)
    with SQLiteStore(small / "store.db", serializer="bytes") as store:
        store["key"] = LARGE
        assert store["key"] == LARGE
        assert store.check() == []


# ---------------------------------------------------------------------- read-only


def content(path):
    """Give what a change of the database file would show in; only where this process has it not open."""
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    found = os.stat(path)
    return digest, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode


@pytest.fixture
def folder():
    path = private_folder()
    yield path
    os.chmod(path, stat.S_IRWXU)
    shutil.rmtree(path)


@pytest.fixture(params=["no log", "a log"])
def path(folder, request):
    """Give a file; after "a log", its items are in the log that somebody left who was killed."""
    path = os.path.join(folder, "store.db")
    if request.param == "no log":
        with SQLiteStore(path, serializer="json") as store:
            store.update(ITEMS)
    else:
        crew("_openers.write_and_die", path, ITEMS)
    assert os.path.exists(f"{path}-wal") == (request.param == "a log")
    return path


def forbid(folder):
    """Take the permission to write from a folder and all files in it."""
    for name in os.listdir(folder):
        os.chmod(os.path.join(folder, name), 0o444)
    os.chmod(folder, 0o555)


def test_a_read_only_handle_never_changes_the_file(path):
    before = content(path)
    [(found, *refused)] = crew("_openers.read_here", path)
    assert found == ITEMS
    assert refused == ["ReadOnlyError"] * 2
    assert content(path) == before


def test_a_read_only_handle_makes_no_file(tmp_path):
    with pytest.raises(StoreNotFoundError):
        SQLiteStore(tmp_path / "store.db", read_only=True)
    with pytest.raises(StoreNotFoundError):
        SQLiteStore(tmp_path / "folder" / "store.db", read_only=True)
    assert os.listdir(tmp_path) == []


def test_who_may_not_write_reads_what_is_there(folder, path):
    forbid(folder)
    before, names = content(path), set(os.listdir(folder))
    [(found, *refused)] = crew("_openers.read_as_nobody", path, True)
    assert found == ITEMS
    assert refused == ["ReadOnlyError"] * 2
    assert content(path) == before
    assert set(os.listdir(folder)) == names


def test_who_may_not_write_is_told_so(folder, path):
    forbid(folder)
    before = content(path)
    [(found, *refused)] = crew("_openers.read_as_nobody", path, False)
    if found == "StoreUnavailableError":  # by the opening, where that would have to make a log
        assert path in refused[0]
        assert "read_only=True" in refused[0]
    else:
        assert found == ITEMS
        assert refused == ["StoreUnavailableError"] * 2
    assert content(path) == before


def test_a_log_that_cannot_be_read_is_no_reason_to_give_what_is_old(folder):
    """Without the file that readers share, the log cannot be read where nothing can be made."""
    path = os.path.join(folder, "store.db")
    with SQLiteStore(path, serializer="json") as store:
        store["a"] = "old"
    crew("_openers.write_and_die", path, {"a": "new"})
    os.unlink(f"{path}-shm")
    forbid(folder)
    [said] = crew("_openers.read_as_nobody", path, True)
    if said[0] == "StoreUnavailableError":
        assert path in said[1]
        assert "opened and closed it" in said[1]
    else:
        assert said[0] == {"a": "new"}


@pytest.mark.parametrize("log", [False, True])
def test_a_read_only_disk_can_be_read(disk, log):
    small = disk("size=8m")
    path = str(small / "store.db")
    if log:
        crew("_openers.write_and_die", path, ITEMS)
    else:
        with SQLiteStore(path, serializer="json") as store:
            store.update(ITEMS)
    worked, said = run("mount", "-o", "remount,ro", str(small))
    if not worked:
        pytest.skip(f"remounting is not possible here: {said}")
    with SQLiteStore(path, read_only=True) as store:
        assert dict(store.items()) == ITEMS
        assert store.check() == []
    with pytest.raises(StoreUnavailableError) as caught:
        SQLiteStore(path).update({"new": 1})
    assert path in str(caught.value)
    assert "read_only=True" in str(caught.value)


def test_a_read_only_bind_can_be_read_while_others_write(tmp_path):
    at = tmp_path / "bind"
    with SQLiteStore(tmp_path / "store" / "store.db", serializer="json") as store:
        store.update(ITEMS)
        mount("--bind", str(tmp_path / "store"), at=at)
        try:
            worked, said = run("mount", "-o", "remount,bind,ro", str(at))
            if not worked:
                pytest.skip(f"read-only binds are not possible here: {said}")
            [(found, *_)] = crew("_openers.read_here", str(at / "store.db"))
            assert found == ITEMS
            store["a"] = "newer"
            [(found, *_)] = crew("_openers.read_here", str(at / "store.db"))
            assert found == {**ITEMS, "a": "newer"}
        finally:
            unmount(at)
