"""What the tests of files share."""

import os
import socket
import stat
import subprocess

from holdall import FileDirStore
from processes._support import PYTHON, child_environment


def mode_of(where):
    return stat.S_IMODE(os.stat(where).st_mode)


def run_python(code, *arguments, timeout=100):
    """Run code in an interpreter of its own, and give what it printed."""
    done = subprocess.run(
        [PYTHON, "-c", code, *map(str, arguments)],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def outcome(action):
    """Give what an action returns, or the class of what it raises."""
    try:
        return action()
    except Exception as error:
        return type(error)


def mess_up(path, outside):
    """Make a folder of a store among whatever else can lie in it, and a folder to which links lead."""
    FileDirStore(path, serializer="json").update({"ok": 1, "sub/ok": 2})
    outside.mkdir()
    (outside / "secret.json").write_text('"secret"')
    root = os.fsencode(path)
    for name in [
        b"with space",
        b"%zz.json",
        b"%41.json",
        b"100%.json",
        b"\xff\xfe.json",
        b"no-suffix",
        b".hidden.json",
        b"a:b.json",
        b"tail .json",
    ]:
        with open(os.path.join(root, name), "wb") as file:
            file.write(b"7")
    os.mkdir(path / ".git")
    (path / ".git/x.json").write_text("7")
    os.mkdir(os.path.join(root, b"\xff-folder"))
    with open(os.path.join(root, b"\xff-folder/x.json"), "wb") as file:
        file.write(b"7")
    os.symlink(outside / "secret.json", path / "link.json")
    os.symlink(outside, path / "linked")
    os.symlink("nowhere", path / "dangling.json")
    os.symlink("loop.json", path / "loop.json")
    os.mkfifo(path / "pipe.json")
    os.mkdir(path / "folder.json")
    os.mkdir(path / "empty")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(path)  # the name of a socket must be short
        try:
            listener.bind("socket.json")
        finally:
            os.chdir(here)
