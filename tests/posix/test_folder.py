"""An open folder: its descriptors, its workspace, what others move or plant there, and what is swept."""

import errno
import gc
import os
import stat
import threading

import pytest
from tests.posix.test_fork import in_child

from holdall._posix.control import CONTROL, Workspace
from holdall._posix.folder import SHARED, Folder
from holdall._posix.lock import try_flock
from holdall.errors import InvalidKeyError, StoreTimeoutError
from open_files import open_below


@pytest.fixture
def path(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture
def folder(path):
    folder = Folder(str(path))
    yield folder
    folder.close()


def workspaces(path):
    return [name for name in os.listdir(path / CONTROL) if name.startswith("w-")]


def test_a_folder_is_opened_when_it_is_there(tmp_path):
    folder = Folder(str(tmp_path / "new"))
    assert folder.open() is None
    assert folder.opened.root == -1
    use = folder.open(create=True)
    assert os.path.samestat(os.fstat(use.root), os.stat(tmp_path / "new"))
    assert folder.open() is use


def test_a_folder_that_was_deleted_is_opened_anew(folder, path):
    use = folder.open()
    os.rmdir(path)
    assert folder.open() is None
    again = folder.open(create=True)
    assert again is not use
    assert again.exists()


def test_a_temporary_folder_is_private_and_made_when_it_is_needed():
    folder = Folder(None)
    assert folder.open() is None
    assert not folder.known
    folder.prepare()
    assert stat.S_IMODE(os.stat(folder.path).st_mode) == 0o700


def test_the_workspace_is_gone_with_its_last_user(folder, path):
    use = folder.prepare()
    [name] = workspaces(path)
    assert stat.S_IMODE(os.stat(path / CONTROL / name).st_mode) == 0o700
    os.close(os.open("0", os.O_CREAT | os.O_WRONLY, dir_fd=use.workspace))
    folder.close()
    assert workspaces(path) == [name]  # somebody still writes there
    del use
    gc.collect()
    assert workspaces(path) == []


def test_closing_amid_a_use_leaves_the_descriptors_what_they_are(folder, path):
    use = folder.prepare()
    folder.close()
    others = [os.open("/", os.O_RDONLY) for _ in range(5)]
    try:
        assert os.path.samestat(os.fstat(use.root), os.stat(path))
        assert use.root not in others
        assert folder.prepare() is not use
    finally:
        for fd in others:
            os.close(fd)


def test_closing_gives_the_descriptors_back(folder):
    before = open_below(folder.path)
    for _ in range(3):
        folder.prepare()
        folder.close()
    assert open_below(folder.path) == before


def test_nothing_outside_is_deleted_when_the_control_folder_is_moved_and_a_link_planted(
    folder, path, tmp_path
):
    """Who may write in a folder can rename ``.holdall`` and put links to a private folder in its place."""
    private = tmp_path / "private"
    private.mkdir()
    (private / "precious").write_bytes(b"mine")
    folder.prepare()
    [name] = workspaces(path)
    os.rename(path / CONTROL, path / "moved")
    (path / CONTROL).mkdir()
    os.symlink(private, path / CONTROL / name)
    folder.close()
    gc.collect()
    assert (private / "precious").read_bytes() == b"mine"
    assert not (path / "moved" / name).exists()  # ours is gone, wherever it lies by now
    assert os.path.islink(path / CONTROL / name)


def test_a_workspace_that_was_replaced_is_not_removed(folder, path):
    folder.prepare()
    [name] = workspaces(path)
    os.rename(path / CONTROL / name, path / CONTROL / "elsewhere")
    (path / CONTROL / name).mkdir()
    folder.close()
    gc.collect()
    assert (path / CONTROL / name).exists()


def test_the_control_folder_is_no_link(folder, path, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    os.symlink(elsewhere, path / CONTROL)
    with pytest.raises(OSError, match=r"\.holdall") as caught:
        folder.prepare()
    assert caught.value.errno in {errno.ELOOP, errno.ENOTDIR}
    assert os.listdir(elsewhere) == []


def test_what_others_left_is_swept_and_what_lives_is_not(path):
    other = Folder(str(path))
    other.prepare()
    [alive] = workspaces(path)
    dead = path / CONTROL / "w-1-0-dead"
    dead.mkdir()
    (dead / "0").write_bytes(b"half")
    Folder(str(path)).prepare()
    assert not dead.exists()
    assert alive in workspaces(path)
    dead.mkdir()
    folder = Folder(str(path))
    folder.sweep(folder.open())
    assert not dead.exists()
    assert alive in workspaces(path)


def test_sweeping_waits_for_nobody(folder, path):
    other = Folder(str(path)).prepare()
    dead = path / CONTROL / "w-1-0-dead"
    dead.mkdir()
    other.lock.acquire()
    folder.sweep(folder.open())
    assert dead.exists()
    other.lock.release()
    folder.sweep(folder.open())
    assert not dead.exists()


@pytest.mark.parametrize("mode", [0o755, 0o2775, 0o700, 0o1777, 0o777])
def test_the_control_folder_is_for_all_who_may_use_the_folder(folder, path, mode):
    """Else, with umask 022, the control folder would be closed to a group that shares the folder."""
    if os.geteuid() == 0:
        os.chown(path, -1, 12345)
    os.chmod(path, mode)
    folder.prepare()
    about = os.stat(path / CONTROL)
    assert stat.S_IMODE(about.st_mode) == mode
    assert about.st_gid == os.stat(path).st_gid
    about = os.stat(folder.opened.control_file("any.lock"))
    assert stat.S_IMODE(about.st_mode) == mode & 0o666
    assert about.st_gid == os.stat(path).st_gid


def test_folders_below_are_entered_and_made(folder, path):
    use = folder.open()
    with pytest.raises(FileNotFoundError):
        use.enter(["a", "b"])
    for names in ([], ["a"], ["a", "b"]):
        fd = use.enter(names, create=True)
        assert os.path.samestat(os.fstat(fd), os.stat(path.joinpath(*names)))
        assert fd != use.root
        os.close(fd)


@pytest.mark.parametrize("name", ["", ".", "..", CONTROL])
def test_no_name_leads_out(folder, name):
    use = folder.open()
    before = open_below(folder.path)
    with pytest.raises(InvalidKeyError):
        use.enter(["a", name], create=True)
    assert open_below(folder.path) == before


def test_no_link_is_followed(folder, path, tmp_path):
    os.symlink(tmp_path, path / "link")
    with pytest.raises(OSError) as caught:
        folder.open().enter(["link"])
    assert caught.value.errno in {errno.ELOOP, errno.ENOTDIR}


def test_what_is_doubtful_on_the_way_is_told(folder, path):
    (path / "a/b").mkdir(parents=True)
    use = folder.open()
    for mode, expected in (
        (0o755, []),
        (0o777, ["of its folder: everybody may write it"]),
        (0o1777, [SHARED]),
    ):
        os.chmod(path / "a", mode)
        doubts = []
        os.close(use.enter(["a", "b"], doubts=doubts))
        assert doubts == expected
    assert use.doubts() == []
    os.chmod(path, 0o777)
    assert Folder(str(path)).open().doubts() == ["of its folder: everybody may write it"]


def test_processes_exclude_each_other_and_say_so(folder, path):
    other = Folder(str(path), timeout=0)
    folder.open().lock.acquire()
    with pytest.raises(StoreTimeoutError, match="this process"):
        other.open().lock.acquire()
    folder.opened.lock.release()
    other.opened.lock.acquire()


def test_a_child_has_descriptors_of_its_own_and_leaves_the_workspace(folder, path):
    use = folder.prepare()
    use.lock.acquire()
    root = use.root

    def check():
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(root)
        assert (use.root, use.workspace) == (-1, -1)
        folder.close()
        gc.collect()
        return len(workspaces(path)) == 1

    assert in_child(check)
    use.lock.release()
    assert len(workspaces(path)) == 1


def test_a_child_does_not_keep_what_its_parent_locked(folder, path):
    ready, done = os.pipe(), os.pipe()
    use = folder.prepare()
    use.lock.acquire()
    pid = os.fork()
    if not pid:
        os.write(ready[1], b"x")
        os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    del use
    folder.close()
    gc.collect()
    fd = os.open(path, os.O_RDONLY)
    try:
        assert try_flock(fd)
    finally:
        os.close(fd)
        os.write(done[1], b"x")
        os.waitpid(pid, 0)
        for end in (*ready, *done):
            os.close(end)


def test_a_mutex_that_a_thread_of_the_parent_has_is_free_in_the_child(folder):
    have, leave = threading.Event(), threading.Event()

    def hold():
        with folder.mutex:
            have.set()
            leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    have.wait()
    try:
        assert in_child(lambda: folder.mutex.acquire(blocking=False))
    finally:
        leave.set()
        thread.join()


def test_waiting_for_a_lock_keeps_nothing_open(folder, path, monkeypatch):
    use = folder.prepare()
    other = os.open(path, os.O_RDONLY)
    assert try_flock(other)
    pauses = []

    def pause(_):
        pauses.append(1)
        if len(pauses) == 3:
            os.close(other)

    monkeypatch.setattr("time.sleep", pause)

    def write(use):
        use.lock.acquire()
        use.lock.release()

    gc.collect()
    gc.disable()
    try:
        write(use)
        del use
        folder.close()
        assert workspaces(path) == []
    finally:
        gc.enable()
    assert len(pauses) == 3


def test_others_use_a_workspace_when_all_about_it_is_known(folder, monkeypatch):
    """A file that another thread makes there changes its time, by which the file system is judged."""
    seen = []

    def judge(workspace):
        seen.append(folder.opened.workspace)
        return False

    monkeypatch.setattr(Workspace, "keeps_nanoseconds", judge)
    use = folder.prepare()
    assert seen == [-1]
    assert (use.workspace >= 0, use.fine_mtime) == (True, False)
