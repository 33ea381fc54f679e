"""A persister over a folder, with one file per id: atomic, linearizable among processes, only the data."""

import errno
import io
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from io import FileIO
from os import close as os_close
from os import fstat as os_fstat
from os import lstat as os_lstat
from os import read as os_read
from os import stat as stat_path
from os import utime
from os import write as os_write
from time import time_ns
from typing import Any, BinaryIO, Self, cast

from holdall._options import Durability, check_bytes, checked_path
from holdall._posix import trust
from holdall._posix.control import CONTROL
from holdall._posix.descriptors import Descriptors, closing, open_into, opening
from holdall._posix.errors import translate, translating
from holdall._posix.flags import CREATE, READ
from holdall._posix.folder import RESERVED, SHARED, Folder, Opened
from holdall._posix.lock import TIMEOUT, check_timeout
from holdall._posix.names import fs_name, fs_path
from holdall._posix.replace import unlink_quietly
from holdall._posix.system import require_posix
from holdall._shown import shown
from holdall.abc import Capability, Persister, Unary
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    ReadOnlyError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.persisters.files._finding import Finder
from holdall.persisters.files._listing import Listing
from holdall.persisters.files._publishing import Publisher
from holdall.persisters.files._record import checked_record, record_options
from holdall.persisters.files._system import (
    KIND,
    KIND_AND_OTHERS,
    REGULAR,
    etag_of,
    lstat,
    os_open,
    read_rest,
    stat_of,
    write_all,
)

__all__ = ["FilesPersister"]

_DEEPEST = 100  # levels of folders; a deletion has a descriptor for each
_WHOLE = 1 << 62  # bytes: data of any size
_READ, _CREATE = (READ,), (CREATE,)
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


class FilesPersister(Persister):
    """A folder of files: ids are their paths below it.

    Parameters
    ----------
    path
        The folder. None for a private temporary one (mode 0700), made by the first write.
    durability
        ``"process"``: a returned write survives the death of the process. ``"power"``: also a power failure
        (file and folder are synced).
    guard
        Whether to refuse data that others could have written (`UntrustedStoreError`); or a function that
        returns this by id.
    hidden
        Whether names with a leading dot are listed, and may be written.
    max_levels
        How many levels of folders ids may have and are listed; 1 is the folder itself. None: the maximum,
        100.
    read_only
        Whether to open the folder read-only; it must exist then.
    timeout
        Seconds to wait for other writers.
    record
        Options that are recorded when the folder is first written to, and compared when it is opened:
        ``serializer`` and ``keys``, or ``formats``, a table of both by suffix.

    Raises
    ------
    StoreNotFoundError
        If the folder is only to be read and does not exist.
    MismatchError
        If the folder was made with another `record`.

    Notes
    -----
    Threads and processes: all writers of a folder, unconditional ones included, take turns for the instant of
    the rename, by a lock on the folder itself; readers never wait. After a crash: every id has its old or its
    new data as a whole; leftovers of killed writers are removed when the folder is next opened for writing.
    Cost: one file created, written, stamped and renamed per write; open, fstat, read and close per read.

    The etag is made from the times, the inode and the size of the file. Inodes and times of a coarse clock
    can repeat; so each write gives its file a modification time of its own, to the nanosecond, before it is
    renamed. Two files that exist at once differ in their inode, all others in that time.

    Examples
    --------
    >>> persister = FilesPersister(None)
    >>> persister["a/b.txt"] = b"hello"
    >>> persister["a/b.txt"], list(persister)
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
        durability: Durability = "process",
        guard: bool | Callable[[str], bool] = False,
        hidden: bool = True,
        max_levels: int | None = None,
        read_only: bool = False,
        timeout: float = TIMEOUT,
        record: dict[str, Any] | None = None,
    ) -> None:
        require_posix("folders")
        if path is None and read_only:
            raise InvalidArgumentError("read_only needs the path of a folder that exists")
        given = None if path is None else checked_path(path, "folder")
        absolute = None if given is None else os.path.abspath(fs_path(given))
        self.timeout = check_timeout(timeout)
        self.record = dict(record or {})
        self._names = map(str, itertools.count())  # of unfinished files; next() is atomic
        self._uid = os.geteuid()
        self._set_options(durability, guard=guard, hidden=hidden, max_levels=max_levels, read_only=read_only)
        # Others must not be able to replace files whose loading can run code, whatever the umask.
        self._folder = Folder(
            absolute, mode=0o775 if guard else 0o777, sync=self._power, timeout=self.timeout
        )
        self._compose()
        if absolute is not None:
            self._open_existing(absolute)

    def _set_options(
        self,
        durability: str,
        *,
        guard: bool | Callable[[str], bool],
        hidden: bool,
        max_levels: int | None,
        read_only: bool,
    ) -> None:
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        if max_levels is not None and (type(max_levels) is not int or max_levels < 1):
            raise InvalidArgumentError(f"max_levels must be 1 or more, or None, got {max_levels!r}")
        self.durability = durability
        self.guard = guard
        self.hidden = hidden
        self.max_levels = max_levels
        self._levels = _DEEPEST if max_levels is None else min(max_levels, _DEEPEST)
        self.read_only = read_only
        self._power = durability == "power"
        self._sure = -1  # number of the open folder in which only the file itself needs a trust check
        # Files whose loading can run code must not be writable for others, whatever the umask.
        self._mode = 0o664 if guard else 0o666
        if read_only:
            self.capabilities = self.capabilities - {
                Capability.WRITABLE,
                Capability.CAS_THREADS,
                Capability.CAS_HOST,
            }

    def sibling(
        self,
        *,
        durability: Durability = "process",
        guard: bool | Callable[[str], bool] = False,
        hidden: bool = True,
        max_levels: int | None = None,
    ) -> Self:
        """Return a handle of the same folder with options of its own.

        It shares descriptors, lock, workspace and metadata with this one; closing either closes both, until
        the next use. Parameters are those of the class.
        """
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        other._set_options(  # noqa: SLF001  (same class)
            durability, guard=guard, hidden=hidden, max_levels=max_levels, read_only=self.read_only
        )
        other._compose()  # noqa: SLF001  (same class)
        return other

    def _compose(self) -> None:
        """Make the parts that work on the folder."""
        self._finder = Finder(self._folder, hidden=self.hidden, levels=self._levels)
        self._listing = Listing(self._folder, hidden=self.hidden, levels=self._levels)
        self._publisher = Publisher(self._folder, self._finder, sync=self._power)

    def _open_existing(self, path: str) -> None:
        try:
            found = self._folder.open()
        except OSError as error:
            raise translate(error, "the folder cannot be opened", path) from error
        if found is not None:
            try:
                checked_record(found, self.record, path)
            except BaseException:
                self._folder.close()
                raise
            if not self.read_only:
                self._folder.sweep(found)
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
            "timeout": self.timeout,
            "record": self.record,
        }

    # ------------------------------------------------------------------ facts about the folder

    @property
    def path(self) -> str:
        """The folder, absolute."""
        return self._folder.path

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return True

    @property
    def place(self) -> str:  # docstring inherited
        return self._folder.place

    def location_of(self, id: str) -> str:  # docstring inherited
        return os.path.join(self.path, fs_name(id)) if self._folder.known else self.place

    @property
    def lock_file(self) -> str | None:
        """The file in the control folder of which processes lock bytes while they compute an item."""
        if self.read_only:
            return None
        use = self._prepare()
        with translating("the folder cannot be written to", self.path):
            return use.control_file("computing.lock")

    @property
    def owned(self) -> bool:  # docstring inherited
        # Checked each time: since the folder was opened, others may have made it or stored files there.
        use = self._folder.open()
        if use is None:
            return True
        record = checked_record(use, self.record, self.path)
        if record is None:
            alone = set(os.listdir(use.root)) <= {CONTROL}
            record = checked_record(use, self.record, self.path)  # another handle may just have made it
        return alone if record is None else bool(record.get("owned"))

    def _prepare(self, what: str = "the folder cannot be written to") -> Opened:
        """Prepare a write: the workspace, and the metadata of a new folder."""
        if self.read_only:
            raise ReadOnlyError(f"{self.path} was opened with read_only=True")
        folder = self._folder
        try:
            with translating(what, self.path), folder.mutex:
                use = folder.prepare()
                try:
                    use.lock.acquire()
                    record_options(use, self.record, self.path, sync=self._power)
                finally:
                    use.lock.release()
        except BaseException:
            folder.close()  # otherwise the next write would skip the metadata
            raise
        self._publisher.attributes.forget()
        if not use.fine_mtime:
            self.capabilities -= {Capability.CAS_THREADS, Capability.CAS_HOST}
        return use

    # ------------------------------------------------------------------ reading

    def _open(self, id: str) -> tuple[int, os.stat_result]:
        """Open the file of an id, check that it may be read, and return its descriptor and status."""
        use = self._folder.opened
        doubts: list[str] = []
        fd = -1
        try:
            try:
                if "/" in id or id[:1] == ".":
                    fd = self._finder.open(id, doubts)
                else:  # by the path, as in fetch()
                    [fd] = map(os_open, (f"{use.prefix}{id}",), _READ)
            except (OSError, ValueError, TypeError) as error:
                fd = self._retry(id, error, use, doubts)
            stat = os_fstat(fd)
            if (
                stat.st_mode & KIND_AND_OTHERS != REGULAR
                or stat.st_uid != self._uid
                or self._folder.opened.number != self._sure
                or doubts
            ):
                self._inspect(id, fd, stat, doubts)
        except BaseException:
            if fd >= 0:
                os_close(fd)
            raise
        return fd, stat

    def _retry(self, id: Any, error: Exception, use: Opened, doubts: list[str]) -> int:
        """Find out what an error of the fast path means, by the slow one."""
        if isinstance(error, HoldallError):
            raise error
        if type(error) is FileNotFoundError and (use.exists() if "/" in id else use.leads_somewhere()):
            raise KeyError(id) from None
        return self._finder.open(id, doubts)

    def _inspect(self, id: str, fd: int, stat: os.stat_result, doubts: list[str]) -> None:
        """Raise for anything but files, and for files that others could have written, if that matters."""
        if stat.st_mode & KIND != REGULAR:
            raise KeyError(id)
        use = self._folder.open()
        if use is None:  # the folder was deleted meanwhile
            raise KeyError(id)
        around = use.doubts() if self.guard else []
        if not around:
            self._sure = use.number
        if not (self.guard(id) if callable(self.guard) else self.guard):
            return
        why = trust.doubt_about(stat, fd, self._uid)
        for doubt in (*around, *doubts):
            why = why or (trust.doubt_about_name(stat) if doubt is SHARED else doubt)
        if why:
            trust.refuse(repr(id), why, self.path)

    def __getitem__(self, id: str) -> bytes:
        return self.fetch(id, _WHOLE)  # type: ignore[no-any-return]

    @property
    def getter(self) -> Unary:  # docstring inherited
        return partial(self.fetch, limit=_WHOLE)

    def fetch(self, id: str, limit: int) -> Any:  # docstring inherited
        # _open() is inlined here: a call and a tuple less is a tenth of a small read.
        use = self._folder.opened
        doubts: list[str] | None = None
        fd = -1
        try:
            try:
                if "/" in id or id[:1] == ".":
                    doubts = [] if self.guard else None
                    names = id.split("/")
                    usual = 1 < len(names) <= self._levels and RESERVED.isdisjoint(names)
                    if usual and (self.hidden or not (id[0] == "." or "/." in id)):
                        fd = use.open_file(names, READ, doubts)
                    else:
                        fd = self._finder.open(id, doubts)
                else:
                    # By the path: this notices another folder at the path, for 4 % of a small read.
                    [fd] = map(os_open, (f"{use.prefix}{id}",), _READ)
            except (OSError, ValueError, TypeError) as error:
                doubts = []
                fd = self._retry(id, error, use, doubts)
            stat = os_fstat(fd)
            if (
                stat.st_mode & KIND_AND_OTHERS != REGULAR
                or stat.st_uid != self._uid
                or use.number != self._sure
                or doubts
            ):
                self._inspect(id, fd, stat, doubts or [])
            size = stat.st_size
            if size > limit:
                [file] = map(FileIO, (fd,))  # no interrupt comes before the next step
                fd = -1
                return file
            # One byte more than expected: a shorter result is the end of the file.
            data = os_read(fd, size + 1)
            return data if len(data) == size else read_rest(fd, data, size)
        except OSError as error:
            if isinstance(error, HoldallError):
                raise
            raise translate(error, f"{id!r} cannot be read", self.place) from error
        finally:
            if fd >= 0:
                os_close(fd)

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        fd, before = self._open(id)
        try:
            with translating(f"{id!r} cannot be read", self.place):
                while True:
                    size = before.st_size
                    data = os_read(fd, size + 1)
                    if len(data) != size:
                        data = read_rest(fd, data, size)
                    after = os_fstat(fd)
                    if data and not size and not after.st_size:  # as all files of /proc and /sys
                        return data, Stat(etag_of(after), after.st_mtime, len(data))
                    if (
                        after.st_mtime_ns == before.st_mtime_ns
                        and after.st_ctime_ns == before.st_ctime_ns
                        and after.st_size == size == len(data)
                    ):
                        return data, stat_of(after)
                    os.lseek(fd, 0, os.SEEK_SET)  # written in place by another program
                    before = after
        finally:
            os_close(fd)

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        return io.open(self._open(id)[0], "rb")  # noqa: UP020  (the builtin is missing when a process ends)

    def stat(self, id: str) -> Stat:  # docstring inherited
        return stat_of(self._lstat(id))

    def _lstat(self, id: str) -> os.stat_result:
        stat: os.stat_result = self._finder.find(id, lstat)
        if stat.st_mode & KIND != REGULAR:
            raise KeyError(id)
        return stat

    def __contains__(self, id: object) -> bool:
        use = self._folder.opened
        try:
            if "/" not in id and id[:1] != ".":  # type: ignore[operator,index]
                return os_lstat(f"{use.prefix}{id}").st_mode & KIND == REGULAR
        except FileNotFoundError:
            if use.leads_somewhere():
                return False
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
        return ((id, stat_of(stat)) for id, stat in self._listing.stats(prefix))

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        return self._listing.pages(prefix)

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[str]:  # docstring inherited
        return self._listing.peek(prefix, limit, seconds)

    # ------------------------------------------------------------------ writing

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
                    [fd] = map(partial(os_open, dir_fd=use.workspace), (name,), _CREATE, (self._mode,))
                except OSError as error:
                    use = self._ready_again(error, id)
                    [fd] = opening(name, CREATE, self._mode, use.workspace)
                if type(data) is not bytes or os_write(fd, data) != len(data):
                    write_all(fd, data)
                stamp = time_ns()
                if mtime is not None:
                    stamp = _dated(mtime, stamp)
                utime(fd, ns=(stamp, stamp))  # see Notes of the class
                if self._power:
                    os.fsync(fd)
                # Forgotten first: the descriptor is free even if closing raises, as network file systems may.
                closing_it, fd = map(os_close, (fd,)), -1
                [_] = closing_it
                return self._publisher.publish(use, name, id, expected, self.require, wanted=wanted)
            except BaseException:
                try:
                    if fd >= 0:
                        os_close(fd)
                finally:
                    self._publisher.discard(name, use)
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
                self._publisher.publish(use, name, id, ANY_ETAG, self.require, linked=True)
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

    def _write_error(self, error: Exception, id: Any) -> Exception:
        if isinstance(error, HoldallError):
            return error
        if not isinstance(error, OSError):
            return InvalidKeyError(f"{shown(id)} cannot be the name of a file: {error}")
        if not RESERVED.isdisjoint(id.split("/")):
            return InvalidKeyError(f"{shown(id)} cannot be the name of a file in {self.place}")
        if error.errno == errno.ENAMETOOLONG:
            return InvalidKeyError(f"{shown(id)} is too long for the name of a file below {self.place}")
        if error.errno == errno.ENOTDIR and "/" in id:
            why = "one of its folders is a file; stores with a suffix, as suffix='.txt', can have both"
            return StoreUnavailableError(error.errno, f"{id!r} cannot be written: {why}", self.place)
        return translate(error, f"{id!r} cannot be written", self.place)

    def _require_versions(self) -> None:
        use = self._folder.opened
        if use.workspace < 0:
            use = self._prepare()
        if not use.fine_mtime:
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
                self._publisher.publish(use, name, id, ANY_ETAG, self.require)
            except BaseException:
                self._publisher.discard(name, use)
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
                    if expected is not ANY_ETAG:
                        self.require(id, expected)
                    self._finder.find(id, self._publisher.unlink, use=use)
                    if "/" in id:
                        self._publisher.prune(use, id.split("/")[:-1])
                finally:
                    use.lock.release()
        except OSError as error:
            if isinstance(error, HoldallError):
                raise
            raise translate(error, f"{shown(id)} cannot be deleted", self.place) from error

    def close(self) -> None:  # docstring inherited
        self._folder.close()

    def file_of(self, id: str) -> str | None:
        """Return the path of the file with the data of an id, and nothing else; None if it is absent.

        Parameters
        ----------
        id
            The id to look for.
        """
        return os.path.join(self.path, fs_name(id)) if id in self else None


def _reopen(cls: type[FilesPersister], path: str, options: dict[str, Any]) -> FilesPersister:
    return cls(path, **options)


def _dated(mtime: float, now: int) -> int:
    """Return a time to the millisecond, with unique digits below, as a version must not repeat."""
    return now if math.isnan(mtime) else round(mtime * 1000) * 10**6 + now % 10**6
