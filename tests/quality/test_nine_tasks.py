"""The page of nine tasks counts its lines rightly, and both programs of a task do the same, in two runs."""

import ast
import re
import runpy
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "nine-tasks.md"
SECTIONS = {
    part.partition("\n")[0]: re.findall(r"^```python\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    for part in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
}


def counted(code):
    """Return how many lines are neither blank, nor comments, nor imports."""
    imports = {
        number
        for node in ast.parse(code).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for number in range(node.lineno, node.end_lineno + 1)
    }
    lines = enumerate(map(str.strip, code.splitlines()), 1)
    return sum(bool(line) and not line.startswith("#") and number not in imports for number, line in lines)


def test_the_lines_of_the_table_are_those_of_the_code():
    rows = re.findall(r"^\| \[\]\(#([\w-]+)\) .* (\d+) : (\d+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    counts = {
        title.lower().replace(" ", "-"): [counted(ours), counted(theirs)]
        for title, (_, ours, theirs) in SECTIONS.items()
    }
    assert {name: [int(ours), int(theirs)] for name, ours, theirs in rows} == counts
    assert len(counts) == 9


@pytest.fixture
def site(tmp_path, web_url):
    (tmp_path / "1").write_text('<title>One</title><a href="/2">2</a><a href="/gone">gone</a>')
    (tmp_path / "2").write_text('<title>Two</title><a href="/1">1</a>')
    return web_url + "/"


@pytest.mark.parametrize("title", SECTIONS)
def test_both_programs_do_the_same_and_a_second_run_goes_on(title, tmp_path, monkeypatch, request):
    pytest.importorskip("diskcache")
    pytest.importorskip("joblib")
    monkeypatch.chdir(tmp_path)
    given, ours, theirs = SECTIONS[title]
    if title == "A scraper":
        given = given.replace("https://example.org/", request.getfixturevalue("site"))
    for _ in range(2):
        found, others = run("ours.py", given + ours), run("theirs.py", given + theirs)
        if "cache" in others:
            others["cache"].close()  # the next use opens it again
    if title == "Frames of pandas":
        assert found["frame"].equals(others["frame"])
    elif title == "A scraper":
        with closing(sqlite3.connect("titles-by-hand.db")) as db:
            by_hand = dict(db.execute("SELECT * FROM titles"))
        assert dict(found["titles"]) == by_hand == {"1": "One", "2": "Two"}
        assert sorted(found["kept"]) == ["1", "2"]
        assert found["kept"]["1"] == Path("pages-by-hand/1.html").read_text()
    elif title == "Jobs for four processes":
        assert {number: found["done"](number) for number in range(40)} == {
            number: others["cache"][number] for number in range(40)
        }
        assert found["done"].cache_info().misses == 0
        others["cache"].close()
    elif title == "Arrays larger than memory":
        assert found["total"] == others["total"] == 12_500 * sum(range(100))
    elif title == "A folder of mixed files":
        assert Path("mixed/config.json").read_text().startswith('{\n    "debug": true')
    elif title == "Experiments":
        by = ["model", "rate", "seed"]
        tables = [names["table"].sort_values(by, ignore_index=True) for names in (found, others)]
        assert tables[0][[*by, "loss"]].equals(tables[1][[*by, "loss"]])
    elif title == "Settings of a notebook":
        assert dict(found["settings"]) == others["settings"]
        assert others["settings"] == {"size": 6.5, "style": "dark", "recent": ["data.csv"] * 2}
    elif title == "A script that remembers":
        assert dict(found["kept"]) == {"runs": 2, "lines": ["Nothing happened."] * 2}
        with others["shelve"].open("diary") as kept:
            assert dict(kept) == dict(found["kept"])
    else:
        assert dict(found["store"]) == dict(others["by_hand"])
        assert dict(found["store"]) == {"greeting": {"en": "hello", "fr": "bonjour"}, "tea": 1}


def run(name, code):
    Path(name).write_text(code)
    return runpy.run_path(name, run_name=name.partition(".")[0])


@pytest.mark.parametrize("which", ["ours", "theirs"])
def test_four_processes_do_each_job_once(which, tmp_path):
    given, ours, theirs = SECTIONS["Jobs for four processes"]
    noted = given.replace("    return", "    print(number)\n    return")
    script = tmp_path / "jobs.py"
    script.write_text(noted + (ours if which == "ours" else theirs))
    workers = [
        subprocess.Popen([sys.executable, script], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [worker.communicate(timeout=100)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4
    assert sorted(int(line) for text in said for line in text.split()) == list(range(40))
