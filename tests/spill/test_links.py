"""Items taken from another store by hard links."""

import errno
import os

import numpy as np
import pytest

from holdall import FileDirStore, SpillStore
from holdall.persisters.files import FilesPersister

SIZE = 20_000  # so that they have files in either kind of store


@pytest.fixture(params=[True, False], ids=["a file a value", "files for large values"])
def pair(request, tmp_path):
    one, other = (SpillStore(tmp_path / name, file_per_value=request.param) for name in ("one", "other"))
    other.update((n, np.full(SIZE, n)) for n in range(5))
    one[0] = "mine"
    return one, other


def inode(store, key):
    return os.stat(store.key_to_filename(key)).st_ino


def test_files_are_linked(pair):
    one, other = pair
    one.update(other)
    assert one.stats().links == 5
    assert one.stats().copies == 0
    for key in other:
        assert np.array_equal(one[key], other[key])
        assert inode(one, key) == inode(other, key)
    one.update(other)
    assert len(one) == 5
    for folder, _, names in os.walk(one.path):
        assert folder.count("/w-") == 0 or names == [], "an unfinished file is left"


def test_small_values_are_copied(tmp_path):
    one, other = SpillStore(tmp_path / "one"), SpillStore(tmp_path / "other")
    other.update(small=[1], large=np.arange(SIZE))
    one.update(other)
    assert (one.stats().links, one.stats().copies) == (1, 1)
    assert one["small"] == [1]
    other.close()
    one.close()
    assert SpillStore(tmp_path / "one").slow.check() == []


def test_what_is_there_can_be_kept(pair):
    one, other = pair
    one.update(other, overwrite=False)
    assert one[0] == "mine"
    assert one.stats().links == 4
    one.update({0: "of a dict", "new": 1}, overwrite=False)
    one.update([(0, "of pairs")], overwrite=False, x=2)
    assert one[0] == "mine"
    assert (one["new"], one["x"]) == (1, 2)


def test_later_changes_do_not_show_in_the_other_store(pair):
    one, other = pair
    one.update(other)
    for step in range(30):
        key = step % 5
        if step % 3 == 0:
            one[key] = np.full(10, -step)
        elif step % 3 == 1:
            value = one[key]
            if isinstance(value, np.ndarray):
                value[:] = -step
            del value
        else:
            del one[key]
            one[key] = "again"
        one.flush()
        one.shrink()
    other.refresh()
    for key in range(5):
        assert np.array_equal(other[key], np.full(SIZE, key))


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
def test_where_links_are_refused_values_are_copied(pair, monkeypatch, number):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    one, other = pair
    monkeypatch.setattr(os, "link", refuse)
    one.update(other)
    assert (one.stats().links, one.stats().copies) == (0, 5)
    assert np.array_equal(one[3], other[3])


def test_another_serializer_copies(tmp_path):
    one = SpillStore(slow=FileDirStore(tmp_path / "one", serializer="json"))
    other = SpillStore(slow=FileDirStore(tmp_path / "other"))
    other["a"] = [1, 2]
    one.update(other)
    assert one["a"] == [1, 2]
    assert (one.stats().links, one.stats().copies) == (0, 1)


def test_a_link_to_another_file_system_is_refused(tmp_path):
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("no second file system")
    place = FilesPersister(tmp_path / "files")
    place["a"] = b"old"
    source = f"/dev/shm/holdall-test-{os.getpid()}"
    with open(source, "wb") as file:
        file.write(b"new")
    try:
        assert not place.link("a", source)
        assert place["a"] == b"old"
    finally:
        os.unlink(source)
    assert not place.link("a", source), "it is gone"


def test_a_linked_item_has_an_etag_of_its_state(tmp_path):
    place, other = FilesPersister(tmp_path / "files"), FilesPersister(tmp_path / "other")
    place["a"] = b"old"
    other["a"] = b"new"
    before = place.stat("a").etag
    assert place.link("a", other.file_of("a"))
    assert place.stat("a").etag != before
    assert place["a"] == other["a"] == b"new"
    place["a"] = b"newer"
    assert other["a"] == b"new"
    assert other.file_of("absent") is None
