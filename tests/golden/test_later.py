"""Files of a later version are refused with an error that says so, and are left as they are."""

import json
import re
import sqlite3
import zipfile
from pathlib import Path

import pytest

from golden._cases import CASES
from golden.test_golden import VERSIONS, copied
from holdall import (
    ArchiveStore,
    DataSet,
    FileDirStore,
    HoldallError,
    LmdbStore,
    MismatchError,
    MultiFormatStore,
    ScriptStore,
    SerializationError,
    SpillStore,
    SQLiteStore,
    ZipStore,
    memoize,
)
from holdall.archive import load
from holdall.search import SearchStore

pytestmark = pytest.mark.filterwarnings("ignore:values are spilled to")  # tests may lie in memory


def rewritten(path, pattern, new):
    """Change the text of a file."""
    text, count = re.subn(pattern, new, path.read_text(), count=1)
    assert count
    path.write_text(text)


def of_folder(folder):
    rewritten(folder / ".holdall/store.json", '"holdall": 1', '"holdall": 2')


def of_database(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()


def of_zip(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"holdall 2"


def of_script(path):
    rewritten(path, "holdall data 1", "holdall data 2")


def of_package(folder):
    (folder / "_this_dir_is_a_DataSet").write_text("2\n")


def of_archive(path):
    rewritten(path, "^", "# holdall archive 2\n")


def of_lmdb(path):
    lmdb = pytest.importorskip("lmdb")
    environment = lmdb.open(str(path), max_dbs=4)
    meta = environment.open_db(b"holdall")
    with environment.begin(write=True) as txn:
        assert txn.replace(b"format", b"2", db=meta) == b"1"
    environment.close()


def of_hdf5(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "r+") as file:
        note = json.loads(file.attrs["holdall"])
        file.attrs["holdall"] = json.dumps({**note, "format": 2})


# What makes a later version's of the golden files, and what opens them.
LATER = {
    "by_suffix": [
        (of_folder, "", FileDirStore),
        (of_folder, "", lambda path: FileDirStore(path, read_only=True)),
    ],
    "multiformat": [(of_folder, "", lambda path: MultiFormatStore(path, json="json"))],
    "sqlite": [
        (of_database, "data.db", SQLiteStore),
        (of_database, "data.db", lambda path: SQLiteStore(path, read_only=True)),
        (of_database, "data.db", lambda path: SQLiteStore(path, serializer="json", table="new")),
    ],
    "spill/database": [(of_database, "values.db", lambda path: SpillStore(path.parent))],
    "spill/files": [(of_folder, "", SpillStore)],
    "bounded": [
        (of_database, ".holdall/bounded.db", lambda path: list(CASES["bounded"].read(path.parents[1]).thing))
    ],
    "zip": [
        (of_zip, "data.zip", lambda path: list(ZipStore(path))),
        (of_zip, "data.zip", lambda path: ZipStore(path).update({"a": b"new"})),
    ],
    "script": [(of_script, "script.py", ScriptStore)],
    "dataset": [
        (of_package, "golden_data", lambda path: DataSet("golden_data", "r", path=path.parent)),
        (of_package, "golden_data", lambda path: DataSet("golden_data", "w", path=path.parent)),
        (of_package, "golden_data", load),
    ],
    "archive_store": [(of_package, "golden_store", ArchiveStore)],
    "archive/npy": [(of_archive, "golden_archive/__init__.py", load)],
    "archive/hdf5": [(of_archive, "golden_archive.py", load)],
    "lmdb": [(of_lmdb, "data", LmdbStore), (of_lmdb, "data", lambda path: LmdbStore(path, read_only=True))],
    "serializers/hdf5": [(of_hdf5, "all.h5", lambda path: FileDirStore(path.parent)["all"])],
}


@pytest.mark.parametrize(
    ("name", "number"), [(name, n) for name, ways in LATER.items() for n in range(len(ways))]
)
def test_a_later_format_is_refused(name, number, tmp_path):
    make, file, opens = LATER[name][number]
    path = copied(VERSIONS[-1], CASES[name], tmp_path) / file
    make(path)
    before = _content(tmp_path)
    # The value of an HDF5 file is read by its serializer, whose errors are of that kind.
    expected = SerializationError if "serializers" in name else MismatchError
    with pytest.raises(expected, match=r"format '?2\b.*") as caught:
        opens(path)
    assert isinstance(caught.value, HoldallError)
    assert "update" in str(caught.value) or "newer" in str(caught.value)
    assert _content(tmp_path) == before


def test_results_of_a_later_folder_are_left_alone(tmp_path):
    folder = copied(VERSIONS[-1], CASES["memo/folder"], tmp_path) / "results"
    of_folder(folder)
    before = _content(folder)
    function = memoize(folder, name="golden.function", version="1")(lambda x: x)
    with pytest.raises(MismatchError, match="format 2"):
        function(1)
    assert _content(folder) == before


def test_an_index_of_a_later_version_is_refused(tmp_path):
    with SearchStore({"a": "Green tea"}, tmp_path / "index.db") as search:
        assert [found.key for found in search("tea")] == ["a"]
    with SearchStore({"a": "Green tea"}, tmp_path / "index.db") as search:
        assert [found.key for found in search("tea")] == ["a"]
    of_database(tmp_path / "index.db")
    with pytest.raises(MismatchError, match=r"has format 2.*update holdall"):
        SearchStore({"a": "Green tea"}, tmp_path / "index.db")


def test_a_comment_of_others_is_no_format(tmp_path):
    path = copied(VERSIONS[-1], CASES["zip"], tmp_path) / "data.zip"
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"what holdall 2 is not"
    assert ZipStore(path, serializer="json")["number"] == 3


def _content(folder):
    """Return the files and their bytes, without what locks them and what SQLite keeps of its log."""
    passing = ("_locked", "computing.lock", "lock.mdb", ".db-shm", ".db-wal")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not path.name.endswith(passing)
    }
