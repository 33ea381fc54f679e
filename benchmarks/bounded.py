"""Caches that evict: a bounded store in a SQLite file beside diskcache, with room and at the limit."""

from __future__ import annotations

import os
import random

from harness import Op, Workload, check, seconds

LIMIT = 4_000_000  # bytes, as each of them counts
SIZE = 400  # bytes of a value
PEER, TABLE = "diskcache", "holdall (not bounded)"
POLICIES = ("lru", "sieve", "gdsf")


def opened(contestant, folder, limit):
    if contestant.startswith("diskcache"):
        from diskcache import Cache

        policy = "least-recently-used" if "LRU" in contestant else "least-recently-stored"
        return Cache(folder, size_limit=limit, eviction_policy=policy)
    from holdall import SQLiteStore

    store = SQLiteStore(os.path.join(folder, "cache.db"))
    if contestant == TABLE:
        return store
    from holdall.wrappers import bounded

    return bounded(store, max_bytes=limit, policy=contestant.partition("(")[2].rstrip(")"))


def volume(cache):
    return cache.volume() if hasattr(cache, "volume") else 0


def set_all(cache, pairs):
    for key, value in pairs:
        cache[key] = value


def get_all(cache, keys):
    for key in keys:
        value = cache[key]
    return value


def measure(contestant, place, *, count, passes):
    """Give thousands of reads and writes a second, with room for all and at the limit."""
    dice = random.Random(0)
    result = {"set": 0.0, "get": 0.0, "set, evicting": 0.0}
    for limit in (1 << 30, LIMIT):
        folder = os.path.join(place, str(limit))
        os.mkdir(folder)
        cache = opened(contestant, folder, limit)
        set_all(cache, [(f"old{n:06d}", os.urandom(SIZE)) for n in range(10_000)])
        name = "set" if limit > LIMIT else "set, evicting"
        for number in range(passes):
            pairs = [(f"new{number}-{n:06d}", os.urandom(SIZE)) for n in range(count)]
            took, _ = seconds(set_all, cache, pairs)
            result[name] = max(result[name], count / took / 1000)
            if limit > LIMIT:
                keys = dice.sample(sorted(key for key in cache if key.startswith("new")), count)
                took, value = seconds(get_all, cache, keys)
                check(len(value) == SIZE, f"read {value!r:.40}")
                result["get"] = max(result["get"], count / took / 1000)
        if contestant != TABLE:
            check(volume(cache) <= limit * 1.02, f"it holds {volume(cache):,} bytes")
        cache.close()
    return result


def workloads(places, *, quick):
    count, passes = (500, 2) if quick else (2000, 4)
    for name, place, on_disk in (("tmpfs", places.tmpfs, False), ("disk", places.disk, True)):
        yield Workload(
            "bounded",
            f"Caches that evict on {name}, values of {SIZE} bytes",
            (*(f"holdall ({policy})" for policy in POLICIES), TABLE, PEER, "diskcache (LRU)"),
            tuple(Op(op, "k/s", PEER, at_least=1.5) for op in ("set", "get", "set, evicting")),
            place=place,
            options={"count": count, "passes": passes},
            judged=("holdall (lru)",),
            unranked={
                ("diskcache (LRU)", op): "not its default: it writes at each read"
                for op in ("set", "get", "set, evicting")
            },
            notes=(
                "`bounded(SQLiteStore(...), max_bytes=)` beside `diskcache.Cache(size_limit=)`.",
                "diskcache's default evicts what was stored first, whatever was read since.",
                "*evicting*: both hold 4 MB already, so that each write makes something go.",
            ),
            on_disk=on_disk,
            skip=None if on_disk else places.no_tmpfs,
        )
