"""One computation at a time per key: who computes, who waits, and the outcome."""

from _thread import allocate_lock, get_ident
from collections.abc import Callable
from typing import Any

__all__ = ["PATIENCE", "Flight", "Flights", "owner_of_task"]

PATIENCE = 1.0  # seconds after which a waiting call checks that the other still computes
_waiting: dict[Any, "Flight"] = {}  # who waits for what, to detect deadlocks


class Flight:
    """A computation in progress.

    Parameters
    ----------
    owner
        What computes: the number of a thread, or a task.

    Notes
    -----
    Threads: `finish` is called once, by the owner. A flight may finish with a result, with an error, or with
    neither, if the owner was interrupted: then one of the waiting calls takes over. `finish` is one C call,
    before which no interrupt comes; everything else about a finished flight can be done later.
    """

    __slots__ = ("_callbacks", "_lock", "error", "fence", "finish", "owner", "value")

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.value: Any = None  # the kept result, if others may have it
        self.error: Exception | None = None
        self.fence: Any = None  # the lease by which the result may be written, where there are such
        self._callbacks: list[Callable[[], Any]] = []
        self._lock = allocate_lock()
        self._lock.acquire()
        self.finish = self._lock.release

    @property
    def is_running(self) -> bool:
        """Whether it has not finished; a call that is just waking up may briefly make it seem so."""
        return self._lock.locked() and not self.abandoned

    @property
    def abandoned(self) -> bool:
        """Whether it is computed by a task of a closed event loop, and so never finishes."""
        loop = getattr(self.owner, "get_loop", None)
        return loop is not None and loop().is_closed()

    def wait(self) -> None:
        """Wait in this thread."""
        while not self._lock.acquire(timeout=PATIENCE):
            if self.abandoned:
                return
        self._lock.release()

    def call_back(self) -> None:
        """Call the callbacks of those that do not wait in a thread."""
        while self._callbacks:
            self._callbacks.pop()()

    def when_finished(self, callback: Callable[[], Any]) -> None:
        """Call a function once, or perhaps twice, after the end; from any thread."""
        self._callbacks.append(callback)
        if not self.is_running:
            callback()

    def would_wait_for(self, owner: Any) -> bool:
        """Return whether this flight finishes only after something that the owner computes."""
        flight: Flight | None = self
        seen = set()
        while flight is not None and flight not in seen:
            if flight.owner == owner:
                return True
            seen.add(flight)
            flight = _waiting.get(flight.owner)
        return False


class Flights:
    """The flights of one function, by key.

    Notes
    -----
    Threads: safe, as single operations of a dict are atomic.
    """

    def __init__(self) -> None:
        self._all: dict[str, Flight] = {}

    def begin(self, key: str, flight: Flight) -> Flight:
        """Begin a flight, or return the running one for that key."""
        while True:
            other = self._all.setdefault(key, flight)
            if other is flight or other.is_running:
                return other
            self._end(key, other)  # its owner was interrupted before

    def end(self, key: str, flight: Flight) -> None:
        """Allow another flight after one that has finished."""
        self._end(key, flight)
        flight.call_back()

    def _end(self, key: str, flight: Flight) -> None:
        if self._all.get(key) is flight:
            self._all.pop(key, None)

    def clear(self) -> None:
        """Forget the flights of a parent process, which no thread here leads."""
        self._all = {}

    @staticmethod
    def wait(owner: Any, flight: Flight) -> bool:
        """Note that an owner is about to wait; return False if it would wait for itself."""
        _waiting[owner] = flight
        if flight.would_wait_for(owner):  # after the note: of two that wait for each other, one sees it
            del _waiting[owner]
            return False
        return True

    @staticmethod
    def waited(owner: Any) -> None:
        """Note that an owner no longer waits."""
        _waiting.pop(owner, None)


def owner_of_task() -> Any:
    """Return the running task, or the thread if there is none."""
    import asyncio  # noqa: PLC0415  (slow; loaded already where there are tasks)

    return asyncio.current_task() or get_ident()


def forget_waiting() -> None:
    """Forget the waiting threads of the parent process."""
    _waiting.clear()
