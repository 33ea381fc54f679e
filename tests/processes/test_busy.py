"""Who keeps a SQLite file locked makes writers wait no longer than they want to, and readers not at all."""

import itertools
import os
import sqlite3
import threading
import time

import pytest

from exploring import in_soak
from holdall import SQLiteStore, StoreUnavailableError
from processes._support import PYTHON, child

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("released", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path):
    with SQLiteStore(tmp_path / "store.db") as store:
        store.update({number: number for number in range(3000)})
        store["large"] = b"x" * 2_000_000
    return str(tmp_path / "store.db")


@pytest.fixture
def holder(path):
    """Give a process that holds the lock of writers until it gets a line."""
    with child(PYTHON, "-c", HOLD, path) as process:
        assert process.stdout.readline() == b"locked\n"
        yield process


def release(holder):
    holder.stdin.write(b"\n")
    holder.stdin.flush()
    assert holder.stdout.readline() == b"released\n"


WRITES = {
    "set": lambda store: store.__setitem__("x", 1),
    "set large": lambda store: store.__setitem__("x", b"x" * 2_000_000),
    "update": lambda store: store.update({"x": 1, "y": 2}),
    "delete": lambda store: store.__delitem__(0),
    "transform": lambda store: store.transform_item(0, transformer=lambda value: value + 1),
    "setdefault": lambda store: store.setdefault("x", 1),
    "clear": lambda store: store.clear(),
}


@pytest.mark.parametrize(
    "write", ["set", "set large", "clear", *in_soak("update", "delete", "transform", "setdefault")]
)
def test_a_writer_waits_as_long_as_it_was_told(path, holder, write):
    store = SQLiteStore(path, timeout=0.3)
    sent = []
    store.persister._table.session().connection.set_trace_callback(sent.append)
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError) as caught:
        WRITES[write](store)
    assert 0.2 < time.monotonic() - started < 60  # a hang, not a busy machine
    assert len(set(sent)) == len(sent), "a statement waited more than once"
    assert "0.3 s" in str(caught.value)
    assert "raise timeout, or end the process" in str(caught.value)
    assert path in str(caught.value)
    assert store[0] == 0
    assert "x" not in store
    release(holder)
    WRITES[write](store)
    assert store.check() == []
    store.close()


def test_a_writer_gets_its_turn_when_the_lock_is_released(path, holder):
    store = SQLiteStore(path, timeout=30)
    begins = threading.Event()
    store.persister._table.session().connection.set_trace_callback(lambda _: begins.set())

    def release_when_it_waits():
        begins.wait()
        release(holder)

    thread = threading.Thread(target=release_when_it_waits)
    thread.start()
    store["x"] = 1
    thread.join()
    assert store["x"] == 1
    store.close()


def test_readers_are_not_disturbed(path, holder):
    """Who may not wait at all is not refused: so nothing was waited for."""
    with SQLiteStore(path, timeout=0) as store, SQLiteStore(path, read_only=True, timeout=0) as reader:
        for one in (store, reader):
            assert one[7] == 7
            assert len(one["large"]) == 2_000_000
            assert len(one) == 3001
            assert sum(key == value for key, value in one.items()) == 3000
            assert one.check() == []


def test_a_new_table_waits_as_writers_do(path, holder):
    with pytest.raises(StoreUnavailableError) as caught:
        SQLiteStore(path, table="another", timeout=0.3)
    assert "raise timeout" in str(caught.value)
    release(holder)
    with SQLiteStore(path, table="another", timeout=0.3) as store:
        store["x"] = 1


# ---------------------------------------------------------------------- long iterations


def largest_log(path, store, rounds=25):
    """Write 2 MB in each round, and give the size that the log reached."""
    largest = 0
    for turn in range(rounds):
        store.update({("new", number): bytes([turn]) * 900 for number in range(2200)})
        largest = max(largest, os.path.getsize(f"{path}-wal"))
    return largest


def test_an_abandoned_iteration_keeps_no_writer_waiting_and_no_log_growing(path):
    with SQLiteStore(path, timeout=0) as store, SQLiteStore(path) as other:
        abandoned = [iter(view) for one in (store, other) for view in (one, one.items(), one.values())]
        for iterator in abandoned:
            assert len(list(itertools.islice(iterator, 1500))) == 1500
        assert largest_log(path, store) < 24 << 20
        rest = [len(list(iterator)) for iterator in abandoned]
        assert min(rest) >= 1500, "an iteration left out what was there all the time"


def test_the_test_of_the_log_detects_a_reader_that_keeps_it_growing(path):
    with SQLiteStore(path) as store:
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM items").fetchone()
        largest = largest_log(path, store)
        reader.close()
    assert largest > 30 << 20
