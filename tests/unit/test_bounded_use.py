"""A bounded store in use: hits, expiry, memoized results, transactions, what is not ours, threads."""

import contextlib
import errno
import pickle
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from tests.unit._bounded_support import KINDS, SOME_KINDS, SOME_ON_DISK, die

from holdall import (
    ITEM_NOT_AVAILABLE,
    FileDirStore,
    InvalidArgumentError,
    MemoryStore,
    SpillStore,
    SQLiteStore,
    Store,
    StoreUnavailableError,
    UnsupportedError,
    memoize,
)
from holdall._eviction import POLICIES
from holdall.abc import NOT_MINE
from holdall.wrappers import _bounded, bounded, expiring, filt_iter, wrap_kvs


@pytest.fixture(params=SOME_KINDS)
def open_store(request, tmp_path):
    """Give a function that opens a store of one kind, always the same place."""
    return lambda: KINDS[request.param](tmp_path)


@pytest.fixture(params=SOME_ON_DISK)
def open_disk(request, tmp_path):
    """Give a function that opens a store on the disk."""
    return lambda: KINDS[request.param](tmp_path)


@pytest.fixture
def clock(monkeypatch):
    """Give a list of one element, the time of day."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


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
@pytest.mark.parametrize("kind", SOME_KINDS)
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


def test_a_spilling_store_can_be_bounded(tmp_path):
    cache = bounded(SpillStore(tmp_path / "spill", memory=2_000), max_items=5)
    for number in range(20):
        cache[number] = [number] * 50
    assert sorted(cache) == list(range(15, 20))
    assert cache.stats().evictions == 15
    assert all(value == [number] * 50 for number, value in cache.items())
    cache.close()
    assert sorted(SpillStore(tmp_path / "spill")) == list(range(15, 20))


def test_methods_of_a_class_of_ones_own_are_not_hidden():
    class Counted(MemoryStore):
        def stats(self):
            return "mine"

    with pytest.raises(InvalidArgumentError, match=r"'stats' of its own, .*Store\(store\)"):
        bounded(Counted(), max_items=2)
    store = Counted()
    bounded(Store(store), max_items=2).update(a=1, b=2, c=3)
    assert (len(store), store.stats()) == (2, "mine")
