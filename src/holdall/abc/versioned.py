"""The base of persisters whose backend compares and swaps: a database, an object store, a server."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, final

from holdall.abc.persister import Persister
from holdall.conditional import ANY_ETAG, Expected, Stat

__all__ = ["VersionedPersister"]


class VersionedPersister(Persister):
    """A persister whose backend compares and swaps, from `read`, `write`, `remove` and `ids`.

    The plain verbs are made from these four and are final, so that no unconditional writer can bypass a
    conditional one. Use it for databases, object stores and servers with a compare-and-set command. `stat` is
    made from `read`: override it where the backend describes data without sending them.

    Notes
    -----
    Threads, processes, machines: as `write` and `remove`; the subclass claims in `capabilities` how far they
    reach. No lock is taken. After a crash: as `write` leaves it.

    Examples
    --------
    >>> from holdall.abc import join_parts
    >>> from holdall.persisters.mapping import MappingPersister
    >>> class Forwarding(VersionedPersister):
    ...     def __init__(self): self.server = MappingPersister({})
    ...     def read(self, id): return self.server.read(id)
    ...     def write(self, id, data, expected=ANY_ETAG):
    ...         return self.server.write(id, join_parts(data), expected)
    ...     def remove(self, id, expected=ANY_ETAG): self.server.remove(id, expected)
    ...     def ids(self, prefix=""): return self.server.ids(prefix)
    >>> persister = Forwarding()
    >>> persister["a"] = b"1"
    >>> before = persister.stat("a").etag
    >>> persister["a"] = b"2"
    >>> persister.write("a", b"3", before)
    Traceback (most recent call last):
    ...
    holdall.errors.ConflictError: 'a' in ... is at ...
    """

    @abstractmethod
    def read(self, id: str) -> tuple[Any, Stat]:
        """Return data and stat as one snapshot; ``KeyError(id)`` means absent and nothing else."""

    @abstractmethod
    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:
        """Store data if the id is in the expected state, else raise `conflict`; data may come in pieces.

        The time of the `Stat` may be ``math.nan`` where the backend's answer does not contain it.
        """

    @abstractmethod
    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:
        """Delete an id that is in the expected state; raise `conflict` if it is in another.

        Raise ``KeyError(id)`` for an absent id where any state, or absence, was expected.
        """

    @abstractmethod
    def ids(self, prefix: str = "") -> Iterator[str]:
        """Yield the ids that start with a prefix; safe while others write."""

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
