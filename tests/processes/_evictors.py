"""Workers that write, read and evict in one place at its limit."""

import os
import random
import signal

from holdall.wrappers import bounded
from processes._support import open_store

BOUND = 300_000


def value_of(key, size):
    """Give a value that shows whose it is, and whether it is whole."""
    return {"key": key, "payload": key.encode() * (size // len(key))}


def use(number, path, policy, count, seed):
    """Write and read at the limit; give what was wrong, and how many were evicted."""
    chance = random.Random(seed + number)
    cache = bounded(open_store(path), max_bytes=BOUND, policy=policy)
    wrong = []
    for _ in range(count):
        key = f"key{chance.randrange(200)}"
        if chance.random() < 0.5:
            cache[key] = value_of(key, chance.choice([100, 3000, 20_000]))
        else:
            value = cache.get(key)
            if value is not None and value != value_of(key, len(value["payload"])):
                wrong.append(f"{key} is torn")
    cache.close()
    return wrong, cache.stats().evictions


def look(_number, path, policy):
    """Give what a new handle says of the place, and what lies there."""
    cache = bounded(open_store(path), max_bytes=BOUND, policy=policy)
    stats = cache.stats()
    found = dict(cache.items())
    wrong = [key for key, value in found.items() if value != value_of(key, len(value["payload"]))]
    return stats.volume, stats.items, len(found), len(cache), wrong


def kill_evictors(_number, path, policy, kills, seed):
    """Kill processes that write at the limit, and give what is wrong after each kill."""
    chance = random.Random(seed)
    wrong, killed = [], 0
    for turn in range(kills):
        end, start = os.pipe()
        pid = os.fork()
        if pid == 0:
            _write_until_killed(path, policy, turn, start)
        os.close(start)
        for _ in range(chance.randrange(30, 120)):
            os.read(end, 1)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        killed += os.WTERMSIG(status) == signal.SIGKILL
        os.close(end)
        with bounded(open_store(path), max_bytes=BOUND, policy=policy) as cache:
            cache["next"] = value_of("next", 100)
            stats = cache.stats()
            if stats.volume > BOUND or stats.items != len(cache) or stats.items != len(list(cache)):
                wrong.append(f"{stats}, {len(cache)} items")
    return wrong, killed


def _write_until_killed(path, policy, turn, pipe):
    try:
        cache = bounded(open_store(path), max_bytes=BOUND, policy=policy)
        number = 0
        while True:
            number += 1
            key = f"key{turn}-{number}"
            cache[key] = value_of(key, (100, 3000, 20_000)[number % 3])
            cache.get(f"key{turn}-{number // 2}")
            os.write(pipe, b".")
    finally:
        os._exit(1)
