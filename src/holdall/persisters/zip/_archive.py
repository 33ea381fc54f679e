"""One state of a zip archive: its entries, their names, and how to read them."""

import codecs
import math
import os
import re
import stat
import struct
import threading
import time
import zipfile
import zlib
from typing import Any, BinaryIO, NoReturn, cast

from holdall._posix.errors import translate
from holdall._shown import shown
from holdall.conditional import Stat
from holdall.errors import (
    CorruptValueError,
    HoldallError,
    InvalidKeyError,
    MismatchError,
    StoreUnavailableError,
    UnsupportedError,
)

codecs.lookup("cp437")  # used by zipfile for each archive; a process that ends cannot load it

#: The extra field of our entries: nanoseconds of the write, and eight random bytes.
_OURS, _STAMP = 0x4C48, struct.Struct("<Q8s")
_UNIX_TIME = 0x5455
_UNICODE_PATH = 0x7075
_ENCRYPTED, _UTF8 = 0x1, 0x800
_UNIX, _MAC = 3, 19  # systems whose entries have file modes
#: How the comment of an archive begins whose entries are not those of format 1.
_FORMAT = re.compile(rb"holdall (\d+)\b")
_DRIVE = re.compile(r"[A-Za-z]:")


def stamp(now: int) -> bytes:
    """Return a unique extra field for a new entry, from a time in nanoseconds."""
    return struct.pack("<HH", _OURS, _STAMP.size) + _STAMP.pack(now, os.urandom(8))


def unsafe(name: str) -> str | None:
    """Return why a name cannot be that of an item; None if it can.

    Parameters
    ----------
    name
        A path in an archive.
    """
    if not name:
        return "it is empty"
    if name[0] == "/" or _DRIVE.match(name):
        return "it is absolute"
    if "\\" in name:
        return "a backslash leads into another folder elsewhere"
    if "\0" in name:
        return "it has a NUL character"
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "it has a lone surrogate"
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        return "it has an empty segment, '.' or '..'"
    return None


def check_name(name: str, location: str) -> None:
    """Raise `InvalidKeyError` if there can be no entry of that name."""
    why = unsafe(name)
    if why is None and len(name.encode()) > 0xFFFF:
        why = "it is longer than 65,535 bytes"
    if why is not None:
        raise InvalidKeyError(f"{shown(name, 120)} cannot be a name in {location}: {why}")


def _fields(info: zipfile.ZipInfo) -> dict[int, bytes]:
    """Return the extra fields of an entry by their number."""
    fields: dict[int, bytes] = {}
    extra, at = info.extra, 0
    while at + 4 <= len(extra):
        number, size = struct.unpack_from("<HH", extra, at)
        fields.setdefault(number, extra[at + 4 : at + 4 + size])
        at += 4 + size
    return fields


def is_ours(info: zipfile.ZipInfo) -> bool:
    """Return whether an entry was written through holdall."""
    return len(_fields(info).get(_OURS, b"")) == _STAMP.size


def stat_of(info: zipfile.ZipInfo) -> Stat:
    """Return the stat of an entry, from the directory alone.

    Foreign entries have nothing unique: their etag is made from checksum, sizes and time.
    """
    fields = _fields(info)
    ours = fields.get(_OURS, b"")
    what = f"{info.CRC:x}-{info.file_size:x}"
    if len(ours) == _STAMP.size:
        nanoseconds, _ = _STAMP.unpack(ours)
        return Stat(f"{ours.hex()}-{what}", nanoseconds / 1e9, info.file_size)
    mtime = _time_of(info, fields.get(_UNIX_TIME, b""))
    return Stat(f"{what}-{info.compress_size:x}-{mtime:.0f}", mtime, info.file_size)


def _time_of(info: zipfile.ZipInfo, unix: bytes) -> float:
    if len(unix) >= 5 and unix[0] & 1:
        return float(struct.unpack_from("<i", unix, 1)[0])
    try:
        return time.mktime((*info.date_time, 0, 0, -1))  # the format has local time without a zone
    except (ValueError, OverflowError):
        return math.nan


#: The files of all archives in use, closed with them. They are kept here, since the garbage collector might
#: find a file before its archive, and warn that it was left open.
_files: dict[int, BinaryIO] = {}


class QuietZip(zipfile.ZipFile):
    """An archive that does nothing when it is dropped: it must be finished explicitly.

    After an interrupt, `zipfile` would try to finish it, and raise an error.
    """

    def __del__(self) -> None:
        pass


class RawInfo(zipfile.ZipInfo):
    """An entry that is rewritten with the bytes of its name, whatever their encoding."""

    __slots__ = ()

    def raw_name(self) -> bytes:
        """Return the bytes of the name in the archive."""
        return self.orig_filename.encode("utf-8" if self.flag_bits & _UTF8 else "cp437")

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802  (zipfile calls it so)
        return self.raw_name(), self.flag_bits

    def decoded_name(self, encoding: str) -> str:
        """Return the name as text; it has lone surrogates if it is not in that encoding."""
        raw = self.raw_name()
        told = _fields(self).get(_UNICODE_PATH, b"")
        if len(told) > 5 and told[0] == 1 and told[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            return told[5:].decode("utf-8", "surrogateescape")
        return raw.decode("utf-8" if self.flag_bits & _UTF8 else encoding, "surrogateescape")


def _special(info: zipfile.ZipInfo) -> bool:
    """Return whether an entry is a symbolic link, or a device.

    A pipe is only where `zip` read its bytes from: it is a file here, as for `unzip`.
    """
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system in (_UNIX, _MAC) else 0
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFIFO)


class Archive:
    """The entries of an archive in one state; closed when nobody reads from it any more.

    Parameters
    ----------
    file
        The open archive; None for one that does not exist yet.
    state
        What distinguishes it from other states.
    location
        The location, for messages.
    encoding
        The encoding of names that are not marked as UTF-8.

    Raises
    ------
    CorruptValueError
        If it is not a zip archive, or is damaged.
    MismatchError
        If a later version of holdall made it, in another format.
    """

    def __init__(self, file: BinaryIO | None, state: Any, location: str, encoding: str) -> None:
        self.file = file
        self.state = state
        self.place = location
        self.pid = os.getpid()  # a forked child shares the file position
        # Some versions of zipfile lose their position when two threads open entries at once.
        self._lock = threading.Lock()
        self.zip: zipfile.ZipFile | None = None
        self.entries: dict[str, zipfile.ZipInfo] = {}
        self.left_out: list[str] = []
        if file is None:
            return
        _files[id(self)] = file
        if not file.seek(0, os.SEEK_END):  # an empty file, to be written
            file.close()
            return
        try:
            self.zip = QuietZip(file)
        except Exception as error:
            file.close()
            if isinstance(error, OSError):
                raise self._unavailable(error) from error
            raise CorruptValueError(f"{location} is no zip archive, or a broken one: {error}") from error
        later = _FORMAT.match(self.zip.comment)
        if later is not None and int(later[1]) != 1:
            file.close()
            raise MismatchError(
                f"{location} has format {int(later[1])}, this version of holdall reads 1: update holdall"
            ).about(location=location)
        for info in self.zip.infolist():
            info.__class__ = RawInfo
            name = info.filename = cast("RawInfo", info).decoded_name(encoding)
            if unsafe(name.removesuffix("/")) is not None or _special(info):
                self.left_out.append(name)
                self.entries.pop(name, None)  # it would replace the other one
            elif not name.endswith("/"):  # folders end so
                self.entries[name] = info  # of several with one name, the last one counts

    def __del__(self, files: dict[int, BinaryIO] = _files) -> None:
        # Not weakref.finalize(), which imports something, and so fails while the interpreter ends.
        file = files.pop(id(self), None)
        if file is not None:
            file.close()

    def _unavailable(self, error: OSError) -> StoreUnavailableError:
        return translate(error, "it cannot be read", self.place)

    def open(self, info: zipfile.ZipInfo) -> BinaryIO:
        """Open the data of an entry; nobody else may read from this archive meanwhile."""
        assert self.zip is not None  # noqa: S101  (it has entries)
        if info.flag_bits & _ENCRYPTED:
            raise UnsupportedError(
                f"{info.filename!r} in {self.place} is encrypted: decrypt it with another tool"
            )
        try:
            file: Any = self.zip.open(info)
        except Exception as error:
            self._failed(error, info)
        file.archive = self  # keeps it open while it is read
        return cast("BinaryIO", file)

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """Read the data of an entry."""
        with self._lock, self.open(info) as file:
            try:
                data = file.read()
            except Exception as error:
                self._failed(error, info)
        if len(data) != info.file_size:
            raise CorruptValueError(f"{info.filename!r} in {self.place} is cut off")
        return data

    def _failed(self, error: Exception, info: zipfile.ZipInfo) -> NoReturn:
        if isinstance(error, HoldallError | MemoryError):
            raise error
        if isinstance(error, NotImplementedError | RuntimeError):
            raise UnsupportedError(
                f"{info.filename!r} in {self.place} is compressed in a way that is not known here: {error}",
            ) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise self._unavailable(error) from error
        raise CorruptValueError(f"{info.filename!r} in {self.place} is damaged: {error}") from error
