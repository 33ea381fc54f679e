"""All kinds of values come back, with their types and what they share, where holdall is not installed."""

import copy
import importlib.util
import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import holdall
from archive import cases, compare, things
from exploring import in_soak
from holdall import Archive

HERE = Path(__file__).parent


def load_all(folder, table, *blocked, count=None, python=sys.executable, flags=("-I",)):
    """Import all archives of a folder in a fresh interpreter; return what differs."""
    command = [
        python,
        *flags,
        "-W",
        "error",
        str(HERE / "load_all.py"),
        str(HERE.parent),
        str(folder),
        table,
        "holdall",
        *blocked,
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert run.returncode == 0, run.stderr
    number, differences = json.loads(run.stdout)
    assert number == (len(getattr(cases, table)) if count is None else count)
    return differences


def save_all(table, folder, tag="", **options):
    for name, make in table.items():
        archive = Archive(**options)
        archive.insert(value=make())
        archive.save(folder, f"case_{name}__{tag}", package=False)


def test_values_come_back_without_holdall_and_numpy(tmp_path):
    save_all(cases.CASES, tmp_path, tag="scoped", scoped=True)
    save_all(cases.CASES, tmp_path, tag="flat", scoped=False)
    assert load_all(tmp_path, "CASES", "numpy", count=2 * len(cases.CASES)) == {}


@pytest.mark.parametrize(
    "all_options",
    [
        [
            {"array_threshold": float("inf")},
            {"array_threshold": 2, "mmap": True, "scoped": False},
            {"array_threshold": 2, "data_format": "npz"},
            {"array_threshold": 0, "data_format": "hdf5", "mmap": True},
        ],
        *in_soak([{"array_threshold": 2}, {"array_threshold": 2, "data_format": "hdf5"}]),
    ],
    ids=["usual", "more"],
)
def test_arrays_come_back_without_holdall(tmp_path, all_options):
    pytest.importorskip("numpy")
    if not importlib.util.find_spec("h5py"):
        all_options = [options for options in all_options if options.get("data_format") != "hdf5"]
    available = dict(cases.ARRAYS)
    for name, package in [
        ("foreign_dtypes", "ml_dtypes"),
        ("sparse_matrices", "scipy"),
        ("uncertain_numbers", "uncertainties"),
        ("frames", "pandas"),
        ("series_and_scalars", "pandas"),
    ]:
        try:
            __import__(package)
        except ImportError:
            available.pop(name)
    for number, options in enumerate(all_options):
        save_all(available, tmp_path, tag=str(number), **options)
    assert load_all(tmp_path, "ARRAYS", count=len(available) * len(all_options)) == {}


@pytest.mark.parametrize("name", cases.CASES)
def test_text_has_short_lines_without_blanks_at_their_ends(name):
    for scoped in (True, False):
        archive = Archive(scoped=scoped)
        archive.insert(value=cases.CASES[name]())
        for line in str(archive).split("\n"):
            assert len(line) <= 100
            assert line == line.rstrip()
            assert line.isprintable()


def test_no_text_names_a_private_module():
    tables = [cases.CASES]
    if pytest.importorskip("numpy"):
        tables.append(
            {name: cases.ARRAYS[name] for name in ("dtypes", "scalars", "masked_arrays", "random_numbers")}
        )
    if importlib.util.find_spec("pandas"):
        tables.append({name: cases.ARRAYS[name] for name in ("frames", "series_and_scalars")})
    for table in tables:
        for make in table.values():
            archive = Archive()
            archive.insert(value=make())
            for module in re.findall(r"^\s*(?:from|import) ([\w.]+)", str(archive), re.MULTILINE):
                assert not any(part.startswith("_") for part in module.split(".")), module


# Whatever `pickle` does with a class, an archive does, but where it fails.
PICKLED = [
    things.Getstate(),
    things.GetSetstate(1, b=2),
    things.NewargsEx(1, b=[2]),
    things.FalsyState(),
    things.ReduceAll([1], {2: 3}, 4),
    things.Plain(x=1),
]


@pytest.mark.parametrize("value", PICKLED, ids=lambda value: type(value).__name__)
def test_the_hooks_of_pickle_are_called_as_pickle_does(value):
    archive = Archive()
    archive.insert(value=value)
    values = {}
    exec(str(archive), values)
    again = pickle.loads(pickle.dumps(value, protocol=4))
    assert vars(values["value"]) == vars(again)


def test_copyreg_is_asked_first(monkeypatch):
    import copyreg

    monkeypatch.setitem(copyreg.dispatch_table, things.Liar, lambda liar: (things.Plain, (), {"told": 1}))
    archive = Archive()
    archive.insert(value=things.Liar())
    values = {}
    exec(str(archive), values)
    assert values["value"] == things.Plain(told=1)


def executed(**values):
    """Return what executing the text of an archive makes."""
    archive = Archive()
    archive.insert(**values)
    found = {}
    exec(str(archive), found)
    return found


@pytest.mark.parametrize("depth", [2_000, *in_soak(100_000)])
def test_deep_values_of_the_sizes_that_broke_others(depth):
    """That of 100,000 is imported from far down the stack in the ordinary run."""
    deep = []
    for _ in range(depth):
        deep = [deep]
    level, found = executed(deep=deep)["deep"], 0
    while level:
        (level,), found = level, found + 1
    assert found == depth
    while deep:  # let go level by level, not by recursion
        deep = deep.pop()


@pytest.mark.parametrize("length", [3_000, *in_soak(20_000)])
def test_chains_of_objects_of_the_sizes_that_broke_others(length):
    chain = None
    for i in range(length):
        chain = things.Plain(next=chain, i=i)
    node, found = executed(chain=chain)["chain"], 0
    while node is not None:
        node, found = node.next, found + 1
    assert found == length


def test_wide_values_of_the_sizes_that_broke_others():
    assert executed(ints=list(range(100_000)))["ints"] == list(range(100_000))


def test_comparison_tells_differences():
    """The helper of these tests would notice what they look for."""
    shared = [1]
    for a, b in [
        ([1], [1.0]),
        ([shared, shared], [[1], [1]]),
        ([[1], [1]], [shared, shared]),
        ({"a": 1}, {"a": 2}),
        (things.Plain(a=1), things.Plain(a=2)),
        (0.0, -0.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (things.Int(1), 1),
        (things.Point(1, [2]), things.Point(1, (2,))),
        ({1}, {2}),
    ]:
        assert compare.difference(a, b) is not None
        assert compare.difference(a, copy.deepcopy(a)) is None


def other_python(version):
    """Return another interpreter of a version, or skip."""
    path = shutil.which(f"python{version}")
    code = f"import sys; sys.exit(sys.version_info[:2] != tuple(map(int, {version!r}.split('.'))))"
    if path is None or subprocess.run([path, "-c", code], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no Python {version}")
    return path


SAVE_ALL = """
import sys
sys.path[:0] = sys.argv[1:3]
from archive import cases
from holdall.archive import Archive
for name, make in cases.CASES.items():
    if name == "text_array":
        continue
    archive = Archive()
    archive.insert(value=make())
    archive.save(sys.argv[3], f"case_{name}__", package=False)
"""


@pytest.mark.soak
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_what_one_version_of_python_wrote_another_reads(tmp_path, version):
    python = other_python(version)
    # Python 3.13 has another type code for texts, and warns of the one before
    table = {name: make for name, make in cases.CASES.items() if name != "text_array"}
    save_all(table, tmp_path / "here")
    assert load_all(tmp_path / "here", "CASES", count=len(table), python=python) == {}
    source = str(Path(holdall.__file__).parents[1])
    run = [python, "-c", SAVE_ALL, source, str(HERE.parent), str(tmp_path / "there")]
    subprocess.run(run, check=True, capture_output=True, timeout=200)
    assert load_all(tmp_path / "there", "CASES", count=len(table)) == {}
