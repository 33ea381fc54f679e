"""A store that keeps nothing."""

from typing import Any

from holdall.persisters.null import NullPersister
from holdall.store import Store
from holdall.store._typing import K, V

__all__ = ["NullStore"]


class NullStore(Store[K, V]):
    """A store that accepts all writes and is always empty: to switch storage off without other changes.

    Parameters
    ----------
    serializer
        How values would be written; values that it refuses are refused.
    value_type
        A class or a tuple of classes that all values must be instances of.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Threads, processes, after a crash: there is nothing to lose. Cost: the serializer's.

    Examples
    --------
    >>> store = NullStore()
    >>> store["x"] = 1
    >>> len(store)
    0
    """

    def __init__(
        self,
        *,
        serializer: Any = None,
        value_type: type | tuple[type, ...] | None = None,
    ) -> None:
        super().__init__(NullPersister(), serializer=serializer, value_type=value_type)
        del self._params["persister"], self._params["keys"], self._params["append_only"]
