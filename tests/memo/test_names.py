"""Functions of different projects, scripts and factories share no results by accident."""

import subprocess
import sys
import types

import pytest

from exploring import in_soak, rows_in_soak
from holdall import InvalidArgumentError, SQLiteStore, memoize
from holdall.memo._project import main_file, project_of

SCRIPT = """
import holdall
DATA = open(__file__[:-3] + ".txt").read()
def read(): return open(__file__[:-3] + ".txt").read()
@holdall.memoize({place!r}, version=1)
def f(x):
    return read()
print(f(1))
"""


def run(folder, *command):
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write_script(folder, place, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(SCRIPT.format(place=str(place)))
    (folder / "train.txt").write_text(text)


@pytest.mark.parametrize("mark", ["", *in_soak(".git", "setup.py")])
def test_two_scripts_of_one_name_share_no_results(mark, tmp_path):
    for name in "AB":
        folder = tmp_path / name / "src"
        write_script(folder, tmp_path / "kept.db", name)
        if mark:
            (tmp_path / name / mark).touch()
    assert [run(tmp_path / name / "src", "train.py") for name in "ABA"] == ["A", "B", "A"]
    with SQLiteStore(tmp_path / "kept.db") as store:
        assert len({key.split("/")[0] for key in store}) == len(store) == 2


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[project]\nname = "Some_Thing"'),
        *rows_in_soak(
            ("pyproject.toml", '[tool.poetry]\nname = "some.thing"'),
            ("setup.cfg", "[metadata]\nname = some-thing"),
        ),
        (".git/config", '[core]\n\tbare = false\n[remote "origin"]\n\turl = git@example.org:thing.git\n'),
    ],
)
def test_a_project_takes_its_results_along(file, text, tmp_path):
    for name in ("A/thing", "B/thing"):  # it moved from A to B
        write_script(tmp_path / name / "deep", tmp_path / "kept.db", name)
        path = tmp_path / name / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    first = run(tmp_path, "A/thing/deep/train.py")
    assert run(tmp_path, "B/thing/deep/train.py") == first == "A/thing"
    with SQLiteStore(tmp_path / "kept.db") as store:
        [key] = store
    assert key.startswith(("some-thing+deep.train.f/@1/", "thing-"))


def test_a_notebook_is_known_by_its_file(tmp_path, monkeypatch):
    session = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", session)
    monkeypatch.chdir(tmp_path)
    results = []
    place = {}
    for name in ("one.ipynb", "two.ipynb", "one.ipynb"):
        monkeypatch.setenv("JPY_SESSION_NAME", name)
        session.name = name
        exec("def f(x): return name", vars(session))
        results.append(memoize(place, version=1)(session.f)(0))
    assert results == ["one.ipynb", "two.ipynb", "one.ipynb"]
    session.__vsc_ipynb_file__ = str(tmp_path / "three.ipynb")
    assert main_file(session) == str(tmp_path / "three.ipynb")


def test_sessions_in_two_folders_share_no_results(tmp_path, monkeypatch):
    session = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", session)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    place, results = {}, []
    for name in "AB":
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        session.name = name
        exec("def f(x): return name", vars(session))
        memoized = memoize(place, version=1)(session.f)
        monkeypatch.chdir(tmp_path)  # it is known by where it was decorated
        results.append(memoized(0))
    assert results == ["A", "B"]


def test_installed_packages_have_no_project(tmp_path):
    import json

    place = {}
    assert memoize(place, version=1)(json.dumps)([1]) == "[1]"
    assert [key.split("/")[0] for key in place] == ["json.dumps"]
    assert project_of(str(tmp_path / "site-packages" / "thing")).root is None


class Model:
    def __init__(self, rate):
        self.rate = rate


def test_functions_of_a_factory_that_cannot_be_told_apart_are_refused():
    def make(model):
        @memoize({})
        def f(x):
            return x * model.rate

        @memoize({}, name="f of the model")
        def named(x):
            return x * model.rate

        return f, named

    refused, named = make(Model(2))
    with pytest.raises(InvalidArgumentError, match=r"encloses 'model'.*Model.*name="):
        refused(1)
    assert named(1) == 2
    assert "test_names.Model" in str(named.version_info().unknown)


def test_functions_of_a_factory_are_told_apart_by_all_that_they_enclose():
    place = {}

    def make(table, function):
        @memoize(place)
        def f(x):
            return function(table["a"][0] * x)

        return f

    makers = [
        ({"a": [1]}, abs),
        ({"a": [2]}, abs),
        ({"a": [1]}, str),
        ({"a": [1]}, round),
        ({"a": [1]}, [].index),
    ]
    makers += [({"a": [1]}, make), ({"a": [1]}, run), ({"a": [1]}, [1].index)]
    assert [make(*arguments)(-3) for arguments in makers[:3]] == [3, 6, "-3"]
    families = {make(*arguments)._place_of_entries()[0] for arguments in makers}
    assert len(families) == len(makers)
    assert make({"a": [1]}, abs).outdated() == {}


def test_the_place_is_where_the_function_was_decorated(tmp_path, monkeypatch):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "first")
    f = memoize("kept.db")(len)
    monkeypatch.chdir(tmp_path / "second")
    f([1])
    f.store.close()
    assert (tmp_path / "first" / "kept.db").exists()
    assert not (tmp_path / "second" / "kept.db").exists()
