"""What became of calls is counted, timed, logged and drawn."""

import logging
import pickle
import sys
import time

import pytest

from holdall import FileDirStore, InvalidArgumentError, MemoryStore, SQLiteStore, UnsupportedError, memoize
from holdall.memo import Result, plot


@pytest.fixture
def three_seconds(monkeypatch):
    """Let each computation take three seconds."""
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr("holdall.memo._core.perf_counter", lambda: next(clock))


@pytest.mark.usefixtures("three_seconds")
def test_seconds_are_measured_and_those_saved_estimated(tmp_path):
    f = memoize(tmp_path / "kept.db")(lambda x: x)
    assert (f.cache_info().seconds, f.cache_info().saved) == (0, 0)
    for x in (1, 2, 1, 1, 2):
        f(x)
    assert (f.cache_info().seconds, f.cache_info().saved) == (6, 9)
    f.cache_clear()
    assert (f.cache_info().seconds, f.cache_info().saved) == (0, 0)
    f.store.close()


@pytest.mark.parametrize("name", ["kept.db", "kept"])
@pytest.mark.usefixtures("three_seconds")
def test_the_store_tells_what_results_cost(name, tmp_path):
    f = memoize(tmp_path / name)(lambda x: x)
    f(1)
    f(2)
    again = memoize(tmp_path / name)(f.__wrapped__)
    for x in (1, 2, 2):
        again(x)
    assert (again.cache_info().seconds, again.cache_info().saved) == (0, 9)
    assert again(3) == 3
    assert (again.cache_info().seconds, again.cache_info().saved) == (3, 9)
    f.store.close()


ENTRIES = {
    "database": lambda path: SQLiteStore(path / "kept.db"),
    "large": lambda path: SQLiteStore(path / "kept.db", files_from=1000),
    "folder": lambda path: FileDirStore(path / "kept"),
    "tuples": lambda path: FileDirStore(path / "kept", keys=tuple),
    "json": lambda path: FileDirStore(path / "kept", serializer="json"),
    "memory": lambda path: MemoryStore(),
}


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.usefixtures("three_seconds")
def test_entries_tell_arguments_time_size_and_cost(name, tmp_path):
    before = time.time() - 1
    with ENTRIES[name](tmp_path) as store:
        f = memoize(store, readable=True)(lambda x, y=0: "x" * x)
        f(3)
        f(5000, y=1)
        last, first = sorted(f.entries.details(), reverse=True)
        assert [last.arguments, first.arguments] == ["x=5000, y=1", "x=3, y=0"]
        assert before < first.time <= last.time <= time.time() + 1
        assert name == "memory" or (3 <= first.bytes < 100 and 5000 <= last.bytes < 5200)
        assert [last.seconds, first.seconds] == [3, 3]
        assert last.key in (f.cache_key(5000, y=1), (f.cache_key(5000, y=1),))
        there = [] if name == "memory" else pickle.loads(pickle.dumps(f.entries)).details()
        assert [entry.seconds for entry in there] in ([], [None if name == "json" else 3] * 2)
        assert len(f.entries) == 2


def test_entries_without_arguments_or_cost_are_listed_the_last_one_first(tmp_path):
    f = memoize(tmp_path / "kept.db", ttl=1000)(str)
    for x in (1, 2):
        f(x)
    assert f.entries[f.cache_key(1)] == "1"
    f.entries["other"] = "written by hand"
    known = f.entries.details()
    assert [type(entry) for entry in known] == [Result] * 3
    assert known == sorted(known, key=lambda entry: -entry.time)
    assert [entry.seconds is None for entry in known if entry.key == "other"] == [True]
    assert {entry.arguments for entry in known} == {None}
    f.store.close()


def test_what_became_of_calls_is_logged(tmp_path, caplog):
    f = memoize(tmp_path / "kept.db", name="f", version=1)(str)
    with caplog.at_level(logging.DEBUG, "holdall.memo"):
        f(1)
        f(1)
        memoize(tmp_path / "kept.db", name="f", version=1)(str)(1)
    messages = [record.getMessage() for record in caplog.records if record.name == "holdall.memo"]
    assert len(messages) == 2
    assert messages[0].startswith("f was computed in ")
    assert messages[1] == "a result of f was in the store"
    f.store.close()


# ---------------------------------------------------------------------- plot


def rising(x):
    return x


class Model:
    @memoize(ignore="self")
    def run(self, x):
        return x


@pytest.mark.usefixtures("three_seconds")
def test_hits_and_seconds_saved_are_drawn(tmp_path):
    from matplotlib.figure import Figure

    f = memoize(rising)
    for x in (1, 1, 1, 2):
        f(x)
    model = Model()
    model.run(1)
    figure = plot(f, model.run, figure=Figure())
    calls, seconds = figure.axes
    assert [label.get_text() for label in calls.get_yticklabels()] == [
        f"{__name__}.Model.run",
        f"{__name__}.rising",
    ]
    assert [bar.get_width() for bar in calls.patches] == [0, 2, 1, 2]  # hits, then misses
    assert [bar.get_width() for bar in seconds.patches] == [0, 6, 3, 6]
    assert [bar.get_x() for bar in seconds.patches] == [0, 0, 0, 6]
    figure.savefig(tmp_path / "plot.png")
    every = plot(figure=Figure()).axes[0].get_yticklabels()
    assert f"{__name__}.rising" in [label.get_text() for label in every]
    Model.run.cache_clear()


def test_what_cannot_be_drawn_is_told(monkeypatch):
    with pytest.raises(InvalidArgumentError, match="memoized functions"):
        plot(rising)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UnsupportedError, match=r"holdall\[plot\]"):
        plot()
