"""What forked children must forget: locks and descriptors of their parent, and its duty to clean up."""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Forgetting", "Living", "at_fork", "finalize", "forget_in_child", "living", "new_lock"]

T = TypeVar("T")


class Forgetting(Protocol):
    """Anything that must be notified in a forked child."""

    def after_fork(self) -> None:
        """Forget the state of the parent."""


def at_fork(**hooks: Callable[[], object]) -> None:
    """Register functions as `os.register_at_fork` does, on systems that fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(**hooks)


def living(things: "weakref.WeakValueDictionary[Any, T]") -> list[T]:
    """Return the values of a dict that still live; other threads may add some meanwhile."""
    return [found for reference in things.valuerefs() if (found := reference()) is not None]


class Living(Generic[T]):
    """Those of some objects that still live, in the order they were added.

    Unlike a `WeakSet`, it can be iterated over while other threads, or finalizers, add objects.
    """

    def __init__(self) -> None:
        self._things: weakref.WeakValueDictionary[int, T] = weakref.WeakValueDictionary()

    def add(self, thing: T) -> None:
        """Add an object, if it is new."""
        self._things[id(thing)] = thing

    def __iter__(self) -> Iterator[T]:
        return iter(living(self._things))


_all: Living[Forgetting] = Living()
_locks: "Living[threading.RLock]" = Living()


def forget_in_child(thing: Forgetting) -> None:
    """Call `after_fork` of an object in each forked child, while the object lives."""
    _all.add(thing)


def finalize(thing: object, function: Callable[..., object], *args: Any) -> "weakref.finalize[..., Any]":
    """Call a function once when an object is gone, or the process ends, but not in a forked child."""
    return weakref.finalize(thing, _unless_forked, os.getpid(), function, args)


def _unless_forked(pid: int, function: Callable[..., object], args: tuple[Any, ...]) -> None:
    if pid == os.getpid():
        function(*args)


def new_lock() -> "threading.RLock":
    """Return a reentrant lock that no thread which a forked child lacks holds there."""
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def _after_fork() -> None:
    for lock in _locks:
        if lock.acquire(blocking=False):  # it is free, or held by the thread that forked
            lock.release()
        else:
            lock._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001  (as `logging` does)
    for thing in _all:
        thing.after_fork()


# The first one must be made while modules can still be imported.
weakref.finalize(Forgetting, int).detach()

at_fork(after_in_child=_after_fork)
