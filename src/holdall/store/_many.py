"""Many items at once: storing all of a mapping, and reading all items."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from holdall.abc import NOT_MINE, Capability
from holdall.conditional import DELETE_CURRENT, Joker
from holdall.errors import HoldallError
from holdall.store._base import StoreBase
from holdall.store._compiled import COMMANDS, UNNAMED
from holdall.store._compose import composed
from holdall.store._progress import Progress
from holdall.store._typing import Callback, SupportsKeys

K = TypeVar("K")
V = TypeVar("V")


class StoreMany(StoreBase[K, V]):
    """The part of `Store` that writes and reads many items at once."""

    @overload
    def update(self, other: SupportsKeys[K, V | Joker], progress: Callback | None = None, /) -> None: ...
    @overload
    def update(
        self: "StoreMany[str, V]",
        other: SupportsKeys[str, V | Joker],
        progress: Callback | None = None,
        /,
        **named: V | Joker,
    ) -> None: ...
    @overload
    def update(self, other: Iterable[tuple[K, V | Joker]], progress: Callback | None = None, /) -> None: ...
    @overload
    def update(
        self: "StoreMany[str, V]",
        other: Iterable[tuple[str, V | Joker]],
        progress: Callback | None = None,
        /,
        **named: V | Joker,
    ) -> None: ...
    @overload
    def update(self: "StoreMany[str, V]", /, **named: V | Joker) -> None: ...
    def update(self, other: Any = (), progress: Callback | None = None, /, **named: Any) -> None:
        """Store the items of a mapping, of pairs, or of keywords, many at once where the persister can.

        Each `DELETE_CURRENT` among the values is carried out in its turn, between two such writes.

        Parameters
        ----------
        other
            A mapping, an object with ``keys``, or an iterable of pairs.
        progress
            Called with the number of items taken so far, after each. Positional only, as keywords are items.
        **named
            More items, whose keys are text.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> counts = []
        >>> MemoryStore().update({"a": 1, "b": 2}, counts.append)
        >>> counts
        [1, 2]
        """
        pairs: Iterator[tuple[Any, Any]] = itertools.chain(pairs_of(other), named.items())
        if progress is not None:
            pairs = Progress(progress).over(pairs)
        deleted: list[Any] = []
        while True:
            try:
                self._compiled.persister.write_many(self._encoded(pairs, deleted))
            except HoldallError as error:
                self._compiled.add_facts(error, None, "write")
                raise
            if not deleted:
                return
            # Not before: the persister may write later what it was given first.
            self._compiled.command(deleted.pop(), DELETE_CURRENT)

    def _encoded(self, pairs: Iterable[tuple[Any, Any]], deleted: list[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield ids and data up to the first item that is to be deleted."""
        compiled = self._compiled
        encode, dump = compiled.encode, compiled.dump
        simple = encode and dump and not compiled.pairs and not compiled.special
        for key, value in pairs:
            if type(value) in COMMANDS:
                if value is DELETE_CURRENT:
                    deleted.append(key)
                    return
                compiled.command(key, value)
            elif not simple:
                id = compiled.id(key)
                yield id, compiled.data(key, id, value)
            else:  # id() and data() inlined: a third of the time of a small item
                try:
                    id = encode(key)  # type: ignore[misc]
                except UNNAMED as error:
                    compiled.unnameable(key, error)
                try:
                    data = dump(value)  # type: ignore[misc]
                except Exception as error:
                    compiled.unwritable(key, error)
                yield id, data

    def _iter_items(self) -> Iterator[tuple[K, V]]:
        compiled = self._compiled
        lists = None
        if compiled.choose is None:
            lists = compiled.persister.contents(compiled.prefix, compiled.limit)
        # No generator of ours around the one that yields the items: that is a tenth of the time of a small
        # one.
        if lists is not None:
            return self._in_bulk(lists)
        if compiled.decode is None or Capability.STREAMING in compiled.persister.capabilities:
            return self._one_after_another(iter(self))
        return self._by_ids(compiled.pairs_of_ids())

    def _one_after_another(self, keys: Iterator[K]) -> Iterator[tuple[K, V]]:
        """Yield keys and values by looking up each key."""
        for key in keys:
            try:
                value = self._present(key)
            except KeyError:
                continue
            yield key, value

    def _by_ids(self, pairs: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        """Yield keys and values that the persister reads several at a time."""
        compiled = self._compiled
        keys: dict[Any, Any] = {}  # by the ids that read_many is working on

        def ids() -> Iterator[Any]:
            for key, id in pairs:
                keys[id] = key
                yield id

        for id, data in compiled.persister.read_many(ids()):
            key = keys.pop(id)
            yield key, compiled.value(key, id, data)

    def _in_bulk(self, lists: Iterator[list[tuple[str, Any]]]) -> Iterator[tuple[Any, Any]]:
        """Yield keys and values of items that the persister returns in lists.

        Only the key codec and the serializer are called per item: over 100,000 small values in SQLite that
        takes 0.45 µs an item; with a generator per item it took 0.7 (``benchmarks/sqlite.py``).
        """
        compiled = self._compiled
        decode, decode_many, (plain, with_key) = compiled.decode, compiled.decode_many, compiled.outward
        load = composed([function for function in (compiled.loads, plain) if function])
        for items in lists:
            ids = [id for id, _ in items]
            keys = ids if decode is None else [] if decode_many is None else decode_many(ids)
            if len(items) == 1 or len(keys) != len(ids) or with_key is not None:
                yield from self._one_by_one(items)
            elif load is not None and load is not bytes:
                try:
                    values = [load(data) for _, data in items]
                except Exception:
                    values = None
                yield from self._one_by_one(items) if values is None else zip(keys, values, strict=True)
            elif keys is ids:
                yield from items
            else:
                yield from zip(keys, [data for _, data in items], strict=True)

    def _one_by_one(self, items: list[tuple[str, Any]]) -> Iterator[tuple[Any, Any]]:
        """Yield keys and values of items of which some are not ours, are open files, or cannot be loaded."""
        compiled = self._compiled
        decode = compiled.decode
        for id, data in items:
            key = id if decode is None else decode(id)
            if key is NOT_MINE:
                if hasattr(data, "close"):
                    data.close()
            else:
                yield key, compiled.value(key, id, data)


def pairs_of(other: Any) -> Iterable[tuple[Any, Any]]:
    """Return the items of whatever `dict.update` takes."""
    if isinstance(other, Mapping):
        return other.items()
    if hasattr(other, "keys"):
        return ((key, other[key]) for key in other.keys())  # noqa: SIM118  (may lack __iter__)
    return other  # type: ignore[no-any-return]
