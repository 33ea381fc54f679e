"""A place that is not there yet is made once, however many open it at once."""

import os
import sqlite3
import time

import pytest

from exploring import in_soak
from holdall import SQLiteStore
from processes._support import crew, open_store

ROUNDS, MANY = 4, [12, *in_soak(32)]


@pytest.mark.parametrize("name", ["store", *in_soak("store.db")])
@pytest.mark.parametrize("many", MANY)
def test_many_processes_make_one_place(tmp_path, name, many):
    begin = time.monotonic() + 0.5
    crew("_openers.open_and_write", str(tmp_path / name), ROUNDS, begin, n=many, timeout=120)
    keys = {str(number) for number in range(many)}
    keys |= {f"{number}/{n}" for number in range(many) for n in range(3)}
    for turn in range(ROUNDS):
        with open_store(tmp_path / f"{turn}-{name}") as store:
            assert dict(store.items()) == dict.fromkeys(keys, turn)


@pytest.mark.parametrize("many", MANY)
def test_many_threads_make_one_place(tmp_path, many):
    assert crew("_openers.open_in_threads", str(tmp_path / "store"), many, ROUNDS, timeout=120) == [[]]
    for turn in range(ROUNDS):
        with SQLiteStore(tmp_path / f"store{turn}.db") as store:
            assert len(store) == 4 * many
            assert store.check() == []


@pytest.mark.parametrize("many", MANY)
def test_there_is_one_schema(tmp_path, many):
    begin = time.monotonic() + 0.5
    crew("_openers.open_and_write", str(tmp_path / "store.db"), 1, begin, n=many)
    assert os.listdir(tmp_path) == ["0-store.db"]
    connection = sqlite3.connect(tmp_path / "0-store.db")
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    records = connection.execute("SELECT name FROM holdall").fetchall()
    connection.close()
    assert sorted(names) == ["holdall", "items", "items:floor", "items:large", "sqlite_sequence"]
    assert records == [("items",)]
