"""Access lists as Linux keeps them, in the form of an extended attribute."""

import os
import struct

import pytest

NAME = "system.posix_acl_access"
USER_OF_FILE, USER, GROUP_OF_FILE, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32


def acl(*more, owner=6, group=4, mask=6, other=4):
    """Make an access list with entries (tag, permissions, number) besides those that each one has."""
    undefined = 0xFFFFFFFF
    entries = [
        (USER_OF_FILE, owner, undefined),
        (GROUP_OF_FILE, group, undefined),
        *more,
        (MASK, mask, undefined),
        (OTHER, other, undefined),
    ]
    entries.sort()
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def set_acl(path, *more, **how):
    """Give a file an access list, where the file system has them."""
    try:
        os.setxattr(path, NAME, acl(*more, **how))
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")
