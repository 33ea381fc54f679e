"""Places that others have filled: what is seen of them, and what is said of the rest."""

import io
import os
import pickle
import tarfile
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdall import FileDirStore, LmdbStore, SQLiteStore, ZipStore
from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError, MismatchError, SerializationError
from holdall.keys import AnyKeys, Digest, IdentityKeys, PathKeys, Prefix, Suffix, Template, Under
from holdall.keys._fitting import fitted
from holdall.keys._recorded import codec_of
from holdall.serializers import JsonSerializer, get_serializer
from holdall.stores.tar import TarStore


def filled(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


# ---------------------------------------------------------------------- names of others


@pytest.mark.parametrize(
    ("codec", "names", "expected"),
    [
        (PathKeys(), ["a.txt", "100%.txt"], Suffix("")),
        (PathKeys(suffix=".txt"), ["a.txt", "12:30?.txt"], Suffix(".txt")),
        (PathKeys(suffix=".txt"), ["a.txt", "what?.json"], None),
        (PathKeys(), ["what%3F", "100%.txt"], None),
        (PathKeys(tuples=True), ["100%.txt"], None),
        (PathKeys(fold_case=True), ["A"], None),
        (AnyKeys(), ["!x"], None),
        (PathKeys(), [], None),
        (Template("S_{:d}.wav"), ["S_003.wav", "S_012.wav"], Template("S_{:03d}.wav")),
        (Template("S_{:d}.wav"), ["S_003.wav", "S_12.wav"], None),
        (Template("S_{:d}.wav"), ["x"], None),
        (Template("{a}/{{{n:d}}}", keys="dict"), ["x/{07}"], Template("{a}/{{{n:02d}}}", keys="dict")),
        (Template("{n:d:[0-9]+}"), ["007"], None),
    ],
    ids=repr,
)
def test_a_codec_is_fitted_to_what_lies_there(codec, names, expected):
    assert fitted(codec, names) == (codec if expected is None else expected)


codecs = st.sampled_from(
    [PathKeys(), PathKeys(suffix=".t"), PathKeys(hidden=True), Template("{:d}.t"), Template("{a}-{b:d}")]
)


@given(codecs, st.lists(st.text("a0%?./-t2F\u0301", min_size=1, max_size=6), max_size=8))
def test_a_fitted_codec_reads_more_and_changes_nothing(codec, names):
    other = fitted(codec, names)
    for name in names:
        key = codec.decode(name)
        if key is not NOT_MINE:
            assert other.decode(name) == key
            assert other.encode(key) == name
    if other != codec:
        assert len(other.decode_many(names)) > len(codec.decode_many(names))


def test_names_that_we_would_not_have_written_are_items(tmp_path):
    filled(tmp_path, "a.txt", "100%.txt", "sub/what?.txt", ".hidden")
    for _ in range(2):
        store = FileDirStore(tmp_path, serializer="text")
        assert store["100%.txt"] == "100%.txt"
        store["12:30.txt"] = "new"
    assert sorted(store) == ["100%.txt", "12:30.txt", "a.txt", "sub/what?.txt"]
    assert dict(store.get_subdict("sub")) == {"what?.txt": "sub/what?.txt"}
    assert (tmp_path / "12:30.txt").read_text() == "new"
    for bad in ("../x", "/x", "a//b", ".h", "x\0", ""):
        with pytest.raises(InvalidKeyError):
            store[bad] = "no"
        assert bad not in store


def test_names_with_percent_signs_that_we_wrote_there_stay_as_they_are(tmp_path):
    filled(tmp_path, "a.txt", "100%.txt")
    FileDirStore(tmp_path, serializer="text").update({"50%25": "x", "b%20c": "y", "%": "z"})
    keys = {"a.txt", "100%.txt", "50%25", "b%20c", "%"}
    assert set(FileDirStore(tmp_path, serializer="text")) == set(FileDirStore(tmp_path)) == keys
    (tmp_path / "100%.txt").unlink()
    assert FileDirStore(tmp_path, serializer="text")["50%25"] == "x"


def test_names_of_our_own_folders_are_not_looked_at(tmp_path):
    FileDirStore(tmp_path / "s", serializer="text")["100%"] = "x"
    filled(tmp_path / "s", "50%")
    assert sorted(FileDirStore(tmp_path / "s")) == ["100%"]
    assert os.path.exists(tmp_path / "s" / "100%25")


def test_numbers_with_leading_zeros_are_read_and_written_so(tmp_path):
    filled(tmp_path, "S_003.wav", "S_011.wav")
    store = FileDirStore(tmp_path, serializer="text", keys="S_{:d}.wav")
    assert sorted(store.items()) == [(3, "S_003.wav"), (11, "S_011.wav")]
    store[7] = "new"
    assert (tmp_path / "S_007.wav").read_text() == "new"
    assert sorted(FileDirStore(tmp_path, serializer="text", keys="S_{:d}.wav")) == [3, 7, 11]


# ---------------------------------------------------------------------- the layout of JSON


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{\n    "a": 1\n}\n', '{\n    "a": [2]\n}\n'.replace("[2]", "[\n        2\n    ]")),
        ('{\n\t"a": 1\n}', '{\n\t"a": [\n\t\t2\n\t]\n}'),
        ('{\r\n  "a": 1\r\n}', '{\n  "a": [\n    2\n  ]\n}'),
        ('{"a": 1}\n', '{"a": [2]}\n'),
        ('{"a": 1}', '{"a": [2]}'),
        ("[\n]", '{"a": [2]}'),
        ("no JSON", '{"a": [2]}'),
        ("[\n" + " " * 99 + "1]", '{"a": [2]}'),
    ],
)
@pytest.mark.parametrize("serializer", ["json", "by_suffix"])
def test_json_of_others_keeps_its_layout(tmp_path, serializer, old, new):
    (tmp_path / "x.json").write_bytes(old.encode())
    store = FileDirStore(tmp_path, serializer=serializer, suffix="")
    store["x.json"] = {"a": [2]}
    assert (tmp_path / "x.json").read_bytes() == new.encode()
    assert store["x.json"] == {"a": [2]}
    store["new.json"] = {"a": [2]}
    assert (tmp_path / "new.json").read_bytes() == b'{"a": [2]}'
    assert (
        dict(pickle.loads(pickle.dumps(store))) == dict(store.items()) == {key: {"a": [2]} for key in store}
    )
    with pytest.raises(SerializationError):
        store["x.json"] = {1, 2}
    assert (tmp_path / "x.json").read_bytes() == new.encode()
    assert store.serializer == get_serializer(serializer)


def test_edits_keep_the_layout_and_other_formats_know_none(tmp_path):
    (tmp_path / "x.json").write_text('{\n  "a": 1\n}\n')
    (tmp_path / "n.txt").write_text("[\n  1]")
    store = FileDirStore(tmp_path, serializer="by_suffix")
    with store.edit("x.json") as settings:
        settings["b"] = 2
    store["n.txt"] = "plain"
    assert (tmp_path / "x.json").read_text() == '{\n  "a": 1,\n  "b": 2\n}\n'
    assert (tmp_path / "n.txt").read_text() == "plain"
    mine = FileDirStore(tmp_path, serializer=JsonSerializer(indent=1), suffix=".json")
    mine["x"] = [1]
    assert (tmp_path / "x.json").read_text() == "[\n 1\n]\n"


# ---------------------------------------------------------------------- what is not seen


def test_files_that_are_not_seen_are_told(tmp_path):
    filled(tmp_path, "a.txt", "b.txt", "c", "d.csv", "e.md")
    with pytest.warns(
        UserWarning, match=r"5 files.*none of them \(2 '.txt', 1 .*, \.\.\.\).*by_suffix"
    ) as seen:
        store = FileDirStore(tmp_path)
    assert seen[0].filename == __file__
    assert list(store) == []
    assert repr(store).endswith("where it does not see 5 files")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repr(FileDirStore(tmp_path, suffix=".txt")).endswith("does not see 3 files")
        store = FileDirStore(tmp_path, serializer="json")  # perhaps to write the first one
        store["x"] = 1
        store = FileDirStore(tmp_path)
        assert list(store) == ["x"]
        assert len(FileDirStore(tmp_path, serializer="bytes")) == 6


def test_a_store_says_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        repr(FileDirStore("mixde"))
        == "FileDirStore(path='mixde', serializer='pickle'), which is not made yet"
    )
    store = FileDirStore()
    assert repr(store).endswith("in a temporary folder")
    store["a"] = 1
    assert repr(store) == f"FileDirStore(serializer='pickle') in {store.path}"
    with SQLiteStore() as table:
        table["a"] = 1
        assert repr(table).endswith(f" in {table.path}")
    FileDirStore("made")["a"] = 1
    assert repr(FileDirStore("made", durability="power")) == (
        "FileDirStore(path='made', serializer='pickle', durability='power')"
    )


# ---------------------------------------------------------------------- what was recorded


@pytest.mark.parametrize(
    "codec",
    [
        PathKeys(suffix=".json"),
        PathKeys(tuples=True, encode="+"),
        Template("{a}_{b:d}", keys="dict"),
        AnyKeys() | PathKeys(suffix=".x"),
        Digest(AnyKeys(), size=8),
        Under(Template("{a}_{b}", keys="dict"), {"a": "x"}),
        Prefix("x") | Suffix(".gz") | IdentityKeys(),
    ],
    ids=repr,
)
def test_codecs_are_made_again_of_what_shows_them(codec):
    assert codec_of(repr(codec)) == codec


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')",
        "as_key_codec((int, str))",
        "PathKeys",
        "PathKeys(suffix=open('x'))",
        "PathKeys(nope=1)",
        "PathKeys(**{'suffix': '.x'})",
        "PathKeys(suffix='/')",
        "PathKeys() + PathKeys()",
        "x.PathKeys()",
        "(" * 500,
        "",
        None,
        5,
    ],
)
def test_what_a_record_does_not_tell_makes_no_codec(text):
    assert codec_of(text) is None


@pytest.mark.parametrize("make", [FileDirStore, SQLiteStore, LmdbStore])
def test_keys_are_taken_from_the_record(tmp_path, make):
    path = tmp_path / "place"
    keys = PathKeys(tuples=True, suffix=".x")
    make(path, serializer="json", keys=keys)["a", "b"] = 1
    for options in ({}, {"serializer": "json"}, {"keys": keys}):
        with make(path, **options) as store:
            assert dict(store) == {("a", "b"): 1}
            store["c",] = 2
            del store["c",]
    with pytest.raises(MismatchError, match="keys"):
        make(path, keys="{}.y")
    with pytest.raises(MismatchError, match="serializer"):
        make(path, serializer="text")


def test_functions_cannot_be_recorded(tmp_path):
    FileDirStore(tmp_path / "s", keys=(str, int))[5] = 1
    with pytest.raises(MismatchError, match="keys"):
        FileDirStore(tmp_path / "s")
    with pytest.raises(InvalidArgumentError):
        FileDirStore(tmp_path / "s", keys=5)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_of_others_are_read_by_the_names_that_are_there(tmp_path, kind):
    names = ["100%.txt", "dir/.hidden", "con.txt", "what?.txt", "plain.txt"]
    path = tmp_path / f"theirs.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, name)
        store = ZipStore(path)
    else:
        with tarfile.open(path, "w") as archive:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = len(name)
                archive.addfile(info, io.BytesIO(name.encode()))
        store = TarStore(path)
    assert dict(store) == {name: name.encode() for name in names}


def test_an_archive_of_ours_keeps_its_own_names(tmp_path):
    path = tmp_path / "ours.zip"
    ZipStore(path)["what?"] = b"1"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("100%.txt", b"2")
    assert dict(ZipStore(path)) == {"what?": b"1"}
    assert ZipStore(path, keys=Suffix("")).keys() == {"what%3F", "100%.txt"}
