"""Scripts as people write them: put into a folder, run as processes of their own, edited, run again."""

import subprocess
import sys
import textwrap
from pathlib import Path

from holdall.persisters.script import ScriptPersister, code_of
from processes._support import child_environment

MARKER = b"# === holdall data 1: kept by this script, edit above this line ==="


def run(*command, cwd=None, check=True, **options):
    """Run Python with arguments; gives the finished process, with text of output and errors."""
    environment = {**child_environment(), **options.pop("env", {})}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


class Script:
    """A script in a file."""

    def __init__(self, folder, source, name="script.py"):
        self.path = folder / name
        self.path.parent.mkdir(parents=True, exist_ok=True)
        data = source if isinstance(source, bytes) else textwrap.dedent(source).lstrip("\n").encode()
        self.path.write_bytes(data)
        self.above = data

    def run(self, *arguments, **options):
        """Run it, see that nothing above its data has changed, and give what it printed."""
        done = run(self.path, *arguments, cwd=options.pop("cwd", self.path.parent), **options)
        assert done.stderr == "" or not options.get("check", True), done.stderr
        self.check()
        return done.stdout.strip()

    def check(self):
        """See that the program is what it was, to the byte; a newline may have been added at its end."""
        head = code_of(self.bytes, str(self.path))
        assert head.startswith(self.above)
        assert head[len(self.above) :].strip() == b""

    def edit(self, change):
        """Change the text as an editor does, that reads all and writes all."""
        text = change(self.bytes)
        self.path.write_bytes(text)
        self.above = code_of(text, str(self.path)).rstrip(b"\r\n")

    @property
    def bytes(self):
        return self.path.read_bytes()

    @property
    def data(self):
        """The names of what is stored, and the text that stands for the value."""
        place = ScriptPersister(self.path)
        try:
            return {id: data.decode() for id, data in place.items()}
        finally:
            place.close()

    @property
    def lines(self):
        """The lines of data below the marker."""
        return self.bytes.partition(MARKER)[2].splitlines()[1:]


def files_in(folder):
    """Give the content of all files in a folder, but those of the interpreter."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".python_history"
    }
