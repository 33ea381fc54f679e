"""The options that a store was made with, for opening it again."""

from collections.abc import Mapping
from typing import Any

from holdall.abc import KeyCodec, Serializer
from holdall.errors import InvalidArgumentError, MismatchError
from holdall.serializers import get_serializer

__all__ = ["recorded_keys", "recorded_serializer"]


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
