"""Modules, packages and their arrays on disk: written beside the old ones, then replaced at once.

An import sees the old archive or the new one, never a part. The arrays of an archive are never overwritten: a
new archive has new files, so that values mapped from the old ones stay; the files of the archive before the
last are removed.
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

from holdall._posix.descriptors import opening
from holdall.archive._files import is_unfinished, remove_path, replace_file, translating, unfinished_path
from holdall.archive.array_files import EXTENSIONS, holds_arrays, write_arrays
from holdall.errors import InvalidArgumentError

fcntl: Any
try:
    import fcntl
except ImportError:  # without it, there must be one writer at a time
    fcntl = None

__all__ = ["Paths", "backup", "check_target", "locked", "publish"]


class Paths(NamedTuple):
    """The paths of an archive.

    Attributes
    ----------
    folder
        The folder of its files: that of the package, or the one with the module.
    source
        The name of its file of source in the folder.
    arrays
        The name of its arrays in the folder, without extension.
    root
        The folder that is locked by writers: the one with the package or module.
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
    def of(cls, directory: str, name: str, arrays_name: str, *, package: bool) -> "Paths":
        """Return the paths of a package or module."""
        if package:
            return cls(os.path.join(directory, name), "__init__.py", arrays_name, directory)
        return cls(directory, f"{name}.py", f"{name}{arrays_name}", directory)


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Exclude other writers in a folder; the lock ends with its process."""
    if fcntl is None:
        yield
        return
    fd = -1
    try:
        [fd] = opening(folder, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        if fd >= 0:
            os.close(fd)


def publish(
    paths: Paths, source: Any, arrays: Mapping[str, Any], data_format: str, *, keep_backup: bool = False
) -> None:
    """Write an archive and publish it at once.

    Parameters
    ----------
    paths
        Its paths.
    source
        From the name of the arrays' file or folder to the text.
    arrays
        Name -> array.
    data_format
        ``npy``, ``npz`` or ``hdf5``.
    keep_backup
        Whether replaced files are kept, with names that end in ``.bak``.

    Raises
    ------
    StoreUnavailableError, StoreFullError
        If it cannot be written. Existing files are untouched.
    """
    with translating(paths.path, "the archive cannot be written"):
        os.makedirs(paths.root, exist_ok=True)
        with locked(paths.root):
            _sweep(paths)
            if not os.path.isdir(paths.folder):
                _publish_new(paths, source, arrays, data_format)
            else:
                _publish_over(paths, source, arrays, data_format, keep_backup=keep_backup)
    importlib.invalidate_caches()


def _publish_new(paths: Paths, source: Any, arrays: Mapping[str, Any], data_format: str) -> None:
    """Make the folder of a package under another name, and rename it."""
    unfinished = unfinished_path(paths.folder)
    os.mkdir(unfinished)
    try:
        name = paths.arrays + EXTENSIONS[data_format]
        write_arrays(os.path.join(unfinished, name), arrays, data_format)
        path = os.path.join(unfinished, paths.source)
        replace_file(path, source(name).encode(), _newer(paths.path))
        os.rename(unfinished, paths.folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _publish_over(
    paths: Paths, source: Any, arrays: Mapping[str, Any], data_format: str, *, keep_backup: bool
) -> None:
    """Write arrays under a new name, then replace the source, and remove unused files."""
    old = _arrays_of(paths)
    name = _unused(paths, EXTENSIONS[data_format])
    path = os.path.join(paths.folder, name)
    try:
        write_arrays(path, arrays, data_format)
        if keep_backup:
            _back_up(paths, old, name if arrays else None)
        replace_file(paths.path, source(name).encode(), _newer(paths.path))
    except BaseException:
        remove_path(path)
        raise
    for other in _generations(paths):
        unused = os.path.join(paths.folder, other)  # or a package of that name
        if other not in {name, old} and (not os.path.isdir(unused) or holds_arrays(unused)):
            remove_path(unused)


def _generations(paths: Paths) -> list[str]:
    """Return the names of all arrays of an archive, old and new."""
    pattern = re.compile(re.escape(paths.arrays) + r"(_\d+)?(\.npz|\.hd5)?")
    return [name for name in os.listdir(paths.folder) if pattern.fullmatch(name)]


def _unused(paths: Paths, extension: str) -> str:
    """Return an unused name for arrays."""
    taken = {name.partition(".")[0] for name in _generations(paths)}
    name, number = paths.arrays, 0
    while name in taken:
        number += 1
        name = f"{paths.arrays}_{number}"
    return name + extension


def _arrays_of(paths: Paths) -> str | None:
    """Return the name of the arrays that the published archive refers to."""
    try:
        with open(paths.path, encoding="utf-8", errors="replace") as file:
            found = re.search(r"= _Arrays\(\s*'([^'\n]*)'", file.read())
    except OSError:
        return None
    return found[1] if found else None


def _sweep(paths: Paths) -> None:
    """Remove what killed writers left: their lock is held by us now."""
    for path in (paths.folder, paths.path):
        folder, name = os.path.split(path)
        for other in os.listdir(folder) if os.path.isdir(folder) else ():
            if is_unfinished(other, name):
                remove_path(os.path.join(folder, other))


def _newer(path: str) -> int:
    """Return a time for a file of source, in nanoseconds, that no byte code of an older one has."""
    return max(time.time_ns(), (_last_second(path) + 1) * 10**9)


def _last_second(path: str) -> int:
    """Return the last second that byte code may have recorded as the time of a file of source."""
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
    """Move a file or folder to ``path.bak`` or ``path_1.bak`` and so on, during the context.

    Parameters
    ----------
    path
        The file or folder to be replaced. If it does not exist, nothing happens.
    keep
        Whether it is kept after a context without an error; it is always kept after one.

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


def _back_up(paths: Paths, old: str | None, new: str | None) -> None:
    """Keep files that are about to be replaced, under names that end in ``.bak``."""
    if os.path.exists(paths.path):
        shutil.copy2(paths.path, _backup_name(paths.path))
    if old is None:
        return
    path = os.path.join(paths.folder, old)
    if os.path.isfile(path):
        shutil.copy2(path, _backup_name(path))
    elif os.path.isdir(path) and new is not None:
        for name in os.listdir(path):
            shutil.copy2(os.path.join(path, name), _backup_name(os.path.join(paths.folder, new, name)))


def check_target(paths: Paths, directory: str, *, package: bool, force: bool) -> None:
    """Raise `InvalidArgumentError` if the path of an archive is occupied."""
    if os.path.exists(directory) and not os.path.isdir(directory):
        raise InvalidArgumentError(f"File dirname={directory} exists and is not a directory.")
    if force:
        return
    if package and os.path.exists(paths.folder) and not os.path.isdir(paths.folder):
        raise InvalidArgumentError(f"File dirname/name={paths.folder} exists and is not a directory.")
    arrays = [os.path.join(paths.folder, paths.arrays + end) for end in EXTENSIONS.values()]
    for path in (paths.path, *arrays):
        if os.path.lexists(path):
            raise InvalidArgumentError(f"File {path} exists and force=False.")
