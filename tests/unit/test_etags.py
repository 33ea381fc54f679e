"""An etag is never given to another state of the same id, in every place that has versions."""

import io
import os
import time
from collections.abc import MutableMapping

import pytest

from exploring import in_soak
from holdall import ITEM_NOT_AVAILABLE, ConflictError, PersisterWrapper
from holdall.conditional import ANY_ETAG, ETAG_IS_THE_SAME
from holdall.persisters.files import FilesPersister
from holdall.persisters.mapping import MappingPersister
from holdall.persisters.script import ScriptPersister
from holdall.persisters.sqlite import SqlitePersister
from holdall.persisters.zip import ZipPersister


class Plain(MutableMapping):
    """A mapping of somebody else, which gives a new object at each look."""

    def __init__(self):
        self.inner = {}

    def __getitem__(self, id):
        return bytes(list(self.inner[id]))

    def __setitem__(self, id, data):
        self.inner[id] = data

    def __delitem__(self, id):
        del self.inner[id]

    def __iter__(self):
        return iter(list(self.inner))

    def __len__(self):
        return len(self.inner)


PLACES = {
    "a dict": lambda folder: MappingPersister({}),
    "a foreign mapping": lambda folder: MappingPersister(Plain()),
    "a folder": lambda folder: FilesPersister(folder / "store"),
    "a folder, synced": lambda folder: FilesPersister(folder / "synced", durability="power"),
    "sqlite": lambda folder: SqlitePersister(folder / "store.db"),
    "sqlite, wrapped": lambda folder: PersisterWrapper(SqlitePersister(folder / "store.db")),
    "a script": lambda folder: ScriptPersister(folder / "store.py", create=True),
    "a zip": lambda folder: ZipPersister(folder / "store.zip"),
    "a zip in memory": lambda folder: ZipPersister(None),
    "a zip in an open file": lambda folder: ZipPersister(io.BytesIO()),
}
IDS = ["x", "folder/x"]
SAME = b"the same each time"


SAME_CODE = {"a folder, synced", "sqlite, wrapped", "a zip in memory", "a zip in an open file"}


@pytest.fixture(
    params=[*(name for name in PLACES if name not in SAME_CODE), *in_soak(*sorted(SAME_CODE))],
)
def place(request, tmp_path):
    with PLACES[request.param](tmp_path) as place:
        yield place


@pytest.mark.parametrize("id", IDS)
def test_equal_data_written_again_and_again_have_different_etags(place, id):
    """Writes by each verb follow each other as fast as they go: many within one tick of a kernel's clock."""
    writes = (
        lambda: place.put(id, SAME),
        lambda: place.write(id, SAME),
        lambda: place.write_many([(id, SAME)]),
        lambda: place.write(id, SAME, place.stat(id).etag),
        lambda: place.write_many([(id, b"before"), (id, SAME)]),
    )
    etags = []
    for number in range(200):
        writes[number % len(writes)]()
        etags.append(place.stat(id).etag)
    assert len(set(etags)) == len(etags)


@pytest.mark.parametrize("id", IDS)
def test_what_is_deleted_and_made_again_has_another_etag(place, id):
    deletions = (
        lambda: place.remove(id),
        lambda: place.remove(id, place.stat(id).etag),
        lambda: place.remove_many([id]),
        place.clear,
    )
    etags = []
    for number in range(200):
        if number % 2:
            place.put(id, SAME)
        else:
            place.write(id, SAME, ITEM_NOT_AVAILABLE)
        etags.append(place.stat(id).etag)
        deletions[number % len(deletions)]()
    assert len(set(etags)) == len(etags)
    place.put(id, SAME)
    for etag in etags:
        with pytest.raises(ConflictError):
            place.write(id, b"new", etag)


@pytest.mark.parametrize("kind", ["a folder", "sqlite", "a script", "a zip"])
def test_handles_that_come_and_go_repeat_no_etag(kind, tmp_path):
    etags = []
    for number in range(60):
        with PLACES[kind](tmp_path) as place:
            place.put("x", SAME)
            etags.append(place.stat("x").etag)
            if number % 3 == 0:
                place.remove("x")
    assert len(set(etags)) == len(etags)


@pytest.mark.parametrize("kind", ["a folder", "sqlite", "a script", "a zip"])
def test_a_state_with_an_old_time_has_another_etag(kind, tmp_path):
    """After each write the time of the file is set back to that of the first one, as by `cp -p`."""
    files = {"a folder": "store/x", "sqlite": "store.db", "a script": "store.py", "a zip": "store.zip"}
    where = tmp_path / files[kind]
    with PLACES[kind](tmp_path) as place:
        place.put("x", SAME)
        first = os.stat(where)
        etags = [place.stat("x").etag]
        for number in range(20):
            if number % 2:
                place.remove("x")
            time.sleep(0.012)  # a tick of the clock of the file system
            place.put("x", SAME)
            os.utime(where, ns=(first.st_atime_ns, first.st_mtime_ns))
            etags.append(place.stat("x").etag)
        assert len(set(etags)) == len(etags)
        with pytest.raises(ConflictError):
            place.write("x", b"new", etags[0])


def test_a_dict_that_is_changed_by_hand_is_noticed():
    items = {}
    place = MappingPersister.of(items)
    etags = []
    for number in range(50):
        items["x"] = [number % 2]  # an equal one each other time, and never the same
        etags.append(place.stat("x").etag)
        if number % 3 == 0:
            del items["x"]
    assert len(set(etags)) == len(etags)


@pytest.mark.parametrize("mapping", [dict, Plain])
def test_what_is_put_by_hand_after_a_deletion_has_an_etag_of_its_own(mapping):
    items = mapping()
    place = MappingPersister.of(items)
    place.put("x", SAME)
    etag = place.stat("x").etag
    place.remove("x")
    items["x"] = SAME
    assert place.stat("x").etag != etag


@pytest.mark.parametrize("mapping", [dict, Plain])
def test_a_deletion_by_hand_that_was_looked_at_ends_the_old_etag(mapping):
    items = mapping()
    place = MappingPersister.of(items)
    place.put("x", SAME)
    etag = place.stat("x").etag
    del items["x"]
    with pytest.raises(KeyError):
        place.stat("x")
    items["x"] = SAME
    assert place.stat("x").etag != etag


def test_files_have_times_of_their_own(tmp_path):
    """The clock of the kernel stands still for milliseconds; what tells files apart must not."""
    place = FilesPersister(tmp_path)
    for number in range(100):
        place.put(f"put-{number}", SAME)
        place.write(f"write-{number}", SAME)
        with place.writer(f"writer-{number}") as file:
            file.write(SAME)
    place.write_many([(f"many-{number}", SAME) for number in range(100)])
    times = [os.stat(tmp_path / id).st_mtime_ns for id in place]
    assert len(set(times)) == len(times) == 400


def test_an_object_that_is_put_back_through_holdall_is_another_state():
    items = {}
    place = MappingPersister.of(items)
    first, second = object(), object()
    etags = []
    for value in (first, second, first, first):
        place.put("x", value)
        etags.append(place.stat("x").etag)
    assert len(set(etags)) == 4


def test_etags_of_one_place_mean_nothing_in_another(tmp_path):
    """A place made anew under the old name does not take the old etags for its own."""
    for kind, name in (
        ("a folder", "store"),
        ("sqlite", "store.db"),
        ("a script", "store.py"),
        ("a zip", "store.zip"),
    ):
        with PLACES[kind](tmp_path) as place:
            place.put("x", SAME)
            before = place.stat("x").etag
        (tmp_path / name).rename(tmp_path / f"{name}.moved")
        with PLACES[kind](tmp_path) as place:
            place.put("x", SAME)
            with pytest.raises(ConflictError):
                place.write("x", b"new", before)
            assert place.write("x", b"new", ANY_ETAG)
            assert place["x"] == b"new"


def test_the_aba_problem_through_the_store(place):
    from holdall import Store

    store = Store(place)
    store["x"] = b"A"
    seen = store.etag("x")
    store["x"] = b"B"
    store["x"] = b"A"
    late = store.set_item_if("x", value=b"lost", condition=ETAG_IS_THE_SAME, expected_etag=seen)
    assert (late.condition_was_satisfied, store["x"]) == (False, b"A")
