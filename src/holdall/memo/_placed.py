"""A function, its name, its version, and where its results are."""

import sys
import threading
import types
from collections.abc import Callable
from hashlib import blake2b
from math import inf
from typing import Any

from holdall.conditional import AHEAD
from holdall.errors import InvalidArgumentError, StoreUnavailableError
from holdall.memo._details import Details
from holdall.memo._entries import Entries, warn
from holdall.memo._follow import Trail
from holdall.memo._home import layers_of
from holdall.memo._hot import Hot
from holdall.memo._names import Name
from holdall.memo._options import SOURCE, Options
from holdall.memo._places import open_store
from holdall.memo._project import MAIN
from holdall.memo._version import Code

__all__ = ["Placed"]

_UNKNOWN: Any = object()


class Placed:
    """A function and its results in a store.

    Parameters
    ----------
    function
        The function.
    options
        The options of `memoize`.
    """

    __wrapped__: Callable[..., Any]
    #: The location of results of a function from another process.
    _sent_place: tuple[str, str] | None = None

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        self.__wrapped__ = function
        self._options = options
        self._ttl = options.life
        self._reach = inf if self._ttl is None else self._ttl + AHEAD
        self._named: Name | None = None
        try:
            self._named = Name(function)
        except TypeError as error:
            if options.place is not None and options.name is None:
                raise InvalidArgumentError(f"{error}: give name=") from None
        self._name = options.name or (repr(function)[:80] if self._named is None else str(self._named))
        self._watch_code(function)
        self._hot = Hot(options.memory_limit, options.nbytes)
        self._opening = threading.RLock()
        self._store: Any = _UNKNOWN
        self._entries: Any = _UNKNOWN
        self._trouble: StoreUnavailableError | None = None
        self._offset = 0

    def _watch_code(self, function: Any) -> None:
        """Begin to notice when the code of the function is replaced, unless the version is fixed."""
        by_code = self._options.version == SOURCE
        watched = by_code and isinstance(function, types.FunctionType)
        self._plain = function if watched else _nothing
        self._bytecode = self._first_code = self._plain.__code__
        self._owner: type | None = None
        self._code: Code | None = None
        self._stands_on: Trail | None = None  # of functions of a session without a store
        # In a session, functions and what they call are redefined, so a quick answer may be wrong.
        module = sys.modules.get(getattr(function, "__module__", None) or "")
        self._typed_in = watched and module is not None and _is_session(module)

    def __set_name__(self, owner: type, name: str) -> None:
        """Note the class that this is a method of."""
        del name
        self._owner = owner

    def _check_code(self) -> None:
        """Start again if the code has changed since the known results."""
        stands_on = self._code or self._stands_on
        if self._plain.__code__ is not self._bytecode or (stands_on is not None and stands_on.changed()):
            with self._opening:
                self._bytecode = self._plain.__code__
                self._code = self._stands_on = None
                self._entries = _UNKNOWN
                self._hot.clear()
        if self._typed_in and self._code is None and self._stands_on is None:  # before anything is computed
            self._stands_on = Trail(self.__wrapped__, self._owner)

    def _opened(self) -> Entries | None:
        """Return the results in the store; None if there is no store or it does not answer."""
        if self._options.place is None:
            return None
        if self._entries is _UNKNOWN:
            with self._opening:
                if self._entries is _UNKNOWN:
                    try:
                        family, version = self._place_of_entries()
                        name = f"{family}/{version}".encode("utf-8", "surrogatepass")
                        self._offset = int.from_bytes(blake2b(name, digest_size=7).digest())
                        self._entries = Entries(
                            self.store,
                            family,
                            version,
                            ttl=self._ttl,
                            max_age=self._options.max_age,
                            title=self._name,
                            timed=self._options.valid is not None,
                            mmap_mode=self._options.mmap_mode,
                        )
                    except StoreUnavailableError as error:
                        self._entries, self._trouble = None, error
                        warn(f"holdall cannot open the store of {self._name}, and goes on without", error)
        return self._entries  # type: ignore[no-any-return]

    def _place_of_entries(self) -> tuple[str, str]:
        """Return the name below which results of all versions are, and the part for this version.

        Raises
        ------
        InvalidArgumentError
            If functions of one factory could not be distinguished.
        """
        options = self._options
        if self._sent_place is not None and self._plain.__code__ is self._first_code:
            return self._sent_place
        name = options.name or ("" if self._named is None else self._named.whole())
        if options.version == SOURCE or (options.name is None and _encloses(self.__wrapped__)):
            code = Code(self.__wrapped__, self._owner)
            if options.name is None and code.untold:
                title, why = next(iter(code.untold.items()))
                raise InvalidArgumentError(
                    f"{self._name} encloses {title.rpartition(' ')[2]!r}, by which functions of that name "
                    f"may differ: {why}. Or name the function by name="
                )
            if code.identity:
                name += f"/~{code.identity}"
            if options.version == SOURCE:
                self._code = code
                return name, f"@{code.version}"
        version = "" if options.version is None else str(options.version)
        return name, "@" + version.replace("%", "%25").replace("/", "%2F")

    def _place_if_any(self) -> tuple[str, str] | None:
        """Return what identifies the results of this function in a store; None without one."""
        return None if self._options.place is None else self._place_of_entries()

    @property
    def store(self) -> Any:
        """The whole store, which may have results of other functions too; None without one."""
        if self._store is _UNKNOWN:
            with self._opening:
                if self._store is _UNKNOWN:
                    place = self._options.place
                    self._store = None if place is None else open_store(place, self._options.bounds)
        return self._store

    @property
    def entries(self) -> Any:
        """The results of this function in the store, by key: a part of `store`; None without one.

        Its method ``details()`` returns a `holdall.memo.Result` for each, the last one first: its arguments
        if the keys are readable, when it was computed, its size, and how long computing it took.

        Raises
        ------
        StoreUnavailableError
            If the store cannot be opened.
        """
        entries = self._looked_at()
        return None if entries is None else entries.with_details(Details(self._hot.entries))

    def _looked_at(self) -> Entries | None:
        """Return the results in the store for a user, not for a call."""
        entries = self._opened()
        if entries is None and self._trouble is not None:
            raise StoreUnavailableError(
                f"the store of {self._name} cannot be opened, so no results can be listed or forgotten "
                f"there: repair it, or move it away, and begin a new process ({self._trouble})"
            )
        return entries

    def _version_known(self) -> str:
        """Return the version; "" if it follows the code and no store has needed it."""
        if isinstance(self._entries, Entries):
            return self._entries.version[1:]
        return "" if self._options.version in {None, SOURCE} else str(self._options.version)


def _encloses(function: Any) -> bool:
    return any(getattr(layer, "__closure__", None) for layer in layers_of(function))


def _is_session(module: Any) -> bool:
    return module.__name__ in MAIN and not hasattr(module, "__file__")


def _nothing() -> None:
    """Replace a function whose code is not watched."""
