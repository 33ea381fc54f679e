"""The values in memory: their sizes, and which of them are held elsewhere."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from sys import getrefcount
from typing import Any, Final

from holdall._eviction import Entry, Policy
from holdall._posix.fork import Living, new_lock
from holdall.wrappers.spilling._changes import Mark, is_frozen

__all__ = ["GONE", "Item", "Items", "is_shared"]

GONE: Final = object()
_CHECKS: Final = 64  # loose items to check per operation


class Item(Entry):
    """A value in memory.

    Parameters
    ----------
    name
        The id of its key in the slow store.
    key
        Its key.
    value
        The value.
    size
        Its size in bytes.
    cost
        Seconds to read it again.
    mark
        The mark of its data when they were stored; None if they were not, or if it is unknown.
    dirty
        Whether it differs from what is stored.
    """

    __slots__ = ("dirty", "error", "frozen", "guessed", "loose", "mark", "name", "out", "stored", "value")

    def __init__(
        self,
        name: Any,
        key: Any,
        value: Any,
        *,
        size: int,
        cost: float,
        mark: Mark | None = None,
        dirty: bool = False,
    ) -> None:
        super().__init__(key, size, cost)
        self.name = name
        self.value = value
        self.mark = mark
        self.dirty = dirty
        self.stored: bool | None = None if dirty else True  # whether anything is stored; None: unknown
        self.out = True  # the value was handed out since the mark was made
        self.frozen = is_frozen(value)
        self.loose = False  # does not count: kept for its holders
        self.guessed = True  # the cost: the value was never loaded
        self.error: Exception | None = None  # why it cannot be stored


def _references(box: list[Any]) -> int:
    return getrefcount(box[0])


_ALONE: Final = _references([object()])


def is_shared(item: Item) -> bool:
    """Return whether anything else, be it another item, refers to the value of an item."""
    return not item.frozen and _references([item.value]) > _ALONE + 1  # the item's own


# Loose items do not hold their values for each other, in whatever store they are. While the lock is held,
# those that are counted do refer to their values: they are counted later, and discounted before.
_counting = new_lock()


def _counts() -> list[dict[int, int]]:
    """Return the counts of loose items of all stores that have some."""
    return [items.copies for items in _all_items if items.copies]


class Items:
    """Items by name, their total size, and which threads work on which.

    Parameters
    ----------
    budget
        Bytes that the values may take.
    policy
        The order of eviction.

    Notes
    -----
    All methods except `turn` are called with `lock`. An item is *resident* (it counts, and the policy knows
    it), *loose* (something else holds its value, so its memory cannot be freed) or *stuck* (it counts and
    cannot be stored).
    """

    def __init__(self, budget: int, policy: Policy) -> None:
        self.budget = budget
        self.policy = policy
        self.reset_locks()
        self.forget()
        _all_items.add(self)

    def reset_locks(self) -> None:
        """Replace the locks by free ones, as in a forked child."""
        self.lock = threading.RLock()
        self._released = threading.Condition(self.lock)
        self._turns: dict[Any, int] = {}  # by name: the thread that reads or writes it in the slow store

    def forget(self) -> None:
        """Forget all items."""
        with _counting:  # before they are gone
            self.copies: dict[int, int] = {}  # how many loose items have a value, by its identity
        self.by_name: dict[Any, Item] = {}
        self.dirty: dict[Item, None] = {}  # that differ from what is stored, in the order of writing
        self.loose: dict[Item, int] = {}  # with the identity of their values
        self.stuck: dict[Item, None] = {}
        self.used = 0
        self.evictions = 0
        self._idle = 0
        self.policy.clear()

    # ------------------------------------------------------------------ turns

    @contextmanager
    def turn(self, name: Any) -> Iterator[None]:
        """Exclude others from reading or writing an item in the slow store; wait for them."""
        me = threading.get_ident()
        with self._released:
            again = self._turns.get(name) == me
            while not again and name in self._turns:
                self._released.wait()
            self._turns[name] = me
        try:
            yield
        finally:
            if not again:
                self.release([name])

    def claim(self, item: Item, claimed: list[Item]) -> bool:
        """Take the turn for an item if it is free, and note so."""
        if item.name in self._turns:
            return False
        self._turns[item.name] = threading.get_ident()
        claimed.append(item)
        return True

    def _claiming(self, claimed: list[Item]) -> Callable[[Item], bool]:
        """Return a function that spares items with a taken turn, and claims the others."""
        return lambda item: not self.claim(item, claimed)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Wait until nothing reads or writes any item in the slow store, and exclude all."""
        me = threading.get_ident()
        with self._released:
            while any(other != me for other in self._turns.values()):
                self._released.wait()
            yield

    def release(self, names: Iterable[Any]) -> None:
        """Release turns."""
        with self._released:
            for name in names:
                self._turns.pop(name, None)
            self._released.notify_all()

    # ------------------------------------------------------------------ room

    def admit(self, item: Item, old: Item | None = None) -> list[Item] | None:
        """Reserve room for an item that may replace an old one; None if it should not stay in memory.

        Returns
        -------
        list of Item or None
            The items to evict: they no longer count, and their turns are claimed.
        """
        size = int(item.size)
        if size > self.budget:
            return None
        before = 0 if old is None or old.loose else int(old.size)
        if old is not None and before:
            self.policy.discard(old)
            item.uses += old.uses
        need = self.used - before + size - self.budget
        if need <= 0:
            self.policy.admit(item)
            if old is not None:
                self._uncount(old)
            self.used += size
            return []
        claimed: list[Item] = []
        victims: list[Item] | None = self.policy.admit(item, need, spare=self._claiming(claimed))
        freed = sum(int(victim.size) for victim in victims or ())
        if victims is None or freed < need:
            for victim in victims or ():
                self.policy.insert(victim)
            self.release([other.name for other in claimed])
            if old is not None and before and old not in self.stuck:
                self.policy.insert(old)
            return None
        self._leave(victims)
        if old is not None:
            self._uncount(old)
        self.used += size
        return victims

    def overdue(self) -> list[Item]:
        """Choose items to evict because memory exceeds the limit, as `admit` does."""
        claimed: list[Item] = []
        need = self.used - self.budget
        victims = (
            self.policy.pop(need, spare=lambda other: not self.claim(other, claimed)) if need > 0 else []
        )
        self._leave(victims)
        return victims

    def _leave(self, victims: list[Item]) -> None:
        self.evictions += len(victims)
        for victim in victims:
            self.used -= int(victim.size)
            victim.loose = True

    def insert(self, item: Item) -> None:
        """Add an item for which room was reserved."""
        present = self.by_name.get(item.name)
        if present is not None and present is not item:  # by a faster thread
            self._lose(present)
        if item.dirty:
            self.dirty[item] = None
        self.by_name[item.name] = item
        self.policy.insert(item)

    def _uncount(self, item: Item) -> None:
        """Stop counting an item; it is replaced or deleted."""
        if not item.loose:
            self.used -= int(item.size)
            self.policy.discard(item)
            item.loose = True
        self._tighten(item)
        self.stuck.pop(item, None)

    def _lose(self, item: Item) -> None:
        """Forget an item that is replaced or deleted."""
        self._uncount(item)
        self.dirty.pop(item, None)

    def readmit(self, victims: Iterable[Item]) -> None:
        """Keep victims that could not be evicted; they count again, and their turns are released."""
        names = []
        for victim in victims:
            names.append(victim.name)
            if self.by_name.get(victim.name) is victim and victim not in self.loose:
                victim.loose = False
                self.evictions -= 1
                self.used += int(victim.size)
                self.policy.insert(victim)
        self.release(names)

    def stick(self, item: Item, error: Exception) -> None:
        """Keep an item that cannot be stored: it counts, and is not chosen again."""
        item.error = error
        self._tighten(item)
        if item.loose:
            item.loose = False
            self.used += int(item.size)
        self.policy.discard(item)
        self.stuck[item] = None

    def stored(self, item: Item) -> None:
        """Note that an item is stored in its present state."""
        item.dirty = False
        item.stored = True
        item.error = None
        self.dirty.pop(item, None)
        if item in self.stuck:
            del self.stuck[item]
            self.policy.insert(item)

    def loosen(self, item: Item) -> None:
        """Keep an item for its holders; it no longer counts."""
        self.by_name[item.name] = item
        item.loose = True
        if item not in self.loose:
            self.loose[item] = identity = id(item.value)
            with _counting:
                self.copies[identity] = self.copies.get(identity, 0) + 1

    def _tighten(self, item: Item) -> None:
        identity = self.loose.pop(item, None)
        if identity is None:
            return
        with _counting:
            left = self.copies.pop(identity) - 1
            if left:
                self.copies[identity] = left

    def is_held(self, item: Item, counts: list[dict[int, int]] | None = None) -> bool:
        """Return whether anything but loose items, in any store, refers to the value of an item."""
        return not item.frozen and self._has_holders(item, [item.value], own=1, counts=counts)

    def _has_holders(
        self, item: Item, box: list[Any], *, own: int, counts: list[dict[int, int]] | None = None
    ) -> bool:
        """Return whether more refers to a value than its box, the item's `own`, and loose items."""
        more = _references(box) - _ALONE - own
        return more > 0 and more > self._others(item, box[0], _counts() if counts is None else counts)

    def _others(self, item: Item, value: Any, counts: list[dict[int, int]]) -> int:
        """Return how many other loose items have the value of an item."""
        found, identity = 0, id(value)
        for count in counts:
            found += count.get(identity, 0)
        return found - 1 if item in self.loose else found

    def take(self, item: Item) -> bool:
        """Take the value out of an item if it has no holders and gets none on the way.

        Notes
        -----
        Readers of the value first take a reference and then note that it is out. So after the value was taken
        away, a reference shows earlier readers, and later ones are impossible.
        """
        with _counting:
            box, item.value = [item.value], GONE
            if item.frozen or not (item.out or self._has_holders(item, box, own=0)):
                self._tighten(item)
                return True
            item.value = box[0]
        return False

    def remove(self, item: Item) -> None:
        """Remove an item."""
        if self.by_name.get(item.name) is item:
            del self.by_name[item.name]
        self._lose(item)

    def released(self) -> list[Item]:
        """Choose loose items without holders, and claim their turns.

        All are checked, but only once in so many operations that each pays for some of them.
        """
        self._idle += 1
        claimed: list[Item] = []
        if self.loose and self._idle * _CHECKS >= len(self.loose):
            self._idle = 0
            counts = _counts()
            for item in list(self.loose):
                if not self.is_held(item, counts):
                    self.claim(item, claimed)
        return claimed

    def resize(self, item: Item, size: int) -> None:
        """Change the counted size of an item."""
        if not item.loose:
            self.used += size - int(item.size)
        item.size = size


_all_items: Living[Items] = Living()
