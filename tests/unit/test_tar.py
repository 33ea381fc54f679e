"""Tar archives that others wrote: whole ones read as tar reads them, damaged ones say so."""

import gzip
import importlib.util
import io
import pathlib
import tarfile

import pytest

from holdall.errors import CorruptValueError, InvalidArgumentError
from holdall.persisters.tar import TarReader
from holdall.stores.tar import TarStore

BLOCK = 512


def archive(*members, mode="w"):
    """Write members: (name, data), or (name, link name, type)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as tar:
        for name, what, *kind in members:
            info = tarfile.TarInfo(name)
            if kind and kind[0] in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                info.type, info.linkname = kind[0], what
                tar.addfile(info)
            else:
                info.type = kind[0] if kind else tarfile.REGTYPE
                info.size = len(what)
                tar.addfile(info, io.BytesIO(what))
    return file.getvalue()


ABC = archive(("a", b"1" * BLOCK), ("b", b"2" * BLOCK), ("c", b"3" * BLOCK))


@pytest.mark.parametrize("at", [2 * BLOCK, 4 * BLOCK])
def test_a_damaged_header_does_not_end_the_listing_in_silence(at):
    data = bytearray(ABC)
    data[at + 10] ^= 1
    with pytest.raises(CorruptValueError, match="no tar archive, or a broken one"):
        list(TarReader(bytes(data)))


@pytest.mark.parametrize("size", [2 * BLOCK + 100, 5 * BLOCK + 1, 4 * BLOCK - 1])
def test_an_archive_that_is_cut_says_so(size):
    with pytest.raises(CorruptValueError, match="no tar archive, or a broken one"):
        list(TarReader(ABC[:size]))


def test_an_archive_without_the_blocks_at_its_end_is_whole():
    assert list(TarReader(ABC[: 6 * BLOCK])) == ["a", "b", "c"]  # as GNU tar takes it


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_the_checksum_at_the_end_is_checked(mode):
    data = archive(("a", b"1" * 5000), mode=mode)
    whole = bytearray(data)
    at = {"w:gz": -6, "w:bz2": -3, "w:xz": -25}[mode]
    assert TarReader(data)["a"] == b"1" * 5000
    whole[at] ^= 0xFF
    with pytest.raises(CorruptValueError):
        TarReader(bytes(whole))["a"]


def test_damaged_bytes_are_no_value():
    # Stored and not compressed, so that only the checksum tells.
    data = bytearray(gzip.compress(archive(("a", b"hello")), 0))
    data[data.index(b"hello")] ^= 1
    with pytest.raises(CorruptValueError):
        TarReader(bytes(data))["a"]


@pytest.mark.parametrize("link", ["d/a", "./d/a", "d/./a", "d//a"])
def test_a_hard_link_is_the_file_that_it_names(link):
    store = TarStore(archive(("d/a", b"data"), ("l", link, tarfile.LNKTYPE)))
    assert dict(store) == {"d/a": b"data", "l": b"data"}
    assert store.persister.stat("l").size == 4


def test_a_hard_link_names_the_file_of_its_moment():
    members = [("a", b"old"), ("l", "a", tarfile.LNKTYPE), ("m", "l", tarfile.LNKTYPE), ("a", b"newer")]
    reader = TarReader(archive(*members))
    assert dict(reader) == {"l": b"old", "m": b"old", "a": b"newer"}
    assert [reader.stat(id).size for id in ("l", "m", "a")] == [3, 3, 5]


def test_a_hard_link_to_itself_leaves_what_was_there():
    assert dict(TarReader(archive(("a", b"data"), ("./a", "a", tarfile.LNKTYPE)))) == {"a": b"data"}


def test_a_hard_link_to_a_symbolic_one_is_left_out_as_that():
    reader = TarReader(archive(("s", "elsewhere", tarfile.SYMTYPE), ("l", "s", tarfile.LNKTYPE)))
    assert list(reader) == []
    assert reader.left_out == ["s", "l"]


def test_a_hard_link_to_what_comes_later_leads_nowhere():
    reader = TarReader(archive(("l", "a", tarfile.LNKTYPE), ("a", b"data")))
    assert reader["a"] == b"data"
    assert reader.stat("l").size is None
    with pytest.raises(CorruptValueError, match="links to 'a', which is not there"):
        reader["l"]


def test_what_replaces_a_file_hides_it():
    reader = TarReader(archive(("a", b"data"), ("a", "elsewhere", tarfile.SYMTYPE)))
    assert list(reader) == []
    assert reader.left_out == ["a"]


def test_members_of_an_unknown_kind_are_files_and_notes_of_tar_are_not():
    reader = TarReader(archive(("a", b"data", b"Z"), ("label", b"", b"V"), ("part", b"rest", b"M")))
    assert dict(reader) == {"a": b"data"}
    assert reader.left_out == ["label", "part"]


def test_times_in_headers_of_gnu_tar_are_no_part_of_a_name():
    data = bytearray(archive(("a", b"data"), ("b", "a", tarfile.LNKTYPE), ("/c", b"")))
    for start in (0, 2 * BLOCK):  # as in incremental archives
        data[start + 257 : start + 265] = tarfile.GNU_MAGIC
        data[start + 345 : start + 369] = b"15302411445\0" * 2
        data[start + 148 : start + 156] = b" " * 8
        data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + BLOCK])
    reader = TarReader(bytes(data))
    assert dict(reader) == {"a": b"data", "b": b"data"}
    assert reader.left_out == ["/c"]


def test_the_archive_of_pythons_own_tests_reads_whole():
    spec = importlib.util.find_spec("test")
    folder = pathlib.Path(spec.origin).parent if spec and spec.origin else pathlib.Path()
    paths = list(folder.glob("**/testtar.tar")) if spec else []
    if not paths:
        pytest.skip("this Python comes without its tests")
    with tarfile.open(paths[0], encoding="iso8859-1") as tar:
        files = {m.name.removeprefix("./"): tar.extractfile(m).read() for m in tar if m.isreg() or m.islnk()}
    assert len(files) > 20
    assert dict(TarReader(paths[0], encoding="iso8859-1")) == files
    assert dict(TarStore(paths[0], encoding="iso8859-1")) == files


def test_names_in_another_encoding_are_read_by_an_option_and_else_told():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", encoding="cp932", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("日本"))
        tar.addfile(tarfile.TarInfo("plain"))
    assert list(TarStore(file, encoding="cp932")) == ["日本", "plain"]
    store = TarStore(file)
    assert list(store) == ["plain"]
    assert [name.encode("utf-8", "surrogateescape").decode("cp932") for name in store.left_out] == ["日本"]
    with pytest.raises(InvalidArgumentError, match="no such text encoding"):
        TarStore(file, encoding="none")


def test_no_data_are_no_archive(tmp_path):
    path = tmp_path / "empty.tar"
    path.write_bytes(b"")
    for archive in (path, b"", io.BytesIO()):
        with pytest.raises(CorruptValueError, match="no tar archive"):
            list(TarStore(archive))
