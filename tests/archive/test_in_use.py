"""Archives in use: as text, saved, imported, with large arrays, shared lists and objects of classes."""

import os
import sys

import pytest

from holdall import Archive

np = pytest.importorskip("numpy")


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Import modules of a folder, and forget them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield __import__
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", tmp_path)):
            del sys.modules[name]


def tree(folder):
    return sorted(
        os.path.relpath(os.path.join(root, name), folder)
        for root, _, names in os.walk(folder)
        for name in names
        if "__pycache__" not in root
    )


@pytest.mark.parametrize("scoped", [True, False])
def test_basic_usage(scoped):
    a, x, y = 1, range(2), range(3)
    b = [x, y, y]
    archive = Archive(scoped=scoped)
    archive.insert(a=a, x=x, b=b)
    s = str(archive)
    d = {}
    exec(s, d)
    assert d == {"x": range(2), "b": [range(2), range(3), range(3)], "a": 1}
    assert d["a"] == a
    assert d["x"] == x
    assert d["b"] == b
    assert d["b"][1] is d["b"][2]
    assert d["b"][0] is d["x"]


def test_the_flat_format_is_readable():
    a, x, y = 1, range(2), range(3)
    archive = Archive(scoped=False)
    archive.insert(a=a, x=x, b=[x, y, y])
    assert str(archive) == (
        "a = 1\n"
        "x = range(0, 2)\n"
        "_g0 = range(0, 3)\n"
        "b = [x, _g0, _g0]\n"
        "del _g0\n"
        "try: del __builtins__, _arrays\n"
        "except NameError: pass"
    )


def test_large_arrays(tmp_path):
    a, x, y = 1, np.arange(10), np.arange(20)
    b = [x, y]
    archive = Archive(scoped=False, array_threshold=5)
    archive.insert(a=a, x=x, b=b)
    s = str(archive)
    assert "x = _arrays['array_0']\nb = [x, _arrays['array_1']]\n" in s
    assert list(archive.data) == ["array_0", "array_1"]
    assert archive.data["array_0"] is x
    assert archive.data["array_1"] is y
    d = {"_arrays": archive.data}
    exec(s, d)
    assert sorted(d) == ["a", "b", "x"]
    assert d["b"][0] is d["x"]
    archive.save_data(datafile=os.path.join(tmp_path, "arrays"))
    assert tree(tmp_path) == ["arrays/array_0.npy", "arrays/array_1.npy"]
    assert np.array_equal(np.load(tmp_path / "arrays" / "array_1.npy"), y)


def test_importable_archives(tmp_path, imported):
    a, x, y = 1, np.arange(10), np.arange(20)
    b = [x, y]
    archive = Archive(array_threshold=5)
    archive.insert(a=a, x=x, b=b)
    archive.save(dirname=tmp_path, name="mod1", package=True)
    archive.save(dirname=tmp_path, name="mod2", package=False)
    assert tree(tmp_path) == [
        "mod1/__init__.py",
        "mod1/_arrays/array_0.npy",
        "mod1/_arrays/array_1.npy",
        "mod2.py",
        "mod2_arrays/array_0.npy",
        "mod2_arrays/array_1.npy",
    ]
    for module in (imported("mod1"), imported("mod2")):
        assert module.a == a
        assert np.allclose(module.x, x)
        assert np.allclose(module.b[1], y)
        assert module.b[0] is module.x


def test_single_item_archives(tmp_path, imported):
    x, y = np.arange(10), np.arange(20)
    b = [x, y]
    archive = Archive(single_item_mode=True, array_threshold=5)
    archive.insert(b1=b)
    archive.save(dirname=tmp_path, package=True)
    archive = Archive(scoped=False, single_item_mode=True, array_threshold=5)
    archive.insert(b2=b)
    archive.save(dirname=tmp_path, package=False)
    assert tree(tmp_path) == [
        "b1/__init__.py",
        "b1/_arrays/array_0.npy",
        "b1/_arrays/array_1.npy",
        "b2.py",
        "b2_arrays/array_0.npy",
        "b2_arrays/array_1.npy",
    ]
    for found in (imported("b1"), imported("b2")):
        assert type(found) is list
        assert np.allclose(found[0], x)
        assert np.allclose(found[1], y)


def test_a_list_that_is_held_twice_is_one_list():
    x = [1, 2, 3]
    y = [x, x]
    for scoped in (True, False):
        archive = Archive(scoped=scoped)
        archive.insert(y=y)
        d = {}
        exec(str(archive), d)
        assert d["y"][0] is d["y"][1]


def test_numbers_of_the_package_uncertainties_come_back():
    uncertainties = pytest.importorskip("uncertainties")
    archive = Archive()
    archive.insert(u=uncertainties.ufloat(0.1, 0.2))
    d = {}
    exec(str(archive), d)
    assert repr(d["u"]) == "0.1+/-0.2"


@pytest.mark.parametrize("old", ["new_args", "state", "both"])
def test_objects_are_made_as_pickle_makes_them(old):
    """__init__ is never called: what an object holds comes by __dict__ or __setstate__."""
    from archive import things

    value = {
        "new_args": things.NewargsEx(1, b=[2]),
        "state": things.Getstate(),
        "both": things.GetSetstate(1),
    }[old]
    archive = Archive()
    archive.insert(value=value)
    d = {}
    exec(str(archive), d)
    expected = {
        "new_args": {"made": (1, [2])},
        "state": {"x": 1},
        "both": {"log": [("__new__", ("a", 3), {}), ("__setstate__", {"x": 1})]},
    }[old]
    assert vars(d["value"]) == expected
