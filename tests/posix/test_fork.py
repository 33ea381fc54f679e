"""What a forked child forgets, keeps and cleans up, and that no lock of a lost thread holds it up."""

import gc
import os
import signal
import sys
import threading

import pytest

from four_methods import FourMethods
from holdall import FileDirStore, MemoryStore, Store
from holdall._posix import temporary
from holdall._posix.fork import Living, finalize, forget_in_child, new_lock
from holdall._posix.temporary import TemporaryFolder
from holdall.persisters import mapping
from holdall.wrappers import bounded, cached_keys, cached_values, on_missing
from holdall.wrappers._bounded import _ledgers_lock

# of Python 3.12 and later, for every fork of a process with threads
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


class Thing:
    def __init__(self):
        self.forgotten = 0

    def after_fork(self):
        self.forgotten += 1


def in_child(check):
    """Tell whether something holds in a forked child."""
    pid = os.fork()
    if not pid:
        signal.alarm(30)
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_forgets_and_its_parent_does_not():
    thing = Thing()
    forget_in_child(thing)
    assert in_child(lambda: thing.forgotten == 1)
    assert thing.forgotten == 0


def test_what_is_gone_is_not_kept_for_forks():
    thing = Thing()
    forget_in_child(thing)
    count = sys.getrefcount(thing)
    forget_in_child(thing)
    assert sys.getrefcount(thing) == count


def test_cleaning_up_is_for_the_process_that_made_it():
    done = []

    def drop():
        nonlocal thing
        thing = None
        gc.collect()
        return done == []

    thing = Thing()
    finalize(thing, done.append, "cleaned")
    assert in_child(drop)
    assert not drop()
    assert done == ["cleaned"]


def test_what_lives_can_be_added_to_while_it_is_iterated_over():
    living, things = Living(), []

    def add():
        things.append(Thing())
        living.add(things[-1])

    add()
    add()
    for _ in living:
        add()
    assert list(living) == things
    assert len(things) == 4


def test_what_lives_is_kept_once_and_only_while_it_lives():
    living, kept = Living(), Thing()
    for thing in (kept, Thing(), kept):
        living.add(thing)
    del thing
    gc.collect()
    assert list(living) == [kept]


class held_by_a_thread:  # noqa: N801  (used as a function)
    """Let another thread hold locks within the context."""

    def __init__(self, *locks):
        self.locks = locks
        self.held, self.end = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._hold)

    def _hold(self):
        for lock in self.locks:
            lock.acquire()
        self.held.set()
        self.end.wait(60)
        for lock in self.locks:
            lock.release()

    def __enter__(self):
        self.thread.start()
        assert self.held.wait(60)

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


def test_locks_of_threads_that_a_child_does_not_have_are_free_there():
    lock = new_lock()
    with held_by_a_thread(lock):
        assert in_child(lock.acquire)
        assert not lock.acquire(blocking=False)
    assert lock.acquire(blocking=False)


def test_the_forking_thread_keeps_its_locks():
    lock = new_lock()

    def release():
        lock.release()
        with pytest.raises(RuntimeError):
            lock.release()
        return True

    with lock:
        assert in_child(release)


STORES = {
    "memory": MemoryStore,
    "plain": lambda: Store(FourMethods(), serializer="pickle"),
    "on_missing": lambda: on_missing(MemoryStore(), compute=len),
    "cached_keys": lambda: cached_keys(MemoryStore()),
    "cached_values": lambda: cached_values(MemoryStore(), cache={}),
    "bounded": lambda: bounded(MemoryStore(), max_items=5),
}


@pytest.mark.parametrize("name", STORES)
def test_a_store_in_memory_works_in_a_child_whatever_threads_were_doing(name, monkeypatch):
    locks = []
    with monkeypatch.context() as patch:
        for kind in ("Lock", "RLock"):
            make = getattr(threading, kind)
            patch.setattr(threading, kind, lambda make=make: locks.append(made := make()) or made)
        store = STORES[name]()
        store["a"] = 1
        assert store["a"] == 1
    assert locks

    def use():
        store["b"] = 2
        del store["a"]
        return store["b"] == 2 and list(store) == ["b"] and "a" not in store

    with held_by_a_thread(*locks):
        assert in_child(use)
    store["c"] = 3
    assert sorted(store) == ["a", "c"]


def test_stores_can_be_made_in_a_child_whatever_threads_were_doing(tmp_path):
    def make():
        store = bounded(MemoryStore(), max_items=5)
        store["a"] = 1
        folder = TemporaryFolder()
        folder.close()
        folder.restore()
        folder.close()
        return store["a"] == 1 and FileDirStore(tmp_path) == {}

    with held_by_a_thread(mapping._adapters_lock, _ledgers_lock, temporary._lock):
        assert in_child(make)
