"""What others put into a folder, and where they would lead a store: out of it, or nowhere."""

import os
import pickle
import shutil

import pytest
from tests.unit._files_support import mess_up, mode_of, outcome, run_python

from holdall import (
    ITEM_NOT_AVAILABLE,
    FileDirStore,
    InvalidKeyError,
    StoreUnavailableError,
    UntrustedStoreError,
    ZipStore,
)
from holdall.conditional import ANY_ETAG
from holdall.persisters.files import FilesPersister
from processes._support import leftovers, tree

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


# ---------------------------------------------------------------------- foreign files


@pytest.fixture
def messy(path, tmp_path):
    mess_up(path, tmp_path / "outside")
    return path


# Keys of what is no plain file, or hidden.
STRANGE = ["link", "linked/secret", "dangling", "loop", "pipe", "folder", "socket", ".hidden", ".git/x"]


@pytest.mark.timeout(100)
def test_foreign_files_never_break_iteration(messy):
    store = FileDirStore(messy)
    ours = {"ok": 1, "sub/ok": 2}
    extra = set(store) - set(ours)
    assert {"ok", "sub/ok"} <= set(store)
    assert not extra & set(STRANGE)
    for key in extra:  # other programs' files, whose names are what the codec would have made
        assert os.path.isfile(store.file_of(key))
        assert not os.path.islink(store.file_of(key))
        assert store[key] == 7
    assert len(store) == len(list(store)) == len(dict(store.items()))
    assert set(store.newest_keys()) == set(store)
    assert store.head()[0] in store
    assert store.random_key() in store
    assert repr(store)


@pytest.mark.timeout(100)
@pytest.mark.parametrize("key", STRANGE)
def test_what_is_no_plain_file_is_no_item(messy, key):
    store = FileDirStore(messy)
    assert key not in store
    assert store.get(key, "nothing") == "nothing"
    assert outcome(lambda: store.pop(key, "nothing")) in {"nothing", InvalidKeyError}
    assert outcome(lambda: store.discard(key)) in {False, InvalidKeyError}
    with pytest.raises(KeyError):
        store[key]
    with pytest.raises(KeyError):
        store.etag(key)
    with pytest.raises(KeyError):
        del store[key]


@pytest.mark.timeout(100)
def test_the_persister_is_no_less_careful(messy):
    """Also with hidden files, and without a codec that sorts names out."""
    place = FilesPersister(messy)
    assert {"ok.json", "sub/ok.json", ".git/x.json", ".hidden.json", "no-suffix"} <= set(place)
    assert not {
        name for name in place if name.startswith((".holdall", "link", "pipe", "socket", "folder", "loop"))
    }
    for id in place:
        assert place[id] in {b"1", b"2", b"7"}
        assert place.stat(id).size == 1
    ids = ["link.json", "linked/secret.json", "pipe.json", "folder.json", "socket.json", "dangling.json"]
    for id in [*ids, ".", "..", "", "sub", "sub/", "/etc/passwd", "sub/../ok.json", "../outside/secret.json"]:
        assert id not in place
        for read in (place.__getitem__, place.stat, place.read, place.reader, place.remove):
            with pytest.raises(KeyError):
                read(id)


@pytest.mark.timeout(100)
def test_writing_where_a_link_or_a_pipe_stands_is_refused(messy, tmp_path):
    store = FileDirStore(messy)
    for key in ["link", "dangling", "pipe", "socket", "loop"]:
        with pytest.raises(StoreUnavailableError, match="no file"):
            store[key] = "mine"
        assert key not in store
    assert leftovers(messy) == set()
    assert (tmp_path / "outside/secret.json").read_text() == '"secret"'
    assert not (messy / "nowhere").exists()


@pytest.mark.timeout(100)
def test_writing_where_a_folder_stands_is_refused(messy):
    store = FileDirStore(messy)
    with pytest.raises(StoreUnavailableError) as caught:
        store["folder"] = 1
    assert "folder" in str(caught.value)
    assert str(messy) in str(caught.value)
    assert leftovers(messy) == set()
    assert (messy / "folder.json").is_dir()


def test_unreadable_files_do_not_break_iteration(reachable):
    messy = reachable / "store"
    mess_up(messy, reachable / "outside")
    (messy / "unreadable.json").write_text("1")
    for name in (messy, messy / "sub", messy / "ok.json", messy / "sub/ok.json"):
        os.chmod(name, mode_of(name) | 0o555)
    os.chmod(messy / "unreadable.json", 0)
    code = """
import os, sys
from holdall import FileDirStore, StoreUnavailableError
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
store = FileDirStore(sys.argv[1], read_only=True)
keys = set(store)
assert {"ok", "sub/ok", "unreadable"} <= keys, keys
assert len(store) == len(keys)
assert store["ok"] == 1
try:
    store["unreadable"]
except StoreUnavailableError as error:
    assert error.errno == 13 and "unreadable" in str(error), error
else:
    raise AssertionError("it was read")
print("done")
"""
    assert run_python(code, messy).strip() == "done"


# ---------------------------------------------------------------------- nothing outside the root


ESCAPES = [
    "..",
    ".",
    "",
    "../evil",
    "a/../../evil",
    "/tmp/evil",
    "//evil",
    "a//b",
    "a/./b",
    "./a",
    "~/evil",
    "a\0b",
    "..\\evil",
    "\udcff/../evil",
    ".holdall/store",
    ".holdall",
    "nested/.holdall/x",
]


@pytest.mark.parametrize("key", ESCAPES)
@pytest.mark.parametrize("hidden", [False, True])
def test_no_key_reaches_outside_or_into_the_control_folder(path, key, hidden):
    store = FileDirStore(path, serializer="json", hidden=hidden)
    store["ok"] = 1
    record = (path / ".holdall/store.json").read_bytes()
    before = tree(path.parent).keys() - tree(path).keys()
    try:
        store[key] = "new"
    except InvalidKeyError:
        assert key not in store
    else:
        assert store[key] == "new"
        assert key in set(store)
        assert os.path.realpath(store.file_of(key)).startswith(str(path) + os.sep)
        del store[key]
        assert key not in store
    assert tree(path.parent).keys() - tree(path).keys() == before
    assert (path / ".holdall/store.json").read_bytes() == record
    assert leftovers(path) == set()
    assert dict(store.items()) == {"ok": 1}


@pytest.mark.parametrize(
    "id",
    [
        "..",
        ".",
        "",
        "../evil",
        "a/../../evil",
        "/evil",
        "a//b",
        "a/",
        "a\0b",
        ".holdall/evil",
        ".holdall",
        "b/.holdall",
    ],
)
def test_no_id_reaches_outside_or_into_the_control_folder(path, id):
    place = FilesPersister(path)
    place["ok"] = b"1"
    before = set(tree(path.parent)) - {os.fsencode(path / "a")}
    for attempt in (
        lambda: place.put(id, b"evil"),
        lambda: place.write(id, b"evil"),
        lambda: _stream(place, id),
    ):
        with pytest.raises(InvalidKeyError):
            attempt()
    assert set(tree(path.parent)) - {os.fsencode(path / "a"), os.fsencode(path / "a/.")} <= before
    assert id not in place
    assert list(place) == ["ok"]
    assert leftovers(path) == set()


def _stream(place, id):
    with place.writer(id) as file:
        file.write(b"evil")


@pytest.mark.parametrize("depth", ["sub", "sub/deeper"])
def test_a_folder_swapped_for_a_link_is_not_followed(path, tmp_path, depth):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.json").write_text('"secret"')
    store = FileDirStore(path, serializer="json")
    key = f"{depth}/x"
    store[key] = "mine"
    shutil.rmtree(path / depth)
    os.symlink(outside, path / depth)
    before = tree(outside)
    assert key not in store
    assert store.get(key) is None
    assert list(store) == []
    assert list(store.get_subdict("sub")) == []
    with pytest.raises(KeyError):
        del store[key]
    for new in (key, f"{depth}/new", f"{depth}/down/new"):
        try:
            store[new] = "mine"
        except StoreUnavailableError:
            assert new not in store
        else:
            assert store[new] == "mine"
    assert tree(outside) == before
    assert leftovers(path) == set()


def test_a_control_folder_that_is_a_link_is_not_followed(path, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    path.mkdir()
    os.symlink(outside, path / ".holdall")
    store = FileDirStore(path, serializer="json")
    with pytest.raises(StoreUnavailableError):
        store["x"] = 1
    store.close()
    assert os.listdir(outside) == []


def test_a_link_in_a_workspace_of_the_dead_is_removed_not_followed(path, tmp_path):
    FileDirStore(path, serializer="json")["x"] = 1
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    workspace = path / ".holdall/w-1-0-dead"
    workspace.mkdir()
    os.symlink(precious, workspace / "0")
    os.symlink(tmp_path, path / ".holdall/w-1-0-link")
    with FileDirStore(path) as store:
        store["x"] = 2
    assert not workspace.exists()
    assert precious.read_text() == "keep me"


def test_a_root_that_is_a_link_is_where_it_leads(path, tmp_path):
    path.mkdir()
    os.symlink(path, tmp_path / "link")
    FileDirStore(tmp_path / "link", serializer="json")["x"] = 1
    assert FileDirStore(path)["x"] == 1


# ---------------------------------------------------------------------- trust


def make_foreign(where, how):
    """Make a file one that another user could have written."""
    match how:
        case "owner":
            os.chown(where, 12345, -1)
        case "everybody":
            os.chmod(where, 0o666)
        case "group":
            os.chown(where, -1, 12345)
            os.chmod(where, 0o664)


@pytest.mark.parametrize(
    "how",
    [pytest.param("owner", marks=as_root), "everybody", pytest.param("group", marks=as_root)],
)
def test_pickles_that_others_could_have_written_are_not_loaded(path, how):
    store = FileDirStore(path)
    store["a/x"] = Canary(path.parent / "canary")
    make_foreign(store.file_of("a/x"), how)
    for action in [
        lambda: store["a/x"],
        lambda: store.get("a/x"),
        lambda: store.pop("a/x"),
        lambda: dict(store.items()),
        lambda: list(store.values()),
        lambda: store.transform_item("a/x", transformer=lambda value: value),
        lambda: FileDirStore(path)["a/x"],
        lambda: pickle.loads(pickle.dumps(store))["a/x"],
        lambda: FileDirStore(path).setdefault("a/x", 1),
    ]:
        with pytest.raises(UntrustedStoreError) as caught:
            action()
        assert isinstance(caught.value, PermissionError)
        assert "a/x" in str(caught.value)
        assert str(path) in str(caught.value)
        assert "trust=True" in str(caught.value)
    assert not (path.parent / "canary").exists()
    assert list(store) == ["a/x"]
    assert "a/x" in store
    assert FileDirStore(path, trust=True)["a/x"] == "loaded"
    assert (path.parent / "canary").exists()


@pytest.mark.parametrize("size", [10, 3 << 20])
@as_root
def test_large_pickles_are_inspected_too(path, size):
    store = FileDirStore(path)
    store["x"] = b"x" * size
    os.chown(store.file_of("x"), 12345, -1)
    with pytest.raises(UntrustedStoreError):
        store["x"]


class Canary:
    """Something whose loading leaves a trace."""

    def __init__(self, where):
        self.where = where

    def __reduce__(self):
        return touch, (str(self.where),)


def touch(where):
    with open(where, "w"):
        return "loaded"


@pytest.mark.parametrize("how", ["owner", "everybody", "group"])
def test_data_that_run_nothing_are_read_from_anybody(path, how):
    if how != "everybody" and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    store = FileDirStore(path, serializer="json")
    store["a/x"] = 1
    make_foreign(store.file_of("a/x"), how)
    assert store["a/x"] == 1


@as_root
def test_a_group_of_ones_own_may_write(path):
    store = FileDirStore(path)
    store["x"] = 1
    os.chmod(store.file_of("x"), 0o664)
    assert store["x"] == 1


# ---------------------------------------------------------------------- deleted behind the back


@pytest.mark.parametrize("again", ["nothing", "folder", "store"])
def test_a_folder_deleted_behind_the_back_is_an_empty_one(path, again):
    store = FileDirStore(path, serializer="json")
    store.update({"x": 1, "a/b/c": 2})
    shutil.rmtree(path)
    if again == "folder":
        path.mkdir()
    elif again == "store":
        FileDirStore(path, serializer="json")["x"] = 3
    left = {"x": 3} if again == "store" else {}
    assert list(store) == list(left)
    assert len(store) == len(left)
    assert ("x" in store) == ("x" in left)
    assert store.get("x") == left.get("x")
    assert "a/b/c" not in store
    assert list(store.get_subdict("a")) == []
    assert dict(store.items()) == left
    with pytest.raises(KeyError):
        del store["a/b/c"]
    store["a/b/c"] = 4
    store["y"] = 5
    assert dict(store.items()) == {**left, "a/b/c": 4, "y": 5}
    assert dict(FileDirStore(path).items()) == {**left, "a/b/c": 4, "y": 5}
    assert (path / ".holdall/store.json").exists()


ACTIONS = {
    "list": list,
    "len": len,
    "in": lambda store: "x" in store,
    "in below": lambda store: "a/x" in store,
    "get": lambda store: store.get("x"),
    "get below": lambda store: store.get("a/x"),
    "items": lambda store: dict(store.items()),
    "newest": lambda store: list(store.newest_keys()),
    "subdict": lambda store: dict(store.get_subdict("a")),
    "discard": lambda store: store.discard("x"),
    "pop": lambda store: store.pop("x", None),
    "clear": lambda store: store.clear(),
    "repr": lambda store: bool(repr(store)) and None,
}


@pytest.mark.parametrize("action", ACTIONS)
def test_each_first_look_at_a_deleted_folder_finds_nothing(path, action):
    store = FileDirStore(path, serializer="json")
    store.update({"x": 1, "a/x": 2})
    shutil.rmtree(path)
    assert not ACTIONS[action](store)
    assert not path.exists()


@pytest.mark.parametrize("action", ["put", "write", "update", "setdefault", "transform", "stream"])
def test_each_first_write_to_a_deleted_folder_makes_it_anew(path, action):
    store = FileDirStore(path, serializer="json")
    store.update({"x": 1, "a/x": 2})
    shutil.rmtree(path)
    match action:
        case "put":
            store["a/x"] = 3
        case "write":
            store.set_item_if("a/x", value=3, condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE)
        case "update":
            store.update({"a/x": 3})
        case "setdefault":
            store.setdefault("a/x", 3)
        case "transform":
            store.transform_item("a/x", transformer=lambda value: 3 if value is ITEM_NOT_AVAILABLE else 0)
        case "stream":
            with store.persister.writer("a/x.json") as file:
                file.write(b"3")
    assert dict(store.items()) == {"a/x": 3}
    assert dict(FileDirStore(path).items()) == {"a/x": 3}


def test_a_nested_folder_deleted_behind_the_back_is_made_anew(path):
    store = FileDirStore(path, serializer="json")
    store["a/b/c"] = 1
    shutil.rmtree(path / "a")
    assert "a/b/c" not in store
    assert list(store) == []
    store["a/b/c"] = 2
    assert store["a/b/c"] == 2


def test_a_control_folder_deleted_behind_the_back_is_made_anew(path):
    store = FileDirStore(path, serializer="json")
    store["x"] = 1
    shutil.rmtree(path / ".holdall")
    assert store["x"] == 1
    store["y"] = 2
    store.transform_item("x", transformer=lambda value: value + 1)
    assert dict(store.items()) == {"x": 2, "y": 2}
    assert (path / ".holdall/store.json").exists()


def test_empty_folders_are_pruned_and_others_stay(path):
    store = FileDirStore(path, serializer="json")
    store.update({"a/b/c/d": 1, "a/x": 2, "e/f": 3, "e/g": 4})
    (path / "e/foreign.txt").write_text("keep me")
    del store["a/b/c/d"]
    assert sorted(os.listdir(path / "a")) == ["x.json"]
    store.discard("a/x")
    assert not (path / "a").exists()
    store.pop("e/f")
    store.pop("e/g")
    assert os.listdir(path / "e") == ["foreign.txt"]


def test_keys_are_never_commands_or_ways_out(tmp_path):
    archive = ZipStore(tmp_path / "a.zip")
    for key in ("x; touch y", "$(touch y)", "a b"):
        archive[key] = b"1"
        archive[key] = b"2"
        del archive[key]
    assert os.listdir(tmp_path) == ["a.zip"]
    root = tmp_path / "a[1]"
    files = FileDirStore(root, serializer="text", suffix=".txt")
    for key in ("../evil", "/etc/evil", "..", "a/../../evil"):
        files[key] = "in here"
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "a[1]"]
    assert len(files) == len(list(files)) == 4
    files.clear()
    assert os.listdir(tmp_path / "a[1]") == [".holdall"]


def test_a_loop_of_links_lists_no_ghosts_and_deleting_keeps_no_copy(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    s = FileDirStore(tmp_path, serializer="text", suffix=".txt")
    assert list(s) == ["a"]
    del s["a"]
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if name.startswith("a")]


def test_what_is_hidden_is_hidden_from_every_verb(tmp_path):
    (tmp_path / ".hidden").write_text("x")
    s = FileDirStore(tmp_path, serializer="text", suffix="")
    assert ".hidden" not in s
    assert s.get(".hidden") is None
    assert not s
    s[".hidden"] = "y"
    assert list(s) == [".hidden"]
    assert (tmp_path / ".hidden").read_text() == "x"
