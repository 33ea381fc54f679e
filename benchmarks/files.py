"""A file per key: many small values, set, get, asked for and listed, on tmpfs and on disk."""

from __future__ import annotations

import os

import peers
from harness import Op, Workload, check, seconds

VALUE = bytes(range(100))
IN_PLACE, REPLACE, POWER = "limit: in place", "limit: temp + replace", "limit: temp + fsync + replace + fsync"


class Limit:
    """Hand-written loops over full paths; each subclass writes in another way."""

    def __init__(self, place):
        os.makedirs(place, exist_ok=True)
        self.place = place

    def get(self, keys):
        place, flags = self.place, os.O_RDONLY | os.O_CLOEXEC
        for key in keys:
            fd = os.open(f"{place}/{key}", flags)
            value = os.read(fd, 4096)
            os.close(fd)
        return value

    def contains(self, keys):
        place, exists = self.place, os.path.exists
        for key in keys:
            found = exists(f"{place}/{key}")
        return found

    def keys(self):
        with os.scandir(self.place) as entries:
            return [entry.name for entry in entries if entry.is_file()]


class InPlace(Limit):
    """What is quickest and keeps nothing safe: a reader or a crash finds half a value."""

    def set(self, keys, value):
        place, flags = self.place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        for key in keys:
            fd = os.open(f"{place}/{key}", flags, 0o666)
            os.write(fd, value)
            os.close(fd)

    def keys(self):
        return os.listdir(self.place)


class Replace(Limit):
    """The least that is atomic."""

    def set(self, keys, value):
        place, flags = self.place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        for key in keys:
            path = f"{place}/{key}"
            temp = path + ".tmp"
            fd = os.open(temp, flags, 0o666)
            os.write(fd, value)
            os.close(fd)
            os.replace(temp, path)

    def get(self, keys):
        place = self.place
        for key in keys:
            with open(f"{place}/{key}", "rb") as file:
                value = file.read()
        return value


class Power(Limit):
    """The least that survives a power cut; the folder's descriptor stays open."""

    def set(self, keys, value):
        place, flags = self.place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        for key in keys:
            path = f"{place}/{key}"
            temp = path + ".tmp"
            fd = os.open(temp, flags, 0o666)
            os.write(fd, value)
            os.fsync(fd)
            os.close(fd)
            os.replace(temp, path)
            os.fsync(folder)
        os.close(folder)


LIMITS = {IN_PLACE: InPlace, REPLACE: Replace, POWER: Power}


def measure(contestant, place, *, count, passes, ops):
    """Give thousands of keys per second of each operation in `ops`, the best of `passes`."""
    keys = [f"key{i:06d}" for i in range(count)]
    best = {}
    for number in range(passes):
        folder = os.path.join(place, f"pass{number}")  # new keys in each pass, never an overwrite

        def open_it(folder=folder):
            if contestant in LIMITS:
                return LIMITS[contestant](folder)
            return peers.Batch(peers.MAKERS[contestant](folder))

        took = {}
        took["set"], _ = seconds(open_it().set, keys, VALUE)
        store = open_it()  # read through a store opened anew: no cache of what was just written
        if "get" in ops:
            took["get"], value = seconds(store.get, keys)
            check(value == VALUE, f"read {value!r:.40}, wrote {VALUE!r:.40}")
        if "in" in ops:
            took["in"], found = seconds(store.contains, keys)
            check(found is True, "a key that was written is not there")
        if "keys" in ops:
            took["keys"], listed = seconds(store.keys)
            check(len(listed) == count, f"listed {len(listed)} of {count} keys")
        for name, time in took.items():
            best[name] = max(best.get(name, 0), count / time / 1000)
    return best


UNIT = "k/s"
UNRANKED = {
    ("zict", name): "Answered from a list in memory, which never sees what another process wrote: not ranked."
    for name in ("in", "keys")
}
NOTES = (
    f"Value: {len(VALUE)} bytes. zict and *holdall (bytes)* take bytes, the others pickle, their default.",
    "diskcache keeps `bytes` as they are, and is one SQLite file, not a file per key.",
    (
        "A reader always finds the old value or the new one in holdall, persidict and diskcache. "
        "zict, dol and py2store write in place; klepto removes the old value before it moves the new one in."
    ),
    "The limits write and read raw bytes: no serializer, no key codec, no error handling.",
    (
        "*In place* reads by `os.open/read/close` and lists by `os.listdir`; *temp + replace* reads by "
        "`open().read()` and lists by `os.scandir` with `is_file()`, as any store that has folders must."
    ),
)


def workloads(places, *, quick):
    count, passes = (300, 2) if quick else (2000, 3)
    ops = ("set", "get", "in", "keys")
    columns = (
        Op("set", UNIT, REPLACE, at_least=0.9),
        Op("get", UNIT, IN_PLACE, at_least=0.75),
        Op("in", UNIT, IN_PLACE, at_least=0.75),
        Op("keys", UNIT, REPLACE, at_least=0.5),
    )
    everybody = ("holdall", "holdall (bytes)", *peers.PEERS, IN_PLACE, REPLACE)
    options = {"count": count, "passes": passes, "ops": ops}
    yield Workload(
        "files",
        f"Files on tmpfs, {count:,} values",
        everybody,
        columns,
        place=places.tmpfs,
        options=options,
        unranked=UNRANKED,
        notes=NOTES,
        skip=places.no_tmpfs,
    )
    yield Workload(
        "files",
        f"Files on disk, {count:,} values",
        everybody,
        tuple(Op(op.name, op.unit, op.limit) for op in columns),
        place=places.disk,
        options=options,
        judged=(),
        unranked=UNRANKED,
        notes=("As on tmpfs: a returned write has survived the process, not a power cut.",),
        on_disk=True,
    )
    yield Workload(
        "files",
        f"Files on disk, durable after a power cut, {count:,} values",
        ("holdall (power)", "persidict", POWER),
        (Op("set", UNIT, POWER, at_least=0.95),),
        place=places.disk,
        options={**options, "ops": ("set",)},
        judged=("holdall (power)",),
        notes=("No other peer calls `fsync`. persidict does for file and folder, always.",),
        on_disk=True,
    )
