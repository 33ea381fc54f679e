"""The record of a folder: with what it was made, and whether all in it was written through holdall."""

import json
import os
from typing import Any

from holdall.errors import CorruptValueError, MismatchError, StoreUnavailableError

_NAME = "store.json"
_FORMAT = 1


def read_record(control: int, path: str) -> dict[str, Any] | None:
    """Read the record of a folder, None if there is none.

    Parameters
    ----------
    control
        Descriptor of the control folder.
    path
        The folder, for messages.

    Raises
    ------
    CorruptValueError
        If the record cannot be understood.
    MismatchError
        If a newer version of holdall made it.
    """
    try:
        fd = os.open(_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=control)
        try:
            text = b"".join(iter(lambda: os.read(fd, 1 << 16), b""))
        finally:
            os.close(fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailableError(
            error.errno,
            f"the record {path}/.holdall/{_NAME} cannot be read: {error.strerror}",
            path,
        ) from error
    try:
        record = json.loads(text)
        version = record["holdall"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptValueError(
            f"the record {path}/.holdall/{_NAME} cannot be read ({error}): "
            "delete it to open the folder with the options that you give",
        ) from error
    if version != _FORMAT:
        raise MismatchError(f"{path} has format {version!r}, this version of holdall reads {_FORMAT}")
    return dict(record)


def write_record(control: int, workspace: int, record: dict[str, Any]) -> None:
    """Write the record of a folder; the lock of the folder is held."""
    text = json.dumps({"holdall": _FORMAT, **record}, indent=1) + "\n"
    fd = os.open(_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=workspace)
    with open(fd, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(fd)  # once a folder: a record that a power cut leaves empty would close it for ever
    os.replace(_NAME, _NAME, src_dir_fd=workspace, dst_dir_fd=control)
