"""Run contestants in fresh processes, in turns, and tell in Markdown what came out.

A *workload* is a module beside this one with a function ``measure(contestant, place, **options)`` that
gives ``{operation: number or text}``. A *cell* is one contestant in one round: one process, one private
folder, best of a few passes. In each round every contestant has one cell, and the order rotates, so that
a slow minute of the machine falls on all of them.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
NOTHING = "-"
CELL_TIMEOUT = 600  # seconds; the slowest honest cell needs a tenth of it


@dataclass(frozen=True)
class Op:
    """One column: an operation, its unit, and what holdall has to reach in it."""

    name: str
    unit: str  # "" means that the result is text
    limit: str | None = None  # the contestant to compare with: the hand-written limit, or a peer to surpass
    more_is_better: bool = True
    at_least: float | None = None  # goal: a ratio to the limit
    at_most: float | None = None  # goal: a number in the unit
    must_be: str | None = None  # goal: a text


@dataclass(frozen=True)
class Workload:
    """One table: who runs what, where, and which columns come out."""

    module: str
    title: str
    contestants: tuple[str, ...]
    ops: tuple[Op, ...]
    place: str | None = None  # the folder that cells get private folders in; None: the system's
    options: dict[str, Any] = field(default_factory=dict)
    rounds: int | None = None  # None: as asked for on the command line
    judged: tuple[str, ...] = ("holdall",)
    unranked: dict[tuple[str, str], str] = field(default_factory=dict)  # shown, never "best peer"
    notes: tuple[str, ...] = ()
    on_disk: bool = False  # let the disk settle before each cell, and spread the cells over it
    skip: str | None = None  # why it cannot run here


@dataclass
class Results:
    """What the cells of one workload said: a number per round, and why somebody is missing."""

    numbers: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    missing: dict[tuple[str, str], str] = field(default_factory=dict)

    def median(self, contestant: str, op: Op) -> float | None:
        numbers = self.numbers.get((contestant, op.name))
        return statistics.median(numbers) if numbers else None


def kind(contestant: str) -> str:
    """Tell ours from limits from peers: the first word of the name says it."""
    if contestant.startswith("holdall"):
        return "holdall"
    return "limit" if contestant.startswith("limit") else "peer"


# ---------------------------------------------------------------------------- inside a cell


# Set by `run.py --cpu`: seconds that the processor worked for this process, all threads and system calls.
CPU = "HOLDALL_BENCH_CPU"
clock = time.process_time if os.environ.get(CPU) else time.perf_counter


def seconds(function, *args):
    """Time one call, with the garbage collector out of the way; gives (seconds, result)."""
    gc.collect()
    gc.disable()
    try:
        start = clock()
        result = function(*args)
        return clock() - start, result
    finally:
        gc.enable()


class NoResultError(Exception):
    """Why a contestant has no number; the text is shown as it stands."""


def check(condition, complaint):
    """Refuse to publish the speed of a wrong answer."""
    if not condition:
        raise NoResultError(f"wrong answer: {complaint}")


def cell():
    """Measure one cell: `argv` is module, contestant, place, options; the last line printed is JSON."""
    module, contestant, place, options = sys.argv[1:]
    try:
        with contextlib.redirect_stdout(sys.stderr):  # some packages greet their users
            workload = importlib.import_module(module)
            os.chdir(place)  # whatever a peer drops into the current folder goes with the cell
            answer = {"ok": workload.measure(contestant, place, **json.loads(options))}
    except NoResultError as error:
        answer = {"error": str(error)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))


# ------------------------------------------------------------------------- outside: the rounds


def spread_over_disk(folder: str) -> None:
    """Ask ext4 to put each folder made in `folder` into a block group of its own, where that works.

    Without it, a cell would pay for the files that the cells before it deleted: an ext4 without a journal
    does not reuse an inode for minutes, and looks at each such inode again whenever a file is made (measured:
    1,400 files a second beside 10,000 deleted ones, 40,000 in a fresh block group).
    """
    get_flags, set_flags, top_of_hierarchy = 0x80086601, 0x40086602, 0x00020000  # <linux/fs.h>
    try:
        import fcntl

        fd = os.open(folder, os.O_RDONLY)
        try:
            flags = bytearray(8)
            fcntl.ioctl(fd, get_flags, flags)
            value = int.from_bytes(flags, sys.byteorder) | top_of_hierarchy
            fcntl.ioctl(fd, set_flags, value.to_bytes(8, sys.byteorder))
        finally:
            os.close(fd)
    except (ImportError, OSError):
        pass  # another file system, which has no such flag and no such habit


def run_cell(python: str, workload: Workload, contestant: str, base: str) -> dict[str, Any]:
    """Run one cell in a fresh process; gives ``{"ok": {...}}`` or ``{"error": reason}``."""
    place = tempfile.mkdtemp(dir=base)
    home = tempfile.mkdtemp(prefix="holdall-bench-home-")  # some packages write there when imported
    if workload.on_disk:
        os.sync()
    try:
        done = subprocess.run(
            [
                python,
                "-c",
                "import harness; harness.cell()",
                workload.module,
                contestant,
                place,
                json.dumps(workload.options),
            ],
            cwd=HERE,
            env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": os.path.join(home, ".config")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CELL_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {CELL_TIMEOUT} s"}
    finally:
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["nothing printed"])[-1]
        return {"error": f"exit status {done.returncode}: {last}"}


def run(python: str, workload: Workload, rounds: int) -> Results:
    """Run all rounds of a workload. Who fails once is out, with the reason."""
    with tempfile.TemporaryDirectory(prefix="holdall-bench-", dir=workload.place) as base:
        if workload.on_disk:
            spread_over_disk(base)
        return run_rounds(python, workload, rounds, base)


def run_rounds(python: str, workload: Workload, rounds: int, base: str) -> Results:
    results = Results()
    racing = list(workload.contestants)
    total = workload.rounds or rounds
    for number in range(total):
        turn = number % len(racing) if racing else 0
        progress(f"{workload.title}: round {number + 1} of {total}")
        for contestant in racing[turn:] + racing[:turn]:
            answer = run_cell(python, workload, contestant, base)
            if "error" in answer:
                racing.remove(contestant)
                for op in workload.ops:
                    results.numbers.pop((contestant, op.name), None)
                    results.missing[contestant, op.name] = answer["error"]
                continue
            for name, outcome in answer["ok"].items():
                if isinstance(outcome, str):
                    results.texts[contestant, name] = outcome
                else:
                    results.numbers.setdefault((contestant, name), []).append(outcome)
    return results


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# -------------------------------------------------------------------------------- the report


def best_peer(workload: Workload, results: Results, op: Op) -> str | None:
    """Name the peer with the best median, among those that do the same thing."""
    ranked = [
        (median, contestant)
        for contestant in workload.contestants
        if kind(contestant) == "peer"
        and (contestant, op.name) not in workload.unranked
        and (median := results.median(contestant, op)) is not None
    ]
    if not ranked:
        return None
    return (max if op.more_is_better else min)(ranked)[1]


def ratios(results: Results, op: Op, ours: str, theirs: str | None) -> list[float]:
    """Compare speeds round by round: 1 is as fast as they are, above 1 faster, for every unit."""
    mine = results.numbers.get((ours, op.name), [])
    others = results.numbers.get((theirs, op.name), []) if theirs else []
    pairs = [(a, b) for a, b in zip(mine, others, strict=False) if a > 0 and b > 0]
    return [a / b if op.more_is_better else b / a for a, b in pairs]


def number(value: float | None) -> str:
    if value is None:
        return NOTHING
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(values: list[float]) -> str:
    """Show the median and, in brackets, the worst and the best round."""
    if not values:
        return NOTHING
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def plain(text: str) -> str:
    """Make any text fit into a Markdown table cell."""
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= 110 else text[:107] + "..."


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def report(workload: Workload, results: Results) -> str:
    """Write one workload: every contestant's medians, then holdall's ratios."""
    parts = [f"## {workload.title}\n"]
    if workload.skip:
        return f"{parts[0]}\nn/a: {plain(workload.skip)}\n"
    marks: dict[str, str] = {}
    for why in workload.unranked.values():
        marks.setdefault(why, "†‡§¶"[len(marks)])
    rows = []
    for contestant in workload.contestants:
        row = [f"**{contestant}**" if kind(contestant) == "holdall" else contestant]
        told = False
        for op in workload.ops:
            key = (contestant, op.name)
            if key in results.missing:
                row.append("n/a" if told else f"n/a: {plain(results.missing[key])}")
                told = True
            elif op.unit == "" or key in results.texts:
                row.append(plain(results.texts.get(key, NOTHING)))
            else:
                row.append(
                    number(results.median(contestant, op)) + marks.get(workload.unranked.get(key, ""), "")
                )
        rows.append(row)
    parts.append(
        table([""] + [f"{op.name}{f' ({op.unit})' if op.unit else ''}" for op in workload.ops], rows)
    )
    parts += [f"{mark} {why}  " for why, mark in marks.items()]
    parts += [f"- {note}" for note in workload.notes]
    rows = []
    for op in workload.ops:
        for ours in workload.contestants:
            peer = best_peer(workload, results, op)
            if kind(ours) == "holdall" and results.numbers.get((ours, op.name)) and (peer or op.limit):
                rows.append(
                    [
                        op.name,
                        ours,
                        peer or NOTHING,
                        spread(ratios(results, op, ours, peer)),
                        (op.limit or NOTHING).removeprefix("limit: "),
                        spread(ratios(results, op, ours, op.limit)),
                    ]
                )
    if rows:
        head = ["", "", "best peer", "holdall's speed ÷ best peer's", "limit", "holdall's speed ÷ limit's"]
        parts += ["", table(head, rows)]
    return "\n".join(parts) + "\n"


def goals(workload: Workload, results: Results) -> list[list[str]]:
    """Give the rows of the table of figures to reach, for this workload."""
    rows = []
    for op in workload.ops:
        for ours in workload.judged:
            key = (ours, op.name)
            best = best_peer(workload, results, op)
            theirs = f"{best} {number(results.median(best, op))}" if best else NOTHING
            limit = number(results.median(op.limit, op)) if op.limit else NOTHING
            mine = number(results.median(ours, op)) if op.unit else results.texts.get(key, NOTHING)
            row = [
                f"{workload.title}: {op.name}{f', {op.unit}' if op.unit else ''}",
                ours,
                mine,
                theirs,
                limit,
            ]
            found = ratios(results, op, ours, op.limit)
            if op.at_least is not None:
                verdict = statistics.median(found) >= op.at_least if found else None
                whom = "the limit" if kind(op.limit or "limit") == "limit" else op.limit
                rows.append([*row, spread(found), f"≥ {op.at_least:.3g} of {whom}", verdict])
            elif op.at_most is not None:
                median = results.median(ours, op)
                verdict = median <= op.at_most if median is not None else None
                rows.append([*row, spread(found), f"≤ {op.at_most:g} {op.unit}", verdict])
            elif op.must_be is not None:
                verdict = results.texts[key] == op.must_be if key in results.texts else None
                rows.append([*row, NOTHING, op.must_be, verdict])
    return [[*row[:-1], {True: "yes", False: "**no**", None: "n/a"}[row[-1]]] for row in rows]


def goal_table(rows: list[list[str]]) -> str:
    head = ["figure", "", "holdall", "best peer", "limit", "ratio to the limit", "goal", "reached"]
    return table(head, rows)
