"""Writing and deleting files, in turn with all other writers."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import close as os_close
from os import open as os_open
from os import rename, utime
from os import stat as os_stat
from os import write as os_write
from time import time_ns
from typing import Any, BinaryIO, cast

from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import (
    HoldallError,
    InvalidKeyError,
    OutcomeUnknownError,
    UnsupportedError,
)
from holdall.persisters.files._folder import ABSENT, RESERVED, translate
from holdall.persisters.files._reading import FilesReading
from holdall.persisters.files._system import (
    CREATE,
    KIND,
    REGULAR,
    discard,
    etag_of,
    stat_of,
    write_all,
)

# What the system says where it does not make a hard link.
_NO_LINK = frozenset(
    {
        errno.EXDEV,
        errno.EPERM,
        errno.EACCES,
        errno.EMLINK,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.ENOENT,  # it was deleted meanwhile
    },
)


class FilesWriting(FilesReading):
    """The part of `FilesPersister` that writes."""

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        # _replace() stands here in line for the ordinary case: the calls it saves are 1 µs of 18.
        folder = self._folder
        if type(data) is not bytes or self._special or "/" in id or id[:1] == ".":
            self._replace(id, data, ANY_ETAG, wanted=False)
            return
        name = next(self._names)
        try:
            try:
                fd = os_open(name, CREATE, self._mode, dir_fd=folder.workspace)
            except OSError:
                self._replace(id, data, ANY_ETAG, wanted=False)
                return
            try:
                if os_write(fd, data) != len(data):
                    write_all(fd, data)
                stamp = time_ns()
                utime(fd, ns=(stamp, stamp))
            finally:
                os_close(fd)
            with folder.mutex:
                try:
                    folder.acquire()
                    rename(name, id, src_dir_fd=folder.workspace, dst_dir_fd=folder.fd)
                finally:
                    folder.release()
        except BaseException as error:
            discard(name, folder.workspace)
            if isinstance(error, OSError | ValueError):
                raise self._write_error(error, id) from error
            raise

    __setitem__ = put

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        return cast("Stat", self._replace(id, data, expected, wanted=True))

    def _replace(self, id: str, data: Any, expected: Expected, *, wanted: bool) -> Stat | None:
        """Write a file beside, and rename it over the old one under the lock."""
        if type(expected) is str:  # absence needs no version
            self._require_versions()
        folder = self._folder
        name = next(self._names)
        try:
            try:
                try:
                    fd = os_open(name, CREATE, self._mode, dir_fd=folder.workspace)
                except OSError as error:
                    fd = self._create_again(name, error, id)
                try:
                    if type(data) is not bytes or os_write(fd, data) != len(data):
                        write_all(fd, data)
                    self._finish(fd)
                finally:
                    os_close(fd)
                return self._publish(name, id, expected, wanted=wanted)
            except BaseException:
                discard(name, folder.workspace)
                raise
        except OSError as error:
            raise self._write_error(error, id) from error
        except ValueError as error:  # NUL, or text that the file system cannot encode
            raise self._write_error(error, id) from error

    def link(self, id: str, path: str) -> bool:
        """Store, under an id, a file that is there already, by a hard link; tell whether that could be done.

        Parameters
        ----------
        id
            The id to write.
        path
            A file that nobody changes any more, as another `FilesPersister` has published it. It must be the
            user's own.

        Returns
        -------
        bool
            False, and nothing is changed, where the system does not link: another file system, a file of
            somebody else, too many links, or none at all.
        """
        folder = self._folder
        name = next(self._names)
        try:
            try:
                if os.stat(path, follow_symlinks=False).st_uid != self._uid:
                    return False
                if folder.workspace < 0:
                    self._prepare(f"{id!r} cannot be written")
                os.link(path, name, dst_dir_fd=folder.workspace, follow_symlinks=False)
            except OSError as error:
                if isinstance(error, HoldallError) or error.errno not in _NO_LINK:
                    raise
                return False
            try:
                self._publish(name, id, ANY_ETAG, wanted=False)
            finally:
                discard(name, folder.workspace)  # it stays when the id was this very file
        except (OSError, ValueError) as error:
            raise self._write_error(error, id) from error
        return True

    def _finish(self, fd: int) -> None:
        """Give a written file its own nanosecond (see Notes of the class) and the durability asked for."""
        stamp = time_ns()
        utime(fd, ns=(stamp, stamp))
        if self._power:
            os.fsync(fd)

    def _create_again(self, name: str, error: OSError, id: Any) -> int:
        """Get ready and create: this is the first write, or the folder was deleted meanwhile."""
        if error.errno not in {errno.EBADF, errno.ENOENT}:
            raise error
        self._prepare(f"{id!r} cannot be written")
        return os.open(name, CREATE, self._mode, dir_fd=self._folder.workspace)

    def _write_error(self, error: Exception, id: Any) -> Exception:
        if isinstance(error, HoldallError):
            return error
        if not isinstance(error, OSError):
            return InvalidKeyError(f"{id!r:.80} cannot be the name of a file: {error}")
        if not RESERVED.isdisjoint(id.split("/")):
            return InvalidKeyError(f"{id!r:.80} cannot be the name of a file in {self.place}")
        if error.errno == errno.ENAMETOOLONG:
            return InvalidKeyError(f"{id!r:.80} is too long for the name of a file below {self.place}")
        return translate(error, f"{id!r} cannot be written", self.place)

    def _publish(self, name: str, id: str, expected: Expected, *, wanted: bool) -> Stat | None:
        """Rename a finished file to its id, in turn with all other writers."""
        folder = self._folder
        stat = None
        where, opened = folder.fd, -1
        try:
            with folder.mutex:
                try:
                    folder.lock()
                    if expected is not ANY_ETAG and not self._is_at(id, expected):
                        self.require(id, expected)
                    if "/" in id or id in RESERVED or id[0] == ".":
                        where, last = self._locate_new(id)
                        opened = where if "/" in id else -1
                    else:
                        last = id
                    rename(name, last, src_dir_fd=folder.workspace, dst_dir_fd=where)
                    if wanted:
                        stat = stat_of(os.stat(last, dir_fd=where, follow_symlinks=False))
                finally:
                    folder.release()
            if self._power:
                self._sync_folder(where, id)
        finally:
            if opened >= 0:
                os_close(opened)
        return stat

    def _is_at(self, id: str, expected: Expected) -> bool:
        """Tell by one look whether an id has an etag; False may mean anything."""
        if "/" in id:  # its folders may be links, which a look by the whole path would follow
            return False
        try:
            stat = os_stat(id, dir_fd=self._folder.fd, follow_symlinks=False)
        except (OSError, ValueError):
            return False
        return stat.st_mode & KIND == REGULAR and etag_of(stat) == expected

    def _sync_folder(self, fd: int, id: str) -> None:
        try:
            os.fsync(fd)
        except OSError as error:
            raise OutcomeUnknownError(
                error.errno or 0,
                f"{id!r} is written, but its folder could not be synced: a power cut may undo it",
                self.place,
            ) from error

    def _locate_new(self, id: str) -> tuple[int, str]:
        """Open the folder of an id that is written, making what is missing."""
        if not RESERVED.isdisjoint(id.split("/")):
            raise InvalidKeyError(f"{id!r} cannot be the name of a file in {self.place}")
        if not self.hidden and (id[0] == "." or "/." in id):
            raise InvalidKeyError(f"{id!r} is a hidden name: open {self.place} with hidden=True")
        return self._locate(id, create=True)

    def _require_versions(self) -> None:
        if self._folder.workspace < 0:
            self._prepare()
        if not self._folder.fine_mtime:
            raise UnsupportedError(
                f"the file system of {self.path} keeps no nanoseconds, so files have no versions to compare",
            )

    @contextmanager
    def writer(self, id: str) -> Iterator[BinaryIO]:  # docstring inherited
        name = next(self._names)
        try:
            try:
                fd = os_open(name, CREATE, self._mode, dir_fd=self._folder.workspace)
            except OSError as error:
                fd = self._create_again(name, error, id)
            try:
                with open(fd, "wb") as file:
                    yield file
                    file.flush()
                    self._finish(fd)
                self._publish(name, id, ANY_ETAG, wanted=False)
            except BaseException:
                discard(name, self._folder.workspace)
                raise
        except (OSError, ValueError) as error:
            raise self._write_error(error, id) from error

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        if self.read_only or type(expected) is str:
            self._require_versions()
        if not self._folder.open():
            self.require(id, expected)
            raise KeyError(id)
        with self._folder.mutex:
            try:
                self._folder.lock()
                self.require(id, expected)
                self._find(id, self._unlink)
                if "/" in id:
                    self._prune(id.split("/")[:-1])
            finally:
                self._folder.release()

    def _unlink(self, name: str, fd: int) -> None:
        if os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode & KIND != REGULAR:
            raise FileNotFoundError(errno.ENOENT, "not a file", name)
        try:
            os.unlink(name, dir_fd=fd)
        except OSError as error:
            if error.errno in ABSENT:
                raise
            raise translate(error, f"{name!r} cannot be deleted", self.place) from error
        if self._power:
            self._sync_folder(fd, name)

    def _prune(self, names: list[str]) -> None:
        """Remove the folders of a deleted file that are empty now."""
        while names:
            *names, last = names
            try:
                above = self._folder.open_below(names)
                try:
                    os.rmdir(last, dir_fd=above)
                finally:
                    os.close(above)
            except OSError:
                return

    def close(self) -> None:  # docstring inherited
        self._folder.close()
