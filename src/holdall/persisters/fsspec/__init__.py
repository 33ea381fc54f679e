"""A persister over files in any file system of fsspec."""

import heapq
import math
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final

from holdall._options import check_bytes
from holdall._posix.trust import refuse
from holdall._shown import shown
from holdall.abc import Capability, Persister, join_parts
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import InvalidKeyError, ReadOnlyError, StoreUnavailableError, UnsupportedError
from holdall.persisters.fsspec._system import ABSENT, TAKEN, FileSystem, UnnameableError, time_of, version_of

__all__ = ["FsspecPersister"]

_TEMPORARY: Final = ".holdall-"
_LEFT_OVER: Final = 3600  # seconds after which an unfinished file counts as left by a killed writer
_ATTEMPTS: Final = 3  # to read data that change meanwhile


class FsspecPersister(Persister):
    """A folder of a file system of fsspec: ids are paths of files below it.

    Parameters
    ----------
    url
        The folder, as a URL of fsspec: ``sftp://host/folder``, ``gs://bucket/folder``, ``zip://::file.zip``.
    guard
        Whether to refuse data, which everyone with write access there could have written
        (`UntrustedStoreError`); or a function that returns this by id.
    **options
        The options of the file system, such as ``username`` and ``password``.

    Raises
    ------
    InvalidArgumentError
        If fsspec knows no such file system.
    UnsupportedError
        If the package of the file system is not installed.
    StoreUnavailableError
        If it cannot be reached.

    Notes
    -----
    Threads and processes: any number may read and write. Where the file system can rename (SFTP, FTP, SMB,
    HDFS, local), data are written under another name and renamed, so that readers see the old or the new
    ones; leftovers of killed writers are removed by listings an hour later. Object stores write in one
    request. No file system of fsspec has a compare-and-swap, so conditional operations raise
    `UnsupportedError`. After a crash: returned writes are there, as far as the server keeps them. Cost: one
    to four requests per operation; a listing reads all names below the prefix, and raises if it cannot.

    The etag is that of the file system where it has one, otherwise a digest of the data, which are read for
    it. The caches of fsspec are not used. A lost connection is opened again, once per operation.

    Examples
    --------
    >>> persister = FsspecPersister("memory://results")
    >>> persister["a/b"] = b"1"
    >>> persister["a/b"], list(persister)
    (b'1', ['a/b'])
    >>> persister.write("a/b", b"2", "some etag")
    Traceback (most recent call last):
    ...
    holdall.errors.UnsupportedError: the file system 'memory' of fsspec has no compare-and-swap: ...
    """

    def __init__(self, url: str, *, guard: bool | Callable[[str], bool] = False, **options: Any) -> None:
        self.guard = guard
        self._files = FileSystem(url, options)
        self._folders: set[str] = set()  # known to exist
        claims = {Capability.BYTES, Capability.PERSISTENT}
        if self._files.writable:
            claims.add(Capability.WRITABLE)
        if self._files.dated:
            claims.add(Capability.MTIME)
        self.capabilities = frozenset(claims)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (type(self), self._files.url, {"guard": self.guard, **self._files.options})

    @property
    def url(self) -> str:
        """The folder, as it was given."""
        return self._files.url

    @property
    def place(self) -> str:  # docstring inherited
        return self._files.place

    def location_of(self, id: str) -> str:  # docstring inherited
        return f"{self.place.rstrip('/')}/{id}"

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        self._files.close()

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: str) -> Any:
        path = self._path(id)
        if self.guard(id) if callable(self.guard) else self.guard:
            refuse(repr(id), "whoever may write there", self.place)
        try:
            data = self._files.run(f"{id!r} cannot be read", lambda system: system.cat_file(path))
        except ABSENT:
            raise KeyError(id) from None
        return bytes(data)

    def __contains__(self, id: object) -> bool:
        try:
            self._info(id, "looked for")
        except KeyError:
            return False
        return True

    def _info(self, id: Any, doing: str = "looked at") -> dict[str, Any]:
        path = self._path(id)
        try:
            info = self._files.run(f"{id!r} cannot be {doing}", lambda system: system.info(path))
        except ABSENT:
            raise KeyError(id) from None
        if info.get("type") == "directory":
            raise KeyError(id)
        return dict(info)

    def read(self, id: str) -> tuple[Any, Stat]:  # docstring inherited
        for _ in range(_ATTEMPTS):
            info = self._info(id)
            data = self[id]
            version = version_of(info)
            if version is None or version == version_of(self._info(id)):
                break
        else:
            raise StoreUnavailableError(
                0, f"{id!r} in {self.place} changes faster than it can be read: try again", self.place
            )
        return data, self._stat(info, data)

    def stat(self, id: str) -> Stat:  # docstring inherited
        info = self._info(id)
        return self._stat(info, None) if version_of(info) is not None else self.read(id)[1]

    def _stat(self, info: dict[str, Any], data: bytes | None) -> Stat:
        version = version_of(info)
        if version is None:
            version = blake2b(data or b"", digest_size=16).hexdigest()
        mtime = time_of(info)
        size = info.get("size") if data is None else len(data)
        return Stat(version, math.nan if mtime is None else mtime, size)

    # ------------------------------------------------------------------ listing

    def __iter__(self) -> Iterator[str]:
        return self.ids()

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        return (id for id, _ in self._listed(prefix))

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[str]:  # docstring inherited
        dated = ((time_of(info) or 0.0, id) for id, info in self._listed(prefix))
        if limit is None:
            return (id for _, id in sorted(dated, reverse=newest))
        return (id for _, id in (heapq.nlargest if newest else heapq.nsmallest)(limit, dated))

    def _listed(self, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield ids with the file system's information about them."""
        folder = prefix.rpartition("/")[0]
        path = self._files.path_of(folder).rstrip("/")
        try:
            found = self._files.run("cannot be listed", lambda system: self._files.find(system, path or "/"))
        except ABSENT:
            return
        for name, info in found.items():
            id = self._files.id_of(name)
            if f"/{id}".rpartition("/")[2].startswith(_TEMPORARY):
                self._sweep(id, info)
            elif id.startswith(prefix) and _is_name(id):
                yield id, info

    def _sweep(self, id: str, info: dict[str, Any]) -> None:
        """Delete an unfinished file of a killed writer."""
        written = time_of(info)
        if self._files.writable and written is not None and time.time() - written > _LEFT_OVER:
            path = self._files.path_of(id)
            try:
                self._files.run("cannot be swept", lambda system: system.rm_file(path))
            except (StoreUnavailableError, *ABSENT):
                pass  # already deleted

    # ------------------------------------------------------------------ writing

    def __setitem__(self, id: str, data: Any) -> None:
        self.put(id, data)

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        path = self._path_to_write(id)
        check_bytes(id, data)
        whole = bytes(join_parts(data))
        folder = path.rpartition("/")[0]
        what = f"{id!r} cannot be written"
        try:
            try:
                self._files.run(what, lambda system: self._store(system, path, whole))
            except (StoreUnavailableError, *ABSENT, *TAKEN):
                if folder not in self._folders:
                    raise
                self._folders.discard(folder)  # it may have been deleted
                self._files.run(what, lambda system: self._store(system, path, whole))
        except TAKEN as error:
            raise InvalidKeyError(
                f"{shown(id)} cannot be the name of a file in {self.place}: there is a folder of that name, "
                f"or a file where it needs a folder ({error})"
            ) from error
        except UnnameableError as error:
            raise self._unnameable(id) from error
        except FileNotFoundError as error:
            raise StoreUnavailableError(
                error.errno or 0, f"{what} in {self.place}: {error}", self.place
            ) from error

    def _store(self, system: Any, path: str, data: bytes) -> None:
        """Write a file, first under another name where the file system can rename."""
        folder = path.rpartition("/")[0]
        if not self._files.renames:
            system.pipe_file(path, data)
            return
        if folder not in self._folders:
            if folder:
                system.makedirs(folder, exist_ok=True)
            self._folders.add(folder)
        beside = f"{folder}/{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            system.pipe_file(beside, data)
            self._files.replace(system, beside, path)
        except BaseException:
            with suppress(Exception):  # the connection may be lost; a later listing deletes it
                system.rm_file(beside)
            raise

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        self._require_no_state(expected)
        self.put(id, data)
        return self.stat(id)

    def __delitem__(self, id: str) -> None:
        path = self._path_to_write(id)
        if id not in self:  # object stores do not report it
            raise KeyError(id)
        attempts = 0

        def delete(system: Any) -> None:
            nonlocal attempts
            attempts += 1
            system.rm_file(path)

        try:
            self._files.run(f"{id!r} cannot be deleted", delete)
        except ABSENT:
            if attempts == 1:  # otherwise the answer to the first attempt was lost
                raise KeyError(id) from None
        except StoreUnavailableError:  # FTP does not say that a file is absent
            if attempts == 1 or id in self:
                raise

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._require_no_state(expected)
        del self[id]

    def require(self, id: str, expected: Expected) -> None:  # docstring inherited
        del id
        self._require_no_state(expected)

    def _require_no_state(self, expected: Expected) -> None:
        if expected is not ANY_ETAG:
            raise UnsupportedError(
                f"the file system {self._files.name!r} of fsspec has no compare-and-swap: write without a "
                "condition, or keep what several writers change in S3Store, RedisStore or SQLiteStore"
            ).about(location=self.place, operation="write")

    # ------------------------------------------------------------------ names

    def _path(self, id: Any) -> str:
        """Return the path of an id; raise `KeyError` if no file can have it."""
        if not isinstance(id, str) or not _is_name(id):
            raise KeyError(id)
        return self._files.path_of(id)

    def _path_to_write(self, id: Any) -> str:
        if not self._files.writable:
            raise ReadOnlyError(f"{self.place} can only be read through fsspec")
        try:
            return self._path(id)
        except KeyError:
            raise self._unnameable(id) from None

    def _unnameable(self, id: Any) -> InvalidKeyError:
        return InvalidKeyError(f"{shown(id)} cannot be the name of a file below {self.place}")


def _is_name(id: str) -> bool:
    parts = id.split("/")
    return (
        not any(part in {"", ".", ".."} or part.startswith(_TEMPORARY) for part in parts) and "\0" not in id
    )


def _reopened(cls: type[FsspecPersister], url: str, options: dict[str, Any]) -> FsspecPersister:
    return cls(url, **options)
