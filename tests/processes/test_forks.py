"""A forked child goes on with the handle of its parent, and neither loses what the other wrote."""

import pytest

from exploring import in_soak
from processes._support import PYTHON, child, crew


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "store.db")


@pytest.mark.parametrize("first", ["parent closes first", "child closes first"])
@pytest.mark.parametrize("threads", [*in_soak("idle"), "busy"])
def test_parent_and_child_share_a_handle(path, threads, first):
    """SQLite's locks belong to processes: a child that believes in inherited ones loses its writes."""
    assert crew("_forks.share_handle", path, threads == "busy", first == "parent closes first") == [[]]


def test_children_write_on_while_the_parent_closes(path):
    assert crew("_forks.fork_often", path, 12) == [[]]


def test_a_large_value_that_is_being_read_keeps_no_writes_of_the_child_from_the_file(path):
    [(said, wrong)] = crew("_forks.fork_amid_reading", path)
    assert wrong == []
    assert "open it again" in said


@pytest.mark.parametrize("forks", [20, *in_soak(60)])
def test_a_fork_while_threads_open_and_close_handles(path, forks):
    assert crew("_forks.fork_amid_openings", path, forks) == [[]]


@pytest.mark.parametrize("forks", [20, *in_soak(60)])
def test_a_fork_while_threads_end(path, forks):
    assert crew("_forks.end_threads_while_forking", path, forks) == [[]]


def test_processes_of_multiprocessing_share_a_handle(path):
    assert crew("_forks.fork_by_multiprocessing", path) == [[]]


@pytest.mark.parametrize("by", [*in_soak("this thread"), "another thread"])
def test_a_fork_amid_a_write_is_told_to_the_child_and_harms_nothing(path, by):
    [(told, wrong)] = crew("_forks.fork_amid_a_write", path, by == "this thread")
    assert wrong == []
    assert len(told) == 5
    for said in told:
        assert "forked in the middle of a write" in said
        assert "spawn" in said
        assert path in said


ENDS_AMID_A_WRITE = """
import os, sys, threading
import holdall._sqlite.connections as forks
from holdall import SQLiteStore
forks._FORK_PATIENCE = 0.2
store = SQLiteStore(sys.argv[1])
amid, ended = threading.Event(), threading.Event()
def items():
    for number in range(25_000):
        yield number, b"x" * 800
        if number == 24_000:
            amid.set()
            ended.wait(30)
thread = threading.Thread(target=store.update, args=(items(),), daemon=True)
thread.start()
amid.wait(30)
pid = os.fork()
if pid:
    _, status = os.waitpid(pid, 0)
    ended.set()
    thread.join(30)
    assert status == 0, status
    assert len(store) == 25_000
    assert store.check() == []
"""


@pytest.mark.soak
def test_a_child_that_was_forked_amid_a_write_ends_without_harm(path):
    """The connection that it must not use is not closed either when it ends, as every object is then."""
    quiet = ("-W", "ignore::DeprecationWarning")  # of 3.12, for every fork of a process with threads
    with child(PYTHON, *quiet, "-c", ENDS_AMID_A_WRITE, path) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    assert said == b""
