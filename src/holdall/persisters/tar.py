"""A persister that reads a tar archive: one id per member."""

import os
import posixpath
import tarfile
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from lzma import LZMAError
from tarfile import InvalidHeaderError, ReadError, TruncatedHeaderError  # type: ignore[attr-defined]
from typing import Any, BinaryIO, Self

from holdall._options import check_encoding
from holdall._whole import open_atomic
from holdall.abc import Capability, Reader
from holdall.conditional import Stat
from holdall.errors import CorruptValueError, StoreNotFoundError, StoreUnavailableError

__all__ = ["TarReader"]

_BROKEN = (tarfile.TarError, zlib.error, LZMAError, EOFError, ValueError)

# GNU tar's own metadata, not extracted as files: lists of folders, parts of files that began in another
# volume, and labels. Other unknown types are files, as in POSIX.
_NOTES = (b"D", b"M", b"V")
_CHUNK = 1 << 20
_AT_HAND = 20_000  # bytes that are listed in a moment, compressed or not


class TarReader(Reader):
    """A tar archive, read-only: ids are names of its plain files.

    Parameters
    ----------
    archive
        A path, bytes, or a seekable binary file: plain or compressed by gzip, bzip2 or xz.
    guard
        Whether to refuse data that others could have written (`UntrustedStoreError`); or a function that
        returns this by id.
    encoding
        The encoding of names, where the archive does not record it.

    Raises
    ------
    StoreNotFoundError
        If there is no such archive.
    InvalidArgumentError
        If the encoding is unknown.

    Notes
    -----
    Names that could lead out of a folder (absolute, with ``..``, backslashes), or that are not in `encoding`,
    are never listed, nor are links, devices and folders. Hard links to files of the archive are listed, and
    have the data that the file had at that point of the archive. A leading ``./`` is removed. Of several
    members with one name the last one counts. An archive that is damaged anywhere, or truncated within a
    member, is refused as a whole.

    Threads: any number, in turns. Processes: any number. After a crash: nothing was written. Cost: the whole
    archive is read once to find its members, and again when it has changed; in a compressed one, reading
    continues from the current position, or begins again, so read in the order of iteration.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> with tarfile.open(fileobj=file, mode="w:gz") as archive:
    ...     info = tarfile.TarInfo("./a.txt")
    ...     info.size = 5
    ...     archive.addfile(info, io.BytesIO(b"hello"))
    >>> persister = TarReader(file)
    >>> list(persister), persister["a.txt"]
    (['a.txt'], b'hello')
    """

    def __init__(
        self, archive: Any, *, guard: bool | Callable[[str], bool] = False, encoding: str = "utf-8"
    ) -> None:
        self.guard = guard
        self.encoding = check_encoding(encoding)
        self._whole = open_atomic(archive)
        self._opened: _Opened | None = None
        claims = {Capability.BYTES, Capability.MTIME, Capability.CHEAP_STAT}
        if self._whole.persistent:
            claims.add(Capability.PERSISTENT)
        self.capabilities = frozenset(claims)
        if self._whole.persistent and self._whole.state() is None:
            raise StoreNotFoundError(2, "there is no such archive to read", self.place)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_opened": None}

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return self._whole.is_at_hand(self._opened and self._opened.state, _AT_HAND)

    @property
    def place(self) -> str:  # docstring inherited
        return self._whole.place

    @property
    def owned(self) -> bool:  # docstring inherited
        return False

    @property
    def left_out(self) -> list[str]:
        """Names that are not listed: those that are unsafe or not in the encoding, links and devices."""
        return list(self._now().left_out)

    def _now(self) -> "_Opened":
        """Return the archive in its present state."""
        opened, state = self._opened, self._whole.state()
        if opened is not None and opened.state == state and opened.pid == os.getpid():
            return opened
        with self._whole.mutex:
            found = self._whole.open()
            if found is None and not self._whole.persistent:
                raise CorruptValueError(f"{self.place}: it is no tar archive: there are no data")
            if found is None:
                raise StoreNotFoundError(2, "the archive no longer exists", self.place)
            self._opened = opened = _Opened(*found, self.place, self.encoding)
        return opened

    def _member(self, id: str) -> "tuple[_Opened, tarfile.TarInfo]":
        opened = self._now()
        try:
            return opened, opened.members[id]
        except KeyError:
            raise KeyError(id) from None

    def __getitem__(self, id: str) -> bytes:
        return self.read(id)[0]

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        opened, member = self._member(id)
        if self.guard(id) if callable(self.guard) else self.guard:
            self._whole.check_trust(repr(id), opened.file)
        return opened.read(member), opened.stat(member)

    def stat(self, id: str) -> Stat:  # docstring inherited
        opened, member = self._member(id)
        return opened.stat(member)

    def __contains__(self, id: object) -> bool:
        return id in self._now().members

    def __len__(self) -> int:
        return len(self._now().members)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._now().members))

    def close(self) -> None:  # docstring inherited
        self._opened = None


class _Opened:
    """The members of an archive in one state."""

    def __init__(self, file: BinaryIO, state: Any, location: str, encoding: str) -> None:
        self.file = file
        self.state = state
        self.place = location
        self.pid = os.getpid()  # a forked child shares the file position
        self._lock = threading.Lock()
        self.members: dict[str, tarfile.TarInfo] = {}
        self.left_out: list[str] = []
        weakref.finalize(self, file.close)
        # By hard link, the member with its data; None if it leads to no earlier member.
        self._targets: dict[int, tarfile.TarInfo | None] = {}
        try:
            self._tar = tarfile.open(fileobj=file, mode="r:*", tarinfo=_Member, encoding=encoding)  # noqa: SIM115  (kept open)
            self._list()
            self._read_to_end()
        except Exception as error:
            file.close()
            self._failed(error, "it is no tar archive, or a broken one")

    def _list(self) -> None:
        """Find the members that are items, in their order, and the targets of their hard links."""
        earlier: dict[str, tarfile.TarInfo] = {}
        for member in self._tar:
            path = posixpath.normpath(member.name)
            data: tarfile.TarInfo | None = member
            if member.islnk():  # to the file as it was at this point
                data = self._targets[member.offset] = earlier.get(posixpath.normpath(member.linkname))
            if data is not None:
                earlier[path] = data
            if member.isdir():
                continue
            name = member.name.removeprefix("./")
            if member.type not in _NOTES:
                self.members.pop(name, None)  # replaced; the order is that of the data
            if (data is None or _is_file(data)) and _safe(name):
                self.members[name] = member
            else:
                self.left_out.append(member.name)

    def _read_to_end(self) -> None:
        """Compare compressed data with the checksum at their end, which follows all members."""
        file: Any = self._tar.fileobj
        if file is not self.file:
            while file.read(_CHUNK):
                pass

    def _data_of(self, member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return self._targets[member.offset] if member.islnk() else member

    def read(self, member: tarfile.TarInfo) -> bytes:
        target = self._data_of(member)
        if target is None:
            raise CorruptValueError(
                f"{member.name!r} in {self.place} links to {member.linkname!r}, which is not there before it",
            )
        with self._lock:
            try:
                file = self._tar.extractfile(target)
                data = b"" if file is None else file.read()
            except Exception as error:
                self._failed(error, f"{member.name!r} is damaged")
        if len(data) != target.size:
            raise CorruptValueError(f"{member.name!r} in {self.place} is cut off")
        return data

    def stat(self, member: tarfile.TarInfo) -> Stat:
        """Return the stat of a member; its etag is made from the state of the archive."""
        target = self._data_of(member)
        told = "-".join(f"{part:x}" for part in self.state) if isinstance(self.state, tuple) else self.state
        return Stat(f"{told}-{member.offset:x}", float(member.mtime), None if target is None else target.size)

    def _failed(self, error: Exception, what: str) -> None:
        if isinstance(error, OSError) and error.errno is not None:
            raise StoreUnavailableError(
                error.errno, f"it cannot be read: {error.strerror}", self.place
            ) from error
        if isinstance(error, (OSError, *_BROKEN)):
            raise CorruptValueError(f"{self.place}: {what}: {error}") from error
        raise error


class _Member(tarfile.TarInfo):
    """A member whose header is valid; `tarfile` takes a damaged one as the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        # GNU tar keeps times where others keep the beginning of a long name.
        times = buf[345:500].partition(b"\0")[0] if buf[257:265] == tarfile.GNU_MAGIC else b""
        if times:
            member.name = member.name.removeprefix(str(times, encoding, errors) + "/")
        return member

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except (InvalidHeaderError, TruncatedHeaderError) as error:
            raise ReadError(f"the header at {tarfile.offset} is damaged: {error}") from error


def _is_file(member: tarfile.TarInfo) -> bool:
    known = member.type in tarfile.SUPPORTED_TYPES or member.type in _NOTES
    return member.isreg() or not known


def _safe(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes not in the encoding of the archive
        return False
    drive = name[1:2] == ":" and name[0].isalpha()
    return not drive and "\\" not in name and {"", ".", ".."}.isdisjoint(name.split("/"))
