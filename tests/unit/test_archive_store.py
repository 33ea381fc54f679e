"""`ArchiveStore`: what other stores hold as a package, and what is particular to it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from holdall import ArchiveStore, DataSet, FileDirStore, MemoryStore, SQLiteStore
from holdall.archive import load
from holdall.archive.store import id_of, module_name
from holdall.errors import (
    InvalidArgumentError,
    MismatchError,
    ReadOnlyError,
    SerializationError,
    StoreNotFoundError,
    UntrustedStoreError,
)

VALUES = {
    "alpha": 0.5,
    "runs/7": {"a": (1, {2}), "x": np.arange(2000)},
    "class": None,
    5: "five",
    (1, "b"): b"pair",
}


def isolated(code, folder):
    """Run code where holdall cannot be imported, and give what it prints."""
    program = f"import sys\nsys.path.insert(0, {str(folder)!r})\nsys.modules['holdall'] = None\n{code}"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.parametrize("data_format", ["npy", "npz", "hdf5"])
@pytest.mark.parametrize("make", [MemoryStore, SQLiteStore])
def test_any_store_becomes_a_package(tmp_path, make, data_format):
    source = make()
    source.update(VALUES)
    target = ArchiveStore(tmp_path / "kept", data_format=data_format)
    assert source.copy_to(target) == len(VALUES)
    assert set(target) == set(VALUES)
    assert target["runs/7"]["x"].sum() == 1999000
    assert {key: target[key] for key in VALUES if key != "runs/7"} == {
        key: value for key, value in VALUES.items() if key != "runs/7"
    }
    out = isolated(
        "import kept.alpha, kept.key_runs_2f_7, kept.key_class\n"
        "print(kept.alpha, kept.key_runs_2f_7['x'].sum(), kept.key_class)\nprint(len(kept._info_dict))",
        tmp_path,
    )
    assert out.startswith("0.5 1999000 <module 'kept.key_class'")
    assert out.endswith("\n5")
    back = ArchiveStore(tmp_path / "kept", read_only=True)
    again = FileDirStore(tmp_path / "again", keys=target.keys_codec)
    assert back.copy_to(again) == len(VALUES)
    assert again["class"] is None


IDS = [
    "a",
    "é",
    "class",
    "key_a",
    "a/b",
    "",
    ".",
    "_x",
    "1",
    "a b",
    "\u017f",
    "\ud800",
    "\0",
    "x" * 119,
    "x" * 121,
]
IDS += ["/" * 300, "key__", "KEY_a", "close", "json", "__init__", "_info", "key_a_2f_b"]


def test_names_of_modules_tell_their_ids():
    assert len({module_name(id) for id in IDS}) == len(IDS)
    for id in IDS:
        name = module_name(id)
        assert name.isidentifier()
        assert len(name) <= 120
        if len(id) < 40:
            assert id_of(name, None) == id
    assert module_name("json") == "json"


def test_all_ids_come_back(tmp_path):
    persister = ArchiveStore(tmp_path / "kept").persister
    for number, id in enumerate(IDS):
        persister[id] = number
    again = ArchiveStore(tmp_path / "kept", read_only=True).persister
    assert {id: again[id] for id in again} == {id: number for number, id in enumerate(IDS)}
    for id in IDS:
        del persister[id]
    assert list(again) == []


def test_it_is_the_package_of_a_data_set(tmp_path):
    ds = DataSet("both", "w", path=tmp_path)
    ds._insert(a=[1], info="of a")
    ds["only"] = "metadata"
    store = ArchiveStore(tmp_path / "both")
    assert dict(store) == {"a": [1]}
    store["b"] = store["a"] = [2]
    assert (ds.a, ds["a"], ds.b, ds["b"]) == ([2], "of a", [2], None)
    assert load(tmp_path / "both") == {"a": [2], "b": [2]}
    ds.a = [3]
    assert store["a"] == [3]
    etag = store.etag("a")
    ds.a = [4]
    assert store.etag("a") != etag


def test_values_are_new_objects_each_time(tmp_path):
    store = ArchiveStore(tmp_path / "kept")
    store["a"] = [1]
    store["a"].append(2)
    assert store["a"] == [1]


def test_what_is_refused(tmp_path):
    with pytest.raises(StoreNotFoundError, match="no package"):
        ArchiveStore(tmp_path / "absent", read_only=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(MismatchError, match="something else"):
        ArchiveStore(tmp_path / "other")
    for options in ({"data_format": "csv"}, {"data_format": "npz", "mmap": True}):
        with pytest.raises(InvalidArgumentError):
            ArchiveStore(tmp_path / "kept", **options)
    with pytest.raises(InvalidArgumentError, match="identifier"):
        ArchiveStore(tmp_path / "a-b")
    store = ArchiveStore(tmp_path / "kept")
    store["a"] = 1
    with pytest.raises(SerializationError, match="lambda"):
        store["a"] = [lambda: 0]
    with pytest.raises(ReadOnlyError):
        ArchiveStore(tmp_path / "kept", read_only=True)["a"] = 2
    assert dict(store) == {"a": 1}
    os.chmod(tmp_path / "kept" / "a.py", 0o666)
    with pytest.raises(UntrustedStoreError):
        store["a"]
    assert ArchiveStore(tmp_path / "kept", trust=True)["a"] == 1
