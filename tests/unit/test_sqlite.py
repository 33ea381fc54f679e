"""What is particular to a store in a SQLite file: ids, large data, versions, transactions, the file."""

import copy
import gc
import itertools
import os
import pickle
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exploring import examples
from holdall import (
    DELETE_CURRENT,
    ITEM_NOT_AVAILABLE,
    ConflictError,
    CorruptValueError,
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    PathKeys,
    PersisterWrapper,
    ReadOnlyError,
    SerializationError,
    SQLiteStore,
    Store,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.abc import Reader
from holdall.persisters.sqlite import SqlitePersister, _sessions, _table, _writing, persister
from holdall.persisters.sqlite._schema import INLINE
from holdall.testing._names import HOSTILE_NAMES

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
LARGE = 5000  # bytes: more than lie beside the id
HUGE = 3_000_000  # bytes: more than are bound whole

TEXT = st.text(
    st.sampled_from("ab/!\x00\x7f\x80\u07ff\u0800\ud7ff\ud800\udfff\ue000\uffff\U00010000\U0010ffff"),
    max_size=4,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def place(path):
    with SqlitePersister(path) as place:
        yield place


@pytest.fixture
def store(path):
    with SQLiteStore(path) as store:
        yield store


@contextmanager
def sql(path):
    """Open the file by hand."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as db:
        yield db


@contextmanager
def within(seconds):
    """Fail where something takes longer, instead of waiting for it."""

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def rows_of_large(path, table="items"):
    with sql(path) as db:
        return db.execute(f'SELECT count(*) FROM "{table}:large"').fetchone()[0]


def lose_large_data(path):
    with sql(path) as db:
        db.execute('DELETE FROM "items:large"')


# ---------------------------------------------------------------------- ids


class TestIds:
    HOSTILE = tuple(
        dict.fromkeys(
            [*HOSTILE_NAMES, "x" * 1_000_000, "\U0010ffff", "\U0010ffff" * 3, "a\U0010ffff", "\ud83d\ude00"]
        )
    )

    def test_hostile_ids_are_kept_apart_and_come_back(self, place):
        items = {id: b"%d" % number for number, id in enumerate(self.HOSTILE)}
        place.write_many(items.items())
        for id, data in items.items():
            place[id] = data
            assert (place[id], place.read(id)[0], id in place) == (data, data, True)
        assert dict(place.read_many(items)) == items
        assert list(place.read_many(items)) == list(items.items())
        assert sorted(place) == sorted(items)
        assert {id for page in place.contents() for id, _ in page} == set(items)
        place.remove_many(list(items)[::2])
        assert sorted(place) == sorted(list(items)[1::2])
        for id in list(items)[1::2]:
            place.remove(id)
        assert len(place) == 0

    @examples(25)
    @given(ids=st.sets(TEXT, max_size=12), prefixes=st.lists(TEXT, max_size=5))
    def test_prefixes_are_those_of_text(self, ids, prefixes):
        with SqlitePersister(None) as place:
            place.write_many((id, id.encode("utf-8", "surrogatepass")) for id in ids)
            for prefix in [*prefixes, "", *(id[:2] for id in ids)]:
                wanted = sorted(id for id in ids if id.startswith(prefix))
                assert sorted(place.ids(prefix)) == wanted
                assert sorted(id for page in place.pages(prefix) for id in page) == wanted
                assert sorted(id for id, _ in place.scan(prefix)) == wanted
                assert sorted(place.by_age(prefix)) == wanted
                listed = [item for page in place.contents(prefix) for item in page]
                assert listed == [(id, id.encode("utf-8", "surrogatepass")) for id in place.ids(prefix)]

    @examples(25)
    @given(parts=st.sets(TEXT, max_size=8), prefix=TEXT)
    def test_a_view_holds_the_keys_below_its_prefix(self, parts, prefix):
        with SQLiteStore() as store:
            store.update({f"{prefix}/{part}": part for part in parts})
            store.update({(prefix, part): part for part in parts})
            store[prefix] = store[prefix + "0"] = store["\U0010ffff"] = "outside"
            for view in (store.get_subdict(prefix), store.get_subdict((prefix,))):
                assert set(view.values()) >= parts
                assert sorted(map(str, view)) == sorted(map(str, view.oldest_keys()))
                assert len(view) == len(list(view)) == len(dict(view.items()))

    @pytest.mark.parametrize("id", [5, None, b"5", 5.0, True, ("5",), ["5"], {}])
    def test_what_is_no_text_is_no_id(self, place, id):
        place["5"] = place["None"] = place["1"] = place["5.0"] = b"text"
        assert id not in place
        for verb in (place.__getitem__, place.getter, place.read, place.stat, place.reader, place.remove):
            with pytest.raises(KeyError):
                verb(id)
        for write in (
            lambda: place.put(id, b"x"),
            lambda: place.write(id, b"x"),
            lambda: place.write_many([(id, b"x")]),
            lambda: place.writer(id).__enter__(),
        ):
            with pytest.raises(InvalidKeyError, match="ids are text"):
                write()
        place.remove_many([id])
        assert list(place.read_many([id])) == []
        assert len(place) == 4

    def test_subclasses_of_text_are_text(self, place):
        class Name(str):
            __slots__ = ()

        place[Name("a")] = b"1"
        assert (place[Name("a")], place["a"], Name("a") in place) == (b"1", b"1", True)

    def test_keys_of_all_types_are_kept_apart(self, store):
        keys = [1, True, 1.0, "1", b"1", ("1",), (1,), None, "None", "", (), frozenset(), -0.0, 0.0]
        items = [(key, repr(key)) for key in keys]
        store.update(items)
        assert sorted(store.values()) == sorted(map(repr, keys))
        assert sorted(map(repr, store)) == sorted(map(repr, keys))
        assert [store[key] for key, _ in items] == [value for _, value in items]

    def test_long_names_make_no_long_messages(self, store):
        key = "k" * 1_000_000
        etag = store.pipeline.persister.write(key, b"\x80").etag
        for verb in (
            lambda: store[key],
            lambda: store.pipeline.persister.write(key, b"", "e" * 1_000_000),
            lambda: store.pipeline.persister.remove(key, etag + "0"),
            lambda: store.__setitem__(key, threading.Lock()),
        ):
            with pytest.raises((CorruptValueError, ConflictError, SerializationError)) as caught:
                verb()
            assert len(str(caught.value)) < 1000


# ---------------------------------------------------------------------- data of all sizes


class TestSizes:
    SIZES = (
        0,
        1,
        INLINE - 2,
        INLINE - 1,
        INLINE,
        INLINE + 1,
        LARGE,
        (1 << 18) + 1,
        (1 << 20),
        (1 << 20) + 1,
        HUGE,
    )

    @pytest.mark.parametrize("write", ["put", "write", "write_many", "writer", "pieces"])
    def test_data_of_any_size_replace_each_other(self, place, write):
        def store(data):
            if write == "write_many":
                place.write_many([("x", data)])
            elif write == "writer":
                with place.writer("x") as file:
                    file.write(data)
            elif write == "pieces":
                place.put("x", [data[:100], memoryview(data)[100:]])
            else:
                getattr(place, write)("x", data)

        chosen = random.Random(write)
        for new in (0, *(chosen.choice(self.SIZES) for _ in range(30)), HUGE):
            data = os.urandom(8) * (new // 8) + b"n" * (new % 8)
            store(data)
            assert place["x"] == place.read("x")[0] == data
            assert place.stat("x").size == len(data)
        with place.reader("x") as file:
            assert (file.read(3), file.seek(0), file.read()) == (data[:3], 0, data)
        assert place.check() == []
        place.clear()
        assert (rows_of_large(place.path), place.check()) == (0, [])

    def test_large_data_leave_no_orphans(self, place):
        for number in range(12):
            place[f"n{number}"] = bytes(LARGE)
        place["n0"] = b"small"
        place.write("n1", b"small")
        place.write_many([("n2", b"small"), ("n3", bytes(LARGE)), ("n3", b"small")])
        place.remove("n4")
        place.remove_many(["n5", "n6"])
        place.write("n7", bytes(LARGE), place.stat("n7").etag)
        with pytest.raises(ConflictError):
            place.write("n8", bytes(LARGE), "1")
        with pytest.raises(ZeroDivisionError):
            place.write_many((f"n{n}", bytes(LARGE) if n < 30_000 else 1 / 0) for n in range(29_990, 30_001))
        assert rows_of_large(place.path) == 5
        assert place.check() == []

    def test_check_tells_of_orphans_and_vacuum_drops_them(self, place):
        for number in range(50):
            place[f"n{number}"] = bytes(HUGE // 10)
        with sql(place.path) as db:
            db.execute("""UPDATE items SET data = x'00' WHERE id = 'n0'""")
            db.execute("""DROP TRIGGER "items:deleted" """)
            db.execute("""DELETE FROM items WHERE id >= 'n1'""")
        [problem] = place.check()
        assert problem.startswith("49 large data")
        before = place.nbytes
        given_back = place.vacuum()
        assert given_back == before - place.nbytes
        assert place.nbytes < 100_000 < given_back
        assert (list(place), place["n0"], place.check()) == (["n0"], b"\0", [])

    def test_an_item_that_lost_its_data_is_corrupt_and_can_be_replaced(self, store):
        store.update({"a": "small", "b": "x" * LARGE, "c": "y" * LARGE, "d": "small"})
        lose_large_data(store.path)
        assert store.check() == ["2 items of table 'items' have lost their data"]
        place = store.pipeline.persister
        with within(10):
            for verb in (
                lambda: store["b"],
                lambda: store.etag("b"),
                lambda: store.pop("b"),
                lambda: store.get("b"),
                lambda: list(place.scan()),
                lambda: place.reader("b"),
                lambda: list(place.read_many(["b"])),
            ):
                with pytest.raises(CorruptValueError, match=r"'b' in .* lost"):
                    verb()
            given = []
            with pytest.raises(CorruptValueError, match="'b'"):
                given.extend(store.items())
            for item in store.items():
                assert item == ("a", "small")
                break
        store["b"] = "new"
        del store["c"]
        assert (store.copy(), store.check()) == ({"a": "small", "b": "new", "d": "small"}, [])

    def test_what_is_too_large_for_sqlite_is_refused_by_name(self, place):
        place["kept"] = b"1"
        place._table.session().connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2_000_000)

        def by_writer():
            with place.writer("big") as file:
                file.write(bytes(HUGE))

        for write in (
            lambda: place.put("big", bytes(HUGE)),
            lambda: place.write("big", bytes(HUGE)),
            lambda: place.write_many([("kept", b"2"), ("big", bytes(HUGE))]),
            by_writer,
        ):
            with pytest.raises(InvalidArgumentError, match="'big' cannot be written: it is larger"):
                write()
        assert {id: place[id] for id in place} == {"kept": b"1"}
        assert place.check() == []

    @pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss")
    @pytest.mark.parametrize(("verb", "copies"), [("store['x'] = value", 0), ("got = store['x']", 1)])
    @pytest.mark.parametrize("serializer", ["bytes", "pickle"])
    def test_large_values_are_copied_once_at_the_most(self, path, serializer, verb, copies):
        size = 64_000_000
        code = f"""
import resource
from holdall import SQLiteStore
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
store = SQLiteStore({str(path)!r}, serializer={serializer!r})
store["warm"] = b"x"
value = b"x" * {size if copies == 0 else 1}
before = peak()
{verb}
print(peak() - before)
"""
        with SQLiteStore(path, serializer=serializer) as store:
            store["x"] = bytes(size)
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert int(run.stdout) < size * copies + 30_000_000

    def test_a_file_of_large_data_is_a_snapshot(self, place):
        place["x"] = b"1" * HUGE
        with place.reader("x") as file:
            assert file.read(10) == b"1" * 10
            place["x"] = b"2" * HUGE
            del place["x"]
            place.close()
            assert file.read() == b"1" * (HUGE - 10)
        with pytest.raises(KeyError):
            place.reader("x")


# ---------------------------------------------------------------------- damage


class TestDamage:
    def damage(self, path, start, length):
        with SQLiteStore(path) as store:
            store.update(dict.fromkeys(range(20000), "x" * 200))
            store["big"] = "y" * HUGE
            store.vacuum()
        with path.open("r+b") as file:
            file.seek(start if start >= 0 else os.path.getsize(path) + start)
            file.write(b"\xa5" * length)

    def test_check_tells_of_damaged_pages(self, path):
        self.damage(path, 400_000, 50_000)
        with SQLiteStore(path) as store:
            problems = store.check()
            assert problems
            assert all(problem.strip() and "\n" not in problem for problem in problems)
            with pytest.raises(StoreUnavailableError, match="damaged"):
                list(store)
            with pytest.raises(StoreUnavailableError, match="damaged"):
                store.vacuum()

    def test_a_damaged_head_is_told_when_opening(self, path):
        self.damage(path, 100, 3000)
        with pytest.raises(StoreUnavailableError, match=r"damaged.*copy of it"):
            SQLiteStore(path)

    def test_damaged_large_data_are_named(self, path):
        self.damage(path, -400_000, 100_000)
        with SQLiteStore(path) as store:
            assert store.check()
            assert store[5] == "x" * 200
            with pytest.raises((StoreUnavailableError, CorruptValueError), match="'big'"):
                store["big"]

    def test_items_before_a_corrupt_value_are_given(self, store):
        store.update({f"k{number:04}": number for number in range(3000)})
        store.pipeline.persister["k1500"] = b"no pickle"
        seen = []
        with pytest.raises(CorruptValueError, match="'k1500'"):
            seen.extend(store.items())
        assert seen == [(f"k{number:04}", number) for number in range(1500)]
        seen = []
        with pytest.raises(CorruptValueError, match="'k1500'"):
            seen.extend(store.values())
        assert store.head() == ("k0000", 0)

    def test_foreign_ids_are_passed_over_by_every_verb(self, store):
        store.update({number: number for number in range(300)})
        store["text"] = b"x" * LARGE
        for number in range(500):
            store.pipeline.persister[f"!foreign {number}"] = b"no pickle" * (number % 2 * 1000)
        assert len(store) == len(list(store)) == len(dict(store.items())) == 301
        assert len(store.oldest_keys()) == len(store.oldest_values()) == 301
        assert store.newest_keys(3) == ["text", 299, 298]
        assert store.oldest_keys(2) == [0, 1]
        assert store.oldest_keys(10**30) == store.newest_keys()[::-1]
        assert store.oldest_keys(0) == store.oldest_keys(-5) == []
        store.clear()
        assert len(store.pipeline.persister) == 500


# ---------------------------------------------------------------------- versions


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now=1_700_000_000_000_000_000):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (_sessions, _table, _writing, persister):
        monkeypatch.setattr(module, "clock", clock)
    return clock


class TestVersions:
    def test_a_clock_that_stands_still_or_goes_back_repeats_no_etag(self, clock, place):
        seen = []
        for step in (0, 0, -1, -(10**18), 0, 5):
            clock.now += step
            for data in (b"small", bytes(LARGE)):
                place.put("x", data)
                seen.append(place.stat("x"))
                seen.append(place.write("x", data))
                seen.append(place.write("x", data, seen[-1].etag))
                place.write_many([("x", data), ("x", data)])
                seen.append(place.stat("x"))
        etags = [int(stat.etag) for stat in seen]
        assert etags == sorted(set(etags))
        assert [stat.mtime for stat in seen] == sorted(stat.mtime for stat in seen)

    def test_an_item_that_is_made_anew_has_another_etag_in_a_clock_that_moves(self, place):
        etags = set()
        for number in range(1000):
            etags.add(place.write("x", b"%d" % number, ITEM_NOT_AVAILABLE).etag)
            place.remove("x")
        assert len(etags) == 1000

    TEXTS = (
        "",
        "0",
        "0x1",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1_0",
        "01",
        "\u0661",
        "9" * 19,
        "9" * 30,
        "9" * 5000,
        "abc",
    )
    OTHERS = (None, 5, 1.5, float("inf"), b"1", True, ITEM_NOT_AVAILABLE, ("1",))

    @pytest.mark.parametrize("etag", TEXTS + OTHERS, ids=lambda etag: f"{etag!r:.10}")
    def test_an_etag_of_another_kind_is_a_conflict(self, place, etag):
        place["x"] = b"1"
        with sql(place.path) as db:
            db.execute("UPDATE items SET version = 1")
        for write in (
            lambda: place.write("x", b"2", etag),
            lambda: place.write("x", bytes(LARGE), etag),
            lambda: place.remove("x", etag),
        ):
            with pytest.raises(ConflictError) as caught:
                write()
            assert caught.value.actual == "1"
        with pytest.raises(KeyError):
            place.remove("absent", etag)
        if etag is not ITEM_NOT_AVAILABLE:
            with pytest.raises(ConflictError):
                place.write("absent", b"2", etag)
        assert {id: place[id] for id in place} == {"x": b"1"}
        assert place.write("x", b"2", "1").etag > "1"

    def test_an_unconditional_deletion_is_never_a_conflict(self, place):
        errors, stop = [], threading.Event()

        def write():
            while not stop.is_set():
                place["x"] = b"1"

        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(2000):
            try:
                place.remove("x")
            except KeyError:
                pass
            except ConflictError as error:
                errors.append(error)
        stop.set()
        writer.join()
        assert errors == []

    def test_ages_are_those_of_the_writes(self, clock, store):
        for number in (3, 1, 2):
            clock.now += 1
            store[number] = number
        assert (store.oldest_keys(), store.newest_keys(2)) == ([3, 1, 2], [2, 1])
        clock.now += 1
        store[3] = 3
        assert (store.oldest_keys(), store.newest_keys(1)) == ([1, 2, 3], [3])
        assert store.timestamp(3) == pytest.approx(clock.now / 1e9)


# ---------------------------------------------------------------------- update


class TestUpdate:
    COUNT = 25_000

    @pytest.fixture(autouse=True)
    def _batches(self, monkeypatch):
        """Let an update take several batches."""
        monkeypatch.setattr("holdall.persisters.sqlite._batches.BATCH", 10_000)

    def items(self, count=COUNT):
        chosen = random.Random(1)
        sizes = (*(1, 10, 100, INLINE - 1) * 10, INLINE + 1, 3000)
        items = [(number, b"x" * chosen.choice(sizes)) for number in range(count)]
        chosen.shuffle(items)
        return items

    def test_many_items_of_all_sizes_keep_their_order(self, store):
        items = self.items()
        store.update(items)
        assert store.copy() == dict(items)
        assert store.oldest_keys() == [key for key, _ in items]
        assert store.newest_keys(3) == [key for key, _ in items[:-4:-1]]
        store.update(store)
        assert store.copy() == dict(items)
        assert store.check() == []
        store.update((key, b"") for key, _ in items)
        assert rows_of_large(store.path) == 0

    def test_of_one_key_the_last_wins(self, store):
        pairs = [(number % 300, number) for number in range(self.COUNT)]
        store.update(
            [*pairs, ("x", b"1" * LARGE), ("x", b"2" * LARGE), ("x", 3), ("y", 1), ("y", b"2" * LARGE)]
        )
        assert store == {**dict(pairs), "x": 3, "y": b"2" * LARGE}
        assert rows_of_large(store.path) == 1

    @pytest.mark.parametrize("at", [0, 5, 9_999, 10_000, 10_001, 24_999])
    def test_after_an_error_nothing_is_stored(self, store, at):
        store.update({0: "old", "other": "old"})

        def pairs():
            for number in range(self.COUNT):
                yield number, threading.Lock() if number == at else "new" * (number % 2 * 1000)

        with pytest.raises(SerializationError, match=f"value for {at} "):
            store.update(pairs())
        assert store == {0: "old", "other": "old"}
        assert store.check() == []
        with pytest.raises(SerializationError):
            store.update({0: "new"}, named=threading.Lock())
        assert store == {0: "old", "other": "old"}

    def test_a_generator_may_use_the_store_that_it_fills(self, store):
        def pairs():
            for number in range(self.COUNT):
                if number % 4000 == 3999:
                    store["read"] = store.get("read", 0) + 1
                    store["large"] = b"x" * LARGE
                    store.discard("gone")
                    store.update({f"inner{number}": number, "gone": 1})
                    assert len(dict(store.items())) == len(store)
                    store.check()
                yield number, number

        store.update(pairs())
        assert store["read"] == self.COUNT // 4000
        assert len(store) == self.COUNT + 3 + self.COUNT // 4000
        assert store.check() == []

    def test_an_update_within_an_update_fails_alone(self, store):
        def inner():
            for number in range(15_000):
                yield f"inner{number}", 1 / (14_000 - number)

        def pairs():
            for number in range(self.COUNT):
                if number == 20_000:
                    with pytest.raises(ZeroDivisionError):
                        store.update(inner())
                yield number, number

        store.update(pairs())
        assert store == {number: number for number in range(self.COUNT)}

    def test_an_update_whose_generator_closes_the_store_loses_nothing_in_silence(self, store):
        def pairs():
            for number in range(self.COUNT):
                if number == 15_000:
                    store.close()
                yield number, number

        with pytest.raises(StoreUnavailableError, match="none of them was"):
            store.update(pairs())
        assert len(store) == 0
        store.update({1: 1})
        assert store == {1: 1}

    def test_commands_are_carried_out_in_their_turn(self, store):
        store.update({"a": 1, "b": 1})
        store.update([("new", 1), ("new", DELETE_CURRENT), ("a", DELETE_CURRENT), ("a", 2)], b=DELETE_CURRENT)
        assert store == {"a": 2}

    def test_others_see_all_or_nothing(self, store):
        seen, stop = set(), threading.Event()

        def count():
            while not stop.is_set():
                seen.add(len(store.pipeline.persister))

        reader = threading.Thread(target=count)
        reader.start()
        store.update((number, number) for number in range(self.COUNT))
        store.clear()
        stop.set()
        reader.join()
        assert seen <= {0, self.COUNT}

    def test_with_append_only_each_item_is_on_its_own(self, path):
        with SQLiteStore(path, append_only=True) as store:
            store.update({1: 1, 2: 2})
            with pytest.raises(ReadOnlyError):
                store.update([(3, 3), (2, "other"), (4, 4)])
            assert store == {1: 1, 2: 2, 3: 3}


# ---------------------------------------------------------------------- iteration


class TestIteration:
    def test_what_stays_is_given_once_while_others_write_and_delete(self, store):
        store.update({f"{number:05}": number for number in range(10_000)})
        seen = []
        for count, (key, value) in enumerate(store.items()):
            seen.append(key)
            assert value == int(key)
            if count % 100 == 0:
                store.discard(f"{(int(key) * 7919) % 5000 * 2 + 1:05}")
                store["0" + key] = int(key)
        assert len(seen) == len(set(seen))
        assert {f"{number:05}" for number in range(0, 10_000, 2)} <= set(seen)

    def test_abandoned_iterators_hold_nothing(self, store):
        store.update({number: "x" * (number % 2 * LARGE) for number in range(500)})
        iterators = [iter(store), iter(store.items()), iter(store.values()), store.pipeline.persister.scan()]
        for iterator in iterators:
            next(iterator)
        descriptors = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
        store["x"] = 1
        assert store.vacuum() is not None
        store.close()
        if descriptors:
            assert len(os.listdir("/proc/self/fd")) < descriptors
        assert sum(1 for _ in iterators[0]) > 400

    def test_a_file_that_is_deleted_meanwhile_is_made_anew_for_whoever_has_it_open(self, path, store):
        store["a"] = 1
        path.unlink()
        store["b"] = "x" * LARGE
        assert (store.copy(), store.check()) == ({"b": "x" * LARGE}, [])
        with SQLiteStore(path) as new:
            assert new.copy() == store.copy()

    def test_first_and_any_do_not_read_everything(self, store):
        store.update({number: number for number in range(40_000)})
        steps = []
        # Called after each hundred steps of the machine that runs SQL; a look at each row takes several.
        store.persister._table.session().connection.set_progress_handler(lambda: steps.append(1), 100)
        assert store
        assert store.head() == (0, 0)
        assert len(steps) < 100
        assert store.oldest_keys(1) == [0]
        assert len(steps) < 40_000 / 10


# ---------------------------------------------------------------------- opening


class TestOpening:
    @pytest.mark.parametrize(
        "name",
        ["plain.db", "100%41?x=y#z & \u00e9.db", "new/folder/x.db", "bad\udcff.db", "a\nb", "-x"],
        ids=ascii,
    )
    def test_any_name_of_a_file_will_do(self, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        for where in (name, tmp_path / name, str(tmp_path / name), f"//{str(tmp_path / name).lstrip('/')}"):
            with SQLiteStore(where) as store:
                store[str(where)] = 1
        with SQLiteStore(name, read_only=True) as store:
            assert len(store) == 3
            monkeypatch.chdir("/")
            assert store.path == str(tmp_path / name)
            assert len(list(store)) == len(store)
        assert {
            file.name.removesuffix("-wal").removesuffix("-shm") for file in (tmp_path / name).parent.iterdir()
        } == {os.path.basename(name)}

    @pytest.mark.parametrize(
        "given", ["", ":memory:", "file:x.db", b"x.db", 5, "a\0b", "\ud800", "folder/", 1.5]
    )
    def test_what_is_no_name_of_a_file_is_refused(self, tmp_path, monkeypatch, given):
        monkeypatch.chdir(tmp_path)
        for read_only in (False, True):
            with pytest.raises(InvalidArgumentError):
                SQLiteStore(given, read_only=read_only)
        assert list(tmp_path.iterdir()) == []

    def test_what_is_no_database_is_refused_and_left_alone(self, tmp_path):
        text = tmp_path / "text.db"
        text.write_text("hello " * 1000)
        (tmp_path / "folder").mkdir()
        (tmp_path / "link.db").symlink_to(tmp_path / "nowhere")
        with sql(tmp_path / "other.db") as db:
            db.execute("CREATE TABLE items (id, version, data)")
        with sql(tmp_path / "newer.db") as db:
            db.execute(f"PRAGMA application_id = {_sessions.APPLICATION}")
            db.execute("PRAGMA user_version = 99")
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
        for name, error, match in (
            ("text.db", StoreUnavailableError, "no SQLite database"),
            ("folder", StoreUnavailableError, "is a folder"),
            ("link.db", StoreUnavailableError, "link to a file that is not there|no such database"),
            ("text.db/below.db", StoreUnavailableError, "folder cannot be made|no such database"),
            ("other.db", MismatchError, "another program"),
            ("newer.db", MismatchError, "format 99.*update holdall"),
        ):
            for read_only in (False, True):
                with pytest.raises(error, match=match) as caught:
                    SQLiteStore(tmp_path / name, read_only=read_only)
                assert name in str(caught.value)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before

    def test_nothing_to_read_is_not_found_and_nothing_is_made(self, tmp_path, path):
        with pytest.raises(StoreNotFoundError):
            SQLiteStore(path, read_only=True)
        assert list(tmp_path.iterdir()) == []
        SQLiteStore(path).close()
        with pytest.raises(StoreNotFoundError, match="no table 'other'"):
            SQLiteStore(path, table="other", read_only=True)
        with pytest.raises(InvalidArgumentError):
            SQLiteStore(read_only=True)

    def test_a_table_is_opened_as_it_was_made(self, path):
        with SQLiteStore(path, serializer="json") as store:
            store["x"] = [1]
        with SQLiteStore(path) as store:  # the record tells
            assert (store["x"], store.get_params()["serializer"]) == ([1], "json")
        for options in ({"serializer": "pickle"}, {"keys": PathKeys()}):
            with pytest.raises(MismatchError, match="was made with"):
                SQLiteStore(path, **options)
        with SQLiteStore(path, table="other", serializer="text", keys=PathKeys()) as other:
            other["x"] = "text"
            assert len(other) == 1

    @pytest.mark.parametrize(
        "table", ["a'b\"c", "select", "\u00e9", " x", "x" * 200, "a.b", "items;drop table x", "%"]
    )
    def test_tables_of_any_printable_name_are_apart(self, path, table):
        with SQLiteStore(path) as first, SQLiteStore(path, table=table) as second:
            first["x"] = 1
            second["x"] = "y" * LARGE
            second["x"] = "z" * HUGE
            assert (first["x"], second["x"]) == (1, "z" * HUGE)
            assert first.check() == second.check() == []
            assert pickle.loads(pickle.dumps(second))["x"] == "z" * HUGE
            second.clear()
            assert (len(first), rows_of_large(path, table.replace('"', '""'))) == (1, 0)

    @pytest.mark.parametrize(
        "table", ["", " ", "holdall", "HOLDALL", "sqlite_x", "a:large", "a:Deleted", "a\nb", "x" * 201, 5]
    )
    def test_other_names_of_tables_are_refused(self, tmp_path, path, table):
        with pytest.raises(InvalidArgumentError, match="table is a printable text"):
            SQLiteStore(path, table=table)

    @pytest.mark.parametrize("taken", ["mine", "MINE", "mine:large"])
    def test_a_table_of_somebody_else_is_left_alone(self, path, taken):
        SQLiteStore(path).close()
        with sql(path) as db:
            db.execute(f'CREATE TABLE "{taken}" (a)')
        with pytest.raises(MismatchError, match=f"has '{taken}'.*give another table"):
            SQLiteStore(path, table="mine")
        with pytest.raises(MismatchError, match="upper and lower case"):
            SQLiteStore(path, table="ITEMS")

    @pytest.mark.parametrize(
        "option", [{"timeout": -1}, {"timeout": "5"}, {"timeout": True}, {"durability": "x"}]
    )
    def test_impossible_options_are_refused(self, tmp_path, path, option):
        with pytest.raises(InvalidArgumentError):
            SQLiteStore(path, **option)
        assert list(tmp_path.iterdir()) == []

    def test_a_link_is_followed_to_the_file(self, tmp_path, path):
        link = tmp_path / "links" / "link.db"
        link.parent.mkdir()
        link.symlink_to(path)
        SQLiteStore(path).close()
        with SQLiteStore(path) as store, SQLiteStore(link) as linked:
            linked["x"] = "y" * HUGE
            assert store["x"] == linked["x"]
            assert linked.nbytes == store.nbytes > HUGE
        assert list(link.parent.iterdir()) == [link]

    def test_an_empty_file_is_taken(self, path):
        path.touch(0o600)
        with SQLiteStore(path) as store:
            store["x"] = 1
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


class TestTrust:
    @pytest.mark.parametrize(
        ("mask", "guarded", "plain"), [(0, 0o664, 0o666), (0o022, 0o644, 0o644), (0o077, 0o600, 0o600)]
    )
    def test_modes_follow_the_umask(self, tmp_path, mask, guarded, plain):
        with umask(mask):
            for serializer, mode in (("pickle", guarded), ("json", plain)):
                with SQLiteStore(tmp_path / serializer, serializer=serializer) as store:
                    store["x"] = 1
                    files = list(tmp_path.glob(f"{serializer}*"))
                    assert len(files) == 3
                    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {mode}
                if mode & 0o002:  # whoever names a serializer that runs no code need trust nobody
                    with pytest.raises(UntrustedStoreError):
                        SQLiteStore(tmp_path / serializer)
                with SQLiteStore(tmp_path / serializer, serializer=serializer) as store:
                    assert store["x"] == 1

    def test_a_private_file_is_private(self):
        with umask(0), SQLiteStore() as store:
            assert stat.S_IMODE(os.stat(os.path.dirname(store.path)).st_mode) == 0o700

    @pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
    @pytest.mark.parametrize("by", ["mode", "group", pytest.param("owner", marks=as_root)])
    @pytest.mark.parametrize("linked", [False, True])
    def test_what_others_could_have_written_is_not_unpickled(self, tmp_path, path, suffix, by, linked):
        with SQLiteStore(path) as store:
            store["x"] = 1
        target = f"{path}{suffix}"
        if suffix == "-wal":  # what somebody left who was killed
            leave = f"import os, holdall; s = holdall.SQLiteStore({str(path)!r}); s['y'] = 2; os._exit(0)"
            subprocess.run([sys.executable, "-c", leave], check=True)
            assert os.path.getsize(target) > 0
        elif suffix:
            open(target, "wb").close()
        if by == "owner":
            os.chown(target, 12345, -1)
        elif by == "group":
            other = next((group for group in os.getgroups() if group != os.getegid()), None)
            if os.geteuid() == 0:
                other = 12345
            if other is None:
                pytest.skip("in no other group")
            os.chown(target, -1, other)
            os.chmod(target, 0o660)
        else:
            os.chmod(target, 0o666)
        given = path
        if linked:
            (tmp_path / "links").mkdir()
            given = tmp_path / "links" / "link.db"
            given.symlink_to(path)
        with pytest.raises(UntrustedStoreError, match="trust=True"):
            SQLiteStore(given)
        for options in ({"read_only": True}, {"serializer": "pickle"}):
            with pytest.raises(PermissionError):
                SQLiteStore(given, **options)
        with SQLiteStore(given, trust=True) as store:
            assert store["x"] == 1


# ---------------------------------------------------------------------- reading only, waiting


class TestReadOnly:
    def test_every_write_is_refused_by_name(self, path):
        with SQLiteStore(path) as store:
            store.update({"a": 1, "b": "x" * LARGE})
        with SQLiteStore(path, read_only=True) as store:
            for write in (
                lambda: store.__setitem__("a", 2),
                lambda: store.__setitem__("c", "x" * LARGE),
                lambda: store.update({"a": 2}),
                lambda: store.pop("a"),
                lambda: store.discard("a"),
                lambda: store.__delitem__("absent"),
                lambda: store.setdefault("new", 1),
                store.clear,
                store.vacuum,
                lambda: store.pipeline.persister.writer("a").__enter__(),
            ):
                with pytest.raises(UnsupportedError, match="read_only=True"):
                    write()
            assert (store.copy(), store.check()) == ({"a": 1, "b": "x" * LARGE}, [])
            assert copy.copy(store)["a"] == pickle.loads(pickle.dumps(store))["a"] == 1

    def test_it_sees_what_others_write(self, path):
        with SQLiteStore(path) as store, SQLiteStore(path, read_only=True) as reading:
            store["x"] = 1
            assert reading["x"] == 1
            del store["x"]
            assert "x" not in reading


class TestWaiting:
    def test_a_busy_database_is_waited_for_once(self, path):
        with SqlitePersister(path, timeout=0.2) as place, sql(path) as other:
            place["x"] = b"1"
            other.execute("BEGIN IMMEDIATE")
            for write in (
                lambda: place.put("x", b"2"),
                lambda: place.put("x", bytes(LARGE)),
                lambda: place.write("x", b"2"),
                lambda: place.write_many([("x", b"2")]),
                lambda: place.remove("x"),
                place.clear,
                place.vacuum,
            ):
                sent = []
                place._table.session().connection.set_trace_callback(sent.append)
                start = time.monotonic()
                with pytest.raises(StoreUnavailableError, match=r"locked for over 0.2 s; raise timeout"):
                    write()
                assert 0.1 < time.monotonic() - start < 60  # a hang, not a busy machine
                assert len(set(sent)) == len(sent), "a statement waited more than once"
            assert (place["x"], list(place), place.check()) == (b"1", ["x"], [])
            with SqlitePersister(path, timeout=0.2) as second:
                assert second["x"] == b"1"
            other.execute("ROLLBACK")
            place["x"] = b"2"

    def test_vacuum_tells_that_a_reader_kept_the_log(self, path):
        with SqlitePersister(path, timeout=0.2) as place, sql(path) as other:
            place.write_many((f"{number}", bytes(LARGE)) for number in range(100))
            place.clear()
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM items").fetchall()
            assert place.vacuum() <= 0
            other.execute("COMMIT")
            assert place.vacuum() > 100 * LARGE


# ---------------------------------------------------------------------- threads and the life of connections


def descriptors_of(path):
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue
    return [name for name in found if name.startswith(str(path))]


class TestThreads:
    def test_threads_read_write_and_close_at_random(self, store):
        errors = []
        store.update({(number, "count"): 0 for number in range(4)})

        def work(seed):
            chosen = random.Random(seed)
            try:
                for _ in range(60):
                    number = chosen.randrange(4)
                    store.transform_item(
                        (number, "count"), transformer=lambda value: value + 1, n_retries=None
                    )
                    size = chosen.choice([1, 100, LARGE])
                    store[seed, chosen.randrange(5)] = bytes([seed]) * size
                    for key, value in itertools.islice(store.items(), 20):
                        assert key[1] == "count" or set(value) == {key[0]}
                    store.update({(seed, chosen.randrange(5)): bytes([seed]) * size})
                    store.discard((seed, chosen.randrange(5)))
                    if chosen.random() < 0.1:
                        store.close()
            except BaseException as error:
                errors.append(error)
                raise

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sum(store[number, "count"] for number in range(4)) == 8 * 60
        assert store.check() == []

    @pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
    def test_connections_of_ended_threads_are_closed(self, store):
        store["x"] = "y" * LARGE
        log = f"{store.path}-wal"
        assert descriptors_of(log) == [log]
        counts = []
        for _ in range(5):
            threads = [threading.Thread(target=lambda: store["x"]) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            counts.append(len(descriptors_of(store.path)))
        assert descriptors_of(log) == [log]
        # SQLite keeps descriptors of the file for connections to come, for the locks of others hang on them.
        assert max(counts) <= 2 + 1 + 8
        store.close()
        assert descriptors_of(store.path) == []
        assert store["x"] == "y" * LARGE

    @pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
    def test_refused_and_forgotten_stores_leave_nothing_open(self, path):
        store = SQLiteStore(path)
        store["x"] = 1
        for options in ({"serializer": "json"}, {"value_type": 5}, {"table": "ITEMS"}):
            with pytest.raises((MismatchError, InvalidArgumentError)):
                SQLiteStore(path, **options)
        del store
        gc.collect()
        assert descriptors_of(path) == []

    def test_a_signal_may_use_or_close_the_store_in_the_middle(self, store):
        store["count"] = 0
        store["large"] = b"x" * LARGE
        calls = []

        def handler(*_):
            calls.append(None)
            store["signal", len(calls)] = b"x" * (len(calls) % 2 * LARGE)
            assert store["large"] is not None
            if len(calls) % 5 == 0:
                store.close()

        before = signal.signal(signal.SIGALRM, handler)
        chance = random.Random(7)
        number = 0
        try:
            while len(calls) < 60:
                number += 1
                # One signal a round: a timer that goes on would interrupt a slow handler again and again.
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(50e-6, 1e-3))
                store[number % 50] = number
                assert store[number % 50] == number
                store["large"] = b"%d" % number * LARGE
                assert store["large"] == b"%d" % number * LARGE
                store.update({(n,): number for n in range(20)})
                assert sum(1 for _ in store) > 20
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert store.check() == []

    def test_a_finalizer_may_use_the_store(self, store):
        class Farewell:
            def __del__(self):
                store["farewell"] = store.get("farewell", 0) + 1

        def pairs():
            for number in range(12_000):
                thing = Farewell() if number % 1000 == 0 else None
                yield number, number
                del thing

        store.update(pairs())
        assert store["farewell"] == 12

    def test_nothing_is_reported_when_a_program_ends(self, path):
        code = f"""
import threading
from holdall import SQLiteStore
store = SQLiteStore({str(path)!r})
store.update({{number: "x" * number for number in range(2000)}})
view, iterator = store.get_subdict(("a",)), iter(store.items())
next(iterator)
file = store.pipeline.persister.reader("!1999")
thread = threading.Thread(target=lambda: store[1]); thread.start(); thread.join()
class Late:
    def __del__(self): store["late"] = 1
late = Late()
"""
        run = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
        with SQLiteStore(path) as store:
            assert len(store) in {2000, 2001}


# ---------------------------------------------------------------------- as a store


class TestStore:
    def test_handles_are_copied_pickled_and_shown(self, path):
        with SQLiteStore(path, value_type=int, timeout=5) as store:
            store["part/a"] = 1
            for again in (copy.copy(store), pickle.loads(pickle.dumps(store)), store.get_subdict("part")):
                assert sum(again.values()) == 1
                assert again.path == str(path)
                with pytest.raises(InvalidArgumentError):
                    again["b"] = "text"
            assert SQLiteStore(**store.get_params()) == store
            assert store.get_params()["path"] == str(path)
            assert "SQLiteStore" in repr(store)
            assert "part/a" in store._repr_html_()

    def test_a_closed_store_opens_again(self, path):
        with SQLiteStore(path) as store:
            store["x"] = 1
        assert store["x"] == 1
        store.close()
        store.close()
        assert list(store.items()) == [("x", 1)]
        store.close()

    def test_append_only_holds_for_every_verb(self, path):
        with SQLiteStore(path, append_only=True) as store:
            store["x"] = 1
            store["y"] = "large" * LARGE
            for write in (
                lambda: store.__setitem__("x", 2),
                lambda: store.update(x=2),
                lambda: store.pop("y"),
                store.clear,
                lambda: store.__delitem__("x"),
            ):
                with pytest.raises(ReadOnlyError):
                    write()
            assert store == {"x": 1, "y": "large" * LARGE}
            assert store.check() == []
            assert store.newest_keys() == ["y", "x"]

    def test_a_store_over_the_persister_takes_hooks(self, path):
        class Numbered(Store):
            def _id_of_key(self, key):
                return f"n{key}"

            def _key_of_id(self, id):
                return int(id[1:])

            def _data_of_obj(self, obj):
                return str(obj).encode()

            def _obj_of_data(self, data):
                return data.decode()

        with SqlitePersister(path) as place:
            store = Numbered(place)
            store.update({1: "a", 2: "b" * LARGE})
            assert (store.copy(), store.newest_keys(1)) == ({1: "a", 2: "b" * LARGE}, [2])

            class Wrong(Store):
                def _id_of_key(self, key):
                    return key

            wrong = Wrong(place)
            assert (wrong.get(5), 5 in wrong, wrong.discard(5)) == (None, False, False)
            with pytest.raises(InvalidKeyError, match="ids are text, got int"):
                wrong[5] = b"x"

    def test_overrides_of_a_wrapper_are_obeyed(self, place):
        place.write_many([("a", b"1"), ("b", b"2"), ("secret", b"3")])
        assert len({place.stat(id).mtime for id in place}) == 3

        class Hiding(PersisterWrapper):
            def __iter__(self):
                return (id for id in self.inner if id != "secret")

        class Shouting(PersisterWrapper):
            def __getitem__(self, id):
                return self.inner[id] + b"!"

        class Aging(PersisterWrapper):
            def stat(self, id):
                return self.inner.stat(id)._replace(mtime=-float(ord(id[0])), etag="same")

        for wrapped in (PersisterWrapper(place), Hiding(place), Shouting(place), Aging(place)):
            store = Store(wrapped, keys=(str.lower, str.lower))
            ids = sorted(wrapped)
            assert sorted(store) == sorted(wrapped.ids()) == ids == sorted(wrapped.by_age())
            assert len(wrapped) == len(ids) == len(dict(wrapped.scan()))
            assert [id for page in wrapped.pages("") for id in page] == ids
            assert dict(store.items()) == {id: wrapped[id] for id in ids}
            assert dict(wrapped.scan()) == {id: wrapped.stat(id) for id in ids}
            assert list(wrapped.by_age()) == sorted(ids, key=lambda name: wrapped.stat(name).mtime)
            assert wrapped.read("a") == (wrapped["a"], wrapped.stat("a"))
        assert list(Aging(place).by_age(limit=1)) == ["secret"]
        assert Shouting(place).contents() is None
        assert next(PersisterWrapper(place).contents())[0] == ("a", b"1")

    def test_the_defaults_agree_with_the_overrides(self, place):
        place.write_many((f"{number % 7}/{number}", bytes(number % 3 * LARGE)) for number in range(300))
        for prefix in ("", "3/", "none"):
            for newest in (False, True):
                for limit in (None, 0, 1, 17, 1000, -1):
                    mine = [place.stat(id).mtime for id in place.by_age(prefix, newest=newest, limit=limit)]
                    theirs = [
                        place.stat(id).mtime
                        for id in Reader.by_age(place, prefix, newest=newest, limit=limit)
                    ]
                    assert mine == theirs
