"""Helpers of the tests that need processes of their own: crews, mounts, what lies in a folder.

A crew is a fresh interpreter that imports the library once and forks its workers: starting one costs
milliseconds, and the threads of the test runner are never forked.
"""

import errno
import importlib
import os
import pickle
import select
import signal
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager

from holdall import FileDirStore, ScriptStore, SQLiteStore, ZipStore

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = os.path.realpath(sys.executable)


def child_environment():
    """Give the environment in which a child finds the library and these helpers."""
    import holdall

    source = os.path.dirname(os.path.dirname(os.path.abspath(holdall.__file__)))
    paths = [TESTS, source, *(path for path in sys.path if path.endswith("site-packages"))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def child(*command, **options):
    """Run a process in a group of its own, of which nothing is left afterwards."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
        start_new_session=True,
        **options,
    )
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass


def crew(target, *args, n=1, timeout=200, **options):
    """Run a function in n processes at once and give what each returned.

    The function, of `processes._workers` or, as ``"_module.name"``, of another module here, is called
    with the number of the worker, the arguments and the options, all workers having waited for each other.
    """
    with child(PYTHON, "-m", "processes._support") as process:
        order = pickle.dumps((target, n, args, options, timeout))
        try:
            out, err = process.communicate(order, timeout=timeout + 5)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{target} did not end within {timeout} s") from None
    if process.returncode != 0:
        raise AssertionError(err.decode(errors="replace"))
    results = pickle.loads(out)
    failures = [text for worked, text in results if not worked]
    assert not failures, "\n".join(failures)
    return [result for _, result in results]


def fork(function, *args):
    """Fork a process that calls a function and sends its result; give its id and the end of its pipe."""
    end, start = os.pipe()
    pid = os.fork()
    if pid:
        os.close(start)
        return pid, end
    try:
        os.close(end)
        try:
            answer = (True, function(*args))
        except BaseException:
            answer = (False, traceback.format_exc())
        with open(start, "wb") as pipe:
            pickle.dump(answer, pipe)
    finally:
        os._exit(0)


def collect(workers, timeout):
    """Read the results of forked processes, and see them end."""
    answers = {end: b"" for _, end in workers}
    waiting = set(answers)
    deadline = time.monotonic() + timeout
    while waiting:
        ready, _, _ = select.select(list(waiting), [], [], max(0, deadline - time.monotonic()))
        if not ready:
            break
        for end in ready:
            piece = os.read(end, 1 << 20)
            answers[end] += piece
            if not piece:
                waiting.discard(end)
    results = []
    for pid, end in workers:
        os.close(end)
        if end in waiting:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if end in waiting:
            results.append((False, f"worker {pid} hangs"))
        else:
            results.append(pickle.loads(answers[end]) if answers[end] else (False, f"worker {pid} died"))
    return results


def _lead():
    """Be the interpreter of a crew: read the order, fork, send all results."""
    target, n, args, options, timeout = pickle.load(sys.stdin.buffer)
    module, _, name = target.rpartition(".")
    function = getattr(importlib.import_module(f"processes.{module or '_workers'}"), name)
    gate, opener = os.pipe()

    def work(number):
        os.close(opener)
        os.read(gate, 1)  # all start when the other end is closed
        return function(number, *args, **options)

    workers = [fork(work, number) for number in range(n)]
    os.close(opener)
    results = collect(workers, timeout)
    sys.stdout.buffer.write(pickle.dumps(results))


def open_store(path, **options):
    """Open a store of the kind that the path tells: a SQLite file, an archive, a script, or a folder.

    One called ``*.files.db`` keeps large values in files beside it.
    """
    if str(path).endswith(".files.db"):
        options["files_from"] = 1000
    if str(path).endswith(".py"):
        return ScriptStore(path, create=True, **options)
    if str(path).endswith(".zip"):
        return ZipStore(path, serializer="pickle", **options)
    return (SQLiteStore if str(path).endswith(".db") else FileDirStore)(path, **options)


def tree(path):
    """Give all that lies below a folder, with what would tell of a change."""
    found = {}
    for folder, folders, files in os.walk(os.fsencode(path)):
        for name in (b".", *folders, *files):
            where = os.path.join(folder, name)
            stat = os.lstat(where)
            found[where] = (stat.st_mode, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return found


def files_below(path):
    """Give the paths of all files below a folder, relative to it."""
    return {
        os.path.relpath(os.path.join(folder, name), path)
        for folder, _, files in os.walk(path)
        for name in files
    }


def leftovers(path):
    """Give what lies in the control folder of a store beside its record and empty workspaces."""
    control = os.path.join(path, ".holdall")
    return {name for name in files_below(control) if name != "store.json"}


def control(path):
    """Give the names in the control folder of a store."""
    return set(os.listdir(os.path.join(path, ".holdall")))


def run(*command):
    """Run a tool of the system; whether it worked, and what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError as error:
        return False, str(error)
    return done.returncode == 0, (done.stderr or done.stdout).strip()


def mount(*options, at):
    """Mount a file system for a test, or skip the test where that is not possible."""
    import pytest  # the processes that do the work need none of it

    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    os.makedirs(at, exist_ok=True)
    worked, said = run("mount", *options, str(at))
    if not worked:
        pytest.skip(f"mount {' '.join(options)} is not possible here: {said}")


def unmount(at):
    """Unmount what a test mounted, even if something still holds on to it."""
    worked, _ = run("umount", str(at))
    if not worked:
        run("umount", "-l", str(at))


def fill(folder):
    """Take all the room there is, and give the file that takes it."""
    path = os.path.join(folder, "ballast")

    def write(file, size):
        while True:
            file.write(bytes(size))

    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                write(file, size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return path


if __name__ == "__main__":
    _lead()
