"""Documents of others, of which a write changes the text of its own value, and nothing else."""

import json
import math
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdall.errors import CorruptValueError, SerializationError
from holdall.serializers import (
    IniSerializer,
    JsonSerializer,
    TomlSerializer,
    YamlSerializer,
    get_serializer,
)
from holdall.stores.document import DocumentStore

yaml = pytest.importorskip("yaml")

YAML = """\
# settings of the shop
version: 22:22      # a time of day, they thought
mode: 0644
big: 12345678901234567.89
a: 1
a: 2   # the second
"quoted": 'it''s'
empty:
nothing:   # yet
text: |
  some
  lines

folded: >+
  folded
  text


list:   # of things
  - one   # 1
  - two
near:
- x

server:
    host: example.org   # where

    # the port
    port: 80
    deep:
      x: 1
flow: {a: 1, "b": [1,2], c: {d: 1}}
last: yes
"""


def after(tmp_path, suffix, text, change):
    path = tmp_path / f"document.{suffix}"
    path.write_bytes(text.encode())
    change(DocumentStore(path))
    return path.read_bytes().decode()


def text_after(tmp_path, suffix, text, key, value):
    new = after(tmp_path, suffix, text, lambda store: store.__setitem__(key, value))
    assert DocumentStore(tmp_path / f"document.{suffix}")[key] == value
    return new


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("a", 3, "a: 2   #", "a: 3   #"),
        ("version", "22:22", " 22:22  ", " '22:22'  "),
        ("mode", 0o600, "0644", "384"),
        ("quoted", "x: y", "'it''s'", "'x: y'"),
        ("empty", 1, "empty:", "empty: 1"),
        ("nothing", [1, 2], "nothing:   #", "nothing: [1, 2]   #"),
        ("text", "a\nb", "|\n  some\n  lines", '"a\\nb"'),
        ("folded", None, ">+\n  folded\n  text", "null"),
        ("list", [1, {"a": "b\nc"}], "- one   # 1\n  - two", '- 1\n  - a: "b\\nc"'),
        ("list", 5, "list:   # of things\n  - one   # 1\n  - two", "list: 5   # of things"),
        ("near", [], "near:\n- x", "near: []"),
        ("near", ["y", "z"], "- x", "- y\n- z"),
        ("server/host", "- no", "example.org ", "'- no' "),
        ("server/new", True, "      x: 1\n", "      x: 1\n    new: true\n"),
        ("server/deep/y/z", 2, "      x: 1\n", "      x: 1\n      y:\n        z: 2\n"),
        ("flow/a", 2, "{a: 1", "{a: 2"),
        ("flow/e/f", [1], "{d: 1}}", "{d: 1}, e: {f: [1]}}"),
        ("last", "no", "last: yes", "last: 'no'"),
        ("near", b"\0\xff", "near:\n- x", 'near: !!binary "AP8="'),
        ("flow/a", [b""], "{a: 1", '{a: [!!binary ""]'),
        ("new", [b"x"], "last: yes\n", 'last: yes\nnew:\n- !!binary "eA=="\n'),
        ("new", "\u2028é", "last: yes\n", 'last: yes\nnew: "\\Lé"\n'),
    ],
)
@pytest.mark.parametrize("frame", [("", "\n"), ("\ufeff", "\r\n"), ("", "\r")], ids=repr)
def test_a_write_changes_only_its_own_text_in_yaml(tmp_path, key, value, old, new, frame):  # noqa: PLR0917
    assert YAML.count(old) == 1
    mark, end = frame
    new = mark + YAML.replace(old, new).replace("\n", end)
    assert text_after(tmp_path, "yaml", mark + YAML.replace("\n", end), key, value) == new


@pytest.mark.parametrize(
    ("keys", "old", "new"),
    [
        (["a"], "a: 1\na: 2   # the second\n", ""),
        (["version"], "version: 22:22      # a time of day, they thought\n", ""),
        (["empty"], "empty:\n", ""),
        (["list"], "list:   # of things\n  - one   # 1\n  - two\n", ""),
        (["server/deep/x"], "    deep:\n      x: 1\n", ""),
        (["flow/a"], '{a: 1, "b"', '{"b"'),
        (["flow/b", "flow/c/d"], ', "b": [1,2], c: {d: 1}}', "}"),
        (["flow/a", "flow/b"], '{a: 1, "b": [1,2], c', "{c"),
        (["last"], "last: yes\n", ""),
    ],
)
def test_a_delete_changes_only_its_own_text_in_yaml(tmp_path, keys, old, new):
    assert YAML.count(old) == 1

    def delete(store):
        before = dict(store)
        for key in keys:
            del store[key]
        assert dict(store) == {key: value for key, value in before.items() if key not in keys}

    assert after(tmp_path, "yaml", YAML, delete) == YAML.replace(old, new)


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("# c\nnull # d\n", "# c\na: 1 # d\n"),
        ("~", "a: 1"),
        ("# c\n--- !!null null\n# d\n", "# c\n---\na: 1\n# d\n"),
        ("---\n# c\n", "---\n# c\na: 1\n"),
        ("--- # c\n...\n# d\n", "--- # c\na: 1\n...\n# d\n"),
        ("# c\n--- {} # d\n", "# c\n---\na: 1 # d\n"),
        ("# c\r# d\r", "# c\r# d\ra: 1\r"),
        ("# c\r\n{ }\r\n", "# c\r\na: 1\r\n"),
    ],
)
def test_a_yaml_document_that_holds_nothing_keeps_its_comments(tmp_path, text, new):
    assert text_after(tmp_path, "yaml", text, "a", 1) == new


@pytest.mark.parametrize(
    ("text", "key", "new"),
    [
        ("# c\n? a # d: e\n? b\n", "a", "# c\n? a # d: e\n: 1\n? b\n"),
        ("# c\n? a\n# b: 1\n? b", "b", "# c\n? a\n# b: 1\n? b\n: 1"),
        ("{a, b: 2} # c\n", "a", "{a: 1, b: 2} # c\n"),
        ("? a # c: d\n: 2 # e\n", "a", "? a # c: d\n: 1 # e\n"),
        ("# c\n? a\n? b\n...\n# d\n", "n", "# c\n? a\n? b\nn: 1\n...\n# d\n"),
    ],
)
def test_yaml_names_without_a_value(tmp_path, text, key, new):
    assert text_after(tmp_path, "yaml", text, key, 1) == new


def test_a_name_that_is_written_as_nothing_gets_the_null_that_it_has(tmp_path):
    assert text_after(tmp_path, "yaml", "{a} # c\n", "a", None) == "{a: null} # c\n"


def test_aliases_under_names_that_are_no_text_get_a_copy(tmp_path):
    text = "# c\na: &a 0644 # d\n2: *a # e\ntrue:\n  ~: [*a] # f\n2001-01-01: x\n"
    new = after(tmp_path, "yaml", text, lambda store: store.__delitem__("a"))
    assert new == "# c\n2: 0644 # e\ntrue:\n  ~: [0644] # f\n2001-01-01: x\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    ("suffix", "text", "new"),
    [
        ("yaml", "# ü\na: é # c\n", "# ü\na: 1 # c\n"),
        ("json", '{"a":  "é"}', '{"a":  1}'),
    ],
)
def test_other_encodings_of_unicode_stay(tmp_path, encoding, suffix, text, new):
    path = tmp_path / f"document.{suffix}"
    for mark in ("\ufeff", "") if suffix == "json" else ("\ufeff",):
        path.write_bytes((mark + text).encode(encoding))
        store = DocumentStore(path)
        assert store["a"] == "é"
        store["a"] = 1
        assert path.read_bytes().decode(encoding) == mark + new
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptValueError):
        dict(store)


ANCHORS = """\
# shared
defaults: &defaults   # by all
  db: {host: one, port: 0o1}
  mode: 22:22
prod:
  <<: *defaults
  own: 1  # mine
test: *defaults
several: [*defaults, 1]   # in a list
"""
ANCHORED = [
    "defaults/db/host",
    "defaults/mode",
    "prod/db/host",
    "prod/mode",
    "prod/own",
    "test/db/port",
    "several",
]


@pytest.mark.parametrize("key", ANCHORED)
@pytest.mark.parametrize("delete", [False, True])
def test_what_others_share_is_changed_in_one_place_and_comments_stay(tmp_path, key, delete):
    path = tmp_path / "document.yaml"
    path.write_text(ANCHORS)
    store = DocumentStore(path)
    wanted = dict(store)
    if delete:
        del store[key], wanted[key]
    else:
        store[key] = wanted[key] = "new"
    assert dict(DocumentStore(path)) == wanted
    text = path.read_text()
    assert text.startswith("# shared\ndefaults: &defaults   # by all\n  ")
    assert ("# mine" in text) is not (delete and key == "prod/own")
    text = re.sub("(?m)^several:.*", "", text)
    assert set(re.findall(r"mode: ([^\s,}]+)", text)) <= {"22:22", "new"}  # which is 1342
    assert set(re.findall(r"port: ([^\s,}]+)", text)) <= {"0o1", "new"}


def test_an_override_of_what_is_merged_is_one_line_more(tmp_path):
    new = text_after(tmp_path, "yaml", ANCHORS, "prod/mode", "x")
    assert new == ANCHORS.replace("# mine\n", "# mine\n  mode: x\n")


MERGED = """\
base: &base   # for all
  mode: 0644   # octal
  time: 22:22
# the outermost
<<: *base
web:
  # in a table
  <<: [*base, {port: 80}]
  host: one   # where
only: {<<: *base}
block:
  <<: *base   # alone
"""


TOP = "<<: *base\nweb"
IN_WEB = "  <<: [*base, {port: 80}]\n  host: one   # where\n"


@pytest.mark.parametrize(
    ("keys", "changes"),
    [
        (["mode"], [(TOP, "web"), ("# alone\n", "# alone\ntime: 22:22\n")]),
        (["mode", "time"], [(TOP, "web")]),
        (["web/mode"], [(IN_WEB, "  host: one   # where\n  time: 22:22\n  port: 80\n")]),
        (["web/mode", "web/host"], [(IN_WEB, "  time: 22:22\n  port: 80\n")]),
        (["only/time"], [("{<<: *base}", "{mode: 0644}")]),
        (["block/time"], [("<<: *base   # alone", "mode: 0644   # alone")]),
    ],
)
def test_a_delete_of_what_is_merged_keeps_comments_and_the_other_names(tmp_path, keys, changes):
    def delete(store):
        for key in keys:
            del store[key]

    new = MERGED
    for old, text in changes:
        assert new.count(old) == 1
        new = new.replace(old, text)
    assert after(tmp_path, "yaml", MERGED, delete) == new


def test_a_delete_of_what_is_merged_into_the_outermost_table_keeps_comments(tmp_path):
    text = "# c\nbase: &base\n  a: 0x1   # one\n<<: [*base, {b: 2}]\n# d\nlast: 1\n"
    assert after(tmp_path, "yaml", text, lambda store: store.__delitem__("base/a")) == (
        "# c\n# d\nlast: 1\na: 0x1\nb: 2\n"
    )


def test_a_delete_of_what_a_table_merges_and_has_by_an_alias_keeps_comments(tmp_path):
    text = "# c\nbase: &base\n  a: 0x1\nt:\n  d: *base\n  <<: *base\n  e: 1\n# d\nlast: 1\n"
    new = after(tmp_path, "yaml", text, lambda store: store.__delitem__("base/a"))
    assert new == "# c\nt:\n  a: 0x1\n  d:\n    a: 0x1\n  e: 1\n# d\nlast: 1\n"


def test_an_outermost_table_that_is_merged_wholly(tmp_path):
    text = "# c\n<<: {a: 1, b: 0x2}\n# d\n"
    assert after(tmp_path, "yaml", text, lambda store: store.__delitem__("a")) == "# c\nb: 0x2\n# d\n"


def test_what_others_name_can_be_deleted_wholly(tmp_path):
    def delete(store):
        for key in list(store.get_subdict("defaults")):
            del store[f"defaults/{key}"]

    new = after(tmp_path, "yaml", ANCHORS, delete)
    store = DocumentStore(tmp_path / "document.yaml")
    assert store["test/db/host"] == store["prod/db/host"] == "one"
    assert not list(store.get_subdict("defaults"))
    assert new.startswith("# shared\nprod:\n")
    assert "# in a list" in new


@pytest.mark.parametrize("text", ["# nothing yet\n# port: 80\n", "# c\n{}\n", "# c", "{}\n# c\n"])
def test_a_file_of_comments_alone_is_empty_and_keeps_them(tmp_path, text):
    path = tmp_path / "document.yaml"
    path.write_text(text)
    store = DocumentStore(path)
    assert dict(store) == {}
    store["server/port"] = 80
    assert dict(DocumentStore(path)) == {"server/port": 80}
    del store["server/port"]
    assert dict(DocumentStore(path)) == {}
    assert [line for line in text.splitlines() if line != "{}"] == [
        line for line in path.read_text().splitlines() if line != "{}" and line
    ]


TOML = """\
# settings
"quoted" = 0x10   # sixteen
'single' = '''\nlines\n'''
point = { x = 1.50, y.z = true }   # of the plane
dotted.a = 1
list = [ # of numbers
    1_000, # many
]

[server] # where
  host = "example.org"
[[job]]
name = "one" # first
[other]
  time = 07:32:00
[[job]]
name = "two"
"""


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("quoted", 17, "0x10", "17"),
        ("single", ["a", {"b": 1}], "'''\nlines\n'''", '["a", {b = 1}]'),
        ("point/x", 2, "1.50", "2"),
        ("point/new/deep", "x", "true }", 'true, new = {deep = "x"}}'),
        ("point/y/z", [{}], "true }", "[{}] }"),
        ("dotted/b/c", 2, "dotted.a = 1\n", "dotted.a = 1\ndotted.b = {c = 2}\n"),
        ("dotted/a", [{"x": []}], "dotted.a = 1", "dotted.a = [{x = []}]"),
        ("list", [], "[ # of numbers\n    1_000, # many\n]", "[]"),
        ("server/port", 80, '"example.org"\n', '"example.org"\nport = 80\n'),
        ("other/time", "now", "07:32:00", '"now"'),
    ],
)
@pytest.mark.parametrize("frame", [("", "\n"), ("\ufeff", "\r\n")], ids=repr)
def test_a_write_changes_only_its_own_text_in_toml(tmp_path, key, value, old, new, frame):  # noqa: PLR0917
    pytest.importorskip("tomlkit")
    assert TOML.count(old) == 1
    mark, end = frame
    new = mark + TOML.replace(old, new).replace("\n", end)
    assert text_after(tmp_path, "toml", mark + TOML.replace("\n", end), key, value) == new


def test_toml_without_a_line_end_keeps_it_so(tmp_path):
    pytest.importorskip("tomlkit")
    text = "# c\na = 1\nb.c = 2  # d"
    assert text_after(tmp_path, "toml", text, "a", 3) == text.replace("1", "3")
    assert text_after(tmp_path, "toml", text, "e", 3) == text + "\ne = 3\n"


def test_ini_without_a_line_end_keeps_it_so(tmp_path):
    text = "; c\n[a]\nb = 1\nc = 2"
    assert text_after(tmp_path, "ini", text, "a/b", "3") == text.replace("1", "3")
    assert text_after(tmp_path, "ini", text, "a/c", "3\n4") == text.replace("2", "3\n\t4")


JSON = """\
{
    "a": 1e400, "b":12345678901234567.89,
    "c" : 1.0,
    "c": 1,
    "server": {
        "port": 80,
        "list": [1,   2],
        "deep": {"x": {}}
    },
    "e": {},
    "z": "\\u00e9\\/"
}
"""


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("a", 1, "1e400", "1"),
        ("c", 2.0, '"c": 1,', '"c": 2.0,'),
        ("server/port", [1], '"port": 80', '"port": [\n            1\n        ]'),
        ("server/list", [3, {"a": []}], "[1,   2]", '[3, {"a": []}]'),
        ("server/new", None, '{"x": {}}\n', '{"x": {}},\n        "new": null\n'),
        ("server/deep/y", "é", '"x": {}', '"x": {}, "y": "é"'),
        ("e/f/g", 1, '"e": {}', '"e": {\n        "f": {\n            "g": 1\n        }\n    }'),
        ("new", True, '\\/"\n', '\\/",\n    "new": true\n'),
        ("z", "é\ud800", '"\\u00e9\\/"', '"\\u00e9\\ud800"'),
    ],
)
@pytest.mark.parametrize("frame", [("", "\n"), ("\ufeff", "\r\n")], ids=repr)
def test_a_write_changes_only_its_own_text_in_json(tmp_path, key, value, old, new, frame):  # noqa: PLR0917
    assert JSON.count(old) == 1
    mark, end = frame
    new = mark + JSON.replace(old, new).replace("\n", end)
    assert text_after(tmp_path, "json", mark + JSON.replace("\n", end), key, value) == new


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("a", '"a": 1e400, ', ""),
        ("b", ' "b":12345678901234567.89,\n   ', ""),
        ("c", '\n    "c" : 1.0,\n    "c": 1,', ""),
        ("server/port", '"port": 80,\n        ', ""),
        ("z", ',\n    "z": "\\u00e9\\/"', ""),
    ],
)
def test_a_delete_changes_only_its_own_text_in_json(tmp_path, key, old, new):
    got = after(tmp_path, "json", JSON, lambda store: store.__delitem__(key))
    assert "".join(got.split()) == "".join(JSON.replace(old, new).split())
    assert key not in DocumentStore(tmp_path / "document.json")


def test_orjson_changes_only_its_own_text_too(tmp_path):
    pytest.importorskip("orjson")
    path = tmp_path / "document.json"
    text = '{"a": 1.50,\n "b":[1,  2],  "big": 123456789012345678901234, "c": {"d": "\\u00e9"}}'
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    store = DocumentStore(path, serializer="orjson")
    store["b"] = [3, {"x": None}]
    store["c/e"] = "é"
    del store["a"]
    with pytest.raises(SerializationError):
        store["b"] = 1 << 64
    new = '{"b":[3, {"x": null}],  "big": 123456789012345678901234, "c": {"d": "\\u00e9", "e": "é"}}'
    assert path.read_bytes() == b"\xef\xbb\xbf" + new.encode()
    DocumentStore(tmp_path / "new.json", serializer="orjson")["a/b"] = 1
    assert (tmp_path / "new.json").read_text() == '{\n  "a": {\n    "b": 1\n  }\n}\n'


@pytest.mark.parametrize("layers", ["gz", "bz2", "xz", "base64", "checksum", "hmac", "xz.base64.hmac"])
@pytest.mark.parametrize(
    ("name", "text", "new"),
    [
        ("json", '{"a":1.50,  "t": {"b" : 2}}', '{"a":1.50,  "t": {"b" : "x"}}'),
        ("yaml", "# c\na: 0644 # d\nt:\n    b: 2 # e\n", "# c\na: 0644 # d\nt:\n    b: x # e\n"),
        ("toml", "# c\na = 0x10\n[t]\nb = 2 # e\n", '# c\na = 0x10\n[t]\nb = "x" # e\n'),
        ("ini", "; c\n[t]\nb=2\nc:3\n", "; c\n[t]\nb=x\nc:3\n"),
    ],
)
def test_under_layers_a_write_changes_only_its_own_text(tmp_path, monkeypatch, layers, name, text, new):  # noqa: PLR0917
    if name == "toml":
        pytest.importorskip("tomlkit")
    monkeypatch.setenv("HOLDALL_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    serializer = get_serializer(f"{name}.{layers}")
    around = get_serializer(f"bytes.{layers}")
    path = tmp_path / "document"
    path.write_bytes(around.dumps(text.encode()))
    store = DocumentStore(path, serializer=serializer)
    store["t/b"] = "x"
    assert around.loads(path.read_bytes()) == new.encode()
    assert dict(DocumentStore(path, serializer=serializer)) == dict(store)
    path.write_bytes(around.dumps(b" \n"))
    assert dict(store) == {}
    store["t/b"] = "x"
    assert dict(DocumentStore(path, serializer=serializer)) == {"t/b": "x"}
    path.write_bytes(b"")  # as if it had been cut off
    if layers == "base64":
        assert dict(store) == {}
        return
    with pytest.raises(CorruptValueError):
        dict(store)
    with pytest.raises(CorruptValueError):
        store["t/b"] = "y"
    assert path.read_bytes() == b""


def test_one_line_of_json_stays_one(tmp_path):
    text = '{"a":1,"b":{"c":2}}'
    assert text_after(tmp_path, "json", text, "b/d/e", 3) == '{"a":1,"b":{"c":2,"d":{"e":3}}}'
    got = after(tmp_path, "json", text, lambda store: list(map(store.__delitem__, list(store))))
    assert got == "{}"


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_what_a_format_cannot_hold_is_refused_and_the_text_stays(tmp_path, suffix):
    text = '{"a": 1e400, "b": 1}'

    def change(store):
        for value in ((1,), [object()], object()):
            with pytest.raises(SerializationError, match=r"come back|represent|not a type"):
                store["b"] = value

    assert after(tmp_path, suffix, text, change) == text


NAMES = st.sampled_from(["a", "b b", "c:d", "- e", "é", "1", "true", "#f", ""])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.just([])), max_size=3),
)  # fmt: skip
TABLES = st.recursive(
    st.dictionaries(NAMES, LEAVES, min_size=1, max_size=4),
    lambda tables: st.dictionaries(NAMES, st.one_of(LEAVES, tables), min_size=1, max_size=4),
    max_leaves=8,
)


def yaml_text(table, flow, width):
    text = yaml.safe_dump(table, default_flow_style=flow, width=width, allow_unicode=True)
    return "# first\n" + text + "# last\n"


def json_text(table, flow, width):
    return json.dumps(table, indent=None if flow else 3)


@pytest.mark.parametrize(("suffix", "dump"), [("yaml", yaml_text), ("json", json_text)])
@given(
    table=TABLES,
    flow=st.sampled_from([None, True, False]),
    width=st.sampled_from([10, 80]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    data=st.data(),
)
def test_any_change_has_its_effect_and_no_other(suffix, dump, table, flow, width, end, data):  # noqa: PLR0917
    text = dump(table, flow, width).replace("\n", end)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"document.{suffix}"
        path.write_bytes(text.encode())
        store = DocumentStore(path)
        model = dict(store)
        key = data.draw(st.sampled_from(sorted(model) or ["a"]))
        if data.draw(st.booleans()) and model:
            del store[key], model[key]
        else:
            new = data.draw(LEAVES)
            key = data.draw(st.sampled_from([key, "new", "other/new"]))
            try:
                store[key] = new
            except SerializationError:  # text that the format lacks
                assert path.read_bytes() == text.encode()
                return
            model[key] = new
        found = dict(DocumentStore(path))
        assert found == model
        assert [type(found[key]) for key in found] == [type(model[key]) for key in found]
        if suffix == "yaml":
            assert path.read_text("utf-8").startswith("# first\n")
            assert path.read_text("utf-8").rstrip().count("# last") >= 1


def test_infinity_that_was_read_is_no_hindrance(tmp_path):
    path = tmp_path / "document.json"
    path.write_text('{"a": -1e400, "b": [1e999], "c": 0.1000}')
    store = DocumentStore(path)
    store["d"] = 1
    del store["c"]
    assert path.read_text() == '{"a": -1e400, "b": [1e999], "d": 1}'
    assert (store["a"], store["b"]) == (-math.inf, [math.inf])


INI = """\
; shop

[server]
Host=example.org   ; no comment
# the port
port : 80
flag
empty=
long = one
    two
    # inside

    three

[git "x"]
	url = a
	fetch = b
# end
"""


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("server/Host", "b", "example.org   ; no comment", "b"),
        ("server/port", "8080", "80", "8080"),
        ("server/port", None, "port : 80", "port"),
        ("server/flag", "x", "flag", "flag=x"),
        ("server/empty", "x\ny", "empty=\n", "empty=x\n\ty\n"),
        ("server/long", "1", "one\n    two\n    # inside\n\n    three\n", "1\n    # inside\n"),
        (
            "server/long",
            "1\n2",
            "one\n    two\n    # inside\n\n    three\n",
            "1\n    2\n    # inside\n",
        ),
        ("server/new", "1", "    three\n", "    three\nnew=1\n"),
        ('git "x"/new', "1\n2", "= b\n", "= b\n\tnew=1\n\t\t2\n"),
        ("new/a", "1", "# end\n", "# end\n\n[new]\na=1\n"),
    ],
)
@pytest.mark.parametrize("frame", [("", "\n"), ("\ufeff", "\r\n")], ids=repr)
def test_a_write_changes_only_its_own_text_in_ini(tmp_path, key, value, old, new, frame):  # noqa: PLR0917
    assert INI.count(old) == 1
    mark, end = frame
    new = mark + INI.replace(old, new).replace("\n", end)
    assert text_after(tmp_path, "ini", mark + INI.replace("\n", end), key, value) == new


@pytest.mark.parametrize(
    ("keys", "old"),
    [
        (["server/Host"], "Host=example.org   ; no comment\n"),
        (["server/flag"], "flag\n"),
        (['git "x"/url', 'git "x"/fetch'], '[git "x"]\n\turl = a\n\tfetch = b\n'),
    ],
)
def test_a_delete_changes_only_its_own_text_in_ini(tmp_path, keys, old):
    got = after(tmp_path, "ini", INI, lambda store: list(map(store.__delitem__, keys)))
    assert got == INI.replace(old, "")


UNIT = "[Service]\n# c\nEnvironment=A=1   # one\nEnvironment=B=2\nType=simple\n\n[Install]\nWantedBy=x"


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("Service/Environment", ["A=1", "C"], "B=2", "C"),
        ("Service/Environment", ["A=0", "B=2"], "A=1 ", "A=0 "),
        ("Service/Environment", ["A=1", "B=2", "C"], "B=2\n", "B=2\nEnvironment=C\n"),
        ("Service/Environment", "A=1", "Environment=B=2\n", ""),
        ("Service/Type", ["a", "b"], "Type=simple\n", "Type=a\nType=b\n"),
        ("Service/New", ["a", "b"], "simple\n", "simple\nNew=a\nNew=b\n"),
        ("Install/Also", "y", "WantedBy=x", "WantedBy=x\nAlso=y\n"),
    ],
)
def test_options_that_occur_twice_are_changed_one_by_one(tmp_path, key, value, old, new):
    path = tmp_path / "a.service"
    path.write_text(UNIT)
    serializer = IniSerializer(repeated=True, inline_comments="#")
    store = DocumentStore(path, serializer=serializer)
    store[key] = value
    assert path.read_text() == UNIT.replace(old, new)
    assert store[key] == value


INI_TEXT = st.text(st.sampled_from("ab =:;#[]\n"), max_size=5)
OPTIONS = st.sampled_from(["a", "b", "c"])


@given(
    lines=st.lists(
        st.sampled_from(["[s]", "[t]", "a=1", "b : 2", "c", " more", "", "# c", "; d"]), max_size=8
    ),
    key=st.tuples(st.sampled_from(["s", "t", "u"]), OPTIONS),
    value=st.one_of(st.none(), INI_TEXT),
    repeated=st.booleans(),
)
def test_any_change_of_an_ini_file_keeps_its_comments(lines, key, value, repeated):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ini"
        path.write_text("\n".join(["[r]", *lines]))
        store = DocumentStore(path, serializer=IniSerializer(repeated=repeated), keys=tuple)
        try:
            model = dict(store)
            if key in model:
                del store[key], model[key]
                assert dict(store) == model
            store[key] = value
        except (CorruptValueError, SerializationError):
            return
        assert dict(store) == {**model, key: value}
        assert [line for line in path.read_text().splitlines() if line[:1] in "#;" and line] == [
            line for line in lines if line[:1] in "#;" and line
        ]


@pytest.mark.parametrize(
    ("key", "value", "new"),
    [
        ("a", None, "? long\n: b: 1 # b\n  c: 2\n? d\n: e: 3\n"),
        ("long/b", None, "? a\n: 0 # a\n? long\n: c: 2\n? d\n: e: 3\n"),
        ("long/c", 4, "? a\n: 0 # a\n? long\n: b: 1 # b\n  c: 4\n? d\n: e: 3\n"),
        ("d/f", 4, "? a\n: 0 # a\n? long\n: b: 1 # b\n  c: 2\n? d\n: e: 3\n  f: 4\n"),
        ("g", 4, "? a\n: 0 # a\n? long\n: b: 1 # b\n  c: 2\n? d\n: e: 3\ng: 4\n"),
    ],
)
def test_names_with_question_marks_are_changed_in_place(tmp_path, key, value, new):
    def change(store):
        if value is None:
            del store[key]
        else:
            store[key] = value

    assert after(tmp_path, "yaml", "? a\n: 0 # a\n? long\n: b: 1 # b\n  c: 2\n? d\n: e: 3\n", change) == new


@pytest.mark.parametrize(
    ("serializer", "text", "value", "written"),
    [
        (YamlSerializer(strict=False), "# c\na:\n    {x: 0644, b: %s}", (1, 2), "[1, 2]"),
        (JsonSerializer(strict=False), '{"a": {"b":\t%s}, "c": 1e400}', (1, {2: 3}), '[1, {"2": 3}]'),
        (TomlSerializer(strict=False), "# c\n[a]\nb = %s # d\n", (1, 2), "[1, 2]"),
        (IniSerializer(strict=False), "[a]\n; c\nb=%s\n", 1.5, "1.5"),
    ],
    ids=repr,
)
def test_what_comes_back_different_by_choice_changes_only_its_own_text(
    tmp_path, serializer, text, value, written
):
    pytest.importorskip("tomlkit")
    path = tmp_path / "document"
    path.write_text(text % 5)
    DocumentStore(path, serializer=serializer)["a/b"] = value
    assert path.read_text() == text % written
