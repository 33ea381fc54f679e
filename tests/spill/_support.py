"""Processes for the tests of spilling."""

import os
import subprocess
import sys
import textwrap

HEAD = """
import os, sys, signal, gc, warnings
from holdall import *
from holdall.keys import AnyKeys, PathKeys
from holdall.errors import *
"""


def script(code, *args, env=None, cwd=None, prelude="", stdin=None):
    """Start Python with some code, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + prelude + textwrap.dedent(code), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE if stdin is None else stdin,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "default", **(env or {})},
        cwd=cwd,
    )


def run(code, *args, code_expected=0, **options):
    """Run code to its end, and give what it printed."""
    process = script(code, *args, **options)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code_expected, err
    return out, err


def wait_for_line(process):
    """Wait until a process prints a line, and give it."""
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line.strip()
