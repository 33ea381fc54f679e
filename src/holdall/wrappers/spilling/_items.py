"""The values in memory: who they are, what they take, and which of them somebody else holds."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from sys import getrefcount
from typing import Any, Final

from holdall._eviction import Entry, Policy
from holdall.wrappers.spilling._changes import Mark, is_frozen

__all__ = ["GONE", "Item", "Items", "is_held", "taken"]

GONE: Final = object()
_CHECKS: Final = 64  # loose items to look at, an operation


class Item(Entry):
    """A value in memory.

    Parameters
    ----------
    name
        The id of its key on the slow side.
    key
        Its key.
    value
        The value.
    size
        What it takes, in bytes.
    cost
        Seconds to read it again.
    mark
        How its data looked when they were stored; None if they were not, or if that is unknown.
    dirty
        Whether it is not stored as it is.
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
        self.stored: bool | None = None if dirty else True  # is there anything by this key; None: unknown
        self.out = True  # somebody has got the value since the mark was made
        self.frozen = is_frozen(value)
        self.loose = False  # it does not count: it is kept for those who hold it
        self.guessed = True  # the cost: the value was never loaded
        self.error: Exception | None = None  # why it cannot be stored


def _references(box: list[Any]) -> int:
    return getrefcount(box[0])


_ALONE: Final = _references([object()])


def is_held(item: Item) -> bool:
    """Tell whether anybody else has the value of an item."""
    if item.frozen:
        return False
    box = [item.value]
    return _references(box) > _ALONE + 1  # of the item


def taken(item: Item) -> bool:
    """Take the value out of an item if nobody has it and nobody got it on the way.

    Notes
    -----
    Whoever reads the value takes a reference first and then notes that it is out. So after it was taken
    away, a reference tells of those who came before, and nobody can come after.
    """
    box, item.value = [item.value], GONE
    if item.frozen or (not item.out and _references(box) <= _ALONE):
        return True
    item.value = box[0]
    return False


class Items:
    """Items by name, the room they take, and who works on which.

    Parameters
    ----------
    budget
        Bytes that the values may take.
    policy
        Which go first.

    Notes
    -----
    All methods are called with `lock`, but for `turn`. An item is *resident* (it counts, and the policy knows
    it), *loose* (somebody holds its value, whose memory is not ours to give back) or *stuck* (it counts and
    cannot be stored).
    """

    def __init__(self, budget: int, policy: Policy) -> None:
        self.budget = budget
        self.policy = policy
        self.reset_locks()
        self.forget()

    def reset_locks(self) -> None:
        """Begin with locks that nobody holds, as in a forked child."""
        self.lock = threading.RLock()
        self._released = threading.Condition(self.lock)
        self._turns: dict[Any, int] = {}  # name: thread that reads or writes it on the slow side

    def forget(self) -> None:
        """Forget all items."""
        self.by_name: dict[Any, Item] = {}
        self.dirty: dict[Item, None] = {}  # that are not stored as they are, in the order of writing
        self.loose: dict[Item, None] = {}
        self.stuck: dict[Item, None] = {}
        self.used = 0
        self.evictions = 0
        self._idle = 0
        self.policy.clear()

    # ------------------------------------------------------------------ turns

    @contextmanager
    def turn(self, name: Any) -> Iterator[None]:
        """Exclude others from reading or writing an item on the slow side; wait for them."""
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
        """Take the turn for an item if nobody has it, and note so."""
        if item.name in self._turns:
            return False
        self._turns[item.name] = threading.get_ident()
        claimed.append(item)
        return True

    def _claiming(self, claimed: list[Item]) -> Callable[[Item], bool]:
        """Return what spares items that somebody reads or writes, and claims the others."""
        return lambda item: not self.claim(item, claimed)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Wait until nobody reads or writes any item on the slow side, and exclude all."""
        me = threading.get_ident()
        with self._released:
            while any(other != me for other in self._turns.values()):
                self._released.wait()
            yield

    def release(self, names: Iterable[Any]) -> None:
        """Give turns back."""
        with self._released:
            for name in names:
                self._turns.pop(name, None)
            self._released.notify_all()

    # ------------------------------------------------------------------ room

    def admit(self, item: Item, old: Item | None = None) -> list[Item] | None:
        """Reserve room for an item, in the place of an old one; None if it is not to stay in memory.

        Returns
        -------
        list of Item or None
            Who must go first: they no longer count, and their turns are claimed.
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
        """Choose items that must go because more is in memory than should be; as `admit` does."""
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
        """Take in an item for which room was reserved."""
        present = self.by_name.get(item.name)
        if present is not None and present is not item:  # by whoever was quicker
            self._lose(present)
        if item.dirty:
            self.dirty[item] = None
        self.by_name[item.name] = item
        self.policy.insert(item)

    def _uncount(self, item: Item) -> None:
        """Let an item count no more; it is replaced or gone."""
        if not item.loose:
            self.used -= int(item.size)
            self.policy.discard(item)
            item.loose = True
        self.loose.pop(item, None)
        self.stuck.pop(item, None)

    def _lose(self, item: Item) -> None:
        """Forget an item that is replaced or gone."""
        self._uncount(item)
        self.dirty.pop(item, None)

    def readmit(self, victims: Iterable[Item]) -> None:
        """Let victims stay that could not go; they count again, and their turns are given back."""
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
        """Let an item stay that cannot be stored: it counts, and is not chosen again."""
        item.error = error
        self.loose.pop(item, None)
        if item.loose:
            item.loose = False
            self.used += int(item.size)
        self.policy.discard(item)
        self.stuck[item] = None

    def stored(self, item: Item) -> None:
        """Note that an item is stored as it is."""
        item.dirty = False
        item.stored = True
        item.error = None
        self.dirty.pop(item, None)
        if item in self.stuck:
            del self.stuck[item]
            self.policy.insert(item)

    def loosen(self, item: Item) -> None:
        """Keep an item for those who hold its value; it counts no more."""
        self.by_name[item.name] = item
        item.loose = True
        self.loose[item] = None

    def remove(self, item: Item) -> None:
        """Take an item out."""
        if self.by_name.get(item.name) is item:
            del self.by_name[item.name]
        self._lose(item)

    def released(self) -> list[Item]:
        """Choose loose items that nobody holds any more, and claim their turns.

        Looks at all of them, but only once in so many operations that each pays for some of them.
        """
        self._idle += 1
        claimed: list[Item] = []
        if self.loose and self._idle * _CHECKS >= len(self.loose):
            self._idle = 0
            for item in list(self.loose):
                if not is_held(item):
                    self.claim(item, claimed)
        return claimed

    def resize(self, item: Item, size: int) -> None:
        """Count an item by a new size."""
        if not item.loose:
            self.used += size - int(item.size)
        item.size = size
