"""A folder reached through descriptors only: no name and no link in it leads anywhere else.

A `Folder` opens, and opens again; what is open at a moment is an `Opened`. Take it once and use that: closing
only lets go of it, so that its descriptors stay what they are until the last user is done.
"""

import contextlib
import os
import sys
import threading
from os import close as os_close
from os import open as os_open
from typing import Any

from holdall._posix.control import (
    CONTROL,
    has_workspaces,
    sweep,
)
from holdall._posix.flags import FOLDER
from holdall._posix.fork import forget_in_child
from holdall._posix.lock import TIMEOUT
from holdall._posix.opened import RESERVED, SHARED, Opened

__all__ = ["CONTROL", "RESERVED", "SHARED", "Folder", "Opened"]


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


def _owner_of(path: str) -> Any:
    """Give the temporary folder of this process in which a path lies, so that whoever uses it keeps it."""
    temporary = sys.modules.get("holdall._posix.temporary")  # else nobody has made one
    return None if temporary is None else temporary.TemporaryFolder.owner_of(path)
