"""Memoized functions of several processes over real servers: one computes, and another takes over."""

import signal
import subprocess
import sys
import time
import uuid

import psycopg
import pytest

import holdall
from engines._mongo import Collection
from exploring import in_soak
from holdall import MongoStore, SQLStore, memoize

PROGRAM = """
import os, sys, time
import holdall

address, folder, lease = sys.argv[1:]
store = holdall.open(address)
sleep = time.sleep

def mark(name):
    open(os.path.join(folder, f"{name}-{os.getpid()}"), "a").close()

def waits(seconds):
    mark("waiting")
    sleep(seconds)

def marks(name):
    return sum(file.startswith(name) for file in os.listdir(folder))

@holdall.memoize(store, name="f", version=1, lease=float(lease))
def f(x):
    mark("computing")
    while not marks("go"):
        sleep(0.005)
    return os.getpid()

time.sleep = waits  # for another to compute
print(f(1))
"""


WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture(params=["redis", *in_soak("postgres")])
def address(request):
    name = uuid.uuid4().hex
    address = f"{request.getfixturevalue(f'{request.param}_url')}#t{name}"
    yield address
    holdall.open(address).clear(force=True)


class Workers:
    """Processes that ask for one result, which is computed until there is a file called go."""

    def __init__(self, address, folder):
        self.command = [sys.executable, "-c", PROGRAM, address, str(folder)]
        self.folder = folder
        self.all = []

    def start(self, count, lease):
        command = [*self.command, str(lease)]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        self.all += started
        return started

    def marks(self, name):
        return len(list(self.folder.glob(f"{name}-*")))

    def wait_for(self, name, count, computing=2):
        while self.marks(name) < count:
            assert self.marks("computing") <= computing
            assert all(worker.poll() in (None, -signal.SIGKILL) for worker in self.all)
            time.sleep(0.005)

    def go(self):
        (self.folder / "go").touch()

    def end(self):
        for worker in self.all:
            worker.kill()
            worker.communicate()


@pytest.fixture
def workers(address, tmp_path):
    workers = Workers(address, tmp_path)
    yield workers
    workers.end()


def test_of_four_processes_one_computes(workers):
    four = workers.start(4, lease=60)
    workers.wait_for("computing", 1)
    workers.wait_for("waiting", 3, computing=1)
    workers.go()
    answers = [worker.communicate(timeout=120)[0] for worker in four]
    assert len(set(answers)) == 1
    assert workers.marks("computing") == 1
    assert [worker.returncode for worker in four] == [0] * 4


def test_where_the_owner_is_killed_another_takes_over(workers, address):
    (owner,) = workers.start(1, lease=1)
    workers.wait_for("computing", 1)
    others = workers.start(2, lease=60)
    workers.wait_for("waiting", 2)
    owner.kill()
    workers.wait_for("computing", 2)
    workers.go()
    answers = {worker.communicate(timeout=120)[0] for worker in others}
    assert len(answers) == 1
    assert workers.marks("computing") == 2
    assert len(holdall.open(address)) == 1


@pytest.mark.soak
def test_who_stood_still_for_too_long_replaces_nothing(workers, address):
    (late,) = workers.start(1, lease=1)
    workers.wait_for("computing", 1)
    late.send_signal(signal.SIGSTOP)
    (other,) = workers.start(1, lease=1)
    workers.wait_for("computing", 2)
    workers.go()
    newer = other.communicate(timeout=120)[0]
    late.send_signal(signal.SIGCONT)
    assert int(late.communicate(timeout=120)[0]) == late.pid
    assert [str(value) for value in holdall.open(address).values()] == [newer.strip()]


def test_a_renewal_and_a_transaction_do_not_wait_for_each_other(postgres_url):
    store = SQLStore(postgres_url, table=f"t{uuid.uuid4().hex}")

    @memoize(store, name="f", version=1, lease=0.1)
    def f(x):
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            while not admin.execute(WAITING).fetchall():
                time.sleep(0.005)
        return x

    with store.transaction():
        assert f(1) == 1
    assert list(store.values()) == [1]


def test_a_collection_of_documents_has_leases_as_well(mongo_server):
    with MongoStore(Collection(mongo_server.address, f"t{uuid.uuid4().hex}")) as store:
        seen = []

        @memoize(store, name="f", version=1)
        def f(x):
            seen.extend(key for key in store if "~lease" in key)
            return x

        assert [f(1), f(1)] == [1, 1]
        assert len(seen) == len(store) == 1
