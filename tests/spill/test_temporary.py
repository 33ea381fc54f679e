"""Temporary folders: where they are, who spares them, and that they are gone in the end."""

import fcntl
import gc
import os
import shutil

import pytest
from tests.spill._support import run, script, wait_for_line

from exploring import in_soak
from holdall import FileDirStore, SpillStore, SQLiteStore
from holdall._posix import temporary as _temporary
from holdall._posix.temporary import TemporaryFolder, kind_of_filesystem, sweep

STORES = {"spill": "SpillStore(memory=1)", "files": "FileDirStore()", "sqlite": "SQLiteStore()"}


@pytest.fixture
def base(tmp_path, monkeypatch):
    """Have temporary folders below a folder of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def env_of(path):
    return {"TMPDIR": str(path)}


# ---------------------------------------------------------------------- gone in the end


@pytest.mark.parametrize("make", [SpillStore, FileDirStore, SQLiteStore])
def test_the_folder_goes_with_the_last_handle(base, make):
    store = make()
    store["a"] = "value"
    store.flush()
    part = store.get_subdict("part")
    del store
    gc.collect()
    assert len(os.listdir(base)) == 1
    part["b"] = 1
    del part
    gc.collect()
    assert os.listdir(base) == []


@pytest.mark.parametrize("make", [FileDirStore, SQLiteStore])
def test_a_copy_keeps_the_folder(base, make):
    import pickle

    store = make()
    store["a"] = "value"
    twin = pickle.loads(pickle.dumps(store))
    del store
    gc.collect()
    assert twin["a"] == "value"
    del twin
    gc.collect()
    assert os.listdir(base) == []


@pytest.mark.parametrize("store", STORES.values())
@pytest.mark.parametrize(
    "end",
    [
        *in_soak("", "raise SystemExit(0)", "del store"),
        "loop = [store]; loop.append(loop); del store",
        "1 / 0",
    ],
)
def test_the_folder_goes_with_the_process_which_ends_quietly(tmp_path, store, end):
    code = f"""
        store = {store}
        store.update({{n: "x" * 1000 for n in range(20)}} if isinstance(store, SpillStore) else {{"a": 1}})
        print(len(os.listdir({str(tmp_path)!r})))
        {end}
    """
    out, err = run(code, env=env_of(tmp_path), code_expected=1 if "1 / 0" in end else 0)
    assert out.strip() == "1"
    assert "Exception ignored" not in err
    assert "Warning" not in err
    assert os.listdir(tmp_path) == []


def test_closing_a_spill_store_leaves_no_file_and_an_empty_store(base):
    store = SpillStore(memory=10_000)
    store.update((n, n) for n in range(1_000))
    with store:
        assert store[0] == 0
    assert os.listdir(base) == []
    store.close()
    assert len(store) == 0
    store["again"] = 1
    store.shrink()
    assert store["again"] == 1
    assert len(os.listdir(base)) == 1
    store.close()
    assert os.listdir(base) == []


def test_it_works_in_a_folder_that_cannot_be_written(tmp_path):
    cwd = tmp_path / "cwd"
    cwd.mkdir(mode=0o500)
    code = "store = SpillStore(memory=1); store['a'] = [1]; print(store['a'])"
    out, _ = run(code, cwd=cwd, env=env_of(tmp_path))
    assert out.strip() == "[1]"
    assert os.listdir(cwd) == []


# ---------------------------------------------------------------------- while it is in use


def test_a_cleaner_finds_it_locked(base):
    folder = TemporaryFolder()
    fd = os.open(folder.path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    folder.close()
    folder.close()
    assert folder.closed
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def test_what_a_killed_process_left_is_swept_by_the_next_one(tmp_path):
    code = "store = SpillStore(memory=1); store['a'] = [1]; print(store.path, flush=True); sys.stdin.read()"
    killed = script(code, env=env_of(tmp_path))
    left = wait_for_line(killed)
    living = script(code, env=env_of(tmp_path))
    kept = wait_for_line(living)
    assert os.path.isdir(left), "its owner lives"
    killed.kill()
    killed.communicate()
    out, _ = run("print(SpillStore(memory=1).path)", env=env_of(tmp_path))
    assert not os.path.exists(left)
    assert os.path.isdir(kept)
    assert not os.path.exists(out.strip())
    living.communicate("")
    assert os.listdir(tmp_path) == []


def test_folders_that_are_not_ours_are_left_alone(tmp_path, monkeypatch):
    unmarked = tmp_path / "holdall-unmarked"
    unmarked.mkdir()
    foreign = tmp_path / "holdall-foreign"
    foreign.mkdir()
    (foreign / ".holdall-temporary").touch()
    link = tmp_path / "holdall-link"
    link.symlink_to(foreign)
    (tmp_path / "holdall-file").touch()
    unreadable = tmp_path / "holdall-unreadable"
    unreadable.mkdir(mode=0)
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    sweep(str(tmp_path))
    sweep(str(tmp_path / "absent"))
    assert len(os.listdir(tmp_path)) == 5
    monkeypatch.undo()
    sweep(str(tmp_path))
    assert not foreign.exists()
    assert {name[8:] for name in os.listdir(tmp_path)} == {"file", "link", "unmarked", "unreadable"}


def test_processes_that_start_together_keep_their_folders(tmp_path):
    code = """
        store = SpillStore(memory=1)
        store["a"] = [1]
        print(store["a"], flush=True)
        sys.stdin.read()
        print(store["a"])
    """
    processes = [script(code, env=env_of(tmp_path)) for _ in range(2)]
    for process in processes:
        assert wait_for_line(process) == "[1]"
    for process in processes:
        out, err = process.communicate("")
        assert out.strip() == "[1]", err
    assert os.listdir(tmp_path) == []


# ---------------------------------------------------------------------- forks


@pytest.mark.parametrize("how", ["os.fork", *in_soak("multiprocessing")])
@pytest.mark.parametrize("store", STORES.values())
def test_a_forked_child_deletes_nothing(tmp_path, store, how):
    start = """
    pid = os.fork()
    if not pid:
        work()
        sys.exit()
    os.waitpid(pid, 0)
    """
    if how == "multiprocessing":
        start = """
    import multiprocessing
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    """
    code = f"""
    import fcntl
    warnings.simplefilter("ignore", DeprecationWarning)
    store = {store}
    store["a"] = "of the parent"
    store["b"] = "x" * 3000
    def work():
        assert store["a"] == "of the parent"
        store.close()
    {start}
    print(store["a"], len(store["b"]))
    name, = os.listdir({str(tmp_path)!r})
    fd = os.open(os.path.join({str(tmp_path)!r}, name), os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("still locked")
    """
    out, err = run(code, env=env_of(tmp_path))
    assert out.splitlines() == ["of the parent 3000", "still locked"], err
    assert os.listdir(tmp_path) == []


# ---------------------------------------------------------------------- where it lies


def test_file_systems_have_kinds():
    assert kind_of_filesystem("/proc/self") == "proc"
    if os.path.isdir("/dev/shm"):
        assert kind_of_filesystem("/dev/shm/not/there") == "tmpfs"


@pytest.mark.skipif(kind_of_filesystem("/dev/shm") != "tmpfs", reason="no /dev/shm")
@pytest.mark.parametrize("way", ["TMPDIR", "path"])
def test_a_folder_in_memory_is_told_once(way):
    path = f"/dev/shm/holdall-test-{os.getpid()}"
    os.mkdir(path)
    try:
        code = f"""
            for n in range(3):
                SpillStore({None if way == "TMPDIR" else path + "/store"!r}, memory=1)["a"] = 1
        """
        _, err = run(code, env=env_of(path) if way == "TMPDIR" else None)
        assert err.count("RuntimeWarning") == 1
        assert path in err
        assert "tmpfs" in err
    finally:
        shutil.rmtree(path)


def test_the_usual_folder_is_left_for_one_on_a_disk(monkeypatch):
    kinds = {"/tmp": "tmpfs", "/var/tmp": "ext4"}
    monkeypatch.setattr(_temporary, "kind_of_filesystem", lambda path: kinds.get(path, "ext4"))
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    assert _temporary._base(spill=True) == "/var/tmp"
    assert _temporary._base(spill=False) == "/tmp"
    monkeypatch.setattr(_temporary, "_warned", False)
    monkeypatch.setenv("TMPDIR", "/tmp")
    with pytest.warns(RuntimeWarning, match="/tmp, which is tmpfs"):
        assert _temporary._base(spill=True) == "/tmp"
