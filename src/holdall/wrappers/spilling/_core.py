"""Values in memory up to a budget, and the rest on the slow side: reading, writing, letting go."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from holdall._eviction.costs import ReloadCosts
from holdall.errors import InvalidArgumentError, SerializationError, StoreUnavailableError
from holdall.store._calls import UNNAMED
from holdall.wrappers.spilling._items import GONE, Item, Items, is_held, taken
from holdall.wrappers.spilling._slow import Loaded, SlowSide
from holdall.wrappers.spilling._trim import Trimmer

__all__ = ["Spill"]

_ANYONE: Final = object()
_BATCH: Final = 1_000  # items that are flushed in one go
_BATCH_BYTES: Final = 16_000_000  # and bytes


class Spill:
    """What several handles of one spilling place share.

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
        self._name = slow.store._encode or slow.store._id
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
        self._hit = itertools.count()
        self.misses = 0
        self.items.evictions = 0
        self.seconds_loading = 0.0

    @property
    def hits(self) -> int:
        """How many reads found the value in memory."""
        return int(self._hit.__reduce__()[1][0])

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

    # ------------------------------------------------------------------ reading

    def name(self, key: Any) -> Any:
        """Return the name of a key on the slow side; InvalidKeyError if it has none."""
        try:
            return self._name(key)
        except UNNAMED:
            return self.slow.store._id(key)

    def get(self, key: Any) -> Any:
        """Return a value; KeyError if there is none."""
        try:
            name = self._name(key)
        except UNNAMED:
            name = self.slow.store._id(key)
        item = self.items.by_name.get(name)
        if item is not None:
            value = item.value  # a reference first: see taken()
            if value is not GONE:
                item.out = True
                next(self._hit)
                self.items.policy.hit(item)
                return value
        return self._get_slowly(key, name)

    def _get_slowly(self, key: Any, name: Any) -> Any:
        with self.items.turn(name):
            item = self.items.by_name.get(name)
            if item is not None and (value := item.value) is not GONE:
                item.out = True
                next(self._hit)
                return value
            if self.on_miss is not None:
                if not self.slow.has(key):
                    raise KeyError(key)
                self.on_miss(key)
            loaded = self.slow.load(key)
            self.keep(name, key, loaded)
            return loaded.value

    def prefetch(self, key: Any) -> bool:
        """Read a value into memory for later; tell whether that was needed. KeyError if there is none."""
        name = self.name(key)
        with self.items.turn(name):
            if name in self.items.by_name:
                return False
            if self.on_miss is not None and self.slow.has(key):
                self.on_miss(key)
            self.keep(name, key, self.slow.load(key))
            return True

    def keep(self, name: Any, key: Any, loaded: Loaded) -> None:
        """Take a value in that was just read; the turn of its key is ours."""
        value = loaded.value
        size = self.size_of(key, value)
        cost = self.costs.measured(type(value), size, loaded.seconds)
        item = Item(name, key, value, size=size, cost=cost, mark=loaded.mark)
        items = self.items
        with items.lock:
            self.misses += 1
            self.seconds_loading += loaded.seconds
            if name in items.by_name:  # somebody has stored another value meanwhile
                return
            victims = items.admit(item)
            if victims == [] and not items.loose:
                items.insert(item)
                return
        try:
            fits = self._make_room(victims) and victims is not None
        except OSError:  # what must go cannot go; the value was read nevertheless
            fits = False
        with items.lock:
            replaced = name in items.by_name
            if fits and not replaced:
                items.insert(item)
                return
            if victims is not None:
                items.used -= size
            if not (replaced or item.frozen):
                items.loosen(item)

    def _drop(self, name: Any, item: Item | None) -> None:
        if item is not None and self.items.by_name.get(name) is item:
            self.items.remove(item)

    # ------------------------------------------------------------------ writing

    def put(self, key: Any, value: Any) -> None:
        """Store a value."""
        size = self.size_of(key, value)
        name = self.name(key)
        items = self.items
        if self.through:
            with items.turn(name):
                self._put_through(name, key, value, size, keep=True)
            return
        item = Item(name, key, value, size=size, cost=self.costs.expected(type(value), size), dirty=True)
        with items.lock:
            old = items.by_name.get(name)
            if old is not None:
                item.stored = old.stored
            victims = items.admit(item, old)
            if victims == [] and not items.loose:
                items.insert(item)
                return
        try:
            if victims is None or not self._let_in(item, victims):
                with items.turn(name):
                    self._put_through(name, key, value, size, keep=False)
        except BaseException:
            with items.lock:
                if old is not None and items.by_name.get(name) is old and old.loose:
                    items.loosen(old)  # it lost its room to one that did not come
            raise

    def _let_in(self, item: Item, victims: list[Item], replaced: Any = _ANYONE) -> bool:
        """Take in an item when others have gone; tell whether there is room for it.

        If it is to replace a certain item, and somebody else has done so meanwhile, all is done.
        """
        items = self.items

        def late() -> bool:
            return replaced is not _ANYONE and items.by_name.get(item.name) is not replaced

        try:
            fits = self._make_room(victims)
        except BaseException as error:
            with items.lock:
                stays = items.used - item.size <= items.budget and not late()
                if stays:  # one value too many is better than one that is lost
                    items.insert(item)
                else:
                    items.used -= int(item.size)
            if isinstance(error, StoreUnavailableError):
                raise self._explained(error, item, stays=stays) from error
            raise
        with items.lock:
            if fits and not late():
                items.insert(item)
            else:
                items.used -= int(item.size)
        return fits

    def _explained(self, error: StoreUnavailableError, item: Item, *, stays: bool) -> StoreUnavailableError:
        items = self.items
        what = "stays in memory" if stays else "was not stored"
        text = (
            f"{error.strerror}; memory is {items.used:,} bytes, {items.budget:,} are allowed; the value for "
            f"{item.key!r:.80} ({item.size:,} bytes) {what}, and nothing is lost"
        )
        return type(error)(error.errno, text, error.filename)

    def _put_through(self, name: Any, key: Any, value: Any, size: int, *, keep: bool) -> None:
        """Write a value to the slow side, and keep it in memory if it may be; its turn is ours."""
        items = self.items
        old = items.by_name.get(name)
        try:
            data = self.slow.dump(key, value)
        except SerializationError as error:
            if keep:
                raise
            raise SerializationError(
                f"{error}; and there is no room to keep it in memory: {items.used:,} of {items.budget:,} "
                f"bytes are taken, {self.stuck_bytes:,} of them by values that cannot be stored either",
            ) from error
        self.slow.put(key, data)
        mark = self.slow.mark(key, data)
        item = Item(name, key, value, size=size, cost=self.costs.expected(type(value), size), mark=mark)
        with items.lock:
            if items.by_name.get(name) is not old:
                return  # somebody has stored another value meanwhile
            victims = items.admit(item, old) if keep else None
        self._settle_in(item, old, victims)

    def _settle_in(self, item: Item, old: Item | None, victims: list[Item] | None) -> None:
        """Take in an item that is stored, or keep it for those who hold it."""
        if victims is not None and self._let_in(item, victims, old):
            return
        with self.items.lock:
            self._drop(item.name, old)
            if not item.frozen and item.name not in self.items.by_name:
                self.items.loosen(item)
        self._make_room(())

    # ------------------------------------------------------------------ letting go

    def _make_room(self, victims: Iterable[Item] | None) -> bool:
        """Let items go whose turns are ours, and those that nobody holds any more; tell if that is enough."""
        items = self.items
        with items.lock:
            waiting = [*(victims or ()), *items.released()]
        while waiting:
            try:
                while waiting:
                    self._let_go(waiting[-1])
                    waiting.pop()
            except BaseException:
                with items.lock:
                    items.readmit(waiting)
                raise
            with items.lock:
                waiting = items.overdue()
        if self._gone:
            gone, self._gone = self._gone, 0
            self._trimmer.gone(gone, items.used)
        return items.used <= items.budget

    def _let_go(self, item: Item) -> None:
        """Write an item that has changed, and take it out of memory; its turn is ours, and given back."""
        items = self.items
        if not is_held(item) and items.by_name.get(item.name) is item:
            try:
                if self.on_overflow is not None:
                    self.on_overflow(item.key)
                self._write_if_changed(item)
            except SerializationError as error:
                with items.lock:
                    items.stick(item, error)
                    items.release([item.name])
                return
        with items.lock:
            if items.by_name.get(item.name) is item:
                if not item.dirty and taken(item):
                    items.remove(item)
                    self._gone += int(item.size)
                else:
                    item.out = True  # who holds it may change it
                    items.loosen(item)
            items.release([item.name])

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

    # ------------------------------------------------------------------ one item and the slow side

    def settle(self, name: Any) -> Item | None:
        """Bring the slow side to the state of an item, and return it; its turn is ours."""
        item = self.items.by_name.get(name)
        if item is not None:
            self._write_if_changed(item, compare=True)
            _note_holders([item])
        return item

    def wrote(self, name: Any, key: Any, value: Any, old: Item | None) -> None:
        """Take in a value that was just written by another way; its turn is ours."""
        size = self.size_of(key, value)
        item = Item(name, key, value, size=size, cost=self.costs.expected(type(value), size))
        if not item.frozen and self.writeback != "never":
            item.mark = self.slow.mark_of_value(key, value)
        with self.items.lock:
            if self.items.by_name.get(name) is not old:
                return
            victims = self.items.admit(item, old)
        self._settle_in(item, old, victims)

    def forget(self, name: Any, item: Item | None) -> None:
        """Drop an item that was deleted on the slow side; its turn is ours."""
        with self.items.lock:
            self._drop(name, item)
            if item is not None:
                self.items.policy.forget(item.key)

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

    def shrink(self, to: int = 0) -> None:
        """Move values to the slow side until no more than some bytes are in memory."""
        items = self.items
        with items.lock:
            budget, items.budget = items.budget, to
            try:
                victims = items.overdue()
            finally:
                items.budget = budget
        self._make_room(victims)

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
