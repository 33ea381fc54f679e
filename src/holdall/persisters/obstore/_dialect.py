"""The behaviour of obstore: names it accepts, errors it raises, bodies it returns."""

import re
from collections.abc import Iterator
from typing import Any

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from holdall._posix.fork import at_fork
from holdall._remote.engine import BrokenBodyError
from holdall._remote.reading import PART
from holdall.errors import (
    HoldallError,
    InvalidKeyError,
    StoreFullError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)

__all__ = [
    "FAILURES",
    "Body",
    "Runtime",
    "ToldError",
    "code_of",
    "is_named",
    "is_refusal",
    "sent_twice",
    "translated",
]

#: The errors of obstore.
FAILURES = (BaseError, OSError, ValueError, NotImplementedError)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_SENT_ONCE = re.compile(r" in [\d.]+[^\s,]*s - ")  # otherwise with "..., after 2 retries, ..."
_NO_BODY = re.compile(r"404 Not Found:?\s*\Z")
_ABSENT = {"NoSuchKey", "BlobNotFound"}
_MISSED = {None, "BlobAlreadyExists", "PreconditionFailed"}
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound"}
# Names that obstore refuses, or silently takes for others.
_UNNAMEABLE = re.compile(r"[\x00-\x1f\x7f]|//|\A/|/\Z|\A\Z")


class Runtime:
    """Whether the threads of obstore exist: a forked child does not have those of its parent."""

    used = lost = False

    @classmethod
    def fork(cls) -> None:
        """Find out, in the child."""
        cls.lost = cls.lost or cls.used


at_fork(after_in_child=Runtime.fork)


class ToldError(StoreUnavailableError):
    """A server did not carry out a request; `status` is its answer, None if there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def refused(self) -> bool:
        """Whether it was refused permanently, so that nothing happened."""
        return self.status is not None and 300 <= self.status < 500 and self.status not in (408, 429)


class Body:
    """The body of an answer: at once if it is small, otherwise in pieces.

    Parameters
    ----------
    result
        The answer from obstore.
    size
        The size of the body in bytes.
    """

    def __init__(self, result: Any, size: int) -> None:
        self._result, self._size = result, size
        self._stream: Iterator[Any] | None = None
        self._piece = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; raise `BrokenBodyError` if the connection fails."""
        try:
            if not self._piece and self._size:
                if self._stream is None and self._size <= PART:
                    self._piece = memoryview(self._result.bytes())
                else:
                    if self._stream is None:
                        self._stream = iter(self._result.stream(min_chunk_size=PART))
                    self._piece = memoryview(next(self._stream, b""))
        except FAILURES as error:
            raise BrokenBodyError(shortly(error)) from error
        taken = self._piece[:size]
        self._piece = self._piece[size:]
        self._size -= len(taken)
        return bytes(taken)

    def close(self) -> None:
        """Release the connection."""
        self._result = self._stream = None


def is_named(key: str) -> bool:
    """Return whether obstore uses this name for an object unchanged."""
    return _UNNAMEABLE.search(key) is None


def shortly(error: Exception) -> str:
    """Return the message of obstore without internal details."""
    return str(error).partition("\n\nDebug source")[0].strip()


def code_of(error: Exception) -> str | None:
    """Return the server's code for the reason."""
    found = _CODE.search(str(error))
    return found[1] if found else None


def is_refusal(error: Exception) -> bool:
    """Return whether a write was refused for its condition; the status 409 has other reasons, too."""
    found = _STATUS.search(str(error))
    return found is None or found[1] != "409" or code_of(error) in _MISSED


def sent_twice(error: Exception) -> bool:
    """Return whether a request that a server answered was, or may have been, sent more than once."""
    text = str(error)
    return "status code" in text and not _SENT_ONCE.search(text)


def translated(error: Exception, what: str, key: str) -> HoldallError | KeyError:
    """Return our error for one of obstore; ``KeyError(key)`` if the object is absent.

    Parameters
    ----------
    error
        The error of obstore.
    what
        The operation, the key and the location, for the message.
    key
        The key.
    """
    text = shortly(error)
    found = _STATUS.search(text)
    status = int(found[1]) if found else 301 if "redirect without LOCATION" in text else None
    code, said = code_of(error), f"{what}: {text}"
    if code in _NO_BUCKET:
        return StoreNotFoundError(said)
    if isinstance(error, FileNotFoundError) and (status is None or code in _ABSENT or _NO_BODY.search(text)):
        return KeyError(key)
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return ToldError(f"{said}; denied, or the credentials are not accepted", status or 403)
    if isinstance(error, NotImplementedError):
        return UnsupportedError(said)
    if isinstance(error, ValueError) or "File name too long" in text:
        return InvalidKeyError(said)
    if status == 507 or "No space left" in text:
        return StoreFullError(said)
    return ToldError(said, status)
