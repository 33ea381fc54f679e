"""All operations that processes do on one key at once can be explained by an order of them."""

import os
import time

import pytest

from exploring import in_soak
from processes._register import count_overlaps, is_linearizable
from processes._support import crew


@pytest.fixture(params=["store", "store.db"])
def path(tmp_path, request):
    """Give the path of a folder or of a SQLite file to be."""
    return str(tmp_path / request.param)


def check_histories(path, broken, n=4):
    """Give what the checker says of each key, of the first of ten histories whose operations overlap."""
    folder, name = os.path.split(path)
    keys = ["a", "b/c"]
    for attempt in range(10):  # on a busy machine one process may be done before the others begin
        place = os.path.join(folder, f"{attempt}-{name}")
        begin = time.monotonic() + 0.4 * (attempt + 1)
        told = crew("_histories.make_history", place, keys, 120, n=n, broken=broken, begin=begin)
        history = [operation for mine in told for operation in mine]
        each = [[operation for name, operation in history if name == key] for key in keys]
        if sum(map(count_overlaps, each)) > 40:
            return [is_linearizable(mine) for mine in each]
    pytest.fail("the processes worked one after the other, every time")


@pytest.mark.parametrize("run", [0, *in_soak(1, 2)])
def test_histories_of_several_processes_are_linearizable(path, run):
    assert check_histories(path, broken=False) == [True, True]


def test_a_swap_that_is_not_atomic_is_detected(path):
    """A store that loses updates, as it compares and swaps in two steps, does not pass."""
    assert False in check_histories(path, broken=True)


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
    "a swap of what has changed": [("set", (1,), 0, 1), ("swap changed", (3, 2, True, 2), 2, 3)],
    "a swap of what has not changed": [("set", (1,), 0, 1), ("swap changed", (1, 2, False, 1), 2, 3)],
    "two transforms": [("transform", (None, 1), 0, 5), ("transform", (1, 2), 1, 4), ("read", (2,), 6, 7)],
    "a delete": [("set", (1,), 0, 1), ("del", (), 2, 3), ("read", (None,), 4, 5)],
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
    "a swap that says what is not there": [("set", (1,), 0, 1), ("cas", (7, 2, False, 3), 2, 3)],
    "a swap although nothing changed": [("set", (1,), 0, 1), ("swap changed", (1, 2, True, 2), 2, 3)],
    "a lost update": [("transform", (None, 1), 0, 5), ("transform", (None, 2), 1, 4)],
    "a double delete": [("set", (1,), 0, 1), ("del", (), 2, 5), ("del", (), 3, 4)],
    "a value of nobody": [("read", (7,), 0, 1)],
}


@pytest.mark.parametrize("name", LINEARIZABLE)
def test_the_checker_accepts(name):
    assert is_linearizable(LINEARIZABLE[name])


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_the_checker_refuses(name):
    assert not is_linearizable(IMPOSSIBLE[name])
