"""Databases of other libraries: shelve, diskcache and sqlitedict."""

import dbm
import json
import os
import pickle
import sqlite3
import time
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from holdall._posix.fork import finalize, new_lock
from holdall._shown import shown
from holdall._sqlite.connections import Connection, Guarded, identity, opening, refuse_if_lost
from holdall.conditional import Stat
from holdall.errors import InvalidArgumentError, MismatchError, StoreNotFoundError, UnsupportedError
from holdall.migrate._reader import UNKNOWN, ForeignReader, hashable, inside
from holdall.serializers import get_serializer

__all__ = ["DiskcacheReader", "ShelveReader", "SqlitedictReader"]


class ShelveReader(ForeignReader):
    """A shelf of the standard library, in any dbm."""

    def __init__(self, path: Any, *, trust: bool) -> None:
        super().__init__(path, trust=trust)
        with self.reading("its kind"):
            kind = dbm.whichdb(self.path)
        if not kind:
            raise MismatchError(f"{self.path} is no database that the dbm modules of this Python can read")

    @property
    def _database(self) -> Any:
        if self._opened is None:
            with self.reading("the database"):
                self._opened = dbm.open(self.path, "r")  # noqa: SIM115  (close() closes it)
        return self._opened

    def files(self) -> list[str]:  # docstring inherited
        names = [self.path + end for end in ("", ".db", ".dat", ".dir", ".pag")]
        return [name for name in names if os.path.isfile(name)]

    def __iter__(self) -> Iterator[Any]:
        with self.reading("the list of keys"):
            keys = self._database.keys()  # not every dbm can be iterated over
        return iter([key.decode("utf-8", "surrogateescape") for key in keys])

    def _data(self, id: Any) -> bytes:
        if not isinstance(id, str):
            raise KeyError(id)
        with self.reading(f"the value of {shown(id, 120)}"):
            data = self._database.get(id.encode("utf-8", "surrogateescape"))
        if data is None:
            raise KeyError(id)
        return bytes(data)

    def stat(self, id: Any) -> Stat:  # docstring inherited
        return _stat(self._data(id), UNKNOWN)

    def value(self, id: Any) -> Any:  # docstring inherited
        return self.unpickled(self._data(id))


class _SqliteReader(ForeignReader):
    """An SQLite database, opened without changing anything."""

    def __init__(self, path: Any, *, trust: bool) -> None:
        super().__init__(path, trust=trust)
        self._lock = new_lock()

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return all rows of a query."""
        try:
            with self._lock:
                if self._opened is None or self._opened.closed:  # as it is in a forked child
                    self._open(self.files()[0])
                with self._opened.lock:
                    return list(self._opened.connection.execute(query, values))
        except (sqlite3.Error, IndexError, UnicodeError, OverflowError) as error:
            raise MismatchError(f"{self.path} is not as {type(self).__name__} knows it: {error}") from error

    def _open(self, path: str) -> None:
        refuse_if_lost(identity(path), path)
        with opening:
            uri = Path(path).as_uri() + "?mode=ro"
            connection = sqlite3.connect(uri, uri=True, check_same_thread=False, factory=Connection)
            self._opened = Guarded(connection, None, path, identity(path), writes=False)
        finalize(self, self._opened.let_go)


def _with_log(path: str) -> list[str]:
    """Return those of a database and its log that exist."""
    return [name for name in (path, path + "-wal", path + "-journal") if os.path.isfile(name)]


class SqlitedictReader(_SqliteReader):
    """A table of a file of sqlitedict."""

    def __init__(self, path: Any, table: str, serializer: Any, *, trust: bool) -> None:
        super().__init__(path, trust=trust)
        self._serializer = get_serializer(serializer)
        tables = [name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if table not in tables:
            raise StoreNotFoundError(
                2, f"it has no table {table!r}, but {', '.join(tables) or 'none'}", self.path
            )
        self._table = '"' + table.replace('"', '""') + '"'

    def files(self) -> list[str]:  # docstring inherited
        return _with_log(self.path)

    def __iter__(self) -> Iterator[Any]:
        return iter([key for (key,) in self.rows(f"SELECT key FROM {self._table} ORDER BY rowid")])  # noqa: S608  (quoted, or ours)

    def _data(self, id: Any) -> bytes:
        if not isinstance(id, str | int | float | bytes):
            raise KeyError(id)
        found = self.rows(f"SELECT value FROM {self._table} WHERE key = ?", id)  # noqa: S608  (quoted, or ours)
        if not found:
            raise KeyError(id)
        data: Any = found[0][0]
        return data.encode() if isinstance(data, str) else bytes(data)

    def stat(self, id: Any) -> Stat:  # docstring inherited
        return _stat(self._data(id), UNKNOWN)

    def value(self, id: Any) -> Any:  # docstring inherited
        if self._serializer.executes_code:
            self.check()
        return self._serializer.loads(self._data(id))


_RAW, _BINARY, _TEXT, _PICKLE = 1, 2, 3, 4  # how diskcache stores a value
_LARGEST_KEY = 1_000_000  # bytes, unpacked: a key of others may unpack to anything
_ALIVE = "(expire_time IS NULL OR expire_time > ?)"


def _is_of_json_disk(key: Any) -> bool:
    """Return whether a key is JSON in the format of zlib: only settings that are no default are recorded."""
    try:
        json.loads(zlib.decompressobj().decompress(key, _LARGEST_KEY))
    except (zlib.error, TypeError, ValueError, RecursionError):
        return False
    return True


class DiskcacheReader(_SqliteReader):
    """A folder of diskcache: the items that have not expired."""

    def __init__(self, path: Any, *, trust: bool) -> None:
        super().__init__(path, trust=trust)
        keys = self.rows("SELECT key, raw FROM Cache LIMIT 10")
        if self.rows("SELECT key FROM Settings WHERE key = 'disk_compress_level'") or (
            keys and all(raw and _is_of_json_disk(key) for key, raw in keys)
        ):
            raise UnsupportedError(f"{self.path} was written by diskcache's JSONDisk, which is not read here")
        self._numbers: dict[Any, int] = {}

    def files(self) -> list[str]:  # docstring inherited
        return _with_log(os.path.join(self.path, "cache.db"))

    def __iter__(self) -> Iterator[Any]:
        query = f"SELECT rowid, key, raw FROM Cache WHERE {_ALIVE} ORDER BY rowid"  # noqa: S608  (ours)
        for number, key, raw in self.rows(query, time.time()):
            with self.reading("a key"):
                found = self._key(key, raw)
                self._numbers[found] = number
            yield found

    def _key(self, key: Any, raw: Any) -> Any:
        return key if raw else hashable(self.unpickled(key))

    def _row(self, id: Any) -> tuple[Any, ...]:
        columns = "rowid, key, raw, store_time, size, mode, filename, value"
        query = f"SELECT {columns} FROM Cache WHERE rowid = ? AND {_ALIVE}"  # noqa: S608  (quoted, or ours)
        for known in (True, False):
            if not known or id not in self._numbers:
                self._numbers.clear()
                for _ in self:  # keys are pickles: only all of them tell which one it is
                    pass
            found = self.rows(query, self._numbers.get(id, -1), time.time())
            # Who still writes there may have given the number to another key.
            if found and self._key(*found[0][1:3]) == id:
                return found[0]  # type: ignore[no-any-return]
        raise KeyError(id)

    def stat(self, id: Any) -> Stat:  # docstring inherited
        number, _, _, stored, size, _, filename, value = self._row(id)
        if filename is None:
            size = len(value) if isinstance(value, bytes) else len(str(value))
        return Stat(f"{number:x}-{stored!r}", stored, size)

    def value(self, id: Any) -> Any:  # docstring inherited
        *_, mode, filename, value = self._row(id)
        if mode == _RAW:
            return value
        path = None if filename is None else inside(self.path, filename)
        if mode == _PICKLE:
            return self.unpickled(value) if path is None else self.loaded_file(path, pickle.load)
        if path is None or mode not in {_BINARY, _TEXT}:
            raise InvalidArgumentError(f"diskcache keeps it in a way that is not known here: {mode}")
        with open(path, "rb") as file:
            data = file.read()
        return data if mode == _BINARY else data.decode()


def _stat(data: bytes, mtime: float) -> Stat:
    return Stat(blake2b(data, digest_size=16).hexdigest(), mtime, len(data))
