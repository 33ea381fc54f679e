"""Writers of all kinds of operations, and who kills them, starts others, and keeps the books.

Each writer has keys that only it writes, and tells through a pipe of what it is about to write and of what
it has written. After it was killed each of these keys must hold what was last acknowledged or what was
about to be written. All writers count one counter, and read, insert and delete keys of all.
"""

import fcntl
import os
import random
import signal
import struct
import time

from holdall import SQLiteStore
from processes._killers import is_whole, stamped
from processes._support import leftovers, open_store
from processes._workers import add_one

_LINE = struct.Struct("<cBQ")
_INTENT, _DONE, _COUNTING, _COUNTED, _FAILED = b"i", b"d", b"c", b"C", b"F"
_NAMES = ["a", "b", "x/c", "x/y/d", "e", "big-1", "huge-1"]
_BATCH = range(5)


def keys_of(slot):
    """Give the keys that only one writer writes."""
    return [f"{name}/{slot}" for name in _NAMES]


class Writer:
    """A process that writes until it is killed."""

    def __init__(self, path, slot, counts, seed, *, hasty):
        self.end, start = os.pipe()
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(start, fcntl.F_SETPIPE_SZ, 1 << 20)  # room for all that it tells in its life
        self.pid = os.fork()
        if self.pid:
            os.close(start)
            return
        try:
            os.close(self.end)
            write_for_ever(path, slot, list(counts), random.Random(seed), start, hasty=hasty)
        except BaseException as error:
            os.write(start, _LINE.pack(_FAILED, 0, 0) + repr(error).encode()[:2000])
        finally:
            os._exit(1)


def write_for_ever(path, slot, counts, chance, pipe, *, hasty):
    """Do operations of all kinds, and tell of each before and after it; hasty: not after, but before."""
    store = open_store(path)
    keys = keys_of(slot)

    def tell(kind, numbers):
        os.write(pipe, b"".join(_LINE.pack(kind, number, counts[number]) for number in numbers))

    while True:
        number = chance.randrange(len(keys))
        key = keys[number]
        if number == len(keys) - 1 and chance.random() < 0.8:
            continue  # the largest seldom
        numbers = [number]
        kind = chance.choice(
            ["set", "set", "set", "delete", "update", "transform", "count", "visit", "again"]
        )
        if kind == "count":
            tell(_COUNTING, [0])
            store.transform_item("counter", transformer=add_one, n_retries=None)
            tell(_COUNTED, [0])
            continue
        if kind == "visit":
            visit(store, chance)
            continue
        if kind == "again":
            store.close()
            store = open_store(path)
            continue
        if kind == "update":
            numbers = _BATCH
        # Odd counts are values, even ones deletions.
        for one in numbers:
            counts[one] += 2 - (counts[one] + (kind != "delete")) % 2
        tell(_INTENT, numbers)
        if hasty:
            tell(_DONE, numbers)
        if kind == "delete":
            store.discard(key)
        elif kind == "update":
            store.update({keys[one]: stamped(keys[one], counts[one]) for one in numbers})
        elif kind == "transform":
            value = stamped(key, counts[number])
            store.transform_item(key, transformer=lambda _, value=value: value, n_retries=None)
        else:
            store[key] = stamped(key, counts[number])
        if not hasty:
            tell(_DONE, numbers)


def visit(store, chance):
    """Read what others write, and take part in what all write."""
    key = f"shared/{chance.randrange(5)}"
    store.setdefault(key, stamped(key, 1))
    if chance.random() < 0.3:
        store.pop(key, None)
    for name, value in store.items() if chance.random() < 0.1 else [(key, store.get(key))]:
        assert name == "counter" or value is None or is_whole(name, value), f"torn: {name}"


class Books:
    """What was acknowledged, and what is found."""

    def __init__(self, path, slots):
        self.path = path
        self.counts = [[0] * len(_NAMES) for _ in range(slots)]
        self.counted = self.perhaps_counted = 0
        self.report = {"kills": 0, "acknowledged": 0, "wrong": [], "slowest": 0.0}

    def settle(self, slot, writer):
        """Read what a dead writer told, and compare it with what is there."""
        with open(writer.end, "rb") as pipe:
            told = pipe.read()
        known = self.counts[slot]
        pending = {}
        counting = False
        while len(told) >= _LINE.size:
            kind, number, count = _LINE.unpack_from(told)
            told = told[_LINE.size :]
            if kind == _FAILED:
                self.report["wrong"].append(f"a writer failed: {told.decode(errors='replace')}")
                break
            if kind == _INTENT:
                pending[number] = count
            elif kind == _DONE:
                known[number] = pending.pop(number)
                self.report["acknowledged"] += 1
            else:
                counting = kind == _COUNTING
                self.counted += kind == _COUNTED
        self.perhaps_counted += counting
        started = time.monotonic()
        with open_store(self.path) as store:
            self._compare(store, slot, known, pending)
        self.report["slowest"] = max(self.report["slowest"], time.monotonic() - started)

    def _compare(self, store, slot, known, pending):
        happened = set()
        for number, key in enumerate(keys_of(slot)):
            value = store.get(key)
            possible = {known[number], pending.get(number, known[number])}
            if value is not None and not is_whole(key, value):
                self.report["wrong"].append(f"torn: {key}")
                continue
            there = 0 if value is None else value["count"]
            matching = [count for count in possible if count == there or count % 2 == there == 0]
            if not matching:
                self.report["wrong"].append(f"{key} is at {there}, which is none of {possible}")
                continue
            if number in pending and len(matching) == 1:
                happened.add(pending[number] in matching)
            known[number] = max(matching)
        if len(happened) > 1 and isinstance(store, SQLiteStore):
            self.report["wrong"].append("half an update")

    def close(self):
        """Look at the place as a whole."""
        wrong = self.report["wrong"]
        with open_store(self.path) as store:
            store["last"] = 1
            count = store.get("counter", 0)
            if not self.counted <= count <= self.counted + self.perhaps_counted:
                wrong.append(f"counted {count}, {self.counted} + up to {self.perhaps_counted} were made")
            if isinstance(store, SQLiteStore):
                wrong += store.check()
            elif leftovers(self.path):
                wrong.append(f"not swept: {leftovers(self.path)}")
            for key, value in store.items():
                if key not in {"counter", "last"} and not is_whole(key, value):
                    wrong.append(f"torn: {key}")
        self.report["counted"] = self.counted
        return self.report


def soak(_number, path, slots, seconds, seed, *, hasty=False):
    """Let writers work, kill random ones and start others, for some seconds; give the books."""
    chance = random.Random(seed)
    books = Books(path, slots)

    def start(slot):
        return Writer(path, slot, books.counts[slot], chance.random(), hasty=hasty)

    writers = [start(slot) for slot in range(slots)]
    deadline = time.monotonic() + seconds

    def end(slot):
        os.kill(writers[slot].pid, signal.SIGKILL)
        _, status = os.waitpid(writers[slot].pid, 0)
        if not os.WIFSIGNALED(status):
            books.report["wrong"].append("a writer ended by itself")
        books.report["kills"] += 1

    try:
        while time.monotonic() < deadline and not books.report["wrong"]:
            time.sleep(chance.uniform(0, 0.2))
            for slot in chance.sample(range(slots), chance.choice([1, 1, 2, slots])):
                end(slot)
                books.settle(slot, writers[slot])
                writers[slot] = start(slot)
    finally:
        for slot in range(slots):
            end(slot)
    for slot in range(slots):
        books.settle(slot, writers[slot])
    return books.close()
