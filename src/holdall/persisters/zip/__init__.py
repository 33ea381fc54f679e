"""A persister over a zip archive, with one id per entry."""

import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, BinaryIO, Literal, cast

from holdall._options import Durability, check_encoding
from holdall._posix.errors import translating
from holdall._posix.lock import TIMEOUT, check_timeout
from holdall._whole import open_atomic
from holdall.abc import Capability, Persister, conflict
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import (
    CorruptValueError,
    InvalidArgumentError,
    ReadOnlyError,
    StoreNotFoundError,
    ValueTooLargeError,
)
from holdall.persisters.zip._archive import Archive, is_ours, stat_of
from holdall.persisters.zip._rewrite import keep_mode, pack, rewrite

__all__ = ["ZipPersister"]

_METHODS = {
    "store": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
_AT_HAND = 500_000  # bytes of an archive that is listed in 30 ms
_IN_MEMORY = 1 << 24  # bytes of new entries that need no file


class ZipPersister(Persister):
    """A zip archive: ids are names of its entries.

    Parameters
    ----------
    archive
        A path; the bytes of an archive; None for a new one in memory; or a seekable binary file.
    compression
        The method for new entries: ``"deflate"``, ``"store"`` (none), ``"bzip2"`` or ``"lzma"``. Existing
        entries keep theirs.
    level
        The compression level, as in `zipfile.ZipFile`.
    durability
        ``"process"`` or ``"power"``, as for folders.
    read_only
        Whether to refuse writes; an archive under a path must exist then.
    timeout
        Seconds to wait for other writers of an archive under a path.
    guard
        Whether to refuse data that others could have written (`UntrustedStoreError`); or a function that
        returns this by id.
    max_bytes
        How many bytes an entry may have when decompressed for reading; None for no limit.
    metadata_encoding
        The encoding of names that the archive does not mark as UTF-8, such as ``"cp932"`` or ``"gbk"``.

    Raises
    ------
    StoreNotFoundError
        If there is no such archive to read.
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Names that could lead out of a folder (absolute, with ``..``, drives, backslashes) are never listed, and
    never written; symbolic links and devices are not listed. Untouched entries keep the bytes of their names.
    Of several entries with one name the last one counts.

    Threads: any number, in turns. Processes, with a path: writers take turns by a lock on the file; readers
    never wait. After a crash: each write makes a new archive beside, and renames it over the old one, so that
    there is always a whole one; the next writer removes leftovers of killed ones. An open file is rewritten
    in place, without that guarantee. Cost: a read looks at the file, and reads the directory when it has
    changed; each write copies the archive (without decompressing), so write many at once.

    The etag of an entry written by holdall is made from its time, random bytes and its checksum, all stored
    in the archive; that of other entries, from checksum, sizes and time.

    Examples
    --------
    >>> persister = ZipPersister(None)
    >>> persister.write_many([("a.txt", b"one"), ("b/c.txt", b"two")])
    >>> persister["b/c.txt"], list(persister)
    (b'two', ['a.txt', 'b/c.txt'])
    """

    def __init__(
        self,
        archive: Any = None,
        *,
        compression: Literal["store", "deflate", "bzip2", "lzma"] = "deflate",
        level: int | None = None,
        durability: Durability = "process",
        read_only: bool = False,
        timeout: float = TIMEOUT,
        guard: bool | Callable[[str], bool] = False,
        max_bytes: int | None = None,
        metadata_encoding: str = "cp437",
    ) -> None:
        if compression not in _METHODS:
            raise InvalidArgumentError(
                f"compression must be one of {', '.join(_METHODS)}, got {compression!r}"
            )
        if level is not None and (type(level) is not int or not 0 <= level <= 9):
            raise InvalidArgumentError(f"level must be a number from 0 to 9, or None, got {level!r}")
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        self.compression = compression
        self.level = level
        if max_bytes is not None and (type(max_bytes) is not int or max_bytes < 1):
            raise InvalidArgumentError(f"max_bytes must be 1 or more, or None, got {max_bytes!r}")
        self.guard = guard
        self.max_bytes = max_bytes
        self.metadata_encoding = check_encoding(metadata_encoding)
        # Files whose loading can run code must not be writable for others, whatever the umask.
        self._whole = open_atomic(
            archive,
            power=durability == "power",
            mode=0o664 if guard else 0o666,
            timeout=check_timeout(timeout),
        )
        self._archive: Archive | None = None
        self.read_only = read_only or not self._whole.writable
        claims = {Capability.BYTES, Capability.MTIME, Capability.CHEAP_STAT}
        if not self.read_only:
            claims |= {Capability.WRITABLE, Capability.CAS_THREADS}
        if not self._whole.shared:
            claims.add(Capability.STREAMING)
        if self._whole.persistent:
            claims.add(Capability.PERSISTENT)
            if not self.read_only:
                claims.add(Capability.CAS_HOST)
        self.capabilities = frozenset(claims)
        if read_only and self._whole.persistent and self._whole.state() is None:
            raise StoreNotFoundError(2, "there is no such archive to read", self.place)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_archive": None}

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return self._whole.is_at_hand(self._archive and self._archive.state, _AT_HAND)

    @property
    def place(self) -> str:  # docstring inherited
        return self._whole.place

    @property
    def owned(self) -> bool:  # docstring inherited
        return all(map(is_ours, self._now().entries.values()))

    @property
    def left_out(self) -> list[str]:
        """Names that are not listed: those that are unsafe or unreadable, symbolic links and devices."""
        return list(self._now().left_out)

    # ------------------------------------------------------------------ reading

    def _now(self) -> Archive:
        """Return the archive in its present state."""
        archive = self._archive
        state = self._whole.state()
        if archive is not None and archive.state == state and archive.pid == os.getpid():
            return archive
        with self._whole.mutex:
            self._archive = archive = self._open()
        return archive

    def _open(self) -> Archive:
        file, state = self._whole.open() or (None, self._whole.state())
        return Archive(file, state, self.place, self.metadata_encoding)

    def _entry(self, id: str) -> tuple[Archive, zipfile.ZipInfo]:
        archive = self._now()
        try:
            info = archive.entries[id]
        except KeyError:
            raise KeyError(id) from None
        return archive, info

    def _check(self, id: str, archive: Archive) -> None:
        if self.guard(id) if callable(self.guard) else self.guard:
            self._whole.check_trust(repr(id), archive.file)
        size = archive.entries[id].file_size  # no more is decompressed
        if self.max_bytes is not None and size > self.max_bytes:
            raise ValueTooLargeError(
                f"{id!r} in {self.place} takes {size} bytes, more than the {self.max_bytes} of max_bytes: "
                "raise it if you trust who made the archive"
            )

    def __getitem__(self, id: str) -> bytes:
        return self.read(id)[0]

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        if self._whole.shared:
            with self._whole.mutex:
                return self._read(id)
        return self._read(id)

    def _read(self, id: str) -> tuple[bytes, Stat]:
        archive, info = self._entry(id)
        self._check(id, archive)
        return archive.read(info), stat_of(info)

    def fetch(self, id: str, limit: int) -> Any:  # docstring inherited
        if not self._whole.shared:
            _, info = self._entry(id)
            if info.file_size > limit:
                return self._stream(id)
        return self[id]

    def _stream(self, id: str) -> BinaryIO:
        """Open an entry in an archive of its own, since others read from the shared one."""
        archive = self._open()
        if id not in archive.entries:
            raise KeyError(id)
        self._check(id, archive)
        return archive.open(archive.entries[id])

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        return super().reader(id) if self._whole.shared else cast("BinaryIO", self.fetch(id, -1))

    def stat(self, id: str) -> Stat:  # docstring inherited
        return stat_of(self._entry(id)[1])

    def __contains__(self, id: object) -> bool:
        return id in self._now().entries

    def __len__(self) -> int:
        return len(self._now().entries)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._now().entries))

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        for id, info in list(self._now().entries.items()):
            if id.startswith(prefix):
                yield id, stat_of(info)

    # ------------------------------------------------------------------ writing

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self._change([(id, data, math.nan)])

    __setitem__ = put

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        new = self._change([(id, data, math.nan)], expected={id: expected})
        return stat_of(new[id])

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items by writing the archive once: all of them, or after an error none."""
        self._change((id, data, math.nan) for id, data in items)

    def write_new(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several new items by writing the archive once: all of them, or none."""
        absent: dict[str, Expected] = {}

        def new() -> Iterator[tuple[str, Any, float]]:
            for id, data in items:
                if id in absent:
                    raise conflict(self, id, ITEM_NOT_AVAILABLE, "of another item").about(key=id)
                absent[id] = ITEM_NOT_AVAILABLE
                yield id, data, math.nan

        self._change(new(), expected=absent)

    def write_dated(self, items: Iterable[tuple[str, Any, float]]) -> None:  # docstring inherited
        self._change(items)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._change((), drop=[id], expected={id: expected}, must_exist=True)

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        self._change((), drop=list(ids))

    def _change(
        self,
        items: Iterable[tuple[str, Any, float]],
        *,
        drop: Iterable[str] = (),
        expected: dict[str, Expected] | None = None,
        must_exist: bool = False,
    ) -> dict[str, zipfile.ZipInfo]:
        """Rewrite the archive with other items; return the new entries."""
        if self.read_only:
            raise ReadOnlyError(f"{self.place} was opened to be read only")
        method = _METHODS[self.compression]
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            # Outside of the lock: compressing takes time, and the iterator of items may use this very store.
            with translating("it cannot be written", self.place):
                new = pack(
                    items, cast("BinaryIO", file), method=method, level=self.level, location=self.place
                )

            def change() -> dict[str, zipfile.ZipInfo]:
                archive = self._open()  # our own: others read from theirs
                for id, state in ({} if expected is None else expected).items():
                    self._require(archive, id, state)
                gone = {id for id in drop if id in archive.entries}
                if must_exist and not gone:
                    raise KeyError(*drop)
                if gone or new.filelist:
                    self._replace(archive, gone, new)
                return dict(new.NameToInfo)

            with new:
                return self._whole.locked(change)

    def _require(self, archive: Archive, id: str, expected: Expected) -> None:
        info = archive.entries.get(id)
        actual: Etag = ITEM_NOT_AVAILABLE if info is None else stat_of(info).etag
        if expected is not ANY_ETAG and actual != expected:
            raise conflict(self, id, expected, actual).about(key=id)

    def _replace(self, archive: Archive, gone: set[str], new: zipfile.ZipFile) -> None:
        for name, info in new.NameToInfo.items():
            keep_mode(archive.entries.get(name), info)
        try:
            self._whole.replace(partial(rewrite, archive.zip, {*gone, *new.NameToInfo}, new))
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise CorruptValueError(
                f"{self.place} is damaged, and stays as it is ({error}): copy what can be read elsewhere",
            ) from error
        finally:
            self._archive = None

    def close(self) -> None:  # docstring inherited
        self._archive = None

    def data(self) -> bytes:
        """Return the whole archive, as the bytes of a file; none if nothing was ever stored."""
        with self._whole.mutex:
            file, _ = self._whole.open() or (None, None)
            if file is None:
                return b""
            with file:
                return file.read()
