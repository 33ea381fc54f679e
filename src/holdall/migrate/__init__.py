"""What other libraries have left, opened as stores that are read and never changed.

Each is a scheme of addresses, too: ``holdall.open("shelve:path")``, and on the command line
``holdall import TARGET shelve:path``. Pickles are loaded only from files that nobody else could have written,
or by ``trust=True``.
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
        How chest was told to write values: ``"json"`` where ``dump`` and ``load`` were those of json.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is nothing of the kind.
    UntrustedStoreError
        When a pickle is loaded that somebody else could have written.
    """
    from holdall.migrate._folders import ChestReader  # noqa: PLC0415  (only what is asked for)

    return Store(ChestReader(path, serializer, trust=trust))


def open_diskcache(path: _Path, *, trust: bool = False) -> Store[Any, Any]:
    """Open a folder of diskcache: keys, values and times of what has not ended yet.

    Parameters
    ----------
    path
        The folder, with a ``cache.db`` in it. Each part of a FanoutCache is one.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is nothing of the kind.
    UntrustedStoreError
        When a pickle is loaded that somebody else could have written.
    UnsupportedError
        If it was written by a JSONDisk.
    """
    from holdall.migrate._tables import DiskcacheReader  # noqa: PLC0415  (only what is asked for)

    return Store(DiskcacheReader(path, trust=trust))


def open_joblib(path: _Path, *, listing: bool = False, trust: bool = False) -> Store[Any, Any]:
    """Open a cache of joblib: a result by module, function and digest of the arguments.

    Parameters
    ----------
    path
        What `joblib.Memory` was given.
    listing
        Whether values are what is told of the calls (function, arguments as text, seconds), not results.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is nothing of the kind.
    UntrustedStoreError
        When a pickle is loaded that somebody else could have written.
    UnsupportedError
        When a result is read, and joblib is not installed.
    """
    from holdall.migrate._folders import JoblibReader  # noqa: PLC0415  (only what is asked for)

    return Store(JoblibReader(path, listing=listing, trust=trust))


def open_persidict(
    path: _Path, *, format: str | None = None, digest_len: int = 4, trust: bool = False
) -> Store[Any, Any]:
    """Open a folder of persidict; a key is its parts with slashes between.

    Parameters
    ----------
    path
        The folder.
    format
        The suffix of the files: ``"pkl"``, ``"json"``, or another one for text. None for the only one that
        there is.
    digest_len
        The option of persidict, by which it signs names of files.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is nothing of the kind.
    UntrustedStoreError
        When a pickle is loaded that somebody else could have written.
    UnsupportedError
        When JSON is read of which jsonpickle would make an object; or a pickle, and joblib is not installed.
    """
    from holdall.migrate._folders import PersidictReader  # noqa: PLC0415  (only what is asked for)

    return Store(PersidictReader(path, format, digest_len, trust=trust))


def open_persist(path: _Path, *, trust: bool = False) -> Store[Any, Any]:
    """Open a data set of persist. Its items are modules, which are run when they are read.

    Parameters
    ----------
    path
        The folder of the data set.
    trust
        Whether to run what other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is nothing of the kind.
    MismatchError
        If holdall has written it: `DataSet` opens it.
    UntrustedStoreError
        When an item is read that somebody else could have written.
    """
    from holdall.migrate._folders import PersistReader  # noqa: PLC0415  (only what is asked for)

    return Store(PersistReader(path, trust=trust))


def open_pickles(path: _Path, *, trust: bool = False) -> Store[Any, Any]:
    """Open a folder of pickles, as py2store and dol keep them: a key is the path of a file in it.

    Parameters
    ----------
    path
        The folder.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is nothing of the kind.
    UntrustedStoreError
        When a pickle is loaded that somebody else could have written.
    """
    from holdall.stores.files import FileDirStore  # noqa: PLC0415  (only what is asked for)

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
        If there is nothing of the kind.
    UnsupportedError
        If a value needs code to be loaded, and `trust` is not given.
    """
    from holdall.migrate._folders import PycabooseReader  # noqa: PLC0415  (only what is asked for)

    return Store(PycabooseReader(path, trust=trust))


def open_shelve(path: _Path, *, trust: bool = False) -> Store[Any, Any]:
    """Open a shelf of the standard library.

    Parameters
    ----------
    path
        What `shelve.open` was given.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is nothing of the kind.
    MismatchError
        If no dbm of this Python can read it.
    UntrustedStoreError
        When a pickle is loaded that somebody else could have written.

    Examples
    --------
    >>> import os, shelve, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "shelf")
    >>> with shelve.open(path) as shelf:
    ...     shelf["a"] = [1, 2]
    >>> dict(open_shelve(path))
    {'a': [1, 2]}
    """
    from holdall.migrate._tables import ShelveReader  # noqa: PLC0415  (only what is asked for)

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
        How it was told to write values: ``"json"`` where ``encode`` was ``json.dumps``.
    trust
        Whether to load pickles that other users could have written.

    Raises
    ------
    StoreNotFoundError
        If there is nothing of the kind.
    UntrustedStoreError
        When a pickle is loaded that somebody else could have written.
    """
    from holdall.migrate._tables import SqlitedictReader  # noqa: PLC0415  (only what is asked for)

    return Store(SqlitedictReader(path, table, serializer, trust=trust))
