"""Listing a table of LMDB by pages, each in a transaction of its own."""

import itertools
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from holdall.conditional import Stat
from holdall.persisters.lmdb._environment import Transaction
from holdall.persisters.lmdb._items import ESCAPE, HEAD_SIZE, ids_of, parted, stat_of

__all__ = ["Listing", "Pairs", "data_of", "names_of", "stats_of"]

T = TypeVar("T")

#: Keys of items, and what is stored under them, which is nothing where only names are listed.
Pairs = tuple[list[bytes], list[Any]]

_FIRST_PAGE: Final = 16  # items
_PAGE: Final = 1000
_PAGE_BYTES: Final = 4 << 20
_LARGE: Final = 20_000  # bytes of an item from which a view of it and one copy take less than two copies


def names_of(pairs: Pairs, _: str) -> list[str]:
    """Return the ids of items."""
    return ids_of(pairs[0])


def stats_of(pairs: Pairs, start: str) -> list[tuple[str, Stat]]:
    """Return ids and stats of items."""
    return [(id, stat_of(found, 0, start)) for id, found in zip(ids_of(pairs[0]), pairs[1], strict=True)]


def data_of(pairs: Pairs, _: str) -> list[tuple[str, bytes]]:
    """Return ids and data of items."""
    data = _bytes([found[HEAD_SIZE:] for found in pairs[1]])
    return list(zip(ids_of(pairs[0]), data, strict=True))


def _bytes(found: list[Any]) -> list[bytes]:
    """Copy what was found as views of a transaction."""
    return list(map(bytes, found)) if found and type(found[0]) is memoryview else found


class Listing(Generic[T]):
    """Items whose ids start with some bytes, page by page.

    Parameters
    ----------
    prefix
        The bytes.
    take
        Makes a list of pairs of key and what is stored there.
    digests
        Whether to list ids that are stored under digests, or all others.
    """

    def __init__(self, prefix: bytes, take: Callable[[Pairs, str], list[T]], *, digests: bool) -> None:
        self._prefix = prefix
        self._take = take
        self._digests = digests
        self._first = ESCAPE if digests else prefix
        self._after: bytes | None = None  # the last key seen
        self._count = _FIRST_PAGE  # items of the next page
        self.large = False  # whether to read the next one by views
        self.done = False

    def page(self, txn: Transaction, table: Any, start: str) -> list[T]:
        """Return what is made of the next items."""
        keys, found = ([], []) if table is None else self._next(txn, table)
        self.done = len(keys) < self._count
        if not keys:
            return []
        self._after = keys[-1]
        # As many as make a few megabytes, estimated from the items that were just read.
        nbytes = sum(map(len, found))
        self.large = nbytes > _LARGE * len(keys)
        self._count = max(1, min(_PAGE, 2 * self._count, _PAGE_BYTES * len(keys) // (nbytes + 1)))
        if not self._is_inside(keys[-1]):  # they are in order
            self.done = True
            keys = [key for key in keys if self._is_inside(key)]
            del found[len(keys) :]
        if self._digests and keys:
            named = [pair for pair in map(parted, found) if pair[0].startswith(self._prefix)]
            keys, found = [id for id, _ in named], [data for _, data in named]
        return self._take((keys, found), start)

    def _next(self, txn: Transaction, table: Any) -> Pairs:
        with txn.cursor(table) as cursor:
            there = cursor.set_range(self._first if self._after is None else self._after)
            if there and cursor.key() == self._after:
                there = cursor.next()
            if not there:
                return [], []
            # Without values, they are not copied only to be listed.
            if self._take is names_of and not self._digests:
                return list(itertools.islice(cursor.iternext(True, False), self._count)), []
            items = list(itertools.islice(cursor.iternext(), self._count))
            return _bytes([key for key, _ in items]), [found for _, found in items]

    def _is_inside(self, key: bytes) -> bool:
        return key.startswith(self._first) and key.startswith(ESCAPE) == self._digests
