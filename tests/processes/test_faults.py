"""Faults of the system at exact calls: each is reported, none loses what was stored or leaves litter."""

import errno
import re
import shutil
import signal
import subprocess
import threading

import pytest

from exploring import in_soak
from holdall import FileDirStore
from processes._support import PYTHON, child, control, files_below, leftovers

STRACE = shutil.which("strace")
pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")

CALLS = "openat,close,write,utimensat,fsync,fdatasync,flock,mkdirat,mkdir,unlinkat,unlink,rmdir,/^rename"


class Victim:
    """A process with an open store, which a tracer is attached to once it is ready."""

    def __init__(self, process, tmp_path, path):
        self.process = process
        self.path = path
        self.log = tmp_path / "trace.log"

    def attach(self, *faults):
        """Attach the tracer, with faults such as ``fsync:error=EIO:when=1``, counted from now on."""
        options = [f"--inject={fault}" for fault in faults]
        self.tracer = subprocess.Popen(
            [
                STRACE,
                "-f",
                "-y",
                "-o",
                self.log,
                f"--trace={CALLS}",
                *options,
                f"--attach={self.process.pid}",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        said = self.tracer.stderr.readline()
        if "attached" not in said:
            self.tracer.wait(10)
            pytest.skip(f"strace cannot attach here: {said.strip()}")

    def do(self, statement):
        """Let the victim do something with its store, and give its answer; "" if it died."""
        self.process.stdin.write(f"{statement}\n".encode())
        self.process.stdin.flush()
        return self.process.stderr.readline().decode().strip()

    def calls(self):
        """End the victim, and give the calls that were traced, as name, arguments and result."""
        self.process.stdin.close()
        self.process.wait(20)
        self.tracer.wait(20)
        parsed = [re.match(r"\d+ +(\w+)\((.*)\) += (.*)", line) for line in self.log.read_text().splitlines()]
        return [match.groups() for match in parsed if match]


@pytest.fixture
def victim(tmp_path):
    """Give a function that starts a victim with durability "power", or another."""
    started = []
    contexts = []

    def start(durability="power"):
        path = tmp_path / "store"
        context = child(PYTHON, "-m", "processes._victim", str(path), durability)
        process = context.__enter__()
        contexts.append(context)
        assert process.stdout.readline() == b"ready\n", process.stderr.read().decode()
        started.append(Victim(process, tmp_path, path))
        return started[-1]

    watchdog = threading.Timer(60, lambda: [victim.process.kill() for victim in started])
    watchdog.start()
    yield start
    watchdog.cancel()
    for context in contexts:
        context.__exit__(None, None, None)
    for one in started:
        if hasattr(one, "tracer"):
            one.tracer.kill()
            one.tracer.wait()
            one.tracer.stderr.close()


def synced_again_after_failure(calls):
    """Give the descriptors that were synced again after a sync of them had failed."""
    failed = set()
    again = []
    for name, arguments, result in calls:
        number = arguments.split("<")[0].split(",")[0]
        if name in {"fsync", "fdatasync"}:
            if number in failed:
                again.append(arguments)
            if result.startswith("-1"):
                failed.add(number)
        elif name == "close":
            failed.discard(number)
    return again


def test_the_parser_of_traces_detects_a_repeated_sync():
    failed = ("fsync", "5</a/b>", "-1 EIO (Input/output error) (INJECTED)")
    assert synced_again_after_failure([failed, ("fsync", "5</a/b>", "0")]) == ["5</a/b>"]
    assert synced_again_after_failure([failed, ("close", "5</a/b>", "0"), ("fsync", "5</c>", "0")]) == []


ERRORS = [
    ("fsync", "EIO", "StoreUnavailableError"),
    ("fsync", "ENOSPC", "StoreFullError"),
    ("write", "EIO", "StoreUnavailableError"),
    ("write", "ENOSPC", "StoreFullError"),
    ("write", "EDQUOT", "StoreFullError"),
    ("utimensat", "EPERM", "StoreUnavailableError"),
    ("openat", "EMFILE", "StoreUnavailableError"),
    ("openat", "ENOSPC", "StoreFullError"),
    ("openat", "EACCES", "StoreUnavailableError"),
    ("/^rename", "ENOSPC", "StoreFullError"),
    ("/^rename", "EIO", "StoreUnavailableError"),
]


@pytest.mark.parametrize(("call", "number", "kind"), ERRORS, ids=lambda value: value.strip("/^"))
def test_a_failing_call_fails_the_write_and_changes_nothing(victim, call, number, kind):
    one = victim()
    one.attach(f"{call}:error={number}:when=1")
    said = one.do("store['x'] = b'new'")
    assert said.startswith(f"{kind} {getattr(errno, number)} ")
    assert "'x" in said
    assert str(one.path) in said
    assert leftovers(one.path) == set()
    assert FileDirStore(one.path)["x"] == b"old"
    assert one.do("store['x'] = b'new'") == "ok"
    calls = one.calls()
    assert sum(f"-1 {number}" in result and "INJECTED" in result for _, _, result in calls) == 1
    assert synced_again_after_failure(calls) == []
    assert FileDirStore(one.path)["x"] == b"new"


def test_a_folder_that_cannot_be_synced_leaves_the_outcome_unknown(victim):
    one = victim()
    one.attach("fsync:error=EIO:when=2")  # first the file, then its folder
    said = one.do("store['x'] = b'new'")
    assert said.startswith(f"OutcomeUnknownError {errno.EIO} ")
    assert "'x" in said
    assert str(one.path) in said
    assert FileDirStore(one.path)["x"] == b"new"
    assert leftovers(one.path) == set()
    assert one.do("store['x'] = b'newer'") == "ok"
    assert FileDirStore(one.path)["x"] == b"newer"


def test_a_delete_that_cannot_be_synced_leaves_the_outcome_unknown(victim):
    one = victim()
    one.attach("fsync:error=EIO:when=1")
    assert one.do("del store['a/x']").startswith(f"OutcomeUnknownError {errno.EIO} ")
    assert "a/x" not in FileDirStore(one.path)


def test_a_failing_unlink_fails_the_delete(victim):
    one = victim()
    one.attach("unlinkat:error=EIO:when=1")
    said = one.do("del store['a/x']")
    assert said.startswith(f"StoreUnavailableError {errno.EIO} ")
    assert FileDirStore(one.path)["a/x"] == b"old"
    assert one.do("del store['a/x']") == "ok"
    assert list(FileDirStore(one.path)) == ["x"]


def test_a_new_folder_that_cannot_be_made_fails_the_write(victim):
    one = victim()
    one.attach("mkdirat:error=EIO:when=2")  # n1 is made, n1/n2 is not
    assert one.do("store['n1/n2/x'] = b'new'").startswith(f"StoreUnavailableError {errno.EIO} ")
    assert set(FileDirStore(one.path)) == {"x", "a/x"}
    assert leftovers(one.path) == set()
    assert one.do("store['n1/n2/x'] = b'new'") == "ok"
    assert FileDirStore(one.path)["n1/n2/x"] == b"new"


# Runs before the library is imported, so that no alias of the function escapes it.
SHORT_WRITES = """
import os, sys
whole, counts = os.write, []
def short(fd, data):
    counts.append(whole(fd, memoryview(data).cast("B")[:limit]))
    return counts[-1]
os.write, limit = short, 7
from holdall import FileDirStore
store = FileDirStore(sys.argv[1])
values = {"a": b"0123456789" * 20, "b/c": {"x": b"y" * 90_000, "z": [1] * 100}, "d": b"z" * 70_000, "e": None}
limit = 997
for key, value in values.items():
    store[key] = value
store.update({"f": "text" * 1000})
store.setdefault("g", "text" * 1000)
values |= {"f": "text" * 1000, "g": "text" * 1000}
assert store == values, store
assert len(counts) > 150, "writes were not made short"
"""


def test_short_writes_are_completed(tmp_path):
    with child(PYTHON, "-c", SHORT_WRITES, str(tmp_path / "store")) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()


def test_a_limit_on_the_size_of_files_fails_the_write(victim):
    one = victim()
    assert one.do("import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (1000, r.RLIM_INFINITY))") == "ok"
    assert one.do("store['x'] = bytes(1001)").startswith(f"StoreFullError {errno.EFBIG} ")
    assert FileDirStore(one.path)["x"] == b"old"
    assert leftovers(one.path) == set()
    assert one.do("store['x'] = bytes(1000)") == "ok"
    assert FileDirStore(one.path)["x"] == bytes(1000)


@pytest.mark.parametrize("call", ["fsync", "write", "flock", "openat"])
def test_an_interrupted_call_is_repeated(victim, call):
    one = victim()
    one.attach(f"{call}:error=EINTR:when=1")
    assert one.do("store['x'] = b'new'") == "ok"
    assert FileDirStore(one.path)["x"] == b"new"
    assert any("INJECTED" in result for _, _, result in one.calls())


# What is stored after a kill on entering the n-th call of a kind, for ``store['x'] = b'new'``.
KILLS = [
    ("openat", 1, b"old"),
    ("write", 1, b"old"),
    ("utimensat", 1, b"old"),
    ("fsync", 1, b"old"),
    ("flock", 1, b"old"),
    ("/^rename", 1, b"old"),
    ("flock", 2, b"new"),
    ("fsync", 2, b"new"),
]


@pytest.mark.parametrize(("call", "when", "left"), KILLS, ids=lambda value: str(value).strip("/^"))
def test_a_kill_at_an_exact_call_leaves_old_or_new(victim, call, when, left):
    one = victim()
    one.attach(f"{call}:signal=KILL:when={when}")
    assert one.do("store['x'] = b'new'") == ""
    assert one.process.wait(20) == -signal.SIGKILL
    assert len(control(one.path)) == 2, "there is nothing to sweep"
    with FileDirStore(one.path) as store:
        assert store["x"] == left
        assert dict(store.items()) == {"x": left, "a/x": b"old"}
        store["y"] = b"1"
        assert len(control(one.path)) == 2
    assert control(one.path) == {"store.json"}
    assert files_below(one.path) == {"x.bin", "a/x.bin", "y.bin", ".holdall/store.json"}


@pytest.mark.parametrize(("when", "left"), [(1, {"x", "a/x"}), (2, {"x"})])
def test_a_kill_amid_a_delete_deletes_or_does_not(victim, when, left):
    """The first call deletes the file, the second its empty folder."""
    one = victim()
    one.attach(f"unlinkat:signal=KILL:when={when}")
    assert one.do("del store['a/x']") == ""
    assert one.process.wait(20) == -signal.SIGKILL
    with FileDirStore(one.path) as store:
        assert set(store) == left
        store["a/x"] = b"again"
        assert store["a/x"] == b"again"
    assert control(one.path) == {"store.json"}


@pytest.mark.parametrize("call", ["mkdirat", "openat", "flock", "write", "/^rename", "utimensat"])
@pytest.mark.parametrize("when", [1, *in_soak(2, 3)])
def test_a_kill_amid_the_first_write_leaves_a_folder_that_opens(victim, tmp_path, call, when):
    one = victim("process")
    fresh = tmp_path / "fresh"
    one.do("from holdall import FileDirStore; import builtins; builtins.F = FileDirStore")
    one.attach(f"{call}:signal=KILL:when={when}")
    one.do(
        f"s = F({str(fresh)!r}, serializer='bytes', suffix='.bin'); s['n/x'] = b'new'; s['n/x'] = b'newer'"
    )
    with FileDirStore(fresh, serializer="bytes") as store:
        assert store.get("n/x") in {None, b"new", b"newer"}
        store["y"] = b"1"
        assert set(store) <= {"n/x", "y"}
    assert control(fresh) == {"store.json"}


def test_power_durability_syncs_the_file_then_the_folders(victim):
    """Each file before its rename, each folder after a name in it was made or taken away."""
    one = victim()
    one.attach()
    assert one.do("store['n1/n2/x'] = b'new'") == "ok"
    assert one.do("del store['n1/n2/x']") == "ok"
    names = []
    for name, arguments, result in one.calls():
        path = re.match(r"\d+<(.*?)>", arguments)
        assert not result.startswith("-1") or name == "openat", (name, arguments, result)
        if name == "fsync":
            names.append("fsync " + path[1].removeprefix(str(one.path)))
        elif name.startswith("rename"):
            names.append("rename")
        elif name == "unlinkat" and "x.bin" in arguments:
            names.append("unlink")
    file = names.pop(0)
    assert file.startswith("fsync /.holdall/w-")
    assert names == ["fsync ", "fsync /n1", "rename", "fsync /n1/n2", "unlink", "fsync /n1/n2"]


def test_power_durability_syncs_what_the_first_write_makes(victim, tmp_path):
    """The folder's own name in its parent, and the record with which the folder opens."""
    one = victim()
    fresh = tmp_path / "fresh"
    one.do("from holdall import FileDirStore; import builtins; builtins.F = FileDirStore")
    one.attach()
    assert (
        one.do(f"F({str(fresh)!r}, serializer='bytes', suffix='.bin', durability='power')['x'] = b'1'")
        == "ok"
    )
    synced = [arguments for name, arguments, _ in one.calls() if name == "fsync"]
    assert any("/store.json>" in path for path in synced), "the record may be empty after a power cut"
    assert any(path.endswith("/.holdall>") for path in synced), "the record may be gone after a power cut"
    assert any(path.endswith(f"<{tmp_path}>") for path in synced), "the folder may be gone after a power cut"


def test_process_durability_syncs_nothing(victim):
    one = victim("process")
    one.attach()
    assert one.do("store['n1/n2/x'] = b'new'") == "ok"
    assert [name for name, _, _ in one.calls() if "sync" in name] == []
