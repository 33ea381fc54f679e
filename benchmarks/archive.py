"""Archives of objects and arrays: writing, loading in a new process without byte code, size and memory."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

from harness import CPU, Op, Workload, check, seconds

NPY = "limit: np.save, np.load"
LENGTH = 1_000_000  # float64: 8 MB
VALUES = {
    "ints": lambda: list(range(100_000)),
    "dict": lambda: {str(i): i for i in range(100_000)},
    "million": lambda: list(range(1_000_000)),
    "records": lambda: [{"id": i, "pair": (i, i / 7), "tags": {"a", str(i)}} for i in range(20_000)],
}

# What a new process does: its peak of memory above that of the start, and the time it takes.
LOADER = """
import sys, time, json
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
{prepare}
def peak():
    with open("/proc/self/status") as file:  # that of getrusage is inherited
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
start = peak()
clock = time.process_time if {cpu} else time.perf_counter
begun = clock()
{load}
took = clock() - begun
print(json.dumps([took, (peak() - start) * 1024 / 1e6, {answer}]))
"""
IMPORT = ("", "import made")
LOADERS = {
    "holdall": IMPORT,
    "persist": IMPORT,
    "pickle": ("import pickle", "made = pickle.load(open(sys.argv[1] + '/made.pickle', 'rb'))"),
    "joblib": ("import joblib", "made = joblib.load(sys.argv[1] + '/made.joblib')"),
}


def save(contestant, place, values, **options):
    """Write named values as a contestant does."""
    if contestant == "holdall":
        from holdall import Archive

        archive = Archive(**options)
        archive.insert(**values)
        archive.save(place, "made")
    elif contestant == "persist":
        from persist.archive import Archive as Persist

        archive = Persist(array_threshold=options.get("array_threshold", 100))
        archive.insert(**values)
        archive.save(dirname=place, name="made")
    elif contestant == "pickle":
        with open(os.path.join(place, "made.pickle"), "wb") as file:
            pickle.dump(values, file, protocol=pickle.HIGHEST_PROTOCOL)
    elif contestant == "joblib":
        import joblib

        joblib.dump(values, os.path.join(place, "made.joblib"))
    else:
        import numpy as np

        for name, array in values.items():
            np.save(os.path.join(place, f"{name}.npy"), array)


def load(contestant, place, answer, *, prepare="", load=""):
    """Load in a new process; gives seconds, megabytes and the answer to a question about the values."""
    before, by = LOADERS.get(contestant, ("", ""))
    code = LOADER.format(
        prepare=f"{before}\n{prepare}", load=load or by, answer=answer, cpu=CPU in os.environ
    )
    done = subprocess.run([sys.executable, "-c", code, place], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def size(place):
    return sum(
        os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(place) for name in names
    )


def measure(contestant, place, *, value, passes):
    """Give seconds, megabytes on disk, and megabytes of memory."""
    if value == "arrays":
        return measure_arrays(contestant, place, passes)
    made = VALUES[value]()
    took, loads, peaks = [], [], []
    get = "made.x" if contestant in {"holdall", "persist"} else "made['x']"
    for number in range(passes):
        folder = os.path.join(place, f"pass{number}")
        os.mkdir(folder)
        took.append(seconds(lambda folder=folder: save(contestant, folder, {"x": made}))[0])
        loading, peak, length = load(contestant, folder, f"len({get})")
        check(length == len(made), "another number of items")
        loads.append(loading)
        peaks.append(peak)
    found = {"save": min(took), "load": min(loads), "memory": min(peaks), "size": size(folder) / 1e6}
    return {**found, "save and load": found["save"] + found["load"]}


def measure_arrays(contestant, place, passes):
    """Give gigabytes a second for ten arrays, and milliseconds to import one of 100 MB."""
    import numpy as np

    arrays = {f"x{i}": np.random.default_rng(i).random(LENGTH) for i in range(10)}
    total = sum(array.nbytes for array in arrays.values()) / 1e9
    saves, loads = [], []
    for number in range(passes):
        folder = os.path.join(place, f"pass{number}")
        os.mkdir(folder)
        options = {"mmap": True} if contestant == "holdall" else {}
        saves.append(
            seconds(lambda folder=folder, options=options: save(contestant, folder, arrays, **options))[0]
        )
        names = list(arrays)
        by = {
            "holdall": f"import made; got = [getattr(made, n) for n in {names}]",
            "persist": f"import made; got = [getattr(made, n) for n in {names}]",
            "joblib": "got = list(joblib.load(sys.argv[1] + '/made.joblib', mmap_mode='r').values())",
            "pickle": "got = list(pickle.load(open(sys.argv[1] + '/made.pickle', 'rb')).values())",
            NPY: f"got = [numpy.load(sys.argv[1] + f'/{{n}}.npy', mmap_mode='r') for n in {names}]",
        }[contestant]
        by += "; sums = [float(array.sum()) for array in got]"
        loading, _, got = load(contestant, folder, "sums", prepare="import numpy", load=by)
        check(np.allclose(got, [array.sum() for array in arrays.values()]), "other numbers")
        loads.append(loading)
    found = {"save": total / min(saves), "load mapped": total / min(loads)}
    if contestant in {"holdall", "persist"}:
        folder = os.path.join(place, "large")
        os.mkdir(folder)
        save(contestant, folder, {"x": np.zeros(12_500_000)})
        found["import 100 MB"] = min(load(contestant, folder, "1")[0] for _ in range(passes)) * 1e3
    return found


NOTES = (
    (
        "*Load* is in a new process and without byte code: an import for holdall and persist. *Memory* is "
        "what the peak of that process grows by, the values themselves included."
    ),
    "pickle and joblib write what only they read, and what runs any code when it is read.",
)


def workloads(places, *, quick):
    passes = 1 if quick else 3
    everybody = ("holdall", "persist", "pickle", "joblib")
    goals = {
        "ints": {"save": 0.05, "load": 0.05, "memory": 10, "size": 0.8},
        "dict": {"save and load": 0.3},
        "million": {"load": 1, "memory": 150},
        "records": {},
    }
    titles = {
        "ints": "a list of 100,000 ints",
        "dict": "a dict of 100,000 keys",
        "million": "a list of 1,000,000 ints",
        "records": "20,000 records with tuples and sets",
    }
    units = {"save": "s", "load": "s", "save and load": "s", "memory": "MB", "size": "MB"}
    for value, title in titles.items():
        yield Workload(
            "archive",
            f"Archives: {title}",
            everybody if value != "million" else ("holdall", "pickle", "joblib"),
            tuple(
                Op(name, unit, more_is_better=False, at_most=goals[value].get(name))
                for name, unit in units.items()
            ),
            place=places.tmpfs or places.disk,
            options={"value": value, "passes": passes},
            rounds=1 if quick else 3,
            notes=NOTES,
        )
    yield Workload(
        "archive",
        "Archives: ten arrays of 8 MB",
        (*everybody, NPY),
        (
            Op("save", "GB/s", NPY, at_least=0.9),
            Op("load mapped", "GB/s", NPY, at_least=0.9),
            Op("import 100 MB", "ms", more_is_better=False, at_most=5),
        ),
        place=places.tmpfs,
        options={"value": "arrays", "passes": passes},
        rounds=2 if quick else 5,
        notes=(
            (
                "*Load mapped*: a new process maps all arrays and adds up their numbers. "
                "*Import 100 MB*: until a package with an array of 100 MB is imported. persist and "
                "pickle read arrays into memory."
            ),
        ),
        skip=places.no_tmpfs,
    )
