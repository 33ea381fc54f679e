"""Which file keeps the values: the one in which the code stands, or none; never one that is not ours."""

import os
import subprocess
import sys
import zipfile
from contextlib import contextmanager

import pytest

from exploring import in_soak
from holdall.persisters.script import ScriptPersister
from processes._support import child_environment, mount, tree, unmount
from scripts._support import MARKER, Script, files_in, run

COUNT = """
    from holdall import Value
    count = Value(0)
    count.value += 1
    print(count.value)
"""
NAMED = "from holdall import Value; n = Value(0, name='n'{}); n += 1; print(n)"


def home_of(folder):
    return {"HOME": str(folder), "XDG_DATA_HOME": ""}


def test_a_module_keeps_its_own(tmp_path):
    module = Script(
        tmp_path, "from holdall import Value\nn = Value(0)\ndef up():\n    global n\n    n += 1", "mod.py"
    )
    package = Script(tmp_path, "from holdall import Value\nn = Value(10, fallback='error')\n", "pkg/sub.py")
    script = Script(
        tmp_path,
        """
        from holdall import Value; import mod; from pkg import sub
        n = Value(100)
        n.value += 1
        mod.up(); mod.up()
        sub.n.value += 1
        print(mod.n, sub.n, n)
        """,
    )
    assert script.run() == "2 11 101"
    assert script.run() == "4 12 102"
    assert (script.data, module.data, package.data) == ({"n": "102"}, {"n": "4"}, {"n": "12"})
    assert run("-c", "import mod; mod.up(); print(mod.n)", cwd=tmp_path).stdout == "5\n"


def test_a_module_that_is_run(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    script = Script(tmp_path, COUNT, "pkg/mod.py")
    assert run("-m", "pkg.mod", cwd=tmp_path).stdout == "1\n"
    assert run("-c", "import pkg.mod", cwd=tmp_path).stdout == "2\n"
    assert run("-c", "import runpy; runpy.run_path('pkg/mod.py')", cwd=tmp_path).stdout == "3\n"
    assert script.data == {"count": "3"}


def test_the_working_folder_and_argv_do_not_matter(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Script(
        tmp_path / "here",
        "import os, sys\nos.chdir('..')\nsys.argv[0] = 'other.py'" + COUNT.replace("    ", ""),
    )
    assert run("here/script.py", cwd=tmp_path).stdout == "1\n"
    assert run("../here/script.py", cwd=elsewhere).stdout == "2\n"
    assert set(files_in(tmp_path)) == {"here/script.py"}


@pytest.mark.parametrize(
    ("how", "fallback"),
    [
        pytest.param(
            how, fallback, marks=[] if how == "exec" or fallback.endswith("car'") else [pytest.mark.soak]
        )
        for how in ("-c", "stdin", "interactive", "exec")
        for fallback in ("", ", fallback='memory'", ", fallback='sidecar'")
    ],
)
def test_code_without_a_file(tmp_path, how, fallback):
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    code = NAMED.format(fallback)
    command, given = {
        "-c": (["-c", code], None),
        "stdin": (["-"], code),
        "interactive": (["-i", "-q"], code + "\n"),
        "exec": (["-c", f"exec({code!r}, {{'__name__': 'm', '__file__': 'x.py'}})"], None),
    }[how]
    done = [run(*command, cwd=cwd, input=given, check=False, env=home_of(tmp_path)) for _ in range(2)]
    assert files_in(cwd) == {}
    if not fallback:
        assert all("UnsupportedError" in one.stderr and "fallback='sidecar'" in one.stderr for one in done)
        assert files_in(tmp_path) == {}
    elif "memory" in fallback:
        assert [one.stdout.strip() for one in done] == ["1", "1"]
        assert files_in(tmp_path) == {}
    else:
        assert [one.stdout.strip() for one in done] == ["1", "2"]
        [(name, content)] = files_in(tmp_path).items()
        assert name.startswith(".local/share/holdall/")
        assert content.startswith(b"\n" + MARKER)
        assert os.stat(tmp_path / ".local/share/holdall").st_mode & 0o077 == 0


def test_a_notebook(tmp_path):
    """A cell is compiled under the name of a file that is not there, and there is no ``__file__``."""
    cell = "from holdall import Value\nn = Value(0)\n"
    code = f"exec(compile({cell!r}, '/tmp/ipykernel_1/1234.py', 'exec'), {{'__name__': '__main__'}})"
    done = run("-c", code, check=False, cwd=tmp_path)
    assert "has no file of its own" in done.stderr
    done = run("-c", code.replace("Value(0)", 'Value(0, fallback="memory")'), check=False, cwd=tmp_path)
    assert "has no name of its own: its source is not known" in done.stderr
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize("fallback", ["error", *in_soak("memory", "sidecar")])
def test_an_archive_is_never_written(tmp_path, fallback):
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", NAMED.format(f", fallback={fallback!r}"))
    before = archive.read_bytes()
    done = [run(archive, check=False, env=home_of(tmp_path / "home")) for _ in range(2)]
    assert archive.read_bytes() == before
    assert [one.stdout for one in done] == {
        "error": ["", ""],
        "memory": ["1\n"] * 2,
        "sidecar": ["1\n", "2\n"],
    }[fallback]
    if fallback == "error":
        assert "may lie in an archive" in done[0].stderr
    assert len(files_in(tmp_path)) == (2 if fallback == "sidecar" else 1)


def test_byte_code_is_never_written(tmp_path):
    script = Script(tmp_path, NAMED.format(""))
    code = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2])"
    run("-c", code, script.path, tmp_path / "script.pyc")
    before = (tmp_path / "script.pyc").read_bytes()
    moved = tmp_path / "moved.txt"
    script.path.rename(moved)
    done = run(tmp_path / "script.pyc", check=False)
    assert "UnsupportedError" in done.stderr
    assert (tmp_path / "script.pyc").read_bytes() == before
    assert files_in(tmp_path).keys() == {"script.pyc", "moved.txt"}


@pytest.mark.parametrize("place", ["lib/python3/site-packages/mod.py", *in_soak("dist-packages/pkg/mod.py")])
def test_what_is_installed_is_never_written(tmp_path, place):
    script = Script(
        tmp_path,
        "from holdall import Value\ncount = Value(0, fallback='{}')\ncount += 1\nprint(count)",
        place,
    )
    for fallback, said in (("memory", ["1\n", "1\n"]), ("sidecar", ["1\n", "2\n"])):
        script.path.write_bytes(script.above.replace(b"{}", fallback.encode()))
        before = script.bytes
        done = [
            run("-c", "import mod", cwd=script.path.parent, env=home_of(tmp_path / "home")) for _ in range(2)
        ]
        assert [one.stdout for one in done] == said
        assert script.bytes == before
    script.path.write_bytes(script.above.replace(b"{}", b"error"))
    done = run("-c", "import mod", cwd=script.path.parent, check=False)
    assert "is installed" in done.stderr


def test_programs_of_an_environment_are_never_written(tmp_path):
    """As ``bin/pytest`` and ``bin/ipython``: they belong to a package."""
    run("-m", "venv", "--without-pip", tmp_path / "env")
    script = Script(tmp_path / "env" / "bin", COUNT, "program")
    before = files_in(tmp_path)
    done = subprocess.run(
        [tmp_path / "env/bin/python", script.path],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "is installed" in done.stderr
    assert files_in(tmp_path) == before


@contextmanager
def read_only(folder):
    """Let nobody write a folder and what lies in it, not even root."""
    if os.geteuid():
        os.chmod(folder / "script.py", 0o444)
        yield
        os.chmod(folder / "script.py", 0o644)
        return
    mount("--bind", str(folder), at=folder)
    try:
        worked = subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=False).returncode == 0
        assert worked, "the folder stays writable"
        yield
    finally:
        unmount(folder)


@pytest.mark.parametrize("fallback", [*in_soak("error", "memory"), "sidecar"])
def test_a_script_that_may_not_be_written(tmp_path, fallback):
    script = Script(tmp_path / "bin", COUNT.replace("Value(0)", f"Value(0, fallback={fallback!r})"))
    assert script.run() == "1"
    before = script.bytes
    with read_only(script.path.parent):
        done = [run(script.path, check=False, env=home_of(tmp_path / "home")) for _ in range(2)]
    assert script.bytes == before
    if fallback == "error":
        assert "may not be written" in done[0].stderr
        assert "fallback='sidecar'" in done[0].stderr
        script.edit(lambda text: text.replace(b"count.value += 1\n", b""))
        with read_only(script.path.parent):
            assert script.run() == "1"
    else:
        assert [one.stdout for one in done] == {"memory": ["2\n", "2\n"], "sidecar": ["2\n", "3\n"]}[fallback]


@pytest.mark.parametrize("head", ["", "#!/usr/bin/env -S uv run --script\n"])
def test_what_runs_is_a_script_whatever_it_is_called(tmp_path, head):
    script = Script(tmp_path, head + "import holdall\nn = holdall.Value(0)\nn += 1\nprint(n)\n", "tool")
    assert [script.run() for _ in range(2)] == ["1", "2"]
    assert script.data == {"n": "2"}


@pytest.mark.parametrize("fallback", [*in_soak("memory"), "sidecar"])
def test_a_script_in_an_encoding_without_ascii(tmp_path, fallback):
    code = f"import holdall\nn = holdall.Value(0, fallback={fallback!r})\nn.value = 1 - -n()\nprint(n)\n"
    script = Script(tmp_path, f"# coding: utf-7\n{code}")
    home = home_of(tmp_path / "home")
    assert [script.run(env=home) for _ in range(2)] == (["1", "1"] if fallback == "memory" else ["1", "2"])
    assert script.bytes == script.above


def test_a_frozen_program(tmp_path):
    script = Script(tmp_path, "import sys\nsys.frozen = True\n" + NAMED.format(""))
    done = run(script.path, check=False)
    assert "is frozen" in done.stderr
    assert script.bytes == script.above


def test_encodings_that_cannot_be_kept_are_refused(tmp_path):
    for encoding in ("utf-16", "utf-32"):
        text = "n = 1\n".encode(encoding)
        (tmp_path / "wide.py").write_bytes(text)
        with pytest.raises(NotImplementedError, match="no Python source"):
            ScriptPersister(tmp_path / "wide.py")
        assert (tmp_path / "wide.py").read_bytes() == text
    for encoding in ("utf-7", "cp037", "klingon"):
        text = b"# coding: %b\nn = 1\n" % encoding.encode()
        (tmp_path / "odd.py").write_bytes(text)
        with pytest.raises(NotImplementedError, match="save it as UTF-8"):
            ScriptPersister(tmp_path / "odd.py")
        assert (tmp_path / "odd.py").read_bytes() == text


# ---------------------------------------------------------------------- test runners

TEST = """
    from holdall import ScriptStore, Value
    import mod
    own = Value(0)

    def test_counts():
        global own
        local = Value(5)
        own += 1
        local += 1
        mod.up()
        assert mod.n == 1
        assert ScriptStore(fallback="sidecar")["own"] == own
"""


@pytest.mark.parametrize("runner", ["pytest", *in_soak("xdist", "unittest")])
def test_a_test_runner_writes_the_file_of_the_test_and_no_other(tmp_path, runner):
    import _pytest

    Script(tmp_path, "from holdall import Value\nn = Value(0)\ndef up():\n    global n\n    n += 1", "mod.py")
    test = Script(tmp_path, TEST, "test_it.py")
    if runner == "unittest":
        test = Script(
            tmp_path,
            """
            import unittest
            from holdall import Value
            own = Value(0)
            class Test(unittest.TestCase):
                def test(self):
                    global own
                    own += 1
            """,
            "test_it.py",
        )
    before = files_in(tmp_path)
    runners = [
        os.path.dirname(_pytest.__file__),
        os.path.dirname(pytest.__file__),
        os.path.dirname(sys.executable),
    ]
    theirs = [tree(folder) for folder in runners]
    command = {
        "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        "xdist": ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n1"],
        "unittest": ["-m", "unittest"],
    }[runner]
    name = "test_it" if runner == "unittest" else "test_it.py"
    run(*command, name, cwd=tmp_path, env=home_of(tmp_path / "home"))
    after = files_in(tmp_path)
    assert {name for name in after if after[name] != before.get(name)} == {"test_it.py"}
    assert test.data == ({"own": "1"} if runner == "unittest" else {"own": "1", "test_counts.local": "6"})
    assert [tree(folder) for folder in runners] == theirs


def test_values_of_this_test_stand_in_memory():
    """This very file is that of a test, so it would be written: fallback does not change that."""
    from holdall._scripts import origin_of

    origin = origin_of(sys._getframe())
    assert (origin.path, origin.why) == (os.path.realpath(__file__), "")
