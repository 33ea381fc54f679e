"""Several processes at the limit of one place: none fails, nothing is torn, the bound holds."""

import pytest

from exploring import in_soak
from processes._evictors import BOUND
from processes._support import crew

PLACES = ["store", *in_soak("store.db"), "store.files.db"]


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize(
    ("policy", "count"), [("lru", 120), pytest.param("sieve", 5000, marks=pytest.mark.soak)]
)
def test_processes_evict_together(tmp_path, name, policy, count):
    place = str(tmp_path / name)
    results = crew("_evictors.use", place, policy, count, 5, n=4, timeout=240)
    assert [wrong for wrong, _ in results] == [[]] * 4
    assert sum(evictions for _, evictions in results) > 20
    [(volume, items, found, length, wrong)] = crew("_evictors.look", place, policy)
    assert wrong == []
    assert items == found == length
    assert 0.7 * BOUND < volume <= BOUND


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("kills", [8, pytest.param(150, marks=pytest.mark.soak)])
def test_killed_evictors_leave_the_records_right(tmp_path, name, kills):
    [(wrong, killed)] = crew("_evictors.kill_evictors", str(tmp_path / name), "gdsf", kills, 6, timeout=240)
    assert (wrong, killed) == ([], kills)
