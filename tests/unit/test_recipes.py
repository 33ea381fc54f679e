"""Caches of the web, search, nested paths, names from a table, and what is computed when it is missing."""

import http.server
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from holdall import FileDirStore, MemoryStore, SQLiteStore, Store
from holdall.errors import CorruptValueError, InvalidArgumentError, InvalidKeyError, StoreUnavailableError
from holdall.keys import MappedKeys
from holdall.nested import leaf_paths, path_get, path_set, walk
from holdall.recipes import download, web_cache
from holdall.search import SearchStore
from holdall.wrappers import expiring, on_missing


@pytest.fixture
def site():
    """Give the URL of a web server, and the paths that it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            codes = {"/gone": 410, "/broken": 500}
            self.send_response(codes.get(self.path, 404 if "none" in self.path else 200))
            self.end_headers()
            self.wfile.write(f"{self.path} {len(asked)}".encode())

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join(20)


# ---------------------------------------------------------------------- the web


def test_the_web_is_a_dict(site, tmp_path, monkeypatch):
    root, asked = site
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    g = web_cache()
    assert g[f"{root}/a?b=1"] == g[f"{root}/a?b=1"] == b"/a?b=1 1"
    assert g[f"{root}/a"] == b"/a 2", "a page below which others lie"
    assert g[f"{root}/a/b"] == b"/a/b 3"
    assert f"{root}/c" not in g
    assert g.get(f"{root}/c") is None
    assert sorted(g) == [f"{root}/a", f"{root}/a/b", f"{root}/a?b=1"]
    assert len(asked) == 3, "only [] downloads"
    again = web_cache()
    assert again[f"{root}/a"] == b"/a 2", "the default folder is found again"
    del again[f"{root}/a"]
    assert g[f"{root}/a"] == b"/a 4"
    assert dict(g.items())[f"{root}/a"] == b"/a 4"
    assert os.path.isdir(tmp_path / "holdall" / "web")


def test_pages_expire(site, tmp_path, monkeypatch):
    root, _ = site
    g = web_cache(tmp_path, max_age=3600)
    assert [g[root], g[root]] == [b"/ 1"] * 2
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 4000)
    assert root not in g
    monkeypatch.undo()
    for folder, _, names in os.walk(tmp_path):
        for name in names:
            if name.endswith(".page"):
                os.utime(os.path.join(folder, name), (now - 4000,) * 2)
    assert g[root] == b"/ 2"


def test_pages_that_there_are_not_are_not_kept(site, tmp_path):
    root, asked = site
    g = web_cache(tmp_path)
    for path in ("/none", "/gone"):
        for _ in range(2):
            with pytest.raises(KeyError) as caught:
                g[root + path]
            assert caught.value.args == (root + path,)
    with pytest.raises(StoreUnavailableError, match=r"^the page .* downloaded: HTTP Error 500") as caught:
        g[f"{root}/broken"]
    assert caught.value.location == f"{root}/broken"
    with pytest.raises(StoreUnavailableError, match=r"the page cannot be downloaded: .*refused"):
        g["http://127.0.0.1:1/"]
    assert list(g) == []
    assert len(asked) == 5
    for wrong in ("file:///etc/passwd", "example.org", "ftp://x/y"):
        with pytest.raises(InvalidKeyError, match="named by http"):
            download(wrong)
    with pytest.raises(InvalidKeyError, match="named by http"):
        g["file:///etc/passwd"]


# ---------------------------------------------------------------------- what is missing


@pytest.mark.parametrize(
    "make",
    [lambda path: {}, lambda path: MemoryStore(), lambda path: FileDirStore(path / "s")],
    ids=["dict", "memory", "folder"],
)
def test_only_reading_computes(tmp_path, make):
    calls = []

    def square(key):
        calls.append(key)
        if key == "none":
            raise KeyError(key)
        return len(key) ** 2

    store = on_missing(make(tmp_path), compute=square)
    assert (store["abc"], store["abc"], calls) == (9, 9, ["abc"])
    assert (store.get("x"), store.get("x", 5), "x" in store, len(store)) == (None, 5, False, 1)
    assert (list(store.items()), dict(store), list(store.values())) == ([("abc", 9)], {"abc": 9}, [9])
    assert store.setdefault("x", 7) == store["x"] == 7
    assert store.pop("y", None) is None
    with pytest.raises(KeyError, match="none"):
        store["none"]
    assert calls == ["abc", "none"]
    store["abc"] = 1
    assert store["abc"] == 1
    del store["abc"]
    assert store["abc"] == 9
    assert store.get_subdict("sub")["ab"] == 36
    assert sorted(store) == ["abc", "sub/ab", "x"]


def test_threads_compute_a_key_once():
    calls = []

    def slow(key):
        calls.append(key)
        time.sleep(0.05)
        return object()

    store = on_missing(MemoryStore(), compute=slow)
    found = []
    threads = [threading.Thread(target=lambda: found.append(store["a"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == len(calls) == 1
    assert store.pipeline.persister._locks == {}


def test_what_somebody_else_stored_meanwhile_counts(tmp_path):
    other = FileDirStore(tmp_path / "s")
    store = on_missing(
        FileDirStore(tmp_path / "s"), compute=lambda key: other.setdefault(key, "theirs") and "mine"
    )
    assert store["a"] == "theirs"


def test_nothing_need_be_kept():
    store = on_missing({"a": 1}, compute=str.upper, keep=False)
    assert (store["a"], store["b"], list(store)) == (1, "B", ["a"])


def test_what_expired_is_computed_anew(monkeypatch):
    now = time.time()
    store = on_missing(expiring(MemoryStore(), ttl=10), compute=lambda key: time.time())
    monkeypatch.setattr(time, "time", lambda: now)
    assert store["a"] == now
    monkeypatch.setattr(time, "time", lambda: now + 11)
    assert store["a"] == now + 11


def test_it_travels_and_refuses_what_is_no_function(tmp_path):
    store = on_missing(FileDirStore(tmp_path / "s"), compute=len)
    assert pickle.loads(pickle.dumps(store))["four"] == 4
    assert type(store).from_params(store.get_params())["three"] == 5
    with pytest.raises(InvalidArgumentError, match="compute="):
        on_missing({}, compute=5)


# ---------------------------------------------------------------------- search


TEXTS = {
    "tea": "Green tea with honey. Tea is made of leaves.",
    "coffee": "Coffee, black, without honey!",
    ("notes", 1): "Crème brûlée after the tea",
    "empty": "",
}


def keys(found):
    return [one.key for one in found]


@pytest.mark.parametrize("make", [dict, Store, MemoryStore])
def test_texts_are_found(make):
    search = SearchStore(make(dict(TEXTS)))
    assert keys(search("TEA")) == ["tea", ("notes", 1)]
    assert keys(search("honey tea")) == ["tea"]
    assert keys(search("creme brulee")) == [("notes", 1)]
    assert keys(search("cof*")) == ["coffee"]
    assert keys(search('"tea with"')) == ["tea"]
    assert keys(search('"with tea"')) == []
    assert keys(search("honey", limit=1)) in (["tea"], ["coffee"])
    assert set(keys(search("where is honey for my tea", match="any"))) == {"tea", "coffee", ("notes", 1)}
    assert keys(search("where is honey for my tea")) == []
    with pytest.raises(InvalidArgumentError, match='match is "all" or "any", got \'most\''):
        search("tea", match="most")
    first, second = search("tea")
    assert first.score > second.score > 0
    assert "Green tea" in first.snippet
    for odd in ("", "   ", "*", '"', "AND OR NOT ( ) : ^ - +", "tea'; DROP TABLE words; --"):
        assert keys(search(odd)) == []
    assert keys(search("tea")) == ["tea", ("notes", 1)]


def test_the_index_follows_the_store(tmp_path):
    store = FileDirStore(tmp_path / "s", serializer="text")
    path = tmp_path / "index.db"
    read = []

    def text(value):
        read.append(value)
        return value

    store.update({"a": "apple", "b": "banana"})
    with SearchStore(store, path, text=text) as search:
        assert keys(search("apple")) == ["a"]
        assert keys(search("banana")) == ["b"]
        assert len(read) == 2, "what did not change is not read again"
        store["a"], store["c"] = "apricot", "apple pie"
        del store["b"]
        assert search.update() == 3
        assert (keys(search("apple")), keys(search("banana"))) == (["c"], [])
        assert len(read) == 4
    with SearchStore(store, path, text=text) as search:
        assert keys(search("apricot")) == ["a"]
        assert len(read) == 4, "the index outlives the process"


def test_values_that_are_no_text_need_a_function(tmp_path):
    with SQLiteStore(tmp_path / "x.db", serializer="json") as store:
        store["a"] = {"title": "On tea"}
        search = SearchStore(store)
        with pytest.raises(InvalidArgumentError, match="'a' is dict and no text: give text="):
            search("tea")
        store["b"] = "text"
        assert keys(SearchStore(store, text=str)("tea")) == ["a"]
        with pytest.raises(InvalidArgumentError, match="a query is text"):
            search(5)


FORKS_WHILE_IT_READS = """
import os, signal, sys, threading
from holdall.search import SearchStore

begun, go = threading.Event(), threading.Event()
mine = threading.current_thread()

def text(value):
    if threading.current_thread() is not mine:
        begun.set()
        go.wait()
    return value

texts = {"a": "apple"}
search = SearchStore(texts, *sys.argv[1:], text=text)
search("apple")
texts["b"] = "another apple"
thread = threading.Thread(target=search.update)
thread.start()
begun.wait()
os.register_at_fork(before=go.set)  # which is called before what holdall does then
pid = os.fork()
if not pid:
    signal.alarm(50)
    mine = threading.current_thread()
    texts["c"] = "the apple of a child"
    os._exit(len(search("apple")))
status = os.waitpid(pid, 0)[1]
thread.join()
print(os.waitstatus_to_exitcode(status), len(search("apple")))
"""


@pytest.mark.parametrize("index", [[], ["index.db"]], ids=["in memory", "in a file"])
def test_a_child_that_is_forked_while_texts_are_read_searches_as_well(tmp_path, index):
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS_WHILE_IT_READS, *index],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (run.stdout.strip(), run.stderr) == ("3 2", "")


def test_a_failed_update_changes_nothing(tmp_path):
    store = MemoryStore({"a": "apple"})
    search = SearchStore(store)
    search.update()
    store.update({"a": "pear", "b": 5})
    with pytest.raises(InvalidArgumentError):
        search("pear")
    del store["b"]
    assert keys(search("pear")) == ["a"]
    search.close()
    assert keys(search("pear")) == ["a"], "the next search opens it again, as stores do"


# ---------------------------------------------------------------------- nested


def test_paths_lead_into_nested_mappings_and_lists():
    nested = {"a": {"b": [10, {"c": 1}]}, "x/y": 2, 1: {"z": 3}}
    assert path_get(nested, "a/b/1/c") == path_get(nested, ("a", "b", 1, "c")) == 1
    assert path_get(nested, "a.b.0", sep=".") == 10
    assert path_get(nested, ("x/y",)) == 2
    assert path_get(nested, (1, "z")) == 3
    for absent in ("a/q", "a/b/7", "a/b/x", "a/b/0/deeper", "q"):
        assert path_get(nested, absent, None) is None
        with pytest.raises(KeyError):
            path_get(nested, absent)
    with pytest.raises(KeyError) as caught:
        path_get(nested, "a/q/r/s")
    assert caught.value.args == ("a/q",)
    for wrong in ("", "a//b", (), "/a"):
        with pytest.raises(InvalidKeyError):
            path_get(nested, wrong)


def test_a_value_that_cannot_be_read_is_not_absent(tmp_path):
    store = FileDirStore(tmp_path / "kept", serializer="json")
    store["a"] = {"b": 1}
    Path(store.file_of("a")).write_text("{torn")
    with pytest.raises(CorruptValueError):
        path_get(store, "a/b", None)


@pytest.mark.parametrize("make", [dict, MemoryStore, lambda: FileDirStore(serializer="json")])
def test_values_are_put_at_paths(make):
    store = make()
    path_set(store, "a/b/c", 1)
    path_set(store, "a/b/d", [1, 2])
    path_set(store, "a/b/d/1", 5)
    path_set(store, "e", 2)
    assert dict(store) == {"a": {"b": {"c": 1, "d": [1, 5]}}, "e": 2}
    with pytest.raises(InvalidKeyError, match="'e' holds int"):
        path_set(store, "e/f", 1)
    with pytest.raises(InvalidKeyError, match="'a/b/c' holds int"):
        path_set(store, "a/b/c/d", 1)
    assert store["e"] == 2
    stores = {"one": store}
    path_set(stores, "one/x/y", 7)
    assert (store["x"], list(stores)) == ({"y": 7}, ["one"])


def test_walking():
    nested = {"a": {"b": 1, "c": {"d": 2, "e": {}}}, "f": [1]}
    everything = [(("a", "b"), 1), (("a", "c", "d"), 2), (("a", "c", "e"), {}), (("f",), [1])]
    assert list(walk(nested)) == list(walk(Store(nested))) == everything
    assert list(walk(nested, max_depth=1)) == [(("a",), nested["a"]), (("f",), [1])]
    assert list(walk({})) == []
    assert leaf_paths(nested, sep=".") == ["a.b", "a.c.d", "a.c.e", "f"]
    deep = {}
    for _ in range(5000):
        deep = {"k": deep}
    assert len(leaf_paths(deep)[0]) == 5000


# ---------------------------------------------------------------------- names from a table


def test_names_from_a_table(tmp_path):
    names = {"train": "2024/train_v3.csv", "test": "2024/test_v1.csv"}
    for name in (*names.values(), "2024/README"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    store = FileDirStore(tmp_path, serializer="text", keys=MappedKeys(names))
    assert dict(store) == names
    assert "2024/README" not in store
    with pytest.raises(InvalidKeyError, match="'valid' is none of the 2 keys"):
        store["valid"] = "x"
    codec = MappedKeys(names)
    names["more"] = "x"
    assert "more" not in repr(codec)
    assert pickle.loads(pickle.dumps(codec)) == codec
    for wrong in ({"a": 1, "b": 1}, ["a"], None):
        with pytest.raises(InvalidArgumentError):
            MappedKeys(wrong)
    assert [1] not in Store({1: 1}, keys=MappedKeys({"a": 1}))
