"""Types of the arguments of stores."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

__all__ = ["Callback", "K", "SupportsKeys", "SupportsSetItem", "V"]

# Of keys and values of stores: a store that is made without an annotation is one of any keys and values.
if TYPE_CHECKING:  # every type checker knows this module; nothing imports it when a program runs
    import typing_extensions

    K = typing_extensions.TypeVar("K", default=Any)
    V = typing_extensions.TypeVar("V", default=Any)
else:
    K = TypeVar("K")
    V = TypeVar("V")
_K = TypeVar("_K")
K_contra = TypeVar("K_contra", contravariant=True)
V_co = TypeVar("V_co", covariant=True)
V_contra = TypeVar("V_contra", contravariant=True)

#: Called with the number of items so far.
Callback: TypeAlias = Callable[[int], Any]


class SupportsKeys(Protocol[_K, V_co]):
    """A mapping as far as `dict.update` needs it: keys and their values."""

    def keys(self) -> Iterable[_K]:
        """Return the keys."""

    def __getitem__(self, key: _K, /) -> V_co:
        """Return the value of a key."""


class SupportsSetItem(Protocol[K_contra, V_contra]):
    """Anything that takes values under keys."""

    def __setitem__(self, key: K_contra, value: V_contra, /) -> None:
        """Store a value under a key."""
