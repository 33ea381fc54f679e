"""Leases among machines: which of them computes a result in a store on a server.

A lease is an item beside the results. The machine that has inserted it computes, renews it meanwhile, and
deletes it at the end; a waiting one takes it over, by compare-and-swap, when it has not been renewed for the
span recorded in it. That span is measured by the clock of the waiting machine, from its first look at the
present state. Only a lease that was clearly over at that look, by its time of modification, is taken at once.
"""

import time
from typing import Any, Final, NamedTuple

from holdall.abc import Capability
from holdall.conditional import AHEAD, ITEM_NOT_AVAILABLE, Etag
from holdall.errors import ConflictError
from holdall.memo._flight import Flight
from holdall.memo._lease import KEEPER, Keeper, Lease, record_of
from holdall.memo._log import log
from holdall.store import StorePersister
from holdall.store._place import under

__all__ = ["Leases"]

_LONGEST_PAUSE: Final = 1.0  # seconds between looks at another machine's computation
_MOST_SEEN: Final = 10_000  # leases of others to remember


class _Seen(NamedTuple):
    """A lease of another as it was first seen, and the span after which it is over."""

    etag: Etag
    since: float
    span: float


class Leases:
    """The leases of the results of one function.

    Parameters
    ----------
    view
        The part of the store with the results.
    seconds
        After how many seconds without a renewal another machine may take one over.
    keeper
        Renews those that are held here.

    Notes
    -----
    Threads, processes, machines: exclusive among all, if nobody is stopped for longer than `seconds`. After a
    crash: over after `seconds`. Cost: one request to acquire, and one to release.
    """

    def __init__(self, view: Any, seconds: float, keeper: Keeper = KEEPER) -> None:
        self._view = StorePersister(view)
        self._seconds = seconds
        self._keeper = keeper
        self._seen: dict[str, _Seen] = {}
        #: The first pause between looks, and the longest.
        self.pauses = 5e-3, max(5e-3, min(_LONGEST_PAUSE, seconds / 4))

    @classmethod
    def of(cls, view: Any, seconds: float) -> "Leases | None":
        """Return the leases in a part of a store; None without compare-and-swap among machines."""
        needed = {Capability.CAS_WORLD, Capability.BYTES}
        return cls(view, seconds) if needed <= under(view)[0].capabilities else None

    def acquire(self, number: int, flight: Flight) -> bool:
        """Try to get the lease of a result for a flight; return whether to compute.

        Parameters
        ----------
        number
            Any number derived from the result's key.
        flight
            The computation. The owner of a flight that has the lease may compute as well.

        Returns
        -------
        bool
            Whether to compute. A waiting caller tries again.
        """
        # Under all wrappers: a lease is not a value, and neither cached nor evicted.
        persister, id = under(self._view.inner, self._view.id_of(f"{number:016x}"))
        held = self._keeper.held(persister.place, id)
        if held is not None:
            if held.flight.is_running:
                return bool(held.flight.owner == flight.owner)
            self._keeper.drop(held)
            held.end()
        lease = Lease(persister, id, self._seconds, flight)
        try:
            if not self._take(lease):
                return False
        except Exception as error:  # no answer, or no conditions: compute, rather than wait for ever
            log("there is no lease to be had: %s", error)
            return True
        flight.fence = lease
        self._seen.pop(id, None)
        self._keeper.add(lease)
        return True

    def _take(self, lease: Lease) -> bool:
        """Write a lease if there is no valid one."""
        expected: Etag = ITEM_NOT_AVAILABLE
        for _ in range(2):
            try:
                lease.take(expected)
            except ConflictError as error:
                expected = error.actual
                if expected is not ITEM_NOT_AVAILABLE and not self._is_over(lease, expected):
                    return False
            else:
                return True
        return False

    def _is_over(self, lease: Lease, etag: Etag) -> bool:
        """Return whether the lease of another has not been renewed for its span."""
        seen = self._seen.get(lease.id)
        if seen is not None and seen.etag == etag:
            return time.monotonic() - seen.since >= seen.span
        try:
            data, stat = lease.persister.read(lease.id)
        except KeyError:  # released meanwhile, as the next look will show
            return False
        span = record_of(data).get("seconds", lease.seconds)
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[lease.id] = _Seen(stat.etag, time.monotonic(), span)
        return stat.etag == etag and bool(time.time() - stat.mtime > span + AHEAD)

    def release(self, number: int, flight: Flight) -> None:
        """Release a lease, if this flight has it."""
        del number
        lease, flight.fence = flight.fence, None
        if lease is not None:
            self._keeper.drop(lease)
            lease.end()
