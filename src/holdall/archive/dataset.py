"""`DataSet`: a folder of items that is an importable package, and a handle to read and write it."""

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, Self

from holdall._options import DataFormat
from holdall._posix.fork import new_lock
from holdall.archive._info import LOG_NAME, InfoLog
from holdall.archive._items import Items, encode_info
from holdall.archive._lock import LOCK_NAME, acquired, locked, sweep
from holdall.archive._package import is_data_set, make_package
from holdall.archive.naming import check_name
from holdall.errors import (
    InvalidArgumentError,
    MismatchError,
    ReadOnlyError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)

__all__ = ["DataSet", "NoDataSetError", "ReadOnlyDataSetError"]

_FORMATS = ("npy", "npz", "hdf5")


class NoDataSetError(StoreNotFoundError, MismatchError):
    """There is no data set to read at the path."""


class ReadOnlyDataSetError(ReadOnlyError, ValueError):
    """The data set was opened in a mode that forbids this write."""


class DataSet:
    """A set of named data, each with metadata: a package that Python imports, with or without holdall.

    ``ds.x = value`` writes a value, ``ds.x`` reads it; ``ds["x"] = info`` and ``ds["x"]`` write and read its
    metadata, which should be small: all of them are read when the set is opened or imported. Values are read
    at each access, so a change of a value in place is not kept: assign it again.

    Parameters
    ----------
    module_name
        Name of the package, and of its folder; it may contain parent folders, as in ``"runs/first"``.
    mode
        ``"r"`` reads an existing set; ``"w"`` reads and writes one, which is made if there is none and never
        emptied; ``"a"`` does so too, but only adds: existing items are neither replaced nor deleted.
    path
        The folder that contains the package.
    synchronize
        Whether to read the writes of others before each operation, and to exclude other writers only while
        writing. Otherwise they are excluded while the set is open for writing.
    array_threshold
        Arrays with more items than this have files of their own.
    data_format
        The format of these: ``"npy"``, ``"npz"`` or ``"hdf5"``.
    backup_data
        Whether to keep replaced modules, as ``x.py.bak``.
    name_prefix
        The prefix of names that `_insert` generates.
    timeout
        Seconds to wait for another writer.
    scoped
        Whether items are made in functions, as by `Archive`.
    mmap
        Whether written arrays are mapped into memory when they are read. Not for ``npz``.
    trust
        Whether to read items that users other than you and root could have written. They are Python, and are
        run.

    Raises
    ------
    NoDataSetError
        If there is nothing to read. It is a FileNotFoundError and a ValueError.
    MismatchError
        If the folder is something else.
    UnsupportedError
        If there is no such mode.
    InvalidArgumentError
        If another argument is invalid.

    Notes
    -----
    Several processes may write a set while others read it or import it. Each item and the list of names are
    replaced as a whole: readers never wait, and find the old or the new state. The lock of writers,
    `_locked`, is one of the operating system and ends with their process. Threads may share a handle. After a
    crash: an item is the old or the new one as a whole; a power failure may leave one just written empty.
    Cost: one source file per write, and per read of an item that was not imported yet.

    Names that begin with an underscore belong to the handle itself.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> ds = DataSet("summits", "w", path=folder)
    >>> ds.heights = [1.5, 2.5]
    >>> ds["heights"] = "metres above the sea"
    >>> ds = DataSet("summits", path=folder)
    >>> ds["heights"], ds.heights
    ('metres above the sea', [1.5, 2.5])

    It can be imported too:

    >>> import sys
    >>> sys.path.append(folder)
    >>> import summits
    >>> summits._info_dict
    {'heights': 'metres above the sea'}
    >>> import summits.heights
    >>> summits.heights
    [1.5, 2.5]
    """

    _lock_file_name = LOCK_NAME

    def __init__(
        self,
        module_name: str,
        mode: Literal["r", "w", "a"] = "r",
        path: Any = ".",
        synchronize: bool = True,
        *,
        array_threshold: float = 100,
        data_format: DataFormat = "npy",
        backup_data: bool = False,
        name_prefix: str = "x_",
        timeout: float = 60,
        scoped: bool = True,
        mmap: bool = False,
        trust: bool = False,
    ) -> None:
        self._held: Any = None  # first, since closing uses it
        self._closed = True
        if mode not in ("r", "w", "a"):
            raise UnsupportedError(f"mode is 'r', 'w' or 'a', got {mode!r}")
        if data_format not in _FORMATS:
            raise InvalidArgumentError(f"data_format is one of {_FORMATS}, got {data_format!r}")
        if mmap and data_format == "npz":
            raise InvalidArgumentError(
                "arrays in an npz file cannot be mapped: use data_format='npy' or 'hdf5'"
            )
        self._module_name = os.fspath(module_name)
        self._path = os.fspath(path)
        self._mode = mode
        self._synchronize = bool(synchronize)
        self._array_threshold = array_threshold
        self._data_format = data_format
        self._backup_data = bool(backup_data)
        self._name_prefix = name_prefix
        self._timeout = timeout
        self._scoped = bool(scoped)
        self._mmap = bool(mmap)
        self._trust = bool(trust)
        self._folder = os.path.abspath(os.path.join(self._path, self._module_name))
        self._check_names()
        self._mutex = new_lock()
        self._open()
        self._items = Items(
            self._folder, array_threshold=array_threshold, data_format=data_format, scoped=scoped, mmap=mmap,
            backup=backup_data, trust=trust,
        )  # fmt: skip
        self._log = InfoLog(os.path.join(self._folder, LOG_NAME), encode_info, self._items.decode_info)
        self._next = 0
        self._closed = False
        if mode != "r":
            sweep(self._folder)
        if mode != "r" and not synchronize:
            self._held = acquired(self._folder, self._timeout)
        self._log.refresh()

    def _check_names(self) -> None:
        check_name(os.path.basename(self._folder), allowed={os.path.basename(self._folder)})
        check_name(self._name_prefix + "0")

    def _open(self) -> None:
        """Make sure that there is a data set."""
        if is_data_set(self._folder):
            return
        if os.path.isdir(self._folder) and os.listdir(self._folder):
            if is_data_set(self._folder):  # another process has made it meanwhile
                return
            raise MismatchError(f"{self._folder!r} is a folder of something else, and no data set")
        if self._mode == "r":
            raise NoDataSetError(errno.ENOENT, "there is no data set: mode 'w' makes one", self._folder)
        if not make_package(self._folder) and not is_data_set(self._folder):
            raise MismatchError(f"{self._folder!r} became a folder of something else meanwhile")

    # -- reading

    def _refreshed(self) -> InfoLog:
        """Return the present names."""
        with self._mutex:
            if self._closed:
                raise StoreUnavailableError(
                    errno.EBADF, "the data set is closed: open it again", self._folder
                )
            if self._synchronize:
                self._log.refresh()
            return self._log

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"a DataSet has no attribute {name!r}")
        while True:
            with self._mutex:
                known = name in self._refreshed()
            if not known:
                raise AttributeError(f"{self._shown()} has no item {name!r}")
            try:
                return self._items.load(name)
            except KeyError:  # deleted meanwhile, or it only has metadata
                if name in self._refreshed() and not self._items.exists(name):
                    raise AttributeError(f"{name!r} of {self._shown()} has metadata and no data") from None

    def __getitem__(self, name: str) -> Any:
        with self._mutex:
            return self._refreshed()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._refreshed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._refreshed())

    def __len__(self) -> int:
        return len(self._refreshed())

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._refreshed()})

    def _keys(self) -> list[str]:
        """Return the names, sorted."""
        return sorted(self._refreshed())

    @property
    def _info_dict(self) -> dict[str, Any]:
        """The metadata of all names, as after an import."""
        with self._mutex:
            log = self._refreshed()
            return {name: log[name] for name in log}

    # -- writing

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        self._check(name)
        with self._writing() as log:
            self._put(log, name, value)

    def __setitem__(self, name: str, info: Any) -> None:
        self._check(name)
        with self._writing() as log:
            if self._mode == "a" and name in log and log[name] is not None:
                raise ReadOnlyDataSetError(f"the metadata of {name!r} are there already: mode 'a' only adds")
            log.append(name, log.encoded(info))

    def __delattr__(self, name: str) -> None:
        if name.startswith("_"):
            object.__delattr__(self, name)
        elif not self._delete(name):
            raise AttributeError(f"{self._shown()} has no item {name!r}")

    def __delitem__(self, name: str) -> None:
        if not self._delete(name):
            raise KeyError(name)

    def _insert(self, /, *values: Any, info: Any = None, **named: Any) -> list[str]:
        """Write values, and return their names.

        Parameters
        ----------
        *values
            Values that get unused names: ``x_0``, ``x_1``, ...
        info
            Metadata, for each of them.
        **named
            Values with their names.

        Raises
        ------
        ReadOnlyDataSetError
            If the set was opened for reading.
        SerializationError
            If a value cannot be archived; those before it are.
        """
        for name in named:
            self._check(name)
        with self._writing() as log:
            names, number = list(named), self._next
            for _ in values:
                while f"{self._name_prefix}{number}" in log:
                    number += 1
                names.append(f"{self._name_prefix}{number}")
                number += 1
            for name, value in zip(names, [*named.values(), *values], strict=True):
                self._put(log, name, value, info)
            self._next = number
        return names

    def _put(self, log: InfoLog, name: str, value: Any, info: Any = None) -> None:
        """Write a value, and its metadata; existing metadata stay if there are no others."""
        if self._mode == "a" and self._items.exists(name):
            raise ReadOnlyDataSetError(f"{name!r} is there already: mode 'a' only adds")
        if value is None:
            raise InvalidArgumentError(
                f"{name!r} cannot be None: Python takes None in the place of a module for one that must not "
                f"be imported. Keep it as metadata: ds[{name!r}] = None",
            )
        is_recorded = name in log and info is None
        self._items.put(log, name, value, None if is_recorded else log.encoded(info))

    def _check(self, name: Any) -> None:
        if isinstance(name, str) and not name.startswith("_") and hasattr(type(self), name):
            raise InvalidArgumentError(f"{name!r} is a method of DataSet, so no item can have that name")
        check_name(name)

    def _delete(self, name: str) -> bool:
        with self._writing() as log:
            if name not in log:
                return False
            if self._mode == "a":
                raise ReadOnlyDataSetError(
                    f"{name!r} cannot be deleted: the set was opened to add only, mode 'a'"
                )
            log.delete(name, self._items.time(name), self._items.n_arrays(name))
            self._items.delete(name)
            return True

    @contextmanager
    def _writing(self) -> Iterator[InfoLog]:
        """Exclude other writers, and return the present names."""
        if self._mode == "r":
            raise ReadOnlyDataSetError(f"{self._shown()} is opened for reading: use mode 'w' or 'a'")
        with self._mutex, self._lock():
            yield self._refreshed()

    def _lock(self) -> AbstractContextManager[None]:
        """Exclude other writers: threads, and processes by a lock that ends with them."""
        if self._closed:
            raise StoreUnavailableError(errno.EBADF, "the data set is closed: open it again", self._folder)
        return self._locked()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._held is not None:  # while the set is open
            yield
            return
        with locked(self._folder, self._timeout):
            yield

    def close(self) -> None:
        """Release the lock, if it is held; nothing can be read or written after it."""
        self._closed = True
        held, self._held = self._held, None
        if held is not None:
            held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if vars(self).get("_held") is not None:
            self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (type(self), {name: getattr(self, f"_{name}") for name in _OPTIONS})

    # -- showing

    def _shown(self) -> str:
        return f"DataSet {os.path.join(self._path, self._module_name)!r}"

    def __repr__(self) -> str:
        if "_name_prefix" not in vars(self):  # its constructor failed
            return object.__repr__(self)
        names = ("module_name", "path", "synchronize", "array_threshold", "backup_data", "name_prefix")
        shown = [f"{name}={getattr(self, '_' + name)!r}" for name in names]
        return f"DataSet({', '.join(shown)})"

    def __str__(self) -> str:
        return f"{self._shown()} containing {self._keys()}"


_OPTIONS = (
    "module_name", "mode", "path", "synchronize", "array_threshold", "data_format", "backup_data",
    "name_prefix", "timeout", "scoped", "mmap", "trust",
)  # fmt: skip


def _reopened(cls: type[DataSet], options: dict[str, Any]) -> DataSet:
    """Open a data set in another process."""
    return cls(**options)
