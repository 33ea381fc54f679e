"""Documents of others as stores: what is written changes nothing else."""

import math

import pytest

from holdall.errors import CorruptValueError, SerializationError
from holdall.serializers import JsonSerializer, get_serializer
from holdall.stores.document import DocumentStore

ANCHORS = """\
defaults: &defaults
  db: {host: one, port: 1}
prod:
  <<: *defaults
test: *defaults
"""


@pytest.fixture
def anchored(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(ANCHORS)
    return DocumentStore(path)


@pytest.mark.parametrize("table", ["defaults", "prod", "test"])
def test_a_write_through_an_alias_changes_one_place(anchored, table):
    before = dict(anchored)
    anchored[f"{table}/db/host"] = "two"
    assert dict(anchored) == {**before, f"{table}/db/host": "two"}


@pytest.mark.parametrize("table", ["defaults", "prod", "test"])
def test_a_delete_through_an_alias_deletes_in_one_place(anchored, table):
    before = dict(anchored)
    del anchored[f"{table}/db/host"]
    assert dict(anchored) == {key: before[key] for key in before if key != f"{table}/db/host"}


def test_a_table_in_itself_is_told(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {b: *a, c: 1}")
    with pytest.raises(CorruptValueError, match="in itself"):
        list(DocumentStore(path))


@pytest.mark.parametrize(("suffix", "text"), [("toml", "a = nan\nb = 1\n"), ("yaml", "a: .nan\nb: 1\n")])
def test_a_document_with_nan_can_be_written(tmp_path, suffix, text):
    path = tmp_path / f"a.{suffix}"
    path.write_text(text)
    store = DocumentStore(path)
    store["b"] = 2
    store["c"] = [math.nan, -math.inf]
    assert math.isnan(store["a"])
    assert math.isnan(store["c"][0])
    assert (store["b"], store["c"][1]) == (2, -math.inf)


@pytest.mark.parametrize("name", ["yaml", "toml"])
def test_nan_hides_no_difference(name):
    serializer = get_serializer(name)
    for value in (
        {"a": [math.nan, (1,)]},
        {"a": math.nan, "b": (math.nan,)},
        {"a": {"b": (1,), "c": math.nan}},
    ):
        with pytest.raises(SerializationError):
            serializer.dumps(value)


TOML = """\
# by hand
title = 'it''s'   # kept
mode = 0o644
big = 1_000_000
nested = { x = 1, y = [ 1,2 ] }   # in line

[b]   # a table
when = 2020-01-01 00:00:00Z
port = 80  # the port
"a/b" = 1

[[list]]
x = 0x10
[a.deep]
only = true
""".replace("'it''s'", '"it\\u0027s"')


def changed(tmp_path, text, change):
    pytest.importorskip("tomlkit")
    path = tmp_path / "a.toml"
    path.write_bytes(text.encode())
    change(DocumentStore(path))
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("key", "value", "change"),
    [
        ("b/port", 8080, ("port = 80  #", "port = 8080  #")),
        ("title", "new", ('"it\\u0027s"', '"new"')),
        ("nested/x", 2, ("x = 1,", "x = 2,")),
        ("b/a%2Fb", [1.5, True], ('"a/b" = 1\n', '"a/b" = [1.5, true]\n')),
        ("list", [], ("", None)),
    ],
)
@pytest.mark.parametrize("frame", [("", "\n"), ("", "\r\n"), ("\ufeff", "\n")], ids=repr)
def test_a_write_changes_only_its_own_text_in_toml(tmp_path, key, value, change, frame):
    (old, new), (mark, end) = change, frame
    text = mark + TOML.replace("\n", end)
    got = changed(tmp_path, text, lambda store: store.__setitem__(key, value))
    if new is not None:
        assert got == text.replace(old.replace("\n", end), new.replace("\n", end))
    assert got.startswith(f"{mark}# by hand{end}")
    assert f"when = 2020-01-01 00:00:00Z{end}" in got
    assert DocumentStore(tmp_path / "a.toml")[key] == value


def test_new_and_deleted_values_leave_the_rest_of_toml_alone(tmp_path):
    def change(store):
        store.update({"b/new": 1, "c/d": 2})
        del store["b/port"], store["a/deep/only"]

    got = changed(tmp_path, TOML, change)
    kept = [line for line in TOML.splitlines() if line and not line.startswith(("port", "[a.deep", "only"))]
    assert [line for line in kept if line not in got.splitlines()] == []
    store = DocumentStore(tmp_path / "a.toml")
    assert (store["b/new"], store["c/d"], "b/port" in store) == (1, 2, False)
    assert list(store.get_subdict("a")) == []


def test_what_toml_cannot_hold_is_refused_and_the_text_stays(tmp_path):
    def change(store):
        for value in (None, (1,), [None], object()):
            with pytest.raises(SerializationError):
                store["b/port"] = value

    assert changed(tmp_path, TOML, change) == TOML


def test_a_new_json_file_is_indented_for_its_readers_and_others_stay_as_they_are(tmp_path):
    new = DocumentStore(tmp_path / "new.json")
    new["plot/size"] = 4
    new["recent"] = []
    assert (tmp_path / "new.json").read_text() == '{\n  "plot": {\n    "size": 4\n  },\n  "recent": []\n}\n'
    (tmp_path / "old.json").write_text('{"a": 1}')
    DocumentStore(tmp_path / "old.json")["b"] = None
    assert (tmp_path / "old.json").read_text() == '{"a": 1, "b": null}'
    DocumentStore(tmp_path / "mine.json", serializer=JsonSerializer())["a/b"] = 1
    assert (tmp_path / "mine.json").read_text() == '{"a": {"b": 1}}'
    DocumentStore(tmp_path / "named.txt", serializer="json")["a"] = 1
    assert (tmp_path / "named.txt").read_text() == '{\n  "a": 1\n}\n'


def test_who_asks_for_a_table_is_told_how_to_get_it(tmp_path):
    settings = DocumentStore(tmp_path / "s.json")
    settings["plot/size"] = 4
    with pytest.raises(KeyError) as caught:
        settings["plot"]["size"]
    assert caught.value.args == ("plot",)
    (note,) = caught.value.__notes__
    assert "get_subdict('plot') is a store of it, and 'plot/size' is a value in it" in note
    assert settings.get("plot", "none") == "none"
    with pytest.raises(KeyError) as caught:
        settings["plo"]
    assert not hasattr(caught.value, "__notes__")
