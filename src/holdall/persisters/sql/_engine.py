"""Engines of SQLAlchemy by URL, and errors of drivers translated to ours."""

import errno
import math
import sqlite3
from typing import Any, Final

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from holdall._options import not_imported
from holdall._posix.errors import number_in
from holdall._shown import shown
from holdall._sqlite.errors import translate
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    StoreFullError,
    StoreTimeoutError,
    StoreUnavailableError,
)

__all__ = [
    "AGAIN",
    "OF_OPTIONS",
    "PATIENCE",
    "STRANGERS",
    "ClosedByInterrupts",
    "code_of",
    "connect",
    "engine_of",
    "forget",
    "limit_waiting",
    "place_of",
    "refusal",
    "told",
]

_DRIVERS: Final = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
#: Seconds to wait for other writers, as `SqlitePersister` does: SQLite lets them in in no order, and 5
#: seconds, as is usual, were too few for one of two threads.
PATIENCE: Final = 60.0
#: Codes of deadlocks and the like, which the server sees at once, and which leave nothing changed.
AGAIN: Final = {"40001", "40P01", "1213"}
_FULL: Final = {"53100", "1114", "1021"}
_LOCKED: Final = {"55P03", "1205"}
#: Codes of errors before there is a connection, of which psycopg has none.
_UNCONNECTED: Final = {"", "2002", "2003"}
_LONGEST: Final = (1 << 31) - 1  # milliseconds that PostgreSQL takes
#: Errors other than its own that a driver raises to connect, by options that it does not know or understand.
OF_OPTIONS: Final = (TypeError, ValueError, AttributeError)
#: Connections of parent processes, which must not be closed here.
STRANGERS: Final[list[Any]] = []


def forget(engine: Any) -> None:
    """Drop the connections of an engine in a forked child: they belong to the parent, and stay open."""
    STRANGERS.append(engine.pool)
    engine.dispose(close=False)


class ClosedByInterrupts:
    """Closes a connection after an interrupt, whose pool might keep it in the middle of a transaction.

    Parameters
    ----------
    connection
        Of SQLAlchemy.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # SQLAlchemy makes an AssertionError of one that comes amid a commit.
        if kind is not None and not issubclass(kind, HoldallError | KeyError | SQLAlchemyError):
            self._connection.invalidate()


def code_of(error: Exception) -> str:
    """Return the code of an error of a driver; "" if it has none."""
    if error.args and isinstance(error.args[0], int):  # MySQL: says more than the state
        return str(error.args[0])
    return str(getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or "")


def place_of(engine: Any) -> str:
    """Return where an engine connects to, without password and options, which may be secret as well."""
    return str(engine.url.set(query={}).render_as_string(hide_password=True))


def told(error: Exception, what: str, engine: Any) -> HoldallError:
    """Return our error for an error of the driver of an engine."""
    place = place_of(engine)
    if isinstance(error, sqlite3.Error):
        return translate(error, what, engine.url.database or "", place)
    code = code_of(error)
    said = " ".join(str(error).split()) or type(error).__name__
    if code in _LOCKED:
        return StoreTimeoutError(
            0,
            f"{what}: others kept it locked for too long; nothing was changed: end their transactions, "
            f"begin those of several stores in one order everywhere, or wait for longer ({said:.300})",
            place,
        )
    if code in AGAIN:
        return StoreTimeoutError(
            0, f"{what}: others were in the way, and nothing was changed; try again: {said:.300}", place
        )
    if code in _FULL:
        return StoreFullError(errno.ENOSPC, f"{what}: {said:.300}", place)
    number = number_in(said) if code in _UNCONNECTED else 0
    return StoreUnavailableError(number, f"{what}: {said:.300}", place)


def limit_waiting(connection: Any, dialect: str, seconds: float) -> None:
    """Let statements wait for locks of others for some seconds; PostgreSQL may have a limit already.

    Servers end deadlocks among their own sessions, but not where one waits for a lock, and its thread or
    process holds another one in a second session.
    """
    with connection.cursor() as cursor:
        if dialect == "postgresql":
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, false) WHERE current_setting('lock_timeout') = '0'",
                (str(max(1, min(round(seconds * 1000), _LONGEST))),),
            )
        else:
            whole = max(1, math.ceil(seconds))
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {whole}, lock_wait_timeout = {whole}")


def _limit_new(connection: Any, _: Any) -> None:
    limit_waiting(connection, "postgresql", PATIENCE)
    connection.commit()  # which keeps it


def engine_of(target: Any, *, timeout: float = PATIENCE, **options: Any) -> Any:
    """Return the engine of a URL, or the given one.

    Parameters
    ----------
    target
        Either.
    timeout
        Seconds to wait for other writers of a file of SQLite.
    options
        Options of SQLAlchemy. Without any, the engine keeps no connections, and sets no limits for them.
    """
    if isinstance(target, sqlalchemy.Engine):
        return target
    if not isinstance(target, str):
        raise InvalidArgumentError(
            f"a database is named by a URL such as 'postgresql://host/name', or an engine, got "
            f"{shown(target)}"
        )
    if "\0" in target:
        raise InvalidArgumentError(f"a URL has no NUL character, got {shown(target)}")
    scheme, found, rest = target.partition("://")
    try:
        url = sqlalchemy.make_url(f"{_DRIVERS.get(scheme, scheme)}{found}{rest}")
        if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
            raise InvalidArgumentError("a SQLite database in memory is MemoryStore, or SQLiteStore()")
        url, arguments = _typed(url, timeout)
        if not options:
            return sqlalchemy.create_engine(url, connect_args=arguments, poolclass=sqlalchemy.pool.NullPool)
        engine = sqlalchemy.create_engine(url, connect_args=arguments, **options)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise InvalidArgumentError(
            f"{scheme}:// is no URL of a database that SQLAlchemy knows: {error}"
        ) from error
    except ImportError as error:
        raise not_imported(f"{scheme}://", error, "sql") from error
    if engine.dialect.name == "postgresql":  # MySQL has a limit of its own
        event.listen(engine, "connect", _limit_new)
    return engine


def _typed(url: Any, timeout: float) -> tuple[Any, dict[str, Any]]:
    """Return a URL, and options that the driver does not take as text, or not as we need them."""
    if url.get_backend_name() == "sqlite" and "timeout" not in url.query:
        return url, {"timeout": timeout}
    text = url.query.get("prepare_threshold")
    if text is None or url.drivername != "postgresql+psycopg":
        return url, {}
    url = url.difference_update_query(["prepare_threshold"])
    try:
        return url, {"prepare_threshold": None if text == "none" else int(text)}
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"prepare_threshold is a number, or 'none' to prepare no statements, got {shown(text)}"
        ) from None


def connect(engine: Any, place: str) -> Any:
    """Return a connection of an engine; raise `InvalidArgumentError` if the driver refuses an option."""
    try:
        return engine.connect()
    except (*OF_OPTIONS, DBAPIError) as error:
        refused = refusal(getattr(error, "orig", error), engine, place)
        if refused is None:
            raise
        raise refused from error


def refusal(error: Exception, engine: Any, place: str) -> InvalidArgumentError | None:
    """Return our error if a driver refused an option of the URL; None for other errors."""
    own = isinstance(error, engine.dialect.dbapi.ProgrammingError) and not code_of(error)
    if not own and not isinstance(error, OF_OPTIONS):
        return None
    return InvalidArgumentError(f"the driver of {place} refuses an option: {error}")
