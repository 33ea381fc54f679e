"""What `MongoStore` does beside the contracts: fields of keys, lost answers, limits, bad input."""

import errno
import gc
import pickle
import socket
import sys
import threading

import mongomock
import pymongo
import pytest
from pymongo import errors

import holdall
from engines._mongo import Collection
from holdall import ITEM_NOT_AVAILABLE, MongoStore
from holdall.errors import (
    ConflictError,
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    OutcomeUnknownError,
    StoreUnavailableError,
    UnsupportedError,
    ValueTooLargeError,
)
from holdall.persisters.mongo import MongoPersister


@pytest.fixture
def collection():
    return mongomock.MongoClient()["lab"]["runs"]


def test_keys_of_several_fields_are_fields_of_the_documents(collection):
    store = MongoStore(collection, key_fields=("user", "day"))
    store["ann", 1] = {"loss": 0.5}
    store.update({("ann", 2): 2, ("bob", 1): 3})
    assert set(store) == {("ann", 1), ("ann", 2), ("bob", 1)}
    assert collection.count_documents({"user": "ann"}) == 2
    assert collection.find_one({"user": "bob", "day": 1})["size"] == 1
    assert MongoStore(collection, key_fields=["user", "day"])["ann", 1] == {"loss": 0.5}


def test_a_key_of_one_field_is_no_tuple(collection):
    store = MongoStore(collection, key_fields="day")
    store[7], store["7"] = "number", "text"
    assert dict(store) == {7: "number", "7": "text"}
    assert collection.find_one({"day": 7})["day"] == 7


@pytest.mark.parametrize(
    "key", ["ann", ("ann",), ("ann", 1, 2), ("ann", True), ("ann", 1.0), ["ann", 1], 1 << 63]
)
def test_keys_of_another_form_are_refused(collection, key):
    store = MongoStore(collection, key_fields=("user", "day"))
    with pytest.raises(InvalidKeyError):
        store[key] = 1
    assert key not in store
    assert collection.count_documents({}) == 0


@pytest.mark.parametrize("fields", [(), ("a", "a"), ("_id",), ("data", "a"), ("$a",), ("a.b",), "", (1,)])
def test_wrong_names_of_fields_are_refused(collection, fields):
    with pytest.raises(InvalidArgumentError, match="key_fields="):
        MongoStore(collection, key_fields=fields)


def test_who_names_the_id_is_told_what_it_is(collection):
    with pytest.raises(InvalidArgumentError, match=r"holds the whole key.* leave them out .* such as 'id'"):
        MongoStore(collection, key_fields=("_id", "name"))


def test_fields_and_keys_together_are_refused(collection):
    with pytest.raises(InvalidArgumentError, match="not both"):
        MongoStore(collection, key_fields="a", keys=str)


@pytest.mark.parametrize(
    "wrong", ["http://a/b.c", "mongodb://host", "mongodb://host/base", "mongodb://host:x/a.b", 5, None, {}]
)
def test_what_is_no_collection_is_refused(wrong):
    with pytest.raises(InvalidArgumentError):
        MongoStore(wrong)


def test_no_server_is_told_and_no_password():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"mongodb://user:secret@127.0.0.1:{port}/lab.runs?serverSelectionTimeoutMS=50"
    store = MongoStore(url)
    assert "secret" not in repr(store)
    assert repr(pickle.loads(pickle.dumps(store))) == repr(store)
    for use in (lambda: store["a"], lambda: store.update(a=1), lambda: list(store), lambda: store.pop("a")):
        with pytest.raises(StoreUnavailableError, match="no server answers") as caught:
            use()
        assert "secret" not in str(caught.value)
        assert "Topology" not in str(caught.value)
        assert type(caught.value) is StoreUnavailableError  # nothing can have happened
    store.close()


def test_a_dropped_store_ends_its_client(monkeypatch):
    ended = []
    end = pymongo.MongoClient.close
    monkeypatch.setattr(pymongo.MongoClient, "close", lambda client: ended.append(client) or end(client))
    store = MongoStore("mongodb://127.0.0.1:1/d.c?serverSelectionTimeoutMS=10")
    for count in (1, 2):
        with pytest.raises(StoreUnavailableError):
            store["a"]
        if count == 1:
            store.close()
            assert len(ended) == 1
    del store
    gc.collect()  # the error before refers to it
    assert len(set(map(id, ended))) == len(ended) == 2


def test_a_collection_of_the_driver_does_not_travel():
    with pymongo.MongoClient(connect=False) as client:
        store = MongoStore(client["lab"]["runs"])
        with pytest.raises(UnsupportedError, match="by a URL"):
            pickle.dumps(store)


def test_a_collection_that_takes_different_keys_for_one_is_refused(monkeypatch):
    options = {"collation": {"locale": "en", "strength": 2}}
    monkeypatch.setattr(pymongo.collection.Collection, "options", lambda self: options)
    with pymongo.MongoClient(connect=False) as client, pytest.raises(MismatchError, match="collation 'en'"):
        MongoStore(client["lab"]["runs"])["a"] = 1


def test_writes_wait_for_a_majority_unless_it_is_said_otherwise():
    with pymongo.MongoClient(connect=False) as client:
        assert MongoStore(client["lab"]["runs"]).durability() == {"w": "majority", "j": True}
        chosen = client["lab"].get_collection("runs", write_concern=pymongo.WriteConcern(w=1))
        assert MongoStore(chosen).durability() == {"w": 1, "j": False}


def test_documents_of_others_are_never_cleared(collection):
    collection.insert_one({"_id": "theirs", "a": 1})
    store = MongoStore(collection)
    store.update({"x": 1, "y": 2})
    store.clear()
    assert [found["_id"] for found in collection.find({})] == ["theirs"]


def test_documents_of_others_are_told(collection):
    collection.insert_one({"_id": "theirs", "a": 1})
    collection.insert_one({"a": 1})  # whose id is no text
    store = MongoStore(collection)
    assert list(store) == ["theirs"]
    with pytest.raises(MismatchError, match="not written by holdall"):
        store["theirs"]


def test_a_value_over_the_limit_is_refused_and_the_old_one_stays(collection):
    store = MongoStore(collection, serializer="bytes")
    store["a"] = b"old"
    with pytest.raises(ValueTooLargeError, match="16,"):
        store["a"] = bytes(16 << 20)
    assert store["a"] == b"old"


def test_keys_that_utf_8_has_not_are_refused(collection):
    store = MongoStore(collection)
    with pytest.raises(InvalidKeyError):
        store["\ud800"] = 1
    assert "\ud800" not in store
    store["\ue000"] = 1
    assert list(store.pipeline.persister.ids("\ud7ff")) == []
    assert list(store.pipeline.persister.ids("\ue000")) == ["\ue000"]


def test_prefixes_are_taken_as_they_are(collection):
    place = MongoPersister(collection)
    place.write_many((id, b"") for id in ("a_1", "ab1", "a%1", "a.1", "a\U0010ffff", "a\U0010ffffb", "b"))
    assert list(place.ids("a_")) == ["a_1"]
    assert list(place.ids("a.")) == ["a.1"]
    assert list(place.ids("a\U0010ffff")) == ["a\U0010ffff", "a\U0010ffffb"]
    assert len(list(place.ids("a"))) == 6


@pytest.mark.soak
def test_listings_go_on_over_several_pages(collection):
    place = MongoPersister(collection)
    ids = [f"{number:04}" for number in range(1001)]
    place.write_many((id, b"") for id in ids)
    assert list(place.ids()) == ids


# ------------------------------------------------------------------ what the driver raises


class Failing:
    """A collection whose command raises before or after it was done."""

    def __init__(self, inner, method, error, *, done, times=1):
        self.inner, self.method, self.error, self.done, self.times = inner, method, error, done, times

    def with_options(self, **options):
        return self

    def __getattr__(self, name):
        if name != self.method or not self.times:
            return getattr(self.inner, name)

        def fail(*args, **kwargs):
            self.times -= 1
            if self.done:
                getattr(self.inner, name)(*args, **kwargs)
            raise self.error

        return fail


LOST = [errors.AutoReconnect("connection closed"), errors.NetworkTimeout("timed out")]


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_write_whose_answer_was_lost_counts_once(collection, error):
    store = MongoStore(Failing(collection, "find_one_and_update", error, done=True))
    store["a"] = 1
    assert store.increment("a") == 2
    assert store["a"] == 2


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_write_that_may_not_have_happened_is_told(collection, error):
    store = MongoStore(Failing(collection, "find_one_and_update", error, done=False))
    store["a"] = 1
    with pytest.raises(OutcomeUnknownError, match="answer was lost"):
        store.increment("a")
    assert store["a"] == 1


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_write_that_cannot_be_looked_for_is_not_said_to_be_none(collection, error):
    silent = Failing(collection, "find_one", error, done=False)
    place = MongoPersister(Failing(silent, "update_one", error, done=True))
    with pytest.raises(OutcomeUnknownError, match="'a' was not written, or was"):
        place.write("a", b"1")
    assert place["a"] == b"1"


def test_a_silent_server_has_the_number_of_the_system(collection):
    place = MongoPersister(Failing(collection, "find_one", errors.NetworkTimeout("timed out"), done=False))
    with pytest.raises(StoreUnavailableError) as caught:
        place.read("a")
    assert caught.value.errno == errno.ETIMEDOUT


def test_of_two_who_insert_at_once_the_one_who_is_refused_writes_after(collection):
    error = errors.DuplicateKeyError("E11000 duplicate key", 11000, {"code": 11000})
    store = MongoStore(Failing(collection, "update_one", error, done=False))
    store["a"] = 1
    assert store["a"] == 1


def test_an_insertion_that_was_sent_twice_is_no_conflict_with_itself(collection):
    error = errors.DuplicateKeyError("E11000 duplicate key", 11000, {"code": 11000})
    place = MongoPersister(Failing(collection, "insert_one", error, done=True))
    stat = place.write("a", b"1", ITEM_NOT_AVAILABLE)
    assert place.stat("a") == stat
    with pytest.raises(ConflictError):
        place.write("a", b"2", ITEM_NOT_AVAILABLE)


@pytest.mark.parametrize(("code", "word"), [(18, "password"), (13, "user"), (14031, "no room")])
def test_a_server_that_refuses_is_told(collection, code, word):
    error = errors.OperationFailure("refused", code)
    store = MongoStore(Failing(collection, "update_one", error, done=False))
    with pytest.raises(StoreUnavailableError, match=word):
        store["a"] = 1
    assert "a" not in store


def test_without_the_package_the_extra_is_named(monkeypatch):
    for module in ("holdall.persisters.mongo", "holdall.persisters.mongo._collection"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pymongo", None)
    with pytest.raises(UnsupportedError, match=r"holdall\[mongo\]"):
        MongoStore("mongodb://localhost/lab.runs")


def test_an_address_opens_a_store():
    store = holdall.open("mongodb://localhost:1/lab.runs?serializer=text&key_fields=user,day")
    assert (store.key_fields, store.serializer.name) == (("user", "day"), "text")
    with pytest.raises(InvalidArgumentError, match="parts"):
        holdall.open("mongodb://localhost:1/lab.runs#part")


# ------------------------------------------------------------------ the fake that the tests stand on


def winners(monkeypatch, first, second, patience):
    """Let two change one document that they both saw before, each held up between its look and its change."""
    both = threading.Barrier(2)
    update = mongomock.Collection._update

    def held_up(self, *args, **kwargs):
        try:
            both.wait(patience)
        except threading.BrokenBarrierError:
            pass  # the other one does not come so far
        return update(self, *args, **kwargs)

    etag = first.write("a", b"0").etag
    won = []

    def swap(place):
        try:
            place.write("a", b"1", etag)
        except ConflictError:
            return
        won.append(place)

    monkeypatch.setattr(mongomock.Collection, "_update", held_up)
    threads = [threading.Thread(target=swap, args=(place,)) for place in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(won)


def test_mongomock_alone_lets_two_win(monkeypatch, collection):
    """Which is why the contracts run on it behind one lock: they would fail here, and not by our doing."""
    assert winners(monkeypatch, MongoPersister(collection), MongoPersister(collection), 60) == 2


def test_behind_one_lock_one_of_two_wins(monkeypatch, mongo_server):
    served = [MongoPersister(Collection(mongo_server.address, "winners")) for _ in range(2)]
    assert winners(monkeypatch, *served, 0.2) == 1
