"""What lies in a place is listed and dropped, by Python and from the command line."""

import os
import warnings

import pytest

from holdall import FileDirStore, MemoryStore, SQLiteStore, memoize
from holdall.cli import main
from holdall.memo import inspect

PLACES = {
    "database": lambda path: SQLiteStore(path / "kept.db"),
    "folder": lambda path: FileDirStore(path / "kept"),
    "tuples": lambda path: FileDirStore(path / "kept", keys=tuple),
    "memory": lambda path: MemoryStore(),
}


def made(place):
    """Keep results of several functions and versions."""
    f = [memoize(place, name="f", version=version)(str) for version in ("old", "a/b%", None)]
    closed = [memoize(place)(lambda x, n=n, m=[n]: n * x) for n in (1, 2)]
    for function in (*f, *closed):
        function(1)
    f[2](2)
    return f


@pytest.mark.parametrize("name", PLACES)
def test_all_functions_and_versions_are_listed(name, tmp_path):
    place = PLACES[name](tmp_path)
    place["something/else"] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made(place)
    kept = inspect(place)
    of_f = sorted((k.version, k.results) for k in kept if k.function == "f")
    assert of_f == [("", 2), ("a/b%", 1), ("old", 1)]
    assert sum(k.results for k in kept) == len(place) - 1 == 6
    assert all(0 < k.first <= k.last for k in kept)
    assert all(k.bytes is None if name == "memory" else k.bytes > 0 for k in kept)
    place.close()


def test_keys_of_any_kind_may_lie_beside_results():
    place = MemoryStore()
    memoize(place, name="f", version=1)(str)(1)
    place.update({5: 1, ("x", 1): 1, None: 1, "y": 1})
    assert [(kept.function, kept.results) for kept in inspect(place)] == [("f", 1)]


@pytest.mark.parametrize("name", ["kept.db", "kept"])
def test_the_command_line_lists_and_drops(name, tmp_path, capsys):
    def do(*words, status=0):
        assert main(["memo", str(tmp_path / name), *words]) == status
        said = capsys.readouterr()
        return (said.err or said.out).splitlines()

    assert "is not there" in do("list", status=1)[0]
    assert not os.path.exists(tmp_path / name)
    functions = []
    for number, version in enumerate(("old", "new")):
        functions += [memoize(tmp_path / name, name=n, version=version)(str) for n in ("f", "g")]
        for f in functions[-2:]:
            for x in range(number + 1):
                f(x)
    lines = do("list")
    assert [line.split()[:4] for line in lines if line.startswith("f ")] == [
        ["f", "@new", "2", "results"],
        ["f", "@old", "1", "results"],
    ]
    assert "say what to drop" in do("drop", status=2)[0]
    assert do("drop", "--function", "h") == ["0 results dropped"]
    assert do("drop", "--outdated", "--function", "f") == ["1 results dropped"]
    assert do("drop", "--version", "old") == ["1 results dropped"]
    assert do("drop", "--outdated") == ["0 results dropped"]
    assert do("drop", "--function", "f") == ["2 results dropped"]
    assert [line.split()[:2] for line in do("list")] == [["g", "@new"]]
    functions[0].store.close()
