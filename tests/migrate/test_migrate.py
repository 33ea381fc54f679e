"""What other libraries have written is read: keys, values and times, and no pickle of others' is loaded."""

import dbm.dumb
import os
import pickle
import shelve
import shutil
import sqlite3
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path

import pytest

import holdall
from holdall import FileDirStore, SQLiteStore, migrate
from holdall.cli import main
from holdall.errors import (
    CorruptValueError,
    InvalidArgumentError,
    MismatchError,
    ReadOnlyError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.migrate import (
    open_chest,
    open_diskcache,
    open_joblib,
    open_persidict,
    open_persist,
    open_pickles,
    open_pycaboose,
    open_shelve,
    open_sqlitedict,
)
from holdall.wrappers import filt_iter
from migrate._writers import BIG, written

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check_reading(store, items):
    """A store has items, and none of them can be changed."""
    assert store.copy() == items
    assert len(store) == len(items)
    for key, value in items.items():
        assert key in store
        assert type(store[key]) is type(value)
        assert isinstance(store.etag(key), str)
        assert store.etag(key) == store.etag(key)
    for absent in ("absent", "../a", ("absent", 1), 12345, ""):
        assert absent not in store
        with pytest.raises(KeyError):
            store[absent]
    for change in (
        lambda: store.update(new=1),
        lambda: store.clear(force=True),
        lambda: store.pop(next(iter(items))),
    ):
        with pytest.raises(ReadOnlyError):
            change()
    assert store.copy() == items
    store.close()
    assert store.copy() == items
    store.close()


def test_shelve(here):
    written("shelve_", here)
    check_reading(open_shelve("shelf"), {"a": [1], "é": {"x": (1, 2)}})
    Path("no.db").write_text("something else")
    for path, error in (("absent", StoreNotFoundError), ("no.db", MismatchError)):
        with pytest.raises(error):
            open_shelve(path)


@pytest.mark.parametrize("kind", ["dbm.dumb", "dbm.gnu", "dbm.ndbm", "dbm.sqlite3"])
def test_shelves_of_any_dbm(here, kind):
    dbm = pytest.importorskip(kind)
    with shelve.Shelf(dbm.open("shelf", "c")) as shelf:
        shelf["a"] = {1}
    check_reading(open_shelve("shelf"), {"a": {1}})


def test_diskcache(here):
    before, after = written("diskcache", here)
    items = {"a": 1, ("x", 2): {1}, "big": BIG, b"b": b"y" * 50_000, 1.5: 2.5, "raw": b"abc", 7: None}
    items |= {"large": list(range(20_000)), "alive": 1}
    store = open_diskcache("cache")
    assert store["x", 2] == {1}  # before anything was listed
    check_reading(store, items)
    assert all(before <= store.timestamp(key) <= after for key in items)
    store.close()


@pytest.mark.parametrize("options", [{}, {"disk_compress_level": 6}])
def test_what_a_json_disk_of_diskcache_wrote_is_refused(here, options):
    diskcache = pytest.importorskip("diskcache")
    with diskcache.Cache("cache", disk=diskcache.JSONDisk, **options) as cache:
        cache["a"], cache[7] = 1, [2]
    with pytest.raises(UnsupportedError, match="JSONDisk"):
        open_diskcache("cache")


def test_keys_of_diskcache_that_are_bytes_are_read(here):
    diskcache = pytest.importorskip("diskcache")
    items = {b"": 0, b"x\x9c": 1, b"a": 2, zlib.compress(b"no JSON"): 3, zlib.compress(bytes(2_000_000)): 4}
    with diskcache.Cache("cache") as cache:
        for key, value in items.items():
            cache[key] = value
    assert dict(open_diskcache("cache")) == items


def test_diskcache_names_no_files_of_others(here):
    written("diskcache", here)
    Path("secret").write_text("secret")
    os.symlink("..", "cache/up")
    for name in ("../secret", str(here / "secret"), "up/secret"):
        with closing(sqlite3.connect("cache/cache.db")) as database, database:
            database.execute("UPDATE Cache SET filename = ? WHERE key = 'big'", (name,))
        database.close()
        with pytest.raises(CorruptValueError, match="outside"):
            open_diskcache("cache")["big"]


def test_sqlitedict(here):
    written("sqlitedict", here)
    check_reading(open_sqlitedict("sd.db"), {"a": {1}, "b": 2})
    check_reading(open_sqlitedict("sd.db", table="t 2", serializer="json"), {"c": [1]})
    check_reading(holdall.open("sqlitedict:sd.db?serializer=json#t 2"), {"c": [1]})
    with pytest.raises(StoreNotFoundError, match="unnamed, t 2"):
        open_sqlitedict("sd.db", table="t3")


def test_chest(here):
    before, after = written("chest", here)
    items = {"a": 1, ("a", "b"): [2], 1.5: "x", ("p", ("q", "r")): {5}}
    store = open_chest("chest")
    check_reading(store, items)
    assert all(before - 1 <= store.timestamp(key) <= after for key in items)
    Path("chest/.keys").write_bytes(pickle.dumps([("a", "../secret")]))
    with pytest.raises(CorruptValueError, match="outside"):
        open_chest("chest")


@pytest.mark.parametrize("library", ["dol", "py2store"])
def test_pickle_folders(here, library):
    written(library, here)
    check_reading(holdall.open("pickles:pickles"), {"a": 1, "b.pkl": {2}})
    os.utime("pickles/a", (1e9, 1e9))
    assert open_pickles("pickles").timestamp("a") == 1e9


@pytest.mark.parametrize("folder", ["cache", "compressed"])
def test_joblib(here, folder):
    before, after = written("joblib", here)
    store = open_joblib(folder)
    by_value = {tuple(value.items()): key for key, value in store.items()}
    assert set(by_value) == {((3, 2),), ((4, 5),)}
    check_reading(store, {by_value[(3, 2),]: {3: 2}, by_value[(4, 5),]: {4: 5}})
    assert all(key.startswith("module/f/") for key in store)
    assert all(before <= store.timestamp(key) <= after for key in store)
    calls = holdall.open(f"joblib:{folder}?listing=true")
    assert calls[by_value[(4, 5),]]["arguments"] == {"x": "4", "y": "5"}
    assert calls[by_value[(4, 5),]]["function"] == "module.f"


def test_a_folder_of_something_else_is_no_cache_of_joblib(here):
    os.makedirs("other/sub")
    with pytest.raises(StoreNotFoundError, match="finds nothing"):
        open_joblib("other")


@pytest.mark.parametrize("scheme", ["joblib", "persidict"])
def test_a_folder_that_cannot_be_listed_is_told(here, monkeypatch, scheme):
    os.makedirs("cache/joblib/module/f/1")
    Path("cache/joblib/module/f/1/output.pkl").write_bytes(b"")
    store = holdall.open(f"{scheme}:cache")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("/f"):
            raise PermissionError(13, "denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(StoreUnavailableError, match="cannot be listed"):
        list(store)


def test_persist(here):
    shutil.unpack_archive(GOLDEN.parents[1] / "archive" / "written_by_persist.zip", here)
    store = open_persist("old")
    assert list(store) == ["a", "x"]
    assert store["a"] == [1, 2]
    assert store["x"].shape == (200,)
    check_reading(filt_iter(store, filt={"a"}), {"a": [1, 2]})
    assert store.timestamp("a") == os.stat("old/a.py").st_mtime
    assert not any(name.startswith("_persist_") for name in sys.modules)
    holdall.DataSet("own", "w", path=".").a = 1
    with pytest.raises(MismatchError, match="DataSet"):
        open_persist("own")


def test_pycaboose(here):
    written("pycaboose", here)
    before = Path("script.py").read_bytes()
    check_reading(open_pycaboose("script.py"), {"x": 2, "other": (1, {3})})
    assert Path("script.py").read_bytes() == before
    Path("code.py").write_bytes(before + _loud_line())
    with pytest.raises(UnsupportedError, match="trust"):
        open_pycaboose("code.py")
    assert not os.path.exists("was-loaded")
    Path("plain.py").write_text("print()\n")
    with pytest.raises(StoreNotFoundError):
        open_pycaboose("plain.py")


# ---------------------------------------------------------------------- persidict


@pytest.fixture
def golden(here):
    shutil.copytree(GOLDEN, here, dirs_exist_ok=True)
    os.utime("persidict_pkl/n_pofz.pkl", (1e9, 1e9))


PERSIDICT = {"a": 1, "a/b": [2, (3,), {4}], "n": None, "d": {"x": 1.5}}


def test_persidict(golden):
    store = open_persidict("persidict_pkl")
    check_reading(store, {**PERSIDICT, "A/x-y": b"3"})
    assert store.timestamp("n") == 1e9
    check_reading(open_persidict("persidict_json"), {**PERSIDICT, "A/x-y": "text"})
    check_reading(holdall.open("persidict:persidict_unsigned?digest_len=0"), {"a/b": "x"})
    check_reading(open_persidict("persidict_unsigned"), {"a/b": "x"})
    check_reading(open_persidict("persidict_text"), {"a/b": "é\r\nx"})


def test_objects_of_jsonpickle_are_not_made(golden):
    with pytest.raises(UnsupportedError, match="py/object"):
        open_persidict("persidict_json_objects")["a"]


def test_several_formats_of_persidict_are_told_apart(golden):
    shutil.copytree("persidict_unsigned", "persidict_pkl", dirs_exist_ok=True)
    with pytest.raises(InvalidArgumentError, match="json, pkl"):
        open_persidict("persidict_pkl")
    assert dict(open_persidict("persidict_pkl", format="json")) == {"a/b": "x"}


# ---------------------------------------------------------------------- trust


class Loud:
    """Leaves a folder where it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("was-loaded",)


def _loud_line():
    from base64 import b64encode

    return b"# " + b64encode(pickle.dumps(("loud", Loud()))) + b"\n"


def _plant_shelve():
    with shelve.open("place") as shelf:
        shelf["a"] = Loud()
    return [path for path in os.listdir() if path.startswith("place")]


def _plant_diskcache():
    import diskcache

    with diskcache.Cache("place") as cache:
        cache["a"] = Loud()
    return ["place/cache.db"]


def _plant_sqlitedict():
    from sqlitedict import SqliteDict

    with SqliteDict("place", autocommit=True) as table:
        table["a"] = Loud()
    return ["place"]


def _plant_files(*names):
    for name in names:
        os.makedirs(os.path.dirname(name), exist_ok=True)
        Path(name).write_bytes(pickle.dumps(Loud()))
    return list(names)


def _plant_module():
    os.mkdir("place")
    Path("place/_this_dir_is_a_DataSet").touch()
    Path("place/a.py").write_text("import os\na = os.mkdir('was-loaded')\n")
    return ["place/a.py"]


PLANTS = {
    "shelve": _plant_shelve,
    "diskcache": _plant_diskcache,
    "sqlitedict": _plant_sqlitedict,
    "chest": lambda: _plant_files("place/.keys"),
    "pickles": lambda: _plant_files("place/a"),
    "joblib": lambda: _plant_files("place/joblib/m/f/a/output.pkl"),
    "persist": _plant_module,
    "persidict": lambda: _plant_files("place/a_btax.pkl"),
}


@pytest.mark.parametrize("scheme", PLANTS)
def test_no_pickle_is_loaded_that_others_could_have_written(here, scheme):
    for path in PLANTS[scheme]():
        os.chmod(path, 0o666)

    def read(**options):
        store = holdall.open(f"{scheme}:place", **options)
        return [store[key] for key in store]

    with pytest.raises(UntrustedStoreError, match="trust=True"):
        read()
    assert not os.path.exists("was-loaded")
    try:
        read(trust=True)
    except CorruptValueError:
        assert scheme == "chest"  # whose index is no list then
    assert os.path.exists("was-loaded")


def test_a_row_of_diskcache_that_another_key_has_got_is_not_taken_for_the_old_one(here):
    import diskcache

    with diskcache.Cache("place") as cache:
        cache["a"] = cache["b"] = "old"
        store = open_diskcache("place")
        assert dict(store) == {"a": "old", "b": "old"}
        del cache["b"]
        cache["c"] = "of c"
        assert store.get("b") is None
        cache["b"] = "new"
        assert (store["b"], store["c"]) == ("new", "of c")
        store.close()


def test_keys_of_diskcache_are_pickles_too(here):
    import diskcache

    with diskcache.Cache("place") as cache:
        cache["x", 1] = 1
    loud = pickle.dumps(Loud())
    with closing(sqlite3.connect("place/cache.db")) as database, database:
        database.execute("UPDATE Cache SET key = ?", (loud,))
    database.close()
    os.chmod("place", 0o777)
    with pytest.raises(UntrustedStoreError):
        list(open_diskcache("place"))
    assert not os.path.exists("was-loaded")


def test_damage_is_told(here):
    with shelve.open("place") as shelf:
        shelf["a"] = 1
        shelf.dict[b"b"] = b"torn"
    store = open_shelve("place")
    assert store["a"] == 1
    with pytest.raises(CorruptValueError, match="'b'"):
        store["b"]
    store.close()


@pytest.mark.parametrize("name", [name for name in dir(migrate) if name.startswith("open_")])
@pytest.mark.parametrize("path", [5, None, b"x", [], "", "a\0b"])
def test_what_is_no_path_is_said_to_be_none(name, path):
    with pytest.raises(InvalidArgumentError, match="path"):
        getattr(migrate, name)(path)


@pytest.mark.parametrize("text", [b"'a', (", b"'a'", b"\x0e", b"\xff\xfe"])
def test_damage_of_a_list_of_keys_is_told(here, text):
    with dbm.dumb.open("place", "n") as database:
        database[b"a"] = pickle.dumps(1)
    Path("place.dir").write_bytes(text)
    with pytest.raises((CorruptValueError, MismatchError)):
        list(open_shelve("place"))
    os.mkdir("chest")
    Path("chest/.keys").write_bytes(text)
    with pytest.raises(CorruptValueError, match="list of keys"):
        open_chest("chest")


def test_a_file_of_a_value_that_is_gone_is_told(here):
    written("diskcache", here)
    for path in Path("cache").rglob("*.val"):
        path.unlink()
    with pytest.raises(StoreUnavailableError, match="'big' cannot be read"):
        open_diskcache("cache")["big"]


# ---------------------------------------------------------------------- the command


def test_import_of_another_library(here, capsys):
    written("diskcache", here)
    written("shelve_", here)
    assert main(["import", "sqlite:new.db", "diskcache:cache"]) == 0
    assert SQLiteStore("new.db")["x", 2] == {1}
    assert main(["import", "dir:new", "--from", "shelve", "shelf"]) == 0
    assert dict(FileDirStore("new")) == {"a": [1], "é": {"x": (1, 2)}}
    assert capsys.readouterr().out == "9 items\n2 items\n"
    assert main(["import", "dir:new", "--from", "shelve", "absent"]) == 1
    assert main(["ls", "shelve:absent"]) == 1
    assert main(["diff", "shelve:shelf", "new"]) == 0


def test_import_keeps_times_where_both_sides_know_them(here, golden):
    assert main(["import", "dir:new", "persidict:persidict_pkl"]) == 0
    new = FileDirStore("new")
    assert abs(new.timestamp("n") - 1e9) < 1
    written("shelve_", here)
    started = time.time()
    assert main(["import", "dir:new", "shelve:shelf"]) == 0
    assert new.timestamp("é") > started - 1
