"""Policies that evict by priority, over `heapdict`."""

import itertools
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from sys import getsizeof
from typing import Any, Final
from zlib import crc32

from heapdict import heapdict

from holdall._eviction.policy import Entry, LruPolicy, Policy, Spare

__all__ = ["GdsfPolicy", "LfuPolicy", "Way"]

_AGE: Final = 20_000  # loads after which all use counts are halved
_SAMPLE: Final = 4  # one in so many keys takes part in the simulations
_DECAY: Final = 0.9995  # factor per sampled use for the losses of the simulations
_QUEUE: Final = 10_000  # maximal number of uses waiting for simulation
# Bytes, measured: a place in a heap, a key with its count, an entry of a simulation, a use that waits for it.
_PLACE, _COUNT, _ENTRY, _USE = 200, 60, 200, 150
_MARGIN: Final = 0.98  # the ratio of losses below which another way is taken


class HeapPolicy(Policy):
    """The entry with the lowest priority goes first; among equals, the least recently used.

    Parameters
    ----------
    capacity
        The capacity.

    Notes
    -----
    The heap is built at the first eviction. A hit counts but does not change the heap: an entry on top with
    an outdated priority is put back with the present one. So priorities may only rise between two evictions.
    Uses of evicted keys are remembered; all counts are halved every 20,000 newcomers, and a key that was used
    once is forgotten then.
    """

    def __init__(self, capacity: float) -> None:
        super().__init__(capacity)
        self.clock = 0.0  # the highest priority of evicted entries
        self._fresh: dict[Entry, None] = {}  # all entries, until there is a heap
        self._heap: Any = None
        self._gone: dict[Any, int] = {}  # uses of evicted keys
        self._serial = itertools.count()
        self._loads = 0

    @abstractmethod
    def priority(self, entry: Entry) -> float:
        """Return the present priority of an entry."""

    def hit(self, entry: Entry) -> None:  # docstring inherited
        entry.uses += 1
        entry.stamp = self.clock

    def insert(self, entry: Entry) -> None:  # docstring inherited
        if self._gone:
            entry.uses += self._gone.pop(entry.key, 0)
        entry.stamp = self.clock
        if self._heap is None:
            self._fresh[entry] = None
        else:
            self._push(entry)

    def discard(self, entry: Entry) -> None:  # docstring inherited
        if self._heap is None:
            self._fresh.pop(entry, None)
        elif entry in self._heap:
            del self._heap[entry]

    def reprice(self) -> None:  # docstring inherited
        if self._heap is not None:
            self._fresh, self._heap = dict.fromkeys(self._heap), None

    def forget(self, key: Any) -> None:  # docstring inherited
        self._gone.pop(key, None)
        if not (self._gone or len(self)):
            self.clear()  # releases what an empty place no longer needs

    def clear(self) -> None:  # docstring inherited
        self._fresh, self._heap = {}, None
        self._gone.clear()

    def __iter__(self) -> Iterator[Any]:
        entries = list(self._fresh if self._heap is None else self._heap)
        return iter(sorted(entries, key=self.priority))

    def __len__(self) -> int:
        return len(self._fresh if self._heap is None else self._heap)

    def nbytes(self) -> int:  # docstring inherited
        heap, gone = self._heap, self._gone
        taken = getsizeof(self._fresh) + getsizeof(gone) + _COUNT * len(gone)
        if heap is not None:
            taken += getsizeof(heap.heap) + getsizeof(heap.d) + _PLACE * len(heap)
        return taken

    def restore(self, rows: Iterable[tuple[Any, float, float, int, float]]) -> list[Entry]:
        # docstring inherited
        entries = super().restore(rows)
        if entries:
            self.clock = max(self.clock, min(map(self.priority, entries)))
        return entries

    # ------------------------------------------------------------------ the heap

    def _push(self, entry: Entry) -> None:
        self._heap[entry] = self.priority(entry), next(self._serial)

    def _build(self) -> None:
        """Build the heap; entries in the order of their priorities never move in it."""
        entries = sorted(self._fresh, key=self.priority)
        self._fresh, self._heap = {}, heapdict()
        for entry in entries:
            self._push(entry)

    def _top(self) -> tuple[Entry, tuple[float, int]] | None:
        """Take out the entry with the lowest priority, with its rank in the heap, without remembering it."""
        if self._heap is None:
            self._build()
        heap = self._heap
        while heap:
            entry, rank = heap.popitem()
            if self.priority(entry) <= rank[0]:
                return entry, rank
            self._push(entry)
        return None

    def _left(self, entry: Entry) -> None:
        """Note that an entry has been evicted."""
        self.clock = max(self.clock, self.priority(entry))
        self._gone[entry.key] = entry.uses
        entry.uses = 0  # restored by insert()

    def _next(self) -> Entry | None:
        found = self._top()
        if found is None:
            return None
        self._left(found[0])
        return found[0]

    def admit(
        self, entry: Entry, need: float = 0, *, items: int = 0, spare: Spare | None = None
    ) -> list[Any] | None:  # docstring inherited
        self._arrived(entry)
        return super().admit(entry, need, items=items, spare=spare)

    def _arrived(self, entry: Entry) -> None:
        """Count a newcomer, and age all counts."""
        entry.uses += 1
        if self._gone:
            entry.uses += self._gone.pop(entry.key, 0)
        self._loads += 1
        if self._loads >= _AGE:
            self._loads = 0
            self._age()

    def _age(self) -> None:
        self.reprice()
        for entry in self._fresh:
            entry.uses = (entry.uses + 1) >> 1
        self._gone = {key: uses >> 1 for key, uses in self._gone.items() if uses > 1}


class LfuPolicy(HeapPolicy):
    """The least frequently used entry goes first; counts age, and continue while a key is evicted.

    Parameters
    ----------
    capacity
        The capacity.
    """

    def priority(self, entry: Entry) -> float:  # docstring inherited
        return entry.uses


class Way(Enum):
    """How `GdsfPolicy` decides."""

    ALWAYS = "newcomers are always taken in"
    WORTHY = "newcomers must be worth more than those who would go"
    RECENT = "the least recently used entry goes"
    FREQUENT = "uses count, however long ago they were"


_WITH_CLOCK: Final = frozenset({Way.ALWAYS, Way.WORTHY})


class GdsfPolicy(HeapPolicy):
    """The entry whose loading is cheapest for its size and use goes first.

    Parameters
    ----------
    capacity
        The capacity.
    way
        The `Way` to use; None to find out which loses least.

    Notes
    -----
    GreedyDual-Size-Frequency (Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency
    caching policy", HP Labs 1998). An entry of size s that costs c seconds to load again and was used f times
    has the priority ``H = L + f * c / s``, where the clock L is the highest H of an evicted entry at its last
    use: the clock overtakes entries that are no longer used.

    A newcomer is worth admitting if ``(f - 1) * c`` is more than the sum of ``f * c`` of the entries to
    evict. This rule keeps a part of a loop over more than fits, and the popular among many that are requested
    once; it is wrong where only the recent past matters, and there frequencies are wrong altogether. Where
    the same keys stay popular, the clock is wrong: without it, a trace of mixed sizes that finds room for 30
    % takes 0.85 of the time. So four simulations without values, one for each way, run with a quarter of the
    keys and a quarter of the capacity, and the one that has recently lost the fewest seconds decides for all.
    """

    def __init__(self, capacity: float, *, way: Way | None = None) -> None:
        super().__init__(capacity)
        self._way = way or Way.ALWAYS
        self._duel = _Duel(capacity) if way is None else None
        self._uses = 0  # by all entries
        self._full = False  # whether it ever was: nothing is simulated before

    def priority(self, entry: Entry) -> float:  # docstring inherited
        if self._way is Way.RECENT:
            return entry.turn
        worth = entry.uses * entry.cost / (entry.size or 1)
        return worth if self._way is Way.FREQUENT else entry.stamp + worth

    def hit(self, entry: Entry) -> None:  # docstring inherited
        entry.uses += 1
        entry.stamp = self.clock
        self._uses = entry.turn = self._uses + 1
        if entry.used and self._duel is not None:
            self._duel.note(entry)

    def insert(self, entry: Entry) -> None:  # docstring inherited
        self._uses = entry.turn = self._uses + 1
        entry.used = self._full and self._duel is not None and is_sampled(entry.key)
        super().insert(entry)

    def _build(self) -> None:
        if self._duel is not None:
            for entry in self._fresh:
                entry.used = is_sampled(entry.key)
                if entry.used and not self._full:  # uses before the simulations began
                    self._duel.note(entry)
        self._full = True
        super()._build()

    def admit(
        self, entry: Entry, need: float = 0, *, items: int = 0, spare: Spare | None = None
    ) -> list[Any] | None:  # docstring inherited
        roomy = need <= 0 and items <= 0
        if self._duel is not None and (self._full or not roomy):
            if is_sampled(entry.key):
                self._duel.note(entry)
            self._go(self._duel.decide(self._way))
        if roomy or self._way is not Way.WORTHY:
            return super().admit(entry, need, items=items, spare=spare)
        self._arrived(entry)
        return self._worth_it(entry, need, items, spare)

    def _go(self, way: Way) -> None:
        """Switch to another way."""
        if way is self._way:
            return
        if not {way, self._way} <= _WITH_CLOCK:
            self.reprice()
        self._way = way

    def _left(self, entry: Entry) -> None:
        if self._way in _WITH_CLOCK:
            self.clock = max(self.clock, self.priority(entry))
        self._gone[entry.key], entry.uses = entry.uses, 0

    def _worth_it(self, entry: Entry, need: float, items: int, spare: Spare | None) -> list[Any] | None:
        """Take out entries that are together worth less than the newcomer, or none."""
        mine = (entry.uses - 1) * entry.cost
        victims: dict[Entry, tuple[float, int]] = {}
        spared: list[Entry] = []
        freed, worth, refused = 0.0, 0.0, False
        while not refused and (freed < need or len(victims) < items):
            top = self._top()
            if top is None:
                break
            found, rank = top
            if spare is not None and spare(found):
                spared.append(found)
                continue
            victims[found] = rank
            freed += found.size
            worth += found.uses * found.cost
            refused = worth >= mine
        if refused:
            for found, rank in victims.items():
                self._heap[found] = rank  # in its order among equals
            self._gone[entry.key], entry.uses = entry.uses, 0
        else:
            for found in victims:
                self._left(found)
        self._spared(spared)
        return None if refused else list(victims)

    def nbytes(self) -> int:  # docstring inherited
        return super().nbytes() + (0 if self._duel is None else self._duel.nbytes())

    def clear(self) -> None:  # docstring inherited
        super().clear()
        if self._full and self._duel is not None:
            self._duel = _Duel(self.capacity)
        self._full = False


class _Duel:
    """Simulations with a sample of the uses, which show the loss of each way."""

    def __init__(self, capacity: float) -> None:
        self._shadows = {
            Way.ALWAYS: _Shadow(GdsfPolicy(capacity / _SAMPLE, way=Way.ALWAYS)),
            Way.WORTHY: _Shadow(GdsfPolicy(capacity / _SAMPLE, way=Way.WORTHY)),
            Way.RECENT: _Shadow(LruPolicy(capacity / _SAMPLE)),
            Way.FREQUENT: _Shadow(GdsfPolicy(capacity / _SAMPLE, way=Way.FREQUENT)),
        }
        # Key, size and cost of sampled uses: a hit only appends. Entries are not kept, as they may hold
        # values.
        self._queue: deque[tuple[Any, float, float]] = deque(maxlen=_QUEUE)

    def note(self, entry: Entry) -> None:
        """Note a use of a sampled key."""
        self._queue.append((entry.key, entry.size, entry.cost))

    def nbytes(self) -> int:
        """Return about how many bytes the simulations take."""
        return _USE * len(self._queue) + sum(shadow.nbytes() for shadow in self._shadows.values())

    def decide(self, way: Way) -> Way:
        """Return the best way by the uses so far."""
        if not self._queue:
            return way
        queue, self._queue = self._queue, deque(maxlen=_QUEUE)
        shadows = self._shadows
        for _ in range(len(queue)):
            key, size, cost = queue.popleft()  # a hit that just found this queue may still append to it
            for shadow in shadows.values():
                shadow.use(key, size, cost)
            best = min(shadows, key=lambda way: shadows[way].lost)
            if shadows[best].lost < _MARGIN * shadows[way].lost:
                way = best
        return way


class _Shadow:
    """A simulation of a policy, without values."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.lost = 0.0  # seconds, decaying
        self._entries: dict[Any, Entry] = {}
        self._used: float = 0

    def nbytes(self) -> int:
        """Return about how many bytes the simulation takes."""
        return getsizeof(self._entries) + _ENTRY * len(self._entries) + self.policy.nbytes()

    def use(self, key: Any, size: float, cost: float) -> None:
        """Use a key, as the owner of the values does."""
        self.lost *= _DECAY
        policy = self.policy
        entry = self._entries.get(key)
        if entry is not None:
            policy.hit(entry)
            return
        self.lost += cost
        if size > policy.capacity:
            return
        entry = Entry(key, size, cost)
        victims = policy.admit(entry, self._used + entry.size - policy.capacity)
        if victims is None:
            return
        for victim in victims:
            del self._entries[victim.key]
            self._used -= victim.size
        policy.insert(entry)
        self._entries[entry.key] = entry
        self._used += entry.size


def is_sampled(key: Any) -> bool:
    """Return whether a key takes part in the simulations; text and numbers do in every process alike."""
    number = crc32(key.encode("utf-8", "surrogatepass")) if isinstance(key, str) else hash(key)
    return not ((number * 2_654_435_761) >> 7) % _SAMPLE
