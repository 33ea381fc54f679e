"""Errors say what was wrong, with what, and what to do; and they carry that as facts."""

import contextlib
import copy
import gc
import importlib.util
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys
import traceback
import weakref

import pytest

import holdall
from holdall import (
    ITEM_NOT_AVAILABLE,
    ArchiveStore,
    CorruptValueError,
    FileDirStore,
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    LmdbStore,
    MemoryStore,
    MismatchError,
    MultiFormatStore,
    Persister,
    ReadOnlyError,
    S3Store,
    ScriptStore,
    SerializationError,
    SpillStore,
    SQLiteStore,
    Store,
    StoreUnavailableError,
    UnsupportedError,
    Value,
    ZipStore,
    memoize,
)
from holdall.keys import Prefix
from holdall.persisters.files import FilesPersister
from holdall.persisters.sqlite import SqlitePersister
from holdall.persisters.zip import ZipPersister
from holdall.stores.document import DocumentStore
from holdall.stores.tar import TarStore
from holdall.wrappers import (
    bounded,
    cached_values,
    expiring,
    on_missing,
    overlay,
    read_only,
    wrap_keys,
    wrap_kvs,
)

# ---------------------------------------------------------------------- facts


def plus_one(n):
    return n + 1


READS = {
    "[]": lambda s: s["k"],
    "get": lambda s: s.get("k"),
    "pop": lambda s: s.pop("k"),
    "items": lambda s: list(s.items()),
    "transform_item": lambda s: s.transform_item("k", plus_one),
    "edit": lambda s: s.edit("k").__enter__(),
    "increment": lambda s: s.increment("k"),
    "setdefault": lambda s: s.setdefault("k", 1),
}
WRITES = {
    "[] =": lambda s: s.__setitem__("k", {1}),
    "update": lambda s: s.update(k={1}),
    "setdefault": lambda s: s.setdefault("new", {1}),
    "transform_item": lambda s: s.transform_item("k", lambda _: {1}),
}


@pytest.mark.parametrize("verb", READS)
def test_a_value_that_cannot_be_read_tells_key_file_and_remedy(verb, tmp_path):
    store = FileDirStore(tmp_path / "broken", serializer="json")
    store["k"] = 1
    file = store.file_of("k")
    pathlib.Path(file).write_text("{torn")
    with pytest.raises(CorruptValueError) as caught:
        READS[verb](store)
    assert (caught.value.key, caught.value.location, caught.value.operation) == ("k", file, "read")
    assert file in str(caught.value)
    assert "store another value under this key, or delete it" in str(caught.value)
    frozen = FileDirStore(tmp_path / "broken", serializer="json", read_only=True)
    with pytest.raises(CorruptValueError) as caught:
        frozen["k"]
    assert "another value" not in str(caught.value)
    del store["k"]  # as it says
    assert "k" not in store


@pytest.mark.parametrize("verb", WRITES)
def test_a_value_that_cannot_be_written_tells_key_and_place(verb, tmp_path):
    store = SQLiteStore(tmp_path / "a.db", serializer="json")
    store["k"] = 1
    with pytest.raises(SerializationError) as caught:
        WRITES[verb](store)
    key = "new" if verb == "setdefault" else "k"
    assert (caught.value.key, caught.value.location, caught.value.operation) == (
        key,
        str(tmp_path / "a.db"),
        "write",
    )


def test_a_number_that_the_operating_system_did_not_give_is_not_told():
    assert str(StoreUnavailableError(0, "no answer", "http://x/")) == "no answer: 'http://x/'"
    assert str(StoreUnavailableError(0, "no answer")) == "no answer"
    assert str(StoreUnavailableError(5, "no answer", "x")) == "[Errno 5] no answer: 'x'"
    assert str(StoreUnavailableError("no answer")) == "no answer"


def test_errors_of_the_place_carry_the_key_of_the_user(tmp_path):
    class Gone(Persister):
        def __getitem__(self, id):
            raise StoreUnavailableError(5, "no answer")

        def __setitem__(self, id, data):
            raise StoreUnavailableError(5, "no answer")

        __delitem__ = __getitem__

        def __iter__(self):
            return iter(())

    store = wrap_kvs(Store(Gone(), serializer="json"), id_of_key=str.upper, key_of_id=str.lower)
    for operation, verbs in {
        "read": [store.__getitem__, store.get, store.etag, store.pop, lambda k: k in store],
        "write": [lambda k: store.__setitem__(k, 1)],
        "delete": [store.__delitem__, store.discard],
    }.items():
        for verb in verbs:
            with pytest.raises(StoreUnavailableError) as caught:
                verb("k")
            assert (caught.value.key, caught.value.operation) == ("k", operation)
            assert caught.value.location == "Gone"


def test_conflicts_refusals_and_keys_carry_facts(tmp_path):
    store = FileDirStore(tmp_path / "facts", serializer="json", append_only=True)
    store["k"] = 1
    with pytest.raises(ReadOnlyError) as caught:
        store["k"] = 2
    assert (caught.value.key, caught.value.location, caught.value.operation) == ("k", store.path, "write")
    with pytest.raises(ReadOnlyError) as caught:
        del store["k"]
    assert (caught.value.key, caught.value.operation) == ("k", "delete")
    with pytest.raises(InvalidKeyError) as caught:
        store[5]
    assert (caught.value.key, caught.value.location) == (5, store.path)
    typed = MemoryStore(value_type=int)
    with pytest.raises(InvalidArgumentError) as caught:
        typed["k"] = "text"
    assert (caught.value.key, caught.value.operation) == ("k", "write")
    busy = MemoryStore({"n": 0})

    def cross(n):
        busy["n"] = n + 10
        return n + 1

    with pytest.raises(holdall.ConflictError) as caught:
        busy.transform_item("n", cross, n_retries=1)
    assert (caught.value.key, caught.value.location) == ("n", "a dict in memory")


def test_refusals_of_the_store_itself_carry_facts(tmp_path):
    store = FileDirStore(tmp_path / "facts", serializer="json")
    store.update(n=1, text="x", d={})
    place = store.path
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "x.json").write_text("1")
    for use, facts in {
        lambda: store.__setitem__("n", ITEM_NOT_AVAILABLE): ("n", place, "write"),
        lambda: store.update(n=ITEM_NOT_AVAILABLE): ("n", place, "write"),
        lambda: store.transform_item("d", lambda _: None): ("d", place, "write"),
        lambda: store.edit("n").__enter__(): ("n", place, "write"),
        lambda: store.increment("text"): ("text", None, "write"),
        lambda: FileDirStore(foreign, serializer="json").clear(): (None, str(foreign), "delete"),
        lambda: store.transaction().__enter__(): (None, place, "write"),
        lambda: FileDirStore(place, serializer="pickle"): (None, place, None),
        lambda: FileDirStore(tmp_path / "none", read_only=True): (None, str(tmp_path / "none"), None),
    }.items():
        with pytest.raises(HoldallError) as caught:
            use()
        error = caught.value
        assert (error.key, error.location, error.operation) == facts


def test_facts_travel_and_are_none_where_nothing_is_known():
    for error in (HoldallError("x"), StoreUnavailableError(2, "x")):
        assert (error.key, error.location, error.operation) == (None, None, None)
    assert StoreUnavailableError(2, "x", "/there").location == "/there"
    told = holdall.ConflictError("x", "etag", 3).about(key="k", location="here", operation="write")
    for made in (told, pickle.loads(pickle.dumps(told)), copy.copy(told)):
        assert (made.key, made.location, made.operation, made.attempts) == ("k", "here", "write", 3)
    assert told.about(key="outer", location="there", operation="read").location == "here"
    assert (told.key, told.operation) == ("outer", "write")


# ---------------------------------------------------------------------- read only


def frozen_stores(tmp_path):
    """Give stores by the option and by the wrapper, each with one item."""
    for cls, name in (
        (FileDirStore, "ro"), (SQLiteStore, "ro.db"), (ZipStore, "ro.zip"), (DocumentStore, "ro.json"),
        (ArchiveStore, "ro_package"),
    ):  # fmt: skip
        options = {"serializer": "json"} if cls in {FileDirStore, SQLiteStore, ZipStore} else {}
        store = cls(tmp_path / name, **options)
        store["a"] = "one"
        yield cls(tmp_path / name, read_only=True, **options)
        yield read_only(store)
    yield read_only(MemoryStore({"a": "one"}))
    if importlib.util.find_spec("lmdb"):
        with LmdbStore(tmp_path / "ro.lmdb", serializer="json") as store:
            store["a"] = "one"
        yield LmdbStore(tmp_path / "ro.lmdb", serializer="json", read_only=True)


def test_read_only_stores_raise_one_error_however_they_were_made(tmp_path):
    for store in frozen_stores(tmp_path):
        for verb in (
            lambda s: s.__setitem__("b", "two"),
            lambda s: s.__delitem__("a"),
            lambda s: s.update(b="two"),
            lambda s: s.clear(force=True),
            lambda s: s.pop("a"),
            lambda s: s.popitem(),
            lambda s: s.discard("a"),
            lambda s: s.setdefault("b", "two"),
            lambda s: s.transform_item("a", lambda _: "two"),
        ):
            with pytest.raises(ReadOnlyError) as caught:
                verb(store)
            assert isinstance(caught.value, UnsupportedError)
            assert isinstance(caught.value, TypeError)
        assert dict(store) == {"a": "one"}


# ---------------------------------------------------------------------- what is given


def run(code, tmp_path, *options):
    """Run code in a new interpreter; give what it printed last of its error."""
    file = tmp_path / "given.py"
    file.write_text(code)
    done = subprocess.run([sys.executable, *options, str(file)], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[-1]


def test_a_method_of_its_value_is_not_one_of_a_value():
    names = Value(["ann"], name="names", fallback="memory")
    with pytest.raises(
        AttributeError, match=r"'Value' .* no attribute 'append'.*a list.*edit\(\) as x: x\.append"
    ):
        names.append("bob")
    with pytest.raises(AttributeError, match="no attribute 'missing'") as caught:
        names.missing
    assert "edit()" not in str(caught.value)
    assert (caught.value.name, caught.value.obj) == ("missing", names)
    assert not hasattr(names, "_hidden")
    assert copy.copy(names).value == names.value


PATHS = {
    "FileDirStore": FileDirStore,
    "SQLiteStore": SQLiteStore,
    "ZipStore": ZipStore,
    "TarStore": TarStore,
    "DocumentStore": DocumentStore,
    "ScriptStore": ScriptStore,
    "ArchiveStore": ArchiveStore,
    "SpillStore": SpillStore,
    **({"LmdbStore": LmdbStore} if importlib.util.find_spec("lmdb") else {}),
    "MultiFormatStore": lambda path: MultiFormatStore(path, "json"),
}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("wrong", [5, 2.5, ["a"], "a\0b"], ids=str)
def test_what_is_no_path_is_refused_by_name(name, wrong):
    with pytest.raises(InvalidArgumentError, match=r"path|identifier") as caught:
        PATHS[name](wrong)
    assert repr(wrong)[1:-1] in str(caught.value)


def store_in(make, path):
    store = make(path)
    (store["json"] if isinstance(store, MultiFormatStore) else store)["x"] = 1


@pytest.mark.parametrize("make", [FileDirStore, SpillStore, lambda path: MultiFormatStore(path, "json")])
def test_a_file_in_place_of_a_folder_is_told_as_such(make, tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    for path in (file, file / "below"):
        with pytest.raises(StoreUnavailableError, match=rf"{file} is a file, and no folder; give"):
            store_in(make, path)
    assert file.read_text() == "x"


@pytest.mark.parametrize("make", [SQLiteStore, ZipStore, TarStore, ScriptStore])
def test_a_folder_in_place_of_a_file_is_told_as_such(make, tmp_path):
    with pytest.raises(StoreUnavailableError, match="it is a folder: give the name of a file"):
        make(tmp_path)["x"]


def test_a_misspelt_option_gets_a_proposal(tmp_path):
    for call, proposal in {
        lambda: FileDirStore("a", serialiser="json"): "FileDirStore has no option 'serialiser', did you mean",
        lambda: SQLiteStore(tmp_path / "a.db", durabilty="power"): "SQLiteStore has no option 'durabilty'",
        lambda: Store({}, value_typ=int): "did you mean 'value_type'",
        lambda: MemoryStore({}, valuetype=int): "did you mean 'value_type'",
        lambda: SpillStore(memry="1GB"): "did you mean 'memory'",
        lambda: S3Store("bucket", regoin="x"): "S3Store has no option 'regoin'",
        lambda: expiring(Store({}), tll=3): "expiring has no option 'tll', did you mean 'ttl'",
        lambda: cached_values(cach=dict): "did you mean 'cache'",
        lambda: bounded(Store({}), max_byte="1GB"): "did you mean 'max_bytes'",
        lambda: memoize("memo.db", tll=3): "memoize has no option 'tll', did you mean 'ttl'",
        lambda: FileDirStore(tmp_path / "a", zzz=1): "no option 'zzz'. It has",
    }.items():  # fmt: skip
        with pytest.raises(InvalidArgumentError) as caught:
            call()
        assert proposal in str(caught.value)
        assert isinstance(caught.value, TypeError)

    class Mine(FileDirStore):
        def __init__(self, path, mine=1, **options):
            super().__init__(path, **options)

    assert Mine(tmp_path / "mine", mine=2, serializer="json").serializer.name == "json"


def test_text_for_a_switch_is_refused(tmp_path):
    class Mine(FileDirStore):
        def __init__(self, path, **options):
            super().__init__(path, **options)

    for call, name in {
        lambda: FileDirStore(tmp_path / "a", trust="no"): "trust",
        lambda: Mine(tmp_path / "a", trust="no"): "trust",
        lambda: SQLiteStore(tmp_path / "a.db", read_only="no"): "read_only",
        lambda: MemoryStore(append_only="off"): "append_only",
        lambda: S3Store("bucket", anonymous="no"): "anonymous",
        lambda: holdall.open(f"dir:{tmp_path}/a?trust=no"): "trust",
        lambda: holdall.open(f"shelve:{tmp_path}/a?trust=no"): "trust",
        lambda: overlay({}, promote="no"): "promote",
        lambda: on_missing({}, compute=len, keep="no"): "keep",
    }.items():
        with pytest.raises(InvalidArgumentError, match=f"{name} is True or False, got the text '(no|off)'"):
            call()
    assert list(tmp_path.iterdir()) == []
    assert holdall.open(f"dir:{tmp_path}/a?trust=false").get_params()["trust"] is False


def test_a_template_in_a_path_is_split():
    with pytest.raises(InvalidArgumentError, match=r"FileDirStore\('/a/b', keys='x_\{n:d\}/\{\}\.txt'\)"):
        FileDirStore("/a/b/x_{n:d}/{}.txt")
    with pytest.raises(InvalidArgumentError, match=r"FileDirStore\('\.', keys='\{\}\.txt'\)"):
        FileDirStore("{}.txt")


def test_a_type_in_place_of_a_codec_says_what_makes_one():
    with pytest.raises(InvalidArgumentError, match=r"AnyKeys\(\), or \(str, int\)"):
        Store({}, keys=int)
    numbers = Store({}, keys=(str, int))
    numbers[7] = "x"
    assert list(numbers) == [7]


def test_types_of_values_are_told_by_name():
    with pytest.raises(InvalidArgumentError, match="values of this store are int or str, got float for 'a'"):
        Store({}, value_type=(int, str))["a"] = 1.5


def test_a_list_is_told_as_one_that_is_only_read():
    with pytest.raises(ReadOnlyError, match="a ReadOnlyList in memory can only be read"):
        Store([1, 2])[0] = 1


def test_a_transformer_is_told_that_nothing_is_there():
    store = MemoryStore({"a": 1})
    with pytest.raises(TypeError) as caught:
        store.transform_item("b", plus_one)
    assert "give default=" in caught.value.__notes__[0]
    with pytest.raises(ZeroDivisionError) as caught:
        store.transform_item("a", lambda n: n / 0)
    assert not hasattr(caught.value, "__notes__")
    with pytest.raises(InvalidArgumentError, match="a transformer is a function of the value, got 5"):
        store.transform_item("a", 5)
    assert store == {"a": 1}


def test_a_type_of_values_alone_gets_the_one_of_keys():
    class Model:
        pass

    with pytest.raises(InvalidArgumentError, match=r"FileDirStore\[str, .*Model\]") as caught:
        FileDirStore[Model]
    assert isinstance(caught.value, TypeError)
    assert type(MemoryStore[str, Model]()) is MemoryStore


def test_mapping_arrays_without_numpy_names_the_package(tmp_path):
    code = (
        "import sys; sys.modules['numpy'] = None\nfrom holdall import FileDirStore\n"
        "FileDirStore('a', serializer='npy', mmap_mode='r')"
    )
    said = run(code, tmp_path)
    assert said.startswith("holdall.errors.UnsupportedError")
    assert 'pip install "holdall[arrays]"' in said


def test_the_suite_without_pytest_names_the_package(tmp_path):
    for missing in ("pytest", "hypothesis"):
        code = (
            f"import sys; sys.modules[{missing!r}] = None\nimport holdall.testing\n"
            "from holdall.testing import StoreContract, store_machine, SerializerContract"
        )
        said = run(code, tmp_path)
        assert 'pip install "holdall[testing]"' in said
        assert said.startswith("ImportError")


def test_a_record_of_a_later_version_says_what_to_do(tmp_path):
    store = FileDirStore(tmp_path / "later", serializer="json")
    store["k"] = 1
    record = os.path.join(store.path, ".holdall", "store.json")
    content = json.loads(pathlib.Path(record).read_text())
    pathlib.Path(record).write_text(json.dumps({**content, "holdall": 2}))
    for use in (lambda s: s["k"], lambda s: s.__setitem__("k", 2)):
        with pytest.raises(MismatchError, match=r"newer.*pip install -U holdall") as caught:
            use(FileDirStore(tmp_path / "later", serializer="json"))
        assert caught.value.location == store.path
        assert record in str(caught.value)
    assert pathlib.Path(store.file_of("k")).read_text() == "1"


def test_a_backend_that_gives_none_is_told_what_absence_is():
    class Forgetful(dict):
        def __getitem__(self, key):
            return None

    for store in (Store(Forgetful(a=1), serializer="json"), Store(Forgetful(a=1), serializer="pickle")):
        for read in (store.__getitem__, store.get, store.pop, lambda _, s=store: list(s.values())):
            with pytest.raises(CorruptValueError, match=r"gave None.*KeyError.*absent"):
                read("a")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: FilesPersister(path / "a"),
        lambda path: SqlitePersister(path / "a.db"),
        lambda path: ZipPersister(path / "a.zip"),
    ],
)
def test_a_value_that_no_serializer_was_given_for_says_so(make, tmp_path):
    store = Store(make(tmp_path))
    for value in ([1], {"a": 1}, "text", 5, None):
        for write in (
            lambda s, value: s.__setitem__("a", value),
            lambda s, value: s.update(a=value),
            lambda s, value: s.transform_item("a", lambda _: value),
        ):
            with pytest.raises(
                InvalidArgumentError, match=r"are \w+, not bytes: give the store a serializer"
            ):
                write(store, value)
    assert len(store) == 0
    store["a"] = b"bytes"
    assert store["a"] == b"bytes"


def test_an_error_keeps_nothing_open(tmp_path):
    """A circle of error, traceback and frame would keep the store, and its folder, open."""
    gc.collect()
    gc.disable()
    try:
        for number, (use, options) in enumerate(
            [
                (lambda s: s.__setitem__("k", 2), {"append_only": True}),
                (lambda s: s.__delitem__("k"), {"append_only": True}),
                (lambda s: s.__setitem__("k", {1}), {}),
                (lambda s: s["broken"], {}),
                (lambda s: s.get("broken"), {}),
                (lambda s: s[5], {}),
                (lambda s: s.transform_item("k", lambda _: {1}), {}),
                (lambda s: s.update(k={1}), {}),
                (lambda s: s.copy_to("elsewhere"), {}),
                (lambda s: s.copy_to({}, only_new=True), {}),
            ]
        ):
            store = FileDirStore(tmp_path / f"open{number}", serializer="json", **options)
            store["k"] = 1
            pathlib.Path(store.path, "broken.json").write_text("{torn")
            alive = weakref.ref(store.pipeline.persister._folder if not options else store)
            with contextlib.suppress(HoldallError):
                use(store)
                pytest.fail("no error")
            del store
            assert alive() is None, use
    finally:
        gc.enable()


def test_what_is_cut_short_in_a_message_keeps_its_quotes():
    store = Store({"k" * 300: 1, b"k" * 300: 2, ("k" * 300,): 3})
    for key in store:
        with pytest.raises(InvalidArgumentError, match="cannot change in place") as caught, store.edit(key):
            pass
        said = str(caught.value).removeprefix("the value of ").partition(" is int")[0]
        whole = repr(key)
        assert len(said) == 120
        assert said == (whole[:119] if isinstance(key, tuple) else whole[:118] + whole[-1]) + "…"


def test_a_message_stands_whose_object_cannot_be_shown():
    faulty = type("Faulty", (), {"__repr__": lambda self: 1 / 0})()
    with pytest.raises(InvalidArgumentError, match=r"got <.*Faulty object at"):
        MemoryStore().purge(older_than=faulty)


def test_a_store_shows_its_whole_path(tmp_path):
    path = tmp_path / ("results of " + "a long name " * 10)
    store = FileDirStore(path)
    assert repr(str(path)) in repr(store)
    with pytest.raises(UnsupportedError) as caught:
        bounded(store.get_subdict("part"), max_items=1)
    assert repr(str(path)) in str(caught.value)


def test_no_message_cuts_a_repr_by_a_format():
    """It would lose the closing quote, and fail where the `repr` does: `shown` is for that."""
    source = pathlib.Path(holdall.__file__).parent
    assert [
        path for path in source.rglob("*.py") if re.search(r"!r:[^}]*\.\d", path.read_text("utf-8"))
    ] == []


@pytest.mark.parametrize(
    "make", [MemoryStore, lambda: SQLiteStore("a.db"), lambda: wrap_kvs(FileDirStore("d"))]
)
@pytest.mark.parametrize(
    ("verb", "use"), [("set", lambda s: s.set("k", 1, ttl=9)), ("touch", lambda s: s.touch("k"))]
)
def test_a_store_without_expiry_per_item_says_what_has_it(make, verb, use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = make()
    with pytest.raises(UnsupportedError, match=rf"no {verb}\(\): .*bounded\(store") as caught:
        use(store)
    assert isinstance(caught.value, AttributeError)
    assert not hasattr(store, verb)
    assert not hasattr(type(store), verb)
    cache = bounded(store, max_items=2)
    use(cache)
    assert ("k" in cache) is (verb == "set")


def test_a_class_of_ones_own_may_have_verbs_of_these_names():
    class Repository(MemoryStore):
        def touch(self, name):
            self[name] = b""

    class Theirs(dict):
        def set(self, key, value, expire):
            self[key] = value, expire

    repository, wrapped = Repository(), wrap_kvs(Theirs)()
    repository.touch("a")
    wrapped.set("a", 1, expire=5)
    assert (repository["a"], wrapped["a"]) == (b"", (1, 5))


def test_an_absent_key_is_the_users_in_a_short_traceback():
    s = {}
    for prefix in "abc":
        s = wrap_keys(s, keys=Prefix(prefix))
    with pytest.raises(KeyError) as caught:
        s["mine"]
    assert caught.value.args == ("mine",)
    assert len(traceback.extract_tb(caught.value.__traceback__)) <= 5


def test_a_place_out_of_order_is_not_an_absent_item(tmp_path):
    s = FileDirStore(tmp_path / "files", serializer="text", suffix="")
    s["a/b"] = "x"
    with pytest.raises(KeyError):
        s["a"]  # a folder is no item
    (tmp_path / "table.db").write_bytes(b"no table at all" * 100)
    with pytest.raises((CorruptValueError, StoreUnavailableError)):
        SQLiteStore(tmp_path / "table.db", serializer="json").get("a")
