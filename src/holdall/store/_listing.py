"""One listing for ``list(store)``, which asks for an iterator and then, at once, for a length.

Object stores share listings below, in `holdall._remote.listing`, since their values come with one, too.
"""

import weakref
from collections.abc import Iterator
from threading import get_ident
from types import GeneratorType
from typing import Any

__all__ = ["Listings"]


class _Pages(Iterator[list[Any]]):
    """The pages of ids that one iterator takes."""

    __slots__ = ("__weakref__", "_failure", "_source")

    def __init__(self, source: Any) -> None:
        self._source = source
        self._failure: Exception | None = None

    def __next__(self) -> list[Any]:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return next(self._source)

    def kept(self) -> list[list[Any]] | None:
        """Return all pages, which the iterator will take too; None if it has begun."""
        source = self._source
        if source.gi_running or source.gi_suspended or source.gi_frame is None:
            return None
        try:
            pages = list(source)
        except Exception as error:
            self._failure = error  # `list` hides a TypeError of `len`: the iterator would give nothing
            raise
        self._source = iter(pages)
        return pages


class Listings:
    """The listings of one store.

    Notes
    -----
    A listing is shared only if nothing of it was read when the length is asked for, so that the length is
    that of the moment; it is then read at once, and the iterator gives what was counted. It is shared once.
    """

    def __init__(self) -> None:
        self._last: tuple[int, weakref.ref[_Pages]] | None = None

    def new(self, pages: Iterator[list[Any]]) -> Iterator[list[Any]]:
        """Return the pages for an iterator; only generator functions surely read nothing before the first."""
        if type(pages) is not GeneratorType or pages.gi_code.co_name == "<genexpr>":
            return pages
        listing = _Pages(pages)
        self._last = get_ident(), weakref.ref(listing)
        return listing

    def shared(self) -> list[list[Any]] | None:
        """Return the pages of the iterator that this thread has just asked for; None if there is none."""
        last, self._last = self._last, None
        listing = last[1]() if last is not None and last[0] == get_ident() else None
        return None if listing is None else listing.kept()
