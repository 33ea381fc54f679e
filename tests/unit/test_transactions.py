"""Transactions of a SQLite store, where they go beyond the laws: errors, closing, large values, files."""

import os
import sqlite3
import threading
from contextlib import closing, contextmanager

import pytest

from holdall import (
    InvalidArgumentError,
    ReadOnlyError,
    SpillStore,
    SQLiteStore,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.errors import StoreFullError
from holdall.wrappers import cached_keys, cached_values, flatten, write_back

HUGE = bytes(range(250)) * 20_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    return SQLiteStore(path, serializer="bytes", files_from=1000, timeout=0.2)


@contextmanager
def undone(store, error=ZeroDivisionError, match=None):
    """Begin a transaction that must end by an error."""
    with pytest.raises(error, match=match), store.transaction():
        yield


def test_large_values_are_seen_and_undone(store):
    store["x"] = HUGE
    with undone(store):
        store["x"], store["y"] = b"1" * 5000, HUGE
        assert store.file_of("y") is None
        for stream in (store.persister.reader("y"), store.persister.fetch("y", 10)):
            data = stream if isinstance(stream, bytes) else stream.read()
            assert data == HUGE
        assert store["y"] == HUGE
        del store["x"]
        raise ZeroDivisionError
    assert store == {"x": HUGE}
    assert os.path.exists(store.file_of("x"))
    with store.transaction():
        store["x"] = b"1"
        store["y"] = HUGE
    assert store == {"x": b"1", "y": HUGE}
    assert [name for name in os.listdir(f"{store.path}-files") if name != ".holdall"] == []
    assert store.check() == []


def undo(store):
    """Let SQLite undo the transaction, as it does when the disk is full."""
    with pytest.raises(sqlite3.IntegrityError):
        store.persister._table.session().execute("INSERT OR ROLLBACK INTO items VALUES (NULL, NULL, NULL)")
    store.persister._table.note_undone(store.persister._table.session())


def test_what_follows_an_undone_transaction_does_not_stand_alone(store):
    store["x"] = b"1"
    with undone(store, StoreUnavailableError, "has undone all of it"):
        store["x"] = b"2"
        undo(store)
        for use in (
            lambda: store["x"],
            lambda: store.__setitem__("x", b"3"),
            lambda: store.update(x=b"3", y=HUGE),
            lambda: store.__setitem__("x", HUGE),
            lambda: store.increment("n"),
            lambda: store.transaction().__enter__(),
            lambda: list(store),
        ):
            with pytest.raises(StoreUnavailableError, match="leave it, and begin anew"):
                use()
    assert store == {"x": b"1"}
    with store.transaction():
        store["x"] = b"4"
    assert store == {"x": b"4"}


def test_a_full_database_undoes_the_transaction(store):
    store["x"] = b"1"
    store.persister._table.session().execute("PRAGMA max_page_count = 20")
    with undone(store, StoreFullError):
        store["x"] = b"2"
        store["y"] = HUGE
    assert store == {"x": b"1"}


def test_closing_in_a_transaction_undoes_it(store):
    store["x"] = b"1"
    with undone(store, StoreUnavailableError, "was closed in a transaction"):
        store["x"] = b"2"
        store.close()
        with pytest.raises(StoreUnavailableError, match="was closed in a transaction"):
            store["y"] = b"3"
    assert store == {"x": b"1"}
    with undone(store, StoreUnavailableError, "was closed in a transaction"):
        store["x"] = b"2"
        store.close()
    assert store == {"x": b"1"}


def test_another_thread_that_closes_waits_for_the_end(store):
    closed = threading.Event()

    def close():
        store.close()
        closed.set()

    thread = threading.Thread(target=close)
    with store.transaction():
        store["x"] = b"1"
        thread.start()
        assert not closed.wait(0.05)
        store["y"] = b"2"
    thread.join(10)
    assert closed.is_set()
    assert store == {"x": b"1", "y": b"2"}


def test_others_wait_for_their_turn_or_say_that_they_did(store, path):
    other = SQLiteStore(path, serializer="bytes", timeout=0.1)
    with store.transaction():
        store["x"] = b"1"
        with pytest.raises(StoreUnavailableError, match="kept the database locked"):
            other["x"] = b"2"
        with (
            pytest.raises(StoreUnavailableError, match="the transaction cannot be begun"),
            other.transaction(),
        ):
            pytest.fail("the block must not run")
    other["x"] = b"2"
    assert store["x"] == b"2"


def test_errors_of_the_block_come_out_as_they_are(store):
    error = sqlite3.OperationalError("of somebody else's database")
    with pytest.raises(sqlite3.OperationalError, match="somebody else") as caught, store.transaction():
        raise error
    assert caught.value is error


def test_a_store_that_is_only_read_has_no_transactions(store, path):
    store["x"] = b"1"
    frozen = SQLiteStore(path, serializer="bytes", read_only=True)
    with pytest.raises(UnsupportedError, match="read_only=True"), frozen.transaction():
        pytest.fail("the block must not run")
    grows = SQLiteStore(path, serializer="bytes", append_only=True)
    with undone(grows, ReadOnlyError):
        grows["y"] = b"2"
        grows["x"] = b"3"
    assert store == {"x": b"1"}


# ---------------------------------------------------------------------- increment


@pytest.fixture(params=["pickle", "json"])
def numbers(tmp_path, request):
    return SQLiteStore(tmp_path / "numbers.db", serializer=request.param)


def test_increment_is_one_statement(numbers):
    """Nobody gets between reading and writing, so there is no race to lose."""
    statements = []
    numbers["n"] = 1
    connection = numbers.persister._table.session().connection
    connection.set_trace_callback(statements.append)
    assert numbers.increment("n") == 2
    connection.set_trace_callback(None)
    assert len(statements) == 1
    assert statements[0].startswith("UPDATE")


def test_increment_of_keys_and_numbers_of_all_kinds(numbers):
    for key in ("n", 1, "\ud800", ("a", 1.5)):
        for expected in (1, 2, 3):
            assert numbers.increment(key) == expected
    numbers["large"] = 10**3000
    assert numbers.increment("large") == 10**3000 + 1
    numbers["grows"] = 10**900
    assert numbers.increment("grows", by=10**2500) == numbers["grows"] == 10**900 + 10**2500
    assert numbers.check() == []


def test_an_increment_that_fails_changes_nothing(numbers):
    numbers["text"], numbers["n"] = "text", 1
    before = {key: numbers.etag(key) for key in numbers}
    for _ in range(2):
        with pytest.raises(InvalidArgumentError, match="the value of 'text' is str: 1 cannot be added to it"):
            numbers.increment("text")
    assert {key: numbers.etag(key) for key in numbers} == before
    with undone(numbers):
        assert numbers.increment("n") == 2
        raise ZeroDivisionError
    assert numbers["n"] == 1
    typed = SQLiteStore(numbers.path, serializer=numbers.serializer.name, value_type=int)
    with pytest.raises(InvalidArgumentError, match="values of this store are"):
        typed.increment("n", by=0.5)
    frozen = SQLiteStore(numbers.path, read_only=True)
    with pytest.raises(UnsupportedError, match="read_only=True"):
        frozen.increment("n")
    grows = SQLiteStore(numbers.path, append_only=True)
    with pytest.raises(ReadOnlyError):
        grows.increment("n")
    assert grows.increment("new") == 1
    assert numbers["n"] == 1


def test_an_interrupt_amid_an_increment_comes_out_and_changes_nothing(numbers, monkeypatch):
    numbers["n"] = 1

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("holdall.store._verbs._sum", interrupt)
    with pytest.raises(KeyboardInterrupt):
        numbers.increment("n")
    monkeypatch.undo()
    assert numbers.increment("n") == 2
    with closing(sqlite3.connect(numbers.path)) as db:
        assert db.execute("SELECT count(*) FROM items").fetchone() == (1,)


@pytest.mark.parametrize(
    ("layer", "who"),
    [
        (cached_keys, "cached_keys"),
        (cached_values, "cached_values"),
        (flatten, "flatten"),
        (write_back, "write_back"),
        (lambda store: SpillStore(slow=store), "SpillStore"),
    ],
)
def test_a_layer_without_transactions_speaks_for_itself_and_not_for_the_store_below(store, layer, who):
    why = "would outlive one that is undone|may lie in several stores"
    with pytest.raises(UnsupportedError, match=why) as caught, layer(store).transaction():
        pytest.fail("the block must not run")
    assert str(caught.value).startswith(f"{who} over {store.path} has no transactions: ")
    assert caught.value.location == store.path
    with store.transaction():
        store["x"] = b"1"
