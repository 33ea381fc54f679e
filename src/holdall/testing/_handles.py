"""Laws of persisters about handles and failures: closing, forking, refusing, and the stored bytes."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability, VersionedPersister
from holdall.conditional import ANY_ETAG
from holdall.errors import ConflictError, HoldallError
from holdall.testing._processes import fork_and_write, in_processes
from holdall.testing._races import in_threads

WRITABLE, BYTES, CAS_THREADS = Capability.WRITABLE, Capability.BYTES, Capability.CAS_THREADS


class HandleLaws:
    """Laws of handles and failures; `PersisterContract` inherits them."""

    open: Callable[..., Any]
    fresh: Callable[..., Any]
    filled: Callable[..., Any]
    data: Callable[[int], Any]
    times: Callable[[int], int]

    def raw_read(self, place: Path, id: str) -> bytes:  # noqa: ARG002  (for overrides)
        """Return the stored bytes of an id, without the persister; by default such laws are skipped."""
        pytest.skip("no raw_read() is given")

    def raw_write(self, place: Path, id: str, data: bytes) -> None:  # noqa: ARG002
        """Change the stored bytes of an id, without the persister."""
        pytest.skip("no raw_write() is given")

    def break_place(self, place: Path) -> None:  # noqa: ARG002
        """Make the storage unavailable, without the persister; without it that law is skipped."""
        pytest.skip("no break_place() is given")

    # ------------------------------------------------------------------ writing

    def test_a_write_gives_the_stat_of_what_it_stored(self, place: Path) -> None:
        """The Stat that write() returns is the one that stat(), read() and scan() give from then on."""
        persister = self.fresh(place, WRITABLE)
        for number in range(3):
            given = persister.write("x", self.data(number))
            for stat in (persister.stat("x"), persister.read("x")[1], dict(persister.scan())["x"]):
                assert (stat.etag, stat.size) == (given.etag, given.size)
                # Not every answer to a write contains the time.
                assert math.isnan(given.mtime) or stat.mtime == pytest.approx(given.mtime, abs=1e-3)

    def test_a_failed_write_changes_nothing(self, place: Path) -> None:
        """Data of which one piece cannot be written leave the old data, and no temporary files."""
        persister, items = self.filled(place, WRITABLE, BYTES)
        pieces = [b"a good start", object()]
        writes: tuple[Callable[[str], Any], ...] = (
            lambda name: persister.put(name, pieces),
            lambda name: persister.write(name, pieces),
            lambda name: persister.write_many([(name, pieces)]),
        )
        for write in writes:
            for name in ("a", "new"):
                with pytest.raises((TypeError, HoldallError)):
                    write(name)
        assert {id: persister[id] for id in persister} == items

    def test_two_thousand_rapid_writes_have_as_many_etags(self, place: Path) -> None:
        """Data of one size, written as fast as possible, have different etags whatever the clock."""
        persister = self.fresh(place, CAS_THREADS)
        etags = set()
        count = self.times(2000)
        for number in range(count):
            persister["x"] = self.data(100_000 + number)
            etags.add(persister.stat("x").etag)
        assert len(etags) == count

    def test_no_two_swaps_succeed_from_one_state(self, place: Path) -> None:
        """With plain and conditional writers mixed, each etag is replaced at most once by a swap."""
        persister = self.fresh(place, CAS_THREADS)
        persister["x"] = self.data(0)

        def work(me: int) -> list[tuple[Any, str]]:
            history: list[tuple[Any, str]] = []
            for number in range(self.times(80)):
                mine = self.data(1_000_000 * (me + 1) + number)
                expected = ANY_ETAG if me == 0 and number % 4 == 0 else persister.stat("x").etag
                try:
                    history.append((expected, persister.write("x", mine, expected).etag))
                except ConflictError:
                    continue
            return history

        history = [step for steps in in_threads(4, work) for step in steps]
        left = [expected for expected, _ in history if expected is not ANY_ETAG]
        made = [etag for _, etag in history]
        assert len(left) == len(set(left)), "two swaps succeeded from one state"
        assert len(made) == len(set(made)), "two states got one etag"
        assert persister.stat("x").etag in made

    # ------------------------------------------------------------------ reading

    def test_whoever_deletes_while_iterating_meets_every_id(self, place: Path) -> None:
        """An iteration continues when the yielded ids are deleted."""
        persister, items = self.filled(place, WRITABLE)
        met = []
        for id in persister:
            met.append(id)
            del persister[id]
        assert sorted(met) == sorted(items)
        assert list(persister) == []

    def test_telling_of_data_does_not_read_them(self, place: Path) -> None:
        """With the claim CHEAP_STAT: in, len, stat, scan and listing never read data."""
        persister, items = self.filled(place, Capability.CHEAP_STAT)
        kind = type(persister)

        def read(*_: Any) -> Any:
            raise AssertionError("data were read")

        verbs = ["__getitem__", "fetch", "reader"]
        if isinstance(persister, VersionedPersister):  # others may build `read` on `stat`, cheaply
            verbs.append("read")
        blind = type(kind.__name__, (kind,), dict.fromkeys(verbs, read))
        persister.__class__ = blind
        try:
            assert sorted(persister) == sorted(dict(persister.scan())) == sorted(items)
            assert len(persister) == len(items)
            for id in items:
                assert id in persister
                persister.stat(id)
        finally:
            persister.__class__ = kind

    # ------------------------------------------------------------------ handles

    def test_a_closed_handle_works_again_or_says_so(self, place: Path) -> None:
        """After close(), all verbs work as before, or all of them raise an error of holdall."""
        persister, items = self.filled(place)
        for _ in range(2):
            persister.close()
        try:
            persister["a" if "a" in items else "absent"]
        except HoldallError:
            for verb in (lambda: list(persister), lambda: persister.stat("a"), lambda: len(persister)):
                with pytest.raises(HoldallError):
                    verb()
            return
        except KeyError:
            assert "a" not in items, "what was stored is gone after close()"
        assert {id: persister[id] for id in persister} == items
        with persister as entered:
            assert entered is persister

    def test_a_forked_child_shares_the_place(self, place: Path) -> None:
        """Parent and child can both continue with the handle that the parent opened before the fork."""
        persister = self.fresh(place, Capability.CAS_HOST, BYTES)
        if not hasattr(os, "fork"):
            pytest.skip("this system does not fork")
        # In a process of its own, which has one thread: forking with several is not safe.
        in_processes([(fork_and_write, (persister,))])
        assert {id: int(persister[id]) for id in persister} == {"counter": 61, "child": 2, "parent": 3}

    # ------------------------------------------------------------------ round the persister

    def test_data_lie_as_they_were_written(self, place: Path) -> None:
        """The storage contains the data as given, and data put there by others are read."""
        persister, items = self.filled(place, BYTES)
        for id, data in items.items():
            assert self.raw_read(place, id) == data
        id = next(iter(items))
        etag = persister.stat(id).etag
        self.raw_write(place, id, self.data(4141))
        assert persister[id] == self.data(4141)
        assert persister.stat(id).etag != etag

    def test_an_unavailable_place_is_not_an_empty_one(self, place: Path) -> None:
        """Where the storage does not answer, nothing is called absent and nothing empty."""
        persister, items = self.filled(place)
        self.break_place(place)
        handles = [lambda: persister, lambda: self.open(place)]
        id = next(iter(items))
        for handle in handles:
            for look, right in (
                (lambda handle: handle()[id], items[id]),
                (lambda handle: handle().read(id)[0], items[id]),
                (lambda handle: id in handle(), True),
                (lambda handle: sorted(handle()), sorted(items)),
                (lambda handle: len(handle()), len(items)),
            ):
                try:
                    got = look(handle)
                except KeyError:
                    pytest.fail("what cannot be reached was called absent")
                except (OSError, HoldallError):
                    continue
                assert got == right
