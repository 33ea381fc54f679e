"""System calls of the file persister: flags of files, and functions over descriptors."""

import os
from functools import partial
from typing import Any

from holdall._posix.flags import READ
from holdall._posix.names import naming
from holdall.conditional import Stat

KIND, REGULAR = 0o170000, 0o100000
KIND_AND_OTHERS = KIND | 0o022  # write bits of group and others
_CHUNK = 1 << 30  # one read or write on Linux takes a little less than 2 GiB
_FIRST_CHUNK = 1 << 16  # of a file without a size, as those of /proc

#: System calls that take names as text.
os_open = naming(os.open)
os_stat = naming(os.stat)
os_rename = naming(os.rename)
os_unlink = naming(os.unlink)
os_rmdir = naming(os.rmdir)


def etag_of(stat: os.stat_result) -> str:
    """Return the etag of a file; see the Notes of `FilesPersister`."""
    return f"{stat.st_mtime_ns:x}-{stat.st_ctime_ns:x}-{stat.st_ino:x}-{stat.st_size:x}"


def stat_of(stat: os.stat_result) -> Stat:
    """Return the stat of a file."""
    return Stat(etag_of(stat), stat.st_mtime, stat.st_size)


def lstat(name: str, fd: int) -> os.stat_result:
    """Return the status of a name in a folder, of a link itself too."""
    return os_stat(name, dir_fd=fd, follow_symlinks=False)


def open_for_reading(opened: list[int], name: str, fd: int) -> None:
    """Open a file in a folder, but no link; the caller closes the appended descriptor."""
    opened.extend(map(partial(os_open, dir_fd=fd), (name,), (READ,)))  # one C call: no interrupt loses it


def read_rest(fd: int, data: bytes, size: int) -> bytes:
    """Read the rest of a file that was longer than its stat, or than one read."""
    pieces = [data]
    # Memory is reserved in advance: the expected size, or a little at first and then more.
    chunk = max(size - len(data) + 1, _FIRST_CHUNK)
    while data:
        data = os.read(fd, min(chunk, _CHUNK))
        pieces.append(data)
        chunk *= 2
    return b"".join(pieces)


def write_all(fd: int, data: Any) -> None:
    """Write pieces to a file from its start."""
    os.lseek(fd, 0, os.SEEK_SET)
    for part in data if type(data) is list else (data,):
        view = memoryview(part).cast("B")
        written = 0
        while written < view.nbytes:
            written += os.write(fd, view[written : written + _CHUNK])
