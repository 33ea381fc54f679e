"""A tar archive as a place to read from: a member an id."""

import os
import tarfile
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from lzma import LZMAError
from typing import Any, BinaryIO

from holdall._whole import as_whole
from holdall.abc import Capability, Reader
from holdall.conditional import Stat
from holdall.errors import CorruptValueError, StoreNotFoundError, StoreUnavailableError

__all__ = ["TarReader"]

_BROKEN = (tarfile.TarError, zlib.error, LZMAError, EOFError, ValueError)


class TarReader(Reader):
    """A tar archive to read: ids are names of its plain files.

    Parameters
    ----------
    archive
        A path, bytes, or an open binary file that can seek: plain or compressed by gzip, bzip2 or xz.
    guard
        Whether to refuse data that somebody else could have written (`UntrustedStoreError`); or a function
        that tells for which ids.

    Raises
    ------
    StoreNotFoundError
        If there is no such archive.

    Notes
    -----
    Names that could lead out of a folder (absolute, with ``..``, backslashes) are never listed, nor are
    links, devices and folders; hard links to files of the archive are. A leading ``./`` is left out. Of
    several members with one name the last one counts.

    Threads: any number, in turns. Processes: any number. Cost: the archive is read through once to find its
    members, and again when it has changed; in a compressed one, reading goes on from where it stands, or
    begins anew, so read in the order of iteration.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> with tarfile.open(fileobj=file, mode="w:gz") as archive:
    ...     info = tarfile.TarInfo("./a.txt")
    ...     info.size = 5
    ...     archive.addfile(info, io.BytesIO(b"hello"))
    >>> place = TarReader(file)
    >>> list(place), place["a.txt"]
    (['a.txt'], b'hello')
    """

    def __init__(self, archive: Any, *, guard: bool | Callable[[str], bool] = False) -> None:
        self.guard = guard
        self._whole = as_whole(archive)
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
    def place(self) -> str:  # docstring inherited
        return self._whole.place

    @property
    def owned(self) -> bool:  # docstring inherited
        return False

    @property
    def left_out(self) -> list[str]:
        """Names in the archive that are not safe, and links and devices: what is not listed."""
        return list(self._now().left_out)

    def _now(self) -> "_Opened":
        """Give the archive in its state of now."""
        opened, state = self._opened, self._whole.state()
        if opened is not None and opened.state == state and opened.pid == os.getpid():
            return opened
        with self._whole.mutex:
            found = self._whole.open()
            if found is None:
                raise StoreNotFoundError(2, "there is no archive to read any more", self.place)
            self._opened = opened = _Opened(*found, self.place)
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
    """What an archive holds in one state."""

    def __init__(self, file: BinaryIO, state: Any, place: str) -> None:
        self.file = file
        self.state = state
        self.place = place
        self.pid = os.getpid()  # a forked child would share the position in the file
        self._lock = threading.Lock()
        self.members: dict[str, tarfile.TarInfo] = {}
        self.left_out: list[str] = []
        weakref.finalize(self, file.close)
        try:
            self._tar = tarfile.open(fileobj=file, mode="r:*")  # noqa: SIM115  (read from as long as we live)
            for member in self._tar:
                name = member.name.removeprefix("./")
                if (member.isreg() or member.islnk()) and _safe(name):
                    self.members.pop(name, None)  # the order is that of the data
                    self.members[name] = member
                elif not member.isdir():
                    self.left_out.append(member.name)
        except Exception as error:
            file.close()
            self._failed(error, "it is no tar archive, or a broken one")

    def read(self, member: tarfile.TarInfo) -> bytes:
        with self._lock:
            try:
                file = self._tar.extractfile(member)
                data = b"" if file is None else file.read()
                target = self._tar.getmember(member.linkname) if member.islnk() else member
            except KeyError as error:
                raise CorruptValueError(
                    f"{member.name!r} in {self.place} is a link to {member.linkname!r}, which is not there",
                ) from error
            except Exception as error:
                self._failed(error, f"{member.name!r} is damaged")
        if len(data) != target.size:
            raise CorruptValueError(f"{member.name!r} in {self.place} is cut off")
        return data

    def stat(self, member: tarfile.TarInfo) -> Stat:
        """Make a stat; what tells a state of the archive from others tells those of its members, too."""
        size: int | None = member.size
        if member.islnk():
            try:
                size = self._tar.getmember(member.linkname).size
            except KeyError:
                size = None
        told = "-".join(f"{part:x}" for part in self.state) if isinstance(self.state, tuple) else self.state
        return Stat(f"{told}-{member.offset:x}", float(member.mtime), size)

    def _failed(self, error: Exception, what: str) -> None:
        if isinstance(error, OSError) and error.errno is not None:
            raise StoreUnavailableError(
                error.errno, f"it cannot be read: {error.strerror}", self.place
            ) from error
        if isinstance(error, (OSError, *_BROKEN)):
            raise CorruptValueError(f"{self.place}: {what}: {error}") from error
        raise error


def _safe(name: str) -> bool:
    drive = name[1:2] == ":" and name[0].isalpha()
    return not drive and "\\" not in name and {"", ".", ".."}.isdisjoint(name.split("/"))
