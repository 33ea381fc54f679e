"""A bounded store: the bound holds, and who is used least goes, also after a restart or a crash."""

import os
import random
import re
import shutil
from collections import OrderedDict

import pytest
from tests.unit._bounded_support import KINDS, SOME_KINDS, SOME_ON_DISK, die

from holdall import (
    FileDirStore,
    InvalidArgumentError,
    MemoryStore,
    SQLiteStore,
    UnsupportedError,
    ValueTooLargeError,
)
from holdall._eviction import POLICIES, Entry, make_policy
from holdall.persisters.sqlite._ledger import LEDGER_POLICIES, LedgerStatements
from holdall.wrappers import bounded, read_only


@pytest.fixture(params=SOME_KINDS)
def open_store(request, tmp_path):
    """Give a function that opens a store of one kind, always the same place."""
    return lambda: KINDS[request.param](tmp_path)


@pytest.fixture(params=SOME_ON_DISK)
def open_disk(request, tmp_path):
    """Give a function that opens a store on the disk."""
    return lambda: KINDS[request.param](tmp_path)


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


@pytest.mark.parametrize("kind", SOME_KINDS)
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
@pytest.mark.parametrize("kind", SOME_ON_DISK)
def test_the_volume_is_what_the_disk_has(tmp_path, kind, count, size):
    cache = bounded(KINDS[kind](tmp_path), max_bytes="1GB")
    cache.update((f"key{number}", os.urandom(size)) for number in range(count))
    volume = cache.volume()
    cache.close()  # which brings the log into the file
    assert abs(volume - allocated(tmp_path)) <= 0.05 * volume + 1e6


@pytest.mark.soak
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


@pytest.mark.parametrize("policy", LEDGER_POLICIES)
def test_statements_number_no_arguments(policy):  # Python 3.14 takes none with a sequence
    made = vars(LedgerStatements("items", policy)).values()
    statements = [s for part in made for s in ([part] if isinstance(part, str) else part)]
    assert any("?" in s for s in statements)
    assert not [s for s in statements if re.search(r"\?\d", s)]
