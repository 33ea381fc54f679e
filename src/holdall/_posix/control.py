"""The one entry that holdall adds to a folder: metadata, locks, and the workspaces of running writers."""

import contextlib
import itertools
import os
import stat
from collections.abc import Callable, Iterable
from os import close as os_close
from os import fstat as os_fstat
from typing import Final

from holdall._posix.descriptors import opening
from holdall._posix.errors import NO_FLOCK, at
from holdall._posix.flags import BELOW, CREATE
from holdall._posix.lock import try_flock

__all__ = ["CONTROL", "Workspace", "make_control", "make_control_file", "share", "sweep", "workspaces"]

#: Its name.
CONTROL: Final = ".holdall"

_WORKSPACE: Final = "w-"  # the prefix of names of workspaces
_STAMP: Final = 1_000_000_007  # a time with nanoseconds, which not all file systems keep
_tokens = itertools.count()


class Workspace:
    """A folder for the unfinished files of one handle, locked while the handle lives."""

    __slots__ = ("fd", "name")

    def __init__(self, control: int) -> None:
        self.fd = -1
        self.name = f"{_WORKSPACE}{os.getpid():x}-{next(_tokens):x}-{os.urandom(4).hex()}"
        os.mkdir(self.name, 0o700, dir_fd=control)
        [self.fd] = opening(self.name, BELOW, dir_fd=control)
        try:
            try_flock(self.fd)  # a process that gets it later knows that we are dead
        except OSError as error:
            if error.errno not in NO_FLOCK:
                raise

    def __del__(self, close: Callable[[int], object] = os_close) -> None:
        # A default, since names of modules may be gone when a process ends.
        fd = getattr(self, "fd", -1)  # an interrupt may have come first
        if fd >= 0:
            close(fd)

    def keeps_nanoseconds(self) -> bool:
        """Return whether the file system keeps times to the nanosecond."""
        os.utime(self.fd, ns=(_STAMP, _STAMP))
        return os_fstat(self.fd).st_mtime_ns == _STAMP

    def remove(self) -> None:
        """Empty and remove the workspace, wherever it is now."""
        with contextlib.suppress(OSError):  # already gone, or left for the next writer
            empty(self.fd)
            above = -1
            try:
                [above] = opening("..", BELOW, dir_fd=self.fd)
                found = os.stat(self.name, dir_fd=above, follow_symlinks=False)
                if os.path.samestat(found, os_fstat(self.fd)):
                    os.rmdir(self.name, dir_fd=above)
            finally:
                if above >= 0:
                    os_close(above)


def make_control(root: int, path: str) -> None:
    """Make the control folder, for all users of the folder."""
    with at(os.path.join(path, CONTROL)):
        try:
            os.mkdir(CONTROL, 0o700, dir_fd=root)
        except FileExistsError:
            pass
        control = -1
        try:
            [control] = opening(CONTROL, BELOW, dir_fd=root)
            share(control, os_fstat(root), 0o3777)
        finally:
            if control >= 0:
                os_close(control)


def make_control_file(root: int, path: str, name: str) -> str:
    """Return the path of a file in the control folder; make it if missing, without opening a lock file."""
    make_control(root, path)
    where = os.path.join(path, CONTROL, name)
    with at(where):
        control = fd = -1
        try:
            [control] = opening(CONTROL, BELOW, dir_fd=root)
            try:
                [fd] = opening(name, CREATE, 0o600, dir_fd=control)
                share(fd, os_fstat(root), 0o666)
            except FileExistsError:
                return where
            finally:
                if fd >= 0:
                    os_close(fd)
        finally:
            if control >= 0:
                os_close(control)
    return where


def share(fd: int, like: os.stat_result, mask: int) -> None:
    """Set the group and the permissions of an entry of ours to those of the folder that it belongs to."""
    about = os_fstat(fd)
    mode = stat.S_IMODE(like.st_mode) & mask
    with contextlib.suppress(OSError):  # made by another user, or not our group
        if about.st_gid != like.st_gid:
            os.fchown(fd, -1, like.st_gid)
        if stat.S_IMODE(about.st_mode) != mode:
            os.fchmod(fd, mode)


def empty(fd: int) -> None:
    """Remove the files in a folder."""
    for name in os.listdir(fd):
        os.unlink(name, dir_fd=fd)


def sweep(control: int, names: Iterable[str]) -> None:
    """Remove those workspaces whose writers are dead; the caller holds the lock of the folder."""
    for name in names:
        fd = -1
        try:
            [fd] = opening(name, BELOW, dir_fd=control)
            if try_flock(fd):  # otherwise its writer lives
                empty(fd)
                os.rmdir(name, dir_fd=control)
        except OSError:
            continue  # its writer is just removing it
        finally:
            if fd >= 0:
                os_close(fd)


def workspaces(control: int) -> list[str]:
    """Return the names of the workspaces, of living writers or not."""
    return [name for name in os.listdir(control) if name.startswith(_WORKSPACE)]
