"""Who could have written a file: by mode, owner, group, access lists and the folders above."""

import grp
import os
import pwd
import types

import pytest
from tests.posix._acl import GROUP, USER, set_acl

from holdall._posix import trust
from holdall._posix.trust import check_trust, doubt_about, doubt_about_folder, doubt_above, is_shared
from holdall.errors import UntrustedStoreError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
ME = 4711  # a user who needs not exist


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    monkeypatch.setattr(trust, "_groups", {})


@pytest.fixture
def users(monkeypatch):
    """Be somebody with a group of his own, in a system whose users a test can choose."""
    known = [types.SimpleNamespace(pw_name="me", pw_uid=ME, pw_gid=ME)]
    groups = {ME: types.SimpleNamespace(gr_name="me", gr_gid=ME, gr_mem=[])}

    def find(uid):
        return next(user for user in known if user.pw_uid == uid)

    monkeypatch.setattr(pwd, "getpwuid", find)
    monkeypatch.setattr(pwd, "getpwall", lambda: list(known))
    monkeypatch.setattr(grp, "getgrgid", groups.__getitem__)
    return types.SimpleNamespace(known=known, groups=groups)


def doubt(path, uid=ME, folder=False):
    fd = os.open(path, os.O_RDONLY)
    try:
        return (doubt_about_folder if folder else doubt_about)(os.fstat(fd), fd, uid)
    finally:
        os.close(fd)


@pytest.fixture(params=["file", "folder"])
def thing(request, tmp_path):
    """A file or folder of root's, whose group is the user's own."""
    path = tmp_path / "thing"
    path.mkdir() if request.param == "folder" else path.write_bytes(b"")
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(path, ME, ME)
    return path


@as_root
@pytest.mark.parametrize(
    ("mode", "why"), [(0o644, ""), (0o755, ""), (0o666, "everybody"), (0o646, "everybody"), (0o664, "")]
)
def test_the_mode_counts(thing, users, mode, why):
    os.chmod(thing, mode)
    assert why in doubt(thing, folder=thing.is_dir())
    assert bool(why) == bool(doubt(thing, folder=thing.is_dir()))


@as_root
def test_only_oneself_and_root_are_trusted(thing, users):
    is_folder = thing.is_dir()
    os.chmod(thing, 0o600)
    os.chown(thing, 0, 0)
    assert not doubt(thing, folder=is_folder)
    os.chown(thing, ME + 1, ME)
    assert f"user {ME + 1}" in doubt(thing, folder=is_folder)


@as_root
def test_a_group_of_others_is_not_trusted(thing, users):
    os.chown(thing, ME, ME + 1)
    os.chmod(thing, 0o664)
    assert f"group {ME + 1} may write it" in doubt(thing, folder=thing.is_dir())
    os.chmod(thing, 0o644)
    assert not doubt(thing, folder=thing.is_dir())


@as_root
@pytest.mark.parametrize("how", ["member", "primary group", "name"])
def test_ones_own_group_counts_only_without_other_members(thing, users, how):
    os.chmod(thing, 0o664)
    if how == "member":
        users.groups[ME].gr_mem += ["me", "mallory", "root"]
    elif how == "primary group":
        users.known.append(types.SimpleNamespace(pw_name="mallory", pw_uid=ME + 1, pw_gid=ME))
    else:  # whose members a directory service does not list
        users.groups[ME].gr_name = "staff"
    why = doubt(thing, folder=thing.is_dir())
    assert "may write it" in why
    assert ("mallory" in why) == (how != "name")


@as_root
@pytest.mark.parametrize(
    ("entry", "mask", "why"),
    [
        ((USER, 6, ME + 1), 6, f"user {ME + 1}"),
        ((USER, 6, ME + 1), 4, ""),  # the mask takes it away
        ((USER, 4, ME + 1), 6, ""),
        ((USER, 6, ME), 6, ""),
        ((USER, 6, 0), 6, ""),
        ((GROUP, 6, ME + 1), 6, f"group {ME + 1}"),
        ((GROUP, 4, ME + 1), 6, ""),
        ((GROUP, 6, ME), 6, ""),
    ],
)
def test_access_lists_count(thing, users, entry, mask, why):
    set_acl(thing, entry, mask=mask)
    found = doubt(thing, folder=thing.is_dir())
    assert why in found
    assert bool(found) == bool(why)


def test_the_sticky_bit_is_understood(tmp_path):
    os.chmod(tmp_path, 0o1777)
    assert is_shared(os.stat(tmp_path))
    assert not doubt(tmp_path, os.geteuid(), folder=True)
    os.chmod(tmp_path, 0o777)
    assert not is_shared(os.stat(tmp_path))
    assert "everybody may write it" in doubt(tmp_path, os.geteuid(), folder=True)
    os.chmod(tmp_path, 0o1755)
    assert not is_shared(os.stat(tmp_path))


def test_a_folder_that_anybody_may_replace_is_told(tmp_path):
    (tmp_path / "open/below").mkdir(parents=True)
    assert not doubt_above(str(tmp_path / "open/below"))
    os.chmod(tmp_path / "open", 0o777)
    assert str(tmp_path / "open") in doubt_above(str(tmp_path / "open/below/deep"))
    assert not doubt_above(str(tmp_path / "open"))  # that is looked at by its descriptor
    os.chmod(tmp_path / "open", 0o1777)
    assert not doubt_above(str(tmp_path / "open/below"))


@pytest.mark.parametrize(
    ("folder", "names", "trusted"),
    [(0o755, 2, True), (0o777, 1, False), (0o1777, 1, True), (0o1777, 2, False)],
)
def test_a_file_and_the_folder_of_its_path_are_looked_at(tmp_path, folder, names, trusted):
    path = tmp_path / "here" / "file"
    path.parent.mkdir()
    path.write_bytes(b"")
    path.chmod(0o600)
    if names == 2:
        os.link(path, path.parent / "other")
    path.parent.chmod(folder)
    with open(path, "rb") as file:
        if trusted:
            check_trust(file.fileno(), "it", str(path))
        else:
            with pytest.raises(UntrustedStoreError, match="trust=True"):
                check_trust(file.fileno(), "it", str(path))


def test_the_descriptor_counts_not_what_lies_at_the_path_now(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"theirs")
    path.chmod(0o666)
    with open(path, "rb") as file:
        path.unlink()
        path.write_bytes(b"mine")
        path.chmod(0o600)
        with pytest.raises(UntrustedStoreError, match="everybody"):
            check_trust(file.fileno(), "it", str(path))
