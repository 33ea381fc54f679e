"""Values in memory up to a limit, the others in a slow store."""

import itertools
import math
import os
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from sys import getsizeof
from typing import Any, Literal

from holdall._eviction import Policy, PolicyName, make_policy
from holdall._eviction.amounts import parse_size
from holdall._eviction.sizeof import sizeof as usual_sizeof
from holdall._posix.fork import Living, at_fork
from holdall._shown import shown
from holdall.abc import Capability, PersisterWrapper, Unary
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import InvalidArgumentError, InvalidKeyError, SerializationError
from holdall.store import Store, StorePersister
from holdall.wrappers.spilling._core import Spill
from holdall.wrappers.spilling._forked import ForkedPersister
from holdall.wrappers.spilling._items import GONE, Item, Items
from holdall.wrappers.spilling._links import take_over
from holdall.wrappers.spilling._options import SpillStats, budget_of, checked_options
from holdall.wrappers.spilling._slow import SlowSide

__all__ = ["SpillPersister", "SpillStats", "budget_of", "checked_options"]

_INDEX = 310  # bytes per item in memory beside its value and the dicts that it is in, measured


class SpillPersister(PersisterWrapper):
    """Keep values of another store in memory up to a limit, and write changed ones before they leave.

    Parameters
    ----------
    inner
        The slow store, or a persister or mapping, for the values that are not in memory.
    memory
        Bytes that values may take in memory, as a number or text (``"1GB"``, ``"25%"``); None for the smaller
        of 1 GB and a quarter of the memory that the process may use.
    policy
        Which values leave first: ``"gdsf"``, ``"lru"``, ``"lfu"`` or ``"sieve"``.
    sizeof
        Returns the size of a value in bytes; None for an estimate of the memory that it keeps alive.
    writeback
        How changes inside of values are detected when they leave memory and at `flush`: ``"check"`` compares
        their data with the stored ones, ``"always"`` writes all values that were handed out, ``"never"``
        ignores changes.
    sync
        ``"flush"``: values are written when they leave memory, at `flush`, at `close` and at the end of the
        process. ``"always"``: they are written before the call returns.
    disk
        Bytes that the slow store may take, as a number or text; None for no limit.
    on_miss, on_overflow
        Called with a key before its value is read from the slow store, except by prefetching, or is written
        to it.
    discard
        Whether everything is deleted in the end anyway, so that nothing need be written then.

    Notes
    -----
    Threads: safe; a value that several threads request is loaded once, and values in memory are returned
    without waiting. Processes: each has its own memory. Others see a value when it is written; a value in
    memory is not read again, until `refresh`. Conditional operations and stats are those of the inner store:
    they write the item first if it has changed, and use the store itself. After a crash: everything that was
    written is there.

    The limit applies to the values that only this persister keeps in memory. A value that is still in use
    elsewhere when it should leave is kept too, without counting, so that a later change to it is not lost; so
    is one that was read and is not worth keeping. A value larger than the limit is written at once. One that
    cannot be serialized stays in memory and counts.

    Cost of a hit: the name of the key and a dictionary look-up; the policy only takes a note.

    Examples
    --------
    >>> slow = Store(serializer="pickle")
    >>> persister = SpillPersister(slow, memory=100)
    >>> persister["a"] = "x" * 60
    >>> persister["b"] = "y" * 40
    >>> sorted(persister), list(slow), persister["b"][:3]
    (['a', 'b'], ['a'], 'yyy')
    """

    def __init__(
        self,
        inner: Any,
        *,
        memory: float | str | None = None,
        policy: PolicyName | Callable[[int], Policy] = "gdsf",
        sizeof: Callable[[Any], int] | None = None,
        writeback: Literal["check", "always", "never"] = "check",
        sync: Literal["flush", "always"] = "flush",
        disk: float | str | None = None,
        on_miss: Callable[[Any], Any] | None = None,
        on_overflow: Callable[[Any], Any] | None = None,
        discard: bool = False,
    ) -> None:
        self.options = checked_options(
            memory=memory,
            policy=policy,
            sizeof=sizeof,
            writeback=writeback,
            sync=sync,
            disk=disk,
            on_miss=on_miss,
            on_overflow=on_overflow,
        )
        self.options["discard"] = discard
        super().__init__(StorePersister(inner if isinstance(inner, Store) else Store(inner)))
        self._begin()

    def _begin(self) -> None:
        options = self.options
        budget: int = options["memory"]
        items = Items(budget, make_policy(options["policy"], budget))
        self.spill = Spill(
            SlowSide(self.inner.inner, options["disk"]),
            items,
            sizeof=options["sizeof"] or usual_sizeof,
            writeback=options["writeback"],
            through=options["sync"] == "always",
            on_miss=options["on_miss"],
            on_overflow=options["on_overflow"],
        )
        _all.add(self)
        if not options["discard"]:
            weakref.finalize(self, _finish, self.spill, os.getpid())

    def __getstate__(self) -> dict[str, Any]:
        self.spill.flush()
        return {name: value for name, value in super().__getstate__().items() if name != "spill"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner store claims, except what handles do not see in each other's memory."""
        unseen = {Capability.PERSISTENT, Capability.CAS_HOST, Capability.CAS_WORLD}
        return super().capabilities - unseen - {Capability.TRANSACTIONS}

    def transaction(self) -> AbstractContextManager[None]:
        """Raise: values in memory would outlive a transaction that is undone."""
        raise self._no_transactions("values in memory would outlive one that is undone", "SpillStore")

    # ------------------------------------------------------------------ forks

    def before_fork(self) -> None:
        """Prepare for a fork: write what both processes have in memory, and wait for all threads."""
        try:
            if not self.options["discard"]:  # else the child writes elsewhere
                self.spill.flush()
        except Exception as error:
            warnings.warn(
                f"values were not written before a fork, and may be written by two processes: {error}",
                RuntimeWarning,
                stacklevel=1,
            )
        finally:
            self.spill.items.lock.acquire()

    def after_fork(self, *, child: bool = False) -> None:
        """Continue after a fork; a child of a temporary store keeps its writes to itself."""
        if not child:
            with suppress(RuntimeError):  # made meanwhile, or the wait for the lock was interrupted
                self.spill.items.lock.release()
            return
        self.spill.items.reset_locks()
        if self.options["discard"]:
            below = self.inner.inner
            below = below.with_persister(ForkedPersister(below.pipeline.persister))
            self.inner = StorePersister(below)
            self.spill.slow.use(below)

    # ------------------------------------------------------------------ reading

    @property
    def getter(self) -> Unary:  # docstring inherited
        return self.spill.get

    def __getitem__(self, id: Any) -> Any:
        return self.spill.get(id)

    def __contains__(self, id: object) -> bool:
        try:
            known = self.spill.name(id) in self.spill.items.by_name
        except InvalidKeyError:
            return False
        return known or id in self.inner

    def _only_in_memory(self) -> dict[Any, Any]:
        """Return key by name of the items that the slow store does not have."""
        return {item.name: item.key for item in self._new_items()}

    def _new_items(self, limit: int | None = None) -> Iterator[Item]:
        """Iterate over the items that the slow store does not have; with a limit, over some of them."""
        spill = self.spill
        with spill.items.lock:  # others write meanwhile
            unwritten = list(itertools.islice(spill.items.dirty, limit))
        for item in unwritten:
            if item.stored is None:
                item.stored = spill.slow.has(item.key)
            if not item.stored:
                yield item

    def __len__(self) -> int:
        return len(self.inner) + len(self._only_in_memory())

    def __iter__(self) -> Iterator[Any]:
        new = self._only_in_memory()
        yield from new.values()
        name = self.spill.name
        for key in self.inner:
            if name(key) not in new:  # otherwise written meanwhile
                yield key

    def peek(
        self, prefix: str = "", *, limit: int = 1000, seconds: float = 0.1
    ) -> list[Any]:  # docstring inherited
        until = time.monotonic() + seconds
        found: list[Any] = []
        for item in self._new_items(10 * limit):
            if not prefix or str(item.key).startswith(prefix):
                found.append(item.key)
            if len(found) >= limit or time.monotonic() > until:
                return found
        found += self.inner.peek(prefix, limit=limit - len(found), seconds=seconds)
        return found

    def read(self, id: Any) -> tuple[Any, Stat]:  # docstring inherited
        spill = self.spill
        name = spill.name(id)
        with spill.items.turn(name):
            item = spill.settle(name)
            loaded, stat = spill.slow.read(id)
            with spill.items.lock:
                if item is not None and spill.items.by_name.get(name) is item:
                    if loaded.mark is not None and loaded.mark == item.mark:
                        item.out = True
                        return item.value, stat
                    spill.items.remove(item)
            spill.keep(name, id, loaded)
            return loaded.value, stat

    def stat(self, id: Any) -> Stat:  # docstring inherited
        spill = self.spill
        name = spill.name(id)
        spill.flush_until(name)
        with spill.items.turn(name):
            spill.settle(name)
            return self.inner.stat(id)  # type: ignore[no-any-return]

    def glance(self, id: Any, limit: int) -> tuple[Any, Stat]:  # docstring inherited
        items = self.spill.items
        with items.lock:
            item = items.by_name.get(self.spill.name(id))
            value = GONE if item is None else item.value
        if item is None or value is GONE:
            return self.inner.glance(id, limit)  # type: ignore[no-any-return]
        if item.dirty:
            return value, Stat("", math.nan, None)
        return value, self.inner.stat(id)

    def scan(self, prefix: str = "") -> Iterator[tuple[Any, Stat]]:  # docstring inherited
        self.spill.flush()
        return self.inner.scan(prefix)  # type: ignore[no-any-return]

    def by_age(
        self, prefix: str = "", *, newest: bool = False, limit: int | None = None
    ) -> Iterator[Any]:  # docstring inherited
        self.spill.flush()
        return self.inner.by_age(prefix, newest=newest, limit=limit)  # type: ignore[no-any-return]

    # ------------------------------------------------------------------ writing

    def put(self, id: Any, data: Any) -> None:  # docstring inherited
        self.spill.put(id, data)

    def write(self, id: Any, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        spill = self.spill
        name = spill.name(id)
        with spill.items.turn(name):
            old = spill.settle(name)
            with spill.slow.room() as count:
                if spill.slow.limit is not None:
                    count(id, spill.slow.dump(id, data))
                stat = self._writable().write(id, data, expected)
            spill.wrote(name, id, data, old)
            return stat  # type: ignore[no-any-return]

    def remove(self, id: Any, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        spill = self.spill
        name = spill.name(id)
        with spill.items.turn(name):
            if expected is not ANY_ETAG:
                spill.settle(name)
            inner = self._writable()
            item = spill.items.by_name.get(name)
            try:
                inner.remove(id, expected)
            except KeyError:
                if item is None or not item.dirty:
                    spill.forget(name, id, item)
                    raise
            spill.forget(name, id, item)

    def clear(self) -> None:  # docstring inherited
        items = self.spill.items
        with items.quiet():
            self._writable().clear()
            items.forget()

    def purge(self, owns: Callable[[Any], bool], prefix: str = "") -> int:  # docstring inherited
        self.refresh()
        return super().purge(owns, prefix)

    def refresh(self) -> None:  # docstring inherited
        self.spill.flush()
        self.inner.refresh()
        self.spill.shrink()

    def flush(self) -> None:  # docstring inherited
        self.spill.flush()

    def close(self) -> None:  # docstring inherited
        try:
            self.spill.flush()
        finally:
            self.inner.close()

    def prefetch(self, keys: Iterable[Any], threads: int, progress: Callable[[int], Any] | None) -> int:
        """Read values into memory; parameters as of `SpillStore.prefetch`."""
        spill = self.spill
        if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
            raise InvalidArgumentError(
                f"prefetch takes several keys, got {shown(keys, 100)}: give [key] for one"
            )

        def load(key: Any) -> int:
            try:
                return int(spill.prefetch(key))
            except KeyError:
                return 0

        count = 0
        with ThreadPoolExecutor(threads) as pool:
            for done, read in enumerate(pool.map(load, list(keys)), 1):
                count += read
                if progress is not None:
                    progress(done)
        return count

    def take_over(self, other: "SpillPersister", *, overwrite: bool) -> None:
        """Store all items of another spilling persister, by hard links where possible."""
        other.flush()
        take_over(self.spill, other.spill, overwrite=overwrite)

    def drop(self) -> None:
        """Delete all items, and close."""
        self.clear()
        self.inner.close()

    def file_of(self, key: Any) -> str | None:
        """Return the path of the file with the value of a key; None if it has no file of its own.

        Raises
        ------
        KeyError
            If the key is absent.
        """
        spill = self.spill
        name = spill.name(key)
        with spill.items.turn(name):
            spill.settle(name)
            slow = spill.slow
            if not slow.has(key):
                raise KeyError(key)
            find: Any = getattr(slow.persister, "file_of", None)
            return None if find is None else find(slow.place.id_of(key))

    def shrink(self, to: float | str = 0) -> None:
        """Move values to the slow store until at most some bytes are in memory."""
        self.spill.shrink(parse_size(to, "to"))

    def abandon(self) -> None:
        """Forget everything in memory, and close; what was not written is lost."""
        with self.spill.items.quiet():
            self.spill.items.forget()
            self.inner.close()

    # ------------------------------------------------------------------ what is known

    def stats(self) -> SpillStats:
        """Return counts and sizes."""
        spill, items = self.spill, self.spill.items
        return SpillStats(
            hits=spill.hits,
            misses=spill.misses,
            evictions=items.evictions,
            bytes_read=spill.slow.bytes_read,
            bytes_written=spill.slow.bytes_written,
            links=spill.slow.links,
            copies=spill.slow.copies,
            seconds_loading=spill.seconds_loading,
            budget=items.budget,
            memory=items.used,
            held=spill.held_bytes,
            disk=spill.slow.volume(),
            unserializable={item.key: str(item.error) for item in list(items.stuck)},
            unserializable_bytes=spill.stuck_bytes,
            index_bytes=_INDEX * len(items.by_name)
            + getsizeof(items.by_name)
            + getsizeof(items.dirty)
            + items.policy.nbytes(),
        )


_all: Living[SpillPersister] = Living()


def _finish(spill: Spill, pid: int) -> None:
    """Write what has changed when the persister is dropped, or at the end of the process."""
    if pid != os.getpid():
        return  # in a forked child: the parent has these values too
    try:
        spill.flush()
    except (OSError, SerializationError) as error:
        warnings.warn(f"values were lost at the end: {error}", RuntimeWarning, stacklevel=1)


def _before_fork() -> None:
    for persister in _all:
        persister.before_fork()


def _after_fork_in_parent() -> None:
    for persister in _all:
        persister.after_fork()


def _after_fork_in_child() -> None:
    for persister in _all:
        persister.after_fork(child=True)


at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
