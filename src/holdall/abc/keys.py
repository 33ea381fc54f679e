"""How keys are named."""

from abc import ABC, abstractmethod
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeVar

__all__ = ["NOT_MINE", "KeyCodec", "NotMine"]

K = TypeVar("K")


class NotMine(Enum):
    """The type of `NOT_MINE`."""

    NOT_MINE = 1

    def __repr__(self) -> str:
        return self.name


#: Returned by a key codec for an id that it would never have made.
NOT_MINE: Final = NotMine.NOT_MINE


class KeyCodec(ABC, Generic[K]):
    """How keys are named: key to id and back, injective and reversible on the keys it accepts.

    Codecs are values: frozen, comparable, with a ``repr`` that shows all of their options, since a store
    records it. ``first | second`` names keys by the first and the resulting ids by the second.

    Examples
    --------
    >>> class Upper(KeyCodec[str]):
    ...     def encode(self, key):
    ...         return key.upper()
    ...     def decode(self, id):
    ...         return id.lower() if id.isupper() else NOT_MINE
    >>> Upper().decode("readme"), Upper().decode("README")
    (NOT_MINE, 'readme')
    """

    #: Whether ids lead back to their keys; otherwise the keys of a store cannot be listed.
    reversible: bool = True

    @abstractmethod
    def encode(self, key: K) -> str:
        """Return the id of a key.

        Raises
        ------
        InvalidKeyError
            If this codec does not accept the key.
        """

    @abstractmethod
    def decode(self, id: str) -> K | Literal[NotMine.NOT_MINE]:
        """Return the key that `encode` gives this id, or `NOT_MINE`."""

    #: The text with which all ids start that may not be ours; "" if any may.
    doubtful: str = ""

    def decode_many(self, ids: list[str]) -> list[K]:
        """Return the keys of those ids that are ours, in their order."""
        return [key for key in map(self.decode, ids) if key is not NOT_MINE]

    def id_prefix(self, prefix: Any) -> str:
        """Return a text with which the ids of all keys below a prefix start; "" if none is known."""
        del prefix
        return ""

    def owns(self, id: str) -> bool:
        """Return whether this codec could have made the id."""
        return self.decode(id) is not NOT_MINE

    def __or__(self, other: "KeyCodec[str]") -> "KeyCodec[K]":
        return _Chain(self, other)

    def __repr__(self) -> str:
        # The address that object.__repr__ shows changes every time; a folder would never open again.
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__qualname__}({options})"


class _Chain(KeyCodec[Any]):
    """Two codecs, one after the other; longer chains are chains of chains."""

    def __init__(self, first: KeyCodec[Any], second: KeyCodec[Any]) -> None:
        self.first = first
        self.second = second
        self.reversible = first.reversible and second.reversible

    def encode(self, key: Any) -> str:
        return self.second.encode(self.first.encode(key))

    def decode(self, id: str) -> Any:
        inner = self.second.decode(id)
        return NOT_MINE if inner is NOT_MINE else self.first.decode(inner)

    def id_prefix(self, prefix: Any) -> str:
        # For the second codec, the common start of all ids of the first is a prefix up to its last "/".
        above, found, _ = self.first.id_prefix(prefix).rpartition("/")
        return self.second.id_prefix(above) if found else ""

    def owns(self, id: str) -> bool:
        inner = self.second.decode(id)
        return inner is not NOT_MINE and self.first.owns(inner)

    def __repr__(self) -> str:
        return f"{self.first!r} | {self.second!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Chain) and (self.first, self.second) == (other.first, other.second)

    def __hash__(self) -> int:
        return hash((self.first, self.second))
