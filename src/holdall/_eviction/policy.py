"""The interface of eviction policies, and the two that need no heap."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from sys import getsizeof
from typing import Any, TypeAlias

from holdall._shown import shown

__all__ = ["Entry", "LruPolicy", "Policy", "SievePolicy", "Spare"]


class Entry:
    """The data of a policy about an item; owners extend it by a subclass.

    Parameters
    ----------
    key
        The key of the item, hashable.
    size
        Its size, in the unit of the capacity.
    cost
        Seconds to load the item again; only ratios matter.
    uses
        How often it was used. Policies that remember evicted keys add to it.

    Examples
    --------
    >>> Entry("a", size=80, cost=0.001).uses
    0
    """

    __slots__ = ("cost", "key", "size", "stamp", "turn", "used", "uses")

    def __init__(self, key: Any, size: float = 1, cost: float = 1.0, uses: int = 0) -> None:
        self.key = key
        self.size = size
        self.cost = cost
        self.uses = uses
        self.stamp = 0.0  # the clock of the policy at the last use
        self.turn = 0  # the number of its last use among all uses
        self.used = False  # since the last look of the policy

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {shown(self.key)}, size {self.size}, cost {self.cost:.3g}>"


#: Returns whether an entry must stay for now.
Spare: TypeAlias = Callable[[Any], bool]


class Policy(ABC):
    """The order in which entries are evicted.

    Parameters
    ----------
    capacity
        The capacity, in the unit of ``Entry.size``.

    Notes
    -----
    A policy never evicts by itself and does not use ``capacity`` for that: the owner says how much room it
    needs. Threads: `hit` needs no lock; all else is called under a lock of the owner. An entry that was taken
    out by `admit` or `pop` is no longer known; `insert` puts back one that could not be evicted.
    """

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity

    @abstractmethod
    def hit(self, entry: Entry) -> None:
        """Note that an entry was used; ignore unknown ones."""

    @abstractmethod
    def insert(self, entry: Entry) -> None:
        """Add an entry; it counts as just used."""

    @abstractmethod
    def discard(self, entry: Entry) -> None:
        """Forget an entry, if it is known."""

    @abstractmethod
    def _next(self) -> Entry | None:
        """Take out and return the entry to evict first; None if there is none."""

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """Yield all entries in about the order of eviction."""

    @abstractmethod
    def __len__(self) -> int: ...

    def admit(
        self, entry: Entry, need: float = 0, *, items: int = 0, spare: Spare | None = None
    ) -> list[Any] | None:
        """Take out entries to make room for a new one; return None if it is not worth that.

        Parameters
        ----------
        entry
            The newcomer, which was requested and is not known. Call `insert` to add it.
        need
            How much room is needed; 0 or less for none.
        items
            How many entries must be evicted at least, whatever their sizes.
        spare
            Returns which entries must stay; these count as used.

        Returns
        -------
        list of Entry or None
            The entries to evict, possibly for less than the needed room. None if the newcomer should not be
            kept; then nothing was taken out.
        """
        del entry
        return self.pop(need, items=items, spare=spare)

    def pop(self, need: float = 0, *, items: int = 0, spare: Spare | None = None) -> list[Any]:
        """Take out entries until there is enough room, without a newcomer.

        Parameters
        ----------
        need, items, spare
            As in `admit`.
        """
        if need <= 0 and items <= 0:
            return []
        victims: list[Entry] = []
        spared: list[Entry] = []
        freed: float = 0
        while freed < need or len(victims) < items:
            entry = self._next()
            if entry is None:
                break
            if spare is not None and spare(entry):
                spared.append(entry)
            else:
                victims.append(entry)
                freed += entry.size
        self._spared(spared)
        return victims

    def _spared(self, entries: list[Entry]) -> None:
        """Put back entries that had to stay, and count them as used."""
        for entry in entries:
            self.insert(entry)

    def nbytes(self) -> int:
        """Return about how many bytes the records of the policy take, the entries of its owner left out."""
        return 0

    def reprice(self) -> None:  # noqa: B027  (few policies go by costs)
        """Note that the costs of some entries have changed."""

    def forget(self, key: Any) -> None:  # noqa: B027  (few policies remember keys)
        """Forget a deleted key."""

    def clear(self) -> None:
        """Forget all."""
        for entry in list(self):
            self.discard(entry)

    # ------------------------------------------------------------------ to outlive the process

    def save(self) -> list[tuple[Any, float, float, int, float]]:
        """Return the data for `restore`: key, size, cost, uses and stamp of all entries, in their order."""
        return [(entry.key, entry.size, entry.cost, entry.uses, entry.stamp) for entry in self]

    def restore(self, rows: Iterable[tuple[Any, float, float, int, float]]) -> list[Entry]:
        """Add entries from `save`, with the same order of eviction.

        Parameters
        ----------
        rows
            Key, size, cost, uses and stamp of each.

        Returns
        -------
        list of Entry
            The new entries, in the same order.

        Examples
        --------
        >>> policy, other = LruPolicy(2), LruPolicy(2)
        >>> policy.insert(Entry("a"))
        >>> [entry.key for entry in other.restore(policy.save())]
        ['a']
        """
        entries = []
        for key, size, cost, uses, stamp in rows:
            entry = Entry(key, size, cost, uses)
            self.insert(entry)
            entry.stamp = stamp
            entries.append(entry)
        return entries


class LruPolicy(Policy):
    """The least recently used entry goes first.

    Parameters
    ----------
    capacity
        The capacity.

    Notes
    -----
    A hit is one operation of a `collections.OrderedDict`.
    """

    def __init__(self, capacity: float) -> None:
        super().__init__(capacity)
        self._order: OrderedDict[Entry, None] = OrderedDict()

    def hit(self, entry: Entry) -> None:  # docstring inherited
        try:
            self._order.move_to_end(entry)
        except KeyError:
            pass

    def insert(self, entry: Entry) -> None:  # docstring inherited
        self._order[entry] = None
        self._order.move_to_end(entry)

    def discard(self, entry: Entry) -> None:  # docstring inherited
        self._order.pop(entry, None)

    def _next(self) -> Entry | None:
        return self._order.popitem(last=False)[0] if self._order else None

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._order))

    def __len__(self) -> int:
        return len(self._order)

    def nbytes(self) -> int:  # docstring inherited
        return getsizeof(self._order)


class SievePolicy(Policy):
    """The oldest entry that was not used since the hand last passed goes first.

    Parameters
    ----------
    capacity
        The capacity.

    Notes
    -----
    SIEVE (Zhang and others, NSDI 2024): a hand moves from the oldest to the newest entry, clears the marks of
    used ones and evicts the first without a mark; it continues from there at the next eviction, and returns
    to the oldest after the newest. A hit is one assignment.
    """

    def __init__(self, capacity: float) -> None:
        super().__init__(capacity)
        self._ahead: OrderedDict[Entry, None] = OrderedDict()  # of the hand, the oldest first
        self._passed: OrderedDict[Entry, None] = OrderedDict()  # older than these

    def hit(self, entry: Entry) -> None:  # docstring inherited
        entry.used = True

    def insert(self, entry: Entry) -> None:  # docstring inherited
        self._passed.pop(entry, None)
        self._ahead[entry] = None

    def discard(self, entry: Entry) -> None:  # docstring inherited
        if self._ahead.pop(entry, self) is self:
            self._passed.pop(entry, None)

    def _next(self) -> Entry | None:
        while self._ahead or self._passed:
            if not self._ahead:
                self._ahead, self._passed = self._passed, self._ahead
            entry = self._ahead.popitem(last=False)[0]
            if not entry.used:
                return entry
            entry.used = False
            self._passed[entry] = None
        return None

    def _spared(self, entries: list[Entry]) -> None:
        for entry in entries:  # the hand has passed them
            self._passed[entry] = None

    def __iter__(self) -> Iterator[Any]:
        ahead, passed = list(self._ahead), list(self._passed)
        for used in (False, True):
            for entry in ahead + passed:
                if entry.used is used:
                    yield entry

    def __len__(self) -> int:
        return len(self._ahead) + len(self._passed)

    def nbytes(self) -> int:  # docstring inherited
        return getsizeof(self._ahead) + getsizeof(self._passed)
