"""Data sets: an insertion beside few and many items, opening, importing and reading."""

from __future__ import annotations

import os
import subprocess
import sys

from harness import Op, Workload, check, seconds

FEW, MANY = 50, 1000
NAME = "made"
IMPORT = """
import sys, time
sys.path.insert(0, sys.argv[1])
start = time.perf_counter()
import made
print(time.perf_counter() - start, len(made._info_dict))
"""


def data_set(contestant):
    """Give the class of a contestant."""
    if contestant == "holdall":
        from holdall import DataSet
    else:
        from persist.archive import DataSet
    return DataSet


def measure(contestant, place, *, size, passes, times):
    """Give milliseconds for an insertion, for opening, for importing in a new process, and for reading."""
    cls = data_set(contestant)
    ds = cls(NAME, "w", path=place)
    for number in range(size):
        ds._insert(number, info=number)
    found = {"insert": 1e9, "open": 1e9, "import": 1e9, "read": 1e9}

    def insert():
        for number in range(times):
            ds._insert(number, info=number)

    def read(handle):
        return [getattr(handle, f"x_{number}") for number in range(1, times + 1)]

    for _ in range(passes):
        found["insert"] = min(found["insert"], seconds(insert)[0] / times * 1e3)
        took, handle = seconds(lambda: cls(NAME, "r", path=place))
        found["open"] = min(found["open"], took * 1e3)
        took, values = seconds(read, handle)
        check(all(isinstance(value, int) for value in values), "another value was read")
        found["read"] = min(found["read"], took / times * 1e3)
        run = subprocess.run(
            [sys.executable, "-c", IMPORT, os.fspath(place)], capture_output=True, text=True, check=True
        )
        took, count = run.stdout.split()
        check(int(count) >= size, "items are missing")
        found["import"] = min(found["import"], float(took) * 1e3)
    return found


NOTES = (
    (
        "Items are whole numbers with metadata. *Insert*, *read*: one item; *open*: a handle to read them; "
        "*import*: `import made` in a new process, which gives the metadata of all."
    ),
)


def workloads(places, *, quick):
    for size in (FEW, MANY):
        yield Workload(
            "datasets",
            f"Data sets of {size:,} items",
            ("holdall", "persist"),
            (
                Op("insert", "ms", "persist", more_is_better=False, at_most=2),
                Op("open", "ms", "persist", more_is_better=False),
                Op("import", "ms", "persist", more_is_better=False),
                Op("read", "ms", "persist", more_is_better=False),
            ),
            place=places.disk,
            options={"size": size, "passes": 2 if quick else 3, "times": 10},
            rounds=1 if quick else 3,
            notes=NOTES,
            on_disk=True,
        )
