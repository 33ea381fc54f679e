"""Modules, packages and their arrays on disk: written beside what is there, then put in its place at once.

Whoever imports sees the old archive or the new one, never a half. The arrays of an archive are never
written again: a new archive has new files, so that those who mapped the old ones keep their values; the
files of the archive before the last are removed.
"""

import contextlib
import importlib
import importlib.util
import os
import re
import shutil
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from holdall.archive._files import is_unfinished, remove_path, replace_file, telling, unfinished_path
from holdall.archive.array_files import EXTENSIONS, write_arrays
from holdall.errors import InvalidArgumentError

fcntl: Any
try:
    import fcntl
except ImportError:  # a system without it has one writer at a time
    fcntl = None

__all__ = ["Place", "backup", "check_target", "locked", "publish"]


class Place(NamedTuple):
    """Where an archive is to lie.

    Attributes
    ----------
    folder
        The folder of its files: that of the package, or the one that holds the module.
    source
        The name of its file of source in the folder.
    arrays
        The name of its arrays in the folder, without extension.
    root
        The folder that is locked by writers: the one that holds the package or module.
    """

    folder: str
    source: str
    arrays: str
    root: str

    @property
    def path(self) -> str:
        """The file of source."""
        return os.path.join(self.folder, self.source)

    @classmethod
    def of(cls, directory: str, name: str, arrays_name: str, *, package: bool) -> "Place":
        """Return the place of a package or module."""
        if package:
            return cls(os.path.join(directory, name), "__init__.py", arrays_name, directory)
        return cls(directory, f"{name}.py", f"{name}{arrays_name}", directory)


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Exclude other writers in a folder; the lock dies with its process."""
    if fcntl is None:
        yield
        return
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def publish(
    place: Place, source: Any, arrays: Mapping[str, Any], data_format: str, *, keep_backup: bool = False
) -> None:
    """Write an archive and put it in place at once.

    Parameters
    ----------
    place
        Where.
    source
        Function of the name of the arrays' file or folder that gives the text.
    arrays
        Name -> array.
    data_format
        ``npy``, ``npz`` or ``hdf5``.
    keep_backup
        Whether what is replaced is kept, as files whose names end in ``.bak``.

    Raises
    ------
    StoreUnavailableError, StoreFullError
        If it cannot be written. What was there before is untouched.
    """
    with telling(place.path, "the archive cannot be written"):
        os.makedirs(place.root, exist_ok=True)
        with locked(place.root):
            _sweep(place)
            if not os.path.isdir(place.folder):
                _publish_new(place, source, arrays, data_format)
            else:
                _publish_over(place, source, arrays, data_format, keep_backup=keep_backup)
    importlib.invalidate_caches()


def _publish_new(place: Place, source: Any, arrays: Mapping[str, Any], data_format: str) -> None:
    """Make the folder of a package under another name, and rename it."""
    unfinished = unfinished_path(place.folder)
    os.mkdir(unfinished)
    try:
        name = place.arrays + EXTENSIONS[data_format]
        write_arrays(os.path.join(unfinished, name), arrays, data_format)
        path = os.path.join(unfinished, place.source)
        replace_file(path, source(name).encode(), _newer(place.path))
        os.rename(unfinished, place.folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _publish_over(
    place: Place, source: Any, arrays: Mapping[str, Any], data_format: str, *, keep_backup: bool
) -> None:
    """Write arrays under a new name, then replace the source; what nobody needs any more is removed."""
    old = _arrays_of(place)
    name = _unused(place, EXTENSIONS[data_format])
    path = os.path.join(place.folder, name)
    try:
        write_arrays(path, arrays, data_format)
        if keep_backup:
            _back_up(place, old, name if arrays else None)
        replace_file(place.path, source(name).encode(), _newer(place.path))
    except BaseException:
        remove_path(path)
        raise
    for other in _generations(place):
        if other not in {name, old}:
            remove_path(os.path.join(place.folder, other))


def _generations(place: Place) -> list[str]:
    """Return the names of all arrays of an archive, old and new."""
    pattern = re.compile(re.escape(place.arrays) + r"(_\d+)?(\.npz|\.hd5)?")
    return [name for name in os.listdir(place.folder) if pattern.fullmatch(name)]


def _unused(place: Place, extension: str) -> str:
    """Return a name for arrays that nothing has."""
    taken = {name.partition(".")[0] for name in _generations(place)}
    name, number = place.arrays, 0
    while name in taken:
        number += 1
        name = f"{place.arrays}_{number}"
    return name + extension


def _arrays_of(place: Place) -> str | None:
    """Return the name of the arrays that the archive in place refers to."""
    try:
        with open(place.path, encoding="utf-8", errors="replace") as file:
            found = re.search(r"= _Arrays\(\s*'([^'\n]*)'", file.read())
    except OSError:
        return None
    return found[1] if found else None


def _sweep(place: Place) -> None:
    """Remove what killed writers left: whoever wrote it held the lock that we hold now."""
    for path in (place.folder, place.path):
        folder, name = os.path.split(path)
        for other in os.listdir(folder) if os.path.isdir(folder) else ():
            if is_unfinished(other, name):
                remove_path(os.path.join(folder, other))


def _newer(path: str) -> int:
    """Return a time for a file of source, in nanoseconds, that no byte code of an older one has."""
    return max(time.time_ns(), (_last_second(path) + 1) * 10**9)


def _last_second(path: str) -> int:
    """Return the last second that byte code may take for the time of a file of source."""
    seconds = [-1]
    with contextlib.suppress(OSError):
        seconds.append(int(os.stat(path).st_mtime))
    for level in ("", 1, 2):
        with contextlib.suppress(OSError, NotImplementedError, struct.error):
            with open(importlib.util.cache_from_source(path, optimization=level), "rb") as file:
                flags, second = struct.unpack("<II", file.read(12)[4:])
                if flags == 0:
                    seconds.append(second)
    return max(seconds)


@contextlib.contextmanager
def backup(path: str, *, keep: bool = True) -> Iterator[str | None]:
    """Move a file or folder out of the way, to ``path.bak`` or ``path_1.bak`` and so on.

    Parameters
    ----------
    path
        What is to be replaced. If it is not there, nothing happens.
    keep
        Whether it is kept when the context is left without an error; it is always kept after one.

    Yields
    ------
    str or None
        Its new name.

    Examples
    --------
    >>> from holdall.archive.publish import backup
    >>> with backup("no such file") as name:
    ...     print(name)
    None
    """
    if not os.path.lexists(path):
        yield None
        return
    name = _backup_name(path)
    os.rename(path, name)
    yield name
    if not keep:
        remove_path(name)


def _backup_name(path: str) -> str:
    name, number = f"{path}.bak", 0
    while os.path.lexists(name):
        number += 1
        name = f"{path}_{number}.bak"
    return name


def _back_up(place: Place, old: str | None, new: str | None) -> None:
    """Keep what is about to be replaced under names that end in ``.bak``."""
    if os.path.exists(place.path):
        shutil.copy2(place.path, _backup_name(place.path))
    if old is None:
        return
    path = os.path.join(place.folder, old)
    if os.path.isfile(path):
        shutil.copy2(path, _backup_name(path))
    elif os.path.isdir(path) and new is not None:
        for name in os.listdir(path):
            shutil.copy2(os.path.join(path, name), _backup_name(os.path.join(place.folder, new, name)))


def check_target(place: Place, directory: str, *, package: bool, force: bool) -> None:
    """Raise `InvalidArgumentError` if something is in the way of an archive."""
    if os.path.exists(directory) and not os.path.isdir(directory):
        raise InvalidArgumentError(f"File dirname={directory} exists and is not a directory.")
    if force:
        return
    if package and os.path.exists(place.folder) and not os.path.isdir(place.folder):
        raise InvalidArgumentError(f"File dirname/name={place.folder} exists and is not a directory.")
    arrays = [os.path.join(place.folder, place.arrays + end) for end in EXTENSIONS.values()]
    for path in (place.path, *arrays):
        if os.path.lexists(path):
            raise InvalidArgumentError(f"File {path} exists and force=False.")
