"""The disk of a LMDB database: whether it is of this machine, may be written, and has room for locks."""

import os
from typing import Final

from holdall._posix.descriptors import opening
from holdall._posix.errors import FULL, translate
from holdall.errors import UnsupportedError

__all__ = ["file_system_of", "may_lock", "refuse_remote", "reserve"]

_REMOTE: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs", "lustre"}
)


def may_lock(path: str) -> bool:
    """Return whether a reader may write the lock file; on read-only media there are no writers."""
    return os.access(path, os.W_OK)


def reserve(path: str, mode: int, readers: int) -> None:
    """Have room for the lock file on the disk: a process that finds none when it writes there is killed."""
    name = os.path.join(path, "lock.mdb")
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        fd = -1
        try:
            [fd] = opening(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
            os.posix_fallocate(fd, 0, os.fstat(fd).st_size or 64 * (readers + 16))  # or more than LMDB takes
        finally:
            if fd >= 0:
                os.close(fd)
    except OSError as error:
        if error.errno in FULL:
            raise translate(error, "the LMDB database cannot be opened", name) from error
        # Whatever else is wrong LMDB tells, and some file systems reserve no room.


def refuse_remote(path: str) -> None:
    """Raise for file systems of other machines, where LMDB's locks and shared memory do not work."""
    name = file_system_of(path)
    if name is not None:
        raise UnsupportedError(
            f"{path} lies on {name}: LMDB shares memory among processes, which needs a disk of this machine",
        )


def file_system_of(path: str) -> str | None:
    """Return the name of the remote file system of a path; None for all others."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            found = [line.split() for line in mounts]
    except OSError:
        return None
    where = os.path.realpath(path)
    best, kind = "", None
    for fields in found:
        point = fields[4].encode().decode("unicode_escape")
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[fields.index("-") + 1]
    return kind if kind in _REMOTE else None
