"""The end of a process: daemon threads that are inside a store hold nobody up, and late writes are stored."""

import os
import subprocess
import sys
import textwrap

import pytest

from exploring import in_soak
from holdall import FileDirStore, ScriptStore, SQLiteStore, ZipStore
from holdall.stores.document import DocumentStore
from processes._support import child_environment

# Each thread works until the process ends, and is stopped by the interpreter in the middle of it.
WORK = {
    "write": "store[str(number)] = bytes(5_000_000)",
    "read": "store['a']",
    "in": "'a' in store",
    "list": "list(store)",
    "update": "store.update({str(i): bytes(100) for i in range(2000)})",
    "transaction": "with store.transaction(): store['t'] = b'x'; store['a']",
    "memoize": "holdall.memoize(path + '.db', maxsize=0)(len)(bytes(1000))",
}
STORES = {
    "sqlite": "holdall.SQLiteStore(path, serializer='bytes')",
    "zip": "holdall.ZipStore(path)",
    "script": "holdall.ScriptStore(path, create=True)",
}


def run(source, *arguments):
    source = "import holdall, sys, threading, time\n" + textwrap.dedent(source)
    return subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        env=child_environment(),
        check=False,
    )


@pytest.mark.parametrize(
    "what",
    [
        ("sqlite", "write"),
        *in_soak(*(("sqlite", work) for work in WORK if work != "write")),
        *in_soak(*((kind, work) for kind in ("zip", "script") for work in ("write", "read", "list"))),
    ],
    ids="-".join,
)
def test_a_process_ends_whatever_its_daemon_threads_do(tmp_path, what):
    kind, work = what
    source = f"""
        path = sys.argv[1]
        store = {STORES[kind]}
        store["a"] = b"x" * 1000
        begun = threading.Semaphore(0)

        def work(number):
            begun.release()
            while True:
                {WORK[work]}

        for number in range(4):
            threading.Thread(target=work, args=(number,), daemon=True).start()
            begun.acquire()
        time.sleep(0.05)
        """
    for _ in range(3):
        done = run(source, tmp_path / "place.py")
        assert done.returncode == 0, done.stderr


KEPT = {
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


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("before", ["used", "new"])
def test_what_is_written_when_the_process_ends_is_stored(tmp_path, kind, before):
    cls, name, options = KEPT[kind]
    path = tmp_path / name
    if kind == "script":
        path.touch()
    done = run(LAST_WORDS.format(module=cls.__module__, name=cls.__name__, options=options), path, before)
    assert (done.returncode, done.stderr) == (0, "")
    expected = {"first": 1, "last": 2} if before == "used" else {"last": 1}
    assert dict(cls(path, **options)) == expected


def test_a_folder_that_outlives_the_names_of_its_modules_is_closed(tmp_path):
    done = run(
        """
        import os
        before = len(os.listdir("/dev/fd"))
        store = holdall.FileDirStore(sys.argv[1], serializer="json")
        store["a"] = 1
        import atexit
        atexit._run_exitfuncs()
        for name in ("control", "opened"):  # as the interpreter does when it ends
            vars(sys.modules[f"holdall._posix.{name}"])["os_close"] = None
        del store
        import gc
        gc.collect()
        print(len(os.listdir("/dev/fd")) - before)
        """,
        tmp_path,
    )
    assert (done.stderr, done.stdout.strip()) == ("", "0")


def test_a_connection_that_outlives_the_names_of_its_module_is_closed(tmp_path):
    done = run(
        """
        store = holdall.SQLiteStore(sys.argv[1], serializer="json")
        store["a"] = 1
        from holdall.persisters.sqlite import _session
        for module in (sys.modules["holdall._sqlite.connections"], _session):
            for name in vars(module):  # as the interpreter does when it ends
                if name[:2] != "__":
                    setattr(module, name, None)
        left = [store]
        left.append(left)
        """,
        tmp_path / "a.db",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(tmp_path) == ["a.db"]  # without a log: it was closed
