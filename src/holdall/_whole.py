"""Data that are read and replaced as a whole: a file by lock and rename, bytes, or an open file."""

import errno
import hashlib
import io
import os
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

from holdall._options import checked_path
from holdall._posix.descriptors import Descriptors, closing, forget, open_into
from holdall._posix.errors import translating
from holdall._posix.flags import FOLDER
from holdall._posix.fork import forget_in_child
from holdall._posix.lock import TIMEOUT, Lock, Patience
from holdall._posix.names import fs_path
from holdall._posix.replace import replace_file
from holdall._posix.system import require_posix
from holdall._posix.trust import check_trust
from holdall._shown import PATH, shown
from holdall.errors import InvalidArgumentError, UnsupportedError, UntrustedStoreError

__all__ = ["AtomicFile", "open_atomic"]

R = TypeVar("R")

_IN_MEMORY = 1 << 24  # bytes of unfinished data that are kept in memory


class AtomicFile(ABC):
    """Data that are replaced as a whole; `state` differs for each of their states."""

    #: The location, for messages.
    place: str
    #: Whether the data can be replaced.
    writable = True
    #: Whether other processes, and later ones, find the same data.
    persistent = False
    #: Whether all readers share one position in one file, and must take turns by `mutex`.
    shared = False

    def __init__(self) -> None:
        self.after_fork()
        forget_in_child(self)

    def after_fork(self) -> None:
        """Replace the mutex, which a thread of the parent may hold."""
        #: Excludes threads.
        self.mutex: AbstractContextManager[Any] = threading.RLock()

    def is_at_hand(self, known: Any, limit: int) -> bool:
        """Tell whether the data are in a state that was read already, or are at most so many bytes."""
        state = self.state()
        return getattr(state, "st_size", 0) <= limit or (known is not None and known == state)

    @abstractmethod
    def state(self) -> Any:
        """Return the state of the data, without reading them; None if there is no file."""

    @abstractmethod
    def open(self) -> tuple[BinaryIO, Any] | None:
        """Open the data for reading, and return their state too; None if there are none."""

    def locked(self, action: Callable[[], R]) -> R:
        """Call a function, which may replace the data, while all other writers are excluded."""
        with self.mutex:
            return action()

    @abstractmethod
    def replace(self, fill: Callable[[BinaryIO], object]) -> None:
        """Replace the data by what a function writes into a file; the caller holds the lock."""

    def check_trust(self, what: str, file: Any) -> None:
        """Raise `UntrustedStoreError` if others could have written an open file that can run code."""
        del file
        raise UntrustedStoreError(
            errno.EPERM,
            f"loading {what} can run code, and nobody can tell who wrote {self.place}: "
            "pass trust=True if you trust them, or use a serializer that runs no code, such as 'json'",
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).copy().items() if name not in {"mutex", "_fds"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.after_fork()
        forget_in_child(self)


def open_atomic(
    target: Any, *, power: bool = False, mode: int = 0o666, timeout: float = TIMEOUT
) -> AtomicFile:
    """Return an object that reads and replaces data as a whole.

    Parameters
    ----------
    target
        None or bytes for data in memory; the path of a file; or a seekable binary file.
    power
        Whether a replaced file must survive a power failure.
    mode
        Permissions of a new file, before the umask.
    timeout
        Seconds to wait for other writers of a file.

    Raises
    ------
    InvalidArgumentError
        If it is none of these.
    """
    if target is None or isinstance(target, bytes | bytearray | memoryview):
        return _Bytes(bytes(target or b""))
    if isinstance(target, str | os.PathLike):
        return _File(_real(target), power=power, mode=mode, timeout=timeout)
    if all(hasattr(target, name) for name in ("read", "seek", "tell")):
        return _Object(target)
    raise InvalidArgumentError(
        f"give a path, bytes or a binary file that can seek, got {shown(target, PATH)}"
    )


class _State(NamedTuple):
    """What distinguishes a state of a file from all others, named as in `os.stat_result`."""

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


def _real(path: Any) -> str:
    """Return the file itself, absolute, links resolved."""
    return os.path.realpath(fs_path(checked_path(path, "file")))


class _Bytes(AtomicFile):
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

    def replace(self, fill: Callable[[BinaryIO], object]) -> None:
        file = io.BytesIO()
        fill(file)
        self.data, self.version = file.getvalue(), self.version + 1


class _Object(AtomicFile):
    """A file that the user has opened, and leaves to us meanwhile."""

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

    def replace(self, fill: Callable[[BinaryIO], object]) -> None:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as unfinished:
            fill(cast("BinaryIO", unfinished))
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
    """A file that stays open after it was read."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        pass


class _File(AtomicFile):
    """A file under a path: replaced by rename, under a lock on the file itself, without a lock file.

    A process that waits for the lock may get that of a file that was just replaced: then it locks the new
    one. Where there is no file yet, the lock is that of its folder.
    """

    persistent = True

    def __init__(
        self, path: str, *, power: bool = False, mode: int = 0o666, timeout: float = TIMEOUT
    ) -> None:
        super().__init__()
        self.path = self.place = path
        self.power = power
        self.mode = mode
        self.timeout = timeout
        self._folder, base = os.path.split(path)
        digest = hashlib.blake2b(os.fsencode(base), digest_size=6).hexdigest()
        self._beside = f".holdall-{digest}-"

    def after_fork(self) -> None:  # docstring inherited
        super().after_fork()
        forget(vars(self).get("_fds", []))
        #: Those of the present write.
        self._fds: Descriptors = [None]

    def state(self) -> Any:
        with translating("it cannot be read", self.path):
            try:
                return _State.of(os.stat(self.path))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def open(self) -> tuple[BinaryIO, Any] | None:
        with translating("it cannot be read", self.path):
            try:
                # Not the builtin, which is missing while the interpreter ends; the caller closes it.
                file = io.open(self.path, "rb")  # noqa: SIM115, UP020
            except (FileNotFoundError, NotADirectoryError):
                return None
        return file, _State.of(os.fstat(file.fileno()))

    def check_trust(self, what: str, file: Any) -> None:
        check_trust(file.fileno(), what, self.path)

    # ------------------------------------------------------------------ writing

    def locked(self, action: Callable[[], R]) -> R:
        require_posix("files that are written, not only read,")
        with self.mutex:
            patience = Patience(self.timeout)
            while True:
                fds: Descriptors = [None]
                self._fds = fds
                locks: list[Lock] = []
                # A single C call, before which no interrupt comes in a ``finally``.
                release = closing(fds, locks)
                try:
                    with translating("it cannot be locked", self.path):
                        still = self._lock(fds, locks, patience)
                    if still:
                        return action()
                finally:
                    release()

    def _lock(self, fds: Descriptors, locks: list[Lock], patience: Patience) -> bool:
        """Lock the file; return whether it still is the one to be locked."""
        os.makedirs(self._folder, exist_ok=True)
        try:
            open_into(fds, self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            open_into(fds, self._folder, FOLDER)
        fd = fds[-1]
        assert fd is not None  # noqa: S101  (it is open)
        locks.append(Lock(fd, self.path, self._lock_beside, self.timeout))
        locks[0].acquire(patience)
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            now = os.stat(self._folder)
        return os.path.samestat(os.fstat(fd), now)

    def _lock_beside(self) -> str:
        return os.path.join(self._folder, self._beside + "lock")

    def replace(self, fill: Callable[[BinaryIO], object]) -> None:
        with translating("it cannot be written", self.path):
            replace_file(self.path, fill, prefix=self._beside, mode=self.mode, sync=self.power, finish=_stamp)


def _stamp(fd: int) -> None:
    """Set a unique time of modification of a finished file."""
    stamp = time.time_ns()
    os.utime(fd, ns=(stamp, stamp))
