"""What forked children must forget: locks and descriptors of their parent, and its duty to clean up."""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

__all__ = ["Forgetting", "finalize", "forget_in_child", "keep_forever", "living", "new_lock"]


T = TypeVar("T")


class Forgetting(Protocol):
    """Anything that must be notified in a forked child."""

    def after_fork(self) -> None:
        """Forget the state of the parent."""


_all: "weakref.WeakSet[Any]" = weakref.WeakSet()
_locks: "weakref.WeakSet[threading.RLock]" = weakref.WeakSet()


def forget_in_child(thing: Forgetting) -> None:
    """Call `after_fork` of an object in each forked child, while the object lives."""
    _all.add(thing)


def finalize(thing: object, function: Callable[..., object], *args: Any) -> "weakref.finalize[..., Any]":
    """Call a function once when an object is gone, or the process ends, but not in a forked child."""
    return weakref.finalize(thing, _unless_forked, os.getpid(), function, args)


def _unless_forked(pid: int, function: Callable[..., object], args: tuple[Any, ...]) -> None:
    if pid == os.getpid():
        function(*args)


def living(things: "weakref.WeakValueDictionary[Any, T]") -> list[T]:
    """Return the values of a dict that still live; other threads may add some meanwhile."""
    return [found for reference in things.valuerefs() if (found := reference()) is not None]


def new_lock() -> "threading.RLock":
    """Return a reentrant lock that no thread which a forked child lacks holds there."""
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def keep_forever(thing: object) -> None:
    """Never drop an object, not even when the process ends: finalizing it would harm the parent."""
    import ctypes  # noqa: PLC0415  (rarely needed)

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _after_fork() -> None:
    for lock in list(_locks):
        if lock.acquire(blocking=False):  # it is free, or held by the thread that forked
            lock.release()
        else:
            lock._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001  (as `logging` does)
    for thing in list(_all):
        thing.after_fork()


# The first one must be made while modules can still be imported.
weakref.finalize(Forgetting, int).detach()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
