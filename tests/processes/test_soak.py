"""For a minute, or HOLDALL_SOAK seconds: eight writers, random ones killed; nothing acknowledged is lost."""

import os

import pytest

from processes._support import crew

pytestmark = pytest.mark.soak  # how much is done in some seconds is for the machine to say
SECONDS = float(os.environ.get("HOLDALL_SOAK", "60"))


def check(path, seconds, seed):
    [report] = crew("_soak.soak", str(path), 8, seconds, seed, timeout=seconds + 120)
    assert report["wrong"] == []
    assert report["acknowledged"] > 20
    assert report["kills"] > 8
    return report


@pytest.mark.timeout(SECONDS + 180)
@pytest.mark.parametrize("name", ["store", "store.db"])
def test_killed_writers_lose_nothing_for_long(tmp_path, name):
    report = check(tmp_path / name, SECONDS, 0)
    assert report["counted"] > 0
    assert report["slowest"] < 60


@pytest.mark.parametrize("name", ["store", "store.db"])
def test_killed_writers_lose_nothing(tmp_path, name):
    check(tmp_path / name, 2, 1)


@pytest.mark.parametrize("name", ["store", "store.db"])
def test_the_soak_detects_writes_that_are_acknowledged_too_early(tmp_path, name):
    [report] = crew("_soak.soak", str(tmp_path / name), 8, 20, 2, hasty=True)
    assert any("which is none of" in message for message in report["wrong"])
