"""What forked children must forget: locks and descriptors of their parent, and its duty to clean up."""

import os
import weakref
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Forgetting", "finalize", "forget_in_child"]


class Forgetting(Protocol):
    """Anything that must be notified in a forked child."""

    def after_fork(self) -> None:
        """Forget the state of the parent."""


_all: "weakref.WeakSet[Any]" = weakref.WeakSet()


def forget_in_child(thing: Forgetting) -> None:
    """Call `after_fork` of an object in each forked child, while the object lives."""
    _all.add(thing)


def finalize(thing: object, function: Callable[..., object], *args: Any) -> "weakref.finalize[..., Any]":
    """Call a function once when an object is gone, or the process ends, but not in a forked child."""
    return weakref.finalize(thing, _unless_forked, os.getpid(), function, args)


def _unless_forked(pid: int, function: Callable[..., object], args: tuple[Any, ...]) -> None:
    if pid == os.getpid():
        function(*args)


def _after_fork() -> None:
    for thing in list(_all):
        thing.after_fork()


# The first one must be made while modules can still be imported.
weakref.finalize(Forgetting, int).detach()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
