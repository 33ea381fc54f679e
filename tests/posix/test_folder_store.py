"""A folder of files under attack, and in the hands of other programs."""

import os
import resource
import socket
import subprocess
import sys
import threading

import pytest
from tests.posix._acl import USER, set_acl

from holdall import FileDirStore, memoize
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


def test_a_listing_leaves_nothing_out_without_a_word(reachable):
    path = reachable / "folder"
    store = FileDirStore(path, serializer="json")
    store.update({"ok": 1, "closed/x": 2})
    store.close()
    os.chmod(path, 0o755)
    os.chmod(path / "closed", 0)
    try:
        assert run(UNREADABLE, path) == "1"
    finally:
        os.chmod(path / "closed", 0o755)


def test_a_listing_without_descriptors_says_so(path):
    store = FileDirStore(path, serializer="json")
    store.update({"a": 1, "b/c": 2})
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/dev/fd")))
    taken = [os.dup(0)]
    while taken[-1] <= highest:  # so that those that are free have no gaps
        taken.append(os.dup(0))
    lowest = taken[-1] + 1
    for more in range(6):  # there is none for the first step of a listing, or for the second, ...
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, before[1]))
        try:
            found = outcome(lambda: set(store))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        if more in {0, 5}:
            assert found == ({"a", "b/c"} if more else StoreUnavailableError)
        assert found in ({"a", "b/c"}, StoreUnavailableError)
    for fd in taken:
        os.close(fd)


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

    monkeypatch.setattr("holdall._posix.opened.os_open", count)
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


@pytest.mark.parametrize("key", ["x", "a/x"])
@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_a_key_that_both_folders_have_is_read_in_the_one_at_the_path(path, tmp_path, key, serializer):
    store = FileDirStore(path, serializer=serializer)
    store[key] = "old"
    assert store[key] == "old"
    os.rename(path, tmp_path / "backup")
    FileDirStore(path, serializer=serializer)[key] = "new"
    assert store[key] == "new"
    assert key in store
    os.rename(path, tmp_path / "again")
    with pytest.raises(StoreUnavailableError, match="moved"):
        store[key]


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


# ---------------------------------------------------------------------- trust

ME, STRANGER = 12345, 12346

VICTIM = """
import grp, os, pwd, sys
from holdall import FileDirStore, UntrustedStoreError
os.umask(0o002)
FileDirStore(serializer="pickle")["x"] = 1  # which imports what may be out of reach then
os.setgroups([]); os.setgid({me}); os.setuid({me})
store = FileDirStore(sys.argv[1], serializer="pickle")
try:
    print(store["model"])
except UntrustedStoreError as error:
    print("refused:", error)
"""


def load_as_victim(path):
    return run(VICTIM.format(me=ME), path)


@pytest.fixture
def shared(reachable):
    """A place that other users can reach."""
    if os.geteuid() != 0:
        pytest.skip("only root plays several users")
    return reachable


@pytest.fixture
def models(shared):
    """A folder of pickles of the user ME."""
    path = shared / "models"
    FileDirStore(path, serializer="pickle")["model"] = "loaded"
    for name in (path, path / "model.pkl", path / ".holdall", path / ".holdall/store.json"):
        os.chown(name, ME, ME)
    assert load_as_victim(path) == "loaded"
    return path


@pytest.mark.parametrize("name", [".", "model.pkl"])
def test_a_pickle_is_refused_where_an_access_list_lets_another_user_write(models, name):
    set_acl(models / name, (USER, 7, STRANGER), owner=7, group=5, mask=7, other=5)
    assert "access list lets user 12346 write it" in load_as_victim(models)


def test_an_access_list_of_readers_is_no_doubt(models):
    set_acl(models / "model.pkl", (USER, 4, STRANGER))
    assert load_as_victim(models) == "loaded"


@pytest.mark.parametrize("name", [".", "model.pkl"])
def test_a_pickle_is_refused_where_a_group_may_write(models, name):
    os.chown(models / name, ME, STRANGER)
    os.chmod(models / name, 0o775)
    assert "group 12346 may write it" in load_as_victim(models)


def test_a_pickle_that_others_could_have_renamed_is_refused(models):
    """A file of the victim's own, of a stranger's bytes: a download, say, with another suffix."""
    os.rename(models / "model.pkl", models / "download.txt")
    os.chmod(models, 0o777)
    os.rename(models / "download.txt", models / "model.pkl")
    assert "everybody may write it" in load_as_victim(models)
    os.chmod(models, 0o1777)  # where nobody could have renamed it
    assert load_as_victim(models) == "loaded"
    os.link(models / "model.pkl", models / "model2.pkl")
    assert "several names" in load_as_victim(models)


# ---------------------------------------------------------------------- planted links, groups


def test_no_lock_is_made_where_a_planted_link_leads(path, tmp_path):
    store = FileDirStore(path, serializer="json")
    store["x"] = 1
    os.symlink(tmp_path / "elsewhere", path / ".holdall/computing.lock")
    calls = []

    @memoize(store)
    def double(n):
        calls.append(n)
        return 2 * n

    assert double(2) == double(2) == 4
    assert calls == [2]
    assert not (tmp_path / "elsewhere").exists()


COLLEAGUE = """
import os, sys
from holdall import FileDirStore, StoreUnavailableError
os.umask(0o022)
FileDirStore(serializer="json")["x"] = 1
os.setgroups([{group}]); os.setgid({me}); os.setuid({me})
store = FileDirStore(sys.argv[1], serializer="json")
try:
    store["of {me}"] = 1
    store["shared"] = {me}
    print(len(store))
except StoreUnavailableError as error:
    print(error)
"""


def test_a_folder_is_shared_by_a_group(shared):
    path, group = shared / "shared", 23456
    path.mkdir()
    os.chown(path, ME, group)
    os.chmod(path, 0o2775)
    for number, me in enumerate([ME, STRANGER, ME]):
        assert run(COLLEAGUE.format(me=me, group=group), path) == str(min(number, 1) + 2)
    about = os.stat(path / ".holdall")
    assert (about.st_gid, about.st_mode & 0o7777) == (group, 0o2775)


def test_an_error_names_the_path_that_was_refused(shared):
    path, group = shared / "shared", 23456
    path.mkdir()
    os.chown(path, ME, group)
    os.chmod(path, 0o2775)
    assert run(COLLEAGUE.format(me=ME, group=group), path) == "2"
    os.chmod(path / ".holdall", 0o755)
    assert f"Permission denied: '{path}/.holdall'" in run(COLLEAGUE.format(me=STRANGER, group=group), path)


# ---------------------------------------------------------------------- closing in use


@pytest.mark.timeout(60)
def test_closing_while_threads_write_loses_nothing_and_stops_nobody(path):
    store = FileDirStore(path, serializer="json")
    errors = []

    def write(thread):
        try:
            for number in range(40):
                store[f"{thread}/{number}"] = number
                assert store[f"{thread}/{number}"] == number
                if number % 2:
                    del store[f"{thread}/{number}"]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        store.close()
        os.sched_yield()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {key: store[key] for key in store} == {f"{t}/{n}": n for t in range(4) for n in range(0, 40, 2)}
