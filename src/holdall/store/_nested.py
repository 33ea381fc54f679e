"""What a store can be made over: a persister, any mapping, or another store with all that it knows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from holdall.abc import Capability, Persister, Reader
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import InvalidArgumentError
from holdall.persisters.mapping import MappingPersister

__all__ = ["StorePersister", "as_persister", "ground"]


class StorePersister(Persister):
    """A persister over a store, so that versions, times and compare-and-swap are those of its place.

    Parameters
    ----------
    mapping
        The store to look through.

    Notes
    -----
    Threads, processes, after a crash: as the store. Cost: that of the store, and a call.
    """

    def __init__(self, mapping: Any) -> None:
        self.mapping = mapping
        self._inner: Any = mapping._persister  # noqa: SLF001  (the other half of one class)
        self.capabilities = self._inner.capabilities - {Capability.BYTES, Capability.STREAMING}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.mapping,)

    @property
    def bulk(self) -> bool:  # type: ignore[override]
        """Whether the place of the store sends many requests at once."""
        return bool(self._inner.bulk)

    @property
    def makes_missing(self) -> bool:  # type: ignore[override]
        """Whether ``[]`` of the place of the store makes data for absent ids."""
        return bool(self._inner.makes_missing)

    @property
    def place(self) -> str:  # docstring inherited
        return str(self._inner.place)

    @property
    def owned(self) -> bool:  # docstring inherited
        return bool(self._inner.owned)

    @property
    def lock_file(self) -> str | None:  # docstring inherited
        return self._inner.lock_file  # type: ignore[no-any-return]

    def _id(self, id: Any) -> Any:
        return self.mapping._id(id)  # noqa: SLF001

    def __getitem__(self, id: Any) -> Any:
        return self.mapping[id]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.mapping)

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[Any]:  # docstring inherited
        keys = self.mapping._some_keys(limit, seconds)  # noqa: SLF001
        return [key for key in keys if not prefix or (isinstance(key, str) and key.startswith(prefix))]

    def __contains__(self, id: object) -> bool:
        return id in self.mapping

    def __len__(self) -> int:
        return len(self.mapping)

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        return self.mapping._read(id, self._id(id))  # type: ignore[no-any-return]  # noqa: SLF001

    def stat(self, id: Any) -> Stat:  # docstring inherited
        return self._inner.stat(self._id(id))  # type: ignore[no-any-return]

    def scan(self, prefix: str = "") -> Iterator[tuple[Any, Stat]]:  # docstring inherited
        for key, stat in self.mapping._stats():  # noqa: SLF001
            if not prefix or key.startswith(prefix):
                yield key, stat

    def read_many(self, ids: Iterable[Any]) -> Iterator[tuple[Any, Any]]:  # docstring inherited
        missing = object()
        for id in ids:
            data = self.mapping.get(id, missing)
            if data is not missing:
                yield id, data

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        self.mapping[id] = data

    __setitem__ = put

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        encoded = self.mapping._data(id, data)  # noqa: SLF001
        return self._inner.write(self._id(id), encoded, expected)  # type: ignore[no-any-return]

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._inner.remove(self._id(id), expected)

    def discard(self, id: Any) -> bool:  # docstring inherited
        return bool(self._inner.discard(self._id(id)))

    def __delitem__(self, id: Any) -> None:
        del self.mapping[id]

    def transaction(self) -> AbstractContextManager[None]:  # docstring inherited
        return self.mapping.transaction()  # type: ignore[no-any-return]

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:  # docstring inherited
        self.mapping.update(items)

    def clear(self) -> None:  # docstring inherited
        self.mapping.clear(force=True)

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        return self.mapping._purge(  # type: ignore[no-any-return]  # noqa: SLF001
            lambda key: owns(key) and (not prefix or key.startswith(prefix)),
        )

    def refresh(self) -> None:  # docstring inherited
        self.mapping.refresh()

    def flush(self) -> None:  # docstring inherited
        self.mapping.flush()

    def close(self) -> None:  # docstring inherited
        self.mapping.close()


def as_persister(place: Any) -> Reader:
    """Make a persister of whatever a user has.

    Parameters
    ----------
    place
        None (a new dict), a persister, any mapping or object with its methods, or a class of those.

    Raises
    ------
    InvalidArgumentError
        If it is none of these.

    Examples
    --------
    >>> as_persister({"a": 1})["a"]
    1
    """
    if place is None:
        return MappingPersister({})
    if isinstance(place, type):
        return as_persister(place())
    if isinstance(place, Reader):
        return place
    if isinstance(getattr(place, "_persister", None), Reader):  # a store
        return StorePersister(place)
    like_mapping = hasattr(place, "__getitem__") and hasattr(place, "__iter__")
    if isinstance(place, Mapping) or (like_mapping and not isinstance(place, str | bytes | list | tuple)):
        return MappingPersister.of(place)
    raise InvalidArgumentError(
        f"a store needs a persister, a mapping or a class of these, got {type(place).__name__}",
    )


def ground(store: Any, id: Any = None) -> tuple[Any, Any]:
    """Give what lies under all wrappers of a store, and the name that an id of the store has there.

    Parameters
    ----------
    store
        The store.
    id
        An id of its persister, if one is asked for.
    """
    place = store._persister  # noqa: SLF001  (the other half of one class)
    while True:
        if isinstance(place, StorePersister):
            id = None if id is None else place.mapping._id(id)  # noqa: SLF001
            place = place.mapping._persister  # noqa: SLF001
        elif hasattr(place, "inner"):
            place = place.inner
        else:
            return place, id
