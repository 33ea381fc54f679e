"""Eviction policies by simulation: hit rate and time to reload against memory, over eight traces.

``python benchmarks/eviction.py`` prints the tables and draws ``docs/eviction.svg``.
"""

from __future__ import annotations

import argparse
import math
import os

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


# ---------------------------------------------------------------------------- the figure

SHOWN = ("mixed", "scan", "window", "loop")
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
COLOURS = {"lru": "#888888", "sieve": "#2a9d8f", "lfu": "#e9a03b", "gdsf": "#1d4ed8"}
WIDTH, HEIGHT, LEFT, TOP = 210, 130, 46, 44


def curves(seed):
    """Return, by trace and policy, hit rate and time relative to LRU for each share of memory."""
    found = {}
    for name in SHOWN:
        trace = make_trace(name, np.random.default_rng(seed))
        for share in SHARES:
            capacity = capacity_of(trace, share)
            base = None
            for policy in COLOURS:
                hits, lost = run(POLICIES[policy](capacity), trace, capacity)
                base = base or lost
                found.setdefault((name, policy), []).append((share, hits, lost / base))
    return found


def svg(found):
    """Draw hit rates above, times below, a column a trace."""
    parts = []

    def text(x, y, what, size=10, *, anchor="middle", colour="#333"):
        where = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
        parts.append(f'<text {where} font-size="{size}" fill="{colour}">{what}</text>')

    rows = ((0, 1.0, (0, 0.25, 0.5, 0.75, 1), "hit rate"), (1, 2.0, (0, 0.5, 1, 1.5, 2), "reload time / LRU"))
    for column, name in enumerate(SHOWN):
        x0 = LEFT + column * (WIDTH + 34)
        text(x0 + WIDTH / 2, TOP - 10, name, 12)
        for row, top, marks, label in rows:
            y0 = TOP + row * (HEIGHT + 44)
            for mark in marks:
                y = y0 + HEIGHT * (1 - mark / top)
                parts.append(f'<path d="M{x0} {y:.1f}h{WIDTH}" stroke="#ddd"/>')
                if column == 0:
                    text(x0 - 6, y + 3, f"{mark:g}", anchor="end")
            if column == 0:
                parts.append(
                    f'<text transform="translate(12 {y0 + HEIGHT / 2:.0f}) rotate(-90)" font-size="10" '
                    f'text-anchor="middle" fill="#333">{label}</text>'
                )
            for share in (0.02, 0.1, 0.3, 0.7):
                text(x0 + WIDTH * place(share), y0 + HEIGHT + 13, f"{share:.0%}", 9)
            for policy, colour in COLOURS.items():
                points = " ".join(
                    f"{x0 + WIDTH * place(share):.1f},{y0 + HEIGHT * (1 - min(value[row], top) / top):.1f}"
                    for share, *value in found[name, policy]
                )
                width = 2.2 if policy == "gdsf" else 1.4
                parts.append(
                    f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
                )
    width = LEFT + len(SHOWN) * (WIDTH + 34)
    height = TOP + 2 * (HEIGHT + 44) + 4
    for number, (policy, colour) in enumerate(COLOURS.items()):
        text(LEFT + 20 + number * 70, 14, policy, 12, anchor="start", colour=colour)
    text(LEFT + 320, 14, "memory: share of the bytes of all keys that are used", anchor="start")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>", ""])


def place(share):
    """Return where a share of memory stands on a logarithmic axis from 2 % to 70 %."""
    return math.log(share / SHARES[0]) / math.log(SHARES[-1] / SHARES[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8])
    parser.add_argument(
        "--figure", default=os.path.join(os.path.dirname(__file__), "..", "docs", "eviction.svg")
    )
    parser.add_argument("--only-figure", action="store_true")
    options = parser.parse_args()
    with open(options.figure, "w", encoding="ascii") as file:
        file.write(svg(curves(options.seeds[0])))
    if not options.only_figure:
        print("| trace, memory | " + " | ".join(POLICIES) + " |")
        print("|---" * (len(POLICIES) + 1) + "|")
        tables((0.02, 0.1, 0.3), options.seeds)
