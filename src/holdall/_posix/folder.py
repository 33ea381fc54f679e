"""A folder reached through descriptors only: no name and no link in it leads anywhere else.

A `Folder` opens, and opens again; what is open at a moment is an `Opened`. Take it once and use that: closing
only lets go of it, so that its descriptors stay what they are until the last user is done.
"""

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from os import close as os_close
from os import fstat as os_fstat
from os import open as os_open
from os import stat as os_stat
from typing import Any, Final, NoReturn

from holdall._posix import trust
from holdall._posix.control import (
    CONTROL,
    Workspace,
    has_workspaces,
    make_control,
    make_control_file,
    share,
    sweep,
)
from holdall._posix.errors import ABSENT, at
from holdall._posix.flags import BELOW, FOLDER
from holdall._posix.fork import finalize, forget_in_child
from holdall._posix.lock import TIMEOUT, Lock
from holdall._posix.names import fs_name
from holdall.errors import InvalidKeyError, StoreUnavailableError

__all__ = ["CONTROL", "RESERVED", "SHARED", "Folder", "Opened"]

#: Names that no folder or file of a user has.
RESERVED: Final = frozenset({"", ".", "..", CONTROL})
#: What a folder on the way to a file is, if others may add names there, but not rename what is not theirs.
SHARED: Final = "others may add names to its folder"

_numbers = itertools.count()


class Opened:
    """The descriptors of a folder that is open, and of its workspace; -1 where there is none.

    They are closed, and the workspace is removed, when nobody refers to this object any more.
    """

    __slots__ = (
        "__weakref__",
        "_doubts",
        "_drop",
        "_held",
        "_identity",
        "_mode",
        "_sync",
        "lock",
        "number",
        "path",
        "root",
        "uid",
        "workspace",
    )

    def __init__(
        self, path: str, root: int, *, mode: int = 0o777, sync: bool = False, timeout: float = TIMEOUT
    ) -> None:
        self.number = next(_numbers)  # by which is known what is known of it
        self.path = path
        self.root = root
        self.workspace = -1
        self.uid = os.geteuid()
        self._identity = (-1, -1)
        if root >= 0:
            about = os_fstat(root)
            self._identity = about.st_dev, about.st_ino
        # No method of this object: it would never be let go of.
        self.lock = Lock(root, path, partial(_lock_beside, root, path), timeout)
        self._mode = mode
        self._sync = sync
        self._drop: Callable[[], object] | None = None
        self._held: Workspace | None = None  # to whom the descriptor of the workspace belongs
        self._doubts: list[str] | None = None
        forget_in_child(self)

    def __del__(self) -> None:
        root, self.root = self.root, -1
        if root >= 0:
            os_close(root)

    def after_fork(self) -> None:
        """Let go of the parent's descriptors: locks taken through them would be the parent's."""
        if self.root >= 0:
            os_close(self.root)
        self.root = self.workspace = -1
        if self._drop is not None:
            self._drop.detach()  # type: ignore[attr-defined]
            self._drop = None
        self._held = None  # which closes its descriptor

    def exists(self) -> bool:
        """Tell whether the folder still is the one at its path; it may have been deleted, or replaced.

        Raises
        ------
        StoreUnavailableError
            If it was moved away: writing there is lost, and another one made at the path hides the loss.
        """
        if self.root < 0:
            return False
        try:
            about = os_stat(self.path)
        except (FileNotFoundError, NotADirectoryError) as error:
            if os_fstat(self.root).st_nlink:
                raise StoreUnavailableError(
                    error.errno,
                    "the folder was moved away while open: move it back, or call close() to begin anew",
                    self.path,
                ) from error
            return False
        except OSError:  # who may not look any more may go on with what is open
            return os_fstat(self.root).st_nlink > 0
        return (about.st_dev, about.st_ino) == self._identity

    def has_workspace(self) -> bool:
        """Tell whether there is a workspace that nobody has deleted."""
        return self.workspace >= 0 and os_fstat(self.workspace).st_nlink > 0

    # ------------------------------------------------------------------ folders below

    def enter(self, names: Sequence[str], *, create: bool = False, doubts: list[str] | None = None) -> int:
        """Open a folder below; the caller closes it.

        Parameters
        ----------
        names
            Of the folders that lead there; none for the folder itself.
        create
            Whether to make what is missing.
        doubts
            Where to add what speaks against trusting what lies there.

        Raises
        ------
        OSError
            If one of the names is not a folder, or is a link.
        """
        here = root = self.root
        try:
            for name in names:
                if name in RESERVED:
                    self._refuse(name)
                try:
                    below = os_open(fs_name(name), BELOW, dir_fd=here)
                except FileNotFoundError:
                    if not create:
                        raise
                    below = self._make_below(fs_name(name), here)
                done, here = here, below  # first, so that nothing closes it twice
                if done != root:
                    os_close(done)
                if doubts is not None:
                    about = os_fstat(here)
                    if about.st_mode & 0o022 or about.st_uid != self.uid:
                        _look_at_folder(about, here, self.uid, doubts)
        except BaseException as error:
            if here != root:
                os_close(here)
            if isinstance(error, OSError) and error.errno not in ABSENT:
                error.filename = os.path.join(self.path, *names)
            raise
        return os.dup(root) if here == root else here

    def chain(self, names: Sequence[str]) -> list[int]:
        """Open all folders on the way to one below, outermost first; the caller closes them."""
        fds: list[int] = []
        try:
            for name in names:
                fds.append(os_open(fs_name(name), BELOW, dir_fd=fds[-1] if fds else self.root))
        except BaseException:
            for fd in fds:
                os_close(fd)
            raise
        return fds

    def _refuse(self, name: str) -> NoReturn:
        raise InvalidKeyError(f"{name!r} cannot be the name of a folder below {self.path}")

    def _make_below(self, name: str, here: int) -> int:
        try:
            os.mkdir(name, self._mode, dir_fd=here)
            if self._sync:  # a new folder is durable once its parent is
                os.fsync(here)
        except FileExistsError:
            pass
        return os_open(name, BELOW, dir_fd=here)

    def doubts(self) -> list[str]:
        """Say what speaks against trusting what lies in the folder itself, as it was when first asked."""
        if self._doubts is None:
            found: list[str] = []
            _look_at_folder(os_fstat(self.root), self.root, self.uid, found)
            if above := trust.doubt_above(self.path):
                found.append(above)
            self._doubts = found
        return self._doubts

    # ------------------------------------------------------------------ control folder

    def control(self) -> int:
        """Open the control folder; the caller closes it."""
        with at(os.path.join(self.path, CONTROL)):
            return os_open(CONTROL, BELOW, dir_fd=self.root)

    def share(self, fd: int) -> None:
        """Give a new file in the control folder group and permissions of the folder."""
        share(fd, os_fstat(self.root), 0o666)

    def control_file(self, name: str) -> str:
        """Give the path of a file in the control folder, which is made if it is not there."""
        return make_control_file(self.root, self.path, name)

    def make_control(self) -> None:
        """Make the control folder, for all who may use the folder; the lock is not held."""
        make_control(self.root, self.path)

    def make_workspace(self) -> bool:
        """Make a workspace, and sweep those of the dead; the lock is held. Tell whether mtimes are exact."""
        control = self.control()
        try:
            sweep(control)
            with at(os.path.join(self.path, CONTROL)):
                workspace = Workspace(control)
        finally:
            os_close(control)
        self._held = workspace
        self.workspace = workspace.fd
        self._drop = finalize(self, workspace.remove)
        return workspace.keeps_nanoseconds()


class Folder:
    """A folder that is opened when it is needed, and again after it was closed.

    Parameters
    ----------
    path
        The folder, which need not exist; or None for a private temporary one that the first write makes.
    mode
        Permissions of new folders, before the umask.
    sync
        Whether new folders are to survive a power cut.
    timeout
        Seconds to wait for other writers.

    Notes
    -----
    Threads: `mutex` excludes them, and the `lock` of what is opened excludes processes. A forked child opens
    the folder anew.
    """

    def __init__(
        self,
        path: str | None,
        *,
        mode: int = 0o777,
        sync: bool = False,
        timeout: float = TIMEOUT,
    ) -> None:
        self._mode = mode
        self._path = path
        self._temporary = path is None
        self._owner = None if path is None else _owner_of(path)
        self.fine_mtime = True
        self.mutex = threading.RLock()
        self._sync = sync
        self._timeout = timeout
        #: What is open now; of a folder that is not, with descriptors of -1.
        self.opened = self._closed()
        forget_in_child(self)

    @property
    def path(self) -> str:
        """The folder; a private temporary one is named, and made, when it is first asked for."""
        if self._path is None:
            from holdall._posix.temporary import TemporaryFolder  # noqa: PLC0415  (slow to import)

            with self.mutex:
                if self._path is None:
                    self._owner = TemporaryFolder()
                    self._path = os.path.join(self._owner.path, "store")
        return self._path

    @property
    def known(self) -> bool:
        """Whether the folder has a name yet."""
        return self._path is not None

    def _closed(self) -> Opened:
        return Opened(self._path or "", -1)

    def after_fork(self) -> None:
        """Have a mutex that no thread of the parent holds."""
        self.mutex = threading.RLock()

    def current(self) -> Opened:
        """Return what is open, unless the folder at the path is another one by now."""
        use = self.opened
        if use.root >= 0 and not use.exists():
            self.close()
            use = self.opened
        return use

    def open(self, *, create: bool = False) -> Opened | None:
        """Open the folder, if it is not open and has not been deleted since; None if it is not there."""
        with self.mutex:
            use = self.opened
            if use.exists():
                return use
            if not create and not self.known:
                return None
            if create:
                self._make_root()
            try:
                root = os_open(self.path, FOLDER)
            except FileNotFoundError:
                self.close()
                return None
            use = Opened(self.path, root, mode=self._mode, sync=self._sync, timeout=self._timeout)
            self.opened = use
            return use

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
        for path in reversed(made):
            with contextlib.suppress(FileExistsError):  # somebody else has just made it
                os.mkdir(path, self._mode)
        if self._sync:
            for path in made:
                folder = os_open(os.path.dirname(path), FOLDER)
                try:
                    os.fsync(folder)
                finally:
                    os_close(folder)

    def prepare(self) -> Opened:
        """Open the folder to write, with a workspace."""
        with self.mutex:
            use = self.opened
            if use.has_workspace() and use.exists():
                return use
            self.close()
            found = self.open(create=True)
            if found is None:  # it was deleted at once
                raise FileNotFoundError(2, os.strerror(2), self.path)
            found.make_control()
            try:
                found.lock.acquire()
                self.fine_mtime = found.make_workspace()
            finally:
                found.lock.release()
            return found

    def sweep(self) -> None:
        """Remove what killed writers left, unless nobody may write here, or somebody writes right now."""
        use = self.open()
        if use is None:
            return
        with contextlib.suppress(OSError):  # a place where we may not write is no less readable for it
            control = use.control()
            try:
                if has_workspaces(control):
                    with self.mutex:
                        try:
                            use.lock.take()
                            sweep(control)
                        finally:
                            use.lock.release()
            finally:
                os_close(control)

    def close(self) -> None:
        """Let go of the descriptors and the workspace; the next use opens the folder again."""
        self.opened = self._closed()


def _look_at_folder(about: os.stat_result, fd: int, uid: int, doubts: list[str]) -> None:
    why = trust.doubt_about_folder(about, fd, uid)
    if why:
        doubts.append(why)
    elif trust.is_shared(about):
        doubts.append(SHARED)


def _owner_of(path: str) -> Any:
    """Give the temporary folder of this process in which a path lies, so that whoever uses it keeps it."""
    temporary = sys.modules.get("holdall._posix.temporary")  # else nobody has made one
    return None if temporary is None else temporary.TemporaryFolder.owner_of(path)


def _lock_beside(root: int, path: str) -> str:
    """Give a file to lock where the file system cannot lock a folder (some network file systems)."""
    return make_control_file(root, path, "lock")
