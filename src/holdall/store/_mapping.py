"""The manners of a dict: every default of MutableMapping that reads too much or races, done right."""

import itertools
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import Any, Self, TypeVar, overload

from holdall.abc import NOT_MINE, Capability
from holdall.conditional import DELETE_CURRENT, ITEM_NOT_AVAILABLE, Joker, Sentinel
from holdall.errors import ConflictError, InvalidArgumentError, InvalidKeyError, UnsupportedError
from holdall.store._calls import COMMANDS, UNNAMED, missing
from holdall.store._layers import composed
from holdall.store._pipeline import StorePipeline

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

_NO_DEFAULT: Any = object()


class StoreMapping(StorePipeline[K, V]):
    """The part of `Store` that behaves as a dict."""

    def __getitem__(self, key: K) -> V:
        # In pieces here, since a call of `_get` costs as much as the rest.
        try:
            find = self._find
            data = find(key)
        except KeyError as error:
            raise missing(key, error) from None
        except TypeError as error:
            if self._encode is None:
                self._absent(key, error)
            raise
        finish = self._finish
        if finish is None:
            return data  # type: ignore[no-any-return]
        try:
            return finish(data)  # type: ignore[no-any-return]
        except Exception as error:
            self._load_failed(error, key, own=self._finish_own)
            raise

    def __setitem__(self, key: K, value: Any) -> None:
        self._set(key, value)

    def __contains__(self, key: object) -> bool:
        try:
            return self._has(key)
        except TypeError as error:
            return self._impossible(key, error)

    def __delitem__(self, key: K) -> None:
        try:
            self._persister.remove(self._id(key))
        except InvalidKeyError:
            raise
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[K]:
        decode = self._decode
        if decode is None:
            yield from self._persister
            return
        if self._decode_many is not None:
            for page in self._persister.pages(self._id_prefix):
                yield from self._decode_many(page)
            return
        for id in self._persister.ids(self._id_prefix):
            key = decode(id)
            if key is not NOT_MINE:
                yield key

    def __len__(self) -> int:
        if self._decode is None:
            return len(self._persister)
        if not self._codec.reversible and self._listed_by_codec:
            return sum(map(self._codec.owns, self._persister.ids(self._id_prefix)))
        if self._decode_many is not None:
            doubtful = self._codec.doubtful
            if doubtful and not self._id_prefix:  # all others are ours
                pages = list(self._persister.pages(doubtful))
                ours = sum(map(len, map(self._decode_many, pages)))
                return len(self._persister) - sum(map(len, pages)) + ours
            return sum(map(len, map(self._decode_many, self._persister.pages(self._id_prefix))))
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(True for _ in self) if self._codec.reversible else len(self) > 0

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: V) -> V: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: Any, default: Any = None) -> Any:
        """Give the value of a key, or a default where there is none or can be none.

        Parameters
        ----------
        key
            The key to look up.
        default
            What to give where the key is absent.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> MemoryStore().get("x", 0)
        0
        """
        try:
            return self[key]
        except KeyError:  # decoders cannot raise it: see the error boundary in _pipeline
            return default

    @overload
    def pop(self, key: K) -> V: ...
    @overload
    def pop(self, key: K, default: V) -> V: ...
    @overload
    def pop(self, key: K, default: D) -> V | D: ...
    def pop(self, key: Any, default: Any = _NO_DEFAULT) -> Any:
        """Delete a key and give its value; of several that pop it at once, one gets it.

        Parameters
        ----------
        key
            The key to delete.
        default
            What to give where the key is absent.

        Raises
        ------
        KeyError
            If the key is absent and there is no default.
        """
        try:
            id = self._id(key)
            turns = self._turns(key)
            while True:
                next(turns)
                value, stat = self._read(key, id)
                try:
                    self._persister.remove(id, stat.etag)
                except ConflictError:
                    continue
                except KeyError:
                    raise KeyError(key) from None
                return value
        except KeyError:
            if default is _NO_DEFAULT:
                raise
            return default

    def popitem(self) -> tuple[K, V]:
        """Delete some item and give it.

        Raises
        ------
        KeyError
            If the store is empty.
        """
        for key in self:
            value = self.pop(key, _NO_DEFAULT)
            if value is not _NO_DEFAULT:
                return key, value
        raise KeyError(f"{self._place} is empty")

    @overload
    def setdefault(self, key: K) -> V | None: ...
    @overload
    def setdefault(self, key: K, default: V) -> V: ...
    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Give the value of a key, inserting a default if it is absent; exactly one inserter wins.

        Parameters
        ----------
        key
            The key to look up.
        default
            The value to insert.

        Returns
        -------
        value
            What is stored now: the default, or the value that was there or came first.
        """
        if isinstance(default, Joker | Sentinel):
            raise InvalidArgumentError(f"{default!r} is a command, not a default to insert")
        turns = self._turns(key)
        while True:
            next(turns)
            try:
                return self[key]
            except InvalidKeyError:
                raise
            except KeyError:
                pass
            try:
                self._persister.write(self._id(key), self._data(key, default), ITEM_NOT_AVAILABLE)
            except ConflictError:
                continue
            return default

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

    def clear(self, *, force: bool = False) -> None:
        """Delete all items of this store.

        Parameters
        ----------
        force
            Whether to do so even in a place that may hold what was not written through holdall.

        Raises
        ------
        UnsupportedError
            If the place may hold such items, and `force` was not given; or if this is a part of a
            store whose keys are one-way, so that nothing tells what belongs to it.
        """
        if not force and not self._persister.owned:
            raise UnsupportedError(
                f"{self._place} was not made by holdall and may hold more than it wrote: "
                "clear(force=True) deletes every item that this store lists",
            )
        if self._decode is None:
            self._persister.clear()
        elif self._codec.reversible:
            self._persister.remove_many([id for _, id in self._pairs()])
        elif not self._listed_by_codec:
            raise UnsupportedError(
                f"{self!r:.120} has one-way keys, so which of them are below it cannot be told: "
                "clear the whole store, or delete the keys that you know",
            )
        else:
            self._persister.remove_many([id for id in self._persister.ids() if self._codec.owns(id)])

    def items(self) -> ItemsView[K, V]:
        """Give a live view of the items; what vanishes while it is iterated over is no error."""
        return _Items(self)

    def values(self) -> ValuesView[V]:
        """Give a live view of the values; what vanishes while it is iterated over is no error."""
        return _Values(self)

    def _iter_items(self) -> Iterator[tuple[K, V]]:
        lists = None if self._decode is None else self._persister.contents(self._id_prefix, self._limit)
        # No generator of ours stands round the one that gives the items: that is a tenth of a small one.
        return self._one_after_another() if lists is None else self._in_bulk(lists)

    def _one_after_another(self) -> Iterator[tuple[Any, Any]]:
        """Give keys and values by looking up each key."""
        if self._decode is None or Capability.STREAMING in self._persister.capabilities:
            for key in self:
                try:
                    value = self._get(key)
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

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Mapping):
            return NotImplemented
        count = 0
        for key, value in self.items():
            try:
                if key not in other or not _same(value, other[key]):
                    return False
            except TypeError:  # a key that the other mapping cannot hash
                return False
            count += 1
        return count == len(other)

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: Any) -> dict[Any, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self.items()) | dict(other.items())

    def __ror__(self, other: Any) -> dict[Any, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(other.items()) | dict(self.items())

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def copy(self) -> dict[K, V]:
        """Give all items in a plain dict; `copy.copy` gives a second handle of the same place."""
        return dict(self.items())

    @classmethod
    def fromkeys(cls, keys: Iterable[Any], value: Any = None) -> Self:
        """Make a new store with a value for each of several keys.

        Parameters
        ----------
        keys
            The keys.
        value
            The value of each.
        """
        store = cls()
        store.update((key, value) for key in keys)
        return store

    def discard(self, key: Any) -> bool:
        """Delete a key if it is there.

        Parameters
        ----------
        key
            The key to delete.

        Returns
        -------
        bool
            Whether it was there.
        """
        try:
            self._persister.remove(self._id(key))
        except KeyError:
            return False
        return True

    def head(self) -> tuple[K, V]:
        """Give the first item that iteration meets.

        Raises
        ------
        KeyError
            If the store is empty.
        """
        for item in self.items():
            return item
        raise KeyError(f"{self._place} is empty")


class _Items(ItemsView[K, V]):
    _mapping: Any

    def __contains__(self, wanted: object) -> bool:
        if not isinstance(wanted, tuple) or len(wanted) != 2:
            return False
        key, value = wanted
        try:
            return _same(self._mapping[key], value)
        except KeyError:
            return False

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping._iter_items()  # type: ignore[no-any-return]  # noqa: SLF001


class _Values(ValuesView[V]):
    _mapping: Any

    def __iter__(self) -> Iterator[V]:
        for _, value in self._mapping._iter_items():  # noqa: SLF001
            yield value

    def __contains__(self, wanted: object) -> bool:
        return any(_same(value, wanted) for value in self)


def _pairs_of(other: Any) -> Iterable[tuple[Any, Any]]:
    """Give the items of whatever `dict.update` takes."""
    if isinstance(other, Mapping):
        return other.items()
    if hasattr(other, "keys"):
        return ((key, other[key]) for key in other.keys())  # noqa: SIM118  (it has keys, maybe no iter)
    return other  # type: ignore[no-any-return]


def _same(one: Any, other: Any) -> bool:
    """Compare as a dict does; arrays, whose comparison is an array, by all of their elements."""
    if one is other:
        return True
    same_shape = getattr(one, "shape", ()) == getattr(other, "shape", ())
    try:
        result = one == other
    except ValueError:  # what arrays of different shapes say
        if same_shape:
            raise
        return False
    if isinstance(result, bool) or not hasattr(result, "all"):
        return bool(result)
    return same_shape and bool(result.all())
