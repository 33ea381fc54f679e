"""What LMDB does not do by itself: growing, forks, long names, one environment a process, killed readers."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading

import lmdb
import pytest

from exploring import in_soak
from holdall import LmdbStore, StoreUnavailableError, memoize
from holdall.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    ReadOnlyError,
    StoreFullError,
    StoreNotFoundError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.persisters.lmdb import LmdbPersister, _disk, _environment

LONG = "é" * 255 + "x"  # 511 bytes


@pytest.fixture
def small(monkeypatch):
    """Begin with a database that is soon full."""
    monkeypatch.setattr(_environment, "_FIRST_SIZE", 1 << 20)
    monkeypatch.setattr(_environment, "_ROOM", 1 << 18)


def test_it_grows_by_itself(tmp_path, small):
    store = LmdbStore(tmp_path / "db", serializer="bytes", keys=None)
    for number in range(40):
        store[number] = bytes([number]) * 100_000
    store["large"] = b"x" * 20_000_000  # larger than all that there was
    store.update({f"many{number}": b"y" * 50_000 for number in range(200)})
    assert len(store) == 241
    assert all(store[number] == bytes([number]) * 100_000 for number in range(40))
    assert len(store["large"]) == 20_000_000


def test_a_transaction_that_finds_no_room_stores_nothing_and_the_next_one_does(tmp_path, small):
    store = LmdbStore(tmp_path / "db", serializer="bytes")
    store["a"] = b"1"

    def write():
        with store.transaction():
            for number in range(100):
                store[f"n{number}"] = b"x" * 50_000

    with pytest.raises(StoreFullError, match="run it again"):
        write()
    assert dict(store) == {"a": b"1"}
    for _ in range(6):
        try:
            write()
        except StoreFullError:
            continue
        break
    assert len(store) == 101


def grow(path, number):
    _environment._FIRST_SIZE = 1 << 20
    store = LmdbStore(path, serializer="bytes", keys=None)
    for turn in range(60):
        store[number, turn] = bytes([number]) * 30_000


@pytest.mark.soak
def test_processes_that_grow_it_at_once_lose_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=grow, args=(tmp_path / "db", number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    store = LmdbStore(tmp_path / "db", serializer="bytes")
    assert len(store) == 180
    assert all(value == bytes([key[0]]) * 30_000 for key, value in store.items())


def test_handles_of_one_folder_share_what_is_open(tmp_path):
    first = LmdbStore(tmp_path / "db", serializer="json")
    (tmp_path / "link").symlink_to(tmp_path / "db")
    second = LmdbStore(tmp_path / "link", serializer="json")
    third = LmdbStore(os.path.relpath(tmp_path / "db"), serializer="json", table="other")
    first["a"] = 1
    first.close()
    assert (second["a"], len(third)) == (1, 0)
    assert first["a"] == 1
    with pytest.raises(InvalidArgumentError, match="close the other handle"):
        LmdbStore(tmp_path / "db", serializer="json", durability="power")


@pytest.mark.parametrize("key", ["", LONG, LONG + "y", "z" * 100_000, "a\0b", "\ud800", "ÿ"])
def test_names_of_any_length_are_kept_and_listed(tmp_path, key):
    store = LmdbPersister(tmp_path / "db")
    assert key not in store
    with pytest.raises(KeyError):
        store[key]
    store[key] = b"1"
    etag = store.stat(key).etag
    store.write_many([(key, b"2"), ("other", b"3"), (key + "!", b"4")])
    assert store[key] == b"2"
    assert store.stat(key).size == 1
    assert store.stat(key).etag != etag
    assert sorted(store) == sorted([key, "other", key + "!"])
    assert set(store.ids(key)) == {id for id in (key, "other", key + "!") if id.startswith(key)}
    assert dict(pair for page in store.contents() for pair in page) == {
        key: b"2",
        "other": b"3",
        key + "!": b"4",
    }
    del store[key]
    assert sorted(store) == sorted(["other", key + "!"])


def test_order_is_that_of_the_bytes(tmp_path):
    store = LmdbPersister(tmp_path / "db")
    keys = ["a", "B", "_x", "Z", "é", "z", "a-b", "ab", "1", "10", "2", "~", "A"]
    store.write_many((key, b"") for key in keys)
    assert list(store) == sorted(keys, key=str.encode)
    assert list(store.ids("a")) == ["a", "a-b", "ab"]


def test_a_bad_id_among_many_stores_none(tmp_path):
    store = LmdbPersister(tmp_path / "db")
    with pytest.raises(InvalidKeyError):
        store.write_many([("a", b"1"), (3, b"2")])
    assert list(store) == []


def test_a_forked_child_and_its_parent_go_on(tmp_path):
    store = LmdbStore(tmp_path / "db", serializer="json")
    store.update({str(number): number for number in range(3000)})
    listing = iter(store)
    next(listing)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for number in range(100):
                store[f"child{number}"] = store["7"]
            status = int(sum(1 for _ in listing) < 2999)
        finally:
            os._exit(status)
    for number in range(100):
        store[f"parent{number}"] = store["8"]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(store) == 3200
    assert sum(1 for _ in listing) >= 2999


def exits_well(check, *, seconds=30):
    """Tell whether a forked child gets through a function in time."""
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        status = 1
        try:
            check()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def amid_a_transaction(tmp_path):
    """Give a store that another thread is writing to, and a function that lets it end."""
    store = LmdbStore(tmp_path / "db", serializer="json")
    store["old"] = 1
    under_way, end = threading.Event(), threading.Event()

    def work():
        with store.transaction():
            store["of the thread"] = 2
            under_way.set()
            assert end.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    assert under_way.wait(60)
    yield store, end
    end.set()
    thread.join()
    store["new"] = 3
    assert dict(store) == {"old": 1, "of the thread": 2, "new": 3}


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_transactions_of_threads(amid_a_transaction, monkeypatch):
    store, end = amid_a_transaction
    environment = store.pipeline.persister._open()[0]
    look = environment._is_quiet

    def is_quiet(but=None):
        found = look(but)
        end.set()  # what is waited for ends meanwhile
        return found

    monkeypatch.setattr(environment, "_is_quiet", is_quiet)

    def check():
        assert dict(store) == {"old": 1, "of the thread": 2}

    assert exits_well(check)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_that_was_forked_amid_a_transaction_is_told_and_does_not_hang(
    amid_a_transaction, monkeypatch
):
    store, _ = amid_a_transaction
    monkeypatch.setattr(_environment, "_FORK_PATIENCE", 0.1)

    def check():
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match=r"forked in the middle of .* 'spawn'"):
                store["new"] = 2

    assert exits_well(check)


READER = """
import sys
from holdall import LmdbStore
store = LmdbStore(sys.argv[1], serializer="bytes")
environment = store.pipeline.persister._open()[0]
txn = environment.env.begin()
txn.get(b"x")
print("reading", flush=True)
sys.stdin.read()
"""


def test_killed_readers_hold_up_nothing(tmp_path):
    store = LmdbStore(tmp_path / "db", serializer="bytes", keys=None)
    store["x"] = b"x" * 100_000
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", READER, tmp_path / "db"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as reader:
            assert reader.stdout.readline() == b"reading\n"
            reader.send_signal(signal.SIGKILL)
    store.close()
    del store
    again = LmdbStore(tmp_path / "db", serializer="bytes", keys=None)
    for number in range(100):
        again["x"] = bytes([number]) * 100_000
    assert again.nbytes < 3_000_000


def test_room_that_a_killed_reader_held_is_used_before_it_grows(tmp_path, small):
    store = LmdbStore(tmp_path / "db", serializer="bytes", keys=None)
    store["x"] = b"x" * 100_000
    with subprocess.Popen(
        [sys.executable, "-c", READER, tmp_path / "db"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout.readline() == b"reading\n"
        reader.send_signal(signal.SIGKILL)
    for number in range(100):
        store["x"] = bytes([number]) * 100_000
    assert store.nbytes <= 1 << 20


def test_more_readers_than_there_is_room_for_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(_environment, "_READERS", 3)
    store = LmdbStore(tmp_path / "db", serializer="json", keys=None)
    store["a"] = 1
    environment = store.pipeline.persister._open()[0]
    held = []
    with contextlib.suppress(lmdb.ReadersFullError):
        while True:
            held.append(environment.env.begin())
    for read in (lambda: store["a"], lambda: "a" in store, lambda: list(store), lambda: store.etag("a")):
        with pytest.raises(StoreUnavailableError, match="too many"):
            read()
    store["a"] = 2
    held.clear()
    assert dict(store) == {"a": 2}


def test_a_second_handle_in_a_transaction_is_told(tmp_path):
    first, second = (LmdbStore(tmp_path / "db", serializer="json") for _ in range(2))
    with first.transaction():
        first["a"] = 1
        with pytest.raises(StoreUnavailableError, match="transaction of another handle"):
            second["b"] = 2
        assert "a" not in second
    assert dict(second) == {"a": 1}


def test_threads_wait_for_a_transaction(tmp_path):
    store = LmdbStore(tmp_path / "db", serializer="json")
    begun = threading.Event()

    def write():
        begun.set()
        store["thread"] = 1

    thread = threading.Thread(target=write)
    with store.transaction():
        store["a"] = 1
        thread.start()
        begun.wait(60)
        assert "thread" not in store
    thread.join(60)
    assert dict(store) == {"a": 1, "thread": 1}


def test_reopening_needs_no_options_and_minds_others(tmp_path):
    LmdbStore(tmp_path / "db", serializer="json")["a"] = [1]
    assert LmdbStore(tmp_path / "db")["a"] == [1]
    with pytest.raises(MismatchError, match="'json'"):
        LmdbStore(tmp_path / "db", serializer="text")
    with pytest.raises(MismatchError, match="keys"):
        LmdbStore(tmp_path / "db", serializer="json", keys=(str.upper, str.lower))


def test_foreign_folders_are_refused(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(MismatchError):
        LmdbStore(tmp_path / "text")
    with lmdb.open(str(tmp_path / "foreign"), max_dbs=2) as env, env.begin(write=True) as txn:
        txn.put(b"a", b"1")
    with pytest.raises(MismatchError, match="did not make"):
        LmdbStore(tmp_path / "foreign", serializer="json")
    (tmp_path / "file").write_text("a file")
    with pytest.raises((StoreUnavailableError, NotADirectoryError, FileExistsError)):
        LmdbStore(tmp_path / "file", serializer="json")


def test_reading_only(tmp_path):
    with pytest.raises(StoreNotFoundError):
        LmdbStore(tmp_path / "db", serializer="json", read_only=True)
    LmdbStore(tmp_path / "db", serializer="json").update(a=1)
    store = LmdbStore(tmp_path / "db", read_only=True)
    assert dict(store) == {"a": 1}
    for write in (store.clear, store.popitem, lambda: store.update(b=2), lambda: store.__setitem__("a", 2)):
        with pytest.raises(ReadOnlyError):
            write()
    assert LmdbStore(tmp_path / "db", read_only=True, table="no such", serializer="json") == {}


def test_pickles_of_others_are_not_loaded(tmp_path):
    LmdbStore(tmp_path / "db")["a"] = {1, 2}
    os.chmod(tmp_path / "db" / "data.mdb", 0o666)
    with pytest.raises(UntrustedStoreError, match="trust=True"):
        LmdbStore(tmp_path / "db")
    assert LmdbStore(tmp_path / "db", trust=True)["a"] == {1, 2}


def test_a_folder_whose_name_is_no_unicode_is_opened(tmp_path):
    with pytest.raises(InvalidArgumentError, match="name of a table"):
        LmdbStore(tmp_path, table="\ud800")
    with LmdbStore(tmp_path / os.fsdecode(b"\xff")) as store:
        store["a"] = 1
    assert LmdbStore(os.fsdecode(bytes(tmp_path) + b"/\xff"), read_only=True)["a"] == 1


def test_file_systems_of_other_machines_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_disk, "file_system_of", lambda path: "nfs4")
    with pytest.raises(UnsupportedError, match="nfs4"):
        LmdbStore(tmp_path / "db")


def test_handles_pickle_and_results_are_kept(tmp_path):
    store = LmdbStore(tmp_path / "db", serializer="json")
    store["a"] = 1
    assert pickle.loads(pickle.dumps(store)) == {"a": 1}
    calls = []

    @memoize(LmdbStore(tmp_path / "results"))
    def double(number):
        calls.append(number)
        return 2 * number

    assert [double(2), double(2), double.__wrapped__(2)] == [4, 4, 4]
    assert calls == [2, 2]


@pytest.mark.parametrize(
    "options", [{"durability": "disk"}, {"table": ""}, {"table": "holdall"}, {"read_only": True}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(InvalidArgumentError):
        LmdbStore(**options)


WRITER = """
import sys
from holdall import LmdbStore
store = LmdbStore(sys.argv[1], serializer="bytes", keys=None)
for number in range(int(sys.argv[2]), 10**9):
    store[number] = b"%d" % number * 1000
    print(number, flush=True)
"""


@pytest.mark.parametrize("turns", in_soak(2, 20))
def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path, turns):
    last = -1
    for _ in range(turns):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path / "db", str(last + 1)], stdout=subprocess.PIPE
        ) as writer:
            for line in writer.stdout:
                last = int(line)
                if last % 50 == 49:
                    break
            writer.kill()
            last = max([last, *map(int, writer.stdout.read().split())])
    store = LmdbStore(tmp_path / "db", serializer="bytes")
    assert set(range(last + 1)) <= set(store)
    assert all(value == b"%d" % key * 1000 for key, value in store.items())


def test_many_items_fill_the_pages_of_the_file_in_whatever_order_they_come(tmp_path):
    items = {
        f"key{number}": b"x" * 60 for number in range(5_000)
    }  # in another order than that of their names
    persister = LmdbPersister(tmp_path / "db")
    persister.write_many([*dict.fromkeys(items, b"old").items(), *items.items()])
    assert dict(next(iter(persister.contents()))).items() <= items.items()  # of equal ids the last one counts
    leaves = persister._run(lambda txn, table, _: txn.stat(table)["leaf_pages"])
    assert leaves * 4096 < 1.3 * sum(len(id) + 60 + 16 + 8 for id in items)


def test_data_that_the_iterator_changes_are_stored_as_they_were_given():
    buffer = bytearray(b"0")

    def items():
        for number in range(3):
            buffer[:] = b"%d" % number
            yield f"{number}", buffer

    persister = LmdbPersister()
    persister.write_many(items())
    assert dict(persister.items()) == {"0": b"0", "1": b"1", "2": b"2"}
    persister.close()


def test_large_values_among_small_ones_come_back_whole(tmp_path):
    items = {f"{size:07d}{text}": bytes([size % 251]) * size for size in (0, 1, 60_000, 3) for text in "aé"}
    items |= {"x" * 600 + f"{size}": b"y" * size for size in (5, 70_000)} | {
        f"z{n}": b"z" * 90_000 for n in range(40)
    }
    persister = LmdbPersister(tmp_path / "db")
    persister.write_many(items.items())
    for _ in range(2):  # a large one is read in another way after a large one
        assert {id: persister[id] for id in items} == items
    found = [item for page in persister.contents() for item in page]
    assert dict(found) == items
    assert {type(data) for _, data in found} == {bytes}
    assert list(persister.ids()) == [id for id, _ in found]
    assert {id: stat.size for id, stat in persister.scan()} == {id: len(data) for id, data in items.items()}
    with persister.transaction():
        persister["new"] = b"n" * 80_000
        assert {id: persister[id] for id in items} == items
        assert dict(item for page in persister.contents("z") for item in page).keys() == {
            id for id in items if id.startswith("z")
        }
