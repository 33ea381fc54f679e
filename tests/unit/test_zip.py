"""What is particular to zip archives: what other tools see, and what others put there."""

import io
import os
import pickle
import random
import signal
import stat
import struct
import subprocess
import threading
import time
import zipfile

import pytest

from exploring import in_soak
from holdall import (
    ITEM_NOT_AVAILABLE,
    CorruptValueError,
    FileDirStore,
    InvalidArgumentError,
    InvalidKeyError,
    SerializationError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
    ZipStore,
)
from holdall.keys import Suffix
from holdall.persisters.zip import ZipPersister
from holdall.serializers import by_suffix
from processes._support import PYTHON, child_environment, files_below

EVIL = [
    "/etc/passwd",
    "../up.txt",
    "a/../../up.txt",
    "C:\\x.txt",
    "c:/x.txt",
    "back\\slash.txt",
    "a//b",
    "./dot",
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.zip"


def make(path, entries, mode="w", **options):
    with zipfile.ZipFile(path, mode, **options) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


# ---------------------------------------------------------------------- what others see


def test_other_tools_read_what_was_written(path):
    store = ZipStore(path, serializer="json")
    before = time.time()
    store.update({"a": [1], "deep/er/é": {"x": None}})
    after = time.time()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.json", "deep/er/é.json"]
        assert archive.read("deep/er/é.json") == b'{"x": null}'
        info = archive.getinfo("a.json")
        assert before - 2 <= time.mktime((*info.date_time, 0, 0, -1)) <= after  # in steps of two seconds
        assert stat.S_IMODE(info.external_attr >> 16) == 0o644


@pytest.mark.parametrize(
    ("compression", "method"), [("store", 0), ("deflate", 8), ("bzip2", 12), ("lzma", 14)]
)
def test_the_compression_is_that_of_the_option_and_entries_keep_theirs(path, compression, method):
    ZipStore(path, compression=compression)["a.txt"] = b"x" * 5000
    ZipStore(path, compression="store")["b.txt"] = b"y" * 5000
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("a.txt").compress_type == method
        assert archive.getinfo("b.txt").compress_type == 0
        assert archive.testzip() is None
    assert dict(ZipStore(path)) == {"a.txt": b"x" * 5000, "b.txt": b"y" * 5000}


def test_the_level_makes_a_difference():
    data = bytes(random.Random(1).choices(b"abcdef", k=200_000))
    sizes = []
    for level in (1, 9):
        store = ZipStore(level=level)
        store["a"] = data
        sizes.append(len(store.data()))
    assert sizes[0] > sizes[1]


def test_overwriting_and_deleting_leave_no_dead_weight(path):
    store = ZipStore(path, compression="store")
    for number in range(5):
        store["a"] = bytes([number]) * 10_000
    store["b"] = b"x" * 10_000
    del store["b"]
    assert path.stat().st_size < 11_000
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == 1


def test_what_others_left_in_the_archive_stays(path):
    with open(path, "wb") as file:
        file.write(b"#!/usr/bin/env python\n")  # an application in an archive
        with zipfile.ZipFile(file, "w") as archive:
            archive.comment = b"a comment"
            archive.mkdir("folder")
            archive.writestr("__main__.py", "print('runs')")
            archive.writestr("../evil", "x")
    for change in (
        lambda store: store.update(new=b"1"),
        lambda store: store.update(new=b"2"),
        lambda store: store.pop("new"),
    ):
        change(ZipStore(path, keys=Suffix("")))
        with zipfile.ZipFile(path) as archive:
            assert archive.comment == b"a comment"
            assert {"folder/", "__main__.py", "../evil"} <= set(archive.namelist())
            assert archive.testzip() is None
        assert path.read_bytes().startswith(b"#!/usr/bin/env python\n")
        run = subprocess.run([PYTHON, path], capture_output=True, text=True, check=True)
        assert run.stdout == "runs\n"


def test_entries_of_streams_and_of_other_encodings_survive_a_rewrite(path):
    class Stream(io.RawIOBase):  # cannot seek, so sizes follow the data
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, data):
            self.data += data
            return len(data)

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("streamed.txt", b"s" * 1000)
        archive.writestr("naive.txt", b"n")
    raw = bytes(stream.data).replace(b"naive", b"na\x8bve")  # ï in the encoding of old
    path.write_bytes(raw)
    store = ZipStore(path, keys=Suffix(""))
    assert set(store) == {"streamed.txt", "naïve.txt"}
    before = {key: store.etag(key) for key in store}
    store["new"] = b"1"
    store["new"] = b"2"
    assert dict(store) == {"streamed.txt": b"s" * 1000, "naïve.txt": b"n", "new": b"2"}
    assert {key: store.etag(key) for key in before} == before
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("streamed", [False, True])
def test_the_headers_before_untouched_data_stay(path, streamed):
    here = struct.pack("<HHBll", 0x5455, 9, 3, 1000, 2000)  # times of change and of use
    in_directory = struct.pack("<HHBl", 0x5455, 5, 3, 1000)  # only the first
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gone", "1")
        info = zipfile.ZipInfo("kept")
        info.extra = here
        archive.writestr(info, "2")
        info.extra = in_directory
        info.flag_bits |= 8 * streamed
    store = ZipStore(path, keys=Suffix(""))
    del store["gone"]
    store["gone"] = b"new"
    data = path.read_bytes()
    assert data.index(b"kept" + here + b"2") == 30
    assert b"kept" + in_directory in data[80:]
    assert dict(store) == {"kept": b"2", "gone": b"new"}


def test_the_directory_has_large_sizes_only_where_they_are_needed(path):
    # The format allows the field only beside sizes that say to look there.
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "1")
        archive.infolist()[0].extra = struct.pack("<HHQ", 1, 8, 1)
    ZipStore(path, keys=Suffix(""))["b"] = b"2"
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("a").extra == b""


def test_the_mode_of_the_file_stays_and_a_new_one_respects_the_umask(path):
    before = os.umask(0o027)
    try:
        ZipStore(path)["a"] = b"1"
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    os.chmod(path, 0o604)
    ZipStore(path)["a"] = b"2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_link_to_an_archive_stays_a_link(path, tmp_path):
    link = tmp_path / "link.zip"
    link.symlink_to(path)
    ZipStore(link)["a"] = b"1"
    assert link.is_symlink()
    assert ZipStore(path)["a"] == b"1"


# ---------------------------------------------------------------------- where it lies


def test_nothing_is_made_before_the_first_write(tmp_path):
    store = ZipStore(tmp_path / "deep/er/a.zip")
    assert (len(store), store.get("a"), store.discard("a"), store.data()) == (0, None, False, b"")
    store.update({})
    store.clear()
    assert not (tmp_path / "deep/er/a.zip").exists()
    store["a"] = b"1"
    assert files_below(tmp_path) == {"deep/er/a.zip"}


def test_an_archive_of_bytes_and_one_in_memory():
    first = ZipStore(serializer="json")
    first["a"] = [1]
    data = first.data()
    second = ZipStore(data, serializer="json")
    second["b"] = 2
    assert (dict(first), dict(second)) == ({"a": [1]}, {"a": [1], "b": 2})
    assert data == first.data()
    assert dict(pickle.loads(pickle.dumps(second))) == dict(second)


def test_an_open_file_is_rewritten_in_place(path):
    make(path, {"a": b"1" * 1000, "b": b"2"})
    with open(path, "r+b") as file:
        store = ZipStore(file)
        del store["a"]
        store["c"] = b"3"
        assert dict(store) == {"b": b"2", "c": b"3"}
        with pytest.raises(UnsupportedError, match="cannot travel"):
            pickle.dumps(store)
        store.close()
        assert not file.closed
    assert dict(ZipStore(path)) == {"b": b"2", "c": b"3"}


def test_an_open_file_that_cannot_be_written_is_read_only(path):
    make(path, {"a": b"1"})
    with open(path, "rb") as file:
        store = ZipStore(file)
        assert store["a"] == b"1"
        with pytest.raises(UnsupportedError, match="read only"):
            store["b"] = b"2"


def test_an_archive_to_read_must_be_there(path):
    with pytest.raises(StoreNotFoundError):
        ZipStore(path, read_only=True)
    make(path, {"a": b"1"})
    before = path.read_bytes()
    store = ZipStore(path, read_only=True)
    for change in (lambda: store.update(b=b"2"), lambda: store.pop("a"), lambda: store.clear(force=True)):
        with pytest.raises(UnsupportedError):
            change()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zip"},
        {"level": 10},
        {"durability": "none"},
        {"archive": 5},
        {"suffix": ".a", "keys": Suffix("")},
    ],
)
def test_options_that_are_none_are_refused(options):
    with pytest.raises(InvalidArgumentError):
        ZipStore(**options)


# ---------------------------------------------------------------------- names


def test_unsafe_names_are_no_items(path, tmp_path):
    make(path, {**dict.fromkeys(EVIL, b"evil"), "good.txt": b"good", "dir/": b""})
    for store in (ZipStore(path), ZipStore(path, keys=Suffix(""))):
        assert dict(store) == {"good.txt": b"good"}
        assert set(store.left_out) == set(EVIL)
        for name in EVIL:
            assert name not in store
            assert store.get(name) is None
    out = FileDirStore(tmp_path / "out", serializer="bytes", keys=Suffix(""))
    assert ZipStore(path, keys=Suffix("")).copy_to(out) == 1
    assert files_below(tmp_path / "out") == {"good.txt", ".holdall/store.json"} | {
        name for name in files_below(tmp_path / "out") if "/w-" in name
    }


@pytest.mark.parametrize("name", [*EVIL, "", "nul\0", "\ud800", "x" * 70_000])
def test_unsafe_names_are_never_written(path, name):
    place = ZipPersister(path)
    place["a"] = b"1"
    before = path.read_bytes()
    with pytest.raises(InvalidKeyError):
        place[name] = b"x"
    assert path.read_bytes() == before


def test_a_name_that_is_cut_at_a_nul_is_no_item(path):
    make(path, {"good.txtX.exe": b"evil"})
    path.write_bytes(path.read_bytes().replace(b"good.txtX", b"good.txt\0"))
    store = ZipStore(path)
    assert (list(store), store.left_out) == ([], ["good.txt\0.exe"])


def test_of_several_entries_with_one_name_the_last_one_counts(path):
    make(path, {"a": b"old", "b": b"x"})
    with pytest.warns(UserWarning, match="Duplicate"):
        make(path, {"a": b"new"}, "a")
    store = ZipStore(path)
    assert (dict(store), len(store)) == ({"a": b"new", "b": b"x"}, 2)
    store["c"] = b"y"
    assert dict(store) == {"a": b"new", "b": b"x", "c": b"y"}
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["a", "b", "c"]


# ---------------------------------------------------------------------- damage


@pytest.mark.parametrize("data", [b"hello", b"PK\5\6", b"PK\3\4" + b"x" * 100])
def test_what_is_no_archive_is_an_error_everywhere_and_stays(path, data):
    path.write_bytes(data)
    store = ZipStore(path)
    for use in (
        lambda: store["a"],
        lambda: "a" in store,
        lambda: list(store),
        lambda: len(store),
        lambda: store.get("a"),
        lambda: store.setdefault("a", b"1"),
        lambda: store.update(a=b"1"),
    ):
        with pytest.raises(CorruptValueError, match="no zip archive"):
            use()
    assert path.read_bytes() == data


def test_an_empty_file_is_an_empty_archive(path):
    path.touch()
    store = ZipStore(path)
    assert dict(store) == {}
    store["a"] = b"1"
    assert dict(ZipStore(path)) == {"a": b"1"}


def test_a_flipped_bit_is_an_error_of_that_entry(path):
    make(path, {"a": b"first-value", "b": b"other"})
    path.write_bytes(path.read_bytes().replace(b"first-value", b"first-valuf"))
    store = ZipStore(path)
    with pytest.raises(CorruptValueError, match=r"'a'.*damaged.*CRC"):
        store["a"]
    assert "a" in store
    assert store["b"] == b"other"
    big = bytes(3_000_000)
    store = ZipStore(path, serializer="pickle", keys=Suffix(""), compression="store")
    store["big"] = big
    data = bytearray(path.read_bytes())
    data[data.rindex(bytes(1000))] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptValueError, match="'big'"):
        store["big"]


def test_a_truncated_entry_stops_a_rewrite_and_nothing_is_lost(path):
    make(path, {"a": b"first-value", "b": b"other"})
    data = path.read_bytes().replace(b"PK\3\4", b"PK\3\5", 1)  # the header of "a" is broken
    path.write_bytes(data)
    store = ZipStore(path)
    with pytest.raises(CorruptValueError, match="stays as it is"):
        del store["b"]
    assert path.read_bytes() == data
    assert os.listdir(path.parent) == ["a.zip"]
    store["c"] = b"new"  # which needs no look at the others
    assert (store["b"], store["c"]) == (b"other", b"new")


def test_encrypted_and_unknown_entries_say_so(path):
    make(path, {"a": b"secret", "b": b"plain", "c": b"odd"})
    data = bytearray(path.read_bytes())
    for name, offset, value in ((b"a", 8, 1), (b"c", 10, 99)):
        at = data.index(b"PK\1\2" + data[data.index(b"PK\1\2") + 4 : data.index(b"PK\1\2") + 8], 0)
        while data[at + 46 : at + 47] != name:
            at = data.index(b"PK\1\2", at + 1)
        struct.pack_into("<H", data, at + offset, value)
    path.write_bytes(data)
    store = ZipStore(path)
    with pytest.raises(UnsupportedError, match=r"'a'.*encrypted"):
        store["a"]
    with pytest.raises(UnsupportedError, match=r"'c'.*compress"):
        store["c"]
    assert store["b"] == b"plain"


def test_an_encrypted_entry_survives_a_rewrite_untouched(path):
    make(path, {"a": b"secret", "b": b"plain"})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    struct.pack_into("<H", data, at + 8, 0x9)  # encrypted, sizes follow the data
    path.write_bytes(data)
    ZipStore(path).pop("b")
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("a")
        assert info.flag_bits & 0x9 == 0x9
        assert b"secret" + b"PK\7\x08" in path.read_bytes()


# ---------------------------------------------------------------------- trust


def test_pickles_that_others_could_have_written_are_refused(path):
    store = ZipStore(path, serializer=by_suffix())
    store.update({"a.pkl": {1}, "b.json": [1]})
    assert store["a.pkl"] == {1}
    os.chmod(path, 0o666)
    with pytest.raises(UntrustedStoreError, match="everybody may write"):
        store["a.pkl"]
    assert store["b.json"] == [1]
    assert ZipStore(path, serializer=by_suffix(), trust=True)["a.pkl"] == {1}
    data = path.read_bytes()
    with pytest.raises(UntrustedStoreError, match="nobody can tell"):
        ZipStore(data, serializer="pickle")["a"]
    assert ZipStore(data, serializer="pickle", trust=True)["a"] == {1}


# ---------------------------------------------------------------------- writing


def test_an_update_writes_the_archive_once_and_wholly_or_not_at_all(path, monkeypatch):
    store = ZipStore(path, serializer="json")
    store.update({f"key{number}": number for number in range(50)})
    inode = path.stat().st_ino
    with pytest.raises(SerializationError):
        store.update([("new", 1), ("key1", 2), ("bad", object())])
    assert path.stat().st_ino == inode
    assert "new" not in store
    assert store["key1"] == 1
    writes = []
    replace = os.replace
    monkeypatch.setattr("os.replace", lambda *names, **how: (writes.append(names), replace(*names, **how)))
    store.update({"a": 1, "b": 2, "key1": 3})
    store.clear(force=True)
    assert len(writes) == 2
    assert len(store) == 0


def test_a_durable_write_syncs_the_file_before_the_rename_and_the_folder_after(path, monkeypatch):
    steps = []

    def spied(name):
        usual = getattr(os, name)

        def step(*args, **options):
            kind = "folder" if name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode) else ""
            steps.append(name + kind)
            return usual(*args, **options)

        monkeypatch.setattr(f"os.{name}", step)

    spied("fsync")
    spied("replace")
    ZipStore(path, durability="power")["a"] = b"1"
    assert steps == ["fsync", "replace", "fsyncfolder"]
    ZipStore(path)["b"] = b"1"
    assert steps[3:] == ["replace"]


def test_items_that_read_and_write_the_same_store_are_no_dead_lock(path):
    store = ZipStore(path, serializer="json")
    store["a"] = 1

    def items():
        store["b"] = 2
        yield "c", store["a"] + store["b"]

    store.update(items())
    assert dict(store) == {"a": 1, "b": 2, "c": 3}


def test_a_full_disk_keeps_the_old_archive(path, monkeypatch):
    store = ZipStore(path)
    store["a"] = b"1"
    before = path.read_bytes()

    def full(fd):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.utime", lambda *_, **__: full(0))
    with pytest.raises(StoreUnavailableError, match="untouched"):
        store["b"] = b"2"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["a.zip"]


def test_without_flock_a_file_beside_is_locked(path, monkeypatch):
    monkeypatch.setattr("holdall._posix.lock.fcntl", None)
    store = ZipStore(path)
    store["a"] = b"1"
    threads = [threading.Thread(target=store.__setitem__, args=(str(n), b"x")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 9


def test_a_stream_is_read_to_its_end_though_the_archive_is_replaced(path):
    place = ZipPersister(path, compression="store")
    place["big"] = bytes(range(256)) * 4000
    stream = place.fetch("big", 10)
    first = stream.read(10)
    place["big"] = b"small"
    place.close()
    assert first + stream.read() == bytes(range(256)) * 4000
    assert place["big"] == b"small"


def test_foreign_changes_are_seen_and_conflict(path):
    store = ZipStore(path)
    store["a"] = b"1"
    etag = store.etag("a")
    make(path, {"a": b"theirs"})
    assert store["a"] == b"theirs"
    assert store.etag("a") != etag
    path.unlink()
    assert dict(store) == {}
    assert (
        store.transform_item("n", transformer=lambda n: b"1" if n is ITEM_NOT_AVAILABLE else n).new_value
        == b"1"
    )


WRITER = """
import sys, holdall
store = holdall.ZipStore(sys.argv[1], serializer="pickle", compression="store")
number = int(sys.argv[2])
while True:
    store.update({"n": number, f"k{number % 3}": b'%d ' % number * 500_000})
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize("least", [8, *in_soak(25)])
def test_killed_writers_leave_a_whole_archive_and_nothing_that_was_told_is_lost(path, least):
    rng = random.Random(7)
    kills, told, left = 0, 0, 0
    while kills < least or not left:  # until one of them was in the middle of a write
        kills += 1
        process = subprocess.Popen(
            [PYTHON, "-c", WRITER, str(path), str(told + 1)], env=child_environment(), stdout=subprocess.PIPE
        )
        for _ in range(rng.randrange(1, 4)):
            told = int(process.stdout.readline())
        time.sleep(rng.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].split()
        told = max([told, *map(int, rest)])
        left += len(os.listdir(path.parent)) > 1
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
        store = ZipStore(path, serializer="pickle")
        now = store["n"]
        assert now in {told, told + 1}
        assert store[f"k{now % 3}"] == b"%d " % now * 500_000
        told = now
    store["x"] = 1
    assert os.listdir(path.parent) == ["a.zip"]


def test_an_entry_keeps_its_mode_when_it_is_written_again(path):
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("run.sh")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, b"old")
        from_windows = zipfile.ZipInfo("a.txt")
        from_windows.create_system = 0
        archive.writestr(from_windows, b"old")
    ZipStore(path).update({"run.sh": b"new", "a.txt": b"new", "b.txt": b"new"})
    with zipfile.ZipFile(path) as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert modes == {"run.sh": 0o100755, "a.txt": 0o100644, "b.txt": 0o100644}
