"""A folder reached only through descriptors: no name and no link in it leads elsewhere.

A `Folder` opens, and opens again; its open state is an `Opened`. Take it once and use that: closing only
drops a reference, so that its descriptors stay valid until the last user is done.
"""

import contextlib
import os
import sys
import threading
from os import close as os_close
from typing import Any

from holdall._posix.control import CONTROL, sweep, workspaces
from holdall._posix.descriptors import opening
from holdall._posix.flags import FOLDER
from holdall._posix.fork import forget_in_child
from holdall._posix.lock import TIMEOUT
from holdall._posix.opened import RESERVED, SHARED, Opened

__all__ = ["CONTROL", "RESERVED", "SHARED", "Folder", "Opened"]


class Folder:
    """A folder that is opened when needed, and again after it was closed.

    Parameters
    ----------
    path
        The folder, which need not exist; or None for a private temporary one, made on first use.
    mode
        Permissions of new folders, before the umask.
    sync
        Whether new folders must survive a power failure.
    timeout
        Seconds to wait for other writers.

    Notes
    -----
    Threads: `mutex` excludes them, and the `lock` of the `Opened` excludes processes. A forked child opens
    the folder again.
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
        self.mutex = threading.RLock()
        self._sync = sync
        self._timeout = timeout
        #: The open state; with descriptors of -1 if the folder is not open.
        self.opened = self._closed()
        forget_in_child(self)

    @property
    def path(self) -> str:
        """The folder; a private temporary one is named, and made, on first access."""
        if self._path is None:
            from holdall._posix.temporary import TemporaryFolder  # noqa: PLC0415  (slow to import)

            with self.mutex:
                if self._path is None:
                    self._owner = TemporaryFolder()
                    self._path = os.path.join(self._owner.path, "store")
        return self._path

    @property
    def known(self) -> bool:
        """Whether the folder already has a name."""
        return self._path is not None

    @property
    def place(self) -> str:
        """The folder as messages name it."""
        return self.path if self.known else "a temporary folder"

    def _closed(self) -> Opened:
        return Opened(self._path or "", closed=True)

    def after_fork(self) -> None:
        """Replace the mutex, which a thread of the parent may hold."""
        self.mutex = threading.RLock()

    def current(self) -> Opened:
        """Return the open state, unless the path now leads to another folder."""
        use = self.opened
        if use.root >= 0 and not use.exists():
            self.close()
            use = self.opened
        return use

    def open(self, *, create: bool = False) -> Opened | None:
        """Open the folder, if it is not open or was deleted since; return None if it does not exist."""
        with self.mutex:
            use = self.opened
            if use.exists():
                return use
            if not create and not self.known:
                return None
            if create:
                self._make_root()
            try:
                use = Opened(self.path, mode=self._mode, sync=self._sync, timeout=self._timeout)
            except FileNotFoundError:
                self.close()
                return None
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
            with contextlib.suppress(FileExistsError):  # just made by another process
                os.mkdir(path, self._mode)
        if self._sync:
            for path in made:
                folder = -1
                try:
                    [folder] = opening(os.path.dirname(path), FOLDER)
                    os.fsync(folder)
                finally:
                    if folder >= 0:
                        os_close(folder)

    def prepare(self) -> Opened:
        """Open the folder to write, with a workspace."""
        with self.mutex:
            use = self.opened
            if use.has_workspace() and use.exists():
                return use
            self.close()
            found = self.open(create=True)
            if found is None:  # deleted at once
                raise FileNotFoundError(2, os.strerror(2), self.path)
            found.make_control()
            try:
                found.lock.acquire()
                found.make_workspace()
            finally:
                found.lock.release()
            return found

    def sweep(self, use: Opened) -> None:
        """Remove what killed writers left, unless the folder is read-only, or is being written."""
        with contextlib.suppress(OSError):  # a folder without write access can still be read
            control = use.control()
            try:
                if found := workspaces(control):
                    with self.mutex:
                        try:
                            use.lock.take()
                            sweep(control, found)
                        finally:
                            use.lock.release()
            finally:
                os_close(control)

    def close(self) -> None:
        """Release the descriptors and the workspace; the next use opens the folder again."""
        self.opened = self._closed()


def _owner_of(path: str) -> Any:
    """Return the temporary folder of this process with a path in it, to keep it alive while in use."""
    temporary = sys.modules.get("holdall._posix.temporary")  # otherwise there is none
    return None if temporary is None else temporary.TemporaryFolder.owner_of(path)
