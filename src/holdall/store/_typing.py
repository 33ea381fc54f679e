"""Types of the arguments of stores."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias, TypeVar

__all__ = ["Callback", "SupportsKeys", "SupportsSetItem"]

K = TypeVar("K")
K_contra = TypeVar("K_contra", contravariant=True)
V_co = TypeVar("V_co", covariant=True)
V_contra = TypeVar("V_contra", contravariant=True)

#: Called with the number of items so far.
Callback: TypeAlias = Callable[[int], Any]


class SupportsKeys(Protocol[K, V_co]):
    """A mapping as far as `dict.update` needs it: keys and their values."""

    def keys(self) -> Iterable[K]:
        """Return the keys."""

    def __getitem__(self, key: K, /) -> V_co:
        """Return the value of a key."""


class SupportsSetItem(Protocol[K_contra, V_contra]):
    """Anything that takes values under keys."""

    def __setitem__(self, key: K_contra, value: V_contra, /) -> None:
        """Store a value under a key."""
