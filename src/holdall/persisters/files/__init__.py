"""A file an id, below one folder: atomic, linearizable among processes, and nothing but the data."""

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from os import close as os_close
from os import fstat as os_fstat
from os import open as os_open
from os import read as os_read
from os import rename, utime
from os import stat as os_stat
from os import write as os_write
from time import time_ns
from typing import Any, BinaryIO, cast

from holdall.abc import Capability, Persister
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    OutcomeUnknownError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.persisters.files._folder import ABSENT, CONTROL, FOLDER, RESERVED, Folder, translate
from holdall.persisters.files._record import check_record, read_record, write_record

__all__ = ["FilesPersister", "recorded"]

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
# Non-blocking, so that a pipe in the place of a file answers at once.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KIND, _REGULAR = 0o170000, 0o100000
_KIND_AND_OTHERS = _KIND | 0o022  # write bits of group and others
_CHUNK = 1 << 30  # the most that one read or write takes on Linux is a little below 2 GiB

_NEEDED = {os.open, os.stat, os.rename, os.unlink, os.mkdir, os.rmdir}


class FilesPersister(Persister):
    """A folder as a place: ids are paths of files below it.

    Parameters
    ----------
    path
        The folder. None for a private temporary one (mode 0700), made by the first write.
    durability
        ``"process"``: a returned write survives the death of the process. ``"power"``: also a power
        cut (file and folder are synced).
    guard
        Whether to refuse data that somebody else could have written (`UntrustedStoreError`).
    hidden
        Whether names with a leading dot are listed, and may be written.
    max_levels
        How many levels of folders ids may have and are listed; 1 is the folder itself. None: any.
    read_only
        Whether to open the folder for reading only; it must exist then.
    record
        Options that are recorded when the folder is first written to, and compared when it is opened.

    Raises
    ------
    StoreNotFoundError
        If the folder is to be read and does not exist.
    MismatchError
        If the folder was made with another `record`.

    Notes
    -----
    Threads and processes: all writers of a folder, unconditional ones included, take turns for the
    instant of the rename, by a lock on the folder itself; readers never wait. After a crash: every id
    has its whole old or its whole new data; what a killed writer left is swept when the folder is next
    opened for writing. Cost: one file created, written, stamped and renamed a write; open, fstat, read
    and close a read.

    The etag is made of the times, the inode and the size of the file. Inodes and ticks of a coarse
    clock do repeat; so each write gives its file a modification time of its own, to the nanosecond,
    before it is renamed. Two files that exist at once differ in their inode, all others in that time.

    Examples
    --------
    >>> place = FilesPersister(None)
    >>> place["a/b.txt"] = b"hello"
    >>> place["a/b.txt"], list(place)
    (b'hello', ['a/b.txt'])
    """

    capabilities = frozenset(
        {
            Capability.BYTES,
            Capability.WRITABLE,
            Capability.PERSISTENT,
            Capability.MTIME,
            Capability.CHEAP_STAT,
            Capability.STREAMING,
            Capability.CAS_THREADS,
            Capability.CAS_HOST,
        },
    )

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        durability: str = "process",
        guard: bool = False,
        hidden: bool = True,
        max_levels: int | None = None,
        read_only: bool = False,
        record: dict[str, str] | None = None,
    ) -> None:
        if not os.supports_dir_fd >= _NEEDED:
            raise UnsupportedError("folders need a POSIX system: files are reached by descriptor")
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        if max_levels is not None and (type(max_levels) is not int or max_levels < 1):
            raise InvalidArgumentError(f"max_levels must be 1 or more, or None, got {max_levels!r}")
        if path is None and read_only:
            raise InvalidArgumentError("read_only needs the path of a folder that exists")
        absolute = None if path is None else os.path.abspath(os.fspath(path))
        if absolute is not None and not isinstance(absolute, str):
            raise InvalidArgumentError(f"path must be text, got {path!r}")
        self.durability = durability
        self.guard = guard
        self.hidden = hidden
        self.max_levels = max_levels
        self.read_only = read_only
        self.record = dict(record or {})
        self._power = durability == "power"
        self._special = self._power or max_levels is not None  # whether put() is not enough
        # What loading could run must not be writable for others, whatever the umask says.
        self._mode = 0o664 if guard else 0o666
        self._names = map(str, itertools.count())  # of unfinished files; next() is atomic
        self._uid = os.geteuid()
        self._owned: bool | None = None
        self._folder = Folder(absolute, sync=self._power)
        if read_only:
            self.capabilities = self.capabilities - {
                Capability.WRITABLE,
                Capability.CAS_THREADS,
                Capability.CAS_HOST,
            }
        if absolute is not None:
            self._open_existing(absolute)

    def _open_existing(self, path: str) -> None:
        try:
            found = self._folder.open()
        except OSError as error:
            raise translate(error, "the folder cannot be opened", path) from error
        if found:
            try:
                self._check_record()
            except BaseException:
                self._folder.close()
                raise
            if not self.read_only:
                self._folder.sweep()
        elif self.read_only:
            raise StoreNotFoundError(errno.ENOENT, "there is no such folder to read", path)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self.path, self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "durability": self.durability,
            "guard": self.guard,
            "hidden": self.hidden,
            "max_levels": self.max_levels,
            "read_only": self.read_only,
            "record": self.record,
        }

    # ------------------------------------------------------------------ what is known of the place

    @property
    def path(self) -> str:
        """The folder, absolute."""
        return self._folder.path

    @property
    def place(self) -> str:  # docstring inherited
        return self.path if self._folder.known else "a temporary folder"

    @property
    def owned(self) -> bool:  # docstring inherited
        if self._owned is None:
            self._check_record()
        return bool(self._owned)

    def _check_record(self) -> None:
        """Compare the record of the folder with what was asked for, if there is one."""
        if not self._folder.open():
            self._owned = True
            return
        try:
            control = self._control()
        except OSError:
            self._owned = not os.listdir(self._folder.fd)
            return
        try:
            record = read_record(control, self.path)
        finally:
            os.close(control)
        if record is None:
            self._owned = False
            return
        check_record(record, self.record, self.path)
        self._owned = bool(record.get("owned"))

    def _control(self) -> int:
        return os.open(CONTROL, FOLDER | os.O_NOFOLLOW, dir_fd=self._folder.fd)

    def _prepare(self, what: str = "the folder cannot be written to") -> None:
        """Get ready to write: workspace, and the record of a folder that has none."""
        if self.read_only:
            raise UnsupportedError(f"{self.path} was opened with read_only=True")
        folder = self._folder
        try:
            folder.prepare()
            with folder.mutex:
                try:
                    folder.lock()
                    control = self._control()
                    try:
                        record = read_record(control, self.path)
                        if record is None:
                            self._owned = os.listdir(folder.fd) == [CONTROL]
                            write_record(control, folder.workspace, {**self.record, "owned": self._owned})
                            if self._power:
                                os.fsync(control)
                                os.fsync(folder.fd)
                        else:
                            check_record(record, self.record, self.path)
                    finally:
                        os.close(control)
                finally:
                    folder.release()
        except BaseException as error:
            folder.drop_workspace()  # with it the next write would go ahead without a record
            if not isinstance(error, OSError) or isinstance(error, StoreUnavailableError):
                raise
            raise translate(error, what, self.path) from error
        if not folder.fine_mtime:
            self.capabilities -= {Capability.CAS_THREADS, Capability.CAS_HOST}

    # ------------------------------------------------------------------ finding files

    def _locate(self, id: str, *, create: bool = False) -> tuple[int, str]:
        """Open the folder of an id; the descriptor is the root's own where the id has no folder."""
        *folders, name = id.split("/")
        if self.max_levels is not None and len(folders) >= self.max_levels:
            raise InvalidKeyError(f"{id!r} lies deeper than the {self.max_levels} levels of {self.place}")
        if not folders:
            return self._folder.fd, name
        return self._folder.open_below(folders, create=create), name

    def _done(self, fd: int, id: str) -> None:
        if "/" in id:
            os.close(fd)

    def _find(self, id: Any, action: Callable[[str, int], Any]) -> Any:
        """Do something with the file of an id, by name and descriptor of its folder.

        Raises
        ------
        KeyError
            If there is no such file, or it cannot have one.
        """
        for again in (True, False):
            try:
                if self._folder.fd < 0 and not self._folder.open():
                    break
                fd, name = self._locate(id)
                try:
                    return action(name, fd)
                finally:
                    self._done(fd, id)
            except StoreUnavailableError:
                raise
            except OSError as error:
                if error.errno not in ABSENT:
                    raise translate(error, f"{id!r} cannot be read", self.place) from error
                if not (again and self._gone()):
                    break
            except (ValueError, TypeError, AttributeError, InvalidKeyError):
                break  # a name that no file can have
        raise KeyError(id)

    def _gone(self) -> bool:
        """Whether the folder was deleted, and perhaps made anew, behind the open descriptor."""
        if self._folder.fd >= 0 and os.fstat(self._folder.fd).st_nlink:
            return False
        self._folder.close()
        return True

    # ------------------------------------------------------------------ reading

    def _open(self, id: str) -> int:
        """Open the file of an id, and see that it is one that may be read."""
        fd: int = self._find(id, _open_for_reading)
        try:
            self._inspect(id, os.fstat(fd))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _retry(self, id: Any, error: Exception) -> int:
        """Find out what an error of the short way means, by the long one."""
        if isinstance(error, HoldallError):
            raise error
        return self._find(id, _open_for_reading)  # type: ignore[no-any-return]

    def _inspect(self, id: str, stat: os.stat_result) -> None:
        """Refuse what is no file, and what others could have written if that matters."""
        if stat.st_mode & _KIND != _REGULAR:
            raise KeyError(id)
        if not self.guard:
            return
        if stat.st_uid not in {self._uid, 0}:
            why = f"it belongs to user {stat.st_uid}"
        elif stat.st_mode & 0o002:
            why = "everybody may write it"
        elif stat.st_mode & 0o020 and stat.st_gid != _own_group(self._uid):
            why = f"group {stat.st_gid} may write it"
        else:
            return
        raise UntrustedStoreError(
            errno.EPERM,
            f"loading {id!r} could run code of somebody else ({why}): "
            "pass trust=True if you trust them all, or use a serializer that runs no code, such as 'json'",
            self.path,
        )

    def __getitem__(self, id: str) -> bytes:
        return cast("bytes", self.fetch(id, 1 << 62))

    def fetch(self, id: str, limit: int) -> Any:  # docstring inherited
        # _open() stands here again, in line: a call and a tuple less is a tenth of a small read.
        try:
            if "/" in id:
                fd = self._find(id, _open_for_reading)
            else:
                fd = os_open(id, _READ, dir_fd=self._folder.fd)
        except (OSError, ValueError, TypeError) as error:
            fd = self._retry(id, error)
        try:
            stat = os_fstat(fd)
            if stat.st_mode & _KIND_AND_OTHERS != _REGULAR or stat.st_uid != self._uid:
                self._inspect(id, stat)
            size = stat.st_size
            if size > limit:
                file, fd = FileIO(fd, "rb"), -1
                return file
            # One byte more than there should be: a shorter answer is the end of the file.
            data = os_read(fd, size + 1)
            return data if len(data) == size else _read_rest(fd, data)
        except OSError as error:
            if isinstance(error, HoldallError):
                raise
            raise translate(error, f"{id!r} cannot be read", self.place) from error
        finally:
            if fd >= 0:
                os_close(fd)

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        fd = self._open(id)
        with FileIO(fd, "rb") as file:
            while True:
                before = os.fstat(fd)
                data = file.readall()
                after = os.fstat(fd)
                if _etag(before) == _etag(after) and len(data) == after.st_size:
                    return data, _stat(after)
                file.seek(0)  # somebody wrote into the file itself

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        return open(self._open(id), "rb")

    def stat(self, id: str) -> Stat:  # docstring inherited
        return _stat(self._lstat(id))

    def _lstat(self, id: str) -> os.stat_result:
        stat: os.stat_result = self._find(id, _lstat)
        if stat.st_mode & _KIND != _REGULAR:
            raise KeyError(id)
        return stat

    def __contains__(self, id: object) -> bool:
        try:
            if "/" not in id:  # type: ignore[operator]
                stat = os_stat(id, dir_fd=self._folder.fd, follow_symlinks=False)  # type: ignore[arg-type]
                return stat.st_mode & _KIND == _REGULAR
        except (OSError, ValueError, TypeError):
            pass
        try:
            self._lstat(id)  # type: ignore[arg-type]
        except KeyError:
            return False
        return True

    # ------------------------------------------------------------------ listing

    def __iter__(self) -> Iterator[str]:
        return self.ids()

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        for page in self.pages(prefix):
            yield from page

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        for id in self.ids(prefix):
            try:
                yield id, self.stat(id)
            except KeyError:
                continue

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        # A page is a folder, listed in one go. Only folders that can hold the prefix are entered.
        if not self._folder.open():
            return
        top, _, rest = prefix.rpartition("/")
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            names = folder.split("/") if folder else []
            try:
                fd = self._folder.open_below(names)
            except OSError as error:
                if error.errno not in ABSENT and not (names and error.errno == errno.EACCES):
                    raise translate(error, f"{folder!r} cannot be listed", self.place) from error
                continue
            except InvalidKeyError:
                continue
            try:
                files, folders = self._entries(fd)
            finally:
                os.close(fd)
            start = folder + "/" if folder else ""
            if rest and folder == top:
                files = [name for name in files if name.startswith(rest)]
                folders = [name for name in folders if name.startswith(rest)]
            if files:
                yield [start + name for name in files] if start else files
            if self.max_levels is None or len(names) + 1 < self.max_levels:
                waiting += [start + name for name in folders]

    def _entries(self, fd: int) -> tuple[list[str], list[str]]:
        """Give the names of files and folders; links and everything else are left out."""
        with os.scandir(fd) as listing:
            entries = list(listing)
        files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        folders: list[str] = []
        if len(files) < len(entries):
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            folders = [name for name in folders if name != CONTROL]
        if not self.hidden:
            files = [name for name in files if name[0] != "."]
            folders = [name for name in folders if name[0] != "."]
        return files, folders

    # ------------------------------------------------------------------ writing

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        # _replace() stands here in line for the ordinary case: the calls it saves are 1 µs of 18.
        folder = self._folder
        if type(data) is not bytes or self._special or "/" in id or id[:1] == ".":
            self._replace(id, data, ANY_ETAG, wanted=False)
            return
        name = next(self._names)
        try:
            try:
                fd = os_open(name, _CREATE, self._mode, dir_fd=folder.workspace)
            except OSError:
                self._replace(id, data, ANY_ETAG, wanted=False)
                return
            try:
                if os_write(fd, data) != len(data):
                    _write_all(fd, data)
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
            _discard(name, folder.workspace)
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
                    fd = os_open(name, _CREATE, self._mode, dir_fd=folder.workspace)
                except OSError as error:
                    fd = self._create_again(name, error, id)
                try:
                    if type(data) is not bytes or os_write(fd, data) != len(data):
                        _write_all(fd, data)
                    self._finish(fd)
                finally:
                    os_close(fd)
                return self._publish(name, id, expected, wanted=wanted)
            except BaseException:
                _discard(name, folder.workspace)
                raise
        except OSError as error:
            raise self._write_error(error, id) from error
        except ValueError as error:  # NUL, or text that the file system cannot encode
            raise self._write_error(error, id) from error

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
        return os.open(name, _CREATE, self._mode, dir_fd=self._folder.workspace)

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
                    if expected is not ANY_ETAG:
                        self.require(id, expected)
                    if "/" in id or id in RESERVED or id[0] == ".":
                        where, last = self._locate_new(id)
                        opened = where if "/" in id else -1
                    else:
                        last = id
                    rename(name, last, src_dir_fd=folder.workspace, dst_dir_fd=where)
                    if wanted:
                        stat = _stat(os.stat(last, dir_fd=where, follow_symlinks=False))
                finally:
                    folder.release()
            if self._power:
                self._sync_folder(where, id)
        finally:
            if opened >= 0:
                os_close(opened)
        return stat

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
                fd = os_open(name, _CREATE, self._mode, dir_fd=self._folder.workspace)
            except OSError as error:
                fd = self._create_again(name, error, id)
            try:
                with open(fd, "wb") as file:
                    yield file
                    file.flush()
                    self._finish(fd)
                self._publish(name, id, ANY_ETAG, wanted=False)
            except BaseException:
                _discard(name, self._folder.workspace)
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
        if os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode & _KIND != _REGULAR:
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


def recorded(path: str | os.PathLike[str], option: str) -> str | None:
    """Give an option with which a folder was made; None where there is no record of it.

    Parameters
    ----------
    path
        The folder, which need not exist.
    option
        Name of the option.
    """
    try:
        control = os.open(os.path.join(os.fspath(path), CONTROL), FOLDER | os.O_NOFOLLOW)
    except (OSError, ValueError, TypeError):
        return None
    try:
        record = read_record(control, os.fspath(path))
    finally:
        os.close(control)
    return None if record is None else record.get(option)


def _reopen(cls: type[FilesPersister], path: str, options: dict[str, Any]) -> FilesPersister:
    return cls(path, **options)


def _own_group(uid: int) -> int:
    """Give the primary group of a user: many systems give each one a group, and umask 002."""
    import pwd  # noqa: PLC0415  (rarely needed)

    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return os.getegid()


def _etag(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns:x}-{stat.st_ctime_ns:x}-{stat.st_ino:x}-{stat.st_size:x}"


def _stat(stat: os.stat_result) -> Stat:
    return Stat(_etag(stat), stat.st_mtime, stat.st_size)


def _lstat(name: str, fd: int) -> os.stat_result:
    return os.stat(name, dir_fd=fd, follow_symlinks=False)


def _open_for_reading(name: str, fd: int) -> int:
    return os.open(name, _READ, dir_fd=fd)


def _read_rest(fd: int, data: bytes) -> bytes:
    """Read on to the end of a file that was longer than its stat, or than one read."""
    pieces = [data]
    while data:
        data = os.read(fd, _CHUNK)
        pieces.append(data)
    return b"".join(pieces)


def _write_all(fd: int, data: Any) -> None:
    """Write pieces to the end, from the start of the file."""
    os.lseek(fd, 0, os.SEEK_SET)
    for part in data if type(data) is list else (data,):
        view = memoryview(part).cast("B")
        written = 0
        while written < view.nbytes:
            written += os.write(fd, view[written : written + _CHUNK])


def _discard(name: str, workspace: int) -> None:
    try:
        os.unlink(name, dir_fd=workspace)
    except OSError:
        pass  # it was renamed, or the folder is gone
