"""Stores are opened by address, whatever they are, and wrong addresses say what is wrong."""

import importlib.metadata
import os
import pathlib
import sys
import types
import zipfile

import pytest

import holdall
from holdall import (
    FileDirStore,
    LmdbStore,
    MemoryStore,
    NullStore,
    ScriptStore,
    SpillStore,
    SQLiteStore,
    ZipStore,
)
from holdall.addresses import Address, named_addresses, parse, register_scheme, schemes
from holdall.archive import ArchiveStore
from holdall.errors import (
    InvalidArgumentError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
    UntrustedStoreError,
)
from holdall.stores.document import DocumentStore
from holdall.stores.tar import TarStore


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("old.zip", "w") as archive:
        archive.writestr("a.txt", "zipped")
    os.system("tar cf old.tar old.zip")
    pathlib.Path("settings.yaml").write_text("server:\n  port: 80\n")
    pathlib.Path("script.py").write_text("print('hello')\n")
    LmdbStore("base.lmdb", serializer="json")["a"] = 1
    SQLiteStore("cache.db", serializer="json")["a"] = 1
    return tmp_path


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("dir:results", FileDirStore),
        ("results", FileDirStore),
        ("sqlite:cache.db", SQLiteStore),
        ("cache.db", SQLiteStore),
        (pathlib.Path("cache.db"), SQLiteStore),
        ("lmdb:base.lmdb", LmdbStore),
        ("base.lmdb", LmdbStore),
        ("zip:old.zip", ZipStore),
        ("old.zip", ZipStore),
        ("tar:old.tar", TarStore),
        ("old.tar", TarStore),
        ("document:settings.yaml", DocumentStore),
        ("settings.yaml", DocumentStore),
        ("script:script.py", ScriptStore),
        ("script.py", ScriptStore),
        ("archive:kept", ArchiveStore),
        ("spill:spilled?memory=1MB", SpillStore),
        ("memory:", MemoryStore),
        ("null:", NullStore),
    ],
)
def test_an_address_gives_the_store_it_names(here, address, kind):
    assert type(holdall.open(address)) is kind


def test_options_and_parts(here):
    store = holdall.open("dir:results?serializer=json&durability=power", append_only=True)
    store["a"] = [1]
    assert store.get_params()["durability"] == "power"
    with pytest.raises(TypeError):
        store["a"] = 2
    assert (here / "results" / "a.json").read_text() == "[1]"
    table = holdall.open("sqlite:cache.db?timeout=2.5#other")
    assert (table.get_params()["table"], table.get_params()["timeout"], dict(table)) == ("other", 2.5, {})
    assert holdall.open("sqlite:cache.db?read_only=true")["a"] == 1
    assert holdall.open("cache.db", table="other") == {}
    assert holdall.open("lmdb:base.lmdb#items")["a"] == 1
    assert holdall.open("settings.yaml")["server/port"] == 80


def test_the_parts_of_an_address():
    assert parse("S3://bucket/a/b?region=eu-west-1") == Address(
        "s3", "//bucket/a/b", "", {"region": "eu-west-1"}
    )
    assert parse("dir:a%23b%3Fc") == Address("dir", "a#b?c", "", {})
    assert parse("dir:x?hidden=false&max_levels=3&suffix=").options == {
        "hidden": False,
        "max_levels": 3,
        "suffix": "",
    }
    assert parse("a#b?c.zip") == Address("zip", "a#b?c.zip", "", {})
    assert parse(r"C:\data") == Address("dir", r"C:\data", "", {})


def test_a_bucket_is_opened_without_a_request():
    store = holdall.open("s3://bucket/runs/7?serializer=json&region=eu-west-1", anonymous=True)
    assert (store.get_params()["bucket"], store.get_params()["prefix"]) == ("bucket", "runs/7")


def test_home_folders_are_found(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    holdall.open("dir:~/results?serializer=json")["a"] = 1
    assert (here / "results" / "a.json").exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("sqllite:cache.db", "did you mean 'sqlite'"),
        ("nothing:cache.db", "there are .*sqlite"),
        ("dir:", "needs a path"),
        ("dir:results#part", "has no parts"),
        ("dir:results?serialiser=json", "did you mean 'serializer'"),
        ("memory:somewhere", "lies nowhere"),
        ("dir:results?path=other", "has no option 'path'"),
        ("ftp://host/x?url=other", "has no option 'url'"),
        ("redis://host:port", "is no URL"),
        ("redis://[::1", "is no URL"),
        ("ftp://[::1", "no URL"),
        ("dir:x?timeout=" + "1" * 5000, "timeout"),
        ("dir:\ud800", "a character that no path has"),
        ("dir:a\0b", "NUL"),
        ("s3:", "s3://bucket"),
        ("", "an address is text"),
        (5, "an address is text"),
        (None, "an address is text"),
    ],
)
def test_wrong_addresses_say_what_is_wrong(here, address, said):
    with pytest.raises(InvalidArgumentError, match=said):
        holdall.open(address)


def test_pickles_that_others_could_have_written_are_not_loaded(here):
    FileDirStore("open")["a"] = {1}
    os.chmod("open", 0o777)
    with pytest.raises(UntrustedStoreError):
        holdall.open("dir:open")["a"]
    assert holdall.open("dir:open?trust=true")["a"] == {1}


# ---------------------------------------------------------------------- names and schemes of others


def test_a_file_of_names_that_cannot_be_read_says_so(here, monkeypatch):
    monkeypatch.setenv("HOLDALL_STORES", str(here))
    with pytest.raises(StoreUnavailableError, match="names of stores cannot be read"):
        holdall.open("my:x")
    (here / "names").write_bytes(b'x = "\xff"')
    monkeypatch.setenv("HOLDALL_STORES", str(here / "names"))
    with pytest.raises(InvalidArgumentError, match="is no TOML"):
        holdall.open("my:x")


def test_names_of_the_users_own_file(here, monkeypatch):
    monkeypatch.setenv("HOLDALL_STORES", "stores.toml")
    assert named_addresses() == {}
    with pytest.raises(
        StoreNotFoundError, match=r"no 'results': add a line such as results = \"dir:results\""
    ):
        holdall.open("my:results")
    (here / "stores.toml").write_text('results = "sqlite:cache.db?timeout=5"\nagain = "my:results"\n')
    store = holdall.open("my:results?read_only=true#items")
    assert (store["a"], store.get_params()["timeout"], store.get_params()["read_only"]) == (1, 5, True)
    with pytest.raises(InvalidArgumentError, match="not another name"):
        holdall.open("my:again")
    (here / "stores.toml").write_text('good = "memory:"\nresults = memory:\n')
    with pytest.raises(InvalidArgumentError, match=r"stores\.toml is no TOML: .*line 2"):
        holdall.open("my:results")


def test_a_name_of_no_address_leaves_the_others_alone(here, monkeypatch):
    monkeypatch.setenv("HOLDALL_STORES", "stores.toml")
    (here / "stores.toml").write_text('number = 3\nempty = ""\nmine = "memory:"\n[table]\nmine = "memory:"\n')
    assert type(holdall.open("my:mine")) is MemoryStore
    assert named_addresses() == {"empty": "", "mine": "memory:"}
    for name in ("number", "empty", "table"):
        with pytest.raises(InvalidArgumentError, match=f"stores.toml: {name} must be an address as text"):
            holdall.open(f"my:{name}")
    with pytest.raises(StoreNotFoundError, match="it names empty, mine, number, table"):
        holdall.open("my:nothing")


def test_the_file_lies_where_configuration_does(tmp_path, monkeypatch):
    platformdirs = pytest.importorskip("platformdirs")
    monkeypatch.delenv("HOLDALL_STORES", raising=False)
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda name: str(tmp_path / name))
    (tmp_path / "holdall").mkdir()
    (tmp_path / "holdall" / "stores.toml").write_text('mine = "memory:"')
    assert type(holdall.open("my:mine")) is MemoryStore


def test_without_platformdirs_it_says_what_to_do(monkeypatch):
    monkeypatch.delenv("HOLDALL_STORES", raising=False)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(UnsupportedError, match="HOLDALL_STORES"):
        holdall.open("my:mine")


def test_schemes_of_ones_own():
    register_scheme("counting", lambda address: MemoryStore({"place": address.place, **address.options}))
    assert dict(holdall.open("counting:here?n=1", m=2)) == {"place": "here", "n": 1, "m": 2}
    assert "counting" in schemes()
    for taken in ("sqlite", "counting", "s3", "my", "x", "Big", 3, "a b"):
        with pytest.raises(InvalidArgumentError):
            register_scheme(taken, lambda address: MemoryStore())
    with pytest.raises(InvalidArgumentError, match="an opener is a function"):
        register_scheme("numbers", 5)
    assert "numbers" not in schemes()
    register_scheme("empty-handed", lambda address: None)
    with pytest.raises(InvalidArgumentError, match="what opens empty-handed: gave NoneType, and no store"):
        holdall.open("empty-handed:x")


def test_schemes_of_other_packages(monkeypatch):
    entry = importlib.metadata.EntryPoint("lists", f"{__name__}:open_list", "holdall.addresses")
    monkeypatch.setitem(sys.modules, __name__, types.SimpleNamespace(open_list=open_list))
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry])
    assert holdall.open("lists:a,b")["1"] == "b"
    assert "lists" in schemes()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere_at_all:open", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("sys:no_such_opener", "AttributeError"),
        ("this_module_is_broken:open", "ZeroDivisionError"),
    ],
)
def test_a_package_that_cannot_be_loaded_leaves_the_others_alone(here, monkeypatch, value, said):
    (here / "this_module_is_broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(here)
    broken = importlib.metadata.EntryPoint("broken", value, "holdall.addresses")
    lists = importlib.metadata.EntryPoint("lists", f"{__name__}:open_list", "holdall.addresses")
    monkeypatch.setitem(sys.modules, __name__, types.SimpleNamespace(open_list=open_list))
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [broken, lists])
    assert holdall.open("lists:a,b")["1"] == "b"
    assert {"broken", "lists"} <= set(schemes())
    with pytest.raises(UnsupportedError, match=f"opens broken: cannot be loaded .{value}.: {said}"):
        holdall.open("broken:x")


def open_list(address):
    return MemoryStore({str(number): text for number, text in enumerate(address.place.split(","))})
