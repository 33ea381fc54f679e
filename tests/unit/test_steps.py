"""How many functions of Python an item passes on its way to a file: few enough to be read in a sitting."""

import runpy
import subprocess
import sys

import pytest

from holdall import FileDirStore, SQLiteStore

READ, WRITE, DELETE, LOOK, TRANSFORM, ADD = 7, 10, 12, 4, 24, 29  # the standard library's included


def steps(function):
    """Give the functions of Python that a call passes, in their order."""
    passed = []

    def note(frame, event, _):
        if event == "call":
            passed.append(frame.f_code.co_qualname)

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return passed[1:]


def test_a_value_passes_few_functions(tmp_path):
    store = FileDirStore(tmp_path, serializer="json")
    for _ in range(3):  # the first ones get ready, and look closely at what they replace
        store["a/b"] = [1, 2]
    assert store["a/b"] == [1, 2]
    reading = steps(lambda: store["a/b"])
    assert len(reading) <= READ, reading
    writing = steps(lambda: store.__setitem__("a/b", [3]))
    assert len(writing) <= WRITE, writing
    assert store["a/b"] == [3]


def test_a_deletion_and_a_look_pass_few_functions(tmp_path):
    store = FileDirStore(tmp_path, serializer="json")
    store["a"] = store["b"] = 1
    deleting = steps(lambda: store.__delitem__("a"))
    assert len(deleting) <= DELETE, deleting
    looking = steps(lambda: store.__contains__("a"))
    assert len(looking) <= LOOK, looking
    assert list(store) == ["b"]


def test_a_change_by_a_function_passes_few_functions(tmp_path):
    store = SQLiteStore(tmp_path / "store.db")
    store["a"] = 1
    store.transform_item("a", int)
    changing = steps(lambda: store.transform_item("a", int))
    assert len(changing) <= TRANSFORM, changing


def test_a_value_is_changed_in_few_functions(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from holdall import Value\ncount = Value(0)\n")
    count = runpy.run_path(str(script))["count"]
    count += 1
    adding = steps(lambda: count.__iadd__(1))
    assert len(adding) <= ADD, adding
    assert count.value == 2


# Slow to import, and not needed by the first value that is stored and read.
NOT_NEEDED = {"copy", "heapq", "numbers", "random", "shutil", "tempfile"}


@pytest.mark.parametrize(
    ("made", "modules"), [("FileDirStore('folder')", 150), ("SQLiteStore('file.db')", 160)]
)
def test_a_first_value_imports_few_modules(made, modules, tmp_path):
    program = (
        "import sys, holdall\n"
        f"store = holdall.{made}\n"
        "store['a'] = 1\n"
        "assert store['a'] == 1\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, cwd=tmp_path)
    loaded = set(done.stdout.decode().split())
    assert not NOT_NEEDED & loaded
    assert len(loaded) < modules, sorted(loaded)
