"""Results that other code computed are not given: what counts as other code, and what is said of it."""

import importlib
import linecache
import os
import subprocess
import sys
import textwrap
import types
import warnings

import pytest

from exploring import rows_in_soak
from holdall import SQLiteStore, memoize
from holdall.memo import MEMORY

PROGRAM = """
    import functools
    import operator
    from holdall import memoize
    import aside
    from inside import tools

    K = 1
    TABLE = {"a": [1, 2]}
    CACHE = {}
    COUNT = 0

    def helper(x):
        return x + K

    def scaled(n):
        def decorate(f):
            def g(x):
                return f(x) * n
            return g
        return decorate

    @scaled(2)
    def decorated(x):
        return x

    class Kind(type):
        def __call__(self, x):
            return super().__call__(x + 1)

    class Model(metaclass=Kind):
        RATE = 3
        def __init__(self, n):
            self.n = n
        def run(self):
            return self.n * self.RATE + self.shift()
        def shifted(self, by):
            return by
        shift = functools.partialmethod(shifted, 7)

    pick = operator.itemgetter(0)

    @memoize(place)
    def f(x, y=1):
        '''Text.'''
        global COUNT
        COUNT += 1
        # a comment
        CACHE[x] = x
        from late import later
        first = x, y, helper(x), TABLE["a"][0], decorated(x)
        return *first, pick((x, y, 8)), aside.used(x), tools.used(x), tools.lazy(x), Model(x).run(), later(x)
"""
FILES = {
    "program.py": PROGRAM,
    "aside.py": """
        def used(x):
            return deeper(x)
        def deeper(x):
            return x
        def unused(x):
            return x * 1
    """,
    "late.py": "def later(x):\n    return x\n",
    "inside/__init__.py": "",
    "inside/tools.py": """
        from .more import used
        def lazy(x):
            from . import lately
            return lately.used(x)
    """,
    "inside/lately.py": "def used(x):\n    return x\n",
    "inside/more.py": "def used(x):\n    return x\n",
}
CHANGES = {
    "the function": ("program.py", "x, y, helper(x)", "x, y + 1, helper(x)"),
    "a default": ("program.py", "y=1", "y=2"),
    "a helper": ("program.py", "return x + K", "return x - K"),
    "a constant that a helper uses": ("program.py", "K = 1", "K = 2"),
    "a table": ("program.py", "[1, 2]", "[5, 2]"),
    "what a decorator encloses": ("program.py", "@scaled(2)", "@scaled(5)"),
    "a decorator": ("program.py", "f(x) * n", "f(x) + n"),
    "a method": ("program.py", "self.n * self.RATE", "self.n + self.RATE"),
    "an argument of a partial method": ("program.py", "(shifted, 7)", "(shifted, 9)"),
    "the function of a partial method": ("program.py", "return by", "return by + 1"),
    "what picks an item": ("program.py", "itemgetter(0)", "itemgetter(2)"),
    "a metaclass": ("program.py", "x + 1", "x + 2"),
    "an attribute of a class": ("program.py", "RATE = 3", "RATE = 4"),
    "a module beside it": (
        "aside.py",
        "def deeper(x):\n    return x\n",
        "def deeper(x):\n    return x + 1\n",
    ),
    "what a package imports": ("inside/more.py", "return x", "return x + 1"),
    "what a module of a package imports when it runs": ("inside/lately.py", "return x", "return x + 1"),
    "what is imported when it runs": ("late.py", "return x", "return x + 1"),
}
SAME = {
    "a comment": ("program.py", "# a comment", "# another comment,\n        # of two lines"),
    "blank lines": ("program.py", "def helper(x):\n", "\n\ndef helper(x):\n\n"),
    "a docstring": ("program.py", "Text.", "Other text."),
    "parentheses": ("program.py", "return x + K", "return (x + K)"),
    "what is not called": ("aside.py", "x * 1", "x * 2"),
    "what it changes itself": ("program.py", "COUNT = 0", "COUNT = 5"),
    "what it fills": ("program.py", "CACHE = {}", "CACHE = {1: 2}"),
}


@pytest.fixture
def cache(tmp_path):
    with SQLiteStore(tmp_path / "cache.db") as store:
        yield store


class Project:
    """Files that are imported again after each change."""

    def __init__(self, folder, place, monkeypatch):
        self.folder, self.place = folder, place
        monkeypatch.syspath_prepend(folder)
        folder.mkdir()
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        text = textwrap.dedent(text).replace("place", "__import__('builtins').memo_place")
        path.write_text(text)

    def change(self, name, old, new):
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))

    def load(self):
        import builtins

        for name in [n for n in sys.modules if n.partition(".")[0] in {"program", "aside", "late", "inside"}]:
            del sys.modules[name]
        importlib.invalidate_caches()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        builtins.memo_place = self.place
        try:
            return importlib.import_module("program").f
        finally:
            sys.dont_write_bytecode = before
            del builtins.memo_place


@pytest.fixture
def project(tmp_path, cache, monkeypatch):
    return Project(tmp_path / "project", cache, monkeypatch)


@pytest.mark.parametrize("what", CHANGES)
def test_what_other_code_computed_is_not_given(what, project):
    first = project.load()
    before = first(1)
    project.change(*CHANGES[what])
    second = project.load()
    with pytest.warns(RuntimeWarning, match=r"the code of program.f has changed.*outdated\(\)"):
        after = second(1)
    assert after == second.__wrapped__(1) != before
    assert second.cache_info().misses == 1
    assert list(second.outdated().values()) == [1]


@pytest.mark.parametrize("what", SAME)
def test_what_computes_the_same_changes_nothing(what, project):
    first = project.load()
    before = first(1)
    project.change(*SAME[what])
    second = project.load()
    assert second(1) == before
    assert second.cache_info().misses == 0


def test_what_was_followed_can_be_asked(project):
    info = project.load().version_info()
    names = {name.partition(":")[2] or name for name in info.functions}
    assert {"program.f", "program.helper", "aside.used", "aside.deeper", "inside.more.used"} < names
    assert {"late.later", "program.Model.run", "program.scaled.<locals>.decorate.<locals>.g"} < names
    assert "aside.unused" not in names
    assert {"program.K", "program.TABLE", "program.Model.RATE"} < set(info.variables)
    assert info.state == ("program.CACHE", "program.COUNT")
    assert info.unknown == {}
    assert len(info.version) == 16


def test_a_file_edited_after_it_was_imported_is_not_taken_for_the_code_that_runs(project):
    old = project.load()
    project.change(*CHANGES["a helper"])
    before = old(1)  # by the old code, which the file does not show any more
    new = project.load()
    with pytest.warns(RuntimeWarning, match="has changed"):
        after = new(1)
    assert after != before


def test_what_was_not_edited_keeps_its_results_though_it_is_younger_than_the_process(project):
    project.load()(1)
    os.utime(project.folder / "program.py")
    again = project.load()
    again(1)
    assert again.cache_info().misses == 0


def test_code_replaced_while_the_process_runs_is_noticed(cache):
    def one(x):
        return 1

    def two(x):
        return 2

    for place in (MEMORY, {}, cache):
        function = types.FunctionType(one.__code__, globals(), "one")
        f = memoize(place, name="replaced")(function) if place is not MEMORY else memoize(function)
        assert (f(0), f(0)) == (1, 1)
        function.__code__ = two.__code__
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert (f(0), f(0)) == (2, 2)
        assert f.cache_info().misses == 2


def test_globals_replaced_while_the_process_runs_are_noticed_when_something_is_computed(cache):
    scope = {"__name__": "made_up"}
    exec("K = 1\ndef f(x): return x + K", scope)
    f = memoize(cache, name="rebound")(scope["f"])
    assert f(1) == 2
    scope["K"] = 10
    with pytest.warns(RuntimeWarning, match="has changed"):
        assert (f(2), f(1)) == (12, 11)


def test_globals_defined_while_the_process_runs_are_noticed(cache):
    scope = {"__name__": "made_up"}
    exec("def f(x): return sum(x)", scope)
    f = memoize(cache, name="defined")(scope["f"])
    assert f((1, 2)) == 3
    exec("def sum(x): return 'mine'", scope)
    with pytest.warns(RuntimeWarning, match="has changed"):
        assert (f((1, 3)), f((1, 2))) == ("mine", "mine")


def test_a_version_of_your_own_choice_follows_no_code(cache):
    for version in (None, "v1", 1):
        for body in ("x", "x + 1"):
            scope = {}
            exec(f"def f(x): return {body}", scope)
            assert memoize(cache, name="by hand", version=version)(scope["f"])(1) == 1


def test_versions_are_cleared_apart(cache):
    functions = {}
    for version in (None, 1, "a/b"):
        functions[version] = memoize(cache, name="f", version=version)(lambda x: x)
    source = memoize(cache, name="f")(lambda x: x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for f in (*functions.values(), source):
            assert f(1) == 1
    assert [len(f.entries) for f in functions.values()] == [1, 1, 1]
    digest = source.version_info().version
    assert functions[1].outdated() == {"": 1, "a%2Fb": 1, digest: 1}
    functions[None].cache_clear()
    assert functions[1].outdated() == {"a%2Fb": 1, digest: 1}
    functions[1].cache_clear(outdated=True)
    assert (functions[1].outdated(), functions[1].peek(1), len(cache)) == ({}, 1, 1)


def test_a_name_cannot_be_mistaken_for_a_version(cache):
    for name in ("@1", "f/@1", "a//b", "~x"):
        with pytest.raises(ValueError, match="name="):
            memoize(cache, name=name)


def test_results_are_found_again_by_a_script_that_is_run_imported_and_tested(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "My.Project"\n')
    (tmp_path / "pkg/__init__.py").touch()
    (tmp_path / "pkg/test_train.py").write_text(
        textwrap.dedent(
            f"""
            import dataclasses, holdall
            @dataclasses.dataclass
            class Config:
                n: int
            @holdall.memoize({str(tmp_path / "kept.db")!r})
            def f(config):
                assert config.n
                print("computing")
                return 1
            def test_f():
                f(Config(1))
                print("misses", f.cache_info().misses)
            if __name__ == "__main__":
                test_f()
            """
        )
    )
    commands = (
        ["pkg/test_train.py"],
        ["-m", "pkg.test_train"],
        ["-c", "import pkg.test_train as t; t.test_f()"],
        ["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-p", "no:randomly", "pkg"],
    )
    outputs = [
        subprocess.run([sys.executable, *c], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for c in commands
    ]
    misses = [output.partition("misses ")[2][:1] for output in outputs]
    assert misses == ["1", "0", "0", "0"], outputs
    with SQLiteStore(tmp_path / "kept.db") as store:
        assert {key.split("/")[0] for key in store} == {"my-project+pkg.test_train.f"}


def test_what_is_typed_into_a_session_and_typed_again_is_noticed(monkeypatch):
    session = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", session)

    def type_in(number, text):
        name = f"<cell {number}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), vars(session))

    for place in ({}, MEMORY):
        session.place = place
        type_in(1, "def helper(x):\n    return 1\n")
        type_in(2, "import holdall\n@holdall.memoize(place)\ndef f(x):\n    return helper(x)\n")
        assert (session.f(0), session.f(0), session.f.cache_info().misses) == (1, 1, 1)
        type_in(3, "def helper(x):\n    return 2\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert (session.f(0), session.f(0), session.f.cache_info().misses) == (2, 2, 2)
            for number in (3, 4, 5):  # one call between
                type_in(number + 1, f"def helper(x):\n    return {number}\n")
                assert session.f(0) == number


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from json import dumps as g", "from json import loads as g"),
        *rows_in_soak(
            ("from math import floor as g", "from math import ceil as g"),
            ("from fractions import Fraction as g", "from decimal import Decimal as g"),
        ),
        ("import json as m; g = lambda x: m.loads(x)", "import ast as m; g = lambda x: m.loads(x)"),
    ],
)
def test_another_thing_under_the_same_name_is_another_version(tmp_path, old, new):
    versions = []
    for line in (old, new, old):
        (tmp_path / "script.py").write_text(
            f"from holdall import memoize\n{line}\n"
            "@memoize('kept.db')\ndef f(x):\n    return g(x)\nprint(f.version_info().version)\n"
        )
        done = subprocess.run(
            [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        versions.append(done.stdout)
    assert versions[0] == versions[2] != versions[1]
