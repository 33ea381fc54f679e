"""Live views of the items and values of a store, and how values are compared in them."""

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from typing import Any, Final, TypeVar

from holdall.store._progress import Progress

K = TypeVar("K")
V = TypeVar("V")

_ABSENT: Final = object()


class Keys(KeysView[K]):
    """The keys of a store."""

    _mapping: Any

    def __iter__(self) -> Iterator[K]:
        return iter(self._mapping)


class Items(ItemsView[K, V]):
    """The items of a store."""

    _mapping: Any

    def __contains__(self, wanted: object) -> bool:
        if not isinstance(wanted, tuple) or len(wanted) != 2:
            return False
        key, value = wanted
        found = self._mapping.get(key, _ABSENT)
        return found is not _ABSENT and same(found, value)

    def __init__(self, mapping: Any, progress: Callable[[int], Any] | None = None) -> None:
        super().__init__(mapping)
        self._progress = progress

    def __iter__(self) -> Iterator[tuple[K, V]]:
        items: Iterator[tuple[K, V]] = self._mapping._iter_items()  # noqa: SLF001
        return items if self._progress is None else Progress(self._progress).over(items)


class Values(ValuesView[V]):
    """The values of a store."""

    _mapping: Any

    def __init__(self, mapping: Any, progress: Callable[[int], Any] | None = None) -> None:
        super().__init__(mapping)
        self._progress = progress

    def __iter__(self) -> Iterator[V]:
        items: Items[Any, V] = Items(self._mapping, self._progress)
        return (value for _, value in items)

    def __contains__(self, wanted: object) -> bool:
        return any(same(value, wanted) for value in self)


def same(one: Any, other: Any) -> bool:
    """Compare as a dict does; compare arrays, whose comparison is an array, by all of their elements."""
    if one is other:
        return True
    same_shape = getattr(one, "shape", ()) == getattr(other, "shape", ())
    try:
        result = one == other
    except ValueError:  # arrays of different shapes
        if same_shape:
            raise
        return False
    if isinstance(result, bool) or not hasattr(result, "all"):
        return bool(result)
    return same_shape and bool(result.all())
