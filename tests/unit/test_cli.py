"""The command line: what is kept in a script, looked at and changed from outside."""

import base64
import importlib
import io
import json
import os
import pickle
import subprocess
import sys
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import holdall
from holdall import ScriptStore
from holdall.cli import main
from scripts._support import Script, run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("print('hello')\n")
    return str(path)


@pytest.fixture
def script(path, capsys):
    def do(*words, status=0):
        assert main(["script", path, *words]) == status
        said = capsys.readouterr()
        assert bool(said.err) == bool(status and "check" not in words)
        return said.err or said.out

    return do


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3", "auto", 3),
        ("3.0", "auto", 3.0),
        ("007", "auto", "007"),
        ("true", "auto", True),
        ("None", "auto", None),
        ('"3"', "auto", "3"),
        ("3", "text", "3"),
        ("plain text", "auto", "plain text"),
        ('{"a": [1]}', "auto", {"a": [1]}),
        ("{'a': (1, {2})}", "auto", {"a": (1, {2})}),
        ("b'x'", "python", b"x"),
        ("", "auto", ""),
        ("é", "auto", "é"),
    ],
)
def test_values_keep_their_types(script, path, text, kind, value):
    script("set", "x", text, "--as", kind)
    stored = ScriptStore(path)["x"]
    assert (type(stored), stored) == (type(value), value)
    assert script("list").startswith("x = ")
    if isinstance(value, str):
        assert script("get", "x", "--text") == value + "\n"


def test_keys_of_any_name(script, path):
    keys = ["a b", "é", "count", 1, ("x", 2), "!", "", "-x"]
    store = ScriptStore(path)
    for number, key in enumerate(keys):
        store[key] = number
    names = [line.rpartition(" = ")[0] for line in script("list").splitlines()]
    assert "!('x', 2)" in names
    for number, name in enumerate(names):
        assert script("get", "--", name) == f"{number}\n"
        script("set", "--", name, str(-number))
    assert store.copy() == {key: -number for number, key in enumerate(keys)}
    script("delete", "--", *names[2:])
    assert store.copy() == {"a b": 0, "é": -1}
    for words in (("set", "!x", "1"), ("get", "!x"), ("delete", "!x")):
        assert "names no key" in script(*words, status=2)


def test_delete_deletes_all_or_none(script):
    script("set", "a", "1")
    assert "no value is called 'b'" in script("delete", "a", "b", status=1)
    assert script("list") == "a = 1\n"
    script("delete", "a")
    assert script("list") == ""
    assert "no value is called 'a'" in script("get", "a", status=1)


def test_export_and_import(script, path, tmp_path, capsys, monkeypatch):
    store = ScriptStore(path)
    items = {"a": 1, "b": 'quoted "text", with commas\nand lines', (1, 2): [None], "s": {1, 2}}
    store.update(items)
    file = str(tmp_path / "values.csv")
    script("export", file)
    out = script("export")
    assert out == Path(file).read_text()
    assert out.startswith("name,value\na,1\n")
    store.clear()
    assert "give --pickles if you trust it" in script("import", file, status=1)
    assert store.copy() == {}
    assert script("import", file, "--pickles") == "4 values\n"
    assert store.copy() == items
    monkeypatch.setattr(sys, "stdin", io.StringIO("x,5\ny,hello\n"))
    script("import", "-")
    assert (store["x"], store["y"]) == (5, "hello")
    Path(file).write_text("a,b,c\n")
    assert "3 columns" in script("import", file, status=1)
    for wrong in (b"a,\xff\n", b"a,pickle ?\n"):
        Path(file).write_bytes(wrong)
        assert "cannot be read" in script("import", file, "--pickles", status=1)
    assert "No such file" in script("import", file + "x", status=1)


def test_export_and_import_of_odd_names_and_long_values(script, path, tmp_path):
    store = ScriptStore(path)
    items = {"a\rb": 1, "\r": 2, "c\r\nd": 3, "e\nf": 4, "": 5, "\udcff": 6, "é": 7, "long": "x" * 200_000}
    store.update(items)
    script("export", str(tmp_path / "values.csv"))
    store.clear()
    script("import", str(tmp_path / "values.csv"))
    assert store.copy() == items
    holdall = [sys.executable, "-m", "holdall", "script", path]
    out = subprocess.run([*holdall, "export"], capture_output=True, check=True).stdout
    assert out == (tmp_path / "values.csv").read_bytes()
    store.clear()
    subprocess.run([*holdall, "import", "-"], input=out, capture_output=True, check=True)
    assert store.copy() == items


def test_import_of_what_a_spreadsheet_writes(script, path, tmp_path):
    (tmp_path / "values.csv").write_bytes(b"\xef\xbb\xbfname,value\r\ncount,3\r\n")
    assert script("import", str(tmp_path / "values.csv")) == "1 values\n"
    assert ScriptStore(path).copy() == {"count": 3}


def test_a_list_is_one_line_a_value_whatever_they_are(script, path):
    store = ScriptStore(path)
    store.update({"a\nb": 1, "\x1b[2J": 2, "\udcff": 3, "é": 4, "huge": 10**5000})
    assert script("list").splitlines()[:4] == [
        r'"a\nb" = 1',
        r'"\u001b[2J" = 2',
        r'"\udcff" = 3',
        "é = 4",
    ]
    assert script("list").splitlines()[4].startswith("huge = <a pickle of ")
    command = [sys.executable, "-m", "holdall", "script", path, "list"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True
    )
    assert rb"\xe9 = 4" in done.stdout


def test_pickles_that_need_code_are_shown_and_not_loaded(script, path, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    store = ScriptStore(path)
    store["trap"], store["decimal"], store["set"] = Trap(), Decimal(1), {1}
    assert script("list").splitlines()[2] == "set = {1}"
    assert script("list").startswith("trap = <a pickle of ")
    assert "needs code" in script("get", "trap", status=1)
    assert "needs code" in script("get", "decimal", status=1)
    script("export")
    assert not (tmp_path / "trapped").exists()


def test_json_has_values_or_how_they_are_shown(script, path, tmp_path):
    store = ScriptStore(path)
    store.update({"é\n": {"a": [1.5, None]}, "set": {1}, ("x", 1): "text", "huge": 10**5000})
    store["day"] = date(2026, 1, 2)
    *lines, huge, day = map(json.loads, script("list", "--json").splitlines())
    assert lines == [
        {"key": "é\n", "value": {"a": [1.5, None]}},
        {"key": "set", "shown": "{1}"},
        {"key": "!('x', 1)", "value": "text"},
    ]
    assert huge["key"] == "huge"
    assert huge["shown"].startswith("<a pickle of ")
    assert day == {"key": "day", "shown": "date 2026-01-02"}
    assert script("get", "é\n", "--json") == '{"a": [1.5, null]}\n'
    assert "leave out --json" in script("get", "set", "--json", status=1)
    assert script("get", "!('x', 1)", "--json") == '"text"\n'
    assert script("check", "--json") == ""
    with open(path, "a") as file:
        file.write("print('below')\n")
    (line,) = script("check", "--json", status=1).splitlines()
    assert json.loads(line) == {"key": None, "fault": "line 9 is no record: \"print('below')\""}


def test_compact_and_check(script, path):
    for number in range(20):
        script("set", "x", str(number))
    assert int(script("compact").split()[0]) > 500
    assert script("compact") == "0 bytes less\n"
    assert script("check") == ""
    with open(path, "a") as file:
        file.write("print('below')\n")
    assert script("check", status=1) == "line 6 is no record: \"print('below')\"\n"
    assert script("list") == "x = 19\n"


def test_errors_are_said_in_a_line(script, path, tmp_path, capsys):
    assert "no JSON" in script("set", "x", "{", "--as", "json", status=1)
    assert "no Python literal" in script("set", "x", "f()", "--as", "python", status=1)
    assert main(["script", str(tmp_path / "absent.py"), "list"]) == 1
    assert "there is no such script (make an empty file first)" in capsys.readouterr().err
    (tmp_path / "names.csv").write_text("a,1\n!x,1\n")
    assert "line 2 of " in script("import", str(tmp_path / "names.csv"), status=1)
    assert script("list") == ""
    assert not (tmp_path / "absent.py").exists()
    for words in ([], ["script"], ["script", path], ["script", path, "set", "x"], ["nonsense"]):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2


def test_it_is_a_program():
    assert run("-m", "holdall", "--version").stdout == f"holdall {holdall.__version__}\n"
    target = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["holdall"]
    module, _, function = target.partition(":")
    assert getattr(importlib.import_module(module), function) is main


def test_a_reader_that_goes_away_is_no_disaster(path):
    ScriptStore(path).update((str(n), "x" * 100) for n in range(3000))
    with subprocess.Popen(
        [sys.executable, "-m", "holdall", "script", path, "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


# ---------------------------------------------------------------------- pycaboose


def caboose(*items):
    """Write what pycaboose writes."""
    lines = [b"# pycaboose #", *(b"# " + base64.b64encode(pickle.dumps(item)) for item in items), b""]
    return b"\n".join(lines)


OLD = b"""from pycaboose import Value
a = Value(0)

class Game:
    score = Value(1)

def main():
    n = Value(2); m = Value(3)
    def inner():
        deep = Value(4)
b = Value(5, "named")
"""


def test_values_of_pycaboose_are_taken_over(tmp_path, capsys):
    """The sample of its own description included."""
    path = tmp_path / "old.py"
    items = [(5, 10), (8, "x"), (10, [1]), ("named", (1, 2)), ("a", "mine"), (99, None), (5, 11)]
    path.write_bytes(OLD + caboose(*items))
    assert main(["script", str(path), "migrate"]) == 0
    assert path.read_bytes().startswith(OLD + b"\n# === holdall data 1")
    store = ScriptStore(path)
    assert store.copy() == {
        "Game.score": 11,
        8: "x",  # two calls in that line
        "main.<locals>.inner.deep": [1],
        "named": (1, 2),
        "a": "mine",
        99: None,
    }
    capsys.readouterr()
    assert main(["script", str(path), "migrate"]) == 1
    assert "pycaboose has left nothing" in capsys.readouterr().err
    sample = tmp_path / "sample.py"
    sample.write_bytes(b"from pycaboose import Value\n\na = Value(0)\n# pycaboose #\n# gANLA0sBhnEALg==\n")
    assert main(["script", str(sample), "migrate", "--keep"]) == 0
    assert b"# pycaboose #\n# gANLA0sBhnEALg==\n" in sample.read_bytes()
    assert ScriptStore(sample).copy() == {"a": 1}


def test_the_script_goes_on_where_pycaboose_left_it(tmp_path):
    script = Script(tmp_path, "from pycaboose import Value\na = Value(0)\na.value += 1\nprint(a.value)\n")
    script.path.write_bytes(script.above + caboose((2, 41)))
    assert main(["script", str(script.path), "migrate"]) == 0
    script.edit(lambda text: text.replace(b"from pycaboose", b"from holdall"))
    assert script.run() == "42"


def test_the_sample_on_the_page_of_pycaboose_goes_on(tmp_path):
    """There, the line whose number is stored is not that of the value: a blank line is gone."""
    source = "from pycaboose import Value\na = Value(0)\na.value += 1\n# pycaboose #\n# gANLA0sBhnEALg==\n"
    script = Script(tmp_path, source)
    assert main(["script", str(script.path), "migrate"]) == 0
    script.edit(lambda text: text.replace(b"from pycaboose", b"from holdall"))
    script.run()
    assert script.data == {"a": "2"}


def test_a_value_of_pycaboose_that_could_be_anybodys_says_why(tmp_path, capsys):
    path = tmp_path / "old.py"
    path.write_text("a = Value(0)\nb = Value(1)\nc = 1\n# pycaboose #\n# gANLA0sBhnEALg==\n")
    assert main(["script", str(path), "migrate"]) == 0
    said = capsys.readouterr()
    assert said.out == "!3 = 1\n"
    assert "no single value is made in line 3" in said.err


def test_pickles_of_pycaboose_run_nothing_unless_trusted(tmp_path, capsys):
    path = tmp_path / "old.py"
    path.write_bytes(OLD + caboose((2, Decimal("1.5"))))
    before = path.read_bytes()
    assert main(["script", str(path), "migrate"]) == 1
    assert "Give --trust" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert main(["script", str(path), "migrate", "--trust"]) == 0
    with ScriptStore(path) as store:  # who stays open would put back what is overwritten below
        assert store["a"] == Decimal("1.5")
    for bad in (b"# AAAA\n", b"# gASVBwAAAAAAAABLAk\n", b""):
        path.write_bytes(OLD + b"# pycaboose #\n" + bad)
        assert main(["script", str(path), "migrate"]) == 1
        assert path.read_bytes() == OLD + b"# pycaboose #\n" + bad
