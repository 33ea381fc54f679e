"""The attributes of a file, which are passed on to the file that replaces it."""

import errno
import os
from stat import S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK
from typing import cast

from holdall._posix.descriptors import Descriptors, closing, open_into
from holdall._posix.flags import READ
from holdall._posix.names import UTF8, fs_name
from holdall._posix.opened import Opened
from holdall._posix.replace import USUAL, keep_attributes, list_extended
from holdall.errors import StoreUnavailableError
from holdall.persisters.files._system import KIND, REGULAR, os_stat

__all__ = ["Attributes"]


class Attributes:
    """Owner, group, mode and extended attributes of the files of one folder."""

    def __init__(self) -> None:
        self._usual: tuple[int, int, int] | None = None  # mode, owner and group of new files

    def forget(self) -> None:
        """Forget how new files are made: the folder is another one."""
        self._usual = None

    def keep(self, use: Opened, name: str, id: str, where: int, last: str, *, linked: bool) -> None:
        """Copy the attributes of a replaced file to the finished one.

        Parameters
        ----------
        use
            The open folder.
        name
            The finished file, in its workspace.
        id
            The id that is written.
        where, last
            Descriptor of the folder of the id, and its name there.
        linked
            Whether the finished file is a hard link, which has attributes of its own.

        Raises
        ------
        StoreUnavailableError
            If what would be replaced is not a file.
        """
        try:
            old = os_stat(last, dir_fd=where, follow_symlinks=False)
        except FileNotFoundError:
            return
        if old.st_mode & KIND != REGULAR:
            raise StoreUnavailableError(
                errno.EEXIST,
                f"{last!r} is no file, but {_kind_of(old)}: delete it, choose another key, or give a suffix",
                use.path,
            )
        if linked:
            return
        if (old.st_mode, old.st_uid, old.st_gid) == self._usual:
            # By path: there is no such call relative to a descriptor, and ``/proc/self/fd`` takes twice the
            # time: 0.7 µs more of 13 for a small write.
            path = f"{use.path}/{id}"
            try:
                if list_extended(path if UTF8 else fs_name(path), follow_symlinks=False) in USUAL:
                    return
            except OSError as error:
                if error.errno == errno.EOPNOTSUPP:
                    return
        fds: Descriptors = [None]
        close = closing(fds)
        try:
            open_into(fds, name, READ, dir_fd=use.workspace)
            fd = cast("int", fds[-1])
            new = os.fstat(fd)
            self._usual = new.st_mode, new.st_uid, new.st_gid
            keep_attributes(where, fs_name(last), old, fd)
        finally:
            close()


def _kind_of(about: os.stat_result) -> str:
    kinds = {S_IFDIR: "a folder", S_IFLNK: "a link", S_IFIFO: "a pipe", S_IFSOCK: "a socket"}
    return kinds.get(S_IFMT(about.st_mode), "a device")
