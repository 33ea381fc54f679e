"""A store on a Redis or Valkey server."""

from typing import Any, TypeVar

from holdall._options import given
from holdall.errors import UnsupportedError
from holdall.keys import as_key_codec
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._nested import under

__all__ = ["RedisStore"]

K = TypeVar("K")
V = TypeVar("V")


class RedisStore(Store[K, V]):
    """A Redis or Valkey server as a dict, shared by any number of machines.

    Parameters
    ----------
    server
        The URL of a server, such as ``"redis://localhost:6379/0"``, or a client of `redis.Redis`, whose
        settings are taken over. Its own retries are switched off: they count writes twice when an answer is
        lost.
    prefix
        With what the keys of all items start, so that several stores share a server.
    serializer
        How values are written: a name such as ``"json"``, a `Serializer`, or anything with ``dumps`` and
        ``loads``. ``"pickle"`` runs what is stored there: only for servers that nobody else writes to.
    keys
        How keys are named: None for text as it is; a `KeyCodec`, the text of a `Template`, or a pair of
        functions.
    ttl
        For how many seconds an item is there after each write; None for ever. The server deletes it.
    value_type
        A class, or several, that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    InvalidArgumentError
        If an option is not one of those above.
    UnsupportedError
        If the package redis is not installed, or the client is that of a cluster.

    Notes
    -----
    Making a store sends nothing. Threads, processes, machines: any number; conditional operations are
    linearizable, plain writes included. A write whose answer is lost counts once, or raises
    `OutcomeUnknownError`. What a returned write has survived is a setting of the server: `durability` asks
    for it. After a crash of the client it is all there. Cost: one round trip an operation; `update`, `items`
    and `values` send 1,000 commands at once. Listing asks with SCAN, gives each key once, and in no order.

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
            raise UnsupportedError(
                "RedisStore needs the package redis: pip install 'holdall[redis]'"
            ) from error
        place = RedisPersister(server, prefix=prefix, ttl=ttl)
        self._params = {**options, "server": place.location}
        self._assemble(
            place,
            as_key_codec(keys),
            get_serializer(serializer),
            value_type=value_type,
            append_only=append_only,
        )

    @property
    def prefix(self) -> str:
        """With what the keys of all items start."""
        return str(under(self)[0].prefix)

    def set(self, key: K, value: V, ttl: float | None = None) -> None:
        """Store a value that is there for so many seconds.

        Parameters
        ----------
        key
            The key to store it under.
        value
            The value.
        ttl
            For how many seconds it is there; None for ever. The next write sets it anew.

        Raises
        ------
        InvalidArgumentError
            If `ttl` is no number above 0.
        """
        from holdall.persisters.redis import _checked  # noqa: PLC0415  (an extra)

        compiled = self._compiled
        id = compiled.id(key)
        data = compiled.data(key, id, value)
        place, id = under(self, id)
        place.write_living(id, data, _checked(ttl))

    def time_left(self, key: K) -> float:
        """Return for how many seconds an item is there yet; infinity for ever.

        Parameters
        ----------
        key
            The key of the item.

        Raises
        ------
        KeyError
            If the key is absent.
        """
        place, id = under(self, self._compiled.id(key))
        try:
            return float(place.time_left(id))
        except KeyError:
            raise KeyError(key) from None

    def durability(self) -> dict[str, str]:
        """Return what the server says of what its "OK" has survived, and what it evicts.

        Returns
        -------
        dict
            ``log``: ``"always"``, ``"everysec"``, ``"no"``, ``"off"`` or ``"unknown"``; ``eviction``: the
            policy of the server, ``"noeviction"`` if it deletes nothing, or ``"unknown"``.
        """
        return dict(under(self)[0].durability())
