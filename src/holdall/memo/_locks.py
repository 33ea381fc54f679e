"""Locks of keys among processes, which the kernel releases when their holder dies.

A lock is one byte of a file, at an offset from the key: any number of keys need one file, which stays empty.
POSIX locks belong to a process, not to a descriptor that its children share; so the death of a process
releases its locks, and a child does not hold its parent's. The file is opened once per process, since closing
any descriptor of it releases all of them. (If other code in the process reads it, two processes may compute
one result; nothing worse.)
"""

import os
from _thread import allocate_lock

from holdall._posix.descriptors import opening
from holdall._posix.flags import BELOW
from holdall.memo._flight import Flight

try:
    import fcntl
except ImportError:  # no such locks: each process then computes for itself
    _CAN_LOCK = False
else:
    _CAN_LOCK = True

__all__ = ["KeyLocks"]

_SPAN = (1 << 62) - 1  # offsets of keys are below it
_files: dict[str, "KeyLocks"] = {}
_opening = allocate_lock()


class KeyLocks:
    """The locks of one file.

    Parameters
    ----------
    path
        The file, made if it does not exist.

    Notes
    -----
    Threads and processes: exclusive among all of them. After a crash: released. Cost: two system calls to
    acquire, one to release.
    """

    #: The first pause between looks at what another process computes, and the longest, in seconds.
    pauses = 0.5e-3, 50e-3

    @classmethod
    def of(cls, path: str) -> "KeyLocks | None":
        """Return the locks of a file; None if there can be none."""
        if not _CAN_LOCK:
            return None
        with _opening:
            path = _real(path)
            locks = _files.get(path)
            if locks is None:
                try:
                    locks = _files[path] = cls(path)
                except OSError:
                    return None
            return locks

    def __init__(self, path: str) -> None:
        self.path = path
        self._reset()
        self._fd = _open(path)

    def _reset(self) -> None:
        self._mutex = allocate_lock()
        self._held: dict[int, Flight] = {}  # by offset

    def acquire(self, offset: int, flight: Flight) -> bool:
        """Try to lock a key for a flight; return whether it is locked.

        Parameters
        ----------
        offset
            Any number derived from the key.
        flight
            The computation. The owner of a flight that holds the lock may lock it again.

        Returns
        -------
        bool
            Whether it is locked now. A waiting caller tries again.
        """
        offset &= _SPAN
        with self._mutex:
            self._sweep()
            held = self._held.get(offset)
            if held is not None:
                return bool(held.owner == flight.owner)
            self._held[offset] = flight  # first, so that it can be released after an interrupt
            try:
                if not os.fstat(self._fd).st_nlink:  # deleted: others would lock another file
                    self._open_again()
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
            except (BlockingIOError, PermissionError):  # differs by system
                del self._held[offset]
                return False
            except OSError:
                pass  # no locks, or no file: compute, rather than wait for ever
            return True

    def release(self, offset: int, flight: Flight) -> None:
        """Unlock a key, if this flight holds it."""
        offset &= _SPAN
        with self._mutex:
            if self._held.get(offset) is flight:
                self._unlock(offset)

    def _unlock(self, offset: int) -> None:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, offset)
        except OSError:
            pass
        self._held.pop(offset, None)

    def _sweep(self) -> None:
        """Release the locks of flights whose owners were interrupted before releasing them."""
        for offset, flight in list(self._held.items()):
            if not flight.is_running:
                self._unlock(offset)

    def _open_again(self) -> None:
        fd = _open(self.path)
        os.close(self._fd)
        self._fd = fd


def _real(path: str) -> str:
    """Return a path on which all handles of a file agree; neither the file nor its folder may be a link."""
    folder, name = os.path.split(path)
    above, own = os.path.split(folder)
    return os.path.join(os.path.realpath(above), own, name)


def _open(path: str) -> int:
    """Open or make the file without following links that others planted."""
    folder, name = os.path.split(path)
    above = -1
    try:
        [above] = opening(folder, BELOW)
        [fd] = opening(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666, dir_fd=above)
    finally:
        if above >= 0:
            os.close(above)
    return fd


def after_fork() -> None:
    """Forget what the parent holds; its locks are not ours."""
    global _opening  # noqa: PLW0603
    _opening = allocate_lock()
    for locks in _files.values():
        locks._reset()  # noqa: SLF001
