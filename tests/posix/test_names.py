"""Names of files are UTF-8, whatever the locale."""

import os
import subprocess
import sys

import pytest

from holdall._posix import names
from holdall._posix.names import fs_name, fs_path, text_of

ROUND = """
import os, sys
from holdall._posix.names import UTF8, fs_name, fs_path, text_of
os.chdir(sys.argv[1])
open(fs_name("caf\\xe9"), "w").close()
[name] = os.listdir(".")
assert text_of(name) == "caf\\xe9", ascii(name)
assert os.listdir(b".") == [b"caf\\xc3\\xa9"], os.listdir(b".")
open(fs_path("plain"), "w").close()
path = fs_path("\\u20ac")  # which no one-byte locale of old can spell
open(path, "w").close()
assert "\\u20ac".encode() in os.listdir(b".")
print(UTF8)
"""


def locales():
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    return ["C", *[name for name in known if "8859" in name][:1]]


@pytest.mark.parametrize("locale", locales())
def test_names_are_utf_8_under_another_locale(tmp_path, locale):
    env = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = subprocess.run(
        [sys.executable, "-c", ROUND, str(tmp_path)], env=env, capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("False\n", "")


def test_under_utf_8_nothing_is_done():
    if names.UTF8:
        for text in ("café", "\udcff", "plain"):
            assert fs_name(text) is text
            assert text_of(text) is text
            assert fs_path(text) is text
