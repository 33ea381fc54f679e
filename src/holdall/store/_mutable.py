"""Which values can change in place, and copies of them."""

from typing import Any, Final

from holdall._shown import shown
from holdall.errors import HoldallError, InvalidArgumentError

__all__ = ["IMMUTABLE", "can_change", "copied", "is_immutable"]

#: Types that cannot change in place.
IMMUTABLE: Final = frozenset({int, float, complex, bool, str, bytes, type(None), range})


def is_immutable(value: Any) -> bool:
    """Return whether a value surely cannot change in place."""
    kind = type(value)
    return kind in IMMUTABLE or (kind in {tuple, frozenset} and all(map(is_immutable, value)))


def can_change(value: Any) -> bool:
    """Return whether values of this kind change in place: they have no hash, or that of their identity."""
    try:
        hash(value)
    except TypeError:
        return True
    own_hash: Any = type(value).__hash__
    return not is_immutable(value) and own_hash is object.__hash__


def copied(key: Any, value: Any) -> Any:
    """Return a copy of a value that is changed before it is stored."""
    import copy  # noqa: PLC0415  (what cannot change needs none)

    try:
        return copy.deepcopy(value)
    except HoldallError:
        raise
    except Exception as error:
        raise InvalidArgumentError(
            f"the value of {shown(key, 120)} cannot be copied, so it would change before it is stored: "
            f"{type(error).__name__}: {error}",
        ).about(key=key, operation="write") from error
