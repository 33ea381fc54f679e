"""What became of calls is counted, timed and logged."""

import logging

from holdall import memoize


def test_seconds_are_measured_and_those_saved_estimated(tmp_path, monkeypatch):
    clock = iter(range(0, 1000, 3))  # each computation takes three seconds
    monkeypatch.setattr("holdall.memo._core.perf_counter", lambda: next(clock))
    f = memoize(tmp_path / "kept.db")(lambda x: x)
    assert (f.cache_info().seconds, f.cache_info().saved) == (0, 0)
    for x in (1, 2, 1, 1, 2):
        f(x)
    assert (f.cache_info().seconds, f.cache_info().saved) == (6, 9)
    f.cache_clear()
    assert f.cache_info().seconds == 0
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
