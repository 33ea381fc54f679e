"""A table of SQLite as a place: ids, data of all sizes, damage, versions, update, iteration."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit._sqlite_support import HUGE, LARGE, rows_of_large, sql

from exploring import examples, in_soak
from holdall import (
    DELETE_CURRENT,
    ITEM_NOT_AVAILABLE,
    ConflictError,
    CorruptValueError,
    InvalidArgumentError,
    InvalidKeyError,
    ReadOnlyError,
    SerializationError,
    SQLiteStore,
    StoreUnavailableError,
)
from holdall.persisters.sqlite import SqlitePersister, _sessions, _table, _writing, persister
from holdall.persisters.sqlite._schema import INLINE
from holdall.testing._names import HOSTILE_NAMES
from open_files import open_below

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
    @pytest.mark.parametrize("serializer", [*in_soak("bytes"), "pickle"])
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
    COUNT = 5000

    @pytest.fixture(autouse=True)
    def _batches(self, monkeypatch):
        """Let an update take several batches."""
        monkeypatch.setattr("holdall.persisters.sqlite._batches.BATCH", 2000)

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

    @pytest.mark.parametrize("at", [0, 5, 1999, 2000, 2001, 4999])
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
                if number == 3000:
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

    def test_abandoned_iterators_hold_nothing(self, path, store):
        store.update({number: "x" * (number % 2 * LARGE) for number in range(500)})
        iterators = [iter(store), iter(store.items()), iter(store.values()), store.pipeline.persister.scan()]
        for iterator in iterators:
            next(iterator)
        descriptors = open_below(path)
        store["x"] = 1
        assert store.vacuum() is not None
        store.close()
        if descriptors:
            assert len(open_below(path)) < len(descriptors)
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
