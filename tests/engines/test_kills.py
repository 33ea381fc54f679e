"""Servers that are killed twenty times while four threads write: what they acknowledged is there."""

import random
import threading
import time
from importlib import import_module

import pytest

from holdall import RedisStore, SQLStore
from holdall.errors import OutcomeUnknownError, StoreUnavailableError

KILLS = 20
STORES = {"valkey": RedisStore, "postgres": SQLStore}


@pytest.fixture(params=STORES)
def own(request, tmp_path):
    server = import_module(f"engines._{request.param}").Server(tmp_path)
    server.store = STORES[request.param](server.url)
    yield server
    server.store.close()
    server.stop()


class Writer(threading.Thread):
    """Counts, and writes items that it never changes, until it is told to end; servers come back."""

    def __init__(self, store, number):
        super().__init__(daemon=True)
        self.store, self.number = store, number
        self.counted = self.unknown = self.refused = 0
        self.written = []
        self.ends = False
        self.wrong = None

    def run(self):
        try:
            while not self.ends:
                self.write_one()
        except BaseException as error:
            self.wrong = error

    def write_one(self):
        key, value = f"{self.number}/{len(self.written)}", f"{len(self.written) % 10}" * 20_000
        try:
            self.store.increment("n")
            self.counted += 1
            self.store[key] = value
            self.written.append((key, value))
            self.store.update({f"{self.number}/{name}": len(self.written) for name in "ab"})
        except OutcomeUnknownError:
            self.unknown += 1
        except StoreUnavailableError:
            self.refused += 1
            time.sleep(0.01)


@pytest.mark.soak
def test_a_server_that_is_killed_twenty_times(own):
    chance = random.Random(1)
    own.store["n"] = 0
    writers = [Writer(own.store, number) for number in range(4)]
    for writer in writers:
        writer.start()
    for _ in range(KILLS):
        before = sum(len(writer.written) for writer in writers)
        while sum(len(writer.written) for writer in writers) == before:  # they are connected again
            assert [writer.wrong for writer in writers] == [None] * 4
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))  # where they are, is left to chance
        own.kill()
        own.start()
    for writer in writers:
        writer.ends = True
    for writer in writers:
        writer.join()
    assert [writer.wrong for writer in writers] == [None] * 4
    written = [item for writer in writers for item in writer.written]
    assert [key for key, value in written if own.store[key] != value] == []
    counted, unknown = (sum(getattr(w, name) for w in writers) for name in ("counted", "unknown"))
    assert counted <= own.store["n"] <= counted + unknown
    texts = [value for value in own.store.values() if isinstance(value, str)]
    assert {(len(text), len(set(text))) for text in texts} == {(20_000, 1)}, "no half value"
    if isinstance(own.store, SQLStore):  # where an update is one transaction
        assert all(own.store.get(f"{number}/a") == own.store.get(f"{number}/b") for number in range(4))
