"""The files of a cache: one per value, complete or ignored, within a limit of size."""

import hashlib
import json
import math
import os
import secrets
import stat as modes
import time
from collections.abc import Callable
from typing import NamedTuple

from holdall._posix.fork import new_lock
from holdall.conditional import Stat
from holdall.errors import StoreUnavailableError, UntrustedStoreError

__all__ = ["CacheFiles", "Entry"]

_MAGIC = b"holdall cache 1\n"
_DIGEST = 16  # bytes
_LOW = 0.9  # the part of the limit to which a full cache is emptied
_SHARE = 1 / 16  # the part of the limit after which writes of others are counted


class Entry(NamedTuple):
    """Data in the cache, and their state.

    Parameters
    ----------
    data
        The data.
    etag
        Their version.
    mtime
        Time of their modification; NaN if unknown.
    checked
        When they were last known to be up to date, POSIX seconds.
    """

    data: bytes
    etag: str
    mtime: float
    checked: float

    @property
    def stat(self) -> Stat:
        """The stat of the data."""
        return Stat(self.etag, self.mtime, len(self.data))


class CacheFiles:
    """The data of one persister, in files below a folder that several persisters share.

    A file contains a line with the format, a line of JSON with id, etag and time, the data, and a digest of
    all that. Its time of modification is the last check, its time of access is the last use.

    Parameters
    ----------
    folder
        The folder; made if it does not exist, for this user alone.
    namespace
        What distinguishes the persister from others, or a function that returns it.
    max_bytes
        Bytes that the files may take together; None for no limit.
    """

    def __init__(self, folder: str, namespace: str | Callable[[], str], max_bytes: int | None) -> None:
        self.folder = folder
        self.namespace = namespace
        self.max_bytes = max_bytes
        self._below: str | None = None  # the folder of the persister, once checked
        self._lock = new_lock()
        self._used = 0  # bytes at the last count, and written since
        self._unseen = math.inf  # bytes written since the last count

    @property
    def below(self) -> str:
        """The folder of this persister, in which nobody else may write."""
        if self._below is None:
            self._below = self._look_at_folder()
        return self._below

    def _look_at_folder(self) -> str:
        namespace = self.namespace() if callable(self.namespace) else self.namespace
        below = os.path.join(self.folder, _digest(namespace, 16))
        try:
            for path in (self.folder, below):
                os.makedirs(path, mode=0o700, exist_ok=True)
            states = {path: os.stat(path) for path in (self.folder, below)}
        except OSError as error:
            raise StoreUnavailableError(f"the cache {self.folder!r} cannot be used: {error}") from error
        for path, status in states.items():
            if status.st_uid != os.geteuid() or modes.S_IMODE(status.st_mode) & 0o022:
                raise UntrustedStoreError(
                    f"other users may write to the cache {path!r}: take a folder of your own, mode 0700",
                )
        return below

    def _path(self, id: str) -> str:
        return os.path.join(self.below, _digest(id, 20))

    def load(self, id: str) -> Entry | None:
        """Return the entry of an id; a damaged file is ignored."""
        path = self._path(id)
        try:
            with open(path, "rb") as file:
                text = file.read()
                status = os.fstat(file.fileno())
        except OSError:
            return None
        body, digest = text[:-_DIGEST], text[-_DIGEST:]
        if not body.startswith(_MAGIC) or hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
            _unlink(path)
            return None
        end = body.index(b"\n", len(_MAGIC))
        head = json.loads(body[len(_MAGIC) : end])
        mtime = math.nan if head["mtime"] is None else head["mtime"]
        self.touch(id, status.st_mtime)
        return Entry(body[end + 1 :], head["etag"], mtime, status.st_mtime)

    def touch(self, id: str, checked: float) -> None:
        """Note that data are used, and when they were last checked."""
        try:
            os.utime(self._path(id), (time.time(), checked))
        except OSError:
            return  # deleted meanwhile, which is allowed

    def keep(self, id: str, entry: Entry, still: Callable[[], bool]) -> None:
        """Keep data, if that is `still` wanted, and no other process keeps a later check of them."""
        mtime = None if math.isnan(entry.mtime) else entry.mtime
        head = json.dumps({"id": id, "etag": entry.etag, "mtime": mtime})
        body = b"".join([_MAGIC, head.encode(), b"\n", entry.data])
        size = len(body) + _DIGEST
        if self.max_bytes is not None and size > self.max_bytes:
            return
        path = self._path(id)
        new = f"{path}.{secrets.token_hex(6)}"
        try:
            with open(new, "xb") as file:
                file.write(body)
                file.write(hashlib.blake2b(body, digest_size=_DIGEST).digest())
            os.utime(new, (time.time(), entry.checked))
            with self._lock:
                if still() and not _later(path, entry.checked):
                    self._make_room(size)
                    os.replace(new, path)
                    return
        except OSError:
            pass  # such as a full disk: the cache is optional
        _unlink(new)

    def drop(self, id: str) -> None:
        """Forget the data of an id, and those that are just being stored."""
        with self._lock:
            _unlink(self._path(id))

    def _make_room(self, size: int) -> None:
        """Delete the least recently used files to make room for an existing one."""
        if self.max_bytes is None:
            return
        self._unseen += size
        self._used += size
        if self._used <= self.max_bytes and self._unseen <= self.max_bytes * _SHARE:
            return
        found: list[tuple[float, int, str]] = []
        with os.scandir(self.below) as files:
            for file in files:
                try:
                    status = file.stat()
                except OSError:
                    continue
                found.append((status.st_atime, status.st_size, file.path))
        used = sum(size for _, size, _ in found)
        if used > self.max_bytes:
            for _, freed, path in sorted(found):
                if used <= self.max_bytes * _LOW:
                    break
                _unlink(path)
                used -= freed
        self._used, self._unseen = used, 0


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def _later(path: str, checked: float) -> bool:
    """Return whether another process keeps a later check."""
    try:
        return os.stat(path).st_mtime > checked
    except OSError:
        return False


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
