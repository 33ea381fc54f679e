"""A writer that is killed or interrupted leaves each item whole, old or new, no lock and no litter."""

from collections import Counter

import pytest

from exploring import in_soak, rows_in_soak
from processes._killers import STEPS
from processes._support import crew

# The ordinary run takes the kinds that leave most behind.
ORDINARY = {
    ("store", "nested", 0),
    ("store.db", "update", 0),
    ("store.files.db", "transaction", 0),
}
# update() is one transaction in SQLite only. With the soak session,
# that is 5 kinds x 4 seeds x 25 kills = 500 in folders, and 5 x 2 x 15 = 150 in SQLite files; databases with
# files beside them have 5 x 20 = 100 in all.
KINDS = [
    pytest.param(
        seed,
        name,
        kind,
        kills,
        marks=[] if (name, kind, seed) in ORDINARY else [pytest.mark.soak],
        id=f"{name}-{kind}-{seed}",
    )
    for name, kinds, seeds, kills in (
        ("store", ("small", "large", "nested", "transform", "delete"), 4, 25),
        ("store.db", ("small", "huge", "transform", "delete", "update"), 2, 15),
        ("store.files.db", ("huge", "transform", "delete", "update", "transaction"), 1, 20),
    )
    for kind in kinds
    for seed in range(seeds)
]


@pytest.mark.parametrize(("seed", "name", "kind", "kills"), KINDS)
def test_killed_writers_lose_and_tear_nothing(tmp_path, seed, name, kind, kills):
    [report] = crew("_killers.kill_writers", str(tmp_path / name), kind, kills, seed)
    assert report["wrong"] == []
    assert report["kills"] == kills
    assert report["acknowledged"] > 10, "the writers were killed before they wrote"
    assert report["leftovers"] > 0, "no kill left anything to sweep"
    assert report["slowest"] < 50, "opening waited for the dead"  # whom a lock would keep alive for 60 s


@pytest.mark.parametrize(
    ("name", "kind", "found"), [("store", "torn", "torn"), *rows_in_soak(("store.db", "late", "lost"))]
)
def test_the_check_detects_writers_that_lose_or_tear(tmp_path, name, kind, found):
    [report] = crew("_killers.kill_writers", str(tmp_path / name), kind, 25, 0)
    assert any(message.startswith((found, "stale")) for message in report["wrong"])


@pytest.mark.parametrize(
    ("name", "times"), [("store", 250), ("store.db", 75), ("store.zip", 50), ("store.py", 150)]
)
@pytest.mark.parametrize("seed", [0, *in_soak(*range(1, 8))])
def test_an_interrupted_write_keeps_no_lock_and_leaves_no_litter(tmp_path, name, times, seed):
    """Ctrl-C ends a write, not the process: others must not wait for it afterwards."""
    times = times if seed else times // 3  # the soak session has the rest
    [wrong] = crew("_killers.interrupt_writes", str(tmp_path / name), times, seed)
    assert Counter(wrong) == Counter()


@pytest.mark.parametrize("stride", [37, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("step", STEPS)
def test_a_writer_may_die_before_any_call(tmp_path, step, stride):
    """A database with files beside it: each write is whole or was not, and leaves no file of no item."""
    [(wrong, calls)] = crew("_killers.die_at_each_step", str(tmp_path / "store.files.db"), step, stride)
    assert wrong == []
    assert calls > 10
