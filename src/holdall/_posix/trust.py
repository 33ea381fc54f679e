"""Whether others could have written, or put in place, what loading would run.

A file is trusted if it belongs to the user or to root, and nobody else may write it, by mode, group or access
list; and if the same holds for its folder, since whoever may write there can replace the file by any file of
the user. In a folder with the sticky bit others cannot rename files that are not theirs, so there only the
file matters, as long as it has no second name. Higher up, only folders that everyone may write matter.
"""

import errno
import os
import stat
import struct
import time
from collections.abc import Iterator
from typing import Final, NoReturn

from holdall.errors import UntrustedStoreError

__all__ = ["check_trust", "doubt_about", "doubt_about_folder", "doubt_above", "is_shared", "refuse"]

_ACL: Final = "system.posix_acl_access"
_ENTRY: Final = struct.Struct("<HHI")  # tag, permissions, number; after four bytes of version
_USER, _GROUP_OF_FILE, _GROUP, _MASK = 0x02, 0x04, 0x08, 0x10
_WRITE: Final = 2
_SECONDS: Final = 10.0  # for which the members of a group are cached

_groups: dict[tuple[int, int], tuple[float, str]] = {}


def refuse(what: str, why: str, path: str) -> NoReturn:
    """Raise the `UntrustedStoreError` with what to do about it."""
    raise UntrustedStoreError(
        errno.EPERM,
        f"loading {what} could run code of somebody else ({why}): "
        "pass trust=True if you trust them all, or use a serializer that runs no code, such as 'json'",
        path,
    )


def check_trust(file: int | str, what: str, path: str) -> None:
    """Raise `UntrustedStoreError` if others could have written a file, or put it at its path.

    Parameters
    ----------
    file
        The descriptor that is read; or a path, for a file that must not be opened here.
    what
        What is to be loaded, for the message.
    path
        Its path, for the message.
    """
    uid = os.geteuid() if hasattr(os, "geteuid") else 0
    about = os.stat(file)
    why = doubt_about(about, file, uid)
    if not why:
        folder = os.path.dirname(os.path.realpath(path))
        around = os.stat(folder)
        why = doubt_about_folder(around, folder, uid)
        if not why and is_shared(around):
            why = doubt_about_name(about)
        why = why or doubt_above(folder)
    if why:
        refuse(what, why, path)


def doubt_about(about: os.stat_result, file: int | str, uid: int) -> str:
    """Return why a user cannot trust a file, or ""."""
    if about.st_uid not in {uid, 0}:
        return f"it belongs to user {about.st_uid}"
    if about.st_mode & 0o002:
        return "everybody may write it"
    if about.st_mode & 0o020:  # the maximum of what an access list grants
        for kind, number in _writers(about, file):
            if kind == _USER and number not in {uid, 0}:
                return f"its access list lets user {number} write it"
            if kind != _USER and (why := _doubt_about_group(number, uid)):
                return why
    return ""


def doubt_about_folder(about: os.stat_result, folder: int | str, uid: int) -> str:
    """Return why files in a folder cannot be trusted, or ""."""
    if about.st_uid not in {uid, 0}:
        return f"its folder belongs to user {about.st_uid}"
    if is_shared(about):
        return ""  # others may add names there, but not remove any
    why = doubt_about(about, folder, uid)
    return why and f"of its folder: {why.replace('its access list', 'the access list')}"


def is_shared(about: os.stat_result) -> bool:
    """Return whether others may write a folder, but not rename what is not theirs."""
    return bool(about.st_mode & stat.S_ISVTX and about.st_mode & 0o022)


def doubt_about_name(about: os.stat_result) -> str:
    """Return why a file in a folder that `is_shared` cannot be trusted by its name, or ""."""
    # Where the system allows it, others can link a file of the user under a second name there.
    return "it has several names, and others may write its folder" if about.st_nlink > 1 else ""


def doubt_above(path: str) -> str:
    """Return why a folder itself may have been replaced by another one of the user, or ""."""
    for start in {os.path.dirname(path), os.path.dirname(os.path.realpath(path))}:
        above = start
        while True:
            try:
                mode = os.stat(above).st_mode
            except OSError:
                mode = 0
            if mode & 0o002 and not mode & stat.S_ISVTX:
                return f"everybody may write {above}, and put another folder there"
            below, above = above, os.path.dirname(above)
            if above == below:
                break
    return ""


def _writers(about: os.stat_result, file: int | str) -> Iterator[tuple[int, int]]:
    """Yield kind and number of the users and groups that may write a file, besides its owner."""
    try:
        entries = list(_ENTRY.iter_unpack(os.getxattr(file, _ACL)[4:]))
    except (OSError, AttributeError, struct.error):  # no access list, or none on this system
        yield _GROUP, about.st_gid
        return
    mask = next((allowed for tag, allowed, _ in entries if tag == _MASK), 7)
    for tag, allowed, number in entries:
        if allowed & mask & _WRITE:
            if tag == _GROUP_OF_FILE:
                yield _GROUP, about.st_gid
            elif tag in {_USER, _GROUP}:
                yield tag, number


def _doubt_about_group(gid: int, uid: int) -> str:
    """Return why a group with write access cannot be trusted, or ""; a user's own group is normal."""
    until, why = _groups.get((gid, uid), (0.0, ""))
    now = time.monotonic()
    if now >= until:
        why = _ask_about_group(gid, uid)
        _groups[gid, uid] = now + _SECONDS, why
    return why


def _ask_about_group(gid: int, uid: int) -> str:
    import grp  # noqa: PLC0415  (rarely needed)
    import pwd  # noqa: PLC0415

    try:
        user = pwd.getpwuid(uid)
        name, own = user.pw_name, user.pw_gid
    except KeyError:  # such as a container in which the user has no name
        name, own = "", os.getegid()
    if gid != own:
        return f"group {gid} may write it"
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return ""
    others = set(group.gr_mem) - {name, "root"}
    others |= {
        entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == gid and entry.pw_uid not in {uid, 0}
    }
    if others:
        return f"group {group.gr_name} may write it, and {min(others)} is a member"
    if name and group.gr_name != name:
        # A directory service need not list its users; a group of one has the user's name.
        return f"group {group.gr_name} may write it, and may have other members"
    return ""
