"""The table of a SQLite persister: its file, its options, and how statements are run."""

import errno
import json
import os
import sqlite3
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from holdall._options import Durability, checked_path
from holdall._places import check_record
from holdall._posix.temporary import TemporaryFolder
from holdall.abc import Capability, Persister
from holdall.conditional import Stat
from holdall.errors import (
    CorruptValueError,
    InvalidArgumentError,
    MismatchError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.persisters.sqlite._errors import is_damage
from holdall.persisters.sqlite._files import LargeFiles, check_smallest
from holdall.persisters.sqlite._schema import TABLES, Statements, check_table
from holdall.persisters.sqlite._session import DisplacedError, Session
from holdall.persisters.sqlite._sessions import Sessions

_OLDEST = (3, 35)  # the first version with RETURNING


class SqlitePlace(Persister):
    """The part of `SqlitePersister` for its file and its table."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        table: str = "items",
        durability: Durability = "process",
        guard: bool = False,
        read_only: bool = False,
        timeout: float = 60.0,
        record: Mapping[str, str] | None = None,
        files: Persister | None = None,
        files_from: int | None = None,
    ) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise UnsupportedError(
                f"SQLite {sqlite3.sqlite_version} is too old: 3.35 is the first that can do this"
            )
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        if type(timeout) not in {int, float} or not 0 <= timeout < 1e6:
            raise InvalidArgumentError(f"timeout must be a number of seconds from 0, got {timeout!r}")
        check_smallest(files, files_from)
        self.table = check_table(table)
        self.durability = durability
        self.guard = guard
        self.read_only = read_only
        self.timeout = timeout
        self.record = dict(record or {})
        if path is None and not read_only:
            self._owner: TemporaryFolder | None = TemporaryFolder()
            self.path = os.path.join(self._owner.path, "store.db")
        else:
            self.path = _checked_path(path, read_only=read_only)
            self._owner = TemporaryFolder.owner_of(self.path)
        self._sql = Statements(self.table)
        self._sessions = Sessions(
            self.path,
            sync=durability == "power",
            timeout=timeout,
            read_only=read_only,
            guard=guard,
            prepare=self._prepare,
            owner=self._owner,
        )
        if read_only:
            self.capabilities = self.capabilities - {
                Capability.WRITABLE,
                Capability.TRANSACTIONS,
                Capability.CAS_THREADS,
                Capability.CAS_HOST,
            }
        self._units = threading.local()  # the session whose transaction this thread has begun
        self.files = files
        self.files_from = files_from
        self._files = (
            None if files is None else LargeFiles(files, files_from, self._sql, sync=durability == "power")
        )
        # Whether items may lose files: the same as _files.ready, but saves a look-up in a small write.
        self._watch = False
        session = self._sessions.open()
        if self._files is not None and not read_only and session.execute(self._sql.has_files).fetchall():
            self._watch = self._files.ready = True
            self._run(self._files.sweep, "what killed writers left cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        options = {
            "table": self.table,
            "durability": self.durability,
            "guard": self.guard,
            "read_only": self.read_only,
            "timeout": self.timeout,
            "record": self.record,
            "files": self.files,
            "files_from": self.files_from,
        }
        return _reopen, (type(self), self.path, options)

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return True

    @property
    def place(self) -> str:  # docstring inherited
        return self.path if self.table == "items" else f"{self.path} (table {self.table!r})"

    @property
    def nbytes(self) -> int:
        """Bytes that the file, its write-ahead log and the files beside it take on the disk."""
        total = int(self._rows(self._sql.size_of_files)[0][0])
        real = os.path.realpath(self.path)  # the log is beside the file itself
        for path in (real, f"{real}-wal"):
            try:
                total += os.stat(path).st_size
            except FileNotFoundError:
                continue
        return total

    @property
    def lock_file(self) -> str | None:
        """A file beside the database of which processes lock bytes while they compute an item."""
        # Beside the real file, so that all who reach it by links agree.
        return None if self.read_only else f"{os.path.realpath(self.path)}-lock"

    def close(self) -> None:
        """Close the connections of all threads; the next use opens new ones."""
        self._sessions.close()
        if self.files is not None:
            self.files.close()

    def execute(self, statement: str, *arguments: Any) -> list[Any]:
        """Run an SQL statement on the database, in the transaction of this thread if there is one.

        For additional tables of other parts of holdall beside the table of this persister.

        Parameters
        ----------
        statement
            The statement.
        arguments
            The values for its question marks.

        Returns
        -------
        list
            The rows that it returns.

        Raises
        ------
        StoreUnavailableError
            If SQLite refuses it.
        """
        what = "the database cannot be used"
        try:
            session = self._sessions.local.session
            with session.lock:
                session.verify()
                return session.execute(statement, arguments).fetchall()  # type: ignore[no-any-return]
        except AttributeError:
            pass  # the first use by this thread
        except sqlite3.Error as error:
            self._note_undone(session)
            if not session.closed:
                raise self._sessions.translated(error, what) from error
        return self._run(  # type: ignore[no-any-return]
            lambda session: session.execute(statement, arguments).fetchall(), what
        )

    def limit_log(self, nbytes: int) -> None:
        """Keep the write-ahead log of this handle's connections shorter than by default.

        Parameters
        ----------
        nbytes
            About how many bytes it may have; at least 250 pages are kept.
        """
        self._sessions.log_pages = min(self._sessions.log_pages, max(250, nbytes // 4096))
        if not self._in_transaction():
            self.close()  # the next use opens connections with the limit

    # ------------------------------------------------------------------ the table

    def _prepare(self, session: Session) -> None:
        """Check that the table exists and was made with the expected options."""
        connection = session.connection
        try:
            record = find_record(connection, self.path, self.table)
        except sqlite3.DatabaseError as error:
            if not self.read_only or not is_damage(error):
                raise
            # The recorded options are lost; the items may well be there.
            connection.execute(self._sql.has, ("",)).fetchall()
            warnings.warn(
                f"the recorded options of {self.place} are damaged: nobody can tell whether serializer "
                "and keys are the right ones",
                stacklevel=2,
            )
            return
        if record is None:
            if self.read_only:
                raise StoreNotFoundError(errno.ENOENT, f"it has no table {self.table!r} to read", self.path)
            with session.transaction():
                record = find_record(connection, self.path, self.table)
                if record is None:
                    self._make_table(connection)
                    record = self.record
        if not self.read_only and not connection.execute(self._sql.has_floor).fetchall():
            with session.transaction():  # upgrade a table of an older version of holdall
                if not connection.execute(self._sql.has_floor).fetchall():
                    self._make_floor(connection)
        check_record(record, self.record, self.place)

    def _make_table(self, connection: sqlite3.Connection) -> None:
        taken = connection.execute(
            "SELECT name FROM sqlite_master WHERE lower(name) IN (lower(?), lower(?))",
            (self.table, f"{self.table}:large"),
        ).fetchall()
        if taken:
            raise MismatchError(
                f"{self.path} cannot have a table {self.table!r}: it has {taken[0][0]!r}, which was not made "
                "for it, and upper and lower case are the same here; give another table",
            )
        connection.execute(self._sql.make_items)
        connection.execute(self._sql.make_large)
        self._make_floor(connection)
        connection.execute(
            f'INSERT INTO "{TABLES}" VALUES (?, ?)',
            (self.table, json.dumps(self.record)),
        )

    def _make_floor(self, connection: sqlite3.Connection) -> None:
        for statement in self._sql.make_floor:
            connection.execute(statement)

    # ------------------------------------------------------------------ running statements

    def _session(self) -> Session:
        """Return the open connection of this thread."""
        session: Session | None = vars(self._sessions.local).get("session")
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
        return self._sessions.open()

    def _rows(self, statement: str, *arguments: Any) -> list[Any]:
        """Run a statement that reads, and return its rows."""
        try:
            session = self._sessions.local.session
            with session.lock:
                session.verify_at_times()
                return session.execute(statement, arguments).fetchall()  # type: ignore[no-any-return]
        except (AttributeError, sqlite3.Error):
            # No connection yet, or closed by another thread, or an error to be translated.
            return self._run(  # type: ignore[no-any-return]
                lambda session: session.execute(statement, arguments).fetchall(),
                "the database cannot be read",
            )

    def _run(self, action: Callable[[Session], Any], what: str) -> Any:
        """Call a function with the connection of this thread; repeat it if another thread closed it."""
        while True:
            session = self._session()
            try:
                with session.lock:
                    inner = session.connection.in_transaction
                    try:
                        return action(session)
                    except BaseException:  # an interrupt may come between any two steps
                        if not inner:
                            session.undo()
                        self._note_undone(session)
                        raise
            except sqlite3.Error as error:
                if session.closed:
                    continue
                raise self._sessions.translated(error, what) from error

    def _in_transaction(self) -> bool:
        return bool(self._session().connection.in_transaction)

    def _note_undone(self, session: Session) -> None:
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


def _reopen(cls: type[SqlitePlace], path: str, options: dict[str, Any]) -> SqlitePlace:
    return cls(path, **options)


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


# ---------------------------------------------------------------------- ids as SQLite keeps them


def as_id(id: Any) -> str | bytes | None:
    """Return an id as it is bound to a statement; None, which equals nothing, for an invalid id."""
    if not isinstance(id, str):
        return None
    if id.isascii():  # nearly always
        return id
    try:
        id.encode()
    except UnicodeEncodeError:  # lone surrogates: such text is stored as bytes
        return id.encode("utf-8", "surrogatepass")
    return id


def as_text(id: str | bytes) -> str:
    """Return an id as it came from a statement."""
    return id if type(id) is str else id.decode("utf-8", "surrogatepass")  # type: ignore[union-attr]


def spans(prefix: str) -> list[tuple[str | bytes, str | bytes]]:
    """Return the ranges that contain all ids with a prefix: first and end, in SQLite's order."""
    raw = prefix.encode("utf-8", "surrogatepass")
    in_bytes = (raw, raw[:-1] + bytes([raw[-1] + 1]))
    if isinstance(as_id(prefix), bytes):
        return [in_bytes]
    rest = prefix.rstrip("\U0010ffff")
    if not rest:
        return [(prefix, b""), in_bytes]  # bytes sort after text
    following = ord(rest[-1]) + 1
    following = 0xE000 if following == 0xD800 else following
    return [(prefix, rest[:-1] + chr(following)), in_bytes]


def stat_of(version: int, size: int) -> Stat:
    """Return the stat of an item: its version is the time of its last write, in nanoseconds."""
    return Stat(str(version), version / 1e9, size)
