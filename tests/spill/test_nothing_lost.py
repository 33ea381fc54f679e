"""Changes in memory, values that cannot be stored, full disks: nothing is lost and each failure is told."""

import errno
import os
import pickle
import threading
import weakref
from collections import Counter

import numpy as np
import pytest
from tests.spill._support import run

from exploring import rows_in_soak
from holdall import (
    FileDirStore,
    InvalidKeyError,
    MemoryStore,
    MismatchError,
    SerializationError,
    SpillStore,
    SQLiteStore,
    Store,
    StoreFullError,
    StoreUnavailableError,
)
from holdall._eviction.sizeof import sizeof
from holdall.abc import join_parts
from holdall.errors import InvalidArgumentError
from holdall.persisters.mapping import MappingPersister


class Counting(MappingPersister):
    """A place that counts what is done to it."""

    def __init__(self, mapping=None):
        super().__init__({} if mapping is None else mapping)
        self.calls = Counter()

    def __getitem__(self, id):
        self.calls["read"] += 1
        return super().__getitem__(id)

    @property
    def getter(self):
        return self.__getitem__

    def read(self, id):
        self.calls["read"] += 1
        return super().read(id)

    def put(self, id, data):
        self.calls["write"] += 1
        super().put(id, join_parts(data))


class CountingPickle:
    """A serializer that counts."""

    def __init__(self):
        self.dumped = 0

    def dumps(self, value):
        self.dumped += 1
        return pickle.dumps(value)

    def loads(self, data):
        return pickle.loads(data)


def over(place, memory=1_000_000, **options):
    return SpillStore(slow=Store(place, serializer="pickle"), memory=memory, **options)


# ---------------------------------------------------------------------- changes in memory


@pytest.mark.parametrize(
    ("writeback", "leave"),
    [
        ("check", SpillStore.shrink),
        ("check", SpillStore.flush),
        ("check", SpillStore.refresh),
        ("always", SpillStore.shrink),
        *rows_in_soak(("always", SpillStore.flush), ("always", SpillStore.refresh)),
    ],
)
@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([1], lambda v: v.append(2)),
        ({"a": [1]}, lambda v: v["a"].append(2)),
        (np.zeros(10), lambda v: v.__setitem__(3, 1.0)),
        (np.arange(200_000), lambda v: v.__setitem__(100_000, -1)),
        (np.arange(200_000.0), lambda v: np.negative(v, out=v)),
        (np.arange(200_000.0), lambda v: v.__setitem__([5, 77_777], v[[77_777, 5]])),
        (np.arange(200_000.0)[::-1].copy(), lambda v: v.sort()),
        (np.arange(200_000, dtype=np.uint8), lambda v: v.__setitem__(199_999, 0)),
        (bytearray(200_000), lambda v: v.__setitem__(150_000, 1)),
        ([b"x" * 2_000_000, 1], lambda v: v.append(2)),
        (["x" * 90_000] * 30, lambda v: v.pop()),
    ],
)
def test_a_change_in_memory_is_kept(tmp_path, writeback, value, change, leave):
    value = pickle.loads(pickle.dumps(value))  # another test may have changed it
    store = SpillStore(tmp_path / "store", memory="10MB", writeback=writeback)
    store["x"] = value
    expected = pickle.loads(pickle.dumps(value))
    change(expected)
    del value
    store.shrink()
    change(store["x"])
    leave(store)
    other = SpillStore(tmp_path / "store")["x"]
    assert np.array_equal(other, expected) if isinstance(expected, np.ndarray) else other == expected
    store.close()


def test_a_change_through_a_reference_is_kept_after_it_should_have_left(tmp_path):
    store = SpillStore(tmp_path / "store", memory=20_000, policy="lru")
    store["x"] = value = [0]
    store["y"] = [0]
    for n in range(100):
        store[n] = [n / 3] * 100
    assert store["x"] is value, "somebody holds it"
    value.append("late")
    del value
    for n in range(100):
        store[n] = [n / 3] * 100
    store["y"].append("late")
    assert store["x"] == store["y"] == [0, "late"]
    store.close()
    again = SpillStore(tmp_path / "store")
    assert again["x"] == again["y"] == [0, "late"]


def ten_kilobytes(number, watched):
    value = np.full(1_250, float(number))
    watched.append(weakref.ref(value))
    return value


def alive(watched):
    return sum(ref() is not None for ref in watched) * 10_000


def test_items_of_one_value_do_not_keep_it_for_each_other():
    store = SpillStore(memory=50_000, policy="lru")
    watched = []
    held = {n: ten_kilobytes(n, []) for n in range(2)}
    for n in range(100):
        store["a", n] = store["b", n] = store["c", n] = held[n] if n in held else ten_kilobytes(n, watched)
    for n in range(300):
        store[n] = [n / 3] * 100
    assert alive(watched) <= 50_000
    assert store.stats().held == 3 * sum(map(sizeof, held.values()))
    for value in held.values():
        value[0] = -1  # after it should have left
    del value
    held.clear()
    for n in range(300):
        store[n] = [n / 3] * 100
    assert store.stats().held == 0
    assert [store[letter, n][0] for letter in "abc" for n in range(3)] == [-1, -1, 2] * 3


def test_stores_do_not_keep_values_for_each_other():
    one, two = (SpillStore(memory=50_000, policy="lru") for _ in range(2))
    watched = []
    for n in range(100):
        one[n] = ten_kilobytes(n, watched)
        two[n] = one[n]
    assert alive(watched) <= 110_000
    one["held"] = two["held"] = held = ten_kilobytes(0, watched)
    for _ in range(2):
        one.shrink()
        two.shrink()
    assert alive(watched) == 10_000
    held[0] = -1
    del held
    one.shrink()
    two.shrink()
    assert alive(watched) == 0
    assert one["held"][0] == two["held"][0] == -1


def test_a_value_that_was_not_worth_keeping_is_kept_for_whoever_changes_it():
    store = SpillStore(memory=1_000)
    store["large"] = large = list(range(5_000))
    large.append("one")
    del large
    store["large"].append("two")
    store["other"] = 1
    assert store["large"][5_000:] == ["one", "two"]
    assert store.stats().memory <= 1_000


def test_nothing_is_noticed_if_nobody_is_to_look():
    store = SpillStore(memory=1_000_000, writeback="never")
    store["x"] = [1]
    store.flush()
    store["x"].append(2)
    store.shrink()
    assert store["x"] == [1]


def test_clean_values_are_not_written_again():
    place = Counting()
    store = over(place)
    values = {
        "array": np.arange(100_000.0),
        "list": [[n] for n in range(1_000)],
        "text": "x" * 100_000,
        "object": Counter("abracadabra"),
        "mixed": {"a": np.ones(50_000), "b": [1, 2.5, "x", None], "c": {1: (2, 3)}},
    }
    store.update(values)
    del values
    store.shrink()
    assert place.calls["write"] == 5
    for _ in range(3):
        for key in list(store):
            assert len(store[key]) > 0
        store.shrink()
    assert place.calls["write"] == 5
    assert store.stats().memory == 0


def test_each_value_is_serialized_once_a_change():
    serializer = CountingPickle()
    store = SpillStore(slow=MemoryStore(serializer=serializer), memory=1, writeback="never", policy="lru")
    for n in range(500):
        store[n] = [n]
    for n in range(500):
        assert store[n] == [n]
    store.shrink()
    assert serializer.dumped == 500


def test_what_cannot_change_is_not_looked_at():
    serializer = CountingPickle()
    store = SpillStore(slow=MemoryStore(serializer=serializer), memory=1_000_000)
    frozen = np.arange(10)
    frozen.flags.writeable = False
    values = ["text", b"bytes", 1, 2.5, None, (1, "a", (2,)), frozenset({1}), frozen]
    store.update(enumerate(values))
    store.flush()
    for key in range(len(values)):
        store[key]
    store.flush()
    assert serializer.dumped == len(values)


def test_what_nobody_holds_leaves_memory_at_once():
    store = SpillStore(memory="10MB")
    store["array"], store["list"] = np.zeros(100_000), [1]
    store.shrink()
    assert (store.stats().memory, store.stats().held) == (0, 0)
    assert len(store["array"]) == 100_000
    store["array"][0] = 1
    store.shrink()
    assert (store.stats().memory, store.stats().held) == (0, 0)
    store["array"] = held = store["array"]
    store.shrink()
    assert store.stats().memory == 0
    assert held.nbytes <= store.stats().held < held.nbytes + 1_000


def test_telling_of_items_never_loads_them():
    place = Counting()
    store = over(place, policy="lru")
    store.update((n, [n]) for n in range(20))
    store.shrink()
    place.calls.clear()
    assert len(store) == 20
    assert 3 in store
    assert 30 not in store
    assert sorted(store) == list(range(20))
    del store[3]
    store[4] = "new"
    assert store.discard(5)
    assert place.calls["read"] == 0


@pytest.mark.parametrize("size", [2, 2_000, 200_000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back_as_they_were(size, order):
    store = SpillStore(memory=100)
    store["a"] = np.asarray(np.arange(size * 2).reshape(2, -1), order=order)
    for _ in range(2):
        got = store["a"]
        assert got.flags.writeable
        assert got.flags.f_contiguous == (order == "F") or size == 2
        assert got.dtype == np.arange(1).dtype
        del got
        store["a"] += 1
        store["other"] = 0
    assert np.array_equal(store["a"].ravel(), np.arange(size * 2) + 2)
    frozen = np.zeros(size)
    frozen.flags.writeable = False
    store["frozen"] = frozen
    store["matrix"] = np.zeros((2, 2)).view(np.recarray)
    store.shrink()
    assert isinstance(store["matrix"], np.recarray)


def test_long_names_are_spilled():
    store = SpillStore(memory=1)
    keys = ["x" * 10_000, "\u00e9" * 300, "\U0001f600" * 150]
    for key in keys:
        store[key] = [key]
    assert all(store[key] == [key] for key in keys)


# ---------------------------------------------------------------------- what cannot be stored


def test_a_value_that_cannot_be_stored_stays_and_troubles_nobody():
    serializer = CountingPickle()
    store = SpillStore(slow=MemoryStore(serializer=serializer), memory=20_000, policy="lru")
    store["bad"] = bad = threading.Lock()
    del bad
    before = store.stats().evictions
    for n in range(200):
        store[n] = [n / 3] * 100
    stats = store.stats()
    assert stats.evictions > before
    assert stats.unserializable.keys() == {"bad"}
    assert "lock" in stats.unserializable["bad"]
    assert 0 < stats.unserializable_bytes < 100
    assert stats.memory <= 20_000
    assert type(store["bad"]).__name__ == "lock"
    assert serializer.dumped == len(serializer_calls(store)) + 1, "it was tried once"
    with pytest.raises(SerializationError, match="1 values cannot be stored and stay in memory only: 'bad'"):
        store.flush()
    assert store[0] == [0.0] * 100
    assert len(store) == 201
    store["bad"] = "good"
    store.flush()
    assert store.stats().unserializable == {}
    assert store["bad"] == "good"


def serializer_calls(store):
    """Return the keys that were written: each has left memory once, or twice if it is there again."""
    return list(store.slow)


def test_values_that_cannot_be_stored_may_not_exceed_the_budget():
    store = SpillStore(memory=400, sizeof=lambda value: 100)
    store.update((n, threading.Lock()) for n in range(4))
    with pytest.raises(SerializationError, match="400 of 400 bytes are taken, 400 of them"):
        store["one more"] = threading.Lock()
    assert "one more" not in store
    store["a"] = "what can be stored is stored"
    assert store["a"] == "what can be stored is stored"
    assert len(store) == 5
    with pytest.raises(SerializationError, match="no room"):
        store["a"] = threading.Lock()
    assert store["a"] == "what can be stored is stored"
    for n in range(4):
        del store[n]


def test_a_value_that_can_be_stored_again_is_like_others():
    class Moody:
        broken = True

        def __reduce__(self):
            if Moody.broken:
                raise ValueError("not now")
            return list, ()

    store = SpillStore(memory=100_000)
    store["moody"] = Moody()
    with pytest.raises(SerializationError, match="not now"):
        store.flush()
    assert store.stats().unserializable_bytes > 0
    Moody.broken = False
    store.flush()
    assert store.stats().unserializable_bytes == 0
    store.shrink()
    assert store["moody"] == []


# ---------------------------------------------------------------------- full disks


def test_a_full_disk_keeps_all_and_says_so(tmp_path):
    code = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        folder, kind = sys.argv[1:]
        files = FileDirStore(folder, keys=AnyKeys() | PathKeys())
        slow = SQLiteStore(folder + "/store.db") if kind == "sqlite" else files
        store = SpillStore(slow=slow, memory=100_000, policy="lru")
        values = [os.urandom(20_000) for _ in range(20)]
        store["small"] = 1
        store.flush()
        store["a"], store["b"] = values[:2]
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        failed = 0
        for n in range(5):
            try:
                store[n] = values[n]
            except StoreUnavailableError as error:
                failed += 1
                print(error)
        assert failed, "the disk was to be full"
        assert store["a"] == values[0] and store["b"] == values[1]
        kept = [n for n in range(5) if n in store]
        assert all(store[n] == values[n] for n in kept), kept
        assert len(kept) >= 3
        assert store.stats().memory <= 100_000 + 20_100
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for n in range(20):
            store[n] = values[n]
        assert store.stats().memory <= 100_000
        assert all(store[n] == values[n] for n in range(20)) and store["a"] == values[0]
        store.close()
    """
    for kind in ("sqlite", "files"):
        folder = tmp_path / kind
        folder.mkdir()
        out, err = run(code, folder, kind)
        assert str(folder) in out, err
        assert "100,000 are allowed" in out
        assert "20,0" in out, "the bytes that were wanted"
        assert "stays in memory" in out


def test_what_is_spilled_has_a_bound():
    store = SpillStore(memory=1_000, disk="100kB", policy="lru")

    def fill():
        for n in range(200):
            store[n] = os.urandom(900)

    with pytest.raises(StoreFullError, match="of 100,000 are taken") as caught:
        fill()
    assert caught.value.errno == errno.ENOSPC
    count = len(store)
    assert 100 <= count <= 115
    assert all(len(store[n]) == 900 for n in range(count))
    for n in range(50):
        del store[n]
    store["more"] = os.urandom(900)
    store["other"] = os.urandom(900)
    assert len(store["more"]) == len(store["other"]) == 900
    with pytest.raises(InvalidArgumentError, match="disk"):
        SpillStore(disk="much")


def test_what_other_threads_are_writing_counts_for_the_bound():
    """While one write waits for the disk, another thread finds as little room as after it."""
    waits, go = threading.Event(), threading.Event()

    class Waiting(MappingPersister):
        def put(self, id, data):
            if len(data) > 30_000 and not waits.is_set():
                waits.set()
                go.wait()
            super().put(id, data)

    slow = Store(Waiting({}), serializer="bytes")
    store = SpillStore(memory=1, disk=100_000, slow=slow)
    errors = []

    def write():
        try:
            store["first"] = bytes(60_000)
        except StoreFullError as error:
            errors.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    waits.wait()
    try:
        with pytest.raises(StoreFullError, match="60,000 of 100,000 are taken"):
            store["second"] = bytes(60_000)
        store["third"] = bytes(20_000)
    finally:
        go.set()
        thread.join()
    assert errors == []
    with pytest.raises(StoreFullError):
        store["fourth"] = bytes(30_000)
    assert sorted(slow) == ["first", "third"]


# ---------------------------------------------------------------------- wrong use


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreUnavailableError):
        SpillStore(tmp_path / "file")["a"] = 1
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_of_another_serializer_is_refused(tmp_path):
    with SpillStore(tmp_path / "store", serializer="json") as store:
        store["a"] = [1]
    with pytest.raises(MismatchError, match="json"):
        SpillStore(tmp_path / "store", serializer="text")
    assert SpillStore(tmp_path / "store")["a"] == [1]


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "best"},
        {"writeback": "sometimes"},
        {"sync": "never"},
        {"sizeof": 3},
        {"on_miss": "no function"},
        {"slow": {}, "path": "x"},
        {"slow": {}, "serializer": "json"},
        {"dump": pickle.dump},
        {"dump": pickle.dump, "load": pickle.load, "serializer": "json"},
    ],
)
def test_wrong_options_are_told_and_make_nothing(tmp_path, monkeypatch, options):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError):
        SpillStore(**options)
    assert os.listdir(tmp_path) == []


def test_keys_that_have_no_name_are_told():
    store = SpillStore()
    for key in ([], {}, object()):
        assert key not in store
        assert store.get(key) is None
        with pytest.raises(InvalidKeyError):
            store[key] = 1
        with pytest.raises(InvalidKeyError):
            store[key]


@pytest.mark.parametrize("slow", [dict, FileDirStore, SQLiteStore, lambda: MemoryStore(serializer="json")])
def test_any_store_can_be_the_slow_side(slow):
    slow = slow()
    store = SpillStore(slow=slow, memory=200, policy="lru")
    for n in range(50):
        store[str(n)] = [n]
    assert store.slow is slow or store.slow.persister is slow
    assert all(store[str(n)] == [n] for n in range(50))
    store.flush()
    assert len(slow) == 50


def test_hooks_are_called_for_what_moves():
    missed, overflowed = [], []
    store = SpillStore(memory=100_000, on_miss=missed.append, on_overflow=overflowed.append)
    store["a"] = [1]
    store["a"], store["a"]
    assert (missed, overflowed) == ([], [])
    store.shrink()
    assert overflowed == ["a"]
    with pytest.raises(KeyError):
        store["absent"]
    assert missed == []
    assert store["a"] == [1]
    assert missed == ["a"]

    def refuse(key):
        raise ZeroDivisionError

    store = SpillStore(memory=100_000, on_miss=refuse)
    store["a"] = [1]
    assert store["a"] == [1]
    store.shrink()
    with pytest.raises(ZeroDivisionError):
        store["a"]
