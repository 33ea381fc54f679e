"""The command line in processes of its own: pipes, what it imports, completion in a shell."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from holdall import FileDirStore

HOLDALL = [sys.executable, "-W", "error", "-m", "holdall"]


def run(*words, cwd, **options):
    return subprocess.run(
        [*HOLDALL, *words], cwd=cwd, capture_output=True, check=False, timeout=100, **options
    )


def test_standard_input_and_output_are_bytes(tmp_path):
    data = bytes(range(256))
    assert run("put", "dir:raw?serializer=bytes", "a", cwd=tmp_path, input=data).returncode == 0
    assert run("get", "dir:raw?serializer=bytes", "a", cwd=tmp_path).stdout == data


def test_errors_are_one_line(tmp_path):
    done = run("get", "nothing", "a", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
    assert b"Traceback" not in done.stderr
    assert run("cp", "a", "b", cwd=tmp_path).returncode == 2


def test_a_reader_that_leaves_is_no_error(tmp_path):
    store = FileDirStore(tmp_path / "many", serializer="json")
    store.update({f"{'long' * 40}/{number}": number for number in range(1000)})
    command = " ".join(f"'{word}'" for word in [*HOLDALL, "ls", "many"])
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -n 1"], cwd=tmp_path, capture_output=True, check=True, timeout=100
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("words", "closed"),
    [
        ("ls notes", ">&-"),
        ("get notes a", ">&-"),
        ("script s.py export", ">&-"),
        ("put notes b", "<&-"),
        ("import notes -", "<&-"),
        ("script s.py import -", "<&-"),
    ],
)
def test_a_closed_stream_is_said_in_a_line(tmp_path, words, closed):
    FileDirStore(tmp_path / "notes", serializer="json")["a"] = 1
    (tmp_path / "s.py").write_text("print('hello')\n")
    done = in_a_shell(words, closed, cwd=tmp_path)
    name = "output" if ">" in closed else "input"
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == f"holdall: [Errno 9] the standard {name} is closed\n".encode()


def test_errors_go_nowhere_if_the_standard_error_is_closed(tmp_path):
    done = in_a_shell("ls nothing", "2>&-", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def in_a_shell(words, redirection, *, cwd):
    command = " ".join(f"'{word}'" for word in [*HOLDALL, *words.split()])
    return subprocess.run(
        ["sh", "-c", f"{command} {redirection}"], cwd=cwd, capture_output=True, check=False, timeout=100
    )


def test_an_interrupt_while_the_command_is_imported_says_nothing(tmp_path):
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'holdall.store': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from holdall.cli import main\n"
        "sys.exit(main(['ls', 'nothing']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False, timeout=100
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_importing_holdall_imports_nothing_of_the_command(tmp_path):
    code = "import sys, holdall; print([m for m in sys.modules if 'argparse' in m or 'holdall.cli' in m])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True, timeout=100
    )
    assert done.stdout.strip() == b"[]"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_completion(tmp_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = run("completion", cwd=tmp_path).stdout.decode()
    asked = ["holdall c", "holdall ls --l", "holdall script x.py mig", "holdall ls x"]
    code = script
    for words in asked:
        last = words.count(" ")
        code += f'\nCOMP_WORDS=({words}); COMP_CWORD={last}; _holdall; echo "${{COMPREPLY[*]}}"'
    if shell == "zsh":
        code = "setopt KSH_ARRAYS\n" + code
    done = subprocess.run([shell, "-c", code], cwd=tmp_path, capture_output=True, timeout=100, check=True)
    assert done.stdout.decode().splitlines() == ["cp check compact completion", "--long", "migrate", ""]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_examples_of_the_page_are_true(tmp_path):
    """Each command of the page, in one shell after another, writes what the page says."""
    page = (Path(__file__).parents[2] / "docs" / "howto" / "command.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    shown = "".join(blocks)
    commands = re.findall(r"^\$ (.*)$", shown, re.MULTILINE)
    assert len(commands) > 10
    function = f'holdall() {{ "{sys.executable}" -m holdall "$@"; }}\nexec 2>&1\n'
    code = function + "\n".join(f"cat <<'$'\n$ {command}\n$\n{command}" for command in commands)
    done = subprocess.run(["bash", "-c", code], cwd=tmp_path, capture_output=True, timeout=100, check=True)
    assert done.stdout.decode() == shown


def test_a_terminal_shows_how_far_a_copy_is(tmp_path):
    pytest.importorskip("rich")
    FileDirStore(tmp_path / "many", serializer="json").update({str(number): number for number in range(3)})
    reader, terminal = os.openpty()
    words = [*HOLDALL, "cp", "-r", "many", "sqlite:new.db"]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    subprocess.run(words, cwd=tmp_path, env=env, stderr=terminal, check=True, timeout=100)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal, on Linux
        while piece := os.read(reader, 4096):
            shown += piece
    os.close(reader)
    assert b"copying" in shown
    assert b"3/3" in shown
