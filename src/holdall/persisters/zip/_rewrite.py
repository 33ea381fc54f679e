"""Rewriting a zip archive: remaining entries are copied without decompressing, new ones are added."""

import math
import struct
import time
import zipfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from holdall._options import check_bytes
from holdall.persisters.zip._archive import QuietZip, check_name, stamp

_LOCAL = struct.Struct("<4s2xH18xHH")  # of a local header: signature, flags, lengths of name and extra fields
_ENCRYPTED, _SIZES_FOLLOW = 0x1, 0x8
_CHUNK = 1 << 20
_FILE_MODE = 0o100644 << 16
_UNIX = 3  # the system whose file modes entries keep


def pack(
    items: Iterable[tuple[str, Any, float]], file: BinaryIO, *, method: int, level: int | None, location: str
) -> zipfile.ZipFile:
    """Write new entries into an archive of their own, from which they are copied later.

    Parameters
    ----------
    items
        Names, data and times, ``math.nan`` for now; of several with one name the last one counts.
    file
        An empty file.
    method, level
        The compression.
    location
        The location of the final archive, for messages.
    """
    with _written(QuietZip(file, "w", method, compresslevel=level)) as packed:
        for name, data, mtime in items:
            if not isinstance(name, str):
                raise TypeError(f"names in an archive are text, got {type(name).__name__}")
            check_name(name, location)
            parts = data if type(data) is list else [data]
            old = packed.NameToInfo.pop(name, None)
            if old is not None:
                packed.filelist.remove(old)
            now = time.time_ns() if math.isnan(mtime) else max(0, round(mtime * 1e6) * 1000)
            date = time.localtime(now // 10**9)[:6]
            info = zipfile.ZipInfo(name, min(max(date, (1980, 1, 1, 0, 0, 0)), (2107, 12, 31, 23, 59, 58)))
            info.compress_type = method
            info.external_attr = _FILE_MODE
            info.extra = stamp(now)
            try:
                info.file_size = sum(memoryview(part).nbytes for part in parts)
            except TypeError:
                check_bytes(name, data)
                raise
            info._compresslevel = level  # type: ignore[attr-defined]  # noqa: SLF001  (public from 3.13 on)
            with packed.open(info, "w") as entry:
                for part in parts:
                    entry.write(part)
    return QuietZip(file)


@contextmanager
def _written(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipFile]:
    """Finish an archive at the end, or release it after an error."""
    # `zipfile` itself tries to finish it in any case, and fails after an interrupt within an entry: its error
    # would replace the interrupt.
    try:
        yield archive
        archive.close()
    finally:
        archive.fp = None


def keep_mode(old: zipfile.ZipInfo | None, new: zipfile.ZipInfo) -> None:
    """Copy the permissions of a replaced entry to the new one."""
    if old is not None and old.create_system == _UNIX and old.external_attr >> 16:
        new.create_system, new.external_attr = old.create_system, old.external_attr


def rewrite(
    old: zipfile.ZipFile | None, drop: Collection[str], new: zipfile.ZipFile | None, file: BinaryIO
) -> None:
    """Write an archive: the old one without some of its entries, and then the new ones.

    Parameters
    ----------
    old
        The old archive, used by the caller alone. Everything by others in it stays: comments, folders,
        entries that are not items, and bytes before the first entry.
    drop
        Names of entries to leave out.
    new
        Entries to add.
    file
        The file to write to; empty.
    """
    kept: list[zipfile.ZipInfo] = []
    if old is not None:
        kept = [
            info
            for info in {(info.filename, info.orig_filename): info for info in old.infolist()}.values()
            if info.filename not in drop
        ]
        whole = len(kept) == len(old.filelist)
        start = (
            old.start_dir
            if whole
            else min((info.header_offset for info in old.filelist), default=old.start_dir)
        )
        _copy(old, 0, start, file)
    with _written(QuietZip(file, "w")) as target:
        if old is not None:
            target.comment = old.comment
            if whole:
                for info in kept:
                    info.extra = _without_sizes(info.extra)
                    _enter(target, info)
            else:
                for info in kept:
                    _move(old, info, target)
        if new is not None:
            for info in new.infolist():
                _move(new, info, target)


def _enter(target: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Add an entry whose data are already written to the directory of an archive."""
    assert target.fp is not None  # noqa: S101  (it is open)
    target.filelist.append(info)
    target.NameToInfo[info.filename] = info
    target.start_dir = target.fp.tell()
    target._didModify = True  # type: ignore[attr-defined]  # noqa: SLF001  (no public way to move entries)


def _move(source: zipfile.ZipFile, info: zipfile.ZipInfo, target: zipfile.ZipFile) -> None:
    """Copy an entry from one archive to another, without decompressing or decrypting."""
    assert source.fp is not None  # noqa: S101  (both are open)
    assert target.fp is not None  # noqa: S101
    source.fp.seek(info.header_offset)
    header = source.fp.read(_LOCAL.size)
    signature, flags, name, extra = _LOCAL.unpack(header) if len(header) == _LOCAL.size else (b"", 0, 0, 0)
    if signature != b"PK\3\4":
        raise zipfile.BadZipFile(f"{info.filename!r} is not where the directory says")
    names = source.fp.read(name + extra)
    there = _copied(info)
    there.extra = _without_sizes(info.extra)
    there.header_offset = target.fp.tell()
    start, follow = source.fp.tell(), (flags | info.flag_bits) & _SIZES_FOLLOW
    large = max(info.file_size, info.compress_size) > zipfile.ZIP64_LIMIT
    if follow:
        if not info.flag_bits & _ENCRYPTED:  # encrypted data depend on it
            there.flag_bits, follow = info.flag_bits & ~_SIZES_FOLLOW, 0
        local = _copied(there)
        local.extra = _without_sizes(names[name:])
        target.fp.write(local.FileHeader(large))
    else:
        target.fp.write(header + names)
    _copy(source, start, info.compress_size, target.fp)
    if follow:
        sizes = struct.pack("<QQ" if large else "<LL", info.compress_size, info.file_size)
        target.fp.write(b"PK\7\x08" + struct.pack("<L", info.CRC) + sizes)
    _enter(target, there)


def _copied(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Copy an entry of a directory; `copy` would import something, and fail while the interpreter ends."""
    new = zipfile.ZipInfo.__new__(type(info))
    for name in zipfile.ZipInfo.__slots__:
        if hasattr(info, name):
            setattr(new, name, getattr(info, name))
    return new


def _without_sizes(extra: bytes) -> bytes:
    """Remove the field of 64-bit sizes, which is written where it is needed."""
    if b"\1\0" not in extra:
        return extra
    kept, at = b"", 0
    while at + 4 <= len(extra):
        number, size = struct.unpack_from("<HH", extra, at)
        if number != 1:
            kept += extra[at : at + 4 + size]
        at += 4 + size
    return kept


def _copy(source: zipfile.ZipFile, start: int, size: int, target: Any) -> None:
    assert source.fp is not None  # noqa: S101  (it is open)
    source.fp.seek(start)
    while size:
        chunk = source.fp.read(min(size, _CHUNK))
        if not chunk:
            raise zipfile.BadZipFile("the archive ends too early")
        target.write(chunk)
        size -= len(chunk)
