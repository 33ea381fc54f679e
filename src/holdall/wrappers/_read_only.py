"""Wrappers that refuse writes, at the persister, so that no verb can bypass them."""

from typing import Any

from holdall.persisters.guards import AppendOnlyPersister, ReadOnlyPersister
from holdall.store import Pipeline, Store
from holdall.wrappers._base import wrapper

__all__ = ["append_only", "read_only"]


@wrapper
def read_only(store: Store[Any, Any]) -> Pipeline:
    """Refuse every write, by any verb.

    Parameters
    ----------
    store
        A store, a store class, or any mapping. The argument stays writable.

    Raises
    ------
    ReadOnlyError
        When something is written or deleted.

    Examples
    --------
    >>> from holdall.wrappers import read_only
    >>> prices = {"tea": 2.5}
    >>> shown = read_only(prices)
    >>> shown["tea"]
    2.5
    >>> shown.pop("tea")
    Traceback (most recent call last):
    ...
    holdall.errors.ReadOnlyError: a dict in memory is opened read-only: 'tea' stays as it is
    """
    return store.pipeline.over(ReadOnlyPersister(store.pipeline.persister))


@wrapper
def append_only(store: Store[Any, Any]) -> Pipeline:
    """Let items be added, but never changed or deleted.

    Parameters
    ----------
    store
        A store, a store class, or any mapping.

    Raises
    ------
    ReadOnlyError
        When an item is changed or deleted.

    Notes
    -----
    Threads and processes: exactly one of several writers of a new key wins, in the scope in which the store
    compares and swaps. Cost: one more stat per write.

    Examples
    --------
    >>> from holdall.wrappers import append_only
    >>> log = append_only({})
    >>> log["1"] = "start"
    >>> log["1"] = "stop"
    Traceback (most recent call last):
    ...
    holdall.errors.ReadOnlyError: a dict in memory is append-only: '1' is there and stays as it is
    """
    return store.pipeline.over(AppendOnlyPersister(store.pipeline.persister))
