"""The command line on stores named by addresses: verbs, words, output and status."""

import io
import json
import os
import socket
import sys
import time

import pytest

import holdall
from holdall import FileDirStore, MemoryStore, ScriptStore, SQLiteStore
from holdall.addresses import options_taken, register_scheme, resolve
from holdall.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsysbinary):
    monkeypatch.chdir(tmp_path)

    def do(*words, status=0, given=None):
        if given is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        capsysbinary.readouterr()
        assert main(words) == status
        said = capsysbinary.readouterr()
        if said.err:
            assert said.err.startswith(b"holdall: ")
            assert said.err.count(b"\n") == 1
            assert said.out == b""
            return said.err.decode()
        return said.out.decode()

    return do


@pytest.fixture
def notes(run):
    store = FileDirStore("notes", serializer="json")
    store.update({"a/1": 1, "a/2": [2], "b": {"x": None}})
    return store


# ---------------------------------------------------------------------- ls, get, stat, du


def test_ls(run, notes):
    assert sorted(run("ls", "notes").split()) == ["a/1", "a/2", "b"]
    assert run("ls", "dir:notes", "a/*", "b") in {"b\na/1\na/2\n", "b\na/2\na/1\n"}
    assert run("ls", "notes", "[ab]") == "b\n"
    assert run("ls", "notes", "b", "--json") == '{"key": "b"}\n'
    (line,) = run("ls", "notes", "b", "--long", "--json").splitlines()
    assert json.loads(line) == {"key": "b", "bytes": 11, "time": notes.timestamp("b")}
    assert run("ls", "notes", "b", "-l").split()[::3] == ["11", "b"]
    assert len(run("ls", "notes", "-l").splitlines()) == 3
    assert "no value is called 'c*'" in run("ls", "notes", "a*", "c*", status=1)
    assert "no value is called 'c'" in run("ls", "notes", "c", status=1)


def test_keys_of_any_type_and_what_a_terminal_would_obey(run):
    keys = ["a b", "é", 1, ("x", 2), "!", "", "[a]", "\x1b[2J", "a\nb"]
    store = SQLiteStore("any.db", serializer="json")
    for number, key in enumerate(keys):
        store[key] = number
    shown = run("ls", "any.db")
    assert len(shown.splitlines()) == len(keys)
    assert "\x1b" not in shown
    words = [json.loads(line)["key"] for line in run("ls", "any.db", "--json").splitlines()]
    found = {word: run("get", "any.db", "--", word) for word in words}
    assert sorted(found.values()) == [f"{number}\n" for number in range(len(keys))]
    assert found["!('x', 2)"] == "3\n"
    assert "names no key" in run("get", "any.db", "!x", status=2)


def test_a_key_that_looks_like_a_pattern_is_that_key(run):
    SQLiteStore("any.db", serializer="json").update({"*": 1, "a": 2})
    assert run("get", "any.db", "*") == "1\n"
    run("rm", "any.db", "*")
    assert run("ls", "any.db") == "a\n"


def test_get(run, notes):
    assert run("get", "notes", "b") == '{"x": null}\n'
    assert {json.loads(line)["key"] for line in run("get", "notes", "a/*").splitlines()} == {"a/1", "a/2"}
    assert run("get", "notes", "b", "a/2").splitlines() == [
        '{"key": "b", "value": {"x": null}}',
        '{"key": "a/2", "value": [2]}',
    ]
    assert "no value is called 'c'" in run("get", "notes", "c", status=1)
    FileDirStore("texts", serializer="text")["t"] = "é\r\nx"
    assert run("get", "dir:texts?serializer=text", "t") == "é\r\nx"
    assert run("get", "dir:texts?serializer=text", "t", "--json") == '"é\\r\\nx"\n'
    SQLiteStore("pickles.db").update({"set": {1}, "pair": (1, 2)})
    assert run("get", "pickles.db", "set") == "{1}\n"
    assert run("get", "pickles.db", "pair") == "(1, 2)\n"
    assert "is no JSON" in run("get", "pickles.db", "set", "--json", status=1)
    assert "set" in run("get", "pickles.db", "set", "pair", status=1)


def test_a_value_that_cannot_be_shown_says_so(run, notes):
    FileDirStore("pickled").update({"huge": 10**5000, "broken": Silent()})
    assert "the value, a int, cannot be shown: Exceeds" in run("get", "pickled", "huge", status=1)
    assert "the value, a Silent, cannot be shown: no words" in run("get", "pickled", "broken", status=1)


class Silent:
    """Has no text."""

    def __repr__(self):
        raise RuntimeError("no words")


def test_a_damaged_value_among_several_is_told_as_damaged(run, notes):
    with open(notes.file_of("b"), "w") as file:
        file.write("{torn")
    said = run("get", "notes", "[b]", "b", status=1)
    assert "cannot be decoded" in said
    assert "several values" not in said


def test_stat_and_du(run, notes):
    facts = json.loads(run("stat", "notes", "--json"))
    assert facts["items"] == 3
    assert (facts["store"], facts["serializer"]) == ("FileDirStore", "json")
    assert facts["bytes"] == sum(os.path.getsize(notes.file_of(key)) for key in notes)
    assert facts["oldest"] <= facts["newest"] == max(map(notes.timestamp, notes))
    assert "items:      3\n" in run("stat", "notes")
    assert json.loads(run("stat", "notes", "b", "--json"))["etag"] == notes.etag("b")
    assert run("stat", "notes", "b").startswith("b\nbytes:      11\n")
    sizes = [json.loads(line) for line in run("du", "notes", "--json").splitlines()]
    assert [(line["key"], line["bytes"], line["items"]) for line in sizes] == [
        ("b", 11, 1),
        ("a", 4, 2),
        (None, 15, 3),
    ]
    assert [line.split() for line in run("du", "notes").splitlines()][-1] == ["15", "3", "items", "total"]


def test_stat_draws_how_sizes_and_ages_are_spread(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    store = FileDirStore("blobs", serializer="bytes")
    now = time.time()
    for number, (size, age) in enumerate([(0, -50), (99, 5), (100, 90), (5, 7200), (5, 90), (50_000, 8e8)]):
        store[str(number)] = bytes(size)
        os.utime(store.file_of(str(number)), (now - age, now - age))
    drawn = run("stat", "blobs").partition("sizes:\n")[2].splitlines()
    assert [line.split("  ")[1] for line in drawn if line != "ages:"] == [
        *("less than 100 B", "less than 1 kB", "less than 10 kB", "less than 100 kB"),
        *("less than 1 minute", "less than 1 hour", "less than 1 day", "less than 7 days"),
        *("less than 1 month", "less than 1 year", "less than 3 years", "3 years or more"),
    ]
    bars = [line.count("█") for line in drawn[:4]]
    assert bars[0] == max(bars) == 60 - len("  less than 100 kB  4  ") - 1
    assert bars[1] == bars[3] == bars[0] // 4
    assert bars[2] == 0
    assert max(map(len, drawn)) < 60
    facts = json.loads(run("stat", "blobs", "--json"))
    assert [found["items"] for found in facts["sizes"]] == [4, 1, 0, 1]
    assert facts["sizes"][1] == {"from": 100, "to": 1000, "items": 1}
    assert [found["items"] for found in facts["ages"]] == [2, 2, 1, 0, 0, 0, 0, 1]
    assert facts["ages"][-1]["to"] is None
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert main(["stat", "blobs"]) == 0
    sys.stdout.seek(0)
    assert "  less than 100 B  4  ####" in sys.stdout.read().replace("   4", "  4")


def test_stat_of_nothing_and_of_what_has_no_size_draws_nothing(run):
    assert "sizes" not in run("stat", "memory:")
    assert json.loads(run("stat", "memory:", "--json"))["sizes"] == []


# ---------------------------------------------------------------------- put, rm


def test_put(run):
    run("put", "dir:notes?serializer=json", "a", "[1]")
    run("put", "notes", "b", given=b'{"x": 1}\n')
    run("put", "notes", "c", "plain", "--as", "text")
    run("put", "notes", "d", "{'x': None}", "--as", "python")
    assert dict(FileDirStore("notes")) == {"a": [1], "b": {"x": 1}, "c": "plain", "d": {"x": None}}
    run("put", "dir:raw?serializer=bytes", "a", "-", given=b"\xff\n")
    run("put", "dir:texts?serializer=text", "b", "[1")
    assert FileDirStore("raw", serializer="bytes")["a"] == b"\xff\n"
    assert FileDirStore("texts", serializer="text")["b"] == "[1"
    run("put", "mixed", "x", "1")
    assert FileDirStore("mixed")["x"] == 1
    run("put", "dir:kinds?serializer=by_suffix", "x.txt", "1")
    run("put", "dir:kinds?serializer=by_suffix", "x.json", "1")
    assert dict(FileDirStore("kinds", serializer="by_suffix")) == {"x.txt": "1", "x.json": 1}


@pytest.mark.parametrize("wrong", ["[1", "plain", "", "{'a': 1}", '{"a": 1} x'])
def test_broken_json_is_an_error_and_changes_nothing(run, notes, wrong):
    assert "is no JSON" in run("put", "notes", "b", wrong, status=1)
    assert "is no JSON" in run("put", "notes", "b", given=wrong.encode(), status=1)
    assert notes["b"] == {"x": None}


def test_rm_deletes_all_or_none(run, notes):
    run("rm", "notes", "a/*", "c", status=1)
    assert len(notes) == 3
    run("rm", "notes", "a/*")
    assert list(notes) == ["b"]


# ---------------------------------------------------------------------- cp, mv, diff


@pytest.mark.parametrize(
    "target", ["sqlite:new.db?serializer=json", "zip:new.zip?serializer=json", "lmdb:new"]
)
def test_cp_copies_between_any_two(run, notes, target):
    assert run("cp", "-r", "notes", target, "--verify") == ""
    assert run("diff", "notes", target) == ""
    assert dict(holdall.open(target)) == dict(notes)


def test_cp_of_some_keys_and_to_another_name(run, notes):
    run("cp", "notes", "dir:new?serializer=json", "a/*", "--verify")
    assert sorted(FileDirStore("new")) == ["a/1", "a/2"]
    run("cp", "notes", "notes", "b", "--to", "c", "--verify")
    assert notes["c"] == notes["b"]
    for words in (["notes", "new"], ["-r", "notes", "new", "b"], ["-r", "notes", "new", "--to", "x"]):
        run("cp", *words, status=2)
    assert "2 keys" in run("cp", "notes", "new", "a/*", "--to", "x", status=2)


def test_cp_goes_on_where_it_stopped(run, notes):
    new = FileDirStore("new", serializer="json")
    new["b"] = "kept"
    run("cp", "-r", "notes", "new", "--resume")
    assert dict(new) == {**notes, "b": "kept"}
    assert run("cp", "-r", "notes", "new", "--resume", "--verify", status=1) == "! b\n"
    for key in notes:
        os.utime(notes.file_of(key), (1e9, 1e9))
    run("cp", "-r", "notes", "new", "--times")
    assert all(abs(new.timestamp(key) - 1e9) < 1 for key in notes)


def test_verify_finds_what_a_store_has_changed(run, notes):
    class Lossy(MemoryStore):
        def _data_of_obj(self, value):
            return 0

    lossy = Lossy()
    register_scheme("lossy", lambda _: lossy)
    assert sorted(run("cp", "-r", "notes", "lossy:", "--verify", status=1).splitlines()) == [
        "! a/1",
        "! a/2",
        "! b",
    ]
    assert "stay where they were" in run("mv", "notes", "lossy:", "b", status=1)
    assert "b" in notes


def test_mv(run, notes):
    run("mv", "notes", "notes", "b", "--to", "c")
    assert sorted(notes) == ["a/1", "a/2", "c"]
    run("mv", "notes", "sqlite:new.db?serializer=json", "a/*")
    assert list(notes) == ["c"]
    run("mv", "-r", "notes", "new.db")
    assert list(notes) == []
    assert dict(SQLiteStore("new.db")) == {"a/1": 1, "a/2": [2], "c": {"x": None}}


@pytest.mark.parametrize(
    "address",
    ["notes?serializer=json", "sqlite:x.db", "script:x.py", "zip:x.zip?serializer=json", "lmdb:x.lmdb"],
)
def test_mv_to_the_same_place_loses_nothing(run, address):
    if address == "script:x.py":
        with open("x.py", "w") as file:
            file.write("pass\n")
    address = address if ":" in address else f"dir:{address}"
    run("put", address, "a", "[1]")
    os.symlink(".", "here")
    other = address.replace(":", ":here/", 1)
    assert "the same place" in run("mv", address, other, "a", status=1)
    assert run("get", address, "a") == "[1]\n"


@pytest.mark.parametrize("target", ["memory:", "null:"])
def test_nothing_is_moved_to_where_it_would_be_forgotten(run, notes, target):
    for words in (("mv", "-r", "notes", target), ("cp", "notes", target, "b"), ("put", target, "b", "1")):
        assert "keeps nothing after the end of this command" in run(*words, status=2)
    assert len(notes) == 3


def test_a_copy_that_is_interrupted_says_nothing_and_goes_on(run, notes):
    class Interrupted(MemoryStore):
        left = 2

        def __getitem__(self, key):
            type(self).left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().__getitem__(key)

    register_scheme("interrupted", lambda address: Interrupted(dict(notes)))
    assert run("cp", "-r", "interrupted:", "dir:new?serializer=json", status=130) == ""
    Interrupted.left = 3
    assert run("cp", "-r", "interrupted:", "new", "--resume") == ""
    assert holdall.open("new") == notes


def test_diff(run, notes):
    new = SQLiteStore("new.db", serializer="json")
    new.update({"a/1": True, "a/2": [2], "c": 1})
    assert sorted(run("diff", "notes", "new.db", status=1).splitlines()) == ["! a/1", "+ c", "- b"]
    lines = [json.loads(line) for line in run("diff", "notes", "new.db", "--json", status=1).splitlines()]
    assert {line["key"]: line["what"] for line in lines} == {
        "a/1": "differs",
        "b": "only in the first",
        "c": "only in the second",
    }


# ---------------------------------------------------------------------- check, compact, export, import


def test_check_and_compact(run, notes):
    assert run("check", "notes") == ""
    with open(notes.file_of("b"), "w") as file:
        file.write("{torn")
    assert run("check", "notes", status=1).startswith("b: ")
    (line,) = run("check", "notes", "--json", status=1).splitlines()
    assert json.loads(line)["key"] == "b"
    assert run("check", "notes", status=1) == f"b: {json.loads(line)['fault']}\n"
    store = SQLiteStore("x.db", serializer="json")
    store["a"] = "x" * 1_000_000
    del store["a"]
    store.close()
    before = os.path.getsize("x.db")
    assert int(run("compact", "x.db").split()[0]) > 900_000
    assert os.path.getsize("x.db") < before
    assert run("check", "x.db") == ""
    assert "nothing to compact" in run("compact", "notes", status=1)


def test_export_and_import(run, notes):
    items = {**notes, 1: b"\xff", ("x", 2): "é"}
    SQLiteStore("x.db").update(items)
    out = run("export", "x.db")
    run("export", "x.db", "-o", "x.jsonl")
    with open("x.jsonl", encoding="utf-8") as file:
        assert file.read() == out
    assert run("import", "y.db", "x.jsonl") == "5 items\n"
    assert dict(SQLiteStore("y.db")) == items
    assert run("import", "z.db", "-", given=out.encode()) == "5 items\n"
    assert dict(SQLiteStore("z.db")) == items
    assert len(run("export", "x.db", "a/*").splitlines()) == 2
    SQLiteStore("x.db")["s"] = {1}
    assert "holdall cp" in run("export", "x.db", "s", status=1)
    lines = (b'{"key": "a"}', b'{"value": 1}', b"[1", b"1", b'{"key": "a", "base64": "?"}')
    keys = (b'{"key": 1, "value": 1}', b'{"key": "!x", "value": 1}', b'{"key": ["a"], "value": 1}')
    for wrong in (*lines, *keys):
        assert "line 2" in run("import", "new.db", "-", given=b'{"key": "b", "value": 1}\n' + wrong, status=1)
    assert not os.path.exists("new.db")


# ---------------------------------------------------------------------- errors


def test_a_port_that_is_taken_is_named(run, notes):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run("serve", "notes", "--port", str(port), status=1)
    assert f"port {port} of this machine cannot be used: Address already in use" in said


def test_nothing_is_made_by_looking(run):
    for address in ("dir:new", "sqlite:new.db", "zip:new.zip", "script:new.py", "lmdb:new", "spill:new"):
        for verb in ("ls", "stat", "du", "check", "export", "compact"):
            assert "is not there" in run(verb, address, status=1)
        assert "is not there" in run("rm", address, "a", status=1)
    assert os.listdir() == []


def test_wrong_addresses_are_wrong_usage(run):
    assert "no kind of store" in run("ls", "nothing:x", status=2)
    os.mkdir("x")
    assert "no option 'seralizer'" in run("ls", "dir:x?seralizer=json", status=2)
    for words in ([], ["ls"], ["fetch", "x"], ["put", "x", "a", "1", "--as", "yaml"]):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 2


class Loud:
    """Leaves a file where it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("was-loaded",)


def _put_loud():
    FileDirStore("pickles")["a"] = Loud()
    os.chmod("pickles", 0o777)


def test_pickles_that_others_could_have_written_are_not_loaded(run):
    _put_loud()
    for words in (["get", "pickles", "a"], ["cp", "-r", "pickles", "new"], ["check", "pickles"]):
        said = run(*words, status=1)
        assert "could run code" in said
        assert "give --trust" in said
    assert not os.path.exists("was-loaded")
    assert run("ls", "pickles") == "a\n"  # loads nothing
    run("get", "pickles", "a", "--trust")
    assert os.path.exists("was-loaded")


def test_pickles_of_a_server_are_not_loaded(run, monkeypatch):
    from holdall.abc import Capability
    from holdall.persisters.mapping import MappingPersister

    class Server(MappingPersister):
        capabilities = frozenset({Capability.PERSISTENT, Capability.WRITABLE, Capability.MTIME})

        def __init__(self, mapping):
            super().__init__(mapping)
            self.capabilities = Server.capabilities

    kept = Server({"a": holdall.serializers.get_serializer("pickle").dumps(Loud())})
    register_scheme("server", lambda address: holdall.Store(kept, serializer=address.part))
    for words in (["get", "server:#pickle", "a"], ["diff", "server:#pickle", "server:#pickle"]):
        assert "give --trust" in run(*words, status=1)
    assert run("ls", "server:#pickle") == "a\n"
    assert not os.path.exists("was-loaded")
    run("put", "server:#json", "b", "1")
    assert run("get", "server:#json", "b") == "1\n"
    run("get", "server:#pickle", "a", "--trust")
    assert os.path.exists("was-loaded")


def test_values_of_scripts(run):
    with open("job.py", "w") as file:
        file.write("print('hello')\n")
    run("put", "job.py", "count", "3")
    assert run("get", "script:job.py", "count") == "3\n"
    assert dict(ScriptStore("job.py")) == {"count": 3}


def test_memo_and_script_take_addresses(run):
    square = holdall.memoize("memo.db", name="square", version="1")(lambda x: x * x)
    square(3)
    for place in ("memo.db", "sqlite:memo.db"):
        assert run("memo", place, "list").startswith("square  @1  1 results")
    assert "is not there" in run("memo", "sqlite:other.db", "list", status=1)
    assert run("memo", "sqlite:memo.db", "drop", "--function", "square") == "1 results dropped\n"
    with open("job.py", "w") as file:
        file.write("pass\n")
    run("script", "script:job.py", "set", "a", "1")
    assert run("script", "job.py", "list") == "a = 1\n"


def test_servers_are_told_what_is_trusted():
    for address in ("sftp://host/path", "fsspec:memory://x", "dir:x", "shelve:x"):
        assert "trust" in options_taken(resolve(address))
    assert options_taken(resolve("lossy:")) == frozenset()


def test_progress_is_shown_on_a_terminal_only(run, notes, monkeypatch):
    told = []

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            told.append("end")

        def add_task(self, what, total):
            told.append((what, total))

        def update(self, task, completed):
            told.append(completed)

    monkeypatch.setattr("holdall.cli._progress._bar", Bar)
    run("cp", "-r", "notes", "dir:quiet?serializer=json")
    assert told == []
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    run("cp", "-r", "notes", "dir:new?serializer=json")
    assert told == [("copying", 3), 1, 2, 3, "end"]


def test_a_typo_gets_a_proposal(notes, capsysbinary):
    for words, usage, said in (
        (["lss", "notes"], "holdall [-h]", "did you mean 'ls'?"),
        (["ls", "notes", "--jsno"], "holdall ls", "unrecognized arguments: --jsno: did you mean '--json'?"),
        (["cp", "-r", "notes", "new", "--vefiry=1"], "holdall cp", "did you mean '--verify'?"),
        (["put", "notes", "c", "1", "--as", "jsn"], "holdall put", "did you mean 'json'?"),
        (["ls", "notes", "--zzzzz"], "holdall ls", "unrecognized arguments: --zzzzz\n"),
        (["ls"], "holdall ls", "the following arguments are required: ADDRESS\n"),
        (["--json", "ls", "notes"], "holdall [-h]", "arguments: --json: it comes after the command\n"),
        (["--pickles", "script", "s.py", "import", "-"], "holdall [-h]", "it comes after the command\n"),
        (["memo", "--outdated", "notes", "drop"], "holdall memo", "it comes after the command\n"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2
        told = capsysbinary.readouterr().err.decode()
        assert told.startswith(f"usage: {usage}")
        assert said in told
    assert sorted(notes) == ["a/1", "a/2", "b"]


def test_options_may_stand_anywhere(run, notes):
    assert run("ls", "notes", "--json", "b") == run("ls", "--json", "notes", "b") == '{"key": "b"}\n'
    run("put", "notes", "c", "--as", "text", "-1")
    run("put", "--as", "json", "notes", "d", "--", "-2")
    assert (notes["c"], notes["d"]) == ("-1", -2)
    run("cp", "notes", "--verify", "dir:new", "c", "--to", "e")
    assert run("export", "new", "--trust", "e").startswith('{"key": "e", ')
    square = holdall.memoize("memo.db", name="square", version="1")(lambda x: x * x)
    square(3)
    (line,) = run("memo", "memo.db", "list", "--json").splitlines()
    told = json.loads(line)
    assert told.pop("bytes") > 0
    assert time.time() - 60 < told.pop("first") == told.pop("last")
    assert told == {"function": "square", "version": "1", "results": 1}
