"""Whether the names in a folder are to differ by more than their case."""

import os
import warnings
from collections.abc import Mapping
from typing import Any

from holdall._posix.case import folder_ignores_case, would_ignore_case
from holdall._posix.control import CONTROL
from holdall._posix.names import fs_path

__all__ = ["folds_case"]

_FOLDED = "fold_case=True"  # in the text of a codec


def folds_case(record: Mapping[str, Any], path: str | os.PathLike[str] | None) -> bool:
    """Return whether names in a folder are to differ by more than their case.

    A new folder tells by its file system, one that is there by its record. The names that others gave
    stay what they are. Warn of a folder that was moved to where its names can be taken for each other.

    Parameters
    ----------
    record
        With what the folder was made; empty if nothing is recorded.
    path
        The folder; None for a temporary one.
    """
    place = fs_path(os.path.abspath(os.fspath(path or os.environ.get("TMPDIR", "/tmp"))))  # noqa: S108  (only looked at)
    if not record:
        return (path is None or _empty(place)) and would_ignore_case(place)
    folded = _FOLDED in str(record)
    if record.get("owned") and not folded and folder_ignores_case(place):
        warnings.warn(
            f"{path!r} was made on a file system that distinguishes upper and lower case, and is on one that "
            "does not: the keys 'a' and 'A' would share a file. Make a new folder here and copy_to() it",
            UserWarning,
            stacklevel=4,
        )
    return folded


def _empty(folder: str) -> bool:
    """Return whether a folder holds nothing of others, or is not there; look no further than it takes."""
    try:
        with os.scandir(folder) as entries:
            return all(entry.name == CONTROL for entry in entries)
    except OSError:
        return True
