"""The results of a function in a store: looking them up, keeping them, and reporting failures."""

import sys
import time
import warnings
from functools import partial
from math import inf
from typing import Any, TypeAlias

from holdall._options import MmapMode
from holdall.abc import Capability
from holdall.conditional import AHEAD, Joker, Sentinel
from holdall.errors import InvalidArgumentError, SerializationError, StoreUnavailableError
from holdall.memo._locks import KeyLocks
from holdall.memo._pickles import noted, with_result_pickles
from holdall.memo._places import opening
from holdall.memo._purging import Limits, purge
from holdall.store import StorePersister

__all__ = ["MISSING", "Entries", "warn"]

_COMMANDS = (Joker, Sentinel)
#: The result of a look-up that finds nothing.
MISSING: Any = object()
#: A result, when it was computed, if that matters, and how many seconds that took, if known.
Found: TypeAlias = tuple[Any, float, float | None]


class Entries:
    """The results of one function in a store.

    Parameters
    ----------
    store
        The whole store.
    family
        The name below which results of all versions are.
    version
        The part of the name for this version.
    ttl
        For how many seconds a result is valid; None for no limit.
    title
        The function's name in messages.
    max_age
        After how many seconds a result is deleted from the store; None for never.
    timed
        Whether the age of results is needed.
    mmap_mode
        How arrays are mapped into memory; None reads them.

    Notes
    -----
    If the store fails, the function is called instead, with one warning for each kind of failure.
    """

    def __init__(
        self,
        store: Any,
        family: str,
        version: str,
        *,
        ttl: float | None,
        title: str,
        max_age: float | None = None,
        timed: bool = False,
        mmap_mode: MmapMode | None = None,
    ) -> None:
        self._store = store
        self.all = self._part(family)
        self.view = with_result_pickles(self._part(f"{family}/{version}"), mmap_mode)
        self._mapped = mmap_mode is not None
        self._place = StorePersister(self.view)
        self.family = family
        self.version = version
        self.name = title
        self._compared = False
        self.ttl = ttl
        self._max_age = max_age
        self._swept = -inf
        self._timed = timed or ttl is not None
        self._warned: set[str] = set()
        if self._timed and Capability.MTIME not in self.view.pipeline.persister.capabilities:
            option = "valid=" if ttl is None else "ttl="
            place = self.view.pipeline.persister.place
            raise InvalidArgumentError(f"{option} needs times, and {place} keeps none")

    def locks(self, lease: float | None) -> Any:
        """Return the locks among processes, or leases among machines; None where the store has none.

        Parameters
        ----------
        lease
            After how many seconds without a renewal another machine may compute; None for no leases.
        """
        with opening():  # making the file closes it, and so would release what another thread locks in it
            try:
                path = self.view.pipeline.persister.lock_file
            except Exception:  # read-only; writing the result will warn
                return None
            if path is not None:
                return KeyLocks.of(path)
        if lease is None or Capability.CAS_WORLD not in self.view.pipeline.persister.capabilities:
            return None
        from holdall.memo._leases import Leases  # noqa: PLC0415  (only for results on servers)

        # As deep as the results, and under a name that neither a version nor a digest can have.
        return Leases.of(self._part(f"{self.family}/~lease"), lease)

    def _part(self, name: str) -> Any:
        """Return what lies below a name."""
        in_tuples = getattr(self._store.keys_codec, "tuples", False)
        return self._store.get_subdict(tuple(name.split("/")) if in_tuples else name)

    def look(self, key: str) -> Found:
        """Return a result, `MISSING` if none is valid."""
        view = self.view
        noted.read = None
        try:
            if not self._timed:
                return view[key], 0, noted.read
            if self._mapped:  # a file; what replaces it meanwhile is newer
                stat = self._place.stat(key)
                value = view[key]
            else:
                value, stat = self._place.read(key)
        except KeyError as error:
            if type(error) is not KeyError:
                self.warn("look", "cannot look up", error)
            return MISSING, 0, None
        except Exception as error:
            self.warn("look", "cannot look up", error)
            return MISSING, 0, None
        if self.ttl is not None and not 0 < stat.mtime + self.ttl - time.time() <= self.ttl + AHEAD:
            return MISSING, 0, None
        return value, stat.mtime, noted.read

    @property
    def valid(self) -> Any:
        """The part of the store with the valid results."""
        if not self.ttl:
            return self.view
        from holdall.wrappers._expiring import expiring  # noqa: PLC0415  (only for results that expire)

        return expiring(self.view, ttl=self.ttl)

    def with_details(self, details: Any) -> Any:
        """Return the same with a method that describes each result."""
        return self.valid.derive(_as_it_is, name="with_details", methods={"details": details})

    def outdated(self) -> dict[str, Any]:
        """Return the results of other versions, by version."""
        parts = self.all.subdicts()
        return {name[1:]: parts[name] for name in parts if name[:1] == "@" and name != self.version}

    def tell_of_others(self) -> None:
        """Warn once that there are results of other code, if there are none of this code yet."""
        if self._compared:
            return
        self._compared = True
        try:
            known = next(iter(self.view), None) is not None
            changed = not known and any(_of_another(key, self.version) for key in self.all)
        except Exception:
            return  # reading and writing will warn
        if changed:
            warn(
                f"the code of {self.name} has changed, and results that other code computed are not used. "
                "version_info() shows what is covered, outdated() lists the old results, "
                'cache_clear(outdated=True) drops them. With version="1" or the like, you decide '
                "yourself what is new",
                None,
            )

    def keep(
        self, key: str, value: Any, private: Any, seconds: float | None = None, fence: Any = None
    ) -> bool:
        """Store a result, if possible.

        Parameters
        ----------
        key
            The key of the call.
        value
            The result.
        private
            A private copy, None if it cannot be copied. Stores of objects get that one.
        seconds
            How many seconds it took to compute.
        fence
            The lease by which it may be written, None where there are none.

        Returns
        -------
        bool
            False if another caller has the lease by now, and computes the result again or has done so.
        """
        if isinstance(value, _COMMANDS):
            self.warn("joker", f"cannot keep {value!r}, which is a command to stores, of", None)
            return True
        if private is None and self.view.serializer is None:
            return True  # it would be shared
        stored = value if private is None else private.value
        noted.to_write = seconds
        try:
            if fence is None:
                self.view[key] = stored
            elif not fence.write(partial(self._place.write, key, stored)):
                return False
            if self._max_age is not None:
                self._sweep(self._max_age)
        except SerializationError as error:
            self.warn("value", "cannot write", error)
        except StoreUnavailableError as error:
            self.warn("place", "cannot write", error)
        except Exception as error:
            self.warn("refused", "cannot write", error)
        finally:
            noted.to_write = None
        return True

    def _sweep(self, max_age: float) -> None:
        """Delete results of all versions that are too old; at most eight times in the span of `max_age`."""
        if time.monotonic() - self._swept < max_age / 8:
            return
        self._swept = time.monotonic()
        purge(self.all, None, Limits(seconds=max_age))

    def warn(self, kind: str, what: str, error: Exception | None) -> None:
        """Warn once for each kind of failure."""
        if kind in self._warned:
            return
        self._warned.add(kind)
        warn(f"holdall {what} results of {self.name}, and goes on without", error)


def warn(message: str, error: Exception | None) -> None:
    """Warn the caller of the memoized function."""
    if error is not None:
        message += f": {error}"
    frame, level = sys._getframe(), 1  # noqa: SLF001  (warnings need a number of frames)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("holdall."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, RuntimeWarning, stacklevel=level)


def _as_it_is(store: Any) -> Any:
    return store.pipeline


def _of_another(key: Any, version: str) -> bool:
    """Return whether a key is of another version than this one."""
    first = key.split("/", 1)[0] if isinstance(key, str) else key[0]
    return str(first)[:1] == "@" and first != version
