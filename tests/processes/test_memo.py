"""Memoized functions of several processes: each result is computed once, and nobody waits for the dead."""

import subprocess
import sys
from collections import Counter

import pytest

from exploring import in_soak
from processes._support import child_environment, crew

PLACES = ["kept.db", "kept"]
ONE_PLACE = ["kept", *in_soak("kept.db")]  # both wait in the same way


def computed(log):
    return Counter(map(int, log.read_text().split()))


@pytest.mark.parametrize("name", PLACES)
def test_a_stampede_computes_each_key_once(name, tmp_path):
    log = tmp_path / "log"
    results = crew("_memo_workers.stampede", str(tmp_path / name), str(log), (50, 8), 0.01, n=8)
    assert [wrong for wrong, _, _ in results] == [[]] * 8
    assert computed(log) == dict.fromkeys(range(50), 1)
    assert sum(misses for _, misses, _ in results) == 50
    assert sum(hits for _, _, hits in results) == 8 * 8 * 50 - 50


@pytest.mark.parametrize("name", ONE_PLACE)
def test_a_stampede_of_tasks_computes_each_key_once(name, tmp_path):
    log = tmp_path / "log"
    crew("_memo_workers.stampede_of_tasks", str(tmp_path / name), str(log), (20, 20), 0.2, n=3)
    assert computed(log) == dict.fromkeys(range(20), 1)


@pytest.mark.parametrize("name", ONE_PLACE)
def test_a_loop_goes_on_while_another_process_computes(name, tmp_path):
    """The one computes until the loop of the other has turned: a loop that stands still hangs both."""
    [computing, waiting] = crew("_memo_workers.compute_until_a_loop_turns", str(tmp_path / name), n=2)
    assert computing == waiting == 1


@pytest.mark.soak
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("turn", range(20))
def test_many_stampedes(name, turn, tmp_path):
    log = tmp_path / "log"
    results = crew(
        "_memo_workers.stampede", str(tmp_path / name), str(log), (200, 8), 0.001 * (turn % 3), n=8
    )
    assert [wrong for wrong, _, _ in results] == [[]] * 8
    assert computed(log) == dict.fromkeys(range(200), 1)


@pytest.mark.parametrize("name", ONE_PLACE)
def test_recursion_from_all_ends_at_once_ends(name, tmp_path):
    results = crew("_memo_workers.recursion", str(tmp_path / name), n=4)
    assert [wrong for wrong, _ in results] == [[]] * 4
    assert sum(calls for _, calls in results) == 31


@pytest.mark.parametrize("with_child", [False, True], ids=["alone", "with a child that lives on"])
@pytest.mark.parametrize("name", ONE_PLACE)
def test_a_killed_process_releases_those_who_wait(name, with_child, tmp_path):
    [results] = crew("_memo_workers.take_over", str(tmp_path / name), str(tmp_path / "started"), with_child)
    assert all(worked for worked, _, _ in results), results
    assert len({result for _, result, _ in results}) == 1, "more than one of those who waited computed"
    assert all(seconds > 0 for _, _, seconds in results), "they did not wait"


@pytest.mark.parametrize("name", ONE_PLACE)
def test_a_child_waits_for_the_parent_that_computes(name, tmp_path):
    log = tmp_path / "log"
    [results] = crew("_memo_workers.fork_while_computing", str(tmp_path / name), str(log))
    assert all(worked for worked, _ in results), results
    assert computed(log) == {1: 1, 2: 1}


def test_errors_are_not_shared_among_processes(tmp_path):
    log = tmp_path / "log"
    results = crew("_memo_workers.errors", str(tmp_path / "kept.db"), str(log), n=3)
    assert results == [["LookupError(1)"] * 3] * 3
    assert 3 <= computed(log)[1] <= 9


@pytest.mark.parametrize("seed", [0, *in_soak(1)])
def test_an_interrupted_call_keeps_nobody_waiting(seed, tmp_path):
    assert crew("_memo_workers.interrupt_calls", str(tmp_path / "kept"), 500, seed) == [([], 0, 0)]


SCRIPT = """
import dataclasses, multiprocessing, os, sys
import holdall

@dataclasses.dataclass
class Own:
    x: int

@holdall.memoize("kept.db")
def square(x, own=Own(1), function=len):
    with open("log", "a") as file:
        file.write(f"{x}\\n")
    return x * x

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(3) as pool:
        assert pool.map(square, list(range(20)) * 3) == [x * x for x in range(20)] * 3
    assert square(5) == 25
    print(square.cache_info().misses, len(square.entries))
"""


@pytest.mark.parametrize("method", [*in_soak("fork"), "spawn", *in_soak("forkserver")])
def test_pools_of_processes_take_memoized_functions(method, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    run = subprocess.run(
        [sys.executable, "script.py", method],
        cwd=tmp_path,
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["0", "20"]
    assert computed(tmp_path / "log") == dict.fromkeys(range(20), 1)
