"""What every store on disk promises alike: who waits, what is kept, what is refused, and by which error."""

import errno
import fcntl
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from tests.posix._acl import USER, set_acl

from holdall import FileDirStore, ScriptStore, ZipStore
from holdall.errors import InvalidArgumentError, StoreFullError, StoreTimeoutError
from holdall.stores.document import DocumentStore

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class Kind(NamedTuple):
    """A kind of store on disk."""

    make: Callable[..., Any]
    name: str  # of the store, in a folder
    file: str  # of the file of the key "k"
    locked: str  # what its writers lock


KINDS = {
    "folder": Kind(FileDirStore, "folder", "folder/k.json", "folder"),
    "zip": Kind(ZipStore, "a.zip", "a.zip", "a.zip"),
    "document": Kind(DocumentStore, "a.json", "a.json", "a.json"),
    "script": Kind(lambda path, **how: ScriptStore(path, create=True, **how), "a.py", "a.py", "a.py"),
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    kind = KINDS[request.param]
    return kind._replace(**{name: str(tmp_path / getattr(kind, name)) for name in ("name", "file", "locked")})


def made(kind, **how):
    if kind.make in (FileDirStore, ZipStore):
        how = {"serializer": "json", **how}
    return kind.make(kind.name, **how)


HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Let another process lock a file or folder."""
    processes = []

    def hold(path):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "locked\n"
        return process.pid

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def test_a_writer_that_waits_too_long_is_told_for_whom(kind, hold):
    store = made(kind, timeout=0)
    store["k"] = "old"
    pid = hold(kind.locked)
    for write in (
        lambda: store.__setitem__("k", "new"),
        lambda: store.update(k="new", other="new"),
        lambda: store.__delitem__("k"),
        lambda: store.setdefault("other", "new"),
        lambda: made(kind, timeout=0).__setitem__("k", "new"),
    ):
        with pytest.raises(StoreTimeoutError, match=f"process {pid} kept it locked for over 0 s") as caught:
            write()
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.filename == kind.locked
    assert store["k"] == "old"  # readers wait for nobody
    assert dict(store) == {"k": "old"}


def test_after_a_timeout_the_store_goes_on(kind):
    store = made(kind, timeout=0)
    store["k"] = "old"
    fd = os.open(kind.locked, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(StoreTimeoutError, match="this process"):
        store["k"] = "new"
    os.close(fd)
    store["k"] = "new"
    assert made(kind)["k"] == "new"


@pytest.mark.parametrize("timeout", [-1, "1", None, float("inf")])
def test_a_timeout_is_a_number_of_seconds(kind, timeout):
    with pytest.raises(InvalidArgumentError, match="timeout"):
        made(kind, timeout=timeout)


def test_the_timeout_is_an_option_like_others(kind):
    assert made(kind, timeout=2.5).get_params()["timeout"] == 2.5


def test_a_limit_of_the_size_of_files_is_a_full_disk(kind):
    """One error in all stores, whichever limit it is that leaves no room."""
    store = made(kind)
    store["k"] = "old"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StoreFullError, match=r"no room left.*untouched") as caught:
            store["k"] = os.urandom(50_000).hex()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert store["k"] == "old"
    store["k"] = "new"
    assert made(kind)["k"] == "new"


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_of_a_file_stays(kind, mode):
    store = made(kind)
    store["k"] = "old"
    os.chmod(kind.file, mode)
    store["k"] = "new"
    store.update(k="newer")
    assert store["k"] == "newer"
    assert mode_of(kind.file) == mode


def test_extended_attributes_and_access_lists_of_a_file_stay(kind):
    store = made(kind)
    store["k"] = "old"
    set_acl(kind.file, (USER, 6, 12345), group=0, other=0)
    try:
        os.setxattr(kind.file, "user.note", b"mine")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    attributes = {name: os.getxattr(kind.file, name) for name in os.listxattr(kind.file)}
    store["k"] = "new"
    store.update(k="newer")
    assert {name: os.getxattr(kind.file, name) for name in os.listxattr(kind.file)} == attributes


@as_root
def test_root_leaves_a_file_to_its_owner(kind):
    store = made(kind)
    store["k"] = "old"
    os.chmod(kind.file, 0o600)
    os.chown(kind.file, 12345, 23456)
    store["k"] = "new"
    store.update(k="newer")
    about = os.stat(kind.file)
    assert (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) == (12345, 23456, 0o600)
