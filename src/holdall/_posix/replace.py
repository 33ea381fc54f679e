"""Replacing a file by a new one: as a whole, with its owner, group, mode and extended attributes."""

import contextlib
import errno
import io
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, Final

from holdall._posix.descriptors import Descriptors, closing, open_into
from holdall._posix.errors import ABSENT, REFUSED, at
from holdall._posix.flags import CREATE, FOLDER, READ
from holdall.errors import OutcomeUnknownError

__all__ = [
    "USUAL",
    "keep_attributes",
    "list_extended",
    "replace_file",
    "sweep",
    "sync_folder",
    "unlink_quietly",
]

_ACL: Final = "system.posix_acl_access"
_CAN_LIST: Final = hasattr(os, "listxattr")
#: Return the extended attributes of a path.
list_extended: Final[Callable[..., list[str]]] = getattr(os, "listxattr", lambda *_, **__: [])
#: The result for a file without any set by users: nothing, or the label that the system sets.
USUAL: Final[tuple[list[str], ...]] = ([], ["security.selinux"])


def replace_file(
    path: str,
    fill: Callable[[BinaryIO], object],
    *,
    prefix: str,
    mode: int = 0o666,
    sync: bool = False,
    finish: Callable[[int], object] | None = None,
) -> None:
    """Replace a file, which stays as it is until the new one is complete.

    Parameters
    ----------
    path
        The file, which need not exist; not a link. The caller has excluded other writers.
    fill
        Writes into the new file.
    prefix
        The prefix of names of unfinished files for this one.
    mode
        Permissions of a new file that replaces none, before the umask.
    sync
        Whether it must survive a power failure.
    finish
        Called with the descriptor of the finished file, before it is renamed.

    Raises
    ------
    OutcomeUnknownError
        If it is written, but its folder could not be synced.
    OSError
        If it cannot be written; the old file is untouched.
    """
    above, name = os.path.split(path)
    folders: Descriptors = [None]
    files: Descriptors = [None]
    close, close_file = closing(folders), closing(files)
    try:
        with at(above):
            open_into(folders, above, FOLDER)
        folder = folders[-1]
        assert folder is not None  # noqa: S101  (it is open)
        sweep(folder, prefix)
        unfinished = prefix + os.urandom(4).hex()
        old = _look(folder, name)
        try:
            with at(above):
                # Accessible to its owner only until it is complete, so never more open than the old file.
                open_into(files, unfinished, CREATE, mode if old is None else 0o600, folder)
            with at(path):
                _fill(files[-1], fill, partial(_keep, folder, name, old), finish, sync=sync)
                close_file()
                os.replace(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            unlink_quietly(unfinished, folder)
            raise
        finally:
            close_file()
        if sync:
            sync_folder(folder, path)
    finally:
        close()


def _fill(
    fd: int | None,
    fill: Callable[[BinaryIO], object],
    keep: Callable[[int], object],
    finish: Callable[[int], object] | None,
    *,
    sync: bool,
) -> None:
    """Write a new file with all its attributes."""
    assert fd is not None  # noqa: S101  (it is open)
    # Not the builtin, which is missing when files are written while the interpreter ends.
    with io.open(fd, "w+b", closefd=False) as file:  # noqa: UP020
        fill(file)
        file.flush()
        keep(fd)
        if finish is not None:
            finish(fd)
        if sync:
            os.fsync(fd)


def _keep(folder: int, name: str, old: os.stat_result | None, fd: int) -> None:
    if old is not None:
        keep_attributes(folder, name, old, fd)


def sweep(folder: int, prefix: str) -> None:
    """Remove what killed writers left: their lock is held by the caller now."""
    for name in os.listdir(folder):
        if name.startswith(prefix) and not name.endswith("lock"):  # not a lock file
            unlink_quietly(name, folder)  # ignore what we may not remove


def sync_folder(folder: int, path: str, what: str = "it") -> None:
    """Make a rename in a folder survive a power failure; raise `OutcomeUnknownError` if that fails."""
    try:
        os.fsync(folder)
    except OSError as error:
        raise OutcomeUnknownError(
            error.errno or 0,
            f"{what} is written, but its folder could not be synced: a power cut may undo it",
            path,
        ) from error


def _look(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return None


def keep_attributes(folder: int, name: str, old: os.stat_result, new: int) -> None:
    """Copy the owner, group, mode and extended attributes of an old file to a new one.

    Attributes that may not be set (a user's file rewritten by another member of its group gets a new owner)
    are left out, and never make the new file more open than the old one.
    """
    made = os.fstat(new)
    mode = stat.S_IMODE(old.st_mode)
    if made.st_gid != old.st_gid and not _own(new, -1, old.st_gid):
        mode = _for_another_group(mode) & ~stat.S_ISGID
    if made.st_uid != old.st_uid and not _own(new, old.st_uid, -1):
        mode &= ~stat.S_ISUID
    if not _keep_extended(folder, name, new):
        mode = _for_another_group(mode)
    os.fchmod(new, mode)


def _own(fd: int, uid: int, gid: int) -> bool:
    """Change owner or group, if that is allowed."""
    try:
        os.fchown(fd, uid, gid)
    except OSError as error:
        if error.errno not in REFUSED | {errno.EINVAL, errno.ENOSYS}:
            raise
        return False
    return True


def _for_another_group(mode: int) -> int:
    """Return a mode with no more rights for a group than for everyone, as the group has changed."""
    return mode & ~0o070 | mode & 0o070 & (mode << 3)


def _keep_extended(folder: int, name: str, new: int) -> bool:
    """Copy extended attributes; return False if the old file had an access list that could not be copied."""
    if not _CAN_LIST:
        return True
    fds: Descriptors = [None]
    close = closing(fds)
    try:
        open_into(fds, name, READ, dir_fd=folder)
        old = fds[-1]
        assert old is not None  # noqa: S101  (it is open)
        names = os.listxattr(old)
        kept = True
        for attribute in names:
            try:
                os.setxattr(new, attribute, os.getxattr(old, attribute))
            except OSError:  # one that we may not set
                kept = kept and attribute != _ACL
    except OSError:
        return True  # unreadable, so its attributes are unknown; or not supported
    else:
        return kept
    finally:
        close()


def unlink_quietly(name: str, folder: int) -> None:
    """Remove a file that is no longer needed, if it still exists."""
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)
