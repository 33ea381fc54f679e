"""Reading and listing files."""

import heapq
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import FileIO
from operator import itemgetter
from os import close as os_close
from os import fstat as os_fstat
from os import lstat as os_lstat
from os import read as os_read
from typing import Any, BinaryIO

from holdall._posix import trust
from holdall._posix.control import CONTROL
from holdall._posix.errors import ABSENT, translate, translating
from holdall._posix.flags import READ
from holdall._posix.folder import RESERVED, SHARED, Opened
from holdall._posix.names import UTF8, fs_name, text_of
from holdall.abc import Unary
from holdall.conditional import Stat
from holdall.errors import HoldallError, InvalidKeyError
from holdall.persisters.files._place import FilesPlace
from holdall.persisters.files._system import (
    KIND,
    KIND_AND_OTHERS,
    REGULAR,
    etag_of,
    lstat,
    open_for_reading,
    os_open,
    read_rest,
    stat_of,
)

_WHOLE = 1 << 62  # bytes: data of any size
# How the entries that begin with a text are taken from a listing.
_Take = Callable[[Iterable["os.DirEntry[str]"], str], list["os.DirEntry[str]"]]


class FilesReading(FilesPlace):
    """The part of `FilesPersister` for reading."""

    def _open(self, id: str) -> int:
        """Open the file of an id, and check that it may be read."""
        doubts: list[str] = []
        fd = self._open_found(id, doubts)
        try:
            self._inspect(id, fd, os.fstat(fd), doubts)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _retry(self, id: Any, error: Exception, use: Opened, doubts: list[str]) -> int:
        """Find out what an error of the fast path means, by the slow one."""
        if isinstance(error, HoldallError):
            raise error
        if type(error) is FileNotFoundError and use.exists():
            raise KeyError(id) from None
        return self._open_found(id, doubts)

    def _open_found(self, id: Any, doubts: list[str] | None) -> int:
        """Open the file of an id, in whatever folder."""
        opened: list[int] = []
        try:
            self._find(id, partial(open_for_reading, opened), doubts)
            (fd,) = opened
        except BaseException:
            for fd in opened:
                os_close(fd)
            raise
        return fd

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
        try:
            if "/" in id or id[:1] == ".":
                doubts = [] if self.guard else None
                names = id.split("/")
                usual = 1 < len(names) <= self._levels and RESERVED.isdisjoint(names)
                if usual and (self.hidden or not (id[0] == "." or "/." in id)):
                    fd = use.open_file(names, READ, doubts)
                else:
                    fd = self._open_found(id, doubts)
            else:
                # By the path: this notices another folder at the path, for 4 % of a small read.
                fd = os_open(f"{use.prefix}{id}", READ)
        except (OSError, ValueError, TypeError) as error:
            doubts = []
            fd = self._retry(id, error, use, doubts)
        try:
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
                file, fd = FileIO(fd, "rb"), -1
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
        fd = self._open(id)
        try:
            with translating(f"{id!r} cannot be read", self.place):
                before = os_fstat(fd)
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
        return io.open(self._open(id), "rb")  # noqa: UP020  (the builtin is missing when a process ends)

    def stat(self, id: str) -> Stat:  # docstring inherited
        return stat_of(self._lstat(id))

    def _lstat(self, id: str) -> os.stat_result:
        stat: os.stat_result = self._find(id, lstat)
        if stat.st_mode & KIND != REGULAR:
            raise KeyError(id)
        return stat

    def __contains__(self, id: object) -> bool:
        use = self._folder.opened
        try:
            if "/" not in id and id[:1] != ".":  # type: ignore[operator,index]
                return os_lstat(f"{use.prefix}{id}").st_mode & KIND == REGULAR
        except FileNotFoundError:
            if use.exists():
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
        for id in self.ids(prefix):
            try:
                yield id, self.stat(id)
            except KeyError:
                continue

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        return self._walk(prefix, _all)

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[str]:  # docstring inherited
        if limit is None:
            return super().by_age(prefix, newest=newest)
        wanted = limit
        pick = heapq.nlargest if newest else heapq.nsmallest

        def some(listing: Iterable[os.DirEntry[str]], start: str) -> list[os.DirEntry[str]]:
            # One folder may have more names than fit into memory; nothing is deleted during this iteration.
            folders: list[os.DirEntry[str]] = []

            def dated() -> Iterator[tuple[float, int, os.DirEntry[str]]]:
                for number, entry in enumerate(listing):
                    if not entry.name.startswith(start) or (entry.name[0] == "." and not self.hidden):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry)
                    elif entry.is_file(follow_symlinks=False):
                        try:
                            yield entry.stat(follow_symlinks=False).st_mtime, -number, entry
                        except OSError as error:
                            if error.errno in ABSENT:
                                continue
                            raise translate(error, f"{entry.name!r} cannot be read", self.place) from error

            found = pick(wanted, dated(), key=itemgetter(0, 1))
            found.sort(key=itemgetter(1), reverse=True)  # in the order of the listing
            return folders + [entry for _, _, entry in found]

        def times() -> Iterator[tuple[float, int, str]]:
            number = 0
            for page in self._walk(prefix, some):
                for id in page:
                    number -= 1
                    try:
                        yield self.stat(id).mtime, number, id
                    except KeyError:
                        continue

        return (id for _, _, id in pick(wanted, times(), key=itemgetter(0, 1)))

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[str]:  # docstring inherited
        until = time.monotonic() + seconds

        def some(listing: Iterable[os.DirEntry[str]], start: str) -> list[os.DirEntry[str]]:
            entries: list[os.DirEntry[str]] = []
            for entry in listing:
                if entry.name.startswith(start):
                    entries.append(entry)
                if len(entries) >= limit or time.monotonic() > until:
                    break
            return entries

        found: list[str] = []
        for page in self._walk(prefix, some):
            found += page[: limit - len(found)]
            if len(found) >= limit or time.monotonic() > until:
                break
        return found

    def _walk(self, prefix: str, take: _Take) -> Iterator[list[str]]:
        """Yield the files by folder; enter only folders that can contain the prefix."""
        with translating("the folder cannot be listed", self.place):
            use = self._folder.open()
        if use is None:
            return
        top, _, rest = prefix.rpartition("/")
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            names = folder.split("/") if folder else []
            try:
                fd = use.enter(names)
            except OSError as error:
                if error.errno not in ABSENT:
                    raise translate(error, f"{folder!r} cannot be listed", self.place) from error
                continue
            except InvalidKeyError:
                continue
            try:
                with translating(f"{folder!r} cannot be listed", self.place):
                    files, folders = self._entries(fd, rest if folder == top else "", take)
            finally:
                os.close(fd)
            start = folder + "/" if folder else ""
            if files:
                yield [start + name for name in files] if start else files
            if len(names) + 1 < self._levels:
                waiting += [start + name for name in folders]

    def _entries(self, fd: int, start: str, take: _Take) -> tuple[list[str], list[str]]:
        """Return the names of files and folders, without links and everything else."""
        with os.scandir(fd) as listing:
            entries = take(listing, fs_name(start))
        files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        folders: list[str] = []
        if len(files) < len(entries):
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            folders = [name for name in folders if name != CONTROL]
        if not self.hidden:
            files = [name for name in files if name[0] != "."]
            folders = [name for name in folders if name[0] != "."]
        if not UTF8:
            return [text_of(name) for name in files], [text_of(name) for name in folders]
        return files, folders


def _all(listing: Iterable[os.DirEntry[str]], start: str) -> list[os.DirEntry[str]]:
    """Return all entries that begin with a text, at once: files may be deleted during iteration."""
    return [entry for entry in listing if entry.name.startswith(start)] if start else list(listing)
