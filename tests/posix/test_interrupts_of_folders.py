"""Ctrl-C amid a write or listing of a folder: no lock, descriptor or unfinished file stays, no half value."""

import gc
import itertools
import os
import sys
from collections import Counter

import pytest
from tests.posix._interrupts import Interrupter
from tests.posix.test_interrupts import descriptors, is_free

from exploring import in_soak
from holdall import FileDirStore


def opened_again(verb):
    """Return a verb that also opens the folder, with its workspace."""

    def close_first(store):
        store.close()
        verb(store)

    return close_first


VERBS = {
    "set": lambda store: store.__setitem__("k", "new"),
    "nested set": lambda store: store.__setitem__("a/k", "new"),
    "get": lambda store: store["k"],
    "nested get": lambda store: store["a/k"],
    "stream": lambda store: store.pipeline.persister.fetch("k.json", 1).close(),
    "delete": lambda store: store.__delitem__("a/k"),
    "list": list,
}
VERBS |= {f"open and {verb}": opened_again(VERBS[verb]) for verb in ("set", "get", "list")}

# At each of so many points at which Python looks for signals.
WHAT = [
    ("set", 3),
    ("nested set", 5),
    ("get", 1),
    ("nested get", 1),
    ("stream", 1),
    ("delete", 5),
    ("list", 9),
    ("open and set", 5),
    ("open and get", 5),
    *in_soak(*((verb, 1) for verb in VERBS)),
]


def places():
    """Return what is open, and how often; a folder that was opened again has another workspace."""
    return Counter("workspace" if "/w-" in path else path for path in descriptors().values())


@pytest.fixture(autouse=True)
def small_heap():
    """Let a collection look at what the test makes only: hundreds of whole ones took a minute."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "what",
    WHAT,
    ids=str,
)
def test_an_interrupt_leaves_nothing_behind(tmp_path, what):
    verb, stride = what
    store = FileDirStore(tmp_path / "store", serializer="json", timeout=0)
    for number in itertools.count(0, stride):
        store.update({"k": "old", "a/k": "old"})
        gc.collect()
        before = places()
        error = Interrupter(number).run(lambda: VERBS[verb](store))
        # The error is kept: with it live the frames that it came through, as in an interactive session.
        assert is_free(tmp_path / "store"), number
        for key in ("k", "a/k"):
            assert store.get(key, "gone") in {"old", "new", "gone" if verb == "delete" else "old"}
        store["k"] = "later"
        assert FileDirStore(tmp_path / "store")["k"] == "later", number
        ended = error is None
        del error
        gc.collect()
        assert places() == before, number
        control = tmp_path / "store/.holdall"
        assert not [name for each in control.glob("w-*") for name in os.listdir(each)], number
        if ended:
            break
    assert number > 2 or sys.version_info >= (3, 13)  # where traces show fewer of the points
