"""The interface of eviction policies, and the two that need no heap."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

__all__ = ["Entry", "LruPolicy", "Policy", "SievePolicy", "Spare"]


class Entry:
    """What a policy knows of an item; owners add what they need in a subclass.

    Parameters
    ----------
    key
        The key of the item, hashable.
    size
        What it takes of the capacity.
    cost
        Seconds that it takes to get the item back; only relations count.
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
        self.turn = 0  # which use of the whole place was its last one
        self.used = False  # since the policy looked last

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r:.80}, size {self.size}, cost {self.cost:.3g}>"


#: Tells which entries must stay for now.
Spare: TypeAlias = Callable[[Any], bool]


class Policy(ABC):
    """Which entries of a bounded place go first.

    Parameters
    ----------
    capacity
        How much the place holds, in the unit of ``Entry.size``.

    Notes
    -----
    A policy never evicts anything by itself and never looks at ``capacity`` to do so: the owner says how much
    room it needs. Threads: `hit` needs no lock; all else is called under a lock of the owner. An entry that
    was taken out by `admit` or `pop` is no longer known; `insert` puts back one that could not go.
    """

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity

    @abstractmethod
    def hit(self, entry: Entry) -> None:
        """Note that an entry was used; one that is not inside is ignored."""

    @abstractmethod
    def insert(self, entry: Entry) -> None:
        """Take an entry in; it counts as just used."""

    @abstractmethod
    def discard(self, entry: Entry) -> None:
        """Forget an entry; nothing happens if it is not inside."""

    @abstractmethod
    def _next(self) -> Entry | None:
        """Take out and return the entry that goes first; None if there is none."""

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """Iterate over all entries in about the order in which they would go."""

    @abstractmethod
    def __len__(self) -> int: ...

    def admit(
        self, entry: Entry, need: float = 0, *, items: int = 0, spare: Spare | None = None
    ) -> list[Any] | None:
        """Take out entries that make room for a new one; None if the new one is not worth it.

        Parameters
        ----------
        entry
            The newcomer: it was asked for and is not inside. Call `insert` to take it in.
        need
            How much room must be made; 0 or less for none.
        items
            How many entries must go at the least, whatever their sizes.
        spare
            Tells which entries must stay; these count as used.

        Returns
        -------
        list of Entry or None
            Whom to evict, possibly less than what was needed. None if the newcomer should not be kept; then
            nothing was taken out.
        """
        del entry
        return self.pop(need, items=items, spare=spare)

    def pop(self, need: float = 0, *, items: int = 0, spare: Spare | None = None) -> list[Any]:
        """Take out entries until there is enough room, for no newcomer.

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
        """Put back entries that had to stay: to be needed is to be used."""
        for entry in entries:
            self.insert(entry)

    def reprice(self) -> None:  # noqa: B027  (few policies go by costs)
        """Note that the costs of some entries are others now."""

    def forget(self, key: Any) -> None:  # noqa: B027  (few policies remember keys)
        """Forget what is remembered of a key that was deleted."""

    def clear(self) -> None:
        """Forget all."""
        for entry in list(self):
            self.discard(entry)

    # ------------------------------------------------------------------ to outlive the process

    def save(self) -> list[tuple[Any, float, float, int, float]]:
        """Return what `restore` needs: key, size, cost, uses and stamp of all entries, in their order."""
        return [(entry.key, entry.size, entry.cost, entry.uses, entry.stamp) for entry in self]

    def restore(self, rows: Iterable[tuple[Any, float, float, int, float]]) -> list[Entry]:
        """Take in entries as `save` has returned them, so that the same ones go first.

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
        How much the place holds.

    Notes
    -----
    A hit is one operation of an `collections.OrderedDict`.
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


class SievePolicy(Policy):
    """The oldest entry that was not used since it was last looked at goes first.

    Parameters
    ----------
    capacity
        How much the place holds.

    Notes
    -----
    SIEVE (Zhang and others, NSDI 2024): a hand moves from the oldest to the newest entry, clears the marks of
    those that were used and evicts the first without one; it goes on from there at the next eviction, and
    begins again at the oldest when it has passed the newest. A hit is one assignment.
    """

    def __init__(self, capacity: float) -> None:
        super().__init__(capacity)
        self._ahead: OrderedDict[Entry, None] = OrderedDict()  # of the hand, the oldest first
        self._passed: OrderedDict[Entry, None] = OrderedDict()  # older than all of those

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
