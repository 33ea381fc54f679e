"""Arrays of 8 MB on tmpfs: does a store copy them more often than it must?"""

from __future__ import annotations

import os
import shutil

import peers
from harness import Op, Workload, check, seconds

LENGTH = 1_000_000  # float64: 8 MB
LIMIT = "limit: temp + replace, readinto"


class Limit:
    """One write of the array's own memory; one read into the memory of a new array."""

    def __init__(self, place):
        os.makedirs(place, exist_ok=True)
        self.place = place

    def set(self, keys, array):
        place, flags = self.place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        for key in keys:
            path = f"{place}/{key}"
            fd = os.open(path + ".tmp", flags, 0o666)
            data = memoryview(array).cast("B")
            while data:
                data = data[os.write(fd, data) :]
            os.close(fd)
            os.replace(path + ".tmp", path)

    def get(self, keys):
        import numpy as np

        place = self.place
        for key in keys:
            with open(f"{place}/{key}", "rb", buffering=0) as file:
                array = np.empty(LENGTH)
                file.readinto(array)
        return array


class Buffers(peers.Batch):
    """A store that takes buffers: the caller has to know dtype and shape."""

    def set(self, keys, value):
        store = self.store
        for key in keys:
            store[key] = memoryview(value)

    def get(self, keys):
        import numpy as np

        store = self.store
        for key in keys:
            value = np.frombuffer(store[key])
        return value


def measure(contestant, place, *, count, passes):
    """Give gigabytes per second, the best of `passes`."""
    import numpy as np

    array = np.random.default_rng(0).random(LENGTH)
    keys = [f"array{i:02d}" for i in range(count)]
    best = {}
    for number in range(passes):
        folder = os.path.join(place, f"pass{number}")

        def open_it(folder=folder):
            if contestant == LIMIT:
                return Limit(folder)
            store = peers.MAKERS[contestant](folder)
            return Buffers(store) if contestant == "zict" else peers.Batch(store)

        took = {}
        took["set"], _ = seconds(open_it().set, keys, array)
        store = open_it()
        times = []
        for _ in range(passes):  # the first read of a process also pays for its memory
            time, value = seconds(store.get, keys)
            times.append(time)
            check(np.array_equal(value, array), "read another array than was written")
        took["get"] = min(times)
        shutil.rmtree(folder)
        for name, time in took.items():
            best[name] = max(best.get(name, 0), array.nbytes * count / time / 1e9)
    return best


TIERS, FOLDER = "holdall (two tiers)", "holdall"


def workloads(places, *, quick):
    count, passes = (4, 2) if quick else (20, 3)
    yield Workload(
        "arrays",
        f"Arrays on tmpfs, {count} of 8 MB",
        ("holdall", "holdall (npy)", *peers.PEERS, LIMIT),
        (Op("set", "GB/s", LIMIT, at_least=0.9), Op("get", "GB/s", LIMIT, at_least=0.9)),
        place=places.tmpfs,
        options={"count": count, "passes": passes},
        judged=("holdall", "holdall (npy)"),
        notes=(
            "float64 arrays; *holdall* pickles them, *holdall (npy)* writes `.npy` files.",
            "zict takes and gives bare buffers: dtype and shape are left to the caller, as in the limit.",
        ),
        skip=places.no_tmpfs,
    )
    for name, place, on_disk in (("tmpfs", places.tmpfs, False), ("disk", places.disk, True)):
        yield Workload(
            "arrays",
            f"Arrays in two tiers on {name}, {count} of 8 MB",
            (TIERS, FOLDER, "holdall (database)", "diskcache"),
            (Op("set", "GB/s", FOLDER, at_least=0.9), Op("get", "GB/s", FOLDER, at_least=0.9)),
            place=place,
            options={"count": count, "passes": passes},
            judged=(TIERS,),
            notes=(
                "Pickled float64 arrays. *Two tiers*: `SQLiteStore(files_from=100_000)`.",
                "*Database*: the same without files. *holdall*: a folder.",
            ),
            on_disk=on_disk,
            skip=None if on_disk else places.no_tmpfs,
        )
