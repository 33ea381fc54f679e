"""Reading objects: a value is complete and of one state, or there is an error."""

import io
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, BinaryIO

from holdall._remote.engine import Answer, BrokenBodyError, Engine, Found, RefusedError, Source
from holdall._shown import shown
from holdall.errors import ConflictError, StoreUnavailableError

__all__ = ["PART", "ObjectFile", "open_object", "whole"]

#: Bytes of a large object per request.
PART = 8 << 20
_AHEAD = 4  # parts requested in advance: with the one in use 40 MB
_ATTEMPTS = 3  # how often a body is requested in total
_PATIENCE = 45  # seconds after which it is not requested again
_CHUNK = 1 << 20


def whole(engine: Engine, key: str, answer: Answer) -> tuple[bytes, Found]:
    """Return all bytes of an object that is being read, and its head.

    After a broken connection, reading continues where it stopped, if the object is still the same. Otherwise
    it begins again, once.

    Raises
    ------
    StoreUnavailableError
        If the connection breaks repeatedly.
    ConflictError
        If the object is replaced repeatedly.
    """
    found = answer.found
    try:
        return _span(engine, key, answer, found=found, start=0, stop=found.size), found
    except RefusedError:
        answer = engine.get(key)
    try:
        found = answer.found
        return _span(engine, key, answer, found=found, start=0, stop=found.size), found
    except RefusedError:
        raise _replaced(engine, key) from None


def _span(engine: Engine, key: str, answer: Answer | None, *, found: Found, start: int, stop: int) -> bytes:
    """Return the bytes from one offset to another, of one state; raise `RefusedError` if it is gone."""
    pieces: list[bytes] = []
    at = start
    until = time.monotonic() + _PATIENCE
    for attempt in range(_ATTEMPTS):
        if answer is None:
            try:
                answer = engine.get(key, start=at, stop=stop, etag=found.etag)
            except KeyError:
                raise RefusedError from None
        body = answer.body
        try:
            for piece in _pieces(body, stop - at):
                pieces.append(piece)
                at += len(piece)
        except BrokenBodyError as error:
            if attempt == _ATTEMPTS - 1 or time.monotonic() > until:
                raise StoreUnavailableError(
                    f"the body of {shown(key, 120)} in {engine.location} broke off {attempt + 1} times, "
                    f"at last after {at - start} of {stop - start} bytes: {error}",
                ) from error
            answer = None
        else:
            break
        finally:
            body.close()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _pieces(body: Source, size: int) -> Iterator[bytes]:
    """Yield the pieces of a body of so many bytes."""
    left = size
    while left:
        piece = body.read(min(left, _CHUNK))
        if not piece:
            raise BrokenBodyError(f"it ended {left} bytes early")
        yield piece
        left -= len(piece)
    if not size:
        body.read(1)  # nothing left; reading the end frees the connection


def open_object(engine: Engine, key: str, answer: Answer) -> BinaryIO:
    """Return a file of an object that is being read, for serializers that stream."""
    return io.BufferedReader(ObjectFile(engine, key, answer), _CHUNK)


class ObjectFile(io.RawIOBase):
    """An object as a file that is read from start to end, by parts that are requested in advance.

    Parameters
    ----------
    engine
        Sends the requests.
    key
        The key of the object.
    answer
        The answer with the beginning; its body is the first part.

    Notes
    -----
    Memory: some parts of `PART` bytes. All parts are of the state of the first; once it is gone, reading
    raises `ConflictError`.
    """

    def __init__(self, engine: Engine, key: str, answer: Answer) -> None:
        super().__init__()
        self._engine, self._key, self._found = engine, key, answer.found
        self._first: Answer | None = answer
        self._asked = 0  # the byte up to which parts are requested
        self._coming: deque[Future[bytes]] = deque()
        self._part = memoryview(b"")
        # Own threads: those of a bulk operation might all wait for each other's parts.
        self._pool = ThreadPoolExecutor(_AHEAD, "holdall-parts")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes, and return how many."""
        wanted = memoryview(buffer).cast("B")
        if not self._part:
            self._ask()
            if not self._coming:
                return 0
            try:
                self._part = memoryview(self._coming.popleft().result())
            except RefusedError:
                raise _replaced(self._engine, self._key) from None
        piece = self._part[: wanted.nbytes]
        wanted[: piece.nbytes] = piece
        self._part = self._part[piece.nbytes :]
        return piece.nbytes

    def _ask(self) -> None:
        size = self._found.size
        while self._asked < size and len(self._coming) <= _AHEAD:
            stop = min(self._asked + PART, size)
            first, self._first = self._first, None
            self._coming.append(
                self._pool.submit(
                    partial(_span, found=self._found, start=self._asked, stop=stop),
                    self._engine,
                    self._key,
                    first,
                ),
            )
            self._asked = stop

    def close(self) -> None:
        if not self.closed:
            self._pool.shutdown(wait=True, cancel_futures=True)
            if self._first is not None:
                self._first.body.close()
            self._part = memoryview(b"")
        super().close()


def _replaced(engine: Engine, key: str) -> ConflictError:
    return ConflictError(
        f"{shown(key, 120)} in {engine.location} was replaced or deleted while it was read: read it again",
    )
