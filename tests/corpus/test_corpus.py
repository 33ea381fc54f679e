"""Files that other programs made are read as what they hold; see README.md beside this file."""

import datetime as dt
import zipfile
from pathlib import Path

import pytest

from holdall import ZipStore
from holdall.errors import UnsupportedError
from holdall.keys import Suffix
from holdall.serializers import CsvSerializer, get_serializer, serializer_for_suffix
from holdall.stores.document import DocumentStore
from holdall.stores.tar import TarStore

FILES = Path(__file__).parent / "files"
NODE = {
    "name": "Zoë \U0001f600",
    "a/b": [1, -2.5, 1e300, True, None],
    "nested": {"empty": {}, "list": [[]]},
    "lines": "one\ntwo\r\n",
}
PLAIN = {"a": [1, "Zoë"]}
TREE = {"a.txt": b"one\n", "in/Zoë.txt": b"two"}

VALUES = {
    "git.ini": {"core": {"name": "Zoë", "path": "a b"}, 'remote "x/y"': {"url": "https://example.org/1"}},
    "jq-tab.json": {"a": 1.1, "b": {"c": [1, 2]}},
    "jq.json": {
        "s": "Zoë",
        "n": 12345678901234567000,
        "big": 1.7976931348623157e308,
        "tiny": 0,
        "deep": [[[]]],
    },
    "members.json.gz": [1, 2],
    "node-flow.yaml": NODE,
    "node.cbor": {**NODE, "bytes": b"\0\xff", "big": 2**70},
    "node.csv": [["city", "said"], ["Oslo", 'a "b", c'], ["", "two\nlines"], ["Zoë", "\t;"]],
    "node.ini": {
        "top": {"a": "1", "b": '"x=y"', "c": "\\; no comment"},
        "other": {"url": "http://example.org/\\#x"},
    },
    "node.json": NODE,
    "node.json.gz": NODE,
    "node.msgpack": {**NODE, "bytes": b"\0\xff", "when": dt.datetime(2026, 1, 2, tzinfo=dt.UTC)},
    "node.toml": {
        "name": "Zoë",
        "when": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "nested": {"x": 1.5, "list": [[1, 2], ["a"]]},
        "items": [{"a": 1}, {"a": 2}],
    },
    "node.wav": (b"\0\0\1\0\xe8\3\2\0\x18\xfc\3\0\xff\x7f\0\x80", 8000, 2, 2),
    "node.xlsx": {
        "first": [["name", "n"], ["Zoë", 1], [None, 2.5], [True, dt.datetime(2026, 1, 2)]],  # noqa: DTZ001
        "second": [["x"]],
    },
    "node.yaml": NODE,
    "perl.json": {"l": [True, None], "n": 1.5, "s": "Zoë \U0001f600"},
    "plain.json": PLAIN,
    "plain.json.b64": PLAIN,
    "plain.json.bz2": PLAIN,
    "plain.json.gz": PLAIN,
    "plain.json.lz4": PLAIN,
    "plain.json.xz": PLAIN,
    "plain.json.zst": PLAIN,
    "ruby.csv": [["a", "b"], ["x,y", ""], ['say "q"', ""]],
    "ruby.json": {"s": "Zoë\u2028", "n": 1e20, "l": [None, True]},
    "ruby.yaml": {
        "name": "Zoë",
        "time": "22:22",
        "yes": "yes",
        "no": None,
        "list": [1, [2.5, {"a": "b"}]],
        "lines": "one\ntwo\n",
        "mode": 0o644,
        "text": "1",
    },
    "sqlite3.csv": [["city", "said", "n"], ["Oslo", 'a "b", c', "1.5"], ["", "two\nlines", ""]],
    "sqlite3.json": [{"name": "Zoë", "n": 1}, {"name": None, "n": 2.5}],
}
ARCHIVES = {
    "7zip-deflate64.zip": UnsupportedError,
    "7zip-encrypted.zip": UnsupportedError,
    "7zip-lzma.zip": {"one.txt": b"one\n" * 1000},
    "7zip.tar": TREE,
    "7zip.zip": TREE,
    "bsdtar.tar": {**TREE, "hard": b"one\n"},
    "bsdtar.zip": {**TREE, "hard": b"one\n"},
    "gnu-gnu.tar": {**TREE, "hard": b"one\n"},
    "gnu-incremental.tar": {**TREE, "hard": b"one\n"},
    "gnu-pax.tar": {**TREE, "hard": b"one\n"},
    "gnu-sparse.tar": {"holes": b"one" + bytes((64 << 10) - 3) + b"two"},
    "gnu-ustar.tar": {**TREE, "hard": b"one\n"},
    "gnu-v7.tar": {**TREE, "hard": b"one\n"},
    "gnu.tar.gz": TREE,
    "infozip-links.zip": {"a.txt": b"one\n"},
    "infozip-stored.zip": {"a.txt": b"one\n"},
    "infozip-stream.zip": {"-": b"one\n"},
    "infozip-unmarked.zip": {"in/Zoë.txt": b"two"},
    "infozip.zip": TREE,
    "perl.tar": {"a.txt": b"one\n", "in/b.txt": b"two"},
}
# Tests of their own: what they hold has no `==` of one answer.
OBJECTS = {"flac.flac", "node.feather", "node.gif", "node.docx", "node.h5", "node.parquet", "node.png"}
NEEDS = {
    "cbor": "cbor2",
    "yaml": "yaml",
    "xlsx": "openpyxl",
    "msgpack": "msgpack",
    "zst": "zstandard",
    "lz4": "lz4",
}


def read(name):
    suffix = name.partition(".")[2]
    pytest.importorskip(NEEDS.get(suffix.rpartition(".")[2], "json"))
    special = {"json.b64": "json | base64", "gif": "image"}
    made = get_serializer(special[suffix]) if suffix in special else serializer_for_suffix(suffix)
    return made.loads((FILES / name).read_bytes())


def test_no_file_is_left_out():
    assert {path.name for path in FILES.iterdir()} == {*VALUES, *ARCHIVES, *OBJECTS}


@pytest.mark.parametrize("name", VALUES)
def test_a_file_is_read_as_what_it_holds(name):
    value = read(name)
    assert value == VALUES[name]
    assert repr(value) == repr(VALUES[name]) or name == "node.wav"


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_has_its_files(name):
    if ".tar" in name:
        store = TarStore(FILES / name, serializer="bytes")
    else:  # Info-ZIP writes the bytes of UTF-8 without saying so
        store = ZipStore(FILES / name, serializer="bytes", read_only=True, metadata_encoding="utf-8")
    if ARCHIVES[name] is UnsupportedError:
        assert list(store) == ["one.txt"]
        with pytest.raises(UnsupportedError, match=r"encrypted|not known here"):
            store["one.txt"]
    else:
        assert dict(store) == ARCHIVES[name]


@pytest.mark.parametrize("name", ["node.feather", "node.parquet"])
def test_a_frame_has_its_columns(name):
    pytest.importorskip("pyarrow")
    frame = read(name)
    assert frame.to_dict("list") == {"n": [1, 2, 3], "x": [0.5, -1, 1e300], "name": ["a", "Zoë", ""]}
    assert [str(frame[column].dtype) for column in ("n", "x")] == ["int32", "float64"]


def test_an_hdf5_file_has_its_arrays():
    pytest.importorskip("h5py")
    value = read("node.h5")
    assert value["grid"].value.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (str(value["grid"].value.dtype), value["grid"].attrs) == ("float32", {"unit": "m"})
    assert (value["in"]["n"].tolist(), str(value["in"]["n"].dtype)) == ([7, 8], "int32")


@pytest.mark.parametrize("name", ["node.png", "node.gif"])
def test_an_image_has_its_points(name):
    pytest.importorskip("PIL")
    image = read(name)
    alphas = (255, 128, 0, 4) if name == "node.png" else (255, 255, 255, 255)
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (1, 2, 3)]
    points = image.convert("RGBA")
    assert [points.getpixel((i % 2, i // 2)) for i in range(4)] == [
        (*colour, alpha) for colour, alpha in zip(colours, alphas, strict=True)
    ]


def test_sound_has_its_samples():
    pytest.importorskip("soundfile")
    samples, rate = read("flac.flac")
    assert (samples.tolist(), rate) == ([[0, 1], [1000, 2], [-1000, 3], [32767, -32768]], 8000)


def test_a_part_of_a_letter_is_changed_and_the_others_stay(tmp_path):
    path = tmp_path / "letter.docx"
    path.write_bytes((FILES / "node.docx").read_bytes())
    store = ZipStore(path, serializer="text", keys=Suffix(""))
    before = dict(store)
    assert {"[Content_Types].xml", "_rels/.rels", "word/document.xml"} <= {*before}
    text = before["word/document.xml"]
    assert '<w:t xml:space="preserve">Dear Zoë,</w:t>' in text
    store["word/document.xml"] = text.replace("Zoë", "Noël")
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert found == {**before, "word/document.xml": text.replace("Zoë", "Noël")}


@pytest.mark.parametrize("name", ["ruby.csv", "sqlite3.csv", "node.csv"])
def test_tables_with_names_are_read_by_them(name):
    names, *rows = VALUES[name]
    table = CsvSerializer(header=True).loads((FILES / name).read_bytes())
    assert table == [dict(zip(names, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", [name for name in VALUES if Path(name).suffix in (".yaml", ".ini", ".toml")])
@pytest.mark.parametrize("delete", [False, True])
def test_any_value_of_a_document_can_be_changed_and_the_rest_stays(tmp_path, name, delete):
    pytest.importorskip("yaml")
    pytest.importorskip("tomlkit")
    text = (FILES / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(text)
    keys = list(DocumentStore(path))
    assert len(keys) > 2
    for key in keys:
        path.write_bytes(text)
        store = DocumentStore(path)
        wanted = dict(store)
        if delete:
            del store[key], wanted[key]
        else:
            store[key] = wanted[key] = "changed"
        assert dict(DocumentStore(path)) == wanted
        old, new = text.decode().splitlines(), path.read_text("utf-8").splitlines()
        assert len(set(new) - set(old)) <= 1
        lost = set(old) - set(new)
        assert len(lost) <= 8, lost
