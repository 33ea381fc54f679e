"""A lease: the right to compute a result in a store on a server, and to write it; and its renewal.

A result is written by compare-and-swap: if there is none, or over one that existed while the lease still was
the writer's. So a writer that was stopped for too long, and has lost its lease, cannot overwrite what the
next owner has computed: that is a state that the writer has not seen while the lease was its own.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from math import inf
from typing import Any, Final

from holdall._posix.fork import forget_in_child
from holdall.conditional import ITEM_NOT_AVAILABLE, Etag, Expected
from holdall.errors import ConflictError, OutcomeUnknownError, UnsupportedError
from holdall.memo._flight import Flight

__all__ = ["KEEPER", "Keeper", "Lease", "record_of"]

_LONGEST_SLEEP: Final = 3600.0


class Lease:
    """The right to compute one result, and to write it.

    Parameters
    ----------
    persister
        The persister of the leases.
    id
        The id of the lease.
    seconds
        After how many seconds without a renewal others may take it over.
    flight
        The computation.

    Notes
    -----
    Threads: one renews, another writes and ends; neither waits for the other, as a transaction of one may
    block the other. A forked child does not take part: what it computes is returned to its caller, but not
    written.
    """

    def __init__(self, persister: Any, id: str, seconds: float, flight: Flight) -> None:
        self.persister = persister
        self.id = id
        self.seconds = seconds
        self.flight = flight
        self.due = inf  # when it must be renewed
        self._token = secrets.token_hex(8)
        self._etag: Etag = ITEM_NOT_AVAILABLE
        self._pid = os.getpid()
        self._count = 0
        self._renewed = 0.0
        self._gone = False  # whether it was released, or taken over
        # Some servers let items expire by themselves, so that nobody has to wait after a crash.
        self._living = getattr(persister, "write_living", None)

    @property
    def is_over(self) -> bool:
        """Return whether it was released, or taken over."""
        return self._gone or self._pid != os.getpid()

    def take(self, expected: Expected) -> None:
        """Write it if there is none, or over one that is over.

        Raises
        ------
        ConflictError
            If there is another one.
        """
        try:
            self._write(expected)
        except OutcomeUnknownError:
            if not self.is_mine():
                raise

    def _write(self, expected: Expected) -> None:
        """Write it over the expected state."""
        self._count += 1
        record = {
            "token": self._token,
            "seconds": self.seconds,
            "owner": f"{socket.gethostname()}:{self._pid}",
            "renewals": self._count - 1,
        }
        data, now = json.dumps(record).encode(), time.monotonic()
        self.due = now + self.seconds / 3
        if self._living is None:
            self._etag = self.persister.write(self.id, data, expected).etag
        else:
            self._etag = self._living(self.id, data, self.seconds, expected).etag
        self._renewed = now

    def renew(self) -> None:
        """Renew it, as the computation continues; if the server does not answer, try again later."""
        try:
            if not self.is_over:
                self._write_again()
        except Exception:
            return

    def _write_again(self) -> None:
        try:
            self._write(self._etag)
        except ConflictError:
            if self.is_mine():  # the answer to the last renewal was lost
                self._write(self._etag)

    def is_mine(self) -> bool:
        """Return whether nobody has taken it over."""
        if self.is_over:
            return False
        try:
            data, stat = self.persister.read(self.id)
        except KeyError:
            self._gone = True
            return False
        self._gone = record_of(data).get("token") != self._token
        self._etag = stat.etag
        return not self._gone

    @property
    def _is_young(self) -> bool:
        """Return whether it is too young to have been taken over."""
        return time.monotonic() - self._renewed < self.seconds / 2

    def write(self, put: Callable[[Expected], Any]) -> bool:
        """Write the result, unless the lease was taken over.

        Parameters
        ----------
        put
            Writes it over an expected state, or raises `ConflictError`.

        Returns
        -------
        bool
            Whether it was written.
        """
        expected: Etag = ITEM_NOT_AVAILABLE
        while True:
            # A result that existed while the lease was still mine is not one of a later owner.
            known = expected is ITEM_NOT_AVAILABLE and self._is_young
            if self.is_over or not (known or self.is_mine()):
                return False
            try:
                put(expected)
            except ConflictError as error:
                expected = error.actual
            else:
                return True

    def end(self) -> None:
        """Release it; if that fails, it is over after a while."""
        try:
            while not self.is_over:
                if self._remove():
                    self._gone = True
        except Exception:
            self._gone = True

    def _remove(self) -> bool:
        """Delete it, unless it is just being renewed, or was taken over."""
        try:
            self.persister.remove(self.id, self._etag)
        except UnsupportedError:  # a server without conditional deletion
            if self._is_young:
                self.persister.remove(self.id)
        except ConflictError:
            return not self.is_mine()
        return True


class Keeper:
    """Renew the leases of this process, in one thread.

    Notes
    -----
    Threads: safe. A forked child has no leases.
    """

    def __init__(self) -> None:
        self.after_fork()
        forget_in_child(self)

    def after_fork(self) -> None:
        """Hold nothing, and have no thread yet."""
        self._changed = threading.Condition()
        self._held: dict[tuple[str, str], Lease] = {}
        self._thread: threading.Thread | None = None
        self._wakes = inf  # when the thread next wakes by itself

    def held(self, location: str, id: str) -> Lease | None:
        """Return the lease of that name that this process holds."""
        return self._held.get((location, id))

    def add(self, lease: Lease) -> None:
        """Renew a lease until it is dropped."""
        with self._changed:
            self._held[lease.persister.place, lease.id] = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="holdall-leases", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # no more threads: it is not renewed
                    self._thread = None
            elif lease.due < self._wakes:
                self._changed.notify()

    def drop(self, lease: Lease) -> None:
        """Stop renewing a lease."""
        with self._changed:
            name = lease.persister.place, lease.id
            if self._held.get(name) is lease:
                del self._held[name]

    def _run(self) -> None:
        changed = self._changed
        while True:
            with changed:
                now = time.monotonic()
                ready = [lease for lease in self._held.values() if lease.due <= now]
                if not ready:
                    self._wakes = min((lease.due for lease in self._held.values()), default=inf)
                    changed.wait(min(self._wakes - now, _LONGEST_SLEEP))
                self._wakes = -inf  # it will look again anyway
            for lease in ready:
                if lease.flight.is_running:
                    lease.renew()
                else:  # its task was left in a closed event loop
                    lease.end()
                if lease.is_over:
                    self.drop(lease)


#: The keeper of this process.
KEEPER: Final = Keeper()


def record_of(data: Any) -> dict[str, Any]:
    """Return the content of a lease; empty for anything else."""
    try:
        record = json.loads(data)
    except (ValueError, TypeError):
        return {}
    seconds = record.get("seconds") if isinstance(record, dict) else None
    return record if isinstance(seconds, int | float) and 0 < seconds < inf else {}
