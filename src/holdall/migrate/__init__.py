"""Read-only stores over the data of other libraries.

Each is a scheme of addresses, too: ``holdall.open("shelve:path")``, and on the command line ``holdall import
TARGET shelve:path``. Pickles are loaded only from files that nobody else could have written, or with
``trust=True``.
"""

import os
from typing import Any, TypeAlias

from holdall.store import Store

__all__ = [
    "open_chest",
    "open_diskcache",
    "open_joblib",
    "open_persidict",
    "open_persist",
    "open_pickles",
    "open_pycaboose",
    "open_shelve",
    "open_sqlitedict",
]

_Path: TypeAlias = str | os.PathLike[str]


def open_chest(path: _Path, *, serializer: Any = "pickle", trust: bool = False) -> Store[Any, Any]:
    """Open a folder of chest. Its ``.keys`` is read, which chest writes when it is flushed.

    Parameters
    ----------
    path
        The folder.
    serializer
        How chest wrote values: ``"json"`` where ``dump`` and ``load`` were those of json.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is no such folder.
    UntrustedStoreError
        When a pickle is loaded that others could have written.
    """
    from holdall.migrate._folders import ChestReader  # noqa: PLC0415  (imported on use)

    return Store(ChestReader(path, serializer, trust=trust))


def open_diskcache(path: _Path, *, trust: bool = False) -> Store[Any, Any]:
    """Open a folder of diskcache: keys, values and times of the items that have not expired.

    Parameters
    ----------
    path
        The folder, with a ``cache.db`` in it. Each part of a FanoutCache is one.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is no such folder.
    UntrustedStoreError
        When a pickle is loaded that others could have written.
    UnsupportedError
        If it was written by a JSONDisk.
    """
    from holdall.migrate._tables import DiskcacheReader  # noqa: PLC0415  (imported on use)

    return Store(DiskcacheReader(path, trust=trust))


def open_joblib(path: _Path, *, listing: bool = False, trust: bool = False) -> Store[Any, Any]:
    """Open a cache of joblib: results by module, function and digest of the arguments.

    Parameters
    ----------
    path
        The location that was passed to `joblib.Memory`.
    listing
        Whether values are the metadata of calls (function, arguments as text, seconds) instead of results.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is no such cache.
    UntrustedStoreError
        When a pickle is loaded that others could have written.
    UnsupportedError
        When a result is read, and joblib is not installed.
    """
    from holdall.migrate._folders import JoblibReader  # noqa: PLC0415  (imported on use)

    return Store(JoblibReader(path, listing=listing, trust=trust))


def open_persidict(
    path: _Path, *, format: str | None = None, digest_len: int = 4, trust: bool = False
) -> Store[Any, Any]:
    """Open a folder of persidict; a key is its parts, joined by slashes.

    Parameters
    ----------
    path
        The folder.
    format
        The suffix of the files: ``"pkl"``, ``"json"``, or another one for text. None for the only one in the
        folder.
    digest_len
        The option of persidict for the signatures in names of files.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is no such folder.
    UntrustedStoreError
        When a pickle is loaded that others could have written.
    UnsupportedError
        When JSON is read from which jsonpickle would make an object; or a pickle, and joblib is not
        installed.
    """
    from holdall.migrate._folders import PersidictReader  # noqa: PLC0415  (imported on use)

    return Store(PersidictReader(path, format, digest_len, trust=trust))


def open_persist(path: _Path, *, trust: bool = False) -> Store[Any, Any]:
    """Open a data set of persist. Its items are modules, which are run when they are read.

    Parameters
    ----------
    path
        The folder of the data set.
    trust
        Whether to run code that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is no such folder.
    MismatchError
        If holdall wrote it: use `DataSet`.
    UntrustedStoreError
        When an item is read that others could have written.
    """
    from holdall.migrate._folders import PersistReader  # noqa: PLC0415  (imported on use)

    return Store(PersistReader(path, trust=trust))


def open_pickles(path: _Path, *, trust: bool = False) -> Store[Any, Any]:
    """Open a folder of pickles, as of py2store and dol: a key is the path of a file in it.

    Parameters
    ----------
    path
        The folder.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is no such folder.
    UntrustedStoreError
        When a pickle is loaded that others could have written.
    """
    from holdall.stores.files import FileDirStore  # noqa: PLC0415  (imported on use)

    return FileDirStore(path, serializer="pickle", suffix="", read_only=True, trust=trust)


def open_pycaboose(path: _Path, *, trust: bool = False) -> Store[Any, Any]:
    """Open the values that pycaboose has left in a script, by the names of its variables.

    Parameters
    ----------
    path
        The script.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is no such script, or it has no values.
    UnsupportedError
        If loading a value needs code, and `trust` was not given.
    """
    from holdall.migrate._folders import PycabooseReader  # noqa: PLC0415  (imported on use)

    return Store(PycabooseReader(path, trust=trust))


def open_shelve(path: _Path, *, trust: bool = False) -> Store[Any, Any]:
    """Open a shelf of the standard library.

    Parameters
    ----------
    path
        The path that was passed to `shelve.open`.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is no such shelf.
    MismatchError
        If no dbm of this Python can read it.
    UntrustedStoreError
        When a pickle is loaded that others could have written.

    Examples
    --------
    >>> import os, shelve, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "shelf")
    >>> with shelve.open(path) as shelf:
    ...     shelf["a"] = [1, 2]
    >>> dict(open_shelve(path))
    {'a': [1, 2]}
    """
    from holdall.migrate._tables import ShelveReader  # noqa: PLC0415  (imported on use)

    return Store(ShelveReader(path, trust=trust))


def open_sqlitedict(
    path: _Path, *, table: str = "unnamed", serializer: Any = "pickle", trust: bool = False
) -> Store[Any, Any]:
    """Open a table of a file of sqlitedict.

    Parameters
    ----------
    path
        The file.
    table
        Its `tablename`.
    serializer
        How sqlitedict wrote values: ``"json"`` where ``encode`` was ``json.dumps``.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is no such file or table.
    UntrustedStoreError
        When a pickle is loaded that others could have written.
    """
    from holdall.migrate._tables import SqlitedictReader  # noqa: PLC0415  (imported on use)

    return Store(SqlitedictReader(path, table, serializer, trust=trust))
