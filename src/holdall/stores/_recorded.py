"""What a place was made with, for the one who opens it again."""

from collections.abc import Mapping
from typing import Any

from holdall.abc import KeyCodec, Serializer
from holdall.errors import InvalidArgumentError, MismatchError
from holdall.serializers import get_serializer

__all__ = ["recorded_keys", "recorded_serializer"]


def recorded_serializer(record: Mapping[str, Any], place: str) -> str | None:
    """Return the name of the serializer that a place was made with; None where nothing is recorded.

    Parameters
    ----------
    record
        With what the place was made.
    place
        The place, for the message.

    Raises
    ------
    MismatchError
        If nothing of that name is registered.
    """
    name = record.get("serializer")
    try:
        get_serializer(name)
    except InvalidArgumentError as error:
        raise MismatchError(
            f"{place} was made with serializer {name!r}, which has no such name here: "
            "give the serializer itself, or register it first",
        ) from error
    return name


def recorded_keys(
    record: Mapping[str, Any], serializer: Serializer[Any], usual: KeyCodec[Any]
) -> KeyCodec[Any]:
    """Return the codec that a place was made with.

    Parameters
    ----------
    record
        With what the place was made.
    serializer
        With what it is opened.
    usual
        The codec for a place where none is recorded, or for another serializer.
    """
    noted = record.get("keys")
    if noted is None or noted == repr(usual) or record.get("serializer") != serializer.name:
        return usual
    from holdall.keys._recorded import codec_of  # noqa: PLC0415  (the parser of Python is slow to import)

    return codec_of(noted) or usual
