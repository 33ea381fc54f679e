"""Views of what lies there already: files by their suffixes, folders, tar archives, files of settings."""

import copy
import gzip
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
import threading

import numpy as np
import pytest

from holdall import (
    CorruptValueError,
    FileDirStore,
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    MultiFormatStore,
    SerializationError,
    SQLiteStore,
    Store,
    StoreNotFoundError,
    UnsupportedError,
    UntrustedStoreError,
    ZipStore,
)
from holdall.abc import KeyedSerializer, Serializer
from holdall.keys import Suffix
from holdall.persisters.document import DocumentPersister
from holdall.persisters.tar import TarReader
from holdall.serializers import (
    BySuffix,
    CsvSerializer,
    GzipSerializer,
    IniSerializer,
    JsonSerializer,
    by_suffix,
    get_serializer,
    serializer_for_suffix,
)
from holdall.stores.document import DocumentStore
from holdall.stores.tar import TarStore
from holdall.testing import PersisterContract, StoreContract
from processes._support import child_environment, tree

# ---------------------------------------------------------------------- by_suffix


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


@pytest.mark.parametrize(
    ("key", "value", "data"),
    [
        ("a.json", {"x": [1]}, b'{"x": [1]}'),
        ("deep/a.csv", [["a", "b"], ["1", "2"]], b"a,b\r\n1,2\r\n"),
        ("a.tsv", [["a", "b"]], b"a\tb\r\n"),
        ("a.txt", "é", "é".encode()),
        ("README.md", "# é\n", "# é\n".encode()),
        ("a.ini", {"s": {"A": "1"}}, b"[s]\nA = 1\n\n"),
        ("A.JSON", [1], b"[1]"),
        ("a.bin", b"\0", b"\0"),
        ("photo.jpeg", b"\xff\xd8", b"\xff\xd8"),
        ("backup.tar.gz", b"not ours", b"not ours"),
        ("Makefile", b"all:", b"all:"),
        ("v1.2/notes.txt", "x", b"x"),
        (".json", b"x", b"x"),
    ],
)
def test_the_end_of_a_key_says_how_its_value_is_written(path, key, value, data):
    store = FileDirStore(path, serializer=by_suffix())
    store[key] = value
    with open(store.file_of(key), "rb") as file:
        assert file.read() == data
    assert store[key] == value
    assert dict(store) == {key: value}


@pytest.mark.parametrize(
    ("key", "value", "module"),
    [
        ("a.toml", {"a": {"b": [1, 2.5, "x"]}}, "tomli_w"),
        ("a.yaml", {"a": [None, True]}, "yaml"),
        ("a.yml", [1], "yaml"),
        ("a.xlsx", {"Sheet": [["a", 1.5], [None, True]]}, "openpyxl"),
        ("a.pkl", {1, 2}, "pickle"),
        ("a.pickle.gz", {1, 2}, "pickle"),
        ("a.json.gz", [1], "json"),
        ("a.csv.gz", [["1"]], "csv"),
    ],
)
def test_more_formats_come_back(path, key, value, module):
    pytest.importorskip(module)
    store = FileDirStore(path, serializer="by_suffix")
    store[key] = value
    assert FileDirStore(path)[key] == value


def test_arrays_and_frames_come_back(path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    store = FileDirStore(path, serializer=by_suffix())
    frame = pd.DataFrame({"n": [1, 2], "name": ["a", "b"]})
    store.update(
        {"a.npy": np.arange(4), "b.npz": {"x": np.eye(2)}, "c.npy.gz": np.zeros(3), "d.parquet": frame}
    )
    assert store["a.npy"].tolist() == [0, 1, 2, 3]
    assert store["b.npz"]["x"].tolist() == [[1, 0], [0, 1]]
    assert store["c.npy.gz"].tolist() == [0, 0, 0]
    assert store["d.parquet"].equals(frame)
    for file in ("c.npy.gz",):
        assert gzip.decompress((path / file).read_bytes()).startswith(b"\x93NUMPY")


def test_equal_values_are_equal_files():
    packed = GzipSerializer("json")
    assert packed.dumps([1]) == packed.dumps([1])
    assert (packed.name, packed.suffix, packed.executes_code) == ("json.gz", ".json.gz", False)
    assert GzipSerializer("pickle").executes_code
    assert packed == GzipSerializer("json") != GzipSerializer("json", 1)
    with pytest.raises(InvalidArgumentError):
        GzipSerializer("json", 10)


def test_suffixes_of_ones_own(path):
    how = by_suffix(
        {".conf": "ini", ".JSON": JsonSerializer(indent=2), ".a.json": "text", ".md": None}, other=None
    )
    store = FileDirStore(path, serializer=how)
    store.update({"x.conf": {"s": {"a": "1"}}, "x.json": [1], "x.a.json": "text"})
    assert (path / "x.json").read_text() == "[\n  1\n]\n"
    assert store["x.a.json"] == "text"
    for key in ("x.md", "x.unknown", "x", "x.unknown.gz"):
        with pytest.raises(UnsupportedError, match="stands for no format"):
            store[key] = "x"
        (path / key).write_text("x")
        with pytest.raises(UnsupportedError, match="stands for no format"):
            store[key]
        assert key in store
    for wrong in ({"json": "json"}, {".": "json"}, {3: "json"}, {".x": "jsn"}):
        with pytest.raises(InvalidArgumentError):
            by_suffix(wrong)


def test_a_folder_remembers_that_suffixes_choose(path):
    FileDirStore(path, serializer=by_suffix({".json": "text"}))["a.json"] = "[1]"
    assert FileDirStore(path)["a.json"] == [1]  # options are not recorded, as those of other serializers
    assert FileDirStore(path, serializer=by_suffix({".json": "text"}))["a.json"] == "[1]"
    with pytest.raises(MismatchError, match="by_suffix"):
        FileDirStore(path, serializer="json")


def test_by_suffix_is_a_value():
    assert by_suffix() == get_serializer("by_suffix") == BySuffix()
    assert hash(by_suffix()) == hash(by_suffix())
    assert by_suffix({".a": "json"}) != by_suffix() != by_suffix(other=None)
    assert repr(by_suffix()) == "by_suffix()"
    assert repr(by_suffix({".a": "text"}, other="json")).startswith("by_suffix({'.a': TextSerializer(")
    again = pickle.loads(pickle.dumps(by_suffix({".a": "json"})))
    assert again == by_suffix({".a": "json"})
    assert again.for_id("x.a").dumps([1]) == b"[1]"
    with pytest.raises(UnsupportedError, match="without an id"):
        by_suffix().dumps(1)
    with pytest.raises(UnsupportedError, match="without an id"):
        by_suffix().loads(b"1")


def test_refused_values_and_corrupt_data_name_the_key(path):
    store = FileDirStore(path, serializer=by_suffix())
    store["a.json"] = [1]
    for verb in (
        lambda: store.__setitem__("a.json", (1, 2)),
        lambda: store.update({"b.csv": [["x"]], "a.json": {1}}),
        lambda: store.transform_item("a.json", transformer=lambda _: {1}),
        lambda: store.setdefault("c.txt", 5),
    ):
        with pytest.raises(SerializationError, match=r"'[ac]\.(json|txt)'"):
            verb()
    assert store["a.json"] == [1]
    for name, data in {
        "a.json": b"{",
        "b.csv.gz": b"no gzip",
        "c.txt": b"\xff",
        "d.ini": b"x=1",
        "e.pkl": b".",
    }.items():
        (path / name).write_bytes(data)
        for verb in (
            store.__getitem__,
            store.get,
            lambda key: store.setdefault(key, 1),
            lambda key: store.pop(key, 1),
        ):
            with pytest.raises(CorruptValueError, match=name):
                verb(name)
    with pytest.raises(CorruptValueError):
        dict(store)


def test_a_key_error_of_a_serializer_is_not_absence():
    class Odd(KeyedSerializer):
        name = "odd"

        def for_id(self, id):
            class Broken(type(get_serializer("json"))):
                def loads(self, data):
                    raise KeyError(data)

            return Broken()

    store = Store({}, serializer=Odd())
    store["a"] = 1
    with pytest.raises(CorruptValueError):
        store.setdefault("a", 2)


def test_pickles_alone_are_guarded(path):
    store = FileDirStore(path, serializer=by_suffix())
    store.update({"a.pkl": 1, "b.pkl.gz": 2, "c.json": 3})
    for file in ("a.pkl", "b.pkl.gz", "c.json"):
        os.chmod(path / file, 0o666)
    assert store["c.json"] == 3
    for key in ("a.pkl", "b.pkl.gz"):
        with pytest.raises(UntrustedStoreError, match="everybody may write"):
            store[key]
    assert FileDirStore(path, trust=True)["b.pkl.gz"] == 2
    again = pickle.loads(pickle.dumps(store))
    with pytest.raises(UntrustedStoreError):
        again["a.pkl"]


def test_what_else_a_store_does_goes_on_with_keyed_formats(path):
    store = FileDirStore(path, serializer=by_suffix(), keys=tuple, append_only=True)
    store["a", "b.json"] = [1]
    part = store.get_subdict(("a",))
    assert part["b.json"] == [1]
    assert store.file_of(("a", "b.json")) == str(path / "a/b.json")
    assert copy.copy(store)["a", "b.json"] == [1]
    assert "json" in store._repr_html_()
    assert store.serializer == by_suffix()
    loose = Store({}, serializer=by_suffix(), keys=(str.lower, str))
    loose["A.JSON"] = [1]
    assert loose.persister is not None
    assert loose["a.json"] == [1]
    with pytest.raises(InvalidKeyError):
        Store({}, serializer=by_suffix())[5] = b"x"


def test_a_table_can_hold_keyed_formats_too(tmp_path):
    items = {"a.json": [1], "b.csv": [["x"]], "c.pkl": {1}}
    with SQLiteStore(tmp_path / "a.db", serializer=by_suffix(), append_only=True) as store:
        store.update(items)
        assert store.nbytes > 0
        assert store.check() == []
    with SQLiteStore(tmp_path / "a.db") as store:
        assert dict(store) == items


def test_large_values_are_streamed(path):
    store = FileDirStore(path, serializer=by_suffix())
    store["a.pkl"] = np.arange(1 << 20)
    assert store["a.pkl"].flags.writeable
    assert int(store["a.pkl"].sum()) == (1 << 20) * ((1 << 20) - 1) // 2
    with store.persister.writer("b.json") as file:
        file.write(b"[1, 2]")
    assert store["b.json"] == [1, 2]
    with store.persister.reader("b.json") as file:
        assert file.read() == b"[1, 2]"


def test_one_of_several_formats_of_a_folder_can_be_keyed(path):
    formats = MultiFormatStore(path, "pickle", tables={"serializer": by_suffix(), "suffix": ".csv"})
    formats.tables["a"] = [["1"]]
    assert (path / "a.csv").read_text() == "1\n"


def test_a_missing_package_names_the_extra(path):
    code = f"""
import sys
for name in ("yaml", "tomli_w", "openpyxl", "pyarrow", "pandas"):
    sys.modules[name] = None
import holdall
from holdall.serializers import by_suffix
store = holdall.FileDirStore({str(path)!r}, serializer=by_suffix())
store["a.json"] = [1]
for key, value in (("a.yaml", [1]), ("a.toml", {{}}), ("a.xlsx", {{}}), ("a.parquet", None)):
    try:
        store[key] = value
    except holdall.UnsupportedError as error:
        print(error)
with open(store.file_of("b.toml"), "w") as file:
    _ = file.write("a = 1")
print(store["b.toml"])
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=child_environment(), check=True
    )
    for extra in ("yaml", "toml", "xlsx", "parquet"):
        assert f"'holdall[{extra}]'" in run.stdout
    assert "{'a': 1}" in run.stdout
    assert not run.stderr


def test_the_names_of_formats_are_registered():
    assert serializer_for_suffix(".csv").name == "csv"
    assert serializer_for_suffix("toml").name == "toml"
    with pytest.raises(InvalidArgumentError, match=r"known are \.bin"):
        serializer_for_suffix("")


# ---------------------------------------------------------------------- csv and ini


def test_csv_as_others_write_it():
    rows = CsvSerializer()
    assert rows.loads(b'a,"b ""c"""\nd,"e\nf"\r\n\r\ng') == [["a", 'b "c"'], ["d", "e\nf"], [], ["g"]]
    assert CsvSerializer(delimiter=";", encoding="utf-8-sig").loads(b"\xef\xbb\xbfa;b") == [["a", "b"]]
    dicts = CsvSerializer(header=True)
    assert dicts.loads(b"a,b\n1,2\n\n3,4\n") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert dicts.loads(b"") == []
    for wrong in (b"a,a\n1,2", b"a,b\n1", b"a\n1,2"):
        with pytest.raises(CorruptValueError):
            dicts.loads(wrong)
    for options in ({"delimiter": ";;"}, {"delimiter": ""}, {"encoding": "none"}):
        with pytest.raises(InvalidArgumentError):
            CsvSerializer(**options)


def test_csv_and_ini_that_are_not_strict_write_what_comes_back_as_text():
    loose = CsvSerializer(strict=False)
    assert loose.loads(loose.dumps([(1, 2.5, None, "x")])) == [["1", "2.5", "", "x"]]
    assert IniSerializer(strict=False).dumps({"s": {"a": 1}}) == b"[s]\na = 1\n\n"
    with pytest.raises(SerializationError):
        loose.dumps("text")


def test_ini_as_it_stands():
    text = b"# comment\n[DEFAULT]\nx = %(y)s\n[a/b]\nKey: v1\n  v2\nempty =\nflag\n"
    assert IniSerializer().loads(text) == {
        "DEFAULT": {"x": "%(y)s"},
        "a/b": {"Key": "v1\nv2", "empty": "", "flag": None},
    }
    for wrong in (b"[a]\n[a]\n", b"x = 1", b"[a]\nx=1\nx=2"):
        with pytest.raises(CorruptValueError):
            IniSerializer().loads(wrong)


# ---------------------------------------------------------------------- folders of others


ODD = [
    "a:b.txt",
    "100%.txt",
    "CON.txt",
    "what?.txt",
    "tail .txt",
    "e\u0301.txt",
    "ok.txt",
    "%41.txt",
    "back\\slash.txt",
]


@pytest.fixture
def folder(tmp_path):
    """A folder of others, with names that no codec of ours would make."""
    folder = tmp_path / "theirs"
    (folder / "sub/.git").mkdir(parents=True)
    for name in [*ODD, "sub/x.txt", "sub/.git/config", ".hidden.txt"]:
        (folder / name).write_text(name)
    with open(os.path.join(os.fsencode(folder), b"\xff.txt"), "wb") as file:
        file.write(b"latin")
    (folder / "data.json").write_text("[1]")
    (folder / "data.pkl").write_bytes(pickle.dumps({1}))
    return folder


def test_every_file_of_any_folder_by_its_own_name(folder):
    before = tree(folder)
    files = FileDirStore(folder, serializer="bytes", keys=Suffix(""), hidden=True, read_only=True)
    expected = {*ODD, "sub/x.txt", "sub/.git/config", ".hidden.txt", "\udcff.txt", "data.json", "data.pkl"}
    assert set(files) == expected
    assert all(files[name] == name.encode() for name in [*ODD, "sub/x.txt", "sub/.git/config"])
    assert files["\udcff.txt"] == b"latin"
    assert dict(files.get_subdict("sub")) == {"x.txt": b"sub/x.txt", ".git/config": b"sub/.git/config"}
    visible = FileDirStore(folder, serializer="text", keys=Suffix(".txt"), max_levels=1, read_only=True)
    assert set(visible) == {name.removesuffix(".txt") for name in [*ODD, "\udcff.txt"]}
    assert visible["a:b"] == "a:b.txt"
    assert tree(folder) == before


@pytest.mark.parametrize(
    "name", ["../up.txt", "/etc/passwd", "a//b", "", ".", "..", "a/../b", ".holdall/x", "nul\0"]
)
def test_names_of_ones_own_lead_nowhere_else(folder, name):
    store = FileDirStore(folder, serializer="bytes", keys=Suffix(""), hidden=True)
    with pytest.raises(InvalidKeyError):
        store[name] = b"x"
    assert name not in store
    assert store.get(name) is None
    assert sorted(os.listdir(folder.parent)) == ["theirs"]


@pytest.mark.parametrize(
    ("serializer", "expected"),
    [("json", {"data": [1]}), ("pickle", {"data": {1}}), (by_suffix(), {"data.json": [1], "data.pkl": {1}})],
)
def test_a_folder_of_others_by_format(folder, serializer, expected):
    store = FileDirStore(folder, serializer=serializer, read_only=True)
    assert {key: store[key] for key in store if key.startswith("data")} == expected


# ---------------------------------------------------------------------- tar


def tar_of(entries, mode="w", **options):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, **options) as archive:
        for name, data in entries:
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_700_000_000
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return name, info


class TestTarReader(PersisterContract):
    def open(self, place):
        path = place / "archive.tar.gz"
        if not path.exists():
            path.write_bytes(tar_of([], "w:gz"))
        return TarReader(path)

    def fill(self, persister, place):
        items = {"a": b"0", "folder/deep/d": b"1", "other": b"2"}
        (place / "archive.tar.gz").write_bytes(tar_of(items.items(), "w:gz"))
        return items

    def break_place(self, place):
        (place / "archive.tar.gz").write_bytes(b"broken")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_archives_are_read(tmp_path, mode):
    data = tar_of([("./a.json", b"[1]"), ("b/c.txt", b"text"), ("a.json", b"[2]")], mode)
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    for archive in (path, str(path), data, io.BytesIO(data)):
        store = TarStore(archive, serializer=by_suffix())
        assert dict(store) == {"a.json": [2], "b/c.txt": "text"}
        assert store.timestamp("a.json") == 1_700_000_000
        assert (len(store), "b" in store, store.left_out) == (2, False, [])
        with pytest.raises(UnsupportedError):
            store["new.txt"] = "x"
    assert dict(TarStore(path, serializer="text")) == {"a.json": "[2]", "b/c.txt": "text"}
    assert dict(TarStore(path, serializer="text", suffix=".txt")) == {"b/c": "text"}
    assert TarStore(path)["b/c.txt"] == b"text"
    assert dict(pickle.loads(pickle.dumps(TarStore(path)))) == dict(TarStore(path))


def test_only_plain_files_under_safe_names_are_items():
    evil = ["/etc/passwd", "../up", "a/../../up", "c:\\x", "c:x", "back\\slash", "a//b"]
    data = tar_of(
        [
            *((name, b"evil") for name in evil),
            special("folder", tarfile.DIRTYPE),
            special("symbolic", tarfile.SYMTYPE, "/etc/passwd"),
            special("device", tarfile.CHRTYPE),
            special("pipe", tarfile.FIFOTYPE),
            ("good", b"good"),
            special("hard", tarfile.LNKTYPE, "good"),
            special("broken", tarfile.LNKTYPE, "nowhere"),
        ]
    )
    store = TarStore(data, keys=Suffix(""))
    assert set(store) == {"good", "hard", "broken"}
    assert store["hard"] == store["good"] == b"good"
    assert store.persister.stat("hard").size == 4
    with pytest.raises(CorruptValueError, match="not there"):
        store["broken"]
    assert set(store.left_out) == {*evil, "symbolic", "device", "pipe"}


def test_a_broken_or_missing_tar_says_so(tmp_path):
    path = tmp_path / "a.tar"
    with pytest.raises(StoreNotFoundError):
        TarStore(path)
    path.write_bytes(b"x" * 2000)
    store = TarStore(path)
    for use in (lambda: list(store), lambda: store["a"], lambda: "a" in store):
        with pytest.raises(CorruptValueError):
            use()
    rng = np.random.default_rng(1)
    whole = tar_of([("a", rng.bytes(5000)), ("b", rng.bytes(5000))], "w:gz")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptValueError):
        dict(store)
    path.write_bytes(whole)
    assert set(store) == {"a", "b"}
    path.unlink()
    with pytest.raises(StoreNotFoundError):
        list(store)


def test_pickles_in_a_tar_are_guarded(tmp_path):
    path = tmp_path / "a.tar"
    data = tar_of([("a.pkl", pickle.dumps(1)), ("b.json", b"2")])
    path.write_bytes(data)
    os.chmod(path, 0o666)
    store = TarStore(path, serializer=by_suffix())
    assert store["b.json"] == 2
    for archive in (path, data):
        with pytest.raises(UntrustedStoreError):
            TarStore(archive, serializer="pickle")["a"]
        assert TarStore(archive, serializer="pickle", trust=True)["a"] == 1


def test_threads_read_a_tar_in_turns():
    entries = [(f"n{number}", bytes([number]) * 50_000) for number in range(20)]
    store = TarStore(tar_of(entries, "w:gz"))
    wrong = []

    def read():
        wrong.extend(name for name, data in reversed(entries) if store[name] != data)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_archive_can_be_turned_into_another(tmp_path):
    data = tar_of([("a.txt", b"one"), ("b/c.txt", b"two")], "w:bz2")
    packed = ZipStore(tmp_path / "a.zip")
    assert TarStore(data).copy_to(packed) == 2
    assert packed == TarStore(data)


# ---------------------------------------------------------------------- files of settings


class QuickSerializer(Serializer):
    """A format that has bytes, and is a hundred times as quick as YAML."""

    name, suffix = "bytes in JSON", ".txt"

    def dumps(self, value):
        return json.dumps(value, default=lambda data: {"bytes": data.decode("latin-1")}).encode()

    def loads(self, data):
        return json.loads(data, object_hook=self.as_bytes)

    @staticmethod
    def as_bytes(found):
        return found["bytes"].encode("latin-1") if found.keys() == {"bytes"} else found


@pytest.mark.soak
class TestDocumentPersister(PersisterContract):
    def open(self, place):
        return DocumentPersister(place / "a.txt", QuickSerializer())


@pytest.mark.soak
class TestDocumentPersisterOfYaml(PersisterContract):
    def open(self, place):
        pytest.importorskip("yaml")
        return DocumentPersister(place / "a.yaml", get_serializer("yaml"))


class TestDocumentStore(StoreContract):
    def open(self, place):
        return DocumentStore(place / "a.json")

    def open_with(self, place, **options):
        return DocumentStore(place / "a.json", **options)

    def intrude(self, place):
        (place / "a.json").write_text('{"foreign": 1}')
        return "foreign"


def test_an_ini_file_is_a_store(tmp_path):
    path = tmp_path / "a.ini"
    path.write_text("[server]\nHost = example.org\nport = 80\n[empty]\n")
    store = DocumentStore(path)
    assert dict(store) == {"server/Host": "example.org", "server/port": "80"}
    server = store.get_subdict("server")
    server["port"] = "8080"
    assert dict(server) == {"Host": "example.org", "port": "8080"}
    assert path.read_text() == "[server]\nHost = example.org\nport = 8080\n[empty]\n"
    with pytest.raises(SerializationError, match="options are text"):
        store["server/port"] = 80
    with pytest.raises(SerializationError):
        store["top"] = "no section"
    del server["Host"], server["port"]
    assert path.read_text() == "[empty]\n"


def test_a_toml_file_is_a_store(tmp_path):
    pytest.importorskip("tomli_w")
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"\ndependencies = ["a", "b"]\n[tool."a/b"]\n"50%" = 1\n')
    store = DocumentStore(path)
    assert dict(store) == {"project/name": "x", "project/dependencies": ["a", "b"], "tool/a%2Fb/50%25": 1}
    tuples = DocumentStore(path, keys=tuple)
    assert tuples["tool", "a/b", "50%"] == 1
    tuples["tool", "a/b", ""] = 2
    assert store["tool/a%2Fb/%"] == 2
    store["project/dependencies"].append("c")
    assert store["project/dependencies"] == ["a", "b"]
    store.transform_item("project/dependencies", transformer=lambda old: [*old, "c"])
    assert tuples["project", "dependencies"] == ["a", "b", "c"]


def test_tables_are_neither_values_nor_overwritten(tmp_path):
    store = DocumentStore(tmp_path / "a.json")
    store["a/b"] = 1
    before = (tmp_path / "a.json").read_text()
    for key in ("a", "a/b/c"):
        with pytest.raises(InvalidKeyError, match=r"is a (table|value) there"):
            store[key] = 2
        assert key not in store
    with pytest.raises(SerializationError, match="get_subdict"):
        store["c"] = {"x": 1}
    with pytest.raises(InvalidKeyError):
        store["100%"] = 1
    assert (tmp_path / "a.json").read_text() == before
    store["list"] = [{"x": 1}]
    assert store["list"] == [{"x": 1}]
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": {"b": 1}, "list": [{"x": 1}]}


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_broken_document_is_an_error_and_stays(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    store = DocumentStore(path)
    for use in (lambda: store["a"], lambda: list(store), lambda: store.setdefault("a", 1)):
        with pytest.raises(CorruptValueError):
            use()
    assert path.read_text() == text


def test_an_empty_document_has_no_values(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(" \n")
    store = DocumentStore(path)
    assert dict(store) == {}
    store["a"] = 1
    assert dict(store) == {"a": 1}


def test_what_no_document_store_can_be(tmp_path):
    with pytest.raises(InvalidArgumentError, match="can run code"):
        DocumentStore(tmp_path / "a.pkl")
    with pytest.raises(UnsupportedError, match="stands for no format"):
        DocumentStore(tmp_path / "a.conf")
    assert len(DocumentStore(tmp_path / "a.conf", serializer="ini")) == 0
    with pytest.raises(StoreNotFoundError):
        DocumentStore(tmp_path / "a.json", read_only=True)
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(UnsupportedError):
        DocumentStore(tmp_path / "a.json", read_only=True)["a"] = 1


def test_a_name_without_a_known_suffix_holds_bytes(tmp_path):
    s = FileDirStore(tmp_path, serializer=by_suffix())
    s["unknown.xyz"] = b"1"
    s["empty"] = b""
    assert s == {"unknown.xyz": b"1", "empty": b""}
