"""What a place was made with, for the one who opens it again."""

from holdall.errors import InvalidArgumentError, MismatchError
from holdall.serializers import get_serializer


def check_recorded(name: str | None, place: str) -> str | None:
    """Give the recorded name of a serializer if there is one of that name here.

    Parameters
    ----------
    name
        The name; None where nothing is recorded.
    place
        The place, for the message.

    Raises
    ------
    MismatchError
        If nothing of that name is registered.
    """
    try:
        get_serializer(name)
    except InvalidArgumentError as error:
        raise MismatchError(
            f"{place} was made with serializer {name!r}, which has no such name here: "
            "give the serializer itself, or register it first",
        ) from error
    return name
