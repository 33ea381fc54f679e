"""The end of a process: it comes, whatever other threads do, and the last writes are stored."""

import subprocess

import pytest

from holdall import FileDirStore, ScriptStore, SQLiteStore, ZipStore
from holdall.stores.document import DocumentStore
from processes._support import PYTHON, child_environment

STORES = {
    "files": (FileDirStore, "store", {}),
    "sqlite": (SQLiteStore, "store.db", {}),
    "zip": (ZipStore, "store.zip", {"serializer": "json"}),
    "document": (DocumentStore, "store.json", {}),
    "script": (ScriptStore, "store.py", {}),
}

# What is done last of all: the object is part of a cycle, so that it is collected late.
LAST_WORDS = """
import sys
from {module} import {name}

class Session:
    def __init__(self):
        self.store = {name}(sys.argv[1], **{options})
        if sys.argv[2] == "used":
            self.store["first"] = 1
        self.me = self

    def __del__(self):
        self.store["last"] = self.store.get("first", 0) + 1

session = Session()
"""

BUSY = """
import sys, threading
from holdall import SQLiteStore, memoize

store = SQLiteStore(sys.argv[1], serializer="bytes")
store["x"] = large = bytes(2_000_000)
cached = memoize(store)(lambda n: bytes(n))
verbs = {
    "write": lambda n: store.__setitem__("x", large),
    "read": lambda n: store["x"],
    "in": lambda n: "x" in store,
    "list": lambda n: list(store),
    "update": lambda n: store.update({str(k): b"1" for k in range(2_000)}),
    "memoize": lambda n: cached(n % 50),
}

def work():
    n = 0
    while True:
        n += 1
        verbs[sys.argv[2]](n)
        if n == 20:
            begun.set()

begun = threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
"""


def run(code, *arguments):
    return subprocess.run(
        [PYTHON, "-c", code, *map(str, arguments)],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("before", ["used", "new"])
def test_what_is_written_when_the_process_ends_is_stored(tmp_path, kind, before):
    cls, name, options = STORES[kind]
    path = tmp_path / name
    if kind == "script":
        path.touch()
    done = run(LAST_WORDS.format(module=cls.__module__, name=cls.__name__, options=options), path, before)
    assert (done.returncode, done.stderr) == (0, "")
    expected = {"first": 1, "last": 2} if before == "used" else {"last": 1}
    assert dict(cls(path, **options)) == expected


@pytest.mark.parametrize("verb", ["write", "read", "in", "list", "update", "memoize"])
def test_a_daemon_thread_amid_a_statement_does_not_keep_the_process(tmp_path, verb):
    done = run(BUSY, tmp_path / "store.db", verb)
    assert (done.returncode, done.stderr) == (0, "")
    assert SQLiteStore(tmp_path / "store.db", serializer="bytes")["x"] == bytes(2_000_000)
