"""A persister over an LMDB database: the fastest local one for many small values."""

import hashlib
import itertools
import json
import os
import secrets
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import lmdb

from holdall._options import Durability, checked_path, is_unicode
from holdall._posix import trust
from holdall._posix.names import fs_path
from holdall._posix.temporary import TemporaryFolder
from holdall.abc import Capability, Persister, conflict, join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import InvalidArgumentError, InvalidKeyError, MismatchError, ReadOnlyError
from holdall.persisters.lmdb._environment import Environment, Transaction

__all__ = ["LmdbPersister", "recorded"]

_FORMAT: Final = 1
_HEAD: Final = struct.Struct("<QQ")  # number of the transaction that wrote the item, its time in nanoseconds
_LENGTH: Final = struct.Struct("<I")  # of an id stored before its data
_ESCAPE: Final = b"\xff"  # no text in UTF-8 begins so
_LONGEST: Final = 511  # bytes of a key of LMDB
_FIRST_PAGE: Final = 16
_PAGE: Final = 1000  # items read in one transaction
_PAGE_BYTES: Final = 4 << 20
_META: Final = "holdall"

_FAILED: Final = object()
_writes = itertools.count()


class LmdbPersister(Persister):
    """Items of one table of an LMDB database, as bytes by id.

    Parameters
    ----------
    path
        The folder of the database, made if it does not exist. None for a private temporary one.
    table
        The table in it; one database may hold many.
    durability
        What a returned write survives: ``"process"``, the death of the process, or ``"power"``, a power
        failure. After a power failure a database of ``"process"`` may be damaged, since the system may have
        written its pages in any order.
    guard
        Whether to refuse a database that other users could have written.
    read_only
        Whether to open an existing database read-only.
    record
        The options that the table is made with, and must have been made with, by name.

    Raises
    ------
    MismatchError
        If the table was made with other options, or the folder contains something else.
    StoreNotFoundError
        If the database is only to be read and does not exist.
    UnsupportedError
        If it is on a file system of another machine.
    UntrustedStoreError
        If `guard` is true and others could have written it.

    Notes
    -----
    Threads and processes: readers see one state and never wait; writers take turns by LMDB's own lock, and
    conditional operations are linearizable on the machine. `write_many` is one transaction. A process opens a
    database once, so all handles of one folder share it. It grows as needed; its file does not shrink. After
    a crash: every returned write is there, within its `durability`, and a killed writer or reader does not
    block others. Cost: one transaction per read or write.

    Ids of over 511 bytes, and the empty one, are stored under a digest and listed after all others.

    Examples
    --------
    >>> persister = LmdbPersister()
    >>> persister["a"] = b"1"
    >>> persister["a"], list(persister)
    (b'1', ['a'])
    >>> persister.close()
    """

    capabilities = frozenset(
        {
            Capability.WRITABLE,
            Capability.PERSISTENT,
            Capability.BYTES,
            Capability.MTIME,
            Capability.CHEAP_STAT,
            Capability.TRANSACTIONS,
            Capability.CAS_THREADS,
            Capability.CAS_HOST,
        }
    )

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        table: str = "items",
        durability: Durability = "process",
        guard: bool = False,
        read_only: bool = False,
        record: dict[str, Any] | None = None,
    ) -> None:
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        named: Any = table
        if not (is_unicode(named) and named not in {"", _META} and len(named.encode()) <= _LONGEST):
            raise InvalidArgumentError(f"table is the name of a table, and not {_META!r}, got {table!r:.80}")
        if path is None and read_only:
            raise InvalidArgumentError("read_only needs the path of a database that exists")
        given = None if path is None else checked_path(path, "folder")
        if given == "":
            raise InvalidArgumentError("path must be the name of a folder, got ''")
        self._temporary = TemporaryFolder() if given is None else None
        if given is None:
            self.path = os.path.join(self._temporary.path, "store")  # type: ignore[union-attr]
        else:
            self.path = os.path.abspath(fs_path(given))
            self._temporary = TemporaryFolder.owner_of(self.path)  # kept alive while in use
        self.table = table
        self.durability = durability
        self.guard = guard
        self.read_only = read_only
        self.record = dict(record or {})
        self._units = threading.local()  # the transaction that the user began in a thread, by generation
        self._opened: tuple[Environment, Any, str, int] | None = None
        if read_only:
            writes = {
                Capability.WRITABLE,
                Capability.CAS_THREADS,
                Capability.CAS_HOST,
                Capability.TRANSACTIONS,
            }
            self.capabilities = self.capabilities - writes
        if given is not None:
            self._open()

    def __reduce__(self) -> tuple[Any, ...]:
        options = {
            "table": self.table,
            "durability": self.durability,
            "guard": self.guard,
            "read_only": self.read_only,
            "record": self.record,
        }
        return _reopen, (type(self), self.path, options)

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return True

    @property
    def place(self) -> str:  # docstring inherited
        return f"table {self.table!r} of {self.path}"

    @property
    def lock_file(self) -> str | None:
        """A file of which processes lock bytes while they compute an item."""
        if self.read_only:
            return None
        self._open()
        return os.path.join(self.path, "computing.lock")

    @property
    def nbytes(self) -> int:
        """Bytes that the database takes on the disk, all tables together."""
        try:
            return os.stat(os.path.join(self.path, "data.mdb")).st_blocks * 512
        except OSError:
            return 0

    # ------------------------------------------------------------------ opening

    def _open(self) -> tuple[Environment, Any, str]:
        """Return environment, table, and the text with which all etags of the database begin."""
        opened = self._opened
        if opened is not None and opened[0].generation == opened[3]:
            return opened[:3]
        if self.guard:
            self._check_trust()
        environment = Environment.of(
            self.path,
            sync=self.durability == "power",
            read_only=self.read_only,
            mode=0o664 if self.guard else 0o666,
        )
        generation = environment.generation
        if self.read_only:  # a transaction sees the tables that were opened before it began
            environment.open_tables(_META, self.table)
        name, table = environment.run(lambda txn: self._prepare(environment, txn), write=not self.read_only)
        self._opened = environment, table, name, generation
        return environment, table, name

    def _check_trust(self) -> None:
        path = os.path.join(self.path, "data.mdb")
        if os.path.lexists(path):
            trust.check_trust(path, f"items of {self.path}", path)

    def _prepare(self, environment: Environment, txn: Transaction) -> tuple[str, Any]:
        """Compare the recorded options of the table, or record them; return database name and table."""
        with txn.cursor() as cursor:  # over the names of tables, or anything else in it
            foreign = cursor.first() and not cursor.set_key(_META.encode())
        meta = None if foreign else environment.table(_META, txn)
        if meta is None:
            raise MismatchError(f"{self.path} is a LMDB database that holdall did not make")
        found = txn.get(b"format", db=meta)
        if found is None and not self.read_only:
            txn.put(b"format", str(_FORMAT).encode(), db=meta)
            txn.put(b"name", secrets.token_hex(4).encode(), db=meta)
        elif found != str(_FORMAT).encode():
            known = "none" if found is None else bytes(found).decode("ascii", "replace")
            raise MismatchError(
                f"{self.path} has format {known}, this version of holdall reads {_FORMAT}: update holdall"
            ).about(location=self.path)
        key = b"table " + self.table.encode()
        noted = txn.get(key, db=meta)
        if noted is None and not self.read_only:
            txn.put(key, json.dumps(self.record).encode(), db=meta)
        elif noted is not None:
            _compare(json.loads(noted), self.record, self.place)
        return str(txn.get(b"name", db=meta).decode()), environment.table(self.table, txn)

    def _run(self, work: Callable[[Transaction, Any, str], Any], *, write: bool = False) -> Any:
        if write:
            self._check_writable()
        environment, table, name = self._open()
        unit = self._unit(environment)
        if unit is not None:
            return environment.run_in(unit, lambda txn: work(txn, table, name))
        return environment.run(lambda txn: work(txn, table, name), write=write)

    def _unit(self, environment: Environment) -> Transaction | None:
        """Return the transaction that the user has begun in this thread, but not in a parent process."""
        try:
            begun, generation = self._units.begun
        except AttributeError:
            return None
        return begun if generation == environment.generation else None

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: str) -> bytes:
        # read() is inlined for the usual id: half of the time of a small value.
        opened = self._opened
        key = id.encode() if type(id) is str and id.isascii() else b""
        if opened is None or not 0 < len(key) <= _LONGEST:
            return self.read(id)[0]
        environment, table, _, generation = opened
        slot = environment.slot()
        if slot.writes or table is None or generation != environment.generation:
            return self.read(id)[0]
        found: Any = _FAILED
        environment.enter(slot)
        try:
            with environment.env.begin(db=table) as txn:
                found = txn.get(key)
        except lmdb.Error:
            pass
        finally:
            slot.uses -= 1
            environment.left()
        if found is _FAILED:
            return self.read(id)[0]  # handles all cases
        if found is None:
            raise KeyError(id)
        return found[_HEAD.size :]  # type: ignore[no-any-return]

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        name = _name_of(id)

        def work(txn: Transaction, table: Any, start: str) -> tuple[bytes, Stat] | None:
            found = _find(txn, table, name)
            return None if found is None else (name.data(found), name.stat(found, start))

        result = self._run(work)
        if result is None:
            raise KeyError(id)
        return result  # type: ignore[no-any-return]

    def stat(self, id: str) -> Stat:  # docstring inherited
        name = _name_of(id)

        def work(txn: Transaction, table: Any, start: str) -> Stat | None:
            found = _find(txn, table, name)
            return None if found is None else name.stat(found, start)

        result = self._run(work)
        if result is None:
            raise KeyError(id)
        return result  # type: ignore[no-any-return]

    def __contains__(self, id: object) -> bool:
        try:
            name = _name_of(id)
        except InvalidKeyError:
            return False
        return bool(self._run(lambda txn, table, _: _find(txn, table, name) is not None))

    def __len__(self) -> int:
        return int(self._run(lambda txn, table, _: txn.stat(table)["entries"] if table is not None else 0))

    def __iter__(self) -> Iterator[str]:
        return self.ids()

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        return itertools.chain.from_iterable(self.pages(prefix))

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        return ([id for id, _, _ in page] for page in self._pages(prefix))

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        start = self._open()[2]
        for page in self._pages(prefix):
            yield from [(id, _stat_of(found, before, start)) for id, before, found in page]

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        del limit
        return (
            [(id, found[_HEAD.size + before :]) for id, before, found in page] for page in self._pages(prefix)
        )

    def _pages(self, prefix: str) -> Iterator[list[tuple[str, int, bytes]]]:
        """Yield ids in order, with the number of bytes before their data, and these, by pages."""
        first = prefix.encode("utf-8", "surrogatepass")
        for listing in (_Listing(first, ""), _Listing(_ESCAPE, prefix)):
            while not listing.done:
                page = self._run(listing.page)
                if page:
                    yield page

    # ------------------------------------------------------------------ writing

    def __setitem__(self, id: str, data: Any) -> None:
        self.write(id, data)

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        # Inlined for the usual id, as in __getitem__(): a third of the time of a small value.
        opened = self._opened
        key = id.encode() if type(id) is str and id.isascii() else b""
        if opened is None or type(data) is not bytes or not 0 < len(key) <= _LONGEST:
            self.write(id, data)
            return
        environment, table, _, generation = opened
        slot = environment.slot()
        if slot.writes or self.read_only or generation != environment.generation:
            self.write(id, data)
            return
        done = False
        environment.enter(slot)
        try:
            with environment.env.begin(write=True, db=table) as txn:
                txn.put(key, _HEAD.pack(txn.id() << 16 | next(_writes) & 0xFFFF, time.time_ns()) + data)
            done = True
        except lmdb.Error:
            pass
        finally:
            slot.uses -= 1
            environment.left()
        if not done:
            self.write(id, data)  # handles all cases

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        name = _name_of(id)
        data = _bytes(data)

        def work(txn: Transaction, table: Any, start: str) -> Stat:
            if expected is not ANY_ETAG:
                self._require(id, _actual(txn, table, name, start), expected)
            whole = _head(txn) + name.before + data
            txn.put(name.key, whole, db=table)
            return name.stat(whole, start)

        return self._run(work, write=True)  # type: ignore[no-any-return]

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        name = _name_of(id)

        def work(txn: Transaction, table: Any, start: str) -> bool:
            if expected is not ANY_ETAG:
                self._require(id, _actual(txn, table, name, start), expected)
            return bool(txn.delete(name.key, db=table))

        if not self._run(work, write=True):
            raise KeyError(id)

    def _require(self, id: str, actual: Etag, expected: Expected) -> None:
        if actual != expected:
            raise conflict(self, id, expected, actual)

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items in one transaction: all of them, or after an error none."""
        self._check_writable()
        # Taken before the transaction begins: the iterator may read from this persister, and too little space
        # means that all are written again.
        taken: list[tuple[bytes, bytes]] = []
        for id, given in items:
            data = given if type(given) is bytes else _bytes(given)
            if type(id) is str and 0 < len(key := id.encode("utf-8", "surrogatepass")) <= _LONGEST:
                taken.append((key, data))
            else:
                name = _name_of(id)
                taken.append((name.key, name.before + data))
        if not taken:
            return

        def work(txn: Transaction, table: Any, _: str) -> None:
            head = _head(txn)
            with txn.cursor(db=table) as cursor:
                cursor.putmulti([(key, head + data) for key, data in taken])

        self._run(work, write=True)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        self._check_writable()
        keys = []
        for id in ids:
            try:
                keys.append(_name_of(id).key)
            except InvalidKeyError:
                continue

        def work(txn: Transaction, table: Any, _: str) -> None:
            for key in keys:
                txn.delete(key, db=table)

        self._run(work, write=True)

    def clear(self) -> None:  # docstring inherited
        self._run(lambda txn, table, _: txn.drop(table, delete=False), write=True)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one transaction of this thread's writes in the context: after an error, none of them happened.

        This thread reads its own writes within the context. A nested transaction can be undone by itself.
        """
        self._check_writable()
        environment = self._open()[0]
        outer = self._unit(environment)
        with environment.begun(outer) as txn:
            generation = environment.generation
            self._units.begun = txn, generation
            try:
                yield
            finally:
                self._units.begun = outer, generation

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyError(f"{self.path} was opened with read_only=True")

    def flush(self) -> None:
        """Write to the disk what returned writes have left to the system."""
        if not self.read_only:
            self._open()[0].flush()

    def close(self) -> None:
        """Release the database; the last handle of a process closes it."""
        self._opened = None


class _Name(NamedTuple):
    """The name of an id in LMDB."""

    key: bytes
    before: bytes  # stored before the data: the id, if the key is a digest of it

    def data(self, found: Any) -> bytes:
        return found[_HEAD.size + len(self.before) :]  # type: ignore[no-any-return]

    def stat(self, found: Any, start: str) -> Stat:
        return _stat_of(found, len(self.before), start)


def _name_of(id: Any) -> _Name:
    if not isinstance(id, str):
        raise InvalidKeyError(f"ids are str, got {type(id).__name__}: {id!r:.80}")
    key = id.encode("utf-8", "surrogatepass")
    if 0 < len(key) <= _LONGEST:
        return _Name(key, b"")
    digest = hashlib.blake2b(key, digest_size=24).digest()
    return _Name(_ESCAPE + digest, _LENGTH.pack(len(key)) + key)


def _find(txn: Transaction, table: Any, name: _Name) -> Any:
    """Return head and data of an item, or None."""
    return None if table is None else txn.get(name.key, db=table)


def _actual(txn: Transaction, table: Any, name: _Name, start: str) -> Etag:
    found = _find(txn, table, name)
    return ITEM_NOT_AVAILABLE if found is None else name.stat(found, start).etag


def _head(txn: Transaction) -> bytes:
    """Return version and time of a write.

    No two transactions have the same number, and a counter distinguishes the writes of one.
    """
    return _HEAD.pack(txn.id() << 16 | next(_writes) & 0xFFFF, time.time_ns())


class _Listing:
    """Items whose keys start with some bytes, and whose ids start with a text, page by page."""

    def __init__(self, first: bytes, prefix: str) -> None:
        self.first = first
        self.prefix = prefix
        self.after: bytes | None = None  # the last key seen
        self.done = False
        self.count = _FIRST_PAGE  # items of the next page

    def page(self, txn: Transaction, table: Any, _: str) -> list[tuple[str, int, bytes]]:
        """Return the next items."""
        if table is None:
            self.done = True
            return []
        with txn.cursor(db=table) as cursor:
            there = cursor.set_range(self.first if self.after is None else self.after)
            if there and cursor.key() == self.after:
                there = cursor.next()
            found = list(itertools.islice(cursor.iternext(), self.count)) if there else []
        whole = len(found) < self.count
        if found:
            self.after = found[-1][0]
            # As many as make a few megabytes, estimated from the items that were just read.
            nbytes = sum(len(data) for _, data in found)
            self.count = max(1, min(_PAGE, 2 * self.count, _PAGE_BYTES * len(found) // (nbytes + 1)))
        inside = [item for item in found if item[0].startswith(self.first)] if self.first else found
        if self.first != _ESCAPE:
            while inside and inside[-1][0][:1] == _ESCAPE:
                inside.pop()
        self.done = whole or len(inside) < len(found)
        if self.first != _ESCAPE:
            return [(_text(key), 0, data) for key, data in inside]
        named = [(*_id_before(data), data) for _, data in inside]
        return [item for item in named if item[0].startswith(self.prefix)]


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")


def _id_before(data: bytes) -> tuple[str, int]:
    """Return the id stored before data, and the number of bytes that it takes there."""
    (length,) = _LENGTH.unpack_from(data, _HEAD.size)
    start = _HEAD.size + _LENGTH.size
    return _text(data[start : start + length]), _LENGTH.size + length


def _stat_of(found: Any, before: int, start: str) -> Stat:
    number, mtime = _HEAD.unpack_from(found)
    return Stat(f"{start}-{number:x}", mtime / 1e9, len(found) - _HEAD.size - before)


def _bytes(data: Any) -> bytes:
    data = join_parts(data)
    return data if isinstance(data, bytes) else bytes(memoryview(data).cast("B"))


def _compare(made: dict[str, Any], wanted: dict[str, Any], location: str) -> None:
    for option, value in wanted.items():
        if made.get(option, value) != value:
            raise MismatchError(
                f"{location} was made with {option} {made[option]!r} and is opened with {value!r}: "
                "open it with what it was made with, or take another table",
            )


def recorded(path: str | os.PathLike[str], table: str) -> dict[str, Any]:
    """Return the options that a table was made with; none if they were not recorded.

    Parameters
    ----------
    path
        The folder of the database.
    table
        The table.
    """
    folder = os.path.abspath(fs_path(checked_path(path, "folder")))
    if not os.path.exists(os.path.join(folder, "data.mdb")):
        return {}

    def work(env: Any, txn: Transaction) -> Any:
        try:
            meta = env.open_db(_META.encode(), txn=txn, create=False)
        except lmdb.NotFoundError:
            return {}
        noted = txn.get(b"table " + table.encode(), db=meta)
        return {} if noted is None else json.loads(noted)

    return dict(Environment.look(folder, work) or {})


def _reopen(cls: type[LmdbPersister], path: str, options: dict[str, Any]) -> LmdbPersister:
    return cls(path, **options)
