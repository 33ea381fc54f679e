"""A persister over a Redis or Valkey server, with keys below a prefix."""

import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

import redis

from holdall._posix.fork import finalize
from holdall._remote.listing import Listings
from holdall._shown import shown
from holdall.abc import Capability, Unary, VersionedPersister, conflict
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Stat
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    OutcomeUnknownError,
)
from holdall.persisters.redis._client import LOST, client_of, location_of, never_sent, translated
from holdall.persisters.redis._items import MAGIC, SIZE, etag_of, head_of, stat_of, version_of, whole_of
from holdall.persisters.redis._listing import key_pages
from holdall.persisters.redis._scripts import REMOVE, REMOVE_OURS, STATS, WRITE, run

__all__ = ["RedisPersister"]

_BATCH: Final = 1000  # commands sent at once
_FIRST: Final = 100  # values read at once, until it is known how large they are
_BYTES: Final = 4 << 20  # of values read at once, unless a single one is larger
_ATTEMPTS, _PAUSE = 5, 0.05  # after a write whose answer was lost


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
    operation, and another before the first write; bulk operations send 1,000 commands at once, and read
    values by about 4 MB. Listing uses SCAN, which blocks nobody, and remembers a number for each key seen.

    The first write warns of a server that deletes items by itself when its memory is full, unless items have
    a `ttl`.

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
            raise InvalidArgumentError(f"prefix is text, got {shown(prefix)}")
        self._server = server
        self.client = client_of(server)
        finalize(self, self.client.connection_pool.disconnect)  # its connections and itself are a cycle
        self.location = location_of(server)
        self.prefix = prefix
        self.ttl = _checked(ttl)
        self._start = prefix.encode("utf-8", "surrogatepass")
        self._listings: Listings[list[bytes]] = Listings()
        self._may_evict = self.ttl is None  # as long as the server was not asked

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
            raise InvalidKeyError(f"ids are str, got {type(id).__name__}: {shown(id)}")
        return self._start + id.encode("utf-8", "surrogatepass")

    def _keys(self, ids: list[Any]) -> list[bytes]:
        try:
            return [self._start + id.encode("utf-8", "surrogatepass") for id in ids]
        except (AttributeError, TypeError):
            return list(map(self._key, ids))  # raises what is wrong

    def _ask(self, what: str, ask: Callable[[Any], Any], id: Any = None) -> Any:
        """Send a command that changes nothing; repeat it once if the connection was lost.

        The message about an error starts with the id, if there is one.
        """
        try:
            return ask(self.client)
        except redis.RedisError as error:
            # For the driver, refused rights are a lost connection.
            lost = isinstance(error, (*LOST, redis.ReadOnlyError))
            if not lost or isinstance(error, redis.AuthenticationError):
                raise self._translated(what, id, error) from error
        self.client.connection_pool.disconnect(inuse_connections=False)
        try:
            return ask(self.client)
        except redis.RedisError as error:
            raise self._translated(what, id, error) from error

    def _translated(self, what: str, id: Any, error: Exception) -> Exception:
        return translated(error, what if id is None else f"{shown(id)} {what}", self.place)

    # ------------------------------------------------------------------ reading

    @property
    def getter(self) -> Unary:  # docstring inherited
        return self._data_of

    def _data_of(self, id: str) -> bytes:
        """Return the data of an id, without a look at its version and time."""
        return self._data_in(id, self._whole(id))

    def _data_in(self, id: str, whole: bytes) -> bytes:
        if whole[:2] != MAGIC or len(whole) < SIZE:
            raise self._foreign(id)
        return whole[SIZE:]

    def _whole(self, id: str) -> bytes:
        key = self._key(id)
        whole = self._ask("cannot be read", lambda client: client.get(key), id)
        if whole is None:
            raise KeyError(id)
        return whole  # type: ignore[no-any-return]

    def _foreign(self, id: str) -> MismatchError:
        return MismatchError(f"the value of {shown(id)} in {self.place} was not written by holdall")

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        whole = self._whole(id)
        return whole[SIZE:], self._stat_of(id, whole, len(whole))

    def stat(self, id: str) -> Stat:  # docstring inherited
        keys = [self._key(id)]
        head, size = self._ask("cannot be read", lambda client: run(client, STATS, keys), id)
        if not size and id not in self:
            raise KeyError(id)
        return self._stat_of(id, head, size)

    def _stat_of(self, id: str, head: bytes, size: int) -> Stat:
        stat = stat_of(head, size)
        if stat is None:
            raise self._foreign(id)
        return stat

    def __contains__(self, id: object) -> bool:
        try:
            key = self._key(id)
        except InvalidKeyError:
            return False
        return bool(self._ask("cannot be looked for", lambda client: client.exists(key), id))

    # ------------------------------------------------------------------ listing

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        return itertools.chain.from_iterable(self.pages(prefix))

    # Not generator functions: a listing is made when it is requested, though it begins later.
    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        start = self._start + prefix.encode("utf-8", "surrogatepass")
        pages = self._listings.begin(lambda: key_pages(self._ask, start), prefix)
        return (ids for keys in pages if (ids := self._ids(keys)))

    def _ids(self, keys: list[bytes]) -> list[str]:
        size = len(self._start)
        try:
            return [key[size:].decode("utf-8", "surrogatepass") for key in keys]
        except UnicodeDecodeError:  # the key of somebody else
            if len(keys) == 1:
                return []
            return [id for key in keys for id in self._ids([key])]

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        return itertools.chain.from_iterable(map(self._stats, self.pages(prefix)))

    def _stats(self, ids: list[str]) -> list[tuple[str, Stat]]:
        keys = self._keys(ids)
        found = self._ask("items cannot be read", lambda client: run(client, STATS, keys))
        stats = map(stat_of, found[::2], found[1::2])
        return [(id, stat) for id, stat in zip(ids, stats, strict=True) if stat is not None]

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:  # docstring inherited
        waiting = iter(ids)
        batches = iter(lambda: list(itertools.islice(waiting, _BATCH)), [])
        return itertools.chain.from_iterable(self._filled(batches))

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        del limit
        return self._filled(self.pages(prefix))

    def _filled(self, pages: Iterator[list[str]]) -> Iterator[list[tuple[str, bytes]]]:
        """Yield ids and data, as many at once as make a few megabytes, estimated from those before."""
        count = _FIRST
        for page in pages:
            start = 0
            while start < len(page):
                ids = page[start : start + count]
                start += count
                keys = self._keys(ids)
                found = self._ask("items cannot be read", partial(redis.Redis.mget, keys=keys))
                for id, whole in zip(ids, found, strict=True):
                    if whole is not None and (whole[:2] != MAGIC or len(whole) < SIZE):
                        raise self._foreign(id)
                yield [(id, whole[SIZE:]) for id, whole in zip(ids, found, strict=True) if whole is not None]
                nbytes = sum(len(whole) for whole in found if whole is not None)
                count = max(1, min(_BATCH, 2 * count, _BYTES * len(found) // (nbytes + 1)))

    # ------------------------------------------------------------------ writing

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
        if self._may_evict and ttl is None:
            self._warn_of_evictions("cannot be written", id)
        keys, whole = [self._key(id)], whole_of(id, data)
        milliseconds = () if ttl is None else (max(1, round(ttl * 1000)),)
        head = head_of(expected)
        # Only a write that expects a version may be made again: versions never repeat, so it cannot undo a
        # write of others over the first one. Others are only looked for.
        again = version_of(whole) if expected in (ANY_ETAG, ITEM_NOT_AVAILABLE) else head
        answer = self._change(
            id,
            lambda: run(self.client, WRITE, keys, head, whole, *milliseconds),
            lambda: run(self.client, WRITE, keys, again, whole, *milliseconds),
        )
        if answer != 1:
            raise conflict(self, id, expected, etag_of(answer))
        return self._stat_of(id, whole, len(whole))

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        keys = [self._key(id)]
        answer = self._change(id, lambda: run(self.client, REMOVE, keys, head_of(expected)), None)
        if answer == 1:
            return
        if answer == 0 or (answer == b"" and expected is ANY_ETAG):
            raise KeyError(id)
        raise conflict(self, id, expected, etag_of(answer))

    def _change(self, id: str, send: Callable[[], Any], again: Callable[[], Any] | None) -> Any:
        """Send a change; after a lost answer find out whether it was made, by what may be sent again."""
        what = f"{shown(id)} cannot be written"
        lost: Exception | None = None
        for attempt in range(_ATTEMPTS):
            try:
                answer = send() if lost is None or again is None else again()
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
                if again is None:
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
            f"the answer to a write of {shown(id)} was lost, so it may have happened or not: read it again",
            self.place,
        ) from lost

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items, 1,000 at once; what was stored before an error stays stored."""
        if self._may_evict:
            self._warn_of_evictions("nothing was written")
        waiting = iter(items)
        options = () if self.ttl is None else ("PX", max(1, round(self.ttl * 1000)))
        while batch := list(itertools.islice(waiting, _BATCH)):
            self._send([("SET", self._key(id), whole_of(id, data), *options) for id, data in batch])

    def remove_many(self, ids: Iterable[str]) -> None:
        """Delete several items, 1,000 at once; what holdall did not write is left where it is."""
        waiting = iter(ids)
        while batch := list(itertools.islice(waiting, _BATCH)):
            self._send([("EVAL", REMOVE_OURS, len(batch), *self._keys(batch))])

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
        left = self._ask("cannot be read", lambda client: client.pttl(key), id)
        if left == -2:
            raise KeyError(id)
        return _seconds(left)

    def read_living(self, id: str) -> tuple[bytes, float]:
        """Return the data of an item and how many seconds it has left to live, as of one moment.

        Raises
        ------
        KeyError
            If there is no such item.
        """
        key = self._key(id)

        def ask(client: Any) -> Any:
            pipeline = client.pipeline(transaction=True)
            pipeline.get(key)
            pipeline.pttl(key)
            return pipeline.execute()

        whole, left = self._ask("cannot be read", ask, id)
        if whole is None:
            raise KeyError(id)
        return self._data_in(id, whole), _seconds(left)

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
        except LOST as error:
            raise translated(error, "the server was not asked", self.place) from error
        except redis.RedisError:  # no right to ask
            if not self._told("persistence").get("aof_enabled", 1):
                found["log"] = "off"
        found["eviction"] = str(self._told("memory").get("maxmemory_policy", "unknown"))
        return found

    def _told(self, section: str) -> dict[str, Any]:
        """Return what the server tells about itself, which is nothing if we have no right to ask."""
        try:
            return dict(self.client.info(section))
        except redis.RedisError:
            return {}

    def _warn_of_evictions(self, what: str, id: Any = None) -> None:
        """Warn if the server may delete items that have no time to live, before the first of them."""
        try:
            told = self._ask(what, lambda client: client.info("memory"), id)
        except HoldallError as error:
            if isinstance(error.__cause__, LOST):
                raise
            told = {}  # no right to ask
        self._may_evict = False  # or not known
        policy = str(told.get("maxmemory_policy"))
        if policy.startswith("allkeys") and told.get("maxmemory"):
            warnings.warn(
                f"the server of {self.place} deletes items by itself when its memory is full "
                f"(maxmemory-policy {policy}): set noeviction there, or give the store a ttl= if it is a "
                "cache",
                RuntimeWarning,
                stacklevel=2,
            )

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self.client.close()
        self.client.connection_pool.disconnect()


def _checked(ttl: Any) -> float | None:
    if ttl is not None and (type(ttl) not in (int, float) or not 0 < ttl < 1e10):
        raise InvalidArgumentError(f"ttl is a number of seconds, more than 0, or None, got {shown(ttl)}")
    return ttl  # type: ignore[no-any-return]


def _seconds(left: int) -> float:
    return math.inf if left == -1 else left / 1000


def _plain(text: Any) -> str:
    return text.decode() if isinstance(text, bytes) else str(text)


def _reopen(server: Any, prefix: str, ttl: float | None) -> RedisPersister:
    if not isinstance(server, str):
        kind, options = server
        server = redis.Redis(connection_pool=redis.ConnectionPool(connection_class=kind, **options))
    return RedisPersister(server, prefix=prefix, ttl=ttl)
