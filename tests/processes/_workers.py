"""What the workers of a crew do: each function gets its number first, then the arguments of the test."""

import fcntl
import os
import random
import shutil
import signal
import struct
import threading
import time

from holdall import (
    ALWAYS_RETRIEVE,
    ANY_ETAG,
    ETAG_IS_THE_SAME,
    ITEM_NOT_AVAILABLE,
    FileDirStore,
    ReadOnlyError,
    SerializationError,
    StoreUnavailableError,
)
from processes._support import collect, control, files_below, fork, leftovers

# ---------------------------------------------------------------------- killed writers

KEYS = {
    "small": ["a", "b", "c"],
    "large": ["a", "big-1", "big-2"],
    "nested": ["x/a", "x/y/b", "z/c"],
    "transform": ["a", "b", "big-1"],
    "delete": ["a", "x/b", "big-1"],
}
_ACK = struct.Struct("<IQ")


def stamped(key, count):
    """Make a value that shows whether it is whole, and which write made it."""
    size = 300_000 if "big" in key else 100
    return {"key": key, "count": count, "payload": count.to_bytes(8, "little") * (size // 8)}


def is_whole(key, value):
    """Tell whether a value is one that `stamped` made for a key."""
    return isinstance(value, dict) and value == stamped(key, value.get("count", -1))


def _torn_write(store, key, value):
    """Write a value as nobody should: in place, in two halves."""
    data = store.serializer.dumps(value)
    with open(store.file_of(key), "wb", buffering=0) as file:
        file.write(data[: len(data) // 2])
        file.write(data[len(data) // 2 :])


def _write_for_ever(path, kind, counts, pipe):
    store = FileDirStore(path)
    while True:
        for number, key in enumerate(KEYS.get(kind, KEYS["large"])):
            counts[key] += 1
            value = stamped(key, counts[key])
            if kind == "torn":
                _torn_write(store, key, value)
            elif kind == "transform":
                store.transform_item(key, transformer=lambda _, value=value: value, n_retries=None)
            elif kind == "delete" and counts[key] % 4 == 0:
                store.discard(key)
            else:
                store[key] = value
            os.write(pipe, _ACK.pack(number, counts[key]))


def _fork_writer(path, kind, counts):
    end, start = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(end)
            _write_for_ever(path, kind, dict(counts), start)
        finally:
            os._exit(1)
    os.close(start)
    return pid, end


def kill_writers(_number, path, kind, kills, seed):
    """Kill writers at random moments, and report what is found after each."""
    chance = random.Random(seed)
    keys = KEYS.get(kind, KEYS["large"])
    counts = dict.fromkeys(keys, 0)
    # A writer that lives all the while: its workspace must never be swept.
    bystander = FileDirStore(path)
    bystander["bystander"] = 0
    alive = control(path)
    report = {"kills": 0, "acknowledged": 0, "leftovers": 0, "slowest": 0.0, "wrong": []}
    for _ in range(kills):
        pid, end = _fork_writer(path, kind, counts)
        try:
            acks = b"" if chance.random() < 0.25 else os.read(end, _ACK.size)
            time.sleep(chance.uniform(0, 0.012))
        finally:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        if os.WTERMSIG(status) != signal.SIGKILL:
            report["wrong"].append("the writer failed by itself")
        while piece := os.read(end, 1 << 16):
            acks += piece
        os.close(end)
        whole = len(acks) // _ACK.size * _ACK.size
        for number, count in _ACK.iter_unpack(acks[:whole]):
            counts[keys[number]] = count
        report["kills"] += 1
        report["acknowledged"] += whole // _ACK.size
        report["leftovers"] += bool(control(path) - alive)
        _inspect(path, kind, counts, alive, report)
    bystander.close()
    return report


def _inspect(path, kind, counts, alive, report):
    """See that each key holds the acknowledged or the next value, and that no litter stays."""
    wrong = report["wrong"]
    started = time.monotonic()
    store = FileDirStore(path)
    first = True
    for key, count in counts.items():
        try:
            value = store.get(key)
        except SerializationError as error:
            wrong.append(f"torn: {key}: {error!r:.200}")
            value = None
        else:
            wrong += _judge(kind, key, count, value)
        if first:
            report["slowest"] = max(report["slowest"], time.monotonic() - started)
            first = False
        counts[key] = value["count"] if value else count + (count % 4 == 3)
    if not set(store) <= {*counts, "bystander", "next"}:
        wrong.append(f"foreign keys: {set(store)}")
    store["next"] = 0
    expected = {os.path.relpath(store.file_of(key), store.path) for key in (*counts, "bystander", "next")}
    store.close()
    found = files_below(path)
    if not found <= expected | {".holdall/store.json"}:
        wrong.append(f"foreign files: {found - expected}")
    if control(path) != alive or leftovers(path):
        wrong.append(f"not swept: {control(path) - alive} {leftovers(path)}")


def _judge(kind, key, count, value):
    if value is None:
        # Absent is right before the first write, and where the acknowledged or next step deletes.
        if count == 0 or (kind == "delete" and (count % 4 == 0 or (count + 1) % 4 == 0)):
            return []
        return [f"lost: {key} was acknowledged at {count}"]
    if not is_whole(key, value):
        return [f"torn: {key} at {count}"]
    if value["count"] not in {count, count + 1}:
        return [f"stale: {key} is at {value['count']}, acknowledged {count}"]
    if kind == "delete" and value["count"] % 4 == 0:
        return [f"undeleted: {key} at {value['count']}"]
    return []


# ---------------------------------------------------------------------- counting


def add_one(value):
    """Count on, from nothing if need be."""
    return 1 if value is ITEM_NOT_AVAILABLE else value + 1


def increment(_number, path, times):
    """Count, and give every number that was reached."""
    store = FileDirStore(path)
    return [store.transform_item("n", transformer=add_one, n_retries=None).new_value for _ in range(times)]


def increment_in_threads(_number, path, threads, times):
    """Count in several threads through one store."""
    store = FileDirStore(path)
    reached = []

    def count():
        mine = [store.transform_item("n", transformer=add_one, n_retries=None) for _ in range(times)]
        reached.extend(result.new_value for result in mine)

    running = [threading.Thread(target=count) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return reached


def increment_beside_setters(number, path, times):
    """Count in odd workers; write unconditionally, numbers that nobody counts to, in even ones."""
    store = FileDirStore(path)
    seen = []
    for turn in range(times):
        if number % 2:
            result = store.transform_item("n", transformer=add_one, n_retries=None)
            seen.append((result.new_value - 1, result.new_value))
        else:
            value = (number + 1) * 1_000_000_000 + turn * 1_000_000
            store["n"] = value
            seen.append((None, value))
    return seen


def increment_inherited(_number, path, times):
    """Count in parent and child through a store that was opened, and used, before the fork."""
    store = FileDirStore(path)
    store["n"] = 0

    def count():
        return [
            store.transform_item("n", transformer=add_one, n_retries=None).new_value for _ in range(times)
        ]

    workers = [fork(count) for _ in range(2)]
    reached = count()
    for worked, answer in collect(workers, 60):
        assert worked, answer
        reached += answer
    return reached


def fork_amid_writes(_number, path, forks):
    """Fork again and again while a thread holds the lock most of the time."""
    store = FileDirStore(path)
    store["n"] = 0
    stop = threading.Event()

    def keep_writing():
        while not stop.is_set():
            store["busy"] = 1

    thread = threading.Thread(target=keep_writing)
    thread.start()
    try:
        for _ in range(forks):
            worker = fork(lambda: store.transform_item("n", transformer=add_one, n_retries=None).new_value)
            for worked, answer in collect([worker], 20):
                assert worked, answer
    finally:
        stop.set()
        thread.join()
    return store["n"]


def interrupt_writes(_number, path, times, seed):
    """Interrupt writes at random moments, as Ctrl-C does; give what each left behind that it should not."""

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    chance = random.Random(seed)
    store = FileDirStore(path)
    store["start"] = store["a/start"] = 0
    other = os.open(path, os.O_RDONLY)  # for the eyes of another process: locks belong to descriptors
    wrong = []

    def take_turns():
        store["from a thread"] = 1

    for turn in range(times):
        moment = chance.uniform(0.00002, 0.0008)
        try:
            signal.setitimer(signal.ITIMER_REAL, moment)
            while True:
                store["x"] = stamped("x", turn)
                store["a/x"] = stamped("a/x", turn)
                store.transform_item("n", transformer=add_one)
                store.discard("a/x")
        except KeyboardInterrupt:
            pass
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(other, fcntl.LOCK_UN)
        except BlockingIOError:
            wrong.append("lock of the folder kept")
        thread = threading.Thread(target=take_turns, daemon=True)
        thread.start()
        thread.join(5)
        if thread.is_alive():
            return [*wrong, "threads shut out"]
        wrong += ["torn value" for key in ("x", "a/x") if key in store and not is_whole(key, store[key])]
    return wrong + ["unfinished file kept" for _ in leftovers(path)]


# ---------------------------------------------------------------------- winners


def in_step(keys, begin):
    """Give a key each millisecond of the clock that all processes share, so that all come to it at once."""
    for number, key in enumerate(keys):
        time.sleep(max(0, begin + number / 1000 - time.monotonic()))
        yield key


def insert(number, path, keys, begin):
    """Insert keys that others insert too; give those that were won."""
    store = FileDirStore(path)
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
    store = FileDirStore(path)
    return {key: store.setdefault(key, number) for key in keys}


def append(number, path, keys, begin):
    """Write keys of an append-only store; give those that were accepted."""
    store = FileDirStore(path, append_only=True)
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
    store = FileDirStore(path)
    return [key for key in keys if store.pop(key, None) is not None]


def pop_items(_number, path):
    """Pop items until the store is empty."""
    store = FileDirStore(path)
    got = []
    while True:
        try:
            got.append(store.popitem())
        except KeyError:
            return got


def open_write_close(number, path, times):
    """Open, write, and close, again and again."""
    for turn in range(times):
        with FileDirStore(path) as store:
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


# ---------------------------------------------------------------------- histories


def make_history(number, path, keys, times, broken):
    """Do operations of all kinds on a few keys, and record when each began and ended, and what it said."""
    store = FileDirStore(path)
    chance = random.Random(number)
    history = []
    known = dict.fromkeys(keys, (ITEM_NOT_AVAILABLE, None))
    for turn in range(times):
        key = keys[turn % len(keys)]
        value = number * 1_000_000 + turn + 1
        kind = chance.choice(["read", "set", "cas", "cas", "cas", "pop", "setdefault", "look"])
        started = time.monotonic_ns()
        if kind == "read":
            said = (store.get(key),)
        elif kind == "set":
            store[key] = value
            said = (value,)
        elif kind == "cas":
            etag, expected = known[key]
            swap = _broken_swap if broken else _swap
            said = (expected, value, swap(store, key, etag, expected, value))
        elif kind == "pop":
            said = (store.pop(key, None),)
        elif kind == "setdefault":
            said = (value, store.setdefault(key, value))
        else:  # a snapshot of value and etag, which is also a read
            known[key] = _snapshot(store, key)
            kind, said = "read", (known[key][1],)
        history.append((key, (kind, said, started, time.monotonic_ns())))
    return history


def _snapshot(store, key):
    found = store.get_item_if(
        key,
        condition=ANY_ETAG,
        expected_etag=ITEM_NOT_AVAILABLE,
        retrieve_value=ALWAYS_RETRIEVE,
    )
    absent = found.new_value is ITEM_NOT_AVAILABLE
    return found.actual_etag, None if absent else found.new_value


def _swap(store, key, etag, _expected, value):
    result = store.set_item_if(key, value=value, condition=ETAG_IS_THE_SAME, expected_etag=etag)
    return result.condition_was_satisfied


def _broken_swap(store, key, _etag, expected, value):
    """Compare, wait for somebody to come between, and swap."""
    if store.get(key) != expected:
        return False
    time.sleep(0.0005)
    store[key] = value
    return True
