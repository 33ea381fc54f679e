"""The files that memoized functions lock: made where they belong, and where all processes find them."""

import os

import pytest

from holdall import memoize

PLACES = {"m.db": "m.db-lock", "kept": os.path.join("kept", ".holdall", "computing.lock")}


def double(number):
    return 2 * number


@pytest.mark.parametrize("name", PLACES)
def test_a_planted_link_leads_nowhere(tmp_path, name):
    place = tmp_path / "place"
    planted = place / PLACES[name]
    planted.parent.mkdir(parents=True)
    planted.symlink_to(tmp_path / "elsewhere")
    assert memoize(place / name)(double)(4) == 8
    assert not (tmp_path / "elsewhere").exists()
    assert planted.is_symlink()


@pytest.mark.parametrize("name", PLACES)
def test_who_comes_by_a_link_locks_the_same_file(tmp_path, name):
    place = tmp_path / "place"
    place.mkdir()
    (tmp_path / "link").symlink_to(place)
    assert memoize(tmp_path / "link" / name)(double)(4) == 8
    assert (place / PLACES[name]).is_file()
