"""What another thread, a finalizer or an interrupt may do amid an operation, at every line of it."""

import copy
import sys
import threading
from collections import deque

import pytest

from four_methods import FourMethods
from holdall import MemoryStore, SpillStore, SQLiteStore, Store, memoize
from holdall._eviction.heap import GdsfPolicy
from holdall._sqlite import connections
from holdall.memo import _core
from holdall.persisters.mapping import MappingPersister
from holdall.persisters.script import _file
from holdall.wrappers import bounded, write_back
from holdall.wrappers.spilling import _slow


def amid(action, *, do):
    """Run an action, and do something at each line of it, as another thread might."""

    def trace(_frame, event, _):
        if event == "line":
            sys.settrace(None)
            do()
            sys.settrace(trace)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return action()
    finally:
        sys.settrace(before)


def in_another_thread(function):
    """Give what a function returns in another thread, which must not wait for ever."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()), daemon=True)
    thread.start()
    thread.join(60)
    assert found, "it waits"
    return found[0]


# ---------------------------------------------------------------------- iteration


def test_hits_that_just_found_the_queue_of_a_simulation():
    duel = GdsfPolicy(100)._duel
    queue = duel._queue
    queue.extend((key, 10, 1.0) for key in range(50))
    amid(lambda: duel.decide(GdsfPolicy(100)._way), do=lambda: queue.append(("late", 10, 1.0)))
    assert type(duel._queue) is deque
    assert duel._queue is not queue


def test_errors_that_other_calls_keep_while_old_ones_are_dropped(monkeypatch):
    monkeypatch.setattr(_core, "_MOST_ERRORS", 10)

    @memoize(errors_ttl=60)
    def f(x):
        raise LookupError(x)

    for x in range(10):
        with pytest.raises(LookupError):
            f(x)
    kept, numbers = f._errors, iter(range(100_000))

    def fail():
        with pytest.raises(LookupError):
            f(11)

    amid(fail, do=lambda: kept.update({f"late {next(numbers)}": (LookupError(), 0.0, None)}))


def test_a_lock_that_is_made_while_a_persister_is_copied():
    for line in range(50):
        persister, passed = FourMethods(), iter(range(1_000))
        found = amid(
            lambda made=persister: copy.copy(made),
            do=lambda made=persister, passed=passed, line=line: next(passed) == line and made.lock,
        )
        assert vars(found) == {"data": {}}
    assert next(passed) < line, "the lock was made at each line"


def test_attributes_that_are_made_while_a_store_is_copied():
    store, numbers = MemoryStore(), iter(range(100_000))
    store["a"] = 1
    made = amid(lambda: copy.copy(store), do=lambda: setattr(store, f"late_{next(numbers)}", 1))
    assert dict(made) == {"a": 1}


def test_scripts_that_are_opened_while_all_are_listed(tmp_path):
    numbers, opened = iter(range(100_000)), [_file.script_file(str(tmp_path / "first.py"))]

    def one_more():
        opened.append(_file.script_file(str(tmp_path / f"{next(numbers)}.py")))

    assert opened[0] in amid(_file.open_files, do=one_more)


def test_an_expiry_that_is_set_while_the_expired_are_listed():
    class Shifting(dict):
        """A dict that changes amid each listing of pairs, which makes tuples, and may collect garbage."""

        def items(self):
            for pair in super().items():
                self["late"] = self["a"]
                yield pair

    store = bounded(MemoryStore(), max_items=5)
    store.set("a", 1, ttl=60)
    ledger = store.pipeline.persister.ledger
    ledger._expiring = Shifting(ledger._expiring)
    assert list(store) == ["a"]


def test_the_notes_of_a_slow_store_are_looked_through_under_their_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(_slow, "_NOTES", 2)
    store = SpillStore(tmp_path / "store", serializer="bytes")
    slow = store.pipeline.persister.spill.slow

    class Watched(dict):
        def __iter__(self):
            assert slow._noting._is_owned()
            return super().__iter__()

    slow._notes = Watched()
    for id in "abc":
        slow._note(id, (1,), ("crc", 1))
    assert slow._notes.keys() == {"b", "c"}


# ---------------------------------------------------------------------- writes within writes


def test_a_value_that_is_replaced_while_it_is_flushed_is_not_lost():
    """By a finalizer or a signal handler, in the same thread, which no lock excludes."""

    class Interrupted(MappingPersister):
        def write_many(self, items):
            super().write_many(items)
            if not late:
                late.append(True)
                store["a"] = "late"
                del store["b"]

    late = []
    inner = {}
    store = write_back(Store(Interrupted(inner)))
    store["a"], store["b"], store["c"] = 1, 2, 3
    store.flush()
    assert dict(store) == {"a": "late", "c": 3}
    store.flush()
    assert inner == {"a": "late", "c": 3}


# ---------------------------------------------------------------------- interrupted forks


def test_an_interrupt_while_a_fork_waits_for_sqlite_holds_up_no_thread(tmp_path, monkeypatch):
    """Python reports it, and forks nevertheless."""
    store = SQLiteStore(tmp_path / "store.db")
    store["a"] = 1

    class Interrupting:
        def __init__(self, lock):
            self.release = lock.release

        def acquire(self, **_):
            raise KeyboardInterrupt

    session = store.pipeline.persister._table.sessions.local.session
    with monkeypatch.context() as patch:
        patch.setattr(session, "lock", Interrupting(session.lock))
        with pytest.raises(KeyboardInterrupt):
            connections._before_fork()
        connections._release()
    assert connections._stopped == []
    assert in_another_thread(lambda: SQLiteStore(tmp_path / "other.db").get("a", "none")) == "none"
    assert in_another_thread(lambda: store["a"]) == 1
    in_another_thread(lambda: store.close() or True)


def test_what_fails_or_interrupts_a_spilling_store_before_a_fork_holds_up_no_thread(monkeypatch):
    store = SpillStore(slow=MemoryStore())
    store["a"] = 1
    persister = store.pipeline.persister

    def flush():
        raise error

    monkeypatch.setattr(persister.spill, "flush", flush)
    error = LookupError("of on_overflow")
    with pytest.warns(RuntimeWarning, match="not written before a fork.*of on_overflow"):
        persister.before_fork()
    persister.after_fork()
    error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        persister.before_fork()
    persister.after_fork()
    persister.after_fork()  # of one that was made amid a fork
    assert in_another_thread(persister.peek) == ["a"]
    monkeypatch.undo()
