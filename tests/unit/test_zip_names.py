"""Zip archives of others: names in any encoding stay as they are, and links are no items."""

import io
import stat
import struct
import zipfile
import zlib

import pytest

from holdall.errors import InvalidArgumentError
from holdall.persisters.zip import ZipPersister
from holdall.stores.zip import ZipStore


class Raw(zipfile.ZipInfo):
    """An entry whose name is written in some encoding, and not marked, as old programs do."""

    encoding = "cp932"

    def _encodeFilenameFlags(self):  # noqa: N802  (zipfile calls it so)
        return self.filename.encode(self.encoding), self.flag_bits


def old_archive(*names, encoding="cp932", extra=b""):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            info = Raw(name)
            info.encoding, info.extra = encoding, extra
            archive.writestr(info, name.encode())
    return file


def raw_names(file):
    with zipfile.ZipFile(file) as archive:
        names = {}
        for info in archive.infolist():
            assert archive.read(info) is not None  # which compares both headers
            utf8 = bool(info.flag_bits & 0x800)
            names[info.orig_filename.encode("utf-8" if utf8 else "cp437")] = utf8
        return names


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp932", "日本/表.txt"), ("gbk", "中文.txt"), ("cp850", "Ø.txt")]
)
@pytest.mark.parametrize("option", [False, True])
def test_names_of_untouched_entries_stay(encoding, name, option):
    file = old_archive(name, "plain", "other", encoding=encoding)
    store = ZipStore(file, **({"metadata_encoding": encoding} if option else {}))
    store["new"] = b"1"  # the old entries stay where they are
    store["plain"] = b"2"  # they are moved
    del store["other"]
    assert raw_names(file) == {name.encode(encoding): False, b"plain": False, b"new": False}
    if option:
        assert dict(store) == {name: name.encode(), "plain": b"2", "new": b"1"}


def test_an_entry_is_replaced_and_deleted_by_its_decoded_name():
    file = old_archive("表", "本")
    store = ZipStore(file, metadata_encoding="cp932")
    assert (store["表"], list(store)) == ("表".encode(), ["表", "本"])
    store["表"] = b"new"
    del store["本"]
    assert raw_names(file) == {"表".encode(): True}
    assert dict(ZipStore(file)) == {"表": b"new"}


def test_names_in_no_known_encoding_are_told_and_kept():
    file = old_archive("Ø", "plain", encoding="cp850")
    store = ZipStore(file, metadata_encoding="ascii")
    assert (list(store), store.left_out) == (["plain"], ["\udc9d"])
    store["new"] = b""
    assert set(raw_names(file)) == {"Ø".encode("cp850"), b"plain", b"new"}


def test_an_unknown_encoding_is_refused():
    with pytest.raises(InvalidArgumentError, match="no such text encoding"):
        ZipStore(metadata_encoding="none")


@pytest.mark.parametrize(("path", "listed"), [("表.txt", ["表.txt"]), ("../up", [])])
def test_the_unicode_name_beside_the_old_one_counts_and_must_be_safe(path, listed):
    raw = b"x.txt"
    what = b"\1" + struct.pack("<L", zlib.crc32(raw)) + path.encode()
    file = old_archive("x.txt", extra=struct.pack("<HH", 0x7075, len(what)) + what)
    store = ZipStore(file)
    assert list(store) == listed
    assert store.left_out == [name for name in [path] if not listed]
    store["new"] = b""
    assert list(raw_names(file)) == [b"x.txt", b"new"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_no_items_and_stay(kind):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("target", b"data")
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(info, b"target")
    place = ZipPersister(file)
    assert (dict(place), place.left_out) == ({"target": b"data"}, ["link"])
    place["new"] = b""
    with zipfile.ZipFile(file) as archive:
        assert archive.getinfo("link").external_attr >> 16 == kind | 0o777
    place["link"] = b"a file now"
    assert (place["link"], place.left_out) == (b"a file now", [])


def test_the_mode_of_other_systems_is_no_mode():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.create_system, info.external_attr = 0, stat.S_IFLNK << 16
        archive.writestr(info, b"data")
    assert dict(ZipPersister(file)) == {"a": b"data"}
