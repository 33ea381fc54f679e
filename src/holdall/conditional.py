"""The values of conditional operations: stats, conditions, sentinels, jokers, results.

Values only, no behaviour: `Store` and the page "Conditional operations" of the documentation describe the
operations.
"""

from enum import Enum
from typing import Any, Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from holdall.errors import InvalidArgumentError

__all__ = [
    "AHEAD",
    "ALWAYS_RETRIEVE",
    "ANY_ETAG",
    "DELETE_CURRENT",
    "ETAG_HAS_CHANGED",
    "ETAG_IS_THE_SAME",
    "IF_ETAG_CHANGED",
    "ITEM_NOT_AVAILABLE",
    "KEEP_CURRENT",
    "NEVER_RETRIEVE",
    "VALUE_NOT_RETRIEVED",
    "Condition",
    "ConditionalResult",
    "Etag",
    "Expected",
    "Joker",
    "Retrieval",
    "Sentinel",
    "Stat",
    "TransformResult",
]

V = TypeVar("V")

#: By how many seconds the clock of a store may be ahead of ours. A later time comes from a wrong clock, and
#: says nothing about the age of the item.
AHEAD: Final = 10.0


class _Named(Enum):
    """An enum whose members have their public names as repr."""

    def __repr__(self) -> str:
        return self.name


class Sentinel(_Named):
    """Values for an etag or a value that is not there."""

    ITEM_NOT_AVAILABLE = 1  #: the key is absent; used for its etag and for its value
    VALUE_NOT_RETRIEVED = 2  #: there is a value, but it was not requested


class Joker(_Named):
    """Commands that may be written instead of a value."""

    KEEP_CURRENT = 1  #: leave the item as it is
    DELETE_CURRENT = 2  #: delete the item; no error where there is none


class Condition(_Named):
    """When a conditional operation goes ahead, by the expected and the actual etag."""

    ANY_ETAG = 1  #: always
    ETAG_IS_THE_SAME = 2  #: expected == actual
    ETAG_HAS_CHANGED = 3  #: expected != actual


class Retrieval(_Named):
    """Which conditional operations return the value."""

    ALWAYS_RETRIEVE = 1  #: whenever there is one
    IF_ETAG_CHANGED = 2  #: if the actual etag is not the expected one
    NEVER_RETRIEVE = 3  #: not at all


ITEM_NOT_AVAILABLE: Final = Sentinel.ITEM_NOT_AVAILABLE
VALUE_NOT_RETRIEVED: Final = Sentinel.VALUE_NOT_RETRIEVED
KEEP_CURRENT: Final = Joker.KEEP_CURRENT
DELETE_CURRENT: Final = Joker.DELETE_CURRENT
ANY_ETAG: Final = Condition.ANY_ETAG
ETAG_IS_THE_SAME: Final = Condition.ETAG_IS_THE_SAME
ETAG_HAS_CHANGED: Final = Condition.ETAG_HAS_CHANGED
ALWAYS_RETRIEVE: Final = Retrieval.ALWAYS_RETRIEVE
IF_ETAG_CHANGED: Final = Retrieval.IF_ETAG_CHANGED
NEVER_RETRIEVE: Final = Retrieval.NEVER_RETRIEVE

#: The version of an item: an opaque text, or `ITEM_NOT_AVAILABLE` where there is no item.
Etag: TypeAlias = str | Literal[Sentinel.ITEM_NOT_AVAILABLE]
#: The state in which an item must be for a write to go ahead.
Expected: TypeAlias = Etag | Literal[Condition.ANY_ETAG]


class Stat(NamedTuple):
    """What is known of a stored item without reading it.

    Parameters
    ----------
    etag
        Opaque version of the data: changes whenever they change, and is never reused for another state of the
        same id.
    mtime
        Time of the last modification, POSIX seconds.
    size
        Length of the data in bytes; None where data are objects and have no length in bytes.

    Examples
    --------
    >>> Stat("7f", 1700000000.0, 12).size
    12
    """

    etag: str
    mtime: float
    size: int | None


class ConditionalResult(NamedTuple, Generic[V]):
    """What a conditional operation found, and its result.

    Parameters
    ----------
    condition_was_satisfied
        Whether the expected and the actual etag met the condition.
    actual_etag
        Etag before the operation, `ITEM_NOT_AVAILABLE` if the key was absent.
    resulting_etag
        Etag after the operation, `ITEM_NOT_AVAILABLE` if the key is absent now.
    new_value
        The value after the operation, `VALUE_NOT_RETRIEVED` or `ITEM_NOT_AVAILABLE`.

    Examples
    --------
    >>> ConditionalResult(True, "1", "2", "new").value_was_mutated
    True
    """

    condition_was_satisfied: bool
    actual_etag: Etag
    resulting_etag: Etag
    new_value: V | Sentinel

    @property
    def value_was_mutated(self) -> bool:
        """Whether the operation changed what is stored."""
        return self.actual_etag != self.resulting_etag


class TransformResult(NamedTuple, Generic[V]):
    """The result of `Store.transform_item`.

    Parameters
    ----------
    resulting_etag
        Etag of the item now, `ITEM_NOT_AVAILABLE` if it is absent.
    new_value
        The value now, `ITEM_NOT_AVAILABLE` if the item is absent.
    attempts
        How often the transformer was called: 1 plus the number of lost races.
    actual_etag
        Etag before the change, `ITEM_NOT_AVAILABLE` if the key was absent.

    Examples
    --------
    >>> TransformResult("2", 7, 1, "1").value_was_mutated
    True
    """

    resulting_etag: Etag
    new_value: V | Sentinel
    attempts: int
    actual_etag: Etag

    @property
    def value_was_mutated(self) -> bool:
        """Whether this call changed what is stored; False after `KEEP_CURRENT`, even if others changed it."""
        return self.actual_etag != self.resulting_etag


def condition_holds(condition: Any, expected: Any, actual: Any) -> bool:
    """Return whether a condition is met.

    Parameters
    ----------
    condition
        A `Condition`.
    expected, actual
        Etags, or `ITEM_NOT_AVAILABLE`.

    Raises
    ------
    InvalidArgumentError
        If `condition` is not a `Condition`.

    Examples
    --------
    >>> condition_holds(ETAG_IS_THE_SAME, "1", "1")
    True
    """
    if condition is ANY_ETAG:
        return True
    if condition is ETAG_IS_THE_SAME:
        return bool(expected == actual)
    if condition is ETAG_HAS_CHANGED:
        return bool(expected != actual)
    raise InvalidArgumentError(
        f"condition must be ANY_ETAG, ETAG_IS_THE_SAME or ETAG_HAS_CHANGED, got {condition!r}",
    )
