"""The store: the whole interface that users hold, over the contract of persisters."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Self

from holdall._lazy import on_first_use
from holdall.store._conditional import StoreConditional
from holdall.store._display import StoreDisplay
from holdall.store._hierarchy import StoreHierarchy
from holdall.store._mapping import StoreMapping
from holdall.store._overrides import honour_overrides
from holdall.store._typing import K, SupportsKeys, SupportsSetItem, V
from holdall.store._verbs import StoreVerbs
from holdall.store.pipeline import Functions, Pipeline

if TYPE_CHECKING:
    from holdall.store._nested import StorePersister
    from holdall.store._overview import ItemRow, Overview

__all__ = ["Functions", "ItemRow", "Overview", "Pipeline", "Store", "StorePersister", "SupportsKeys"]

# Imported on first use: not every store needs them.
_LAZY = {
    "ItemRow": "holdall.store._overview",
    "Overview": "holdall.store._overview",
    "StorePersister": "holdall.store._nested",
}

__getattr__, __dir__ = on_first_use(__name__, _LAZY)


class Store(
    StoreMapping[K, V],
    StoreConditional[K, V],
    StoreVerbs[K, V],
    StoreHierarchy[K, V],
    StoreDisplay[K, V],
):
    """A dict whose items are kept in a persister of your choice.

    Parameters
    ----------
    persister
        Where items are kept: a `Persister`, any mapping, or a class of these, which is called. None for a new
        dict.
    keys
        How keys are named: a `KeyCodec`, the text of a `Template`, or a pair of functions. None keeps keys as
        they are.
    serializer
        How values become data: a name such as ``"json"``, a `Serializer`, or anything with ``dumps`` and
        ``loads``. None keeps values as they are.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added, never changed or deleted.
    store
        Another name for `persister`, by keyword.

    Raises
    ------
    InvalidArgumentError
        If an option is not of its type.

    Notes
    -----
    Threads and processes: what the persister claims; compare-and-swap operations are linearizable in that
    scope, and plain writes take part. After a crash: what the persister guarantees. Cost: that of the
    persister, a dictionary look-up, and one call per layer.

    To adapt the layers, override any of the hooks ``_id_of_key``, ``_key_of_id``, ``_data_of_obj`` and
    ``_obj_of_data``.

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
        from holdall.store._nested import StorePersister  # noqa: PLC0415  (rarely needed)

        persister = self._pipeline.persister
        if isinstance(persister, StorePersister):
            return persister.inner
        return getattr(persister, "mapping", persister)

    store = persister

    @property
    def serializer(self) -> Any:
        """How values become data; None where they are kept as they are."""
        return self._pipeline.serializer

    def copy_to(
        self,
        other: SupportsSetItem[K, V],
        *,
        progress: Callable[[int], Any] | None = None,
        only_new: bool = False,
        keep_times: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> int:
        """Copy all items into another mapping, many at once where possible.

        Parameters
        ----------
        other
            A store, or any mutable mapping. Items that it has under the same keys are overwritten.
        progress
            Called with the number of items copied so far, after each. A store that sends several at once may
            still be sending the last of them.
        only_new
            Whether to leave out the keys that `other` has when their turn comes. Their values are not read.
        keep_times
            Whether items keep the time of their last modification.
        on_error
            What to do with an item that cannot be read or stored, such as a damaged one: ``"raise"``, or
            ``"skip"`` it and warn at the end with a `RuntimeWarning`. A store that does not answer, is full
            or refuses every item is always an error.

        Returns
        -------
        int
            How many items were copied.

        Raises
        ------
        InvalidArgumentError
            If `other` is not a mutable mapping.
        UnsupportedError
            If times are to be kept, and one of the two does not know them or cannot set them: folders, zip
            archives, `SQLStore` and mappings in memory can. Nothing is copied.

        Examples
        --------
        >>> target = {}
        >>> Store({"a": 1}).copy_to(target), target
        (1, {'a': 1})
        >>> Store({"a": 5, "b": 2}).copy_to(target, only_new=True), target
        (1, {'a': 1, 'b': 2})
        """
        from holdall.store._copying import copy_items  # noqa: PLC0415  (rarely needed)

        return copy_items(
            self,
            other,
            progress=progress,
            only_new=only_new,
            keep_times=keep_times,
            on_error=on_error,
        )

    def refresh(self) -> None:
        """Forget what is cached, so that the next look sees what others did.

        Only caches remember anything; a store without one always shows the current state.
        """
        self._pipeline.persister.refresh()

    def flush(self) -> None:
        """Write what is still buffered."""
        self._pipeline.persister.flush()

    def close(self) -> None:
        """Release what the store has open; the next use opens it again."""
        self._pipeline.persister.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
