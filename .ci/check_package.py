"""Check what is in the wheel and the sdist that were built: all that belongs there, and nothing else."""

import re
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_WHEEL = 1_000_000  # bytes
IN_SDIST = {
    ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "benchmarks", "docs", "examples",
    "noxfile.py", "pyproject.toml", "src", "tests",
}  # fmt: skip
STRAY = re.compile(r"__pycache__|\.py[cod]$|\.db-(shm|wal)$|(^|/)\.(venv|nox|git|\w+_cache|coverage)(/|$)")


def version() -> str:
    """Return the version that the sources tell."""
    text = (ROOT / "src" / "holdall" / "_version.py").read_text()
    found = re.search(r'__version__ = "(.+)"', text)
    assert found, text
    return found[1]


def files_of(folder: str) -> set[str]:
    """Return the files of a folder of the repository, byte code left out."""
    found = (path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.as_posix() for path in found if not STRAY.search(path.as_posix())}


def check_wheel(path: Path) -> str:
    """Compare a wheel with the sources."""
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        about = wheel.read(metadata).decode()
    package = {name.removeprefix("holdall/") for name in names if name.startswith("holdall/")}
    assert package == files_of("src/holdall"), package ^ files_of("src/holdall")
    assert "py.typed" in package, "the wheel is not marked as typed"
    rest = {name.split("/", 1)[1] for name in names if not name.startswith("holdall/")}
    assert rest == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}, rest
    assert f"\nVersion: {version()}\n" in about, about[:200]
    needed = re.findall(r"^Requires-Dist: ([\w-]+)(?![^\n]*extra ==)", about, re.MULTILINE)
    assert sorted(needed) == ["filelock", "heapdict"], needed
    size = path.stat().st_size
    assert size <= MAX_WHEEL, f"{path.name} has {size} bytes, more than {MAX_WHEEL}"
    return f"{path.name}: {size:,} bytes, {len(package)} files of the package"


def check_sdist(path: Path) -> str:
    """See that an sdist has the sources, and all that the tests need."""
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {name.split("/")[0] for name in names} == IN_SDIST, {
        name.split("/")[0] for name in names
    } ^ IN_SDIST
    for folder in ("src", "tests", "docs", "examples"):
        there = {name.removeprefix(f"{folder}/") for name in names if name.startswith(f"{folder}/")}
        missing = files_of(folder) - there
        assert not missing, missing
    strays = sorted(name for name in names if STRAY.search(name))
    assert not strays, strays
    return f"{path.name}: {path.stat().st_size:,} bytes, {len(names)} files"


if __name__ == "__main__":
    for given in map(Path, sys.argv[1:]):
        print((check_wheel if given.suffix == ".whl" else check_sdist)(given))
