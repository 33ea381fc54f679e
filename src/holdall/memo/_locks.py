"""Locks of keys among processes, which the kernel releases when their holder dies.

A lock is one byte of a file, at an offset that the key names: any number of keys need one file, which stays
empty. POSIX locks belong to a process, not to a descriptor that its children share; so who forks and dies
releases its locks, and a child does not hold its parent's. The file is opened once a process, since closing
any descriptor of it would release all of them.
"""

import os
from _thread import allocate_lock
from typing import Any

try:
    import fcntl
except ImportError:  # a system without such locks: processes then compute each for itself
    _CAN_LOCK = False
else:
    _CAN_LOCK = True

__all__ = ["KeyLocks"]

_SPAN = (1 << 62) - 1  # offsets of keys lie below it
_files: dict[str, "KeyLocks"] = {}
_opening = allocate_lock()


class KeyLocks:
    """The locks of one file.

    Parameters
    ----------
    path
        The file, made if it is not there.

    Notes
    -----
    Threads and processes: exclusive among all of them. After a crash: released. Cost: two system calls to
    acquire, one to release.
    """

    @classmethod
    def of(cls, path: str) -> "KeyLocks | None":
        """Give the locks of a file, None where there can be none."""
        if not _CAN_LOCK:
            return None
        with _opening:
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
        self._held: dict[int, list[Any]] = {}  # offset -> owner, how often

    def acquire(self, offset: int, owner: Any) -> bool:
        """Try to lock a key; an owner may lock it again.

        Parameters
        ----------
        offset
            Any number of the key.
        owner
            Who locks: the number of a thread, or a task.

        Returns
        -------
        bool
            Whether it is locked now. Who waits tries again.
        """
        offset &= _SPAN
        with self._mutex:
            held = self._held.get(offset)
            if held is not None:
                if held[0] == owner:
                    held[1] += 1
                return held[0] == owner  # type: ignore[no-any-return]
            try:
                if not os.fstat(self._fd).st_nlink:  # deleted: others would lock another file
                    self._open_again()
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
            except BlockingIOError:
                return False
            except PermissionError:  # what some systems say instead
                return False
            except OSError:
                pass  # a file system without locks, or no file any more: compute, rather than wait for ever
            self._held[offset] = [owner, 1]
            return True

    def release(self, offset: int) -> None:
        """Unlock a key."""
        offset &= _SPAN
        with self._mutex:
            held = self._held.get(offset)
            if held is None:
                return  # of a parent process
            held[1] -= 1
            if not held[1]:
                del self._held[offset]
                try:
                    fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, offset)
                except OSError:
                    pass

    def _open_again(self) -> None:
        fd = _open(self.path)
        os.close(self._fd)
        self._fd = fd


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)


def after_fork() -> None:
    """Hold nothing that the parent holds; its locks are not ours."""
    global _opening  # noqa: PLW0603
    _opening = allocate_lock()
    for locks in _files.values():
        locks._reset()  # noqa: SLF001
