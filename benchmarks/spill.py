"""Dictionaries larger than memory: a trace of arrays, a trace of mixed sizes, and many small values."""

from __future__ import annotations

import os
import pickle
import shutil
import time
from collections import Counter, OrderedDict

from harness import NoResultError, Op, Workload, check, clock, seconds

HAND = "limit: OrderedDict + np.save"
SQLITE = "limit: one SQLite transaction"
MB = 1_000_000
SET, READ, TOTAL, HITS, PEAK = "set", "read", "total", "hits", "peak memory"
FLUSH, REOPEN, HIT = "set + flush", "reopen", "hit"


# ---------------------------------------------------------------------------- contestants


class Store:
    """A mapping with a memory: what is timed is `set` and `get`."""

    def __init__(self, mapping, *, flush=None, close=None):
        self.set, self.get = mapping.__setitem__, mapping.__getitem__
        self.mapping, self.flush, self.close = mapping, flush or (lambda: None), close or (lambda: None)


def spill_store(**options):
    def make(place, budget):
        from holdall import SpillStore

        store = SpillStore(os.path.join(place, "spill"), memory=budget, **options)
        return Store(store, flush=store.flush, close=store.close)

    return make


def zict_buffer(place, budget):
    from zict import Buffer, File, Func

    slow = Func(pickle.dumps, pickle.loads, File(os.path.join(place, "zict")))
    buffer = Buffer({}, slow, n=budget, weight=lambda key, value: getattr(value, "nbytes", 100))
    return Store(Text(buffer), close=buffer.close)


def zict_cache(place, budget):
    from zict import Cache, File, Func, WeakValueMapping

    slow = Func(pickle.dumps, pickle.loads, File(os.path.join(place, "zict")))
    return Store(Text(Cache(slow, WeakValueMapping())))


class Text:
    """Keys as text, for those that take nothing else."""

    def __init__(self, inner):
        self.inner = inner

    def __setitem__(self, key, value):
        self.inner[str(key)] = value

    def __getitem__(self, key):
        return self.inner[str(key)]


def chest(place, budget):
    import collections
    import collections.abc

    collections.MutableMapping = collections.abc.MutableMapping  # it was written for Python 2
    from chest import Chest

    c = Chest(path=os.path.join(place, "chest"), available_memory=budget)
    return Store(c, flush=c.flush, close=c.flush)


def diskcache(place, budget):
    from diskcache import Cache

    cache = Cache(os.path.join(place, "diskcache"), eviction_policy="none")
    return Store(cache, close=cache.close)


def klepto(place, budget):
    from klepto.archives import dir_archive

    archive = dir_archive(os.path.join(place, "klepto"), cached=False, serialized=True)
    return Store(archive)


class Hand(dict):
    """The least that anybody could write: the least recently used array goes to a file of its own."""

    def __init__(self, place, budget):
        self.place, self.room, self.memory, self.hits = place, budget // MB, OrderedDict(), 0

    def _file(self, key):
        return os.path.join(self.place, f"{key}.npy")

    def __setitem__(self, key, value):
        self.memory[key] = value
        self._shrink()

    def __getitem__(self, key):
        import numpy as np

        value = self.memory.get(key)
        if value is not None:
            self.memory.move_to_end(key)
            self.hits += 1
            return value
        value = self.memory[key] = np.load(self._file(key))
        self._shrink()
        return value

    def _shrink(self):
        import numpy as np

        while len(self.memory) > self.room:
            key, value = self.memory.popitem(last=False)
            if not os.path.exists(self._file(key)):
                np.save(self._file(key), value)


MAKERS = {
    "holdall": spill_store(),
    "holdall (lru)": spill_store(policy="lru"),
    "holdall (no check)": spill_store(writeback="never"),
    "zict Buffer": zict_buffer,
    "zict Cache of weak values": zict_cache,
    "chest": chest,
    "diskcache": diskcache,
    "klepto": klepto,
    HAND: lambda place, budget: Store(Hand(place, budget)),
}


# ---------------------------------------------------------------------------- arrays of one size


def zipf(rng, keys, exponent, n):
    import numpy as np

    weights = 1 / np.arange(1, keys + 1) ** exponent
    return rng.choice(rng.permutation(keys), size=n, p=weights / weights.sum()).tolist()


def peak():
    """Return the highest resident memory since the last `reset_peak`, in bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def reset_peak():
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def hits_of(store, reads):
    """Return which part of the reads found the value in memory, where the store tells."""
    mapping = store.mapping
    if hasattr(mapping, "stats"):
        return mapping.stats().hits / reads * 100 if hasattr(mapping.stats(), "hits") else None
    return mapping.hits / reads * 100 if isinstance(mapping, Hand) else None


def arrays(contestant, place, count, budget, reads):
    import numpy as np

    keys = zipf(np.random.default_rng(4), count, 1.0, reads)
    store = MAKERS[contestant](place, budget)
    np.save(os.path.join(place, "warm.npy"), np.zeros(10))
    np.load(os.path.join(place, "warm.npy"))
    reset_peak()
    before = peak()
    start = clock()
    for key in range(count):
        store.set(key, np.full(MB // 8, key, float))
    middle = clock()
    for key in keys:
        value = store.get(key)
        if value[-1] != key:
            raise NoResultError(f"wrong answer: {value[-1]} for {key}")
    end = clock()
    found = {SET: middle - start, READ: end - middle, TOTAL: end - start, PEAK: (peak() - before) / MB}
    hits = hits_of(store, reads)
    if hits is not None:
        found[HITS] = hits
    store.close()
    return found


# ---------------------------------------------------------------------------- mixed sizes


def value_of(rng, size, kind):
    """Return an array, or nested lists that take longer to load."""
    import numpy as np

    if kind:
        return np.full(size // 8, 0.5)
    return [[float(n) for n in range(30)] for _ in range(size // 1_000)]


def mixed(contestant, place, count, reads, share):
    """Return seconds of loading over a trace of values of all sizes and costs."""
    import numpy as np

    rng = np.random.default_rng(7)
    sizes = np.clip(rng.lognormal(10.5, 1.6, count), 1e3, 3e6).astype(int).tolist()
    kinds = rng.integers(0, 3, count).tolist()
    keys = zipf(rng, count, 0.9, reads)
    budget = int(sum(sizes[key] for key in set(keys)) * share)
    misses = []
    policy = "lru" if contestant == "holdall (lru)" else "gdsf"
    store = spill_store(policy=policy, on_miss=misses.append)(place, budget)
    for key in range(count):
        store.set(key, value_of(rng, sizes[key], kinds[key]))
    store.flush()
    misses.clear()
    for key in keys:
        store.get(key)
    missed = Counter(misses)
    slow = store.mapping.slow
    costs = {key: min(seconds(slow.__getitem__, key)[0] for _ in range(3)) for key in missed}
    store.close()
    return sum(costs[key] * times for key, times in missed.items())


# ---------------------------------------------------------------------------- small values


def small(contestant, place, count):
    if contestant == SQLITE:
        return transaction(place, count)
    store = MAKERS[contestant](place, 100 * MB)
    time_to_set, _ = seconds(set_all, store, count)
    time_to_read, total = seconds(sum, map(store.get, range(count)))
    check(total == count * (count - 1) // 2, f"{total}")
    store.close()
    start = time.perf_counter()
    again = MAKERS[contestant](place, 100 * MB)
    check(again.get(count - 1) == count - 1, "the last value is not there")
    found = {FLUSH: time_to_set, HIT: time_to_read / count * 1e6, REOPEN: time.perf_counter() - start}
    again.close()
    return found


def set_all(store, count):
    for number in range(count):
        store.set(number, number)
    store.flush()


def transaction(place, count):
    import sqlite3

    def write():
        con = sqlite3.connect(os.path.join(place, "bare.db"), isolation_level=None)
        con.execute("PRAGMA journal_mode=WAL")
        con.execute("CREATE TABLE kv (id TEXT PRIMARY KEY, data BLOB)")
        con.execute("BEGIN")
        con.executemany("INSERT INTO kv VALUES (?, ?)", ((str(n), pickle.dumps(n)) for n in range(count)))
        con.execute("COMMIT")
        con.close()

    return {FLUSH: seconds(write)[0]}


def measure(contestant, place, *, what, **options):
    """Give the columns of one table."""
    if what == "arrays":
        return arrays(contestant, place, **options)
    if what == "small":
        return small(contestant, place, **options)
    found = {}
    for share in (0.02, 0.1, 0.3):
        folder = os.path.join(place, f"{share}")
        os.mkdir(folder)
        found[f"{share:.0%}"] = mixed(contestant, folder, share=share, **options)
        shutil.rmtree(folder)
    return found


def workloads(places, *, quick):
    small_count = 5_000 if quick else 100_000
    yield Workload(
        "spill",
        "400 arrays of 1 MB in 100 MB of memory: written, and 2,000 Zipf reads",
        tuple(MAKERS),
        (
            Op(SET, "s", HAND, more_is_better=False),
            Op(READ, "s", HAND, more_is_better=False),
            Op(TOTAL, "s", HAND, more_is_better=False, at_least=1 / 1.15),
            Op(HITS, "%", HAND, at_least=1.04),
            Op(PEAK, "MB", HAND, more_is_better=False),
        ),
        place=places.disk,
        on_disk=True,
        options={
            "what": "arrays",
            "count": 60 if quick else 400,
            "budget": (15 if quick else 100) * (MB + 200),
            "reads": 300 if quick else 2_000,
        },
        notes=(
            "The budget has room for 100 arrays with their headers.",
            "diskcache, klepto and zict's Cache of weak values have no memory of their own: each read loads.",
        ),
    )
    yield Workload(
        "spill",
        "Seconds of loading in a trace of mixed sizes, by the share of it that fits into memory",
        ("holdall", "holdall (lru)"),
        tuple(
            Op(share, "s", "holdall (lru)", more_is_better=False, at_least=1 / 0.75)
            for share in ("2%", "10%", "30%")
        ),
        place=places.disk,
        on_disk=True,
        options={"what": "mixed", "count": 200 if quick else 1_500, "reads": 1_000 if quick else 12_000},
        notes=(
            "A third are nested lists, which take longer to load than arrays of the same size.",
            "Each load that was needed counts as the quickest of three loads of the same value.",
        ),
    )
    yield Workload(
        "spill",
        f"{small_count:,} small values",
        ("holdall", "chest", "diskcache", "zict Buffer", SQLITE),
        (
            Op(FLUSH, "s", SQLITE, more_is_better=False, at_most=1.5),
            Op(REOPEN, "s", more_is_better=False, at_most=0.3),
            Op(HIT, "µs", more_is_better=False),
        ),
        place=places.disk,
        on_disk=True,
        options={"what": "small", "count": small_count},
    )
