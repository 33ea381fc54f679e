"""The cache of `cached_values`: values in another store, and notes about them."""

import json
import time
import warnings
from collections.abc import Callable, MutableMapping
from typing import Any, Final, NamedTuple

from holdall._posix.fork import new_lock
from holdall.abc import Capability
from holdall.conditional import Stat
from holdall.errors import CorruptValueError, ReadOnlyError, UnsupportedError
from holdall.store import Store, StorePersister

__all__ = ["NOTHING", "REFUSALS", "ValueCache"]

#: The result for a value that is not cached.
NOTHING: Final = object()
#: Errors with which a source refuses a write of one item, so that nothing has changed.
REFUSALS: Final = (ReadOnlyError, UnsupportedError)
_STRIPES = 64


class _Note(NamedTuple):
    """The note about a cached value."""

    etag: str  # of the source
    kept: str  # of the cached value
    time: float


class _Stripe:
    """Some of the keys: their lock, how often own writes began or ended, and how many are running."""

    def __init__(self) -> None:
        self.lock = new_lock()
        self.writes = 0
        self.under_way = 0


class ValueCache:
    """The cached values of a source, by key, and which of them are valid.

    Threads: safe. A value that was read before an own write began or ended is not kept after it.
    """

    def __init__(
        self,
        source: Any,
        cache: Any,
        *,
        max_age: float | None,
        validate: str | None,
        etags: MutableMapping[Any, str] | None,
    ) -> None:
        self.source = source
        self.cache = StorePersister(cache if isinstance(cache, Store) else Store(cache))
        self.max_age = max_age
        self.validate = validate
        self.etags = etags
        own_times = {Capability.MTIME, Capability.PERSISTENT} <= self.cache.capabilities
        self._note_times = max_age is not None and not own_times
        self.plain = max_age is None and validate is None
        self._warned = False
        self._off = False  # the cache could not be cleared, so nothing in it is valid
        self._distrusted: set[Any] = set()  # names of values that could not be deleted
        self._names: dict[Any, Any] = {}  # of cached keys that are not text: 1 may replace True
        self._reset()

    def _reset(self) -> None:
        self._stripes = [_Stripe() for _ in range(_STRIPES)]
        self._notes: dict[Any, _Note] = {}  # by name

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value for name, value in vars(self).copy().items() if name not in ("_stripes", "_notes")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    def name(self, key: Any) -> Any:
        """Return the source's id of a key, which separates equal keys of different types."""
        named = getattr(self.source, "id_of", None)
        return key if named is None else named(key)

    def writes(self, name: Any) -> int:
        """Return how often own writes began and ended, for `keep` to compare."""
        return self._stripe(name).writes

    def _stripe(self, name: Any) -> _Stripe:
        return self._stripes[hash(name) % _STRIPES]

    def _failed(self, doing: str, error: Exception) -> None:
        """Continue without the cache, and warn once."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the cache in {self.cache.place} failed at {doing}, "
                f"values come from {self.source.place}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def get(self, key: Any, name: Any, etag: str | None) -> Any:
        """Return the cached value if it is valid, else `NOTHING`."""
        if self._off or name in self._distrusted:
            return NOTHING
        try:
            if type(key) is not str and self._names.get(key, name) != name:
                return NOTHING
            if self.plain:
                return self.cache[key]
            value, stat = self.cache.read(key)
            return value if self._counts(self._noted(key, name), stat, etag) else NOTHING
        except (KeyError, CorruptValueError):
            return NOTHING
        except Exception as error:
            self._failed("reading", error)
            return NOTHING

    def _counts(self, note: _Note | None, stat: Stat, etag: str | None) -> bool:
        known = note is not None and note.kept == stat.etag
        if etag is not None and not (known and note.etag == etag):  # type: ignore[union-attr]
            return False
        if self.max_age is None:
            return True
        if self._note_times:
            return known and abs(time.time() - note.time) < self.max_age  # type: ignore[union-attr]
        return abs(time.time() - stat.mtime) < self.max_age  # the clock may have been set back

    def _noted(self, key: Any, name: Any) -> _Note | None:
        if self.etags is None:
            return self._notes.get(name)
        try:
            return _Note(*json.loads(self.etags[key]))
        except (KeyError, ValueError, TypeError):
            return None

    def keep(self, key: Any, name: Any, value: Any, etag: str, writes: int) -> bool:
        """Cache a value, unless an own write came since it was requested; return whether it was cached."""
        stripe = self._stripe(name)
        with stripe.lock:
            if self._off or writes != stripe.writes:
                return False
            try:
                if self.validate is None and not self._note_times:
                    self.cache.put(key, value)
                else:
                    note = _Note(etag, self.cache.write(key, value).etag, time.time())
                    if self.etags is None:
                        self._notes[name] = note
                    else:
                        self.etags[key] = json.dumps(note)
                if type(key) is not str:
                    self._names[key] = name
            except Exception as error:
                self._failed("writing", error)
                return False
            self._distrusted.discard(name)
            return True

    def forget(self, key: Any) -> None:
        """Drop a cached value after an own write, so that later reads fetch it."""
        name = self.name(key)
        stripe = self._stripe(name)
        with stripe.lock:
            stripe.writes += 1
            self._drop(key, name)

    def _drop(self, key: Any, name: Any) -> None:
        self._notes.pop(name, None)
        try:
            _discard(self.cache, key)
            if self.etags is not None:
                _discard(self.etags, key)
        except Exception as error:
            self._distrusted.add(name)
            self._failed("deleting", error)

    def write(self, key: Any, value: Any, write: Callable[[], Stat | None]) -> Stat | None:
        """Write to the source, and keep the value if no other own write to it ran meanwhile."""
        name = self.name(key)
        stripe = self._stripe(name)
        with stripe.lock:
            alone = stripe.under_way == 0
            stripe.under_way += 1
            stripe.writes += 1
            began = stripe.writes
        stat, done, refused = None, False, False
        try:
            stat = write()
            done = True
        except REFUSALS:
            refused = True
            raise
        finally:
            with stripe.lock:
                stripe.under_way -= 1
                done = done and alone and stripe.writes == began
                stripe.writes += 1  # reads that began meanwhile may have the old value
                etag = stat.etag if stat else ""
                if not refused and not (done and self.keep(key, name, value, etag, stripe.writes)):
                    self._drop(key, name)
        return stat

    def forget_all(self) -> None:
        """Drop all cached values."""
        for stripe in self._stripes:
            stripe.lock.acquire()
        try:
            for stripe in self._stripes:
                stripe.writes += 1
            self._notes.clear()
            self._off = True
            self.cache.remove_many(list(self.cache))
            self._off = False
            self._distrusted.clear()
            self._names.clear()
        except Exception as error:
            self._failed("clearing", error)
        finally:
            for stripe in self._stripes:
                stripe.lock.release()


def _discard(mapping: MutableMapping[Any, Any], key: Any) -> None:
    try:
        del mapping[key]
    except KeyError:
        pass
