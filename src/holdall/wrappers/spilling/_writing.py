"""Which values differ between memory and the slow store, and how they are written."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from holdall._eviction.costs import ReloadCosts
from holdall._shown import shown
from holdall.errors import InvalidArgumentError, SerializationError
from holdall.wrappers.spilling._items import GONE, Item, Items, is_shared
from holdall.wrappers.spilling._slow import SlowSide
from holdall.wrappers.spilling._trim import Trimmer

__all__ = ["SpillWriting"]

_BATCH: Final = 1_000  # items that are flushed at once
_BATCH_BYTES: Final = 16_000_000  # and bytes


class SpillWriting:
    """The part of `Spill` that tracks and writes changes.

    Parameters
    ----------
    slow
        The slow store.
    items
        The items in memory.
    sizeof
        Returns the size of a value in bytes.
    writeback
        ``"check"``, ``"always"`` or ``"never"``.
    through
        Whether each write goes to the slow store at once.
    on_miss, on_overflow
        Called with a key before its value is read from, or moved to, the slow store.
    """

    def __init__(
        self,
        slow: SlowSide,
        items: Items,
        *,
        sizeof: Callable[[Any], int],
        writeback: str,
        through: bool,
        on_miss: Callable[[Any], Any] | None,
        on_overflow: Callable[[Any], Any] | None,
    ) -> None:
        self.slow = slow
        slow.marking = writeback != "never"
        self.items = items
        self._name = slow.place.namer
        self._sizeof = sizeof
        self.writeback = writeback
        self.through = through
        self.on_miss = on_miss
        self.on_overflow = on_overflow
        self.costs = ReloadCosts()
        self._trimmer = Trimmer(items.budget)
        self._gone = 0  # bytes that left memory, not yet reported to the trimmer
        self.reset_counts()

    def reset_counts(self) -> None:
        """Set the counts to zero."""
        with self.items.lock:
            self._hit, self._looks = itertools.count(), itertools.count()
            self.misses = 0
            self.items.evictions = 0
            self.seconds_loading = 0.0

    @property
    def hits(self) -> int:
        """How many reads found the value in memory."""
        # Readers count by one C call, without a lock. Reading a count raises it, so reads of it are counted.
        with self.items.lock:
            return next(self._hit) - next(self._looks)

    def size_of(self, key: Any, value: Any) -> int:
        """Return the size of a value in memory, in bytes."""
        try:
            size = self._sizeof(value)
            if size >= 0:
                return int(size)
        except Exception as error:
            raise InvalidArgumentError(
                f"sizeof failed for the value of {shown(key, 120)}, of type {type(value).__name__}: {error}"
            ) from error
        raise InvalidArgumentError(
            f"sizeof gave {shown(size)} for the value of {shown(key, 120)}, which is not a size"
        )

    def _make_room(self, victims: Iterable[Item] | None) -> bool:
        raise NotImplementedError  # a part of Spill

    # ------------------------------------------------------------------ one item

    def _write_if_changed(self, item: Item, *, compare: bool = False, leaving: bool = False) -> None:
        data = self.changed(item, compare=compare)  # may be views of the value, released with this frame
        if data is GONE:
            return
        try:
            self.slow.put(item.key, data)
        except BaseException:
            item.out = True
            raise
        self._written(item, data, leaving=leaving)

    def changed(self, item: Item, *, compare: bool = False) -> Any:
        """Return the data of an item if they must be written, else `GONE`.

        Parameters
        ----------
        item
            The item; the caller has its turn.
        compare
            Whether to compare even where all values that were handed out are written.

        Raises
        ------
        SerializationError
            If the value cannot be stored.
        """
        if not item.dirty and (item.frozen or not item.out or self.writeback == "never"):
            item.out = False
            return GONE
        item.out = False  # later uses are noted again
        try:
            data = self.slow.dump(item.key, item.value)
            always = self.writeback == "always" and not compare
            if item.dirty or always or not self.slow.same(item.key, data, item.mark):
                return data
        except BaseException:
            item.out = True
            raise
        return GONE

    def _written(self, item: Item, data: Any, *, leaving: bool = False) -> None:
        # The mark of an array takes a tenth of the time in which it is written and leaves. One that stays
        # nevertheless, for somebody asks for it meanwhile, has none, and is compared with its data.
        item.mark = None if item.frozen or leaving else self.slow.mark(data)
        size = int(item.size) if item.frozen else self.size_of(item.key, item.value)  # it may have grown
        with self.items.lock:
            self.items.stored(item)
            self.items.resize(item, size)

    def settle(self, name: Any) -> Item | None:
        """Write the state of an item to the slow store, and return it; the caller has its turn."""
        item = self.items.by_name.get(name)
        if item is not None:
            self._write_if_changed(item, compare=True)
            _note_holders([item])
        return item

    # ------------------------------------------------------------------ all items

    def flush(self) -> None:
        """Write all that has changed.

        Raises
        ------
        SerializationError
            If some values cannot be stored; all others are.
        """
        with self.items.lock:
            waiting = list(self.items.dirty)
            if self.writeback != "never":
                known = self.items.by_name.values()
                waiting += [item for item in known if item.out and not (item.dirty or item.frozen)]
        self._flush_all(waiting)
        self.slow.persister.flush()

    def flush_until(self, name: Any) -> None:
        """Write what was stored before an unwritten item, so that it is older in the slow store too."""
        with self.items.lock:
            last = self.items.by_name.get(name)
            waiting = []
            if last is not None and last.dirty:
                waiting = list(itertools.takewhile(lambda item: item is not last, self.items.dirty))
        self._flush_all([item for item in waiting if item.error is None])

    def _flush_all(self, waiting: list[Item]) -> None:
        failed: list[Item] = []
        busy: list[Item] = []
        for batch in batches(waiting):
            claimed: list[Item] = []
            with self.items.lock:
                busy += [item for item in batch if not self.items.claim(item, claimed)]
            try:
                self._flush(claimed, failed)
            finally:
                self.items.release([item.name for item in claimed])
        for item in busy:
            with self.items.turn(item.name):
                self._flush([item], failed)
        with self.items.lock:
            grown = self.items.overdue()
        self._make_room(grown)
        if failed:
            keys = ", ".join(f"{shown(item.key, 40)} ({type(item.value).__name__})" for item in failed[:5])
            more = "" if len(failed) <= 5 else f" and {len(failed) - 5} more"
            raise SerializationError(
                f"{len(failed)} values cannot be stored and stay in memory only: {keys}{more}; "
                f"the first error: {failed[0].error}"
            )

    def _flush(self, batch: list[Item], failed: list[Item]) -> None:
        """Write the changed ones of some items at once; the caller has their turns."""
        written: list[tuple[Item, Any]] = []
        try:
            for item in batch:
                if self.items.by_name.get(item.name) is not item:
                    continue
                try:
                    data = self.changed(item)
                except SerializationError as error:
                    with self.items.lock:
                        self.items.stick(item, error)
                    failed.append(item)
                    continue
                if data is not GONE:
                    written.append((item, data))
                    if self.on_overflow is not None:
                        self.on_overflow(item.key)
            self.slow.write_many((item.key, data) for item, data in written)
        except BaseException:
            for item, _ in written:
                item.out = True
            raise
        for item, data in written:
            self._written(item, data)
        data = None
        written.clear()  # releases data that are views of values
        _note_holders(batch)

    # ------------------------------------------------------------------ counts

    @property
    def stuck_bytes(self) -> int:
        """The size of values that cannot be stored."""
        return sum(int(item.size) for item in list(self.items.stuck))

    @property
    def held_bytes(self) -> int:
        """The size of values that do not count, because they are held elsewhere."""
        return sum(int(item.size) for item in list(self.items.loose))


def _note_holders(items: Iterable[Item]) -> None:
    """Note that held values may be changed from now on."""
    for item in items:
        if is_shared(item):
            item.out = True


def batches(items: list[Item]) -> Iterator[list[Item]]:
    """Split a list of items into lists that are each written at once."""
    batch: list[Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += int(item.size)
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
