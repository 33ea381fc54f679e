"""The base of readers of other libraries' formats: times, versions, and the check before pickles."""

import math
import os
import pickle
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from holdall._options import checked_path
from holdall._posix.errors import translate
from holdall._posix.trust import check_trust
from holdall._shown import shown
from holdall.abc import Capability, Reader
from holdall.conditional import VALUE_NOT_RETRIEVED, Stat
from holdall.errors import CorruptValueError, HoldallError, StoreNotFoundError, UnsupportedError

__all__ = ["UNKNOWN", "ForeignReader", "hashable", "inside", "joblib_load", "stat_of_file", "walk"]


class ForeignReader(Reader):
    """Data of another library, read-only: ids are its keys, data its values.

    Parameters
    ----------
    path
        The file or folder.
    trust
        Whether to load pickles that other users could have written.

    Notes
    -----
    Threads: any number may read. Processes: open it in each. Nothing is locked: writes by the other library
    are visible as they are to its own readers.
    """

    capabilities = frozenset({Capability.PERSISTENT, Capability.MTIME})
    owned = False
    _opened: Any = None  # kept open between reads; opened again when needed

    def __init__(self, path: Any, *, trust: bool) -> None:
        self.path = os.path.abspath(checked_path(path, "file or folder"))
        self.trust = trust
        if not self.files():
            raise StoreNotFoundError(2, f"{type(self).__name__} finds nothing to read", self.path)

    def close(self) -> None:  # docstring inherited
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def __del__(self) -> None:
        self.close()

    def files(self) -> list[str]:
        """Return the files that contain the data; none if they do not exist."""
        return [self.path] if os.path.exists(self.path) else []

    @abstractmethod
    def value(self, id: Any) -> Any:
        """Return the value of an id; raise KeyError if there is none, and anything else for damage."""

    @abstractmethod
    def stat(self, id: Any) -> Stat:  # docstring inherited
        ...

    def glance(self, id: Any, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        del limit
        return VALUE_NOT_RETRIEVED, self.stat(id)  # most values are pickles

    @property
    def place(self) -> str:  # docstring inherited
        return str(self.path)

    def __getitem__(self, id: Any) -> Any:
        self.stat(id)  # raises KeyError if there is no such id
        with self.reading(f"the value of {shown(id, 120)}"):
            return self.value(id)

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        stat = self.stat(id)
        return self[id], stat

    def ids(self, prefix: str = "") -> Iterator[Any]:  # docstring inherited
        keys: Iterator[Any] = iter(self)  # of any type
        return (key for key in keys if isinstance(key, str) and key.startswith(prefix)) if prefix else keys

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Tell what the other library's modules raise, of which anything means damage."""
        try:
            yield
        except (HoldallError, MemoryError):
            raise
        except OSError as error:
            raise translate(error, f"{what} cannot be read", self.path) from error
        except Exception as error:
            raise CorruptValueError(
                f"{what} in {self.path} cannot be read: {type(error).__name__}: {error}"
            ) from error

    def check(self) -> None:
        """Raise `UntrustedStoreError` if others could have written code that would run."""
        if not self.trust:
            for path in self.files():
                check_trust(path, "its pickles", path)

    def unpickled(self, data: bytes) -> Any:
        """Load a pickle from the files."""
        self.check()
        return pickle.loads(data)

    def loaded_file(self, path: str, load: Callable[[BinaryIO], Any], what: str = "a pickle") -> Any:
        """Load a separate file, which is checked while it is open."""
        with open(path, "rb") as file:
            if not self.trust:
                check_trust(file.fileno(), what, path)
            return load(file)


def stat_of_file(path: str, id: Any) -> Stat:
    """Return the stat of a file; raise KeyError if it does not exist."""
    try:
        about = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise KeyError(id) from None
    return Stat(f"{about.st_mtime_ns:x}-{about.st_size:x}-{about.st_ino:x}", about.st_mtime, about.st_size)


def hashable(key: Any) -> Any:
    """Return a key with tuples for lists, which no dict takes as keys."""
    return tuple(map(hashable, key)) if isinstance(key, list) else key


def inside(folder: str, name: str) -> str:
    """Return the path of a file in a folder's own index; raise if it leads out of the folder."""
    path = os.path.realpath(os.path.join(folder, name))
    if not path.startswith(os.path.realpath(folder) + os.sep):
        raise CorruptValueError(f"{folder} names a file that lies outside of it: {shown(name, 120)}")
    return path


def joblib_load(file: BinaryIO) -> Any:
    """Load data written by joblib."""
    try:
        import joblib  # noqa: PLC0415  (only for such files)
    except ImportError as error:
        raise UnsupportedError("joblib has written this, and reads it: pip install joblib") from error
    return joblib.load(file)


#: An unknown time.
UNKNOWN = math.nan


def walk(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield folders as `os.walk` does; one that cannot be read is an error, and not left out."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # deleted meanwhile
            raise translate(error, "the folder cannot be listed", folder) from error

    return os.walk(folder, onerror=refuse)
