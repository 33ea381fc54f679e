"""What a client of an object store must do for `ObjectPersister`: single requests, told apart by outcome."""

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
    """A condition of a request was not met: nothing happened, unless an earlier sending did it.

    Parameters
    ----------
    repeated
        Whether the request was sent more than once, so that the refusal may be its own doing.
    absent
        Whether the server told that there is no such object.
    busy
        Whether it is refused since another write was under way each time it was sent, which tells nothing
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
    """No answer to a write came: it may have happened, and may still happen."""


class BrokenBodyError(Exception):
    """The body of an answer stopped before its end."""


class Found(NamedTuple):
    """What the head of an object tells.

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
        """Read up to `size` bytes; `BrokenBodyError` if the connection fails."""

    def close(self) -> None:
        """Give the connection back."""


class Answer(NamedTuple):
    """An object that is being read: what it is, from which byte on, and its body."""

    found: Found
    start: int
    body: Source


class Page(NamedTuple):
    """A page of a listing: objects with their stats, and folders where they were asked for."""

    objects: list[tuple[str, Stat]]
    folders: list[str]


class Engine(ABC):
    """Sends requests to one bucket. Keys here are whole keys of the bucket.

    Every method raises `StoreUnavailableError` where the place does not answer or refuses, naming the place
    and the key. ``KeyError(key)`` means that the object is absent, and nothing else does.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the objects lie, for messages."""

    @abstractmethod
    def identity(self) -> tuple[str, str]:
        """Return endpoint and bucket, by which what is learnt of the place is remembered."""

    @abstractmethod
    def head(self, key: str) -> Found:
        """Return what is known of an object."""

    @abstractmethod
    def get(self, key: str, *, start: int = 0, stop: int | None = None, etag: str | None = None) -> Answer:
        """Begin to read an object, or some bytes of it; `RefusedError` if it has not this etag."""

    @abstractmethod
    def get_unless(self, key: str, etag: str) -> Answer:
        """Begin to read an object; `UnchangedError` if it still has this etag."""

    @abstractmethod
    def put(self, key: str, data: Any, tokens: str, expected: Expected = ANY_ETAG) -> str:
        """Write an object with its tokens, and return its etag.

        Raises
        ------
        RefusedError
            If the object is not in the expected state.
        UnsureError
            If no answer came.
        """

    @abstractmethod
    def delete(self, key: str, expected: Expected = ANY_ETAG, *, present: bool = False) -> bool:
        """Delete an object; `RefusedError` if it has not the expected etag, or must be `present` and is not.

        Returns False if the server told that there was none; True also where it does not tell.

        Raises
        ------
        RefusedError
            If the object is not in the expected state.
        UnsupportedError
            If deletions cannot have conditions.
        UnsureError
            If there was a condition, and no answer came.
        """

    def obeys_deletions(self, key: str) -> bool:
        """Find out whether conditions of deletions are obeyed, at the key of an object that is not there.

        Nothing may be left of the trial, no version and no marker either.
        """
        del key
        return False

    @abstractmethod
    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete objects, as many in a request as the place takes; absent ones are passed over."""

    @abstractmethod
    def pages(self, prefix: str, delimiter: str = "") -> Iterator[Page]:
        """List the objects whose keys start with a prefix; incomplete listings are errors."""

    @property
    def spelling(self) -> bool | None:
        """How etags are sent: with quotes or without; None before it is known which of them is obeyed."""
        return True

    def respell(self, tried: bool | None) -> bool:
        """Send etags in another spelling than the one that was tried in vain; False if there is none left."""
        del tried
        return False

    def close(self) -> None:  # noqa: B027  (most clients close themselves)
        """Give back connections; the next request opens them again."""
