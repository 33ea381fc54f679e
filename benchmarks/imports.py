"""What a package costs before it does anything: time to import it, and megabytes on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import peers
from harness import NoResultError, Op, Workload

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEAVY = ("numpy", "h5py", "boto3", "sqlite3", "asyncio")
STATEMENTS = {"holdall (FileDirStore)": "from holdall import FileDirStore"}
INSIDE = """
import time
start = time.perf_counter()
{statement}
took = time.perf_counter() - start
import json, sys
print()
print(json.dumps([took, sorted(set({heavy!r}) & set(sys.modules))]))
"""


def interpreter(code):
    """Run `code` in a fresh interpreter; gives (seconds of the whole process, what it printed)."""
    # The .pyc files stand in the cell's folder: written for all alike, whatever this environment forbids.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": os.path.join(os.getcwd(), "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", code]
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    if done.returncode:
        raise NoResultError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return took, done.stdout


def measure(contestant, place, *, passes=0, size=False):
    return installed(contestant, place) if size else imported(contestant, passes)


def imported(contestant, passes):
    """Give milliseconds of the whole process above an empty one, and of the statement alone."""
    statement = STATEMENTS.get(contestant, f"import {contestant}")
    inside = INSIDE.format(statement=statement, heavy=HEAVY)
    interpreter(statement)  # writes the .pyc files
    empty, whole, alone, heavy = [], [], [], []
    for _ in range(passes):
        empty.append(interpreter("pass")[0])
        whole.append(interpreter(statement)[0])
        took, heavy = json.loads(interpreter(inside)[1].splitlines()[-1])
        alone.append(took)
    return {
        "import": (min(whole) - min(empty)) * 1000,
        "the statement alone": min(alone) * 1000,
        "heavy modules loaded": ", ".join(heavy) or "none",
    }


def installed(contestant, place):
    """Give megabytes and packages that installing the contestant alone brings, without compiling it."""
    requirement = ROOT if contestant == "holdall" else contestant
    target = os.path.join(place, "site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    done = subprocess.run(
        [*pip, "--target", target, requirement], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoResultError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    total = sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(target) for name in names
    )
    packages = sorted(name.split("-")[0] for name in os.listdir(target) if name.endswith(".dist-info"))
    own = [name for name in packages if name.lower().replace("_", "-") != contestant]
    return {"installed": total / 1e6, "packages": str(len(packages)), "brings": ", ".join(own) or "nothing"}


def workloads(places, *, quick):
    yield Workload(
        "imports",
        "Import",
        ("holdall", "holdall (FileDirStore)", *peers.PEERS),
        (
            Op("import", "ms", more_is_better=False, at_most=8),
            Op("the statement alone", "ms", more_is_better=False),
            Op("heavy modules loaded", "", must_be="none"),
        ),
        options={"passes": 3 if quick else 5},
        notes=(
            "*import*: a whole process that imports it, minus an empty one (`python -c pass`).",
            "*The statement alone*: the clock stands around it, inside the process.",
            f"Heavy: {', '.join(HEAVY)}.",
            "holdall loads its parts on first use; *holdall (FileDirStore)* is the first use of that store.",
        ),
    )
    if not quick:
        yield Workload(
            "imports",
            "Installed size",
            ("holdall", *peers.PEERS),
            (
                Op("installed", "MB", more_is_better=False),
                Op("packages", ""),
                Op("brings", ""),
            ),
            options={"size": True},
            rounds=1,
            judged=(),
            notes=("The package and what it requires, in a folder of its own, before compiling to `.pyc`.",),
        )
