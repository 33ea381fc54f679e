"""A file an id, below one folder: atomic, linearizable among processes, and nothing but the data."""

import os
from typing import Any

from holdall._posix.control import CONTROL
from holdall._posix.flags import BELOW
from holdall._posix.names import fs_name, fs_path
from holdall.abc import Capability
from holdall.persisters.files._record import overlapping, read_record
from holdall.persisters.files._writing import FilesWriting

__all__ = ["FilesPersister", "overlapping", "recorded"]


class FilesPersister(FilesWriting):
    """A folder as a place: ids are paths of files below it.

    Parameters
    ----------
    path
        The folder. None for a private temporary one (mode 0700), made by the first write.
    durability
        ``"process"``: a returned write survives the death of the process. ``"power"``: also a power
        cut (file and folder are synced).
    guard
        Whether to refuse data that somebody else could have written (`UntrustedStoreError`); or a
        function that tells for which ids.
    hidden
        Whether names with a leading dot are listed, and may be written.
    max_levels
        How many levels of folders ids may have and are listed; 1 is the folder itself. None: 100, the most.
    read_only
        Whether to open the folder for reading only; it must exist then.
    timeout
        Seconds to wait for other writers.
    record
        Options that are recorded when the folder is first written to, and compared when it is opened:
        ``serializer`` and ``keys``, or ``formats``, a table of both by suffix.

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

    def file_of(self, id: str) -> str | None:
        """Return the path of the file in which the data of an id lie, and nothing else; None if it is absent.

        Parameters
        ----------
        id
            The id to look for.
        """
        return os.path.join(self.path, fs_name(id)) if id in self else None


def recorded(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return with what a folder was made, by option; nothing where there is no record of it.

    Parameters
    ----------
    path
        The folder, which need not exist.
    """
    try:
        control = os.open(os.path.join(fs_path(os.fspath(path)), CONTROL), BELOW)
    except (OSError, ValueError, TypeError):
        return {}
    try:
        record = read_record(control, os.fspath(path))
    finally:
        os.close(control)
    return record or {}
