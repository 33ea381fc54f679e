"""New locks in a forked child, which lacks the threads that would release those of its parent."""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from holdall._posix.fork import Living

__all__ = ["ModuleLock", "renew_after_fork"]


class Renewed(Protocol):
    """An object with locks of its own."""

    def renew_locks(self) -> None:
        """Make new locks, in the child."""


_owners: Living[Renewed] = Living()


def renew_after_fork(owner: Renewed) -> None:
    """Make an object renew its locks in each forked child."""
    _owners.add(owner)


class ModuleLock:
    """A lock that a whole module shares.

    Parameters
    ----------
    make
        Returns a lock.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[Any]] = threading.Lock) -> None:
        self._make = make
        self.renew_locks()
        renew_after_fork(self)

    def renew_locks(self) -> None:
        """Make a new lock, in the child."""
        self.lock = self._make()


def _after_fork() -> None:
    for owner in _owners:
        owner.renew_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
