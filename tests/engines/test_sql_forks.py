"""Files of SQLite in a process that is forked while one of its threads writes to them."""

import subprocess
import sys

import pytest

from exploring import rows_in_soak

pytest.importorskip("sqlalchemy")

# What is registered last is called first: so the thread is amid its transaction when the fork is requested,
# and ends it, or not, while the fork waits.
PROGRAM = """
import os, signal, sys, threading
import holdall, sqlalchemy
from holdall._sqlite import connections

url, kind, how = sys.argv[1:]
store = holdall.SQLStore(url, table="items")
store["a"] = 0
target = sqlalchemy.create_engine(url) if kind == "rows of an engine" else url
rows = holdall.SQLRows(target, "items", value_columns=["mtime"])

begun, go = threading.Event(), threading.Event()

def write():
    if kind == "store":
        with store.transaction():
            store["a"] = 1
            begun.set()
            go.wait()
    else:
        with rows.pipeline.persister.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE items SET mtime = 1.0")
            begun.set()
            go.wait()

thread = threading.Thread(target=write)
thread.start()
begun.wait()
if how == "ends":
    os.register_at_fork(before=go.set)
else:
    connections._FORK_PATIENCE = 0.2
pid = os.fork()
if not pid:
    signal.alarm(50)
    try:
        store["b"] = 2
        assert len(rows) == 2
    except holdall.StoreUnavailableError as error:
        os._exit(7 if "forked in the middle of a write" in str(error) else 1)
    except BaseException as error:
        os._exit(1)
    os._exit(0)
status = os.waitpid(pid, 0)[1]
go.set()
thread.join()
store["c"] = 3
print(os.waitstatus_to_exitcode(status), sorted(store), len(rows))
"""

ENDS = "ends", "0 ['a', 'b', 'c'] 3"
GOES_ON = "goes on", "7 ['a', 'c'] 2"


@pytest.mark.parametrize(
    ("kind", "how", "told"),
    [
        ("store", *ENDS),
        ("store", *GOES_ON),
        *rows_in_soak(("rows", *ENDS)),
        ("rows", *GOES_ON),
        ("rows of an engine", *ENDS),
        *rows_in_soak(("rows of an engine", *GOES_ON)),
    ],
)
def test_a_child_that_is_forked_while_a_thread_writes(tmp_path, kind, how, told):
    url = f"sqlite:///{tmp_path}/x.db?timeout=30"
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, url, kind, how],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (run.stdout.strip(), run.stderr) == (told, "")
