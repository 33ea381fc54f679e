"""A store in a table of an SQL database."""

from typing import Any

from holdall._options import given, not_imported
from holdall.keys import AnyKeys, as_key_codec
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._typing import K, V

__all__ = ["SQLStore"]


class SQLStore(Store[K, V]):
    """A table of PostgreSQL, MySQL, MariaDB or SQLite as a dict, for any number of machines.

    Parameters
    ----------
    target
        The URL of a database, as in SQLAlchemy: ``postgresql://user:password@host/name``, ``mysql://``,
        ``mariadb://``, ``sqlite:///file.db``; or an engine of SQLAlchemy.
    table
        Name of the table, made if it does not exist.
    timeout
        Seconds to wait for transactions of others to end, then `StoreTimeoutError` is raised. A
        ``lock_timeout`` of PostgreSQL, or a ``timeout`` in the URL of a file of SQLite, is used instead.
    serializer
        How values are written: a name, a `Serializer`, or anything with ``dumps`` and ``loads``.
    keys
        How keys are named: None for `AnyKeys`, or anything that `as_key_codec` takes.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.
    UnsupportedError
        If SQLAlchemy or the driver is not installed.
    MismatchError
        If there is a table of that name with other columns.
    StoreUnavailableError
        If the server does not answer, or refuses the request.

    Notes
    -----
    Threads, processes, machines: conditional operations, `increment`, `setdefault` and the like are
    linearizable among all. `update` is one transaction; `transaction()` makes one transaction of several
    writes. After a crash: the acknowledged writes, according to the settings of the server. Cost: one round
    trip per operation.

    Examples
    --------
    >>> import tempfile
    >>> store = SQLStore(f"sqlite:///{tempfile.mkdtemp()}/x.db", table="runs")
    >>> store["a", 1] = {"loss": 0.5}
    >>> store["a", 1], store.increment("visits"), len(store)
    ({'loss': 0.5}, 1, 2)
    >>> store.close()
    """

    def __init__(
        self,
        target: Any,
        *,
        table: str = "items",
        timeout: float = 60.0,
        serializer: Any = "json",
        keys: Any = None,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        try:
            from holdall.persisters.sql import SqlPersister  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise not_imported("SQLStore", error, "sql") from error
        persister = SqlPersister(target, table=table, timeout=timeout)
        self._params = options
        self._assemble(
            persister,
            AnyKeys() if keys is None else as_key_codec(keys),
            get_serializer(serializer),
            value_type=value_type,
            append_only=append_only,
        )

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if not isinstance(self._params["target"], str):  # an engine, which cannot be pickled
            return {**state, "_params": {**self._params, "target": None}}
        return state
