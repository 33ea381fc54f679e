"""What stores show of themselves: bounded, unasked only what is at hand, and running or using nothing."""

import json
import math
import os
import pickle
import random
import tarfile

import pandas as pd
import pytest

from holdall import FileDirStore, MemoryStore, Persister, SpillStore, SQLiteStore, Store, ZipStore
from holdall.errors import InvalidArgumentError
from holdall.store import _looking
from holdall.store._brief import brief
from holdall.stores.document import DocumentStore
from holdall.stores.tar import TarStore
from holdall.wrappers import (
    bounded,
    cached_values,
    expiring,
    filt_iter,
    on_missing,
    overlay,
    wrap_kvs,
    write_back,
)

RUN = []


class Trap:
    """Notes that it was loaded, or shown."""

    def __reduce__(self):
        return RUN.append, ("loaded",)

    def __repr__(self):
        RUN.append("shown")
        return "trap"


class Noted(Persister):
    """A place of many items that notes what is asked of it."""

    near = True

    def __init__(self, count=1_000_000):
        self.count = count
        self.asked = []

    @property
    def at_hand(self):
        return self.near

    def __iter__(self):
        for number in range(self.count):
            self.asked.append("list")
            yield str(number)

    def __getitem__(self, id):
        self.asked.append("read")
        return id.encode()

    def __setitem__(self, id, data):
        raise NotImplementedError

    def __delitem__(self, id):
        raise NotImplementedError


def test_a_glance_at_many_items_asks_for_few(monkeypatch):
    monkeypatch.setattr(_looking, "_GLANCE", 60)  # no clock decides
    place = Noted()
    shown = Store(place, serializer="json")._repr_html_()
    assert shown.count("<tr>") == 11
    assert "…" in shown
    assert place.asked.count("list") <= 256
    assert place.asked.count("read") <= 22


def test_what_may_be_more_is_told(monkeypatch):
    monkeypatch.setattr(_looking, "_GLANCE", 60)  # no clock decides
    assert "…" not in Store(Noted(3))._repr_html_()
    assert "…" not in Store(Noted(10))._repr_html_()
    assert "…" in Store(Noted(11))._repr_html_()
    assert "…" not in filt_iter(Noted(50), filt=lambda key: key == "x")._repr_html_()
    assert "…" in filt_iter(Noted(500), filt=lambda key: key == "x")._repr_html_()
    monkeypatch.setattr(_looking, "_GLANCE", 0)
    assert "…" in Store(Noted(3))._repr_html_()


def test_what_is_not_at_hand_is_looked_at_only_when_asked():
    place = Noted(3)
    place.near = False
    store = Store(place, serializer="json")
    for one in (store, cached_values(store), overlay(Store({"a": 1}), store), store.get_subdict("x")):
        assert "overview()" in one._repr_html_()
        assert place.asked == []
    assert [row.value for row in store.overview()] == ["0", "1", "2"]


def test_columns():
    store = FileDirStore(serializer="json")
    store["a"] = {"x": [1, None]}
    store["b"] = "long " * 1000
    small, large = sorted(store.overview())
    assert small[:3] == ("a", "dict", 16)
    assert small.mtime == store.timestamp("a")
    assert small.value == "{'x': [1, None]}"
    assert large[:3] == ("b", "json", 5002)
    assert large.value == ""
    text = repr(store.overview())
    assert "16 B" in text
    assert "5.0 kB" in text
    assert "now" in text
    assert [row.value for row in store.overview(values=False)] == ["", ""]
    assert [row.type for row in store.overview(values=False)] == ["json", "json"]


def test_limits():
    store = MemoryStore(dict.fromkeys(range(30)))
    assert (len(store.overview(5)), store.overview(5).note) == (5, "…")
    assert (len(store.overview(None)), store.overview(None).note) == (30, "")
    assert (len(store.overview(30)), store.overview(30).note) == (30, "")
    assert repr(store.overview(0)).endswith("\n…")
    for wrong in (-1, 1.5, True, "x"):
        with pytest.raises(InvalidArgumentError, match="max_n"):
            store.overview(wrong)
    again = pickle.loads(pickle.dumps(store.overview(5)))
    assert repr(again) == repr(store.overview(5))


def test_a_frame():
    store = SQLiteStore(serializer="json")
    store.update(a=1, b=[1, 2])
    frame = pd.DataFrame(store.overview(None)).set_index("key")
    assert list(frame.columns) == ["type", "size", "mtime", "value"]
    assert list(frame.loc["b"])[:2] == ["list", 6]
    stats = pd.DataFrame([bounded({}, max_items=3).stats(), bounded({}, max_items=4).stats()])
    assert list(stats["max_items"]) == [3, 4]


@pytest.mark.parametrize("make", [SQLiteStore, FileDirStore, MemoryStore])
def test_no_pickle_is_run(make):
    store = make(serializer="pickle")
    store["trap"] = Trap()
    store["plain"] = {1, 2}
    RUN.clear()
    shown = store._repr_html_()
    assert "{1, 2}" in shown
    assert {row.key: row.type for row in store.overview()} == {"trap": "pickle", "plain": "set"}
    wrapped = cached_values(expiring(store, ttl=3600))
    assert {row.key: row.type for row in wrapped.overview()} == {"trap": "pickle", "plain": "set"}
    assert RUN == []


def test_no_function_of_the_user_is_called_for_a_value():
    def obj_of_data(data):
        RUN.append(data)
        return data

    RUN.clear()
    store = wrap_kvs(FileDirStore(serializer="json"), obj_of_data=obj_of_data)
    store["a"] = 1
    assert [row[:2] + row[4:] for row in store.overview()] == [("a", "json", "")]
    assert "json" in store._repr_html_()

    class Own(MemoryStore):
        def _obj_of_data(self, data):
            return obj_of_data(data)

    assert [row.value for row in Own({"a": 1}).overview()] == [""]

    class Slow(dict):
        def __getitem__(self, key):
            RUN.append(key)
            return super().__getitem__(key)

    for source in (Store(Slow(a=1)), cached_values(Slow(a=1)), on_missing(Slow(a=1), compute=RUN.append)):
        assert [row.key for row in source.overview()] == ["a"]
        source._repr_html_()
    assert RUN == []


def test_looking_is_no_use_and_moves_nothing():
    cache = bounded(SQLiteStore(serializer="json"), max_items=5)
    cache["a"] = 1
    assert cache.overview()[0].value == "1"
    cache._repr_html_()
    assert (cache.stats().hits, cache.stats().misses) == (0, 0)

    place = FileDirStore(serializer="json")
    buffered = write_back(place)
    buffered.update(a=1, b=2)
    del buffered["b"]
    assert [row.key for row in buffered.overview()] == ["a"]
    assert list(place) == []

    spilling = SpillStore(memory=100_000)
    spilling.update((number, [number]) for number in range(5))
    before = spilling.stats()
    assert {row.key: row.value for row in spilling.overview()} == {n: f"[{n}]" for n in range(5)}
    assert "[3]" in spilling._repr_html_()
    assert spilling.stats() == before
    spilling.flush()
    assert {row.size is None for row in spilling.overview()} == {False}
    spilling.shrink()
    before = spilling.stats()
    assert {row.key for row in spilling.overview()} == set(range(5))
    assert spilling.stats() == before


def test_a_store_is_shown_that_holds_an_int_of_thousands_of_digits():
    store = MemoryStore({"huge": 10**5000})
    assert repr(store).startswith("MemoryStore(mapping=<dict object at ")
    assert "'huge'" in repr(store.overview())
    assert "huge" in store._repr_html_()


def test_what_expired_is_not_shown():
    folder = FileDirStore(serializer="json")
    folder["a"] = 1
    os.utime(folder.file_of("a"), (0, 0))
    assert list(expiring(folder, ttl=3600).overview()) == []


def test_an_error_is_shown_in_the_place_of_items(tmp_path):
    (tmp_path / "broken.zip").write_bytes(b"no archive, and <b>not</b> safe")
    shown = ZipStore(tmp_path / "broken.zip")._repr_html_()
    assert "broken.zip" in shown
    assert "<b>" not in shown
    damaged = FileDirStore(tmp_path / "damaged", serializer="json")
    damaged["a"] = 1
    (tmp_path / "damaged" / "a.json").write_bytes(b"{")
    assert [row[:3] + row[4:] for row in damaged.overview()] == [("a", "json", 1, "")]


def test_large_files_are_not_read_unasked(tmp_path):
    store = ZipStore(tmp_path / "large.zip", serializer="bytes")
    store["a"] = bytes(10)
    assert "a" in store._repr_html_()
    store["b"] = random.Random(1).randbytes(600_000)
    assert "overview()" in store._repr_html_()
    assert len(store.overview()) == 2


def test_what_was_read_already_is_at_hand(tmp_path):
    (tmp_path / "large.json").write_text(json.dumps({f"key{number}": number for number in range(20_000)}))
    document = DocumentStore(tmp_path / "large.json")
    assert "overview()" in document._repr_html_()
    assert document["key3"] == 3
    assert "key3" in document._repr_html_()
    with tarfile.open(tmp_path / "large.tar", "w") as archive:
        for number in range(50):
            archive.addfile(tarfile.TarInfo(f"name{number}"))
    members = TarStore(tmp_path / "large.tar")
    assert "name3" in members
    assert "name3" in members._repr_html_()
    (tmp_path / "large.tar").touch()
    assert "overview()" in members._repr_html_()


def test_a_glance_at_much_that_waits_takes_only_some():
    buffered = write_back(MemoryStore({"below": 1}), max_items=None)
    buffered.update(dict.fromkeys(range(1000)))
    persister = buffered.pipeline.persister
    assert len(persister.peek(limit=5)) == 5
    assert len(persister.peek(seconds=0)) == 1
    assert persister.peek("b") == ["below"]
    del buffered["below"]
    assert persister.peek("b") == []
    spilling = SpillStore(memory="1MB")
    spilling.update(dict.fromkeys(range(1000)))
    assert len(spilling.pipeline.persister.peek(limit=5)) == 5
    assert len(spilling.pipeline.persister.peek(seconds=0)) == 1


def test_briefly():
    np = pytest.importorskip("numpy")
    assert brief(np.zeros((3, 4))) == "<ndarray (3, 4) float64>"
    assert brief(np.float64(1.5)) == "<float64 1.5>"
    assert brief(pd.DataFrame({"a": [1, 2]})) == "<DataFrame (2, 1)>"
    assert brief((1,)) == "(1,)"
    assert brief([]) == "[]"
    assert brief(frozenset({1})) == "frozenset({1})"
    assert brief(b"x" * 10**6).startswith("b'xxx")
    assert len(brief("x" * 10**6)) == 60
    assert brief(1 << 10**6) == "<int of 1000001 bits>"
    assert brief([[[[1]]]]) == "[[[[…]]]]"
    assert brief(dict.fromkeys(range(10**5), math.nan)).endswith(", …}")
    RUN.clear()
    assert brief([Trap(), {Trap(): 1}]) == "[<Trap>, {<Trap>: 1}]"
    assert RUN == []
    loop = []
    loop.append(loop)
    assert brief(loop) == "[[[[…]]]]"


def test_stores_of_objects_and_documents_know_what_they_take(tmp_path):
    for store in (
        MemoryStore(),
        Store({}),
        wrap_kvs({}),
        bounded(MemoryStore(), max_items=9),
        overlay({}, {}),
    ):
        assert store.nbytes == 0
        store["a/x"], store["b"] = [0.5, 1.5], "text" * 1000
        assert 4000 < store.nbytes < 6000
        assert 0 < store.get_subdict("a").nbytes < 1000
    settings = DocumentStore(tmp_path / "settings.json")
    assert settings.nbytes == 0
    settings["plot/size"] = 4.0
    assert (
        settings.nbytes == settings.get_subdict("plot").nbytes == (tmp_path / "settings.json").stat().st_size
    )
