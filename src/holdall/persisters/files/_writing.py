"""Writing and deleting files, in turn with all other writers."""

import contextlib
import errno
import io
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import close as os_close
from os import stat as stat_path
from os import utime
from os import write as os_write
from stat import S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK
from time import time_ns
from typing import Any, BinaryIO, cast

from holdall._options import check_bytes
from holdall._posix.descriptors import Descriptors, closing, open_into
from holdall._posix.errors import ABSENT, translate
from holdall._posix.flags import CREATE, READ
from holdall._posix.folder import RESERVED, Opened
from holdall._posix.names import UTF8, fs_name
from holdall._posix.replace import (
    USUAL,
    close_lost,
    keep_attributes,
    list_extended,
    sync_folder,
    unlink_quietly,
)
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import HoldallError, InvalidKeyError, StoreUnavailableError, UnsupportedError
from holdall.persisters.files._reading import FilesReading
from holdall.persisters.files._system import (
    KIND,
    REGULAR,
    etag_of,
    os_open,
    os_rename,
    os_rmdir,
    os_stat,
    os_unlink,
    stat_of,
    write_all,
)

# Errors of systems that do not make a hard link.
_NO_LINK = frozenset(
    {
        errno.EXDEV,
        errno.EPERM,
        errno.EACCES,
        errno.EMLINK,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.ENOENT,  # deleted meanwhile
    },
)


class FilesWriting(FilesReading):
    """The part of `FilesPersister` for writing."""

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        return self.put(id, data, expected, wanted=True)  # type: ignore[no-any-return]

    def write_dated(self, items: Iterable[tuple[str, Any, float]]) -> None:  # docstring inherited
        for id, data, mtime in items:
            self.put(id, data, mtime=mtime)

    def put(
        self,
        id: str,
        data: Any,
        expected: Expected = ANY_ETAG,
        *,
        wanted: bool = False,
        mtime: float | None = None,
    ) -> Any:
        """Write a file beside, and rename it over the old one under the lock.

        Parameters
        ----------
        id
            The id to write.
        data
            The data to store.
        expected
            The state that the item must be in, as in `write`.
        wanted
            Whether to return the stat of the stored item.
        mtime
            The time of last modification, in seconds; None, or nan, for now.
        """
        if type(expected) is str:  # absence needs no version
            self._require_versions()
        name, fd = next(self._names), -1
        try:
            use = self._folder.opened
            try:
                about = stat_path(use.path)
                same = (about.st_dev, about.st_ino) == use.identity
            except OSError:
                same = False
            if not same:  # or nothing is open: resolved elsewhere
                use = self._folder.current()
            try:
                try:
                    fd = os_open(name, CREATE, self._mode, dir_fd=use.workspace)
                except OSError as error:
                    use = self._ready_again(error, id)
                    fd = os_open(name, CREATE, self._mode, dir_fd=use.workspace)
                try:
                    if type(data) is not bytes or os_write(fd, data) != len(data):
                        write_all(fd, data)
                    stamp = time_ns()
                    if mtime is not None:
                        stamp = _dated(mtime, stamp)
                    utime(fd, ns=(stamp, stamp))  # see Notes of the class
                    if self._power:
                        os.fsync(fd)
                finally:
                    os_close(fd)
                return self._publish(use, name, id, expected, wanted=wanted)
            except BaseException:
                # An interrupt may have come after it was opened, before it was known here.
                self._discard(name, use, lost=fd < 0)
                raise
        except (OSError, ValueError) as error:  # a ValueError: NUL, or text that cannot be encoded
            raise self._write_error(error, id) from error
        except TypeError:
            check_bytes(id, data)
            raise

    def __setitem__(self, id: str, data: Any) -> None:
        self.put(id, data)

    def link(self, id: str, path: str) -> bool:
        """Store an existing file under an id, by a hard link; return whether that was possible.

        Parameters
        ----------
        id
            The id to write.
        path
            A file that never changes, as `FilesPersister` publishes them. It must belong to the user.

        Returns
        -------
        bool
            False, and nothing is changed, where the system makes no link: another file system, a file of
            another user, too many links, or no support.
        """
        name = next(self._names)
        try:
            use = self._folder.current()
            try:
                if os.stat(path, follow_symlinks=False).st_uid != self._uid:
                    return False
                if use.workspace < 0:
                    use = self._prepare(f"{id!r} cannot be written")
                os.link(path, name, dst_dir_fd=use.workspace, follow_symlinks=False)
            except OSError as error:
                if isinstance(error, HoldallError) or error.errno not in _NO_LINK:
                    raise
                return False
            try:
                self._publish(use, name, id, ANY_ETAG, wanted=False, linked=True)
            finally:
                unlink_quietly(name, use.workspace)  # it stays if the id already was this file
        except (OSError, ValueError) as error:
            raise self._write_error(error, id) from error
        return True

    def _finish(self, fd: int) -> None:
        """Set a unique nanosecond (see Notes of the class), and sync the file if requested."""
        stamp = time_ns()
        utime(fd, ns=(stamp, stamp))
        if self._power:
            os.fsync(fd)

    def _create(self, use: Opened, name: str, id: Any, fds: Descriptors) -> tuple[Opened, int]:
        """Create an unfinished file, with preparations if needed; the caller owns its descriptor."""
        try:
            open_into(fds, name, CREATE, self._mode, use.workspace)
        except OSError as error:
            use = self._ready_again(error, id)
            open_into(fds, name, CREATE, self._mode, use.workspace)
        return use, cast("int", fds[-1])

    def _ready_again(self, error: OSError, id: Any) -> Opened:
        """Prepare a write again: the first one, or one after the folder was deleted or closed."""
        if error.errno not in {errno.EBADF, errno.ENOENT}:
            raise error
        return self._prepare(f"{id!r} cannot be written")

    def _discard(self, name: str, use: Opened, *, lost: bool = False) -> None:
        """Remove an unfinished file, in whatever folder it was made, and close it if it is `lost`."""
        # An interrupt can hide that the folder was opened again.
        for workspace in {use.workspace, self._folder.opened.workspace} - {-1}:
            if lost:
                close_lost(name, workspace)
            unlink_quietly(name, workspace)

    def _write_error(self, error: Exception, id: Any) -> Exception:
        if isinstance(error, HoldallError):
            return error
        if not isinstance(error, OSError):
            return InvalidKeyError(f"{id!r:.80} cannot be the name of a file: {error}")
        if not RESERVED.isdisjoint(id.split("/")):
            return InvalidKeyError(f"{id!r:.80} cannot be the name of a file in {self.place}")
        if error.errno == errno.ENAMETOOLONG:
            return InvalidKeyError(f"{id!r:.80} is too long for the name of a file below {self.place}")
        if error.errno == errno.ENOTDIR and "/" in id:
            why = "one of its folders is a file; stores with a suffix, as suffix='.txt', can have both"
            return StoreUnavailableError(error.errno, f"{id!r} cannot be written: {why}", self.place)
        return translate(error, f"{id!r} cannot be written", self.place)

    def _publish(
        self, use: Opened, name: str, id: str, expected: Expected, *, wanted: bool, linked: bool = False
    ) -> Stat | None:
        """Rename a finished file to its id, in turn with all other writers."""
        stat = None
        where, last, lock = use.root, id, use.lock
        try:
            with self._folder.mutex:
                try:
                    try:
                        lock.take()
                    except OSError as error:
                        lock.wait(error)
                    if expected is not ANY_ETAG and not self._is_at(use, id, expected):
                        self.require(id, expected)
                    if "/" in id or id in RESERVED or id[0] == ".":
                        *folders, last = names = id.split("/")
                        if len(folders) >= self._levels or not RESERVED.isdisjoint(names):
                            self._check_name(id)
                        if not self.hidden and (id[0] == "." or "/." in id):
                            self._check_name(id)
                        if folders:
                            where = use.enter(folders, create=True)
                    self._keep_attributes(use, name, id, where, last, linked=linked)
                    os_rename(name, last, src_dir_fd=use.workspace, dst_dir_fd=where)
                    if wanted:
                        stat = stat_of(os_stat(last, dir_fd=where, follow_symlinks=False))
                finally:
                    lock.release()
            if self._power:
                sync_folder(where, self.place, repr(id))
        finally:
            if where != use.root:
                os_close(where)
        return stat

    def _keep_attributes(
        self, use: Opened, name: str, id: str, where: int, last: str, *, linked: bool
    ) -> None:
        """Copy the owner, group, mode and extended attributes of a replaced file to the new one."""
        try:
            old = os_stat(last, dir_fd=where, follow_symlinks=False)
        except FileNotFoundError:
            return
        if old.st_mode & KIND != REGULAR:
            raise StoreUnavailableError(
                errno.EEXIST,
                f"{last!r} is no file, but {_kind_of(old)}: delete it, choose another key, or give a suffix",
                self.place,
            )
        if linked:
            return
        if (old.st_mode, old.st_uid, old.st_gid) == self._usual:
            # By its path, since no such call takes a folder, and one with ``/proc/self/fd`` takes twice the
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

    def _is_at(self, use: Opened, id: str, expected: Expected) -> bool:
        """Return whether a quick look shows that an id has an etag; False can mean anything."""
        if "/" in id:  # a look by the whole path would follow links
            return False
        try:
            stat = os_stat(id, dir_fd=use.root, follow_symlinks=False)
        except (OSError, ValueError):
            return False
        return stat.st_mode & KIND == REGULAR and etag_of(stat) == expected

    def _check_name(self, id: str) -> None:
        """Raise for an id that cannot be the name of a file."""
        if not RESERVED.isdisjoint(id.split("/")):
            raise InvalidKeyError(f"{id!r} cannot be the name of a file in {self.place}")
        if not self.hidden and (id[0] == "." or "/." in id):
            raise InvalidKeyError(f"{id!r} is a hidden name: open {self.place} with hidden=True")
        self._check_depth(id)

    def _require_versions(self) -> None:
        if self._folder.opened.workspace < 0:
            self._prepare()
        if not self._folder.fine_mtime:
            raise UnsupportedError(
                f"the file system of {self.path} keeps no nanoseconds, so files have no versions to compare",
            )

    @contextmanager
    def writer(self, id: str) -> Iterator[BinaryIO]:  # docstring inherited
        name = next(self._names)
        try:
            use = self._folder.current()
            try:
                fds: Descriptors = [None]
                close = closing(fds)
                try:
                    use, fd = self._create(use, name, id, fds)
                    with io.open(fd, "wb", closefd=False) as file:  # noqa: UP020  (the builtin is missing when a process ends)
                        yield file
                        file.flush()
                        self._finish(fd)
                finally:
                    close()
                self._publish(use, name, id, ANY_ETAG, wanted=False)
            except BaseException:
                self._discard(name, use)
                raise
        except (OSError, ValueError) as error:
            raise self._write_error(error, id) from error

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        if self.read_only or type(expected) is str:
            self._require_versions()
        try:
            use = self._folder.open()
            if use is None:
                self.require(id, expected)
                raise KeyError(id)
            with self._folder.mutex:
                try:
                    use.lock.acquire()
                    self.require(id, expected)
                    self._find(id, self._unlink)
                    if "/" in id:
                        self._prune(use, id.split("/")[:-1])
                finally:
                    use.lock.release()
        except OSError as error:
            if isinstance(error, HoldallError):
                raise
            raise translate(error, f"{id!r:.80} cannot be deleted", self.place) from error

    def _unlink(self, name: str, fd: int) -> None:
        if os_stat(name, dir_fd=fd, follow_symlinks=False).st_mode & KIND != REGULAR:
            raise FileNotFoundError(errno.ENOENT, "not a file", name)
        try:
            os_unlink(name, dir_fd=fd)
        except OSError as error:
            if error.errno in ABSENT:
                raise
            raise translate(error, f"{name!r} cannot be deleted", self.place) from error
        if self._power:
            sync_folder(fd, self.place, repr(name))

    def _prune(self, use: Opened, names: list[str]) -> None:
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

    def close(self) -> None:  # docstring inherited
        self._folder.close()


def _dated(mtime: float, now: int) -> int:
    """Return a time to the millisecond, with unique digits below, as a version must not repeat."""
    return now if math.isnan(mtime) else round(mtime * 1000) * 10**6 + now % 10**6


def _kind_of(about: os.stat_result) -> str:
    kinds = {S_IFDIR: "a folder", S_IFLNK: "a link", S_IFIFO: "a pipe", S_IFSOCK: "a socket"}
    return kinds.get(S_IFMT(about.st_mode), "a device")
