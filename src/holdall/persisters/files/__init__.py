"""A persister over a folder, with one file per id: atomic, linearizable among processes, only the data."""

import os
from typing import Any

from holdall._posix.control import CONTROL
from holdall._posix.descriptors import opening
from holdall._posix.flags import BELOW
from holdall._posix.names import fs_path
from holdall.persisters.files._record import overlapping, read_record
from holdall.persisters.files.persister import FilesPersister

__all__ = ["FilesPersister", "overlapping", "recorded"]


def recorded(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the options that a folder was made with; none if they were not recorded.

    Parameters
    ----------
    path
        The folder, which need not exist.
    """
    control = -1
    try:
        try:
            [control] = opening(os.path.join(fs_path(os.fspath(path)), CONTROL), BELOW)
        except (OSError, ValueError, TypeError):
            return {}
        record = read_record(control, os.fspath(path))
    finally:
        if control >= 0:
            os.close(control)
    return record or {}
