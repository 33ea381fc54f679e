"""Draw what was measured, and put it into the page on comparisons: ``python benchmarks/page.py``.

`results.md` beside this script is what ``run.py --output`` wrote. The text of ``docs/comparison.md`` is
written by hand, but for what stands between ``<!-- NAME -->`` and ``<!-- end -->``: a plot with its numbers,
or the list of all that another library does faster. A test compares the page with what this script makes.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from xml.sax.saxutils import escape

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, "results.md")
PAGE = os.path.join(os.path.dirname(HERE), "docs", "comparison.md")
PLOTS = os.path.join(os.path.dirname(PAGE), "plots")
# The name of a plot on the page: the title of its table begins so, and these are its columns.
PLOTTED = {
    "files": ("Files on tmpfs", ("set", "get", "in", "keys")),
    "sqlite": ("SQLite on tmpfs", ("update", "set", "get", "items")),
    "bounded": ("Caches that evict on tmpfs", ()),
    "wrappers": ("Layers over a dict", ()),
    "memo": (
        "Memoized functions on tmpfs",
        ("hit, int", "hit, dict and list", "first hit, new process", "miss"),
    ),
    "spill": ("400 arrays", ("set", "read", "peak memory")),
}
NOTHING = "-"
SPEEDS = ("k/s", "GB/s", "/s", "MB/s")  # of which more is better
SLOWER = 0.9  # below this share of another's speed, holdall is listed as slower: less is noise
BAR, GAP, LABEL, PANEL = 15, 4, 150, 190
COLOURS = {"holdall": "#1d4ed8", "limit": "#9ca3af", "peer": "#d6a55b"}


class Cell(NamedTuple):
    """A number, or None where there is none, and the mark of a note that goes with it."""

    value: float | None = None
    mark: str = ""


class Table(NamedTuple):
    """One workload: a cell for each contestant and column, notes, and ratios to the best peer."""

    title: str
    columns: tuple[tuple[str, str], ...]  # name, unit
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    ratios: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def number(cell: str) -> Cell:
    found = re.fullmatch(r"(-?[\d,.]+)([†‡§¶]?)", cell)
    return Cell(float(found[1].replace(",", "")), found[2]) if found else Cell()


def tables(text: str) -> list[Table]:
    """Read what `harness.report` wrote."""
    found = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        blocks = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE)]
        if title == "Figures to reach" or not blocks:
            continue
        heads = [re.fullmatch(r"(.*?)(?: \(([^()]*)\))?", cell) for cell in cells(blocks[0][0])[1:]]
        columns = tuple((head[1], head[2] or "") for head in heads if head)
        rows = tuple(
            (line[0].strip("*"), tuple(number(cell) for cell in line[1:]))
            for line in map(cells, blocks[0][2:])
        )
        ratios = tuple(tuple(cells(line)) for line in blocks[1][2:]) if len(blocks) > 1 else ()
        notes = tuple(line.rstrip() for line in body.splitlines() if line.startswith(("- ", *"†‡§¶")))
        found.append(Table(title, columns, rows, ratios, notes))
    return found


def kind(contestant: str) -> str:
    return next((start for start in ("holdall", "limit") if contestant.startswith(start)), "peer")


def shown(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def drawn(table: Table, names: tuple[str, ...]) -> str:
    """Draw a panel of bars for each column, the contestants below each other."""
    columns = [(at, *column) for at, column in enumerate(table.columns) if not names or column[0] in names]
    rows = [row for row in table.rows if any(row[1][at].value is not None for at, _, _ in columns)]
    height = 34 + len(rows) * (BAR + GAP) + 8
    width = LABEL + len(columns) * PANEL
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]

    def write(x: float, y: float, size: int, text: str, more: str = "") -> None:
        parts.append(
            f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="#222"{more}>{escape(text)}</text>'
        )

    for place, (contestant, _) in enumerate(rows):
        y = 34 + place * (BAR + GAP) + 12
        write(LABEL - 8, y, 11, contestant.removeprefix("limit: "), ' text-anchor="end"')
    for panel, (at, name, unit) in enumerate(columns):
        left = LABEL + panel * PANEL
        write(left, 14, 12, f"{name}, {unit}", ' font-weight="bold"')
        write(left, 27, 9, "more is better" if unit in SPEEDS else "less is better")
        most = max(row[1][at].value or 0 for row in rows if not row[1][at].mark) or 1
        for place, (contestant, values) in enumerate(rows):
            y = 34 + place * (BAR + GAP)
            value, mark = values[at]
            if value is None:
                write(left, y + 12, 10, NOTHING)
                continue
            long = max(1.0, min(max(value, 0) / most, 1.1) * (PANEL - 75))
            faint = ' opacity="0.3"' if mark else ""
            parts.append(
                f'<rect x="{left}" y="{y}" width="{long:.1f}" height="{BAR}" '
                f'fill="{COLOURS[kind(contestant)]}"{faint}/>'
            )
            write(left + long + 4, y + 12, 10, shown(value) + mark)
    return "\n".join([*parts, "</svg>", ""])


def told(table: Table) -> str:
    """Write the numbers and notes of a table as Markdown."""
    lines = [["", *(f"{name}, {unit}" if unit else name for name, unit in table.columns)]]
    lines.append(["---"] * len(lines[0]))
    for contestant, values in table.rows:
        name = f"**{contestant}**" if kind(contestant) == "holdall" else contestant
        lines.append([name, *(NOTHING if value is None else shown(value) + mark for value, mark in values)])
    marked = [note for note in table.notes if not note.startswith("- ")]
    parts = ["\n".join("| " + " | ".join(line) + " |" for line in lines), *marked]
    return "\n\n".join([*parts, "\n".join(note for note in table.notes if note.startswith("- "))]).strip()


def losses(every: list[Table]) -> str:
    """List where the best peer is better than holdall as it is without options, or the first of ours."""
    lines = [
        "| what | measured, and of which holdall | better is | holdall reaches |",
        "| --- | --- | --- | --- |",
    ]
    for table in every:
        first: dict[str, tuple[str, ...]] = {}
        for row in table.ratios:
            first.setdefault(row[0], row)
        for column, ours, peer, ratio, *_ in first.values():
            value = number(ratio.partition(" ")[0]).value
            if value is not None and value < SLOWER:
                lines.append(f"| {table.title} | {column} ({ours}) | {peer} | {value:.2f} |")
    return "\n".join(lines)


def conditions(text: str) -> str:
    """Tell when, on what and with which versions it was measured."""
    lines = text.partition("\n## ")[0].splitlines()[1:]
    return "\n".join(line.rstrip() for line in lines if line.strip() and not line.startswith("Medians"))


def made(page: str, results: str) -> tuple[str, dict[str, str]]:
    """Return the page with what is between its marks made anew, and the plots by file name."""
    every = tables(results)
    texts = {"losses": losses(every), "conditions": conditions(results)}
    plots = {}
    for name, (start, columns) in PLOTTED.items():
        table = next(table for table in every if table.title.startswith(start))
        plots[f"{name}.svg"] = drawn(table, columns)
        texts[name] = (
            f"![{table.title}: the numbers of the table below as bars](plots/{name}.svg)\n\n{told(table)}"
        )
    for name, text in texts.items():
        marks = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not marks.search(page):
            raise SystemExit(f"{PAGE} has no marks for {name}")
        page = marks.sub(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)
    return page, plots


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def main() -> None:
    page, plots = made(read(PAGE), read(RESULTS))
    os.makedirs(PLOTS, exist_ok=True)
    for path, text in ((PAGE, page), *((os.path.join(PLOTS, name), plot) for name, plot in plots.items())):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
