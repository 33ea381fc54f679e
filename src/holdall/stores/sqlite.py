"""A store in one SQLite file."""

import os
from typing import Any, TypeVar

from holdall.keys import AnyKeys, as_key_codec
from holdall.persisters.sqlite import SqlitePersister, recorded
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._nested import ground
from holdall.stores._recorded import check_recorded

__all__ = ["SQLiteStore"]

K = TypeVar("K")
V = TypeVar("V")


class SQLiteStore(Store[K, V]):
    """One SQLite file as a dict: for many small values, safe among threads and processes.

    Parameters
    ----------
    path
        The file; it and its folder are made if they are not there. None for a private temporary one;
        its name is in `path`, and it is deleted with the last handle of it, at the latest at the end of the
        process.
    table
        The table in the file; one file may hold many stores.
    serializer
        How values are written: a name (``"pickle"``, ``"json"``, ``"text"``, ``"bytes"``, ``"npy"``,
        ``"npz"``), a `Serializer`, or anything with ``dumps`` and ``loads``. None takes the one the
        table was made with, and pickle for a new table.
    keys
        How keys are named: None for `AnyKeys`, hashables built of literals, types kept apart; a
        `KeyCodec`; or a pair of functions.
    durability
        What a returned write has survived: ``"process"``, the death of the process, or ``"power"``,
        a power cut.
    read_only
        Whether to read an existing file and never change it.
    trust
        Whether to load pickles from a file that other users could have written.
    timeout
        How long to wait for other writers, in seconds.
    value_type
        A class, or several, that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    MismatchError
        If the file is a database of another program, or the table was made with another serializer or
        key codec.
    StoreNotFoundError
        If the file is to be read and is not there, or has no such table.
    StoreUnavailableError
        If the file cannot be opened, or others keep it locked for longer than `timeout`.
    UntrustedStoreError
        If other users could have written the file, and the serializer could run what they wrote, or is not
        given.

    Notes
    -----
    Threads and processes: any number may read and write; readers never wait, writers take turns, and
    conditional operations are linearizable on the machine, plain writes included. `update` is one
    transaction: all of it or, after an error, nothing. (Each `DELETE_CURRENT` in it begins another one, and
    with `append_only` each item is one.) After a crash: every returned write is there, within its
    `durability`. Cost: one statement a read or write, about a tenth more than SQLite's own; values of over
    about 1,000 bytes cost a second one. Large values are written without a copy, and take their size once
    when they are read with ``[]``, `get`, `items` and `values`; `pop` holds the data, too.

    Iteration goes in the order of the ids by pages of up to 1,000, and meets what is written ahead of it
    meanwhile: to write new keys on the way, iterate over ``list(store)``.

    The file must lie on a disk of this machine: SQLite's log needs memory that all processes share. Do not
    delete or replace it while it is open: who has it open goes on with the file that was there.

    Examples
    --------
    >>> store = SQLiteStore()
    >>> store["x", 1] = {"accent": "#fa0"}
    >>> store.update({i: i * i for i in range(3)})
    >>> store["x", 1], store[2], len(store)
    ({'accent': '#fa0'}, 4, 4)
    >>> store.check()
    []
    >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        table: str = "items",
        serializer: Any = None,
        keys: Any = None,
        durability: str = "process",
        read_only: bool = False,
        trust: bool = False,
        timeout: float = 60.0,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        if serializer is None and path is not None:
            name = recorded(path, table, "serializer", guard=not trust)
            serializer = check_recorded(name, f"table {table!r} in {path!s}")
        codec_of_values = get_serializer(serializer)
        codec_of_keys = AnyKeys() if keys is None else as_key_codec(keys)
        place = SqlitePersister(
            path,
            table=table,
            durability=durability,
            guard=codec_of_values.executes_code and not trust,
            read_only=read_only,
            timeout=timeout,
            record={"serializer": codec_of_values.name, "keys": repr(codec_of_keys)},
        )
        self._params = {
            "path": None if path is None else os.fspath(path),
            "table": table,
            "serializer": serializer or codec_of_values.name,
            "keys": keys,
            "durability": durability,
            "read_only": read_only,
            "trust": trust,
            "timeout": timeout,
            "value_type": value_type,
            "append_only": append_only,
        }
        self._assemble(
            place,
            codec_of_keys,
            codec_of_values,
            value_type=value_type,
            append_only=append_only,
        )

    @property
    def _database(self) -> SqlitePersister:
        return ground(self)[0]  # type: ignore[no-any-return]

    @property
    def path(self) -> str:
        """The file, absolute."""
        return self._database.path

    @property
    def nbytes(self) -> int:
        """Bytes that the file and its write-ahead log take on the disk, all tables together."""
        return self._database.nbytes

    def check(self) -> list[str]:
        """Look at every page of the file, and at what belongs together in the table.

        Returns
        -------
        list of str
            What is wrong, a sentence each; empty if nothing is.

        Raises
        ------
        StoreUnavailableError
            If the file cannot be read at all.
        """
        return self._database.check()

    def vacuum(self) -> int:
        """Write the file anew without the room of what was deleted.

        Returns
        -------
        int
            Bytes that were given back; less than none if somebody who reads kept the log from being emptied
            for longer than the timeout.

        Raises
        ------
        StoreUnavailableError
            If others keep the database locked for longer than the timeout.
        """
        return self._database.vacuum()
