"""Descriptors that no interrupt loses: opened into a list, and closed by one call of C.

Python looks for signals between two of its own steps, and never within a call of C. ``fd = os.open(...)``
is two steps: an interrupt between them leaves a descriptor that nobody knows, and with it perhaps a lock.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter, call
from os import close as os_close
from os import open as os_open
from typing import Any

from holdall._posix.lock import Lock

__all__ = ["Descriptors", "closing", "forget", "open_into"]

#: Those that are open, above a None at which closing stops.
Descriptors = list[int | None]

_release = attrgetter("release")


def open_into(fds: Descriptors, path: str, flags: int, mode: int = 0o777, dir_fd: int | None = None) -> None:
    """Open a file, and add its descriptor to those of the caller, who has made `closing` of them before."""
    fds.extend(map(partial(os_open, dir_fd=dir_fd), (path,), (flags,), (mode,)))


def closing(fds: Descriptors, locks: Sequence[Lock] = ()) -> Callable[[], Any]:
    """Make the function for a ``finally`` that releases all locks and closes all descriptors there are then.

    Parameters
    ----------
    fds
        Descriptors, ``[None]`` at first.
    locks
        Locks of these descriptors. They are released by themselves, not by closing alone: a forked child may
        have the descriptor, too.
    """
    if not locks:
        return partial(deque, map(os_close, iter(fds.pop, None)), 0)
    unlocked = map(call, map(_release, locks))
    return partial(deque, chain(unlocked, map(os_close, iter(fds.pop, None))), 0)


def forget(fds: Descriptors) -> None:
    """Close in a forked child what its parent has open: locks taken through them are the parent's."""
    for fd in fds:
        if fd is not None:
            os_close(fd)
    fds[:] = [None]
