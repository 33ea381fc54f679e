"""A cache of a slow place in a local folder, checked by etag."""

import hashlib
import json
import math
import os
import secrets
import stat as modes
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from holdall._remote.pool import for_each, in_order
from holdall.abc import Capability, PersisterWrapper, join_parts
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import InvalidArgumentError, StoreUnavailableError, UntrustedStoreError

__all__ = ["LocalCachePersister"]

_MAGIC = b"holdall cache 1\n"
_DIGEST = 16  # bytes
_LOW = 0.9  # to what part of the room is emptied when it is full
_SHARE = 1 / 16  # after what part of the room was filled, look what others did
_WORKERS = 8
_SLOTS = 4096


class _Entry(NamedTuple):
    """A value in the cache, with the state it is of, and when that was last known to be the present one."""

    data: bytes
    etag: str
    mtime: float
    checked: float

    @property
    def stat(self) -> Stat:
        return Stat(self.etag, self.mtime, len(self.data))


class LocalCachePersister(PersisterWrapper):
    """Keeps what was read from a slow place, or written to it, in files of this machine.

    Before what is kept is given, the place is asked whether its etag is still the same: one request that
    brings nothing if it is. So what others write is seen at once.

    Parameters
    ----------
    inner
        The persister; its `read_unless` should be one request.
    folder
        Where the files lie. Made if it is not there, for this user alone (mode 0700).
    namespace
        What tells this place from all others that are cached in the same folder, or a function that does,
        which is called at the first use.
    max_bytes
        How much room the files of this place may take together; those unused for longest go first. None: any.
    max_age
        For how many seconds something is given without asking, after it was known to be the present state.
        Writes of this process are seen in that time, too, those of others not.
    append_only
        Whether items never change, so that nothing is ever asked twice.

    Raises
    ------
    InvalidArgumentError
        If an option cannot be one.
    UntrustedStoreError
        At the first use, if another user may write to the folder.

    Notes
    -----
    Threads and processes: any number may share a folder. Value and etag lie in one file that is replaced as
    a whole, with a digest: a torn or damaged file is none. After a crash: what is half-written is swept with
    what is unused. Several processes that fill one folder may exceed `max_bytes` by a sixteenth each.

    Cost: a file read and a request for what is there, a file written for what is not. Data are whole in
    memory, so the wrapper does not claim ``STREAMING``.

    Examples
    --------
    >>> import tempfile
    >>> from holdall.persisters.mapping import MappingPersister
    >>> slow = MappingPersister({"a": b"1"})
    >>> place = LocalCachePersister(slow, tempfile.mkdtemp(), namespace="example")
    >>> place["a"], place["a"]
    (b'1', b'1')
    >>> slow["a"] = b"2"
    >>> place["a"]
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
            raise InvalidArgumentError(f"the folder of a cache is a path, got {folder!r:.120}") from None
        self.namespace = namespace
        self.max_bytes = max_bytes
        self.max_age = max_age
        self.append_only = append_only
        self._forget()

    def _forget(self) -> None:
        self._files: str | None = None  # the folder of this namespace, once it was looked at
        self._own = threading.Lock()
        self._changes_of = [0] * _SLOTS  # begins and ends of writes, counted by the hash of the id
        self._used = 0  # bytes at the last look, and written since then
        self._unseen = math.inf  # bytes written since the last look
        self._since = -math.inf  # what was checked before is to be checked again

    def __getstate__(self) -> dict[str, Any]:
        names = ("inner", "folder", "namespace", "max_bytes", "max_age", "append_only")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims, but for streaming."""
        return super().capabilities - {Capability.STREAMING}

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: str) -> bytes:
        return self._current(id).data

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        while True:
            entry = self._current(id)
            if not math.isnan(entry.mtime):
                return entry.data, entry.stat
            now = self.inner.stat(id)  # the answer to a write did not tell the time
            if now.etag == entry.etag:
                self._keep(id, entry.data, now, entry.checked, self._count(id))
                return entry.data, now
            if not self.append_only:
                continue
            self._drop(id)

    def _current(self, id: str) -> _Entry:
        """Return the entry of the present state, from here if it is known to be that."""
        entry = self._load(id)
        if entry is not None and (self.append_only or self._fresh(entry)):
            return entry
        began, count = time.time(), self._count(id)
        try:
            found = self.inner.read(id) if entry is None else self.inner.read_unless(id, entry.etag)
        except KeyError:
            self._drop(id)
            raise
        if found is None:
            assert entry is not None  # noqa: S101  (something was compared)
            self._touch(id, checked=began)
            return entry._replace(checked=began)
        data, stat = found
        self._keep(id, data, stat, began, count)
        return _Entry(data, stat.etag, stat.mtime, began)

    def _fresh(self, entry: _Entry) -> bool:
        return entry.checked > self._since and 0 <= time.time() - entry.checked < self.max_age

    def __contains__(self, id: object) -> bool:
        return (self.append_only and isinstance(id, str) and self._load(id) is not None) or id in self.inner

    def stat(self, id: str) -> Stat:  # docstring inherited
        if self.append_only:
            entry = self._load(id)
            if entry is not None and not math.isnan(entry.mtime):
                return entry.stat
        return self.inner.stat(id)  # type: ignore[no-any-return]

    # What is listed is what the place lists: the verbs below would go by stat() otherwise, one request each.
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
            entry = self._load(id)
            if entry is not None and (self.append_only or entry.etag == stat.etag):
                return entry.data  # as the listing shows it: no request
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
        data = bytes(join_parts(data))
        count, began = self._change(id), time.time()
        try:
            stat: Stat = self._writable().write(id, data, expected)
        finally:
            after = self._change(id)
        if after == count + 1:  # no other write of this id overlapped, so this one is the last
            self._keep(id, data, stat, began, after)
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
        """Note begin or end of a write: what was read before it is not to be kept after it."""
        with self._own:
            slot = hash(id) % _SLOTS
            self._changes_of[slot] = count = self._changes_of[slot] + 1
        self._drop(id)
        return count

    def _count(self, id: str) -> int:
        return self._changes_of[hash(id) % _SLOTS]

    # ------------------------------------------------------------------ files

    def _file(self, id: str) -> str:
        name = hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
        return os.path.join(self._files or self._look_at_folder(), name)

    def _look_at_folder(self) -> str:
        """Make the folder of this place, and see that nobody else may write there."""
        namespace = self.namespace() if callable(self.namespace) else self.namespace
        name = hashlib.blake2b(namespace.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            files = os.path.join(self.folder, name)
            os.makedirs(files, mode=0o700, exist_ok=True)
            for path in (self.folder, files):
                status = os.stat(path)
                if status.st_uid != os.geteuid() or modes.S_IMODE(status.st_mode) & 0o022:
                    raise UntrustedStoreError(
                        f"other users may write to the cache {path!r}: take a folder of your own, mode 0700",
                    )
        except OSError as error:
            if isinstance(error, UntrustedStoreError):
                raise
            raise StoreUnavailableError(f"the cache {self.folder!r} cannot be used: {error}") from error
        self._files = files
        return files

    def _load(self, id: str) -> _Entry | None:
        """Return what is kept of an id; a file that is not whole is none."""
        path = self._file(id)
        try:
            with open(path, "rb") as file:
                text = file.read()
                status = os.fstat(file.fileno())
        except OSError:
            return None
        body, digest = text[:-_DIGEST], text[-_DIGEST:]
        if not body.startswith(_MAGIC) or hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
            self._unlink(path)
            return None
        end = body.index(b"\n", len(_MAGIC))
        head = json.loads(body[len(_MAGIC) : end])
        if head["id"] != id:
            return None
        mtime = math.nan if head["mtime"] is None else head["mtime"]
        self._touch(id, checked=status.st_mtime)
        return _Entry(body[end + 1 :], head["etag"], mtime, status.st_mtime)

    def _touch(self, id: str, *, checked: float) -> None:
        """Note that something is used; its time of modification is when it was last checked."""
        try:
            os.utime(self._file(id), (time.time(), checked))
        except OSError:
            return  # gone meanwhile, which is allowed

    def _keep(self, id: str, data: bytes, stat: Stat, checked: float, count: int) -> None:
        """Keep a value, unless it was written in between."""
        head = {"id": id, "etag": stat.etag, "mtime": None if math.isnan(stat.mtime) else stat.mtime}
        body = b"".join([_MAGIC, json.dumps(head).encode(), b"\n", data])
        size = len(body) + _DIGEST
        if self.max_bytes is not None and size > self.max_bytes:
            return
        path = self._file(id)
        new = f"{path}.{secrets.token_hex(6)}"
        try:
            with open(new, "xb") as file:
                file.write(body)
                file.write(hashlib.blake2b(body, digest_size=_DIGEST).digest())
            os.utime(new, (time.time(), checked))
            with self._own:
                if self._count(id) != count or self._later(path, checked):
                    self._unlink(new)
                    return
                self._make_room(size)
                os.replace(new, path)
        except OSError:
            self._unlink(new)  # a full disk, say: a cache may do without

    def _later(self, path: str, checked: float) -> bool:
        """Tell whether another process keeps what it checked later."""
        try:
            return os.stat(path).st_mtime > checked
        except OSError:
            return False

    def _drop(self, id: str) -> None:
        self._unlink(self._file(id))

    @staticmethod
    def _unlink(path: str) -> None:
        try:
            os.unlink(path)
        except OSError:
            return

    def _make_room(self, size: int) -> None:
        """Make room for a file, at the cost of those that were not used for longest."""
        if self.max_bytes is None:
            return
        self._unseen += size
        self._used += size
        if self._used <= self.max_bytes and self._unseen <= self.max_bytes * _SHARE:
            return
        files = self._files or self._look_at_folder()
        found: list[tuple[float, int, str]] = []
        with os.scandir(files) as entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError:
                    continue
                found.append((status.st_atime, status.st_size, entry.path))
        used = sum(size for _, size, _ in found)  # the new file among them
        if used > self.max_bytes:
            for _, freed, path in sorted(found):
                if used <= self.max_bytes * _LOW:
                    break
                self._unlink(path)
                used -= freed
        self._used, self._unseen = used, 0
