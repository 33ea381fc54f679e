"""A file is replaced as a whole: mode, owner, attributes and access lists stay; a failure leaves nothing."""

import errno
import os
import stat

import pytest
from tests.posix._acl import NAME, USER, acl, set_acl

from holdall._posix import replace as module
from holdall._posix.replace import replace_file
from holdall.errors import OutcomeUnknownError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
PREFIX = ".holdall-x-"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "file")


def write(path, data=b"new", **how):
    found = []

    def fill(file):
        file.write(data)
        found.append(os.fstat(file.fileno()))

    replace_file(path, fill, prefix=PREFIX, **how)
    return found[0]


def content(path):
    with open(path, "rb") as file:
        return file.read()


def test_a_new_file_has_the_mode_that_is_asked_for(path):
    write(path, mode=0o640)
    assert content(path) == b"new"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert os.listdir(os.path.dirname(path)) == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o664, 0o444, 0o4711, 0o2775])
def test_the_mode_is_kept_and_the_unfinished_file_is_never_more_open(path, mode):
    write(path, b"old")
    os.chmod(path, mode)
    unfinished = write(path)
    assert stat.S_IMODE(unfinished.st_mode) == 0o600
    assert content(path) == b"new"
    assert stat.S_IMODE(os.stat(path).st_mode) == mode


@as_root
def test_owner_and_group_are_kept_by_root(path):
    write(path, b"old")
    os.chmod(path, 0o600)
    os.chown(path, 12345, 23456)
    unfinished = write(path)
    assert (unfinished.st_uid, stat.S_IMODE(unfinished.st_mode)) == (0, 0o600)
    about = os.stat(path)
    assert (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) == (12345, 23456, 0o600)


@as_root
def test_without_the_right_to_give_it_away_a_file_is_no_more_open_than_before(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "not yours")

    write(path, b"old")
    os.chown(path, 12345, 23456)
    os.chmod(path, 0o6664)
    monkeypatch.setattr(module.os, "fchown", refuse)
    write(path)
    about = os.stat(path)
    assert content(path) == b"new"
    assert stat.S_IMODE(about.st_mode) == 0o644  # its group is another one, and may only read now


def test_extended_attributes_are_kept(path):
    write(path, b"old")
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    write(path)
    assert os.getxattr(path, "user.note") == b"mine"


def test_access_lists_are_kept(path):
    write(path, b"old")
    set_acl(path, (USER, 6, 12345), group=0, other=0)
    write(path)
    assert os.getxattr(path, NAME) == acl((USER, 6, 12345), group=0, other=0)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660


def test_an_access_list_that_cannot_be_kept_opens_nothing_to_the_group(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "not yours")

    write(path, b"old")
    set_acl(path, (USER, 6, 12345), group=0, other=0)
    monkeypatch.setattr(module.os, "setxattr", refuse)
    write(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_an_error_leaves_what_was_there_and_nothing_else(path):
    write(path, b"old")

    def fail(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full") as caught:
        replace_file(path, fail, prefix=PREFIX)
    assert caught.value.filename == path
    assert content(path) == b"old"
    assert os.listdir(os.path.dirname(path)) == ["file"]


def test_what_a_killed_writer_left_is_swept_and_nothing_that_a_link_leads_to(path, tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    (tmp_path / f"{PREFIX}dead").write_bytes(b"half")
    os.symlink(precious, tmp_path / f"{PREFIX}link")
    (tmp_path / f"{PREFIX}folder").mkdir()  # which nobody of us has made: no reason to stop
    write(path)
    assert precious.read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == [f"{PREFIX}folder", "file", "precious"]


def test_finish_sees_the_file_before_it_takes_its_place(path):
    seen = []
    write(path, finish=lambda fd: seen.append((os.fstat(fd).st_size, os.path.exists(path))))
    assert seen == [(3, False)]


def test_a_folder_that_cannot_be_synced_leaves_the_outcome_open(path, monkeypatch):
    def sync(fd, fsync=os.fsync):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, "broken")
        fsync(fd)

    monkeypatch.setattr(module.os, "fsync", sync)
    with pytest.raises(OutcomeUnknownError, match="power cut"):
        write(path, sync=True)
    assert content(path) == b"new"
