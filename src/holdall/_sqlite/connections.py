"""Connections to SQLite in a process that forks: at rest then, and closed in the child.

SQLite records, for each process, which locks it holds on which file. A forked child inherits the records but
none of the locks (https://sqlite.org/howtocorrupt.html, section 2.6), and a connection that it opens while an
inherited one is open relies on them: it waits for ever for a lock that nobody holds, or writes to a log that
its parent may delete. So before a fork all connections of the process are made idle, and the child closes
them all before it opens its own. The child must not use a file with a connection that could not be made idle.
"""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from sys import is_finalizing

from holdall._posix.fork import at_fork
from holdall.errors import StoreUnavailableError

__all__ = ["Connection", "Guarded", "everything", "identity", "opening", "refuse_if_lost"]

_FORK_PATIENCE = 10.0  # seconds for running statements of other threads to end


class Connection(sqlite3.Connection):
    """A connection that closes when its store was dropped.

    The garbage collector may find it before its owner, and from Python 3.13 on `sqlite3.Connection` warns if
    it is left open.
    """

    __slots__ = ()

    # What it needs is bound: the last connections go when the names of this module are gone already.
    def __del__(self, never_opened: type[Exception] = sqlite3.ProgrammingError) -> None:
        try:
            self.close()
        except never_opened:
            pass


#: Every open connection of this process. Its methods are used because they are atomic: a lock would not do,
#: as a connection can be collected anywhere.
everything: "set[Guarded]" = set()


class Guarded:
    """A connection whose lock is held while a statement or a transaction runs, so that forks wait for it.

    Parameters
    ----------
    connection
        The connection.
    group
        What all connections that are closed together have in common.
    path
        The absolute path that the database was opened by.
    file
        Device and number of the file.
    writes
        Whether its transactions write.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        group: object,
        path: str,
        file: tuple[int, int],
        *,
        writes: bool,
    ) -> None:
        self.connection = connection
        self.group = group
        self.lock = threading.RLock()
        self.closed = False
        self.path = path
        self.file = file
        self.writes = writes
        everything.add(self)

    # What it needs is bound, as above.
    def close(self, forget: "Callable[[Guarded], None]" = everything.discard) -> None:
        """Close the connection when no statement runs."""
        if not self.closed:
            with self.lock:
                self.closed = True
                if self._is_replaced():
                    # Closing deletes the log by its name, which is that of another database now.
                    self.abandon()
                else:
                    self.connection.close()
        forget(self)

    def let_go(self, is_ending: Callable[[], bool] = is_finalizing) -> None:
        """Close the connection for good, without waiting for anything."""
        # When the process ends, a daemon thread is stopped anywhere, and never releases anything: SQLite
        # undoes its transaction. Its frames keep the connection, so that nobody else closes it.
        if self.lock.acquire(not is_ending()):
            try:
                self.close()
            finally:
                self.lock.release()

    def __del__(self) -> None:
        self.let_go()

    def _is_replaced(self, stat: Callable[[str], os.stat_result] = os.stat) -> bool:
        try:
            found = stat(self.path)
        except OSError:
            return False  # deleted, and its log too
        return (found.st_dev, found.st_ino) != self.file

    def abandon(self) -> None:
        """Never use the connection again, not even when the process ends: it belongs to the parent."""
        import ctypes  # noqa: PLC0415  (rarely needed)

        self.closed = True
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.connection))


#: Held while a connection is made and not yet in `everything`.
opening = threading.RLock()
_stopped: list[Guarded] = []  # those that a fork has stopped, or tried to
_lost: set[tuple[int, int]] = set()


def identity(path: str) -> tuple[int, int]:
    """Return device and number of a file."""
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino


def refuse_if_lost(file: tuple[int, int], path: str) -> None:
    """Raise `StoreUnavailableError` if this process was forked during a write to a file."""
    if file in _lost:
        raise StoreUnavailableError(
            errno.EDEADLK,
            "this process was forked in the middle of a write and cannot share the file with its parent: "
            "start it with the method 'spawn', or fork when nothing is being written",
            path,
        )


def _before_fork() -> None:
    """Wait until no statement runs."""
    # An interrupt while it waits ends only this function: the process is forked, and the others follow. So
    # they may not rely on anything here.
    opening.acquire()
    deadline = time.monotonic() + _FORK_PATIENCE
    for guarded in list(everything):
        _stopped.append(guarded)
        guarded.lock.acquire(timeout=max(0.0, deadline - time.monotonic()))


def _release() -> None:
    for lock in (*(guarded.lock for guarded in _stopped), opening):
        with suppress(RuntimeError):  # another thread has it
            lock.release()
    _stopped.clear()


def _after_fork_in_child() -> None:
    for guarded in list(everything):
        at_rest = guarded.lock.acquire(blocking=False)
        if at_rest:
            guarded.lock.release()
        if not at_rest or _is_writing(guarded):
            _lost.add(guarded.file)
            guarded.abandon()
            everything.discard(guarded)
        else:
            guarded.close()
    _release()


def _is_writing(guarded: Guarded) -> bool:
    """Return whether a connection of ours is writing, and prevent it from continuing in this process."""
    if not guarded.connection.in_transaction or not guarded.writes:
        return False
    guarded.connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    return True


at_fork(before=_before_fork, after_in_parent=_release, after_in_child=_after_fork_in_child)
