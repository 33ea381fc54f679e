"""What a memoized call costs: found in memory, found in a store by a new process, or computed."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import subprocess
import sys
import types

from harness import HERE, Op, Workload, check, seconds

HIT, LISTS, ARRAY = "hit, int", "hit, dict and list", "hit, 1 MB array"
LEFT, REST = "hit, default left out", "hit, *args"
FIRST, MISS = "first hit, new process", "miss"
DECORATED, CALLED = "100 decorated", "first calls of 100"
CACHE, PICKLED = "limit: functools.cache", "limit: dict of pickled arguments"
DIGEST, STATEMENT = "limit: one pass of the digest", "limit: one SQLite statement"

SETTINGS, NUMBERS = {"a": 1, "b": [1, 2], "c": "x"}, [1, 2, 3, 4]


def number(x):
    return x + 1


def scaled(x, y=1):
    return x + y


def summed(*numbers):
    return numbers[0] + 1


def things(settings, numbers):
    return len(settings) + len(numbers)


def total(array):
    return float(array[len(array) // 2])


# Each maker gives a decorator, and the functions that it cannot keep.


def holdall(place):
    import holdall

    return holdall.memoize(holdall.SQLiteStore(os.path.join(place, "kept.db"))), ()


def holdall_folder(place):
    import holdall

    return holdall.memoize(os.path.join(place, "kept")), ()


def holdall_memory(place):
    import holdall

    return holdall.memoize, ()


def functools_cache(place):
    return functools.cache, (things, total)


def pickled(place):
    def decorate(function):
        kept = {}

        def memoized(*args):
            key = pickle.dumps(args, 5)
            try:
                return kept[key]
            except KeyError:
                result = kept[key] = function(*args)
                return result

        return memoized

    return decorate, (total,)


def diskcache(place):
    from diskcache import Cache

    return Cache(os.path.join(place, "diskcache")).memoize(), ()


def joblib(place):
    from joblib import Memory

    return Memory(os.path.join(place, "joblib"), verbose=0).cache, ()


def cachier(place):
    from cachier import cachier

    # It does not take several positional arguments, nor arguments that cannot be hashed by their type.
    return cachier(cache_dir=os.path.join(place, "cachier"), separate_files=True), (summed,)


def cachetools(place):
    from cachetools import cached

    return cached({}), (things, total)


def klepto(place):
    from klepto import inf_cache
    from klepto.keymaps import picklemap

    return inf_cache(keymap=picklemap(serializer="pickle")), ()


def digest(place):
    def decorate(function):
        return lambda array: hashlib.sha256(memoryview(array).cast("B")).digest()

    return decorate, (number, scaled, summed, things)


def statement(place):
    """Look up and store by bare statements, as a function of one integer."""
    import sqlite3

    con = sqlite3.connect(os.path.join(place, "bare.db"), isolation_level=None)
    con.execute("PRAGMA journal_mode=WAL")
    con.execute("PRAGMA synchronous=NORMAL")
    con.execute("CREATE TABLE IF NOT EXISTS kv (id INTEGER PRIMARY KEY, data BLOB)")

    def memoized(x):
        row = con.execute("SELECT data FROM kv WHERE id = ?", (x,)).fetchone()
        if row is not None:
            return pickle.loads(row[0])
        result = number(x)
        con.execute("INSERT INTO kv VALUES (?, ?)", (x, pickle.dumps(result)))
        return result

    return lambda function: memoized, (scaled, summed, things, total)


def made(contestant, place):
    """Give the memoized functions of a contestant, None where it cannot keep one."""
    decorate, cannot = MAKERS[contestant](place)
    functions = (number, scaled, summed, things, total)
    return [None if function in cannot else decorate(function) for function in functions]


MAKERS = {
    "holdall": holdall,
    "holdall (folder)": holdall_folder,
    "holdall (memory only)": holdall_memory,
    "diskcache": diskcache,
    "joblib": joblib,
    "cachier": cachier,
    "cachetools": cachetools,
    "klepto": klepto,
    CACHE: functools_cache,
    PICKLED: pickled,
    DIGEST: digest,
    STATEMENT: statement,
}
ON_DISK = ("holdall", "holdall (folder)", "diskcache", "joblib", "cachier", STATEMENT)
SLOW = {"diskcache", "joblib", "cachier", "klepto", STATEMENT}


def repeat(function, times, *args):
    for _ in range(times):
        result = function(*args)
    return result


def each(function, numbers):
    for x in numbers:
        result = function(x)
    return result


def again(contestant, place, first, count):
    """Time the first hits of a new process, in that process; opening is done by another call before."""
    function = made(contestant, place)[0]
    function(first - 1)
    time, result = seconds(each, function, range(first, first + count))
    check(result == first + count, f"read {result!r}")
    return time / count


# One of 100 functions, each of which calls another one: 5,000 lines in all, comments and docstrings included.
FUNCTION = '''\
def helper_{0}(x):
    """Return a sum.

    It is as good as any.
    """
    total = {0}
{1}
    return total


@decorate
def function_{0}(x, y=1):
    """Return another sum."""
{1}
    return helper_{0}(x) + y


'''
STATEMENT_OF_IT = "    total = x * {0} + {0}"


def module_of(place, name, decorate):
    """Give an empty module with a decorator, and the code that fills it, compiled."""
    body = "\n".join(STATEMENT_OF_IT.format(number) for number in range(18))
    text = "".join(FUNCTION.format(number, body) for number in range(100))
    path = os.path.join(place, f"{name}.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    module = sys.modules[name] = types.ModuleType(name)
    module.__file__, module.decorate = path, decorate
    return module, compile(text, path, "exec")


def decorating(contestant, place, *, passes):
    """Give the milliseconds of 100 decorators, and of the first calls of what they give, at best."""
    best = {}
    for turn in range(passes):
        folder = os.path.join(place, str(turn))
        os.mkdir(folder)
        plain, code = module_of(folder, f"plain_{turn}", lambda function: function)
        without, _ = seconds(exec, code, vars(plain))
        decorate, _ = MAKERS[contestant](folder)
        module, code = module_of(folder, f"module_{turn}", decorate)
        within, _ = seconds(exec, code, vars(module))
        functions = [getattr(module, f"function_{number}") for number in range(100)]
        time, results = seconds(lambda functions=functions: [function(1) for function in functions])
        check(results[:2] == [35, 35], f"{results[:2]!r}")
        for op, took in ((DECORATED, max(within - without, 0)), (CALLED, time)):
            best[op] = min(took * 1e3, best.get(op, 1e9))
    return best


def measure(contestant, place, *, passes, calls=0, misses=0, decorated=False):
    """Give microseconds per call, the loop included, the best of `passes`; or of decorating."""
    if decorated:
        return decorating(contestant, place, passes=passes)
    best = {}

    def note(op, time):
        best[op] = min(time * 1e6, best.get(op, 1e9))

    by_number, by_default, by_rest, by_things, by_array = made(contestant, place)
    calls = calls // 20 if contestant in SLOW else calls
    for _ in range(passes if calls else 0):
        if by_number is not None:
            by_number(7)
            time, result = seconds(repeat, by_number, calls, 7)
            check(result == 8, f"{result!r}")
            note(HIT, time / calls)
        for op, function, args in ((LEFT, by_default, (7,)), (REST, by_rest, (7, 8))):
            if function is not None:
                function(*args)
                time, result = seconds(repeat, function, calls // 2, *args)
                check(result == 8, f"{result!r}")
                note(op, time / (calls // 2))
        if by_things is not None:
            by_things(SETTINGS, NUMBERS)
            time, result = seconds(repeat, by_things, calls // 2, SETTINGS, NUMBERS)
            check(result == 7, f"{result!r}")
            note(LISTS, time / (calls // 2))
        if by_array is not None:
            import numpy as np

            array = np.arange(1 << 17, dtype="f8")
            other = array.copy()
            other[len(array) // 2] = 0.5
            if contestant != DIGEST:
                check(by_array(array) != by_array(other), "two arrays share a result")
            time, _ = seconds(repeat, by_array, 100, array)
            note(ARRAY, time / 100)
    if contestant in ON_DISK:
        count = misses // 10 if contestant in {"joblib", "cachier"} else misses
        for turn in range(passes):
            first = 1000 + turn * count
            by_number(first - 1)
            time, result = seconds(each, by_number, range(first, first + count))
            check(result == first + count, f"{result!r}")
            note(MISS, time / count)
            code = f"import memo; print(memo.again({contestant!r}, {place!r}, {first}, {count}))"
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True
            )
            note(FIRST, float(done.stdout.split()[-1]))
    return best


def workloads(places, *, quick):
    yield Workload(
        "memo",
        "Memoized functions on tmpfs",
        tuple(MAKERS),
        (
            Op(HIT, "µs", CACHE, more_is_better=False, at_most=0.3),
            Op(LEFT, "µs", CACHE, more_is_better=False, at_most=0.45),
            Op(REST, "µs", CACHE, more_is_better=False, at_most=0.75),
            Op(LISTS, "µs", PICKLED, more_is_better=False, at_most=2.5),
            Op(ARRAY, "µs", DIGEST, more_is_better=False, at_least=0.91),
            Op(FIRST, "µs", STATEMENT, more_is_better=False, at_most=9),
            Op(MISS, "µs", STATEMENT, more_is_better=False, at_most=30),
        ),
        place=places.tmpfs,
        skip=places.no_tmpfs,
        options={
            "calls": 20_000 if quick else 200_000,
            "misses": 500 if quick else 3000,
            "passes": 2 if quick else 5,
        },
        notes=(
            (
                "holdall keeps in a SQLite file, or a folder, and in memory; diskcache, joblib and cachier "
                "on disk, as their own documentation shows; cachetools and klepto in memory."
            ),
            "The dict and list are a settings dict of three items, one of them a list, and four numbers.",
            "First hits are timed in a process that has opened the place by one call before.",
            "A miss computes `x + 1`: what is timed is looking, locking and storing.",
        ),
    )
    yield Workload(
        "memo",
        "Memoized functions on disk",
        ON_DISK,
        (
            Op(FIRST, "µs", STATEMENT, more_is_better=False),
            Op(MISS, "µs", STATEMENT, more_is_better=False, at_most=100),
        ),
        place=places.disk,
        on_disk=True,
        judged=("holdall (folder)",),
        options={"misses": 500 if quick else 3000, "passes": 2 if quick else 5},
    )
    yield Workload(
        "memo",
        "Memoized functions of a module of 5,000 lines on tmpfs",
        ("holdall", "holdall (folder)", "holdall (memory only)", "diskcache", "joblib", "cachier", CACHE),
        (
            Op(DECORATED, "ms", more_is_better=False, at_most=50),
            Op(CALLED, "ms", more_is_better=False),
        ),
        place=places.tmpfs,
        skip=places.no_tmpfs,
        options={"decorated": True, "passes": 2 if quick else 5},
        notes=(
            (
                "The first call of each function finds out which code it stands on, as joblib alone of the "
                "peers does (by the source of the function itself), and writes a result."
            ),
        ),
    )
