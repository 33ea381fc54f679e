"""What the libraries themselves write, each in a process of its own: ``python _writers.py NAME FOLDER``."""

import collections
import collections.abc
import os
import subprocess
import sys
import time

BIG = "x" * 100_000


def shelve_():
    import shelve

    with shelve.open("shelf") as shelf:
        shelf.update({"a": [1], "é": {"x": (1, 2)}})


def diskcache():
    from diskcache import Cache

    with Cache("cache") as cache:
        items = {"a": 1, ("x", 2): {1}, "big": BIG, b"b": b"y" * 50_000, 1.5: 2.5, "raw": b"abc", 7: None}
        for key, value in items.items():
            cache[key] = value
        cache["large"] = list(range(20_000))
        cache.set("ended", 1, expire=-1)
        cache.set("alive", 1, expire=1e6)


def sqlitedict():
    import json

    from sqlitedict import SqliteDict

    with SqliteDict("sd.db", autocommit=True) as table:
        table.update({"a": {1}, "b": 2})
    with SqliteDict("sd.db", tablename="t 2", autocommit=True, encode=json.dumps, decode=json.loads) as table:
        table["c"] = [1]


def chest():
    collections.MutableMapping = collections.abc.MutableMapping  # which chest looks for
    from chest import Chest

    kept = Chest(path="chest")
    for key, value in {"a": 1, ("a", "b"): [2], 1.5: "x", ("p", ("q", "r")): {5}}.items():
        kept[key] = value
    kept.flush()


def dol():
    from dol import PickleFiles

    os.mkdir("pickles")
    store = PickleFiles("pickles")
    store.update({"a": 1, "b.pkl": {2}})


def py2store():
    from py2store import LocalPickleStore

    os.mkdir("pickles")
    store = LocalPickleStore("pickles")
    store.update({"a": 1, "b.pkl": {2}})


def joblib():
    import joblib

    with open("module.py", "w") as file:
        file.write("def f(x, y=2):\n    return {x: y}\n")
    sys.path.insert(0, ".")
    import module

    for folder, options in (("cache", {}), ("compressed", {"compress": True})):
        remembered = joblib.Memory(folder, verbose=0, **options).cache(module.f)
        remembered(3)
        remembered(4, y=5)


def pycaboose():
    with open("script.py", "w") as file:
        file.write("from pycaboose import Value\nx = Value(1)\nx.value = x.value + 1\n")
        file.write("named = Value((1, {2}), 'other')\nnamed.value = (1, {3})\n")
    subprocess.run([sys.executable, "script.py"], check=True)


def written(name, folder):
    """Let a library write in a folder; return the times before and after."""
    before = time.time()
    subprocess.run(
        [sys.executable, __file__, name],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=100,
        env={**os.environ, "HOME": str(folder)},
    )
    return before, time.time()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
