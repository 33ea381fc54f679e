"""Connections to a server of SQL: kept for the next statement, dropped when lost, never shared by forks."""

import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import sqlalchemy
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    StoreFullError,
    StoreUnavailableError,
    UnsupportedError,
)

__all__ = ["Connections", "NotConnectedError"]

T = TypeVar("T")

_DRIVERS: Final = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_IDLE: Final = 10  # connections that are kept for later
_AGAIN: Final = {"40001", "40P01", "1213", "1205"}  # deadlocks and the like: nothing has happened
_FULL: Final = {"53100", "1114", "1021"}
_GONE: Final = {"2006", "2013", "2014", "2045", "2055", "1053"}  # of MySQL: there is no connection any more
_ATTEMPTS: Final = 8
_PATIENCE: Final = 4


class NotConnectedError(StoreUnavailableError):
    """There is no connection, and so nothing was sent."""


class Connections:
    """Connections of a driver, made by an engine of SQLAlchemy.

    Parameters
    ----------
    target
        The URL of a database, or an engine, of which only the settings are used.

    Raises
    ------
    InvalidArgumentError
        If it is neither.
    UnsupportedError
        If the driver is not installed.
    """

    def __init__(self, target: Any) -> None:
        self.target = target
        self.engine = _engine_of(target)
        self.errors: Any = self.engine.dialect.dbapi.Error
        self.place = self.engine.url.render_as_string(hide_password=True)
        self._met = False  # whether the server has ever answered
        self._begin()

    def _begin(self) -> None:
        """Have no connections yet."""
        self._idle: list[Any] = []
        self._own = threading.local()
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle, self._pid)

    def _connect(self) -> Any:
        arguments, options = self.engine.dialect.create_connect_args(self.engine.url)
        name = self.engine.dialect.name
        if name == "sqlite":
            options["check_same_thread"] = False
        connection = self.engine.dialect.connect(*arguments, **options)
        if name == "sqlite":
            connection.isolation_level = None
        elif name == "postgresql":
            connection.autocommit = True
        else:
            connection.autocommit(True)
            with connection.cursor() as cursor:
                # A key or value that is too long is an error, and each look sees what is there now.
                cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return connection

    def _new(self) -> Any:
        """Make a connection; where there were others before, a server that comes up again is waited for."""
        for attempt in range(_PATIENCE):
            try:
                connection = self._connect()
            except self.errors as error:
                if not self._met or attempt == _PATIENCE - 1:
                    said = " ".join(str(error).split())
                    raise NotConnectedError(0, f"no connection: {said:.300}", self.place) from error
                time.sleep(0.05 * 2**attempt)
            else:
                self._met = True
                return connection
        raise AssertionError  # pragma: no cover

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """Give a connection: that of the transaction of this thread, an idle one, or a new one."""
        if self._pid != os.getpid():
            # Those of the parent are its own: they are neither used nor closed here.
            _strangers.append(self._idle)
            self._begin()
        held = getattr(self._own, "connection", None)
        if held is not None:
            yield held
            return
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._new()
        try:
            yield connection
        except BaseException:
            _close(connection)  # it may be in the middle of something
            raise
        if len(self._idle) < _IDLE:
            self._idle.append(connection)
        else:
            _close(connection)

    def cursor(self, connection: Any) -> Any:
        """Open a cursor that gives bytes as they are."""
        return (
            connection.cursor(binary=True)
            if self.engine.dialect.name == "postgresql"
            else connection.cursor()
        )

    def run(self, what: str, action: Callable[[Any], T], *, again: bool = True) -> T:
        """Do something with a cursor; again on another connection if it was lost, where that does no harm.

        Parameters
        ----------
        what
            What cannot be done if it fails, for the message.
        action
            Is called with the cursor.
        again
            Whether it changes nothing, or the same if it is done twice.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with self._connection() as connection:
                    cursor = self.cursor(connection)
                    try:
                        return action(cursor)
                    finally:
                        _close(cursor)
            except self.errors as error:
                last = attempt == _ATTEMPTS - 1 or self.in_transaction
                if self.is_lost(error):
                    self.drop()
                    if again and attempt == 0 and not last:
                        continue
                elif _code(error) in _AGAIN and not last:
                    time.sleep(random.random() * 0.01 * 2**attempt)  # noqa: S311  (no secret)
                    continue
                raise self.told(error, what) from error
        raise AssertionError  # pragma: no cover

    # ------------------------------------------------------------------ transactions

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is in a transaction."""
        return getattr(self._own, "connection", None) is not None

    @contextmanager
    def transaction(self, begin: tuple[str, ...] = ("BEGIN",), after: tuple[str, ...] = ()) -> Iterator[None]:
        """Make one of all that this thread does within; one within another can be undone by itself.

        Parameters
        ----------
        begin
            The statements that begin it.
        after
            Those that follow its end.
        """
        if self.in_transaction:
            with self._savepoint():
                yield
            return
        try:
            with self._connection() as connection:
                cursor = self.cursor(connection)
                for statement in begin:
                    cursor.execute(statement)
                self._own.connection = connection
                try:
                    yield
                except BaseException:
                    self._own.connection = None
                    for statement in ("ROLLBACK", *after):
                        cursor.execute(statement)
                    raise
                self._own.connection = None
                for statement in ("COMMIT", *after):
                    cursor.execute(statement)
        except self.errors as error:
            raise self.told(error, "the transaction cannot be made") from error
        finally:
            self._own.connection = None

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._own.depth = getattr(self._own, "depth", 0) + 1
        name = f"holdall_{self._own.depth}"
        self.run("the transaction cannot go on", lambda cursor: cursor.execute(f"SAVEPOINT {name}"))
        try:
            yield
        except BaseException:
            self.run("it cannot be undone", lambda cursor: cursor.execute(f"ROLLBACK TO SAVEPOINT {name}"))
            raise
        finally:
            self._own.depth -= 1

    # ------------------------------------------------------------------ errors

    def is_lost(self, error: Exception) -> bool:
        """Whether an error says that the connection is lost."""
        if self.engine.dialect.name == "sqlite":
            return False
        dbapi, code = self.engine.dialect.dbapi, _code(error)
        if self.engine.dialect.name == "postgresql":  # without a code the driver itself has found it out
            return isinstance(error, dbapi.OperationalError) and (not code or code[:3] in {"080", "57P"})
        return code in _GONE or isinstance(error, dbapi.InterfaceError)

    def is_duplicate(self, error: Exception) -> bool:
        """Whether an error of MySQL says that there is a row of that key."""
        return _code(error) == "1062"

    def told(self, error: Exception, what: str) -> HoldallError:
        """Return the error of ours for one of the driver."""
        code = _code(error)
        said = " ".join(str(error).split()) or type(error).__name__
        kind = StoreFullError if code in _FULL else StoreUnavailableError
        return kind(0, f"{what}: {said:.300}", self.place)

    def drop(self) -> None:
        """Close all idle connections."""
        while self._idle:
            try:
                _close(self._idle.pop())
            except IndexError:
                return


_strangers: list[Any] = []  # connections of parent processes, which must not be closed here


def _close_all(connections: list[Any], pid: int) -> None:
    if pid == os.getpid():
        for connection in connections:
            _close(connection)


def _close(thing: Any) -> None:
    try:
        thing.close()
    except Exception:  # noqa: S110  (it is lost)
        pass


def _code(error: Exception) -> str:
    if error.args and isinstance(error.args[0], int):  # of MySQL, where it says more than the state
        return str(error.args[0])
    return str(getattr(error, "sqlstate", None) or "")


def _engine_of(target: Any) -> Any:
    if isinstance(target, sqlalchemy.Engine):
        return target
    if not isinstance(target, str):
        raise InvalidArgumentError(
            f"a database is named by a URL such as 'postgresql://host/name', or an engine, got {target!r:.80}"
        )
    scheme, found, rest = target.partition("://")
    try:
        url = sqlalchemy.make_url(f"{_DRIVERS.get(scheme, scheme)}{found}{rest}")
        if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
            raise InvalidArgumentError("a SQLite database in memory is MemoryStore, or SQLiteStore()")
        return sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise InvalidArgumentError(
            f"{scheme}:// is no URL of a database that SQLAlchemy knows: {error}"
        ) from error
    except ImportError as error:
        raise UnsupportedError(
            f"{scheme}:// needs a driver that is not installed ({error}): pip install 'holdall[sql]'"
        ) from error
