"""Exclusive locks of open files and folders among processes, which end with their holder.

``flock`` where the system has it; otherwise a lock file, by `filelock`. No call waits for ever: if a lock is
not obtained in time, the error names its holder. Waiting means polling, since the system offers no timeout;
an interval of a millisecond finds the short gaps of a writer that writes all the time.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from holdall._posix.errors import NO_FLOCK
from holdall.errors import InvalidArgumentError, StoreTimeoutError

fcntl: Any
try:
    import fcntl
except ImportError:  # such a system needs a lock file
    fcntl = None

__all__ = ["TIMEOUT", "Lock", "Patience", "check_timeout", "holder_of", "try_flock", "unlocked"]

#: The default for seconds that a writer waits for others.
TIMEOUT: Final = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 5e-5, 1e-3


def check_timeout(timeout: Any) -> float:
    """Return a timeout; raise `InvalidArgumentError` if it is invalid."""
    if type(timeout) not in {int, float} or not 0 <= timeout < 1e6:
        raise InvalidArgumentError(f"timeout must be a number of seconds from 0, got {timeout!r}")
    return float(timeout)


def unlocked() -> None:
    """Release nothing."""


def try_flock(fd: int) -> bool:
    """Lock an open file or folder without waiting; return False if it is locked.

    Raises
    ------
    OSError
        One of `NO_FLOCK`, if the system cannot lock it.
    """
    if fcntl is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Patience:
    """The time that one call waits for locks, over all attempts and all files."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._until = time.monotonic() + timeout
        self._pause = _FIRST_PAUSE

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(0.0, self._until - time.monotonic())

    def pause(self, fd: int, path: str) -> None:
        """Wait a moment; raise `StoreTimeoutError` with the holder of the lock if the time is over."""
        left = self.left
        if not left:
            raise timed_out(path, self.timeout, holder_of(fd))
        time.sleep(min(self._pause, left))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


class Lock:
    """The lock of one open file or folder.

    Parameters
    ----------
    fd
        Its descriptor, which the caller keeps.
    path
        The path, for messages.
    beside
        Returns the path of a lock file, where the system cannot lock the descriptor.
    timeout
        Seconds to wait for others.

    Notes
    -----
    `take` and `release` are C calls: releasing in a ``finally`` without the lock is harmless, so an interrupt
    between two steps leaves no lock behind. Threads must exclude each other by a mutex.
    """

    __slots__ = ("_beside", "fd", "path", "release", "take", "timeout")

    def __init__(self, fd: int, path: str, beside: Callable[[], str], timeout: float = TIMEOUT) -> None:
        self.fd = fd
        self.path = path
        self.timeout = timeout
        self._beside = beside
        #: Lock without waiting, or raise an error that `acquire` can handle.
        self.take: Callable[[], Any]
        self.release: Callable[[], Any]
        if fcntl is None:
            self.take, self.release = partial(try_flock, fd), unlocked
        else:
            self.take = partial(fcntl.flock, fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.release = partial(fcntl.flock, fd, fcntl.LOCK_UN)

    def acquire(self, patience: Patience | None = None) -> None:
        """Lock; raise `StoreTimeoutError` if others do not release it in time."""
        try:
            self.take()
        except OSError as error:
            self.wait(error, patience)

    def wait(self, error: OSError, patience: Patience | None = None) -> None:
        """Continue after an error of `take`: wait for others, or lock a file beside."""
        patience = patience or Patience(self.timeout)
        try:
            while isinstance(error, BlockingIOError):
                patience.pause(self.fd, self.path)
                try:
                    self.take()
                except OSError as another:
                    error = another
                else:
                    return
            if error.errno not in NO_FLOCK:
                raise error
        finally:
            del error  # it refers to this frame, and would keep its callers' files open
        self._lock_beside(patience)

    def _lock_beside(self, patience: Patience) -> None:
        from filelock import FileLock, Timeout  # noqa: PLC0415  (slow to import, rarely needed)

        self.release = unlocked  # the descriptor itself is not locked
        path = self._beside()
        lock = FileLock(path)

        def take() -> None:
            try:
                lock.acquire(timeout=patience.left, poll_interval=_LONGEST_PAUSE)
            except Timeout:
                raise timed_out(path, patience.timeout, None) from None

        take()
        self.release = lock.release
        self.take = partial(_take_beside, lock)


def _take_beside(lock: Any) -> None:
    from filelock import Timeout  # noqa: PLC0415

    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None


_LOOKS = 5  # at a list that the system returns in pages, between which locks of others can move


def timed_out(path: str, timeout: float, holder: int | None) -> StoreTimeoutError:
    """Return the error for a lock that was not obtained in time."""
    who, remedy = "others", "end the process that holds it"
    if holder is not None:
        who = f"process {holder}"
        if holder == os.getpid():
            who, remedy = f"this process, {holder}, itself", "let its other threads come to an end"
        elif _is_stopped(holder):
            who, remedy = (
                f"process {holder}, which is stopped,",
                f"continue it by `kill -CONT {holder}`, or end it",
            )
        else:
            remedy = "end that process"
    return StoreTimeoutError(
        errno.EBUSY, f"{who} kept it locked for over {timeout:g} s: raise timeout, or {remedy}", path
    )


def holder_of(fd: int) -> int | None:
    """Return the process that holds the ``flock`` of a file, if the system reports it."""
    stat = os.fstat(fd)
    device = f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}"
    for _ in range(_LOOKS):
        found: dict[bool, set[int]] = {True: set(), False: set()}
        try:
            with open("/proc/locks", encoding="ascii") as locks:
                for line in locks:
                    _, kind, *_, pid, where, _, _ = line.split()
                    on, _, inode = where.rpartition(":")
                    if kind == "FLOCK" and inode == str(stat.st_ino) and int(pid) > 0:
                        # A file system of several devices shows another one here than to stat().
                        found[on == device].add(int(pid))
        except (OSError, ValueError):
            return None
        holders = found[True] or found[False]
        if holders:
            return holders.pop() if len(holders) == 1 else None
    return None


def _is_stopped(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        with open(f"/proc/{pid}/stat", "rb") as about:
            return about.read().rpartition(b")")[2].split()[0] in {b"T", b"t"}
    return False
