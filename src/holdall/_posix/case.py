"""Whether a file system ignores the case of names, as those of macOS, Windows and memory cards do."""

import itertools
import os
import sys
from typing import Final

from holdall._posix.control import CONTROL
from holdall._posix.descriptors import create_file
from holdall._posix.flags import CREATE

__all__ = ["folder_ignores_case", "would_ignore_case"]

_CASE_SENSITIVE: Final = 11  # pathconf of macOS: unistd.h, _PC_CASE_SENSITIVE
_LOOKED_AT = 100  # names; nearly all have a letter


def folder_ignores_case(path: str) -> bool:
    """Return whether an existing folder ignores case.

    Parameters
    ----------
    path
        The folder, as a path of the system.
    """
    return os.path.lexists(os.path.join(path, CONTROL.upper()))


def would_ignore_case(path: str) -> bool:
    """Return whether a folder that is about to be made would ignore case.

    Nothing is written, unless an empty file system leaves no other way to find out: then a file is made and
    deleted.

    Parameters
    ----------
    path
        The folder, as a path of the system; neither it nor those above it need to exist.
    """
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    try:
        if sys.platform == "darwin":
            return os.pathconf(path, _CASE_SENSITIVE) == 0
        found = _seen_by_names(path)
        return _seen_by_file(path) if found is None else found
    except OSError:  # the first write raises what is wrong
        return False


def _seen_by_names(path: str) -> bool | None:
    """Return the answer from existing names in other case; None if there are none."""
    with os.scandir(path) as entries:
        for entry in itertools.islice(entries, _LOOKED_AT):
            if entry.name.swapcase() != entry.name:
                return _taken_for_another(path, entry.name)
    above, name = os.path.split(path)
    if name.swapcase() == name or os.path.ismount(path):
        return None
    return _taken_for_another(above, name)


def _taken_for_another(folder: str, name: str) -> bool:
    """Return whether an existing name is also found in other case, without being listed so."""
    other = name.swapcase()  # inode numbers are no help: some drivers make new ones at each look
    return os.path.lexists(os.path.join(folder, other)) and other not in os.listdir(folder)


def _seen_by_file(path: str) -> bool:
    """Return the answer from a new file, looked for by a name in other case."""
    name = f"{CONTROL}-case-{os.urandom(8).hex()}"
    own = os.path.join(path, name)
    create_file(own, CREATE, 0o600)
    try:
        return _taken_for_another(path, name)
    finally:
        os.unlink(own)
