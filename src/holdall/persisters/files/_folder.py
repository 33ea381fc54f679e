"""The folder under a file store: its descriptors, its lock, its workspace for unfinished files.

Everything goes through descriptors of folders, opened without following links, so that no name and no
link leads out of the root. This module knows nothing of values, etags or records.
"""

import errno
import fcntl
import itertools
import os
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from holdall._posix.temporary import TemporaryFolder
from holdall.errors import InvalidKeyError, StoreFullError, StoreUnavailableError

#: The one entry that holdall adds to a folder: record, lock, and workspaces of running writers.
CONTROL = ".holdall"
#: Names that no folder or file of a user has.
RESERVED = frozenset({"", ".", "..", CONTROL})

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_BELOW = FOLDER | os.O_NOFOLLOW

#: What the system says where there is no such file, or something else in its place.
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENXIO})
_NO_FLOCK = frozenset({errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_tokens = itertools.count()


def translate(error: OSError, what: str, path: str) -> StoreUnavailableError:
    """Make an error of ours of what the system said."""
    kind = StoreFullError if error.errno in _FULL else StoreUnavailableError
    hint = "; what was stored before is untouched" if kind is StoreFullError else ""
    return kind(error.errno or 0, f"{what}: {os.strerror(error.errno or 0)}{hint}", path)


class Folder:
    """Descriptors, lock and workspace of one folder, made when first needed.

    Parameters
    ----------
    path
        The folder, or None for a private temporary one that the first write makes.
    sync
        Whether new folders are to survive a power cut.

    Notes
    -----
    Threads: `mutex` and `lock` exclude threads and processes. Processes: a forked child gives up the
    descriptors of its parent and opens its own, since locks belong to descriptors.
    """

    def __init__(self, path: str | None, *, sync: bool = False) -> None:
        self._path = path
        self._temporary = path is None
        self._owner = None if path is None else TemporaryFolder.owner_of(path)
        self._sync = sync
        self.fd = -1
        self.workspace = -1
        self.fine_mtime = True
        self._reset_locks()
        self._cleanup: Callable[[], Any] | None = None
        _all.add(self)

    def _reset_locks(self) -> None:
        self.mutex = threading.RLock()
        self.acquire: Callable[[], Any] = self._no_lock
        self.release: Callable[[], Any] = _nothing

    def _no_lock(self) -> None:
        raise RuntimeError("the folder is not open")

    @property
    def path(self) -> str:
        """The folder; a private temporary one is named, and made, when it is first asked for."""
        if self._path is None:
            self._owner = TemporaryFolder()
            self._path = os.path.join(self._owner.path, "store")
        return self._path

    @property
    def known(self) -> bool:
        """Whether the folder has a name yet."""
        return self._path is not None

    def open(self, *, create: bool = False) -> bool:
        """Open the folder; tell whether it is there."""
        with self.mutex:
            if self.fd >= 0 and os.fstat(self.fd).st_nlink:
                return True
            self.close()
            if not create and not self.known:
                return False
            if create:
                self._make_root()
            try:
                self.fd = os.open(self.path, FOLDER)
            except FileNotFoundError:
                return False
            self.acquire = partial(fcntl.flock, self.fd, fcntl.LOCK_EX)
            self.release = partial(fcntl.flock, self.fd, fcntl.LOCK_UN)
            return True

    def _make_root(self) -> None:
        path = self.path
        if self._owner is not None:
            self._owner.restore()
        if self._temporary:
            os.makedirs(path, 0o700, exist_ok=True)
            return
        made = []
        while not os.path.isdir(path):
            made.append(path)
            path = os.path.dirname(path)
        os.makedirs(self.path, exist_ok=True)
        if self._sync:
            for path in made:
                sync_folder(os.path.dirname(path))

    def __del__(self) -> None:
        for fd in (self.fd, self.workspace):
            if fd >= 0:
                os.close(fd)

    def lock(self) -> None:
        """Exclude the writers of other processes, in ``with mutex: try:``, ``release()`` in the finally.

        There it holds even if an interrupt strikes between two steps: releasing what is not locked does
        no harm, and is a call of C, before which no interrupt comes.
        """
        try:
            self.acquire()
        except OSError as error:
            if error.errno not in _NO_FLOCK:
                raise
            self._use_lock_file()
            self.acquire()

    def _use_lock_file(self) -> None:
        """Lock a file where the file system cannot lock a folder (some network file systems)."""
        from filelock import FileLock  # noqa: PLC0415  (slow to import, rarely needed)

        os.makedirs(os.path.join(self.path, CONTROL), exist_ok=True)
        lock = FileLock(os.path.join(self.path, CONTROL, "lock"))
        self.acquire = lock.acquire
        self.release = lock.release

    def open_below(self, names: list[str], *, create: bool = False) -> int:
        """Open a folder below the root; the caller closes it.

        Raises
        ------
        OSError
            If one of the names is not a folder, or is a link.
        """
        here = os.dup(self.fd)
        try:
            for name in names:
                self._check_name(name)
                try:
                    below = os.open(name, _BELOW, dir_fd=here)
                except FileNotFoundError:
                    if not create:
                        raise
                    try:
                        os.mkdir(name, dir_fd=here)
                        if self._sync:  # a new folder is durable once its parent is
                            os.fsync(here)
                    except FileExistsError:
                        pass
                    below = os.open(name, _BELOW, dir_fd=here)
                done, here = here, below  # first, so that nothing closes it twice
                os.close(done)
        except BaseException:
            os.close(here)
            raise
        return here

    def _check_name(self, name: str) -> None:
        if name in RESERVED:
            raise InvalidKeyError(f"{name!r} cannot be the name of a folder below {self.path}")

    def prepare(self) -> None:
        """Make the workspace of this handle, and sweep those of killed writers."""
        with self.mutex:
            if self.workspace >= 0 and os.fstat(self.workspace).st_nlink:
                return
            self.drop_workspace()
            self.open(create=True)
            try:
                os.mkdir(CONTROL, dir_fd=self.fd)
            except FileExistsError:
                pass
            try:
                self.lock()
                control = os.open(CONTROL, _BELOW, dir_fd=self.fd)
                try:
                    sweep(control)
                    self._make_workspace(control)
                finally:
                    os.close(control)
            finally:
                self.release()

    def _make_workspace(self, control: int) -> None:
        name = f"w-{os.getpid():x}-{next(_tokens):x}-{os.urandom(4).hex()}"
        os.mkdir(name, 0o700, dir_fd=control)
        self.workspace = os.open(name, _BELOW, dir_fd=control)
        try:
            # Held for as long as this handle lives: who gets it knows that we are dead.
            fcntl.flock(self.workspace, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_FLOCK:
                raise
        os.utime(self.workspace, ns=(1_000_000_007, 1_000_000_007))
        self.fine_mtime = os.fstat(self.workspace).st_mtime_ns == 1_000_000_007
        where = os.path.join(self.path, CONTROL, name)
        self._cleanup = weakref.finalize(self, _remove_workspace, where, os.getpid())

    def sweep(self) -> None:
        """Remove what killed writers left, unless nobody may write here."""
        if not self.open():
            return
        try:
            control = os.open(CONTROL, _BELOW, dir_fd=self.fd)
        except OSError:
            return
        try:
            if any(name.startswith("w-") for name in os.listdir(control)):
                with self.mutex:
                    # Without waiting: whoever holds the lock is no reason not to read.
                    try:
                        fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        sweep(control)
                    finally:
                        fcntl.flock(self.fd, fcntl.LOCK_UN)
        except OSError:
            return  # a place where we may not write is no less readable for it
        finally:
            os.close(control)

    def drop_workspace(self) -> None:
        """Remove the workspace; the next write makes another one."""
        if self.workspace >= 0:
            fd, self.workspace = self.workspace, -1
            os.close(fd)
        if self._cleanup is not None:
            self._cleanup()
            self._cleanup = None

    def close(self) -> None:
        """Give the descriptors back, and remove the workspace."""
        with self.mutex:
            self.drop_workspace()
            if self.fd >= 0:
                fd, self.fd, self.release = self.fd, -1, _nothing
                os.close(fd)  # which unlocks it, should it be locked

    def after_fork(self) -> None:
        """Forget the parent's descriptors: locks taken through them would be the parent's."""
        for fd in (self.fd, self.workspace):
            if fd >= 0:
                os.close(fd)
        self.fd = self.workspace = -1
        self._cleanup = None
        self._reset_locks()


def _nothing() -> None:
    pass


def sweep(control: int) -> None:
    """Remove the workspaces whose writers are dead; the lock of the folder is held."""
    for name in os.listdir(control):
        if not name.startswith("w-"):
            continue
        try:
            fd = os.open(name, _BELOW, dir_fd=control)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # its writer lives
        else:
            try:
                for leftover in os.listdir(fd):
                    os.unlink(leftover, dir_fd=fd)
                os.rmdir(name, dir_fd=control)
            except OSError:
                continue  # its writer lives no more, but is just removing it itself
        finally:
            os.close(fd)


def sync_folder(path: str) -> None:
    """Make the names in a folder survive a power cut."""
    fd = os.open(path, FOLDER)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove_workspace(path: str, pid: int) -> None:
    if pid != os.getpid():
        return  # a forked child: the workspace is its parent's
    try:
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        os.rmdir(path)
    except OSError:
        pass  # the folder is gone, or the next writer sweeps


_all: weakref.WeakSet[Folder] = weakref.WeakSet()


def _after_fork() -> None:
    for folder in list(_all):
        folder.after_fork()


os.register_at_fork(after_in_child=_after_fork)
