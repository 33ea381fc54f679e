"""Files of archives and data sets: replaced as a whole, with errors translated to ours."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from holdall._posix.errors import FULL
from holdall.errors import HoldallError, StoreFullError, StoreNotFoundError, StoreUnavailableError

__all__ = ["is_unfinished", "remove_path", "replace_file", "translating", "unfinished_path"]

# The prefix of names of unfinished files.
_UNFINISHED = ".holdall-"

# Characters of the final name that it repeats: in any script fewer bytes than a name may have.
_REPEATED = 40


def unfinished_path(path: str) -> str:
    """Return an unused path beside another, for a file to be renamed to it."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f"{_UNFINISHED}{name[:_REPEATED]}-{os.urandom(4).hex()}")


def is_unfinished(name: str, of: str | None = None) -> bool:
    """Return whether a name is that of an unfinished file, for the final name `of` if given."""
    return name.startswith(_UNFINISHED if of is None else f"{_UNFINISHED}{of[:_REPEATED]}-")


@contextmanager
def translating(path: str, what: str) -> Iterator[None]:
    """Translate errors of the system to ours, with what failed."""
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
    """Replace a file as a whole, or not at all.

    Parameters
    ----------
    path
        The file.
    data
        Its new content.
    time
        Its time of modification, in nanoseconds since 1970; None for now.
    """
    unfinished = unfinished_path(path)
    try:
        with open(unfinished, "xb") as file:
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
    """Remove a file or folder, if it exists.

    Parameters
    ----------
    path
        The file or folder; of a link, only the link is removed.
    """
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)
