"""What places of all kinds ask alike: who could have written this, and with what was it made."""

import errno
import os
from collections.abc import Mapping
from typing import Any

from holdall.errors import MismatchError, UntrustedStoreError

__all__ = ["check_record", "check_trust"]


def check_record(record: Mapping[str, Any], wanted: Mapping[str, str], place: str) -> None:
    """Raise `MismatchError` if a place was made with other options than it is opened with."""
    for option, value in wanted.items():
        made = record.get(option)
        if made is not None and made != value:
            raise MismatchError(
                f"{place} was made with {option} {made!r} and is opened with {value!r}: open it with "
                f"the {option} it was made with, or copy it item by item into a new store",
            )


def check_trust(stat: os.stat_result, uid: int, what: str, path: str) -> None:
    """Raise `UntrustedStoreError` if somebody else could have written a file that loading would run.

    Parameters
    ----------
    stat
        Of the file.
    uid
        Number of the user who is to trust it.
    what
        What is to be loaded, for the message.
    path
        The place, for the message.
    """
    if stat.st_uid not in {uid, 0}:
        why = f"it belongs to user {stat.st_uid}"
    elif stat.st_mode & 0o002:
        why = "everybody may write it"
    elif stat.st_mode & 0o020 and stat.st_gid != _own_group(uid):
        why = f"group {stat.st_gid} may write it"
    else:
        return
    raise UntrustedStoreError(
        errno.EPERM,
        f"loading {what} could run code of somebody else ({why}): "
        "pass trust=True if you trust them all, or use a serializer that runs no code, such as 'json'",
        path,
    )


def _own_group(uid: int) -> int:
    """Give the primary group of a user: many systems give each one a group, and umask 002."""
    import pwd  # noqa: PLC0415  (rarely needed)

    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return os.getegid()
