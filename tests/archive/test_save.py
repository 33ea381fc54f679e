"""Modules and packages: how they import, what replaces them, and what is left when something goes wrong."""

import doctest
import importlib
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from archive import things
from holdall import Archive, DataSet
from holdall.archive import load as load_safely
from holdall.errors import InvalidArgumentError, SerializationError, StoreFullError, StoreUnavailableError

TESTS = Path(__file__).parents[1]


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Import a module of the folder."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module
    for name, module in list(sys.modules.items()):
        if str(tmp_path) in str(getattr(module, "__file__", "")) or not hasattr(module, "__name__"):
            del sys.modules[name]


def save(folder, name="m", *, force=False, package=True, options=None, **values):
    archive = Archive(**options or {})
    archive.insert(**values)
    return archive.save(folder, name, force=force, package=package)


def files(folder):
    return sorted(
        str(path.relative_to(folder))
        for path in Path(folder).rglob("*")
        if path.is_file() and "__pycache__" not in str(path)
    )


def fresh(folder, code, *flags, **env):
    """Run code in a fresh interpreter that finds the folder and neither holdall nor its dependencies."""
    command = [sys.executable, *flags, "-c", f"import sys; sys.path[:0] = [{str(folder)!r}]\n{code}"]
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **env}, timeout=200
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


# ------------------------------------------------------------------ a saved module


@pytest.mark.parametrize("scoped", [True, False])
@pytest.mark.parametrize("package", [True, False])
def test_a_saved_module_holds_its_values_and_nothing_else(tmp_path, load, scoped, package):
    shared = [1]
    save(
        tmp_path,
        package=package,
        options={"scoped": scoped},
        a=things.Plain(x=shared),
        b=shared,
        c={1, "x"},
        d=10**5000,
    )
    module = load("m")
    assert module.a.x is module.b
    assert sorted(name for name in vars(module) if not name.startswith("__")) == ["a", "b", "c", "d"]
    namespace = {}
    exec("from m import *", namespace)
    assert set(namespace) == {"a", "b", "c", "d", "__builtins__"}


def test_star_import_binds_lazy_arrays(tmp_path, load):
    np = pytest.importorskip("numpy")
    save(tmp_path, x=np.arange(2000), small=np.arange(3), other=1)
    namespace = {}
    exec("from m import *", namespace)
    assert set(namespace) == {"x", "small", "other", "__builtins__"}
    assert np.array_equal(namespace["x"], np.arange(2000))


def test_arrays_are_loaded_when_they_are_asked_for(tmp_path, load):
    np = pytest.importorskip("numpy")
    x, y = np.arange(2000), np.ones(2000)
    save(tmp_path, x=x, pair=[x, y], lone=y, plain={"k": 1})
    module = load("m")
    folder = tmp_path / "m" / "_arrays"
    (folder / "array_1.npy").rename(tmp_path / "hidden.npy")
    assert module.plain == {"k": 1}
    assert np.array_equal(module.x, x)
    assert module.x is module.x
    with pytest.raises(FileNotFoundError, match=r"array_1\.npy"):
        module.pair
    (tmp_path / "hidden.npy").rename(folder / "array_1.npy")
    assert module.pair[0] is module.x
    assert module.pair[1] is module.lone
    with pytest.raises(AttributeError, match="module 'm' has no attribute 'nonsense'"):
        module.nonsense


def test_tools_that_look_around_load_nothing(tmp_path, load):
    np = pytest.importorskip("numpy")
    save(tmp_path, x=np.arange(2000))
    shutil.rmtree(tmp_path / "m" / "_arrays")
    module = load("m")
    assert "x" in dir(module)
    for name in ("__anything__", "__wrapped__", "__test__", "__path__x", "_ipython_display_"):
        assert not hasattr(module, name)
    doctest.DocTestFinder().find(module)
    inspect.unwrap(module)
    inspect.getmodule(module)
    inspect.getmembers(things)
    for other in list(sys.modules.values()):
        getattr(other, "__file__", None)
    assert "x" not in vars(module)


def test_threads_share_what_one_of_them_loaded(tmp_path, load):
    np = pytest.importorskip("numpy")
    save(tmp_path, x=np.arange(2000), y=[np.ones(2000)])
    module = load("m")
    found = []
    barrier = threading.Barrier(8)

    def look():
        barrier.wait()
        found.append((module.y, module.x))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(id(y), id(x)) for y, x in found}) == 1


@pytest.mark.parametrize("data_format", ["npy", "hdf5"])
def test_mapped_arrays_can_be_changed_in_memory_alone(tmp_path, load, data_format):
    np = pytest.importorskip("numpy")
    save(
        tmp_path,
        options={"mmap": True, "data_format": data_format},
        x=np.arange(2000),
        empty=[np.ones((0, 5))] * 2,
    )
    module = load("m")
    base = module.x
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert type(module.x) is np.ndarray
    module.x[0] = 7
    if data_format == "npy":
        assert np.load(tmp_path / "m" / "_arrays" / "array_0.npy")[0] == 0
    assert fresh(tmp_path, "import m; print(m.x[0])").strip() == "0"


def test_npz_files_cannot_be_mapped(tmp_path):
    archive = Archive(mmap=True, data_format="npz")
    archive.insert(x=1)
    with pytest.raises(InvalidArgumentError, match="cannot be mapped"):
        archive.save(tmp_path, "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("data_format", ["npy", "npz", "hdf5"])
def test_arrays_without_axes_stay_arrays(tmp_path, load, data_format, mmap):
    np = pytest.importorskip("numpy")
    pytest.importorskip("h5py")
    if mmap and data_format == "npz":
        pytest.skip("npz files cannot be mapped")
    archive = Archive(array_threshold=0, data_format=data_format, mmap=mmap)
    archive.insert(x=np.array(5.5), masked=np.ma.array([1.0, 2.0], mask=[False, True], fill_value=7))
    path = archive.save(tmp_path, "saved_axes")
    module = load("saved_axes")
    read = load_safely(path)
    for x, masked in [(module.x, module.masked), (read["x"], read["masked"])]:
        assert (type(x), x.shape, x.dtype, x[()]) == (np.ndarray, (), np.dtype(float), 5.5)
        x[...] = 6.5
        assert (masked.fill_value, masked.mask.tolist(), masked[0]) == (7, [False, True], 1.0)
    values = {}
    text = str(archive)
    loader, _ = archive.save_data(tmp_path / "arrays")
    exec(loader + text, values)
    assert (type(values["x"]), values["x"].shape) == (np.ndarray, ())


def test_hdf5_files_can_be_read_by_older_libraries(tmp_path):
    np = pytest.importorskip("numpy")
    h5py = pytest.importorskip("h5py")
    save(tmp_path, options={"data_format": "hdf5"}, x=np.arange(2000))
    path = tmp_path / "m" / "_arrays.hd5"
    assert path.read_bytes()[8] <= 2
    with h5py.File(path) as file:
        assert list(file) == ["array_0"]


def test_single_items_take_the_place_of_the_module(tmp_path, load):
    archive = Archive(single_item_mode=True)
    with pytest.raises(InvalidArgumentError, match="empty"):
        archive.save(tmp_path)
    archive.insert(item={"a": [1]})
    archive.save(tmp_path)
    assert load("item") == {"a": [1]}
    again = fresh(tmp_path, "import item\nimport item as other\nprint(item, item is other)")
    assert again.strip() == "{'a': [1]} True"
    nothing = Archive(single_item_mode=True)
    nothing.insert(x=None)
    with pytest.raises(InvalidArgumentError, match="None cannot take the place"):
        nothing.save(tmp_path)


def test_names_of_values_and_modules(tmp_path, load):
    archive = Archive()
    archive.insert(
        sys=1,
        globals={"a"},
        object=[2],
        type=things.Slots(3),
        numpy=4,
        dict={1: 2.0},
        tuple=things.Plain(a=1),
    )
    archive.save(tmp_path, "m", package=False)
    module = load("m")
    assert (module.sys, module.globals, module.object, module.type) == (1, {"a"}, [2], things.Slots(3))
    assert importlib.reload(module).tuple == things.Plain(a=1)
    assert module.sys == 1
    for name in ("random", "json"):
        with pytest.raises(InvalidArgumentError, match="standard library"):
            archive.save(tmp_path, name)
    archive.save(tmp_path, "random", force=True)
    for name in ("a-b", "class", "1x", "", "a.b", "__debug__"):
        with pytest.raises(InvalidArgumentError):
            archive.save(tmp_path, name)
    with pytest.raises(ValueError, match="Must provide name unless single_item_mode=True"):
        archive.save(tmp_path)


# ------------------------------------------------------------------ reloading, and byte code


def test_reload_forgets_what_is_gone_and_loads_arrays_anew(tmp_path, load):
    np = pytest.importorskip("numpy")
    save(tmp_path, old=1, x=np.arange(2000), kept=2)
    module = load("m")
    assert module.x[5] == 5
    save(tmp_path, force=True, x=np.zeros(2000), kept=3)
    importlib.reload(module)
    assert not hasattr(module, "old")
    assert module.kept == 3
    assert module.x[5] == 0
    archive = Archive()
    archive.insert(kept=4)
    archive.save(tmp_path, "m", force=True, clear_on_reload=False)
    importlib.reload(module)
    assert module.kept == 4
    assert module.x[5] == 0


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("package", [False, True])
def test_byte_code_is_never_stale(tmp_path, prefix, package):
    """Many versions in one second, of one size, each compiled: the next import sees the last."""
    code = f"""
import importlib, sys
from holdall import Archive
sys.path.append({str(tmp_path)!r})
stale = 0
for number in range(1000, 1020):
    archive = Archive()
    archive.insert(value=number)
    archive.save({str(tmp_path)!r}, "m", package={package}, force=True)
    sys.modules.pop("m", None)
    import m
    stale += m.value != number
print(stale)
"""
    env = {"PYTHONPYCACHEPREFIX": str(tmp_path / "cache")} if prefix else {}
    env["PYTHONDONTWRITEBYTECODE"] = ""
    assert fresh(tmp_path, code, **env).strip() == "0"
    compiled = list(Path(tmp_path).rglob("*.pyc"))
    assert any(str(path.name).startswith(("m.", "__init__.")) for path in compiled)


def test_byte_code_of_a_module_that_was_deleted_is_not_used(tmp_path):
    code = f"""
import os, sys
from holdall import Archive
sys.path.append({str(tmp_path)!r})
for number in range(1000, 1020):
    archive = Archive()
    archive.insert(value=number)
    path = archive.save({str(tmp_path)!r}, "m", package=False)
    sys.modules.pop("m", None)
    import m
    assert m.value == number
    os.unlink(path)
"""
    fresh(tmp_path, code, PYTHONDONTWRITEBYTECODE="")


def test_times_never_go_back(tmp_path):
    path = Path(save(tmp_path, x=1))
    os.utime(path, (4_000_000_000, 4_000_000_000))
    save(tmp_path, force=True, x=2)
    assert path.stat().st_mtime > 4_000_000_000


def test_a_new_module_is_found_at_once(tmp_path, load):
    with pytest.raises(ImportError):
        load("m")
    before = os.stat(tmp_path)
    save(tmp_path, x=1)
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load("m").x == 1


def test_without_byte_code_and_in_a_read_only_folder(tmp_path):
    save(tmp_path, package=False, x={str(i): i for i in range(3000)})
    for env in ({"PYTHONDONTWRITEBYTECODE": "1"}, {}):
        tmp_path.chmod(0o500)
        try:
            run = fresh(tmp_path, "import m; print(len(m.x))", "-W", "error", **env)
        finally:
            tmp_path.chmod(0o700)
        assert run.strip() == "3000"


# ------------------------------------------------------------------ tools and people


def test_formatters_leave_the_text_alone(tmp_path):
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    path = Path(
        save(
            tmp_path, a=list(range(200)), b={1: 2}, c=things.Plain(x="y"), d={str(i): i for i in range(3000)}
        )
    )
    before = path.read_bytes()
    subprocess.run([ruff, "format", "-q", "--isolated", path], check=True)
    subprocess.run([ruff, "check", "-q", "--isolated", "--select", "ALL", "--fix", path], check=False)
    assert path.read_bytes() == before


TEXTS = [
    "a\0b",
    "\r",
    "\r\n",
    "\u2028",
    "\ufeff",
    "\ud800",
    "\u202e",
    "blanks  ",
    "'''",
    "\\",
    "# coding: utf-16",
    "x" * 5000,
]


def test_line_endings_blanks_and_the_last_newline_do_not_matter(tmp_path, load):
    values = {
        "few": TEXTS,
        "many": [f"{text}{i}" for i in range(300) for text in TEXTS[:-1]],
        "long": "\r\n\\ '''x " * 900,
        "data": bytes(range(256)) * 9,
        "table": [(i, text) for i in range(400) for text in TEXTS[:-1]],
    }
    path = Path(save(tmp_path, package=False, **values))
    text = re.sub(rb"[ \t]+$", b"", path.read_bytes(), flags=re.MULTILINE).rstrip(b"\n")
    path.write_bytes(text.replace(b"\n", b"\r\n"))
    module = load("m")
    for name, value in values.items():
        assert getattr(module, name) == value


@pytest.mark.parametrize("size", [10, 500, 5_000])
def test_one_changed_value_is_a_small_difference(size):
    def text(changed):
        records = [{"name": f"n{i}", "value": i, "list": [i, i + 1]} for i in range(size)]
        records[size // 2]["value"] = changed
        numbers = list(range(size))
        numbers[size // 3] = changed
        archive = Archive()
        archive.insert(
            records=records, numbers=numbers, pairs=[(i, i * 2) for i in range(size)], set=set(range(size))
        )
        return str(archive).split("\n")

    before, after = text(-1), text(-2)
    assert len(before) == len(after)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 2


def test_a_person_can_edit_the_text(tmp_path, load):
    path = Path(
        save(tmp_path, package=False, settings={"rate": 0.5, "names": ["a", "b"]}, numbers=list(range(5000)))
    )
    text = path.read_text()
    path.write_text(text.replace("'rate': 0.5", "'rate': 0.75").replace("\n17,\n", "\n17,\n17.5,\n"))
    module = load("m")
    assert module.settings["rate"] == 0.75
    assert module.numbers[17:20] == [17, 17.5, 18]


def test_the_text_tells_what_it_was_saved_with(tmp_path, monkeypatch):
    """A failing load names the versions then and now."""
    package = tmp_path / "library"
    package.mkdir()
    (package / "gone.py").write_text("class Thing:\n    pass\n")
    info = package / "gone-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gone\nVersion: 1.5\n")
    monkeypatch.syspath_prepend(str(package))
    gone = importlib.import_module("gone")
    for scoped in (True, False):
        save(tmp_path, f"m{scoped}", options={"scoped": scoped}, x=[gone.Thing()])
    del sys.modules["gone"]
    (package / "gone.py").write_text("")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gone\nVersion: 2.0\n")
    for scoped in (True, False):
        code = f"try: import m{scoped}\nexcept ImportError as e: print(e, repr(e.__cause__))"
        told = fresh(tmp_path, f"sys.path.append({str(package)!r})\n{code}")
        assert "saved with gone 1.5, running gone 2.0" in told
        assert "saved with Python 3." in told
        assert "cannot import name 'Thing'" in told


# ------------------------------------------------------------------ replacing


def test_what_is_there_is_replaced_by_permission_only(tmp_path):
    np = pytest.importorskip("numpy")
    save(tmp_path, x=np.arange(2000))
    (tmp_path / "file").write_text("")
    before = files(tmp_path)
    path = re.escape(str(tmp_path / "m" / "__init__.py"))
    with pytest.raises(ValueError, match=f"File {path} exists and force=False."):
        save(tmp_path, x=1)
    with pytest.raises(ValueError, match=r"File dirname=.*file exists and is not a directory."):
        save(tmp_path / "file", x=1)
    with pytest.raises(ValueError, match=r"File dirname/name=.*file exists and is not a directory."):
        save(tmp_path, "file", x=1)
    assert files(tmp_path) == before
    os.unlink(tmp_path / "m" / "__init__.py")
    arrays = re.escape(str(tmp_path / "m" / "_arrays"))
    with pytest.raises(ValueError, match=f"File {arrays} exists and force=False."):
        save(tmp_path, x=1)


def test_another_package_with_the_name_of_the_arrays_stays(tmp_path):
    np = pytest.importorskip("numpy")
    mine = {"name": "mine", "package": False, "options": {"array_threshold": 2}, "x": np.arange(5)}
    for name in ("mine_arrays", "mine_arrays_1"):
        save(tmp_path, name, kept=[1])
    with pytest.raises(InvalidArgumentError, match="mine_arrays exists and force=False"):
        save(tmp_path, **mine)
    for _ in range(3):
        save(tmp_path, force=True, **mine)
    save(tmp_path, "mine_arrays_4", kept=[1])  # into the folder of the arrays
    for _ in range(3):
        save(tmp_path, force=True, **mine)
    code = "import mine, mine_arrays, mine_arrays_1, mine_arrays_4 as last\n"
    code += "print(mine.x.sum(), mine_arrays.kept, mine_arrays_1.kept, last.kept)"
    assert fresh(tmp_path, code) == "10 [1] [1] [1]\n"


def test_backups(tmp_path):
    np = pytest.importorskip("numpy")
    for number in range(3):
        save(tmp_path, force=True, options={"backup_data": True}, x=np.arange(2000) + number)
    kept = files(tmp_path)
    assert "m/__init__.py.bak" in kept
    assert "m/__init__.py_1.bak" in kept
    assert any(name.endswith("array_0.npy.bak") for name in kept)
    (tmp_path / "n").write_text("a file")
    save(tmp_path, "n", force=True, x=1)
    assert (tmp_path / "n.bak").read_text() == "a file"


def test_readers_keep_the_arrays_that_they_mapped(tmp_path, load):
    np = pytest.importorskip("numpy")
    save(tmp_path, options={"mmap": True}, x=np.arange(20_000), y=np.ones(2000))
    module = load("m")
    mapped = module.x
    save(tmp_path, force=True, options={"mmap": True}, x=np.zeros(20_000), y=np.zeros(2000))
    assert module.y[0] == 1  # not looked at before, but the archive before the last is still there
    for number in range(100):
        save(tmp_path, force=True, options={"mmap": True}, x=np.full(20_000, number))
    assert np.array_equal(mapped, np.arange(20_000))
    assert len(list((tmp_path / "m").glob("_arrays*"))) == 2
    importlib.reload(module)
    again = module.x
    save(tmp_path, force=True, options={"mmap": True}, x=again)
    assert importlib.reload(module).x[7] == 99


def test_nothing_is_written_if_something_cannot_be_archived(tmp_path):
    np = pytest.importorskip("numpy")
    save(tmp_path, x=np.arange(2000))
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    with pytest.raises(SerializationError, match=r"cannot archive x\[1\]"):
        save(tmp_path, force=True, x=[np.arange(2000), lambda: 1])
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


@pytest.mark.skipif(
    os.getuid() == 0 and not os.path.exists("/proc/self"), reason="needs a system that refuses"
)
def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(StoreUnavailableError, match="the archive cannot be written"):
        save("/proc/self/nowhere", x=1)
    with pytest.raises(OSError, match="cannot be written"):
        save("/dev/null/x", x=1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path, monkeypatch, load):
    import errno

    from holdall.archive import publish

    save(tmp_path, x=1)

    def full(path, data, time=None):
        with open("/dev/full", "wb") as file:
            file.write(data)

    monkeypatch.setattr(publish, "replace_file", full)
    with pytest.raises(StoreFullError) as told:
        save(tmp_path, force=True, x=2)
    assert told.value.errno == errno.ENOSPC
    with pytest.raises(StoreFullError):
        save(tmp_path, "n", x=2)
    assert load("m").x == 1
    assert files(tmp_path) == ["m/__init__.py"]


def test_names_as_long_as_those_of_files_may_be(tmp_path):
    name = "\u4e2d" * 84  # 252 bytes, and ".py"
    save(tmp_path, name, package=False, x=1)
    save(tmp_path, name, package=False, force=True, x=2)
    save(tmp_path, name, x=3)
    setattr(DataSet("data", "w", path=tmp_path), name, 4)
    assert getattr(DataSet("data", path=tmp_path), name) == 4
    assert len(files(tmp_path)) == 7


def test_readers_see_the_old_archive_or_the_new_one(tmp_path):
    """Four writers replace a package while readers import it in fresh namespaces."""
    np = pytest.importorskip("numpy")
    save(tmp_path, number=0, x=np.full(2000, 0), text="0" * 3000)
    code = f"""
import sys
from holdall import Archive
import numpy as np
for number in range(25):
    archive = Archive()
    archive.insert(number=number, x=np.full(2000, number), text=str(number % 10) * 3000)
    archive.save({str(tmp_path)!r}, "m", force=True)
"""
    writers = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    path = tmp_path / "m" / "__init__.py"
    opened = 0
    while any(writer.poll() is None for writer in writers):
        values = {"__name__": "m", "__file__": str(path)}
        exec(compile(path.read_bytes(), str(path), "exec"), values)
        assert values["text"] == str(values["number"] % 10) * 3000
        opened += 1
    for writer in writers:
        assert writer.wait() == 0, writer.stderr.read()
        writer.stderr.close()
    assert opened > 10
    assert not [name for name in files(tmp_path) if ".holdall-" in name]


def test_a_killed_writer_leaves_the_archive_and_no_lock(tmp_path, load):
    np = pytest.importorskip("numpy")
    save(tmp_path, x=np.arange(2000))
    code = f"""
import os, signal
from holdall.archive import publish
import holdall, numpy as np
def kill(*a, **k):
    os.kill(os.getpid(), signal.SIGKILL)
publish.replace_file = kill
archive = holdall.Archive()
archive.insert(x=np.zeros(2000))
archive.save({str(tmp_path)!r}, NAME, force=True)
"""
    for name in ("m", "n"):
        run = subprocess.run([sys.executable, "-c", code.replace("NAME", repr(name))], check=False)
        assert run.returncode == -9
    assert not (tmp_path / "n").exists()
    assert load("m").x[5] == 5
    save(tmp_path, force=True, x=np.ones(2000))
    save(tmp_path, "n", x=np.ones(2000))
    save(tmp_path, force=True, x=np.ones(2000))
    assert not [name for name in os.listdir(tmp_path) if ".holdall-" in name]
    assert len(list((tmp_path / "m").glob("_arrays*"))) == 2


def test_a_deep_value_is_imported_far_down_the_stack(tmp_path):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    save(tmp_path, package=False, deep=deep)
    while deep:
        deep = deep.pop()
    code = (
        "def far(n):\n    if n:\n        return far(n - 1)\n    import m\n    return m.deep\n"
        "deep, depth = far(940), 0\nwhile deep:\n    (deep,), depth = deep, depth + 1\nprint(depth)"
    )
    assert fresh(tmp_path, code).strip() == "100000"
