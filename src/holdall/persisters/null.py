"""The persister that keeps nothing."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from holdall.abc import Capability, Persister
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Stat
from holdall.errors import ConflictError

__all__ = ["NullPersister"]

_ABSENT: Any = ITEM_NOT_AVAILABLE


class NullPersister(Persister):
    """Accept all writes, and always be empty: the null device of stores.

    Notes
    -----
    Threads, processes, after a crash: there is nothing to lose. Cost: none. As every id is absent, a write
    that expects absence always succeeds, and one that expects an etag never does; the etag in the stat of a
    write is `ITEM_NOT_AVAILABLE`, and there are no items whose times could be unknown.

    Examples
    --------
    >>> persister = NullPersister()
    >>> persister["a"] = b"1"
    >>> len(persister)
    0
    """

    capabilities = frozenset({Capability.CHEAP_STAT, Capability.MTIME})

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return True

    @property
    def place(self) -> str:  # docstring inherited
        return "the null store"

    def __getitem__(self, id: str) -> Any:
        raise KeyError(id)

    def __setitem__(self, id: str, data: Any) -> None:
        pass

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        pass

    def write_dated(self, items: Iterable[tuple[str, Any, float]]) -> None:  # docstring inherited
        for _ in items:
            pass

    def __delitem__(self, id: str) -> None:
        raise KeyError(id)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        if expected is not ANY_ETAG and expected is not ITEM_NOT_AVAILABLE:
            raise ConflictError(f"{id!r} is absent: {self.place} keeps nothing", ITEM_NOT_AVAILABLE)
        return Stat(_ABSENT, time.time(), len(data) if isinstance(data, bytes) else None)
