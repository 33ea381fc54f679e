"""The data block of a script: its lines, what others do to them, and how it is rewritten."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdall import (
    CorruptValueError,
    MismatchError,
    ScriptStore,
    StoreFullError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.persisters.script import ScriptPersister, _format, _writing, code_of
from holdall.persisters.script._file import open_files
from holdall.persisters.script._source import find_block
from holdall.testing import HOSTILE_NAMES

MARKER = b"# === holdall data 1: kept by this script, edit above this line ===\n"
CODE = b"print('hello')\n"
V = b"18ea088e4650d2b%x"


def record(text, version=1, name=b"x"):
    return _format.line_of(name, text, V % version) + b"\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "script.py"
    path.write_bytes(CODE)
    return path


@pytest.fixture
def place(path):
    return ScriptPersister(path)


def written(path, *lines, code=CODE):
    """Put a block into a script as it might have become, and open it."""
    for handle in open_files():  # which would put back what they know
        handle.close()
    path.write_bytes(code + b"\n" + MARKER + b"".join(lines))
    return ScriptPersister(path)


# ---------------------------------------------------------------------- lines


def test_the_format_is_what_it_is(place, path):
    """A golden file: what is written today must be readable for ever."""
    place["count"] = b"3"
    place["a b"] = b"\xff"
    del place["count"]
    lines = path.read_bytes().removeprefix(CODE + b"\n" + MARKER).splitlines()
    assert [line[:-26] for line in lines] == [
        b"# count = 3 #:",
        b'# "a b" = base64 /w== #:',
        b"# count deleted #:",
    ]
    golden = b"# count = 3 #: 18ea088e4650d2ba ae3c098b"
    assert _format.parse(golden) == (b"count", b"3", b"18ea088e4650d2ba")
    assert _format.line_of(b"count", b"3", b"18ea088e4650d2ba") == golden


@given(st.text(), st.binary() | st.text(st.characters(min_codepoint=32, max_codepoint=126)).map(str.encode))
def test_every_id_and_all_data_come_back_from_one_line(id, data):
    name, text = _format.quote_name(id), _format.text_of_data(data)
    line = _format.line_of(name, text, V % 1)
    assert line.isascii()
    assert b"\n" not in line
    assert b"\r" not in line
    assert b'"""' not in line.replace(b'\\"', b"")
    assert b"'''" not in line
    found = _format.parse(line + b" \r")
    assert _format.id_of_name(found.name) == id
    assert _format.data_of_text(found.text) == data
    assert _format.size_of_text(found.text) == len(data)
    deleted = _format.parse(_format.line_of(name, None, V % 2))
    assert (_format.id_of_name(deleted.name), deleted.text) == (id, None)


@pytest.mark.parametrize("id", [*HOSTILE_NAMES, "compacted", "x deleted", "x = 1", '"', "# x", "x #: 1"])
def test_hostile_names(place, id):
    place[id] = b"1"
    place["other"] = b"2"
    place.close()
    assert dict(place) == {id: b"1", "other": b"2"}
    del place[id]
    place.close()
    assert dict(place) == {"other": b"2"}
    assert place.check() == []


@given(st.binary(max_size=60), st.integers(0, 40))
def test_a_changed_line_is_no_record(noise, at):
    line = bytearray(record(b'{"a": [1, 2, 3]}'))
    changed = bytes(line[:at] + noise + line[at + len(noise) :]).split(b"\n")[0]
    found = _format.parse(changed)
    assert found is None or changed.rstrip() + b"\n" == bytes(line)


def test_the_highest_version_holds_wherever_it_stands(path):
    place = written(path, record(b"3", 3), record(b"1", 1), record(b"2", 2), record(b"9", 5, b"y"))
    assert dict(place) == {"x": b"3", "y": b"9"}
    assert place.write("x", b"4").etag > place.stat("y").etag
    assert dict(written(path, record(None, 2), record(b"1", 1))) == {}


# ---------------------------------------------------------------------- what others do


def test_damaged_records_are_reported_and_stay(path):
    """A value that was changed by hand does not count: its checksum is that of another one."""
    line = record(b"2", 2)
    says = "changed or damaged and does not count: '# x = 3 #: .* counts is 'x' as the program stored it: 1. "
    with pytest.warns(UserWarning, match=says) as told:
        place = written(path, record(b"1", 1), line.replace(b"= 2", b"= 3"))
    assert (told[0].filename, told[0].lineno) == (str(path), 5)
    assert path.read_bytes().splitlines()[4].startswith(b"# x = 3 #: ")
    assert dict(place) == {"x": b"1"}
    assert "line 5 was a record and is changed" in place.check()[0]
    place["x"] = b"4"
    place.compact()
    assert line.replace(b"= 2", b"= 3") in path.read_bytes()
    assert record(b"1", 1) not in path.read_bytes()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            record(b"2").replace(b"= 2", b"= 3"),
            "nothing else is stored under 'x', so that its default counts",
        ),
        (record(b"2", 1, b'"a b"').replace(b"= 2", b"= 3"), "nothing else is stored under 'a b'"),
        (record(b"2", 1, b'"a\\q"').replace(b"= 2", b"= 3"), "that of another value. The line stays"),
    ],
)
def test_damaged_records_of_which_nothing_else_is_stored(path, line, says):
    with pytest.warns(UserWarning, match=says):
        assert dict(written(path, line)) == {}


def test_text_below_is_reported_and_stays(path):
    place = written(
        path, record(b"1"), b"print('below')\n", b"# a note\n", b"\n", record(b"2", 2), b"# not finish"
    )
    assert dict(place) == {"x": b"2"}
    assert [line.split(":")[0] for line in place.check()] == [
        "line 5 is no record",
        "line 6 is no record",
        "line 9 is not finished",
    ]
    place["y"] = b"3"
    place.compact()
    assert record(b"1") not in path.read_bytes()
    text = path.read_bytes()
    assert b"print('below')\n# a note\n\n" in text
    assert b"# not finish\n# y = 3" in text
    assert dict(ScriptPersister(path)) == {"x": b"2", "y": b"3"}


def wrapped(line, width):
    """Wrap a comment as formatters do."""
    import textwrap

    return b"".join(
        part.encode() + b"\n"
        for part in textwrap.wrap(line.decode()[2:], width, initial_indent="# ", subsequent_indent="# ")
    )


@pytest.mark.parametrize("width", [40, 60, 79])
@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "one two three four five six seven", "b": [1, 2, 3]}' * 9,
        b"pickle " + b"QUJD" * 300,
        b"\xff" * 200,
    ],
)
def test_wrapped_records_are_put_together(path, data, width):
    line = record(_format.text_of_data(data))
    place = written(path, record(b"1", 0), wrapped(line, width), record(b"7", 3, b"y"))
    assert dict(place) == {"x": data, "y": b"7"}
    assert place.check() == ["line 5 begins a record that was wrapped: compact() makes one line of it"]
    place.compact()
    assert line in path.read_bytes()
    assert place.check() == []
    place.close()
    assert dict(place) == {"x": data, "y": b"7"}


def test_two_blocks_are_one(path):
    """A merge of two branches that keeps both sides."""
    block = b"\n" + MARKER
    place = written(
        path, record(b"1"), record(b"old", 2, b"y"), b"print(2)\n" + block, record(b"new", 3, b"y")
    )
    assert dict(place) == {"x": b"1", "y": b"new"}
    conflict = [b"<<<<<<< ours\n", record(b"5", 2), b"=======\n", record(b"6", 3), b">>>>>>> theirs\n"]
    assert dict(written(path, *conflict)) == {"x": b"6"}


def test_a_format_of_the_future_is_refused(path):
    path.write_bytes(CODE + b"# === holdall data 2: whatever it says ===\n")
    with pytest.raises(MismatchError, match="format 2, this version of holdall knows 1"):
        ScriptPersister(path)


@pytest.mark.parametrize(
    ("source", "number"),
    [
        (CODE + MARKER, 2),
        (CODE + MARKER.replace(b"\n", b"\r\n"), 2),
        (b'"""\n' + MARKER + b'"""\n' + MARKER + b"# x\n", 4),
        (b"'''\n" + MARKER + b"'''\n", None),
        (b'x = """a"""\n' + MARKER + b"y = '''\n" + MARKER + b"'''\n", 2),
        (b"if x:\n    " + MARKER, None),
        (b"x = '\\\n" + MARKER.rstrip() + b"'\n", None),
        (b"x = '''\n" + MARKER, 2),  # no Python: the script does not start, and the data stay
    ],
)
def test_where_the_block_begins(source, number):
    begin = find_block(source, "script.py")
    assert (begin < 0 and number is None) or source.count(b"\n", 0, begin) + 1 == number
    assert code_of(source, "") == (source if number is None else source[:begin])


def test_a_file_that_is_no_script_gets_no_block(tmp_path):
    for name, text in (
        ("data.json", b"{}"),
        ("broken.py", b"def f(:\n"),
        ("open.py", b"x = '''\n"),
        ("more.py", b"x = 1\n\\\n"),
    ):
        (tmp_path / name).write_bytes(text)
        place = ScriptPersister(tmp_path / name)
        with pytest.raises(UnsupportedError):
            place["x"] = b"1"
        assert (tmp_path / name).read_bytes() == text
    (tmp_path / "tool").write_bytes(b"#!/usr/bin/python3\n")
    ScriptPersister(tmp_path / "tool")["x"] = b"1"
    with pytest.raises(UnsupportedError, match="no ordinary file"):
        ScriptPersister(os.devnull)
    with pytest.raises(StoreUnavailableError):
        ScriptPersister(tmp_path)
    with pytest.raises(StoreNotFoundError, match="create=True"):
        ScriptPersister(tmp_path / "absent.py")
    with pytest.raises(FileNotFoundError):
        ScriptStore(tmp_path / "absent.py")
    assert not (tmp_path / "absent.py").exists()
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        ScriptStore(tmp_path / "no folder" / "x.py", create=True)


# ---------------------------------------------------------------------- an editor at work


def saved(path, text, how):
    """Save as editors do: into the same file, or by another one."""
    if how == "rename":
        path.with_suffix(".new").write_bytes(text)
        path.with_suffix(".new").rename(path)
    else:
        path.write_bytes(text)


@pytest.mark.parametrize("how", ["rename", "in place"])
@pytest.mark.parametrize("look", ["write", "read"])
def test_an_editor_that_saves_undoes_nothing(place, path, how, look):
    place["kept"], place["gone"], place["count"] = b"0", b"0", b"1"
    opened = path.read_bytes()  # by the editor
    place["count"] = b"2"
    place["new"] = b"3"
    del place["gone"]
    saved(path, b"import os\n" + opened, how)
    if look == "write":
        place["later"] = b"4"
    assert place["count"] == b"2"
    place.close()
    assert path.read_bytes().startswith(b"import os\n" + opened)
    expected = {"kept": b"0", "count": b"2", "new": b"3"}
    assert dict(ScriptPersister(path)) == (expected | {"later": b"4"} if look == "write" else expected)


def test_an_editor_that_opened_the_script_before_its_first_value(place, path):
    place["x"] = b"1"
    saved(path, b"half of a line = (\n", "rename")
    place["y"] = b"2"
    text = path.read_bytes()
    assert text.startswith(b"half of a line = (\n")
    assert text.count(MARKER) == 1
    place.close()
    assert dict(place) == {"x": b"1", "y": b"2"}


def test_deletions_and_compactions_of_others_are_no_losses(place, path):
    place["x"], place["y"] = b"1", b"2"
    del place["x"]
    place["z"] = b"3"
    text = path.read_bytes()
    with open(path, "r+b") as file:  # another process, by hand
        lines = [line for line in text.splitlines(keepends=True) if b"# x" not in line]
        top = place._file.records.top
        lines.insert(3, _format.line_of_compaction(top) + b"\n")
        file.truncate()
        file.write(b"".join(lines))
        file.truncate()
    assert dict(place) == {"y": b"2", "z": b"3"}
    assert path.read_bytes() == b"".join(lines)


def test_another_script_under_the_same_name_gets_the_values(place, path):
    place["x"] = b"1"
    saved(path, b"print('deployed')\n", "rename")
    assert place["x"] == b"1"
    assert path.read_bytes().startswith(b"print('deployed')\n\n" + MARKER)


def test_a_write_into_a_file_that_is_replaced_meanwhile_is_repeated(place, path, monkeypatch):
    place["x"] = b"1"
    text = path.read_bytes()
    write = os.write

    def write_too_late(fd, data):
        written = write(fd, data)
        monkeypatch.undo()
        saved(path, b"import os\n" + text, "rename")
        return written

    monkeypatch.setattr(_writing, "os_write", write_too_late)
    place["x"] = b"2"
    assert ScriptPersister(path)["x"] == b"2"
    place.close()
    assert place["x"] == b"2"
    assert path.read_bytes().startswith(b"import os\n")


# ---------------------------------------------------------------------- rewriting


def many(place, number=3000):
    for n in range(number):
        place["n"] = b"%d" % n


def test_the_script_is_rewritten_when_most_of_it_is_garbage(place, path):
    os.chmod(path, 0o640)
    if not os.geteuid():
        os.chown(path, 1234, 1234)
    before = os.stat(path)
    place["stays"] = b"1"
    many(place)
    after = os.stat(path)
    assert after.st_size < _writing._WHILE_RUNNING + 5000
    assert (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)
    assert path.read_bytes().startswith(CODE + b"\n" + MARKER + b"# compacted #: ")
    assert os.listdir(path.parent) == ["script.py"]
    assert place.compact() > 0
    assert place.compact() == 0
    assert dict(place) == {"stays": b"1", "n": b"2999"}
    assert place.check() == []


def test_attributes_of_the_file_are_kept(place, path):
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    many(place, 50)
    assert place.compact() > 0
    assert os.getxattr(path, "user.note") == b"mine"


def test_a_file_with_two_names_is_not_rewritten(place, path):
    os.link(path, path.with_name("other.py"))
    many(place)
    assert os.stat(path).st_nlink == 2
    with pytest.raises(UnsupportedError, match="2 hard links"):
        place.compact()
    assert ScriptPersister(path.with_name("other.py"))["n"] == b"2999"


def test_leftovers_of_killed_writers_are_swept(place, path):
    path.with_name(".script.py.holdall-0123").write_bytes(b"half")
    many(place, 50)
    place.compact()
    assert os.listdir(path.parent) == ["script.py"]


def test_a_rewriting_that_fails_changes_nothing(place, path, monkeypatch):
    many(place, 50)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError(errno.EIO, "no")

    for name in ("replace", "fsync", "fchmod"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(StoreUnavailableError):
                place.compact()
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == ["script.py"]
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        many(place)  # goes on all the same
    assert place["n"] == b"2999"


# ---------------------------------------------------------------------- errors


def test_a_full_disk_leaves_no_half_record(place, path, monkeypatch):
    place["x"] = b"1"
    before, write = path.read_bytes(), os.write

    def half(fd, data):
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "full")
        return write(fd, bytes(data[:-10]))

    with monkeypatch.context() as patch:
        patch.setattr(_writing, "os_write", half)
        with pytest.raises(StoreFullError, match="untouched"):
            place["x"] = b"2"
    assert path.read_bytes() == before
    assert place["x"] == b"1"
    place["x"] = b"3"
    assert ScriptPersister(path)["x"] == b"3"


def test_what_others_could_have_written_is_not_loaded(path):
    store = ScriptStore(path)
    store["x"] = {1, 2}
    os.chmod(path, 0o666)
    with pytest.raises(UntrustedStoreError, match="everybody may write it"):
        ScriptStore(path)
    assert ScriptStore(path, trust=True)["x"] == {1, 2}
    from holdall.serializers import LineSerializer

    careful = ScriptStore(path, serializer=LineSerializer(pickles=False))
    with pytest.raises(ValueError, match="is a pickle"):
        careful["x"]
    careful["y"] = [1]
    assert ScriptStore(path, trust=True).copy() == {"x": {1, 2}, "y": [1]}


def test_a_record_that_is_right_and_no_base64(path):
    place = written(path, record(b"base64 ?"), record(b"pickle ?", 2, b"y"))
    with pytest.raises(CorruptValueError, match="no base64"):
        place["x"]
    with pytest.raises(CorruptValueError, match="no base64"):
        ScriptStore(path)["y"]
    assert "x" in place


def test_a_lock_may_be_taken_twice_and_is_given_back(place, path):
    store = ScriptStore(path)
    with store.lock(), place.lock, store.lock():
        store["x"] = 1
        place["y"] = b"2"
        with pytest.raises(ZeroDivisionError), store.lock():
            raise ZeroDivisionError
    assert place._file.held is False
    assert store.copy() == {"x": 1, "y": 2}
    assert (store.path, store.check(), store.nbytes > 70) == (str(path), [], True)


def test_wrappers_leave_the_script_what_it_is(path):
    from holdall.wrappers import cached_values, read_only, wrap_kvs

    store = ScriptStore(path)
    for wrapped in (
        read_only(store),
        cached_values(store, cache={}),
        wrap_kvs(store, id_of_key=str.upper),
        store.get_subdict("x"),
    ):
        assert wrapped.path == str(path)
        assert wrapped.check() == []
        with wrapped.lock():
            assert store.pipeline.persister._file.held is True
    mine = wrap_kvs(ScriptStore, data_of_obj=lambda n: n + 1)
    mine(path)["n"] = 1
    assert store["n"] == 2


def test_handles_of_one_script_share_what_is_known(place, path):
    link = path.with_name("link.py")
    link.symlink_to(path)
    assert ScriptPersister(link)._file is place._file
