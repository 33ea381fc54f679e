"""The wrapper that computes missing values."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from holdall._posix.fork import new_lock
from holdall._shown import shown
from holdall.abc import Capability, PersisterWrapper
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Stat
from holdall.errors import ConflictError, InvalidArgumentError
from holdall.store import Pipeline, Store, StorePersister
from holdall.wrappers._base import wrapper

__all__ = ["ComputingPersister", "on_missing"]


class ComputingPersister(PersisterWrapper):
    """Compute missing values on ``[]``; all other verbs see only stored ones.

    Parameters
    ----------
    store
        The store for the computed values.
    compute
        A function from a key to its value.
    keep
        Whether computed values are stored.

    Notes
    -----
    Threads: one at a time computes a key, others that need it wait. Processes: two may compute at once; the
    first one to store wins, and both get the stored value. After a crash: as the store. Cost: that of the
    store, and the function where nothing is stored.
    """

    def __init__(self, store: Any, compute: Callable[[Any], Any], keep: bool) -> None:
        super().__init__(StorePersister(store))
        self.compute = compute
        self.keep = keep
        self._locks: dict[Any, list[Any]] = {}  # by key: a lock, and how many use it
        self._mutex = new_lock()

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in vars(self).copy().items()
            if name not in {"_locks", "_mutex", "_lock"}
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _locks={}, _mutex=new_lock())

    @property
    def makes_missing(self) -> bool:  # type: ignore[override]
        """Whether ``[]`` makes data for absent ids: always."""
        return True

    def __getitem__(self, id: Any) -> Any:
        with suppress(KeyError):
            return self.inner[id]
        with self._mutex:
            turn = self._locks.setdefault(id, [new_lock(), 0])
            turn[1] += 1
        try:
            with turn[0]:
                with suppress(KeyError):
                    return self.inner[id]  # computed meanwhile
                return self._computed(id)
        finally:
            with self._mutex:
                turn[1] -= 1
                if not turn[1]:
                    self._locks.pop(id, None)

    def _computed(self, id: Any) -> Any:
        value = self.compute(id)
        if not self.keep:
            return value
        swaps = Capability.CAS_THREADS in self.inner.capabilities
        with suppress(ConflictError):  # another process was faster: use its value
            self.inner.write(id, value, ITEM_NOT_AVAILABLE if swaps else ANY_ETAG)
        return self.inner[id]

    # ------------------------------------------------------------------ what sees only what is kept

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        return self.inner.read(id)  # type: ignore[no-any-return]

    def glance(self, id: Any, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        return self.inner.glance(id, limit)  # type: ignore[no-any-return]

    def read_many(self, ids: Iterable[Any]) -> Iterator[tuple[Any, Any]]:  # docstring inherited
        return self.inner.read_many(ids)  # type: ignore[no-any-return]

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[Any, Any]]] | None:  # docstring inherited
        return self.inner.contents(prefix, limit)  # type: ignore[no-any-return]

    def reader(self, id: Any) -> BinaryIO:  # docstring inherited
        return self.inner.reader(id)  # type: ignore[no-any-return]


@wrapper
def on_missing(store: Store[Any, Any], *, compute: Callable[[Any], Any], keep: bool = True) -> Pipeline:
    """Compute missing values on ``store[key]``, and keep them.

    Parameters
    ----------
    store
        A store, a store class, or any mapping or class of these; without one, a decorator is returned.
    compute
        A function from a key to its value. Its exceptions reach the caller; a `KeyError` means that there is
        no such item.
    keep
        Whether to store computed values; otherwise they are computed each time.

    Raises
    ------
    InvalidArgumentError
        If `compute` cannot be called.

    Notes
    -----
    As with a defaultdict, only ``[]`` computes: ``in``, ``get``, iteration and ``len`` see only stored items,
    and ``del`` drops them. Items hidden by `expiring` count as missing. See `ComputingPersister` for threads,
    processes and costs.

    Examples
    --------
    >>> from holdall import MemoryStore
    >>> squares = on_missing(MemoryStore(), compute=lambda n: n * n)
    >>> squares[3], list(squares), 4 in squares, squares.get(4)
    (9, [3], False, None)
    """
    if not callable(compute):
        raise InvalidArgumentError(f"compute= is a function from a key to its value, got {shown(compute)}")
    return Pipeline(ComputingPersister(store, compute, keep))
