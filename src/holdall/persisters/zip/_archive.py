"""One state of a zip archive: what lies in it, under which names, and how to read it."""

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
from holdall.conditional import Stat
from holdall.errors import (
    CorruptValueError,
    HoldallError,
    InvalidKeyError,
    StoreUnavailableError,
    UnsupportedError,
)

codecs.lookup("cp437")  # zipfile asks for it with each archive, when a process that ends finds none any more

#: The extra field that our entries carry: nanoseconds of the write, and eight random bytes.
_OURS, _STAMP = 0x4C48, struct.Struct("<Q8s")
_UNIX_TIME = 0x5455
_UNICODE_PATH = 0x7075
_ENCRYPTED, _UTF8 = 0x1, 0x800
_UNIX, _MAC = 3, 19  # systems whose entries have the mode of a file
_DRIVE = re.compile(r"[A-Za-z]:")


def stamp(now: int) -> bytes:
    """Make the extra field of a new entry, which no other entry has, of a time in nanoseconds."""
    return struct.pack("<HH", _OURS, _STAMP.size) + _STAMP.pack(now, os.urandom(8))


def unsafe(name: str) -> str | None:
    """Say why a name may not be that of an item, None if it may.

    Parameters
    ----------
    name
        A path as it stands in an archive.
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


def check_name(name: str, place: str) -> None:
    """Raise `InvalidKeyError` if there can be no entry of that name."""
    why = unsafe(name)
    if why is None and len(name.encode()) > 0xFFFF:
        why = "it is longer than 65,535 bytes"
    if why is not None:
        raise InvalidKeyError(f"{name!r:.120} cannot be a name in {place}: {why}")


def _fields(info: zipfile.ZipInfo) -> dict[int, bytes]:
    """Give the extra fields of an entry by their number."""
    fields: dict[int, bytes] = {}
    extra, at = info.extra, 0
    while at + 4 <= len(extra):
        number, size = struct.unpack_from("<HH", extra, at)
        fields.setdefault(number, extra[at + 4 : at + 4 + size])
        at += 4 + size
    return fields


def is_ours(info: zipfile.ZipInfo) -> bool:
    """Tell whether an entry was written through holdall."""
    return len(_fields(info).get(_OURS, b"")) == _STAMP.size


def stat_of(info: zipfile.ZipInfo) -> Stat:
    """Make the stat of an entry, from the directory alone.

    Foreign entries have nothing that no other state has: theirs is made of checksum, sizes and time.
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
        return time.mktime((*info.date_time, 0, 0, -1))  # the format has local time, and no zone
    except (ValueError, OverflowError):
        return math.nan


#: The files of all archives that are in use. They are closed with them, and are kept here, since the garbage
#: collector might come to a file before it comes to its archive, and warn of who left it open.
_files: dict[int, BinaryIO] = {}


class QuietZip(zipfile.ZipFile):
    """An archive that does nothing when it is forgotten: it is finished by who says so, or not at all.

    After an interrupt in the middle of something, `zipfile` would try all the same, and complain.
    """

    def __del__(self) -> None:
        pass


class RawInfo(zipfile.ZipInfo):
    """An entry that is written again under the very bytes of its name, whatever they mean."""

    __slots__ = ()

    def raw_name(self) -> bytes:
        """Return the name as it stands in the archive."""
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
    """Whether an entry is a symbolic link, or a device.

    That it is a pipe tells only where `zip` had its bytes from: it is a file, as it is for `unzip`.
    """
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system in (_UNIX, _MAC) else 0
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFIFO)


class Archive:
    """What an archive holds in one state; closed when nobody reads from it any more.

    Parameters
    ----------
    file
        The open archive; None for one that is not there yet.
    state
        By which it is told from other states.
    place
        For messages.
    encoding
        Of names that are not marked as UTF-8.

    Raises
    ------
    CorruptValueError
        If it is no zip archive, or a broken one.
    """

    def __init__(self, file: BinaryIO | None, state: Any, place: str, encoding: str) -> None:
        self.file = file
        self.state = state
        self.place = place
        self.pid = os.getpid()  # a forked child would share the position in the file
        # Some versions of zipfile lose their place when two threads open entries at once.
        self._lock = threading.Lock()
        self.zip: zipfile.ZipFile | None = None
        self.entries: dict[str, zipfile.ZipInfo] = {}
        self.left_out: list[str] = []
        if file is None:
            return
        _files[id(self)] = file
        if not file.seek(0, os.SEEK_END):  # made by somebody to be written
            file.close()
            return
        try:
            self.zip = QuietZip(file)
        except Exception as error:
            file.close()
            if isinstance(error, OSError):
                raise self._unavailable(error) from error
            raise CorruptValueError(f"{place} is no zip archive, or a broken one: {error}") from error
        for info in self.zip.infolist():
            info.__class__ = RawInfo
            name = info.filename = cast("RawInfo", info).decoded_name(encoding)
            if unsafe(name.removesuffix("/")) is not None or _special(info):
                self.left_out.append(name)
                self.entries.pop(name, None)  # which it would replace
            elif not name.endswith("/"):  # which are folders
                self.entries[name] = info  # of several with one name, the last one counts

    def __del__(self, files: dict[int, BinaryIO] = _files) -> None:
        # Not weakref.finalize(), which imports something, and so fails when the interpreter ends.
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
        file.archive = self  # which stays open for as long as anybody reads from it
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
