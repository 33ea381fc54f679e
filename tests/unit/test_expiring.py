"""What has expired is absent for every verb, and purging never takes what was renewed."""

import time
import types

import pytest

from holdall import (
    ITEM_NOT_AVAILABLE,
    ConflictError,
    FileDirStore,
    InvalidArgumentError,
    MemoryStore,
    Persister,
    ReadOnlyError,
    Store,
    UnsupportedError,
)
from holdall.conditional import ALWAYS_RETRIEVE, ANY_ETAG, ETAG_IS_THE_SAME
from holdall.persisters.mapping import MappingPersister
from holdall.wrappers import append_only, cached_keys, cached_values, expiring, overlay, read_only, write_back
from holdall.wrappers._expiring import ExpiringPersister

HOUR = 3600


@pytest.fixture
def clock(monkeypatch):
    """A clock that can be put forward for what expires."""
    state = types.SimpleNamespace(ahead=0.0)
    fake = types.SimpleNamespace(time=lambda: time.time() + state.ahead)
    monkeypatch.setattr("holdall.wrappers._expiring.time", fake)
    return state


@expiring(ttl=HOUR)
class Sessions(FileDirStore):
    """Values for an hour."""


@pytest.fixture(params=["memory", "folder"])
def store(request, tmp_path):
    return expiring(MemoryStore(), ttl=HOUR) if request.param == "memory" else Sessions(tmp_path / "s")


def test_an_expired_item_is_absent_for_every_verb(store, clock):
    store.update(old=1, kept=2)
    etag = store.etag("old")
    clock.ahead = HOUR + 60
    store["kept"] = 3
    clock.ahead = 60  # so that what was just written is young, and all else is too
    assert store == {"old": 1, "kept": 3}
    clock.ahead = HOUR + 60
    for key in ("old", "kept"):
        assert key not in store
        assert store.get(key) is None
        assert store.pop(key, None) is None
        assert store.discard(key) is False
        for verb in (store.__getitem__, store.__delitem__, store.etag, store.timestamp):
            with pytest.raises(KeyError) as caught:
                verb(key)
            assert caught.value.args == (key,)
    assert (len(store), list(store), bool(store), dict(store.items())) == (0, [], False, {})
    assert list(store.values()) == store.newest_keys() == []
    assert store == {}
    assert store._ipython_key_completions_() == []
    looked = store.get_item_if("old", condition=ANY_ETAG, expected_etag=etag, retrieve_value=ALWAYS_RETRIEVE)
    assert tuple(looked) == (True, ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE, ITEM_NOT_AVAILABLE)


def test_what_a_clock_that_went_ahead_wrote_is_not_there_longer(tmp_path, clock):
    folder = Sessions(tmp_path / "ahead")
    folder["a"] = folder["b"] = 1
    clock.ahead = -24 * HOUR  # they were written a day from now
    assert (list(folder), folder.get("a"), "b" in folder) == ([], None, False)
    clock.ahead = -5  # as clocks of two machines differ
    assert sorted(folder) == ["a", "b"]
    clock.ahead = -24 * HOUR
    assert folder.purge() == 2


def test_a_write_over_an_expired_item_is_an_insertion(store, clock):
    verbs = {
        "setdefault": lambda key: store.setdefault(key, "new"),
        "transform": lambda key: store.transform_item(
            key, transformer=lambda old: "new" if old is ITEM_NOT_AVAILABLE else "old"
        ),
        "set_item_if": lambda key: store.set_item_if(
            key, value="new", condition=ETAG_IS_THE_SAME, expected_etag=ITEM_NOT_AVAILABLE
        ),
        "setdefault_if": lambda key: store.setdefault_if(
            key, default_value="new", condition=ETAG_IS_THE_SAME, expected_etag=ITEM_NOT_AVAILABLE
        ),
        "[]": lambda key: store.__setitem__(key, "new"),
        "update": lambda key: store.update({key: "new"}),
    }
    store.update(dict.fromkeys(verbs, "old"))
    stale = store.etag("[]")
    clock.ahead = 2 * HOUR
    lost = store.set_item_if("[]", value="x", condition=ETAG_IS_THE_SAME, expected_etag=stale)
    assert not lost.condition_was_satisfied
    assert lost.actual_etag is ITEM_NOT_AVAILABLE
    for name, verb in verbs.items():
        verb(name)
    clock.ahead = 0
    assert store == dict.fromkeys(verbs, "new")


def test_append_only_items_may_be_added_again_when_they_expired(clock):
    store = append_only(expiring({}, ttl=HOUR))
    store["a"] = 1
    with pytest.raises(ReadOnlyError):
        store["a"] = 2
    clock.ahead = 2 * HOUR
    store["a"] = 3
    clock.ahead = 0
    assert store["a"] == 3


def test_purging_deletes_what_expired_and_counts(store, clock):
    store.update(a=1, b=2)
    assert store.purge() == 0
    clock.ahead = 2 * HOUR
    assert store.purge() == 2
    clock.ahead = 0
    assert store == {}
    assert store.purge() == 0


def test_clearing_deletes_what_expired_too(clock):
    place = {}
    store = expiring(place, ttl=HOUR)
    store["a"] = 1
    clock.ahead = 2 * HOUR
    store.clear()
    assert place == {}


def test_purging_leaves_what_was_renewed_meanwhile(clock):
    class Renewed(MappingPersister):
        """Somebody writes each item again while it is being looked at."""

        def scan(self, prefix=""):
            for id, stat in list(super().scan(prefix)):
                self.put(id, "renewed")
                yield id, stat

    place = Renewed({"a": 1, "b": 2})
    store = Store(ExpiringPersister(place, HOUR))
    assert len(store) == 2
    clock.ahead = 2 * HOUR
    assert store.purge() == 0
    assert place.mapping == {"a": "renewed", "b": "renewed"}


def test_an_insertion_over_an_expired_item_loses_against_one_that_came_first(clock):
    class Overtaken(MappingPersister):
        """Somebody else renews the item between the look and the write."""

        def write(self, id, data, expected=ANY_ETAG):
            if self.mapping[id] == "old":
                self.mapping[id] = "theirs"
                clock.ahead = 0
            return super().write(id, data, expected)

    place = Overtaken({"a": "old"})
    store = Store(ExpiringPersister(place, HOUR))
    assert store["a"] == "old"
    clock.ahead = 2 * HOUR
    assert store.setdefault("a", "mine") == "theirs"
    assert place.mapping == {"a": "theirs"}


def test_an_etag_expires_with_its_item(clock):
    place = ExpiringPersister(MappingPersister({}), HOUR)
    etag = place.write("a", 1).etag
    clock.ahead = 2 * HOUR
    for change in (lambda: place.write("a", 2, etag), lambda: place.remove("a", etag)):
        with pytest.raises(ConflictError) as caught:
            change()
        assert caught.value.actual is ITEM_NOT_AVAILABLE
    clock.ahead = 0
    assert place["a"] == 1


def test_purging_touches_nothing_that_is_not_of_this_store(tmp_path, clock):
    (tmp_path / "foreign.txt").write_text("keep me")
    whole = expiring(FileDirStore(tmp_path, serializer="json"), ttl=HOUR)
    whole.update({"a": 1, "part/b": 2, "part/c": 3})
    part = whole.get_subdict("part")
    clock.ahead = 2 * HOUR
    assert part.purge() == 2
    assert whole.purge() == 1
    assert (tmp_path / "foreign.txt").read_text() == "keep me"


@pytest.mark.parametrize(
    "wrapped",
    [cached_keys, cached_values, write_back, overlay, append_only],
    ids=["cached_keys", "cached_values", "write_back", "overlay", "append_only"],
)
def test_purging_goes_through_other_wrappers(wrapped, clock):
    place = {}
    store = wrapped(expiring(place, ttl=HOUR))
    store["a"] = 1
    assert store["a"] == 1
    store.flush()
    clock.ahead = 2 * HOUR
    if wrapped is append_only:
        with pytest.raises(ReadOnlyError):
            store.purge()
        assert place
        return
    assert store.purge() == 1
    assert place == {}
    assert "a" not in store
    assert store.get("a") is None


def test_a_read_only_store_is_not_purged(clock):
    place = {"a": 1}
    store = read_only(expiring(place, ttl=HOUR))
    clock.ahead = 2 * HOUR
    with pytest.raises(ReadOnlyError):
        store.purge()
    assert place == {"a": 1}
    assert MemoryStore({"a": 1}).purge() == 0
    with pytest.raises(UnsupportedError):
        expiring(types.MappingProxyType({"a": 1}), ttl=HOUR).purge()


def test_a_place_without_times_cannot_expire():
    class Timeless(Persister):
        def __getitem__(self, id):
            raise KeyError(id)

        def __setitem__(self, id, data):
            pass

        __delitem__ = __getitem__

        def __iter__(self):
            return iter(())

    with pytest.raises(UnsupportedError, match="keeps no times"):
        expiring(Timeless(), ttl=1)


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), "1", None, True])
def test_a_ttl_is_a_positive_number(wrong):
    with pytest.raises(InvalidArgumentError):
        expiring(ttl=wrong)


def test_large_values_still_come_from_the_open_file(tmp_path, clock):
    np = pytest.importorskip("numpy")
    store = expiring(FileDirStore(tmp_path, serializer="npy"), ttl=HOUR)
    store["a"] = np.arange(300_000)
    assert store["a"].sum() == np.arange(300_000).sum()
    clock.ahead = 2 * HOUR
    assert "a" not in store
    with pytest.raises(KeyError):
        store["a"]
