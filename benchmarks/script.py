"""Values in the script itself: a write beside few and many others, opening, and a run that only reads."""

from __future__ import annotations

import os
import sys
from itertools import count as counter

from harness import Op, Workload, check, seconds

APPEND = "limit: append"
FEW, MANY = 10, 1000
LINE = b"# key000 = 12345 #: 18ea088e4650d2ba 1b473f30\n"
CODE = "print('hello')\n"


class Append:
    """The least that stays: a line, and one system call to write it."""

    def __init__(self, path, size):
        with open(path, "ab") as file:
            file.write(LINE * size)
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND)

    def write(self, numbers):
        fd = self.fd
        for _ in numbers:
            os.write(fd, LINE)

    def close(self):
        os.close(self.fd)

    @staticmethod
    def open(path):
        with open(path, "rb") as file:
            return len(file.read().splitlines())


class Store:
    """ScriptStore, beside other values."""

    def __init__(self, path, size):
        from holdall import ScriptStore

        self.store = ScriptStore(path)
        self.keys = [f"key{n:03d}" for n in range(size)]
        self.store.update(dict.fromkeys(self.keys, -1))

    def write(self, numbers):
        store, keys = self.store, self.keys
        for number in numbers:
            store[keys[number % len(keys)]] = number

    def read(self, number):
        return self.store[self.keys[number % len(self.keys)]]

    def close(self):
        self.store.compact()
        self.store.close()

    @staticmethod
    def open(path):
        from holdall import ScriptStore

        with ScriptStore(path) as store:
            return len(store)


class Value(Store):
    """The same by a Value, made in the script."""

    def __init__(self, path, size):
        super().__init__(path, size)
        code = "from holdall import Value\nvalues = [Value(0, name=key) for key in keys]\n"
        namespace = {"__name__": "script", "__file__": path, "keys": self.keys}
        exec(compile(code, path, "exec"), namespace)
        self.values = namespace["values"]

    def write(self, numbers):
        values = self.values
        for number in numbers:
            values[number % len(values)].value = number


class Caboose:
    """pycaboose finds its script by the command line."""

    def __init__(self, path, size):
        sys.argv[0] = path
        from pycaboose import Value

        self.values = [Value(0, f"key{n:03d}") for n in range(size)]
        for value in self.values:
            value.value = -1

    def write(self, numbers):
        values = self.values
        for number in numbers:
            values[number % len(values)].value = number

    def read(self, number):
        return self.values[number % len(self.values)].value

    def close(self):
        pass


CONTESTANTS = {"holdall": Store, "holdall (Value)": Value, "pycaboose": Caboose, APPEND: Append}


def measure(contestant, place, *, size, passes, times):
    """Give microseconds a write, with and without those of the append, and milliseconds to open all."""
    path = os.path.join(place, "script.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(CODE)
    append = Append(os.path.join(place, "beside.py"), size)
    made = CONTESTANTS[contestant](path, size)
    numbers = counter(1)
    least, all_of_it = 1e9, 1e9
    for _ in range(passes):
        least = min(least, seconds(append.write, range(times))[0] / times * 1e6)
        batch = [next(numbers) for _ in range(times)]
        all_of_it = min(all_of_it, seconds(made.write, batch)[0] / times * 1e6)
        check(contestant == APPEND or made.read(batch[-1]) == batch[-1], "the last value is another one")
    append.close()
    made.close()
    with open(path, encoding="utf-8") as file:
        check(file.read().startswith(CODE), "the program has changed")
    found = {"write": all_of_it, "above the append": all_of_it - least}
    if hasattr(made, "open"):
        before = os.stat(path)
        found["open and read all"] = min(seconds(made.open, path)[0] for _ in range(passes)) * 1e3
        after = os.stat(path)
        same = (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        found["rewritten by reading"] = "no" if same else "yes"
    return found


NOTES = (
    (
        "*Write*: the values are overwritten in turn, one at a time. *Above the append*: less the append of "
        "a line of that length, measured in turns in the same process."
    ),
    (
        "holdall's writes are in the file when they return. pycaboose keeps its own in a buffer until the "
        "process ends, and writes anew all values that were written after the one that changes."
    ),
    "The limit appends a line that says nothing: no lock, no look at what others wrote, no checksum.",
)


def workloads(places, *, quick):
    for size in (FEW, MANY):
        columns = [
            Op("write", "µs", APPEND, more_is_better=False),
            Op("above the append", "µs", more_is_better=False, at_most=8),
            Op(
                "open and read all", "ms", APPEND, more_is_better=False, at_most=1.5 if size == MANY else None
            ),
            Op("rewritten by reading", "", must_be="no"),
        ]
        yield Workload(
            "script",
            f"Values in a script, {size:,} of them",
            ("holdall", "holdall (Value)", "pycaboose", APPEND),
            tuple(columns),
            place=places.disk,
            options={"size": size, "passes": 3 if quick else 9, "times": 100 if quick else 400},
            judged=("holdall", "holdall (Value)"),
            notes=NOTES,
            on_disk=True,
        )
