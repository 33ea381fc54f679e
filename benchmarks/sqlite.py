"""One file for all values: a store in a SQLite database beside SQL written by hand, on tmpfs and on disk."""

from __future__ import annotations

import os
import random
import sqlite3
import time

import peers
from harness import Op, Workload, check, clock, seconds

RAW, WIDE, POWER = (
    "limit: raw table",
    "limit: raw table, version and mtime",
    "limit: raw table, synchronous=FULL",
)
PASSES, ENOUGH = 3, 0.4  # an operation is timed three times, or until it has taken so many seconds


class Raw:
    """A table of two columns, one connection, statements that stay prepared, rows that nothing looks at."""

    table = "CREATE TABLE IF NOT EXISTS kv(key TEXT PRIMARY KEY, value BLOB)"
    upsert = "INSERT INTO kv VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value=excluded.value"
    synchronous = "NORMAL"

    def __init__(self, folder):
        self.connection = sqlite3.connect(os.path.join(folder, "kv.db"), isolation_level=None)
        self.cursor = self.connection.cursor()
        self.cursor.execute("PRAGMA journal_mode=WAL")
        self.cursor.execute(f"PRAGMA synchronous={self.synchronous}")
        self.cursor.execute(self.table)

    def update(self, pairs):
        self.cursor.execute("BEGIN IMMEDIATE")
        self.cursor.executemany(self.upsert, pairs)
        self.cursor.execute("COMMIT")

    def set(self, pairs):
        execute, upsert = self.cursor.execute, self.upsert
        for key, value in pairs:
            execute(upsert, (key, value))

    def get(self, keys):
        execute = self.cursor.execute
        for key in keys:
            (value,) = execute("SELECT value FROM kv WHERE key=?", (key,)).fetchone()
        return value

    def contains(self, keys):
        execute = self.cursor.execute
        for key in keys:
            found = execute("SELECT 1 FROM kv WHERE key=?", (key,)).fetchone() is not None
        return found

    def items(self):
        return self.cursor.execute("SELECT key, value FROM kv")

    def keys(self):
        return [key for (key,) in self.cursor.execute("SELECT key FROM kv")]

    def close(self):
        self.connection.close()


class Wide(Raw):
    """What any store needs that compares versions and tells times: two columns more."""

    table = "CREATE TABLE IF NOT EXISTS kv(key TEXT PRIMARY KEY, version INTEGER, mtime INTEGER, value BLOB)"
    upsert = (
        "INSERT INTO kv VALUES (?, ?, ?, ?) ON CONFLICT(key) DO UPDATE "
        "SET version=excluded.version, mtime=excluded.mtime, value=excluded.value"
    )

    def update(self, pairs):
        bits, now = random.getrandbits, time.time_ns
        super().update((key, bits(63), now(), value) for key, value in pairs)

    def set(self, pairs):
        execute, upsert, bits, now = self.cursor.execute, self.upsert, random.getrandbits, time.time_ns
        for key, value in pairs:
            execute(upsert, (key, bits(63), now(), value))


class Full(Raw):
    """The least that survives a power cut."""

    synchronous = "FULL"


class Contestant(peers.Batch):
    """A store as its users use it: the verbs of a dict, and its own way to write many at once."""

    def __init__(self, name, folder, *, bulk=False):
        super().__init__(peers.DATABASES[name](folder))
        self.bulk = bulk and peers.BULK.get(name)

    def update(self, pairs):
        if self.bulk:
            self.bulk(self.store, pairs)
        else:
            self.store.update(pairs)

    def set(self, pairs):
        store = self.store
        for key, value in pairs:
            store[key] = value

    def items(self):
        return self.store.items()

    def close(self):
        peers.close(self.store)


LIMITS = {RAW: Raw, WIDE: Wide, POWER: Full}


def opened(contestant, folder, *, bulk=False):
    if contestant in LIMITS:
        return LIMITS[contestant](folder)
    return Contestant(contestant, folder, bulk=bulk)


def value_of(number, turn):
    """Give 100 bytes that no other key and no other turn has: SQLite does not write what has not changed."""
    return b"%020d%080d" % (number, turn)


def key_of(number):
    return f"key{number:07d}"


def passes():
    """Count the passes of an operation."""
    started = time.perf_counter()
    for number in range(PASSES):
        yield number
        if time.perf_counter() - started > ENOUGH:
            return


def best(count, function, *prepare):
    """Give thousands a second in the best pass, and what the last pass gave."""
    rates = []
    for turn in passes():
        took, result = seconds(function, *(make(turn) for make in prepare))
        rates.append(count / took / 1000)
    return max(rates), result


def megabytes(folder):
    """Tell the size of what lies in a folder once no log is left."""
    for name in os.listdir(folder):
        if name.endswith(".db"):
            connection = sqlite3.connect(os.path.join(folder, name))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
    return sum(entry.stat().st_size for entry in os.scandir(folder)) / 1e6


def load(contestant, place, pairs):
    """Write many at once into new places; gives the best rate, the last place, and its size in MB."""
    rates = []
    for _ in passes():
        folder = os.path.join(place, f"load{len(os.listdir(place))}")
        os.mkdir(folder)
        store = opened(contestant, folder, bulk=True)
        took, _ = seconds(store.update, pairs)
        rates.append(len(pairs) / took / 1000)
        store.close()
    return max(rates), folder, megabytes(folder)


def opening(contestant, folder, key, times):
    """Give the mean milliseconds from nothing to the first value."""
    total = 0.0
    for _ in range(times):
        start = clock()
        store = opened(contestant, folder)
        value = store.get((key,))
        total += clock() - start
        store.close()
    return total / times * 1000, value


def iterate(store):
    pair = None
    for pair in store.items():  # noqa: B007  (the last one is what we want)
        pass
    return pair


def measure(contestant, place, *, count, singles, openings, ops):
    """Load `count` values, then read and write `singles` of them, and as many new ones, in random order."""
    dice = random.Random(0)
    evens = range(0, 2 * count, 2)  # the odd ones will be the new keys
    pairs = [(key_of(number), value_of(number, 0)) for number in evens]
    mixed = dice.sample(pairs, count)
    result = {}
    if "update" in ops:
        result["update"], _, result["file"] = load(contestant, place, pairs)
    result["update, mixed"], folder, result["file, mixed"] = load(contestant, place, mixed)

    some = dice.sample(evens, singles)
    keys = [key_of(number) for number in some]
    if "open" in ops:
        opening(contestant, folder, keys[-1], 3)
        result["open"], value = opening(contestant, folder, keys[-1], openings)
        check(value == value_of(some[-1], 0), f"the first value after opening is {value!r:.40}")
    store = opened(contestant, folder)
    if "get" in ops:
        result["get"], value = best(singles, store.get, lambda _: keys)
        check(value == value_of(some[-1], 0), f"read {value!r:.40}")
    if "in" in ops:
        result["in"], found = best(singles, store.contains, lambda _: keys)
        check(found is True, "a key that was written is not there")
    if "items" in ops:
        result["items"], pair = best(count, lambda: iterate(store))
        check(pair in pairs, f"the items end with {pair!r:.40}")
    if "keys" in ops:
        result["keys"], listed = best(count, store.keys)
        check(sorted(listed) == [key for key, _ in pairs], f"listed {len(listed)} of {count} keys")

    odds = dice.sample(range(1, 2 * count, 2), PASSES * singles)
    wanted = dict(pairs)

    def old_and_new(turn):
        new = odds[turn * singles : (turn + 1) * singles]
        both = [(key_of(n), value_of(n, turn + 1)) for two in zip(some, new, strict=True) for n in two]
        wanted.update(both)
        return both

    result["set"], _ = best(2 * singles, store.set, old_and_new)
    store.close()
    store = opened(contestant, folder)
    found = dict(store.items())
    check(found == wanted, f"{len(found)} items read back are not the {len(wanted)} written")
    store.close()
    return {name: number for name, number in result.items() if name in ops}


UNIT = "k/s"
SMALLER = {"more_is_better": False}
GOAL = 0.85
NOTES = (
    "Values: 100 bytes, each another. What is returned has survived the process. The log is a WAL.",
    "`synchronous` is NORMAL in holdall, diskcache and the limits. sqlitedict always runs with OFF.",
    "*holdall (bytes)*, diskcache and the limits keep bytes as they are; *holdall* and sqlitedict pickle.",
    "*update* writes all in one transaction, in the order of the keys and, *mixed*, in random order.",
    "*set* writes each value in its own transaction, in random order, half of them under new keys.",
    "*open* is the time from no object to the first value, of a database that nobody else has open.",
    "For *update*, diskcache is in `transact()`, and sqlitedict without autocommit before a `commit()`.",
)


def workloads(places, *, quick):
    count, singles, openings = (2000, 200, 20) if quick else (100_000, 5000, 100)
    options = {"count": count, "singles": singles, "openings": openings}
    columns = (
        Op("update", UNIT, RAW, at_least=GOAL),
        Op("update, mixed", UNIT, RAW, at_least=GOAL),
        Op("set", UNIT, RAW, at_least=GOAL),
        Op("get", UNIT, RAW, at_least=GOAL),
        Op("in", UNIT, RAW, at_least=GOAL),
        Op("items", UNIT, RAW, at_least=GOAL),
        Op("keys", UNIT, RAW, at_least=GOAL),
        Op("open", "ms", RAW, at_most=3, **SMALLER),
        Op("file", "MB", RAW, at_least=0.952, **SMALLER),  # at most 1.05 times as large
        Op("file, mixed", "MB", RAW, at_least=0.952, **SMALLER),
    )
    everybody = ("holdall", "holdall (bytes)", *peers.DATABASE_PEERS, RAW, WIDE)
    yield Workload(
        "sqlite",
        f"SQLite on tmpfs, {count:,} values",
        everybody,
        columns,
        place=places.tmpfs,
        options={**options, "ops": tuple(op.name for op in columns)},
        judged=("holdall (bytes)",),
        notes=NOTES,
        skip=places.no_tmpfs,
    )
    some = ("update, mixed", "set", "get")
    yield Workload(
        "sqlite",
        f"SQLite on disk, {count:,} values",
        tuple(name for name in everybody if name != "sqlitedict"),
        tuple(op for op in columns if op.name in some),
        place=places.disk,
        options={**options, "ops": some},
        judged=("holdall (bytes)",),
        notes=("As on tmpfs. sqlitedict, which never syncs, is left out.",),
        on_disk=True,
    )
    yield Workload(
        "sqlite",
        "SQLite on disk, durable after a power cut, 2,000 values",
        ("holdall (power)", POWER),
        (Op("set", UNIT, POWER, at_least=GOAL),),
        place=places.disk,
        options={"count": 2000, "singles": 20 if quick else 100, "openings": 0, "ops": ("set",)},
        judged=("holdall (power)",),
        notes=("One `fsync` a transaction. No peer offers it.",),
        on_disk=True,
    )
