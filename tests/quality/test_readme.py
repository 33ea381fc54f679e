"""README is short, and says in the first minute what has to be known."""

from pathlib import Path

LINES = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").splitlines()


def _first(text):
    return next(number for number, line in enumerate(LINES, 1) if text in line)


def test_it_is_short():
    assert len(LINES) < 200


def test_the_first_screen_has_the_first_use():
    assert _first("```python") < 10
    assert _first("FileDirStore(") < 20


def test_that_changes_in_place_are_lost_is_told_early():
    assert _first(".edit(") < 80
