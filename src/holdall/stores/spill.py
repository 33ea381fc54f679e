"""A dict larger than memory."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from typing import Any, Literal

from holdall._eviction import PolicyName
from holdall._options import checked_path, given
from holdall._posix.temporary import TemporaryFolder, warn_of_memory
from holdall._shown import shown
from holdall.conditional import Joker
from holdall.errors import InvalidArgumentError, MismatchError, UnsupportedError
from holdall.keys import AnyKeys, IdentityKeys, PathKeys, as_key_codec
from holdall.persisters.files import recorded
from holdall.serializers import get_serializer
from holdall.serializers.adapt import AdaptedSerializer
from holdall.store import Store, SupportsKeys
from holdall.store._typing import K, V
from holdall.stores.files import FileDirStore
from holdall.stores.sqlite import SQLiteStore
from holdall.wrappers.spilling import SpillPersister, SpillStats, checked_options

__all__ = ["SpillStore"]

_FILE = "values.db"
_FILES_FROM = 1 << 16  # bytes; below, the database is about as fast


class SpillStore(Store[K, V]):
    """A dict that keeps values in memory up to a limit, and the rest on disk.

    Parameters
    ----------
    path
        The folder for values that do not fit into memory; opening it again restores the store. None for a
        private temporary one that is deleted when the store is closed or the process ends.
    memory
        Bytes that values may take in memory, as a number or text: ``"1GB"``, ``"500MiB"``, or ``"25%"`` of
        the memory that the process, or its container, may use. None for the smaller of 1 GB and a quarter of
        that.
    serializer
        How values are written: a name, a `Serializer`, or anything with ``dumps`` and ``loads``. None for the
        one that the folder was made with, or pickle.
    keys
        How keys are named: None for `AnyKeys`, hashables made of literals with their types; ``str`` or
        ``tuple`` for paths, as in folders; a `KeyCodec`; or a pair of functions.
    policy
        Which values leave memory first: ``"gdsf"``, ``"lru"``, ``"lfu"`` or ``"sieve"``.
    slow
        A store, or mapping, for values that do not fit into memory, instead of a folder.
    file_per_value
        Whether each value has a file of its own. False: small values share one database, which is faster for
        many of them, and only those of 64 KiB and more have files. None for the one that the folder was made
        with, or False.
    sizeof
        Returns the bytes that a value takes in memory; None for an estimate with everything it refers to.
    writeback
        How changes inside of values in memory are detected: ``"check"``, ``"always"`` or ``"never"``.
    sync
        ``"flush"`` to write values when they leave memory, at `flush`, `close` and the end of the process;
        ``"always"`` to write them at once.
    disk
        Bytes that values may take on disk, as a number or text; None for no limit.
    on_miss, on_overflow
        Called with a key before its value is read from disk, except by `prefetch`, or written to it.
    dump, load
        A pair of functions that write and read values, as ``json.dump`` and ``json.load``, instead of
        `serializer`; the file that they get takes text and bytes.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    InvalidArgumentError
        If `memory` is not a size, or an option is invalid.
    MismatchError
        If the folder was made with another serializer or key codec.
    StoreUnavailableError
        If `path` is a file, or a folder that cannot be used.

    Notes
    -----
    The limit applies to counted bytes: `stats` shows it and the bytes in use. Values that the program itself
    holds are not counted twice.

    Threads: safe; a value that several threads request is loaded once. Processes: each has its own memory,
    and sees what others have written, but not what they hold. After a crash: everything that was written is
    there: flushed and evicted values, and with ``sync="always"`` all values. Cost: a hit encodes the key and
    looks it up in a dict; a miss reads from the disk, and writes the values to evict. For more, see
    `holdall.wrappers.spilling.SpillPersister`.

    Examples
    --------
    >>> store = SpillStore(memory="10 kB")
    >>> for n in range(100):
    ...     store[n] = [n] * 50
    >>> store[0].append("changed in place")
    >>> store.stats().memory <= 10_000, len(store), store[0][-1]
    (True, 100, 'changed in place')
    >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        memory: float | str | None = None,
        serializer: Any = None,
        keys: Any = None,
        policy: PolicyName | Callable[[int], Any] = "gdsf",
        slow: Any = None,
        file_per_value: bool | None = None,
        sizeof: Callable[[Any], int] | None = None,
        writeback: Literal["check", "always", "never"] = "check",
        sync: Literal["flush", "always"] = "flush",
        disk: float | str | None = None,
        on_miss: Callable[[Any], Any] | None = None,
        on_overflow: Callable[[Any], Any] | None = None,
        dump: Callable[..., Any] | None = None,
        load: Callable[..., Any] | None = None,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        how = checked_options(  # before the folder is made
            memory=memory,
            policy=policy,
            sizeof=sizeof,
            writeback=writeback,
            sync=sync,
            disk=disk,
            on_miss=on_miss,
            on_overflow=on_overflow,
        )
        self._temporary: TemporaryFolder | None = None
        self._folder: str | None = None
        if slow is not None:
            if any(option is not None for option in (path, serializer, keys, dump, load, file_per_value)):
                raise InvalidArgumentError("slow is a store with a path, serializer and keys of its own")
            below = slow if isinstance(slow, Store) else Store(slow)
        else:
            below = self._folder_store(path, _pair(serializer, dump, load), keys, file_per_value)
        persister = SpillPersister(below, **how, discard=self._temporary is not None)
        self._params = options
        self._below = below
        self._assemble(persister, IdentityKeys(), None, value_type=value_type, append_only=append_only)

    def _folder_store(self, path: Any, serializer: Any, keys: Any, alone: bool | None) -> Store[Any, Any]:
        if path is None:
            self._temporary = TemporaryFolder(spill=True)
            # Not the folder itself, which is locked: the folder store inside has to lock its own.
            self._folder = folder = os.path.join(self._temporary.path, "values")
        else:
            self._folder = folder = os.path.abspath(checked_path(path, "folder"))
            warn_of_memory(folder)
        is_database = os.path.exists(os.path.join(folder, _FILE))
        is_files = not is_database and recorded(folder).get("serializer") is not None
        if alone is None:
            alone = is_files
        if (alone and is_database) or (is_files and not alone):
            raise MismatchError(
                f"{folder} was made with file_per_value={is_files} and is opened with {alone}: open it as it "
                "was made, or copy it item by item into a new store"
            )
        if not alone:
            database = os.path.join(folder, _FILE)
            return SQLiteStore(database, serializer=serializer, keys=keys, files_from=_FILES_FROM)
        if serializer is None and path is not None:
            serializer = recorded(folder).get("serializer")
        codec = (AnyKeys() if keys is None else as_key_codec(keys)) | PathKeys(
            suffix=get_serializer(serializer).suffix
        )
        return FileDirStore(folder, serializer=serializer, keys=codec)

    @property
    def _spill(self) -> SpillPersister:
        persister = self.pipeline.persister
        while not isinstance(persister, SpillPersister):
            persister = persister.inner
        return persister

    @property
    def path(self) -> str | None:
        """The folder of the store, absolute; None with `slow`."""
        return self._folder

    @property
    def slow(self) -> Store[Any, Any]:
        """The store of the values that are not in memory."""
        return self._below

    @property
    def serializer(self) -> Any:
        """How values are written."""
        return self._below.serializer

    @property
    def keys_codec(self) -> Any:
        """How keys are named."""
        return self._below.keys_codec

    def stats(self) -> SpillStats:
        """Return counts and sizes: hits, misses, evictions, bytes, the limit and the bytes in use.

        Examples
        --------
        >>> store = SpillStore(memory=1000)
        >>> store["x"] = "value"
        >>> store["x"]
        'value'
        >>> store.stats().hits, store.stats().budget
        (1, 1000)
        """
        return self._spill.stats()

    def update(
        self,
        other: SupportsKeys[K, V | Joker] | Iterable[tuple[K, V | Joker]] = (),
        progress: Callable[[int], Any] | None = None,
        /,
        *,
        overwrite: bool = True,
        **named: Any,
    ) -> None:
        """Store the items of a mapping, of pairs, or of keywords.

        Parameters
        ----------
        other
            A mapping, an object with ``keys``, or an iterable of pairs. From another `SpillStore` with the
            same serializer, on the same file system, values in files of their own are taken by hard links,
            without being read; a later change in one of the stores does not affect the other.
        progress
            Called with the number of items taken so far, after each; not for values taken by hard links.
        overwrite
            Whether existing items are replaced.
        **named
            More items, with text keys.

        Examples
        --------
        >>> store, other = SpillStore(), SpillStore()
        >>> store["a"] = 1
        >>> other.update({"a": 2, "b": 3})
        >>> store.update(other, overwrite=False)
        >>> sorted(store.items())
        [('a', 1), ('b', 3)]
        """
        items: Any = other
        if isinstance(other, SpillStore):
            ours, theirs = _persister_of(self), _persister_of(other)
            if ours is not None and theirs is not None:
                ours.take_over(theirs, overwrite=overwrite)
                items = ()
        if overwrite:
            super().update(items, progress, **named)
            return
        for number, (key, value) in enumerate({**dict(items), **named}.items(), 1):
            self.setdefault(key, value)
            if progress is not None:
                progress(number)

    def key_to_filename(self, key: K) -> str:
        """Return the path of the file with the value of a key, as its serializer wrote it.

        Parameters
        ----------
        key
            The key; its value is written if it is not on disk yet.

        Raises
        ------
        KeyError
            If the key is absent.
        UnsupportedError
            If the value has no file of its own.
        """
        path = self._spill.file_of(key)
        if path is None:
            raise UnsupportedError(
                f"the value of {shown(key, 120)} has no file of its own in {self.pipeline.persister.place}: "
                "it lies among other small ones; make the store with file_per_value=True"
            )
        return path

    def prefetch(
        self, keys: Iterable[K], *, threads: int = 8, progress: Callable[[int], Any] | None = None
    ) -> int:
        """Read values into memory, several at a time, without calling `on_miss`.

        Parameters
        ----------
        keys
            The keys; those that are absent or in memory are skipped.
        threads
            How many to read at a time.
        progress
            Called with the number of keys processed so far, after each.

        Returns
        -------
        int
            How many values were read.

        Raises
        ------
        InvalidArgumentError
            If `keys` is text, or no collection.
        """
        return self._spill.prefetch(keys, threads, progress)

    def shrink(self, to: float | str = 0) -> None:
        """Move values to disk until at most some bytes are in memory.

        Parameters
        ----------
        to
            Bytes, as a number or text.
        """
        self._spill.shrink(to)

    def drop(self) -> None:
        """Delete all items, and the folder of the store.

        The store is empty then, and makes its folder again at the next write.
        """
        self._spill.drop()
        if self._temporary is not None:
            self._temporary.close()
        elif self._folder is not None:
            for end in ("", "-wal", "-shm", "-lock"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._folder, _FILE + end))
            for name in (_FILE + "-files", ".holdall"):
                shutil.rmtree(os.path.join(self._folder, name), ignore_errors=True)
            with contextlib.suppress(OSError):  # others have put files there
                os.rmdir(self._folder)

    def close(self) -> None:
        """Write what has changed and release what the store has open; delete a temporary folder.

        Raises
        ------
        SerializationError
            If some values cannot be stored; they are lost unless stored elsewhere.
        """
        if self._temporary is None:
            super().close()
        else:
            self._spill.abandon()
            self._temporary.close()


def _persister_of(store: Any) -> SpillPersister | None:
    """Return the persister of a store that adds no layers to it, else None."""
    persister = store.persister
    pipeline = store.pipeline
    plain = isinstance(persister, SpillPersister) and len(pipeline.layers) == 1
    return persister if plain and pipeline.value_type is None else None


class _Functions:
    """A pair of functions as a serializer module."""

    def __init__(self, dump: Any, load: Any) -> None:
        self.dump, self.load = dump, load

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Functions) and (self.dump, self.load) == (other.dump, other.load)

    def __hash__(self) -> int:
        return hash((self.dump, self.load))


def _pair(serializer: Any, dump: Any, load: Any) -> Any:
    """Return the serializer from the options, which may be two functions."""
    if dump is None and load is None:
        return serializer
    if serializer is not None or not (callable(dump) and callable(load)):
        raise InvalidArgumentError("give a serializer, or both of dump and load, not both and not one of two")
    module = getattr(dump, "__module__", "") or type(dump).__module__
    name = f"{module}:{getattr(dump, '__qualname__', type(dump).__qualname__)}"
    return AdaptedSerializer(_Functions(dump, load), name=name)
