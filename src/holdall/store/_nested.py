"""A store as a persister: what lies below another store, with all layers of its own."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from holdall.abc import Capability, Persister, Unary
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.store._glance import glance

__all__ = ["StorePersister"]


class StorePersister(Persister):
    """A persister over a store: keys are ids, values are data; versions and times are those of its persister.

    Parameters
    ----------
    inner
        The store to read and write.

    Notes
    -----
    Threads, processes, after a crash: as the store. Cost: that of the store, and one call.

    Examples
    --------
    >>> from holdall import Store
    >>> place = StorePersister(Store({"a": b"[1]"}, serializer="json"))
    >>> place["a"], place.read("a")[1].size
    ([1], 3)
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._below: Any = inner.pipeline.persister
        self.capabilities = self._below.capabilities - {Capability.BYTES, Capability.STREAMING}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.inner,)

    @property
    def bulk(self) -> bool:  # type: ignore[override]
        """Whether the persister of the store sends many requests at once."""
        return bool(self._below.bulk)

    @property
    def makes_missing(self) -> bool:  # type: ignore[override]
        """Whether ``[]`` of the persister of the store makes data for absent ids."""
        return bool(self._below.makes_missing)

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return bool(self._below.at_hand)

    def glance(self, id: Any, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        return glance(self._compiled, self.id_of(id), limit)

    @property
    def place(self) -> str:  # docstring inherited
        return str(self._below.place)

    def location_of(self, id: Any) -> str:  # docstring inherited
        return str(self._below.location_of(self.id_of(id)))

    @property
    def owned(self) -> bool:  # docstring inherited
        return bool(self._below.owned)

    @property
    def lock_file(self) -> str | None:  # docstring inherited
        return self._below.lock_file  # type: ignore[no-any-return]

    def id_of(self, key: Any) -> Any:
        """Return the id of a key in the store's persister; raise InvalidKeyError if it can have none."""
        return self._compiled.id(key)

    @property
    def namer(self) -> Unary:
        """A function that names keys; its `TypeError` or `AttributeError` also mean an invalid key."""
        compiled = self._compiled
        return compiled.encode or compiled.id  # type: ignore[no-any-return]

    def key_of(self, id: Any) -> Any:
        """Return the key of an id in the store's persister, or `NOT_MINE`."""
        decode = self._compiled.decode
        return id if decode is None else decode(id)

    def owns(self, id: Any) -> bool:
        """Return whether an id in the store's persister belongs to one of its keys."""
        return self._compiled.owns(id)  # type: ignore[no-any-return]

    def data_of(self, key: Any, value: Any) -> Any:
        """Return the data that the store's persister keeps for a value, or raise `SerializationError`."""
        compiled = self._compiled
        return compiled.data(key, None if compiled.choose is None else compiled.id(key), value)

    def value_of(self, key: Any, data: Any) -> Any:
        """Return the value that the store makes of data, whole or as an open file."""
        compiled = self._compiled
        return compiled.value(key, None if compiled.choose is None else compiled.id(key), data)

    @property
    def limit(self) -> int | None:
        """The size in bytes from which data are read as an open file; None if they are always read whole."""
        return self._compiled.limit  # type: ignore[no-any-return]

    @property
    def plain(self) -> bool:
        """Whether data come from one serializer alone, unchanged by wrappers and hooks."""
        compiled = self._compiled
        return (
            len(self.inner.pipeline.layers) == 1
            and compiled.own_errors == (False, False)
            and compiled.choose is None
        )

    @property
    def compiled(self) -> Any:
        """The functions of the store that is looked through."""
        return self._compiled

    @property
    def _compiled(self) -> Any:
        return self.inner._compiled  # noqa: SLF001  (the other half of one class)

    def __getitem__(self, id: Any) -> Any:
        return self.inner[id]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.inner)

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[Any]:  # docstring inherited
        keys = self.inner._some_keys(limit, seconds)  # noqa: SLF001
        return [key for key in keys if not prefix or (isinstance(key, str) and key.startswith(prefix))]

    def __contains__(self, id: object) -> bool:
        return id in self.inner

    def __len__(self) -> int:
        return len(self.inner)

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        return self._compiled.read(id, self.id_of(id))  # type: ignore[no-any-return]

    def stat(self, id: Any) -> Stat:  # docstring inherited
        return self._below.stat(self.id_of(id))  # type: ignore[no-any-return]

    def scan(self, prefix: str = "") -> Iterator[tuple[Any, Stat]]:  # docstring inherited
        for key, stat in self._compiled.stats():
            if not prefix or key.startswith(prefix):
                yield key, stat

    def read_many(self, ids: Iterable[Any]) -> Iterator[tuple[Any, Any]]:  # docstring inherited
        missing = object()
        for id in ids:
            data = self.inner.get(id, missing)
            if data is not missing:
                yield id, data

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        self.inner[id] = data

    __setitem__ = put

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        name = self.id_of(id)
        return self._below.write(name, self._compiled.data(id, name, data), expected)  # type: ignore[no-any-return]

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._below.remove(self.id_of(id), expected)

    def discard(self, id: Any) -> bool:  # docstring inherited
        return bool(self._below.discard(self.id_of(id)))

    def __delitem__(self, id: Any) -> None:
        del self.inner[id]

    def transaction(self) -> AbstractContextManager[None]:  # docstring inherited
        return self.inner.transaction()  # type: ignore[no-any-return]

    def write_many(self, items: Iterable[tuple[Any, Any]]) -> None:  # docstring inherited
        self.inner.update(items)

    def write_dated(self, items: Iterable[tuple[Any, Any, float]]) -> None:  # docstring inherited
        self._below.write_dated(
            (self.id_of(key), self.data_of(key, value), mtime) for key, value, mtime in items
        )

    def clear(self) -> None:  # docstring inherited
        self.inner.clear(force=True)

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        return self.inner._purge(  # type: ignore[no-any-return]  # noqa: SLF001
            lambda key: owns(key) and (not prefix or key.startswith(prefix)),
        )

    def refresh(self) -> None:  # docstring inherited
        self.inner.refresh()

    def flush(self) -> None:  # docstring inherited
        self.inner.flush()

    def close(self) -> None:  # docstring inherited
        self.inner.close()
