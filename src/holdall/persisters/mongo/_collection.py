"""A collection of MongoDB: opened by its URL or given, with its errors translated to ours."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pymongo
from pymongo import errors
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from holdall._posix.errors import number_in
from holdall._posix.fork import finalize
from holdall._shown import shown
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    OutcomeUnknownError,
    StoreFullError,
    StoreUnavailableError,
    UnsupportedError,
    ValueTooLargeError,
)

__all__ = ["LOST", "Opened", "translating"]

_URLS: Final = ("mongodb://", "mongodb+srv://")
_REFUSED: Final = frozenset({13, 18, 8000})  # no right, wrong password, hosted servers for both
_FULL: Final = frozenset({14031, 12501})  # no room on the disk; over the quota

#: Errors of the driver after which an answer may have been lost.
LOST: Final = (errors.ConnectionFailure, errors.ExecutionTimeout, errors.WTimeoutError)


class Opened:
    """A collection, opened again in each process where it was named by its URL.

    Parameters
    ----------
    target
        The URL ``mongodb://host/database.collection``, or a collection of pymongo.

    Raises
    ------
    InvalidArgumentError
        If it is neither.
    """

    def __init__(self, target: Any) -> None:
        self.target = target
        self._pid = 0
        self._collection: Any = None
        self._end: Callable[[], object] = bool  # closes the client, if it is ours
        if isinstance(target, str):
            self.place = _named(target)
        elif callable(getattr(target, "find_one_and_update", None)) and hasattr(target, "full_name"):
            self.place = f"collection {target.full_name!r}"
        else:
            raise InvalidArgumentError(
                "MongoStore takes a collection of pymongo, or a URL such as "
                f"'mongodb://localhost/database.collection', got {type(target).__name__}"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self.target, Collection):
            raise UnsupportedError(
                f"{self.place} cannot be pickled, since a client of pymongo cannot: make the store by a URL"
            )
        return Opened, (self.target,)

    def get(self) -> Any:
        """Return the collection, set to reads and writes that a majority of the servers acknowledges."""
        if self._pid != os.getpid():  # a client does not survive a fork
            collection = self.target
            if isinstance(collection, str):
                parts = parse_uri(collection)
                client: Any = pymongo.MongoClient(collection)
                self._end = finalize(self, client.close)
                collection = client[parts["database"]][parts["collection"]]
            concern = collection.write_concern
            if not concern.document:  # not chosen: data on a single server can be rolled back
                concern = WriteConcern(w="majority", j=True)
            self._collection = collection.with_options(
                read_preference=ReadPreference.PRIMARY,
                read_concern=ReadConcern("majority"),
                write_concern=concern,
            )
            self._pid = os.getpid()
        return self._collection

    def close(self) -> None:
        """Close the client, if it is ours; the next use opens another."""
        self._end()
        self._pid, self._collection = 0, None


def _named(url: str) -> str:
    """Return the server and collection in a URL, without a password."""
    if not url.startswith(_URLS):
        raise InvalidArgumentError(
            "a collection is named by a URL such as 'mongodb://localhost/database.collection', "
            f"got {shown(url)}"
        )
    place = url.partition("?")[0].rpartition("@")[2].removeprefix("mongodb://").removeprefix("mongodb+srv://")
    path = place.partition("/")[2]
    if "." not in path.strip("."):
        raise InvalidArgumentError(
            f"the URL of mongodb://{place} names no collection: it ends in 'database.collection'"
        )
    if url.startswith(_URLS[0]):  # the other kind uses DNS
        try:
            parse_uri(url)
        except (errors.PyMongoError, ValueError) as error:
            raise InvalidArgumentError(f"mongodb://{place} is no URL of MongoDB: {error}") from error
    return f"collection mongodb://{place}"


@contextmanager
def translating(what: str, location: str, *, writes: bool = False) -> Iterator[None]:
    """Translate errors of the driver to ours.

    Parameters
    ----------
    what
        What failed.
    location
        The location.
    writes
        Whether something may have been changed if there is no answer.
    """
    try:
        yield
    except errors.PyMongoError as error:
        raise _translated(error, what, location, writes) from error


def _translated(error: errors.PyMongoError, what: str, location: str, writes: bool) -> HoldallError:
    code = getattr(error, "code", None)
    cause = str(error).partition(" (configured timeouts")[0]
    if isinstance(error, errors.ServerSelectionTimeoutError):
        said = str(error).partition(", Timeout: ")[0]  # without all that the driver knows of its servers
        number = number_in(cause, errno.EHOSTUNREACH)
        return StoreUnavailableError(number, f"{what}: no server answers: {said}", location)
    if isinstance(error, errors.DocumentTooLarge):
        return ValueTooLargeError(f"{what} in {location}: {error}")
    if code in _REFUSED:
        return StoreUnavailableError(
            errno.EACCES, f"{what}: the server refuses the user or the password: {error}", location
        )
    if code in _FULL:
        return StoreFullError(errno.ENOSPC, f"{what}: the server has no room left: {error}", location)
    if isinstance(error, errors.ConfigurationError):
        return StoreUnavailableError(errno.EINVAL, f"{what}: {error}", location)
    if writes and isinstance(error, (*LOST, errors.WriteConcernError)):
        return OutcomeUnknownError(
            errno.EIO, f"{what}, or was: the answer was lost, read it again ({error})", location
        )
    number = number_in(cause, errno.EIO) if isinstance(error, LOST) else errno.EIO
    return StoreUnavailableError(number, f"{what}: {error}", location)
