"""One connection to a database: whole transactions, and no share of it for a forked child.

SQLite keeps books, for each process, of which locks it holds on which file. A forked child inherits the
books and none of the locks (https://sqlite.org/howtocorrupt.html, section 2.6), and a connection that it
opens while an inherited one is open believes in them: it writes to a log that its parent may delete. So
before a fork every connection of the process is brought to rest, and the child closes them all before it
opens its own. A file with a connection that could not be brought to rest is out of bounds for the child.
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
_FORK_PATIENCE = 10.0  # seconds in which a running statement of another thread should end


class Connection(sqlite3.Connection):
    """A connection that closes when its store was forgotten.

    The garbage collector may come to it before it comes to what would close it, and from Python 3.13 on
    `sqlite3.Connection` warns of whoever leaves it open.
    """

    __slots__ = ()

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it was never opened
            self.close()


class DisplacedError(AttributeError):
    """The file of a session was moved, replaced or deleted.

    An AttributeError, as where a thread has no session yet: both are for the long way to see to.
    """


class Session:
    """A connection that one thread works with; the lock is for those who close it, or fork.

    Parameters
    ----------
    connection
        The connection.
    group
        What all sessions have in common that are closed at once.
    path
        The path that the place was opened by, absolute.
    file
        Device and number of the file.
    writes
        Whether its transactions write.

    Notes
    -----
    Its lock is held while a statement runs, so that another thread that closes the place, or forks, waits.
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
        self.looked = 0.0  # when it was last seen that the file is that of its path
        self.writes = writes
        self.changes = 0  # rows that its connection had changed when files were last looked for
        self.change = Change()
        everything.add(self)

    def close(self) -> None:
        """Close the connection when no statement runs."""
        if not self.closed:
            with self.lock:
                self.closed = True
                if self._is_replaced():
                    # Closing deletes the log by its name, and it is that of another database now.
                    self.abandon()
                else:
                    self.connection.close()
        everything.discard(self)

    def let_go(self, is_ending: Callable[[], bool] = is_finalizing) -> None:
        """Close the connection for good, from wherever nobody can be waited for."""
        # When the process ends, a daemon thread is stopped wherever it is, and never releases anything:
        # SQLite undoes what it was doing. Its frames keep the connection, so that nobody else closes it.
        if self.lock.acquire(not is_ending()):
            try:
                self.close()
            finally:
                self.lock.release()

    def __del__(self) -> None:
        self.let_go()

    def verify(self) -> None:
        """Raise `DisplacedError` unless the file still is what lies under its path."""
        try:
            stat = os_stat(self.path)
        except OSError:
            raise DisplacedError from None
        if (stat.st_dev, stat.st_ino) != self.file:
            raise DisplacedError

    def verify_at_times(self) -> None:
        """Do what `verify` does, but once a second: a read is hardly longer than that look."""
        now = monotonic()
        if now - self.looked > _SECOND:
            self.verify()
            self.looked = now

    def _is_replaced(self) -> bool:
        try:
            return identity(self.path) != self.file
        except OSError:
            return False  # it is gone, and its log with it

    def transaction(self) -> "Transaction":
        """Make one of all writes within; the lock must be held."""
        return Transaction(self)

    def undo(self) -> None:
        """End the transaction, if there is one, as if it had not been."""
        while not self.closed and self.connection.in_transaction:
            try:
                self.connection.rollback()
            except KeyboardInterrupt:  # an error is on its way already
                continue

    def doom(self) -> None:
        """Refuse everything: SQLite has undone the transaction, and what follows must not stand alone."""
        self.execute = _refuse

    def abandon(self) -> None:
        """Never touch the connection again, not even when the process ends: it is that of the parent."""
        import ctypes  # noqa: PLC0415  (nearly never needed)

        self.closed = True
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.connection))


def _refuse(*_: object) -> NoReturn:
    raise StoreUnavailableError(
        errno.ECANCELED, "an error in this transaction has undone all of it: leave it, and begin anew"
    )


class Change:
    """What an UPDATE does with the data of an item; an error waits here, as SQLite passes none on."""

    def __init__(self) -> None:
        self.function: Callable[[Any], Any] | None = None
        self.error: BaseException | None = None

    def __call__(self, data: Any) -> Any:
        try:
            assert self.function is not None  # noqa: S101  (who runs the statement has set it)
            return self.function(data)
        except BaseException as error:
            self.error = error
            raise

    def raise_error(self) -> None:
        """Raise the error that waits, if there is one."""
        error, self.error, self.function = self.error, None, None
        if error is not None:
            raise error


class Owner:
    """What a thread holds of its session: the session is closed when the thread ends.

    Parameters
    ----------
    session
        The session of the thread.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._process = os.getpid()

    def __del__(self) -> None:
        # In a child the threads of the parent end first of all; what becomes of their sessions is told below.
        if os.getpid() == self._process:
            self._session.let_go()


class Transaction:
    """Makes one of all writes within; a transaction within a transaction is a part of it.

    Parameters
    ----------
    session
        The session.
    """

    # Not a generator: one that an interrupt left suspended would undo, when it is collected, whatever is
    # going on then.

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


#: Every open session of this process. Its methods are used as they are atomic: no lock, as a session may
#: be collected anywhere.
everything: set[Session] = set()
#: Held while a connection is made and not yet among `everything`.
opening = threading.RLock()
_ticking = threading.Lock()
_last_tick = 0
_held: list[Session] = []
_lost: set[tuple[int, int]] = set()


def identity(path: str) -> tuple[int, int]:
    """Give device and number of a file."""
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino


def is_lost(file: tuple[int, int]) -> bool:
    """Tell whether this process must not open a file, as it was forked in the middle of a write to it."""
    return file in _lost


def tick() -> int:
    """Give nanoseconds that are another number each time, where the clock ticks slowly."""
    global _last_tick  # noqa: PLW0603
    with _ticking:
        _last_tick = max(time.time_ns(), _last_tick + 1)
        return _last_tick


def _before_fork() -> None:
    """Wait until no statement runs."""
    opening.acquire()
    deadline = time.monotonic() + _FORK_PATIENCE
    _held.extend(
        session
        for session in list(everything)
        if session.lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
    )
    _ticking.acquire()


def _release() -> None:
    for session in _held:
        session.lock.release()
    _held.clear()
    _ticking.release()
    opening.release()


def _after_fork_in_child() -> None:
    at_rest = set(_held)
    for session in list(everything):
        if session not in at_rest or _is_writing(session):
            _lost.add(session.file)
            session.abandon()
            everything.discard(session)
        else:
            session.close()
    _release()


def _is_writing(session: Session) -> bool:
    """Tell whether a session of ours is amid a write, and see that it gets no further in this process."""
    if not session.connection.in_transaction or not session.writes:
        return False
    session.connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    return True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_release, after_in_child=_after_fork_in_child)
