"""The last step of writes and deletions: renaming finished files and removing files, under the lock."""

import contextlib
import errno
from collections.abc import Callable
from os import close as os_close
from typing import Any

from holdall._posix.descriptors import Descriptors, closing
from holdall._posix.errors import ABSENT, translate
from holdall._posix.folder import RESERVED, Folder, Opened
from holdall._posix.replace import sync_folder, unlink_quietly
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.persisters.files._attributes import Attributes
from holdall.persisters.files._finding import Finder
from holdall.persisters.files._system import (
    KIND,
    REGULAR,
    etag_of,
    os_rename,
    os_rmdir,
    os_stat,
    os_unlink,
    stat_of,
)

__all__ = ["Publisher"]


class Publisher:
    """The last step of each write and deletion in a folder.

    Parameters
    ----------
    folder
        The folder.
    finder
        The names that it allows.
    sync
        Whether changes must survive a power failure.
    """

    def __init__(self, folder: Folder, finder: Finder, *, sync: bool) -> None:
        self._folder = folder
        self._finder = finder
        self._sync = sync
        self.attributes = Attributes()

    def publish(
        self,
        use: Opened,
        name: str,
        id: str,
        expected: Expected,
        require: Callable[[str, Expected], Any],
        *,
        wanted: bool = False,
        linked: bool = False,
    ) -> Stat | None:
        """Rename a finished file to its id, under the lock of writers.

        Parameters
        ----------
        use
            The open folder.
        name
            The finished file, in its workspace.
        id
            The id to write.
        expected
            The state that the item must be in.
        require
            Called with id and state if a quick look does not show that state; raises if it is another.
        wanted
            Whether to return the stat of the stored item.
        linked
            Whether the finished file is a hard link.
        """
        stat = None
        where, last, lock = use.root, id, use.lock
        finder = self._finder
        try:
            with self._folder.mutex:
                try:
                    try:
                        lock.take()
                    except OSError as error:
                        lock.wait(error)
                    if expected is not ANY_ETAG and not _is_at(use, id, expected):
                        require(id, expected)
                    if "/" in id or id in RESERVED or id[0] == ".":
                        *folders, last = names = id.split("/")
                        # Nearly all are allowed: the look costs less than a call.
                        if (
                            len(folders) >= finder.levels
                            or not RESERVED.isdisjoint(names)
                            or not (finder.hidden or (id[0] != "." and "/." not in id))
                        ):
                            finder.check(id)
                        if folders:
                            where = use.enter(folders, create=True)
                    self.attributes.keep(use, name, id, where, last, linked=linked)
                    os_rename(name, last, src_dir_fd=use.workspace, dst_dir_fd=where)
                    if wanted:
                        stat = stat_of(os_stat(last, dir_fd=where, follow_symlinks=False))
                finally:
                    lock.release()
            if self._sync:
                sync_folder(where, self._folder.place, repr(id))
        finally:
            if where != use.root:
                os_close(where)
        return stat

    def discard(self, name: str, use: Opened) -> None:
        """Remove an unfinished file, in whatever folder it was made."""
        # An interrupt can hide that the folder was opened again.
        for workspace in {use.workspace, self._folder.opened.workspace} - {-1}:
            unlink_quietly(name, workspace)

    def unlink(self, name: str, fd: int) -> None:
        """Delete a file, by its name and the descriptor of its folder; the caller holds the lock."""
        if os_stat(name, dir_fd=fd, follow_symlinks=False).st_mode & KIND != REGULAR:
            raise FileNotFoundError(errno.ENOENT, "not a file", name)
        try:
            os_unlink(name, dir_fd=fd)
        except OSError as error:
            if error.errno in ABSENT:
                raise
            raise translate(error, f"{name!r} cannot be deleted", self._folder.place) from error
        if self._sync:
            sync_folder(fd, self._folder.place, repr(name))

    def prune(self, use: Opened, names: list[str]) -> None:
        """Remove the folders of a deleted file that are empty now."""
        with contextlib.suppress(OSError):  # ends at one that is not empty
            fds: Descriptors = [None]
            close = closing(fds)
            try:
                use.chain(names[:-1], fds)
                for above, name in zip(reversed([use.root, *fds[1:]]), reversed(names), strict=True):
                    os_rmdir(name, dir_fd=above)
            finally:
                close()


def _is_at(use: Opened, id: str, expected: Expected) -> bool:
    """Return whether a quick look shows that an id has an etag; False can mean anything."""
    if "/" in id:  # a look by the whole path would follow links
        return False
    try:
        stat = os_stat(id, dir_fd=use.root, follow_symlinks=False)
    except (OSError, ValueError):
        return False
    return stat.st_mode & KIND == REGULAR and etag_of(stat) == expected
