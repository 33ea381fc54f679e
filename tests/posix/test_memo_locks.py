"""The files that memoized functions lock: made where they belong, and where all processes find them."""

import os
import threading

import pytest

from holdall import FileDirStore, memoize
from holdall._posix import control
from holdall.memo._entries import Entries
from holdall.memo._flight import Flight
from processes._support import collect, fork

PLACES = {"m.db": "m.db-lock", "kept": os.path.join("kept", ".holdall", "computing.lock")}


def double(number):
    return 2 * number


@pytest.mark.parametrize("name", PLACES)
def test_a_planted_link_leads_nowhere(tmp_path, name):
    place = tmp_path / "place"
    planted = place / PLACES[name]
    planted.parent.mkdir(parents=True)
    planted.symlink_to(tmp_path / "elsewhere")
    assert memoize(place / name)(double)(4) == 8
    assert not (tmp_path / "elsewhere").exists()
    assert planted.is_symlink()


@pytest.mark.parametrize("name", PLACES)
def test_who_comes_by_a_link_locks_the_same_file(tmp_path, name):
    place = tmp_path / "place"
    place.mkdir()
    (tmp_path / "link").symlink_to(place)
    assert memoize(tmp_path / "link" / name)(double)(4) == 8
    assert (place / PLACES[name]).is_file()


def test_the_file_is_not_closed_by_who_makes_it_while_another_thread_locks_it(tmp_path, monkeypatch):
    """POSIX locks of a process go with any descriptor of the file that it closes."""
    entries = Entries(FileDirStore(tmp_path / "kept"), "f", "@", ttl=None, title="f")
    closing, locked = threading.Event(), threading.Event()
    really = control.share

    def share(fd, *args):
        really(fd, *args)
        file = tmp_path / PLACES["kept"]
        if file.exists() and os.path.samestat(os.fstat(fd), file.stat()):
            closing.set()
            locked.wait(0.2)  # which must not come, and so is not waited for in vain for long

    monkeypatch.setattr(control, "share", share)
    maker = threading.Thread(target=lambda: entries.locks(None))
    maker.start()
    assert closing.wait(10)
    locks, flight = entries.locks(None), Flight(1)
    assert locks.acquire(7, flight)
    locked.set()
    maker.join()

    def try_to_lock():
        locks = Entries(FileDirStore(tmp_path / "kept"), "f", "@", ttl=None, title="f").locks(None)
        return locks.acquire(7, Flight(2))

    assert collect([fork(try_to_lock)], 20) == [(True, False)]
