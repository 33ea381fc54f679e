"""Files of every format, as earlier versions wrote them, are read by this one, to the last bit."""

import os
import shutil
from pathlib import Path

import pytest

from golden._cases import CASES, KEY
from golden._values import exact
from golden.make import write_all

pytestmark = pytest.mark.filterwarnings("ignore:values are spilled to")  # tests may lie in memory
HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if path.name[0].isdigit())


@pytest.fixture(autouse=True)
def the_key(monkeypatch):
    """Give the key of sealed values."""
    monkeypatch.setenv("HOLDALL_KEY", KEY)


def copied(version, case, tmp_path):
    """Copy files, since readers lock and look after them; without access for others, whatever the umask."""
    for package in case.needs:
        pytest.importorskip(package)
    if "lmdb" in case.needs and os.sysconf("SC_PAGE_SIZE") != 4096:
        pytest.skip("a database of LMDB has the pages of the machine that made it")
    source = HERE / version / case.folder
    if not source.exists() and version != VERSIONS[-1]:
        pytest.skip(f"{version} had no {case.folder}")
    folder = Path(shutil.copytree(source, tmp_path / "copy"))
    for path in (folder, *folder.rglob("*")):
        os.chmod(path, 0o700 if path.is_dir() else 0o600)
    return folder


def compared(case, found):
    """Compare what a mapping holds with what was written, by key and as a whole."""
    expected = case.items()
    assert [(key, exact(found[key])) for key, _ in expected] == [
        (key, exact(value)) for key, value in expected
    ]
    if case.lists:
        assert sorted(map(exact, found)) == sorted(exact(key) for key, _ in expected)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_written_is_read(version, name, tmp_path):
    case = CASES[name]
    folder = copied(version, case, tmp_path)
    with case.read(folder) as found:
        compared(case, found)


@pytest.mark.parametrize("name", ["archive/npy", "archive/npy loaded", "dataset"])
def test_what_is_shared_is_shared_again(name, tmp_path):
    case = CASES[name]
    with case.read(copied(VERSIONS[-1], case, tmp_path)) as found:
        if "shared" in found:
            assert found["shared"][0] is found["shared"][1]
            assert found["cycle"][1] is found["cycle"]


@pytest.mark.parametrize(
    ("name", "left"), [("sqlite bounded", ["a", "d", "e"]), ("bounded", ["a", "c", "e"])]
)
def test_what_was_used_is_remembered(name, left, tmp_path):
    """Without it, "a" would have to go, the oldest."""
    case = CASES[name]
    with case.read(copied(VERSIONS[-1], case, tmp_path)) as store:
        store["e"] = 5
        assert sorted(store) == left


@pytest.mark.parametrize("version", VERSIONS)
def test_they_are_small(version):
    assert sum(path.stat().st_size for path in (HERE / version).rglob("*") if path.is_file()) <= 300_000


def test_names_stay(tmp_path):
    """Keys and formats have the same files in this version."""
    for package in {package for case in CASES.values() for package in case.needs}:
        pytest.importorskip(package)
    write_all(tmp_path / "new")
    for part in ("keys", "serializers", "by_suffix", "multiformat", "archive_store"):
        old, new = HERE / VERSIONS[-1] / part, tmp_path / "new" / part
        assert _files(old) <= _files(new), part


def _files(folder):
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != "_locked"
    }
