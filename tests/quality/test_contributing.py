"""The pages for contributors name what is there."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_every_folder_of_tests_has_its_row():
    rows = set(re.findall(r"\| `tests/(\w+)` \|", _page("tests.md")))
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")} | {"typing"}
    assert folders - rows == set()


def test_every_file_of_tests_says_first_what_holds():
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if not path.read_text(encoding="utf-8").startswith('"""')
    ]
    assert silent == []


def test_every_layer_has_its_row():
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0][
        "layers"
    ]
    public = {name for layer in layers for name in layer.split(" | ") if not name.startswith("_")}
    told = set(
        re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| .*? \|", _page("contributing.md"), re.MULTILINE)))
    )
    assert public - told == set()


def test_tests_that_pages_name_are_there():
    for page in {*(ROOT / "docs").rglob("*.md")} - {ROOT / "docs" / "tests.md"}:
        for name in re.findall(r"`(tests/[\w./]+)`", page.read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{page.name} names {name}"
