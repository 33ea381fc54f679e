"""Connections to one database file: one a thread, none shared with a forked child."""

import errno
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from holdall._places import check_trust
from holdall.errors import MismatchError, StoreNotFoundError, StoreUnavailableError
from holdall.persisters.sqlite._errors import translate
from holdall.persisters.sqlite._schema import APPLICATION, FORMAT, MAKE_TABLES

_FORK_PATIENCE = 10.0  # seconds in which a running statement of another thread should end
_LOG_LEFT = 64 << 20  # bytes that the write-ahead log keeps when it was longer
# Measured with 100,000 values of 100 B, to SQLite's defaults of 1,000 pages and 2,000 KiB: single writes on
# a disk take 0.74 of the time, single reads 0.85.
_CHECKPOINT = 4000  # pages of 4 KiB in the log, from which they are brought into the file
_CACHE = 16_000  # KiB of memory a connection may take for pages


class Session:
    """The connection of one thread.

    Parameters
    ----------
    connection
        The connection.

    Notes
    -----
    Its lock is held while a statement runs, so that another thread that closes the place, or forks, waits.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.execute = connection.execute
        self.lock = threading.RLock()
        self.closed = False

    def close(self) -> None:
        """Close the connection when no statement runs."""
        with self.lock:
            self.closed = True
            self.connection.close()

    def __del__(self) -> None:
        self.close()  # its thread has ended

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Make one of all writes within."""
        with self.lock, transaction(self.connection):
            yield self.connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Make one of all writes within; a transaction within a transaction is a part of it."""
    begin, end, undo = _NESTED if connection.in_transaction else _WHOLE
    try:
        connection.execute(begin)
        yield
        connection.execute(end)
    except BaseException:
        with suppress(sqlite3.ProgrammingError):  # it was closed, which undoes all as well
            if connection.in_transaction:
                for statement in undo:
                    connection.execute(statement)
        raise


_WHOLE = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_NESTED = ("SAVEPOINT inner", "RELEASE inner", ("ROLLBACK TO inner", "RELEASE inner"))


class Sessions:
    """The connections of all threads to one database file.

    Parameters
    ----------
    path
        The file, absolute.
    sync
        Whether a returned write has survived a power cut.
    timeout
        How long to wait for a busy database, in seconds.
    read_only
        Whether the file must exist and stays as it is.
    guard
        Whether to refuse a file that somebody else could have written.
    prepare
        Called with each new connection, to see that the tables are there.
    """

    def __init__(
        self,
        path: str,
        *,
        sync: bool,
        timeout: float,
        read_only: bool,
        guard: bool,
        prepare: Callable[[sqlite3.Connection], None],
    ) -> None:
        self.path = path
        self.timeout = timeout
        self.local = threading.local()
        self._sync = sync
        self._read_only = read_only
        self._guard = guard
        self._prepare = prepare
        self._all: weakref.WeakSet[Session] = weakref.WeakSet()
        self._forked_badly = False
        _everything.add(self)

    def open(self) -> Session:
        """Open the connection of this thread."""
        if self._forked_badly:
            raise StoreUnavailableError(
                errno.EDEADLK,
                "this process was forked in the middle of a write and cannot share the file with its parent: "
                "start it with the method 'spawn', or fork when nothing is being written",
                self.path,
            )
        session = Session(self.connect())
        with _opening:
            self._all.add(session)
        self.local.session = session
        return session

    def connect(self) -> sqlite3.Connection:
        """Open a connection that belongs to no thread."""
        with _opening:
            new = self._make_file()
            self._inspect()
            connection = self._connect("ro" if self._read_only else "rw")
        try:
            try:
                self._set_up(connection)
            except sqlite3.OperationalError:
                if not self._read_only or not self._alone():
                    raise
                connection.close()
                connection = self._connect("ro&immutable=1")
                self._set_up(connection)
            if new and self._sync:
                _sync_folder(os.path.dirname(self.path))
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise self.translated(error, "the database cannot be opened") from error
            raise
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        # The three characters that mean something in the URI of a file (https://sqlite.org/uri.html).
        path = self.path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        try:
            return sqlite3.connect(
                f"file://{path}?mode={mode}",
                uri=True,
                timeout=self.timeout,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise self.translated(error, "the database cannot be opened") from error

    def translated(self, error: sqlite3.Error, what: str) -> Exception:
        """Make an error of ours of what SQLite said."""
        return translate(error, what, self.path, self.timeout)

    # ------------------------------------------------------------------ the file

    def _make_file(self) -> bool:
        """Make the file if it is not there, and tell whether that was done."""
        if os.path.isdir(self.path):
            raise StoreUnavailableError(errno.EISDIR, "it is a folder: give the name of a file", self.path)
        if self._read_only:
            if not os.path.exists(self.path):
                raise StoreNotFoundError(errno.ENOENT, "there is no such database to read", self.path)
            return False
        # Nothing that exists is ever opened here: closing it would drop the locks of SQLite
        # (https://sqlite.org/howtocorrupt.html, section 2.2). What loading could run must not be
        # writable for others, whatever the umask says.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            os.close(os.open(self.path, flags, 0o664 if self._guard else 0o666))
        except FileExistsError:
            if not os.path.exists(self.path):
                raise StoreUnavailableError(
                    errno.ENOENT,
                    "it is a link to a file that is not there: make the file, or remove the link",
                    self.path,
                ) from None
            return False
        except OSError as error:
            raise StoreUnavailableError(
                error.errno, f"the database cannot be made: {error.strerror}", self.path
            ) from error
        return True

    def _inspect(self) -> None:
        """Refuse files that somebody else could have written, if that matters."""
        if not self._guard:
            return
        # SQLite would bring what lies in log and journal into the file; they lie beside the file itself.
        real = os.path.realpath(self.path)
        for path in (real, f"{real}-wal", f"{real}-journal"):
            try:
                stat = os.stat(path)
            except FileNotFoundError:
                continue
            check_trust(stat, os.geteuid(), f"what lies in {os.path.basename(path)}", self.path)

    def _alone(self) -> bool:
        """Whether nobody can be writing: there is no log, and no way for us to make one."""
        real = os.path.realpath(self.path)
        return not os.path.exists(f"{real}-wal") and not os.access(os.path.dirname(real), os.W_OK)

    def _set_up(self, connection: sqlite3.Connection) -> None:
        self._check_format(connection)
        if not self._read_only:
            mode = self._use_log(connection)
            # With a write-ahead log, NORMAL may lose the last writes in a power cut, never more
            # (https://sqlite.org/pragma.html#pragma_synchronous); a file system without it gets FULL.
            full = self._sync or mode != "wal"
            connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_LEFT}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
            connection.create_function("holdall_now", 0, clock)
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        self._prepare(connection)

    def _use_log(self, connection: sqlite3.Connection) -> str:
        """Switch a new database to the write-ahead log; others who do so at once make that fail."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.002)

    def _check_format(self, connection: sqlite3.Connection) -> None:
        """Refuse a database that is not ours; make a new one ours."""
        application, version = self._format(connection)
        if application == 0 and not self._read_only:
            with transaction(connection):
                application, version = self._format(connection)
                empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
                if application == 0 and version == 0 and empty:
                    connection.execute(f"PRAGMA application_id = {APPLICATION}")
                    connection.execute(f"PRAGMA user_version = {FORMAT}")
                    connection.execute(MAKE_TABLES)
                    application, version = APPLICATION, FORMAT
        if application != APPLICATION:
            raise MismatchError(
                f"{self.path} is a SQLite database of another program (its application_id is {application}): "
                "choose another file, or wrap its tables by a persister of your own",
            )
        if version != FORMAT:
            raise MismatchError(
                f"{self.path} has format {version}, this version of holdall reads {FORMAT}: update holdall",
            )

    @staticmethod
    def _format(connection: sqlite3.Connection) -> tuple[int, int]:
        [(application,)] = connection.execute("PRAGMA application_id").fetchall()
        [(version,)] = connection.execute("PRAGMA user_version").fetchall()
        return application, version

    # ------------------------------------------------------------------ closing and forking

    def close(self) -> None:
        """Close the connections of all threads; each opens another one when it needs it."""
        with _opening:  # what another thread opens from now on stays open, and known
            sessions, self._all = list(self._all), weakref.WeakSet()
        for session in sessions:
            session.close()
        vars(self.local).clear()

    def before_fork(self) -> list[tuple[Session, bool]]:
        """Wait until no statement runs."""
        deadline = time.monotonic() + _FORK_PATIENCE
        return [
            (session, session.lock.acquire(timeout=max(0.0, deadline - time.monotonic())))
            for session in list(self._all)
        ]

    def after_fork(self, held: list[tuple[Session, bool]]) -> None:
        """Give up the connections of the parent.

        SQLite believes that this process holds the locks that its parent holds. Closing what is idle
        makes it forget them; what is not cannot be closed without harm to the parent.
        """
        for session, locked in held:
            if locked and not session.connection.in_transaction:
                session.close()
            else:
                self._forked_badly = True
                _kept.append(session)
        self._all = weakref.WeakSet()
        self.local.__dict__.clear()


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _ticking() -> int:
    """Give nanoseconds that are another number each time, where the clock ticks slowly."""
    global _last_tick  # noqa: PLW0603
    with _opening:
        _last_tick = max(time.time_ns(), _last_tick + 1)
        return _last_tick


_last_tick = 0
_opening = threading.RLock()

#: POSIX time in nanoseconds, another one at each call in a process.
clock: Callable[[], int] = time.time_ns if time.get_clock_info("time").resolution < 1e-6 else _ticking

_everything: weakref.WeakSet[Sessions] = weakref.WeakSet()
_kept: list[Session] = []  # what a forked child must never close
_held: list[tuple[Sessions, list[tuple[Session, bool]]]] = []


def _before_fork() -> None:
    _opening.acquire()
    _held.extend((sessions, sessions.before_fork()) for sessions in list(_everything))


def _after_fork_in_parent() -> None:
    for _, held in _held:
        for session, locked in held:
            if locked:
                session.lock.release()
    _held.clear()
    _opening.release()


def _after_fork_in_child() -> None:
    for sessions, held in _held:
        sessions.after_fork(held)
    _held.clear()
    _opening.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )
