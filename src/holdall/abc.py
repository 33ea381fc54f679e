"""All that can be plugged into holdall: persisters, serializers, key codecs.

This page is the contract for extensions; what implements it lies in `holdall.persisters`,
`holdall.serializers` and `holdall.keys`, and `holdall.testing` checks any implementation.

A persister maps *ids* (``str``) to *data* (``bytes``). Four methods make one::

    class Redis(Persister):
        def __getitem__(self, id): ...      # KeyError(id) means absent, and nothing else does
        def __setitem__(self, id, data): ...
        def __delitem__(self, id): ...
        def __iter__(self): ...

Everything else has a correct default built on those, and may be overridden where the place does it
better. An override may be faster, never different. `Reader.stat` is the one to override first: it buys
``in``, etags, times, sizes and cheap compare-and-swap. Whoever overrides `Persister.write` overrides
`Persister.put` and makes ``__setitem__`` go the same way, so that unconditional writers take part in
compare-and-swap. A place that compares and swaps by itself is a `VersionedPersister`, where that is so
already.
"""

import hashlib
import heapq
import io
import itertools
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from typing import Any, BinaryIO, Final, Generic, Literal, Self, TypeAlias, TypeVar, final

from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import ConflictError, UnsupportedError

__all__ = [
    "NOT_MINE",
    "Capability",
    "Data",
    "KeyCodec",
    "KeyedSerializer",
    "NotMine",
    "Persister",
    "PersisterWrapper",
    "Reader",
    "Serializer",
    "VersionedPersister",
    "conflict",
    "join_parts",
]

K = TypeVar("K")
V = TypeVar("V")

#: Any function of one argument, as the pipelines of a store take them.
Unary: TypeAlias = Callable[[Any], Any]

#: What a serializer hands to a persister: bytes, or pieces that need not be joined to be written.
Data: TypeAlias = bytes | list[bytes | bytearray | memoryview]


class Capability(Enum):
    """What a persister claims; the conformance suite holds it to every claim."""

    WRITABLE = "items can be stored and deleted"
    PERSISTENT = "reopening the same place finds the same items"
    BYTES = "data are bytes; without this claim they may be any object"
    MTIME = "stats carry the time of the last modification"
    CHEAP_STAT = "`in`, `len` and `stat` never read data"
    STREAMING = "`fetch` gives large data as a file, and writes take data in pieces"
    TRANSACTIONS = "several writes are made as one, or none of them"
    CAS_THREADS = "compare-and-swap is linearizable among the threads of a process"
    CAS_HOST = "compare-and-swap is linearizable among the processes of a machine"
    CAS_WORLD = "compare-and-swap is linearizable among machines"


def join_parts(data: Any) -> Any:
    """Make one piece of data that a serializer gave in pieces.

    Parameters
    ----------
    data
        Data of any kind; only lists of buffers are changed.

    Examples
    --------
    >>> join_parts([b"head", memoryview(b"body")])
    b'headbody'
    """
    return b"".join(data) if type(data) is list else data


class Reader(Mapping[str, Any], ABC):
    """A read-only place: ids to data, from two methods, ``__getitem__`` and ``__iter__``.

    Notes
    -----
    Threads and processes: as safe as the two methods are. Cost: the defaults read a value to tell
    anything of it; override `stat` to do better.

    Examples
    --------
    >>> class Squares(Reader):
    ...     def __getitem__(self, id):
    ...         if not id.isdigit():
    ...             raise KeyError(id)
    ...         return str(int(id) ** 2).encode()
    ...     def __iter__(self):
    ...         return map(str, range(4))
    >>> Squares().read("3")[0], "x" in Squares(), len(Squares())
    (b'9', False, 4)
    """

    #: What this place claims to do.
    capabilities: frozenset[Capability] = frozenset({Capability.BYTES})
    #: Whether bulk verbs send many requests at once, so that many items are better given together.
    bulk: bool = False
    #: Whether ``[]`` makes data for ids that are absent, as that of a defaultdict does; nothing else does.
    makes_missing: bool = False

    @abstractmethod
    def __getitem__(self, id: str) -> Any:
        """Give the data stored under an id; ``KeyError(id)`` means absent and nothing else."""

    @abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids; safe while others write."""

    # Two handles of one place are not compared by reading everything in it.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def place(self) -> str:
        """Where the data lie, for messages."""
        return type(self).__name__

    @property
    def owned(self) -> bool:
        """Whether all that lies here was put here through holdall, so that it may be cleared."""
        return True

    @property
    def lock_file(self) -> str | None:
        """A file of which processes lock bytes while they compute an item; None where there is none."""
        return None

    @property
    def getter(self) -> "Unary":
        """A function that does what ``__getitem__`` does, as directly as the place allows."""
        return self.__getitem__

    def read(self, id: str) -> tuple[Any, Stat]:
        """Give data and stat as one snapshot.

        Parameters
        ----------
        id
            The id to read.

        Returns
        -------
        tuple
            The data and their `Stat`.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        data = self[id]
        return data, Stat(_digest(data), math.nan, len(data) if isinstance(data, bytes) else None)

    def read_unless(self, id: str, etag: str) -> tuple[Any, Stat] | None:
        """Return data and stat as `read` does, or None if the item still has an etag that the caller knows.

        Parameters
        ----------
        id
            The id to read.
        etag
            The etag of what the caller has already.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        return None if self.stat(id).etag == etag else self.read(id)

    def stat(self, id: str) -> Stat:
        """Give the stat of an id; override this method first.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        return self.read(id)[1]

    def __contains__(self, id: object) -> bool:
        # The default stat reads the data, and makes a digest of them that nobody asked for here.
        look = self.__getitem__ if type(self).stat is Reader.stat else self.stat
        try:
            look(id)  # type: ignore[arg-type,index]
        except KeyError:
            return False
        return True

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def ids(self, prefix: str = "") -> Iterator[str]:
        """Iterate over the ids that start with a prefix."""
        if not prefix:
            return iter(self)
        return (id for id in self if id.startswith(prefix))

    def pages(self, prefix: str = "") -> Iterator[list[str]]:
        """Iterate over the ids that start with a prefix, by the lists in which the place gives them."""
        ids = self.ids(prefix)
        while page := list(itertools.islice(ids, 256)):
            yield page

    def peek(self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1) -> list[str]:
        """Give some of the ids that start with a prefix: for a glance at a place of any size.

        Parameters
        ----------
        prefix
            What ids start with.
        limit
            How many ids at the most.
        seconds
            After what time to be content with fewer.
        """
        until = time.monotonic() + seconds
        found: list[str] = []
        for page in self.pages(prefix):
            found += page[: limit - len(found)]
            if len(found) >= limit or time.monotonic() > until:
                break
        return found

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """Iterate over ids and stats; what vanishes meanwhile is left out."""
        for id in self.ids(prefix):
            try:
                stat = self.stat(id)
            except KeyError:
                continue
            yield id, stat

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Iterate over id and data of those ids that exist, in the order asked."""
        for id in ids:
            try:
                data = self[id]
            except KeyError:
                continue
            yield id, data

    def contents(self, prefix: str = "", limit: int | None = None) -> Iterator[list[tuple[str, Any]]] | None:
        """Iterate over all ids and data, by the lists in which the place gives them; None if it gives none.

        A place that reads many items in a row faster than one by one overrides this.

        Parameters
        ----------
        prefix
            With what the ids start.
        limit
            Size in bytes up to which data are wanted whole; larger data may come as an open binary file,
            as from `fetch`, in a list of one item. None: all data are wanted whole.
        """
        del prefix, limit
        return None

    def folders(self, prefix: str = "") -> Iterator[str] | None:
        """Iterate over what ids that start with a prefix have up to the next "/", it included, each once.

        None, if the place would have to list all ids for that. A folder may be told of in which only things
        lie that are no ids.

        Parameters
        ----------
        prefix
            What ids start with: "", or what ends with "/".
        """
        del prefix
        return None

    def by_age(self, prefix: str = "", *, newest: bool = False, limit: int | None = None) -> Iterator[str]:
        """Iterate over ids by the time of their last modification.

        Parameters
        ----------
        prefix
            With what the ids start.
        newest
            Whether to begin with the last modified.
        limit
            How many are wanted at the most; None for all. Memory is bounded by it.
        """
        dated = ((stat.mtime, -count, id) for count, (id, stat) in enumerate(self.scan(prefix)))
        if limit is None:
            ordered = sorted(dated, key=_age, reverse=newest)
        else:
            ordered = (heapq.nlargest if newest else heapq.nsmallest)(limit, dated, key=_age)
        return (id for _, _, id in ordered)

    def fetch(self, id: str, limit: int) -> Any:
        """Give data of up to `limit` bytes whole; larger data may come as an open binary file.

        Parameters
        ----------
        id
            The id to read.
        limit
            Size in bytes up to which the data are wanted whole.

        Returns
        -------
        bytes or file
            What is no bytes has ``read``, ``readinto`` and ``close``; the caller closes it.
        """
        del limit
        return self[id]

    def reader(self, id: str) -> BinaryIO:
        """Open the data of an id as a binary file."""
        return io.BytesIO(self[id])

    def refresh(self) -> None:
        """Forget what the handle remembers of the place, so that the next look sees what others did."""

    def flush(self) -> None:
        """Bring to the place what is still on its way."""

    def close(self) -> None:
        """Give back what the handle holds; closing twice is allowed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}


class Persister(Reader, MutableMapping[str, Any]):
    """A place that can be written: ids to data, from four methods.

    Notes
    -----
    Threads: conditional writes are linearizable among the threads that share the object, by a lock.
    Processes: whatever the four methods give; conditional writes of several processes need an
    override of `write` and `remove`. After a crash: whatever ``__setitem__`` leaves.

    Examples
    --------
    >>> class Shouting(Persister):
    ...     def __init__(self): self.inner = {}
    ...     def __getitem__(self, id): return self.inner[id.upper()]
    ...     def __setitem__(self, id, data): self.inner[id.upper()] = data
    ...     def __delitem__(self, id): del self.inner[id.upper()]
    ...     def __iter__(self): return iter(list(self.inner))
    >>> place = Shouting()
    >>> first = place.write("a", b"1", ITEM_NOT_AVAILABLE)
    >>> place.write("a", b"2", first.etag).size
    1
    """

    capabilities = frozenset({Capability.BYTES, Capability.WRITABLE, Capability.CAS_THREADS})

    @abstractmethod
    def __setitem__(self, id: str, data: Any) -> None:
        """Store data under an id, replacing what was there."""

    @abstractmethod
    def __delitem__(self, id: str) -> None:
        """Delete an id; ``KeyError(id)`` if there is none."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The lock under which the defaults compare and swap."""
        try:
            return vars(self)["_lock"]  # type: ignore[no-any-return]
        except KeyError:  # setdefault is atomic: all threads get the same lock
            return vars(self).setdefault("_lock", threading.RLock())  # type: ignore[no-any-return]

    def put(self, id: str, data: Any) -> None:
        """Store data, whatever was there, in turn with conditional writers."""
        with self.lock:
            self[id] = join_parts(data)

    @contextmanager
    def writer(self, id: str) -> Iterator[BinaryIO]:
        """Open a binary file whose content is stored when the context is left without an error."""
        file = io.BytesIO()
        yield file
        self.put(id, file.getvalue())

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:
        """Store data under an id if the id is in the expected state.

        Parameters
        ----------
        id
            The id to write.
        data
            What to store.
        expected
            The etag that the item must have, `ITEM_NOT_AVAILABLE` if there must be none, or `ANY_ETAG`.

        Returns
        -------
        Stat
            The stat of what is now stored.

        Raises
        ------
        ConflictError
            If the item is in another state; its ``actual`` tells which.
        """
        with self.lock:
            self.require(id, expected)
            self[id] = join_parts(data)
            return self.stat(id)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:
        """Delete an id if it is in the expected state.

        Raises
        ------
        KeyError
            If there is no such id.
        ConflictError
            If the item has another etag.
        """
        with self.lock:
            self.require(id, expected)
            del self[id]

    def discard(self, id: str) -> bool:
        """Delete an id if there is one.

        Returns
        -------
        bool
            Whether there was one. A place that does not tell in the same request says True.
        """
        try:
            self.remove(id)
        except KeyError:
            return False
        return True

    def require(self, id: str, expected: Expected) -> None:
        """Raise `ConflictError` unless the id is in the expected state."""
        if expected is ANY_ETAG:
            return
        try:
            actual: Etag = self.stat(id).etag
        except KeyError:
            actual = ITEM_NOT_AVAILABLE
        if actual != expected:
            raise conflict(self, id, expected, actual)

    def transaction(self) -> AbstractContextManager[None]:
        """Make one of all that this thread writes within the context: after an error, none of it happened.

        Raises
        ------
        UnsupportedError
            If the place does not claim `Capability.TRANSACTIONS`.
        """
        raise UnsupportedError(
            f"{self.place} has no transactions: each write stands for itself. A SQLiteStore has them",
        )

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items; what was stored before an error stays stored."""
        for id, data in items:
            self.put(id, data)

    def remove_many(self, ids: Iterable[str]) -> None:
        """Delete those of the ids that exist."""
        for id in ids:
            self.discard(id)

    def clear(self) -> None:
        """Delete every id."""
        self.remove_many(list(self))

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:
        """Delete what has expired, where items do expire.

        Parameters
        ----------
        owns
            Tells of an id whether it may be deleted: others may keep things in the same place.
        prefix
            What ids must start with.

        Returns
        -------
        int
            How many items were deleted.
        """
        del owns, prefix
        return 0


def conflict(persister: Reader, id: str, expected: Expected, actual: Etag) -> ConflictError:
    """Build the error of a compare-and-swap that lost.

    Parameters
    ----------
    persister
        Where it was tried.
    id
        What was to be written or deleted.
    expected
        The state in which it was to be found.
    actual
        The state in which it is.

    Returns
    -------
    ConflictError
        For the caller to raise.

    Examples
    --------
    >>> from holdall.persisters.null import NullPersister
    >>> conflict(NullPersister(), "a", "7", "8").actual
    '8'
    """
    return ConflictError(
        f"{id!r:.120} in {persister.place} is at {actual!r}, not at {expected!r:.120}: "
        "read it again and retry",
        actual,
    )


class VersionedPersister(Persister):
    """A place that compares and swaps by itself, from `read`, `write`, `remove` and `ids`.

    The plain verbs are made of these four here and are final, so that no unconditional writer can pass a
    conditional one by. Databases, object stores and servers with a compare-and-set command are such places.
    `stat` is made of `read`: override it where the place tells of data without sending them.

    Notes
    -----
    Threads, processes, machines: as `write` and `remove`; the subclass claims in `capabilities` how far they
    reach. No lock is taken. After a crash: whatever `write` leaves.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> class Forwarding(VersionedPersister):
    ...     def __init__(self): self.server = MappingPersister({})
    ...     def read(self, id): return self.server.read(id)
    ...     def write(self, id, data, expected=ANY_ETAG):
    ...         return self.server.write(id, join_parts(data), expected)
    ...     def remove(self, id, expected=ANY_ETAG): self.server.remove(id, expected)
    ...     def ids(self, prefix=""): return self.server.ids(prefix)
    >>> place = Forwarding()
    >>> place["a"] = b"1"
    >>> before = place.stat("a").etag
    >>> place["a"] = b"2"
    >>> place.write("a", b"3", before)
    Traceback (most recent call last):
    ...
    holdall.errors.ConflictError: 'a' in ... is at ...
    """

    @abstractmethod
    def read(self, id: str) -> tuple[Any, Stat]:
        """Give data and stat as one snapshot; ``KeyError(id)`` means absent and nothing else."""

    @abstractmethod
    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:
        """Store data if the id is in the expected state, else raise `conflict`; data may come in pieces.

        The time of the `Stat` may be ``math.nan`` where the answer of the place does not tell it.
        """

    @abstractmethod
    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:
        """Delete an id that is in the expected state; raise `conflict` if it is in another.

        An absent id is ``KeyError(id)`` where any state, or absence, was expected.
        """

    @abstractmethod
    def ids(self, prefix: str = "") -> Iterator[str]:
        """Iterate over the ids that start with a prefix; safe while others write."""

    @final
    def __getitem__(self, id: str) -> Any:
        return self.read(id)[0]

    @final
    def __setitem__(self, id: str, data: Any) -> None:
        self.write(id, data)

    @final
    def __delitem__(self, id: str) -> None:
        self.remove(id)

    @final
    def __iter__(self) -> Iterator[str]:
        return self.ids()

    @final
    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self.write(id, data)


class PersisterWrapper(Persister):
    """A persister that forwards the whole contract to another; override the one verb that changes.

    Parameters
    ----------
    inner
        The persister, or read-only `Reader`, to forward to.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> class Counting(PersisterWrapper):
    ...     reads = 0
    ...     def __getitem__(self, id):
    ...         self.reads += 1
    ...         return self.inner[id]
    >>> counting = Counting(MappingPersister({"a": 1}))
    >>> counting["a"], counting.reads
    (1, 1)
    """

    def __init__(self, inner: Any) -> None:
        self.inner: Any = inner

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims now."""
        return self.inner.capabilities  # type: ignore[no-any-return]

    @property
    def place(self) -> str:  # docstring inherited
        return str(self.inner.place)

    @property
    def owned(self) -> bool:  # docstring inherited
        return bool(self.inner.owned)

    @property
    def bulk(self) -> bool:  # type: ignore[override]
        """Whether the inner persister sends many requests at once."""
        return bool(self.inner.bulk)

    @property
    def makes_missing(self) -> bool:  # type: ignore[override]
        """Whether ``[]`` of the inner persister makes data for absent ids."""
        return bool(self.inner.makes_missing)

    @property
    def lock_file(self) -> str | None:  # docstring inherited
        return self.inner.lock_file  # type: ignore[no-any-return]

    @property
    def lock(self) -> AbstractContextManager[Any]:  # docstring inherited
        return self.inner.lock  # type: ignore[no-any-return]

    def _writable(self) -> Any:
        if not hasattr(self.inner, "put"):  # a Reader; what refuses writes by itself also says why
            raise UnsupportedError(f"{self.place} can only be read")
        return self.inner

    def _changes(self, *verbs: str) -> bool:
        """Tell whether a subclass overrides one of these verbs, so that its relatives must go through it."""
        return any(getattr(type(self), verb) is not getattr(PersisterWrapper, verb) for verb in verbs)

    def __getitem__(self, id: str) -> Any:
        return self.inner[id]

    def __setitem__(self, id: str, data: Any) -> None:
        self.put(id, data)

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def __iter__(self) -> Iterator[str]:
        return iter(self.inner)

    def __contains__(self, id: object) -> bool:
        return super().__contains__(id) if self._changes("stat") else id in self.inner

    def __len__(self) -> int:
        return super().__len__() if self._changes("__iter__") else len(self.inner)

    def read(self, id: str) -> tuple[Any, Stat]:  # docstring inherited
        while self._changes("__getitem__", "stat"):
            before = self.stat(id)
            data = self[id]
            if self.stat(id).etag == before.etag:
                return data, before
        return self.inner.read(id)  # type: ignore[no-any-return]

    def read_unless(self, id: str, etag: str) -> tuple[Any, Stat] | None:  # docstring inherited
        if self._changes("__getitem__", "read", "stat"):
            return super().read_unless(id, etag)
        return self.inner.read_unless(id, etag)  # type: ignore[no-any-return]

    def stat(self, id: str) -> Stat:  # docstring inherited
        return self.inner.stat(id)  # type: ignore[no-any-return]

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        if self._changes("__iter__"):
            return super().ids(prefix)
        return self.inner.ids(prefix)  # type: ignore[no-any-return]

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        if self._changes("__iter__", "ids"):
            return super().pages(prefix)
        return self.inner.pages(prefix)  # type: ignore[no-any-return]

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[str]:  # docstring inherited
        if self._changes("__iter__", "ids", "pages"):
            return super().peek(prefix, limit=limit, seconds=seconds)
        return self.inner.peek(prefix, limit=limit, seconds=seconds)  # type: ignore[no-any-return]

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        if self._changes("stat", "__iter__", "ids"):
            return super().scan(prefix)
        return self.inner.scan(prefix)  # type: ignore[no-any-return]

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:  # docstring inherited
        if self._changes("__getitem__"):
            return super().read_many(ids)
        return self.inner.read_many(ids)  # type: ignore[no-any-return]

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        if self._changes("__getitem__", "fetch", "read_many", "__iter__", "ids", "pages"):
            return None
        return self.inner.contents(prefix, limit)  # type: ignore[no-any-return]

    def folders(self, prefix: str = "") -> Iterator[str] | None:  # docstring inherited
        if self._changes("__iter__", "ids", "pages"):
            return None
        return self.inner.folders(prefix)  # type: ignore[no-any-return]

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[str]:  # docstring inherited
        if self._changes("stat", "scan", "__iter__", "ids"):
            return super().by_age(prefix, newest=newest, limit=limit)
        return self.inner.by_age(prefix, newest=newest, limit=limit)  # type: ignore[no-any-return]

    def fetch(self, id: str, limit: int) -> Any:  # docstring inherited
        return self[id] if self._changes("__getitem__") else self.inner.fetch(id, limit)

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        if self._changes("__getitem__"):
            return super().reader(id)
        return self.inner.reader(id)  # type: ignore[no-any-return]

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        if self._changes("write"):
            self.write(id, data)
        else:
            self._writable().put(id, data)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        return self._writable().write(id, data, expected)  # type: ignore[no-any-return]

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        self._writable().remove(id, expected)

    def discard(self, id: str) -> bool:  # docstring inherited
        if self._changes("remove"):
            return super().discard(id)
        return self._writable().discard(id)  # type: ignore[no-any-return]

    def transaction(self) -> AbstractContextManager[None]:  # docstring inherited
        return self._writable().transaction()  # type: ignore[no-any-return]

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        if self._changes("write", "put"):
            super().write_many(items)
        else:
            self._writable().write_many(items)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        if self._changes("remove"):
            super().remove_many(ids)
        else:
            self._writable().remove_many(ids)

    def clear(self) -> None:  # docstring inherited
        if self._changes("remove", "remove_many"):
            super().clear()
        else:
            self._writable().clear()

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        return self._writable().purge(owns, prefix)  # type: ignore[no-any-return]

    def refresh(self) -> None:  # docstring inherited
        self.inner.refresh()

    def flush(self) -> None:  # docstring inherited
        self.inner.flush()

    def close(self) -> None:  # docstring inherited
        self.inner.close()


class Serializer(ABC, Generic[V]):
    """How values are written: value to data and back.

    Examples
    --------
    >>> class Hex(Serializer[int]):
    ...     name, suffix = "hex", ".hex"
    ...     def dumps(self, value): return b"%x" % value
    ...     def loads(self, data): return int(data, 16)
    >>> Hex().loads(Hex().dumps(255))
    255
    """

    #: What a store records of it and compares when it is reopened.
    name: str = ""
    #: File suffix with its dot.
    suffix: str = ""
    #: Whether loading can run code that the data name: then owner and mode of files are checked.
    executes_code: bool = False
    #: Size in bytes from which `load` from a file beats `loads`; None if it never does.
    stream_from: int | None = None

    @abstractmethod
    def dumps(self, value: V) -> bytes:
        """Turn a value into data.

        Raises
        ------
        SerializationError
            If the value cannot be written, or would not come back equal.
        """

    @abstractmethod
    def loads(self, data: bytes) -> V:
        """Turn data into the value; whatever it raises means that the data are corrupt."""

    def parts(self, value: V) -> Data:
        """Turn a value into data in pieces, without copying large buffers.

        The pieces may be views of the value: they are to be written before it changes.
        """
        return self.dumps(value)

    def filler(self, nonce: bytes) -> bytes | None:
        """Return bytes that may follow the data of any value, and that loading passes over.

        Places whose versions are digests of the data put some there, so that equal values written twice are
        two versions. What other programs read must not be changed by them. None: there are no such bytes.

        Parameters
        ----------
        nonce
            Random bytes; others give another filler.

        Examples
        --------
        >>> from holdall.serializers import get_serializer
        >>> json = get_serializer("json")
        >>> json.loads(json.dumps([1]) + json.filler(b"8 random"))
        [1]
        >>> get_serializer("text").filler(b"8 random") is None
        True
        """
        del nonce
        return None

    def dump(self, value: V, file: BinaryIO) -> None:
        """Write a value to a binary file."""
        data = self.parts(value)
        if isinstance(data, list):
            file.writelines(data)
        else:
            file.write(data)

    def load(self, file: BinaryIO) -> V:
        """Read the value from a binary file."""
        return self.loads(file.read())

    def __repr__(self) -> str:
        return f"<serializer {self.name}>"


class KeyedSerializer(Serializer[V]):
    """A family of serializers: which one writes a value is told by the id.

    A store asks it for the serializer of each id, and never for data. Stores without one pay nothing.

    Examples
    --------
    >>> from holdall.serializers import get_serializer
    >>> class Notes(KeyedSerializer):
    ...     name = "notes"
    ...     def for_id(self, id):
    ...         return get_serializer("text" if id.startswith("notes/") else "json")
    >>> from holdall import Store
    >>> store = Store(serializer=Notes())
    >>> store.update({"notes/a": "[]", "b": []})
    >>> store["notes/a"], store["b"]
    ('[]', [])
    """

    @abstractmethod
    def for_id(self, id: str) -> Serializer[V]:
        """Give the serializer of an id.

        Raises
        ------
        UnsupportedError
            If no value can be kept under such an id.
        """

    def runs_code(self, id: str) -> bool:
        """Tell whether loading the data of an id can run code that they name."""
        try:
            return self.for_id(id).executes_code
        except UnsupportedError:
            return False  # nothing will be loaded

    def dumps(self, value: V) -> bytes:  # docstring inherited
        raise UnsupportedError(f"{self!r} cannot write {type(value).__name__} without an id: ask for_id(id)")

    def loads(self, data: bytes) -> V:  # docstring inherited
        raise UnsupportedError(f"{self!r} cannot read {len(data)} bytes without an id: ask for_id(id)")


class NotMine(Enum):
    """The type of `NOT_MINE`."""

    NOT_MINE = 1

    def __repr__(self) -> str:
        return self.name


#: What a key codec answers to an id that it would never have made.
NOT_MINE: Final = NotMine.NOT_MINE


class KeyCodec(ABC, Generic[K]):
    """How keys are named: key to id and back, injective and reversible on the keys it accepts.

    Codecs are values: frozen, comparable, with a ``repr`` that tells all of their options, since a
    store records it. ``first | second`` names keys by the first and the resulting ids by the second.

    Examples
    --------
    >>> class Upper(KeyCodec[str]):
    ...     def encode(self, key):
    ...         return key.upper()
    ...     def decode(self, id):
    ...         return id.lower() if id.isupper() else NOT_MINE
    >>> Upper().decode("readme"), Upper().decode("README")
    (NOT_MINE, 'readme')
    """

    #: Whether ids tell their keys; without that the keys of a store cannot be listed.
    reversible: bool = True

    @abstractmethod
    def encode(self, key: K) -> str:
        """Name a key.

        Raises
        ------
        InvalidKeyError
            If the key is not one that this codec accepts.
        """

    @abstractmethod
    def decode(self, id: str) -> K | Literal[NotMine.NOT_MINE]:
        """Give the key that `encode` names so, or `NOT_MINE`."""

    #: With what all ids start that may not be ours; "" if any may.
    doubtful: str = ""

    def decode_many(self, ids: list[str]) -> list[K]:
        """Give the keys of those of several ids that are ours, in their order."""
        return [key for key in map(self.decode, ids) if key is not NOT_MINE]

    def id_prefix(self, prefix: Any) -> str:
        """Give a text with which the ids of all keys below a prefix start; "" promises nothing."""
        del prefix
        return ""

    def owns(self, id: str) -> bool:
        """Tell whether this codec could have made the id."""
        return self.decode(id) is not NOT_MINE

    def __or__(self, other: "KeyCodec[str]") -> "KeyCodec[K]":
        return _Chain(self, other)

    def __repr__(self) -> str:
        # The address that object.__repr__ shows is another one each time; a folder would never open again.
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__qualname__}({options})"


class _Chain(KeyCodec[Any]):
    """Two codecs, one after the other; longer chains are chains of chains."""

    def __init__(self, first: KeyCodec[Any], second: KeyCodec[Any]) -> None:
        self.first = first
        self.second = second
        self.reversible = first.reversible and second.reversible

    def encode(self, key: Any) -> str:
        return self.second.encode(self.first.encode(key))

    def decode(self, id: str) -> Any:
        inner = self.second.decode(id)
        return NOT_MINE if inner is NOT_MINE else self.first.decode(inner)

    def id_prefix(self, prefix: Any) -> str:
        # To the second codec, what all ids of the first start with is a prefix up to its last "/".
        above, found, _ = self.first.id_prefix(prefix).rpartition("/")
        return self.second.id_prefix(above) if found else ""

    def owns(self, id: str) -> bool:
        inner = self.second.decode(id)
        return inner is not NOT_MINE and self.first.owns(inner)

    def __repr__(self) -> str:
        return f"{self.first!r} | {self.second!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Chain) and (self.first, self.second) == (other.first, other.second)

    def __hash__(self) -> int:
        return hash((self.first, self.second))


def _age(dated: tuple[float, int, str]) -> tuple[float, int]:
    return dated[:2]


def _digest(data: Any) -> str:
    """Etag of data whose place knows none: equal data, equal etag."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    elif not isinstance(data, bytes | bytearray | memoryview):
        import pickle  # noqa: PLC0415  (only for objects in a place that keeps no versions)

        try:
            data = pickle.dumps(data)
        except Exception as error:
            raise UnsupportedError(
                f"the place keeps no versions, and {type(data).__name__} has no digest: override stat()",
            ) from error
    return hashlib.blake2b(data, digest_size=16).hexdigest()
