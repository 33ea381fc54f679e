"""The slow store of a temporary store in a forked child: the parent's items, and changes of its own."""

from collections.abc import Iterator
from typing import Any

from holdall.abc import Capability, Persister, Reader
from holdall.conditional import Stat
from holdall.persisters.sqlite import SqlitePersister

__all__ = ["ForkedPersister"]


class ForkedPersister(Persister):
    """Read what the parent process has written, and keep own writes in a separate folder.

    Parameters
    ----------
    parent
        The persister of the parent process; only read.

    Notes
    -----
    Threads: safe. What the parent writes or deletes after the fork is visible here, unless this process has
    written or deleted the item itself; nothing written here is visible there. Cost: a look at each of the two
    persisters.
    """

    def __init__(self, parent: Reader) -> None:
        self.parent = parent
        self._own: SqlitePersister | None = None  # made by the first write
        self._gone: set[str] = set()
        unseen = {Capability.PERSISTENT, Capability.CAS_HOST, Capability.STREAMING}
        self.capabilities = parent.capabilities - unseen

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return self.parent.at_hand

    @property
    def place(self) -> str:  # docstring inherited
        return self.parent.place

    def _home(self, id: Any) -> Reader:
        """Return the persister in which to look for an id."""
        own = self._own
        if own is not None and id in own:
            return own
        if id in self._gone:
            raise KeyError(id)
        return self.parent

    def __getitem__(self, id: str) -> Any:
        return self._home(id)[id]

    def stat(self, id: str) -> Stat:  # docstring inherited
        return self._home(id).stat(id)

    def __setitem__(self, id: str, data: Any) -> None:
        own = self._make_own() if self._own is None else self._own
        own[id] = data

    def _make_own(self) -> SqlitePersister:
        with self.lock:
            if self._own is None:
                self._own = SqlitePersister(None)
            return self._own

    def __delitem__(self, id: str) -> None:
        if id not in self:
            raise KeyError(id)
        self._gone.add(id)
        if self._own is not None:
            self._own.remove_many([id])

    def __iter__(self) -> Iterator[str]:
        own = set() if self._own is None else set(self._own)
        yield from own
        for id in self.parent:
            if id not in own and id not in self._gone:
                yield id

    def close(self) -> None:  # docstring inherited
        if self._own is not None:
            self._own.close()
