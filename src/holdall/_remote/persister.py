"""The contract of persisters, over an engine that sends single requests to an object store."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from holdall._remote.data import buffers
from holdall._remote.engine import Answer, Engine, Page, UnchangedError
from holdall._remote.facts import Facts, facts_of
from holdall._remote.listing import Listings
from holdall._remote.names import checked_prefix, key_of
from holdall._remote.pool import for_each, in_order
from holdall._remote.reading import open_object, whole
from holdall._remote.swap import Lost, Swaps
from holdall.abc import Capability, VersionedPersister, conflict, join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected, Stat
from holdall.errors import InvalidKeyError

__all__ = ["ObjectPersister"]

# What every server has for an etag: visible ASCII without quotes and commas. All else matches no state.
_ETAG = re.compile(r"[!#-+\--~]{1,256}")
_CAS = {Capability.CAS_THREADS, Capability.CAS_HOST, Capability.CAS_WORLD}
_CLAIMS = frozenset(
    {
        Capability.WRITABLE,
        Capability.PERSISTENT,
        Capability.BYTES,
        Capability.MTIME,
        Capability.CHEAP_STAT,
        Capability.STREAMING,
        *_CAS,
    }
)
_SCRATCH = ".holdall-probe-"  # keys that are never written


class ObjectPersister(VersionedPersister):
    """The objects of a bucket below a prefix.

    Parameters
    ----------
    engine
        Sends the requests.
    prefix
        The text that the keys of all objects start with; a "/" is added at its end.
    workers
        How many requests bulk operations send at once.

    Notes
    -----
    Threads, processes, machines: compare-and-swap is that of the server, plain writes included. After a
    crash: returned writes are stored. No request is sent before the first use.
    """

    bulk = True

    def __init__(self, engine: Engine, *, prefix: str = "", workers: int = 16) -> None:
        self.engine = engine
        self.prefix = checked_prefix(prefix)
        self.workers = workers
        self._remember()

    def _remember(self) -> None:
        """Initialize what is cached between requests, which is not shared with other processes."""
        self._swaps = Swaps(self.engine, self._facts, self.prefix + _SCRATCH)
        self._listings: Listings[Page] = Listings()

    def _facts(self) -> Facts:
        return facts_of(self.engine.identity())

    def __getstate__(self) -> dict[str, Any]:
        own = {"_swaps", "_listings"}
        return {name: value for name, value in super().__getstate__().items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._remember()

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What object stores can do; a bucket that ignores conditions is refused at the first one."""
        return _CLAIMS

    @property
    def place(self) -> str:  # docstring inherited
        return self.engine.location

    @property
    def owned(self) -> bool:
        """Whether there is a prefix: a whole bucket may have objects of others."""
        return bool(self.prefix)

    def namespace(self) -> str:
        """Return what identifies this location: endpoint, bucket and prefix."""
        return " ".join([*self.engine.identity(), self.prefix])

    def _key(self, id: Any) -> str:
        return key_of(self.prefix, id, self.engine.location)

    # ------------------------------------------------------------------ reading

    def _get(self, id: str) -> tuple[str, Answer]:
        key = self._key(id)
        try:
            return key, self.engine.get(key)
        except KeyError:
            raise KeyError(id) from None

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        key, answer = self._get(id)
        data, found = whole(self.engine, key, answer)
        self._swaps.rings.remember(key, found.etag, found.tokens)
        return data, found.stat

    def read_unless(self, id: str, etag: str) -> tuple[bytes, Stat] | None:  # docstring inherited
        key = self._key(id)
        try:
            answer = self.engine.get_unless(key, etag)
        except UnchangedError:
            return None
        except KeyError:
            raise KeyError(id) from None
        data, found = whole(self.engine, key, answer)
        self._swaps.rings.remember(key, found.etag, found.tokens)
        return data, found.stat

    def stat(self, id: str) -> Stat:  # docstring inherited
        found = self._swaps.look(self._key(id))
        if found is None:
            raise KeyError(id)
        return found.stat

    def fetch(self, id: str, limit: int) -> Any:  # docstring inherited
        key, answer = self._get(id)
        if answer.found.size > limit:
            return open_object(self.engine, key, answer)
        return whole(self.engine, key, answer)[0]

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        key, answer = self._get(id)
        return open_object(self.engine, key, answer)

    # ------------------------------------------------------------------ listing

    def _pages(self, prefix: str) -> Iterator[Page]:
        return self._listings.begin(lambda: self._ask(prefix, ""), prefix)

    def _ask(self, prefix: str, delimiter: str) -> Iterator[Page]:
        """List by pages, with ids instead of keys; folders that others made are not ids."""
        start = len(self.prefix)
        for page in self.engine.pages(self.prefix + prefix, delimiter):
            objects = [(key[start:], stat) for key, stat in page.objects if key[-1] != "/"]
            yield Page(objects, [folder[start:] for folder in page.folders])

    # Not generator functions: a listing is made when it is requested, though it begins later.
    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        return (id for page in self._pages(prefix) for id, _ in page.objects)

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        return ([id for id, _ in page.objects] for page in self._pages(prefix) if page.objects)

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        return (listed for page in self._pages(prefix) for listed in page.objects)

    def folders(self, prefix: str = "") -> Iterator[str] | None:  # docstring inherited
        return (folder for page in self._ask(prefix, "/") for folder in page.folders)

    # ------------------------------------------------------------------ many at once

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:  # docstring inherited
        for id, data in in_order(self._read_or_none, ids, self.workers):
            if data is not None:
                yield id, data

    def _read_or_none(self, id: str) -> bytes | None:
        try:
            return self.read(id)[0]
        except KeyError:  # or an impossible id
            return None

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        return self._contents(self.scan(prefix), limit)

    def _contents(
        self, listing: Iterator[tuple[str, Stat]], limit: int | None
    ) -> Iterator[list[tuple[str, Any]]]:
        def fetched(listed: tuple[str, Stat]) -> Any:
            id, stat = listed
            if limit is not None and (stat.size or 0) > limit:
                return None  # opened when its turn comes
            return self._read_or_none(id)

        def weight(listed: tuple[str, Stat]) -> int:
            size = listed[1].size or 0
            return 0 if limit is not None and size > limit else size

        for (id, stat), data in in_order(fetched, listing, self.workers, weight):
            if data is not None:
                yield [(id, data)]
            elif limit is not None and (stat.size or 0) > limit:
                try:
                    yield [(id, self.fetch(id, limit))]
                except KeyError:
                    continue

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        def taken() -> Iterator[tuple[str, Any]]:
            for id, data in items:
                # Pieces may be views of data that the caller changes before they are sent.
                yield id, join_parts(data)

        def size(item: tuple[str, Any]) -> int:
            return len(item[1]) if isinstance(item[1], bytes | bytearray | memoryview) else 0

        for_each(lambda item: self.write(*item), taken(), self.workers, size, lambda item: item[0])

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        self.engine.delete_many(self._keys(ids))

    def _keys(self, ids: Iterable[str]) -> Iterator[str]:
        for id in ids:
            try:
                yield self._key(id)
            except InvalidKeyError:
                continue  # there is none

    def clear(self) -> None:  # docstring inherited
        self.remove_many(self.ids())

    # ------------------------------------------------------------------ writing

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        key = self._key(id)
        _, size = buffers(data)  # raises for other types before anything is sent
        try:
            if expected is ANY_ETAG:
                return self._swaps.replace_any(key, data, size)
            if expected is ITEM_NOT_AVAILABLE:
                return self._swaps.insert(key, data, size)
            self._require_possible(key, expected)
            return self._swaps.replace(key, data, size, expected)
        except Lost as lost:
            raise conflict(self, id, expected, lost.actual) from lost.__cause__

    def _require_possible(self, key: str, expected: Expected) -> None:
        """Raise `Lost` if no object can be in the expected state, so that headers get only valid etags."""
        if expected is ITEM_NOT_AVAILABLE:
            raise Lost(self.engine.head(key).etag)
        if not _ETAG.fullmatch(str(expected)):
            found = self._swaps.look(key)
            raise Lost(ITEM_NOT_AVAILABLE if found is None else found.etag)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        key = self._key(id)
        try:
            if expected is ANY_ETAG:
                self._swaps.delete_any(key)
                return
            self._require_possible(key, expected)
            self._swaps.delete(key, str(expected))
        except KeyError:
            raise KeyError(id) from None
        except Lost as lost:
            raise conflict(self, id, expected, lost.actual) from lost.__cause__

    def discard(self, id: str) -> bool:  # docstring inherited
        try:
            return self._swaps.discard(self._key(id))
        except KeyError:  # or an impossible id
            return False
