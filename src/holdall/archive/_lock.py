"""The lock of the writers of a data set."""

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from holdall._posix.system import require_posix
from holdall.archive._files import is_unfinished
from holdall.errors import StoreTimeoutError, StoreUnavailableError

__all__ = ["LOCK_NAME", "acquired", "locked", "sweep"]

#: The file that is locked; its existence means nothing.
LOCK_NAME = "_locked"


def acquired(folder: str, timeout: float) -> Any:
    """Return the lock of the writers of a folder, to be released by the caller.

    It excludes threads and processes, and ends with its process.

    Raises
    ------
    StoreTimeoutError
        If other writers hold it all the time.
    """
    require_posix("data sets that are written, not only read,")
    from filelock import FileLock, Timeout  # noqa: PLC0415  (only writers need it)

    lock = FileLock(os.path.join(folder, LOCK_NAME), timeout=timeout)
    try:
        # a writer that writes all the time leaves only short gaps, so look often
        lock.acquire(poll_interval=0.001)
    except Timeout as error:
        message = f"another writer has had the data set for {timeout} seconds"
        raise StoreTimeoutError(errno.EAGAIN, message, folder) from error
    except OSError as error:
        raise StoreUnavailableError(error.errno or 0, f"it cannot be locked: {error}", folder) from error
    return lock


@contextmanager
def locked(folder: str, timeout: float) -> Iterator[None]:
    """Exclude the other writers of a folder."""
    lock = acquired(folder, timeout)
    try:
        yield
    finally:
        lock.release()


def sweep(folder: str) -> None:
    """Remove the files of writers that died while writing; not while another writer is running."""
    try:
        names = [name for name in os.listdir(folder) if is_unfinished(name)]
        if names:
            with locked(folder, 0):
                for name in names:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(os.path.join(folder, name))
    except OSError:  # left for the next writer
        return
