"""The local cache never lies, keeps to its room, and saves what it promises."""

import itertools
import os
import pathlib
import pickle
import threading

import pytest

from exploring import AMONG_PROCESSES, soaks
from holdall import (
    ITEM_NOT_AVAILABLE,
    ConflictError,
    InvalidArgumentError,
    ReadOnlyError,
    S3Store,
    UntrustedStoreError,
)
from holdall._remote.data import UniqueBytes, is_unique
from holdall.abc import VersionedPersister
from holdall.conditional import ANY_ETAG, Stat
from holdall.persisters.files import FilesPersister
from holdall.persisters.local_cache import LocalCachePersister
from holdall.persisters.mapping import MappingPersister
from holdall.persisters.s3 import S3Persister
from holdall.testing import PersisterContract
from s3.test_store import OnABucket


@soaks(*AMONG_PROCESSES)
class TestCachedFiles(PersisterContract):
    pace = 0.2

    def open(self, place):
        return LocalCachePersister(FilesPersister(place / "files"), place / "cache", namespace="files")


@pytest.mark.soak
class TestCachedS3(PersisterContract):
    tick = 1.0
    pace = 0.05

    @pytest.fixture(autouse=True)
    def _bucket(self, bucket):
        self.bucket = bucket

    def open(self, place):
        inner = S3Persister(self.bucket.name, prefix="p", client=self.bucket.client)
        return LocalCachePersister(inner, place / "cache", namespace=inner.namespace)


@pytest.mark.soak
class TestCachedStore(OnABucket):
    pace = 0.05

    def open_with(self, place, **options):
        return super().open_with(place, cache_dir=place / "cache", cache_bytes=100_000, **options)


class Asked(VersionedPersister):
    """A slow place: counts what it is asked, and stops before or after it answers where a test says so."""

    def __init__(self):
        self.items_here = MappingPersister({})
        self.asked = []
        self.before, self.after = {}, {}

    def _stop(self, where, verb, id):
        step = where.pop((verb, id), None)
        if step is not None:
            step()

    def read(self, id):
        self.asked.append("read")
        self._stop(self.before, "read", id)
        found = self.items_here.read(id)
        self._stop(self.after, "read", id)
        return found

    def read_unless(self, id, etag):
        self.asked.append("ask")
        self._stop(self.before, "ask", id)
        data, stat = self.items_here.read(id)
        self._stop(self.after, "ask", id)
        return None if stat.etag == etag else (data, stat)

    def stat(self, id):
        return self.items_here.stat(id)

    def write(self, id, data, expected=ANY_ETAG):
        self._stop(self.before, "write", id)
        stat = self.items_here.write(id, data, expected)
        self._stop(self.after, "write", id)
        return stat

    def remove(self, id, expected=ANY_ETAG):
        self.items_here.remove(id, expected)

    def ids(self, prefix=""):
        return self.items_here.ids(prefix)


@pytest.fixture
def slow():
    return Asked()


@pytest.fixture
def cached(slow, tmp_path):
    """Make caches before one place, which share a folder."""
    return lambda **options: LocalCachePersister(slow, tmp_path / "cache", namespace="test", **options)


def test_what_is_there_is_asked_for_and_not_sent_again(slow, cached):
    place = cached()
    slow["a"] = b"1"
    assert [place["a"], place["a"], cached()["a"]] == [b"1"] * 3
    assert slow.asked == ["read", "ask", "ask"]
    slow.asked.clear()
    place["b"] = b"2"
    assert cached()["b"] == b"2"  # what is written is kept
    assert slow.asked == ["ask"]


def test_others_are_seen_at_once(slow, cached):
    one, other = cached(), cached()
    one["a"] = b"1"
    assert other["a"] == b"1"
    slow["a"] = b"2"  # past all caches
    assert one["a"] == other["a"] == b"2"
    other["a"] = b"3"
    assert one["a"] == b"3"
    del slow["a"]
    for place in (one, other):
        with pytest.raises(KeyError):
            place["a"]
        assert "a" not in place
    slow["a"] = b"1"  # the first value, of another version
    assert one.read("a") == slow.read("a")


# Where a change comes in between: before or after the place answers a look at what is not kept here, or a
# question whether what is kept is the present state, or a write.
STEPS = list(itertools.product(["before", "after"], ["read", "ask", "write"]))
CHANGES = list(itertools.product(["write", "delete", "delete and write"], ["this handle", "another process"]))


@pytest.mark.parametrize("max_age", [0, 1000])
@pytest.mark.parametrize("step", STEPS, ids=" ".join)
@pytest.mark.parametrize("change", CHANGES, ids=" by ".join)
def test_every_interleaving_of_a_change_with_a_look(slow, cached, step, max_age, change):
    """Whatever happens between request and answer, the next look shows the present state.

    With `max_age` that holds for changes by the handle itself; those of others it may show later.
    """
    (when, verb), (change, by) = step, change
    place = cached(max_age=max_age)
    changer = place if by == "this handle" else slow
    slow["a"] = b"old"
    if verb == "ask":
        assert place["a"] == b"old"
        place.refresh()
    changed = []

    def meanwhile():
        changed.append(change)
        if change != "write":
            changer.remove("a")
        if change != "delete":
            changer.put("a", b"new")

    getattr(slow, when)[verb, "a"] = meanwhile
    try:
        if verb == "write":
            place["a"] = b"old"
        else:
            assert place["a"] in (b"old", b"new")
    except KeyError:
        assert change != "write"
    assert changed
    truth = slow.items_here
    looks = [place, cached()] if max_age == 0 else [place] if by == "this handle" else []
    for look in looks:
        assert look.get("a") == truth.get("a")
        if "a" in truth:
            assert look.read("a") == truth.read("a")
    place.refresh()
    assert place.get("a") == truth.get("a")


def test_two_writers_at_once_keep_nothing_that_is_old(slow, cached):
    """The one whose write came first at the place is the last to note it here."""
    place = cached(max_age=1000)
    written, noted = threading.Event(), threading.Event()

    def first_at_the_place():
        written.set()
        assert noted.wait(30)

    slow.after["write", "a"] = first_at_the_place
    thread = threading.Thread(target=place.put, args=("a", b"first"))
    thread.start()
    assert written.wait(30)
    place.put("a", b"second")
    noted.set()
    thread.join(30)
    assert place["a"] == slow["a"] == b"second"


def test_data_that_no_other_write_equals_stay_known_as_such(slow, cached, monkeypatch):
    """Without that, a conflict after a lost answer could not be told from a write that happened."""
    given = []

    def write(_, data, expected):
        given.append(data)
        return Stat(f"after {expected}", 0.0, 1)

    monkeypatch.setattr(slow, "write", write)
    cached().write("x", UniqueBytes(b"1"), "0")
    cached().write("x", [b"1", UniqueBytes(b" ")], "0")
    assert all(map(is_unique, given))
    assert len(given) == 2


def test_a_conflict_forgets_what_is_kept(slow, cached):
    place = cached(max_age=1000)
    stat = place.write("a", b"1")
    slow["a"] = b"2"
    with pytest.raises(ConflictError):
        place.write("a", b"3", stat.etag)
    assert place["a"] == b"2"


def test_max_age_saves_requests(slow, cached):
    place = cached(max_age=1000)
    slow["a"] = b"1"
    assert [place["a"] for _ in range(5)] == [b"1"] * 5
    assert slow.asked == ["read"]
    place["a"] = b"2"
    assert place["a"] == b"2"
    assert slow.asked == ["read"]
    slow["a"] = b"3"
    assert place["a"] == b"2"  # which is what was asked for
    place.refresh()
    assert place["a"] == b"3"
    for name in os.listdir(place._files.below):  # as if a long time had gone by
        os.utime(os.path.join(place._files.below, name), (0, 0))
    slow["a"] = b"4"
    assert place["a"] == b"4"


def test_what_never_changes_is_never_asked_twice(slow, cached):
    place = cached(append_only=True)
    place.write("a", b"1", ITEM_NOT_AVAILABLE)
    slow["b"] = b"2"
    assert (place["a"], place["b"], "a" in place, dict(place.read_many("ab"))) == (
        b"1",
        b"2",
        True,
        {"a": b"1", "b": b"2"},
    )
    assert slow.asked == ["read"]
    assert [item for page in place.contents() for item in page] == [("a", b"1"), ("b", b"2")]
    assert cached(append_only=True).read("b")[1] == slow.stat("b")


def test_iteration_uses_the_cache_and_fills_it(slow, cached):
    place = cached()
    slow.update({f"k{number}": b"%d" % number for number in range(20)})
    everything = dict(slow)
    slow.asked.clear()
    assert dict(item for page in place.contents() for item in page) == everything
    assert slow.asked.count("read") == 20
    slow.asked.clear()
    slow["k3"] = everything["k3"] = b"new"
    assert dict(item for page in place.contents() for item in page) == everything
    assert slow.asked == ["ask"]


def test_the_room_is_kept_to(slow, cached, tmp_path):
    place = cached(max_bytes=20_000)

    def used():
        folder = place._files.below
        return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))

    for number in range(100):
        place[f"k{number}"] = b"x" * 900
        assert used() <= 20_000
        assert place["k0"] == b"x" * 900  # used again and again, so it stays
    slow.asked.clear()
    assert place["k0"] == place["k99"] == b"x" * 900
    assert slow.asked == ["ask", "ask"]
    assert place["k5"] == b"x" * 900
    assert slow.asked[-1] == "read"
    place["huge"] = b"x" * 30_000
    assert place["huge"] == b"x" * 30_000
    assert used() <= 20_000
    assert len(place) == 101


def test_damaged_files_are_none(slow, cached):
    place = cached(append_only=True)
    place["a"] = b"1234567890" * 100
    (name,) = os.listdir(place._files.below)
    path = os.path.join(place._files.below, name)
    whole = pathlib.Path(path).read_bytes()
    for damaged in (whole[:-1], whole[: len(whole) // 2], b"", whole[:-40] + b"x" + whole[-39:], b"\n" * 100):
        with open(path, "wb") as file:
            file.write(damaged)
        slow.asked.clear()
        assert place["a"] == b"1234567890" * 100
        assert slow.asked == ["read"]


def test_places_do_not_see_each_other(tmp_path):
    one = LocalCachePersister(MappingPersister({}), tmp_path, namespace="one", append_only=True)
    other = LocalCachePersister(MappingPersister({"a": b"2"}), tmp_path, namespace="other", append_only=True)
    one["a"] = b"1"
    assert (one["a"], other["a"], "b" in other) == (b"1", b"2", False)


def test_a_folder_of_others_is_not_trusted(slow, tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o777)
    place = LocalCachePersister(slow, folder, namespace="x")
    slow["a"] = b"1"
    with pytest.raises(UntrustedStoreError, match="other users"):
        place["a"]


@pytest.mark.parametrize(
    "options", [{"max_bytes": -1}, {"max_bytes": "1 GB"}, {"max_age": -1}, {"max_age": "1 h"}]
)
def test_options_that_cannot_be(slow, tmp_path, options):
    with pytest.raises(InvalidArgumentError):
        LocalCachePersister(slow, tmp_path, namespace="x", **options)
    with pytest.raises(InvalidArgumentError):
        LocalCachePersister(slow, 7, namespace="x")
    with pytest.raises(InvalidArgumentError, match="cache_dir"):
        S3Store("bucket", cache_bytes=7)


# ---------------------------------------------------------------------- before S3


def store_in(bucket, tmp_path, url=None, **options):
    url = url or bucket.endpoint_url
    return S3Store(bucket.name, prefix="p", endpoint_url=url, cache_dir=tmp_path / "cache", **options)


def test_requests_that_are_saved(plain_bucket, proxy, tmp_path):
    wire = proxy()
    store = store_in(plain_bucket, tmp_path, wire.url)
    store["k"] = "x" * 100_000
    assert wire.operations() == ["PutObject"]
    wire.forget()
    sizes = []
    wire.rule = lambda request, answer: sizes.append((answer.status, len(answer.body))) or answer
    assert store["k"] == "x" * 100_000
    assert store["k"] == "x" * 100_000
    assert sizes == [(304, 0)] * 2
    assert store.transform_item("k", transformer=str.upper).new_value == "X" * 100_000
    assert pickle.loads(pickle.dumps(store))["k"] == "X" * 100_000
    wire.forget()
    assert dict(store.items()) == {"k": "X" * 100_000}
    assert wire.operations() == ["ListObjectsV2"]


def test_items_that_only_come(plain_bucket, proxy, tmp_path):
    wire = proxy()
    store = store_in(plain_bucket, tmp_path, wire.url, append_only=True)
    store["k"] = 1
    store.update({"l": 2, "m": 3})
    wire.forget()
    assert (store["k"], store["l"], "m" in store, store.get("m")) == (1, 2, True, 3)
    assert wire.operations() == []
    with pytest.raises(ReadOnlyError):
        store["k"] = 2
    with pytest.raises(KeyError):
        store["absent"]


def test_buckets_and_prefixes_are_kept_apart(endpoint, plain_bucket, tmp_path):
    stores = [
        S3Store(plain_bucket.name, prefix=prefix, endpoint_url=endpoint, cache_dir=tmp_path, append_only=True)
        for prefix in ("p", "q", "")
    ]
    for number, store in enumerate(stores):
        store["k"] = number
    assert [store["k"] for store in stores] == [0, 1, 2]
    assert len({store.pipeline.persister.inner._files.below for store in stores}) == 3
