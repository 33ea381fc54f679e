"""A store in an LMDB database."""

import os
from typing import Any

from holdall._options import Durability, given, not_imported
from holdall.keys import AnyKeys, as_key_codec
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._place import under
from holdall.store._typing import K, V
from holdall.stores._recorded import recorded_keys, recorded_serializer

__all__ = ["LmdbStore"]


class LmdbStore(Store[K, V]):
    """An LMDB database as a dict: the fastest local store for many small values.

    Parameters
    ----------
    path
        The folder of the database, made if it does not exist. None for a private temporary one, which is
        deleted with its last handle.
    table
        The table in the database; one database may hold many stores.
    serializer
        How values are written: a name such as ``"json"``, a `Serializer`, or anything with ``dumps`` and
        ``loads``. None for the one that the table was made with, or pickle for a new table.
    keys
        How keys are named: None for `AnyKeys`, hashables made of literals with their types; ``str`` or
        ``tuple`` for paths, as in folders; a `KeyCodec`; or a pair of functions.
    durability
        What a returned write survives: ``"process"``, the death of the process, or ``"power"``, a power
        failure. After a power failure, a database of ``"process"`` may be damaged as a whole.
    read_only
        Whether to read an existing database and never change it.
    trust
        Whether to load pickles from a database that other users could have written.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    MismatchError
        If the folder contains another database, or the table was made with another serializer or key codec.
    StoreNotFoundError
        If the database is only to be read and does not exist.
    UnsupportedError
        If it is on a file system of another machine, or the package lmdb is not installed.
    UntrustedStoreError
        If other users could have written it, and the serializer could run code in it.

    Notes
    -----
    Threads and processes: any number may read and write; readers never wait, writers take turns, and
    conditional operations are linearizable on the machine, plain writes included. `update` is one
    transaction, as are the writes of a `transaction` block. After a crash: every returned write is there,
    within its `durability`. Cost: one transaction per operation; with ``durability="power"`` one flush of the
    disk per write. The file grows as needed; space of deleted items is used again, but not returned to the
    disk.

    Iteration is in the order of ids, by pages of up to 1,000, and includes items written ahead of it
    meanwhile: to write new keys during iteration, iterate over ``list(store)``.

    Examples
    --------
    >>> store = LmdbStore()
    >>> store["x", 1] = {"accent": "#fa0"}
    >>> store.update({i: i * i for i in range(3)})
    >>> store["x", 1], store[2], len(store)
    ({'accent': '#fa0'}, 4, 4)
    >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        table: str = "items",
        serializer: Any = None,
        keys: Any = None,
        durability: Durability = "process",
        read_only: bool = False,
        trust: bool = False,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        try:
            from holdall.persisters.lmdb import LmdbPersister, recorded  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise not_imported("LmdbStore", error, "lmdb") from error
        made = {} if path is None else recorded(path, table)
        if serializer is None:
            serializer = recorded_serializer(made, f"table {table!r} in {path!s}")
        codec_of_values = get_serializer(serializer)
        codec_of_keys = (
            recorded_keys(made, codec_of_values, AnyKeys()) if keys is None else as_key_codec(keys)
        )
        persister = LmdbPersister(
            path,
            table=table,
            durability=durability,
            guard=codec_of_values.executes_code and not trust,
            read_only=read_only,
            record={"serializer": codec_of_values.name, "keys": repr(codec_of_keys)},
        )
        self._params = {**options, "serializer": serializer or codec_of_values.name}
        self._assemble(
            persister, codec_of_keys, codec_of_values, value_type=value_type, append_only=append_only
        )

    @property
    def path(self) -> str:
        """The folder of the database, absolute."""
        return str(under(self)[0].path)

    @property
    def nbytes(self) -> int:
        """Bytes that the database takes on the disk, all tables together."""
        return int(under(self)[0].nbytes)
