"""A server that speaks the protocol of MongoDB keeps the contracts, with the real driver between.

It is named by HOLDALL_TEST_MONGO; ``nox -s mongo`` starts one.
"""

import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
import uuid

import pytest

from engines._dropping import Dropping
from holdall import MongoStore
from holdall.errors import OutcomeUnknownError
from holdall.persisters.mongo import MongoPersister
from holdall.testing import PersisterContract, StoreContract

SERVER = os.environ.get("HOLDALL_TEST_MONGO", "")  # such as mongodb://127.0.0.1:27017
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not SERVER, reason="HOLDALL_TEST_MONGO names no server"),
]


def url_of(place, server=SERVER):
    return f"{server}/lab.c{hashlib.md5(str(place).encode(), usedforsecurity=False).hexdigest()}"


@pytest.fixture
def url():
    return url_of(uuid.uuid4())


class TestMongoPersister(PersisterContract):
    def open(self, place):
        return MongoPersister(url_of(place))


class TestMongoStore(StoreContract):
    def open(self, place):
        return MongoStore(url_of(place))

    def open_with(self, place, **options):
        return MongoStore(url_of(place), **options)


def test_no_count_of_threads_or_processes_is_lost(url):
    store = MongoStore(url)
    for turn in range(1, 3):
        threads = [
            threading.Thread(target=lambda: [store.increment("n") for _ in range(50)]) for _ in range(8)
        ]
        program = (
            "import sys, holdall\n"
            "store = holdall.MongoStore(sys.argv[1])\n"
            "for _ in range(50): store.increment('n')"
        )
        workers = [subprocess.Popen([sys.executable, "-c", program, url]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [worker.wait(200) for worker in workers] == [0] * 4
        assert store["n"] == turn * 600


def test_one_of_several_first_writers_wins(url):
    store = MongoStore(url)
    found, barrier = [[] for _ in range(20)], threading.Barrier(8)

    def work(number):
        barrier.wait()
        for n in range(20):
            found[n].append(store.setdefault(str(n), number))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(answers) == 8 and len(set(answers)) == 1 for answers in found)


def test_an_increment_whose_answer_is_lost_counts_once(url):
    store = MongoStore(url)
    store["n"] = 0
    acknowledged = unknown = 0
    with Dropping(int(SERVER.rpartition(":")[2]), 13) as proxy:
        path = url.removeprefix(SERVER)
        with MongoStore(f"mongodb://{proxy}{path}?directConnection=true") as lossy:
            for _ in range(100):
                try:
                    lossy.increment("n")
                except OutcomeUnknownError:
                    unknown += 1
                else:
                    acknowledged += 1
    assert acknowledged <= store["n"] <= acknowledged + unknown
    assert acknowledged > 50


def test_forked_children_have_connections_of_their_own(url):
    store = MongoStore(url)
    store.update({str(n): n for n in range(50)})

    def read():
        os._exit(0 if all(store[str(n)] == n for n in range(50)) else 1)

    children = [multiprocessing.get_context("fork").Process(target=read) for _ in range(4)]
    for child in children:
        child.start()
    assert all(store[str(n)] == n for n in range(50))
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4


def test_keys_are_listed_in_order_by_prefixes(url):
    store = MongoStore(url)
    keys = ["", "a", "A", "a ", "á", "e\u0301", "é", "a_1", "a%1", "ab1", "\uffff", "🙂", "\ud7ff"]
    store.update({key: key for key in keys})
    assert list(store) == sorted(keys)
    for prefix in ("a", "a_", "\ud7ff", "\uffff", "🙂", "z"):
        persister = store.pipeline.persister
        assert list(persister.ids(prefix)) == [key for key in sorted(keys) if key.startswith(prefix)]


def test_documents_are_found_by_the_parts_of_their_keys(url):
    store = MongoStore(url, key_fields=("user", "day"))
    store.update({("ann", 1): 1, ("ann", 2): 2, ("bob", 1): 3})
    assert dict(store) == {("ann", 1): 1, ("ann", 2): 2, ("bob", 1): 3}
    collection = store.pipeline.persister._opened.get()
    assert collection.count_documents({"user": "ann"}) == 2


def test_large_values_and_many_items(url):
    store = MongoStore(url, serializer="bytes")
    store["large"] = large = os.urandom(15 << 20)
    assert store["large"] == large
    store.update({f"n{n:04}": b"%d" % n for n in range(1234)})
    assert len(store) == 1235
    assert sum(len(value) for value in store.values()) > 15 << 20
    store.clear()
    assert len(store) == 0
