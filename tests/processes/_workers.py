"""What the workers of a crew do: each function gets its number first, then the arguments of the test."""

import shutil
import threading
import time

from holdall import ITEM_NOT_AVAILABLE, FileDirStore, ReadOnlyError, SQLiteStore, StoreUnavailableError
from holdall.conditional import ETAG_IS_THE_SAME
from holdall.wrappers import overlay, read_only
from processes._support import collect, fork, open_store

# ---------------------------------------------------------------------- counting


def add_one(value):
    """Count on, from nothing if need be."""
    return 1 if value is ITEM_NOT_AVAILABLE else value + 1


def increment(_number, path, times):
    """Count, and give every number that was reached."""
    store = open_store(path)
    return [store.transform_item("n", add_one, 0).new_value for _ in range(times)]


def increment_in_tables(_number, path, times):
    """Count in turn in two tables of one file."""
    stores = [SQLiteStore(path, table=table) for table in ("odd", "even")]
    return [store.transform_item("n", add_one, 0).new_value for _ in range(times) for store in stores]


def increment_in_threads(_number, path, threads, times):
    """Count in several threads through one store."""
    store = open_store(path)
    reached = []

    def count():
        mine = [store.transform_item("n", add_one, 0) for _ in range(times)]
        reached.extend(result.new_value for result in mine)

    running = [threading.Thread(target=count) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return reached


def increment_beside_setters(number, path, times):
    """Count in odd workers; write unconditionally, numbers that nobody counts to, in even ones."""
    store = open_store(path)
    seen = []
    for turn in range(times):
        if number % 2:
            result = store.transform_item("n", add_one, 0)
            seen.append((result.new_value - 1, result.new_value))
        else:
            value = (number + 1) * 1_000_000_000 + turn * 1_000_000
            store["n"] = value
            seen.append((None, value))
    return seen


def increment_inherited(_number, path, times):
    """Count in parent and child through a store that was opened, and used, before the fork."""
    store = open_store(path)
    store["n"] = 0

    def count():
        return [store.transform_item("n", add_one, 0).new_value for _ in range(times)]

    workers = [fork(count) for _ in range(2)]
    reached = count()
    for worked, answer in collect(workers, 60):
        assert worked, answer
        reached += answer
    return reached


def fork_amid_writes(_number, path, forks):
    """Fork again and again while a thread holds the lock most of the time."""
    store = open_store(path)
    store["n"] = 0
    stop = threading.Event()

    def keep_writing():
        while not stop.is_set():
            store["busy"] = 1

    thread = threading.Thread(target=keep_writing)
    thread.start()
    try:
        for _ in range(forks):
            worker = fork(lambda: store.transform_item("n", add_one, 0).new_value)
            for worked, answer in collect([worker], 20):
                assert worked, answer
    finally:
        stop.set()
        thread.join()
    return store["n"]


# ---------------------------------------------------------------------- winners


def in_step(keys, begin):
    """Give a key each millisecond of the clock that all processes share, so that all come to it at once."""
    for number, key in enumerate(keys):
        time.sleep(max(0, begin + number / 1000 - time.monotonic()))
        yield key


def insert(number, path, keys, begin):
    """Insert keys that others insert too; give those that were won."""
    store = open_store(path)
    won = []
    for key in in_step(keys, begin):
        if number % 2:
            result = store.set_item_if(
                key,
                value=number,
                condition=ETAG_IS_THE_SAME,
                expected_etag=ITEM_NOT_AVAILABLE,
            )
            winner = result.condition_was_satisfied
        else:
            result = store.setdefault_if(
                key,
                default_value=number,
                condition=ETAG_IS_THE_SAME,
                expected_etag=ITEM_NOT_AVAILABLE,
            )
            winner = result.actual_etag is ITEM_NOT_AVAILABLE
            assert winner == result.condition_was_satisfied
        if winner:
            won.append(key)
    return won


def set_default(number, path, keys):
    """Insert keys by `setdefault`; give what each holds."""
    store = open_store(path)
    return {key: store.setdefault(key, number) for key in keys}


def append(number, path, keys, begin):
    """Write keys of an append-only store; give those that were accepted."""
    store = open_store(path, append_only=True)
    written = []
    for key in in_step(keys, begin):
        try:
            store[key] = number
        except ReadOnlyError:
            continue
        written.append(key)
    return written


def pop(_number, path, keys):
    """Pop keys that others pop too; give those that were got."""
    store = open_store(path)
    return [key for key in keys if store.pop(key, None) is not None]


def pop_items(_number, path):
    """Pop items until the store is empty, and check that it is."""
    store = open_store(path)
    got = []
    while True:
        try:
            got.append(store.popitem())
        except KeyError:
            assert list(store) == []
            return got


def open_write_close(number, path, times):
    """Open, write, and close, again and again."""
    for turn in range(times):
        with open_store(path) as store:
            store[f"{number}/{turn % 3}"] = turn
            del store[f"{number}/{turn % 3}"]


def write_while_deleted(number, path, times):
    """Write to a folder that worker 0 deletes again and again; give how many writes were refused."""
    if number == 0:
        for _ in range(times):
            shutil.rmtree(path, ignore_errors=True)
            time.sleep(0.001)
        return 0
    store = FileDirStore(path)
    refused = 0
    for turn in range(times):
        key = f"{number}" if turn % 2 else f"deep/{number}"
        try:
            store[key] = turn
            store.get(key)
            store.discard(key)
            list(store)
        except StoreUnavailableError:
            refused += 1
    return refused


def count_through_an_overlay(_number, path, times):
    """Increment a counter in the first of two folders, of which only the second has it at the start."""
    store = overlay(FileDirStore(path / "first"), read_only(FileDirStore(path / "second")))
    for _ in range(times):
        store.transform_item("n", transformer=lambda n: n + 1, n_retries=None)
