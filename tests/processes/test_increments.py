"""Compare-and-swap among processes is linearizable, unconditional writers included."""

import os
import time
from collections import Counter

import pytest

from holdall import FileDirStore
from holdall.persisters.sqlite import SqlitePersister
from processes._support import control, crew, leftovers, open_store


@pytest.fixture(params=["store", "store.db"])
def path(tmp_path, request):
    """Give the path of a folder or of a SQLite file to be."""
    return str(tmp_path / request.param)


@pytest.fixture
def folder(tmp_path):
    """Give the path of a folder to be."""
    return str(tmp_path / "store")


def joined(lists):
    return [item for items in lists for item in items]


# ---------------------------------------------------------------------- counting


def check_increments(path):
    reached = crew("increment", path, 500, n=4)
    assert sorted(joined(reached)) == list(range(1, 2001))
    assert open_store(path)["n"] == 2000


def test_no_increment_is_lost(path):
    check_increments(path)


@pytest.mark.soak
@pytest.mark.parametrize("run", range(20))
def test_no_increment_is_lost_in_20_of_20_runs(path, run):
    check_increments(path)


def test_threads_in_processes_lose_no_increment(path):
    reached = crew("increment_in_threads", path, 8, 50, n=2)
    assert sorted(joined(reached)) == list(range(1, 801))


def test_two_tables_of_one_file_count_for_themselves(tmp_path):
    reached = crew("increment_in_tables", str(tmp_path / "store.db"), 100, n=4)
    assert sorted(joined(reached)) == [number for number in range(1, 401) for _ in range(2)]


def test_parent_and_forked_children_share_an_open_store(path):
    [reached] = crew("increment_inherited", path, 200)
    assert sorted(reached) == list(range(1, 601))


def test_a_fork_while_a_thread_writes_leaves_the_child_free(path):
    assert crew("fork_amid_writes", path, 12) == [12]


def test_unconditional_writers_take_part_in_compare_and_swap(path):
    """Every number is made of the one before, or set: no increment builds on what was overwritten before."""
    steps = joined(crew("increment_beside_setters", path, 200, n=4))
    reached = Counter(after for _, after in steps)
    assert max(reached.values()) == 1, "two writers reached the same number"
    sources = Counter(before for before, _ in steps if before is not None)
    assert max(sources.values()) == 1, "two increments built on the same number"
    assert all(before in reached or before == 0 for before in sources)
    assert open_store(path)["n"] in reached


# ---------------------------------------------------------------------- winners


def contests(path):
    """Give places and times to begin: on a busy machine one may be done before the others begin."""
    folder, name = os.path.split(path)
    for number in range(10):
        yield os.path.join(folder, f"{number}-{name}"), time.monotonic() + 0.2 * (number + 1)


def test_one_of_many_inserters_wins_each_key(path):
    keys = [f"k{number % 7}/{number}" for number in range(300)]
    for place, begin in contests(path):
        won = crew("insert", place, keys, begin, n=8)
        assert Counter(joined(won)) == Counter(keys)
        store = open_store(place)
        assert dict(store.items()) == {key: number for number, mine in enumerate(won) for key in mine}
        if sum(map(bool, won)) > 1:
            return
    pytest.fail("only one process took part, every time")


def test_setdefault_gives_all_the_same_value(path):
    keys = [str(number) for number in range(200)]
    seen = crew("set_default", path, keys, n=4)
    stored = open_store(path).copy()
    assert all(mine == stored for mine in seen)


def test_one_writer_of_an_append_only_key_succeeds(path):
    keys = [str(number) for number in range(150)]
    for place, begin in contests(path):
        written = crew("append", place, keys, begin, n=4)
        assert Counter(joined(written)) == Counter(keys)
        assert open_store(place) == {key: number for number, mine in enumerate(written) for key in mine}
        if sum(map(bool, written)) > 1:
            return
    pytest.fail("only one process took part, every time")


def test_each_item_is_popped_once(path):
    keys = [f"k/{number}" for number in range(200)]
    open_store(path).update((key, 1) for key in keys)
    got = crew("pop", path, keys, n=4)
    assert Counter(joined(got)) == Counter(keys)
    assert len(open_store(path)) == 0


def test_each_item_is_popped_once_by_popitem(path):
    items = {str(number): number for number in range(100)}
    open_store(path).update(items)
    got = crew("pop_items", path, n=4)
    assert sorted(joined(got)) == sorted(items.items())


def test_an_item_that_comes_right_after_it_was_found_absent_is_no_conflict(tmp_path, monkeypatch):
    with SqlitePersister(tmp_path / "store.db") as place, SqlitePersister(tmp_path / "store.db") as other:
        change = place._table.change

        def slow(*arguments):
            result = change(*arguments)
            if "deleted" in arguments:
                other["x"] = b"again"
            return result

        monkeypatch.setattr(place._table, "change", slow)
        with pytest.raises(KeyError):
            del place["x"]
        assert place["x"] == b"again"


# ---------------------------------------------------------------------- coming and going


def test_handles_that_come_and_go_do_not_disturb_each_other(path):
    crew("open_write_close", path, 60, n=4)
    if os.path.isdir(path):
        assert control(path) == {"store.json"}
    else:
        assert os.listdir(os.path.dirname(path)) == ["store.db"]
    assert len(open_store(path)) == 0


def test_a_folder_that_is_deleted_again_and_again_hangs_nobody(folder):
    """Writes may be refused meanwhile, by an error of ours; afterwards they work."""
    refused = crew("write_while_deleted", folder, 150, n=3)
    assert max(refused) < 150
    with FileDirStore(folder) as store:
        store["a/b"] = 1
        assert FileDirStore(folder)["a/b"] == 1
        assert leftovers(folder) == set()


def test_leftovers_of_forked_workers_are_swept(folder):
    crew("increment", folder, 1, n=4)  # workers that end without any cleaning up
    with FileDirStore(folder) as store:
        store["x"] = 1
        assert len(control(folder)) == 2
        assert leftovers(folder) == set()
    assert control(folder) == {"store.json"}
