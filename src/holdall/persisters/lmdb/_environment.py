"""The one LMDB environment of a path and process: shared, grown when full, not used after a fork."""

import errno
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import lmdb

from holdall._posix.errors import translate
from holdall._posix.fork import Living, at_fork, forget_in_child, living, new_lock
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    MismatchError,
    ReadOnlyError,
    StoreFullError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from holdall.persisters.lmdb._disk import may_lock, refuse_remote, reserve

__all__ = ["Environment", "Transaction"]

R = TypeVar("R")

#: A transaction of py-lmdb, which has no types.
Transaction = Any

_FIRST_SIZE: Final = 64 << 20  # bytes of address space; the file is as large as its items
_READERS: Final = 1024
_TABLES: Final = 256
_LOOK: Final = 0.01  # seconds between two checks for users before growing
_FORK_PATIENCE: Final = 10.0  # seconds for transactions of other threads to end before a fork
_ROOM: Final = 32 << 20  # bytes that are free when a transaction of the user begins

_open: "weakref.WeakValueDictionary[tuple[int, int], Environment]" = weakref.WeakValueDictionary()
_opening = new_lock()


class Slot:
    """The use of an environment by one thread."""

    __slots__ = ("__weakref__", "full", "uses", "writes")

    def __init__(self) -> None:
        self.uses = 0  # nested uses, in a transaction of the user
        self.writes = False  # whether a transaction of the user is open
        self.full = False  # whether the last one had too little space


class Environment:
    """The open environment of a folder, and its transactions.

    All handles of one folder in a process share it, as LMDB requires. It can grow only while nobody in this
    process reads or writes, so every use of it is counted.
    """

    def __init__(self, path: str, *, sync: bool, read_only: bool, mode: int) -> None:
        self.path = path
        self._mode = mode
        self.sync = sync
        self.read_only = read_only
        self._begin()
        #: Changes whenever tables have to be opened again.
        self.generation = 0
        self._tables: dict[str, Any] = {}
        self.env: Any = None
        self._at_rest = False  # whether no other thread was in a transaction at the last fork
        self._lost = False  # whether this process was forked amid one
        self._connect()
        forget_in_child(self)

    @classmethod
    def of(cls, path: str, *, sync: bool, read_only: bool, mode: int = 0o666) -> "Environment":
        """Return the environment of a folder, which is made if it does not exist, unless it is read-only."""
        with _opening:
            if not read_only:
                try:
                    os.makedirs(path, exist_ok=True)
                except OSError as error:
                    raise translate(error, "the folder cannot be made", path) from error
            elif not os.path.exists(os.path.join(path, "data.mdb")):
                raise StoreNotFoundError(errno.ENOENT, "there is no LMDB database to read", path)
            about = os.stat(path)
            location = about.st_dev, about.st_ino
            found = _open.get(location)
            if found is not None:
                if (found.sync, found.read_only) != (sync, read_only):
                    raise InvalidArgumentError(
                        f"{path} is open in this process with another durability or read_only, and a process "
                        "opens a LMDB database once: close the other handle, or take the same options",
                    )
                return found
            refuse_remote(path)
            made = _open[location] = cls(path, sync=sync, read_only=read_only, mode=mode)
            return made

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self.growing = False
        self._slots: Living[Slot] = Living()
        self.local = threading.local()

    def slot(self) -> "Slot":
        """Return the record of this thread's use of the environment."""
        try:
            return self.local.slot  # type: ignore[no-any-return]
        except AttributeError:
            made = self.local.slot = Slot()
            with self._changed:
                self._slots.add(made)
            return made

    def _connect(self) -> None:
        if self._lost:
            raise StoreUnavailableError(
                errno.EDEADLK,
                "this process was forked in the middle of another thread's transaction, and cannot open the "
                "database: start it with the method 'spawn', or fork when the database is not in use",
                self.path,
            )
        locks = not self.read_only or may_lock(self.path)
        if locks:
            reserve(self.path, self._mode, _READERS)
        try:
            self.env = lmdb.open(
                os.fsencode(self.path),  # it has no UTF-8 for bytes that are none
                map_size=max(_FIRST_SIZE, self._size_on_disk()),
                max_dbs=_TABLES,
                max_readers=_READERS,
                sync=self.sync,
                readonly=self.read_only,
                create=not self.read_only,
                mode=self._mode,
                lock=locks,
                readahead=False,
            )
            self.env.reader_check()  # frees slots of killed readers
        except lmdb.InvalidError as error:
            raise MismatchError(f"{self.path} holds a data.mdb that is no LMDB database: {error}") from error
        except lmdb.Error as error:
            raise StoreUnavailableError(
                errno.EIO, f"the LMDB database cannot be opened: {error}", self.path
            ) from error

    def _size_on_disk(self) -> int:
        try:
            return 2 * os.path.getsize(os.path.join(self.path, "data.mdb"))
        except OSError:
            return 0

    def before_fork(self) -> None:
        """Wait until no other thread is in a transaction, and let none begin."""
        self._at_rest = False
        mine = self.slot()
        deadline = time.monotonic() + _FORK_PATIENCE
        with self._changed:
            while self.growing and time.monotonic() < deadline:
                self._changed.wait(_LOOK)
            self.growing = True
            while not (quiet := self._is_quiet(mine)) and time.monotonic() < deadline:
                self._changed.wait(_LOOK)
            self._at_rest = quiet

    def after_fork_in_parent(self) -> None:
        """Let transactions begin again."""
        with self._changed:
            self.growing = False
            self._changed.notify_all()

    def _is_quiet(self, but: "Slot | None" = None) -> bool:
        """Return whether no thread, or no other thread than one, uses the environment."""
        return not any(slot.uses for slot in self._slots if slot is not but)

    def after_fork(self) -> None:
        """Start again in a child: the open environment belongs to the parent."""
        if self.env is not None and self._at_rest:
            self.env.close()  # releases descriptors and memory of the child only
        elif self.env is not None:
            # Closing it would wait for a thread that is not here, whose transaction holds it for ever.
            self._lost = True
        self._begin()
        self.env = None
        self._forget_tables()

    def _forget_tables(self) -> None:
        self.generation += 1
        self._tables = {}

    @classmethod
    def look(cls, path: str, work: Callable[[Any, Transaction], R]) -> R:
        """Call a function with the environment of a folder, open or not, in a read-only transaction."""
        about = os.stat(path)
        with _opening:
            found = _open.get((about.st_dev, about.st_ino))
            if found is not None:
                return found.run(lambda txn: work(found.env, txn))
            locks = may_lock(path)
            if locks:
                reserve(path, 0o666, _READERS)
            try:
                with lmdb.open(os.fsencode(path), readonly=True, max_dbs=_TABLES, lock=locks) as env:
                    with env.begin() as txn:
                        return work(env, txn)
            except lmdb.Error as error:
                raise MismatchError(f"{path} holds a data.mdb that is no LMDB database: {error}") from error

    def open_tables(self, *names: str) -> None:
        """Open those of several tables that exist, each in a transaction of its own."""
        slot = self.slot()
        self.enter(slot)
        try:
            for name in names:
                self.table(name)
        finally:
            slot.uses -= 1
            self.left()

    def table(self, name: str, txn: Transaction | None = None) -> Any:
        """Return a table, which is made if the environment is writable; None if it does not exist."""
        found = self._tables.get(name)
        if found is None:
            try:
                # A table that is opened in a read-only transaction is closed with it.
                found = self.env.open_db(
                    name.encode(), txn=None if self.read_only else txn, create=not self.read_only
                )
            except lmdb.NotFoundError:
                return None
            self._tables[name] = found
        return found

    def flush(self) -> None:
        """Write to the disk what returned writes have left to the system."""
        slot = self.slot()
        self.enter(slot)
        try:
            self.env.sync(True)
        finally:
            slot.uses -= 1
            self.left()

    # ------------------------------------------------------------------ transactions

    def enter(self, slot: "Slot") -> None:
        """Begin to use the environment; wait while it is growing."""
        # The thread that grows it checks all slots after it has set `growing`, so one of the two sees the
        # other.
        slot.uses += 1
        while self.growing and slot.uses == 1:
            slot.uses = 0
            with self._changed:
                self._changed.notify_all()
                self._changed.wait_for(lambda: not self.growing)
            slot.uses = 1
        if self.env is None:
            try:
                with _opening:
                    if self.env is None:
                        self._connect()
            except BaseException:
                slot.uses -= 1
                raise

    def left(self) -> None:
        """Say that a use of what is open has ended, to who waits for that.

        Who ends one counts down `uses` itself, before this call: at a call an interrupt may come, and a use
        that never ends would be waited for without end.
        """
        if self.growing:
            with self._changed:
                self._changed.notify_all()

    def run(self, work: Callable[[Transaction], R], *, write: bool = False, buffers: bool = False) -> R:
        """Call a function in one transaction; repeat it with more space if there was too little.

        With `buffers`, the transaction returns views of the memory of LMDB, which end with it.
        """
        slot = self.slot()
        while True:
            full: Exception | None = None
            self.enter(slot)
            try:
                if write and slot.writes:
                    raise StoreUnavailableError(
                        errno.EDEADLK,
                        "this thread is in a transaction of another handle, for whose end it would wait for "
                        "ever: write through the handle of the transaction",
                        self.path,
                    )
                with self.env.begin(None, None, write, buffers) as txn:
                    return work(txn)
            except lmdb.MapFullError as error:
                if self.env.reader_check():
                    continue  # killed readers held some of the space
                full = error
                size = self.env.info()["map_size"]
            except lmdb.MapResizedError:
                size = -1
            except lmdb.ReadersFullError as error:
                if not self.env.reader_check():
                    raise StoreUnavailableError(
                        errno.EAGAIN, "too many threads read it at once: try again", self.path
                    ) from error
                continue
            except lmdb.Error as error:
                raise self._translated(error) from error
            finally:
                slot.uses -= 1
                self.left()
            self._grow(size, full)

    def run_in(self, unit: Transaction, work: Callable[[Transaction], R]) -> R:
        """Call a function in a transaction of the user, which cannot be repeated."""
        try:
            return work(unit)
        except lmdb.MapFullError as error:
            self.slot().full = True
            raise StoreFullError(
                errno.ENOSPC,
                "the transaction needs more room than was free when it began; nothing of it was stored. "
                "The next one finds more: run it again",
                self.path,
            ) from error
        except lmdb.Error as error:
            raise self._translated(error) from error

    @contextmanager
    def begun(self, outer: Transaction | None) -> Iterator[Transaction]:
        """Hold one writing transaction for this thread; a nested one can be undone by itself."""
        slot = self.slot()
        if outer is None:
            if slot.writes:
                raise StoreUnavailableError(
                    errno.EDEADLK, "this thread is in a transaction of another handle already", self.path
                )
            self._make_room(slot)
        tables = dict(self._tables)
        before = slot.writes
        self.enter(slot)
        try:  # with no call before it, at which an interrupt may come
            slot.writes = True
            txn = self.env.begin(write=True, parent=outer)
            try:
                yield txn
            except BaseException:
                txn.abort()
                if self._tables != tables:  # some were opened in it, and closed with it
                    self._forget_tables()
                raise
            txn.commit()
        except lmdb.Error as error:
            raise self._translated(error) from error
        finally:
            slot.writes = before
            slot.uses -= 1
            self.left()

    def _make_room(self, slot: "Slot") -> None:
        """Grow the environment until a transaction of the user has space, as it cannot be repeated."""
        self.enter(slot)
        try:
            info, stat = self.env.info(), self.env.stat()
        finally:
            slot.uses -= 1
            self.left()
        size = info["map_size"]
        free = size - info["last_pgno"] * stat["psize"]
        if free < _ROOM or slot.full:  # or the last one had too little space
            slot.full = False
            self._grow(size, None)

    def _grow(self, size: int, full: Exception | None) -> None:
        """Take more address space, when nobody in this process uses the environment."""
        with self._changed:
            while self.growing:
                self._changed.wait()
            self.growing = True
            try:
                while not self._is_quiet():
                    self._changed.wait(_LOOK)  # a thread that leaves just now may not see that we wait
                if size < 0:  # grown by another process
                    self.env.set_mapsize(0)
                elif self.env.info()["map_size"] <= size:
                    self.env.set_mapsize(size * 2)
            except (lmdb.Error, OverflowError, MemoryError) as error:
                raise StoreFullError(
                    errno.ENOSPC, f"the database cannot grow beyond {size:,} bytes: {error}", self.path
                ) from full
            finally:
                self.growing = False
                self._changed.notify_all()

    def _translated(self, error: Exception) -> HoldallError:
        """Return our error for an error of the driver."""
        if isinstance(error, lmdb.ReadonlyError):
            return ReadOnlyError(f"{self.path} was opened with read_only=True")
        if isinstance(error, lmdb.DiskError | lmdb.MapFullError) or "No space" in str(error):
            return StoreFullError(errno.ENOSPC, f"nothing was stored: {error}", self.path)
        if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError):
            return StoreUnavailableError(errno.EIO, f"the database is damaged: {error}", self.path)
        return StoreUnavailableError(errno.EIO, f"LMDB says: {error}", self.path)


def _before_fork() -> None:
    for environment in living(_open):
        environment.before_fork()


def _after_fork_in_parent() -> None:
    for environment in living(_open):
        environment.after_fork_in_parent()


at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
