"""Many items at once: storing all of a mapping, and reading all that there is."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from holdall.abc import NOT_MINE, Capability
from holdall.conditional import DELETE_CURRENT
from holdall.store._calls import COMMANDS, UNNAMED
from holdall.store._layers import composed
from holdall.store._pipeline import StorePipeline

K = TypeVar("K")
V = TypeVar("V")


class StoreMany(StorePipeline[K, V]):
    """The part of `Store` that writes and reads many items at once."""

    def update(self, other: Any = (), /, **named: Any) -> None:
        """Store the items of a mapping, of pairs, or of keywords, in one go where the place can.

        Each `DELETE_CURRENT` among the values is carried out in its turn, and begins another go.

        Parameters
        ----------
        other
            A mapping, an object with ``keys``, or an iterable of pairs.
        **named
            More items, with text keys.
        """
        pairs = itertools.chain(_pairs_of(other), named.items())
        deleted: list[Any] = []
        while True:
            self._persister.write_many(self._encoded(pairs, deleted))
            if not deleted:
                return
            # Not before: the place may write later what it was given first.
            self._command(deleted.pop(), DELETE_CURRENT)

    def _encoded(self, pairs: Iterator[tuple[Any, Any]], deleted: list[Any]) -> Iterator[tuple[Any, Any]]:
        """Give ids and data up to the first item that is to be deleted."""
        encode, dump, wanted = self._encode, self._dump, self._value_type
        simple = encode and dump and not self._proofs and not any(self._inward)
        for key, value in pairs:
            if type(value) in COMMANDS:
                if value is DELETE_CURRENT:
                    deleted.append(key)
                    return
                self._command(key, value)
            elif not simple:
                yield self._id(key), self._data(key, value)
            else:  # in line what _id() and _data() do: a third of the time of a small item
                if wanted is not None and not isinstance(value, wanted):
                    self._refuse_value(key, value)
                try:
                    id = encode(key)  # type: ignore[misc]
                except UNNAMED as error:
                    self._key_failed(error, key)
                try:
                    data = dump(value)  # type: ignore[misc]
                except Exception as error:
                    self._dump_failed(error, key)
                yield id, data

    def _iter_items(self) -> Iterator[tuple[K, V]]:
        lists = None if self._decode is None else self._persister.contents(self._id_prefix, self._limit)
        # No generator of ours stands round the one that gives the items: that is a tenth of a small one.
        return self._one_after_another() if lists is None else self._in_bulk(lists)

    def _one_after_another(self) -> Iterator[tuple[Any, Any]]:
        """Give keys and values by looking up each key."""
        if self._decode is None or Capability.STREAMING in self._persister.capabilities:
            for key in self:
                try:
                    value = self._get_present(key)
                except KeyError:
                    continue
                yield key, value
            return
        keys: dict[Any, Any] = {}  # the ids that read_many is working on

        def ids() -> Iterator[Any]:
            for key, id in self._pairs():
                keys[id] = key
                yield id

        for id, data in self._persister.read_many(ids()):
            key = keys.pop(id)
            yield key, self._value(key, data)

    def _in_bulk(self, lists: Iterator[list[tuple[str, Any]]]) -> Iterator[tuple[Any, Any]]:
        """Give keys and values of items that the place gives by lists.

        There is no call an item but those of key codec and serializer: over 100,000 small values in SQLite
        that takes 0.45 µs an item, with a generator an item it took 0.7 (``benchmarks/sqlite.py``).
        """
        decode, decode_many, (plain, keyed) = self._decode, self._decode_many, self._outward
        load = composed([function for function in (self._load, plain) if function])
        assert decode is not None  # noqa: S101  (_iter_items asked)
        for items in lists:
            ids = [id for id, _ in items]
            keys = decode_many(ids) if decode_many is not None else []
            if len(items) == 1 or len(keys) != len(ids) or keyed is not None:
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
        """Give keys and values of items of which some are not ours, are open files, or cannot be loaded."""
        decode = self._decode
        assert decode is not None  # noqa: S101  (_iter_items asked)
        for id, data in items:
            key = decode(id)
            if key is NOT_MINE:
                if hasattr(data, "close"):
                    data.close()
            else:
                yield key, self._value_of_file(key, data)


def _pairs_of(other: Any) -> Iterable[tuple[Any, Any]]:
    """Give the items of whatever `dict.update` takes."""
    if isinstance(other, Mapping):
        return other.items()
    if hasattr(other, "keys"):
        return ((key, other[key]) for key in other.keys())  # noqa: SIM118  (it has keys, maybe no iter)
    return other  # type: ignore[no-any-return]
