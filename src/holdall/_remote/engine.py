"""What the client of an object store must do for `ObjectPersister`: single requests, and their outcomes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from holdall.conditional import ANY_ETAG, Expected, Stat

__all__ = [
    "Answer",
    "BrokenBodyError",
    "Engine",
    "Found",
    "Page",
    "RefusedError",
    "Source",
    "UnchangedError",
    "UnsureError",
]


class RefusedError(Exception):
    """A condition of a request was not met: nothing happened, unless by an earlier sending.

    Parameters
    ----------
    repeated
        Whether the request was sent more than once, so that it may itself be the cause.
    absent
        Whether the server said that there is no such object.
    busy
        Whether it was refused because of another running write each time it was sent, which says nothing
        about the condition.
    """

    def __init__(self, *, repeated: bool = False, absent: bool = False, busy: bool = False) -> None:
        super().__init__(repeated, absent, busy)
        self.repeated = repeated
        self.absent = absent
        self.busy = busy


class UnchangedError(Exception):
    """The object still has the etag that the reader knows."""


class UnsureError(Exception):
    """There was no answer to a write: it may have happened, and may still happen."""


class BrokenBodyError(Exception):
    """The body of an answer stopped before its end."""


class Found(NamedTuple):
    """The information in the head of an object.

    Parameters
    ----------
    etag
        Opaque version, without quotes.
    mtime
        Time of the last modification, whole POSIX seconds.
    size
        Length in bytes.
    tokens
        The tokens of the last writes, the newest last; empty if holdall did not write the object.
    """

    etag: str
    mtime: float
    size: int
    tokens: tuple[str, ...] = ()

    @property
    def stat(self) -> Stat:
        """The stat of the object."""
        return Stat(self.etag, self.mtime, self.size)


class Source(Protocol):
    """The body of an answer."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; raise `BrokenBodyError` if the connection fails."""

    def close(self) -> None:
        """Release the connection."""


class Answer(NamedTuple):
    """An object that is being read: its head, its first byte, and its body."""

    found: Found
    start: int
    body: Source


class Page(NamedTuple):
    """A page of a listing: objects with their stats, and folders if requested."""

    objects: list[tuple[str, Stat]]
    folders: list[str]


class Engine(ABC):
    """Sends requests to one bucket. Keys here are whole keys of the bucket.

    Every method raises `StoreUnavailableError`, with the location and the key, where the server does not
    answer or refuses. ``KeyError(key)`` means that the object is absent, and nothing else does.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the objects are, for messages."""

    @abstractmethod
    def identity(self) -> tuple[str, str]:
        """Return endpoint and bucket, which identify what was learned about the server."""

    @abstractmethod
    def head(self, key: str) -> Found:
        """Return the head of an object."""

    @abstractmethod
    def get(self, key: str, *, start: int = 0, stop: int | None = None, etag: str | None = None) -> Answer:
        """Begin to read an object, or some bytes of it; raise `RefusedError` if it has another etag."""

    @abstractmethod
    def get_unless(self, key: str, etag: str) -> Answer:
        """Begin to read an object; raise `UnchangedError` if it still has this etag."""

    @abstractmethod
    def put(self, key: str, data: Any, tokens: str, expected: Expected = ANY_ETAG) -> str:
        """Write an object with its tokens, and return its etag.

        Raises
        ------
        RefusedError
            If the object is not in the expected state.
        UnsureError
            If there was no answer.
        """

    @abstractmethod
    def delete(self, key: str, expected: Expected = ANY_ETAG, *, present: bool = False) -> bool:
        """Delete an object that has the expected etag, or exists if it must be `present`.

        Return False if the server said that there was none; True also where it does not say.

        Raises
        ------
        RefusedError
            If the object is not in the expected state.
        UnsupportedError
            If deletions cannot have conditions.
        UnsureError
            If there was a condition, and no answer.
        """

    def obeys_deletions(self, key: str) -> bool:
        """Return whether conditions of deletions are obeyed, tested at the key of an absent object.

        The test must leave nothing, neither a version nor a marker.
        """
        del key
        return False

    @abstractmethod
    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete objects, as many per request as the server takes; absent ones are ignored."""

    @abstractmethod
    def pages(self, prefix: str, delimiter: str = "") -> Iterator[Page]:
        """List the objects whose keys start with a prefix; raise if the listing is incomplete."""

    @property
    def spelling(self) -> bool | None:
        """Return whether etags are sent with quotes; None before it is known which form is obeyed."""
        return True

    def respell(self, tried: bool | None) -> bool:
        """Send etags in another form than the one that failed; return False if none is left."""
        del tried
        return False

    def close(self) -> None:  # noqa: B027  (most clients close themselves)
        """Close connections; the next request opens new ones."""
