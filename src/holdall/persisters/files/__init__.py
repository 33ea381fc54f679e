"""A persister over a folder, with one file per id: atomic, linearizable among processes, only the data."""

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

    def file_of(self, id: str) -> str | None:
        """Return the path of the file with the data of an id, and nothing else; None if it is absent.

        Parameters
        ----------
        id
            The id to look for.
        """
        return os.path.join(self.path, fs_name(id)) if id in self else None


def recorded(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the options that a folder was made with; none if they were not recorded.

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
