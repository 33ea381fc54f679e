"""Deleting results by age, number and size."""

import time
from typing import Any, NamedTuple

from holdall.abc import Capability
from holdall.conditional import AHEAD
from holdall.errors import ConflictError, UnsupportedError
from holdall.store import StorePersister

__all__ = ["Limits", "purge"]


class Limits(NamedTuple):
    """Which results stay: those younger than some seconds, and some number or size of the newest."""

    seconds: float | None = None
    items: int | None = None
    nbytes: int | None = None


def purge(view: Any, ttl: float | None, limits: Limits) -> list[str]:
    """Delete results from a part of a store.

    Parameters
    ----------
    view
        The part of the store.
    ttl
        For how many seconds results are valid; None for no limit.
    limits
        Which of them stay.

    Returns
    -------
    list[str]
        The keys of deleted results.
    """
    if ttl is None and limits == Limits():
        return []
    place = StorePersister(view)
    if Capability.MTIME not in place.capabilities:
        raise UnsupportedError(f"{place.place} keeps no times of modification")
    now = time.time()
    gone = []
    items, nbytes = 0, 0
    for key, stat in sorted(place.scan(), key=lambda item: item[1].mtime, reverse=True):
        if limits.nbytes is not None and stat.size is None:
            raise UnsupportedError(f"{place.place} does not tell sizes: give max_items= or older_than=")
        expired = ttl is not None and not 0 < stat.mtime + ttl - now <= ttl + AHEAD
        if expired or (limits.seconds is not None and now - stat.mtime > limits.seconds):
            gone += _removed(place, key, stat)
            continue
        items += 1
        nbytes += stat.size or 0
        many = limits.items is not None and items > limits.items
        if many or (limits.nbytes is not None and nbytes > limits.nbytes):
            gone += _removed(place, key, stat)
    return gone


def _removed(place: StorePersister, key: str, stat: Any) -> list[str]:
    try:
        place.remove(key, stat.etag)
    except (KeyError, ConflictError):  # deleted or renewed meanwhile
        return []
    return [key]
