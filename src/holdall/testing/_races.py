"""Laws of persisters under concurrent use: threads, processes, and forked children."""

import itertools
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdall.abc import Capability
from holdall.conditional import ITEM_NOT_AVAILABLE
from holdall.errors import ConflictError
from holdall.testing._processes import add_one, as_bytes, count_up, in_processes, insert


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run work(0), …, work(count - 1) at once, and return the results; raise the first error."""
    results: list[Any] = [None] * count
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait()
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # races that the default of 5 ms would hide
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(240)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if errors:
        raise errors[0]
    return results


class RaceLaws:
    """Laws of concurrent use; `PersisterContract` inherits them."""

    fresh: Callable[..., Any]
    data: Callable[[int], Any]
    value: Callable[[Any], int]
    times: Callable[[int], int]

    def test_no_increment_of_threads_is_lost(self, place: Path) -> None:
        """Counting by compare-and-swap from several threads ends at the exact sum."""
        persister = self.fresh(place, Capability.CAS_THREADS)
        persister["counter"] = self.data(0)
        times = self.times(50)

        def count(_: int) -> None:
            for _ in range(times):
                add_one(persister, "counter", self.data, self.value)

        in_threads(4, count)
        assert self.value(persister["counter"]) == 4 * times

    def test_one_of_several_inserting_threads_wins(self, place: Path) -> None:
        """Of several threads that insert an absent id, exactly one succeeds."""
        persister = self.fresh(place, Capability.CAS_THREADS)

        def insert(me: int) -> list[int]:
            won = []
            for number in range(30):
                try:
                    persister.write(f"key{number}", self.data(me), ITEM_NOT_AVAILABLE)
                except ConflictError:
                    continue
                won.append(number)
            return won

        winners = sorted(itertools.chain(*in_threads(4, insert)))
        assert winners == list(range(30))

    def test_a_plain_write_is_never_overwritten_by_a_stale_one(self, place: Path) -> None:
        """Unconditional writers take part in compare-and-swap: a swap over their write has seen it."""
        persister = self.fresh(place, Capability.CAS_THREADS)
        persister["x"] = self.data(0)
        base, count = 1_000_000, self.times(100)

        def work(me: int) -> None:
            if me == 0:  # plain writes of values that nobody else writes
                for number in range(1, count):
                    persister.put("x", self.data(base * number))
                    for _ in range(3):  # swaps only count up: less is an earlier state
                        time.sleep(0.0003)
                        assert self.value(persister["x"]) >= base * number, "a stale swap undid a plain write"
                return
            for _ in range(count):
                old, stat = persister.read("x")
                value = self.value(old)
                try:
                    persister.write("x", self.data(value + 1), stat.etag)
                except ConflictError:
                    continue

        in_threads(3, work)

    def test_iteration_is_safe_while_others_write(self, place: Path) -> None:
        """Ids that are there all the time are yielded exactly once, whatever else is added or deleted."""
        persister = self.fresh(place, Capability.WRITABLE)
        steady = {f"steady{number}" for number in range(200)}
        persister.write_many((id, self.data(1)) for id in steady)

        def write(number: int) -> None:
            persister[f"passing{number % 40}"] = self.data(number)
            persister.remove_many([f"passing{(number + 20) % 40}"])

        def look() -> None:
            met = [id for id in persister if id in steady]
            assert len(met) == len(steady), "an id was met twice, or not at all"
            assert set(met) == steady

        _while_writing(write, look, self.times(60))

    def test_readers_see_whole_values(self, place: Path) -> None:
        """While a value is replaced, a reader gets the whole old or the whole new one."""
        persister = self.fresh(place, Capability.WRITABLE)
        values = [self.data(1), self.data(2)]
        if Capability.BYTES in persister.capabilities:
            values = [b"a" * 10, b"b" * 200_000]
        persister["x"] = values[0]

        def write(number: int) -> None:
            persister["x"] = values[number % 2]

        def look() -> None:
            assert persister["x"] in values, "a torn value"

        _while_writing(write, look, self.times(60))

    def test_no_increment_of_processes_is_lost(self, place: Path) -> None:
        """Counting by compare-and-swap from several processes ends at the exact sum."""
        persister = self.fresh(place, Capability.CAS_HOST)
        persister["counter"] = as_bytes(0)
        times = self.times(60)
        in_processes([(count_up, (persister, times))] * 3)
        assert int(persister["counter"]) == 3 * times

    def test_one_of_several_inserting_processes_wins(self, place: Path) -> None:
        """Of several processes that insert an absent id, exactly one succeeds."""
        persister = self.fresh(place, Capability.CAS_HOST)
        queue = multiprocessing.get_context("spawn").SimpleQueue()
        in_processes([(insert, (persister, me, queue)) for me in range(3)])
        winners = sorted(itertools.chain(*(queue.get() for _ in range(3))))
        assert winners == list(range(30))


def _while_writing(write: Callable[[int], Any], look: Callable[[], Any], times: int) -> None:
    """Run one thread that writes and one that reads, until both have done so often enough."""
    written = looked = 0
    stop = threading.Event()

    def work(me: int) -> None:
        nonlocal written, looked
        try:
            while not stop.is_set() and (written < times or looked < times):
                if me == 0:
                    write(written)
                    written += 1
                else:
                    look()
                    looked += 1
        except BaseException:
            stop.set()
            raise

    in_threads(2, work)
