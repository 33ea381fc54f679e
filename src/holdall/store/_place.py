"""What a store can be made over, and what lies under a store: persisters, mappings, other stores."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holdall._shown import PATH, shown
from holdall.abc import Reader
from holdall.errors import InvalidArgumentError
from holdall.store.pipeline import Pipeline

__all__ = ["as_persister", "under"]


class ReadOnlyList(Mapping[int, Any]):
    """A list or tuple as a read-only mapping, with its indices as keys."""

    def __init__(self, elements: Sequence[Any]) -> None:
        self.elements = elements

    def __getitem__(self, index: int) -> Any:
        if type(index) is not int or not 0 <= index < len(self.elements):
            raise KeyError(index)
        return self.elements[index]

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.elements)))

    def __len__(self) -> int:
        return len(self.elements)

    def __repr__(self) -> str:
        return f"{type(self.elements).__name__} of {len(self.elements)}"


def as_persister(place: Any) -> Reader:
    """Return a persister for anything that a store can be made over.

    Parameters
    ----------
    place
        None (a new dict), a persister, any mapping or object with its methods, a list or tuple, or a class of
        these.

    Raises
    ------
    InvalidArgumentError
        If it is none of these.

    Examples
    --------
    >>> as_persister({"a": 1})["a"]
    1
    """
    if isinstance(place, type):
        return as_persister(place())
    if isinstance(place, Reader):
        return place
    if isinstance(getattr(place, "pipeline", None), Pipeline):  # a store
        from holdall.store._nested import StorePersister  # noqa: PLC0415  (rarely needed)

        return StorePersister(place)
    from holdall.persisters.mapping import MappingPersister  # noqa: PLC0415  (not for places on disk)

    if place is None:
        return MappingPersister({})
    if type(place).__module__ in {"dbm.dumb", "dbm.sqlite3", "_gdbm", "_dbm"}:
        from holdall.store._dbm import DbmMapping  # noqa: PLC0415  (rarely needed)

        return MappingPersister.of(DbmMapping.of(place))
    like_mapping = hasattr(place, "__getitem__") and hasattr(place, "__iter__")
    if isinstance(place, list | tuple):
        return MappingPersister(ReadOnlyList(place))
    if isinstance(place, Mapping) or (like_mapping and not isinstance(place, str | bytes)):
        return MappingPersister.of(place)
    hint = ""
    if isinstance(place, str | os.PathLike):
        path = shown(place, PATH)
        hint = f": open a path by FileDirStore({path}), by SQLiteStore, or an address by holdall.open"
    raise InvalidArgumentError(
        f"a store needs a persister, a mapping or a class of these, got {type(place).__name__}{hint}",
    )


def under(store: Any, id: Any = None) -> tuple[Any, Any]:
    """Return the persister under all wrappers of a store, and the name that an id of the store has there."""
    from holdall.store._nested import StorePersister  # noqa: PLC0415  (most stores have none)

    persister = store.pipeline.persister
    while hasattr(persister, "inner"):
        if isinstance(persister, StorePersister):
            id = None if id is None else persister.id_of(id)
            persister = persister.inner.pipeline.persister
        else:
            persister = persister.inner
    return persister, id
