"""One connection to a database: whole transactions, and nothing shared with a forked child.

SQLite records, for each process, which locks it holds on which file. A forked child inherits the records but
none of the locks (https://sqlite.org/howtocorrupt.html, section 2.6), and a connection that it opens while an
inherited one is open relies on them: it writes to a log that its parent may delete. So before a fork all
connections of the process are made idle, and the child closes them all before it opens its own. The child
must not use a file with a connection that could not be made idle.
"""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from os import stat as os_stat
from sys import is_finalizing
from time import monotonic
from typing import Any, NoReturn

from holdall.errors import StoreUnavailableError

_SECOND = 1.0
_FORK_PATIENCE = 10.0  # seconds for running statements of other threads to end


class Connection(sqlite3.Connection):
    """A connection that closes when its store was dropped.

    The garbage collector may find it before its owner, and from Python 3.13 on `sqlite3.Connection` warns if
    it is left open.
    """

    __slots__ = ()

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # never opened
            self.close()


class DisplacedError(AttributeError):
    """The file of a session was moved, replaced or deleted.

    An AttributeError, as where a thread has no session yet: the slow path handles both.
    """


class Session:
    """A connection that one thread uses; the lock is for those who close it, or fork.

    Parameters
    ----------
    connection
        The connection.
    group
        What all sessions that are closed together have in common.
    path
        The absolute path that the database was opened by.
    file
        Device and number of the file.
    writes
        Whether its transactions write.

    Notes
    -----
    Its lock is held while a statement runs, so that another thread that closes the persister, or forks,
    waits.
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
        self.execute = connection.execute
        self.lock = threading.RLock()
        self.closed = False
        self.group = group
        self.path = path
        self.file = file
        self.looked = 0.0  # when the file was last checked against its path
        self.writes = writes
        self.changes = 0  # rows that its connection had changed at the last look for unused files
        self.change = Change()
        everything.add(self)

    def close(self) -> None:
        """Close the connection when no statement runs."""
        if not self.closed:
            with self.lock:
                self.closed = True
                if self._is_replaced():
                    # Closing deletes the log by its name, which is that of another database now.
                    self.abandon()
                else:
                    self.connection.close()
        everything.discard(self)

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

    def verify(self) -> None:
        """Raise `DisplacedError` unless the file is still the one at its path."""
        try:
            stat = os_stat(self.path)
        except OSError:
            raise DisplacedError from None
        if (stat.st_dev, stat.st_ino) != self.file:
            raise DisplacedError

    def verify_at_times(self) -> None:
        """Do the same as `verify`, but once per second: a read takes hardly longer than that check."""
        now = monotonic()
        if now - self.looked > _SECOND:
            self.verify()
            self.looked = now

    def _is_replaced(self) -> bool:
        try:
            return identity(self.path) != self.file
        except OSError:
            return False  # deleted, and its log too

    def transaction(self) -> "Transaction":
        """Make one transaction of all writes within the context; the caller holds the lock."""
        return Transaction(self)

    def undo(self) -> None:
        """Undo the transaction, if there is one."""
        while not self.closed and self.connection.in_transaction:
            try:
                self.connection.rollback()
            except KeyboardInterrupt:  # another error is being raised
                continue

    def doom(self) -> None:
        """Refuse all statements: SQLite has undone the transaction, so the rest of it must not be applied."""
        self.execute = _refuse

    def abandon(self) -> None:
        """Never use the connection again, not even when the process ends: it belongs to the parent."""
        import ctypes  # noqa: PLC0415  (rarely needed)

        self.closed = True
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.connection))


def _refuse(*_: object) -> NoReturn:
    raise StoreUnavailableError(
        errno.ECANCELED, "an error in this transaction has undone all of it: leave it, and begin anew"
    )


class Change:
    """What an UPDATE does with the data of an item; an error is kept here, as SQLite passes none on."""

    def __init__(self) -> None:
        self.function: Callable[[Any], Any] | None = None
        self.error: BaseException | None = None

    def __call__(self, data: Any) -> Any:
        try:
            assert self.function is not None  # noqa: S101  (set before the statement)
            return self.function(data)
        except BaseException as error:
            self.error = error
            raise

    def raise_error(self) -> None:
        """Raise the error that was kept, if there is one."""
        error, self.error, self.function = self.error, None, None
        if error is not None:
            raise error


class Owner:
    """The owner of a thread's session: the session is closed when the thread ends.

    Parameters
    ----------
    session
        The session of the thread.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._process = os.getpid()

    def __del__(self) -> None:
        # In a child the threads of the parent end first; their sessions are handled below.
        if os.getpid() == self._process:
            self._session.let_go()


class Transaction:
    """Make one transaction of all writes within; a nested one is a part of it.

    Parameters
    ----------
    session
        The session.
    """

    # Not a generator: one that an interrupt left suspended would, when it is collected, undo the transaction
    # that is running then.

    def __init__(self, session: Session) -> None:
        self._session = session
        self._inner = session.connection.in_transaction

    def __enter__(self) -> sqlite3.Connection:
        self._execute("SAVEPOINT inner" if self._inner else "BEGIN IMMEDIATE")
        return self._session.connection

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._execute("RELEASE inner" if self._inner else "COMMIT")
        else:
            self._undo()

    def _execute(self, statement: str) -> None:
        try:
            self._session.execute(statement)
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        if not self._inner:
            self._session.undo()
        elif not self._session.closed and self._session.connection.in_transaction:
            self._session.execute("ROLLBACK TO inner")
            self._session.execute("RELEASE inner")


#: Every open session of this process. Its methods are used because they are atomic: a lock would not do, as a
#: session can be collected anywhere.
everything: set[Session] = set()
#: Held while a connection is made and not yet in `everything`.
opening = threading.RLock()
_ticking = threading.RLock()
_last_tick = 0
_stopped: list[Session] = []  # those that a fork has stopped, or tried to
_lost: set[tuple[int, int]] = set()


def identity(path: str) -> tuple[int, int]:
    """Return device and number of a file."""
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino


def is_lost(file: tuple[int, int]) -> bool:
    """Return whether this process must not open a file, as it was forked during a write to it."""
    return file in _lost


def tick() -> int:
    """Return nanoseconds, a different number at each call even if the clock is coarse."""
    global _last_tick  # noqa: PLW0603
    with _ticking:
        _last_tick = max(time.time_ns(), _last_tick + 1)
        return _last_tick


def _before_fork() -> None:
    """Wait until no statement runs."""
    # An interrupt while it waits ends only this function: the process is forked, and the others follow. So
    # they may not rely on anything here.
    try:
        opening.acquire()
        deadline = time.monotonic() + _FORK_PATIENCE
        for session in list(everything):
            _stopped.append(session)
            session.lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
    finally:
        _ticking.acquire()


def _release() -> None:
    for lock in (*(session.lock for session in _stopped), _ticking, opening):
        with suppress(RuntimeError):  # another thread has it
            lock.release()
    _stopped.clear()


def _after_fork_in_child() -> None:
    for session in list(everything):
        at_rest = session.lock.acquire(blocking=False)
        if at_rest:
            session.lock.release()
        if not at_rest or _is_writing(session):
            _lost.add(session.file)
            session.abandon()
            everything.discard(session)
        else:
            session.close()
    _release()


def _is_writing(session: Session) -> bool:
    """Return whether a session of ours is writing, and prevent it from continuing in this process."""
    if not session.connection.in_transaction or not session.writes:
        return False
    session.connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    return True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_release, after_in_child=_after_fork_in_child)
