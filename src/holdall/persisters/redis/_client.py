"""The client of a Redis server: without retries of its own, with its errors translated to ours."""

import errno
import re
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from holdall._posix.errors import number_in
from holdall._shown import shown
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    MismatchError,
    StoreFullError,
    StoreUnavailableError,
    UnsupportedError,
)

__all__ = ["LOST", "client_of", "location_of", "never_sent"]

#: Errors of the driver for a missing answer.
LOST: Final = (redis.ConnectionError, redis.TimeoutError)
_OF_CLUSTERS: Final = (
    redis.exceptions.AskError,
    redis.exceptions.ClusterError,
    redis.exceptions.ClusterCrossSlotError,
)
_URLS: Final = ("redis://", "rediss://", "unix://", "valkey://", "valkeys://")
_SECRET: Final = re.compile("(://)[^/]*@")  # user and password of a URL


def client_of(server: Any) -> Any:
    """Return a client that never sends a command twice by itself, and returns values as bytes.

    Parameters
    ----------
    server
        A URL, or a client, whose settings are copied.

    Raises
    ------
    InvalidArgumentError
        If it is neither.
    UnsupportedError
        If it is the client of a cluster.
    """
    if isinstance(server, str):
        if not server.startswith(_URLS):
            raise InvalidArgumentError(
                f"a Redis server is named by a URL such as 'redis://localhost:6379/0', got {shown(server)}"
            )
        url = server.replace("valkey", "redis", 1) if server.startswith("valkey") else server
        try:
            options = redis.ConnectionPool.from_url(url).connection_kwargs
            kind = redis.ConnectionPool.from_url(url).connection_class
        except ValueError as error:
            raise InvalidArgumentError(
                f"{location_of(server)} is no URL of a Redis server: {error}"
            ) from error
    elif isinstance(server, redis.RedisCluster):
        raise UnsupportedError(
            "RedisStore works on one server, not on a cluster: give a client of redis.Redis"
        )
    elif isinstance(server, redis.Redis):
        options, kind = server.connection_pool.connection_kwargs, server.connection_pool.connection_class
    else:
        raise InvalidArgumentError(
            f"RedisStore takes the URL of a server, or a client of redis.Redis, got {type(server).__name__}"
        )
    options = {
        **options,
        "decode_responses": False,  # values are bytes
        "retry": Retry(NoBackoff(), 0),  # a command that was sent twice would count twice
        "retry_on_error": [],
    }
    options.pop("retry_on_timeout", None)
    return redis.Redis(connection_pool=redis.ConnectionPool(connection_class=kind, **options))


def location_of(server: Any) -> str:
    """Return the location of a server, without a password."""
    if isinstance(server, str):
        return _SECRET.sub(r"\1", server.partition("?")[0])
    options = server.connection_pool.connection_kwargs
    if "path" in options:
        return f"unix://{options['path']}"
    return f"redis://{options.get('host', 'localhost')}:{options.get('port', 6379)}/{options.get('db', 0)}"


def never_sent(error: Exception) -> bool:
    """Return whether a command cannot have reached the server, since there was no connection."""
    return " connecting to " in str(error)


def translated(error: Exception, what: str, location: str) -> HoldallError:
    """Return our error for one of the driver."""
    # Of several commands that were sent at once the driver quotes the one that failed, with its value.
    text = str(error).rpartition(" of pipeline caused error: ")[2]
    if isinstance(error, _OF_CLUSTERS):
        return UnsupportedError(
            f"{what}: {location} is a part of a cluster, and RedisStore works on one server: {text}"
        ).about(location=location)
    if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError):
        return StoreUnavailableError(
            errno.EACCES, f"{what}: the server refuses the user or the password: {text}", location
        )
    if isinstance(error, redis.OutOfMemoryError) or text.startswith("OOM"):
        return StoreFullError(errno.ENOSPC, f"{what}: the server has no memory left: {text}", location)
    if "WRONGTYPE" in text:
        return MismatchError(
            f"{what} in {location}: there is something under this key that holdall did not write"
        )
    if isinstance(error, LOST):
        number = number_in(text, errno.EHOSTUNREACH if never_sent(error) else errno.ECONNRESET)
        return StoreUnavailableError(number, f"{what}: the server does not answer: {text}", location)
    return StoreUnavailableError(errno.EIO, f"{what}: {text}", location)
