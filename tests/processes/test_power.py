"""What a power cut leaves: images of a mounted file system, taken between two writes."""

import os
import shutil

import pytest

from exploring import in_soak
from holdall import (
    ITEM_NOT_AVAILABLE,
    FileDirStore,
    LmdbStore,
    ScriptStore,
    SQLiteStore,
    UnsupportedError,
    ZipStore,
)
from holdall.abc import Capability
from holdall.conditional import ETAG_IS_THE_SAME
from holdall.stores.document import DocumentStore
from processes._support import control, leftovers, mount, run, unmount

MKFS = shutil.which("mkfs.ext4", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
pytestmark = pytest.mark.skipif(MKFS is None, reason="mkfs.ext4 is not installed")


class Disk:
    """A file system in a file, whose state after a power cut is that of a copy of the file."""

    def __init__(self, tmp_path, *options):
        self.tmp_path = tmp_path
        self.image = tmp_path / "disk.img"
        with open(self.image, "wb") as file:
            file.truncate(32 << 20)
        worked, said = run(MKFS, "-q", "-F", *options, str(self.image))
        if not worked:
            pytest.skip(f"mkfs.ext4 does not work here: {said}")
        self.mounted = []
        self.path = self.mount(self.image)

    def mount(self, image):
        at = self.tmp_path / f"mounted{len(self.mounted)}"
        mount("-o", "loop", str(image), at=at)
        self.mounted.append(at)
        return at

    def cut(self):
        """Cut the power now, and give the file system as it comes up again."""
        copy = self.tmp_path / f"cut{len(self.mounted)}.img"
        shutil.copyfile(self.image, copy)
        return self.mount(copy)


@pytest.fixture
def make_disk(tmp_path):
    """Give a function that makes a disk."""
    disks = []

    def make(*options):
        disks.append(Disk(tmp_path, *options))
        return disks[-1]

    yield make
    for disk in disks:
        for at in reversed(disk.mounted):
            unmount(at)


def work(store, expected, trial):
    """Write, overwrite and delete, and keep the books of what was acknowledged."""

    def put(key, value):
        store[key] = value
        expected[key] = value

    for number in range(4):
        put(f"k{number}", f"{trial}-{number}")
    put("a/b/c", f"deep {trial}")
    put(f"new{trial}/x/y/z", "deeper")
    put("large", str(trial) * 200_000)
    put("k1", f"{trial}-overwritten")
    for key in ("k2", f"new{trial - 1}/x/y/z"):
        if store.discard(key):
            del expected[key]
    store.update({"k3": f"{trial}-updated", f"u{trial}": "new"})
    expected |= {"k3": f"{trial}-updated", f"u{trial}": "new"}
    store.transform_item("n", transformer=lambda value: 1 if value is ITEM_NOT_AVAILABLE else value + 1)
    expected["n"] = expected.get("n", 0) + 1
    assert store.pop("k0") == f"{trial}-0"
    del expected["k0"]
    if trial % 2:  # end each second trial with a deletion, the others with a write
        put("last", trial)
    else:
        store.discard("last")
        expected.pop("last", None)


def survivors(path, **options):
    """Open the store after the cut and give what it holds."""
    store = FileDirStore(path / "store", **options)
    found = dict(store.items())
    store["after"] = "the cut"  # it can be written, and what the dead left is swept
    assert leftovers(store.path) == set()
    store.close()
    assert control(store.path) == {"store.json"}
    return found


def test_power_durability_keeps_every_acknowledged_write(make_disk):
    disk = make_disk()
    store = FileDirStore(disk.path / "store", durability="power")
    expected = {}
    for trial in range(3):
        work(store, expected, trial)
        assert survivors(disk.cut()) == expected
    store.close()


@pytest.mark.parametrize("first", ["x", "a/b/c"])
def test_power_durability_keeps_the_very_first_write(make_disk, first):
    """The store opens with what it was made with, and its only item is there."""
    disk = make_disk()
    store = FileDirStore(disk.path / "store", serializer="json", durability="power")
    store[first] = [1]
    cut = disk.cut()
    assert survivors(cut, serializer=None) == {first: [1]}
    store.close()


def test_process_durability_alone_loses_writes_to_a_power_cut(make_disk):
    """Without this the test above would prove nothing."""
    disk = make_disk()
    store = FileDirStore(disk.path / "store", durability="process")
    expected = {}
    lost = []
    for trial in range(3):
        work(store, expected, trial)
        cut = disk.cut() / "store"
        present = {key for key in expected if os.path.exists(cut / (key + ".pkl"))}
        lost += set(expected) - present
    store.close()
    assert lost


ONE_FILE = {
    "SQLiteStore": lambda path, **options: SQLiteStore(path / "store.db", serializer="json", **options),
    "LmdbStore": lambda path, **options: LmdbStore(path / "store.lmdb", serializer="json", **options),
    "ZipStore": lambda path, **options: ZipStore(path / "store.zip", serializer="json", **options),
    "DocumentStore": lambda path, **options: DocumentStore(path / "store.json", **options),
    "ScriptStore": lambda path, **options: ScriptStore(path / "store.py", **options),
}


@pytest.mark.parametrize(
    "kind", ["SQLiteStore", "ZipStore", *in_soak("LmdbStore", "DocumentStore", "ScriptStore")]
)
def test_power_durability_of_a_single_file_keeps_every_acknowledged_write(make_disk, kind):
    """The disk as it is after each write, mounted elsewhere, has all of them, the first one included."""
    if kind == "LmdbStore":
        pytest.importorskip("lmdb")
    disk = make_disk()
    (disk.path / "store.py").write_text("print()\n")
    os.sync()  # the script is there before anything is kept in it
    expected = {}
    with ONE_FILE[kind](disk.path, durability="power") as store:
        for number in range(2):
            store[f"k{number}"] = expected[f"k{number}"] = f"value {number}"
            store["k0"] = expected["k0"] = f"again {number}"
            if number == 1:
                del store["k1"], expected["k1"]
            with ONE_FILE[kind](disk.cut()) as survivor:
                assert dict(survivor) == expected


# ---------------------------------------------------------------------- coarse times


@pytest.fixture
def coarse(make_disk):
    """Give a folder on a file system whose times are whole seconds."""
    disk = make_disk("-I", "128")
    probe = disk.path / "probe"
    probe.touch()
    os.utime(probe, ns=(1_000_000_007, 1_000_000_007))
    if probe.stat().st_mtime_ns == 1_000_000_007:
        pytest.skip("this kernel keeps nanoseconds in small inodes")
    return disk.path / "store"


def test_coarse_times_are_enough_to_read_and_write(coarse):
    with FileDirStore(coarse, serializer="json") as store:
        store["a/b"] = [1]
        store["a/b"] = [2]
        store.update(c=[3])
        del store["c"]
        assert store.discard("a/b")
        store["a/b"] = [4]
        assert dict(store.items()) == {"a/b": [4]}
        assert store.etag("a/b")
        assert store.timestamp("a/b") > 0
    assert FileDirStore(coarse)["a/b"] == [4]


def test_coarse_times_are_no_versions(coarse):
    store = FileDirStore(coarse, serializer="json")
    store["x"] = [1]
    etag = store.etag("x")
    attempts = {
        "set_item_if": lambda: store.set_item_if(
            "x", value=[2], condition=ETAG_IS_THE_SAME, expected_etag=etag
        ),
        "discard_if": lambda: store.discard_if("x", condition=ETAG_IS_THE_SAME, expected_etag=etag),
        "transform_item": lambda: store.transform_item("x", transformer=lambda _: [2]),
    }
    for attempt in attempts.values():
        with pytest.raises(UnsupportedError) as caught:
            attempt()
        assert "nanoseconds" in str(caught.value)
        assert str(coarse) in str(caught.value)
    assert store["x"] == [1]
    assert leftovers(coarse) == set()


def test_coarse_times_are_not_claimed_to_be_versions(coarse):
    store = FileDirStore(coarse, serializer="json")
    store["x"] = [1]
    claims = store.persister.capabilities
    assert Capability.WRITABLE in claims
    assert not claims & {Capability.CAS_THREADS, Capability.CAS_HOST, Capability.CAS_WORLD}


def test_inserting_and_popping_need_no_versions_or_say_so(coarse):
    """They either do the right thing or refuse by name; never do they do half of it."""
    store = FileDirStore(coarse, serializer="json")
    store["x"] = [1]
    for attempt, done, undone in [
        (lambda: store.setdefault("new", [2]), {"x": [1], "new": [2]}, {"x": [1]}),
        (lambda: store.pop("x"), {}, {"x": [1]}),
    ]:
        try:
            attempt()
        except UnsupportedError:
            assert dict(store.items()) == undone
        else:
            assert dict(store.items()) == done
            store.discard("new")
    store["x"] = [1]
    assert store.setdefault("x", [3]) == [1]
    assert store.pop("absent", None) is None
