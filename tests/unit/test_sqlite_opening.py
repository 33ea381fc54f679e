"""A SQLite file is opened, read only, waited for, used by threads, and used as a store."""

import copy
import gc
import itertools
import os
import pickle
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from tests.unit._sqlite_support import HUGE, LARGE, rows_of_large, sql

from holdall import (
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    PersisterWrapper,
    ReadOnlyError,
    SQLiteStore,
    Store,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.abc import Reader
from holdall.keys import PathKeys
from holdall.persisters.sqlite import SqlitePersister, _sessions
from open_files import open_below

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


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
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


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
        assert open_below(log) == [log]
        counts = []
        for _ in range(5):
            threads = [threading.Thread(target=lambda: store["x"]) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            counts.append(len(open_below(store.path)))
        assert open_below(log) == [log]
        # SQLite keeps descriptors of the file for connections to come, for the locks of others hang on them.
        assert max(counts) <= 2 + 1 + 8
        store.close()
        assert open_below(store.path) == []
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
        assert open_below(path) == []

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
