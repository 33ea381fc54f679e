"""A writer that is killed leaves each item whole, old or new, and no litter after the next opening."""

from collections import Counter

import pytest

from processes._support import crew

KINDS = ["small", "large", "nested", "transform", "delete"]


# 5 kinds x 4 seeds x 25 kills = 500
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_killed_writers_lose_and_tear_nothing(tmp_path, kind, seed):
    [report] = crew("kill_writers", str(tmp_path / "store"), kind, 25, seed)
    assert report["wrong"] == []
    assert report["kills"] == 25
    assert report["acknowledged"] > 10, "the writers were killed before they wrote"
    assert report["leftovers"] > 0, "no kill left anything to sweep"
    assert report["slowest"] < 5, "opening waited for the dead"


def test_the_check_detects_torn_values(tmp_path):
    [report] = crew("kill_writers", str(tmp_path / "store"), "torn", 25, 0)
    assert any(message.startswith("torn") for message in report["wrong"])


@pytest.mark.parametrize("seed", range(4))
def test_an_interrupted_write_keeps_no_lock_and_leaves_no_litter(tmp_path, seed):
    """Ctrl-C ends a write, not the process: others must not wait for it afterwards."""
    [wrong] = crew("interrupt_writes", str(tmp_path / "store"), 500, seed)
    assert Counter(wrong) == Counter()
