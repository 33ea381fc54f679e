"""Data sets that processes write, read and import, whose writers are killed, on disks that are full."""

import os
import subprocess
import sys

import numpy as np
import pytest

from holdall.archive import DataSet
from holdall.errors import StoreFullError, StoreUnavailableError
from processes import _dataset_workers as workers
from processes._support import crew, files_below, fill


@pytest.mark.parametrize(
    "n_opens", [60, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_readers_never_see_a_half_or_an_empty_set_and_no_write_is_lost(tmp_path, n_opens):
    """4 writers insert, replace and delete while 4 readers open the set, by a handle and by import."""
    workers.prepare(tmp_path)
    results = crew("_dataset_workers.write_beside_readers", str(tmp_path), n_opens, n=8, timeout=3000)
    assert [wrong for wrong in results[4:] if wrong] == []
    ds = DataSet(workers.NAME, path=tmp_path)
    for mine in results[:4]:
        assert mine
        for name in mine:
            assert getattr(ds, name) == ds[name] == int(name.partition("_")[2])
    assert len(ds) == workers.BASE + sum(map(len, results[:4]))
    folder = tmp_path / workers.NAME
    modules = {name for name in os.listdir(folder) if name.endswith(".py")}
    assert modules == {"__init__.py", *(f"{name}.py" for name in ds)}
    arrays = [name for name in os.listdir(folder) if "_data" in name]
    assert len(arrays) == len(workers.SHARED), "what was replaced is still there"


@pytest.mark.parametrize(
    "kills", [10, pytest.param(400, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_killed_writers_lose_nothing_and_lock_nobody_out(tmp_path, kills):
    [wrong] = crew("_dataset_workers.kill_writers", str(tmp_path), kills, 7, timeout=3000)
    assert wrong == []


def test_many_processes_make_the_same_set_at_once(tmp_path):
    counts = crew("_dataset_workers.make_at_once", str(tmp_path), n=6)
    ds = DataSet("fresh", path=tmp_path)
    assert {name: getattr(ds, name) for name in ds} == {f"from{number}": number for number in range(6)}
    assert max(counts) == 6
    assert os.listdir(tmp_path) == ["fresh"]


@pytest.mark.parametrize("data_format", ["npy", "npz", "hdf5"])
def test_a_full_disk_keeps_what_was_there(small, data_format):
    ds = DataSet("data", "w", path=small, data_format=data_format)
    ds.x = np.arange(1000)
    ds["x"] = "info"
    before = files_below(small)
    fill(small)
    for change in (
        lambda: setattr(ds, "x", np.zeros(100_000)),
        lambda: setattr(ds, "y", list(range(100_000))),
        lambda: ds._insert(z=1, info="long " * 2000),
        lambda: ds.__setitem__("x", "long " * 2000),
    ):
        with pytest.raises(StoreFullError, match=r"untouched|stays"):
            change()
    assert ds.x.sum() == 499500
    assert (list(ds), ds["x"]) == (["x"], "info")
    assert files_below(small) - before == {"ballast"}
    os.unlink(small / "ballast")
    ds._insert(z=5)
    assert (ds.z, list(ds)) == (5, ["x", "z"])


FORKS_AMID_A_WRITE = """
import os, signal, threading
from holdall.archive import DataSet

begun, go = threading.Event(), threading.Event()

class Slow:
    def get_persistent_rep(self, env):
        begun.set()
        go.wait()
        return "a", {"a": 1}, {}

data = DataSet("data", "w")
thread = threading.Thread(target=lambda: setattr(data, "slow", Slow()))
thread.start()
begun.wait()
pid = os.fork()
if not pid:
    signal.alarm(50)
    data.child = 2
    os._exit(0)
go.set()
status = os.waitpid(pid, 0)[1]
thread.join()
print(os.waitstatus_to_exitcode(status), sorted(data))
"""


def test_a_child_that_is_forked_while_a_thread_writes_writes_as_well(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS_AMID_A_WRITE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (run.stdout.strip(), run.stderr) == ("0 ['child', 'slow']", "")


def test_the_lock_is_gone_with_who_held_it(tmp_path):
    """A handle that excludes others as long as it is open, in a process that dies."""
    pid = os.fork()
    if not pid:
        ds = DataSet("data", "w", path=tmp_path, synchronize=False)
        ds.x = 1
        os._exit(0)
    os.waitpid(pid, 0)
    ds = DataSet("data", "w", path=tmp_path, synchronize=False, timeout=0)
    assert ds.x == 1
    with pytest.raises(StoreUnavailableError):
        DataSet("data", "w", path=tmp_path, synchronize=False, timeout=0)
