"""The check that all persisters share: the recorded options."""

from collections.abc import Mapping
from typing import Any

from holdall.errors import MismatchError

__all__ = ["check_record"]


def check_record(record: Mapping[str, Any], wanted: Mapping[str, str], place: str) -> None:
    """Raise `MismatchError` if a store was made with other options than it is opened with."""
    for option, value in wanted.items():
        made = record.get(option)
        if made is not None and made != value:
            raise MismatchError(
                f"{place} was made with {option} {made!r} and is opened with {value!r}: open it with "
                f"the {option} it was made with, or copy it item by item into a new store",
            ).about(location=place)
