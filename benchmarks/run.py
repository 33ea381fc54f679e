"""Run holdall beside its peers and print the results as Markdown: ``python benchmarks/run.py``."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from dataclasses import dataclass

import harness

ROOT = os.path.dirname(harness.HERE)
PYPROJECT = os.path.join(ROOT, "pyproject.toml")
ENVIRONMENT = os.path.join(ROOT, ".benchmarks", "venv")
MODULES = (
    *("files", "arrays", "sqlite", "bounded", "conditional", "wrappers", "script", "memo"),
    *("spill", "s3", "archive", "datasets", "imports"),
)
OTHERS = ("joblib", "cachier", "cachetools", "chest", "numpy")  # of one workload each
ALIASES = {"import": "imports"}
ARRAYS_NEED = 500e6  # bytes free on tmpfs


@dataclass(frozen=True)
class Places:
    """Where files go."""

    disk: str
    tmpfs: str | None
    no_tmpfs: str | None  # the reason, if there is none


def find_places(disk: str) -> Places:
    shm = "/dev/shm"
    if not (os.path.isdir(shm) and os.access(shm, os.W_OK | os.X_OK)):
        return Places(disk, None, f"{shm} is not there or not writable")
    if shutil.disk_usage(shm).free < ARRAYS_NEED:
        return Places(disk, None, f"{shm} has less than {ARRAYS_NEED / 1e6:.0f} MB free")
    return Places(disk, shm, None)


def file_system(path: str) -> str:
    """Name the file system that `path` is on, where the system tells."""
    try:
        with open("/proc/self/mounts", encoding="utf-8") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return "unknown"
    path = os.path.realpath(path)
    fits = [m for m in mounts if path == m[1] or path.startswith(m[1].rstrip("/") + "/")]
    return max(fits, key=lambda m: len(m[1]))[2] if fits else "unknown"


def environment() -> str:
    """Give the interpreter of the benchmarks' own environment, made or renewed when it has to be."""
    python = os.path.join(ENVIRONMENT, "Scripts" if os.name == "nt" else "bin", "python")
    stamp = os.path.join(ENVIRONMENT, "ready")
    if os.path.exists(stamp) and os.path.getmtime(stamp) >= os.path.getmtime(PYPROJECT):
        return python

    def pip(*arguments):
        harness.progress(f"pip {' '.join(arguments)}")
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
        return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0

    venv.create(ENVIRONMENT, clear=True, with_pip=True)
    if not pip("--upgrade", "pip"):  # dependency groups need 25.1
        raise SystemExit("cannot upgrade pip: without a package index, use --no-install")
    if not pip("--group", f"{PYPROJECT}:bench"):
        with open(PYPROJECT, "rb") as file:  # one bad peer must not cost us the others
            for requirement in tomllib.load(file)["dependency-groups"]["bench"]:
                pip(requirement)
    if not pip("--editable", ROOT):
        raise SystemExit("cannot install holdall itself: see pip's message above")
    with open(stamp, "w", encoding="utf-8"):
        pass
    return python


def versions(python: str, names: tuple[str, ...]) -> str:
    code = (
        "import json, sqlite3, sys\n"
        "from importlib.metadata import version, PackageNotFoundError\n"
        "found = []\n"
        "for name in sys.argv[1:]:\n"
        "    try: found.append(f'{name} {version(name)}')\n"
        "    except PackageNotFoundError: found.append(f'{name} not installed')\n"
        "print(json.dumps([sys.version.split()[0], [f'SQLite {sqlite3.sqlite_version}', *found]]))\n"
    )
    done = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True)
    interpreter, found = json.loads(done.stdout)
    return f"Python {interpreter}; {', '.join(found)}"


def processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def release() -> str:
    """Return the version of the system, without what a machine adds to it."""
    return ".".join(platform.release().split(".")[:2])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--only", metavar="NAMES", help=f"some of {', '.join(MODULES)}, separated by commas")
    parser.add_argument("--rounds", type=int, help="rounds per workload (default 5; 2 with --quick)")
    parser.add_argument(
        "--quick", action="store_true", help="a small run to see that all works; not for quoting"
    )
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="time by what the processor worked, for a machine with other work; waiting costs nothing then",
    )
    parser.add_argument("--leave-out", metavar="TEXT", help="without the tables whose title has this in it")
    parser.add_argument("--output", metavar="FILE", help="write the Markdown there as well")
    parser.add_argument("--disk", metavar="DIR", default=tempfile.gettempdir(), help="a folder on a disk")
    parser.add_argument(
        "--no-install", action="store_true", help="use this interpreter and what it has; make no environment"
    )
    options = parser.parse_args()
    names = [
        ALIASES.get(name.strip(), name.strip()) for name in (options.only or ",".join(MODULES)).split(",")
    ]
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        parser.error(f"--only: {', '.join(unknown)}? There are {', '.join(MODULES)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds: at least 1")
    if not os.path.isdir(options.disk):
        parser.error(f"--disk: {options.disk} is no folder")
    options.only = names
    options.rounds = options.rounds or (2 if options.quick else 5)
    return options


def main() -> None:
    options = arguments()
    if options.cpu:
        os.environ[harness.CPU] = "1"  # cells inherit it
    python = sys.executable if options.no_install else environment()
    places = find_places(os.path.abspath(options.disk))
    import peers

    disk = file_system(places.disk)
    if disk == "tmpfs":
        disk += " (no disk: what is said about power cuts means nothing)"
    warning = ", a quick run: not for quoting" if options.quick else ""
    warning += ", processor time: what waits for a disk or a lock looks quick" if options.cpu else ""
    head = [
        "# Benchmarks\n",
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, {options.rounds} rounds{warning}.  ",
        f"{processor()}, {os.cpu_count()} cores, {platform.system()} {release()}; disk: {disk}.  ",
        f"{versions(python, ('holdall', *dict.fromkeys((*peers.PEERS, *peers.DATABASE_PEERS)), *OTHERS))}.\n",
        (
            "Medians over the rounds. A ratio is taken round by round: its median, then its worst and best "
            "round. Above 1, holdall is faster.\n"
        ),
    ]
    reports, figures = [], []
    for name in options.only:
        for workload in importlib.import_module(name).workloads(places, quick=options.quick):
            if options.leave_out and options.leave_out in workload.title:
                continue
            results = harness.Results() if workload.skip else harness.run(python, workload, options.rounds)
            reports.append(harness.report(workload, results))
            figures += harness.goals(workload, results)
    if figures:
        head += ["## Figures to reach\n", harness.goal_table(figures)]
    text = "\n".join([*head, *reports])
    print(text)
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
