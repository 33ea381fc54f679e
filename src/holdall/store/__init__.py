"""The store: the whole interface that users hold, over the contract of persisters."""

from collections.abc import Callable
from typing import Any, Literal, Self, TypeVar

from holdall.store._conditional import StoreConditional
from holdall.store._copying import copy_items
from holdall.store._display import StoreDisplay
from holdall.store._hierarchy import StoreHierarchy
from holdall.store._mapping import StoreMapping
from holdall.store._nested import StorePersister
from holdall.store._overrides import honour_overrides
from holdall.store._typing import SupportsKeys, SupportsSetItem
from holdall.store._verbs import StoreVerbs
from holdall.store.pipeline import Functions, Pipeline

__all__ = ["Functions", "Pipeline", "Store", "StorePersister", "SupportsKeys"]

K = TypeVar("K")
V = TypeVar("V")


class Store(
    StoreMapping[K, V],
    StoreConditional[K, V],
    StoreVerbs[K, V],
    StoreHierarchy[K, V],
    StoreDisplay[K, V],
):
    """A dict whose items lie in a place of your choice.

    Parameters
    ----------
    persister
        Where: a `Persister`, any mapping, or a class of these, which is called. None for a new dict.
    keys
        Which name: a `KeyCodec`, the text of a `Template`, or a pair of functions. None keeps keys as they
        are.
    serializer
        How: a name such as ``"json"``, a `Serializer`, or anything with ``dumps`` and ``loads``. None
        keeps values as they are.
    value_type
        A class, or several, that all values must be instances of.
    append_only
        Whether items can only be added, and never be changed or deleted.
    store
        Another word for `persister`, for keyword use.

    Raises
    ------
    InvalidArgumentError
        If an option is not of its kind.

    Notes
    -----
    Threads and processes: what the persister claims; compare-and-swap operations are linearizable in
    that scope, and plain writes take part. After a crash: what the persister promises. Cost: a dictionary
    look-up and a call a layer above the persister's own.

    To adapt the layers, override any of the hooks ``_id_of_key``, ``_key_of_id``, ``_data_of_obj`` and
    ``_obj_of_data``, one alone or several.

    Examples
    --------
    >>> store = Store(serializer="json")
    >>> store["x"] = [1, 2]
    >>> store["x"], store.persister["x"]
    ([1, 2], b'[1, 2]')

    >>> class Upper(Store):
    ...     def _id_of_key(self, key):
    ...         return key.upper()
    >>> inner = {}
    >>> Upper(inner)["a"] = 1
    >>> inner
    {'A': 1}
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        honour_overrides(cls, Store)

    @property
    def persister(self) -> Any:
        """The mapping or persister that this store wraps, as it was given."""
        place = self._pipeline.persister
        if isinstance(place, StorePersister):
            return place.inner
        return getattr(place, "mapping", place)

    store = persister

    @property
    def serializer(self) -> Any:
        """How values are written; None where they are kept as they are."""
        return self._pipeline.serializer

    @property
    def keys_codec(self) -> Any:
        """How keys are named."""
        return self._pipeline.keys

    def copy_to(
        self,
        other: SupportsSetItem[K, V],
        *,
        progress: Callable[[int], Any] | None = None,
        only_new: bool = False,
        keep_times: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> int:
        """Copy all items into another mapping, many at once where it can.

        Parameters
        ----------
        other
            A store, or any mutable mapping. What it has under a key is overwritten.
        progress
            Called with the number of items copied so far, after each. A store that sends several at once may
            still be at the last of them.
        only_new
            Whether to leave out the keys that `other` has when they come up. Their values are not read.
        keep_times
            Whether items keep the time of their last modification.
        on_error
            What to do at an item that cannot be read or stored, such as one that is damaged: ``"raise"``, or
            ``"skip"`` it and say so at the end by a `RuntimeWarning`. A place that does not answer, is full
            or refuses every item is an error always.

        Returns
        -------
        int
            How many items were copied.

        Raises
        ------
        InvalidArgumentError
            If `other` is no mutable mapping.
        UnsupportedError
            If times are to be kept, and one of the two does not know them or cannot be given them: folders,
            zip archives and mappings in memory can. Nothing is copied.

        Examples
        --------
        >>> target = {}
        >>> Store({"a": 1}).copy_to(target), target
        (1, {'a': 1})
        >>> Store({"a": 5, "b": 2}).copy_to(target, only_new=True), target
        (1, {'a': 1, 'b': 2})
        """
        return copy_items(
            self,
            other,
            progress=progress,
            only_new=only_new,
            keep_times=keep_times,
            on_error=on_error,
        )

    def refresh(self) -> None:
        """Forget what is remembered of the place: the next look sees what others did.

        Only caches remember anything; the stores without one always show the place as it is.
        """
        self._pipeline.persister.refresh()

    def flush(self) -> None:
        """Bring to the place what is still on its way."""
        self._pipeline.persister.flush()

    def close(self) -> None:
        """Give back what the store holds of its place; the next use opens it again."""
        self._pipeline.persister.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
