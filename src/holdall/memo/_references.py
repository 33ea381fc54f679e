"""References to results in a store, and the description of a result before it is returned."""

from typing import Any, NamedTuple

__all__ = ["Hit", "Reference"]


class Hit(NamedTuple):
    """A known result that is about to be returned, for ``valid=``."""

    #: For how many seconds it has been known.
    age: float
    #: The arguments of the call by name, defaults included; the result of ``key=`` as ``"key"``.
    arguments: dict[str, Any]
    #: How many seconds it took to compute; None if that was in another process, and the store has no costs.
    seconds: float | None
    #: The requested version of the function; "" without one.
    version: str


class Reference:
    """A result in a store, to be loaded later, perhaps by another process.

    Parameters
    ----------
    entries
        The part of the store with the result.
    name
        The name of that part.
    key
        Its key in that part.

    Notes
    -----
    It can be pickled if the store can, and is small. Each `get` loads the result anew; arrays are mapped into
    memory if the function was memoized with ``mmap_mode=``, or the store maps them itself.

    Examples
    --------
    >>> from holdall import memoize, MemoryStore
    >>> f = memoize(MemoryStore())(lambda x: [x])
    >>> reference = f.shelve(1)
    >>> reference.get()
    [1]
    """

    __slots__ = ("_entries", "key", "name")

    def __init__(self, entries: Any, name: str, key: str) -> None:
        self._entries = entries
        #: The name of function and version.
        self.name = name
        #: The key of the result among those of its function.
        self.key = key

    def get(self) -> Any:
        """Load the result.

        Raises
        ------
        KeyError
            If it no longer exists.
        """
        try:
            return self._entries[self.key]
        except KeyError as error:
            if type(error) is not KeyError:
                raise
            raise KeyError(f"{self.key} is no longer in the store: call the function again") from None

    def _identity(self) -> tuple[str, str, str]:
        return self.key, self.name, self._entries.pipeline.persister.place

    def __repr__(self) -> str:
        return f"<reference to {self.name}/{self.key}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other._identity() == self._identity()

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self) -> Any:
        return Reference, (self._entries, self.name, self.key)
