"""What the package exports, what it loads, and what its errors are."""

import ast
import importlib
import importlib.metadata
import inspect
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import holdall
from holdall import errors

PACKAGE = Path(holdall.__file__).parent

BUILT_INS = {
    "InvalidKeyError": (KeyError, TypeError),
    "InvalidArgumentError": (TypeError, ValueError),
    "SerializationError": (TypeError, ValueError),
    "CorruptValueError": (ValueError,),
    "MismatchError": (ValueError,),
    "ConflictError": (RuntimeError,),
    "ReadOnlyError": (TypeError,),
    "UnsupportedError": (NotImplementedError,),
    "StoreUnavailableError": (OSError,),
    "StoreNotFoundError": (FileNotFoundError,),
    "StoreFullError": (OSError,),
    "StoreTimeoutError": (OSError, TimeoutError),
    "OutcomeUnknownError": (OSError,),
    "UntrustedStoreError": (PermissionError,),
    "ValueTooLargeError": (ValueError,),
}


def test_all_places_that_name_the_exports_agree():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname or alias.name for node in block.body for alias in node.names}
    assert typed | {"__version__"} == {*holdall.__all__, "open"} == set(holdall._home) | {"__version__"}
    assert sorted([*holdall.__all__, "open"]) == dir(holdall)
    assert "open" not in holdall.__all__  # which would hide the built-in
    assert len(holdall.__all__) == len(set(holdall.__all__)) <= 48
    for name in holdall.__all__:
        assert getattr(holdall, name) is not None


def test_every_store_says_what_it_costs():
    stores = [thing for name in holdall.__all__ if isinstance(thing := getattr(holdall, name), type)]
    stores = [cls for cls in stores if issubclass(cls, holdall.Store) and cls is not holdall.Store]
    assert len(stores) > 10
    assert [cls.__name__ for cls in stores if not re.search(r"Cost:\s", cls.__doc__)] == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        holdall.nonsense


def test_a_name_of_a_module_says_which():
    for name, module in holdall._elsewhere.items():
        with pytest.raises(AttributeError, match=f"`from holdall.{module} import {name}`"):
            getattr(holdall, name)
        assert name in importlib.import_module(f"holdall.{module}").__all__


def test_public_modules_are_there_without_an_import_of_their_own():
    page = PACKAGE.parents[1] / "docs" / "versions.md"
    if page.exists():
        named = re.findall(r"^\| `holdall\.(\w+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert {*named, "stores", "persisters"} == set(holdall._modules.split())
    code = "import holdall\nprint(holdall.wrappers.bounded.__name__)\nholdall.FileDirStoer"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "bounded\n"
    assert "Did you mean: 'FileDirStore'?" in ran.stderr


@pytest.mark.parametrize("package", ["stores", "persisters"])
def test_modules_of_stores_and_persisters_need_no_import_of_their_own(package):
    folder = PACKAGE / package
    modules = {
        path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    public = {name for name in modules if not name.startswith("_")}
    code = f"import holdall\nprint(*(n for n in dir(holdall.{package}) if n[0] != '_'))\n"
    code += f"print(holdall.{package}.tar.__name__)\nholdall.{package}.nonsense"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    names, tar = ran.stdout.splitlines()
    assert public <= set(names.split()) <= public | {"modules_on_first_use"}
    assert tar == f"holdall.{package}.tar"
    assert f"module 'holdall.{package}' has no attribute 'nonsense'" in ran.stderr


def test_the_modules_that_are_called_public_say_what_they_export():
    page = PACKAGE.parents[1] / "docs" / "versions.md"
    if not page.exists():
        pytest.skip("an installed package is tested, without its documentation")
    modules = re.findall(r"^\| `(holdall\.\w+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(modules) > 10
    for module in map(importlib.import_module, modules):
        assert all(hasattr(module, name) and not name.startswith("_") for name in module.__all__), module


def test_every_extra_that_is_named_installs_something():
    needed = importlib.metadata.requires("holdall")
    extras = importlib.metadata.metadata("holdall").get_all("Provides-Extra")
    for extra in extras:
        assert any(re.search(rf"extra == ['\"]{extra}['\"]", line) for line in needed), extra
    named = {
        extra
        for path in PACKAGE.rglob("*.py")
        for group in re.findall(r"holdall\[([a-z0-9,]+)\]", path.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    assert named
    assert named <= set(extras), named - set(extras)


def test_the_version_is_that_of_the_distribution():
    assert holdall.__version__ == importlib.metadata.version("holdall")


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").exists()


def loaded(code):
    run = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())


def test_importing_loads_next_to_nothing():
    heavy = {"numpy", "h5py", "boto3", "sqlite3", "asyncio", "typing", "pickle", "json", "filelock"}
    assert not heavy & loaded("import holdall")


def test_a_folder_of_pickles_needs_no_optional_package():
    heavy = {"numpy", "h5py", "boto3", "sqlite3", "asyncio", "filelock", "hypothesis", "pytest"}
    code = "import holdall\nstore = holdall.FileDirStore()\nstore['x'] = 1\nassert store['x'] == 1"
    assert not heavy & loaded(code)


def test_the_table_of_errors_is_complete():
    assert set(BUILT_INS) | {"HoldallError"} == set(errors.__all__)
    assert all(name in errors.__doc__ for name in BUILT_INS)


@pytest.mark.parametrize("name", BUILT_INS)
def test_each_error_is_what_a_user_would_catch(name):
    cls = getattr(errors, name)
    assert issubclass(cls, errors.HoldallError)
    for built_in in BUILT_INS[name]:
        assert issubclass(cls, built_in)
    assert str(cls("what is wrong")) == "what is wrong"
    again = pickle.loads(pickle.dumps(cls("what is wrong")))
    assert (type(again), str(again)) == (cls, "what is wrong")


def test_errors_keep_their_fields_between_processes():
    conflict = pickle.loads(pickle.dumps(errors.ConflictError("lost", "etag", 3)))
    assert (str(conflict), conflict.actual, conflict.attempts) == ("lost", "etag", 3)
    full = pickle.loads(pickle.dumps(errors.StoreFullError(28, "no room", "place")))
    assert (full.errno, full.strerror, full.filename) == (28, "no room", "place")


@pytest.mark.parametrize("name", sorted(set(holdall.__all__) - set(errors.__all__)))
def test_public_classes_and_functions_show_an_example(name):
    thing = getattr(holdall, name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        if issubclass(type(thing), type) and thing.__module__ == "enum":
            return
        doc = inspect.getdoc(thing)
        assert ">>>" in doc or name == "Capability", f"{name} shows no example"


@pytest.mark.parametrize("name", holdall._moved)
def test_a_moved_name_says_where_it_is(name):
    with pytest.warns(DeprecationWarning, match=rf"from holdall\.{holdall._moved[name]} import {name}"):
        found = getattr(holdall, name)
    assert found is getattr(importlib.import_module(f"holdall.{holdall._moved[name]}"), name)
    assert name not in dir(holdall)


def test_importing_says_and_makes_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import holdall, holdall.wrappers; holdall.FileDirStore"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == done.stderr == b""
    assert os.listdir(tmp_path) == []
