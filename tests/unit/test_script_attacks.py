"""What somebody else may write into a script, or put in its place: nothing of it runs, and reading ends."""

import codecs
import encodings.aliases
import os
import subprocess
import sys
import warnings

import pytest

from holdall import ScriptStore
from holdall.errors import UnsupportedError, UntrustedStoreError
from holdall.persisters.script import ScriptPersister, _format
from holdall.persisters.script._source import check_text

# Texts of ASCII that are something else in one encoding or another; one of them begins a line of code.
MEANING_MORE = r"\n \x0a \u000a \N{LINE FEED} \101 +AAo- ~{VPND~} ~~ &#10; =0A ~" + "\nprint('hacked')\n"


def spelled(encoding, how):
    return {
        "first": f"# -*- coding: {encoding} -*-\n",
        "second": f"#!/usr/bin/env python\n# vim: set fileencoding={encoding} :\n",
        "behind a long line": f"# {'x' * 500} coding: {encoding}\n",
        "between carriage returns": f"#\r# coding: {encoding}\rx = 1\r",
    }[how].encode()


HOWS = ["first", "second", "behind a long line", "between carriage returns"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("encoding", ["unicode_escape", "raw_unicode_escape", "utf_7", "hz", "iso2022_jp"])
def test_a_text_is_no_code_in_the_encoding_of_the_script(tmp_path, encoding, how):
    path = tmp_path / "script.py"
    path.write_bytes(spelled(encoding, how))
    with pytest.raises(UnsupportedError, match="encoding"):
        ScriptStore(path)["a"] = "\\u000aprint('hacked') +AApwcmludCgnaGFja2VkJyk-"
    done = subprocess.run([sys.executable, path], capture_output=True, check=False)
    assert b"hacked" not in done.stdout


def test_every_encoding_that_is_taken_leaves_ascii_what_it_is():
    taken = set()
    for encoding in {*encodings.aliases.aliases.values(), "cp1252", "koi8_t", "unicode_escape"}:
        source = spelled(encoding, "first") + MEANING_MORE.encode()
        try:
            check_text(source, "script.py")
        except UnsupportedError:
            continue
        taken.add(encoding)
        # Even behind half of a character.
        for before in (b"", b"\x81\n", b"\xff\n"):
            text = (before + MEANING_MORE.encode()).decode(encoding, "replace")
            assert text.endswith(MEANING_MORE), encoding
    assert {"utf_8", "ascii", "latin_1", "cp1252", "euc_jp", "big5", "shift_jis"} <= taken


def test_an_encoding_that_somebody_has_registered_is_refused():
    def find(name):
        return codecs.lookup("utf-8") if name == "holdall_mine" else None

    def mine(name):
        found = find(name)
        return None if found is None else codecs.CodecInfo(*found[:4], name="holdall_mine")

    codecs.register(mine)
    try:
        with pytest.raises(UnsupportedError):
            check_text(b"# coding: holdall_mine\n", "script.py")
    finally:
        codecs.unregister(mine)


@pytest.mark.parametrize(
    "line",
    [
        f"# {'x' * 200} #: 0123456789abcdef 01234567",
        "# #: 0123456789abcdef 01234567",
        "# 01234567",
        "# a-",
    ],
)
def test_reading_takes_time_that_grows_with_the_script(tmp_path, monkeypatch, line):
    lines = 87_000 // len(line)
    path = tmp_path / "script.py"
    path.write_text(
        f"# === holdall data 1: kept by this script ===\n# a = {'y' * 200}\n{(line + chr(10)) * lines}"
    )
    looked = []

    def parse(line, parse=_format.parse):
        looked.append(len(line))
        return parse(line)

    monkeypatch.setattr(_format, "parse", parse)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is damaged
        ScriptPersister(path)
    assert sum(looked) < 1500 * 87_000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("read", ["get", "items", "in", "stat"])
def test_a_script_that_is_swapped_after_it_was_opened_is_not_trusted(tmp_path, read):
    path = tmp_path / "script.py"
    store = ScriptStore(path, create=True, serializer="pickle")
    store["a"] = {1}
    assert store["a"] == {1}
    other = tmp_path / "other.py"
    other.write_bytes(path.read_bytes())
    os.chown(other, 12345, -1)
    os.rename(other, path)
    with pytest.raises(UntrustedStoreError, match="belongs to user 12345"):
        {
            "get": lambda: store["a"],
            "items": lambda: dict(store),
            "in": lambda: "a" in store,
            "stat": lambda: store.etag("a"),
        }[read]()
    os.chown(path, 0, -1)
    store.close()
    assert ScriptStore(path, serializer="pickle")["a"] == {1}


def test_what_others_append_to_an_open_script_is_not_trusted(tmp_path):
    path = tmp_path / "script.py"
    store = ScriptStore(path, create=True, serializer="pickle")
    store["a"] = 1
    path.chmod(0o666)
    with path.open("ab") as file:
        file.write(_format.line_of(b"b", b"text", b"f" * 16) + b"\n")
    with pytest.raises(UntrustedStoreError, match="everybody"):
        store["b"]
