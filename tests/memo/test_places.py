"""Where results are kept: on media that are read only, in damaged files, where no store can be opened."""

import os
import warnings

import pytest

from holdall import StoreUnavailableError, memoize
from processes._support import collect, fork, mount, run, unmount


def double(x):
    return 2 * x


@pytest.fixture
def disk(tmp_path):
    at = tmp_path / "disk"
    mount("-t", "tmpfs", "-o", "mode=700,size=4m", "holdall-test", at=at)
    yield at
    unmount(at)


@pytest.mark.parametrize("name", ["kept.db", "kept"])
def test_results_on_read_only_media_are_used(name, disk):
    assert collect([fork(lambda: memoize(disk / name)(double)(1))], 20) == [(True, 2)]
    worked, said = run("mount", "-o", "remount,ro", str(disk))
    if not worked:
        pytest.skip(f"remounting is not possible here: {said}")

    def read():
        f = memoize(disk / name, max_bytes="1MB")(double)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            results = f(1), f(2), f(3)
        counts = f.cache_info()[:2]
        said = []
        for forget in (lambda: f.forget(1), f.cache_clear):
            try:
                forget()
            except Exception as error:
                said.append(str(error))
        return results, counts, len(f.entries), [str(w.message) for w in told], said

    [(worked, answer)] = collect([fork(read)], 20)
    assert worked, answer
    results, counts, entries, told, said = answer
    assert (results, counts, entries) == ((2, 4, 6), (1, 2), 1)
    assert len(told) == 1
    assert "cannot write results" in told[0]
    assert len(said) == 2


def test_a_damaged_file_does_not_keep_from_calling_and_who_asks_is_told(tmp_path):
    (tmp_path / "kept.db").write_bytes(b"garbage" * 1000)
    f = memoize(tmp_path / "kept.db")(double)
    with pytest.warns(RuntimeWarning, match=r"cannot open the store .* is damaged"):
        assert f(1) == 2
    assert (f(1), f(2), f.cache_info().misses) == (2, 4, 2)
    for ask in (lambda: f.forget(1), f.cache_clear, lambda: f.entries, f.outdated):
        with pytest.raises(StoreUnavailableError, match=r"double cannot be opened.*damaged.*kept\.db"):
            ask()
    assert f.cache_info().currsize == 0  # memory has forgotten


def test_a_place_that_comes_to_be_later_is_opened_by_the_first_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    f = memoize("kept.db")(double)
    assert os.listdir(tmp_path) == []
    assert f(1) == 2
    assert "kept.db" in os.listdir(tmp_path)
    f.store.close()
