"""The record of a folder, errors that are certain, descriptors, and processes that fork."""

import copy
import json
import os
import pickle
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from tests.unit._files_support import mess_up, outcome, run_python

from holdall import (
    CorruptValueError,
    FileDirStore,
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    SerializationError,
)
from holdall.conditional import ANY_ETAG, ETAG_IS_THE_SAME
from holdall.keys import PathKeys, Suffix
from holdall.persisters.files import FilesPersister
from open_files import open_below
from processes._support import PYTHON, child_environment, control, files_below, leftovers, tree


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


@contextmanager
def no_pauses():
    """See that nothing is tried again after a pause."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: pytest.fail(f"it slept for {seconds} s"))
        yield


@pytest.fixture
def messy(path, tmp_path):
    mess_up(path, tmp_path / "outside")
    return path


# ---------------------------------------------------------------------- the record


def test_the_record_tells_with_what_a_folder_was_made(path):
    FileDirStore(path, serializer="json")["x"] = 1
    record = json.loads((path / ".holdall/store.json").read_text())
    assert record["serializer"] == "json"
    assert "PathKeys" in record["keys"]


@pytest.mark.parametrize("other", [{"serializer": "pickle"}, {"serializer": "text"}])
def test_reopening_with_another_serializer_is_refused(path, other):
    FileDirStore(path, serializer="json")["x"] = 1
    with pytest.raises(MismatchError) as caught:
        FileDirStore(path, **other)
    for word in ("json", other["serializer"], "serializer", str(path)):
        assert word in str(caught.value)


@pytest.mark.parametrize("keys", [tuple, PathKeys(), PathKeys(suffix=".json", fold_case=True)])
def test_reopening_with_another_key_codec_is_refused(path, keys):
    FileDirStore(path, serializer="json")["x"] = 1
    with pytest.raises(MismatchError) as caught:
        FileDirStore(path, serializer="json", keys=keys)
    for word in ("PathKeys(suffix='.json')", "keys", str(path)):
        assert word in str(caught.value)


def test_a_refused_reopening_changes_nothing_and_leaks_nothing(path):
    with FileDirStore(path, serializer="json") as store:
        store["x"] = 1
    before, descriptors = tree(path), open_below(path)
    for _ in range(5):
        with pytest.raises(MismatchError):
            FileDirStore(path, serializer="pickle")
    assert tree(path) == before
    assert open_below(path) == descriptors


def test_a_mismatch_found_late_is_refused_every_time(path):
    """Two stores are opened before the folder exists: the second to write is refused, and stays so."""
    first = FileDirStore(path, serializer="json")
    second = FileDirStore(path, serializer="pickle")
    first["x"] = 1
    for attempt in [
        lambda: second.__setitem__("y", 1),
        lambda: second.update(y=1),
        lambda: second.setdefault("y", 1),
    ]:
        for _ in range(2):
            with pytest.raises(MismatchError):
                attempt()
    assert files_below(path) - leftovers_in(path) == {"x.json", ".holdall/store.json"}
    assert leftovers(path) == set()


def leftovers_in(path):
    return {os.path.join(".holdall", name) for name in leftovers(path)}


@pytest.mark.parametrize(
    ("serializer", "value"),
    [("json", [1]), ("text", "é"), ("pickle", {1}), ("bytes", b"x"), ("npz", {})],
)
def test_the_recorded_serializer_is_adopted(path, serializer, value):
    if serializer == "npz":
        pytest.importorskip("numpy")
    with FileDirStore(path, serializer=serializer) as store:
        store["x"] = value
    again = FileDirStore(path)
    assert again.serializer == store.serializer
    assert again["x"] == value
    assert again.file_of("x") == store.file_of("x")


def test_a_serializer_object_matches_its_name(path):
    from holdall.serializers import get_serializer

    FileDirStore(path, serializer=get_serializer("json"))["x"] = 1
    assert FileDirStore(path, serializer="json")["x"] == 1
    assert FileDirStore(path)["x"] == 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b'{"serializer": "json"}',
        b"\0" * 100,
        b"[" * 100_000,
    ],
)
def test_a_damaged_record_is_corrupt_not_absent(path, text):
    with FileDirStore(path, serializer="json") as store:
        store["x"] = 1
    (path / ".holdall/store.json").write_bytes(text)
    for options in ({}, {"serializer": "json"}, {"serializer": "pickle"}, {"read_only": True}):
        with pytest.raises(CorruptValueError) as caught:
            FileDirStore(path, **options)
        assert str(path / ".holdall/store.json") in str(caught.value)
    assert (path / ".holdall/store.json").read_bytes() == text
    assert (path / "x.json").read_text() == "1"


def test_a_record_of_a_newer_format_is_refused_by_name(path):
    FileDirStore(path, serializer="json")["x"] = 1
    (path / ".holdall/store.json").write_text('{"holdall": 99, "serializer": "future"}')
    for options in ({}, {"serializer": "json"}):
        with pytest.raises(MismatchError) as caught:
            FileDirStore(path, **options)
        assert "99" in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "dangling"])
def test_a_record_that_is_no_file_is_an_error_of_ours(path, tmp_path, kind):
    with FileDirStore(path, serializer="json") as store:
        store["x"] = 1
    record = path / ".holdall/store.json"
    os.rename(record, tmp_path / "elsewhere")
    match kind:
        case "fifo":
            os.mkfifo(record)
        case "folder":
            record.mkdir()
        case "link":
            os.symlink(tmp_path / "elsewhere", record)
        case "dangling":
            os.symlink("nowhere", record)
    code = """
import os, sys
from holdall import FileDirStore, HoldallError
before = len(os.listdir("/proc/self/fd"))
for options in {}, {"serializer": "json"}:
    try:
        FileDirStore(sys.argv[1], **options)
    except HoldallError as error:
        assert sys.argv[1] in str(error), error
    else:
        raise AssertionError("it was opened")
"""
    run_python(code, path)


def test_a_record_is_kept_when_a_second_store_writes(path):
    FileDirStore(path, serializer="json")["x"] = 1
    before = (path / ".holdall/store.json").read_bytes()
    FileDirStore(path)["y"] = 1
    assert (path / ".holdall/store.json").read_bytes() == before


# ---------------------------------------------------------------------- errors that are certain are quick


def content(where):
    with open(where, "rb") as file:
        return file.read()


@pytest.mark.parametrize("nested", ["x", "deep/er/x"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "longer", "missing class"])
@pytest.mark.parametrize("size", [10, 3 << 20])
def test_a_damaged_pickle_is_corrupt_at_once(path, nested, damage, size):
    store = FileDirStore(path)
    store[nested] = ["x" * size, {"a": 1}]
    where = store.file_of(nested)
    data = content(where)
    expected = CorruptValueError
    match damage:
        case "truncated":
            data = data[:-1]
        case "garbage":
            data = b"\x93NOT A PICKLE" * (len(data) // 10)
        case "empty":
            data = b""
        case "longer":
            data += b"x"
        case "missing class":
            data = b"cno_such_module\nThing\n."
            expected = SerializationError
    with open(where, "wb") as file:
        file.write(data)
    for action in [
        lambda: store[nested],
        lambda: store.get(nested, 1),
        lambda: store.setdefault(nested, 1),
        lambda: store.pop(nested, 1),
    ]:
        with no_pauses(), pytest.raises(expected) as caught:
            action()
        assert not isinstance(caught.value, KeyError)
        assert repr(nested) in str(caught.value)
        assert str(path) in str(caught.value)
    assert nested in store
    assert content(where) == data
    store[nested] = "repaired"
    assert store[nested] == "repaired"


@pytest.mark.parametrize(
    ("serializer", "old", "bad"),
    [
        ("pickle", 1, lambda: None),
        ("json", 1, {1, 2}),
        ("json", 1, float("nan")),
        ("text", "a", 1),
        ("bytes", b"a", "text"),
    ],
)
def test_a_value_that_cannot_be_written_leaves_the_old_one(path, serializer, old, bad):
    store = FileDirStore(path, serializer=serializer)
    store["a/x"] = old
    etag = store.etag("a/x")
    before = files_below(path)
    for attempt in [
        lambda: store.__setitem__("a/x", bad),
        lambda: store.__setitem__("new/x", bad),
        lambda: store.setdefault("new/x", bad),
        lambda: store.update({"a/x": bad}),
        lambda: store.transform_item("a/x", transformer=lambda _: bad),
        lambda: store.set_item_if("a/x", value=bad, condition=ANY_ETAG, expected_etag=etag),
    ]:
        with no_pauses(), pytest.raises(SerializationError):
            attempt()
    assert store["a/x"] == old
    assert store.etag("a/x") == etag
    assert files_below(path) == before
    assert not (path / "new").exists()


def test_a_value_that_fails_half_way_leaves_nothing(path):
    class Fails:
        def __reduce__(self):
            raise RuntimeError("no")

    store = FileDirStore(path)
    store["x"] = "old"
    with pytest.raises(SerializationError):
        store["x"] = [b"x" * 300_000, Fails()]
    assert store["x"] == "old"
    assert leftovers(path) == set()


def test_a_stream_that_fails_half_way_leaves_nothing(path):
    place = FilesPersister(path)
    place["x"] = b"old"

    def fail():
        with place.writer("x") as file:
            file.write(b"new" * 10_000)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert place["x"] == b"old"
    assert leftovers(path) == set()
    with place.writer("x") as file:
        file.write(b"new")
        assert place["x"] == b"old"
    with place.reader("x") as file:
        assert file.read() == b"new"


# ---------------------------------------------------------------------- descriptors


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="there is no /proc")


def use_in_all_ways(store, key):
    """Do what succeeds and what fails, at places that are sound and at those that are not."""
    for action in [
        lambda: store.__setitem__(key, 1),
        lambda: store[key],
        lambda: store[key + "/absent"],
        lambda: store["link"],
        lambda: store["pipe"],
        lambda: store["folder"],
        lambda: store["linked/secret"],
        lambda: store["corrupt"],
        lambda: store.__setitem__("folder", 1),
        lambda: store.__setitem__("linked/x", 1),
        lambda: store.__setitem__(key, {1, 2}),
        lambda: store.etag(key),
        lambda: store.transform_item(key, transformer=lambda value: value),
        lambda: store.set_item_if(key, value=1, condition=ETAG_IS_THE_SAME, expected_etag="stale"),
        lambda: store.persister.write(f"{key}.json", b"1", "stale"),
        lambda: list(store),
        lambda: next(iter(store.items())),
        lambda: store.pop(key),
        lambda: store.discard(key),
    ]:
        outcome(action)


@needs_proc
def test_operations_leak_no_descriptors(messy):
    (messy / "corrupt.json").write_text("{")
    store = FileDirStore(messy)
    store["x"] = 1
    before = open_below(messy)
    for turn in range(60):
        use_in_all_ways(store, f"{'deep/' * (turn % 4)}k{turn % 5}")
    assert open_below(messy) == before
    store.close()
    store.close()
    assert open_below(messy) == []
    assert store["ok"] == 1


@needs_proc
@pytest.mark.parametrize("serializer", ["pickle", "npy"])
def test_large_values_leak_no_descriptors(path, serializer):
    np = pytest.importorskip("numpy")
    store = FileDirStore(path, serializer=serializer)
    value = np.zeros(1 << 18)
    store["x"] = value
    before = open_below(path)
    for _ in range(20):
        assert store["x"].nbytes == value.nbytes
    os.truncate(store.file_of("x"), 1 << 20)
    for _ in range(20):
        with pytest.raises(CorruptValueError):
            store["x"]
    assert open_below(path) == before


@needs_proc
def test_stores_that_are_let_go_give_their_descriptors_back(path):
    FileDirStore(path, serializer="json")["x"] = 1
    before = open_below(path)
    for turn in range(20):
        store = FileDirStore(path)
        store["x"] = turn
        assert store["x"] == turn
        del store
    assert open_below(path) == before
    assert control(path) == {"store.json"}


def test_a_closed_store_opens_again_when_used(path):
    store = FileDirStore(path, serializer="json")
    store["x"] = 1
    store.close()
    assert control(path) == {"store.json"}
    assert store["x"] == 1
    store.close()
    assert list(store) == ["x"]
    store.close()
    store["a/x"] = 2
    with store:
        assert store.pop("a/x") == 2
    assert control(path) == {"store.json"}


# ---------------------------------------------------------------------- fork, pickle, exit


FORK = """
import os, sys
from holdall import FileDirStore
store = FileDirStore(sys.argv[1], serializer="json")
store["x"] = "parent"
view = store.get_subdict("a")
child = os.fork()
if child == 0:
    assert store["x"] == "parent"
    store["x"] = "child"
    store["a/y"] = 1
    assert view["y"] == 1
    del store
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert store["x"] == "child"
store["x"] = "parent again"
assert view["y"] == 1
print(len(os.listdir(os.path.join(store.path, ".holdall"))))
"""


def test_a_fork_shares_the_store_and_not_its_workspace(path):
    assert run_python(FORK, path).strip() == "3"  # the record, the parent's and the dead child's
    with FileDirStore(path) as store:
        assert dict(store.items()) == {"x": "parent again", "a/y": 1}
    assert control(path) == {"store.json"}


def test_a_fork_that_exits_properly_leaves_the_workspace_of_its_parent(path):
    code = FORK.replace("del store\n    os._exit(0)", "store.close(); sys.exit(0)")
    assert run_python(code, path).strip() == "2"


@pytest.mark.parametrize(
    "ending",
    ["", "sys.exit(3)", "raise SystemExit(3)", "1 / 0", "store = None", "store.loop = store; del store"],
)
def test_the_end_of_the_interpreter_leaves_no_workspace(path, ending):
    code = f"""
import sys
from holdall import FileDirStore
store = FileDirStore(sys.argv[1])
store["a/x"] = 1
{ending}
"""
    subprocess.run(
        [PYTHON, "-c", code, str(path)],
        env=child_environment(),
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert control(path) == {"store.json"}
    assert FileDirStore(path)["a/x"] == 1


@pytest.mark.parametrize("clone", [lambda store: pickle.loads(pickle.dumps(store)), copy.copy, copy.deepcopy])
def test_a_copied_store_is_another_handle_of_the_same_place(path, clone):
    store = FileDirStore(path, serializer="json", hidden=True, max_levels=2, durability="power")
    store["x"] = 1
    other = clone(store)
    assert type(other) is FileDirStore
    assert other.get_params() == store.get_params()
    assert other["x"] == 1
    other["y/z"] = 2
    assert store["y/z"] == 2
    with pytest.raises(InvalidKeyError):
        other["a/b/c"] = 1
    for options in ("durability", "guard", "hidden", "max_levels", "read_only", "record"):
        assert getattr(other.persister, options) == getattr(store.persister, options)


def test_a_pickled_temporary_store_is_the_same_place(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = FileDirStore()
    other = pickle.loads(pickle.dumps(store))
    store["x"] = 1
    assert other["x"] == 1
    assert other.path == store.path


def test_options_that_are_not_ours_are_refused(path):
    for options in ({"durability": "eternal"}, {"max_levels": 0}, {"serializer": "no such"}):
        with pytest.raises(InvalidArgumentError):
            FileDirStore(path, **options)
    with pytest.raises(HoldallError):
        FileDirStore(os.fsencode(path))
    assert not path.exists()
    assert sys.getfilesystemencoding() == "utf-8"


def test_what_is_hidden_is_neither_listed_nor_found(tmp_path):
    (tmp_path / "deep" / ".git").mkdir(parents=True)
    for name in (".hidden", "deep/.env", "deep/.git/config", "seen"):
        (tmp_path / name).write_text("x")
    store = FileDirStore(tmp_path, serializer="text", keys=Suffix(""))
    shown = FileDirStore(tmp_path, serializer="text", keys=Suffix(""), hidden=True)
    assert list(store) == ["seen"]
    assert sorted(shown) == [".hidden", "deep/.env", "deep/.git/config", "seen"]
    for name in (".hidden", "deep/.env", "deep/.git/config"):
        assert shown[name] == "x"
        assert name in shown
        assert name not in store
        for look in (store.__getitem__, store.etag, store.timestamp, store.__delitem__):
            with pytest.raises(KeyError):
                look(name)
        assert store.get(name) is None
        assert store.discard(name) is False
    assert (tmp_path / ".hidden").exists()
