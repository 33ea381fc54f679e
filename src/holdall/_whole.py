"""Data that are read and replaced as a whole: a file by lock and rename, bytes, or an open file."""

import errno
import hashlib
import io
import os
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, NamedTuple, cast

from holdall._places import check_trust
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    OutcomeUnknownError,
    StoreFullError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
)

try:
    import fcntl
except ImportError:  # a system without it has a file beside to lock
    fcntl = None  # type: ignore[assignment]

__all__ = ["Whole", "as_whole"]

_NO_FLOCK = frozenset({errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_IN_MEMORY = 1 << 24  # bytes of an unfinished whole that need no file


class Whole(ABC):
    """Where data lie that are replaced as a whole; `state` differs for each of their states."""

    #: For messages.
    place: str
    #: Whether the data can be replaced.
    writable = True
    #: Whether other processes, and later ones, find the same data.
    persistent = False
    #: Whether all who read share one position in one file, and must take turns by `mutex`.
    shared = False

    def __init__(self) -> None:
        self._new_mutex()

    def _new_mutex(self) -> None:
        self._pid = os.getpid()
        self._mutex: AbstractContextManager[Any] = threading.RLock()

    @property
    def mutex(self) -> AbstractContextManager[Any]:
        """Excludes threads; a forked child has its own, since nobody would release its parent's."""
        if self._pid != os.getpid():
            self._new_mutex()
        return self._mutex

    @abstractmethod
    def state(self) -> Any:
        """Tell the state of the data, without looking into them; None if there is no file."""

    @abstractmethod
    def open(self) -> tuple[BinaryIO, Any] | None:
        """Open the data to read, and tell their state; None if there are none."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude all other writers."""
        with self.mutex:
            yield

    @abstractmethod
    def replacing(self) -> AbstractContextManager[BinaryIO]:
        """Open a file whose content replaces the data when the context is left without an error.

        The lock is to be held.
        """

    def check_trust(self, what: str, state: Any) -> None:
        """Raise `UntrustedStoreError` if somebody else could have written what loading would run."""
        del state
        raise UntrustedStoreError(
            errno.EPERM,
            f"loading {what} can run code, and nobody can tell who wrote {self.place}: "
            "pass trust=True if you trust them, or use a serializer that runs no code, such as 'json'",
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"_mutex", "_pid"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._new_mutex()


def as_whole(place: Any, *, power: bool = False, mode: int = 0o666) -> Whole:
    """Give access to data as a whole.

    Parameters
    ----------
    place
        None or bytes for data in memory; the path of a file; or an open binary file that can seek.
    power
        Whether a replaced file is to survive a power cut.
    mode
        Permissions of a new file, before the umask.

    Raises
    ------
    InvalidArgumentError
        If it is none of these.
    """
    if place is None or isinstance(place, bytes | bytearray | memoryview):
        return _Bytes(bytes(place or b""))
    if isinstance(place, str | os.PathLike):
        return _File(os.path.realpath(os.fspath(place)), power=power, mode=mode)
    if all(hasattr(place, name) for name in ("read", "seek", "tell")):
        return _Object(place)
    raise InvalidArgumentError(f"give a path, bytes or a binary file that can seek, got {place!r:.100}")


class _State(NamedTuple):
    """What tells a state of a file from all others, named as in `os.stat_result`."""

    st_dev: int
    st_ino: int
    st_size: int
    st_mtime_ns: int
    st_mode: int
    st_uid: int
    st_gid: int

    @classmethod
    def of(cls, stat: os.stat_result) -> "_State":
        return cls(*(getattr(stat, name) for name in cls._fields))


def _translated(error: OSError, what: str, path: str) -> StoreUnavailableError:
    full = error.errno in _FULL
    kind = StoreFullError if full else StoreUnavailableError
    hint = "; what was stored before is untouched" if full else ""
    return kind(error.errno or 0, f"{what}: {error.strerror or error}{hint}", path)


class _Bytes(Whole):
    """Data in memory."""

    place = "bytes in memory"

    def __init__(self, data: bytes = b"") -> None:
        super().__init__()
        self.data = data
        self.version = 0

    def state(self) -> Any:
        return self.version

    def open(self) -> tuple[BinaryIO, Any] | None:
        with self.mutex:
            return (io.BytesIO(self.data), self.version) if self.data else None

    @contextmanager
    def replacing(self) -> Iterator[BinaryIO]:
        file = io.BytesIO()
        yield file
        self.data = file.getvalue()
        self.version += 1


class _Object(Whole):
    """A file that somebody else has opened, and is alone to use meanwhile."""

    shared = True

    def __init__(self, file: Any) -> None:
        super().__init__()
        self.file = file
        self.version = 0
        self.place = f"the open file {getattr(file, 'name', None) or type(file).__name__!r}"
        try:
            self.writable = bool(file.writable())
        except AttributeError:
            self.writable = hasattr(file, "write")

    def state(self) -> Any:
        return self.version

    def open(self) -> tuple[BinaryIO, Any] | None:
        if not self.file.seek(0, os.SEEK_END):
            return None
        self.file.seek(0)
        return cast("BinaryIO", _Unclosed(self.file)), self.version

    @contextmanager
    def replacing(self) -> Iterator[BinaryIO]:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as unfinished:
            yield cast("BinaryIO", unfinished)
            unfinished.seek(0)
            self.version += 1
            self.file.seek(0)
            while chunk := unfinished.read(1 << 20):
                self.file.write(chunk)
            self.file.truncate()
            self.file.flush()

    def __getstate__(self) -> dict[str, Any]:
        raise UnsupportedError(f"{self.place} cannot travel to another process: give a path")


class _Unclosed:
    """A file that outlives who reads it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        pass


class _File(Whole):
    """A file under a path: replaced by rename, under a lock on the file itself, which leaves no litter.

    Who waits for the lock may get that of a file that was just replaced: then the new one is locked. Where
    there is no file yet, the lock is that of its folder.
    """

    persistent = True

    def __init__(self, path: str, *, power: bool = False, mode: int = 0o666) -> None:
        super().__init__()
        self.path = self.place = path
        self.power = power
        self.mode = mode
        self._folder, base = os.path.split(path)
        digest = hashlib.blake2b(os.fsencode(base), digest_size=6).hexdigest()
        self._beside = f".holdall-{digest}-"

    def state(self) -> Any:
        try:
            return _State.of(os.stat(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise self._error(error, "it cannot be read") from error

    def open(self) -> tuple[BinaryIO, Any] | None:
        try:
            file = open(self.path, "rb")  # noqa: SIM115  (the caller closes it)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise self._error(error, "it cannot be read") from error
        return file, _State.of(os.fstat(file.fileno()))

    def _error(self, error: Exception, what: str) -> HoldallError:
        if isinstance(error, OSError):
            return _translated(error, what, self.path)
        return InvalidArgumentError(f"{self.path!r} cannot be the path of a file: {error}")

    def check_trust(self, what: str, state: Any) -> None:
        uid = os.geteuid() if hasattr(os, "geteuid") else 0
        check_trust(state, uid, what, self.path)

    # ------------------------------------------------------------------ writing

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self.mutex:
            try:
                os.makedirs(self._folder, exist_ok=True)
                release = self._lock()
            except OSError as error:
                raise self._error(error, "it cannot be locked") from error
            try:
                yield
            finally:
                release()

    def _lock(self) -> Any:
        while fcntl is not None:
            try:
                fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                fd = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if self._still(fd):
                    locked, fd = fd, -1
                    return lambda: os.close(locked)
            except OSError as error:
                if error.errno not in _NO_FLOCK:
                    raise
                break
            finally:
                if fd >= 0:
                    os.close(fd)
        from filelock import FileLock  # noqa: PLC0415  (rarely needed)

        lock = FileLock(os.path.join(self._folder, self._beside + "lock"))
        lock.acquire()
        return lock.release

    def _still(self, fd: int) -> bool:
        """Tell whether what was locked is still what is to be locked."""
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            now = os.stat(self._folder)
        return os.path.samestat(os.fstat(fd), now)

    @contextmanager
    def replacing(self) -> Iterator[BinaryIO]:
        self._sweep()
        unfinished = os.path.join(self._folder, self._beside + os.urandom(4).hex())
        try:
            fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, self.mode)
            try:
                with open(fd, "w+b") as file:
                    yield file
                    file.flush()
                    self._finish(fd)
                os.replace(unfinished, self.path)
            except BaseException:
                os.unlink(unfinished)
                raise
        except HoldallError:
            raise
        except OSError as error:
            raise _translated(error, "it cannot be written", self.path) from error
        if self.power:
            self._sync_folder()

    def _finish(self, fd: int) -> None:
        """Give a finished file a time of its own, the mode of the old one, and the durability asked for."""
        try:
            os.fchmod(fd, os.stat(self.path).st_mode & 0o7777)
        except FileNotFoundError:
            pass
        stamp = time.time_ns()
        os.utime(fd, ns=(stamp, stamp))
        if self.power:
            os.fsync(fd)

    def _sync_folder(self) -> None:
        fd = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as error:
            raise OutcomeUnknownError(
                error.errno or 0,
                "it is written, but its folder could not be synced: a power cut may undo it",
                self.path,
            ) from error
        finally:
            os.close(fd)

    def _sweep(self) -> None:
        """Remove what killed writers left: whoever wrote it held the lock that we hold now."""
        for name in os.listdir(self._folder):
            if name.startswith(self._beside) and not name.endswith("lock"):
                os.unlink(os.path.join(self._folder, name))
