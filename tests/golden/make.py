"""Write the golden files of this version, once for each with new formats: ``python tests/golden/make.py``.

What earlier versions wrote stays as it is.
"""

import os
import shutil
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def write_all(folder: Path) -> None:
    """Write every format into a folder of its own below one that is not there yet."""
    from golden._cases import CASES, KEY

    os.environ["HOLDALL_KEY"] = KEY
    for name, case in CASES.items():
        if not case.of:
            (folder / name).mkdir(parents=True)
            case.write(folder / name)


def tidied(folder: Path) -> None:
    """Remove what is of no use to readers: locks, byte code."""
    for path in sorted(folder.rglob("*")):
        if path.name in {"__pycache__", "_locked", "lock.mdb", "computing.lock"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS), str(TESTS.parent)]
    import holdall

    place = Path(__file__).parent / ".".join(holdall.__version__.split(".")[:2])
    write_all(place)
    tidied(place)
