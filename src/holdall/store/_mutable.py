"""Which values can change in place, and copies of those."""

import copy
from typing import Any, Final

from holdall.errors import HoldallError, InvalidArgumentError

__all__ = ["can_change", "copied", "is_firm"]

# What cannot change in place.
_FIRM: Final = frozenset({int, float, complex, bool, str, bytes, type(None), range})


def is_firm(value: Any) -> bool:
    """Tell whether a value surely cannot change in place."""
    kind = type(value)
    return kind in _FIRM or (kind in {tuple, frozenset} and all(map(is_firm, value)))


def can_change(value: Any) -> bool:
    """Tell whether a value is of a kind that is changed in place: it has no hash, or that of its identity."""
    try:
        hash(value)
    except TypeError:
        return True
    own_hash: Any = type(value).__hash__
    return not is_firm(value) and own_hash is object.__hash__


def copied(key: Any, value: Any) -> Any:
    """Return a copy of a value that is to be changed before it is stored."""
    try:
        return copy.deepcopy(value)
    except HoldallError:
        raise
    except Exception as error:
        raise InvalidArgumentError(
            f"the value of {key!r:.120} cannot be copied, so it would change before it is stored: "
            f"{type(error).__name__}: {error}",
        ).about(key=key, operation="write") from error
