"""The pages over a store: its keys, one item, one image."""

import math
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from holdall._units import shown_age, shown_size
from holdall.abc import NOT_MINE, Capability
from holdall.conditional import Stat
from holdall.errors import HoldallError, InvalidKeyError
from holdall.keys import AnyKeys
from holdall.serve._html import Markup, element, page
from holdall.serve._preview import image_type, preview
from holdall.store import Store, StorePersister

__all__ = ["NotThereError", "Pages"]

_PAGE, _SECONDS = 200, 2.0  # keys on a page, and the time for finding them
_LARGEST = 20_000_000  # bytes of the largest value that is read
_HEAD = 16  # bytes that identify an image
_WILD: Final = frozenset("*?[")


class NotThereError(Exception):
    """There is no such page."""


class _Listed(NamedTuple):
    """Keys that were found, and where to continue; None if there are no more."""

    keys: list[tuple[Any, Stat | None]]
    next: int | None


class Pages:
    """The pages of a store.

    Parameters
    ----------
    store
        The store; it is only read.

    Notes
    -----
    Threads: as safe as reading the store. Cost: a page of keys reads no value; a page of an item reads its
    value, unless it is larger than 20 MB.
    """

    def __init__(self, store: Store[Any, Any]) -> None:
        self.store = store
        self.place = StorePersister(store)
        self._keys = AnyKeys()

    @property
    def title(self) -> str:
        """The name of the store."""
        return f"{type(self.store).__name__}: {self.place.place}"

    # ------------------------------------------------------------------ keys

    def listing(self, query: str, start: int) -> Markup:
        """Return a page of keys.

        Parameters
        ----------
        query
            A text that keys contain, in any case, or a pattern with ``*``, ``?`` and ``[...]``; "" for all.
        start
            How many keys of the store to skip.
        """
        found = self._listed(query, start)
        rows = [self._row(key, stat) for key, stat in found.keys]
        head = element("tr", *(element("th", name) for name in ("key", "size", "modified")))
        table = element("table", head, *rows) if rows else element("p", "Nothing found.", class_="note")
        more = None
        if found.next is not None:
            link = "?" + urlencode({"q": query, "start": found.next}, errors="surrogatepass")
            more = element("p", element("a", "more", href=link), f" after {found.next:,} keys")
        return page(self.title, table, more, query=query)

    def _listed(self, query: str, start: int) -> _Listed:
        keys: list[tuple[Any, Stat | None]] = []
        number, until = start, math.inf
        for key, stat in islice(self._items(), start, None):
            if number == start:  # skipping is not limited in time
                until = time.monotonic() + _SECONDS
            if len(keys) >= _PAGE or (number > start and time.monotonic() > until):
                return _Listed(keys, number)
            number += 1
            if not query or _matches(self._word(key) or repr(key), query):
                keys.append((key, stat or self._stat(key)))
        return _Listed(keys, None)

    def _items(self) -> Iterator[tuple[Any, Stat | None]]:
        """Yield the keys, with their stats if a listing contains them."""
        if self.place.at_hand:
            return ((key, None) for key in self.store)
        return iter(self.place.scan())

    def _stat(self, key: Any) -> Stat | None:
        try:
            return self.place.stat(key)
        except KeyError:  # deleted meanwhile
            return None

    def _row(self, key: Any, stat: Stat | None) -> Markup:
        word = self._word(key)
        shown = _shown_key(repr(key) if word is None else word)
        link = shown if word is None else element("a", shown, href=_link("item", word))
        size = "" if stat is None or stat.size is None else shown_size(stat.size)
        age = "" if stat is None or math.isnan(stat.mtime) else _ago(stat.mtime)
        return element("tr", element("td", link), element("td", size, class_="number"), element("td", age))

    def _word(self, key: Any) -> str | None:
        """Return the word for a key in a link; None if it has none."""
        try:
            return self._keys.encode(key)
        except InvalidKeyError:
            return None

    def _key(self, word: str) -> Any:
        key = self._keys.decode(word)
        if key is NOT_MINE:
            raise NotThereError(word)
        return key

    # ------------------------------------------------------------------ items

    def item(self, word: str) -> Markup:
        """Return the page of an item.

        Parameters
        ----------
        word
            The word for its key.

        Raises
        ------
        NotThereError
            If there is no such item.
        """
        key = self._key(word)
        try:
            stat = self.place.stat(key)
            shown, kind = self._value(key, word, stat)
        except KeyError as error:  # an impossible key counts as absent
            raise NotThereError(word) from error
        facts = [
            ("key", _shown_key(word)),
            ("type", kind),
            ("size", "" if stat.size is None else f"{shown_size(stat.size)} ({stat.size:,} bytes)"),
            ("modified", "" if math.isnan(stat.mtime) else f"{_date(stat.mtime)}, {_ago(stat.mtime)}"),
            ("etag", stat.etag),
        ]
        rows = [element("tr", element("th", name), element("td", fact)) for name, fact in facts if fact]
        return page(self.title, element("table", *rows), shown)

    def _value(self, key: Any, word: str, stat: Stat) -> tuple[Markup, str]:
        """Return what is shown of a value, and its type."""
        if stat.size is not None and stat.size > _LARGEST:
            note = f"Values of more than {shown_size(_LARGEST)} are not read."
            return element("p", note, class_="note"), ""
        image = element("img", src=_link("image", word), alt=_shown_key(word))
        try:
            kind = image_type(self._first_bytes(key))
            if kind is not None:
                return image, kind
            value = self.store[key]
        except KeyError:
            raise
        except HoldallError as error:
            said = str(error).replace("pass trust=True", "give --trust")
            return element("p", said, class_="note"), ""
        kind = image_type(value)
        return (preview(value), type(value).__name__) if kind is None else (image, kind)

    def image(self, word: str) -> tuple[bytes, str]:
        """Return the bytes of an image, and its media type.

        Parameters
        ----------
        word
            The word for its key.

        Raises
        ------
        NotThereError
            If there is no such item, or it is not an image that browsers show.
        """
        key = self._key(word)
        try:
            size = self.place.stat(key).size
            if size is not None and size > _LARGEST:
                raise NotThereError(word)
            if image_type(self._first_bytes(key)):
                data = self._below.read(self.place.id_of(key))[0]
            else:
                data = self.store[key]
        except (KeyError, HoldallError) as error:
            raise NotThereError(word) from error
        kind = image_type(data)
        if kind is None:
            raise NotThereError(word)
        return data, kind

    @property
    def _below(self) -> Any:
        return self.store.pipeline.persister

    def _first_bytes(self, key: Any) -> bytes:
        """Return the first bytes of the data of a key, which identify an image without loading anything."""
        if Capability.BYTES not in self._below.capabilities:
            return b""
        with self._below.reader(self.place.id_of(key)) as file:
            return bytes(file.read(_HEAD))


def _matches(word: str, query: str) -> bool:
    word, query = word.casefold(), query.casefold()
    return query in word or (not _WILD.isdisjoint(query) and fnmatchcase(word, query))


def _link(name: str, word: str) -> str:
    return f"{name}?" + urlencode({"key": word}, errors="surrogatepass")


def _shown_key(word: str) -> str:
    """Return a visible form of the word for a key."""
    return word if word.isprintable() and word.strip() else repr(word)


def _ago(mtime: float) -> str:
    age = shown_age(time.time() - mtime)
    return age if age == "now" else f"{age} ago"


def _date(mtime: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(mtime))
