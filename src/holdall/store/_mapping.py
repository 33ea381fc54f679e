"""The dict protocol, without the defaults of MutableMapping that read too much or have races."""

import itertools
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self, TypeVar, overload

from holdall._shown import PATH, shown
from holdall.abc import NOT_MINE, Capability
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Joker, Sentinel
from holdall.errors import (
    ConflictError,
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    UnsupportedError,
)
from holdall.store._compiled import COMMANDS, UNNAMED, missing
from holdall.store._many import StoreMany
from holdall.store._views import Items, Keys, Values, same

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

_NO_DEFAULT: Any = object()
_GONE: Any = object()


class StoreMapping(StoreMany[K, V]):
    """The part of `Store` that behaves as a dict."""

    # Functions are first assigned to local names: CPython reads slots fast, but is slow to call them
    # directly.

    def __getitem__(self, key: K) -> V:
        compiled = self._compiled
        encode, fetch = compiled.encode, compiled.fetch
        try:
            id = key if encode is None else encode(key)
        except UNNAMED as error:
            compiled.unnameable(key, error)
        try:
            data = fetch(id)
        except KeyError as error:
            raise missing(key, error) from None
        except HoldallError as error:
            compiled.add_facts(error, key, "read")
            raise
        except TypeError as error:
            compiled.refuse(id, error)
        if compiled.reads_values:
            return data  # type: ignore[no-any-return]
        load = compiled.load
        if load is None or compiled.special:
            return compiled.value(key, id, data)  # type: ignore[no-any-return]
        try:
            return load(data)  # type: ignore[no-any-return]
        except Exception as error:
            compiled.unreadable(key, error, data=data)

    def __setitem__(self, key: K, value: V | Joker) -> None:
        compiled = self._compiled
        encode, put = compiled.encode, compiled.put
        if type(value) in COMMANDS:
            compiled.command(key, value)
            return
        if compiled.pairs:
            compiled.check_pairs(key)
        try:
            id = key if encode is None else encode(key)
        except UNNAMED as error:
            compiled.unnameable(key, error)
        if not compiled.writes_values:
            dump = compiled.dump
            if dump is None or compiled.special:
                value = compiled.data(key, id, value)
            else:
                try:
                    value = dump(value)
                except Exception as error:
                    compiled.unwritable(key, error)
        try:
            put(id, value)
        except HoldallError as error:
            compiled.add_facts(error, key, "write")
            raise
        except TypeError as error:
            compiled.refuse(id, error)

    def __contains__(self, key: object) -> bool:
        compiled = self._compiled
        if compiled.encode is None:
            try:
                return key in compiled.persister
            except HoldallError as error:
                compiled.add_facts(error, key, "read")
                raise
            except TypeError as error:
                return self._cannot_be(key, error)
        try:
            id = compiled.encode(key)
        except (InvalidKeyError, TypeError, AttributeError):
            return False
        except KeyError as error:
            compiled.unnameable(key, error)
        try:
            return id in compiled.persister
        except HoldallError as error:
            compiled.add_facts(error, key, "read")
            raise

    def _cannot_be(self, key: Any, error: TypeError) -> bool:
        """Return False for a key that cannot be hashed; pass on any other error."""
        try:
            hash(key)
        except TypeError:
            return False
        raise error

    def __delitem__(self, key: K) -> None:
        compiled = self._compiled
        try:
            compiled.persister.remove(compiled.id(key))
        except HoldallError as error:
            compiled.add_facts(error, key, "delete")
            raise
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[K]:
        # Not a generator function: the persister must know of the iterator before its first item is taken.
        compiled = self._compiled
        decode = compiled.decode
        if decode is None and compiled.counts:
            return iter(compiled.persister)
        if decode is None:
            return itertools.chain.from_iterable(compiled.listings.new(compiled.persister.pages()))
        if compiled.decode_many is not None:
            pages = compiled.listings.new(compiled.persister.pages(compiled.prefix))
            return itertools.chain.from_iterable(map(compiled.decode_many, pages))
        ids = compiled.persister.ids(compiled.prefix)
        return (key for id in ids if (key := decode(id)) is not NOT_MINE)

    def __len__(self) -> int:
        compiled = self._compiled
        decode_many, persister, keys = compiled.decode_many, compiled.persister, self._pipeline.keys
        if compiled.decode is None:
            listed = compiled.listings.shared()
            return len(persister) if listed is None else sum(map(len, listed))
        if not keys.reversible and compiled.listed_by_codec:
            return sum(map(keys.owns, persister.ids(compiled.prefix)))
        if decode_many is None:
            return sum(1 for _ in self)
        pages: Iterable[list[Any]] | None = compiled.listings.shared()
        if pages is None:
            doubtful = keys.doubtful if compiled.names_by_codec else ""
            if doubtful and not compiled.prefix:  # all ids without it are ours
                unsure = list(persister.pages(doubtful))
                ours = sum(map(len, map(decode_many, unsure)))
                return len(persister) - sum(map(len, unsure)) + ours
            pages = persister.pages(compiled.prefix)
        return sum(map(len, map(decode_many, pages)))

    def __bool__(self) -> bool:
        return any(True for _ in self) if self._pipeline.keys.reversible else len(self) > 0

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: V) -> V: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, or a default where the key is absent or cannot exist.

        Parameters
        ----------
        key
            The key to look up.
        default
            What to return where the key is absent.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> MemoryStore().get("x", 0)
        0
        """
        try:
            if self._compiled.makes_missing and key not in self:
                return default
            return self[key]
        except KeyError:  # never from decoders: see _boundary
            return default

    @overload
    def pop(self, key: K) -> V: ...
    @overload
    def pop(self, key: K, default: V) -> V: ...
    @overload
    def pop(self, key: K, default: D) -> V | D: ...
    def pop(self, key: Any, default: Any = _NO_DEFAULT) -> Any:
        """Delete a key and return its value; of several concurrent calls, only one gets it.

        Where the persister has no compare-and-swap, several may get it.

        Parameters
        ----------
        key
            The key to delete.
        default
            What to return where the key is absent.

        Raises
        ------
        KeyError
            If the key is absent and there is no default.
        """
        try:
            id = self._compiled.id(key)
            turns = self._compiled.turns(key)
            while True:
                next(turns)
                value, stat = self._compiled.read(key, id)
                try:
                    self._compiled.remove(key, id, stat.etag if self._swaps() else ANY_ETAG)
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
        """Delete some item and return it; concurrent calls get different items.

        Raises
        ------
        KeyError
            If the store is empty.
        """
        return self._first(self.pop)

    @overload
    def setdefault(self, key: K) -> V | None: ...
    @overload
    def setdefault(self, key: K, default: V) -> V: ...
    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, inserting a default if it is absent; exactly one inserter wins.

        Where the persister has no compare-and-swap, the last one may win.

        Parameters
        ----------
        key
            The key to look up.
        default
            The value to insert.

        Returns
        -------
        value
            What is stored now: the default, or the value that was there or was inserted first.
        """
        if isinstance(default, Joker | Sentinel):
            raise InvalidArgumentError(
                f"{default!r} is a command, not a default to insert for {shown(key, 120)}"
            ).about(key=key, operation="write")
        compiled = self._compiled
        turns = compiled.turns(key)
        while True:
            next(turns)
            try:
                if not compiled.makes_missing or key in self:
                    return self[key]
            except InvalidKeyError:
                raise
            except KeyError:
                pass
            try:
                id = compiled.id(key)
                expected: Expected = ITEM_NOT_AVAILABLE if self._swaps() else ANY_ETAG
                compiled.write(key, id, compiled.data(key, id, default), expected)
            except ConflictError:
                continue
            return default

    def _swaps(self) -> bool:
        return Capability.CAS_THREADS in self._compiled.persister.capabilities

    def clear(self, *, force: bool = False) -> None:
        """Delete all items of this store.

        Parameters
        ----------
        force
            Whether to do so even where items may be stored that were not written through holdall.

        Raises
        ------
        UnsupportedError
            If such items may be stored and `force` was not given; or if this is a part of a store whose keys
            are one-way, so that nothing says which items belong to it.
        """
        self._require_owned(force=force)
        if self._compiled.decode is None:
            self._compiled.persister.clear()
        elif self._pipeline.keys.reversible:
            self._compiled.persister.remove_many([id for _, id in self._compiled.pairs_of_ids()])
        elif not self._compiled.listed_by_codec:
            raise UnsupportedError(
                f"{shown(self, PATH)} has one-way keys, so which of them are below it cannot be told: "
                "clear the whole store, or delete the keys that you know",
            ).about(location=self._compiled.place, operation="delete")
        else:
            self._compiled.persister.remove_many(
                [id for id in self._compiled.persister.ids() if self._pipeline.keys.owns(id)]
            )

    def _require_owned(self, *, force: bool) -> None:
        if not force and not self._compiled.persister.owned:
            raise UnsupportedError(
                f"{self._compiled.place} was not made by holdall and may hold more than it wrote: "
                "clear(force=True) deletes every item that this store lists",
            ).about(location=self._compiled.place, operation="delete")

    def keys(self) -> KeysView[K]:
        """Return a live view of the keys."""
        return Keys(self)

    def items(self, *, progress: Callable[[int], Any] | None = None) -> ItemsView[K, V]:
        """Return a live view of the items; items that vanish during iteration are skipped.

        Parameters
        ----------
        progress
            Called with the number of items yielded so far, when the next one is requested.
        """
        return Items(self, progress)

    def values(self, *, progress: Callable[[int], Any] | None = None) -> ValuesView[V]:
        """Return a live view of the values; items that vanish during iteration are skipped.

        Parameters
        ----------
        progress
            Called with the number of items yielded so far, when the next one is requested.
        """
        return Values(self, progress)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Mapping):
            return NotImplemented
        count = 0
        for key, value in self.items():
            try:
                if key not in other or not same(value, other[key]):
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

    def copy(self, *, progress: Callable[[int], Any] | None = None) -> dict[K, V]:
        """Return all items in a plain dict; `copy.copy` returns a second handle of the same store.

        Parameters
        ----------
        progress
            Called with the number of items read so far, after each.
        """
        return dict(self.items(progress=progress))

    @classmethod
    def fromkeys(cls, keys: Iterable[Any], value: Any = None) -> Self:
        """Return a new store with one value for each of several keys.

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
            Whether it was there; True where the server does not report it.
        """
        try:
            id = self._compiled.id(key)
        except KeyError:  # a key that cannot exist
            return False
        return self._compiled.discard(key, id)

    def head(self) -> tuple[K, V]:
        """Return the first item in the order of iteration.

        Raises
        ------
        KeyError
            If the store is empty.
        """
        return self._first(self.get)

    def _first(self, take: Callable[[Any, Any], Any]) -> tuple[K, V]:
        """Return the first item that can be taken; others may take the listed ones first."""
        lost: list[Any] = []
        while True:
            met: list[Any] = []
            for key in self:  # not over items: a persister may send many at once
                value = take(key, _GONE)
                if value is not _GONE:
                    return key, value
                met.append(key)
            if not met or met == lost:
                raise KeyError(f"{self._compiled.place} is empty")
            lost = met  # list again: there may be new ones
