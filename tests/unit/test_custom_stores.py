"""Stores of one's own, from hooks, wrappers and persisters, in few words: files, zips, pages, sounds."""

import csv
import io
import json
import os
import pickle
import threading
import time
import types
import wave
import zipfile
from collections.abc import MutableMapping
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from holdall import FileDirStore, InvalidKeyError, MemoryStore, SQLiteStore, Store, UnsupportedError, ZipStore
from holdall.abc import Reader
from holdall.keys import Template
from holdall.serializers import TextSerializer, by_suffix
from holdall.stores.document import DocumentStore
from holdall.wrappers import (
    add_ipython_key_completions,
    aliases,
    cached_keys,
    cached_values,
    compose,
    filt_iter,
    wrap_kvs,
)


class PrefixedKeyStore(Store):
    prefix = ""

    def _id_of_key(self, key):
        return self.prefix + key

    def _key_of_id(self, _id):
        if not _id.startswith(self.prefix):
            raise ValueError(f"_id {_id} wasn't prefixed with {self.prefix}")
        return _id[len(self.prefix) :]


class MyFunnyStore(Store):
    def _obj_of_data(self, data):
        return f"hello {data}"


class MyOtherFunnyStore(Store):
    def _data_of_obj(self, obj):
        return obj.upper()


class PickleStore(Store):
    protocol = None
    fix_imports = True
    encoding = "ASCII"

    def _data_of_obj(self, obj):
        return pickle.dumps(obj, protocol=self.protocol, fix_imports=self.fix_imports)

    def _obj_of_data(self, data):
        return pickle.loads(data, fix_imports=self.fix_imports, encoding=self.encoding)


class SimpleFilePersister(MutableMapping):
    """Reads and writes files below a folder; keys are absolute paths."""

    def __init__(self, rootdir, mode="t"):
        self.rootdir = rootdir if rootdir.endswith(os.path.sep) else rootdir + os.path.sep
        assert mode in {"t", "b", ""}
        self.mode = mode

    def __getitem__(self, k):
        with open(k, "r" + self.mode) as fp:
            return fp.read()

    def __setitem__(self, k, v):
        with open(k, "w" + self.mode) as fp:
            fp.write(v)

    def __delitem__(self, k):
        os.remove(k)

    def __contains__(self, k):
        return os.path.isfile(k)

    def __iter__(self):
        yield from filter(os.path.isfile, (os.path.join(self.rootdir, x) for x in os.listdir(self.rootdir)))

    def __len__(self):
        return sum(1 for _ in self)

    def clear(self):
        raise NotImplementedError(
            "If you really want to do that, loop on all keys and remove them one by one."
        )


class MySimpleFilePersister(SimpleFilePersister):
    read = SimpleFilePersister.__getitem__
    exists = SimpleFilePersister.__contains__
    n_files = SimpleFilePersister.__len__

    def list_files(self):
        return list(self)

    def write(self, val, key):
        return self.__setitem__(key, val)


def basic_test(store, k="foo", v="bar"):
    if k in store:
        del store[k]
    assert (k in store) is False
    orig_length = len(store)
    store[k] = v
    assert store[k] == v
    assert len(store) == orig_length + 1
    assert (k in store) is True
    assert k in list(store)
    assert store.get(k) == v
    next(iter(store.keys()))
    next(iter(store.__iter__()))
    assert k in store.keys()  # noqa: SIM118
    next(iter(store.values()))
    next(iter(store.items()))
    assert (k in store) is True
    del store[k]


def write_and_look(s, seen="bar"):
    assert list(s) == []
    s["foo"] = "bar"
    assert "foo" in s
    assert s["foo"] == seen
    assert list(s) == ["foo"]
    assert list(s.items()) == [("foo", seen)]
    assert list(s.values()) == [seen]
    assert len(s) == 1


def test_quick_peek(tmp_path):
    store = FileDirStore(tmp_path / "store")
    store["foo"] = "baz"
    assert "foo" in store
    assert store["foo"] == "baz"
    store["hello/world"] = [1, "flew", {"over": "a", "cuckoo's": map}]
    assert store["hello/world"] == [1, "flew", {"over": "a", "cuckoo's": map}]
    assert len(store) >= 2
    del store["foo"]
    del store["hello/world"]
    basic_test(store)
    basic_test(FileDirStore())


def test_it_looks_like_a_dict():
    s = Store()
    write_and_look(s)
    s["another"] = "item"
    assert len(s) == 2
    assert list(s) == ["foo", "another"]
    basic_test(s)


def test_converting_keys():
    s = PrefixedKeyStore()
    s.prefix = "/ROOT/"
    write_and_look(s)
    s["another"] = "item"
    assert list(s) == ["foo", "another"]
    assert list(s.store.items()) == [("/ROOT/foo", "bar"), ("/ROOT/another", "item")]
    s.store["elsewhere"] = 1
    with pytest.raises(ValueError, match="wasn't prefixed with /ROOT/"):
        list(s)


def test_one_way_transformations():
    s = MyFunnyStore()
    write_and_look(s, "hello bar")
    for expected in ("hello hello bar", "hello hello hello bar"):
        s["foo"] = s["foo"]
        assert s["foo"] == expected
    write_and_look(MyOtherFunnyStore(), "BAR")


def test_the_same_by_wrappers():
    write_and_look(wrap_kvs({}, obj_of_data="hello {}".format), "hello bar")
    write_and_look(wrap_kvs(data_of_obj=str.upper)(Store)(), "BAR")
    inner = {}
    write_and_look(wrap_kvs(inner, id_of_key="/ROOT/{}".format, key_of_id=lambda name: name[6:]))
    assert inner == {"/ROOT/foo": "bar"}


def test_a_pickle_store():
    s = PickleStore()
    write_and_look(s)
    assert s.store["foo"] == pickle.dumps("bar")
    old = PickleStore()
    old.protocol = 3
    old["foo"] = "bar"
    assert old.store["foo"] == b"\x80\x03X\x03\x00\x00\x00barq\x00."
    assert old["foo"] == "bar"


def test_a_persister_of_ones_own(tmp_path):
    rootdir = str(tmp_path) + os.path.sep
    persister = SimpleFilePersister(rootdir)
    foo = os.path.join(rootdir, "foo")
    persister[foo] = "bar"
    s = PrefixedKeyStore(store=persister)
    s.prefix = rootdir
    s["foo2"] = "bar2"
    assert s["foo2"] == "bar2"
    assert "foo2" in s
    assert sorted(s) == ["foo", "foo2"]
    assert persister[rootdir + "foo2"] == "bar2"
    assert s.store is persister
    basic_test(s, "new", "value")
    wrapped = wrap_kvs(persister, id_of_key=rootdir.__add__, key_of_id=lambda name: name[len(rootdir) :])
    assert wrapped == {"foo": "bar", "foo2": "bar2"}


def test_own_words_for_crud(tmp_path):
    mine = MySimpleFilePersister(str(tmp_path))
    path = os.path.join(mine.rootdir, "foo1")
    mine.write("bar1", path)
    assert mine.read(path) == "bar1"
    assert mine.exists(path)
    assert path in mine.list_files()
    assert mine.n_files() == 1

    class Words(FileDirStore):
        read = FileDirStore.__getitem__
        exists = FileDirStore.__contains__
        n_files = FileDirStore.__len__

        def write(self, val, key):
            return self.__setitem__(key, val)

    for store in (
        Words(tmp_path / "a"),
        aliases(
            FileDirStore(tmp_path / "b"),
            read="read",
            write="write",
            exists="exists",
            count="n_files",
            value_first=True,
        ),
    ):
        store.write("bar1", "foo1")
        assert (store.read("foo1"), store.exists("foo1"), store.n_files()) == ("bar1", True, 1)


def test_extract_and_transform():
    class ExtractAndTransform(Store):
        def _obj_of_data(self, data):
            return f"hello {data}"

    store = Store()
    extract_and_transform = ExtractAndTransform(store)
    store["foo"] = "bar"
    assert store["foo"] == "bar"
    assert extract_and_transform["foo"] == "hello bar"
    basic_test(store)


# ---------------------------------------------------------------------- files, filtered and transformed


@pytest.fixture
def rootdir(tmp_path):
    for name in ("filesys.py", "test/util.py", "test/__init__.py", "notes.md"):
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\r\n", newline="")
    return tmp_path / "src"


def id_of_key(key):
    return key + ".py" if isinstance(key, str) else "/".join(key) + ".py"


def key_of_id(name):
    return tuple(name[: -len(".py")].split("/"))


def test_a_view_of_files(rootdir):
    s = FileDirStore(rootdir, serializer="bytes", suffix="", read_only=True)
    assert type(s["filesys.py"]) is bytes
    assert "notes.md" in s
    s = filt_iter(s, filt=lambda key: key.endswith(".py"))
    assert "notes.md" not in s
    assert len(s) == 3
    s = wrap_kvs(s, obj_of_data=lambda value: value.decode())
    assert s["filesys.py"] == "# filesys.py\r\n"
    s = wrap_kvs(s, key_of_id=key_of_id, id_of_key=id_of_key)
    assert sorted(s) == [("filesys",), ("test", "__init__"), ("test", "util")]
    assert s["filesys"] == s["filesys",] == "# filesys.py\r\n"
    assert type(s) is FileDirStore


def test_caching_keys(rootdir):
    s = filt_iter(FileDirStore(rootdir, serializer="text", suffix="", read_only=True), suffix=".py")
    assert list(cached_keys(s)) == list(s)
    ordered = cached_keys(s, keys_cache=sorted)
    assert list(ordered) == ["filesys.py", "test/__init__.py", "test/util.py"]
    (rootdir / "added.py").write_text("")
    assert "added.py" not in ordered
    ordered.refresh()
    assert list(ordered)[0] == "added.py"  # noqa: RUF015
    some = cached_keys(s, keys_cache=["test/util.py", "filesys.py"])
    assert dict(some) == {"test/util.py": "# test/util.py\r\n", "filesys.py": "# filesys.py\r\n"}


def test_caching_values_of_a_remote_place_in_files_and_these_in_memory(tmp_path):
    fetched = []

    class Remote(dict):
        def __getitem__(self, key):
            fetched.append(key)
            return super().__getitem__(key)

    files = FileDirStore(tmp_path / "kept", serializer="json")
    near = cached_values(cached_values(Remote(a=[1], b=[2]), cache=files), cache=dict)
    assert [near["a"], near["a"], near["b"]] == [[1], [1], [2]]
    assert fetched == ["a", "b"]
    assert files == {"a": [1], "b": [2]}
    again = cached_values(cached_values(Remote(a=[1]), cache=files), cache=dict)
    assert again["a"] == [1]
    assert fetched == ["a", "b"]


def test_aggregating_transformations(rootdir):
    key_filter_wrapper = filt_iter(filt=lambda key: key.endswith(".py"))
    key_and_value_wrapper = wrap_kvs(
        obj_of_data=lambda value: value.decode(), key_of_id=key_of_id, id_of_key=id_of_key
    )
    caching_wrapper = cached_keys(keys_cache=sorted)
    my_cls_wrapper = compose(key_filter_wrapper, key_and_value_wrapper, caching_wrapper)

    @my_cls_wrapper
    class PyFilesReader(FileDirStore):
        """Access to local .py files"""

    s = PyFilesReader(rootdir, serializer="bytes", suffix="", read_only=True)
    assert list(s) == [("filesys",), ("test", "__init__"), ("test", "util")]
    assert s["filesys"] == s["filesys",] == "# filesys.py\r\n"
    assert s["test", "util"] == "# test/util.py\r\n"
    assert PyFilesReader.__doc__ == "Access to local .py files"
    assert PyFilesReader.__name__ == "PyFilesReader"


# ---------------------------------------------------------------------- readers


class EmojiUrls(Reader):
    """A store of emoji urls."""

    data = {"cow": "http://cow", "duck": "http://duck"}

    def __iter__(self):
        yield from self.data

    def __getitem__(self, k):
        return self.data[k]


@add_ipython_key_completions
@wrap_kvs(obj_of_data=lambda url: ("image of", url))
class EmojiImages(EmojiUrls):
    """An emoji reader returning images."""


def test_a_reader_of_two_methods_and_its_wrapper():
    emojis = EmojiUrls()
    assert emojis.head() == ("cow", "http://cow")
    with pytest.raises(KeyError, match="is empty"):
        type("Nothing", (EmojiUrls,), {"data": {}})().head()
    assert (len(emojis), emojis["cow"]) == (2, "http://cow")
    images = EmojiImages()
    assert images["duck"] == ("image of", "http://duck")
    assert list(images) == images._ipython_key_completions_() == ["cow", "duck"]
    assert EmojiImages.__doc__ == "An emoji reader returning images."
    with pytest.raises(UnsupportedError):
        images["pig"] = 1
    assert Store(emojis)["cow"] == "http://cow"


def test_a_persister_with_some_methods_only():
    class Some:
        def __init__(self):
            self.data = {}

        def __getitem__(self, k):
            return self.data[k]

        def __setitem__(self, k, v):
            self.data[k] = v

        def __iter__(self):
            return iter(self.data)

    s = wrap_kvs(Some(), data_of_obj=json.dumps, obj_of_data=json.loads)
    s["a"] = [1]
    assert s == {"a": [1]}
    assert len(s) == 1
    assert "b" not in s


# ---------------------------------------------------------------------- tuples as keys, dicts as keys


def test_files_as_the_cache_of_cachetools(tmp_path):
    cachetools = pytest.importorskip("cachetools")

    @wrap_kvs(id_of_key="/".join, key_of_id=lambda name: tuple(name.split("/")))
    class TupledPickleStore(FileDirStore):
        """A local pickle store with tuple keys (to work well with cachetools)"""

    local_files_cache = TupledPickleStore(tmp_path / "cache")
    calls = []

    @cachetools.cached(cache=local_files_cache)
    def hello(x="world"):
        calls.append(x)
        return f"hello {x}!"

    assert hello("QT") == hello("QT") == "hello QT!"
    assert calls == ["QT"]
    assert list(local_files_cache) == [("QT",)]
    with open(local_files_cache.file_of(("QT",)), "rb") as fp:
        assert pickle.load(fp) == "hello QT!"
    assert hello() == hello() == "hello world!"
    assert calls == ["QT", "world"]


def test_dicts_and_tuples_as_keys():
    fields = ("_id", "name")
    documents = wrap_kvs(
        {},
        id_of_key=lambda key: tuple(key[field] for field in fields),
        key_of_id=lambda values: dict(zip(fields, values, strict=True)),
    )
    basic_test(documents, {"_id": 1234, "name": "bob"}, {"age": 42})
    documents[{"_id": 1, "name": "a"}] = {"age": 1}
    assert list(documents) == [{"_id": 1, "name": "a"}]
    assert documents[{"name": "a", "_id": 1}] == {"age": 1}
    named = Store({}, keys=Template("{_id:d}/{name}", keys="dict"))
    basic_test(named, {"_id": 1234, "name": "bob"}, {"age": 42, "gender": "unspecified"})
    tuples = Store({}, keys="{_id:d}/{name}")
    basic_test(tuples, (1234, "bob"), {"age": 42, "gender": "unspecified"})


def test_a_place_is_not_emptied_by_a_slip(rootdir):
    s = wrap_kvs(FileDirStore(rootdir, serializer="text", suffix=".md"), obj_of_data=str.upper)
    assert s == {"notes": "# NOTES.MD\r\n"}
    with pytest.raises(NotImplementedError, match="force=True"):
        s.clear()
    s.clear(force=True)
    assert not s
    assert (rootdir / "filesys.py").exists()


def test_keys_that_do_not_fit_are_not_written(tmp_path):
    for place in ("a_1.wav", "b.wav", "c.txt"):
        (tmp_path / place).write_bytes(b"bang")
    sounds = FileDirStore(tmp_path, serializer="bytes", keys="{}.wav")
    assert sorted(sounds) == ["a_1", "b"]
    sounds["gun"] = b"bang"
    assert (tmp_path / "gun.wav").read_bytes() == b"bang"
    basic_test(sounds, "foo", b"bar")
    (tmp_path / "all").mkdir()
    named = FileDirStore(tmp_path / "all", serializer="bytes", keys=Template("{}.wav", keys="str"))
    named["gun.wav"] = b"bang"
    for write in (named.__setitem__, named.setdefault):
        with pytest.raises(InvalidKeyError):
            write("gun.txt", b"bang")
    (tmp_path / "all" / "c.txt").write_bytes(b"")
    assert list(named) == ["gun.wav"]


def test_paths_with_parameters(tmp_path):
    for place in ("gun_1.wav", "gun_x.wav", "c.txt"):
        (tmp_path / place).write_bytes(b"bang")
    shots = FileDirStore(tmp_path, serializer="bytes", keys="{:s}_{:d}.wav")
    assert list(shots) == [("gun", 1)]
    shots["gun", 2] = b"bang"
    assert (tmp_path / "gun_2.wav").exists()
    for wrong in (("gun", "x"), ("gun", 1.5), "gun_3.wav", ("gun",)):
        with pytest.raises(InvalidKeyError):
            shots[wrong] = b"bang"
    assert sorted(shots) == [("gun", 1), ("gun", 2)]
    name = Template("{what}_{number:d}.wav")
    assert name.to_dict("gun_7.wav") == {"what": "gun", "number": 7}
    assert name.to_tuple({"what": "gun", "number": 7}) == ("gun", 7)
    assert name.to_str(("gun", 7)) == "gun_7.wav"
    assert name.to_namedtuple("gun_7.wav").number == 7


def test_the_options_of_open(tmp_path):
    texts = FileDirStore(
        tmp_path, serializer=TextSerializer(encoding="latin-1", newline="\r\n"), suffix=".txt"
    )
    texts["a"] = "\u00e9\n"
    assert (tmp_path / "a.txt").read_bytes() == b"\xe9\r\n"
    assert texts["a"] == "\u00e9\n"


@pytest.mark.parametrize(
    "make",
    [
        lambda place: Store(),
        lambda place: Store({}),
        lambda place: MemoryStore(serializer="json"),
        FileDirStore,
        lambda place: FileDirStore(place, serializer="text"),
        lambda place: FileDirStore(place, serializer=by_suffix({".foo": "json"}), keys="{}.foo"),
        lambda place: FileDirStore(place, keys="{}", serializer="text"),
        lambda place: SQLiteStore(place / "table.db"),
        lambda place: ZipStore(place / "a.zip", serializer="text"),
        lambda place: DocumentStore(place / "settings.json"),
    ],
)
def test_every_place_passes_the_basic_test(make, tmp_path):
    with make(tmp_path) as store:
        basic_test(store)


# ---------------------------------------------------------------------- zips, formats, what is far away


def zipped(items):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in items.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_files_of_a_zip_that_came_as_bytes(tmp_path):
    b = zipped({"AK.TXT": "AK,F,1910,Mary,14\nAK,F,1910,Annie,12\n", "AL.TXT": "", "deep/er/AR.TXT": ""})
    z = ZipStore(b)
    assert list(z) == ["AK.TXT", "AL.TXT", "deep/er/AR.TXT"]
    v = z["AK.TXT"]
    assert type(v) is bytes
    assert next(csv.reader(io.StringIO(v.decode()))) == ["AK", "F", "1910", "Mary", "14"]
    tables = ZipStore(b, serializer=by_suffix({".txt": "csv"}))
    assert tables["AK.TXT"][1] == ["AK", "F", "1910", "Annie", "12"]
    assert list(z.get_subdict("deep")) == ["er/AR.TXT"]
    (tmp_path / "names.zip").write_bytes(b)
    zips = wrap_kvs(FileDirStore(tmp_path, serializer="bytes", keys="{}.zip"), obj_of_data=ZipStore)
    assert zips["names"]["AL.TXT"] == b""


def test_objects_by_the_format_of_their_names(tmp_path):
    misc = FileDirStore(tmp_path, serializer=by_suffix())
    misc.update(
        {"a.json": {"x": [1]}, "b.csv": [["n"], ["1"]], "c.txt": "text", "d.pkl": {1: map}, "e.bin": b"x"}
    )
    misc["f.ini"] = {"section": {"key": "value"}}
    assert json.loads((tmp_path / "a.json").read_text()) == misc["a.json"] == {"x": [1]}
    assert misc["d.pkl"] == {1: map}
    assert misc["f.ini"]["section"]["key"] == "value"
    assert DocumentStore(tmp_path / "f.ini")["section/key"] == "value"

    def preset(key, value):
        return json.dumps(value) if key.endswith(".json") else value

    def postget(key, data):
        return json.loads(data) if key.endswith(".json") else data

    own = wrap_kvs({}, preset=preset, postget=postget)
    own.update({"a.json": [1], "b": "raw"})
    assert own == {"a.json": [1], "b": "raw"}
    assert own.store == {"a.json": "[1]", "b": "raw"}


@pytest.fixture
def site():
    """Serve pages on this machine: gives the address, what can be asked for, and what was."""
    pages, asked = {}, []

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if self.path in pages else 404)
            self.end_headers()
            self.wfile.write(pages.get(self.path, b""))

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", pages, asked
        server.shutdown()


class Internet(Reader):
    """The content of urls."""

    def __getitem__(self, k):
        try:
            with urlopen(k, timeout=10) as answer:
                return answer.read()
        except HTTPError as error:
            error.close()
            raise KeyError(k) from None

    def __iter__(self):
        raise UnsupportedError("nobody can list the internet")


def grazed(folder, **options):
    """Give the content of urls, kept in a folder, and that folder."""
    kept = FileDirStore(folder, serializer="bytes", suffix="")
    return cached_values(Internet(), cache=kept, **options), kept


def test_caching_the_internet(site, tmp_path, monkeypatch):
    address, pages, asked = site
    pages["/jokes.json"] = json.dumps([{"id": "1", "title": "want to hear me say something funny?"}]).encode()
    url = f"{address}/jokes.json"
    g, kept = grazed(tmp_path)
    assert url not in kept
    assert json.loads(g[url].decode())[0]["id"] == "1"
    assert g[url] == pages["/jokes.json"]
    assert asked == ["/jokes.json"]
    assert list(kept) == sorted(kept)[:3] == [url]
    assert len(kept) == 1
    again, kept = grazed(tmp_path)
    assert again[url] == pages["/jokes.json"]
    assert asked == ["/jokes.json"]
    del kept[url]
    pages["/jokes.json"] = b"new"
    assert again[url] == b"new"
    with pytest.raises(KeyError):
        g[f"{address}/none"]
    assert f"{address}/none" not in kept
    # "getting your content in a more ready-to-use object than bytes"
    assert wrap_kvs(g, obj_of_data=bytes.decode)[url] == "new"
    # "putting an expiry date on some cached items"
    fresh, _ = grazed(tmp_path, max_age=3600)
    later = types.SimpleNamespace(time=lambda: time.time() + 3601)
    monkeypatch.setattr("holdall.wrappers._value_cache.time", later)
    pages["/jokes.json"] = b"newer"
    assert fresh[url] == b"newer"


def test_a_reader_of_what_was_fetched_once(site, tmp_path):
    address, pages, asked = site
    pages["/emojis"] = json.dumps({"cow": f"{address}/cow", "duck": f"{address}/duck"}).encode()
    pages["/cow"] = b"image of a cow"
    g, _ = grazed(tmp_path)

    class Urls(Reader):
        """A store of emoji urls; fetches and keeps the map of names to urls when first used."""

        data_source_url = f"{address}/emojis"

        @cached_property
        def data(self):
            return json.loads(g[self.data_source_url].decode())

        def __iter__(self):
            yield from self.data

        def __getitem__(self, k):
            return self.data[k]

    @add_ipython_key_completions
    @wrap_kvs(obj_of_data=lambda url: g[url].decode())
    class Images(Urls):
        """An emoji reader returning images."""

    emojis = Urls()
    assert asked == []
    assert (len(emojis), emojis["cow"]) == (2, f"{address}/cow")
    images = Images()
    assert images["cow"] == images["cow"] == "image of a cow"
    assert images._ipython_key_completions_() == ["cow", "duck"]
    assert asked == ["/emojis", "/cow"]


def test_what_a_search_engine_needs(rootdir):
    def search(texts, words):
        found = {key: sum(text.count(word) for word in words.split()) for key, text in texts.items()}
        return [key for key, hits in sorted(found.items(), key=lambda item: -item[1]) if hits]

    store_to_search = FileDirStore(rootdir, serializer="text", keys="{}.py", read_only=True)
    assert search(store_to_search, "util") == ["test/util"]
    assert search({"a": "something funny", "b": "nothing"}, "funny") == ["a"]


def test_waveforms_of_tagged_short_sounds(tmp_path):
    for name, seconds in (("gunshot_1", 1), ("gunshot_2", 20), ("bird_1", 1)):
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setparams((1, 1, 10, 0, "NONE", ""))
            file.writeframes(bytes(range(10)) * seconds)

    def waveform(data):
        with wave.open(io.BytesIO(data)) as file:
            return list(file.readframes(file.getnframes()))

    def mk_file_filter(source, tag, max_size_s):
        def keep(key):
            if not key.startswith(tag):
                return False
            with wave.open(io.BytesIO(source[key])) as file:
                return file.getnframes() / file.getframerate() <= max_size_s

        return keep

    audio_source = FileDirStore(tmp_path, serializer="bytes", keys="{}.wav", read_only=True)
    filt = mk_file_filter(audio_source, tag="gunshot", max_size_s=10)
    s = wrap_kvs(filt_iter(audio_source, filt=filt), obj_of_data=waveform)
    assert list(s) == ["gunshot_1"]
    assert s["gunshot_1"] == list(range(10))
    assert list(s.values()) == [list(range(10))]
