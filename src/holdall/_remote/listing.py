"""One listing where Python asks twice.

``list(store)`` makes an iterator, calls ``len``, and only then uses the iterator. Over a server that does not
count keys by itself, both list everything. So a complete listing is reused for an iterator that the same
thread made before and has not used yet: that iterator may show any state since it was made.
"""

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["Listings"]

P = TypeVar("P")

_KEPT = 100  # pages of about 1,000 keys: longer listings are repeated


class _Listing(Generic[P]):
    """One listing of one prefix, begun when its first page is taken."""

    def __init__(self, ask: Callable[[], Iterator[P]], prefix: str, before: "_Listing[P] | None") -> None:
        self.prefix = prefix
        self.begun = False
        self.pages: list[P] | None = None  # set by a later one
        self._ask = ask
        self._before = None if before is None else weakref.ref(before)

    def waiting_before(self) -> "_Listing[P] | None":
        """Return the listing of the same prefix that was made before this one, if it has not begun."""
        before = None if self._before is None else self._before()
        return None if before is None or before.begun or before.prefix != self.prefix else before

    def __iter__(self) -> Iterator[P]:
        self.begun = True
        if self.pages is not None:
            yield from self.pages
            return
        kept: list[P] | None = None if self.waiting_before() is None else []
        for page in self._ask():
            if kept is not None:
                kept.append(page)
                if len(kept) > _KEPT:
                    kept = None
            yield page
        before = self.waiting_before()
        if kept is not None and before is not None:
            before.pages = kept


class Listings(threading.local, Generic[P]):
    """The listing that each thread made last."""

    def __init__(self) -> None:
        self._last: weakref.ref[_Listing[P]] | None = None

    def begin(self, ask: Callable[[], Iterator[P]], prefix: str) -> Iterator[P]:
        """Make a listing; no request is sent before its first page is taken.

        Parameters
        ----------
        ask
            Requests the pages.
        prefix
            The prefix to list.
        """
        listing = _Listing(ask, prefix, None if self._last is None else self._last())
        self._last = weakref.ref(listing)
        return iter(listing)
