"""Listing the files below a folder."""

import os
from collections.abc import Iterator
from time import monotonic

from holdall._posix.control import CONTROL
from holdall._posix.errors import ABSENT, translate, translating
from holdall._posix.folder import Folder
from holdall._posix.names import UTF8, fs_name, text_of
from holdall.errors import InvalidKeyError

__all__ = ["Listing"]


class Listing:
    """The files below a folder, listed folder by folder, without links and other entries.

    Parameters
    ----------
    folder
        The folder.
    hidden
        Whether to list names with a leading dot.
    levels
        How many levels of folders to list.
    """

    def __init__(self, folder: Folder, *, hidden: bool, levels: int) -> None:
        self._folder = folder
        self._hidden = hidden
        self._levels = levels

    def pages(self, prefix: str) -> Iterator[list[str]]:
        """Yield the ids that start with a text, one list per folder."""
        for start, files in self._walk(prefix):
            names = [entry.name for entry in files]
            if not UTF8:
                names = list(map(text_of, names))
            if names:
                yield [start + name for name in names] if start else names

    def peek(self, prefix: str, limit: int, seconds: float) -> list[str]:
        """Return some of the ids that start with a text, as many as are found in time."""
        until = monotonic() + seconds
        found: list[str] = []
        for start, files in self._walk(prefix):
            for entry in files:
                found.append(start + text_of(entry.name))
                if len(found) >= limit or monotonic() > until:
                    return found
        return found

    def stats(self, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the ids that start with a text and the system's stat of their files, one by one."""
        for start, files in self._walk(prefix):
            for entry in files:
                try:
                    stat = entry.stat(follow_symlinks=False)
                except OSError as error:
                    if error.errno in ABSENT:  # deleted meanwhile
                        continue
                    raise translate(error, f"{entry.name!r} cannot be read", self._folder.place) from error
                yield start + text_of(entry.name), stat

    def _walk(self, prefix: str) -> Iterator[tuple[str, Iterator[os.DirEntry[str]]]]:
        """Yield the start of the ids of each folder with its files, to be taken before the next folder."""
        with translating("the folder cannot be listed", self._folder.place):
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
                    raise translate(error, f"{folder!r} cannot be listed", self._folder.place) from error
                continue
            except InvalidKeyError:
                continue
            folders: list[str] = []
            start = folder + "/" if folder else ""
            try:
                yield start, self._files(fd, folder, rest if folder == top else "", folders)
            finally:
                os.close(fd)
            if len(names) + 1 < self._levels:
                waiting += [start + text_of(name) for name in folders]

    def _files(self, fd: int, folder: str, start: str, folders: list[str]) -> Iterator[os.DirEntry[str]]:
        """Yield the files of one folder whose names start with a text, and collect its folders."""
        start = fs_name(start)
        with translating(f"{folder!r} cannot be listed", self._folder.place), os.scandir(fd) as listing:
            for entry in listing:
                name = entry.name
                if (start and not name.startswith(start)) or (name[0] == "." and not self._hidden):
                    continue
                if entry.is_file(follow_symlinks=False):
                    yield entry
                elif entry.is_dir(follow_symlinks=False) and name != CONTROL:
                    folders.append(name)
