"""A mapping of mappings as one store."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar, overload

from holdall._shown import shown
from holdall.abc import Capability, Persister, Reader, conflict
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import ConflictError, InvalidArgumentError, InvalidKeyError
from holdall.store import Pipeline, Store, StorePersister
from holdall.store._place import as_persister
from holdall.wrappers._base import BaseWrapper
from holdall.wrappers._typing import NewKeys

__all__ = ["flatten"]

S = TypeVar("S", bound=Store[Any, Any])

_MISSING: Any = object()


class FlatPersister(Persister):
    """Show the values of nested mappings under tuples of keys.

    A plain dict is a value: to change a part of it, a changed copy is written back, by compare-and-swap. Any
    other mapping is written to directly.

    Parameters
    ----------
    inner
        A persister whose data are mappings.
    levels
        The length of the tuples; None for as many as there are mappings.
    """

    def __init__(self, inner: Any, levels: int | None) -> None:
        self.inner = inner
        self.levels = levels
        without = {
            Capability.BYTES,
            Capability.STREAMING,
            Capability.CHEAP_STAT,
            Capability.TRANSACTIONS,
        }
        self.capabilities = inner.capabilities - without

    @property
    def place(self) -> str:  # docstring inherited
        return str(self.inner.place)

    @property
    def owned(self) -> bool:  # docstring inherited
        return bool(self.inner.owned)

    def _resolve(self, id: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        """Return the innermost persister, the id in it, and the path within its data."""
        levels = self.levels
        if not isinstance(id, tuple) or not id or len(id) != (levels or len(id)):
            many = "one or more" if levels is None else str(levels)
            raise InvalidKeyError(f"keys of a flattened store are tuples of {many}, got {shown(id, 120)}")
        persister: Any = self.inner
        keys: Any = id
        while len(keys) > 1:
            value, depth = _get(persister, keys[0]), 1
            while isinstance(value, dict) and depth < len(keys) - 1 and keys[depth] in value:
                value, depth = value[keys[depth]], depth + 1
            if isinstance(value, dict) or not isinstance(value, Mapping):
                break
            persister, keys = as_persister(value), keys[depth:]
        return persister, keys[0], keys[1:]

    def _leaf(self, id: Any, data: Any, path: tuple[Any, ...]) -> Any:
        """Return the value at a path; raise KeyError where there is nothing or only a mapping."""
        value = _at(data, path)
        if value is _MISSING or (self.levels is None and isinstance(value, Mapping)):
            raise KeyError(id)
        return value

    def __getitem__(self, id: Any) -> Any:
        persister, first, path = self._resolve(id)
        return self._leaf(id, _present(persister, first) if path else persister[first], path)

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        persister, first, path = self._resolve(id)
        data, stat = persister.read(first)
        return self._leaf(id, data, path), stat

    def stat(self, id: Any) -> Stat:  # docstring inherited
        return self.read(id)[1]

    def __iter__(self) -> Iterator[Any]:
        pending: list[tuple[tuple[Any, ...], Iterator[Any], Any]] = [((), iter(self.inner), self.inner)]
        while pending:
            above, keys, persister = pending[-1]
            key = next(keys, _MISSING)
            if key is _MISSING:
                pending.pop()
                continue
            id = (*above, key)
            if len(id) == self.levels:
                yield id
                continue
            value = _get(persister, key)
            if isinstance(value, Mapping):
                pending.append((id, iter(list(value)), value))
            elif self.levels is None and value is not _MISSING:
                yield id

    def __setitem__(self, id: Any, data: Any) -> None:
        self.write(id, data)

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        self.write(id, data)

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        while True:
            persister, first, path = self._resolve(id)
            if not path:
                return persister.write(first, data, expected)  # type: ignore[no-any-return]
            whole, etag = self._whole(id, persister, first, path, expected)
            try:
                return persister.write(first, _with(whole, path, data, id), etag)  # type: ignore[no-any-return]
            except ConflictError:
                continue

    def __delitem__(self, id: Any) -> None:
        self.remove(id)

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        while True:
            persister, first, path = self._resolve(id)
            if not path:
                persister.remove(first, expected)
                return
            whole, etag = self._whole(id, persister, first, path, expected)
            if _at(whole, path) is _MISSING:
                raise KeyError(id)
            try:
                persister.write(first, _with(whole, path, _MISSING, id), etag)
            except ConflictError:
                continue
            return

    def _whole(
        self, id: Any, persister: Any, first: Any, path: tuple[Any, ...], expected: Expected
    ) -> tuple[Any, Etag]:
        """Return the data around an item with their etag, if the item is in the expected state."""
        etag: Etag
        try:
            data, stat = persister.read(first)
            etag = stat.etag
        except KeyError:
            data, etag = {}, ITEM_NOT_AVAILABLE
        actual = ITEM_NOT_AVAILABLE if _at(data, path) is _MISSING else etag
        if expected is not ANY_ETAG and expected != actual:
            raise conflict(self, id, expected, actual)
        return data, etag

    def transaction(self) -> AbstractContextManager[None]:
        """Raise: a value may be a store of its own, which a transaction of the outer one does not cover."""
        raise self._no_transactions("its items may lie in several stores", "flatten")

    def flush(self) -> None:  # docstring inherited
        self.inner.flush()

    def close(self) -> None:  # docstring inherited
        self.inner.close()


def _get(mapping: Any, key: Any) -> Any:
    try:
        return _present(mapping, key)
    except KeyError:
        return _MISSING


def _present(mapping: Any, key: Any) -> Any:
    """Return an existing value; nothing is made on the way to an item below it."""
    makes = mapping.makes_missing if isinstance(mapping, Reader) else hasattr(type(mapping), "__missing__")
    if makes and key not in mapping:
        raise KeyError(key)
    return mapping[key]


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        if not isinstance(data, Mapping):
            return _MISSING
        data = data.get(key, _MISSING)
    return data


def _with(data: Any, path: tuple[Any, ...], value: Any, id: Any) -> Any:
    """Return a copy of nested dicts with another value at a path, or with none."""
    whole = data = copy.copy(data)
    for number, key in enumerate(path):
        if not isinstance(data, dict):
            raise InvalidKeyError(
                f"{shown(id, 120)} cannot be written: {shown(id[: len(id) - len(path) + number], 120)} is "
                f"{type(data).__name__}, and there is nothing below it"
            )
        if number == len(path) - 1:
            if value is _MISSING:
                del data[key]
            else:
                data[key] = value
        else:
            data[key] = copy.copy(data.get(key, {}))
            data = data[key]
    return whole


class _Flatten(BaseWrapper):
    """The type of `flatten`: keys become tuples."""

    @overload
    def __call__(self, store: type[S], /, *, levels: int | None = None) -> type[S]: ...
    @overload
    def __call__(
        self, store: type[Mapping[Any, Any]], /, *, levels: int | None = None
    ) -> type[Store[tuple[Any, ...], Any]]: ...
    @overload
    def __call__(
        self, store: Mapping[Any, Any], /, *, levels: int | None = None
    ) -> Store[tuple[Any, ...], Any]: ...
    @overload
    def __call__(self, *, levels: int | None = None) -> NewKeys[tuple[Any, ...]]: ...
    def __call__(self, *stores: Any, **options: Any) -> Any:
        """Wrap a store, a store class, or a mapping; without one, return a decorator."""
        return self.wrap(*stores, **options)


@_Flatten
def flatten(store: Store[Any, Any], *, levels: int | None = None) -> Pipeline:
    """Show a mapping of mappings as one store, whose keys are tuples.

    Parameters
    ----------
    store
        A store, a store class, or any mapping, whose values are mappings: dicts, or stores.
    levels
        The length of the tuples. None for as many as there are mappings, so that no value is a mapping.

    Raises
    ------
    InvalidArgumentError
        If `levels` is not a whole number above 0.
    InvalidKeyError
        When a key is not a tuple of that length, or lies below a value that is not a mapping.

    Notes
    -----
    A plain dict is a value: a changed copy of it is written back as a whole, by compare-and-swap, so that no
    change of another writer is lost; all of its items share its etag and time. Other mappings are written to
    directly. Writing makes missing dicts; deleting the last item leaves an empty one.

    Examples
    --------
    >>> from holdall.wrappers import flatten
    >>> inner = {"fr": {"paris": 2.1}, "de": {"bonn": 0.3}}
    >>> cities = flatten(inner, levels=2)
    >>> cities["fr", "lyon"] = 0.5
    >>> list(cities), cities["de", "bonn"]
    ([('fr', 'paris'), ('fr', 'lyon'), ('de', 'bonn')], 0.3)
    >>> inner["fr"]
    {'paris': 2.1, 'lyon': 0.5}
    """
    if levels is not None and (type(levels) is not int or levels < 1):
        raise InvalidArgumentError(f"levels must be a whole number above 0, or None, got {shown(levels)}")
    return Pipeline(FlatPersister(StorePersister(store), levels))
