"""Tables that others have designed, as mappings of their rows, and databases as mappings of their tables."""

import datetime as dt
import decimal
import errno
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import uuid
from contextlib import closing

import pytest
import sqlalchemy as sa

from holdall import ITEM_NOT_AVAILABLE, MemoryStore, SQLRows, SQLStore, SQLTables
from holdall.errors import (
    ConflictError,
    CorruptValueError,
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    ReadOnlyError,
    StoreNotFoundError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from holdall.testing import StoreContract
from holdall.wrappers import wrap_kvs

MYSQL = os.environ.get("HOLDALL_TEST_MYSQL")


# Laws of processes, each of which imports drivers, take those that are servers.
SERVERS = ["postgres", *(["mysql"] if MYSQL else [])]


@pytest.fixture(params=["sqlite", *SERVERS])
def url(request, tmp_path):
    if request.param == "mysql":
        return MYSQL
    return (
        f"sqlite:///{tmp_path}/x.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    )


@pytest.fixture
def database(url):
    """Give a connection to the database, in which each statement counts at once."""
    name = url.replace("postgresql:", "postgresql+psycopg:").replace("mysql:", "mysql+pymysql:")
    engine = sa.create_engine(name, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def name(database):
    made = f"t{uuid.uuid4().hex}"
    yield made
    kind = "VIEW" if sa.inspect(database).has_table(made + "_view") else ""
    if kind:
        database.exec_driver_sql(f"DROP VIEW {made}_view")
    database.exec_driver_sql(f"DROP TABLE {made}")


@pytest.fixture
def users(url, database, name):
    database.exec_driver_sql(
        f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, age INTEGER, "
        f"kind VARCHAR(10) NOT NULL DEFAULT 'plain', CHECK (age < 200), UNIQUE (name))"
    )
    with SQLRows(url, name, value_columns=["name", "age"]) as rows:
        yield rows


@pytest.fixture
def cells(url, database, name):
    database.exec_driver_sql(
        f"CREATE TABLE {name} (sheet VARCHAR(20), col INTEGER, value FLOAT, PRIMARY KEY (sheet, col))"
    )
    with SQLRows(url, name) as rows:
        yield rows


LONG = {"name": "x" * 21, "age": 1}  # for its column, which only SQLite does not mind
ANN, BOB = {"name": "Ann", "age": 41}, {"name": "Bob", "age": None}


# ---------------------------------------------------------------------- rows


def test_rows_are_a_dict(users, database, name):
    users[7] = ANN
    users.update({8: BOB, 3: {"name": "Cy", "age": 5}})
    assert users[7] == ANN
    assert list(users) == [3, 7, 8]
    assert dict(users.items()) == {7: ANN, 8: BOB, 3: {"name": "Cy", "age": 5}}
    assert (len(users), 8 in users, 9 in users, users.get(9)) == (3, True, False, None)
    assert users.pop(3) == {"name": "Cy", "age": 5}
    users[7] = {"name": "Ann", "age": 42}
    found = database.exec_driver_sql(f"SELECT id, name, age, kind FROM {name} ORDER BY id").all()
    assert found == [(7, "Ann", 42, "plain"), (8, "Bob", None, "plain")]
    with pytest.raises(KeyError, match="9"):
        users[9]
    with pytest.raises(KeyError):
        del users[9]


def test_keys_of_several_columns_are_tuples(cells):
    cells["b", 1] = {"value": 1.5}
    cells["a", 2] = {"value": 2.5}
    cells["a", 10] = {"value": 3.5}
    assert list(cells) == [("a", 2), ("a", 10), ("b", 1)]
    assert cells["a", 10] == {"value": 3.5}
    for wrong in ("a", ("a",), ("a", "1"), ("a", 1, 2), ("a", None), (1, 1), ["a", 1], None):
        assert wrong not in cells
        with pytest.raises(InvalidKeyError):
            cells[wrong]
        with pytest.raises(InvalidKeyError):
            cells[wrong] = {"value": 1.0}
    assert len(cells) == 3


@pytest.mark.soak
def test_more_rows_than_a_page(cells):
    cells.update({(f"s{n % 3}", n): {"value": float(n)} for n in range(1203)})
    assert list(cells) == sorted(cells)
    assert dict(cells.items()) == {(f"s{n % 3}", n): {"value": float(n)} for n in range(1203)}
    assert len(set(cells)) == len(cells) == 1203


def test_wrong_values_change_nothing(users):
    users[7] = ANN
    for wrong in (
        {"name": "Ann"},
        {"name": "Ann", "age": 1, "kind": "x"},
        {"name": None, "age": 1},
        {"name": "Ann", "age": 300},
        {"name": "Ann", "age": object()},
        *([] if str(users.pipeline.persister.engine.url).startswith("sqlite") else [LONG]),
        5,
        None,
    ):
        with pytest.raises(InvalidArgumentError):
            users[7] = wrong
        with pytest.raises(InvalidArgumentError):
            users.update({1: {"name": "One", "age": 1}, 7: wrong})
    with pytest.raises(InvalidArgumentError, match="refuses the row"):
        users[8] = ANN  # whose name is unique
    assert dict(users.items()) == {7: ANN}


def test_numbers_beyond_the_columns_are_no_keys(users):
    users[7] = ANN
    for wrong in (1 << 40, 1 << 70, -(1 << 70)):
        assert wrong not in users
        assert users.get(wrong) is None


def test_text_that_the_server_does_not_take(cells, url):
    for wrong in ("\ud800", *(["a\0b"] if url.startswith("postgresql") else [])):
        assert (wrong, 1) not in cells
        with pytest.raises(InvalidKeyError):
            cells[wrong, 1] = {"value": 1.0}
    assert len(cells) == 0


def test_types_of_columns_are_those_of_python(url, database, name):
    database.exec_driver_sql(
        f"CREATE TABLE {name} (day DATE PRIMARY KEY, amount NUMERIC(12, 2), at "
        f"{'DATETIME(6)' if url == MYSQL else 'TIMESTAMP'}, ok BOOLEAN, raw "
        f"{'BYTEA' if url.startswith('postgresql') else 'BLOB'})"
    )
    day = dt.date(2024, 2, 29)
    row = {
        "amount": decimal.Decimal("12.50"),
        "at": dt.datetime(2024, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001
        "ok": True,
        "raw": b"\0\xff",
    }
    with SQLRows(url, name) as rows:
        rows[day] = row
        assert rows[day] == row
        assert dict(rows) == {day: row}
        etag = rows.etag(day)
        rows[day] = row
        assert rows.etag(day) == etag, "the same value again"


def test_an_interrupt_at_a_commit_leaves_no_open_transaction(users, url, name, monkeypatch):
    value = {"name": "Ann", "age": 1}
    users[1] = value

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sa.Connection, "_commit_impl", interrupt)
        # SQLAlchemy makes an AssertionError of it, in which the interrupt stands.
        with pytest.raises((KeyboardInterrupt, AssertionError)):
            users[1] = {"name": "Bob", "age": 2}
    other = SQLRows(url, name, value_columns=["name", "age"])
    assert other[1] == users[1] == value
    users[1] = other[1] = {"name": "Eve", "age": 3}


def test_what_others_put_into_columns_of_sqlite_is_told_or_read(tmp_path):
    with closing(sqlite3.connect(tmp_path / "x.db")) as database, database:
        database.executescript(
            """CREATE TABLE t (k INTEGER PRIMARY KEY, day DATE, doc JSON);
            INSERT INTO t VALUES (1, '2024-01-01', '[1]'), (2, 'soon', NULL), (3, 2024, NULL), (4, NULL, '[');
            CREATE TABLE odd (k INT PRIMARY KEY, v TEXT);
            INSERT INTO odd VALUES (1, 'a'), ('x', 'b'), (2.5, 'c'), (x'00', 'd');
            CREATE TABLE double (k INTEGER PRIMARY KEY, v INTEGER, twice INTEGER AS (2 * v));
            INSERT INTO double (k, v) VALUES (1, 2);"""
        )
    database.close()
    url = f"sqlite:///{tmp_path}/x.db"
    rows = SQLRows(url, "t")
    assert rows[1] == {"day": dt.date(2024, 1, 1), "doc": [1]}
    for key in (2, 3, 4):
        with pytest.raises(CorruptValueError, match="no value of the type of its column"):
            rows[key]
    odd = SQLRows(url, "odd")
    assert {key: odd[key]["v"] for key in odd} == {1: "a", "x": "b", 2.5: "c", b"\0": "d"}
    assert {key: row["v"] for key, row in odd.items()} == {1: "a", "x": "b", 2.5: "c", b"\0": "d"}
    with pytest.raises(InvalidKeyError):
        odd["y"] = {"v": "z"}
    del odd["x"]
    assert "x" not in odd
    double = SQLRows(url, "double")
    assert double[1] == {"v": 2, "twice": 4}
    with pytest.raises(InvalidArgumentError, match="computes twice by itself"):
        double[1] = {"v": 3, "twice": 6}
    SQLRows(url, "double", value_columns="v")[1] = {"v": 3}
    assert double[1] == {"v": 3, "twice": 6}


def test_what_a_collation_takes_for_one_stays_two(tmp_path):
    path = tmp_path / "x.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, v INTEGER)")
    engine.dispose()
    with SQLRows(f"sqlite:///{path}", "t") as rows:
        rows["a"] = {"v": 1}
        assert "A" not in rows
        with pytest.raises(InvalidKeyError, match="tell them apart"):
            rows["A"] = {"v": 2}
        assert not rows.discard("A")
        assert dict(rows.items()) == {"a": {"v": 1}}


# ---------------------------------------------------------------------- which rows


def test_only_rows_of_a_condition(url, users, database, name):
    users.update({1: ANN, 2: BOB})
    with SQLRows(url, name, value_columns=["name", "age"], where={"kind": "staff"}) as staff:
        assert (len(staff), 1 in staff, list(staff.items())) == (0, False, [])
        staff[3] = {"name": "Cy", "age": 5}
        assert list(staff) == [3]
        assert database.exec_driver_sql(f"SELECT kind FROM {name} WHERE id = 3").scalar_one() == "staff"
        with pytest.raises(InvalidArgumentError, match="leaves out"):
            staff[1] = {"name": "X", "age": 1}
        with pytest.raises(KeyError):
            del staff[1]
        staff.clear(force=True)
    assert dict(users.items()) == {1: ANN, 2: BOB}
    for where, ids in (({"age": 41}, [1]), ({"age": None}, [2]), ({"name": ["Ann", "Bob", "Cy"]}, [1, 2])):
        with SQLRows(url, name, value_columns=["name", "age"], where=where) as some:
            assert list(some) == ids
            with pytest.raises(InvalidArgumentError, match="leaves out"):
                some[9] = {"name": "Dee", "age": 7}
    with SQLRows(url, name, value_columns=["name", "age"], where={"kind": ["staff", "guest"]}) as either:
        with pytest.raises(InvalidArgumentError, match="which kind"):
            either[9] = {"name": "Dee", "age": 7}
    assert len(users) == 2


def test_other_columns_may_be_the_key(url, users, name):
    users.update({1: ANN, 2: BOB})
    with SQLRows(url, name, key_columns="name", value_columns="age") as ages:
        assert dict(ages.items()) == {"Ann": {"age": 41}, "Bob": {"age": None}}
    with pytest.raises(InvalidArgumentError, match="several rows of one kind"):
        SQLRows(url, name, key_columns="kind")
    with SQLRows(url, name, key_columns="kind", read_only=True) as kinds:
        assert list(kinds) == ["plain"]
        with pytest.raises(MismatchError, match="several rows"):
            kinds["plain"]
        with pytest.raises(MismatchError, match="several rows"):
            list(kinds.items())


def test_views_and_what_is_only_read(url, users, database, name):
    users.update({1: ANN, 2: BOB})
    database.exec_driver_sql(f"CREATE VIEW {name}_view AS SELECT id, age FROM {name} WHERE age IS NOT NULL")
    with pytest.raises(InvalidArgumentError, match="no primary key"):
        SQLRows(url, f"{name}_view")
    with SQLRows(url, f"{name}_view", key_columns="id", read_only=True) as view:
        assert dict(view.items()) == {1: {"age": 41}}
    with SQLRows(url, name, read_only=True, value_columns=["name", "age"]) as reading:
        assert reading[1] == ANN
        for change in (
            lambda: reading.__setitem__(1, BOB),
            lambda: reading.__delitem__(1),
            lambda: reading.update({1: BOB}),
            lambda: reading.clear(force=True),
        ):
            with pytest.raises(ReadOnlyError):
                change()
    assert dict(users.items()) == {1: ANN, 2: BOB}


@pytest.mark.parametrize(
    "address",
    [
        "mysql://user:secret@127.0.0.1:1/x?tabel=x",
        "mysql://user:secret@127.0.0.1:1/x?port=x",
        "mysql://user:secret@127.0.0.1:1/x?charset=nonsense",
        "postgresql://user:secret@127.0.0.1:1/x?tabel=x",
        "postgresql://user:secret@127.0.0.1:1/x?connect_timeout=no",
    ],
)
def test_an_option_that_the_driver_refuses_is_an_invalid_argument(address):
    for look in (lambda: SQLRows(address, "t"), lambda: list(SQLTables(address)), lambda: SQLStore(address)):
        with pytest.raises(InvalidArgumentError, match="refuses an option") as caught:
            look()
        assert "secret" not in str(caught.value)


def test_what_cannot_be_opened_says_why(url, users, name):
    for options in (
        {"key_columns": "nothing"},
        {"key_columns": []},
        {"key_columns": 5},
        {"value_columns": ["name", "name"]},
        {"value_columns": ["nothing"]},
        {"where": "age > 5"},
        {"where": {"nothing": 1}},
    ):
        with pytest.raises(InvalidArgumentError):
            SQLRows(url, name, **options)
    with pytest.raises(StoreNotFoundError, match="no table 'absent'"):
        SQLRows(url, "absent")
    for wrong in (5, "", "a\0b"):
        with pytest.raises(InvalidArgumentError):
            SQLRows(url, wrong)
    with pytest.raises(StoreUnavailableError) as caught:
        SQLRows("postgresql://user:secret@127.0.0.1:1/x", "t")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(caught.value)


# ---------------------------------------------------------------------- several writers


def opened(kind, target):
    """Open what is kept in a database, and look into it."""
    if kind is SQLTables:
        return list(SQLTables(target))
    return kind(target, table="t") if kind is SQLStore else SQLRows(target, "t")


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("none/x.db", errno.ENOENT, "No such file or directory"),
        ("link", errno.ENOENT, "No such file or directory"),
        ("folder", errno.EISDIR, "Is a directory"),
        ("text/x.db", errno.ENOTDIR, "Not a directory"),
        ("x" * 300, errno.ENAMETOOLONG, "File name too long"),
        ("text", errno.EIO, "is no SQLite database"),
    ],
)
@pytest.mark.parametrize("kind", [SQLStore, SQLRows, SQLTables])
def test_a_file_that_sqlite_cannot_open_is_an_error_of_the_system(tmp_path, kind, name, number, said):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no database" * 1000)
    (tmp_path / "link").symlink_to("none/y.db")
    with pytest.raises(StoreUnavailableError, match=said) as caught:
        opened(kind, f"sqlite:///{tmp_path / name}")
    assert caught.value.errno == number
    assert isinstance(caught.value, FileNotFoundError) == (number == errno.ENOENT)


@pytest.mark.parametrize("kind", [SQLStore, SQLRows])
def test_a_file_of_sqlite_that_may_not_be_written_is_an_error_of_the_system(tmp_path, kind):
    opened(SQLStore, f"sqlite:///{tmp_path}/x.db")["a"] = 1
    with closing(sqlite3.connect(tmp_path / "x.db")) as database, database:
        database.execute("CREATE TABLE u (name TEXT PRIMARY KEY, n INT)")
    database.close()
    address = f"sqlite:///file:{tmp_path}/x.db?mode=ro&uri=true"
    store = SQLStore(address, table="t") if kind is SQLStore else SQLRows(address, "u")
    with pytest.raises(StoreUnavailableError, match="must be writable") as caught:
        store.update({"a": {"n": 1}})
    assert caught.value.errno == errno.EACCES


def test_a_file_of_sqlite_that_others_write_to_is_waited_for(tmp_path):
    address = f"sqlite:///{tmp_path}/x.db?timeout=0.05"
    store = opened(SQLStore, address)
    with closing(sqlite3.connect(tmp_path / "x.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreTimeoutError) as caught:
            store["a"] = 1
    assert caught.value.errno == errno.EBUSY


def test_an_engine_of_a_database_in_memory_is_used_itself():
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (name TEXT PRIMARY KEY, n INT)")
    rows = SQLRows(engine, "t")
    rows["a"] = {"n": 1}
    assert dict(SQLTables(engine)["t"]) == {"a": {"n": 1}}
    rows.close()
    assert rows["a"] == {"n": 1}
    engine.dispose()


def test_what_an_engine_was_made_with_is_used_with_connections_of_our_own(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/x.db")
    seen = []
    sa.event.listen(engine, "connect", lambda *_: seen.append("connected"))
    sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (name TEXT PRIMARY KEY, n INT)")
    pool = engine.pool
    seen.clear()
    for target in (engine, engine.execution_options(logging_token="x")):
        with SQLRows(target, "t") as rows:
            rows["a"] = {"n": 1}
            assert len(SQLTables(target)["t"]) == 1
            assert rows.pipeline.persister.engine.pool is not pool
    assert engine.pool is pool
    assert "connected" in seen
    assert any("INSERT" in text for text in seen)
    engine.dispose()


def test_conditional_operations_see_the_writes_of_everybody(users, database, name):
    users[1] = ANN
    etag = users.etag(1)
    database.exec_driver_sql(f"UPDATE {name} SET age = 42 WHERE id = 1")
    with pytest.raises(ConflictError):
        users.pipeline.persister.write(1, BOB, etag)
    with pytest.raises(ConflictError):
        users.pipeline.persister.remove(1, etag)
    with pytest.raises(ConflictError):
        users.pipeline.persister.write(1, BOB, ITEM_NOT_AVAILABLE)
    users.pipeline.persister.write(1, BOB, users.etag(1))
    assert users[1] == BOB


def test_one_of_several_first_writers_wins(users):
    found = [[] for _ in range(8)]
    barrier = threading.Barrier(6)

    def work(number):
        barrier.wait()
        for n in range(8):
            found[n].append(users.setdefault(n, {"name": f"{n}-{number}", "age": number})["age"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(answers) == 6 and len(set(answers)) == 1 for answers in found)


@pytest.mark.soak
def test_no_count_of_processes_is_lost(cells, url, name):
    program = (
        "import sys, holdall\n"
        "rows = holdall.SQLRows(sys.argv[1], sys.argv[2])\n"
        "def more(row): return {'value': row['value'] + 1}\n"
        "for _ in range(15): rows.transform_item(('a', 1), transformer=more)"
    )
    cells["a", 1] = {"value": 0.0}
    workers = [subprocess.Popen([sys.executable, "-c", program, url, name]) for _ in range(4)]
    assert [worker.wait(120) for worker in workers] == [0] * 4
    assert cells["a", 1] == {"value": 60.0}


def test_forked_children_have_connections_of_their_own(users):
    users.update({n: {"name": str(n), "age": n} for n in range(30)})
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if all(users[n]["age"] == n for n in range(30)) else 1)
            finally:
                os._exit(2)
        children.append(child)
    assert all(users[n]["age"] == n for n in range(30))
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]


def test_copies_and_pickles(users, url):
    users.update({1: ANN, 2: BOB})
    for copy in (MemoryStore(), MemoryStore(serializer="json", keys=(str, int))):
        assert users.copy_to(copy) == 2
        assert dict(copy) == {1: ANN, 2: BOB}
        assert {type(name) for value in copy.values() for name in value} == {str}, "the driver has its own"
    with pickle.loads(pickle.dumps(users)) as again:
        assert dict(again.items()) == {1: ANN, 2: BOB}


def as_row(value):
    return {"v": value}


def of_row(row):
    return row["v"]


@pytest.mark.soak
class TestContract(StoreContract):
    """All laws of stores, over a column that takes any JSON."""

    # One of its races writes what is there already, and that is no other state to a digest.
    test_transform_item_tries_again_as_often_as_it_may = None

    def open(self, place):
        path = f"{place}/x.db"
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE IF NOT EXISTS t (id VARCHAR PRIMARY KEY, v JSON NOT NULL)"
            )
        engine.dispose()
        rows = SQLRows(f"sqlite:///{path}", "t")
        rows.pipeline.persister.owned = True  # the laws clear it
        return wrap_kvs(rows, data_of_obj=as_row, obj_of_data=of_row)


# ---------------------------------------------------------------------- tables


def test_a_database_is_a_mapping_of_its_tables(users, url, name):
    users[1] = ANN
    with SQLTables(url) as tables:
        assert name in tables
        assert name in list(tables)
        assert {type(found) for found in tables} == {str}
        assert tables[name][1] == {**ANN, "kind": "plain"}
        assert "absent" not in tables
        for wrong in ("absent", 5, ["a"]):
            with pytest.raises(KeyError):
                tables[wrong]
        tables[name][2] = {"name": "Bob", "age": 1, "kind": "x"}
        with pickle.loads(pickle.dumps(tables)) as again:
            assert again[name][2]["kind"] == "x"
        assert "secret" not in repr(tables)
    with SQLTables(url, read_only=True) as reading:
        with pytest.raises(ReadOnlyError):
            del reading[name][1]
    assert len(users) == 2


def test_tables_come_and_go(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/x.db", isolation_level="AUTOCOMMIT")
    with SQLTables(engine) as tables, engine.connect() as connection:
        assert (list(tables), len(tables)) == ([], 0)
        for name in ("b", "a"):
            connection.exec_driver_sql(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, v INTEGER)")
        assert (list(tables), len(tables)) == (["a", "b"], 2)
        assert {name: dict(rows) for name, rows in tables.items()} == {"a": {}, "b": {}}
        connection.exec_driver_sql("DROP TABLE a")
        assert (list(tables), "a" in tables, tables.get("a")) == (["b"], False, None)
    engine.dispose()


def test_tables_without_a_primary_key_are_left_out(url, database, name):
    database.exec_driver_sql(f"CREATE TABLE {name} (a INTEGER)")
    with SQLTables(url) as tables:
        assert name not in tables
        assert name not in list(tables)
        with pytest.raises(KeyError):
            tables[name]


def test_no_database_is_told():
    with pytest.raises(StoreUnavailableError):
        SQLTables("postgresql://user:secret@127.0.0.1:1/x")
    with pytest.raises(InvalidArgumentError):
        SQLTables(5)
