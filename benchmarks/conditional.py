"""Changes that must not be lost: one counter raised by one and by two processes, and writes by version."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import pickle
import sqlite3
import time

import peers
from harness import NoResultError, Op, Workload, check, seconds

SQL, FLOCK = "limit: one transaction", "limit: flock + temp + replace"
DATABASE, FILES, INCR = "holdall (SQLite)", "holdall (files)", "diskcache"
VERB = "holdall (increment)"
KEY = "counter"
PATIENCE = 120  # seconds for the slowest process
WARM = 5  # changes before the clock starts


# ------------------------------------------------------------------- who can count


class Sql:
    """Read and write in one transaction, which keeps all others out from its first statement on."""

    def __init__(self, place):
        self.connection = sqlite3.connect(os.path.join(place, "kv.db"), isolation_level=None, timeout=60)
        self.cursor = self.connection.cursor()
        self.cursor.execute("PRAGMA journal_mode=WAL")
        self.cursor.execute("PRAGMA synchronous=NORMAL")
        self.cursor.execute(
            "CREATE TABLE IF NOT EXISTS kv(key TEXT PRIMARY KEY, version INTEGER, value BLOB)"
        )

    def start(self):
        self.set(0)

    def count(self, times):
        execute = self.cursor.execute
        for _ in range(times):
            execute("BEGIN IMMEDIATE")
            (data,) = execute("SELECT value FROM kv WHERE key=?", (KEY,)).fetchone()
            data = pickle.dumps(pickle.loads(data) + 1)
            execute("UPDATE kv SET value=?, version=version+1 WHERE key=?", (data, KEY))
            execute("COMMIT")

    def value(self):
        return pickle.loads(self.cursor.execute("SELECT value FROM kv WHERE key=?", (KEY,)).fetchone()[0])

    def set(self, value):
        self.cursor.execute(
            "INSERT INTO kv VALUES (?, 1, ?) ON CONFLICT(key) DO UPDATE "
            "SET value=excluded.value, version=version+1",
            (KEY, pickle.dumps(value)),
        )

    def set_if(self, value, version):
        done = self.cursor.execute(
            "UPDATE kv SET value=?, version=version+1 WHERE key=? AND version=?",
            (pickle.dumps(value), KEY, version),
        )
        check(done.rowcount == 1, "the version was not the one expected")
        return version + 1

    def version(self):
        return self.cursor.execute("SELECT version FROM kv WHERE key=?", (KEY,)).fetchone()[0]


class Flock:
    """A lock on a file beside, then read, write another file, and move it in."""

    def __init__(self, place):
        self.path = os.path.join(place, KEY)
        self.lock = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def start(self):
        with open(self.path, "wb") as file:
            file.write(b"0")

    def count(self, times):
        path, lock = self.path, self.lock
        temp = path + ".tmp"
        reading, writing = os.O_RDONLY | os.O_CLOEXEC, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        for _ in range(times):
            fcntl.flock(lock, fcntl.LOCK_EX)
            fd = os.open(path, reading)
            data = os.read(fd, 4096)
            os.close(fd)
            fd = os.open(temp, writing, 0o666)
            os.write(fd, b"%d" % (int(data) + 1))
            os.close(fd)
            os.replace(temp, path)
            fcntl.flock(lock, fcntl.LOCK_UN)

    def value(self):
        with open(self.path, "rb") as file:
            return int(file.read())


class Store:
    """What has `transform_item`: holdall, and persidict, which took the same words."""

    def __init__(self, store):
        self.store = store

    def start(self):
        self.store[KEY] = 0

    def count(self, times):
        transform = self.store.transform_item
        for _ in range(times):
            transform(KEY, transformer=lambda number: number + 1, n_retries=None)

    def value(self):
        return self.store[KEY]

    def set(self, value):
        self.store[KEY] = value

    def set_if(self, value, etag):
        from holdall.conditional import ETAG_IS_THE_SAME, NEVER_RETRIEVE

        result = self.store.set_item_if(
            KEY,
            value=value,
            condition=ETAG_IS_THE_SAME,
            expected_etag=etag,
            retrieve_value=NEVER_RETRIEVE,
        )
        check(result.condition_was_satisfied, "the etag was not the one expected")
        return result.resulting_etag

    def version(self):
        return self.store.etag(KEY)


class Increment(Store):
    """The verb of holdall for the purpose."""

    def count(self, times):
        increment = self.store.increment
        for _ in range(times):
            increment(KEY)


class Incr:
    """What diskcache offers for the purpose."""

    def __init__(self, place):
        from diskcache import Cache

        self.cache = Cache(place, timeout=60)

    def start(self):
        self.cache[KEY] = 0

    def count(self, times):
        incr = self.cache.incr
        for _ in range(times):
            incr(KEY)

    def value(self):
        return self.cache[KEY]


def memory(_):
    import holdall

    return Store(holdall.MemoryStore())


def files(place):
    import holdall

    return Store(holdall.FileDirStore(os.path.join(place, "store"), serializer="pickle"))


COUNTERS = {
    DATABASE: lambda place: Store(peers.sqlite("pickle")(place)),
    VERB: lambda place: Increment(peers.sqlite("pickle")(place)),
    FILES: files,
    "holdall (memory)": memory,
    INCR: Incr,
    "persidict": lambda place: Store(peers.persidict(place)),
    SQL: Sql,
    FLOCK: Flock,
}


# ------------------------------------------------------------------- measuring


def measure(contestant, place, *, task, **options):
    return {"count": counted, "write": written}[task](contestant, place, **options)


def counted(contestant, place, *, times, processes):
    """Give thousands of increments a second of one process and of several at once; each one must count."""
    return {
        plural(number): race(contestant, os.path.join(place, str(number)), times, number)
        for number in processes
    }


def plural(number):
    return f"{number} process{'es' if number > 1 else ''}"


def race(contestant, place, times, number):
    """Count in `number` processes at once, each with a handle of its own."""
    os.mkdir(place)
    context = multiprocessing.get_context("fork")  # before anything is opened here
    made, ready = context.Event(), context.Barrier(number)
    starts, ends = context.Array("d", number, lock=False), context.Array("d", number, lock=False)

    def count(which):
        try:
            made.wait(PATIENCE)
            counter = COUNTERS[contestant](place)
            counter.count(WARM)
            ready.wait(PATIENCE)
            starts[which] = time.perf_counter()  # one clock for all processes
            counter.count(times)
            ends[which] = time.perf_counter()
        except BaseException:
            ready.abort()
            raise

    children = [context.Process(target=count, args=(which,), daemon=True) for which in range(number)]
    for process in children:
        process.start()
    COUNTERS[contestant](place).start()
    made.set()
    for process in children:
        process.join(PATIENCE)
    if any(process.exitcode != 0 for process in children):
        raise NoResultError(f"one of {plural(number)} failed, or was not done in {PATIENCE} s")
    value, wanted = COUNTERS[contestant](place).value(), number * (times + WARM)
    check(value == wanted, f"counted {wanted:,} times, and the counter says {value:,}")
    return number * times / (max(ends) - min(starts)) / 1000


def written(contestant, place, *, times, passes):
    """Give thousands of plain and of conditional writes a second, with nobody else about."""
    counter = COUNTERS[contestant](place)
    counter.set(0)

    def plain():
        for number in range(times):
            counter.set(number)

    def conditional():
        version = counter.version()
        for number in range(times):
            version = counter.set_if(-number, version)

    result = {"set": 0.0, "set_item_if": 0.0}
    for _ in range(passes):
        for name, function in (("set", plain), ("set_item_if", conditional)):
            took, _ = seconds(function)
            result[name] = max(result[name], times / took / 1000)
    check(counter.value() == 1 - times, f"the last of {times} writes left {counter.value()!r}")
    result["share"] = result["set_item_if"] / result["set"]
    return result


# ------------------------------------------------------------------- the tables

UNIT = "k/s"
NOTES = (
    "One key; the time is that of the slowest process. The final count was exact for all who have a number.",
)
SQL_NOTES = (
    *NOTES,
    "*holdall (increment)* adds in one statement; *holdall (SQLite)* calls a function in `transform_item`.",
    "diskcache adds within a transaction, in `Cache.incr`.",
)


def workloads(places, *, quick):
    many, some = (1000, 300) if quick else (10_000, 2000)
    both = (plural(1), plural(2))
    for name, place, on_disk in (("tmpfs", places.tmpfs, False), ("disk", places.disk, True)):
        skip = None if on_disk else places.no_tmpfs
        common = {"place": place, "on_disk": on_disk, "skip": skip}
        options = {"task": "count", "processes": (1, 2)}
        yield Workload(
            "conditional",
            f"Increments in SQLite on {name}",
            (VERB, DATABASE, INCR, SQL),
            tuple(Op(op, UNIT, INCR, at_least=1.5) for op in both),
            judged=(VERB,),
            options={**options, "times": many},
            notes=SQL_NOTES,
            **common,
        )
        yield Workload(
            "conditional",
            f"Increments in files on {name}",
            (FILES, "persidict", FLOCK),
            tuple(Op(op, UNIT, FLOCK, at_least=0.85) for op in both),
            judged=(FILES,),
            options={**options, "times": some},
            notes=NOTES,
            **common,
        )
    yield Workload(
        "conditional",
        "Writes by version on tmpfs",
        (DATABASE, FILES, "holdall (memory)", SQL),
        (Op("set", UNIT), Op("set_item_if", UNIT), Op("share", "set_item_if ÷ set")),
        place=places.tmpfs,
        options={"task": "write", "times": some, "passes": 3},
        judged=(),
        notes=(
            "Nobody else writes; each write gives the etag that the one before it returned.",
            "The limit is an upsert, and `UPDATE ... WHERE version=?`.",
        ),
        skip=places.no_tmpfs,
    )
