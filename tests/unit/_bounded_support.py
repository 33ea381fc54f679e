"""What the tests of bounded share."""

import os

from exploring import in_soak
from holdall import FileDirStore, MemoryStore, SQLiteStore

KINDS = {
    "memory": lambda path: MemoryStore(serializer="bytes"),
    "folder": lambda path: FileDirStore(path / "folder", serializer="bytes"),
    "table": lambda path: SQLiteStore(path / "store.db", serializer="bytes"),
    "files": lambda path: SQLiteStore(path / "store.db", serializer="bytes", files_from=2000),
}


# What lies in files beside a table is in the same ledger.
SOME_ON_DISK = ["folder", "table", *in_soak("files")]
SOME_KINDS = ["memory", *SOME_ON_DISK]


def die(cache, step, write=None):
    """Let a process die in the middle of a write, before a step of the ledger."""
    pid = os.fork()
    if pid == 0:
        try:
            setattr(cache.pipeline.persister.ledger, step, lambda *_: os._exit(0))
            (write or (lambda: cache.__setitem__("last", bytes(3000))))()
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
