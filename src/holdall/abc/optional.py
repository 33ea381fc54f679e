"""Verbs that a persister may do better than their defaults, which are made from the contract."""

import io
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from holdall.abc.capability import Unary
from holdall.conditional import ITEM_NOT_AVAILABLE, VALUE_NOT_RETRIEVED, Expected, Stat
from holdall.errors import ConflictError, UnsupportedError

__all__ = ["OptionalVerbs"]


class OptionalVerbs:
    """Verbs and facts that serve one purpose each; the author of a persister may ignore all of them.

    Most persisters override none. An override may be faster, never different.
    """

    if TYPE_CHECKING:  # what the defaults call: see `Reader`

        def __getitem__(self, id: str) -> Any: ...
        @property
        def place(self) -> str: ...
        def read(self, id: str) -> tuple[Any, Stat]: ...
        def stat(self, id: str) -> Stat: ...
        def write(self, id: str, data: Any, expected: Expected) -> Stat: ...
        def pages(self, prefix: str = "") -> Iterator[list[str]]: ...
        def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]: ...

    #: Whether bulk verbs send many requests at once, so that items are better passed together.
    bulk: bool = False
    #: Whether ``[]`` makes data for ids that are absent, as that of a defaultdict does; no other verb does.
    makes_missing: bool = False

    @property
    def at_hand(self) -> bool:
        """Whether a glance is quick: no request to another machine, and no large file to read first.

        Only then a store shows its items without being asked to, as in a notebook. A place that does not say
        so is left alone.
        """
        return False

    @property
    def lock_file(self) -> str | None:
        """The file of which processes lock bytes while they compute an item; None if there is none."""
        return None

    @property
    def getter(self) -> Unary:
        """A function that does the same as ``__getitem__``, as directly as possible."""
        return self.__getitem__

    def location_of(self, id: str) -> str:
        """Return where the data of an id are, for messages: the path if they have a file of their own."""
        del id
        return self.place

    def read_unless(self, id: str, etag: str) -> tuple[Any, Stat] | None:
        """Return data and stat as `read` does, or None if the item still has an etag that the caller knows.

        Parameters
        ----------
        id
            The id to read.
        etag
            The etag of the data that the caller has.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        return None if self.stat(id).etag == etag else self.read(id)

    def peek(self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1) -> list[str]:
        """Return some of the ids that start with a prefix, quickly however many there are.

        Parameters
        ----------
        prefix
            The text that ids start with.
        limit
            How many ids at most.
        seconds
            After what time to return fewer.
        """
        until = time.monotonic() + seconds
        found: list[str] = []
        for page in self.pages(prefix):
            found += page[: limit - len(found)]
            if len(found) >= limit or time.monotonic() > until:
                break
        return found

    def glance(self, id: str, limit: int) -> tuple[Any, Stat]:
        """Return data and stat of an id for people to look at, which is no use of the item, and runs no code.

        Parameters
        ----------
        id
            The id.
        limit
            Size in bytes up to which data are wanted; `VALUE_NOT_RETRIEVED` stands for larger ones, and for
            those whose size is not known.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        stat = self.stat(id)
        if stat.size is None or stat.size > limit:
            return VALUE_NOT_RETRIEVED, stat
        return self.read(id)

    def contents(self, prefix: str = "", limit: int | None = None) -> Iterator[list[tuple[str, Any]]] | None:
        """Yield all ids and data in lists, as the backend returns them; None if it returns none.

        To be overridden where reading many items in a row is faster than one by one.

        Parameters
        ----------
        prefix
            The text that ids start with.
        limit
            Size in bytes up to which data are wanted whole; larger data may come as an open binary file, as
            from `fetch`, in a list of one item. None: all data are wanted whole.
        """
        del prefix, limit
        return None

    def folders(self, prefix: str = "") -> Iterator[str] | None:
        """Yield each folder below a prefix once: the ids' text up to the next "/", included.

        Return None if all ids would have to be listed for that. A folder may have no ids in it.

        Parameters
        ----------
        prefix
            The text that ids start with: "", or a text that ends with "/".
        """
        del prefix
        return None

    def by_age(self, prefix: str = "", *, newest: bool = False, limit: int | None = None) -> Iterator[str]:
        """Yield ids by the time of their last modification.

        Parameters
        ----------
        prefix
            The text that ids start with.
        newest
            Whether to begin with the newest.
        limit
            How many are wanted at most; None for all. It bounds the memory that is used.
        """
        dated = ((stat.mtime, -count, id) for count, (id, stat) in enumerate(self.scan(prefix)))
        if limit is None:
            ordered = sorted(dated, key=_age, reverse=newest)
        else:
            import heapq  # noqa: PLC0415  (rarely needed)

            ordered = (heapq.nlargest if newest else heapq.nsmallest)(limit, dated, key=_age)
        return (id for _, _, id in ordered)

    def reader(self, id: str) -> BinaryIO:
        """Open the data of an id as a binary file."""
        return io.BytesIO(self[id])

    def refresh(self) -> None:
        """Forget what the handle has cached, so that the next look sees what others did."""

    def write_new(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items under new ids; what was stored before an error may stay stored.

        Raises
        ------
        ConflictError
            If an id exists; the error's ``key`` is the id.
        """
        for id, data in items:
            try:
                self.write(id, data, ITEM_NOT_AVAILABLE)
            except ConflictError as error:
                error.about(key=id)
                raise

    def write_dated(self, items: Iterable[tuple[str, Any, float]]) -> None:
        """Store several items with their times of last modification; ``math.nan`` means now.

        Raises
        ------
        UnsupportedError
            If the backend sets times only by itself. No item is taken then.
        """
        del items
        raise UnsupportedError(f"{self.place} takes no times of items: copy without keep_times")

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:
        """Delete what has expired, where items do expire.

        Parameters
        ----------
        owns
            Says of an id whether it may be deleted: others may store things beside ours.
        prefix
            The text that ids must start with.

        Returns
        -------
        int
            How many items were deleted.
        """
        del owns, prefix
        return 0


def _age(dated: tuple[float, int, str]) -> tuple[float, int]:
    return dated[:2]
