"""Ctrl-C amid a write: it comes out, and leaves the old or the new value, no lock and no descriptor."""

import gc
import itertools
import os
import sys

import pytest
from tests.posix._interrupts import Interrupter

from exploring import in_soak
from holdall import ScriptStore, ZipStore
from holdall._posix.lock import try_flock
from holdall.stores.document import DocumentStore

STORES = {
    "zip": lambda path: ZipStore(path / "a.zip", serializer="json", timeout=0),
    "document": lambda path: DocumentStore(path / "a.json", timeout=0),
    "script": lambda path: ScriptStore(path / "a.py", create=True, timeout=0),
}
WRITES = {
    "set": lambda store: store.__setitem__("k", "new"),
    "set again": lambda store: store.__setitem__("k", "new"),
    "update": lambda store: store.update({"k": "new"}),
    "delete": lambda store: store.__delitem__("k"),
}


def descriptors():
    return {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)}


def _is_open(fd):
    try:
        os.fstat(int(fd))
    except OSError:  # of the listing itself
        return False
    return True


def is_free(path):
    """Tell whether another process could lock the file, or the folder where there is none yet."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return try_flock(fd)
    finally:
        os.close(fd)


@pytest.fixture(autouse=True)
def small_heap():
    """Let a collection look at what the test makes only: hundreds of whole ones took a minute."""
    gc.freeze()
    yield
    gc.unfreeze()


# Of a file between being opened and being named; of finalizers of the standard library.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "what",
    [
        ("zip", "set", 7),
        ("script", "set", 1),
        *in_soak(
            ("document", "set", 3),
            *((kind, work, 1) for kind in STORES for work in WRITES if (kind, work) != ("script", "set")),
        ),
    ],
    ids=str,
)
def test_an_interrupt_leaves_no_lock_no_descriptor_and_no_half_value(tmp_path, what):
    kind, work, stride = what
    seen = set()
    for number in itertools.count(0, stride):
        folder = tmp_path / str(number)
        folder.mkdir()
        store = STORES[kind](folder)
        if work != "set":
            store["k"] = "old"
            store["k"]
        before = descriptors()
        error = Interrupter(number).run(lambda store=store: WRITES[work](store))
        # The error is kept: with it live the frames that it came through, as in an interactive session.
        assert all(map(is_free, [folder, *folder.glob("a.*")])), number
        seen.add(STORES[kind](folder).get("k"))
        assert seen <= {None, "old", "new"}
        leaked = {fd: path for fd, path in descriptors().items() if fd not in before}
        store["k"] = "later"
        assert STORES[kind](folder)["k"] == "later", number
        ended = error is None
        del error, store
        gc.collect()
        after = {fd: path for fd, path in descriptors().items() if fd not in before}
        assert not after, (number, leaked)
        assert (
            sorted(path.name for path in folder.iterdir() if path.suffix not in {".zip", ".json", ".py"})
            == []
        )
        if ended:
            break
    assert len(seen) == 2


def in_transaction(store):
    with store.transaction():
        store["k"] = "new"
        store["other"] = "new"


@pytest.mark.parametrize(
    "work",
    [lambda store: store["k"], WRITES["set"], WRITES["update"], in_transaction],
    ids=["get", "set", "update", "transaction"],
)
def test_an_interrupt_leaves_no_use_of_a_lmdb_database(tmp_path, work):
    store = pytest.importorskip("holdall.stores.lmdb").LmdbStore(tmp_path / "x")
    store["k"] = "old"
    slot = store.pipeline.persister._open()[0].slot()
    for number in itertools.count():
        error = Interrupter(number).run(lambda: work(store))
        ended = error is None
        del error
        gc.collect()
        # Who is counted here for ever has everybody else wait who needs more room, and this thread refused.
        assert (slot.uses, slot.writes) == (0, False), number
        store["later"] = number
        if ended:
            break
    assert number > 10 or sys.version_info >= (3, 12)  # where traces show fewer of the points
    store.close()
