"""What the tests of files share."""

import os
import stat
import subprocess

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
