"""What somebody else may do to a database file or beside it, and what a damaged or moved one does."""

import os
import re
import sqlite3

import pytest

from holdall import SQLiteStore
from holdall.conditional import ETAG_IS_THE_SAME, ITEM_NOT_AVAILABLE
from holdall.errors import StoreUnavailableError, UntrustedStoreError
from holdall.persisters.sqlite import SqlitePersister, _session, _sessions, _table, _writing, persister

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.db"


def theirs(path):
    """Make a database of another user."""
    store = SQLiteStore(path, serializer="pickle")
    store["a"] = "theirs"
    store.close()
    os.chown(path, 12345, -1)
    return path


def mine(path):
    store = SQLiteStore(path, serializer="pickle")
    store["a"] = "mine"
    store.close()


def on_connecting(monkeypatch, action):
    """Do something between inspection and opening."""

    def connect(*args, usual=sqlite3.connect, **options):
        action()
        return usual(*args, **options)

    monkeypatch.setattr(_sessions.sqlite3, "connect", connect)


@as_root
def test_a_link_that_is_turned_while_it_is_opened_leads_to_what_was_inspected(path, tmp_path, monkeypatch):
    mine(tmp_path / "mine.db")
    other = theirs(tmp_path / "theirs.db")
    path.symlink_to("mine.db")

    def turn():
        path.unlink()
        path.symlink_to(other)

    on_connecting(monkeypatch, turn)
    store = SQLiteStore(path, serializer="pickle")  # of what was inspected
    with pytest.raises(UntrustedStoreError, match="belongs to user 12345"):
        store["a"]


@as_root
def test_a_file_that_is_replaced_while_it_is_opened_is_refused(path, tmp_path, monkeypatch):
    mine(path)
    other = theirs(tmp_path / "theirs.db")
    on_connecting(monkeypatch, lambda: os.replace(other, path))
    with pytest.raises(UntrustedStoreError, match="replaced while it was opened"):
        SQLiteStore(path, serializer="pickle")


def test_a_folder_in_which_others_may_put_a_log_beside_the_file_is_refused(path, tmp_path):
    mine(path)
    tmp_path.chmod(0o1777)
    with pytest.raises(UntrustedStoreError, match="log beside it"):
        SQLiteStore(path, serializer="pickle")
    assert SQLiteStore(path, serializer="pickle", trust=True)["a"] == "mine"
    tmp_path.chmod(0o700)
    assert SQLiteStore(path, serializer="pickle")["a"] == "mine"


@pytest.mark.parametrize("steps", [(0,), (0, -1), (5, -5), (-(10**15), 0)], ids=str)
def test_no_etag_comes_again_after_a_deletion_whatever_the_clock_says(path, monkeypatch, steps):
    now = [1_700_000_000_000_000_000]

    def clock():
        return now[0]

    for module in (_sessions, _table, _writing, persister):
        monkeypatch.setattr(module, "clock", clock)
    place = SqlitePersister(path)
    writes = [
        lambda: place.put("x", b"1"),
        lambda: place.write("x", b"1", ITEM_NOT_AVAILABLE),
        lambda: place.write("x", b"1"),
        lambda: place.write_many([("x", b"1"), ("y", b"2")]),
        lambda: place.put("x", bytes(100_000)),
    ]
    deletions = [
        lambda: place.remove("x"),
        lambda: place.remove("x", place.stat("x").etag),
        lambda: place.remove_many(["x"]),
        place.clear,
    ]
    etags = []
    for turn in range(200):
        writes[turn % 5]()
        etags.append(place.stat("x").etag)
        now[0] += steps[turn % len(steps)]
        deletions[turn % 4]()
        if turn % 7 == 0:
            place.close()
    assert len(set(etags)) == 200


def test_a_table_of_an_older_version_gets_what_deletions_need(path):
    place = SqlitePersister(path)
    place["x"] = b"1"
    for statement in ('DROP TRIGGER "items:removed"', 'DROP TABLE "items:floor"'):
        place.execute(statement)
    place.close()
    assert SqlitePersister(path, read_only=True)["x"] == b"1"
    place = SqlitePersister(path)
    place["x"] = b"2"
    del place["x"]
    assert place.execute('SELECT version FROM "items:floor"')[0][0] > 1_700_000_000_000_000_000


class TestDisplaced:
    """The file of an open handle is moved, replaced or deleted: the handle is that of its path."""

    @staticmethod
    def other(path, tmp_path):
        store = SQLiteStore(tmp_path / "other.db")
        store["a"] = "other"
        store.close()
        for left in (f"{path}-wal", f"{path}-shm"):
            if os.path.exists(left):
                os.unlink(left)
        os.replace(tmp_path / "other.db", path)

    WRITES = (
        lambda store: store.__setitem__("b", 1),
        lambda store: store.update({"b": 1}),
        lambda store: store.set_item_if(
            "b", value=1, condition=ETAG_IS_THE_SAME, expected_etag=ITEM_NOT_AVAILABLE
        ),
    )

    @pytest.mark.parametrize("write", WRITES)
    def test_two_handles_of_a_replaced_file_see_the_same(self, path, tmp_path, write):
        first, second = SQLiteStore(path), SQLiteStore(path)
        first["a"] = second["c"] = "old"
        self.other(path, tmp_path)
        write(first)
        assert dict(first) == dict(SQLiteStore(path)) == {"a": "other", "b": 1}
        second["d"] = 2
        assert dict(second) == dict(first) == {"a": "other", "b": 1, "d": 2}
        first.close()
        second.close()
        assert dict(SQLiteStore(path)) == {"a": "other", "b": 1, "d": 2}

    def test_closing_a_replaced_file_leaves_the_log_of_the_new_one(self, path, tmp_path):
        old = SQLiteStore(path)
        old["a"] = "old"
        self.other(path, tmp_path)
        new = SQLiteStore(path)
        new["b"] = 1
        old.close()
        assert os.path.exists(f"{path}-wal")
        assert dict(SQLiteStore(path)) == {"a": "other", "b": 1}

    @pytest.mark.parametrize("write", WRITES)
    def test_a_deleted_file_is_made_anew(self, path, write):
        store = SQLiteStore(path)
        store["a"] = "old"
        for left in (path, f"{path}-wal", f"{path}-shm"):
            os.unlink(left)
        write(store)
        assert dict(store) == dict(SQLiteStore(path)) == {"b": 1}

    @pytest.mark.parametrize("write", WRITES)
    def test_what_was_stored_before_a_move_moves_and_what_follows_does_not(self, path, tmp_path, write):
        store = SQLiteStore(path)
        store["a"] = "old"
        moved = tmp_path / "moved.db"
        for end in ("", "-wal", "-shm"):
            os.rename(f"{path}{end}", f"{moved}{end}")
        write(store)
        assert dict(SQLiteStore(path)) == {"b": 1}
        assert dict(SQLiteStore(moved)) == {"a": "old"}

    def test_reads_notice_after_a_second(self, path, tmp_path, monkeypatch):
        now = [0.0]
        monkeypatch.setattr(_session, "monotonic", lambda: now[0])
        store = SQLiteStore(path)
        store["a"] = "old"
        now[0] = 1.5
        assert store["a"] == "old"
        self.other(path, tmp_path)
        now[0] = 3.0
        assert store["a"] == "other"
        assert "a" in store

    def test_a_transaction_on_a_file_that_goes_is_undone_and_says_so(self, path, tmp_path):
        store = SQLiteStore(path)
        store["a"] = "old"

        def transaction():
            with store.transaction():
                store["b"] = 1
                self.other(path, tmp_path)
                store["c"] = 2

        with pytest.raises(StoreUnavailableError, match=r"moved, replaced or deleted .* undone"):
            transaction()
        assert dict(store) == {"a": "other"}


class TestDamage:
    @staticmethod
    def damage(path, page):
        with path.open("r+b") as file:
            file.seek(page * 4096)
            file.write(b"\xff" * 3900)

    @pytest.fixture
    def damaged(self, path):
        """Make a table of many pages, of which the one in the middle is damaged."""
        store = SQLiteStore(path)
        store.update({f"k{number:05}": "v" * 50 for number in range(3000)})
        store.close()
        self.damage(path, path.stat().st_size // 4096 // 2)
        return path

    @pytest.mark.parametrize("read_only", [False, True])
    def test_what_lies_in_other_pages_is_read_and_the_error_says_how_to_get_the_rest(
        self, damaged, read_only
    ):
        store = SQLiteStore(damaged, read_only=read_only)
        found, said = 0, set()
        for number in range(3000):
            try:
                found += store[f"k{number:05}"] == "v" * 50
            except StoreUnavailableError as error:
                said.add(str(error))
        assert 2900 < found < 3000
        [message] = said
        assert re.search(r"damaged.*copy.*key by key.*\.recover", message)

    def test_a_table_whose_record_is_damaged_is_read(self, path):
        store = SQLiteStore(path)
        store["a"] = 1
        store.close()
        self.damage(path, 1)
        with pytest.raises(StoreUnavailableError, match="read_only=True"):
            SQLiteStore(path)
        with pytest.warns(UserWarning, match="nobody can tell whether serializer"):
            store = SQLiteStore(path, read_only=True)
        assert dict(store) == {"a": 1}
