"""Values in memory up to a limit, and the rest in the slow store: reading, storing, evicting."""

from collections.abc import Iterable
from typing import Any, Final

from holdall._shown import shown
from holdall.errors import SerializationError, StoreUnavailableError
from holdall.store._compiled import UNNAMED
from holdall.wrappers.spilling._items import GONE, Item
from holdall.wrappers.spilling._slow import Loaded
from holdall.wrappers.spilling._writing import SpillWriting

__all__ = ["Spill"]

_ANYONE: Final = object()


class Spill(SpillWriting):
    """The state that several handles of one spilling persister share.

    Parameters are those of `SpillWriting`.
    """

    # ------------------------------------------------------------------ reading

    def name(self, key: Any) -> Any:
        """Return the name of a key in the slow store; raise InvalidKeyError if it has none."""
        try:
            return self._name(key)
        except UNNAMED:
            return self.slow.place.id_of(key)

    def get(self, key: Any) -> Any:
        """Return a value; raise KeyError if there is none."""
        try:
            name = self._name(key)
        except UNNAMED:
            name = self.slow.place.id_of(key)
        item = self.items.by_name.get(name)
        if item is not None:
            value = item.value  # a reference first: see Items.take()
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
        """Read a value into memory for later; return whether that was needed. Raise KeyError if absent."""
        name = self.name(key)
        with self.items.turn(name):
            if name in self.items.by_name:
                return False
            self.keep(name, key, self.slow.load(key))
            return True

    def keep(self, name: Any, key: Any, loaded: Loaded) -> None:
        """Admit a value that was just read; the caller has the turn of its key."""
        value = loaded.value
        size = self.size_of(key, value)
        cost = self.costs.measured(type(value), size, loaded.seconds)
        item = Item(name, key, value, size=size, cost=cost, mark=loaded.mark)
        item.guessed = False
        items = self.items
        if self.costs.is_first(type(value), size):
            self._reprice(type(value), size)
        with items.lock:
            self.misses += 1
            self.seconds_loading += loaded.seconds
            if name in items.by_name:  # another value was stored meanwhile
                return
            victims = items.admit(item)
            if victims == [] and not items.loose:
                items.insert(item)
                return
        try:
            fits = self._make_room(victims) and victims is not None
        except OSError:  # eviction failed; the value was read nevertheless
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

    def _reprice(self, kind: type, size: int) -> None:
        """Replace the estimated cost of values that were never loaded by a measured one."""
        items = self.items
        with items.lock:
            for item in items.by_name.values():
                alike = int(item.size).bit_length() == size.bit_length()
                if item.guessed and alike and type(item.value) is kind:
                    item.cost = self.costs.expected(kind, int(item.size))
            items.policy.reprice()

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
                    items.loosen(old)  # its room went to a value that was not admitted
            raise

    def _let_in(self, item: Item, victims: list[Item], replaced: Any = _ANYONE) -> bool:
        """Admit an item after evictions; return whether there is room for it.

        If it should replace a certain item, which was replaced meanwhile, nothing is left to do.
        """
        items = self.items

        def late() -> bool:
            return replaced is not _ANYONE and items.by_name.get(item.name) is not replaced

        try:
            fits = self._make_room(victims)
        except BaseException as error:
            with items.lock:
                stays = items.used - item.size <= items.budget and not late()
                if stays:  # better to exceed the limit than to lose a value
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
            f"{shown(item.key)} ({item.size:,} bytes) {what}, and nothing is lost"
        )
        return type(error)(error.errno, text, error.filename)

    def _put_through(self, name: Any, key: Any, value: Any, size: int, *, keep: bool) -> None:
        """Write a value to the slow store, and keep it in memory if possible; the caller has its turn."""
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
        mark = self.slow.mark(data)
        item = Item(name, key, value, size=size, cost=self.costs.expected(type(value), size), mark=mark)
        with items.lock:
            if items.by_name.get(name) is not old:
                return  # another value was stored meanwhile
            victims = items.admit(item, old) if keep else None
        self._settle_in(item, old, victims)

    def _settle_in(self, item: Item, old: Item | None, victims: list[Item] | None) -> None:
        """Admit an item that is stored, or keep it for its holders."""
        if victims is not None and self._let_in(item, victims, old):
            return
        with self.items.lock:
            self._drop(item.name, old)
            if not item.frozen and item.name not in self.items.by_name:
                self.items.loosen(item)
        self._make_room(())

    def wrote(self, name: Any, key: Any, value: Any, old: Item | None) -> None:
        """Admit a value that was just written otherwise; the caller has its turn."""
        size = self.size_of(key, value)
        item = Item(name, key, value, size=size, cost=self.costs.expected(type(value), size))
        if not item.frozen and self.writeback != "never":
            item.mark = self.slow.mark_of_value(key, value)
        with self.items.lock:
            if self.items.by_name.get(name) is not old:
                return
            victims = self.items.admit(item, old)
        self._settle_in(item, old, victims)

    def forget(self, name: Any, key: Any, item: Item | None) -> None:
        """Drop an item that was deleted in the slow store; the caller has its turn."""
        with self.items.lock:
            self._drop(name, item)
            self.items.policy.forget(key if item is None else item.key)

    # ------------------------------------------------------------------ letting go

    def _make_room(self, victims: Iterable[Item] | None) -> bool:
        """Evict items whose turns are ours, and those without holders; return whether that is enough."""
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
        """Write a changed item, and take it out of memory; the caller has its turn, which is released."""
        items = self.items
        if not items.is_held(item) and items.by_name.get(item.name) is item:
            try:
                if self.on_overflow is not None:
                    self.on_overflow(item.key)
                self._write_if_changed(item, leaving=True)
            except SerializationError as error:
                with items.lock:
                    items.stick(item, error)
                    items.release([item.name])
                return
        with items.lock:
            if items.by_name.get(item.name) is item:
                if not item.dirty and items.take(item):
                    items.remove(item)
                    self._gone += int(item.size)
                else:
                    item.out = True  # its holders may change it
                    items.loosen(item)
            items.release([item.name])

    def shrink(self, to: int = 0) -> None:
        """Move values to the slow store until at most some bytes are in memory."""
        items = self.items
        with items.lock:
            budget, items.budget = items.budget, to
            try:
                victims = items.overdue()
            finally:
                items.budget = budget
        self._make_room(victims)
