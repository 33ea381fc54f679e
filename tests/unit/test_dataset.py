"""`DataSet`: items, metadata, modes, deletion, what an import sees, and what is refused."""

import importlib
import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import holdall
from holdall.archive import ArchiveStore, _info, load
from holdall.archive.dataset import DataSet, NoDataSetError
from holdall.errors import (
    CorruptValueError,
    HoldallError,
    InvalidArgumentError,
    MismatchError,
    ReadOnlyError,
    SerializationError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
)

FORMATS = ["npy", "npz", "hdf5"]


@pytest.fixture
def make(tmp_path):
    """Give a function that opens the data set of the test."""

    def make(mode="w", name="data", **options):
        return DataSet(name, mode, path=tmp_path, **options)

    return make


def isolated(code, folder, *, without=("holdall",)):
    """Run code in an interpreter that finds the folder, and not holdall; give what it prints."""
    hide = "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    program = f"import sys\nsys.path.insert(0, {str(folder)!r})\n{hide}{code}"
    site = [path for path in sys.path if path.endswith("site-packages")]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(site)}
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Give a function that imports modules from the folder of the test; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "data":
            del sys.modules[name]


# -- values and metadata


@pytest.mark.parametrize("data_format", FORMATS)
def test_items_are_inserted_described_and_imported(tmp_path, make, data_format):
    a, x = np.arange(10), np.arange(15)
    ds = make(array_threshold=12, data_format=data_format)
    ds.a = a
    ds.x = [a, x]
    ds["a"] = "A small array"
    ds["x"] = "A list with a small and large array"
    files = {"__init__.py", "_this_dir_is_a_DataSet", "a.py", "x.py"}
    assert files <= set(os.listdir(tmp_path / "data"))
    extension = {"npy": "", "npz": ".npz", "hdf5": ".hd5"}[data_format]
    assert (tmp_path / "data" / f"x_data{extension}").exists()
    ds = make("r")
    assert (ds["a"], ds["x"]) == ("A small array", "A list with a small and large array")
    assert np.array_equal(ds.a, a)
    assert all(map(np.array_equal, ds.x, [a, x]))
    out = isolated(
        "import data; print([n for n in dir(data) if n[:2] != '__'], sorted(data._info_dict))\n"
        "import data.a, data.x; print(data.a.sum(), data.x[1].sum(), hasattr(data, 'b'))",
        tmp_path,
    )
    assert out == "['_info_dict'] ['a', 'x']\n45 105 False"


ODD_TEXTS = [
    "",
    "'",
    '"',
    "\\",
    "\\n",
    "/",
    "</",
    "\t\r\n\0\x7f\x85",
    "\xe9\u2028\ufeff",
    "{}[]:#",
    "1_0",
    "null",
]
ODD_INFO = [
    True,
    False,
    None,
    0,
    -7,
    10**4000,
    0.0,
    -0.0,
    1e-300,
    5e300,
    ODD_TEXTS,
    {"a": {"b": []}, **dict.fromkeys(ODD_TEXTS)},
]


@pytest.mark.parametrize(
    ("info", "without"),
    [
        (ODD_INFO, ("json",)),
        ([*ODD_INFO, "\U0001f600"], ()),
        ([*ODD_INFO, "\ud83d"], ()),
        ([*ODD_INFO, "\ude00\ud83d"], ()),
        ([*ODD_INFO, "x" * 20_000], ()),
    ],
    ids=["small", "beyond 16 bits", "lone", "swapped", "large"],
)
def test_an_import_gives_the_metadata_and_needs_json_only_for_many(tmp_path, make, info, without):
    ds = make()
    ds["x"], ds["gone"], ds["y"] = info, 1, {"at": date(2020, 1, 1)}
    del ds["gone"]
    out = isolated("import data; print(ascii(data._info_dict))", tmp_path, without=("holdall", *without))
    assert out == ascii({"x": info, "y": {"at": date(2020, 1, 1)}})


def test_metadata_edited_by_hand_are_read_by_imports(tmp_path, make):
    make()["x"] = "x"
    lines = [
        r' {"name": "a", "info": "\uD83D\uDE00"} ',
        r'{"name": "d", "info": "\/"}',
        '\t{"name":"b","info":[NaN,Infinity,-Infinity]}\r',
        '{"name": "c", "info": "\xe9\u2028\U0001f600"}',
    ]
    for written in ([lines[0]], [lines[1]], lines[2:], lines):
        text = "".join(line + "\n" for line in written)
        (tmp_path / "data" / "_info.jsonl").write_text(text, encoding="utf-8", newline="")
        out = isolated("import data; print(ascii(data._info_dict))", tmp_path)
        assert out == ascii(make("r")._info_dict)


def test_without_arrays_no_numpy_is_needed(tmp_path, make):
    ds = make()
    ds.x = {"a": [1.5, float("inf"), date(2020, 1, 2)]}
    ds["x"] = {"unit": "m", "at": date(2020, 1, 1), "pair": (1, 2)}
    out = isolated(
        "import data, data.x; print(data.x, data._info_dict)", tmp_path, without=("holdall", "numpy", "h5py")
    )
    assert out == f"{ds.x} {ds._info_dict}"


METADATA = [
    *(
        None,
        "text",
        {"a": [1, 2.5, None]},
        (1, 2),
        {1: 2},
        {3},
        float("nan"),
        10**5000,
        date(2020, 1, 1),
        True,
    ),
]


@pytest.mark.parametrize("info", METADATA, ids=lambda info: type(info).__name__)
def test_metadata_come_back_with_their_type(make, info):
    ds = make()
    ds["x"] = info
    for handle in (ds, make("r")):
        assert type(handle["x"]) is type(info)
        assert handle["x"] == info or repr(info) == repr(handle["x"]) == "nan"


def test_metadata_are_not_changed_through_what_was_read(make):
    ds = make()
    ds["x"] = {"a": []}
    ds["x"]["a"].append(1)
    ds._info_dict["x"]["a"].append(1)
    assert ds["x"] == {"a": []}


def test_values_are_read_anew_each_time_and_changes_in_place_are_not_kept(make):
    ds, other = make(), make("r")
    ds.d = {"a": 1}
    assert ds.d is not ds.d
    ds.d["a"] = 6
    assert other.d == {"a": 1}
    value = ds.d
    value["a"] = 6
    ds.d = value
    assert other.d == {"a": 6}


def test_handles_see_what_others_assign(make):
    one, other = make(), make()
    one.x = 1
    other.x = 2
    other["x"] = "two"
    assert (one.x, one["x"], list(one)) == (2, "two", ["x"])


def test_names(make):
    ds = make()
    assert ds._insert(a=1.0, info={"a": "A lovely variable"}) == ["a"]
    assert ds._insert(x_0=1.0) == ["x_0"]
    assert ds._insert({}) == ["x_1"]
    assert ds._insert(5, 6, info="many", b=7) == ["b", "x_2", "x_3"]
    assert list(ds) == ["a", "x_0", "x_1", "b", "x_2", "x_3"]
    assert ds._keys() == ["a", "b", "x_0", "x_1", "x_2", "x_3"]
    assert (len(ds), "a" in ds, "z" in ds, 5 in ds) == (6, True, False, False)
    assert {"a", "b", "x_0", "close"} <= set(dir(ds))
    assert (ds["a"], ds["x_0"], ds["x_3"], ds["b"]) == ({"a": "A lovely variable"}, None, "many", "many")
    assert str(ds) == f"DataSet {os.path.join(ds._path, 'data')!r} containing {ds._keys()}"
    assert repr(ds).startswith("DataSet(module_name='data', path='")
    assert "synchronize=True, array_threshold=100, backup_data=False, name_prefix='x_')" in repr(ds)


def test_an_assignment_keeps_the_metadata(make):
    ds = make()
    ds.x = 1
    ds["x"] = "info"
    ds.x = 2
    ds._insert(x=3)
    assert (ds.x, ds["x"]) == (3, "info")


def test_deletion(tmp_path, make):
    ds = make(array_threshold=5)
    ds._insert(a=np.arange(10), b=2, c=3, info="i")
    del ds.a
    del ds["b"]
    for handle in (ds, make("r")):
        assert list(handle) == ["c"]
        assert not hasattr(handle, "a")
        with pytest.raises(KeyError, match="'b'"):
            handle["b"]
    assert not [name for name in os.listdir(tmp_path / "data") if name.startswith(("a", "b"))]
    with pytest.raises(AttributeError, match="has no item 'a'"):
        del ds.a
    with pytest.raises(KeyError):
        del ds["a"]
    ds.a = 5
    assert list(make("r")) == ["c", "a"]


def test_a_name_with_metadata_alone_has_no_data(make):
    ds = make()
    ds["b"] = "b"
    with pytest.raises(AttributeError, match=r"'b' .* has metadata and no data"):
        ds.b
    del ds["b"]
    assert list(ds) == []


# -- modes


def test_modes_mean_what_they_say(make):
    with pytest.raises(NoDataSetError, match="mode 'w' makes one") as caught:
        make("r")
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(NotImplementedError, match="'oops'") as caught:
        make("oops")
    assert isinstance(caught.value, UnsupportedError)
    ds = make("a")
    ds.x = 1
    ds["x"] = "one"
    for change in (
        lambda: setattr(ds, "x", 2),
        lambda: ds._insert(x=2),
        lambda: ds.__setitem__("x", "two"),
        lambda: delattr(ds, "x"),
    ):
        with pytest.raises(ReadOnlyError, match="mode 'a'"):
            change()
    make("w").y = 2
    reader = make("r")
    assert (reader.x, reader["x"], reader.y) == (1, "one", 2)
    for change in (
        lambda: setattr(reader, "x", 2),
        lambda: reader._insert(c=3.0),
        lambda: reader.__setitem__("x", "two"),
        lambda: reader.__delitem__("x"),
    ):
        with pytest.raises(ReadOnlyError, match="is opened for reading") as caught:
            change()
        assert isinstance(caught.value, ValueError)
    assert reader._info_dict == {"x": "one", "y": None}


def test_a_data_set_of_persist_is_refused_with_the_way_to_take_it_over(tmp_path):
    """What persist 3.2.1 made of two items and some metadata, those of the page `datasets.md`.

    ``ds.a = [1, 2]; ds.x = np.arange(200); ds["x"] = "an array"; ds["note"] = "no data"``
    """
    shutil.unpack_archive(Path(__file__).parents[1] / "archive" / "written_by_persist.zip", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "old").rglob("*")}
    ways = [lambda mode=mode: DataSet("old", mode, path=tmp_path) for mode in ("r", "w", "a")]
    for way in (*ways, lambda: ArchiveStore(tmp_path / "old"), lambda: load(tmp_path / "old")):
        with pytest.raises(MismatchError, match="as persist writes them: import it and insert"):
            way()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "old").rglob("*")} == before


def test_a_folder_of_something_else_is_left_alone(tmp_path, make):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious.txt").write_text("x")
    for mode in ("r", "w", "a"):
        with pytest.raises(MismatchError, match="something else"):
            make(mode)
    assert os.listdir(tmp_path / "data") == ["precious.txt"]
    with pytest.raises(ValueError, match="something else"):
        DataSet(".", path=tmp_path)
    with pytest.raises(ValueError, match="identifier"):
        make(name="a-b")
    (tmp_path / "empty").mkdir()
    make(name="empty").x = 1
    assert make("r", name="empty").x == 1
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailableError):
        make(name="file")


def test_parents_may_stand_before_the_name(tmp_path, make):
    make(name="runs/2020/first").x = 1
    assert make("r", name=Path("runs/2020/first")).x == 1
    assert isolated("import first.x; print(first.x)", tmp_path / "runs" / "2020") == "1"


def test_closing(make):
    ds = make()
    ds.x = 1
    ds.close()
    ds.close()
    for use in (lambda: ds.x, lambda: ds["x"], lambda: list(ds), lambda: setattr(ds, "x", 2), ds._lock):
        with pytest.raises(OSError, match="closed"):
            use()
    with make("r") as reader:
        assert reader.x == 1
    with pytest.raises(StoreUnavailableError):
        reader.x


def test_without_synchronization_the_set_is_locked_as_long_as_it_is_open(make):
    ds = make(synchronize=False)
    ds.x = 1
    with pytest.raises(OSError, match="another writer has had"):
        make(synchronize=False, timeout=0)
    other = make(timeout=0)
    with pytest.raises(StoreUnavailableError, match="another writer"):
        other.y = 2
    assert other.x == 1  # readers do not wait
    ds.close()
    other.y = 2
    ds = make(synchronize=False)
    other = make("r", synchronize=False)
    ds.z = 3
    assert list(other) == ["x", "y"]
    del ds
    make(timeout=0).y = 3


def test_a_lock_file_without_an_owner_locks_nothing(tmp_path, make):
    ds = make(timeout=0)
    (tmp_path / "data" / ds._lock_file_name).touch()
    ds.x = 1
    assert ds.x == 1


def test_threads_share_a_handle(make):
    ds = make()
    wrong = []

    def work(number):
        for step in range(10):
            try:
                setattr(ds, f"t{number}_{step}", step)
                ds[f"t{number}_{step}"] = number
                assert getattr(ds, f"t{number}_{step}") == step
                assert ds._info_dict[f"t{number}_{step}"] == number
            except Exception as error:
                wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(make("r")) == 40


def test_a_handle_travels_as_its_options(make):
    ds = make(array_threshold=3)
    ds.x = 1
    again = pickle.loads(pickle.dumps(ds))
    assert (again.x, again._array_threshold, again._mode) == (1, 3, "w")


# -- names and values that are refused


@pytest.mark.parametrize(
    "name", ["a b", "class", "1a", "", "\u017f", "_x", "__init__", "close", 5, None, "a.b", "../x"]
)
def test_bad_names_are_refused_at_once(tmp_path, make, name):
    ds = make()
    with pytest.raises((InvalidArgumentError, TypeError)):
        ds[name] = 1
    if isinstance(name, str) and not name.startswith("_"):
        with pytest.raises(InvalidArgumentError):
            setattr(ds, name, 1)
        with pytest.raises(InvalidArgumentError):
            ds._insert(fine=1, **{name: 1})
    assert list(make("r")) == []
    assert not (tmp_path / "data" / "fine.py").exists()


def test_items_may_have_the_names_of_modules_of_the_standard_library(tmp_path, make):
    ds = make()
    for name in ("json", "random", "types", "os", "sys", "open", "list", "exec", "x_data", "x"):
        ds._insert(**{name: np.arange(200)}, info=name)
    assert np.array_equal(make("r").json, np.arange(200))
    out = isolated(
        "import data.json, data.sys, data.open, data.exec, data.x, data.x_data, json, os\n"
        "print(data.json.sum(), data.open.sum(), data.x_data.sum(), json.loads('1'), os.sep)",
        tmp_path,
    )
    assert out == f"19900 19900 19900 1 {os.sep}"


class Broken:
    def __reduce__(self):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no repr")


def test_what_dead_writers_left_is_removed(tmp_path, make):
    make().x = 1
    unfinished = tmp_path / "data" / ".holdall-x.py-0123abcd"
    unfinished.touch()
    busy = make(synchronize=False)
    assert not unfinished.exists()
    unfinished.touch()
    assert make("r").x == 1
    make(timeout=0)
    assert unfinished.exists(), "another writer is at work: it may be its file"
    busy.close()
    make()
    assert not unfinished.exists()


def test_folders_of_ones_own_stay(tmp_path, make):
    ds = make(array_threshold=5)
    mine = [tmp_path / "data" / name for name in ("x_data", "x_data_1")]
    for folder in mine:
        folder.mkdir()
        folder.joinpath("mine.txt").write_text("kept")
    for n in (10, 20, 30):
        ds.x = np.arange(n)
        assert ds.x.size == make("r").x.size == n
    last = tmp_path / "data" / "x_data_4"
    last.joinpath("mine.txt").write_text("kept")
    del ds.x
    assert [folder.joinpath("mine.txt").read_text() for folder in (*mine, last)] == ["kept"] * 3


def test_what_cannot_be_archived_leaves_the_set_as_it_was(tmp_path, make):
    ds = make(array_threshold=5)
    ds.x = np.arange(10)
    ds["x"] = "info"
    files = sorted(os.listdir(tmp_path / "data"))
    for value in (Broken(), [lambda: 0], None, {"a": threading.Lock()}):
        with pytest.raises((SerializationError, InvalidArgumentError, RuntimeError)):
            ds.x = value
        with pytest.raises((SerializationError, InvalidArgumentError, RuntimeError)):
            ds._insert(y=value)
    for value in (Broken(), [lambda: 0]):
        with pytest.raises((SerializationError, RuntimeError)):
            ds["x"] = value
    assert sorted(os.listdir(tmp_path / "data")) == files
    assert (list(ds), ds["x"], ds.x.sum()) == (["x"], "info", 45)


def test_options_are_checked(make):
    with pytest.raises(InvalidArgumentError, match="data_format"):
        make(data_format="csv")
    with pytest.raises(InvalidArgumentError, match="identifier"):
        make(name="a-b")
    with pytest.raises(InvalidArgumentError):
        make(name_prefix="1_")
    with pytest.raises(InvalidArgumentError, match="npz"):
        make(data_format="npz", mmap=True)


# -- files that were damaged, or written by others


def test_damaged_files_say_what_is_wrong(tmp_path, make):
    ds = make(array_threshold=5)
    ds._insert(x=np.arange(10), y=1)
    folder = tmp_path / "data"
    text = (folder / "x.py").read_text()
    for broken, error in (
        (text[:-60], CorruptValueError),
        ("x = 1\n", CorruptValueError),
        ("import nowhere\n", HoldallError),
    ):
        (folder / "x.py").write_text(broken)
        with pytest.raises(error, match=r"x\.py"):
            ds.x
        assert ds.y == 1
    (folder / "x.py").write_text(text)
    assert ds.x.sum() == 45
    os.unlink(folder / "x_data" / "array_0.npy")
    with pytest.raises(CorruptValueError, match=r"x\.py: a file of its arrays cannot be read: .*array_0"):
        ds.x
    run = subprocess.run(
        [sys.executable, "-c", "import data.x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "FileNotFoundError" in run.stderr
    log = folder / "_info.jsonl"
    lines = log.read_text()
    log.write_text("nonsense\n" + lines)
    with pytest.raises(CorruptValueError, match=r"_info\.jsonl, line 1: no record of a name"):
        make("r")
    log.write_text(lines + '{"name": "z", "in')  # torn: its writer died
    assert list(make("r")) == ["x", "y"]
    make("w").z = 3
    assert list(make("r")) == ["x", "y", "z"]
    assert isolated("import data; print(*data._info_dict)", tmp_path) == "x y z"
    log.write_text(log.read_text().rstrip("\n"))  # by an editor
    info = "import data; print(*data._info_dict)"
    assert list(make("r")) == isolated(info, tmp_path).split() == ["x", "y", "z"]
    writer = make("w")
    writer["z"] = {"unit": "m"}
    log.write_text(log.read_text().rstrip("\n"))
    assert make("r")["z"] == {"unit": "m"}
    make("w")["y"] = 2
    assert {name: writer[name] for name in writer} == {"x": None, "y": 2, "z": {"unit": "m"}}
    assert isolated(info, tmp_path) == "x y z"
    os.unlink(log)
    with pytest.raises(StoreNotFoundError):
        make("r")


def test_items_that_others_may_write_are_not_run(tmp_path, make):
    ds = make()
    ds.x = 1
    os.chmod(tmp_path / "data" / "x.py", 0o666)
    with pytest.raises(UntrustedStoreError, match="everybody may write it"):
        ds.x
    assert make("r", trust=True).x == 1


class Tagged:
    def __init__(self, tag):
        self.tag = tag


def test_metadata_that_have_to_be_run_are_not_if_others_may_write_them(tmp_path, make):
    ds = make()
    ds["own"] = Tagged(5)
    ds["when"] = date(2020, 1, 1)
    assert ds["own"].tag == 5
    os.chmod(tmp_path / "data" / "_info.jsonl", 0o666)
    assert ds["when"] == date(2020, 1, 1)
    with pytest.raises(UntrustedStoreError, match="'own'"):
        ds["own"]
    assert make("r", trust=True)["own"].tag == 5


def test_items_can_be_edited_by_hand(tmp_path, make):
    ds = make()
    ds.x = {"alpha": 0.5, "steps": list(range(5))}
    path = tmp_path / "data" / "x.py"
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.75").replace(b"\n", b"\r\n"))
    assert ds.x == {"alpha": 0.75, "steps": [0, 1, 2, 3, 4]}


# -- importing the package


def test_reload_gives_items_anew_and_forgets_those_that_are_gone(make, imported):
    ds = make()
    ds._insert(a=1, b=2, c=3, info="i")
    module = imported("data")
    importlib.reload(module)
    assert not hasattr(module, "a")
    imported("data.a"), imported("data.b")
    assert (module.a, module.b) == (1, 2)
    ds.a = 10
    del ds.b
    ds.d = 4
    assert (module.a, module.b) == (1, 2)
    importlib.reload(module)
    assert not hasattr(module, "a")
    assert not hasattr(module, "b")
    assert module._info_dict == {"a": "i", "c": "i", "d": None}
    assert imported("data.a") == module.a == 10
    assert imported("data.d") == 4
    with pytest.raises(ModuleNotFoundError):
        imported("data.b")


def test_reload_of_everything_that_was_imported(make, imported):
    ds = make()
    ds._insert(a=1, b=2, c=3)
    module = imported("data")
    imported("data.a"), imported("data.b")
    ds.a = 10
    del ds.b
    module._reload_items = True
    importlib.reload(module)
    assert module.a == 10
    assert not hasattr(module, "b")
    assert not hasattr(module, "c")


def test_what_is_written_can_be_imported_at_once(tmp_path, make, imported):
    """Finders look at the time of a folder, which may be as coarse as two seconds."""
    ds = make()
    imported("data")
    for number in range(5):
        folder = tmp_path / "data"
        before = os.stat(folder).st_mtime_ns
        ds._insert(**{f"n{number}": number})
        os.utime(folder, ns=(before, before))
        assert imported(f"data.n{number}") == number


@pytest.mark.parametrize("prefix", [False, True])
def test_byte_code_is_never_stale(tmp_path, make, monkeypatch, prefix):
    """Items of one size, written within a second, are read as they are, after a deletion too."""
    ds = make()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "elsewhere") if prefix else None)
    monkeypatch.syspath_prepend(tmp_path)
    seen, states = [], []
    for number in range(100, 300):
        if number % 10 == 5:
            del ds.x
        ds.x = number
        importlib.invalidate_caches()
        spec = importlib.util.spec_from_file_location("data_item", tmp_path / "data" / "x.py")
        sys.modules["data_item"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        seen.append(sys.modules.pop("data_item"))
        stat = os.stat(tmp_path / "data" / "x.py")
        states.append((int(stat.st_mtime), stat.st_size))
    assert seen == list(range(100, 300))
    assert len(set(states)) == 200
    assert states == sorted(states)
    cached = importlib.util.cache_from_source(str(tmp_path / "data" / "x.py"))
    assert os.path.exists(cached)


def test_a_reader_of_an_old_text_finds_the_new_arrays(tmp_path, make):
    """Arrays that are replaced are deleted: a module that was read before is read anew."""
    ds = make(array_threshold=5)
    ds.x = np.arange(10)
    old = (tmp_path / "data" / "x.py").read_bytes()
    ds.x = [np.arange(20), 5]
    assert [name for name in os.listdir(tmp_path / "data") if name.startswith("x_data")] == ["x_data_1"]
    sys.modules["stale"] = None
    try:
        exec(compile(old, "x.py", "exec"), {"__name__": "stale", "__file__": str(tmp_path / "data" / "x.py")})
        assert sys.modules["stale"][0].sum() == 190
    finally:
        del sys.modules["stale"]


def test_arrays_that_are_mapped_keep_their_values(tmp_path, make):
    ds = make(array_threshold=5, mmap=True)
    ds.x = np.arange(1000)
    mapped = ds.x
    assert not mapped.flags.owndata
    for number in range(100):
        ds.x = np.full(1000, number)
    assert mapped.sum() == 499500
    ds.x = ds.x
    assert (ds.x == 99).all()
    assert len([name for name in os.listdir(tmp_path / "data") if name.startswith("x_data")]) == 1


def test_backups(tmp_path, make):
    ds = make(array_threshold=5)
    for _ in range(3):
        ds.x = np.arange(10)
    assert not [name for name in os.listdir(tmp_path / "data") if name.endswith(".bak")]
    ds = make(array_threshold=5, backup_data=True)
    ds.x = np.arange(20)
    ds.x = 5
    del ds.x
    kept = {name for name in os.listdir(tmp_path / "data") if name.startswith("x")}
    assert {name for name in kept if name.endswith(".bak")} == {"x.py.bak", "x.py_1.bak", "x.py_2.bak"}
    os.rename(tmp_path / "data" / "x.py_1.bak", tmp_path / "data" / "x.py")
    ds["x"] = "restored"
    assert ds.x.sum() == 190


# -- cost


def test_an_insertion_costs_the_same_however_many_there_are(tmp_path, make, monkeypatch):
    """Counted in files that are opened and folders that are listed, since clocks lie."""
    ds = make()
    counted = Counter()
    files_opened = os.open

    def count(path, *arguments, **options):
        counted[os.path.basename(str(path))[:6]] += 1
        return files_opened(path, *arguments, **options)

    log = tmp_path / "data" / "_info.jsonl"

    def insert(name):
        counted.clear()
        size = log.stat().st_size
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", count)
            patch.setattr(os, "listdir", None)
            patch.setattr(os, "scandir", None)
            ds._insert(**{name: 1}, info=None)
        return sum(counted.values()), log.stat().st_size - size

    insert("first")  # which loads modules
    early = insert("early")
    lines = "".join(json.dumps({"name": f"item{number}", "info": None}) + "\n" for number in range(20_000))
    with log.open("a") as file:
        file.write(lines)
    assert len(ds) == 20_002
    assert insert("later") == early


def test_the_log_is_written_anew_when_most_of_it_is_out_of_date(tmp_path, make, monkeypatch):
    monkeypatch.setattr(_info, "_SPARE_LINES", 20)
    ds, other = make(), make("r")
    ds.gone = 1
    del ds.gone
    for number in range(100):
        ds["x"] = number
        assert other["x"] == number
    ds["y"] = (1, 2)
    assert len((tmp_path / "data" / "_info.jsonl").read_bytes().splitlines()) < 30
    assert make("r")._info_dict == other._info_dict == {"x": 99, "y": (1, 2)}
    assert isolated("import data; print(data._info_dict)", tmp_path) == "{'x': 99, 'y': (1, 2)}"
    assert ds._log.deleted[0] > 0


def test_reading_needs_neither_filelock_nor_numpy(tmp_path, make):
    make().x = [1]
    code = "from holdall import DataSet\nimport sys\n"
    code += f"print(DataSet('data', path={str(tmp_path)!r}).x)"
    code += (
        "\nprint([name for name in ('numpy', 'h5py', 'filelock', 'holdall.store') if name in sys.modules])"
    )
    root = os.path.dirname(os.path.dirname(holdall.__file__))
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split("\n")[:2] == ["[1]", "[]"]
