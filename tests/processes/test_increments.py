"""Compare-and-swap among processes is linearizable, unconditional writers included."""

import time
from collections import Counter

import pytest

from holdall import FileDirStore
from processes._register import count_overlaps, is_linearizable
from processes._support import control, crew, leftovers


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "store")


def joined(lists):
    return [item for items in lists for item in items]


# ---------------------------------------------------------------------- counting


def check_increments(path):
    reached = crew("increment", path, 500, n=4)
    assert sorted(joined(reached)) == list(range(1, 2001))
    assert FileDirStore(path)["n"] == 2000


@pytest.mark.parametrize("run", range(3))
def test_no_increment_is_lost(path, run):
    check_increments(path)


@pytest.mark.soak
@pytest.mark.parametrize("run", range(20))
def test_no_increment_is_lost_in_20_of_20_runs(path, run):
    check_increments(path)


def test_threads_in_processes_lose_no_increment(path):
    reached = crew("increment_in_threads", path, 8, 50, n=2)
    assert sorted(joined(reached)) == list(range(1, 801))


def test_parent_and_forked_children_share_an_open_store(path):
    [reached] = crew("increment_inherited", path, 200)
    assert sorted(reached) == list(range(1, 601))


def test_a_fork_while_a_thread_writes_leaves_the_child_free(path):
    assert crew("fork_amid_writes", path, 30) == [30]


def test_unconditional_writers_take_part_in_compare_and_swap(path):
    """Every number is made of the one before, or set: no increment builds on what was overwritten before."""
    steps = joined(crew("increment_beside_setters", path, 200, n=4))
    reached = Counter(after for _, after in steps)
    assert max(reached.values()) == 1, "two writers reached the same number"
    sources = Counter(before for before, _ in steps if before is not None)
    assert max(sources.values()) == 1, "two increments built on the same number"
    assert all(before in reached or before == 0 for before in sources)
    assert FileDirStore(path)["n"] in reached


# ---------------------------------------------------------------------- winners


def contests(path):
    """Give places for up to ten contests: on a busy machine one may be done before the others begin."""
    return (f"{path}{number}" for number in range(10))


def test_one_of_many_inserters_wins_each_key(path):
    keys = [f"k{number % 7}/{number}" for number in range(300)]
    for place in contests(path):
        won = crew("insert", place, keys, time.monotonic() + 0.4, n=8)
        assert Counter(joined(won)) == Counter(keys)
        store = FileDirStore(place)
        assert dict(store.items()) == {key: number for number, mine in enumerate(won) for key in mine}
        if sum(map(bool, won)) > 1:
            return
    pytest.fail("only one process took part, every time")


def test_setdefault_gives_all_the_same_value(path):
    keys = [str(number) for number in range(200)]
    seen = crew("set_default", path, keys, n=4)
    stored = FileDirStore(path).copy()
    assert all(mine == stored for mine in seen)


def test_one_writer_of_an_append_only_key_succeeds(path):
    keys = [str(number) for number in range(150)]
    for place in contests(path):
        written = crew("append", place, keys, time.monotonic() + 0.4, n=4)
        assert Counter(joined(written)) == Counter(keys)
        assert FileDirStore(place) == {key: number for number, mine in enumerate(written) for key in mine}
        if sum(map(bool, written)) > 1:
            return
    pytest.fail("only one process took part, every time")


def test_each_item_is_popped_once(path):
    keys = [f"k/{number}" for number in range(200)]
    FileDirStore(path).update((key, 1) for key in keys)
    got = crew("pop", path, keys, n=4)
    assert Counter(joined(got)) == Counter(keys)
    assert len(FileDirStore(path)) == 0


def test_each_item_is_popped_once_by_popitem(path):
    items = {str(number): number for number in range(100)}
    FileDirStore(path).update(items)
    got = crew("pop_items", path, n=4)
    assert sorted(joined(got)) == sorted(items.items())


# ---------------------------------------------------------------------- coming and going


def test_handles_that_come_and_go_do_not_disturb_each_other(path):
    crew("open_write_close", path, 60, n=4)
    assert control(path) == {"store.json"}
    assert len(FileDirStore(path)) == 0


def test_a_folder_that_is_deleted_again_and_again_hangs_nobody(path):
    """Writes may be refused meanwhile, by an error of ours; afterwards they work."""
    refused = crew("write_while_deleted", path, 150, n=3)
    assert max(refused) < 150
    with FileDirStore(path) as store:
        store["a/b"] = 1
        assert FileDirStore(path)["a/b"] == 1
        assert leftovers(path) == set()


def test_leftovers_of_forked_workers_are_swept(path):
    crew("increment", path, 1, n=4)  # workers that end without any cleaning up
    with FileDirStore(path) as store:
        store["x"] = 1
        assert len(control(path)) == 2
        assert leftovers(path) == set()
    assert control(path) == {"store.json"}


# ---------------------------------------------------------------------- histories


def check_histories(path, broken, n=4):
    keys = ["a", "b/c"]
    history = joined(crew("make_history", path, keys, 100, broken, n=n))
    each = [[operation for name, operation in history if name == key] for key in keys]
    return [is_linearizable(mine) for mine in each], sum(map(count_overlaps, each))


@pytest.mark.parametrize("run", range(3))
def test_histories_of_several_processes_are_linearizable(path, run):
    verdicts, overlaps = check_histories(path, broken=False)
    assert overlaps > 20, "the processes worked one after the other"
    assert verdicts == [True, True]


def test_a_swap_that_is_not_atomic_is_detected(path):
    verdicts, _ = check_histories(path, broken=True)
    assert False in verdicts


LINEARIZABLE = {
    "one after the other": [
        ("set", (1,), 0, 1),
        ("read", (1,), 2, 3),
        ("pop", (1,), 4, 5),
        ("read", (None,), 6, 7),
    ],
    "overlapping reads see either": [("set", (1,), 0, 9), ("read", (None,), 1, 2), ("read", (1,), 3, 4)],
    "the later start comes first": [("set", (1,), 0, 5), ("set", (2,), 1, 4), ("read", (1,), 6, 7)],
    "a lost swap": [("set", (1,), 0, 1), ("cas", (1, 2, True), 2, 5), ("cas", (1, 3, False), 3, 4)],
    "one inserter": [("setdefault", (1, 2), 0, 5), ("setdefault", (2, 2), 1, 4), ("read", (2,), 6, 7)],
}
IMPOSSIBLE = {
    "a stale read": [("set", (1,), 0, 1), ("set", (2,), 2, 3), ("read", (1,), 4, 5)],
    "a lost write": [("set", (1,), 0, 1), ("read", (None,), 2, 3)],
    "a read that goes back": [("set", (1,), 0, 9), ("read", (1,), 1, 2), ("read", (None,), 3, 4)],
    "two swaps of one state": [("set", (1,), 0, 1), ("cas", (1, 2, True), 2, 5), ("cas", (1, 3, True), 3, 4)],
    "a swap that failed for nothing": [("set", (1,), 0, 1), ("cas", (1, 2, False), 2, 3)],
    "a double pop": [("set", (1,), 0, 1), ("pop", (1,), 2, 5), ("pop", (1,), 3, 4)],
    "two inserters": [("setdefault", (1, 1), 0, 5), ("setdefault", (2, 2), 1, 4)],
    "a value of nobody": [("read", (7,), 0, 1)],
}


@pytest.mark.parametrize("name", LINEARIZABLE)
def test_the_checker_accepts(name):
    assert is_linearizable(LINEARIZABLE[name])


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_the_checker_refuses(name):
    assert not is_linearizable(IMPOSSIBLE[name])
