"""Persisters: ids to data, from two methods to read and four to write."""

import io
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from holdall._posix.fork import new_lock
from holdall._shown import shown
from holdall.abc.capability import Capability, join_parts
from holdall.abc.optional import OptionalVerbs
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import ConflictError, UnsupportedError

__all__ = ["Persister", "Reader", "conflict"]


class Reader(OptionalVerbs, Mapping[str, Any], ABC):
    """A read-only persister: ids to data, from two methods, ``__getitem__`` and ``__iter__``.

    Notes
    -----
    Threads and processes: as safe as the two methods are. Cost: the defaults read the data to know anything
    about them; override `stat` to do better.

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

    #: What this persister claims to do.
    capabilities: frozenset[Capability] = frozenset({Capability.BYTES})

    @abstractmethod
    def __getitem__(self, id: str) -> Any:
        """Return the data stored under an id; ``KeyError(id)`` means absent and nothing else."""

    @abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Yield the ids; safe while others write."""

    # Two handles of one location are not compared by reading everything in them.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def place(self) -> str:
        """Where the data are, for messages."""
        return vars(self).get("place", type(self).__name__)  # type: ignore[no-any-return]

    @property
    def owned(self) -> bool:
        """Whether everything here was stored through holdall, so that it may be cleared."""
        return vars(self).get("owned", True)  # type: ignore[no-any-return]

    if not TYPE_CHECKING:  # a constructor may set both; for type checkers they can be read, as overrides can

        @place.setter
        def place(self, place: str) -> None:  # docstring inherited
            vars(self)["place"] = place

        @owned.setter
        def owned(self, owned: bool) -> None:  # docstring inherited
            vars(self)["owned"] = owned

    def read(self, id: str) -> tuple[Any, Stat]:
        """Return data and stat as one snapshot.

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

    def stat(self, id: str) -> Stat:
        """Return the stat of an id; override this method first.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        return self.read(id)[1]

    def __contains__(self, id: object) -> bool:
        # The default stat reads the data and makes a digest of them, which is not needed here.
        look = self.__getitem__ if type(self).stat is Reader.stat else self.stat
        try:
            look(id)  # type: ignore[arg-type,index]
        except KeyError:
            return False
        return True

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def ids(self, prefix: str = "") -> Iterator[str]:
        """Yield the ids that start with a prefix."""
        if not prefix:
            return iter(self)
        return (id for id in self if id.startswith(prefix))

    def pages(self, prefix: str = "") -> Iterator[list[str]]:
        """Yield the ids that start with a prefix, in lists as the backend returns them."""
        ids = self.ids(prefix)
        while page := list(itertools.islice(ids, 256)):
            yield page

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """Yield ids and stats; items that vanish meanwhile are skipped."""
        for id in self.ids(prefix):
            try:
                stat = self.stat(id)
            except KeyError:
                continue
            yield id, stat

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Yield id and data of those ids that exist, in the given order."""
        for id in ids:
            try:
                data = self[id]
            except KeyError:
                continue
            yield id, data

    def head(self) -> tuple[str, Any]:
        """Return the first id and its data; raise KeyError if there is none."""
        for item in self.read_many(self):
            return item
        raise KeyError(f"{self.place} is empty")

    def fetch(self, id: str, limit: int) -> Any:
        """Return data of up to `limit` bytes whole; larger data may come as an open binary file.

        Parameters
        ----------
        id
            The id to read.
        limit
            Size in bytes up to which the data are wanted whole.

        Returns
        -------
        bytes or file
            A file has ``read``, ``readinto`` and ``close``; the caller closes it.
        """
        del limit
        return self[id]

    def flush(self) -> None:
        """Write what is still buffered."""

    def close(self) -> None:
        """Release what the handle has open; closing twice is allowed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        state = vars(self).copy()  # others may make the lock meanwhile
        state.pop("_lock", None)
        return state


class Persister(Reader, MutableMapping[str, Any]):
    """A writable persister: ids to data, from four methods.

    Notes
    -----
    Threads: conditional writes are linearizable among the threads that share the object, by a lock.
    Processes: as safe as the four methods; for conditional writes by several processes, override `write` and
    `remove`. After a crash: as ``__setitem__`` leaves it.

    Examples
    --------
    >>> class Shouting(Persister):
    ...     def __init__(self): self.inner = {}
    ...     def __getitem__(self, id): return self.inner[id.upper()]
    ...     def __setitem__(self, id, data): self.inner[id.upper()] = data
    ...     def __delitem__(self, id): del self.inner[id.upper()]
    ...     def __iter__(self): return iter(list(self.inner))
    >>> persister = Shouting()
    >>> first = persister.write("a", b"1", ITEM_NOT_AVAILABLE)
    >>> persister.write("a", b"2", first.etag).size
    1
    """

    capabilities = frozenset({Capability.BYTES, Capability.WRITABLE, Capability.CAS_THREADS})

    @abstractmethod
    def __setitem__(self, id: str, data: Any) -> None:
        """Store data under an id, replacing existing data."""

    @abstractmethod
    def __delitem__(self, id: str) -> None:
        """Delete an id; raise ``KeyError(id)`` if it is absent."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The lock under which the defaults compare and swap."""
        try:
            return vars(self)["_lock"]  # type: ignore[no-any-return]
        except KeyError:  # setdefault is atomic: all threads get the same lock
            return vars(self).setdefault("_lock", new_lock())  # type: ignore[no-any-return]

    def put(self, id: str, data: Any) -> None:
        """Store data unconditionally, in turn with conditional writers."""
        with self.lock:
            self[id] = join_parts(data)

    @contextmanager
    def writer(self, id: str) -> Iterator[BinaryIO]:
        """Open a binary file whose content is stored when the context ends without an error."""
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
            The data to store.
        expected
            The etag that the item must have, `ITEM_NOT_AVAILABLE` if it must be absent, or `ANY_ETAG`.

        Returns
        -------
        Stat
            The stat of the stored item.

        Raises
        ------
        ConflictError
            If the item is in another state, which is the error's ``actual``.
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
        """Delete an id if it exists.

        Returns
        -------
        bool
            Whether it existed; True if the backend does not report it in the same request.
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
        """Make one transaction of this thread's writes in the context: after an error, none of them happened.

        Raises
        ------
        UnsupportedError
            If the persister does not claim `Capability.TRANSACTIONS`.
        """
        raise self._no_transactions("each write stands for itself")

    def _no_transactions(self, why: str, who: str = "") -> UnsupportedError:
        """Return the error of a persister without transactions, or of a layer over one that may have them."""
        what = f"{who} over {self.place}" if who else self.place
        themselves = " by themselves" if who else ""
        return UnsupportedError(
            f"{what} has no transactions: {why}. SQLiteStore, LmdbStore and SQLStore{themselves} have them"
        ).about(location=self.place, operation="write")

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


def conflict(persister: Reader, id: str, expected: Expected, actual: Etag) -> ConflictError:
    """Return the error of a compare-and-swap that lost.

    Parameters
    ----------
    persister
        Where it was tried.
    id
        The id that was to be written or deleted.
    expected
        The expected state.
    actual
        The actual state.

    Returns
    -------
    ConflictError
        The error, for the caller to raise.

    Examples
    --------
    >>> from holdall.persisters.null import NullPersister
    >>> conflict(NullPersister(), "a", "7", "8").actual
    '8'
    """
    return ConflictError(
        f"{shown(id, 120)} in {persister.place} is at {actual!r}, not at {shown(expected, 120)}: "
        "read it again and retry",
        actual,
    )


def _digest(data: Any) -> str:
    """Return an etag of data from a backend that has none: equal data, equal etag."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    elif not isinstance(data, bytes | bytearray | memoryview):
        import pickle  # noqa: PLC0415  (only for objects without versions)

        try:
            data = pickle.dumps(data)
        except Exception as error:
            raise UnsupportedError(
                f"the persister keeps no versions, and {type(data).__name__} has no digest: override stat()",
            ) from error
    import hashlib  # noqa: PLC0415  (4 ms, only for data without versions)

    return hashlib.blake2b(data, digest_size=16).hexdigest()
