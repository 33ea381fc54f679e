"""Descriptors that interrupts cannot leak: a single one by `opening`, several by a list with `closing`.

Python handles signals after a call, and never within a C call. So what a signal handler raises while
``os.open`` runs comes before ``fd = os.open(...)`` has named the descriptor, which stays open for ever, with
its locks. Unpacking is no call: ``[fd] = opening(...)`` opens and names it before Python looks for signals.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter, call
from os import close as os_close
from os import open as os_open
from typing import Any

from holdall._posix.lock import Lock

__all__ = ["Descriptors", "closing", "create_file", "forget", "open_into", "opening"]

#: Open descriptors, above a None at which closing stops.
Descriptors = list[int | None]

_release = attrgetter("release")


def opening(path: str, flags: int, mode: int = 0o777, dir_fd: int | None = None) -> Iterator[int]:
    """Return an iterator that opens a file when it is unpacked, and gives the descriptor."""
    return map(partial(os_open, dir_fd=dir_fd), (path,), (flags,), (mode,))


def create_file(path: str, flags: int, mode: int, dir_fd: int | None = None) -> None:
    """Open a file, which makes it, and close it."""
    deque(map(os_close, opening(path, flags, mode, dir_fd)), 0)


def open_into(fds: Descriptors, path: str, flags: int, mode: int = 0o777, dir_fd: int | None = None) -> None:
    """Open a file, and add its descriptor to a list for which the caller has made `closing`."""
    fds.extend(opening(path, flags, mode, dir_fd))


def closing(fds: Descriptors, locks: Sequence[Lock] = ()) -> Callable[[], Any]:
    """Return the function for a ``finally`` that releases all locks and closes all descriptors in the lists.

    Parameters
    ----------
    fds
        Descriptors, ``[None]`` at first.
    locks
        Locks of these descriptors. They are released explicitly, since a forked child may keep the descriptor
        open.
    """
    if not locks:
        return partial(deque, map(os_close, iter(fds.pop, None)), 0)
    unlocked = map(call, map(_release, locks))
    return partial(deque, chain(unlocked, map(os_close, iter(fds.pop, None))), 0)


def forget(fds: Descriptors) -> None:
    """Close in a forked child what its parent has open, without releasing the parent's locks."""
    for fd in fds:
        if fd is not None:
            os_close(fd)
    fds[:] = [None]
