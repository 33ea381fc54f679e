"""One connection to a database, which one thread uses: whole transactions."""

import errno
import os
import sqlite3
import time
from collections.abc import Callable
from os import stat as os_stat
from time import monotonic
from typing import Any, NoReturn

from holdall._posix.fork import new_lock
from holdall._sqlite.connections import Guarded
from holdall.errors import StoreUnavailableError

_SECOND = 1.0


class DisplacedError(AttributeError):
    """The file of a session was moved, replaced or deleted.

    An AttributeError, as where a thread has no session yet: the slow path handles both.
    """


class Session(Guarded):
    """A connection that one thread uses, with the parameters of `Guarded`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        group: object,
        path: str,
        file: tuple[int, int],
        *,
        writes: bool,
    ) -> None:
        self.execute = connection.execute
        self.looked = 0.0  # when the file was last checked against its path
        self.changes = 0  # rows that its connection had changed at the last look for unused files
        self.change = Change()
        super().__init__(connection, group, path, file, writes=writes)  # from now on, forks know of it

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

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:  # bound: `os` may be gone already
        # In a child the threads of the parent end first; their sessions are handled below.
        if getpid() == self._process:
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


_ticking = new_lock()
_last_tick = 0


def tick() -> int:
    """Return nanoseconds, a different number at each call even if the clock is coarse."""
    global _last_tick  # noqa: PLW0603
    with _ticking:
        _last_tick = max(time.time_ns(), _last_tick + 1)
        return _last_tick
