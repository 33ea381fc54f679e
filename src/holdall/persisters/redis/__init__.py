"""A persister over a Redis or Valkey server, with keys below a prefix."""

import hashlib
import itertools
import math
import os
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final

import redis

from holdall._options import check_bytes
from holdall.abc import Capability, VersionedPersister, conflict, join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Stat
from holdall.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    OutcomeUnknownError,
    ValueTooLargeError,
)
from holdall.persisters.redis._client import LOST, client_of, location_of, never_sent, translated, translating

__all__ = ["RedisPersister"]

_MAGIC: Final = b"h1"
_HEAD: Final = struct.Struct("<2s14sQ")  # mark, random version, time in nanoseconds
_SIZE: Final = _HEAD.size
_BATCH: Final = 1000  # commands sent at once
_LARGEST: Final = (512 << 20) - _SIZE  # bytes, of a value of Redis
_ATTEMPTS, _PAUSE = 5, 0.05  # after a write whose answer was lost

# All of them compare the head of the existing item with what is expected: "" for nothing, "*" for anything. A
# repeated write after a lost answer finds its own version, and is done already.
_WRITE: Final = """
local head = redis.call('GETRANGE', KEYS[1], 0, 23)
if head ~= '' and string.sub(head, 1, 16) == string.sub(ARGV[2], 1, 16) then return 1 end
if ARGV[1] ~= '*' and string.sub(head, 1, 16) ~= ARGV[1] then return head end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""
_REMOVE: Final = """
local head = redis.call('GETRANGE', KEYS[1], 0, 23)
if ARGV[1] ~= '*' and string.sub(head, 1, 16) ~= ARGV[1] then return head end
return redis.call('DEL', KEYS[1])
"""
# What others keep on the server is left alone, of whatever type it is.
_REMOVE_OURS: Final = """
for _, key in ipairs(KEYS) do
  if redis.pcall('GETRANGE', key, 0, 1) == 'h1' then redis.call('DEL', key) end
end
"""
_STAT: Final = """
return {redis.call('GETRANGE', KEYS[1], 0, 23), redis.call('STRLEN', KEYS[1])}
"""


class RedisPersister(VersionedPersister):
    """Items of one prefix on a Redis or Valkey server, as bytes by id.

    Parameters
    ----------
    server
        The URL of a server (``redis://``, ``rediss://``, ``unix://``), or a client of `redis.Redis`, whose
        settings are copied: its own retries are switched off, since they write twice.
    prefix
        The text that the keys of all items start with.
    ttl
        Seconds that an item lives after each write; None for no limit.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.
    UnsupportedError
        If the client is that of a cluster.

    Notes
    -----
    Threads, processes, machines: compare-and-swap is one script on the server, so it is linearizable among
    all; plain writes take part. A write whose answer is lost is looked for by its random version: it counts
    once, or raises `OutcomeUnknownError`. After a crash: see `durability`. Cost: one round trip per
    operation; bulk operations send 1,000 commands at once. Listing uses SCAN, which blocks nobody, and
    remembers 8 bytes for each key seen.

    Each write sets the time to live again: `ttl`, or that passed to `write_living`. A pickled copy contains
    the URL, or the plain settings of the client, passwords included.

    Examples
    --------
    >>> persister = RedisPersister("redis://localhost:6379/0", prefix="runs/")
    >>> persister.place
    "keys 'runs/' of redis://localhost:6379/0"
    """

    capabilities = frozenset(
        {
            Capability.WRITABLE,
            Capability.PERSISTENT,
            Capability.BYTES,
            Capability.MTIME,
            Capability.CHEAP_STAT,
            Capability.CAS_THREADS,
            Capability.CAS_HOST,
            Capability.CAS_WORLD,
        }
    )
    bulk = True

    def __init__(self, server: Any, *, prefix: str = "", ttl: float | None = None) -> None:
        given: Any = prefix
        if not isinstance(given, str):
            raise InvalidArgumentError(f"prefix is text, got {prefix!r:.80}")
        self._server = server
        self.client = client_of(server)
        self.location = location_of(server)
        self.prefix = prefix
        self.ttl = _checked(ttl)
        self._start = prefix.encode("utf-8", "surrogatepass")
        self._scripts: dict[str, str] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self._server, str):
            return _reopen, (self._server, self.prefix, self.ttl)
        pool = self.client.connection_pool
        plain = {
            name: value
            for name, value in pool.connection_kwargs.items()
            if value is None or isinstance(value, str | int | float | bytes)
        }
        return _reopen, ((pool.connection_class, plain), self.prefix, self.ttl)

    @property
    def place(self) -> str:  # docstring inherited
        return f"keys {self.prefix!r} of {self.location}"

    # ------------------------------------------------------------------ asking

    def _key(self, id: Any) -> bytes:
        if not isinstance(id, str):
            raise InvalidKeyError(f"ids are str, got {type(id).__name__}: {id!r:.80}")
        return self._start + id.encode("utf-8", "surrogatepass")

    def _ask(self, what: str, ask: Callable[[Any], Any]) -> Any:
        """Send a command that changes nothing; repeat it once if the connection was lost."""
        with translating(what, self.place):
            try:
                return ask(self.client)
            except redis.AuthenticationError:  # a lost connection, for the driver
                raise
            except (*LOST, redis.ReadOnlyError):
                self.client.connection_pool.disconnect(inuse_connections=False)
                return ask(self.client)

    def _run(self, script: str, key: bytes, *args: Any) -> Any:
        """Run a script by its digest, or in full where the server does not know it."""
        digest = self._scripts.get(script)
        if digest is None:
            digest = self._scripts[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return self.client.evalsha(digest, 1, key, *args)
        except redis.exceptions.NoScriptError:
            return self.client.eval(script, 1, key, *args)

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        key = self._key(id)
        whole = self._ask(f"{id!r:.80} cannot be read", lambda client: client.get(key))
        if whole is None:
            raise KeyError(id)
        return whole[_SIZE:], self._stat_of(id, whole[:_SIZE], len(whole))

    def stat(self, id: str) -> Stat:  # docstring inherited
        key = self._key(id)
        head, size = self._ask(f"{id!r:.80} cannot be read", lambda _: self._run(_STAT, key))
        if not size:
            raise KeyError(id)
        return self._stat_of(id, head, size)

    def _stat_of(self, id: str, head: bytes, size: int) -> Stat:
        if head[:2] != _MAGIC or len(head) != _SIZE:
            raise MismatchError(f"the value of {id!r:.80} in {self.place} was not written by holdall")
        _, version, time_ns = _HEAD.unpack(head)
        return Stat(version.hex(), time_ns / 1e9, size - _SIZE)

    def __contains__(self, id: object) -> bool:
        try:
            key = self._key(id)
        except InvalidKeyError:
            return False
        return bool(self._ask(f"{id!r:.80} cannot be looked for", lambda client: client.exists(key)))

    # ------------------------------------------------------------------ listing

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        return itertools.chain.from_iterable(self.pages(prefix))

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        start = self._start + prefix.encode("utf-8", "surrogatepass")
        pattern = b"".join(b"\\" + bytes([byte]) if byte in b"*?[]\\" else bytes([byte]) for byte in start)
        met: set[int] = set()  # SCAN repeats keys when the server resizes its table
        cursor = 0
        while True:
            ask = partial(redis.Redis.scan, cursor=cursor, match=pattern + b"*", count=_BATCH)
            cursor, keys = self._ask("the keys cannot be listed", ask)
            page = []
            for key in keys:
                mark = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest())
                if mark not in met:
                    met.add(mark)
                    with suppress(UnicodeDecodeError):  # the key of somebody else
                        page.append(key[len(self._start) :].decode("utf-8", "surrogatepass"))
            if page:
                yield page
            if not cursor:
                return

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        for page in self.pages(prefix):
            answers = self._many(
                [("GETRANGE", self._key(id), 0, _SIZE - 1) for id in page]
                + [("STRLEN", self._key(id)) for id in page]
            )
            for id, head, size in zip(page, answers, answers[len(page) :], strict=False):
                if isinstance(head, bytes) and isinstance(size, int) and size and head[:2] == _MAGIC:
                    yield id, self._stat_of(id, head, size)

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:  # docstring inherited
        waiting = iter(ids)
        while batch := list(itertools.islice(waiting, _BATCH)):
            keys = [self._key(id) for id in batch]
            found = self._ask("items cannot be read", partial(redis.Redis.mget, keys=keys))
            for id, whole in zip(batch, found, strict=True):
                if whole is None:
                    continue
                if whole[:2] != _MAGIC:
                    self._stat_of(id, whole[:_SIZE], len(whole))  # raises what is wrong
                yield id, whole[_SIZE:]

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        del limit
        return (list(self.read_many(page)) for page in self.pages(prefix))

    def _many(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Send several commands that change nothing at once; errors of single ones are results."""

        def ask(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute(raise_on_error=False)

        return self._ask("items cannot be read", ask)  # type: ignore[no-any-return]

    # ------------------------------------------------------------------ writing

    def _whole(self, id: str, data: Any) -> bytes:
        check_bytes(id, data)
        joined: bytes = join_parts(data)
        if len(joined) > _LARGEST:
            raise ValueTooLargeError(
                f"the data for {id!r:.80} have {len(joined):,} bytes, and Redis takes {_LARGEST:,} at most"
            )
        return _HEAD.pack(_MAGIC, os.urandom(14), time.time_ns()) + joined

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        return self.write_living(id, data, self.ttl, expected)

    def write_living(self, id: str, data: Any, ttl: float | None, expected: Expected = ANY_ETAG) -> Stat:
        """Store data as `write` does, with a time to live.

        Parameters
        ----------
        id, data, expected
            As in `write`.
        ttl
            Seconds that the item lives; None for no limit.
        """
        key, whole = self._key(id), self._whole(id, data)
        milliseconds = "" if ttl is None else max(1, round(ttl * 1000))
        answer = self._change(id, lambda: self._run(_WRITE, key, _head_of(expected), whole, milliseconds))
        if answer != 1:
            raise conflict(self, id, expected, _etag_of(answer))
        return self._stat_of(id, whole[:_SIZE], len(whole))

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        key = self._key(id)
        answer = self._change(id, lambda: self._run(_REMOVE, key, _head_of(expected)), again=False)
        if answer == 1:
            return
        if answer == 0 or (answer == b"" and expected is ANY_ETAG):
            raise KeyError(id)
        raise conflict(self, id, expected, _etag_of(answer))

    def _change(self, id: str, send: Callable[[], Any], *, again: bool = True) -> Any:
        """Send a change; after a lost answer find out whether it was made, by sending it again."""
        what = f"{id!r:.80} cannot be written"
        lost: Exception | None = None
        for attempt in range(_ATTEMPTS):
            try:
                answer = send()
            except redis.AuthenticationError as error:
                raise translated(error, what, self.place) from error
            except (*LOST, redis.ReadOnlyError) as error:
                self.client.connection_pool.disconnect(inuse_connections=False)
                sent = not (never_sent(error) or isinstance(error, redis.ReadOnlyError))
                if lost is None and not sent:
                    if attempt or isinstance(error, redis.ConnectionError):
                        raise translated(error, what, self.place) from error
                    continue
                lost = lost or error
                if not again:
                    break
                time.sleep(_PAUSE * attempt)
            except redis.RedisError as error:
                raise translated(error, what, self.place) from error
            else:
                if lost is not None and answer != 1:  # overwritten since: our write, or the old one
                    break
                return answer
        raise OutcomeUnknownError(
            getattr(lost, "errno", None) or 5,
            f"the answer to a write of {id!r:.80} was lost, so it may have happened or not: read it again",
            self.place,
        ) from lost

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items, 1,000 at once; what was stored before an error stays stored."""
        waiting = iter(items)
        options = () if self.ttl is None else ("PX", max(1, round(self.ttl * 1000)))
        while batch := list(itertools.islice(waiting, _BATCH)):
            self._send([("SET", self._key(id), self._whole(id, data), *options) for id, data in batch])

    def remove_many(self, ids: Iterable[str]) -> None:
        """Delete several items, 1,000 at once; what holdall did not write is left where it is."""
        waiting = iter(ids)
        while batch := list(itertools.islice(waiting, _BATCH)):
            self._send([("EVAL", _REMOVE_OURS, len(batch), *map(self._key, batch))])

    def discard(self, id: str) -> bool:  # docstring inherited
        try:
            self.remove(id)
        except KeyError:
            return False
        return True

    def _send(self, commands: list[tuple[Any, ...]]) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            pipeline.execute()
        except redis.AuthenticationError as error:
            raise translated(error, "nothing was written", self.place) from error
        except LOST as error:
            if never_sent(error):
                raise translated(error, "nothing was written", self.place) from error
            raise OutcomeUnknownError(
                getattr(error, "errno", None) or 5,
                f"the answer to a write of {len(commands)} items was lost: any of them may have happened",
                self.place,
            ) from error
        except redis.RedisError as error:
            raise translated(error, "not all was written", self.place) from error

    # ------------------------------------------------------------------ what the server says

    def time_left(self, id: str) -> float:
        """Return how many seconds an item has left to live; infinity for no limit.

        Raises
        ------
        KeyError
            If there is no such item.
        """
        key = self._key(id)
        left = self._ask(f"{id!r:.80} cannot be read", lambda client: client.pttl(key))
        if left == -2:
            raise KeyError(id)
        return math.inf if left == -1 else left / 1000

    def durability(self) -> dict[str, str]:
        """Return the settings of the server for what an acknowledged write survives.

        Returns
        -------
        dict
            ``log``: when the server writes its log to the disk, ``"always"``, ``"everysec"``, ``"no"``, or
            ``"off"`` for no log; ``eviction``: what it deletes when its memory is full, ``"noeviction"`` for
            nothing. ``"unknown"`` where it does not report them, as hosted servers often do not.
        """
        found = {"log": "unknown", "eviction": "unknown"}
        try:
            settings = self.client.config_get("append*")
            text = {_plain(name): _plain(value) for name, value in settings.items()}
            if "appendonly" in text:
                found["log"] = text.get("appendfsync", "unknown") if text["appendonly"] == "yes" else "off"
            policy = self.client.config_get("maxmemory-policy")
            found["eviction"] = next((_plain(value) for value in policy.values()), "unknown")
        except LOST as error:
            raise translated(error, "the server was not asked", self.place) from error
        except redis.RedisError:  # no right to ask
            try:
                info = self.client.info("persistence")
            except redis.RedisError:
                return found
            if not info.get("aof_enabled", 1):
                found["log"] = "off"
        return found

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self.client.close()
        self.client.connection_pool.disconnect()


def _checked(ttl: Any) -> float | None:
    if ttl is not None and (type(ttl) not in (int, float) or not 0 < ttl < 1e10):
        raise InvalidArgumentError(f"ttl is a number of seconds, more than 0, or None, got {ttl!r:.80}")
    return ttl  # type: ignore[no-any-return]


def _head_of(expected: Expected) -> bytes:
    """Return what the head of an item must begin with."""
    if expected is ANY_ETAG:
        return b"*"
    if expected is ITEM_NOT_AVAILABLE:
        return b""
    try:
        return _MAGIC + bytes.fromhex(str(expected))
    except ValueError:
        return b"no etag of ours"


def _etag_of(head: Any) -> Any:
    return head[2:16].hex() if isinstance(head, bytes) and head else ITEM_NOT_AVAILABLE


def _plain(text: Any) -> str:
    return text.decode() if isinstance(text, bytes) else str(text)


def _reopen(server: Any, prefix: str, ttl: float | None) -> RedisPersister:
    if not isinstance(server, str):
        kind, options = server
        server = redis.Redis(connection_pool=redis.ConnectionPool(connection_class=kind, **options))
    return RedisPersister(server, prefix=prefix, ttl=ttl)
