"""Systems without POSIX: all can be imported, memory and servers work, and what needs files says so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ITEM = repr({"a": "1"})
WORKS = {
    "kept(holdall.MemoryStore())": ITEM,
    "kept(holdall.wrappers.bounded(holdall.MemoryStore(), max_items=1))": ITEM,
    "kept(holdall.SpillStore(slow=holdall.MemoryStore(), memory=9))": ITEM,
    "kept(holdall.SQLStore('sqlite:///a.sqlite', table='t'))": ITEM,
    "kept(holdall.FsspecStore('memory://x'))": ITEM,
    "holdall.S3Store('name')": "S3Store(bucket='name')",
    "holdall.memoize(abs)(-1)": "1",
    "[a := holdall.Archive(), a.insert(a='1'), a.save('.', 'm'), holdall.archive.load('m')][-1]": ITEM,
}
FILES = "files that are written, not only read,"
SETS = "data sets that are written, not only read,"
REFUSED = {
    "holdall.FileDirStore('folder')": "folders",
    "holdall.FileDirStore()": "folders",
    "holdall.MultiFormatStore('folder', 'json')": "folders",
    "holdall.SpillStore()": "temporary folders of stores",
    "holdall.SQLiteStore('a.db')": "SQLite files",
    "holdall.memoize('kept.db')(abs)(-1)": "SQLite files",
    "holdall.memoize('kept')(abs)(-1)": "folders",
    "holdall.LmdbStore('a.lmdb')": "LMDB databases",
    "holdall.ScriptStore('a.py', create=True)": "scripts that keep values",
    "kept(holdall.ZipStore('a.zip', serializer='json'))": FILES,
    "kept(holdall.stores.document.DocumentStore('a.json'))": FILES,
    "kept(holdall.ArchiveStore('set'))": SETS,
    "setattr(holdall.DataSet('set', mode='w'), 'x', 1)": SETS,
}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    program = Path(__file__).with_name("_elsewhere.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program)],
        input=json.dumps([*WORKS, *REFUSED]),
        cwd=tmp_path_factory.mktemp("elsewhere"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_can_be_imported(elsewhere):
    count, failed, _ = elsewhere
    assert count > 300
    assert failed == {}


def test_what_needs_no_files_works(elsewhere):
    assert {use: elsewhere[2][use] for use in WORKS} == WORKS


def test_what_needs_files_says_so(elsewhere):
    for use, what in REFUSED.items():
        assert elsewhere[2][use].startswith(f"UnsupportedError: {what} need a POSIX system"), use
