"""A persister over an LMDB database: the fastest local one for many small values."""

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

import lmdb

from holdall._options import Durability, checked_path, is_unicode
from holdall._posix import trust
from holdall._posix.names import fs_path
from holdall._posix.system import require_posix
from holdall._posix.temporary import TemporaryFolder
from holdall._shown import shown
from holdall.abc import Capability, Persister, conflict
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import InvalidArgumentError, InvalidKeyError, ReadOnlyError
from holdall.persisters.lmdb._environment import Environment, Transaction
from holdall.persisters.lmdb._items import (
    HEAD_SIZE,
    LONGEST,
    Name,
    as_bytes,
    head_of,
    keys_of,
    name_of,
)
from holdall.persisters.lmdb._listing import Listing, Pairs, data_of, names_of, stats_of
from holdall.persisters.lmdb._record import META, prepare, recorded

__all__ = ["LmdbPersister", "recorded"]

T = TypeVar("T")

_LARGE: Final = 50_000  # bytes of a value, after which the next is read as a view, with one copy less
_FAILED: Final = object()


class _Opened(NamedTuple):
    """What is open, for as long as the environment has the same generation."""

    environment: Environment
    table: Any  # None if there is none to read
    name: str  # the text with which all etags of the database begin
    generation: int
    begin: Any  # of the environment
    local: Any  # with the slot of each thread; None where there is no table


_CLOSED: Final = _Opened(None, None, "", 0, None, None)  # type: ignore[arg-type]


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
        require_posix("LMDB databases")
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        named: Any = table
        if not (is_unicode(named) and named not in {"", META} and len(named.encode()) <= LONGEST):
            raise InvalidArgumentError(f"table is the name of a table, and not {META!r}, got {shown(table)}")
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
        self._opened = _CLOSED
        self._large = False  # whether the value that was read last is
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

    def _open(self) -> "_Opened":
        opened = self._opened
        if opened is not _CLOSED and opened.environment.generation == opened.generation:
            return opened
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
            environment.open_tables(META, self.table)
        name, table = environment.run(
            lambda txn: prepare(environment, txn, self.table, self.record), write=not self.read_only
        )
        local = None if table is None else environment.local
        self._opened = _Opened(environment, table, name, generation, environment.env.begin, local)
        return self._opened

    def _check_trust(self) -> None:
        path = os.path.join(self.path, "data.mdb")
        if os.path.lexists(path):
            trust.check_trust(path, f"items of {self.path}", path)

    def _run(
        self, work: Callable[[Transaction, Any, str], T], *, write: bool = False, buffers: bool = False
    ) -> T:
        if write:
            self._check_writable()
        environment, table, name = self._open()[:3]
        unit = self._unit(environment)
        if unit is not None:
            return environment.run_in(unit, lambda txn: work(txn, table, name))
        return environment.run(lambda txn: work(txn, table, name), write=write, buffers=buffers)

    def _unit(self, environment: Environment) -> Transaction | None:
        """Return the transaction that the user has begun in this thread, but not in a parent process."""
        try:
            begun, generation = self._units.begun
        except AttributeError:
            return None
        return begun if generation == environment.generation else None

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: str) -> bytes:
        # read() is inlined for the usual id and value: half of the time of a small one.
        environment, table, _, generation, begin, local = self._opened
        try:
            key, slot = id.encode(), local.slot
        except (AttributeError, UnicodeError):  # no usual id, closed, or the first use in this thread
            return self.read(id)[0]
        if slot.uses or self._large or type(id) is not str:
            return self.read(id)[0]
        found: Any = _FAILED
        slot.uses = 1
        try:  # with no call before it, at which an interrupt may come
            if generation == environment.generation and not environment.growing:
                found = begin(table).get(key)  # a transaction ends with its object
        except lmdb.Error:
            pass
        finally:
            slot.uses = 0  # who waits to grow it looks again soon
        if found is _FAILED:
            return self.read(id)[0]  # handles all cases
        if found is None:
            if 0 < len(key) <= LONGEST:
                raise KeyError(id)
            return self.read(id)[0]
        if len(found) > _LARGE:
            self._large = True
        return found[HEAD_SIZE:]  # type: ignore[no-any-return]

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        name = name_of(id)

        def work(txn: Transaction, table: Any, start: str) -> tuple[bytes, Stat] | None:
            found = _find(txn, table, name)
            return None if found is None else (name.data(found), name.stat(found, start))

        result = self._run(work, buffers=True)
        if result is None:
            raise KeyError(id)
        self._large = len(result[0]) > _LARGE
        return result

    def stat(self, id: str) -> Stat:  # docstring inherited
        name = name_of(id)

        def work(txn: Transaction, table: Any, start: str) -> Stat | None:
            found = _find(txn, table, name)
            return None if found is None else name.stat(found, start)

        result = self._run(work)
        if result is None:
            raise KeyError(id)
        return result

    def __contains__(self, id: object) -> bool:
        try:
            name = name_of(id)
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
        return self._pages(prefix, names_of)

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        return itertools.chain.from_iterable(self._pages(prefix, stats_of))

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        del limit
        return self._pages(prefix, data_of)

    def _pages(self, prefix: str, take: Callable[[Pairs, str], list[T]]) -> Iterator[list[T]]:
        """Yield what is made of the items in order, those under digests last, by pages."""
        for digests in (False, True):
            listing = Listing(prefix.encode("utf-8", "surrogatepass"), take, digests=digests)
            while not listing.done:
                page = self._run(listing.page, buffers=listing.large)
                if page:
                    yield page

    # ------------------------------------------------------------------ writing

    def __setitem__(self, id: str, data: Any) -> None:
        self.write(id, data)

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        # Inlined for the usual id, as in __getitem__(): a third of the time of a small value.
        environment, table, _, generation, begin, local = self._opened
        try:
            key, slot = id.encode(), local.slot
        except (AttributeError, UnicodeError):
            self.write(id, data)
            return
        if slot.uses or self.read_only or type(data) is not bytes or type(id) is not str:
            self.write(id, data)
            return
        done = False
        slot.uses = 1
        try:
            if generation == environment.generation and not environment.growing:
                with begin(table, None, True) as txn:
                    txn.put(key, head_of(txn.id()) + data)
                done = True
        except lmdb.Error:  # an id that is too long, too
            pass
        finally:
            slot.uses = 0  # who waits to grow it looks again soon
        if not done:
            self.write(id, data)  # handles all cases

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        name = name_of(id)
        data = as_bytes(data)

        def work(txn: Transaction, table: Any, start: str) -> Stat:
            if expected is not ANY_ETAG:
                self._require(id, _actual(txn, table, name, start), expected)
            whole = head_of(txn.id()) + name.before + data
            txn.put(name.key, whole, db=table)
            return name.stat(whole, start)

        return self._run(work, write=True)

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        name = name_of(id)

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
        given = [(id, data if type(data) is bytes else as_bytes(data)) for id, data in items]
        keys = keys_of([id for id, _ in given])
        if keys is not None:
            taken = list(zip(keys, [data for _, data in given], strict=True))
        else:
            taken = [((name := name_of(id)).key, name.before + data) for id, data in given]
        if not taken:
            return
        # In the order of keys, LMDB fills its pages: 5,000 small items take 91 of them in place of 167, and
        # half of the time. Of equal keys the last one still wins.
        taken.sort(key=itemgetter(0))

        def work(txn: Transaction, table: Any, _: str) -> None:
            head = head_of(txn.id())
            with txn.cursor(db=table) as cursor:
                cursor.putmulti([(key, head + data) for key, data in taken])

        self._run(work, write=True)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        self._check_writable()
        keys = []
        for id in ids:
            try:
                keys.append(name_of(id).key)
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
        environment = self._open().environment
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
            self._open().environment.flush()

    def close(self) -> None:
        """Release the database; the last handle of a process closes it."""
        self._opened = _CLOSED


def _find(txn: Transaction, table: Any, name: Name) -> Any:
    """Return head and data of an item, or None."""
    return None if table is None else txn.get(name.key, db=table)


def _actual(txn: Transaction, table: Any, name: Name, start: str) -> Etag:
    found = _find(txn, table, name)
    return ITEM_NOT_AVAILABLE if found is None else name.stat(found, start).etag


def _reopen(cls: type[LmdbPersister], path: str, options: dict[str, Any]) -> LmdbPersister:
    return cls(path, **options)
