"""Where the results of a function lie in a store: looking them up, keeping them, and saying what fails."""

import os
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any
from weakref import WeakValueDictionary

from holdall.abc import Capability
from holdall.conditional import Joker, Sentinel
from holdall.errors import InvalidArgumentError, SerializationError, StoreUnavailableError
from holdall.memo._locks import KeyLocks
from holdall.store import Store, StorePersister

__all__ = ["MISSING", "Entries", "open_store"]

#: What a look-up gives where there is nothing.
MISSING: Any = object()

# Functions with one place share its store, and so its connections.
_stores: WeakValueDictionary[tuple[str, int | None], Any] = WeakValueDictionary()
_opening = threading.RLock()

_DATABASES = (".db", ".sqlite", ".sqlite3")


def open_store(place: Any, max_bytes: int | None = None) -> Any:
    """Give the store of a place.

    Parameters
    ----------
    place
        A store, any mapping, or a path: of a SQLite file if it ends in ``.db``, ``.sqlite`` or
        ``.sqlite3``, else of a folder.
    max_bytes
        How many bytes the place of a path may hold; None for any.
    """
    if isinstance(place, Store):
        return place
    if not isinstance(place, str | os.PathLike):
        return Store(place)
    path = os.path.abspath(place)
    with _opening:
        store = _stores.get((path, max_bytes))
        if store is None:
            store = _open_path(path)
            if max_bytes:  # 0 keeps nothing in memory
                from holdall.wrappers._bounded import bounded  # noqa: PLC0415  (only for who asks for a bound)

                store = bounded(store, max_bytes=max_bytes)
            _stores[path, max_bytes] = store
        return store


def _open_path(path: str) -> Any:
    if path.endswith(_DATABASES):
        from holdall.stores.sqlite import SQLiteStore  # noqa: PLC0415  (sqlite3 is slow to import)

        return SQLiteStore(path)
    from holdall.stores.files import FileDirStore  # noqa: PLC0415  (only for folders)

    return FileDirStore(path)


def is_place(thing: Any) -> bool:
    """Tell what may be the place of results from a function to be memoized."""
    return isinstance(thing, str | os.PathLike | Mapping) or (
        hasattr(thing, "__getitem__")
        and hasattr(thing, "__iter__")
        and not callable(thing)
        and not isinstance(thing, Sequence)
    )


class Entries:
    """The results of one function in a store.

    Parameters
    ----------
    store
        The whole store.
    family
        The name below which results of all versions lie.
    version
        The part of the name that is this version's.
    ttl
        For how many seconds a result is valid; None for ever.
    title
        What people call the function.

    Notes
    -----
    Whatever a store says when it is asked, the function is called instead, and each kind of trouble is
    warned about once.
    """

    def __init__(self, store: Any, family: str, version: str, ttl: float | None, title: str) -> None:
        in_tuples = getattr(store.keys_codec, "tuples", False)
        self.all = store.get_subdict(tuple(family.split("/")) if in_tuples else family)
        self.view = self.all.get_subdict((version,) if in_tuples else version)
        self._place = StorePersister(self.view)
        self.version = version
        self.name = title
        self._compared = False
        self.ttl = ttl
        self._warned: set[str] = set()
        if ttl is not None and Capability.MTIME not in self.view.pipeline.persister.capabilities:
            raise InvalidArgumentError(
                f"ttl= needs times, and {self.view.pipeline.persister.place} keeps none"
            )

    @property
    def locks(self) -> KeyLocks | None:
        """The locks among processes, None where the store has none."""
        with _opening:  # making the file closes it, and so would release what another thread locks in it
            try:
                path = self.view.pipeline.persister.lock_file
            except Exception:  # a place that cannot be written, as writing the result will tell
                return None
            return None if path is None else KeyLocks.of(path)

    def look(self, key: str) -> tuple[Any, float]:
        """Give a result and when it expires; `MISSING` if there is none that is valid."""
        view = self.view
        try:
            if self.ttl is None:
                return view[key], inf
            value, stat = self._place.read(key)
        except KeyError as error:
            if type(error) is not KeyError:
                self.warn("look", "cannot look up", error)
            return MISSING, inf
        except Exception as error:
            self.warn("look", "cannot look up", error)
            return MISSING, inf
        expires = stat.mtime + self.ttl
        return (value, expires) if time.time() < expires else (MISSING, inf)

    def outdated(self) -> dict[str, Any]:
        """Return the results of other versions, by version."""
        parts = self.all.subdicts()
        return {name[1:]: parts[name] for name in parts if name[:1] == "@" and name != self.version}

    def tell_of_others(self) -> None:
        """Say once that there are results of other code, where there are none of this one yet."""
        if self._compared:
            return
        self._compared = True
        try:
            known = next(iter(self.view), None) is not None
            changed = not known and any(_of_another(key, self.version) for key in self.all)
        except Exception:
            return  # as looking and writing will say
        if changed:
            warn(
                f"the code of {self.name} has changed, and results that other code computed are not given. "
                "version_info() tells what is covered, outdated() lists the old results, "
                'cache_clear(outdated=True) drops them. With version="1" or the like it is you who says what '
                "is new",
                None,
            )

    def keep(self, key: str, value: Any, private: Any) -> None:
        """Store a result, if that is possible.

        Parameters
        ----------
        key
            Of the call.
        value
            The result.
        private
            The same in keeping, None if it cannot be copied. Stores that write nothing get that one.
        """
        if isinstance(value, Joker | Sentinel):
            self.warn("joker", f"cannot keep {value!r}, which is a command to stores, of", None)
            return
        if private is None and self.view.serializer is None:
            return  # it would be shared
        try:
            self.view[key] = value if private is None else private.value
        except SerializationError as error:
            self.warn("value", "cannot write", error)
        except StoreUnavailableError as error:
            self.warn("place", "cannot write", error)
        except Exception as error:
            self.warn("refused", "cannot write", error)

    def warn(self, kind: str, what: str, error: Exception | None) -> None:
        """Warn once of each kind of trouble."""
        if kind in self._warned:
            return
        self._warned.add(kind)
        warn(f"holdall {what} results of {self.name}, and goes on without", error)


def after_fork() -> None:
    """Begin with a lock that nobody holds."""
    global _opening  # noqa: PLW0603
    _opening = threading.RLock()


def warn(message: str, error: Exception | None) -> None:
    """Warn the one who calls the memoized function."""
    if error is not None:
        message += f": {error}"
    frame, level = sys._getframe(), 1  # noqa: SLF001  (warnings ask for a number of frames)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("holdall."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, RuntimeWarning, stacklevel=level)


def _of_another(key: Any, version: str) -> bool:
    """Tell whether a key is of a version, and not of this one."""
    first = key.split("/", 1)[0] if isinstance(key, str) else key[0]
    return str(first)[:1] == "@" and first != version
