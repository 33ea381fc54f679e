"""Large values of a SQLite store in files of their own: where they lie, and what is left of them."""

import os
import pickle
import sqlite3
import threading
from contextlib import closing

import numpy as np
import pytest

from holdall import (
    ITEM_NOT_AVAILABLE,
    ConflictError,
    CorruptValueError,
    InvalidArgumentError,
    SQLiteStore,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.persisters.mapping import MappingPersister
from holdall.persisters.sqlite import SqlitePersister
from holdall.serializers.npy import NpySerializer

LARGE, HUGE = bytes(range(250)) * 20, bytes(range(250)) * 20_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    return SQLiteStore(path, serializer="bytes", files_from=1000)


def files(path):
    """Give the sizes of the files beside a database, of its first table."""
    folder = f"{path}-files"
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".holdall"]
        found += [os.path.getsize(os.path.join(where, name)) for name in names]
    return sorted(found)


def entered(path):
    """Give the files that the database lists as those of no item."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT name, planned FROM 'items:files'").fetchall()


def test_values_lie_where_their_size_tells(store, path):
    store.update(tiny=b"1", small=b"x" * 999, large=b"y" * 1000, huge=HUGE)
    assert files(path) == [1000, len(HUGE)]
    assert store.file_of("tiny") is store.file_of("small") is None
    with open(store.file_of("huge"), "rb") as file:
        assert file.read() == HUGE
    assert store == {"tiny": b"1", "small": b"x" * 999, "large": b"y" * 1000, "huge": HUGE}
    assert store.nbytes > len(HUGE) + 1000
    assert store.check() == []
    with pytest.raises(KeyError) as caught:
        store.file_of("absent")
    assert caught.value.args == ("absent",)


WRITES = {
    "set": lambda store, value: store.__setitem__("x", value),
    "transform": lambda store, value: store.transform_item("x", transformer=lambda _: value),
    "update": lambda store, value: store.update({"x": value}),
    "update twice": lambda store, value: store.update([("x", LARGE), ("x", HUGE), ("x", value)]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("value", [b"1", b"x" * 970, LARGE[:2000], HUGE], ids=len)
def test_a_replaced_file_is_deleted_at_once(store, path, write, value):
    store["x"], store["y"] = LARGE, HUGE[:4000]
    write(store, value)
    assert store == {"x": value, "y": HUGE[:4000]}
    assert files(path) == sorted([4000, *([len(value)] if len(value) >= 1000 else [])])
    assert entered(path) == []


def test_a_stream_is_stored_as_a_file(store, path):
    with store.persister.writer("x") as file:
        file.write(HUGE)
    with store.persister.writer("y") as file:
        file.write(LARGE)
    assert store.persister["x"] == HUGE
    assert files(path) == [len(LARGE), len(HUGE)]


@pytest.mark.parametrize(
    "delete",
    [
        lambda store: store.clear(),
        lambda store: [store.pop(key) for key in list(store)],
        lambda store: [store.discard(key) for key in list(store)],
        lambda store: store.persister.remove_many(list(store.persister)),
    ],
    ids=["clear", "pop", "discard", "many"],
)
def test_files_go_with_their_items(store, path, delete):
    store.update(dict.fromkeys("abc", LARGE))
    store["d"] = HUGE
    delete(store)
    assert (files(path), entered(path), len(store), store.check()) == ([], [], 0, [])


def test_a_refused_write_leaves_nothing(store, path):
    store["x"] = LARGE
    for etag in (ITEM_NOT_AVAILABLE, "another"):
        with pytest.raises(ConflictError):
            store.persister.write("x", HUGE, etag)
    with pytest.raises(ConflictError):
        store.persister.write("y", HUGE, "another")
    assert (files(path), entered(path), store["x"]) == ([len(LARGE)], [], LARGE)


def test_a_failed_update_leaves_nothing(store, path):
    store["x"] = LARGE

    def items():
        yield from [(number, HUGE) for number in range(8)]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.update(items())
    assert (files(path), entered(path), list(store)) == ([len(LARGE)], [], ["x"])


def test_a_file_that_is_open_or_linked_outlives_its_item(store, tmp_path):
    store["x"] = HUGE
    os.link(store.file_of("x"), tmp_path / "link")
    with store.persister.reader("x") as file:
        store["x"] = LARGE
        assert file.read() == HUGE == (tmp_path / "link").read_bytes()
    assert store["x"] == LARGE


def test_arrays_are_mapped_from_their_files(path):
    store = SQLiteStore(path, serializer=NpySerializer(mmap_mode="r"), files_from=1000)
    array = np.arange(10_000)
    store["x"], store["y"] = array, array[:10]
    assert isinstance(store["x"], np.memmap)
    assert not store["x"].flags.writeable
    assert np.array_equal(store["x"], array)
    assert np.array_equal(store["y"], array[:10])


def test_any_handle_reads_and_deletes_files(store, path):
    store.update(x=LARGE, y=HUGE)
    plain = SQLiteStore(path, serializer="bytes")
    again = pickle.loads(pickle.dumps(store))
    frozen = SQLiteStore(path, serializer="bytes", read_only=True, files_from=1000)
    assert plain == again == frozen == {"x": LARGE, "y": HUGE}
    plain["x"] = HUGE  # which goes to the database now
    assert plain["x"] == again["x"] == HUGE
    del plain["y"]
    assert (files(path), plain.check()) == ([], [])
    assert again.get_params()["files_from"] == 1000


def test_tables_have_folders_of_their_own(store, path):
    other = SQLiteStore(path, table="of/others", serializer="bytes", files_from=1000)
    store["x"], other["x"] = LARGE, HUGE
    other.clear()
    assert (store["x"], store.check(), other.check()) == (LARGE, [], [])
    assert files(path) == [len(LARGE)]


def test_a_database_alone_says_that_its_files_are_needed(store, path, tmp_path):
    store.update(x=LARGE, small=b"1")
    alone = SqlitePersister(path)
    assert len(alone) == 2
    assert alone.stat("!x" if "!x" in alone else "x").size == len(LARGE)
    with pytest.raises(UnsupportedError, match="lie in a file beside"):
        alone["x"]
    os.unlink(store.file_of("x"))
    with pytest.raises(CorruptValueError, match="are lost"):
        store["x"]
    assert store.check() == ["1 items of table 'items' have lost their file"]


def test_readers_meet_whole_values_while_files_are_replaced(store, path):
    values = [bytes([number]) * size for number, size in enumerate((5000, 20_000, 100, 3000))]
    store["x"] = values[0]
    stop = threading.Event()
    wrong = []

    def read():
        reader = SQLiteStore(path, serializer="bytes")
        while not stop.is_set():
            wrong.extend(["torn"] * (reader["x"] not in values))
            with reader.persister.reader("x") as file:
                wrong.extend(["torn"] * (file.read() not in values))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(300):
        store["x"] = values[number % 4]
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert (files(path), entered(path)) == ([3000], [])


def test_a_planned_file_that_somebody_sweeps_is_planned_anew(store, path, monkeypatch):
    """A process that opens the place meanwhile takes the plan of a living writer for that of a dead one."""
    inner = store.persister._files
    plan = inner.plan
    plans = []

    def plan_and_be_swept(session, name):
        plan(session, name)
        plans.append(name)
        if len(plans) == 1:
            SQLiteStore(path, serializer="bytes", files_from=1000).close()

    store["first"] = LARGE
    monkeypatch.setattr(inner, "plan", plan_and_be_swept)
    store["x"] = HUGE
    assert len(plans) == 2
    assert store["x"] == HUGE
    assert store.check() == []


@pytest.mark.parametrize("files_from", [0, 960, -1, "1MB", 1e6, True])
def test_a_size_from_which_files_are_written_is_a_number_of_bytes(path, files_from):
    with pytest.raises(InvalidArgumentError, match="files_from must be a number of bytes from 961"):
        SQLiteStore(path, files_from=files_from)


def test_files_from_needs_files(path):
    with pytest.raises(InvalidArgumentError, match="files_from needs files"):
        SqlitePersister(path, files_from=2000)


def test_any_persister_takes_the_large_data(path):
    elsewhere = {}
    place = SqlitePersister(path, files=MappingPersister(elsewhere), files_from=1000)
    place["x"] = LARGE
    assert list(elsewhere.values()) == [LARGE]
    assert place["x"] == LARGE
    place["x"] = b"1"
    assert elsewhere == {}


def test_a_folder_that_cannot_be_made_is_told(path):
    (path.parent / "store.db-files").write_text("no folder")
    with pytest.raises(StoreUnavailableError, match="-files"):
        SQLiteStore(path, files_from=1000)["x"] = 1
