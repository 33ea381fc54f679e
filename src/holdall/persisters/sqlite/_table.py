"""The table of a SQLite persister: its file, its options, and how statements are run."""

import errno
import json
import os
import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from holdall._options import checked_path
from holdall._places import check_record
from holdall._posix.system import require_posix
from holdall._posix.temporary import TemporaryFolder
from holdall._shown import shown
from holdall._sqlite.errors import is_damage
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected
from holdall.errors import (
    CorruptValueError,
    InvalidArgumentError,
    MismatchError,
    ReadOnlyError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.persisters.sqlite._ids import version_of
from holdall.persisters.sqlite._schema import TABLES, Statements, check_table
from holdall.persisters.sqlite._session import DisplacedError, Session
from holdall.persisters.sqlite._sessions import Sessions, clock

_OLDEST = (3, 35)  # the first version with RETURNING
#: Expected of an item: any state, and the new version is not asked for.
BLIND: Any = object()


class Table:
    """One table of a database: its statements, and the connections to run them.

    Parameters are as in `SqlitePersister`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        name: str,
        *,
        durability: str,
        guard: bool,
        read_only: bool,
        timeout: float,
        record: dict[str, Any],
    ) -> None:
        require_posix("SQLite files")
        if sqlite3.sqlite_version_info < _OLDEST:
            raise UnsupportedError(
                f"SQLite {sqlite3.sqlite_version} is too old: 3.35 is the first that can do this"
            )
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        if type(timeout) not in {int, float} or not 0 <= timeout < 1e6:
            raise InvalidArgumentError(f"timeout must be a number of seconds from 0, got {timeout!r}")
        self.name = check_table(name)
        self.sync = durability == "power"
        self.read_only = read_only
        self.record = record
        if path is None and not read_only:
            owner: TemporaryFolder | None = TemporaryFolder()
            self.path = os.path.join(owner.path, "store.db")  # type: ignore[union-attr]
        else:
            self.path = _checked_path(path, read_only=read_only)
            owner = TemporaryFolder.owner_of(self.path)
        self.sql = Statements(self.name)
        self.sessions = Sessions(
            self.path,
            sync=self.sync,
            timeout=timeout,
            read_only=read_only,
            guard=guard,
            prepare=self._prepare,
            owner=owner,
        )
        self._units = threading.local()  # the session whose transaction this thread has begun
        self.sessions.open()

    @property
    def place(self) -> str:
        """The file, and which table of it."""
        return self.path if self.name == "items" else f"{self.path} (table {self.name!r})"

    @property
    def nbytes(self) -> int:
        """Bytes that the file, its write-ahead log and the files beside it take on the disk."""
        total = int(self.rows(self.sql.size_of_files)[0][0])
        real = os.path.realpath(self.path)  # the log is beside the file itself
        for path in (real, f"{real}-wal"):
            try:
                total += os.stat(path).st_size
            except FileNotFoundError:
                continue
        return total

    def check_writable(self) -> None:
        """Raise `ReadOnlyError` if it is only to be read."""
        if self.read_only:
            raise ReadOnlyError(f"{self.place} was opened with read_only=True")

    # ------------------------------------------------------------------ making it

    def _prepare(self, session: Session) -> None:
        """Check that the table exists and was made with the expected options."""
        connection = session.connection
        try:
            record = find_record(connection, self.path, self.name)
        except sqlite3.DatabaseError as error:
            if not self.read_only or not is_damage(error):
                raise
            # The recorded options are lost; the items may well be there.
            connection.execute(self.sql.has, ("",)).fetchall()
            warnings.warn(
                f"the recorded options of {self.place} are damaged: nobody can tell whether serializer "
                "and keys are the right ones",
                stacklevel=2,
            )
            return
        if record is None:
            if self.read_only:
                raise StoreNotFoundError(errno.ENOENT, f"it has no table {self.name!r} to read", self.path)
            with session.transaction():
                record = find_record(connection, self.path, self.name)
                if record is None:
                    self._make_table(connection)
                    record = self.record
        if not self.read_only and not connection.execute(self.sql.has_floor).fetchall():
            with session.transaction():  # upgrade a table of an older version of holdall
                if not connection.execute(self.sql.has_floor).fetchall():
                    self._make_floor(connection)
        check_record(record, self.record, self.place)

    def _make_table(self, connection: sqlite3.Connection) -> None:
        taken = connection.execute(
            "SELECT name FROM sqlite_master WHERE lower(name) IN (lower(?), lower(?))",
            (self.name, f"{self.name}:large"),
        ).fetchall()
        if taken:
            raise MismatchError(
                f"{self.path} cannot have a table {self.name!r}: it has {taken[0][0]!r}, which was not made "
                "for it, and upper and lower case are the same here; give another table",
            )
        connection.execute(self.sql.make_items)
        connection.execute(self.sql.make_large)
        self._make_floor(connection)
        connection.execute(
            f'INSERT INTO "{TABLES}" VALUES (?, ?)',
            (self.name, json.dumps(self.record)),
        )

    def _make_floor(self, connection: sqlite3.Connection) -> None:
        for statement in self.sql.make_floor:
            connection.execute(statement)

    # ------------------------------------------------------------------ running statements

    def session(self) -> Session:
        """Return the open connection of this thread."""
        session: Session | None = vars(self.sessions.local).get("session")
        unit: Session | None = vars(self._units).get("session")
        if unit is not None and unit.closed:
            raise StoreUnavailableError(
                errno.ECANCELED,
                "the database was closed in a transaction, which is undone: begin again",
                self.path,
            )
        if session is not None and not session.closed:
            try:
                session.verify()
            except DisplacedError:
                if unit is not None or session.connection.in_transaction:
                    raise StoreUnavailableError(
                        errno.ESTALE,
                        "the file was moved, replaced or deleted in a transaction, which is undone: begin "
                        "anew",
                        self.path,
                    ) from None
                session.close()  # open the file that is at the path now
            else:
                return session
        return self.sessions.open()

    def rows(self, statement: str, *arguments: Any) -> list[Any]:
        """Run a statement that reads, and return its rows."""
        # What run() does is in line: 3.4 µs instead of 5.3 for `in`.
        try:
            session = self.sessions.local.session
            with session.lock:
                session.verify_at_times()
                return session.execute(statement, arguments).fetchall()  # type: ignore[no-any-return]
        except (AttributeError, sqlite3.Error):
            # No connection yet, or closed by another thread, or an error to be translated.
            return self.run(  # type: ignore[no-any-return]
                lambda session: session.execute(statement, arguments).fetchall(),
                "the database cannot be read",
            )

    def change(self, statement: str, arguments: tuple[Any, ...], id: Any, done: str = "written") -> int:
        """Run one statement that writes an item, and return how many rows it changed."""
        # What run() does is in line. With swap() in line, too, a conditional write takes 11.0 µs, not 12.2.
        try:
            session = self.sessions.local.session
            with session.lock:
                session.verify()
                return session.execute(statement, arguments).rowcount  # type: ignore[no-any-return]
        except (AttributeError, sqlite3.Error) as error:
            # No connection yet, or closed by another thread, or an error to be translated.
            self.check_writable()
            what = f"{shown(id, 120)} cannot be {done}"
            if isinstance(error, sqlite3.Error):
                self.note_undone(session)
                if not session.closed:  # do not wait twice
                    raise self.sessions.translated(error, what) from error
        return self.run(  # type: ignore[no-any-return]
            lambda session: session.execute(statement, arguments).rowcount, what
        )

    def run(self, action: Callable[[Session], Any], what: str) -> Any:
        """Call a function with the connection of this thread; repeat it if another thread closed it."""
        while True:
            session = self.session()
            try:
                with session.lock:
                    inner = session.connection.in_transaction
                    try:
                        return action(session)
                    except BaseException:  # an interrupt may come between any two steps
                        if not inner:
                            session.undo()
                        self.note_undone(session)
                        raise
            except sqlite3.Error as error:
                if session.closed:
                    continue
                raise self.sessions.translated(error, what) from error

    def swap(self, connection: sqlite3.Connection, key: Any, data: Any, expected: Expected) -> int | None:
        """Write data, or their number, if the item is in the expected state; return the new version.

        With `BLIND`, write in any state and return 0.
        """
        if expected is BLIND:
            # No rows are asked for: before they are fetched, a signal handler can begin no transaction.
            connection.execute(self.sql.put, (key, data))
            return 0
        if expected is ANY_ETAG:
            rows = connection.execute(self.sql.write, (key, data)).fetchall()
        elif expected is ITEM_NOT_AVAILABLE:
            rows = connection.execute(self.sql.insert, (key, data)).fetchall()
        else:
            old = version_of(expected)
            # The old version was above all before it, so the new one is too.
            new = max(old + 1, clock())
            done = connection.execute(self.sql.swap, (new, data, key, old)).rowcount
            rows = [(new,)] if done else []
        return rows[0][0] if rows else None

    # ------------------------------------------------------------------ transactions of users

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Make one transaction of this thread's writes in the context."""
        session = self.session()
        outer = vars(self._units).get("session")
        what, inside = "the transaction cannot be begun", False
        # Held throughout, so that nobody closes the connection, or forks, in between.
        with session.lock:
            try:
                self._units.session = session
                with session.transaction():
                    inside = True
                    yield
                    what, inside = "the transaction cannot be ended", False
                    self.session()  # raises if it was closed
            except sqlite3.Error as error:
                if inside:  # an error of the user's own
                    raise
                raise self.sessions.translated(error, what) from error
            finally:
                if outer is None:
                    self._units.session = None
                    session.execute = session.connection.execute

    def in_transaction(self) -> bool:
        """Return whether this thread is in a transaction."""
        return bool(self.session().connection.in_transaction)

    def note_undone(self, session: Session) -> None:
        """After an error, check whether SQLite has undone the transaction of the user."""
        unit = vars(self._units).get("session")
        if unit is session and not session.closed and not session.connection.in_transaction:
            session.doom()


def find_record(connection: sqlite3.Connection, path: str, table: str) -> dict[str, Any] | None:
    """Return the options that a table was made with; None if holdall made no such table."""
    rows = connection.execute(
        f'SELECT record FROM "{TABLES}" WHERE name = ?',
        (table,),
    ).fetchall()
    if not rows:
        return None
    try:
        return dict(json.loads(rows[0][0]))
    except (ValueError, TypeError) as error:
        raise CorruptValueError(f"the record of table {table!r} in {path} cannot be read: {error}") from error


def _checked_path(path: Any, *, read_only: bool) -> str:
    """Return the file, absolute, in an existing folder."""
    if path is None:
        raise InvalidArgumentError("read_only needs the path of a database that exists")
    if path == ":memory:" or (isinstance(path, str) and path.startswith("file:")):
        raise InvalidArgumentError(
            f"path must be the name of a file, got {path!r}; for memory there is MemoryStore"
        )
    given = checked_path(path, "file")
    if given.endswith(os.sep):
        raise InvalidArgumentError(f"path must be the name of a file, got {path!r}")
    try:
        os.fsencode(given)
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"no file can be called {given!r}: {error.reason}") from error
    absolute = os.path.abspath(given)
    if not read_only:
        try:
            os.makedirs(os.path.dirname(absolute), exist_ok=True)
        except OSError as error:
            raise StoreUnavailableError(
                error.errno, f"its folder cannot be made: {error.strerror}", absolute
            ) from error
    return absolute
