"""On a full disk the archive that was there stays, the error says so, and room is all that a retry needs."""

import errno
import os

import pytest

from exploring import in_soak
from holdall import Archive, DataSet, StoreFullError
from holdall.archive import ArchiveStore, load
from open_files import open_below
from processes._support import files_below, fill

np = pytest.importorskip("numpy")

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="mounts are for POSIX")

LARGE = np.arange(25_000.0)  # with a ballast, more than is left of the disk
ROOM = [  # the beginning of a file; nothing; that of an array
    8192,
    pytest.param(0, marks=pytest.mark.soak),
    pytest.param(40_960, marks=pytest.mark.soak),
]


@pytest.fixture
def small(disk):
    """Give a disk with room for a few of the large arrays."""
    return disk("size=4m")


def contents(folder):
    """Give the files below a folder with what they hold; the ballast and locks aside."""
    names = files_below(folder) - {"ballast"}
    return {name: (folder / name).read_bytes() for name in names if os.path.basename(name) != "_locked"}


def refused(folder, room, change):
    """See a change fail on a disk with this much room, then succeed when there is more."""
    before, descriptors = contents(folder), len(open_below(folder))
    ballast = fill(folder)
    os.truncate(ballast, os.path.getsize(ballast) - room)
    with pytest.raises(StoreFullError) as caught:
        change()
    assert caught.value.errno == errno.ENOSPC
    assert "untouched" in str(caught.value)
    assert ".holdall-" not in str(caught.value.filename)
    assert contents(folder) == before
    assert len(open_below(folder)) <= descriptors, "what was written is held"
    os.unlink(ballast)
    change()
    assert contents(folder) != before


def archive(data_format, **values):
    made = Archive(data_format=data_format)
    made.insert(**values)
    return made


@pytest.mark.parametrize("room", ROOM)
@pytest.mark.parametrize("data_format", ["npy", *in_soak("npz", "hdf5")])
def test_archives(small, data_format, room):
    if data_format == "hdf5":
        pytest.importorskip("h5py")
    for package in (True, False):
        old, new = archive(data_format, x=np.arange(2000)), archive(data_format, x=LARGE)
        path = old.save(small, "m", package=package)
        refused(small, room, lambda: new.save(small, "m", package=package, force=True))  # noqa: B023
        assert load(path)["x"].sum() == LARGE.sum()
        refused(small, room, lambda: new.save(small, "n", package=package))  # noqa: B023
        text = archive(data_format, x="text " * 20_000)
        refused(small, room, lambda: text.save(small, "m", package=package, force=True))  # noqa: B023
        assert load(path)["x"] == "text " * 20_000
    data = Archive(array_threshold=5)
    data.insert(x=LARGE)
    refused(small, room, lambda: data.save_data(small / "arrays", data_format))
    files = contents(small)
    data.data["array_0"] = LARGE[:20_000]
    data.save_data(small / "arrays", data_format)
    assert contents(small).keys() == files.keys()


@pytest.mark.parametrize("room", ROOM)
@pytest.mark.parametrize("data_format", ["npy", *in_soak("npz", "hdf5")])
def test_data_sets(small, data_format, room):
    if data_format == "hdf5":
        pytest.importorskip("h5py")
    ds = DataSet("data", "w", path=small, data_format=data_format)
    ds._insert(x=np.arange(1000), info="info")
    for value in (LARGE, "text " * 20_000):
        refused(small, room, lambda: setattr(ds, "x", value))  # noqa: B023
        refused(small, room, lambda: ds._insert(value))  # noqa: B023
    refused(small, room, lambda: ds.__setitem__("x", "long " * 10_000))
    assert (ds.x, ds["x"], list(ds)) == ("text " * 20_000, "long " * 10_000, ["x", "x_0", "x_1"])
    store = ArchiveStore(small / "data", data_format=data_format)
    refused(small, room, lambda: store.update({"y/z": LARGE}))
    refused(small, room, lambda: store.transform_item("y/z", transformer=lambda old: old * 2))
    assert store["y/z"].sum() == 2 * LARGE.sum()


def test_a_data_set_is_made_whole_or_not_at_all(small):
    refused(small, 0, lambda: DataSet("data", "w", path=small))
    refused(small, 0, lambda: ArchiveStore(small / "other"))
    assert not DataSet("data", path=small)._info_dict
