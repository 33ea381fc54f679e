"""How many functions of Python an item passes on its way to a file: few enough to be read in a sitting."""

import subprocess
import sys

import pytest

from holdall import FileDirStore

READ, WRITE, DELETE, LOOK = 7, 10, 12, 4  # the standard library's included


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
