"""The wrapper that computes what is missing."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from holdall.abc import Capability, PersisterWrapper
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Stat
from holdall.errors import ConflictError, InvalidArgumentError
from holdall.store import Pipeline, Store, StorePersister
from holdall.wrappers._base import wrapper

__all__ = ["ComputingPersister", "on_missing"]


class ComputingPersister(PersisterWrapper):
    """Computes what ``[]`` asks for and is not there; all other verbs see what is kept.

    Parameters
    ----------
    store
        The store that keeps what was computed.
    compute
        A function from a key to its value.
    keep
        Whether what was computed is stored.

    Notes
    -----
    Threads: one computes a key at a time, the others that ask for it wait. Processes: two may compute at
    once; the first one that stores wins, and both get what is stored. After a crash: as the store. Cost: that
    of the store, and the function where nothing is there.
    """

    def __init__(self, store: Any, compute: Callable[[Any], Any], keep: bool) -> None:
        super().__init__(StorePersister(store))
        self.compute = compute
        self.keep = keep
        self._locks: dict[Any, list[Any]] = {}  # a lock, and how many want it, by key
        self._mutex = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value for name, value in vars(self).items() if name not in {"_locks", "_mutex", "_lock"}
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _locks={}, _mutex=threading.Lock())

    @property
    def makes_missing(self) -> bool:  # type: ignore[override]
        """Whether ``[]`` makes data for absent ids: always."""
        return True

    def __getitem__(self, id: Any) -> Any:
        with suppress(KeyError):
            return self.inner[id]
        with self._mutex:
            turn = self._locks.setdefault(id, [threading.Lock(), 0])
            turn[1] += 1
        try:
            with turn[0]:
                with suppress(KeyError):
                    return self.inner[id]  # somebody else has computed it meanwhile
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
        with suppress(ConflictError):  # another process was faster: then what it stored counts
            self.inner.write(id, value, ITEM_NOT_AVAILABLE if swaps else ANY_ETAG)
        return self.inner[id]

    # ------------------------------------------------------------------ what sees only what is kept

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        return self.inner.read(id)  # type: ignore[no-any-return]

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
    """Compute what ``store[key]`` asks for and is not there, and keep it.

    Parameters
    ----------
    store
        A store, a store class, or any mapping or class of these; without one, a decorator is given.
    compute
        A function from a key to its value. What it raises, reaches the caller; a `KeyError` says that there
        is no such item.
    keep
        Whether to store what was computed; else it is computed each time.

    Raises
    ------
    InvalidArgumentError
        If `compute` cannot be called.

    Notes
    -----
    As with a defaultdict, only ``[]`` computes: ``in``, ``get``, iteration and ``len`` tell what is kept, and
    ``del`` drops it. What `expiring` hides counts as missing. See `ComputingPersister` for threads, processes
    and costs.

    Examples
    --------
    >>> from holdall import MemoryStore
    >>> squares = on_missing(MemoryStore(), compute=lambda n: n * n)
    >>> squares[3], list(squares), 4 in squares, squares.get(4)
    (9, [3], False, None)
    """
    if not callable(compute):
        raise InvalidArgumentError(f"compute= is a function from a key to its value, got {compute!r:.80}")
    return Pipeline(ComputingPersister(store, compute, keep))
