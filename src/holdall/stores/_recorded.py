"""The options that a store was made with, for opening it again."""

import os
import warnings
from collections.abc import Mapping
from typing import Any

from holdall._posix.case import folder_ignores_case, would_ignore_case
from holdall._posix.control import CONTROL
from holdall._posix.names import fs_path
from holdall.abc import KeyCodec, Serializer
from holdall.errors import InvalidArgumentError, MismatchError
from holdall.serializers import get_serializer

__all__ = ["folds_case", "recorded_keys", "recorded_serializer"]

_FOLDED = "fold_case=True"  # in the text of a codec


def recorded_serializer(record: Mapping[str, Any], location: str) -> str | None:
    """Return the name of the recorded serializer; None if none is recorded.

    Parameters
    ----------
    record
        The recorded options.
    location
        The location, for the message.

    Raises
    ------
    MismatchError
        If no serializer of that name is registered.
    """
    name = record.get("serializer")
    try:
        get_serializer(name)
    except InvalidArgumentError as error:
        raise MismatchError(
            f"{location} was made with serializer {name!r}, which has no such name here: "
            "give the serializer itself, or register it first",
        ) from error
    return name


def recorded_keys(
    record: Mapping[str, Any], serializer: Serializer[Any], usual: KeyCodec[Any]
) -> KeyCodec[Any]:
    """Return the recorded codec.

    Parameters
    ----------
    record
        The recorded options.
    serializer
        The serializer that the store is opened with.
    usual
        The codec if none is recorded, or if it was for another serializer.
    """
    noted = record.get("keys")
    if noted is None or noted == repr(usual) or record.get("serializer") != serializer.name:
        return usual
    from holdall.keys._recorded import codec_of  # noqa: PLC0415  (the parser of Python is slow to import)

    return codec_of(noted) or usual


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
