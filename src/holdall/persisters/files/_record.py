"""The metadata of a folder: its options, and whether all files were written through holdall."""

import json
import os
from collections.abc import Iterable
from typing import Any

from holdall._places import check_record
from holdall._posix.descriptors import opening
from holdall._posix.flags import CREATE, READ
from holdall._posix.folder import CONTROL, Opened
from holdall._posix.replace import unlink_quietly
from holdall.errors import CorruptValueError, MismatchError, StoreUnavailableError
from holdall.persisters.files._system import write_all

_NAME = "store.json"
_FORMAT = 1
_OPTIONS = ("serializer", "keys")  # of a format


def read_record(control: int, path: str) -> dict[str, Any] | None:
    """Return the metadata of a folder; None if there are none.

    Parameters
    ----------
    control
        Descriptor of the control folder.
    path
        The folder, for messages.

    Raises
    ------
    CorruptValueError
        If the metadata cannot be read.
    MismatchError
        If a newer version of holdall wrote them.
    """
    try:
        fd = -1
        try:
            [fd] = opening(_NAME, READ, dir_fd=control)
            text = b"".join(iter(lambda: os.read(fd, 1 << 16), b""))
        finally:
            if fd >= 0:
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
        for format in record.get("formats", {}).values():
            _ = format["name"], format["serializer"], format["keys"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptValueError(
            f"the record {path}/.holdall/{_NAME} cannot be read ({error}): "
            "delete it to open the folder with the options that you give",
        ) from error
    if version != _FORMAT:
        raise MismatchError(
            f"{path}/.holdall/{_NAME} has format {version!r}, this version of holdall reads {_FORMAT}: "
            "a newer one made the folder, so update this one (pip install -U holdall)",
        ).about(location=path)
    return dict(record)


def write_record(use: Opened, control: int, record: dict[str, Any]) -> None:
    """Write the metadata of a folder; the caller holds the lock of the folder."""
    text = json.dumps({"holdall": _FORMAT, **record}, indent=1) + "\n"
    fd = -1
    try:
        [fd] = opening(_NAME, CREATE, 0o600, dir_fd=use.workspace)
        use.share(fd)
        write_all(fd, text.encode())
        os.fsync(fd)  # once per folder: empty metadata after a power failure would be corrupt
        os.replace(_NAME, _NAME, src_dir_fd=use.workspace, dst_dir_fd=control)
    except BaseException:
        unlink_quietly(_NAME, use.workspace)
        raise
    finally:
        if fd >= 0:
            os.close(fd)


def check_formats(record: dict[str, Any], wanted: dict[str, Any], path: str) -> None:
    """Raise `MismatchError` if a folder was made with other options than it is opened with.

    Parameters
    ----------
    record
        The metadata of the folder.
    wanted
        ``serializer`` and ``keys`` of the one expected format; or ``formats``, a table of both by suffix.
        Missing options are not compared.
    path
        The folder, for messages.

    Notes
    -----
    In a folder that holdall did not make, the metadata are only defaults for missing options.
    """
    if record.get("owned") is False and "formats" not in wanted:
        return
    formats = record.get("formats") or {}
    if "formats" in wanted:
        _check_all(record, wanted["formats"], path)
    elif formats and wanted:
        if not any(_same_format(wanted, made) for made in formats.values()):
            raise MismatchError(
                f"{path} holds several formats, {_described(formats)}, and is opened with {_shown(wanted)}: "
                "open it with one of its formats, or with MultiFormatStore to add another",
            ).about(location=path)
    else:
        check_record(record, wanted, path)


def extended(record: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata with the expected formats added."""
    if "formats" not in wanted:
        return record
    made = record.get("formats") or {}
    new = {suffix: format for suffix, format in wanted["formats"].items() if suffix not in made}
    return {**record, "formats": {**made, **new}}


def overlapping(suffix: str, others: Iterable[str]) -> str | None:
    """Return the first of several suffixes of which one ends with the other, so that names are ambiguous."""
    mine = suffix.lower()  # a file system may ignore case
    for other in others:
        theirs = other.lower()
        if mine.endswith(theirs) or theirs.endswith(mine):
            return other
    return None


def _check_all(record: dict[str, Any], wanted: dict[str, Any], path: str) -> None:
    formats = record.get("formats") or {}
    if not formats and not _known(record, wanted):
        raise MismatchError(
            f"{path} was made with {_shown(record)}, which is none of {_described(wanted)}: "
            "name that format among the others",
        ).about(location=path)
    for suffix, format in wanted.items():
        made = formats.get(suffix)
        if made is not None and not _same_format(format, made):
            raise MismatchError(
                f"files {suffix!r} of {path} were made with {_shown(made)} and are opened with "
                f"{_shown(format)}: open them with what they were made with, or choose another suffix",
            ).about(location=path)
        other = overlapping(suffix, formats) if made is None else None
        if other is not None:
            raise MismatchError(
                f"{path} holds files {other!r}, which could not be told from files {suffix!r}: "
                "choose another suffix for the new format",
            ).about(location=path)


def _known(record: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether the one format of a folder, if it is recorded, is among the expected ones."""
    return any(
        all(record.get(option) in {None, format[option]} for option in _OPTIONS) for format in wanted.values()
    )


def _same_format(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(option not in one or one[option] == other.get(option) for option in _OPTIONS)


def _described(formats: dict[str, Any]) -> str:
    return ", ".join(f"{suffix!r} by {made.get('serializer')!r}" for suffix, made in formats.items())


def _shown(format: dict[str, Any]) -> str:
    return " and ".join(f"{option} {format[option]!r}" for option in _OPTIONS if option in format)


def checked_record(use: Opened, wanted: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Return the metadata of an open folder; None if there are none; raise as `check_formats` does."""
    try:
        control = use.control()
    except OSError:
        return None
    try:
        record = read_record(control, path)
    finally:
        os.close(control)
    if record is not None:
        check_formats(record, wanted, path)
    return record


def record_options(use: Opened, wanted: dict[str, Any], path: str, *, sync: bool) -> None:
    """Record the options of a folder, or compare them with its metadata; the caller holds the lock."""
    control = use.control()
    try:
        record = read_record(control, path)
        if record is None:
            owned = os.listdir(use.root) == [CONTROL]
            write_record(use, control, {**wanted, "owned": owned})
            if sync:
                os.fsync(control)
                os.fsync(use.root)
        else:
            check_formats(record, wanted, path)
            more = extended(record, wanted)
            if more != record:
                write_record(use, control, more)
    finally:
        os.close(control)
