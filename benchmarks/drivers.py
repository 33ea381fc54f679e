"""LmdbStore, RedisStore, SQLStore beside their raw drivers with pickle, in turns: ratios of medians."""

import argparse
import gc
import os
import pickle
import statistics
import sys
import tempfile
import time
from pathlib import Path

import lmdb
import psycopg
import redis

from holdall import LmdbStore, RedisStore, SQLiteStore, SQLStore
from holdall.keys import IdentityKeys

COUNT = 5_000
VALUE = {"accent": "#fa0", "n": 7}


class Raw:
    """What one would write by hand over LMDB."""

    def __init__(self, folder):
        self.env = lmdb.open(folder, map_size=1 << 30, sync=False, max_dbs=2)
        self.db = self.env.open_db(b"items")

    def set(self, key, value):
        with self.env.begin(write=True, db=self.db) as txn:
            txn.put(key.encode(), pickle.dumps(value))

    def get(self, key):
        with self.env.begin(db=self.db) as txn:
            return pickle.loads(txn.get(key.encode()))

    def update(self, items):
        with self.env.begin(write=True, db=self.db) as txn:
            for key, value in items:
                txn.put(key.encode(), pickle.dumps(value))

    def items(self):
        with self.env.begin(db=self.db) as txn:
            return [(key.decode(), pickle.loads(value)) for key, value in txn.cursor()]


class RawRedis:
    """What one would write by hand over redis-py."""

    def __init__(self, url):
        self.client = redis.Redis.from_url(url)

    def set(self, key, value):
        self.client.set(f"raw/{key}", pickle.dumps(value))

    def get(self, key):
        return pickle.loads(self.client.get(f"raw/{key}"))

    def update(self, items):
        pipeline = self.client.pipeline(transaction=False)
        for number, (key, value) in enumerate(items, 1):
            pipeline.set(f"raw/{key}", pickle.dumps(value))
            if number % 1000 == 0:
                pipeline.execute()
        pipeline.execute()

    def items(self):
        keys = list(dict.fromkeys(self.client.scan_iter("raw/*", count=1000)))  # SCAN may give one twice
        found = []
        for start in range(0, len(keys), 1000):
            part = keys[start : start + 1000]
            for key, data in zip(part, self.client.mget(part), strict=True):
                if data is not None:  # deleted since
                    found.append((key.removeprefix(b"raw/").decode(), pickle.loads(data)))
        return found


class RawPostgres:
    """What one would write by hand over psycopg, with the statements of SQLStore."""

    PUT = (
        "INSERT INTO raw (key, version, mtime, data) VALUES (%s, %s, %s, %s) ON CONFLICT (key) DO UPDATE SET "
        "version = EXCLUDED.version, mtime = EXCLUDED.mtime, data = EXCLUDED.data"
    )

    def __init__(self, url):
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("DROP TABLE IF EXISTS raw")
        self.connection.execute(
            "CREATE TABLE raw (key BYTEA PRIMARY KEY, version BYTEA NOT NULL, "
            "mtime DOUBLE PRECISION NOT NULL, data BYTEA NOT NULL)"
        )

    def row(self, key, value):
        return key.encode(), os.urandom(12), time.time(), pickle.dumps(value)

    def set(self, key, value):
        self.connection.execute(self.PUT, self.row(key, value))

    def get(self, key):
        found = self.connection.execute(
            "SELECT data, version, mtime FROM raw WHERE key = %s", (key.encode(),), binary=True
        )
        return pickle.loads(found.fetchone()[0])

    def update(self, items):
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.executemany(self.PUT, [self.row(key, value) for key, value in items])

    def items(self):
        found = self.connection.execute("SELECT key, data FROM raw ORDER BY key", binary=True)
        return [(key.decode(), pickle.loads(data)) for key, data in found]


def on_postgres(url, commit):
    """Measure on a server, with one setting of what a commit waits for."""
    url = f"{url}?options=-csynchronous_commit%3D{commit}"
    ours, raw = SQLStore(url, serializer="pickle", keys=IdentityKeys()), RawPostgres(url)
    try:
        print(f"synchronous_commit={commit}")
        compare(OPTIONS.rounds, {"SQLStore": lambda _: Ours(ours), "raw psycopg": lambda _: raw})
    finally:
        ours.close()
        raw.connection.close()


class Ours:
    """The same by a store."""

    def __init__(self, store):
        self.set, self.get, self.update = store.__setitem__, store.__getitem__, store.update
        self.items = lambda: list(store.items())


KEYS = [f"key{number}" for number in range(COUNT)]
VERBS = {
    "bulk": lambda place: place.update([(key, VALUE) for key in KEYS]),
    "set": lambda place: [place.set(key, VALUE) for key in KEYS],
    "get": lambda place: [place.get(key) for key in KEYS],
    "items": lambda place: place.items(),
}


def seconds(work, place):
    """Time one verb, by the clock or by the processor time of this process."""
    clock = time.process_time if OPTIONS.cpu else time.perf_counter
    gc.collect()
    gc.disable()
    try:
        start = clock()
        work(place)
        return clock() - start
    finally:
        gc.enable()


def compare(rounds, makers):
    """Measure places in turns, verb by verb, the first beside the others."""
    with tempfile.TemporaryDirectory(dir=OPTIONS.folder) as folder:
        places = {name: make(folder) for name, make in makers.items()}
        for verb, work in VERBS.items():
            found = {name: [] for name in places}
            for number in range(rounds):
                turn = number % len(places)
                for name in [*places][turn:] + [*places][:turn]:
                    found[name].append(seconds(work, places[name]))
            medians = {name: statistics.median(times) for name, times in found.items()}
            first, *others = medians
            told = ", ".join(f"/ {name} {medians[name] / medians[first]:.2f}" for name in others)
            print(f"{verb:6} {first} {medians[first] / COUNT * 1e6:.2f} µs {told}")


def main():
    compare(
        OPTIONS.rounds,
        {
            "LmdbStore": lambda folder: Ours(LmdbStore(f"{folder}/ours", keys=IdentityKeys())),
            "raw LMDB": lambda folder: Raw(f"{folder}/raw"),
            "SQLiteStore": lambda folder: Ours(SQLiteStore(f"{folder}/store.db", keys=IdentityKeys())),
        },
    )
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from engines._valkey import url_of

    with tempfile.TemporaryDirectory() as folder:
        url, stop = url_of(folder)
        try:
            ours = Ours(RedisStore(url, prefix="ours/", serializer="pickle"))
            compare(OPTIONS.rounds, {"RedisStore": lambda _: ours, "raw redis-py": lambda _: RawRedis(url)})
        finally:
            stop()
    from engines._postgres import url_of as postgres

    with tempfile.TemporaryDirectory() as folder:
        url, stop = postgres(folder)
        try:
            for commit in ("on", "off"):
                on_postgres(url, commit)
        finally:
            stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cpu", action="store_true", help="processor time of this process, not the clock")
    parser.add_argument("--folder", help="where to put the databases")
    OPTIONS = parser.parse_args()
    main()
