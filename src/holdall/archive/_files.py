"""Files of archives and data sets: replaced whole, and errors told in our own words."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from holdall._posix.errors import FULL
from holdall.errors import HoldallError, StoreFullError, StoreNotFoundError, StoreUnavailableError

__all__ = ["is_unfinished", "remove_path", "replace_file", "telling", "unfinished_path"]

# What is still being written has a name that starts with this.
_UNFINISHED = ".holdall-"

# Characters of the name to come that it repeats: in any script fewer bytes than a name may have.
_REPEATED = 40


def unfinished_path(path: str) -> str:
    """Return a path beside another that nothing has, to write what is to be renamed to it."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f"{_UNFINISHED}{name[:_REPEATED]}-{os.urandom(4).hex()}")


def is_unfinished(name: str, of: str | None = None) -> bool:
    """Tell whether a name is one for what is being written, to become `of` if that is given."""
    return name.startswith(_UNFINISHED if of is None else f"{_UNFINISHED}{of[:_REPEATED]}-")


@contextmanager
def telling(path: str, what: str) -> Iterator[None]:
    """Make errors of the system our own, saying what could not be done, with what."""
    try:
        yield
    except HoldallError:
        raise
    except OSError as error:
        kind = StoreUnavailableError
        hint = ""
        if error.errno in FULL:
            kind, hint = StoreFullError, "; what was stored before is untouched"
        elif error.errno in (errno.ENOENT, errno.ENOTDIR):
            kind = StoreNotFoundError
        raise kind(error.errno or 0, f"{what}: {error.strerror or error}{hint}", path) from error


def replace_file(path: str, data: bytes, time: int | None = None) -> None:
    """Put a new file in the place of what is there, whole or not at all.

    Parameters
    ----------
    path
        The file.
    data
        Its new content.
    time
        The time of last change that it gets, in nanoseconds since 1970; None for now.
    """
    unfinished = unfinished_path(path)
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(fd, "wb") as file:
            file.write(data)
        with contextlib.suppress(FileNotFoundError):
            os.chmod(unfinished, os.stat(path).st_mode & 0o7777)
        if time is not None:
            os.utime(unfinished, ns=(time, time))
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise


def remove_path(path: str) -> None:
    """Remove a file or folder, if it is there.

    Parameters
    ----------
    path
        The file or folder; a link is removed, and what it leads to stays.
    """
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)
