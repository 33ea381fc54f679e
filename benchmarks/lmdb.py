"""LmdbStore beside raw LMDB with pickle, and beside SQLiteStore, in turns; prints ratios of medians."""

import argparse
import pickle
import statistics
import tempfile
import time

import lmdb
from holdall import LmdbStore, SQLiteStore
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


class Ours:
    """The same by a store."""

    def __init__(self, store):
        self.set, self.get, self.update = store.__setitem__, store.__getitem__, store.update
        self.items = lambda: list(store.items())


def rates(place):
    """Measure the operations a second of each verb."""
    keys = [f"key{number}" for number in range(COUNT)]

    def timed(work):
        start = time.perf_counter()
        work()
        return COUNT / (time.perf_counter() - start)

    return {
        "bulk": timed(lambda: place.update([(key, VALUE) for key in keys])),
        "set": timed(lambda: [place.set(key, VALUE) for key in keys]),
        "get": timed(lambda: [place.get(key) for key in keys]),
        "items": timed(place.items),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to put the databases")
    options = parser.parse_args()
    found = {}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            places = {
                "raw": Raw(f"{folder}/raw"),
                "LmdbStore": Ours(LmdbStore(f"{folder}/ours", keys=IdentityKeys())),
                "SQLiteStore": Ours(SQLiteStore(f"{folder}/store.db", keys=IdentityKeys())),
            }
            for name, place in places.items():
                for verb, rate in rates(place).items():
                    found.setdefault(verb, {}).setdefault(name, []).append(rate)
    for verb, by_place in found.items():
        medians = {name: statistics.median(rates) for name, rates in by_place.items()}
        print(
            f"{verb:6} LmdbStore / raw LMDB {medians['LmdbStore'] / medians['raw']:.2f}, "
            f"/ SQLiteStore {medians['LmdbStore'] / medians['SQLiteStore']:.2f}"
        )


if __name__ == "__main__":
    main()
