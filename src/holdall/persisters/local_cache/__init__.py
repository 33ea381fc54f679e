"""A cache of a slow persister in a local folder, checked by etag."""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from holdall._posix.fork import new_lock
from holdall._remote.pool import for_each, in_order
from holdall._shown import PATH, shown
from holdall.abc import Capability, PersisterWrapper, join_parts
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import InvalidArgumentError
from holdall.persisters.local_cache._files import CacheFiles, Entry

__all__ = ["LocalCachePersister"]

_WORKERS = 8
_SLOTS = 4096


class LocalCachePersister(PersisterWrapper):
    """Keep data that were read from a slow persister, or written to it, in files of this machine.

    Before cached data are returned, the persister is asked whether their etag is still the same: one request,
    without data if it is. So writes of others are seen at once.

    Parameters
    ----------
    inner
        The slow persister; its `read_unless` should be one request.
    folder
        The folder of the files; made if it does not exist, for this user alone (mode 0700).
    namespace
        What distinguishes this persister from others cached in the same folder, or a function that returns it
        on first use.
    max_bytes
        Bytes that the files of this persister may take together; the least recently used go first. None: no
        limit.
    max_age
        Seconds for which data are returned without a request, after they were known to be up to date. Writes
        of this process are seen in that time, those of others are not.
    append_only
        Whether items never change, so that nothing is requested twice.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.
    UntrustedStoreError
        At the first use, if another user may write to the folder.

    Notes
    -----
    Threads and processes: any number may share a folder. Data and etag are in one file that is replaced as a
    whole, with a digest: a damaged file is ignored. After a crash: incomplete files are removed with unused
    ones. Several processes that fill one folder may exceed `max_bytes` by a sixteenth each.

    Cost: a file read and a request for cached data, a file written for others. Data are in memory as a whole,
    so the wrapper does not claim ``STREAMING``.

    Examples
    --------
    >>> import tempfile
    >>> from holdall.persisters.mapping import MappingPersister
    >>> slow = MappingPersister({"a": b"1"})
    >>> persister = LocalCachePersister(slow, tempfile.mkdtemp(), namespace="example")
    >>> persister["a"], persister["a"]
    (b'1', b'1')
    >>> slow["a"] = b"2"
    >>> persister["a"]
    b'2'
    """

    def __init__(
        self,
        inner: Any,
        folder: str | os.PathLike[str],
        *,
        namespace: str | Callable[[], str],
        max_bytes: int | None = None,
        max_age: Any = 0.0,
        append_only: bool = False,
    ) -> None:
        super().__init__(inner)
        if max_bytes is not None and (type(max_bytes) is not int or max_bytes < 0):
            raise InvalidArgumentError(f"max_bytes is a number of bytes, or None for any, got {max_bytes!r}")
        if not isinstance(max_age, int | float) or not max_age >= 0:
            raise InvalidArgumentError(f"max_age is a number of seconds, 0 or more, got {max_age!r}")
        try:
            self.folder = os.path.abspath(os.fspath(folder))
        except TypeError:
            raise InvalidArgumentError(
                f"the folder of a cache is a path, got {shown(folder, PATH)}"
            ) from None
        self.namespace = namespace
        self.max_bytes = max_bytes
        self.max_age = max_age
        self.append_only = append_only
        self._forget()

    def _forget(self) -> None:
        self._files = CacheFiles(self.folder, self.namespace, self.max_bytes)
        self._own = new_lock()
        self._changes_of = [0] * _SLOTS  # begun and ended writes, counted by the hash of the id
        self._since = -math.inf  # earlier checks do not count

    def __getstate__(self) -> dict[str, Any]:
        names = ("inner", "folder", "namespace", "max_bytes", "max_age", "append_only")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims, except streaming."""
        return super().capabilities - {Capability.STREAMING}

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: str) -> bytes:
        return self._current(id).data

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        while True:
            entry = self._current(id)
            if not math.isnan(entry.mtime):
                return entry.data, entry.stat
            now = self.inner.stat(id)  # the answer to a write had no time
            if now.etag == entry.etag:
                self._keep(id, entry._replace(mtime=now.mtime), self._count(id))
                return entry.data, now
            if not self.append_only:
                continue
            self._files.drop(id)

    def _current(self, id: str) -> Entry:
        """Return the entry of the present state, from the cache if it is known to be up to date."""
        entry = self._files.load(id)
        if entry is not None and (self.append_only or self._fresh(entry)):
            return entry
        began, count = time.time(), self._count(id)
        try:
            found = self.inner.read(id) if entry is None else self.inner.read_unless(id, entry.etag)
        except KeyError:
            self._files.drop(id)
            raise
        if found is None:
            assert entry is not None  # noqa: S101  (something was compared)
            self._files.touch(id, began)
            return entry._replace(checked=began)
        data, stat = found
        entry = Entry(data, stat.etag, stat.mtime, began)
        self._keep(id, entry, count)
        return entry

    def _fresh(self, entry: Entry) -> bool:
        return entry.checked > self._since and 0 <= time.time() - entry.checked < self.max_age

    def __contains__(self, id: object) -> bool:
        return (
            self.append_only and isinstance(id, str) and self._files.load(id) is not None
        ) or id in self.inner

    def stat(self, id: str) -> Stat:  # docstring inherited
        if self.append_only:
            entry = self._files.load(id)
            if entry is not None and not math.isnan(entry.mtime):
                return entry.stat
        return self.inner.stat(id)  # type: ignore[no-any-return]

    # Listings are those of the inner persister: the verbs below would otherwise use stat(), one request each.
    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        return self.inner.scan(prefix)  # type: ignore[no-any-return]

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[str]:  # docstring inherited
        return self.inner.by_age(prefix, newest=newest, limit=limit)  # type: ignore[no-any-return]

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:  # docstring inherited
        for id, data in in_order(self._data_or_none, ids, self._workers):
            if data is not None:
                yield id, data

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        del limit
        return self._contents(self.inner.scan(prefix))

    def _contents(self, listing: Iterator[tuple[str, Stat]]) -> Iterator[list[tuple[str, Any]]]:
        def listed(item: tuple[str, Stat]) -> bytes | None:
            id, stat = item
            entry = self._files.load(id)
            if entry is not None and (self.append_only or entry.etag == stat.etag):
                return entry.data  # up to date by the listing: no request
            return self._data_or_none(id)

        for (id, _), data in in_order(listed, listing, self._workers, lambda item: item[1].size or 0):
            if data is not None:
                yield [(id, data)]

    def _data_or_none(self, id: str) -> bytes | None:
        try:
            return self[id]
        except KeyError:
            return None

    @property
    def _workers(self) -> int:
        return int(getattr(self.inner, "workers", _WORKERS))

    # ------------------------------------------------------------------ writing

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self.write(id, data)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        whole = bytes(join_parts(data))
        count, began = self._change(id), time.time()
        try:
            stat: Stat = self._writable().write(id, data, expected)
        finally:
            after = self._change(id)
        if after == count + 1:  # no other write of this id overlapped: this is the last
            self._keep(id, Entry(whole, stat.etag, stat.mtime, began), after)
        return stat

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        if self.bulk:
            for_each(
                lambda item: self.write(*item),
                ((id, join_parts(data)) for id, data in items),
                self._workers,
                lambda item: len(item[1]),
                lambda item: item[0],
            )
        else:
            super().write_many(items)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._change(id)
        try:
            self._writable().remove(id, expected)
        finally:
            self._change(id)

    def discard(self, id: str) -> bool:  # docstring inherited
        self._change(id)
        try:
            return bool(self._writable().discard(id))
        finally:
            self._change(id)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        given: list[str] = []

        def noted() -> Iterator[str]:
            for id in ids:
                self._change(id)
                given.append(id)
                yield id

        try:
            self._writable().remove_many(noted())
        finally:
            for id in given:
                self._change(id)

    def clear(self) -> None:  # docstring inherited
        self.remove_many(self.inner.ids())

    def refresh(self) -> None:  # docstring inherited
        self._since = time.time()
        super().refresh()

    def _change(self, id: str) -> int:
        """Note begin or end of a write, so that data read before it are not kept after it."""
        with self._own:
            slot = hash(id) % _SLOTS
            self._changes_of[slot] = count = self._changes_of[slot] + 1
        self._files.drop(id)
        return count

    def _keep(self, id: str, entry: Entry, count: int) -> None:
        """Keep data, unless the item was written since that count."""
        self._files.keep(id, entry, lambda: self._count(id) == count)

    def _count(self, id: str) -> int:
        return self._changes_of[hash(id) % _SLOTS]
