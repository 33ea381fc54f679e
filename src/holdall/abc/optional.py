"""What a place may do better than the contract asks; all of it has a default made of the contract."""

import heapq
import io
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from holdall.abc.capability import Unary
from holdall.conditional import Stat
from holdall.errors import UnsupportedError

__all__ = ["OptionalVerbs"]


class OptionalVerbs:
    """Verbs and facts that serve one purpose each; who writes a persister may leave all of them as they are.

    Most places override none. An override may be faster, never different.
    """

    if TYPE_CHECKING:  # the verbs of the contract that the defaults are made of: see `Reader`

        def __getitem__(self, id: str) -> Any: ...
        @property
        def place(self) -> str: ...
        def read(self, id: str) -> tuple[Any, Stat]: ...
        def stat(self, id: str) -> Stat: ...
        def pages(self, prefix: str = "") -> Iterator[list[str]]: ...
        def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]: ...

    #: Whether bulk verbs send many requests at once, so that many items are better given together.
    bulk: bool = False
    #: Whether ``[]`` makes data for ids that are absent, as that of a defaultdict does; nothing else does.
    makes_missing: bool = False

    @property
    def lock_file(self) -> str | None:
        """A file of which processes lock bytes while they compute an item; None where there is none."""
        return None

    @property
    def getter(self) -> Unary:
        """A function that does what ``__getitem__`` does, as directly as the place allows."""
        return self.__getitem__

    def location_of(self, id: str) -> str:
        """Return where the data of an id lie, for messages: a path where they have a file of their own."""
        del id
        return self.place

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

    def reader(self, id: str) -> BinaryIO:
        """Open the data of an id as a binary file."""
        return io.BytesIO(self[id])

    def refresh(self) -> None:
        """Forget what the handle remembers of the place, so that the next look sees what others did."""

    def write_dated(self, items: Iterable[tuple[str, Any, float]]) -> None:
        """Store several items with times of last modification of their own; ``math.nan`` stands for now.

        Raises
        ------
        UnsupportedError
            If the place tells times by itself alone. No item is taken then.
        """
        del items
        raise UnsupportedError(f"{self.place} takes no times of items: copy without keep_times")

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


def _age(dated: tuple[float, int, str]) -> tuple[float, int]:
    return dated[:2]
