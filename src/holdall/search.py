"""Full-text search over any store of text, by the FTS5 index of SQLite."""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, Self

from holdall._posix.fork import finalize, new_lock
from holdall._shown import shown
from holdall._sqlite.connections import Connection, Guarded, identity, opening, refuse_if_lost
from holdall.errors import InvalidArgumentError, MismatchError, UnsupportedError
from holdall.keys import AnyKeys
from holdall.store import Store, StorePersister

__all__ = ["Found", "SearchStore"]

_WORD = re.compile(r"\"[^\"]+\"|[^\s\"]+")
_JOINED_BY = {"all": " AND ", "any": " OR "}
_FORMAT = 1
_MAKE = f"""
PRAGMA user_version = {_FORMAT};
CREATE TABLE IF NOT EXISTS documents (id INTEGER PRIMARY KEY, key TEXT UNIQUE, etag TEXT);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (body, tokenize = 'unicode61 remove_diacritics 2');
"""
_FIND = """
SELECT documents.key, -bm25(words), snippet(words, 0, '', '', '...', 12) FROM words
JOIN documents ON documents.id = words.rowid WHERE words MATCH ? ORDER BY bm25(words), documents.key LIMIT ?
"""


class Found(NamedTuple):
    """An item that a search has found."""

    #: Its key in the store.
    key: Any
    #: How well it matches: more is better, but only within one search.
    score: float
    #: Some words around the match.
    snippet: str


class SearchStore:
    """An index of the words in a store of text, to be called with a query.

    Parameters
    ----------
    store
        A store, or any mapping, of text.
    index
        Path of a SQLite file for the index; None for memory.
    text
        A function from a value to the text to be searched; None where values are text.

    Raises
    ------
    UnsupportedError
        If this Python's SQLite has no FTS5.
    MismatchError
        If a later version of holdall made the index, in another format.
    InvalidArgumentError
        From a search or `update`, if a value is not text and no `text` was given.

    Notes
    -----
    Each search first updates the index: only items whose etag has changed are read again. Threads: safe, one
    at a time. Processes: each should have an index of its own. After a crash: the index is the one before or
    after an `update`. Cost: one listing with etags per search; 0.1 ms for each new document.

    Ranked by BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009),
    as SQLite computes it.

    Examples
    --------
    >>> search = SearchStore({"a": "Green tea and honey", "b": "Black tea", "c": "Coffee"})
    >>> [found.key for found in search("tea")], [found.key for found in search("honey tea")]
    (['b', 'a'], ['a'])
    >>> search("hon*")[0].snippet
    'Green tea and honey'
    """

    def __init__(
        self,
        store: Mapping[Any, Any],
        index: str | os.PathLike[str] | None = None,
        *,
        text: Callable[[Any], str] | None = None,
    ) -> None:
        self.store = store if isinstance(store, Store) else Store(store)
        self._place = StorePersister(self.store)
        self._text = text
        self._keys = AnyKeys()
        self._lock = new_lock()
        self._path = ":memory:" if index is None else os.path.abspath(os.fspath(index))
        self._index = self._open()

    def _open(self) -> Guarded:
        with opening:
            index = sqlite3.connect(
                self._path, check_same_thread=False, isolation_level=None, factory=Connection
            )
            file = (0, 0) if self._path == ":memory:" else identity(self._path)
            guarded = Guarded(index, None, self._path, file, writes=True)
        finalize(self, guarded.let_go)
        try:
            self._make(guarded)
        except BaseException:
            guarded.close()
            raise
        return guarded

    def _make(self, index: Guarded) -> None:
        if self._path != ":memory:":
            refuse_if_lost(index.file, self._path)
        [(format,)] = index.connection.execute("PRAGMA user_version")
        if format > _FORMAT:
            raise MismatchError(
                f"the index {self._path} has format {format}, this version of holdall reads {_FORMAT}: "
                "update holdall, or give another path"
            ).about(location=self._path)
        try:
            index.connection.executescript(_MAKE)
        except sqlite3.OperationalError as error:
            raise UnsupportedError(f"searching needs a SQLite with FTS5: {error}") from error

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Hold the index while it is used; open it where it was closed, as it is in a forked child."""
        with self._lock:
            if self._index.closed:
                self._index = self._open()
            with self._index.lock:
                yield self._index.connection

    def __call__(self, query: str, *, limit: int = 10, match: Literal["all", "any"] = "all") -> list[Found]:
        """Return the items that have the words of a query, the best first.

        Parameters
        ----------
        query
            Words, in any case and with or without accents; ``word*`` for words that begin so, ``"two words"``
            for a phrase.
        limit
            How many to return at most.
        match
            Whether an item must have all words, or any of them.

        Examples
        --------
        >>> search = SearchStore({"a": "Green tea and honey", "b": "Black tea", "c": "Coffee"})
        >>> [found.key for found in search("where is my green tea", match="any")]
        ['a', 'b']
        """
        given: Any = query
        if not isinstance(given, str):
            raise InvalidArgumentError(f"a query is text, got {type(query).__name__}")
        if match not in _JOINED_BY:
            raise InvalidArgumentError(f'match is "all" or "any", got {shown(match)}')
        words = [_quoted(word) for word in _WORD.findall(query)]
        if not any(words):
            return []
        with self._opened() as index:
            self.update()
            rows = index.execute(_FIND, (_JOINED_BY[match].join(filter(None, words)), limit)).fetchall()
        return [Found(self._keys.decode(key), score, snippet) for key, score, snippet in rows]

    def update(self) -> int:
        """Update the index; return how many documents were read or dropped."""
        with self._opened() as index:
            known = dict(index.execute("SELECT key, etag FROM documents"))
            there = {self._keys.encode(key): (key, stat.etag) for key, stat in self._place.scan()}
            gone = known.keys() - there.keys()
            changed = {name: found for name, found in there.items() if known.get(name) != found[1]}
            if not gone and not changed:
                return 0
            index.execute("BEGIN")
            try:
                for name in (*gone, *changed):
                    self._drop(index, name)
                for name, (key, etag) in changed.items():
                    self._add(index, name, key, etag)
                index.execute("COMMIT")
            except BaseException:
                index.execute("ROLLBACK")
                raise
            return len(gone) + len(changed)

    def _drop(self, index: sqlite3.Connection, name: str) -> None:
        for (number,) in index.execute("SELECT id FROM documents WHERE key = ?", (name,)).fetchall():
            index.execute("DELETE FROM words WHERE rowid = ?", (number,))
            index.execute("DELETE FROM documents WHERE id = ?", (number,))

    def _add(self, index: sqlite3.Connection, name: str, key: Any, etag: str) -> None:
        try:
            value = self.store[key]
        except KeyError:  # deleted meanwhile
            return
        body = value if self._text is None else self._text(value)
        if not isinstance(body, str):
            raise InvalidArgumentError(
                f"the value of {shown(key)} is {type(body).__name__} and no text: give text=, a function "
                "that makes text of it"
            )
        row = index.execute("INSERT INTO documents (key, etag) VALUES (?, ?)", (name, etag))
        index.execute("INSERT INTO words (rowid, body) VALUES (?, ?)", (row.lastrowid, body))

    def close(self) -> None:
        """Close the index; the next search opens it again."""
        self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "store"):  # its constructor failed
            return object.__repr__(self)
        return f"{type(self).__name__}({self.store!r})"


def _quoted(word: str) -> str:
    """Return a word quoted for FTS5."""
    bare, star = (word[:-1], "*") if word.endswith("*") else (word, "")
    bare = bare.strip('"')
    return f'"{bare}"{star}' if any(char.isalnum() for char in bare) else ""
