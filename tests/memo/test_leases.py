"""Leases: one of several machines computes, another takes over in time, and who is late replaces nothing."""

import asyncio
import math
import os
import threading
import time
from types import SimpleNamespace

import pytest

from holdall import Store, memoize
from holdall.abc import Capability
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE
from holdall.errors import InvalidArgumentError, OutcomeUnknownError, StoreUnavailableError, UnsupportedError
from holdall.memo import _lease, _leases
from holdall.memo._flight import Flight
from holdall.memo._lease import Keeper, record_of
from holdall.memo._leases import Leases
from holdall.memo._memoized import Memoized
from holdall.persisters.mapping import MappingPersister
from holdall.wrappers import bounded, cached_values, read_only, write_back


class Server(MappingPersister):
    """A dict that claims to be a server, with faults as they are asked for."""

    def __init__(self):
        super().__init__({})
        self.capabilities |= {Capability.BYTES, Capability.CAS_HOST, Capability.CAS_WORLD}
        self.dated = lambda mtime: mtime
        self.before_writing = self.after_writing = self.before_removing = lambda name, expected: None

    def read(self, id):
        data, stat = super().read(id)
        return data, stat._replace(mtime=self.dated(stat.mtime))

    def write(self, id, data, expected=ANY_ETAG):
        self.before_writing(id, expected)
        stat = super().write(id, data, expected)
        self.after_writing(id, expected)
        return stat

    def remove(self, id, expected=ANY_ETAG):
        self.before_removing(id, expected)
        super().remove(id, expected)

    @property
    def leases(self):
        return [id for id in self.mapping if "~lease" in id]


class Clock:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self, monkeypatch):
        self.now = 1e9
        time = SimpleNamespace(monotonic=self.look, time=self.look)
        monkeypatch.setattr(_lease, "time", time)
        monkeypatch.setattr(_leases, "time", time)

    def look(self):
        self.now += 1
        return self.now


class StillKeeper(Keeper):
    """Renews nothing, as that of a machine which stands still."""

    def add(self, lease):
        """Let it lie."""


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def machines(server, monkeypatch):
    """Let each lease be that of a machine of its own, which does not renew it."""
    monkeypatch.setattr(_lease.Keeper, "held", lambda *_: None)
    monkeypatch.setattr(_lease.Keeper, "add", lambda self, lease: None)


def leases_of(server, seconds=10, keeper=None):
    return Leases(Store(server).get_subdict("f/~lease"), seconds, keeper or StillKeeper())


def on(server, function, **options):
    return memoize(Store(server, serializer="json"), name="f", version=1, **options)(function)


# ---------------------------------------------------------------------- acquiring


def test_one_has_it_until_it_is_given_back(server):
    one, other = leases_of(server), leases_of(server)
    first, second = Flight(1), Flight(2)
    assert one.acquire(7, first)
    assert [other.acquire(7, second) for _ in range(3)] == [False] * 3
    assert other.acquire(8, Flight(3))
    one.release(7, first)
    assert other.acquire(7, second)
    other.release(7, second)
    assert len(server.leases) == 1


def test_within_a_process_nobody_asks_the_server_and_the_owner_may_compute_again(server):
    leases = leases_of(server, keeper=Keeper())
    first = Flight(1)
    assert leases.acquire(7, first)
    server.before_writing = lambda name, expected: pytest.fail("asked")
    assert not leases.acquire(7, Flight(2))
    nested = Flight(1)
    assert leases.acquire(7, nested)
    leases.release(7, nested)
    assert server.leases
    leases.release(7, first)
    assert not server.leases


def test_what_is_not_renewed_is_taken_over_by_the_clock_of_who_waits(server, monkeypatch):
    clock = Clock(monkeypatch)
    one, other = leases_of(server, 10), leases_of(server, 1)  # it is its owner who says how long
    first, second = Flight(1), Flight(2)
    assert one.acquire(7, first)
    server.dated = lambda mtime: math.nan
    assert not other.acquire(7, second)
    start = clock.now
    while not other.acquire(7, second):
        assert clock.now < start + 20
    assert clock.now >= start + 10
    one.release(7, first)  # which is no longer his
    assert server.leases


def test_each_renewal_begins_the_span_anew(server, monkeypatch):
    clock = Clock(monkeypatch)
    one, other = leases_of(server, 10), leases_of(server, 10)
    first, second = Flight(1), Flight(2)
    assert one.acquire(7, first)
    for _ in range(5):
        start = clock.now
        while clock.now < start + 6:
            assert not other.acquire(7, second)
        first.fence.renew()
    start = clock.now
    while not other.acquire(7, second):
        assert clock.now < start + 20


def test_what_was_over_long_before_is_taken_at_once(server):
    one, other = leases_of(server), leases_of(server)
    assert one.acquire(7, Flight(1))
    server.dated = lambda mtime: time.time() - 15
    assert not other.acquire(7, Flight(2)), "clocks may differ by ten seconds"
    server.dated = lambda mtime: time.time() - 25
    assert not other.acquire(7, Flight(2)), "it was seen already, so that its span counts"
    assert leases_of(server).acquire(7, Flight(3))


def test_what_is_no_lease_is_waited_for_and_taken_over(server, monkeypatch):
    Clock(monkeypatch)
    leases = leases_of(server, 10)
    for data in (b"", b"5", b"{}", b"\xff", *(b'{"seconds": %b}' % n for n in (b"Infinity", b"-1", b'"5"'))):
        assert record_of(data) == {}
    server.put("f/~lease/0000000000000007", b"no lease")
    server.dated = lambda mtime: math.nan
    assert sum(not leases.acquire(7, Flight(1)) for _ in range(11)) in range(9, 11)


def test_a_lost_answer_is_looked_for(server):
    leases, flight = leases_of(server), Flight(1)

    def lose(id, expected):
        raise OutcomeUnknownError(0, "lost", "here")

    server.after_writing = lose
    assert leases.acquire(7, flight)
    flight.fence.renew()
    assert not flight.fence.is_over
    server.after_writing = lambda name, expected: None
    flight.fence.renew()
    assert record_of(server[server.leases[0]])["renewals"] == 3
    leases.release(7, flight)
    assert not server.leases


def test_a_server_that_fails_lets_everybody_compute(server):
    leases = leases_of(server)
    for error in (StoreUnavailableError(0, "down", "here"), UnsupportedError("no conditions")):

        def refuse(id, expected, error=error):
            raise error

        server.before_writing = refuse
        flight = Flight(1)
        assert leases.acquire(7, flight)
        assert flight.fence is None
        leases.release(7, flight)


def test_a_renewal_that_fails_is_made_up_for(server):
    leases, flight = leases_of(server), Flight(1)
    assert leases.acquire(7, flight)

    def refuse(id, expected):
        raise StoreUnavailableError(0, "down", "here")

    server.before_writing = refuse
    flight.fence.renew()
    assert not flight.fence.is_over
    server.before_writing = lambda name, expected: None
    flight.fence.renew()
    assert not leases_of(server).acquire(7, Flight(2))


def test_a_server_that_deletes_without_conditions_only(server):
    leases, flight = leases_of(server), Flight(1)

    def refuse(id, expected):
        if expected is not ANY_ETAG:
            raise UnsupportedError("no conditions")

    server.before_removing = refuse
    assert leases.acquire(7, flight)
    leases.release(7, flight)
    assert not server.leases


def test_a_renewal_under_way_does_not_keep_a_lease_alive(server):
    leases, flight = leases_of(server), Flight(1)
    assert leases.acquire(7, flight)

    def renewed(name, expected):
        server.before_removing = lambda name, expected: None
        MappingPersister.write(server, name, server[name])  # by a renewal whose answer has not come yet

    server.before_removing = renewed
    leases.release(7, flight)
    assert not server.leases


def test_a_forked_child_has_no_part_in_it(server):
    leases, flight = leases_of(server, keeper=Keeper()), Flight(1)
    assert leases.acquire(7, flight)
    fence = flight.fence
    child = os.fork()
    if child == 0:
        wrote = fence.write(lambda expected: None)
        leases.release(7, flight)
        os._exit(0 if not wrote and fence.is_over and server.leases else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert fence.write(lambda expected: None)
    leases.release(7, flight)


# ---------------------------------------------------------------------- renewing


def test_who_computes_for_long_renews_in_the_background(server):
    seen = []

    def slow(x):
        deadline = time.monotonic() + 60
        while len({record_of(server[id])["renewals"] for id in server.leases} | set(seen)) < 3:
            seen.extend(record_of(server[id])["renewals"] for id in server.leases)
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return x

    assert on(server, slow, lease=0.1)(3) == 3
    assert not server.leases


def test_a_task_of_a_closed_loop_gives_its_lease_back(server):
    started = []

    async def forever(x):
        started.append(x)
        await asyncio.Event().wait()

    f = on(server, forever, lease=0.1)
    loop = asyncio.new_event_loop()
    task = loop.create_task(f(1))
    while not started:
        loop.run_until_complete(asyncio.sleep(0))
    assert server.leases
    loop.close()
    deadline = time.monotonic() + 60
    while server.leases:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    task._log_destroy_pending = False
    task.get_coro().close()


# ---------------------------------------------------------------------- the fence


def test_who_is_late_replaces_nothing(server, machines, monkeypatch):
    Clock(monkeypatch)
    started, go, answers = threading.Event(), threading.Event(), []

    def late(x):
        started.set()
        go.wait()
        return "old"

    slow, quick = on(server, late, lease=10), on(server, lambda x: "new", lease=10)
    thread = threading.Thread(target=lambda: answers.append(slow(1)))
    thread.start()
    started.wait()
    assert quick(1) == "new"
    go.set()
    thread.join()
    assert answers == ["old"]
    assert list(quick.entries.values()) == ["new"]
    assert slow(1) == "new", "what is late is not in memory either"
    assert not server.leases


def taken_over(server):
    """Return the fences of who has lost a lease without knowing it, and of the next owner."""
    one, other = leases_of(server), leases_of(server)
    late, newer = Flight(1), Flight(2)
    assert one.acquire(7, late)
    place = server
    (id,) = server.leases
    place.remove(id)
    assert other.acquire(7, newer)
    return late.fence, newer.fence


def putting(server, data):
    return lambda expected: server.write("result", data, expected)


def test_of_two_owners_the_newer_one_counts_whoever_writes_first(server):
    late, newer = taken_over(server)
    assert newer.write(putting(server, b"new"))
    assert not late.write(putting(server, b"old"))
    assert server["result"] == b"new"

    server.clear()
    late, newer = taken_over(server)
    assert late.write(putting(server, b"old")), "he cannot know, as it is within his span"
    assert newer.write(putting(server, b"new"))
    assert server["result"] == b"new"


def test_who_is_late_writes_nothing_either_where_the_newer_owner_has_not_written_yet(server, monkeypatch):
    clock = Clock(monkeypatch)
    late, newer = taken_over(server)
    clock.now += 5
    assert not late.write(putting(server, b"old"))
    assert "result" not in server
    assert newer.write(putting(server, b"new"))


def test_who_loses_his_lease_between_the_look_and_the_write_is_refused(server):
    one, other = leases_of(server), leases_of(server)
    late, newer = Flight(1), Flight(2)
    server["result"] = b"first"
    assert one.acquire(7, late)

    def overtaken(id, expected):
        if id != "result" or expected is ITEM_NOT_AVAILABLE:
            return
        server.before_writing = lambda name, expected: None
        server.remove(server.leases[0])
        assert other.acquire(7, newer)
        assert newer.fence.write(putting(server, b"new"))

    server.before_writing = overtaken
    assert not late.fence.write(putting(server, b"old"))
    assert server["result"] == b"new"


def test_the_owner_replaces_what_is_outdated(server):
    numbers = iter(range(5))
    f = on(server, lambda: next(numbers))
    assert [f(), f.refresh(), f()] == [0, 1, 1]
    assert list(f.entries.values()) == [1]


# ---------------------------------------------------------------------- functions


def test_a_lease_is_no_result_and_does_not_stay(server):
    def look(x):
        assert len(server.leases) == 1
        assert len(f.entries) == 0
        return x

    f = on(server, look)
    assert [f(1), f(1)] == [1, 1]
    assert len(f.store) == len(f.entries) == 1
    with pytest.raises(ZeroDivisionError):
        on(server, lambda x: 1 / 0)(2)
    assert not server.leases


def test_who_waits_gets_the_result_of_another_machine(server, machines):
    started, go, answers = threading.Event(), threading.Event(), []

    def slow(x):
        started.set()
        go.wait()
        return x

    first, second = on(server, slow), on(server, lambda x: pytest.fail("computed twice"))
    threads = [threading.Thread(target=lambda f=f: answers.append(f(1))) for f in (first, second)]
    threads[0].start()
    started.wait()
    tried = threading.Event()
    server.before_writing = lambda name, expected: tried.set()
    threads[1].start()
    assert tried.wait(60)
    go.set()
    for thread in threads:
        thread.join()
    assert answers == [1, 1]
    assert second.cache_info().store_hits == 1


def test_tasks_compute_once_and_give_their_lease_back(server):
    calls = []

    async def f(x):
        calls.append(x)
        await asyncio.sleep(0)
        assert server.leases
        return x

    async def main():
        return await asyncio.gather(*(g(1) for _ in range(3)))

    g = on(server, f)
    assert asyncio.run(main()) == [1, 1, 1]
    assert calls == [1]
    assert not server.leases


@pytest.mark.parametrize("wrapper", [cached_values, lambda store: bounded(store, max_items=1)])
def test_leases_lie_under_all_wrappers(server, wrapper):
    store = wrapper(Store(server, serializer="json"))
    f = memoize(store, name="f", version=1)(lambda x: len(server.leases))
    assert [f(1), f(2)] == [1, 1]
    assert not server.leases


def test_there_are_none_where_nobody_wants_or_can_have_them(server):
    store = Store(server, serializer="json")
    for place, options in [(store, {"lease": None}), (store, {"lock": False}), (write_back(store), {})]:
        f = memoize(place, name="f", version=1, **options)(lambda x: len(server.leases))
        assert f(len(server.mapping)) == 0
    assert memoize(read_only(store), name="g")(lambda x: len(server.leases)).__wrapped__(1) == 0
    assert Leases.of(Store({}), 5) is None
    for wrong in (0, -1, "5", math.inf, math.nan, True):
        with pytest.raises(InvalidArgumentError, match="lease="):
            on(server, Memoized, lease=wrong)
