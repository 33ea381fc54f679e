"""A store on a Redis or Valkey server."""

from typing import Any

from holdall._options import given, not_imported
from holdall.keys import as_key_codec
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._place import under
from holdall.store._typing import K, V

__all__ = ["RedisStore"]


class RedisStore(Store[K, V]):
    """A Redis or Valkey server as a dict, shared by any number of machines.

    Parameters
    ----------
    server
        The URL of a server, such as ``"redis://localhost:6379/0"``, or a client of `redis.Redis`, whose
        settings are copied. Its own retries are switched off: they write twice when an answer is lost.
    prefix
        The text that all keys on the server start with, so that several stores can share a server.
    serializer
        How values are written: a name such as ``"json"``, a `Serializer`, or anything with ``dumps`` and
        ``loads``. ``"pickle"`` runs code from the server: only for servers to which nobody else can write.
    keys
        How keys are named: None for text as it is; a `KeyCodec`, the text of a `Template`, or a pair of
        functions.
    ttl
        Seconds that an item lives after each write; None for no limit. The server deletes it.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.
    UnsupportedError
        If the package redis is not installed, or the client is that of a cluster.

    Notes
    -----
    Making a store sends nothing. Threads, processes, machines: any number; conditional operations are
    linearizable, plain writes included. A write whose answer is lost counts once, or raises
    `OutcomeUnknownError`. What a returned write survives is a setting of the server, which `durability`
    returns; a crash of the client loses nothing. The first write warns of a server that deletes items by
    itself when its memory is full, unless they have a time to live. Cost: one round trip per operation, and
    another before the first write; `update`, `items` and `values` send 1,000 commands at once. Listing uses
    SCAN and yields each key once, in no order.

    Examples
    --------
    >>> store = RedisStore("redis://localhost:6379/0", prefix="runs/")
    >>> store.prefix, store.serializer.name
    ('runs/', 'json')
    """

    def __init__(
        self,
        server: Any,
        *,
        prefix: str = "",
        serializer: Any = "json",
        keys: Any = None,
        ttl: float | None = None,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        try:
            from holdall.persisters.redis import RedisPersister  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise not_imported("RedisStore", error, "redis") from error
        persister = RedisPersister(server, prefix=prefix, ttl=ttl)
        self._params = {**options, "server": persister.location}
        self._assemble(
            persister,
            as_key_codec(keys),
            get_serializer(serializer),
            value_type=value_type,
            append_only=append_only,
        )

    @property
    def prefix(self) -> str:
        """The text that all keys on the server start with."""
        return str(under(self)[0].prefix)

    def set(self, key: K, value: V, ttl: float | None = None) -> None:
        """Store a value with a time to live.

        Parameters
        ----------
        key
            The key to store it under.
        value
            The value.
        ttl
            Seconds that it lives; None for no limit. The next write sets it again.

        Raises
        ------
        InvalidArgumentError
            If `ttl` is not a number above 0.
        """
        from holdall.persisters.redis import _checked  # noqa: PLC0415  (an extra)

        compiled = self._compiled
        id = compiled.id(key)
        data = compiled.data(key, id, value)
        persister, id = under(self, id)
        persister.write_living(id, data, _checked(ttl))

    def time_left(self, key: K) -> float:
        """Return how many seconds an item has left to live; infinity for no limit.

        Parameters
        ----------
        key
            The key of the item.

        Raises
        ------
        KeyError
            If the key is absent.
        """
        persister, id = under(self, self._compiled.id(key))
        try:
            return float(persister.time_left(id))
        except KeyError:
            raise KeyError(key) from None

    def get_with_time_left(self, key: K) -> tuple[V, float]:
        """Return a value and how many seconds it has left to live, as of one moment; infinity for no limit.

        Parameters
        ----------
        key
            The key of the item.

        Raises
        ------
        KeyError
            If the key is absent.
        """
        compiled = self._compiled
        id = compiled.id(key)
        persister, inner = under(self, id)
        try:
            data, left = persister.read_living(inner)
        except KeyError:
            raise KeyError(key) from None
        return compiled.value(key, id, data), float(left)

    def durability(self) -> dict[str, str]:
        """Return the settings of the server for what an acknowledged write survives, and what it evicts.

        Returns
        -------
        dict
            ``log``: ``"always"``, ``"everysec"``, ``"no"``, ``"off"`` or ``"unknown"``; ``eviction``: the
            policy of the server, ``"noeviction"`` if it deletes nothing, or ``"unknown"``.
        """
        return dict(under(self)[0].durability())
