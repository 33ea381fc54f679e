"""`ArchiveStore`: any store as a package of Python modules, one per item."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

from holdall._options import DataFormat, checked_path
from holdall.abc import Capability, Persister
from holdall.archive._info import LOG_NAME, InfoLog
from holdall.archive._items import Items, encode_info
from holdall.archive._lock import locked, sweep
from holdall.archive._package import is_data_set, make_package
from holdall.archive.naming import check_name
from holdall.conditional import ANY_ETAG, VALUE_NOT_RETRIEVED, Expected, Stat
from holdall.errors import (
    InvalidArgumentError,
    MismatchError,
    ReadOnlyError,
    StoreNotFoundError,
)
from holdall.keys import AnyKeys
from holdall.store import Store
from holdall.store._typing import K, V

__all__ = ["ArchivePersister", "ArchiveStore"]


# The prefix of names of modules for ids that are not identifiers.
_PREFIX = "key_"
_MADE = re.compile(r"key_(?:[A-Za-z0-9]|_[0-9a-f]+_)*")
_PART = re.compile(r"_([0-9a-f]+)_")
_OTHERS = re.compile(r"[^A-Za-z0-9]")
_MAX_NAME = 120
_SHORT = 500_000  # bytes of the log of names that are read in a moment


def module_name(id: str) -> str:
    """Return the name of the module of an id: the id itself, if it is an identifier.

    Examples
    --------
    >>> module_name("weights"), module_name("runs/7"), module_name("class")
    ('weights', 'key_runs_2f_7', 'key_class')
    """
    if len(id) <= _MAX_NAME and not id.startswith(_PREFIX):
        try:
            check_name(id)
        except InvalidArgumentError:
            pass
        else:
            return id
    name = _PREFIX + _OTHERS.sub(lambda found: f"_{ord(found[0]):x}_", id)
    if len(name) > _MAX_NAME:
        return f"{_PREFIX}_{blake2b(id.encode('utf-8', 'surrogatepass'), digest_size=20).hexdigest()}"
    return name


def id_of(name: str, info: Any) -> str:
    """Return the id of a module, given its metadata, which have the ids that are too long for a name."""
    if not name.startswith(_PREFIX):
        return name
    if not _MADE.fullmatch(name):
        return info["key"] if isinstance(info, dict) and isinstance(info.get("key"), str) else name
    return _PART.sub(lambda found: chr(int(found[1], 16)), name[len(_PREFIX) :])


class ArchivePersister(Persister):
    """Any objects in the package of a `DataSet`, with one module per id.

    Parameters
    ----------
    path
        The folder of the package; its name is an identifier.
    array_threshold, data_format, mmap, scoped
        As for `DataSet`.
    read_only
        Whether to refuse writes; the package must exist then.
    timeout
        Seconds to wait for another writer.
    trust
        Whether to read items that users other than you and root could have written.

    Raises
    ------
    StoreNotFoundError
        If there is nothing to read.
    MismatchError
        If the folder is something else.

    Notes
    -----
    Threads and processes: compare-and-swap is linearizable on the machine, by a lock of the operating system
    that ends with its process; readers never wait. After a crash of a process: each item is the old or the
    new one as a whole. Cost: a read executes a module; a write emits, checks and replaces one, and appends a
    line.

    Examples
    --------
    >>> import tempfile
    >>> persister = ArchivePersister(os.path.join(tempfile.mkdtemp(), "kept"))
    >>> persister["runs/7"] = {"alpha": 0.5}
    >>> sorted(os.listdir(persister.path))
    ['__init__.py', '_info.jsonl', '_locked', '_this_dir_is_a_DataSet', 'key_runs_2f_7.py']
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        array_threshold: float = 1000,
        data_format: DataFormat = "npy",
        mmap: bool = False,
        scoped: bool = True,
        read_only: bool = False,
        timeout: float = 60,
        trust: bool = False,
    ) -> None:
        self.path = os.path.abspath(checked_path(path, "folder"))
        name = os.path.basename(self.path)
        check_name(name, allowed={name})
        if data_format not in ("npy", "npz", "hdf5"):
            raise InvalidArgumentError(f"data_format is 'npy', 'npz' or 'hdf5', got {data_format!r}")
        if mmap and data_format == "npz":
            raise InvalidArgumentError("arrays in an npz file cannot be mapped: use 'npy' or 'hdf5'")
        self.read_only = bool(read_only)
        self.timeout = timeout
        self._make()
        self._items = Items(
            self.path, array_threshold=array_threshold, data_format=data_format, scoped=scoped, mmap=mmap,
            backup=False, trust=trust,
        )  # fmt: skip
        self._log = InfoLog(os.path.join(self.path, LOG_NAME), encode_info, self._items.decode_info)
        if not read_only:
            sweep(self.path)
        reads = {Capability.PERSISTENT, Capability.MTIME, Capability.CHEAP_STAT}
        writes = {Capability.WRITABLE, Capability.CAS_THREADS, Capability.CAS_HOST}
        self.capabilities = frozenset(reads if read_only else reads | writes)

    def _make(self) -> None:
        """Make the package if it does not exist."""
        if is_data_set(self.path):
            return
        if os.path.isdir(self.path) and os.listdir(self.path):
            raise MismatchError(f"{self.path!r} is a folder of something else, and no package of holdall")
        if self.read_only:
            raise StoreNotFoundError(2, "there is no package of holdall", self.path)
        make_package(self.path)
        if not is_data_set(self.path):
            raise MismatchError(f"{self.path!r} became a folder of something else meanwhile")

    @property
    def at_hand(self) -> bool:
        """Whether the log of names is short."""
        return os.path.getsize(self._log.path) <= _SHORT

    def glance(self, id: str, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        del limit
        return VALUE_NOT_RETRIEVED, self.stat(id)  # to read is to execute a module

    @property
    def place(self) -> str:  # docstring inherited
        return self.path

    # -- reading

    def _names(self) -> InfoLog:
        with self.lock:
            self._log.refresh()
            return self._log

    def _name(self, id: Any) -> str:
        """Return the name of the module of an id, or raise `KeyError`."""
        if not isinstance(id, str):
            raise KeyError(id)
        name = module_name(id)
        if name not in self._names():
            raise KeyError(id)
        return name

    def __getitem__(self, id: str) -> Any:
        return self.read(id)[0]

    def read(self, id: str) -> tuple[Any, Stat]:  # docstring inherited
        try:
            value, stat = self._items.read(self._name(id))
        except KeyError:
            raise KeyError(id) from None
        return value, _stat(stat)

    def stat(self, id: str) -> Stat:  # docstring inherited
        try:
            return _stat(os.stat(self._items.path(self._name(id))))
        except (FileNotFoundError, KeyError):
            raise KeyError(id) from None

    def __contains__(self, id: object) -> bool:
        try:
            return self._items.exists(self._name(id))
        except KeyError:
            return False

    def __iter__(self) -> Iterator[str]:
        with self.lock:
            log = self._names()
            ids = [(name, id_of(name, log[name] if name.startswith(_PREFIX) else None)) for name in log]
        return iter([id for name, id in ids if self._items.exists(name)])

    # -- writing

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self.read_only:
            raise ReadOnlyError(f"{self.path} was opened for reading")
        with self.lock, locked(self.path, self.timeout):
            self._log.refresh()
            yield

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self.write(id, data)

    __setitem__ = put

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        name = module_name(id)
        with self._writing():
            self.require(id, expected)
            encoded = None if name in self._log else self._log.encoded(_info(name, id))
            self._items.put(self._log, name, data, encoded)
            return self.stat(id)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        with self._writing():
            self.require(id, expected)
            if id not in self:
                raise KeyError(id)
            name = module_name(id)
            self._log.delete(name, self._items.time(name), self._items.n_arrays(name))
            self._items.delete(name)

    def __delitem__(self, id: str) -> None:
        self.remove(id)


def _info(name: str, id: str) -> Any:
    """Return the metadata of an id that differs from its module's name."""
    return None if id_of(name, None) == id else {"key": id}


def _stat(found: os.stat_result) -> Stat:
    return Stat(f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}", found.st_mtime, found.st_size)


class ArchiveStore(Store[K, V]):
    """A store that is a Python package: each item is a module that can be imported, with or without holdall.

    ``store.copy_to(ArchiveStore("kept"))`` makes a package from any store. It is a `DataSet`, too.

    Parameters
    ----------
    path
        The folder of the package; its name is an identifier. Parent folders are made.
    keys
        How keys are named; None for `AnyKeys`.
    array_threshold
        Arrays with more items than this have files of their own.
    data_format
        The format of these: ``"npy"``, ``"npz"`` or ``"hdf5"``.
    mmap
        Whether written arrays are mapped into memory when they are read. Not for ``npz``.
    scoped
        Whether items are made in functions, as by `Archive`.
    read_only
        Whether to refuse writes; the package must exist then.
    timeout
        Seconds to wait for another writer.
    trust
        Whether to read items that users other than you and root could have written. They are Python, and are
        run.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    StoreNotFoundError
        If there is nothing to read.
    MismatchError
        If the folder is something else.
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Values are those of `Archive`: they come back equal, each time as a new object. The module of a key that
    is an identifier has that name; other names are made, as ``key_runs_2f_7`` for ``"runs/7"``. Keys that
    differ only in case need a case-sensitive file system. The value None cannot replace its module.

    Threads and processes: any number may read and write; conditional operations are linearizable on the
    machine. After a crash: each item is the old or the new one as a whole. Cost: a read executes a module.

    Examples
    --------
    >>> import sys, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> results = Store({"alpha": 0.5, "runs/7": [1, 2]})
    >>> results.copy_to(ArchiveStore(os.path.join(folder, "outcome_2020")))
    2
    >>> sys.path.append(folder)
    >>> import outcome_2020.alpha, outcome_2020.key_runs_2f_7
    >>> outcome_2020.alpha, outcome_2020.key_runs_2f_7
    (0.5, [1, 2])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keys: Any = None,
        array_threshold: float = 1000,
        data_format: DataFormat = "npy",
        mmap: bool = False,
        scoped: bool = True,
        read_only: bool = False,
        timeout: float = 60,
        trust: bool = False,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = {
            "array_threshold": array_threshold, "data_format": data_format, "mmap": mmap, "scoped": scoped,
            "read_only": read_only, "timeout": timeout, "trust": trust,
        }  # fmt: skip
        super().__init__(
            ArchivePersister(path, **options),  # type: ignore[arg-type]
            keys=AnyKeys() if keys is None else keys,
            value_type=value_type,
            append_only=append_only,
        )
        del self._params["persister"]
        self._params |= {"path": os.fspath(path), **options, "keys": keys}
