"""Eviction policies by simulation: hit rate and time to reload against memory, over eight traces.

``python benchmarks/eviction.py`` prints the tables and draws ``docs/eviction.svg``.
"""

from __future__ import annotations

import math

import numpy as np

from holdall._eviction import Entry, LruPolicy, SievePolicy
from holdall._eviction.heap import GdsfPolicy, LfuPolicy, Way

REQUESTS = 60_000
POLICIES = {
    "lru": LruPolicy,
    "sieve": SievePolicy,
    "lfu": LfuPolicy,
    "gdsf": GdsfPolicy,
    "gdsf, always admitting": lambda capacity: GdsfPolicy(capacity, way=Way.ALWAYS),
}
MB = 1_000_000
#: Seconds a load, bytes a second: arrays, data frames, nested objects.
KINDS = ((60e-6, 3e9), (100e-6, 0.4e9), (20e-6, 40e6))


def zipf(rng, keys, exponent, n):
    weights = 1 / np.arange(1, keys + 1) ** exponent
    return rng.choice(rng.permutation(keys), size=n, p=weights / weights.sum())


def log_normal_sizes(rng, keys):
    """Sizes from 1 kB to 100 MB, 300 kB in the middle."""
    return np.clip(np.exp(rng.normal(math.log(3e5), 1.9, keys)), 1e3, 1e8).astype(int)


def reload_costs(rng, sizes):
    kinds = rng.integers(0, 3, len(sizes))
    table = np.array(KINDS)
    return table[kinds, 0] + sizes / table[kinds, 1]


def make_trace(name, rng, n=REQUESTS):
    """Return keys in their order, sizes and costs by key."""
    if name == "equal":
        keys, count = zipf(rng, 2_000, 1.0, n), 2_000
    elif name in ("mixed", "memo"):
        keys, count = zipf(rng, 5_000, 0.9, n), 5_000
    elif name == "scan":
        parts, count = [], 2_000
        while sum(map(len, parts)) < n:
            parts += [zipf(rng, 2_000, 1.0, 6_000) if not parts else rng.choice(parts[0], 6_000)]
            parts.append(np.arange(count, count + 2_000))
            count += 2_000
        keys = np.concatenate(parts)[:n]
    elif name == "drift":
        keys, count = np.concatenate([zipf(rng, 5_000, 0.9, 10_000) for _ in range(n // 10_000)]), 5_000
    elif name == "window":
        keys = np.arange(n) // 20 + 400 - 1 - rng.integers(0, 400, n)
        count = int(keys.max()) + 1
    else:  # loop, mixed loop
        count = 2_000
        keys = np.arange(n) % count
    equal = name in ("equal", "loop", "window")
    sizes = np.full(count, MB) if equal else log_normal_sizes(rng, count)
    costs = rng.lognormal(math.log(0.01), 1.0, count) if name == "memo" else reload_costs(rng, sizes)
    if equal:
        costs = np.full(count, KINDS[0][0] + MB / KINDS[0][1])
    return keys.tolist(), sizes.tolist(), costs.tolist()


TRACES = ("equal", "mixed", "memo", "scan", "drift", "window", "loop", "mixed loop")


def run(policy, trace, capacity, noise=None):
    """Return hit rate and seconds of loading of one policy."""
    keys, sizes, costs = trace
    entries, used, hits, lost = {}, 0, 0, 0.0
    for key in keys:
        entry = entries.get(key)
        if entry is not None:
            hits += 1
            policy.hit(entry)
            continue
        size, cost = sizes[key], costs[key]
        lost += cost
        if size > capacity:
            continue
        entry = Entry(key, size, cost if noise is None else cost * noise())
        victims = policy.admit(entry, used + size - capacity)
        if victims is None:
            continue
        for victim in victims:
            del entries[victim.key]
            used -= victim.size
        policy.insert(entry)
        entries[key] = entry
        used += size
    return hits / len(keys), lost


def capacity_of(trace, share):
    keys, sizes, _ = trace
    return int(sum(sizes[key] for key in set(keys)) * share)


def tables(shares, seeds):
    ratios = {name: [] for name in POLICIES}
    for name in TRACES:
        for share in shares:
            row = []
            for seed in seeds:
                trace = make_trace(name, np.random.default_rng(seed))
                capacity = capacity_of(trace, share)
                results = {policy: run(make(capacity), trace, capacity) for policy, make in POLICIES.items()}
                base = results["lru"][1]
                for policy, (_, lost) in results.items():
                    ratios[policy].append(lost / base)
                row.append(results)
            cells = [
                f"{sum(r[policy][1] for r in row) / sum(r['lru'][1] for r in row):.2f}"
                f" ({100 * sum(r[policy][0] for r in row) / len(row):.0f})"
                for policy in POLICIES
            ]
            print(f"| {name}, {share:.0%} | " + " | ".join(cells) + " |", flush=True)
    for policy, found in ratios.items():
        mean = math.exp(sum(map(math.log, found)) / len(found))
        print(f"{policy}: mean {mean:.2f}, worst {max(found):.2f}")


if __name__ == "__main__":
    tables((0.02, 0.1, 0.3), (7,))
