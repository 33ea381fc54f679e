"""A folder of files under attack, and in the hands of other programs."""

import os
import resource
import socket
import subprocess
import sys

import pytest

from holdall import FileDirStore
from holdall.errors import InvalidKeyError, StoreUnavailableError
from holdall.persisters.files import FilesPersister


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder"


def outcome(call):
    """Return what a call gives, or the class of its error."""
    try:
        return call()
    except Exception as error:
        return type(error)


def run(code, *args, env=None):
    """Run a program; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], env=env, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.strip()


# ---------------------------------------------------------------------- what is no file


def plant(kind, where, elsewhere):
    if kind == "fifo":
        os.mkfifo(where)
    elif kind == "link":
        elsewhere.write_text('"theirs"')
        os.symlink(elsewhere, where)
    elif kind == "dangling link":
        os.symlink("nowhere", where)
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(where.parent)  # the name of a socket must be short
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(where.name)
        finally:
            os.chdir(here)
    elif os.geteuid() != 0:
        pytest.skip("only root makes devices")
    else:
        try:
            os.mknod(where, 0o020600, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("no devices here")


@pytest.mark.parametrize("kind", ["fifo", "link", "dangling link", "socket", "device"])
@pytest.mark.parametrize("how", ["put", "update", "writer", "link"])
def test_a_write_replaces_nothing_but_a_file(path, tmp_path, kind, how):
    store = FileDirStore(path, serializer="json")
    store["x"] = 1
    plant(kind, path / "k.json", tmp_path / "elsewhere")
    before = os.lstat(path / "k.json")
    persister = FilesPersister(path)

    def write():
        if how == "writer":
            with persister.writer("k.json") as file:
                file.write(b"1")
        elif how == "link":
            persister.link("k.json", str(path / "x.json"))
        elif how == "put":
            store["k"] = 1
        else:
            store.update(k=1)

    with pytest.raises(StoreUnavailableError, match="no file") as caught:
        write()
    assert str(path) in str(caught.value)
    assert os.path.samestat(os.lstat(path / "k.json"), before)
    assert "k" not in store
    workspaces = [path / ".holdall" / name for name in os.listdir(path / ".holdall") if name[:2] == "w-"]
    assert not any(os.listdir(workspace) for workspace in workspaces)


# ---------------------------------------------------------------------- what may not be read

UNREADABLE = """
import os, sys
from holdall import FileDirStore, MemoryStore, StoreUnavailableError
MemoryStore(), FileDirStore(serializer="json")  # which imports what may be out of reach then
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
store = FileDirStore(sys.argv[1], read_only=True)
for look in (
    lambda: list(store), lambda: len(store), lambda: dict(store), lambda: list(store.items()),
    lambda: store.copy_to(MemoryStore()), lambda: list(store.newest_keys()), lambda: "closed/x" in store,
    lambda: store["closed/x"], lambda: list(store.subdicts()),
):
    try:
        print(look())
    except StoreUnavailableError as error:
        assert error.errno == 13 and "closed" in str(error), error
print(store["ok"])
"""


def test_a_listing_leaves_nothing_out_without_a_word(tmp_path):
    path = tmp_path / "folder"
    store = FileDirStore(path, serializer="json")
    store.update({"ok": 1, "closed/x": 2})
    store.close()
    for above in (path, *path.parents):
        if above != above.parent and os.stat(above).st_uid == os.geteuid():
            os.chmod(above, os.stat(above).st_mode | 0o555)
    os.chmod(path / "closed", 0)
    try:
        assert run(UNREADABLE, path) == "1"
    finally:
        os.chmod(path / "closed", 0o755)


def test_a_listing_without_descriptors_says_so(path):
    store = FileDirStore(path, serializer="json")
    store.update({"a": 1, "b/c": 2})
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    for more in range(6):  # there is none for the first step of a listing, or for the second, ...
        with open(os.devnull) as probe:
            lowest = probe.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, before[1]))
        try:
            found = outcome(lambda: set(store))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        if more in {0, 5}:
            assert found == ({"a", "b/c"} if more else StoreUnavailableError)
        assert found in ({"a", "b/c"}, StoreUnavailableError)


# ---------------------------------------------------------------------- depth


def test_folders_have_a_greatest_depth(path):
    store = FileDirStore(path, serializer="json")
    deepest = "/".join(["d"] * 100)
    store[deepest] = 1
    assert list(store) == [deepest]
    for parts in (101, 2000, 500_000):
        key = "/".join(["d"] * parts)
        with pytest.raises(InvalidKeyError, match="100 levels"):
            store[key] = 1
        assert key not in store
        assert store.get(key) is None
        with pytest.raises(KeyError):
            del store[key]
    del store[deepest]
    assert os.listdir(path) == [".holdall"]


def test_deleting_opens_each_folder_once(path, monkeypatch):
    place = FilesPersister(path)
    id = "/".join(["d"] * 100)
    place[id] = b"1"
    opened = []
    real = os.open

    def count(*args, **how):
        opened.append(args)
        return real(*args, **how)

    monkeypatch.setattr("holdall._posix.folder.os_open", count)
    del place[id]
    assert len(opened) <= 2 * 100
    assert os.listdir(path) == [".holdall"]


# ---------------------------------------------------------------------- moved and replaced folders


def test_two_handles_of_a_folder_that_was_replaced_do_not_diverge(path, tmp_path):
    store = FileDirStore(path, serializer="json")
    store["x"] = "old"
    os.rename(path, tmp_path / "backup")
    other = FileDirStore(path, serializer="json")
    other["y"] = "new"
    assert list(store) == ["y"]
    store["z"] = "mine"
    assert dict(other) == {"y": "new", "z": "mine"}
    assert dict(FileDirStore(tmp_path / "backup")) == {"x": "old"}
    del store["y"]
    assert dict(other) == {"z": "mine"}


def test_a_key_that_is_new_in_the_new_folder_is_found(path, tmp_path):
    store = FileDirStore(path, serializer="json")
    store["x"] = "old"
    os.rename(path, tmp_path / "backup")
    FileDirStore(path, serializer="json")["y"] = "new"
    assert "y" in store
    assert store["y"] == "new"


def test_a_deletion_is_of_the_folder_at_the_path(path, tmp_path):
    store = FileDirStore(path, serializer="json")
    store["x"] = "old"
    os.rename(path, tmp_path / "backup")
    FileDirStore(path, serializer="json")["x"] = "new"
    del store["x"]
    assert dict(FileDirStore(path)) == {}
    assert dict(FileDirStore(tmp_path / "backup")) == {"x": "old"}


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.__setitem__("x", 1),
        lambda store: store.update(x=1),
        lambda store: store.__delitem__("x"),
        list,
        lambda store: store["absent"],
        lambda store: "absent" in store,
    ],
)
def test_a_folder_that_was_moved_away_is_missed(path, tmp_path, use):
    store = FileDirStore(path, serializer="json")
    store["x"] = "old"
    os.rename(path, tmp_path / "moved")
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="moved") as caught:
            use(store)
        assert str(path) in str(caught.value)
    assert not path.exists()
    assert dict(FileDirStore(tmp_path / "moved")) == {"x": "old"}
    store.close()
    store["x"] = "anew"
    assert dict(FileDirStore(path)) == {"x": "anew"}


# ---------------------------------------------------------------------- locale, strange files

LOCALE = """
import os, sys
from holdall import FileDirStore
store = FileDirStore(sys.argv[1], serializer="json")
assert store["caf\\xe9"] == "old"
assert "d\\xe9p\\xf4t/\\u20ac" in store
store["caf\\xe9"] = "new"
store["d\\xe9p\\xf4t/\\u20ac"] = "new"
assert sorted(store) == ["caf\\xe9", "d\\xe9p\\xf4t/\\u20ac"], ascii(list(store))
assert os.path.isfile(store.file_of("caf\\xe9")), ascii(store.file_of("caf\\xe9"))
del store["d\\xe9p\\xf4t/\\u20ac"]
store["\\xfcber/x"] = 1
"""


@pytest.mark.parametrize("folder", ["plain", "Größe €"])
def test_names_are_the_same_under_every_locale(tmp_path, folder):
    path = tmp_path / folder
    store = FileDirStore(path, serializer="json")
    store.update({"café": "old", "dépôt/€": "old"})
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert run(LOCALE, path, env=env) == ""
    assert dict(store) == {"café": "new", "über/x": 1}


def test_files_without_a_size_are_read_whatever_memory_there_is():
    place = FilesPersister("/proc/self", read_only=True)
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), before[1]))
    try:
        assert place["status"].startswith(b"Name:")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
