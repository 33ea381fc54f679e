"""What tables of SQL are asked for beyond the contracts, mostly of a real PostgreSQL."""

import contextlib
import itertools
import multiprocessing
import os
import pickle
import secrets
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing

import psycopg
import pytest
import sqlalchemy

import holdall
from engines._dropping import Dropping
from engines._postgres import Server
from exploring import in_soak
from holdall import FileDirStore, SQLRows, SQLStore, memoize
from holdall.errors import (
    CorruptValueError,
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    OutcomeUnknownError,
    StoreTimeoutError,
    StoreUnavailableError,
    UnsupportedError,
    ValueTooLargeError,
)
from holdall.persisters.sql import MAX_KEY, SqlPersister
from holdall.persisters.sql._dialect import PAGE_BYTES

KEYS = [
    "a",
    "A",
    "a ",
    "á",
    "ß",
    "ss",
    "İ",
    "\u00e9",
    "e\u0301",
    "a\0",
    "🙂",
    "🙃",
    "",
    "\ud800",
    "a_1",
    "a%1",
    "ab1",
    "\uffff",
]


MYSQL = os.environ.get("HOLDALL_TEST_MYSQL")
SERVERS = ["postgres", *(["mysql"] if MYSQL else [])]


@pytest.fixture(params=["sqlite", *SERVERS])
def url(request, tmp_path):
    if request.param == "mysql":
        return MYSQL
    return (
        f"sqlite:///{tmp_path}/x.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    )


@pytest.fixture
def table():
    return f"t{uuid.uuid4().hex}"


@pytest.fixture
def own(tmp_path):
    server = Server(tmp_path)
    yield server
    server.stop()


# ---------------------------------------------------------------------- keys and values


def test_keys_are_told_apart_by_their_bytes(url, table):
    place = SqlPersister(url, table=table)
    for number, key in enumerate(KEYS):
        place[key] = b"%d" % number
    assert {key: int(data) for key, data in place.read_many(KEYS)} == {key: n for n, key in enumerate(KEYS)}
    by_bytes = sorted(KEYS, key=lambda key: key.encode("utf-8", "surrogatepass"))
    assert list(place) == list(place.ids()) == by_bytes
    for prefix in ("a", "a_", "a%", "\ud7ff", "\ud800", "\uffff", "🙂", "z"):
        assert list(place.ids(prefix)) == [key for key in by_bytes if key.startswith(prefix)]


def test_columns_are_bytes_which_no_collation_compares(url, table):
    """Servers of tests may know no collation but that of bytes, and would order text as well."""
    place = SqlPersister(url, table=table)
    columns = sqlalchemy.inspect(place._server.engine).get_columns(table)
    key, version, _, data = [str(column["type"].compile(place._server.engine.dialect)) for column in columns]
    assert key in {"BYTEA", "BLOB", f"VARBINARY({MAX_KEY})"}
    assert version in {"BYTEA", "BLOB", "VARBINARY(16)"}
    assert data in {"BYTEA", "BLOB", "LONGBLOB"}


def test_more_keys_than_a_page(url, table):
    store = SQLStore(url, table=table)
    store.update({("n", n): n for n in range(1203)})
    assert sorted(store.items()) == [(("n", n), n) for n in range(1203)]
    assert len(store) == len(set(store)) == 1203
    assert len(store.get_subdict(("n",))) == 1203
    store.clear()
    assert len(store) == 0


def test_long_keys_are_refused_whatever_they_are_made_of(url, table):
    place = SqlPersister(url, table=table)
    for text in ("x" * MAX_KEY, os.urandom(MAX_KEY // 2).hex()):
        place[text] = b"1"
        assert place[text] == b"1"
        for wrong in (text + "y", "é" * (MAX_KEY // 2 + 1), 5):
            with pytest.raises(InvalidKeyError):
                place[wrong] = b"2"
            with pytest.raises(KeyError):
                place[wrong]
            assert wrong not in place
    with pytest.raises(InvalidKeyError):
        place.write_many([("fine", b"1"), ("x" * 3000, b"2")])
    assert "fine" not in place, "update is one transaction"
    assert list(place.read_many(["x" * 3000, "absent"])) == []


def test_values_over_the_limit_are_refused(url, table, monkeypatch):
    place = SqlPersister(url, table=table)
    place["a"] = b"old"
    place._sql = place._sql._replace(max_data=10)
    with pytest.raises(ValueTooLargeError, match="11 bytes"):
        place["a"] = b"x" * 11
    assert place["a"] == b"old"
    large = os.urandom(3_000_000)
    place = SqlPersister(url, table=table)
    place["large"] = [large[:10], memoryview(large)[10:]]
    assert place["large"] == large


@pytest.mark.skipif(not MYSQL, reason="HOLDALL_TEST_MYSQL names no server")
def test_the_limit_of_mysql_is_that_of_its_packets_mysql(table):
    place = SqlPersister(MYSQL, table=table)
    for fill in (b"\0", b"x", b"\xff", b"'"):
        data = fill * place._sql.max_data
        place["a"] = data
        assert place["a"] == data
        with pytest.raises(ValueTooLargeError):
            place["a"] = data + b"y"
    place.write_many((f"b{n}", b"\0" * (place._sql.max_data // 3)) for n in range(9))
    assert len(place) == 10


def test_large_values_are_read_few_at_once_wherever_they_lie(url, table, monkeypatch):
    place = SqlPersister(url, table=table)
    largest = min(5_000_000, place._sql.max_data)  # a server may take less
    sizes = [10] * 600 + [1_000_000] * 20 + [10, largest, 10, 9_000, 8_000]
    items = {f"{n:03}": os.urandom(1) * size for n, size in enumerate(sizes)}
    place.write_many(items.items())
    read, run = [], place._server.run

    def weighed(what, action, **options):
        rows = run(what, action, **options)
        read.append(sum(len(row[-1] or b"") for row in rows))
        return rows

    monkeypatch.setattr(place._server, "run", weighed)
    assert [item for page in place.contents() for item in page] == list(items.items())
    asked = [*reversed(items), "absent", "003", "620", "x" * 3000]
    assert list(place.read_many(asked)) == [(key, items[key]) for key in asked if key in items]
    assert max(read) <= max(largest, PAGE_BYTES), "a single value, and else four megabytes"
    assert sorted(read)[-3] <= PAGE_BYTES


def test_what_is_deleted_while_it_is_read_is_left_out(url, table):
    place = SqlPersister(url, table=table)
    place.write_many((f"{n}", b"x" * 3_000_000) for n in range(4))
    reading = itertools.chain.from_iterable(place.contents())
    assert next(reading)[0] == "0"
    del place["2"]
    assert [key for key, _ in reading] == ["1", "3"]


# ---------------------------------------------------------------------- several writers


def test_one_of_several_first_writers_wins(postgres_url, table):
    store = SQLStore(postgres_url, table=table)
    found = [[] for _ in range(20)]
    barrier = threading.Barrier(8)

    def work(number):
        barrier.wait()
        for n in range(20):
            found[n].append(store.setdefault(n, number))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(answers) == 8 and len(set(answers)) == 1 for answers in found)


@pytest.mark.parametrize("url", [*in_soak("sqlite"), *SERVERS], indirect=True)
def test_no_count_of_processes_is_lost(url, table):
    program = (
        "import sys, holdall\n"
        "store = holdall.SQLStore(sys.argv[1], table=sys.argv[2])\n"
        "for _ in range(50): store.increment('n')"
    )
    SQLStore(url, table=table)["n"] = 0
    workers = [subprocess.Popen([sys.executable, "-c", program, url, table]) for _ in range(4)]
    assert [worker.wait(120) for worker in workers] == [0] * 4
    assert SQLStore(url, table=table)["n"] == 200


def test_two_who_make_the_table_at_once(postgres_url):
    for _ in range(5):
        name, made, barrier = f"t{uuid.uuid4().hex}", [], threading.Barrier(6)

        def make(name=name, made=made, barrier=barrier):
            barrier.wait()
            made.append(SQLStore(postgres_url, table=name))

        threads = [threading.Thread(target=make) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 6


def test_a_transaction_is_all_or_nothing(url, table):
    store, other = SQLStore(url, table=table), SQLStore(url, table=table)
    with store.transaction():
        store["a"] = 1
        store.increment("a")
        assert store["a"] == 2
        if not url.startswith("sqlite"):
            assert "a" not in other
    assert other["a"] == 2

    class StopError(Exception):
        pass

    def fails():
        with store.transaction():
            store.update(b=1, c=2)
            del store["a"]
            raise StopError

    with pytest.raises(StopError):
        fails()
    assert dict(other) == {"a": 2}


def test_transactions_that_wait_for_each_other_end(url, table):
    """One waits in the server and one in a thread, so that no server sees the deadlock."""
    second = f"{url}2" if url.startswith("sqlite") else url
    stores = [
        SQLStore(url, table=table, timeout=1),
        SQLStore(second, table=f"{table}b", timeout=1),
    ]
    barrier, ended = threading.Barrier(2), []

    def work(outer, inner):
        try:
            with outer.transaction():
                outer["n"] = 1
                barrier.wait()
                with inner.transaction():
                    inner["n"] = 1
        except StoreTimeoutError as error:
            ended.append(error)
        else:
            ended.append(None)

    threads = [threading.Thread(target=work, args=order, daemon=True) for order in (stores, stores[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 2
    assert any(ended)
    assert all(len(store) == ended.count(None) for store in stores), "all or nothing"


def test_who_waits_for_a_transaction_of_its_own_is_told(url, table):
    store = SQLStore(url, table=table)
    other = pickle.loads(pickle.dumps(SQLStore(url, table=table, timeout=0.2)))
    with store.transaction():
        store["a"] = 1
        for write in (lambda: other.__setitem__("a", 2), lambda: other.update(a=2)):
            with pytest.raises(StoreTimeoutError, match=r"[nN]othing was changed"):
                write()
        with pytest.raises(StoreTimeoutError, match="no transaction can be begun"), other.transaction():
            pass
    assert dict(other) == {"a": 1}
    with pytest.raises(InvalidArgumentError, match="timeout"):
        SQLStore(url, table=table, timeout=-1)


def test_rows_do_not_wait_without_end(postgres_url, table, monkeypatch):
    monkeypatch.setattr("holdall.persisters.sql._engine.PATIENCE", 0.1)
    limits = {}
    with psycopg.connect(postgres_url) as other:
        other.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT)")
        other.execute(f"INSERT INTO {table} VALUES (1, 'Ann')")
        other.commit()
        for option in ("", "?options=-c%20lock_timeout%3D20ms"):
            with SQLRows(f"{postgres_url}{option}", table) as rows:
                other.execute(f"SELECT * FROM {table} FOR UPDATE")
                with pytest.raises(StoreTimeoutError, match="lock timeout"):
                    rows[1] = {"name": "Bob"}
                other.rollback()
                with rows.pipeline.persister.engine.connect() as connection:
                    limits[option] = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    assert list(limits.values()) == ["100ms", "20ms"]


# ---------------------------------------------------------------------- lost answers, dead servers


def test_an_increment_whose_answer_is_lost_counts_once(own):
    SQLStore(own.url)["n"] = 0
    acknowledged = unknown = 0
    with Dropping(own.port, 13) as proxy:
        store = SQLStore(f"postgresql://holdall@{proxy}/postgres")
        for _ in range(120):
            try:
                store.increment("n")
            except OutcomeUnknownError:
                unknown += 1
            else:
                acknowledged += 1
        store.close()
    total = SQLStore(own.url)["n"]
    assert acknowledged <= total <= acknowledged + unknown
    assert acknowledged > 60


def test_a_killed_server_keeps_what_it_acknowledged(own):
    store = SQLStore(own.url, table="kept")
    acknowledged = []
    for turn in range(3):
        killer = threading.Timer(0.1, own.kill)
        killer.start()
        for n in itertools.count():
            try:
                store[turn, n] = "x" * 500
            except (StoreUnavailableError, OutcomeUnknownError):
                break
            acknowledged.append((turn, n))
        killer.join()
        own.start()
        there = dict(store.items())
        assert all(there[key] == "x" * 500 for key in acknowledged)
        assert set(there.values()) == {"x" * 500}, "no half value"
    assert len(acknowledged) > 3


def test_forked_children_have_connections_of_their_own(postgres_url, table):
    store = SQLStore(postgres_url, table=table)
    store.update({n: n for n in range(50)})

    def read(numbers):
        ok = all(store[n] == n for n in numbers for _ in range(2))
        os._exit(0 if ok else 1)

    children = [multiprocessing.get_context("fork").Process(target=read, args=(range(50),)) for _ in range(4)]
    for child in children:
        child.start()
    assert all(store[n] == n for n in range(50))
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    assert store[7] == 7


# ---------------------------------------------------------------------- faults in the middle


class Fault:
    """Let a statement of a place end as if its answer had been lost, after something else has happened."""

    def __init__(self, place, monkeypatch, *, executed, then=lambda: None):
        self.place, self.executed, self.then, self.left = place, executed, then, 1
        self.run = place._server.run
        monkeypatch.setattr(place._server, "run", self)
        monkeypatch.setattr(place._server, "is_lost", lambda error: str(error) == "lost")

    def __call__(self, what, action, *, again=True, large=False):
        if again or not self.left:
            return self.run(what, action, again=again)
        self.left -= 1
        if self.executed:
            self.run(what, action, again=again)
        self.then()
        raise StoreUnavailableError(0, "no answer", "here") from sqlite3.OperationalError("lost")


@pytest.fixture
def two(tmp_path):
    url = f"sqlite:///{tmp_path}/x.db"
    with SqlPersister(url) as one, SqlPersister(url) as other:
        yield one, other


def test_a_lost_answer_is_no_reason_to_write_twice(two, monkeypatch):
    one, other = two
    Fault(one, monkeypatch, executed=True, then=lambda: other.write("a", b"2", other.stat("a").etag))
    with pytest.raises(OutcomeUnknownError):
        one["a"] = b"1"
    assert other["a"] == b"2"


def test_a_write_that_comes_late_after_all_is_no_conflict(two, monkeypatch):
    """What was sent again changed nothing, since the first one was there by then."""
    one, _ = two
    one["a"] = b"0"
    fault = Fault(one, monkeypatch, executed=False)
    stat, late = one.stat, []

    def looks(id):
        found = stat(id)
        if not fault.left and not late:  # the statement that was lost is executed only now
            late.append(1)
            with closing(sqlite3.connect(one._server.engine.url.database)) as server, server:
                server.execute("UPDATE items SET version = ?, data = ?", (fault.version, b"1"))
            server.close()
        return found

    monkeypatch.setattr(one, "stat", looks)
    monkeypatch.setattr(secrets, "token_bytes", lambda n: setattr(fault, "version", b"v" * n) or b"v" * n)
    assert one.write("a", b"1", stat("a").etag).etag == (b"v" * 12).hex()
    assert one["a"] == b"1"


def test_a_transaction_in_which_a_statement_failed_is_not_made(own):
    store = SQLStore(own.url)
    with psycopg.connect(own.url, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION no() RETURNS trigger AS $$ BEGIN RAISE 'refused'; END $$ LANGUAGE plpgsql;"
            "CREATE TRIGGER no BEFORE DELETE ON items FOR EACH ROW EXECUTE FUNCTION no()"
        )
    store["a"] = 1

    def work():
        with store.transaction():
            store["b"] = 2
            with contextlib.suppress(StoreUnavailableError):
                del store["a"]

    with pytest.raises(StoreUnavailableError, match="refused"):
        work()
    assert dict(store) == {"a": 1}

    with store.transaction():  # one within another is undone by itself
        store["b"] = 2
        with pytest.raises(StoreUnavailableError, match="refused"), store.transaction():
            del store["a"]
        store["c"] = 3
    assert dict(store) == {"a": 1, "b": 2, "c": 3}


def test_connections_that_a_restart_has_ended_are_not_used(own):
    """Neither reads nor writes nor transactions notice, for nothing was sent on what is dead."""
    store = SQLStore(own.url)
    store["a"] = 0

    def begin():
        with store.transaction():
            store["a"] = 2

    for use in (lambda: store.__setitem__("a", 1), begin, lambda: store.update(a=3), lambda: store.pop("a")):
        own.kill()
        own.start()
        use()
    assert "a" not in store


def test_a_commit_whose_answer_is_lost_is_told(own):
    store = SQLStore(own.url)
    store["a"] = 0

    def work():
        with store.transaction():
            store["a"] = 1
            connection = store.pipeline.persister._server._own.connection
            with psycopg.connect(own.url, autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 20000)", (connection.info.backend_pid,))

    with pytest.raises(OutcomeUnknownError):
        work()
    assert store["a"] == 0
    store["a"] = 2
    assert store["a"] == 2


def test_updates_that_lock_each_other_out_are_made_one_after_the_other(postgres_url, table):
    stores = [SQLStore(postgres_url, table=table) for _ in range(2)]
    numbers = range(600)  # more than a batch
    errors, barrier = [], threading.Barrier(2)

    def work(store, order):
        barrier.wait()
        for turn in range(4):
            try:
                store.update((n, turn) for n in order)
            except Exception as error:
                errors.append(error)

    orders = (numbers, reversed(numbers))
    threads = [threading.Thread(target=work, args=(s, list(o))) for s, o in zip(stores, orders, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(stores[0]) == 600


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_who_was_in_the_way_is_told_and_updates_begin_again(own, code):
    """As after a deadlock, or where transactions are serializable: PostgreSQL undoes one of them."""
    store = SQLStore(own.url)
    with psycopg.connect(own.url, autocommit=True) as admin:
        admin.execute(
            "CREATE SEQUENCE turns; CREATE FUNCTION no() RETURNS trigger AS $$ BEGIN IF nextval('turns') = 2 "
            f"THEN RAISE 'in the way' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql;"
            "CREATE TRIGGER no BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION no()"
        )
        store.update(a=1, b=2)
        assert dict(store) == {"a": 1, "b": 2}

        def work():
            with store.transaction():
                store["c"] = 3
                store.update(d=4)

        admin.execute("SELECT setval('turns', 1, false)")
        with pytest.raises(StoreTimeoutError, match="nothing was changed; try again"):
            work()
    assert dict(store) == {"a": 1, "b": 2}
    work()
    assert dict(store) == {"a": 1, "b": 2, "c": 3, "d": 4}


def test_options_of_an_address_reach_the_driver(postgres_url, table):
    address = f"{postgres_url}?application_name=a%20b&connect_timeout=7&append_only=true&options=-c%20"
    with holdall.open(f"{address}lock_timeout%3D10ms#{table}", serializer="text", keepalives=1) as store:
        store["a"] = "x"
        with pytest.raises(holdall.errors.ReadOnlyError):
            store["a"] = "y"
        server = store.pipeline.persister.inner._server
        info = server.run("", lambda cursor: cursor.connection.info.get_parameters())
        assert (info["application_name"], info["connect_timeout"], info["keepalives"]) == ("a b", "7", "1")
        with psycopg.connect(postgres_url) as other:
            other.execute(f"LOCK TABLE {table}")
            with pytest.raises(StoreTimeoutError, match="lock timeout"):
                store["b"] = "x"
    for wrong in ("tabel=x", "connect_timeout=no"):
        with pytest.raises((InvalidArgumentError, StoreUnavailableError), match=wrong.partition("=")[0]):
            holdall.open(f"{postgres_url}?{wrong}")
    with pytest.raises(InvalidArgumentError, match="refuses an option"):
        holdall.open(f"{postgres_url}?tabel=x")
    with pytest.raises(InvalidArgumentError, match="refuses an option"):
        SQLStore("mysql://user@127.0.0.1:1/x?tabel=x")


def test_what_an_address_quotes_is_for_the_driver(own):
    with psycopg.connect(own.url, autocommit=True) as admin:
        admin.execute('CREATE ROLE "some@body"  LOGIN; GRANT ALL ON SCHEMA public TO "some@body"')
    address = own.url.replace("holdall@", "some%40body:p%3F%40%23@") + "?password=secret"
    store = holdall.open(address)
    store["a"] = 1
    assert "secret" not in store.pipeline.persister.place


def test_an_engine_connects_as_it_was_made_to(postgres_url, table):
    made = []

    def connect():
        made.append(psycopg.connect(postgres_url, application_name="of its own"))
        return made[-1]

    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=connect)
    with SQLStore(engine, table=table) as store:
        store["a"] = 1
    assert made
    assert made[0].closed


def test_a_wrong_password_is_told(own):
    with psycopg.connect(own.url, autocommit=True) as admin:
        admin.execute("CREATE ROLE somebody LOGIN PASSWORD 'right'; GRANT ALL ON SCHEMA public TO somebody")
        (path,) = admin.execute("SHOW hba_file").fetchone()
        with open(path) as file:
            rules = file.read()
        with open(path, "w") as file:
            file.write("host all somebody 127.0.0.1/32 scram-sha-256\n" + rules)
        admin.execute("SELECT pg_reload_conf()")
    url = own.url.replace("holdall@", "somebody:{}@")
    with pytest.raises(StoreUnavailableError, match="password authentication failed") as caught:
        SQLStore(url.format("wrong"))
    assert "wrong" not in str(caught.value)
    SQLStore(url.format("right"))["a"] = 1


@pytest.mark.soak
def test_exactly_as_many_as_were_counted(url, table):
    program = (
        "import sys, holdall\n"
        "store = holdall.SQLStore(sys.argv[1], table=sys.argv[2])\n"
        "for _ in range(100): store.increment('n')"
    )
    store = SQLStore(url, table=table)
    for _ in range(5):
        store["n"] = 0
        threads = [
            threading.Thread(target=lambda: [store.increment("n") for _ in range(50)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store["n"] == 400
        workers = [subprocess.Popen([sys.executable, "-c", program, url, table]) for _ in range(4)]
        assert [worker.wait(120) for worker in workers] == [0] * 4
        assert store["n"] == 800


# ---------------------------------------------------------------------- opening


def test_an_engine_is_taken_with_its_settings(postgres_url, table):
    engine = sqlalchemy.create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    store = SQLStore(engine, table=table)
    store["a"] = 1
    assert SQLStore(postgres_url, table=table)["a"] == 1
    assert pickle.loads(pickle.dumps(store.pipeline.persister))["a"] == b"1"
    engine.dispose()


def test_statements_are_not_prepared_behind_a_pooler_of_transactions(postgres_url, table):
    url = f"{postgres_url}?prepare_threshold=none"
    for store in (SQLStore(url, table=table), pickle.loads(pickle.dumps(SQLStore(url, table=table)))):
        store.update({number: number for number in range(20)})
        assert [store[number] for number in range(20)] == list(range(20))
        assert dict(store.items()) == {number: number for number in range(20)}
        prepared = store.pipeline.persister._server.run("", _prepared)
        assert prepared == 0
        store.close()
    with SQLRows(url, table) as rows:
        assert len(rows) == 20
    with pytest.raises(InvalidArgumentError, match="'none'"):
        SQLStore(f"{postgres_url}?prepare_threshold=often", table=table)


def _prepared(cursor):
    cursor.execute("SELECT COUNT(*) FROM pg_prepared_statements")
    return cursor.fetchone()[0]


@pytest.mark.parametrize(("option", "seconds"), [("", 60), ("?timeout=7", 7)])
def test_files_of_sqlite_wait_for_other_writers_as_sqlite_stores_do(tmp_path, option, seconds):
    place = SQLStore(f"sqlite:///{tmp_path}/x.db{option}", table="t").pipeline.persister
    asked = place._server.run("", lambda cursor: cursor.execute("PRAGMA busy_timeout").fetchone())
    assert asked == (seconds * 1000,)


def test_what_cannot_be_opened_says_why(tmp_path, postgres_url):
    for wrong in ("no url", 5, "nonsense://x/y", "sqlite://", "sqlite:///:memory:"):
        with pytest.raises(InvalidArgumentError):
            SQLStore(wrong)
    for wrong in ("", 5, "a\0b"):
        with pytest.raises(InvalidArgumentError, match="table"):
            SQLStore(f"sqlite:///{tmp_path}/x.db", table=wrong)
    with pytest.raises(UnsupportedError, match=r"oracle:// needs the module"):
        SQLStore("oracle://user@host/x")
    with pytest.raises(StoreUnavailableError, match="no connection") as caught:
        SQLStore("postgresql://user:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreUnavailableError, match="does not exist"):
        SQLStore(postgres_url.replace("/postgres", "/nothing"))
    with closing(sqlite3.connect(tmp_path / "other.db")) as other, other:
        other.execute("CREATE TABLE items (a, b)")
    other.close()
    with pytest.raises(MismatchError, match="other columns"):
        SQLStore(f"sqlite:///{tmp_path}/other.db")


def test_who_may_only_read_may_open_the_table(own):
    SQLStore(own.url, table="shared")["a"] = 1
    with psycopg.connect(own.url, autocommit=True) as admin:
        admin.execute("CREATE ROLE reader LOGIN")
        admin.execute("GRANT SELECT ON shared TO reader")
    reader = SQLStore(own.url.replace("holdall@", "reader@"), table="shared")
    assert reader["a"] == 1
    with pytest.raises(StoreUnavailableError, match="permission denied"):
        reader["a"] = 2


def test_odd_names_of_tables(url):
    store = SQLStore(url, table='we"ird; DROP TABLE x -- %s ? {marks}')
    store["a"] = 1
    assert dict(store) == {"a": 1}
    store.clear()
    assert len(store) == 0
    with pytest.raises(InvalidArgumentError, match="name of a table"):
        SQLStore(url, table="\ud800")


def test_what_somebody_edited_by_hand_in_sqlite_is_read_or_told(tmp_path):
    store = SQLStore(f"sqlite:///{tmp_path}/x.db")
    store.update({"a": 1, "b": 2, "c": 3})
    with closing(sqlite3.connect(tmp_path / "x.db")) as database, database:
        database.execute("UPDATE items SET data = '{\"x\": [1]}' WHERE key = CAST('a' AS BLOB)")
        database.execute("UPDATE items SET data = 5 WHERE key = CAST('b' AS BLOB)")
    assert (store["a"], dict(store)) == ({"x": [1]}, {"a": {"x": [1]}, "b": 5, "c": 3})
    assert store.transform_item("a", lambda value: value["x"]).new_value == [1]
    with closing(sqlite3.connect(tmp_path / "x.db")) as database, database:
        database.execute("UPDATE items SET version = 'mine' WHERE key = CAST('b' AS BLOB)")
    with pytest.raises(CorruptValueError, match="write it anew"):
        store.increment("b")
    store["b"] = 6
    assert store.increment("b") == 7
    with closing(sqlite3.connect(tmp_path / "x.db")) as database, database:
        database.execute("UPDATE items SET key = x'ff00' WHERE key = CAST('c' AS BLOB)")
    database.close()
    with pytest.raises(CorruptValueError, match="no text in UTF-8"):
        list(store)


def test_addresses_copies_and_memoize(url, table, tmp_path):
    store = holdall.open(f"{url}#{table}") if url.startswith("postgresql") else SQLStore(url, table=table)
    store.update({"a": 1, "b": 2})
    assert store.copy_to(FileDirStore(tmp_path / "copy", serializer="json")) == 2
    calls = []

    @memoize(SQLStore(url, table=table + "m", serializer="pickle"), version=1, name="f")
    def square(n):
        calls.append(n)
        return n * n

    assert (square(3), square(3), calls) == (9, 9, [3])
    before = store.timestamp("a")
    time.sleep(0.01)
    store["a"] = 1
    assert store.timestamp("a") > before
    assert store.newest_keys(1) == ["a"]
