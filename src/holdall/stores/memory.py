"""A store in memory."""

from collections.abc import MutableMapping
from typing import Any

from holdall.persisters.mapping import MappingPersister
from holdall.store import Store
from holdall.store._typing import K, V

__all__ = ["MemoryStore"]


class MemoryStore(Store[K, V]):
    """A store in memory, with the interface of every other store.

    Parameters
    ----------
    mapping
        The dict, or other mutable mapping, to keep the items in; None for a new dict.
    serializer
        How values are written; None keeps the objects themselves, as a dict does.
    keys
        How keys are named: None keeps them as they are; ``str`` or ``tuple`` for paths, as in folders; a
        `KeyCodec`, the text of a `Template`, or a pair of functions.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Threads: safe; compare-and-swap is linearizable among all stores over the same dict. Processes: not
    shared. After a crash: lost. Cost: a dictionary look-up and one call.

    Without a serializer the objects themselves are kept, as in a dict: changes in place stay here, but are
    lost in all other stores. With ``serializer="pickle"``, reading returns copies, as from those.

    Examples
    --------
    >>> store = MemoryStore()
    >>> store["x"] = 1
    >>> store | {"y": 2}
    {'x': 1, 'y': 2}
    """

    def __init__(
        self,
        mapping: MutableMapping[Any, Any] | None = None,
        *,
        serializer: Any = None,
        keys: Any = None,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        super().__init__(
            MappingPersister.of({} if mapping is None else mapping),
            keys=keys,
            serializer=serializer,
            value_type=value_type,
            append_only=append_only,
        )
        self._params["mapping"] = self._params.pop("persister")
