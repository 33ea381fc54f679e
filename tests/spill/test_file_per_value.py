"""A file per value: where values lie, who can read them, what outlives a process, how all is dropped."""

import json
import os
import pickle
import tracemalloc

import numpy as np
import pytest
from tests.spill._support import script, wait_for_line

from holdall import HoldallError, MismatchError, SpillStore, UnsupportedError


def a_file_a_value(path, **options):
    """Open a store that keeps each value in a file of its own."""
    return SpillStore(path, file_per_value=True, **options)


# ---------------------------------------------------------------------- as its page says


def test_values_lie_in_files_that_pickle_reads(tmp_path):
    c = a_file_a_value(tmp_path / "chest")
    c["x"] = [1, 2, 3]
    assert c["x"] == [1, 2, 3]
    c.flush()
    with open(c.key_to_filename("x"), "rb") as file:
        assert pickle.load(file) == [1, 2, 3]
    c2 = a_file_a_value(tmp_path / "chest")
    assert list(c2.keys()) == ["x"]
    assert c2["x"] == [1, 2, 3]
    with pytest.raises(KeyError):
        c.key_to_filename("absent")
    assert SpillStore(tmp_path / "chest").key_to_filename("x") == c.key_to_filename("x"), "as it was made"
    with pytest.raises(MismatchError, match="file_per_value=True"):
        SpillStore(tmp_path / "chest", file_per_value=False)


def test_large_values_have_files_and_small_ones_lie_together(tmp_path):
    with SpillStore(tmp_path / "chest") as c:
        c.update(small=[1], large=np.arange(20_000))
        with open(c.key_to_filename("large"), "rb") as file:
            assert np.array_equal(pickle.load(file), np.arange(20_000))
        with pytest.raises(UnsupportedError, match="file_per_value=True"):
            c.key_to_filename("small")
    with pytest.raises(MismatchError, match="file_per_value=False"):
        SpillStore(tmp_path / "chest", file_per_value=True)


@pytest.mark.parametrize("module", [json, pickle])
def test_a_pair_of_functions_writes_values(tmp_path, module):
    path = tmp_path / "my-chest"
    with a_file_a_value(path, dump=module.dump, load=module.load, memory=1) as c:
        c["x"] = [1, 2, 3]
        assert c["x"] == [1, 2, 3]
        with open(c.key_to_filename("x"), "rb") as file:
            assert module.load(file) == [1, 2, 3]
    c = SpillStore(path, dump=module.dump, load=module.load)
    assert c["x"] == [1, 2, 3]
    assert c.slow.serializer.dumps([1, 2, 3]) == (b"[1, 2, 3]" if module is json else pickle.dumps([1, 2, 3]))


# ---------------------------------------------------------------------- keys


def test_keys_of_different_types_share_no_file(tmp_path):
    keys = [1, "1", 1.5, "1.5", "x", ("x",), True, None, b"1", (1, ("2", 3)), "_a", ("a", "b"), "_a/b"]
    keys += ["a" * 300, "abc\n", "\u00e9", "", ".", "..", "a/../b", "CON", "x" * 5_000]
    with SpillStore(tmp_path / "one", memory=1) as one, a_file_a_value(tmp_path / "two", memory=1) as two:
        for number, key in enumerate(keys):
            one[key] = two[key] = [number]
        for store in (one, two):
            store.flush()
            assert len(store) == len(keys)
    for store in (SpillStore(tmp_path / "one"), a_file_a_value(tmp_path / "two")):
        assert [store[key] for key in keys] == [[number] for number in range(len(keys))]
        assert sorted(map(repr, store)) == sorted(map(repr, keys))


def test_a_missing_key_is_named():
    store = SpillStore()
    for look in (store.__getitem__, store.__delitem__, store.pop, store.etag):
        with pytest.raises(KeyError) as caught:
            look(("absent", 1))
        assert caught.value.args == (("absent", 1),)


def test_setting_after_a_flush_over_the_limit_names_no_other_key():
    store = SpillStore(memory=2_000, policy="lru")
    for round in range(3):
        for n in range(50):
            store[n] = [round] * 20
        store.flush()
        store.shrink()
    assert all(store[n] == [2] * 20 for n in range(50))


# ---------------------------------------------------------------------- the index


def test_a_torn_index_is_told_and_not_taken_for_an_empty_one(tmp_path):
    with SpillStore(tmp_path / "store") as store:
        store.update((n, [n] * 50) for n in range(500))
    (path,) = (tmp_path / "store").glob("*.db")
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"not a database" * 100):
        path.write_bytes(damaged)
        with pytest.raises(HoldallError):
            dict(SpillStore(tmp_path / "store"))
        assert path.read_bytes()[:100] == damaged[:100]


def test_a_store_outlives_its_process_without_a_flush(tmp_path):
    code = """
        store = SpillStore(sys.argv[1], memory=10_000)
        store.update((n, [n] * 20) for n in range(500))
        print("ready", flush=True)
        sys.stdin.read()
    """
    process = script(code, tmp_path / "killed")
    wait_for_line(process)
    process.terminate()
    process.communicate()
    store = SpillStore(tmp_path / "killed")
    assert len(store) > 400, "all that had left memory"
    assert all(store[n] == [n] * 20 for n in store)
    process = script(code, tmp_path / "ended")
    wait_for_line(process)
    _, err = process.communicate("")
    assert process.returncode == 0, err
    assert dict(SpillStore(tmp_path / "ended")) == {n: [n] * 20 for n in range(500)}


def test_an_overwritten_value_is_the_old_or_the_new_one_after_a_kill(tmp_path):
    code = """
        store = SpillStore(sys.argv[1], memory=1)
        store["x"] = ["old"]
        store.flush()
        print("ready", flush=True)
        while True:
            store["x"] = ["new"]
    """
    process = script(code, tmp_path / "store")
    wait_for_line(process)
    process.kill()
    process.communicate()
    assert SpillStore(tmp_path / "store")["x"] in (["old"], ["new"])


def test_leaving_the_context_writes_all(tmp_path):
    with SpillStore(tmp_path / "not" / "there" / "yet") as store:
        store.update({"a": 1}, b=2)
        store.update([("c", 3)])
    assert dict(SpillStore(tmp_path / "not" / "there" / "yet")) == {"a": 1, "b": 2, "c": 3}


# ---------------------------------------------------------------------- the bound


@pytest.mark.soak
def test_nested_values_keep_to_the_bound():
    store = SpillStore(memory=500_000)
    store["first"] = [[0.5]]
    tracemalloc.start()
    try:
        for n in range(40):
            store[n] = [[float(n * a + b) for b in range(80)] for a in range(20)]  # 50 kB
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 1.25 * 500_000 + 200_000
    assert store[3][2][5] == 11.0


def test_what_was_read_again_stays_longer():
    store = SpillStore(memory=300, sizeof=lambda value: 100, policy="lru")
    store.update({"a": [1], "b": [2], "c": [3]})
    assert store["a"] == [1]
    store["d"] = [4]
    before = store.stats().misses
    assert (store["a"], store["c"], store["d"]) == ([1], [3], [4])
    assert store.stats().misses == before
    assert store["b"] == [2]
    assert store.stats().misses == before + 1


def test_small_values_lie_together(tmp_path):
    with SpillStore(tmp_path / "store") as store:
        store.update((n, n) for n in range(5_000))
        store.flush()
        files = [name for _, _, names in os.walk(tmp_path / "store") for name in names]
        assert len(files) < 10
        assert store.stats().disk < 500_000


def test_arrays_take_no_more_on_disk_than_in_memory():
    store = SpillStore(memory=1)
    store.update((n, np.random.default_rng(n).random(100_000)) for n in range(5))
    assert store.stats().bytes_written < 1.01 * 5 * 800_000
    assert [store[n][0] for n in range(5)] == [np.random.default_rng(n).random() for n in range(5)]


# ---------------------------------------------------------------------- what its own tests ask for


def test_everything_can_leave_memory():
    store = SpillStore(sizeof=lambda value: value.nbytes, memory=100, policy="lru")
    store["a"] = np.ones(10)
    assert store.stats().memory == 80
    store["b"] = np.ones(5)
    assert store.stats().memory == 40
    store.shrink()
    assert store.stats().memory == 0
    assert store["a"].sum() == 10


def test_a_folder_that_was_renamed_is_the_same_store(tmp_path):
    with SpillStore(tmp_path / "old", memory=1) as store:
        store.update({("a", 1): [1], "b": [2]})
    os.rename(tmp_path / "old", tmp_path / "new")
    with SpillStore(tmp_path / "new") as store:
        assert dict(store) == {("a", 1): [1], "b": [2]}
        assert str(tmp_path / "new") in repr(store) or str(tmp_path / "new") in store.path


@pytest.mark.parametrize("temporary", [True, False])
@pytest.mark.parametrize("alone", [True, False])
def test_dropping_removes_the_folder_and_leaves_a_store(tmp_path, monkeypatch, temporary, alone):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = SpillStore(None if temporary else tmp_path / "store", memory=1, file_per_value=alone)
    store.update({"a": [1], "b": [2] * 50_000})
    assert os.path.isdir(store.path)
    store.drop()
    assert not os.path.exists(store.path)
    assert len(store) == 0
    store["again"] = [3]
    store.shrink()
    assert store["again"] == [3]
    store.drop()
    assert os.listdir(tmp_path) == []


def test_dropping_leaves_what_others_have_put_there(tmp_path):
    store = SpillStore(tmp_path / "store", memory=1)
    store["a"] = [1]
    (tmp_path / "store" / "mine.txt").write_text("mine")
    store.drop()
    assert os.listdir(tmp_path / "store") == ["mine.txt"]
