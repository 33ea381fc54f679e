"""How many functions of Python an item passes on its way to a file: few enough to be read in a sitting."""

import sys

from holdall import FileDirStore

READ, WRITE = 7, 10  # the standard library's included


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
