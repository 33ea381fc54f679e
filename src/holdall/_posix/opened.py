"""The descriptors of an open folder; no name and no link in it leads elsewhere."""

import itertools
import os
from collections.abc import Callable, Sequence
from functools import partial
from os import F_OK
from os import access as os_access
from os import close as os_close
from os import fstat as os_fstat
from os import open as os_open
from os import stat as os_stat
from typing import Final, NoReturn

from holdall._posix import trust
from holdall._posix.control import (
    CONTROL,
    Workspace,
    make_control,
    make_control_file,
    share,
    sweep,
    workspaces,
)
from holdall._posix.descriptors import Descriptors, open_into, opening
from holdall._posix.errors import ABSENT, at
from holdall._posix.flags import BELOW, FOLDER
from holdall._posix.fork import finalize, forget_in_child
from holdall._posix.lock import TIMEOUT, Lock
from holdall._posix.names import UTF8, fs_name
from holdall.errors import InvalidKeyError, StoreUnavailableError

__all__ = ["RESERVED", "SHARED", "Opened"]

#: Names that no folder or file of a user has.
RESERVED: Final = frozenset({"", ".", "..", CONTROL})
#: A prefix of paths with which every call fails.
NOWHERE: Final = "\0"
#: A folder on the way to a file where others may add names, but not rename what is not theirs.
SHARED: Final = "others may add names to its folder"

_numbers = itertools.count()


class Opened:
    """The descriptors of an open folder, and of its workspace; -1 where there is none.

    They are closed, and the workspace is removed, when nothing refers to this object any more.
    """

    __slots__ = (
        "__weakref__",
        "_doubts",
        "_drop",
        "_held",
        "_mode",
        "_sync",
        "fine_mtime",
        "identity",
        "lock",
        "number",
        "path",
        "prefix",
        "root",
        "uid",
        "workspace",
    )

    def __init__(
        self,
        path: str,
        *,
        closed: bool = False,
        mode: int = 0o777,
        sync: bool = False,
        timeout: float = TIMEOUT,
    ) -> None:
        self.number = next(_numbers)  # identifies it in caches
        self.path = path
        self.root = self.workspace = -1
        #: Whether times of files are kept to the nanosecond; known with the workspace.
        self.fine_mtime = True
        self.uid = os.geteuid()
        #: Device and number of the folder.
        self.identity = (-1, -1)
        if not closed:
            [self.root] = opening(path, FOLDER)
            about = os_fstat(self.root)
            self.identity = about.st_dev, about.st_ino
        root = self.root
        #: What to put before a name to reach it by one call; unusable where Python does not use UTF-8.
        self.prefix = NOWHERE if closed or not UTF8 else f"{path}/"
        # Not a method of this object, which would keep it alive.
        self.lock = Lock(root, path, partial(_lock_beside, root, path), timeout)
        self._mode = mode
        self._sync = sync
        self._drop: Callable[[], object] | None = None
        self._held: Workspace | None = None  # owns the descriptor of the workspace
        self._doubts: list[str] | None = None
        if not closed:
            forget_in_child(self)

    def __del__(self, close: Callable[[int], object] = os_close) -> None:
        # A default, since names of modules may be gone when a process ends.
        root, self.root = getattr(self, "root", -1), -1  # an interrupt may have come first
        if root >= 0:
            close(root)

    def after_fork(self) -> None:
        """Release the parent's descriptors: locks taken through them would be the parent's."""
        if self.root >= 0:
            os_close(self.root)
        self.root = self.workspace = -1
        self.prefix = NOWHERE
        if self._drop is not None:
            self._drop.detach()  # type: ignore[attr-defined]
            self._drop = None
        self._held = None  # closes its descriptor

    def exists(self) -> bool:
        """Return whether the folder is still the one at its path; it may have been deleted or replaced.

        Raises
        ------
        StoreUnavailableError
            If it was moved: writes there are lost, and another folder at the path hides the loss.
        """
        if self.root < 0:
            return False
        try:
            about = os_stat(self.path)
        except (FileNotFoundError, NotADirectoryError) as error:
            if os_fstat(self.root).st_nlink:
                raise StoreUnavailableError(
                    error.errno,
                    "the folder was moved away while open: move it back, or call close() to begin again",
                    self.path,
                ) from error
            return False
        except OSError:  # without access to look, continue with what is open
            return os_fstat(self.root).st_nlink > 0
        return (about.st_dev, about.st_ino) == self.identity

    def leads_somewhere(self) -> bool:
        """Return whether the path leads to something: then a name not found by the path is absent.

        False means what `exists` finds out. This takes half its time, as it makes no `stat_result`.
        """
        return os_access(self.path, F_OK)

    def has_workspace(self) -> bool:
        """Return whether there is a workspace that was not deleted."""
        return self.workspace >= 0 and os_fstat(self.workspace).st_nlink > 0

    # ------------------------------------------------------------------ folders below

    def enter(self, names: Sequence[str], *, create: bool = False, doubts: list[str] | None = None) -> int:
        """Open a folder below; the caller closes it.

        Parameters
        ----------
        names
            The names of the folders that lead there; none for the folder itself.
        create
            Whether to make missing folders.
        doubts
            Where to add reasons not to trust the files there.

        Raises
        ------
        OSError
            If one of the names is not a folder, or is a link.
        """
        here = self.root
        fd = below = None  # the deepest folder entered, and the one below it
        try:
            if not names:
                [fd] = opening(".", BELOW, dir_fd=here)
            for name in names:
                if name in RESERVED:
                    self._refuse(name)
                spelled = name if UTF8 else fs_name(name)
                try:  # opening() in line, here and in open_file(): a call less for each folder
                    [below] = map(partial(os_open, dir_fd=here), (spelled,), (BELOW,))
                except FileNotFoundError:
                    if not create:
                        raise
                    self._make_below(spelled, here)
                    [below] = opening(spelled, BELOW, dir_fd=here)
                if doubts is not None:
                    about = os_fstat(below)
                    if about.st_mode & 0o022 or about.st_uid != self.uid:
                        _look_at_folder(about, below, self.uid, doubts)
                if fd is not None:
                    [fd] = map(os_close, (fd,))
                # Not a condition: after one, Python 3.12 and 3.13 would handle signals outside of the `try`.
                here, fd, below = below, below, None
        except BaseException as error:
            try:
                if fd is not None:
                    os_close(fd)
            finally:
                if below is not None:
                    os_close(below)
            if isinstance(error, OSError) and error.errno not in ABSENT:
                error.filename = os.path.join(self.path, *names)
            raise
        return fd  # type: ignore[return-value]

    def open_file(self, names: Sequence[str], flags: int, doubts: list[str] | None = None) -> int:
        """Open a file below by the path of the first folder; the caller closes it.

        The first step uses the path, so it notices another folder at the path. Neither the folders on the way
        nor the file may be links.

        Parameters
        ----------
        names
            The names of the folders, one or more, and of the file.
        flags
            The flags for opening the file.
        doubts
            Where to add reasons not to trust the files there.

        Raises
        ------
        OSError
            If it does not exist, or cannot be opened.
        """
        here = fd = None  # the deepest folder entered, and what is below it
        try:
            *folders, last = names
            path = f"{self.prefix}{folders[0]}"
            for name in folders:
                [fd] = map(partial(os_open, dir_fd=here), (path if here is None else name,), (BELOW,))
                if doubts is not None:
                    about = os_fstat(fd)
                    if about.st_mode & 0o022 or about.st_uid != self.uid:
                        _look_at_folder(about, fd, self.uid, doubts)
                if here is not None:
                    [here] = map(os_close, (here,))
                here, fd = fd, None  # see above
            [fd] = map(partial(os_open, dir_fd=here), (last,), (flags,))
            [here] = map(os_close, (here,))  # type: ignore[arg-type]
        except BaseException:
            try:
                if fd is not None:
                    os_close(fd)
            finally:
                if here is not None:
                    os_close(here)
            raise
        return fd

    def chain(self, names: Sequence[str], fds: Descriptors) -> None:
        """Open all folders on the way to one below, outermost first, for a caller with `closing`."""
        for name in names:
            open_into(fds, fs_name(name), BELOW, dir_fd=self.root if fds[-1] is None else fds[-1])

    def _refuse(self, name: str) -> NoReturn:
        raise InvalidKeyError(f"{name!r} cannot be the name of a folder below {self.path}")

    def _make_below(self, name: str, here: int) -> None:
        try:
            os.mkdir(name, self._mode, dir_fd=here)
            if self._sync:  # a new folder is durable once its parent is
                os.fsync(here)
        except FileExistsError:
            pass

    def doubts(self) -> list[str]:
        """Return reasons not to trust files in the folder itself, as it was when first asked."""
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
        try:
            [control] = opening(CONTROL, BELOW, dir_fd=self.root)
        except OSError as error:
            error.filename = os.path.join(self.path, CONTROL)
            raise
        return control

    def share(self, fd: int) -> None:
        """Set the group and permissions of a new file in the control folder to those of the folder."""
        share(fd, os_fstat(self.root), 0o666)

    def control_file(self, name: str) -> str:
        """Return the path of a file in the control folder, which is made if it does not exist."""
        return make_control_file(self.root, self.path, name)

    def make_control(self) -> None:
        """Make the control folder, for all users of the folder; the caller does not hold the lock."""
        make_control(self.root, self.path)

    def make_workspace(self) -> None:
        """Make a workspace, and remove dead ones, with the lock held."""
        control = self.control()
        try:
            sweep(control, workspaces(control))
            with at(os.path.join(self.path, CONTROL)):
                workspace = Workspace(control)
        finally:
            os_close(control)
        self._held = workspace
        self._drop = finalize(self, workspace.remove)
        self.fine_mtime = workspace.keeps_nanoseconds()
        self.workspace = workspace.fd  # last: from now on other threads use it


def _look_at_folder(about: os.stat_result, fd: int, uid: int, doubts: list[str]) -> None:
    why = trust.doubt_about_folder(about, fd, uid)
    if why:
        doubts.append(why)
    elif trust.is_shared(about):
        doubts.append(SHARED)


def _lock_beside(root: int, path: str) -> str:
    """Return a file to lock where the file system cannot lock a folder (some network file systems)."""
    return make_control_file(root, path, "lock")
