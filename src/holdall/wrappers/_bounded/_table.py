"""A ledger in a SQLite database: exact among processes, and persistent."""

import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import StoreUnavailableError
from holdall.persisters.sqlite import SqlitePersister, as_id, as_text
from holdall.persisters.sqlite._ledger import LedgerStatements, row_size
from holdall.persisters.sqlite._schema import INLINE
from holdall.wrappers._bounded._ledger import Ledger

__all__ = ["FolderLedger", "TableLedger"]

_NOTED = 4096  # ids whose uses are noted before they are recorded: many at once share pages
_FRESH = 5.0  # seconds in which a use is not recorded again
_MANY = 100_000  # ids remembered for that
_UNUSED = (0, 0)
_SOME = 64  # rows read at a time


class TableLedger(Ledger):
    """The ledger of a table of a SQLite file, kept by triggers of the table.

    Parameters
    ----------
    persister
        The persister of the table.
    policy
        One of `LEDGER_POLICIES`.

    Notes
    -----
    Processes: all writers of the table are counted, even those that do not know the ledger.
    """

    automatic = True

    def __init__(self, persister: SqlitePersister, policy: str) -> None:
        self.persister = persister
        self._policy = policy
        self._sql = LedgerStatements(persister.table, policy)
        self._run = persister.execute
        self._noted: dict[Any, tuple[int, int]] = {}  # by id: number of uses, and the time of the last
        # Where only the last use matters, another use soon after it is not recorded.
        self._counts = policy in {"lfu", "gdsf"}
        self._fresh: set[Any] = set()
        self._passed = 0
        self.refresh()
        if self._known_policy() == policy:
            return  # nothing to write, so do not wait for others
        with persister.transaction():
            before = self._known_policy()
            if before is None:
                for statement in self._sql.tables:
                    self._run(statement)
            if before != policy:
                self._use_policy(new=before is None)

    def _known_policy(self) -> Any:
        if not self._run(self._sql.found):
            return None
        [(policy,)] = self._run(self._sql.policy)
        return policy

    def _use_policy(self, *, new: bool) -> None:
        first, rerank = self._sql.use_policy
        self._run(first, self._policy)
        for statement in (*self._sql.drop_triggers, *self._sql.triggers):
            self._run(statement)
        for statement in self._sql.fill if new else (rerank,):
            self._run(statement)

    def turn(self) -> AbstractContextManager[Any]:  # docstring inherited
        return self.persister.transaction()

    def size(self, id: Any, data: Any) -> int:  # docstring inherited
        nbytes = len(data) if type(data) is bytes else sum(memoryview(part).nbytes for part in _parts(data))
        inline = type(data) is bytes and len(id) + nbytes <= INLINE
        smallest = self.persister.files_from
        return row_size(len(id), nbytes, inline=inline, in_file=smallest is not None and nbytes >= smallest)

    def wrote(self, id: Any, size: int) -> None:  # docstring inherited
        del id, size  # a trigger has done it

    def removed(self, ids: Iterable[Any]) -> None:  # docstring inherited
        del ids

    def clear(self) -> None:  # docstring inherited
        return

    def totals(self) -> tuple[int, int]:  # docstring inherited
        [(nbytes, items)] = self._run(self._sql.totals)
        return int(nbytes), items

    def fetch(self, inner: Any, id: Any, limit: int) -> Any:  # docstring inherited
        data = self.persister.look(id)
        if type(data) is bytes:
            return data  # data in the row of its id never expire
        if data is None or self.expires(id) <= time.time():
            raise KeyError(id)
        return inner.fetch(id, limit)

    def put(self, inner: Any, id: Any, data: Any, size: int) -> tuple[int, int]:  # docstring inherited
        if type(data) is not bytes or len(id) + len(data) > INLINE or not id.isascii():
            inner.put(id, data)  # a trigger records it
            return self.totals()
        [(nbytes, items)] = self._run(self._sql.put, id, data)
        return nbytes + size, items + 1  # as the totals were before it

    def write(
        self, inner: Any, id: Any, data: Any, expected: Expected, *, size: int, at: float | None
    ) -> Stat:  # docstring inherited
        del size
        if expected is not ANY_ETAG:
            self.bury(inner, id)
        if at is None:
            return inner.write(id, data, expected)  # type: ignore[no-any-return]
        # In one transaction: the time is that of this write, and a killed process leaves both or none.
        return inner.write_and(id, data, expected, lambda: self.expire(id, at))  # type: ignore[no-any-return]

    def bury(self, inner: Any, id: Any) -> None:  # docstring inherited
        del inner
        # In one statement: it may have been written again since the look.
        if self.expires(id) <= time.time():
            self._run(self._sql.bury, as_id(id), time.time())

    # ------------------------------------------------------------------ uses

    def hit(self, id: Any) -> None:  # docstring inherited
        if id in self._fresh:
            self._passed += 1
            if not self._passed & 255 and time.monotonic() > self._until:
                self.refresh()
            return
        noted = self._noted
        noted[id] = noted.get(id, _UNUSED)[0] + 1, time.time_ns()
        if len(noted) >= _NOTED and not len(noted) & 63:
            self._flush_without_waiting()

    def _flush_without_waiting(self) -> None:
        """Record uses unless another process is writing: a read waits for nobody."""
        self._run("PRAGMA busy_timeout = 0")
        try:
            self.flush()
        except StoreUnavailableError:
            if len(self._noted) > 2 * _NOTED:  # the oldest notes matter least
                for id in list(self._noted)[:-_NOTED]:
                    self._noted.pop(id, None)
        finally:
            self._run(f"PRAGMA busy_timeout = {int(self.persister.timeout * 1000)}")

    def refresh(self) -> None:
        """Record all uses again, even recent ones."""
        self._fresh.clear()
        self._until = time.monotonic() + _FRESH

    def flush(self) -> None:  # docstring inherited
        if not self._noted:
            return
        with self.turn():
            noted, self._noted = self._noted, {}
            for id, (count, when) in list(noted.items()):
                self._run(self._sql.use, count, when, as_id(id))
        if not self._counts:
            self._fresh.update(noted)
            if len(self._fresh) > _MANY:
                self.refresh()

    # ------------------------------------------------------------------ expiry

    def expire(self, id: Any, at: float | None) -> bool:  # docstring inherited
        if at is not None:
            self.persister.move_apart(id)  # so that reading data in the row of its id need not check
        return bool(self._run(self._sql.set_expiry, at, as_id(id)))

    def expires(self, id: Any) -> float:  # docstring inherited
        rows = self._run(self._sql.expiry, as_id(id))
        return math.inf if not rows or rows[0][0] is None else float(rows[0][0])

    def expired(self, now: float, limit: int = -1) -> list[Any]:  # docstring inherited
        return [as_text(id) for id, _, _ in self._run(self._sql.expired, now, limit, 0)]

    # ------------------------------------------------------------------ victims

    def victims(
        self, nbytes: float, items: int, spare: Callable[[Any], bool], now: float
    ) -> list[Any]:  # docstring inherited
        self.refresh()  # the order changes
        need = _Need(nbytes, items)
        chosen = self._taken(need, spare, set(), self._sql.expired, now)
        if need:
            without = set(chosen)
            if self._policy == "sieve":
                return chosen + self._sieved(need, spare, without)
            chosen += self._taken(need, spare, without, self._sql.first)
            if self._policy in {"gdsf", "lfu"}:
                self._run(self._sql.tick, need.rank)
        return chosen

    def _taken(
        self, need: "_Need", spare: Callable[[Any], bool], without: set[Any], statement: str, *arguments: Any
    ) -> list[Any]:
        """Return as many as are needed of the rows from a statement."""
        chosen: list[Any] = []
        offset = 0
        while need:
            rows = self._run(statement, *arguments, _SOME, offset)
            for raw, size, rank in rows:
                id = as_text(raw)
                if need and id not in without and not spare(id):
                    need.count(size, rank)
                    chosen.append(id)
            if len(rows) < _SOME:
                break
            offset += _SOME
        return chosen

    def _sieved(self, need: "_Need", spare: Callable[[Any], bool], without: set[Any]) -> list[Any]:
        """Continue from the position of the hand: items used since it passed are skipped once."""
        chosen: list[Any] = []
        [(hand,)] = self._run(self._sql.hand)
        rounds = 0
        while need and rounds < 3:  # after two rounds no item is marked
            rows = self._run(self._sql.ahead, hand, _SOME)
            if not rows:
                hand, rounds = 0, rounds + 1
            for raw, size, rank, uses in rows:
                if not need:
                    break
                hand = rank
                id = as_text(raw)
                if uses > 1:
                    self._run(self._sql.pass_by, raw)
                elif id not in without and not spare(id):
                    need.count(size, rank)
                    without.add(id)
                    chosen.append(id)
        self._run(self._sql.move_hand, hand)
        return chosen


class _Need:
    """How many bytes and items are still to be evicted."""

    def __init__(self, nbytes: float, items: int) -> None:
        self.nbytes, self.items = nbytes, items
        self.rank: Any = 0  # of the last evicted item

    def __bool__(self) -> bool:
        return self.nbytes > 0 or self.items > 0

    def count(self, size: int, rank: Any) -> None:
        """Count an evicted item."""
        self.nbytes -= size
        self.items -= 1
        self.rank = rank


def _parts(data: Any) -> list[Any]:
    return data if type(data) is list else [data]


class FolderLedger(TableLedger):
    """The ledger of a folder, in a database of its own beside the files.

    Parameters
    ----------
    path
        The database file.
    policy
        One of `LEDGER_POLICIES`.
    stats
        Id and stat of each existing file: files unknown to the ledger are added, by age, and missing ones are
        removed.
    owns
        Returns whether a file may be evicted; others are not recorded.

    Notes
    -----
    Processes: writers through a ledger take turns, so that a file and its record change together. Writes by
    others to the folder are found when the ledger is next opened.
    """

    automatic = False

    def __init__(
        self, path: str, policy: str, stats: Iterable[tuple[str, Any]], owns: Callable[[Any], bool]
    ) -> None:
        super().__init__(SqlitePersister(path), policy)
        with self.turn():  # files written meanwhile would be taken as deleted
            found = dict(stats)
            known = {as_text(id): size for id, size in self._run(self._sql.known)}
            self.removed(known.keys() - found.keys())
            for id, stat in sorted(found.items(), key=lambda item: item[1].mtime):
                size = self._blocks(stat.size)
                if known.get(id) != size and owns(id):
                    self._run(self._sql.enter, as_id(id), size, int(stat.mtime * 1e9))

    def _use_policy(self, *, new: bool) -> None:
        first, rerank = self._sql.use_policy
        self._run(first, self._policy)
        for statement in self._sql.counting if new else (rerank,):
            self._run(statement)

    @staticmethod
    def _blocks(nbytes: int) -> int:
        return (nbytes + 4095) // 4096 * 4096

    def size(self, id: Any, data: Any) -> int:  # docstring inherited
        del id
        return self._blocks(sum(memoryview(part).nbytes for part in _parts(data)))

    def wrote(self, id: Any, size: int) -> None:  # docstring inherited
        self._run(self._sql.enter, as_id(id), size, time.time_ns())

    def removed(self, ids: Iterable[Any]) -> None:  # docstring inherited
        for id in ids:
            self._run(self._sql.leave, as_id(id))

    def fetch(self, inner: Any, id: Any, limit: int) -> Any:  # docstring inherited
        return Ledger.fetch(self, inner, id, limit)

    def put(self, inner: Any, id: Any, data: Any, size: int) -> tuple[int, int]:  # docstring inherited
        return Ledger.put(self, inner, id, data, size)

    write = Ledger.write
    bury = Ledger.bury

    def expire(self, id: Any, at: float | None) -> bool:  # docstring inherited
        return bool(self._run(self._sql.set_expiry, at, as_id(id)))

    def clear(self) -> None:  # docstring inherited
        self._run(self._sql.leave_all)

    def close(self) -> None:  # docstring inherited
        super().close()
        self.persister.close()
