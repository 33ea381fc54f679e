"""Transactions of users: several writes are made as one, or none of them."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from holdall.conditional import Expected, Stat
from holdall.persisters.sqlite._batches import checked, size_of
from holdall.persisters.sqlite._place import stat_of
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._writing import SqliteWriting


class SqliteTransactions(SqliteWriting):
    """The part of `SqlitePersister` for transactions of several writes."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one transaction of this thread's writes in the context: after an error, none of them happened.

        This thread reads its own writes within the context; others see all of them when it ends, and wait
        with their writes until then. A nested transaction is a part of the outer one, and can be undone by
        itself. Large data are stored in the database, whatever `files_from`.

        Raises
        ------
        StoreUnavailableError
            If others keep the database locked for longer than the timeout, or an error within has undone the
            transaction but was caught.
        """
        self._check_writable()
        session = self._session()
        outer = vars(self._units).get("session")
        # Held throughout, so that nobody closes the connection, or forks, in between.
        with session.lock:
            try:
                self._units.session = session
                with self._translated_unit(session):
                    yield
            finally:
                if outer is None:
                    self._units.session = None
                    session.execute = session.connection.execute
        self._delete_dropped()

    def write_and(self, id: str, data: Any, expected: Expected, then: Callable[[], object]) -> Stat:
        """Store data as `write` does, and call a function in the same transaction.

        Parameters
        ----------
        id, data, expected
            As in `write`.
        then
            Called when the item is written and still invisible to others; its error undoes the write. It may
            use this persister.
        """
        self._check_writable()
        key, data = checked(id, data)
        size = size_of(data)
        if not self._goes_to_file(size):
            with self.transaction():
                stat = self.write(id, data, expected)
                then()
                return stat
        version = self._write_file(id, key, data, expected, then)
        if version is None:
            raise self._conflict(id, expected)
        return stat_of(version, size)

    @contextmanager
    def _translated_unit(self, session: Session) -> Iterator[None]:
        """Begin and end a transaction, and translate errors of SQLite."""
        what = "the transaction cannot be begun"
        inside = False
        try:
            with session.transaction():
                inside = True
                yield
                inside = False
                what = "the transaction cannot be ended"
                self._session()  # raises if it was closed
        except sqlite3.Error as error:
            if inside:  # an error of the user's own
                raise
            raise self._sessions.translated(error, what) from error
