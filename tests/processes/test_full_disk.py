"""On a full or read-only disk nothing that was stored is lost, and the error says what happened."""

import errno
import os

import pytest

from holdall import (
    FileDirStore,
    LmdbStore,
    OutcomeUnknownError,
    SQLStore,
    StoreFullError,
    StoreUnavailableError,
)
from holdall.conditional import ETAG_IS_THE_SAME
from processes._support import control, files_below, fill, leftovers, mount, run, unmount

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="mounts are for POSIX")

LARGE = b"x" * 400_000


def exhaust_inodes(folder):
    """Make files until there can be no more, and give them."""
    made = []

    def make_all():
        while True:
            path = os.path.join(folder, f"ballast-{len(made)}")
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            made.append(path)

    with pytest.raises(OSError, match="No space"):
        make_all()
    return made


def check_error(error, key, path, kind=StoreFullError, number=errno.ENOSPC):
    assert type(error) is kind
    assert isinstance(error, OSError)
    assert error.errno == number
    assert str(path) in str(error)
    assert key in str(error)


def write(store, key, value):
    store[key] = value


def write_if(store, key, value):
    store.set_item_if(key, value=value, condition=ETAG_IS_THE_SAME, expected_etag=store.etag(key))


def transform(store, key, value):
    store.transform_item(key, transformer=lambda _: value)


def update(store, key, value):
    store.update({key: value})


def stream(store, key, value):
    with store.persister.writer(key + ".bin") as file:
        file.write(value)


WRITES = [write, write_if, transform, update, stream]


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("overwrite", WRITES)
def test_a_full_disk_keeps_the_old_value(small, overwrite, durability):
    store = FileDirStore(small / "store", serializer="bytes", suffix=".bin", durability=durability)
    store["a/key"] = b"old" * 1000
    ballast = fill(small)
    with pytest.raises(StoreFullError) as caught:
        overwrite(store, "a/key", LARGE)
    check_error(caught.value, "a/key", store.path)
    assert "untouched" in str(caught.value)
    assert store["a/key"] == b"old" * 1000
    assert list(store) == ["a/key"]
    assert leftovers(store.path) == set()
    os.unlink(ballast)
    overwrite(store, "a/key", LARGE)
    assert store["a/key"] == LARGE
    assert leftovers(store.path) == set()


def test_a_value_larger_than_the_disk_leaves_room_for_others(small):
    store = FileDirStore(small / "store", serializer="bytes", suffix=".bin")
    with pytest.raises(StoreFullError) as caught:
        store["huge"] = bytes(2 << 20)
    check_error(caught.value, "huge", store.path)
    assert "huge" not in store
    assert leftovers(store.path) == set()
    store["small"] = LARGE
    assert store["small"] == LARGE


def test_deleting_frees_a_full_disk(small):
    store = FileDirStore(small / "store", serializer="bytes", suffix=".bin")
    store["old"] = LARGE
    fill(small)
    with pytest.raises(StoreFullError):
        store["new"] = LARGE
    assert store.pop("old") == LARGE
    store["new"] = LARGE[:300_000]
    assert store["new"] == LARGE[:300_000]


def test_the_first_write_to_a_full_disk_can_be_repeated(small):
    """Neither the folder nor its record is left half-made."""
    os.mkdir(small / "store")
    ballast = fill(small)
    store = FileDirStore(small / "store", serializer="bytes", suffix=".bin")
    for _ in range(2):
        with pytest.raises(StoreFullError) as caught:
            store["key"] = LARGE
        assert caught.value.errno == errno.ENOSPC
        assert str(small) in str(caught.value)
    os.unlink(ballast)
    store["key"] = LARGE
    assert store["key"] == LARGE
    assert leftovers(store.path) == set()
    store.close()
    assert files_below(store.path) == {"key.bin", ".holdall/store.json"}
    assert FileDirStore(store.path)["key"] == LARGE


@pytest.mark.parametrize("overwrite", WRITES)
def test_without_inodes_the_old_value_stays(disk, overwrite):
    small = disk("size=1m,nr_inodes=64")
    store = FileDirStore(small / "store", serializer="bytes", suffix=".bin")
    store["a/key"] = b"old"
    ballast = exhaust_inodes(small)
    assert len(ballast) > 20
    with pytest.raises(StoreFullError) as caught:
        overwrite(store, "a/key", b"new")
    check_error(caught.value, "a/key", store.path)
    assert store["a/key"] == b"old"
    assert leftovers(store.path) == set()
    for path in ballast:
        os.unlink(path)
    overwrite(store, "a/key", b"new")
    assert store["a/key"] == b"new"


@pytest.mark.parametrize("free", range(6))
def test_the_first_write_with_few_inodes_can_be_repeated(disk, free):
    """Folder, control folder, workspace, record, value: whichever cannot be made, nothing is spoilt."""
    small = disk("size=1m,nr_inodes=64")
    ballast = exhaust_inodes(small)
    for _ in range(free):
        os.unlink(ballast.pop())
    store = FileDirStore(small / "store", serializer="bytes", suffix=".bin")
    for _ in range(2):
        with pytest.raises(StoreFullError) as caught:
            store["x/key"] = b"new"
        assert caught.value.errno == errno.ENOSPC
        assert store.get("x/key") is None
    for path in ballast:
        os.unlink(path)
    store["x/key"] = b"new"
    assert FileDirStore(store.path)["x/key"] == b"new"
    assert control(store.path) >= {"store.json"}
    store.close()
    assert files_below(store.path) == {"x/key.bin", ".holdall/store.json"}


def test_the_error_of_a_first_write_names_the_key(disk):
    small = disk("size=1m,nr_inodes=64")
    store = FileDirStore(small / "store", serializer="bytes", suffix=".bin")
    exhaust_inodes(small)
    with pytest.raises(StoreFullError) as caught:
        store["x/key"] = b"new"
    check_error(caught.value, "x/key", store.path)


def test_a_new_folder_that_cannot_be_made_leaves_the_value_beside(disk):
    small = disk("size=1m,nr_inodes=64")
    store = FileDirStore(small / "store", serializer="bytes", suffix=".bin")
    store["key"] = b"old"
    ballast = exhaust_inodes(small)
    os.unlink(ballast.pop())  # room for the file, not for its folder
    with pytest.raises(StoreFullError) as caught:
        store["new/key"] = b"new"
    check_error(caught.value, "new/key", store.path)
    assert leftovers(store.path) == set()
    store["key"] = b"new"
    assert dict(store.items()) == {"key": b"new"}


@pytest.fixture
def read_only(small):
    """Give a used store, with open handles, on a disk that was remounted read-only."""
    store = FileDirStore(small / "store", serializer="bytes", suffix=".bin")
    store["a/key"] = b"old"
    worked, said = run("mount", "-o", "remount,ro", str(small))
    if not worked:
        pytest.skip(f"remounting is not possible here: {said}")
    return store


@pytest.mark.parametrize("overwrite", WRITES)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_read_only_disk_refuses_writes_and_answers_reads(read_only, overwrite, fresh):
    store = FileDirStore(read_only.path) if fresh else read_only
    with pytest.raises(StoreUnavailableError) as caught:
        overwrite(store, "a/key", b"new")
    check_error(caught.value, str(read_only.path), read_only.path, StoreUnavailableError, errno.EROFS)
    assert store["a/key"] == b"old"
    assert list(store) == ["a/key"]
    assert dict(store.items()) == {"a/key": b"old"}
    assert store.etag("a/key")


@pytest.mark.parametrize("fresh", [False, True])
def test_a_read_only_disk_refuses_deletes(read_only, fresh):
    store = FileDirStore(read_only.path) if fresh else read_only
    for delete in (store.__delitem__, store.discard, store.pop):
        with pytest.raises(StoreUnavailableError) as caught:
            delete("a/key")
        assert caught.value.errno == errno.EROFS
        assert not isinstance(caught.value, OutcomeUnknownError)
    assert store["a/key"] == b"old"
    store.close()


def test_a_disk_made_writable_again_is_written_again(read_only):
    with pytest.raises(StoreUnavailableError):
        read_only["a/key"] = b"new"
    worked, said = run("mount", "-o", "remount,rw", os.path.dirname(read_only.path))
    assert worked, said
    read_only["a/key"] = b"new"
    assert FileDirStore(read_only.path)["a/key"] == b"new"


def test_a_read_only_bind_of_a_store_can_be_read(tmp_path):
    store = FileDirStore(tmp_path / "store", serializer="json")
    store["a/key"] = [1]
    store.close()
    at = tmp_path / "bind"
    mount("--bind", str(tmp_path), at=at)
    try:
        worked, said = run("mount", "-o", "remount,bind,ro", str(at))
        if not worked:
            pytest.skip(f"read-only binds are not possible here: {said}")
        bound = FileDirStore(at / "store")
        assert dict(bound.items()) == {"a/key": [1]}
        with pytest.raises(StoreUnavailableError) as caught:
            bound["a/key"] = [2]
        assert caught.value.errno == errno.EROFS
        bound.close()
    finally:
        unmount(at)


def test_lmdb_is_not_opened_where_its_lock_file_has_no_room(small):
    pytest.importorskip("lmdb")
    os.mkdir(small / "full")
    ballast = fill(small)
    with pytest.raises(StoreFullError, match="no room left"):  # where the system would have killed us
        LmdbStore(small / "full")
    os.unlink(ballast)
    with LmdbStore(small / "full") as store:
        store["a"] = 1
        fill(small)
        with pytest.raises(StoreFullError):
            store["a"] = LARGE.decode()
        assert dict(store) == {"a": 1}
    with LmdbStore(small / "full") as store:
        assert dict(store) == {"a": 1}


def test_sql_says_that_the_disk_is_full_by_its_number(small):
    pytest.importorskip("sqlalchemy")
    store = SQLStore(f"sqlite:///{small}/x.db")
    store["a"] = 1
    fill(small)
    with pytest.raises(StoreFullError) as caught:
        store["a"] = LARGE.decode()
    assert caught.value.errno == errno.ENOSPC
    assert store["a"] == 1
