"""Persisters that refuse some writes to another, at the persister, so that no verb can bypass them."""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from holdall.abc import Capability, PersisterWrapper
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Stat
from holdall.errors import ConflictError, ReadOnlyError

__all__ = ["AppendOnlyPersister", "ReadOnlyPersister"]


_WRITING = {
    Capability.WRITABLE,
    Capability.TRANSACTIONS,
    Capability.CAS_THREADS,
    Capability.CAS_HOST,
    Capability.CAS_WORLD,
}


class ReadOnlyPersister(PersisterWrapper):
    """Refuse every write.

    Raises
    ------
    ReadOnlyError
        From every verb that writes.

    Notes
    -----
    Threads, processes, after a crash: as the inner persister. Cost: one more call.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> ReadOnlyPersister(MappingPersister({"a": 1})).remove("a")
    Traceback (most recent call last):
    ...
    holdall.errors.ReadOnlyError: a dict in memory is opened read-only: 'a' stays as it is
    """

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims, except writing."""
        return super().capabilities - _WRITING

    @property
    def lock_file(self) -> None:  # docstring inherited
        return None

    def _refuse(self, what: str) -> NoReturn:
        raise ReadOnlyError(f"{self.place} is opened read-only: {what}")

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        del data
        self._refuse(f"{id!r} stays as it is")

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        del data, expected
        self._refuse(f"{id!r} stays as it is")

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        del expected
        self._refuse(f"{id!r} stays as it is")

    def transaction(self) -> NoReturn:  # docstring inherited
        self._refuse("there is nothing to make one of")

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        for id, data in items:
            self.put(id, data)

    def write_dated(self, items: Iterable[tuple[str, Any, float]]) -> None:  # docstring inherited
        for id, data, _ in items:
            self.put(id, data)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        for id in ids:
            self.remove(id)

    def clear(self) -> None:  # docstring inherited
        self._refuse("it is not cleared")

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        del owns, prefix
        self._refuse("what has expired stays")


class AppendOnlyPersister(PersisterWrapper):
    """Let items be added, but never changed or deleted.

    Raises
    ------
    ReadOnlyError
        From every verb that changes or deletes an item that is there.

    Notes
    -----
    Threads and processes: exactly one of several writers of a new id wins, in the scope in which the inner
    persister compares and swaps. After a crash: as the inner persister. Cost: one more stat per write.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> persister = AppendOnlyPersister(MappingPersister({"a": 1}))
    >>> persister["b"] = 2
    >>> persister["a"] = 2
    Traceback (most recent call last):
    ...
    holdall.errors.ReadOnlyError: a dict in memory is append-only: 'a' is there and stays as it is
    """

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self.write(id, data)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        if expected is not ANY_ETAG and expected is not ITEM_NOT_AVAILABLE:
            self.require(id, expected)
            self._refuse(id)
        try:
            return self._first(id, data)
        except ConflictError:
            if expected is ITEM_NOT_AVAILABLE:
                raise
            self._refuse(id)

    def _first(self, id: str, data: Any) -> Stat:
        """Store data under a new id; raise ConflictError if it exists."""
        return self._writable().write(id, data, ITEM_NOT_AVAILABLE)  # type: ignore[no-any-return]

    def _refuse(self, id: str) -> NoReturn:
        raise ReadOnlyError(f"{self.place} is append-only: {id!r} is there and stays as it is")

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self.require(id, expected)
        if id not in self.inner:
            raise KeyError(id)
        self._refuse(id)

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        try:
            self._writable().write_new(items)
        except ConflictError as error:
            self._refuse(error.key)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        for id in ids:
            if id in self.inner:
                self.remove(id)

    def clear(self) -> None:  # docstring inherited
        raise ReadOnlyError(f"{self.place} is append-only: it is not cleared")

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        del owns, prefix
        raise ReadOnlyError(f"{self.place} is append-only: what has expired stays")
