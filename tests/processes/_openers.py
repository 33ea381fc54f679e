"""Workers that open one place at once, as another user, or hold a lock on it."""

import os
import tempfile
import threading
import time

from holdall import HoldallError
from processes._support import open_store

NOBODY = 65534


def open_and_write(number, path, rounds, begin):
    """Open places that are not there yet, each at the moment when all others do, and write to them."""
    for turn in range(rounds):
        time.sleep(max(0, begin + turn * 0.2 - time.monotonic()))
        with open_store(os.path.join(os.path.dirname(path), f"{turn}-{os.path.basename(path)}")) as store:
            store[f"{number}"] = turn
            store.update({f"{number}/{n}": turn for n in range(3)})
            assert store[f"{number}"] == turn


def open_in_threads(_number, path, threads, rounds):
    """Open a place that is not there yet in many threads at once, each its own handle; give the errors."""
    failures = []
    for turn in range(rounds):
        gate = threading.Barrier(threads)

        def work(number, gate=gate, turn=turn):
            try:
                gate.wait(30)
                store = open_store(f"{path}{turn}.db")
                store[number] = turn
                store.update({(number, n): turn for n in range(3)})
                assert store[number] == turn
            except BaseException as error:
                failures.append(repr(error))

        running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join(60)
    return failures


def write_and_die(_number, path, items):
    """Write items and end without closing, so that they lie in the log."""
    store = open_store(path, serializer="json")
    store.update(items)


def private_folder():
    """Make a folder that others can look into."""
    folder = tempfile.mkdtemp(prefix="holdall-test-")
    os.chmod(folder, 0o755)  # pytest's own are closed to others
    return folder


def read_as_nobody(number, path, read_only):
    """Read everything as a user who can write nothing there; give it, and what a write says."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return read_here(number, path, read_only)


def read_here(_number, path, read_only=True):
    """Read everything; give it, and what two writes say, or what opening said."""
    try:
        with open_store(path, read_only=read_only) as store:
            said = [dict(store.items())]
            for write in (lambda: store.update({"new": 1}), lambda: store.pop("a")):
                try:
                    write()
                except (HoldallError, OSError) as error:
                    said.append(type(error).__name__)
                else:
                    said.append("written")
    except HoldallError as error:
        return type(error).__name__, str(error)
    return tuple(said)
