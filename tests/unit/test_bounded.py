"""Stores that evict: the bound holds, the right ones go, and what is recorded outlives the process."""

import contextlib
import errno
import os
import pickle
import random
import re
import shutil
import sqlite3
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from holdall import (
    ITEM_NOT_AVAILABLE,
    NOT_MINE,
    FileDirStore,
    InvalidArgumentError,
    MemoryStore,
    SQLiteStore,
    Store,
    StoreUnavailableError,
    UnsupportedError,
    ValueTooLargeError,
    memoize,
)
from holdall._eviction import POLICIES, Entry, make_policy
from holdall.persisters.sqlite._ledger import LEDGER_POLICIES, LedgerStatements
from holdall.wrappers import _bounded, bounded, expiring, filt_iter, read_only, wrap_kvs

KINDS = {
    "memory": lambda path: MemoryStore(serializer="bytes"),
    "folder": lambda path: FileDirStore(path / "folder", serializer="bytes"),
    "table": lambda path: SQLiteStore(path / "store.db", serializer="bytes"),
    "files": lambda path: SQLiteStore(path / "store.db", serializer="bytes", files_from=2000),
}
ON_DISK = ["folder", "table", "files"]


@pytest.fixture(params=KINDS)
def open_store(request, tmp_path):
    """Give a function that opens a store of one kind, always the same place."""
    return lambda: KINDS[request.param](tmp_path)


@pytest.fixture(params=ON_DISK)
def open_disk(request, tmp_path):
    """Give a function that opens a store on the disk."""
    return lambda: KINDS[request.param](tmp_path)


@pytest.fixture
def clock(monkeypatch):
    """Give a list of one element, the time of day."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


# ---------------------------------------------------------------------- the bound


@pytest.mark.parametrize("policy", POLICIES)
def test_after_each_write_the_store_is_within_its_bound(open_store, policy):
    cache = bounded(open_store(), max_bytes=150_000, max_items=25, policy=policy)
    chance = random.Random(1)
    model = {}
    for number in range(150):
        key = f"key{chance.randrange(60)}"
        model[key] = bytes([number]) * chance.choice([10, 400, 3000, 20_000])
        if number % 5:
            cache[key] = model[key]
        else:
            cache.transform_item(key, transformer=lambda _, value=model[key]: value)
        cache.get(f"key{chance.randrange(60)}")
        assert cache.volume() <= 150_000
        assert len(cache) == cache.stats().items <= 25
        assert cache[key] == model[key], "the newest one was evicted"
    assert all(model[key] == value for key, value in cache.items())
    assert cache.stats().evictions > 20


@pytest.mark.parametrize(("size", "bound", "occupancy"), [(80_000, 1_000_000, 0.85), (1000, 1_000_000, 0.98)])
def test_no_more_is_evicted_than_is_needed(open_store, size, bound, occupancy):
    cache = bounded(open_store(), max_bytes=bound)
    least = bound
    for number in range(3 * bound // size if size > 1000 else 1300):
        cache[f"key{number}"] = bytes(size)
        if cache.stats().evictions:
            least = min(least, cache.volume())
    assert cache.stats().evictions > 0
    assert least >= occupancy * bound


def test_an_update_evicts_on_its_way(open_store):
    cache = bounded(open_store(), max_bytes=200_000)
    cache.update((f"key{number}", bytes(5000)) for number in range(300))
    assert cache.volume() <= 200_000
    assert "key299" in cache
    assert 15 < len(cache) <= 40


def test_a_value_larger_than_the_bound_is_refused(open_store):
    cache = bounded(open_store(), max_bytes=100_000)
    cache.update(a=b"1", b=b"2")
    writes = (
        lambda: cache.__setitem__("a", bytes(100_001)),
        lambda: cache.set("a", bytes(100_001), ttl=5),
        lambda: cache.update({"a": bytes(100_001)}),
        lambda: cache.setdefault("new", bytes(100_001)),
        lambda: cache.transform_item("a", transformer=lambda _: bytes(100_001)),
    )
    for write in writes:
        with pytest.raises(ValueTooLargeError, match="is bounded to 100,000: nothing was evicted") as caught:
            write()
        assert isinstance(caught.value, ValueError)
        assert cache == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"policy": "lru"},
        {"max_items": 0},
        {"max_items": 1.5},
        {"max_items": True},
        {"max_bytes": 0},
        {"max_bytes": -1},
        {"max_bytes": "many"},
        {"max_bytes": 10, "policy": "mru"},
        {"max_bytes": 10, "policy": None},
    ],
)
def test_a_bound_must_be_one(options):
    for given in ({}, MemoryStore):
        with pytest.raises(InvalidArgumentError) as caught:
            bounded(given, **options)
        assert isinstance(caught.value, TypeError)


def test_sizes_may_be_text_and_stores_classes():
    @bounded(max_bytes="1 kB", policy="sieve")
    class Cache(MemoryStore):
        """A cache of my own."""

    cache = Cache()
    cache.update(dict.fromkeys(range(20), "x" * 100))
    assert cache.volume() <= 1000
    assert cache.stats().max_bytes == 1000
    assert 0 < len(cache) < 10


def test_what_cannot_be_written_is_not_bounded(tmp_path):
    SQLiteStore(tmp_path / "store.db").close()
    for frozen in (read_only({}), SQLiteStore(tmp_path / "store.db", read_only=True)):
        with pytest.raises(UnsupportedError, match="cannot be written"):
            bounded(frozen, max_items=1)


# ---------------------------------------------------------------------- who goes


class Lru:
    """The model: the least recently used of so many."""

    def __init__(self, size):
        self.size, self.keys = size, OrderedDict()

    def write(self, key):
        self.keys[key] = None
        self.keys.move_to_end(key)
        if len(self.keys) > self.size:
            self.keys.popitem(last=False)

    def read(self, key):
        if key in self.keys:
            self.keys.move_to_end(key)


class Sieve:
    """The model: the policy that works in memory."""

    def __init__(self, size):
        self.size, self.policy, self.keys = size, make_policy("sieve", size), {}

    def write(self, key):
        if key in self.keys:
            self.policy.hit(self.keys[key])
            return
        if len(self.keys) == self.size:
            for victim in self.policy.pop(items=1):
                del self.keys[victim.key]
        self.keys[key] = Entry(key)
        self.policy.insert(self.keys[key])

    def read(self, key):
        if key in self.keys:
            self.policy.hit(self.keys[key])


@pytest.mark.parametrize(("policy", "model"), [("lru", Lru), ("sieve", Sieve)])
@pytest.mark.parametrize("kind", ["memory", "folder", "table"])
def test_those_go_whom_the_policy_chooses(tmp_path, kind, policy, model):
    if (kind, policy) == ("memory", "sieve"):
        pytest.skip("that is the model itself")
    cache, model = bounded(KINDS[kind](tmp_path), max_items=12, policy=policy), model(12)
    chance = random.Random(2)
    for number in range(250):
        key = f"key{int(30 * chance.random() ** 2)}"
        if chance.random() < 0.5:
            cache[key] = b"%d" % number
            model.write(key)
        else:
            cache.get(key)
            model.read(key)
        assert set(cache) == set(model.keys), number


@pytest.mark.parametrize("policy", ["lfu", "gdsf"])
def test_frequent_ones_stay(open_store, policy):
    cache = bounded(open_store(), max_items=20, policy=policy)
    for key in range(10):
        cache[f"hot{key}"] = b"1"
    for number in range(100):
        cache[f"cold{number}"] = b"1"
        for key in range(10):
            cache.get(f"hot{key}")
    assert {f"hot{key}" for key in range(10)} <= set(cache)
    for number in range(400):  # what is no longer used leaves in the end
        cache[f"new{number % 40}"] = b"1"
        cache.get(f"new{number % 40}")
    assert not any(key.startswith("cold") for key in cache)


@pytest.mark.parametrize("kind", KINDS)
def test_gdsf_keeps_as_many_as_possible(tmp_path, kind):
    counts = {}
    for policy in ("lru", "gdsf"):
        (tmp_path / policy).mkdir()
        cache = bounded(KINDS[kind](tmp_path / policy), max_bytes=400_000, policy=policy)
        for number in range(200):
            cache[f"key{number}"] = bytes(60_000 if number % 3 == 0 else 200)
        counts[policy] = len(cache)
    assert counts["gdsf"] > 2 * counts["lru"]


# ---------------------------------------------------------------------- restart, others, crash


@pytest.mark.parametrize("policy", POLICIES)
def test_the_order_outlives_the_handle(open_disk, policy):
    options = {"max_items": 20, "policy": policy}
    with bounded(open_disk(), **options) as cache:
        for number in range(20):
            cache[f"key{number}"] = b"1"
        for number in range(0, 20, 2):
            assert cache[f"key{number}"] == b"1"
    again = bounded(open_disk(), **options)
    for number in range(10):
        again[f"new{number}"] = b"2"
    assert {f"key{number}" for number in range(0, 20, 2)} <= set(again)
    assert len(again) == 20


def test_a_copy_without_times_evicts_the_same(tmp_path):
    for kind in ("folder", "table"):
        place = tmp_path / kind
        place.mkdir()
        with bounded(KINDS[kind](place), max_items=100) as cache:
            order = random.Random(3).sample(range(100), 100)
            for number in range(100):
                cache[f"key{number}"] = b"1"
            for number in order:
                assert cache[f"key{number}"]
        shutil.copytree(place, tmp_path / f"{kind} copy", copy_function=shutil.copyfile)
        victims = []
        for where in (place, tmp_path / f"{kind} copy"):
            again = bounded(KINDS[kind](where), max_items=100)
            before = list(again)
            for number in range(10):
                again[f"new{number}"] = b"1"
            victims.append(sorted(key for key in before if key not in again))
        assert victims[0] == victims[1]
        assert set(victims[0]) >= {f"key{number}" for number in order[:10]}


def test_another_policy_goes_on_with_what_is_there(open_disk):
    for policy in (*POLICIES, "lru"):
        with bounded(open_disk(), max_items=10, policy=policy) as cache:
            for number in range(30):
                cache[f"{policy}{number}"] = b"1"
            assert len(cache) == 10


def test_plain_writes_to_a_table_count(tmp_path):
    cache = bounded(SQLiteStore(tmp_path / "store.db"), max_items=10)
    cache["first"] = 1
    plain = SQLiteStore(tmp_path / "store.db")
    plain.update((number, number) for number in range(100))
    assert cache.stats().items == len(cache) == 101
    cache["last"] = 2
    assert len(plain) == len(cache) == 10
    plain["text"] = "x" * 5000
    plain["text"] = "x"
    del plain["text"]
    plain.clear()
    assert (cache.volume(), cache.stats().items, len(cache)) == (0, 0, 0)


def test_what_others_did_to_a_folder_is_found_when_it_is_opened(tmp_path):
    cache = bounded(FileDirStore(tmp_path / "folder"), max_items=10)
    for number in range(10):
        cache[str(number)] = number
    cache.close()
    plain = FileDirStore(tmp_path / "folder")
    plain.update({f"theirs{number}": number for number in range(5)})
    del plain["0"]
    again = bounded(FileDirStore(tmp_path / "folder"), max_items=10)
    assert again.stats().items == len(again) == 14
    again["last"] = 1
    assert len(again) == len(plain) == 10


def die(cache, step, write=None):
    """Let a process die in the middle of a write, before a step of the ledger."""
    pid = os.fork()
    if pid == 0:
        try:
            setattr(cache.pipeline.persister.ledger, step, lambda *_: os._exit(0))
            (write or (lambda: cache.__setitem__("last", bytes(3000))))()
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.parametrize("step", ["wrote", "victims"])
def test_a_crash_amid_a_write_is_made_good(open_disk, step):
    cache = bounded(open_disk(), max_items=10)
    for number in range(10):
        cache[f"key{number}"] = b"1"
    if step == "victims" or not cache.pipeline.persister.ledger.automatic:
        die(cache, step)
    cache.close()
    again = bounded(open_disk(), max_items=10)
    assert again.stats().items == len(again) == len(list(again)) <= 11
    again["next"] = b"1"
    assert again.stats().items == len(again) == 10


def test_handles_of_one_place_share_the_bound(open_store):
    inner = open_store()
    one, two = bounded(inner, max_items=10), bounded(inner, max_items=10)
    for number in range(20):
        (one, two)[number % 2][f"key{number}"] = b"1"
    assert one.stats().items == two.stats().items == len(one) == 10


# ---------------------------------------------------------------------- the disk


def allocated(path):
    """Give the bytes of the blocks of all files below a folder."""
    return sum(
        os.lstat(os.path.join(folder, name)).st_blocks * 512
        for folder, folders, names in os.walk(path)
        if ".holdall" not in folder
        for name in names
    )


@pytest.mark.parametrize(("count", "size"), [(3000, 100), (10, 3_000_000)])
@pytest.mark.parametrize("kind", ON_DISK)
def test_the_volume_is_what_the_disk_has(tmp_path, kind, count, size):
    cache = bounded(KINDS[kind](tmp_path), max_bytes="1GB")
    cache.update((f"key{number}", os.urandom(size)) for number in range(count))
    volume = cache.volume()
    cache.close()  # which brings the log into the file
    assert abs(volume - allocated(tmp_path)) <= 0.05 * volume + 1e6


def test_a_table_does_not_grow_beyond_its_bound(tmp_path):
    bound = 3_000_000
    cache = bounded(SQLiteStore(tmp_path / "store.db", serializer="bytes"), max_bytes=bound)
    chance = random.Random(4)
    written, worst = 0, 0
    while written < 10 * bound:
        size = chance.choice([50, 300, 900, 2000, 40_000])
        cache[f"key{chance.randrange(10**9)}"] = bytes(size)
        written += size
        if chance.random() < 0.02:
            worst = max(worst, cache.nbytes)
    assert max(worst, cache.nbytes) <= 1.25 * bound + 4_200_000
    assert cache.check() == []


def test_evicted_files_are_deleted(tmp_path):
    cache = bounded(
        SQLiteStore(tmp_path / "store.db", serializer="bytes", files_from=1000), max_bytes=100_000
    )
    for number in range(60):
        cache.set(f"key{number}", bytes(8000), ttl=1000 if number % 2 else None)
    files = [name for name in os.listdir(tmp_path / "store.db-files") if name != ".holdall"]
    assert len(files) == len(cache) == 12
    assert cache.check() == []


# ---------------------------------------------------------------------- hits


def test_reads_wait_for_nobody(tmp_path):
    cache = bounded(SQLiteStore(tmp_path / "store.db"), max_items=10_000)
    cache.update((number, number) for number in range(3000))
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        assert all(cache[number] == number for number in range(3000))
        assert time.monotonic() - started < 30, "a read has waited for the lock"
    cache.flush()
    assert cache.stats().hits == 3000


def test_hits_and_misses_are_counted(open_store):
    cache = bounded(open_store(), max_items=3)
    cache["a"] = b"1"
    assert (cache["a"], cache.get("a"), cache.get("b"), "a" in cache, cache.setdefault("a", b"2")) == (
        b"1",
        b"1",
        None,
        True,
        b"1",
    )
    with pytest.raises(KeyError):
        cache["b"]
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.evictions, stats.items) == (3, 2, 0, 1)
    assert stats.volume == cache.volume() > 0
    assert (stats.max_bytes, stats.max_items) == (None, 3)


def test_a_pickled_handle_begins_to_count_anew(open_disk):
    cache = bounded(open_disk(), max_items=3)
    for number in range(5):
        cache[str(number)] = b"1"
    again = pickle.loads(pickle.dumps(cache))
    assert (again.stats().items, again.stats().evictions) == (3, 0)
    again["x"] = b"1"
    assert len(again) == len(cache) == 3


# ---------------------------------------------------------------------- expiry


def test_an_item_is_there_for_its_time(open_store, clock):
    cache = bounded(open_store(), max_items=100)
    cache.set("a", b"1", ttl=10)
    cache.set("b", b"2")
    cache["c"] = b"3"
    cache.set("big", bytes(5000), ttl=10)
    assert set(cache) == {"a", "b", "c", "big"}
    clock[0] += 9.9
    assert cache["a"] == b"1"
    assert len(cache) == 4
    clock[0] += 0.2
    assert (len(cache), set(cache), dict(cache)) == (2, {"b", "c"}, {"b": b"2", "c": b"3"})
    assert ("a" in cache, cache.get("a"), cache.pop("a", None), cache.discard("a")) == (
        False,
        None,
        None,
        False,
    )
    for verb in (cache.__getitem__, cache.__delitem__, cache.etag, cache.timestamp):
        with pytest.raises(KeyError) as caught:
            verb("a")
        assert caught.value.args == ("a",)
    assert set(cache.newest_keys()) == {"b", "c"}
    assert list(cache.get_subdict("big")) == []
    assert (cache.purge(), cache.purge()) == (2, 0)
    assert cache.stats().items == 2


def test_a_write_over_an_expired_item_is_an_insertion(open_store, clock):
    cache = bounded(open_store(), max_items=100)
    for key in "abcde":
        cache.set(key, b"old", ttl=1)
    clock[0] += 2
    assert cache.setdefault("a", b"new") == b"new"
    cache["b"] = b"new"
    assert cache.transform_item(
        "c", transformer=lambda old: b"absent" * (old is ITEM_NOT_AVAILABLE)
    ).new_value
    cache.set("d", b"new", ttl=100)
    clock[0] += 50
    assert cache == {"a": b"new", "b": b"new", "c": b"absent", "d": b"new"}
    clock[0] += 100
    assert cache == {"a": b"new", "b": b"new", "c": b"absent"}


def test_touching_gives_more_time_and_counts_as_use(open_store, clock):
    cache = bounded(open_store(), max_items=3)
    cache.set("a", b"1", ttl=10)
    cache.set("b", b"2", ttl=10)
    assert cache.touch("a", ttl=100) is True
    assert cache.touch("b") is True
    assert cache.touch("absent") is False
    clock[0] += 50
    assert cache == {"a": b"1", "b": b"2"}
    clock[0] += 51
    assert cache == {"b": b"2"}
    assert cache.touch("a", ttl=5) is False
    cache.update(c=b"3", d=b"4")
    assert cache.touch("b")
    cache["e"] = b"5"
    assert "b" in cache


def test_what_has_expired_goes_first(open_store, clock):
    cache = bounded(open_store(), max_items=100)
    for number in range(100):
        cache.set(f"key{number}", b"1", ttl=10 if number >= 70 else None)
    clock[0] += 11
    for number in range(30):
        cache[f"new{number}"] = b"1"
    assert len(cache) == 100
    assert all(f"key{number}" in cache for number in range(70))


def test_the_time_to_live_outlives_the_handle(open_disk, clock):
    with bounded(open_disk(), max_items=10) as cache:
        cache.set("a", b"1", ttl=10)
        cache["b"] = b"2"
    again, other = bounded(open_disk(), max_items=10), bounded(open_disk(), max_items=10)
    assert again == other == {"a": b"1", "b": b"2"}
    other.set("b", b"3", ttl=20)
    clock[0] += 11
    assert again == other == {"b": b"3"}
    clock[0] += 10
    assert again == other == {}


@pytest.mark.parametrize("ttl", [0, -1, "5", True, float("nan")])
def test_a_time_to_live_is_a_number_of_seconds(ttl):
    cache = bounded({}, max_items=5)
    for use in (lambda: cache.set("a", 1, ttl=ttl), lambda: cache.touch("a", ttl=ttl)):
        with pytest.raises(InvalidArgumentError, match="ttl is a number of seconds"):
            use()
    assert cache == {}


def test_words_work_through_wrappers_and_parts(tmp_path, clock):
    cache = expiring(bounded(SQLiteStore(tmp_path / "store.db"), max_items=10), ttl=1000)
    part = cache.get_subdict("part")
    cache.set("part/a", 1, ttl=5)
    part.set("b", 2, ttl=50)
    assert cache.touch("part/a", ttl=20)
    assert part.touch("b", ttl=5)
    clock[0] += 10
    assert dict(part) == {"a": 1}
    assert cache.stats().items == 2
    assert part.volume() == cache.volume() > 0


# ---------------------------------------------------------------------- memoize


@pytest.mark.parametrize("name", ["results.db", "results"])
def test_memoize_bounds_the_place_of_a_path(tmp_path, name):
    calls = []

    def compute(number):
        calls.append(number)
        return bytes(9000)

    first = memoize(tmp_path / name, max_bytes="100 kB", name="f")(compute)
    for number in range(40):
        assert first(number) == bytes(9000)
    assert first.store.volume() <= 100_000
    assert 5 < len(first.entries) < 12
    again = memoize(tmp_path / name, max_bytes=100_000, name="f")(compute)
    calls.clear()
    assert [again(number) for number in (39, 38, 0)] == [bytes(9000)] * 3
    assert calls == [0]
    first.store.close()
    again.store.close()


def test_a_store_that_memoize_is_given_is_bounded_by_its_owner(tmp_path):
    store = bounded(SQLiteStore(tmp_path / "results.db"), max_items=10)
    square = memoize(store, name="square", maxsize=0)(lambda number: number * number)
    assert [square(number) for number in range(30)] == [number * number for number in range(30)]
    assert len(store) == len(square.entries) == 10
    plain = SQLiteStore(tmp_path / "plain.db")
    square = memoize(plain, name="square", max_bytes=100)(lambda number: number * number)
    assert [square(number) for number in range(30)] == [number * number for number in range(30)]
    assert len(plain) == 30


# ---------------------------------------------------------------------- transactions


def test_evictions_are_a_part_of_a_transaction(tmp_path):
    cache = bounded(SQLiteStore(tmp_path / "store.db"), max_items=5)
    with cache.transaction():  # the very first use of the handle
        cache.update((number, number) for number in range(5))
    before = dict(cache)

    def fail():
        with cache.transaction():
            cache.set("new", 1, ttl=100)
            cache.update((f"key{number}", number) for number in range(20))
            assert len(cache) == 5
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert dict(cache) == before
    assert cache.stats().items == 5
    assert cache.increment("n") == 1
    assert len(cache) == 5


def test_a_handle_that_was_closed_goes_on(open_disk):
    cache = bounded(open_disk(), max_items=5)
    for number in range(8):
        cache[f"key{number}"] = b"1"
        assert cache[f"key{number}"] == b"1"
        cache.close()
    assert len(cache) == cache.stats().items == 5


# ---------------------------------------------------------------------- what is not ours


def test_files_that_the_store_does_not_list_are_never_evicted(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("thesis.txt", "sub/notes.md"):
        (tmp_path / name).write_text("years of work")
    for policy in POLICIES:
        cache = bounded(FileDirStore(tmp_path, serializer="json"), max_items=2, policy=policy)
        for number in range(6):
            cache[f"{policy}{number}"] = number
        assert len(cache) == cache.stats().items == 2
        assert (tmp_path / "thesis.txt").read_text() == "years of work"
        assert (tmp_path / "sub" / "notes.md").read_text() == "years of work"
        cache.close()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_items_that_a_pair_of_functions_leaves_out_are_never_evicted(tmp_path, kind, policy):
    inner = KINDS[kind](tmp_path)
    inner.update({f"theirs{number}": b"1" for number in range(5)})
    mine = wrap_kvs(inner, id_of_key=_with_mine, key_of_id=_without_mine)
    cache = bounded(mine, max_items=8, policy=policy)
    for number in range(20):
        cache[f"{number}"] = b"1"
    assert {f"theirs{number}" for number in range(5)} <= set(inner)
    assert 0 < len(cache) <= 8
    assert cache["19"] == b"1"


def _with_mine(key):
    return f"mine{key}"


def _without_mine(id):
    return id.removeprefix("mine") if id.startswith("mine") else NOT_MINE


@pytest.mark.parametrize(
    "part",
    [
        lambda store: store.get_subdict("part"),
        lambda store: filt_iter(store, prefix="part/"),
        lambda store: Store(store.get_subdict("part")),
        lambda store: expiring(store.get_subdict("part"), ttl=60),
    ],
)
def test_a_part_is_not_bounded_as_the_rest_would_go_with_it(open_store, part):
    store = open_store()
    store["other"], store["part/a"] = b"1", b"2"
    with pytest.raises(UnsupportedError, match=r"part of a store.*bound the whole store"):
        bounded(part(store), max_items=1)
    assert set(store) == {"other", "part/a"}
    whole = bounded(store, max_items=10).get_subdict("part")
    assert dict(whole) == {"a": b"2"}


# ---------------------------------------------------------------------- side by side


@pytest.mark.parametrize("kind", ["table", "files"])
def test_an_update_takes_no_more_at_once_than_a_part_of_the_bound(tmp_path, kind):
    cache = bounded(KINDS[kind](tmp_path), max_bytes=1_000_000)
    inner, portions = cache.pipeline.persister.inner, []
    write_many = inner.write_many

    def noted(items):
        portion = list(items)
        portions.append(sum(len(data) for _, data in portion))
        write_many(portion)

    inner.write_many = noted
    cache.update((f"small{number}", b"1") for number in range(50))
    cache.update((f"large{number}", bytes(50_000)) for number in range(60))
    assert max(portions) <= 1_000_000 / 16 + 50_000
    assert cache.volume() <= 1_000_000


def test_handles_that_are_opened_at_once_share_their_records(monkeypatch):
    shared = MemoryStore()
    handles = [bounded(shared, max_items=10) for _ in range(2)]
    opening = threading.Barrier(2)

    class MetLedger(_bounded.MemoryLedger):
        def __init__(self, *args):
            with contextlib.suppress(threading.BrokenBarrierError):
                opening.wait(0.2)  # for the other one to make records, too, if that can be
            super().__init__(*args)

    monkeypatch.setattr(_bounded, "MemoryLedger", MetLedger)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda handle: handle.__setitem__("a", 1), handles))
    assert handles[0].pipeline.persister.ledger is handles[1].pipeline.persister.ledger


def test_handles_in_memory_share_the_bound_whatever_their_policies():
    shared = MemoryStore()
    for policy in (*POLICIES, *POLICIES):
        cache = bounded(shared, max_items=5, policy=policy)
        for number in range(10):
            cache[f"{policy}{number}"] = number
        assert len(shared) == cache.stats().items == 5


def test_what_was_written_to_memory_in_between_is_counted_when_it_is_next_opened():
    shared = MemoryStore()
    bounded(shared, max_items=5)["a"] = 1
    shared.update((f"plain{number}", number) for number in range(10))
    del shared["a"]
    cache = bounded(shared, max_items=5)
    assert cache.stats().items == 10
    cache["last"] = 1
    assert len(shared) == 5


def meanwhile(monkeypatch, cache, step, act):
    """Let another handle act once, right before a step of a ledger."""
    ledger = cache.pipeline.persister.ledger
    real = getattr(ledger, step)

    def acting(*args):
        monkeypatch.setattr(ledger, step, real)
        act()
        return real(*args)

    monkeypatch.setattr(ledger, step, acting)


def test_an_expired_item_that_others_wrote_anew_is_not_deleted(open_disk, clock, monkeypatch):
    cache, other = bounded(open_disk(), max_items=10), bounded(open_disk(), max_items=10)
    for size in (1, 5000):
        cache.set("a", bytes(size), ttl=1)
        clock[0] += 2
        if cache.pipeline.persister.ledger.automatic:
            meanwhile(monkeypatch, cache, "bury", lambda: other.update(a=b"theirs"))
            assert cache.setdefault("a", bytes(size)) == b"theirs"
        else:  # they take turns
            assert cache.setdefault("a", b"ours") == b"ours"


@pytest.mark.parametrize("size", [1, 1500, 5000])
def test_a_process_that_dies_before_it_sets_a_time_to_live_stores_nothing(tmp_path, size):
    for kind in ("table", "files"):
        (tmp_path / kind).mkdir()
        cache = bounded(KINDS[kind](tmp_path / kind), max_items=10)
        cache["a"] = b"before"
        die(cache, "expire", lambda: cache.set("a", bytes(size), ttl=10))  # noqa: B023  (called at once)
        again = bounded(KINDS[kind](tmp_path / kind), max_items=10)
        assert again["a"] == b"before", kind
        assert again.check() == []


@pytest.mark.parametrize("size", [1, 5000])
@pytest.mark.parametrize("files_from", [None, 2000])
def test_a_time_to_live_is_that_of_its_own_write(tmp_path, clock, monkeypatch, size, files_from):
    def handle(timeout):
        options = {"serializer": "bytes", "files_from": files_from, "timeout": timeout}
        return bounded(SQLiteStore(tmp_path / "store.db", **options), max_items=10)

    cache, other = handle(60), handle(0)
    cache["a"] = other["b"] = b"before"
    refused = []

    def interfere():
        try:
            other["a"] = b"theirs"
        except StoreUnavailableError:
            refused.append(True)

    meanwhile(monkeypatch, cache, "expire", interfere)
    cache.set("a", bytes(size), ttl=10)
    assert refused == [True], "a write came between an item and its time to live"
    clock[0] += 9
    assert other["a"] == bytes(size)
    clock[0] += 2
    assert "a" not in other


def test_what_cannot_be_evicted_does_not_undo_the_record_of_a_write(open_disk, monkeypatch):
    cache = bounded(open_disk(), max_items=3)
    cache.update((str(number), b"1") for number in range(3))

    def full(_):
        raise StoreUnavailableError(errno.EACCES, "the items cannot be deleted")

    with monkeypatch.context() as patch:
        patch.setattr(cache.pipeline.persister.inner, "remove_many", full)
        with pytest.raises(StoreUnavailableError):
            cache["last"] = bytes(3000)
    assert cache["last"] == bytes(3000)
    assert cache.stats().items == len(cache) == 4
    cache["next"] = b"1"
    assert cache.stats().items == len(cache) == 3


@pytest.mark.parametrize("policy", LEDGER_POLICIES)
def test_statements_number_no_arguments(policy):  # Python 3.14 takes none with a sequence
    made = vars(LedgerStatements("items", policy)).values()
    statements = [s for part in made for s in ([part] if isinstance(part, str) else part)]
    assert any("?" in s for s in statements)
    assert not [s for s in statements if re.search(r"\?\d", s)]
