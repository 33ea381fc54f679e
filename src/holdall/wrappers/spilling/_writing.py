"""What differs between memory and the slow side, and how it is written."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from holdall._eviction.costs import ReloadCosts
from holdall.errors import InvalidArgumentError, SerializationError
from holdall.wrappers.spilling._items import GONE, Item, Items, is_held
from holdall.wrappers.spilling._slow import SlowSide
from holdall.wrappers.spilling._trim import Trimmer

__all__ = ["SpillWriting"]

_BATCH: Final = 1_000  # items that are flushed in one go
_BATCH_BYTES: Final = 16_000_000  # and bytes


class SpillWriting:
    """The part of `Spill` that knows what differs from the slow side, and writes it.

    Parameters
    ----------
    slow
        Where values go.
    items
        Those in memory.
    sizeof
        Returns the size of a value in bytes.
    writeback
        ``"check"``, ``"always"`` or ``"never"``.
    through
        Whether each write goes to the slow side at once.
    on_miss, on_overflow
        Called with a key before its value is read from, or moved to, the slow side.
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
        self._gone = 0  # bytes that have left memory, of which the trimmer does not know yet
        self.reset_counts()

    def reset_counts(self) -> None:
        """Count from zero."""
        with self.items.lock:
            self._hit, self._looks = itertools.count(), itertools.count()
            self.misses = 0
            self.items.evictions = 0
            self.seconds_loading = 0.0

    @property
    def hits(self) -> int:
        """How many reads found the value in memory."""
        # Readers count by one call of C, without a lock. To look at a count raises it, so looks are counted.
        with self.items.lock:
            return next(self._hit) - next(self._looks)

    def size_of(self, key: Any, value: Any) -> int:
        """Return what a value takes in memory, in bytes."""
        try:
            size = self._sizeof(value)
            if size >= 0:
                return int(size)
        except Exception as error:
            raise InvalidArgumentError(
                f"sizeof failed for the value of {key!r:.120}, of type {type(value).__name__}: {error}"
            ) from error
        raise InvalidArgumentError(
            f"sizeof gave {size!r:.80} for the value of {key!r:.120}, which is no size"
        )

    def _make_room(self, victims: Iterable[Item] | None) -> bool:
        raise NotImplementedError  # a part of Spill

    # ------------------------------------------------------------------ one item

    def _write_if_changed(self, item: Item, *, compare: bool = False) -> None:
        data = self.changed(item, compare=compare)  # views of the value, maybe: they go with this frame
        if data is GONE:
            return
        try:
            self.slow.put(item.key, data)
        except BaseException:
            item.out = True
            raise
        self._written(item, data)

    def changed(self, item: Item, *, compare: bool = False) -> Any:
        """Return the data of an item if they must be written, else `GONE`.

        Parameters
        ----------
        item
            The item; its turn is ours.
        compare
            Whether to compare even where all that somebody has got is to be written.

        Raises
        ------
        SerializationError
            If the value cannot be stored.
        """
        if not item.dirty and (item.frozen or not item.out or self.writeback == "never"):
            item.out = False
            return GONE
        item.out = False  # whoever gets it from now on is noticed
        try:
            data = self.slow.dump(item.key, item.value)
            always = self.writeback == "always" and not compare
            if item.dirty or always or not self.slow.same(item.key, data, item.mark):
                return data
        except BaseException:
            item.out = True
            raise
        return GONE

    def _written(self, item: Item, data: Any) -> None:
        item.mark = None if item.frozen else self.slow.mark(item.key, data)
        size = int(item.size) if item.frozen else self.size_of(item.key, item.value)  # it may have grown
        with self.items.lock:
            self.items.stored(item)
            self.items.resize(item, size)

    def settle(self, name: Any) -> Item | None:
        """Bring the slow side to the state of an item, and return it; its turn is ours."""
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
        """Write what was stored before an item that is not written yet, so that it is older there too."""
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
            keys = ", ".join(f"{item.key!r:.40} ({type(item.value).__name__})" for item in failed[:5])
            more = "" if len(failed) <= 5 else f" and {len(failed) - 5} more"
            raise SerializationError(
                f"{len(failed)} values cannot be stored and stay in memory only: {keys}{more}; "
                f"the first says: {failed[0].error}"
            )

    def _flush(self, batch: list[Item], failed: list[Item]) -> None:
        """Write those of some items that have changed, in one go; their turns are ours."""
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
        written.clear()  # with the views of values that data may be
        _note_holders(batch)

    # ------------------------------------------------------------------ counts

    @property
    def stuck_bytes(self) -> int:
        """What values take that cannot be stored."""
        return sum(int(item.size) for item in list(self.items.stuck))

    @property
    def held_bytes(self) -> int:
        """What values take that do not count, because somebody else holds them."""
        return sum(int(item.size) for item in list(self.items.loose))


def _note_holders(items: Iterable[Item]) -> None:
    """Note that values which somebody holds may be changed from now on."""
    for item in items:
        if is_held(item):
            item.out = True


def batches(items: list[Item]) -> Iterator[list[Item]]:
    """Cut a list of items into lists of which each is written in one go."""
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
