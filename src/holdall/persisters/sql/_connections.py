"""Connections to an SQL server: kept for the next statement, dropped when lost, never shared by forks."""

import os
import random
import select
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final, TypeVar

from holdall._posix.errors import number_in
from holdall._sqlite.connections import opening
from holdall.errors import (
    HoldallError,
    OutcomeUnknownError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from holdall.persisters.sql._engine import (
    AGAIN,
    OF_OPTIONS,
    PATIENCE,
    STRANGERS,
    code_of,
    engine_of,
    limit_waiting,
    place_of,
    refusal,
    told,
)
from holdall.persisters.sql._files import close, give, guard, take

__all__ = ["LARGE", "Connections", "NotConnectedError", "wait"]

T = TypeVar("T")

_IDLE: Final = 10  # idle connections to keep
#: Maximal bytes in an idle cursor.
LARGE: Final = 100_000
_GONE: Final = {"2006", "2013", "2014", "2045", "2055", "1053"}  # of MySQL: the connection is lost
_ATTEMPTS: Final = 8
_PATIENCE: Final = 4


class NotConnectedError(StoreUnavailableError):
    """There is no connection, and so nothing was sent."""


class Connections:
    """Connections of a driver, made by an engine of SQLAlchemy.

    Parameters
    ----------
    target
        The URL of a database, or an engine, whose way to connect is used; its pool is not used.
    timeout
        Seconds to wait for locks of others, unless PostgreSQL or the URL of a file has another limit.

    Raises
    ------
    InvalidArgumentError
        If it is neither.
    UnsupportedError
        If the driver is not installed.
    """

    def __init__(self, target: Any, timeout: float = PATIENCE) -> None:
        self.target = target
        self.timeout = timeout
        self.engine = engine_of(target, timeout=timeout)
        self.errors: Any = self.engine.dialect.dbapi.Error
        self.place = place_of(self.engine)
        self._is_sqlite = self.engine.dialect.name == "sqlite"
        self._met = False  # whether the server has ever answered
        self._begin()

    def _begin(self) -> None:
        """Start without connections; idle ones are kept as cursors."""
        self._pool = self.engine.pool.recreate()  # also empty, and connects in the same way
        self._idle: list[Any] = []
        self._own = threading.local()
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle, self._pid)

    def _connect(self) -> Any:
        with opening if self._is_sqlite else nullcontext():  # no fork meanwhile
            proxy = self._pool.connect()
            proxy.detach()  # from the pool, which is not used by others
            connection = proxy.dbapi_connection
            guard(connection)
            take(connection)
        self.engine.dialect.set_isolation_level(connection, "AUTOCOMMIT")
        if not self._is_sqlite:
            limit_waiting(connection, self.engine.dialect.name, self.timeout)
        if self.engine.dialect.name in {"mysql", "mariadb"}:
            with connection.cursor() as cursor:
                # Keys and values that are too long raise errors, and each read sees the present state.
                cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return connection

    def _new(self) -> Any:
        """Make a connection; if there were others before, wait for the server to come up again."""
        for attempt in range(_PATIENCE):
            try:
                connection = self._connect()
            except (*OF_OPTIONS, self.errors) as error:
                if not self._met and (refused := refusal(error, self.engine, self.place)):
                    raise refused from error
                if not self._met or attempt == _PATIENCE - 1:
                    said = " ".join(str(error).split())
                    if self._is_sqlite:
                        raise self.told(error, "the database cannot be opened") from error
                    raise NotConnectedError(
                        number_in(said), f"no connection: {said:.300}", self.place
                    ) from error
                time.sleep(0.05 * 2**attempt)
            else:
                self._met = True
                return connection
        raise AssertionError  # pragma: no cover

    def _take(self) -> Any:
        """Return a cursor for exclusive use: of an idle connection, or of a new one."""
        if self._pid != os.getpid():
            # Those of the parent process are neither used nor closed here; those to SQLite have been closed.
            STRANGERS.append(self._idle)
            self._begin()
        while self._idle:
            try:
                cursor = self._idle.pop()
            except IndexError:  # taken by another thread
                break
            if self._is_quiet(cursor.connection):
                take(cursor.connection)
                return cursor
            close(cursor.connection)
        return self.cursor(self._new())

    def _is_quiet(self, connection: Any) -> bool:
        """Return whether an idle connection has received nothing: servers send only the end of it unasked."""
        if self._is_sqlite:
            return True
        try:
            file = connection if hasattr(connection, "fileno") else connection._sock  # noqa: SLF001
            poll = select.poll()
            poll.register(file.fileno(), select.POLLIN)
            return not poll.poll(0)
        except (*_CLOSED, self.errors):
            return False

    def _give(self, cursor: Any, *, renew: bool = False) -> None:
        """Keep a connection that is between statements, with its cursor or another one."""
        connection = cursor.connection
        if len(self._idle) >= _IDLE or self._pid != os.getpid():
            close(connection)
            return
        if renew or self._is_sqlite:  # it may hold a lock, or much memory
            _close(cursor)
            cursor = self.cursor(connection)
        self._idle.append(cursor)
        give(connection)

    def cursor(self, connection: Any) -> Any:
        """Open a cursor that returns bytes unchanged."""
        if self.engine.dialect.name == "postgresql":
            return connection.cursor(binary=True)
        return connection.cursor()

    def run(self, what: str, action: Callable[[Any], T], *, again: bool = True, large: bool = False) -> T:
        """Call a function with a cursor; repeat it on another connection if it was lost and that is harmless.

        Parameters
        ----------
        what
            What failed, for the message.
        action
            Called with the cursor.
        again
            Whether it changes nothing, or has the same effect if it is done twice.
        large
            Whether much is sent, which the cursor would hold until the next statement.
        """
        for attempt in range(_ATTEMPTS):
            held = self._own.connection if self.in_transaction else None
            cursor = self._take() if held is None else self.cursor(held)
            connection = cursor.connection
            try:
                result = action(cursor)
            except self.errors as error:
                if held is not None:
                    self._own.failed = self._own.failed or self.told(error, what)
                    raise self.told(error, what) from error
                close(connection)
                if self.is_lost(error):
                    self.drop()
                    if again and attempt == 0:
                        continue
                elif code_of(error) in AGAIN and attempt < _ATTEMPTS - 1:
                    wait(attempt)
                    continue
                raise self.told(error, what) from error
            except BaseException:
                if held is None:
                    close(connection)  # it may be within a statement
                raise
            if held is None:
                self._give(cursor, renew=large or _is_large(result))
            else:
                _close(cursor)
            return result
        raise AssertionError  # pragma: no cover

    # ------------------------------------------------------------------ transactions

    @property
    def in_transaction(self) -> bool:
        """Return whether this thread is in a transaction."""
        return self._pid == os.getpid() and getattr(self._own, "connection", None) is not None

    @contextmanager
    def transaction(self, begin: tuple[str, ...] = ("BEGIN",), after: tuple[str, ...] = ()) -> Iterator[None]:
        """Make one transaction of what this thread does within; a nested one can be undone by itself.

        If a statement within has failed, all of it is undone, even if the error was caught.

        Parameters
        ----------
        begin
            The statements that begin it.
        after
            The statements after its end.
        """
        if self.in_transaction:
            with self._savepoint():
                yield
            return
        cursor = self._begun(begin)
        connection = cursor.connection
        own = self._own
        own.connection, own.failed = connection, None
        try:
            yield
            self._check()
        except BaseException:
            own.connection = None
            try:
                for statement in ("ROLLBACK", *after):
                    cursor.execute(statement)
            except self.errors:  # a lost connection undoes it as well
                close(connection)
            except BaseException:
                close(connection)
                raise
            else:
                self._give(cursor)
            raise
        finally:
            own.connection = None
        self._commit(cursor, after)

    def _check(self) -> None:
        """Raise the error of a statement in this transaction, as PostgreSQL would undo it silently."""
        if self._own.failed is not None:
            raise self._own.failed

    def _begun(self, begin: tuple[str, ...]) -> Any:
        """Return a cursor of a connection in a transaction."""
        for attempt in range(_ATTEMPTS):
            cursor = self._take()
            connection = cursor.connection
            try:
                for statement in begin:
                    self._begin_by(cursor, statement)
            except BaseException as error:
                close(connection)
                if not isinstance(error, self.errors):
                    raise
                if self.is_lost(error) and attempt == 0:
                    self.drop()
                elif code_of(error) in AGAIN and attempt < _ATTEMPTS - 1:
                    wait(attempt)
                else:
                    raise self.told(error, "no transaction can be begun") from error
            else:
                return cursor
        raise AssertionError  # pragma: no cover

    def _begin_by(self, cursor: Any, statement: str) -> None:
        cursor.execute(statement)
        if statement.startswith("SELECT") and cursor.fetchone()[0] != 1:  # a named lock
            raise StoreTimeoutError(
                0, "no transaction can be begun: others have not ended theirs", self.place
            )

    def _commit(self, cursor: Any, after: tuple[str, ...]) -> None:
        connection = cursor.connection
        try:
            cursor.execute("COMMIT")
        except BaseException as error:
            close(connection)
            if not isinstance(error, self.errors):
                raise
            if not self.is_lost(error):
                raise self.told(error, "the transaction cannot be made, and nothing was written") from error
            self.drop()
            raise OutcomeUnknownError(
                0,
                "the answer to the end of a transaction was lost: all of it was written, or nothing",
                self.place,
            ) from error
        try:
            for statement in after:
                cursor.execute(statement)
        except self.errors:  # it is committed, and closing the connection releases locks
            close(connection)
        else:
            self._give(cursor)

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        own = self._own
        own.depth = getattr(own, "depth", 0) + 1
        name = f"holdall_{own.depth}"
        before = own.failed
        try:
            self.run("the transaction cannot go on", lambda cursor: cursor.execute(f"SAVEPOINT {name}"))
            try:
                yield
                self._check()
            except BaseException:
                self.run(
                    "it cannot be undone", lambda cursor: cursor.execute(f"ROLLBACK TO SAVEPOINT {name}")
                )
                own.failed = before
                raise
        finally:
            own.depth -= 1

    # ------------------------------------------------------------------ errors

    def is_lost(self, error: Exception) -> bool:
        """Return whether an error says that the connection is lost."""
        if self.engine.dialect.name == "sqlite":
            return False
        dbapi, code = self.engine.dialect.dbapi, code_of(error)
        if self.engine.dialect.name == "postgresql":  # errors without a code come from the driver itself
            return isinstance(error, dbapi.OperationalError) and (not code or code[:3] in {"080", "57P"})
        return code in _GONE or isinstance(error, dbapi.InterfaceError)

    def was_lost(self, error: StoreUnavailableError) -> bool:
        """Return whether an error leaves the outcome of a statement outside of a transaction unknown."""
        cause = error.__cause__
        if isinstance(error, NotConnectedError) or self.in_transaction:
            return False
        return isinstance(cause, Exception) and self.is_lost(cause)

    def was_in_the_way(self, error: StoreUnavailableError) -> bool:
        """Return whether others prevented a transaction that may be repeated, as it is not a user's."""
        cause = error.__cause__
        return not self.in_transaction and isinstance(cause, Exception) and code_of(cause) in AGAIN

    def is_duplicate(self, error: Exception) -> bool:
        """Return whether an error of MySQL says that there is already a row with that key."""
        return code_of(error) == "1062"

    def told(self, error: Exception, what: str) -> HoldallError:
        """Return our error for an error of the driver."""
        return told(error, what, self.engine)

    def drop(self) -> None:
        """Close all idle connections."""
        while self._idle:
            try:
                close(self._idle.pop().connection)
            except IndexError:
                return


_CLOSED: Final = (OSError, AttributeError, ValueError)  # errors of closed connections, by driver


def _is_large(result: Any) -> bool:
    """Return whether a result is rows, or a row that begins with a large value."""
    if type(result) is tuple:
        return len(result) > 0 and type(result[0]) is bytes and len(result[0]) > LARGE
    return type(result) is list


def _close_all(cursors: list[Any], pid: int) -> None:
    if pid == os.getpid():
        for cursor in cursors:
            close(cursor.connection)


def _close(thing: Any) -> None:
    try:
        thing.close()
    except Exception:  # noqa: S110  (already lost)
        pass


def wait(attempt: int) -> None:
    """Wait a little, for a random time, so that waiting callers differ."""
    time.sleep(random.random() * 0.01 * 2**attempt)  # noqa: S311  (not a secret)
