"""Locks of files: who waits and how long, who is told to have one, and what is locked without `flock`."""

import os
import signal
import subprocess
import sys
import time

import pytest

from holdall._posix import lock as module
from holdall._posix.lock import Lock, Patience, check_timeout, holder_of, try_flock
from holdall.errors import InvalidArgumentError, StoreTimeoutError, StoreUnavailableError

HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    return str(tmp_path / "file")


@pytest.fixture
def fd(path):
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def lock_of(fd, path, timeout=0.0):
    return Lock(fd, path, lambda: path + "-lock", timeout)


def test_who_does_not_get_a_lock_is_told_who_has_it(fd, path, holder):
    with pytest.raises(StoreTimeoutError, match=rf"process {holder.pid} kept it locked") as caught:
        lock_of(fd, path).acquire()
    assert caught.value.filename == path
    assert isinstance(caught.value, TimeoutError | StoreUnavailableError)


def test_a_stopped_holder_is_told(fd, path, holder):
    os.kill(holder.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        with pytest.raises(StoreTimeoutError, match=f"kill -CONT {holder.pid}"):
            lock_of(fd, path, 0.01).acquire()
    finally:
        os.kill(holder.pid, signal.SIGCONT)


def test_a_lock_that_is_released_in_time_is_got(fd, path, holder, monkeypatch):
    def give_up(seconds, sleep=time.sleep):
        if holder.poll() is None:
            holder.kill()
            holder.wait()
        sleep(seconds)

    monkeypatch.setattr(module.time, "sleep", give_up)
    lock = lock_of(fd, path, 60)
    lock.acquire()
    assert holder_of(fd) == os.getpid()
    lock.release()
    assert holder_of(fd) is None


def test_another_handle_of_this_process_is_told_as_such(fd, path):
    other = os.open(path, os.O_RDONLY)
    try:
        assert try_flock(other)
        assert not try_flock(fd)
        with pytest.raises(StoreTimeoutError, match="this process"):
            lock_of(fd, path).acquire()
    finally:
        os.close(other)


def test_releasing_what_is_not_locked_does_no_harm(fd, path):
    lock = lock_of(fd, path)
    lock.release()
    lock.acquire()
    lock.release()
    lock.release()


@pytest.mark.parametrize("kind", ["none", "refused"])
def test_without_flock_a_file_beside_is_locked(fd, path, monkeypatch, kind):
    def refuse(*_):
        raise OSError(9, "no lock for this")

    lock = lock_of(fd, path)
    if kind == "none":
        with monkeypatch.context() as patch:
            patch.setattr(module, "fcntl", None)
            lock = lock_of(fd, path)
            lock.acquire()
    else:
        lock.take = refuse
        lock.acquire()
    other = os.open(path + "-lock", os.O_RDWR)
    try:
        assert not try_flock(other)
        another = lock_of(fd, path)
        another.take = refuse
        with pytest.raises(StoreTimeoutError, match="others kept it locked"):
            another.acquire()
        with pytest.raises(StoreTimeoutError):
            another.acquire()
        lock.release()
        assert try_flock(other)
    finally:
        os.close(other)
    another.acquire()
    another.release()
    lock.acquire()
    lock.release()


def test_an_error_that_says_nothing_of_locks_is_not_hidden(fd, path):
    lock = lock_of(fd, path)

    def fail():
        raise OSError(5, "broken")

    lock.take = fail
    with pytest.raises(OSError, match="broken"):
        lock.acquire()


def test_patience_ends(fd, path):
    patience = Patience(0)
    with pytest.raises(StoreTimeoutError, match="others kept it locked for over 0 s"):
        patience.pause(fd, path)
    assert patience.left == 0


@pytest.mark.parametrize("timeout", [-1, 1e7, "1", None, True, float("nan")])
def test_a_timeout_is_a_number_of_seconds(timeout):
    with pytest.raises(InvalidArgumentError, match="timeout"):
        check_timeout(timeout)
