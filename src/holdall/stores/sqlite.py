"""A store in one SQLite file."""

import os
from typing import Any

from holdall._options import Durability, given
from holdall.errors import MismatchError
from holdall.keys import AnyKeys, PathKeys, as_key_codec
from holdall.persisters.sqlite import SqlitePersister, recorded
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._compiled import missing
from holdall.store._place import under
from holdall.store._typing import K, V
from holdall.stores._recorded import recorded_keys, recorded_serializer

__all__ = ["SQLiteStore", "database"]


class SQLiteStore(Store[K, V]):
    """One SQLite file as a dict: for many small values, safe among threads and processes.

    Parameters
    ----------
    path
        The file; it and its folder are made if they do not exist. None for a private temporary one; its name
        is in `path`, and it is deleted with its last handle, or at the end of the process.
    table
        The table in the file; one file may hold many stores.
    serializer
        How values are written: a name (``"pickle"``, ``"json"``, ``"text"``, ``"bytes"``, ``"npy"``,
        ``"npz"``), a `Serializer`, or anything with ``dumps`` and ``loads``. None for the one that the table
        was made with, or pickle for a new table.
    keys
        How keys are named: None for `AnyKeys`, hashables made of literals with their types; ``str`` or
        ``tuple`` for paths, as in folders; a `KeyCodec`; or a pair of functions.
    durability
        What a returned write survives: ``"process"``, the death of the process, or ``"power"``, a power
        failure.
    read_only
        Whether to read an existing file and never change it.
    trust
        Whether to load pickles from a file that other users could have written.
    timeout
        Seconds to wait for other writers.
    files_from
        Size in bytes, over 960, from which a value is written to a file of its own, in a folder beside the
        database: its name with ``-files`` after it. Large arrays are then written and read as fast as files,
        and can be mapped into memory. None writes all to the database.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    MismatchError
        If the file is a database of another program, or the table was made with another serializer or key
        codec.
    StoreNotFoundError
        If the file is only to be read and does not exist, or has no such table.
    StoreUnavailableError
        If the file cannot be opened, or others keep it locked for longer than `timeout`.
    UntrustedStoreError
        If other users could have written the file, and the serializer could run code in it, or is not given.

    Notes
    -----
    Threads and processes: any number may read and write; readers never wait, writers take turns, and
    conditional operations are linearizable on the machine, plain writes included. `update` is one
    transaction: all of it or, after an error, nothing. (Each `DELETE_CURRENT` in it begins another one, and
    with `append_only` each item is one.) After a crash: every returned write is there, within its
    `durability`. Cost: one statement per read or write, about a tenth more than SQLite's own; values of over
    about 1,000 bytes cost a second one. Large values are written without a copy; `[]`, `get`, `items` and
    `values` hold them in memory once, `pop` also holds the data.

    With `files_from`, the database records which file a value has, so that all of the above applies to large
    values too. Move or copy the database together with its folder.

    Iteration is in the order of ids, by pages of up to 1,000, and includes items written ahead of it
    meanwhile: to write new keys during iteration, iterate over ``list(store)``.

    The file must be on a disk of this machine: SQLite's log needs memory that all processes share. Do not
    move, delete or replace it while it is open: what is still in its log stays behind, and the next write
    goes to what is at the path then.

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
        durability: Durability = "process",
        read_only: bool = False,
        trust: bool = False,
        timeout: float = 60.0,
        files_from: int | None = None,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        made = {}
        if serializer is None and path is not None:
            made = recorded(path, table, guard=not trust)
            serializer = recorded_serializer(made, f"table {table!r} in {path!s}")
        codec_of_values = get_serializer(serializer)
        codec_of_keys = (
            recorded_keys(made, codec_of_values, AnyKeys()) if keys is None else as_key_codec(keys)
        )
        how: dict[str, Any] = {
            "table": table,
            "durability": durability,
            "guard": codec_of_values.executes_code and not trust,
            "read_only": read_only,
            "timeout": timeout,
            "files_from": files_from,
        }
        try:
            record = {"serializer": codec_of_values.name, "keys": repr(codec_of_keys)}
            persister = database(path, record=record, **how)
        except MismatchError:
            if keys is not None or path is None:
                raise
            # Reading the metadata costs a connection: only where they can differ.
            made = recorded(path, table, guard=not trust)
            known = recorded_keys(made, codec_of_values, codec_of_keys)
            if known == codec_of_keys:
                raise
            codec_of_keys = known
            persister = database(path, record={**record, "keys": repr(known)}, **how)
        self._params = {**options, "serializer": serializer or codec_of_values.name}
        self._assemble(
            persister,
            codec_of_keys,
            codec_of_values,
            value_type=value_type,
            append_only=append_only,
        )

    @property
    def _database(self) -> SqlitePersister:
        return under(self)[0]  # type: ignore[no-any-return]

    @property
    def path(self) -> str:
        """The file, absolute."""
        return self._database.path

    @property
    def nbytes(self) -> int:
        """Bytes that the database takes on the disk, all tables together, and the files of this one."""
        return self._database.nbytes

    def file_of(self, key: K) -> str | None:
        """Return the path of the file that a value has of its own; None if it is in the database.

        Such a file never changes; it is deleted when its item is deleted or gets another value. Map it, or
        make a hard link to it, to keep the data.

        Parameters
        ----------
        key
            An existing key.

        Raises
        ------
        KeyError
            If the key is absent.

        Examples
        --------
        >>> store = SQLiteStore(serializer="bytes", files_from=1000)
        >>> store.update(small=b"in the database", large=bytes(5000))
        >>> store.file_of("small") is None, os.path.getsize(store.file_of("large"))
        (True, 5000)
        """
        persister, id = under(self, self._compiled.id(key))
        try:
            return persister.file_of(id)  # type: ignore[no-any-return]
        except KeyError as error:
            raise missing(key, error) from None

    def check(self) -> list[str]:
        """Check every page of the file, and the consistency of the table.

        Returns
        -------
        list of str
            What is wrong, one sentence each; empty if nothing is.

        Raises
        ------
        StoreUnavailableError
            If the file cannot be read at all.
        """
        return self._database.check()

    def vacuum(self) -> int:
        """Rewrite the file without the space of deleted data.

        Returns
        -------
        int
            Bytes that were freed; negative if a reader prevented the log from being emptied within the
            timeout.

        Raises
        ------
        StoreUnavailableError
            If others keep the database locked for longer than the timeout.
        """
        return self._database.vacuum()


def database(
    path: str | os.PathLike[str] | None,
    *,
    table: str = "items",
    durability: Durability = "process",
    guard: bool = False,
    read_only: bool = False,
    timeout: float = 60.0,
    files_from: int | None = None,
    record: dict[str, str] | None = None,
) -> SqlitePersister:
    """Return a persister of a database for small data and, beside it, a folder for large ones.

    Parameters are those of `SqlitePersister`. The folder has the name of the database and ``-files`` after
    it, with a folder in it for each table but ``"items"``. It is made by the first data of at least
    `files_from` bytes.

    Examples
    --------
    >>> with database(None, files_from=1000) as persister:
    ...     persister["small"], persister["large"] = b"1", bytes(5000)
    ...     persister.file_of("small") is None, os.path.getsize(persister.file_of("large"))
    (True, 5000)
    """
    folder = _folder_beside(path, table)
    there = folder is not None and os.path.isdir(folder)
    if read_only:
        files_from = None
    files: Any = None
    if there or files_from is not None:
        from holdall.persisters.files import FilesPersister  # noqa: PLC0415  (small data need none)

        files = FilesPersister(folder, durability=durability, guard=guard, read_only=read_only)
    return SqlitePersister(
        path,
        table=table,
        durability=durability,
        guard=guard,
        read_only=read_only,
        timeout=timeout,
        record=record,
        files=files,
        files_from=files_from,
    )


def _folder_beside(path: Any, table: Any) -> str | None:
    """Return the folder for the large data of a table; None for a temporary one."""
    if not isinstance(path, str | os.PathLike) or not isinstance(table, str):
        return None  # the persister raises what is wrong
    try:
        folder = f"{os.path.realpath(os.fspath(path))}-files"
    except (ValueError, TypeError):
        return None
    return folder if table == "items" else os.path.join(folder, PathKeys().encode(table))
