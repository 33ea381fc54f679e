"""Connections to one database file, one per thread."""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable

from holdall._posix.descriptors import create_file
from holdall._posix.descriptors import opening as opening_file
from holdall._posix.temporary import TemporaryFolder
from holdall._posix.trust import check_trust, doubt_about, refuse
from holdall._sqlite.connections import Connection, everything, identity, opening, refuse_if_lost
from holdall._sqlite.errors import translate
from holdall.errors import MismatchError, StoreNotFoundError, StoreUnavailableError
from holdall.persisters.sqlite._schema import APPLICATION, FORMAT, MAKE_TABLES
from holdall.persisters.sqlite._session import (
    Owner,
    Session,
    tick,
)

_PAGE = 4096  # bytes
_LOG_LEFT = 64 << 20  # bytes to which a longer write-ahead log is truncated
# Measured with 100,000 values of 100 B, against SQLite's default of 1,000: single writes on a disk take 0.74
# of the time.
_CHECKPOINT = 4000  # pages of 4 KiB in the log that trigger a checkpoint
# KiB of memory per connection for pages. With 16,000, single reads take 0.9 of the time, and single writes of
# new keys 1.2 times: after a page was split, a commit looks at every page in memory.
CACHE = 2000


class Sessions:
    """The connections of all threads to one database file.

    Parameters
    ----------
    path
        The file, absolute.
    sync
        Whether a returned write must survive a power failure.
    timeout
        Seconds to wait for a busy database.
    read_only
        Whether the file must exist and stays unchanged.
    guard
        Whether to refuse a file that others could have written.
    prepare
        Called with each new session, to check the tables.
    """

    def __init__(
        self,
        path: str,
        *,
        sync: bool,
        timeout: float,
        read_only: bool,
        guard: bool,
        prepare: Callable[[Session], None],
        owner: TemporaryFolder | None = None,
    ) -> None:
        self.path = path
        self.timeout = timeout
        self.local = threading.local()
        self.log_pages = _CHECKPOINT
        self._sync = sync
        self._read_only = read_only
        self._guard = guard
        self._prepare = prepare
        self._group = object()
        self._owner = owner  # of the folder, if it is a temporary one

    def open(self) -> Session:
        """Open the session of this thread."""
        session = self.connect()
        self.local.owner = Owner(session)
        self.local.session = session
        return session

    def connect(self, *, writes: bool = True) -> Session:
        """Open a session that belongs to no thread.

        Parameters
        ----------
        writes
            Whether its transactions write.
        """
        with opening:
            new = self._make_file()
            # Once, so that the file that was inspected is the one that is opened, wherever a link leads then.
            real = os.path.realpath(self.path)
            self._inspect(real)
            session = self._start(real, "ro" if self._read_only else "rw", writes=writes)
        try:
            self._inspect(real, session.file)
            try:
                self._set_up(session)
            except sqlite3.OperationalError:
                if not self._read_only or not self._alone():
                    raise
                session.close()
                with opening:
                    session = self._start(real, "ro&immutable=1", writes=writes)
                self._set_up(session)
            if new and self._sync:
                _sync_folder(os.path.dirname(self.path))
        except BaseException as error:
            closed = session.closed
            session.close()
            if closed and isinstance(error, sqlite3.ProgrammingError):
                return self.connect(writes=writes)  # closed by another thread, or a signal handler
            if isinstance(error, sqlite3.Error):
                raise self.translated(error, "the database cannot be opened") from error
            raise
        return session

    def _start(self, real: str, mode: str, *, writes: bool) -> Session:
        """Make a connection and its session, which a fork finds among all sessions from then on."""
        try:
            file = identity(real)
        except OSError as error:
            raise StoreUnavailableError(
                error.errno, f"the database cannot be opened: {error.strerror}", self.path
            ) from error
        refuse_if_lost(file, self.path)
        # Connections that only read large data are closed by their readers.
        group = self._group if writes else object()
        return Session(self._connect(real, mode), group, self.path, file, writes=writes)

    def _connect(self, real: str, mode: str) -> sqlite3.Connection:
        # The three characters with a meaning in the URI of a file (https://sqlite.org/uri.html).
        path = real.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        try:
            return sqlite3.connect(
                f"file://{path}?mode={mode}",
                uri=True,
                timeout=self.timeout,
                isolation_level=None,
                check_same_thread=False,
                factory=Connection,
            )
        except sqlite3.Error as error:
            raise self.translated(error, "the database cannot be opened") from error

    def translated(self, error: sqlite3.Error, what: str) -> Exception:
        """Return our error for an error of SQLite."""
        return translate(error, what, self.path, timeout=self.timeout, read_only=self._read_only)

    # ------------------------------------------------------------------ the file

    def _make_file(self) -> bool:
        """Make the file if it does not exist; return whether it was made."""
        if os.path.isdir(self.path):
            raise StoreUnavailableError(errno.EISDIR, "it is a folder: give the name of a file", self.path)
        if self._owner is not None:
            self._owner.restore()
        if self._read_only:
            if not os.path.exists(self.path):
                raise StoreNotFoundError(errno.ENOENT, "there is no such database to read", self.path)
            return False
        # An existing file is never opened here: closing it would drop the locks of SQLite
        # (https://sqlite.org/howtocorrupt.html, section 2.2). Files whose loading can run code must not be
        # writable for others, whatever the umask.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            if not os.path.isdir(os.path.dirname(self.path)):  # deleted since
                os.makedirs(os.path.dirname(self.path))
            create_file(self.path, flags, 0o664 if self._guard else 0o666)
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

    def _inspect(self, real: str, opened: tuple[int, int] | None = None) -> None:
        """Raise for files that others could have written, if that matters.

        Parameters
        ----------
        real
            The file, links resolved.
        opened
            Device and number of the file just before it was opened: it must still be the same.
        """
        if not self._guard:
            return
        if opened is not None and identity(real) != opened:
            refuse("values", "its file was replaced while it was opened", self.path)
        folder = os.path.dirname(real)
        if doubt_about(os.stat(folder), folder, os.geteuid()):
            # The sticky bit protects the file from being removed, but not from getting a log beside it.
            refuse(
                "values",
                "others may write its folder, and put a log beside it that SQLite takes for its own",
                self.path,
            )
        # SQLite would apply a log or journal to the file; they are beside the file itself.
        for path in (real, f"{real}-wal", f"{real}-journal"):
            try:
                check_trust(path, f"what lies in {os.path.basename(path)}", self.path)
            except FileNotFoundError:
                continue

    def _alone(self) -> bool:
        """Return whether there can be no writers: there is no log, and we cannot make one."""
        real = os.path.realpath(self.path)
        return not os.path.exists(f"{real}-wal") and not os.access(os.path.dirname(real), os.W_OK)

    def _set_up(self, session: Session) -> None:
        """Prepare a new connection for use; forks wait meanwhile."""
        with session.lock:
            self._check_format(session)
            self._tune(session.connection)
            if not self._read_only:
                session.connection.create_function("holdall_change", 1, session.change)
            self._prepare(session)

    def _tune(self, connection: sqlite3.Connection) -> None:
        if not self._read_only:
            mode = self._use_log(connection)
            # With a write-ahead log, NORMAL may lose the last writes in a power failure, never more
            # (https://sqlite.org/pragma.html#pragma_synchronous); a file system without it gets FULL.
            full = self._sync or mode != "wal"
            connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            left = _LOG_LEFT if self.log_pages == _CHECKPOINT else self.log_pages * _PAGE
            connection.execute(f"PRAGMA journal_size_limit = {left}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {self.log_pages}")
            connection.create_function("holdall_now", 0, clock)
        connection.execute(f"PRAGMA cache_size = -{CACHE}")

    def _use_log(self, connection: sqlite3.Connection) -> str:
        """Switch a new database to the write-ahead log; concurrent attempts fail."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.002)

    def _check_format(self, session: Session) -> None:
        """Raise for a database that is not ours; mark a new one as ours."""
        connection = session.connection
        application, version = self._format(connection)
        if application == 0 and not self._read_only:
            with session.transaction():
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

    def close(self) -> None:
        """Close the sessions of all threads; each opens a new one when needed."""
        for session in list(everything):
            if session.group is self._group:
                session.close()
        vars(self.local).clear()


def _sync_folder(path: str) -> None:
    fd = -1
    try:
        [fd] = opening_file(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(fd)
    finally:
        if fd >= 0:
            os.close(fd)


#: POSIX time in nanoseconds, a different number at each call in a process.
clock: Callable[[], int] = time.time_ns if time.get_clock_info("time").resolution < 1e-6 else tick
