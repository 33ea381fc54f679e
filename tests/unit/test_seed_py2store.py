"""The public examples of the field for stores: each must be possible here, in as few words."""

import json
import os
import pickle
from collections.abc import MutableMapping

import pytest

from holdall import FileDirStore, InvalidKeyError, Store, UnsupportedError
from holdall.abc import Reader
from holdall.wrappers import (
    add_ipython_key_completions,
    aliases,
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


def test_aggregating_transformations(rootdir):
    key_filter_wrapper = filt_iter(filt=lambda key: key.endswith(".py"))
    key_and_value_wrapper = wrap_kvs(
        obj_of_data=lambda value: value.decode(), key_of_id=key_of_id, id_of_key=id_of_key
    )
    my_cls_wrapper = compose(key_filter_wrapper, key_and_value_wrapper)

    @my_cls_wrapper
    class PyFilesReader(FileDirStore):
        """Access to local .py files"""

    s = PyFilesReader(rootdir, serializer="bytes", suffix="", read_only=True)
    assert sorted(s) == [("filesys",), ("test", "__init__"), ("test", "util")]
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


def test_files_as_the_cache_of_a_memoizer(tmp_path):
    @wrap_kvs(id_of_key="/".join, key_of_id=lambda name: tuple(name.split("/")))
    class TupledPickleStore(FileDirStore):
        """A local pickle store with tuple keys"""

    cache = TupledPickleStore(tmp_path / "cache")

    def hello(x="world"):
        try:
            return cache[x,]
        except KeyError:
            return cache.setdefault((x,), f"hello {x}!")

    assert hello("QT") == hello("QT") == "hello QT!"
    assert list(cache) == [("QT",)]
    with open(cache.file_of(("QT",)), "rb") as fp:
        assert pickle.load(fp) == "hello QT!"


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


def test_a_place_is_not_emptied_by_a_slip(rootdir):
    s = wrap_kvs(FileDirStore(rootdir, serializer="text", suffix=".md"), obj_of_data=str.upper)
    assert s == {"notes": "# NOTES.MD\r\n"}
    with pytest.raises(NotImplementedError, match="force=True"):
        s.clear()
    s.clear(force=True)
    assert not s
    assert (rootdir / "filesys.py").exists()


def test_keys_that_do_not_fit_are_not_written(tmp_path):
    s = filt_iter(FileDirStore(tmp_path, serializer="bytes", suffix=""), regex=r"^[a-z]+_\d+\.wav$")
    s["gun_1.wav"] = b"bang"
    with pytest.raises(InvalidKeyError):
        s["gun.txt"] = b"bang"
    assert list(s) == ["gun_1.wav"]
