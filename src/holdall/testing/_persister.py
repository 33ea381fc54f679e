"""The laws of persisters: what `holdall.abc` requires, each as one test."""

import copy
import math
import pickle
import time
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability, Reader, VersionedPersister
from holdall.conditional import ITEM_NOT_AVAILABLE
from holdall.errors import ConflictError, ReadOnlyError, UnsupportedError
from holdall.testing._bulk import BulkLaws
from holdall.testing._handles import HandleLaws
from holdall.testing._races import RaceLaws

IDS = ("a", "b1", "folder/c", "folder/deep/d", "other/e")


class PersisterContract(RaceLaws, HandleLaws, BulkLaws):
    """The laws of persisters; subclass it and define `open`.

    Laws about capabilities that a persister does not claim are skipped: claims decide, not classes. A
    read-only persister is tested for reading if its `fill` stores items.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> class TestMemory(PersisterContract):
    ...     def open(self, place):
    ...         return MappingPersister({})
    """

    #: Seconds after which a write has a later time than the one before it.
    tick: float = 0.002
    #: The part of the usual repetitions to run: less for persisters that take milliseconds per request.
    pace: float = 1.0

    def open(self, place: Path) -> Any:  # noqa: ARG002  (for overrides)
        """Return a persister of a place: an empty folder at first, the same one to reopen it."""
        raise UnsupportedError("a contract needs open(place): define how to open the persister")

    def data(self, number: int) -> Any:
        """Return data from which `value` recovers the number."""
        return b"%d" % number

    def value(self, data: Any) -> int:
        """Return the number in data."""
        return int(data)

    def fill(self, persister: Any, place: Path) -> dict[str, Any]:
        """Store some items in a place, and return them."""
        del place
        items = {id: self.data(number) for number, id in enumerate(IDS)}
        for id, data in items.items():
            persister[id] = data
        return items

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """Return an empty folder."""
        return tmp_path

    def fresh(self, place: Path, *claims: Capability) -> Any:
        """Open a place, and skip the law if the persister does not claim what the law is about."""
        persister = self.open(place)
        for claim in claims:
            if claim not in persister.capabilities:
                pytest.skip(f"does not claim {claim.name}")
        return persister

    def times(self, usual: int) -> int:
        """Return how often to repeat something that is usually repeated so often."""
        return max(10, round(usual * self.pace))

    def filled(self, place: Path, *claims: Capability) -> tuple[Any, dict[str, Any]]:
        """Open a place and store items in it."""
        persister = self.fresh(place, *claims)
        if Capability.WRITABLE not in persister.capabilities and type(self).fill is PersisterContract.fill:
            pytest.skip("does not claim WRITABLE, and no fill() is given")
        return persister, self.fill(persister, place)

    # ------------------------------------------------------------------ reading

    def test_what_is_stored_is_read(self, place: Path) -> None:
        """Each id gives the data that were stored under it."""
        persister, items = self.filled(place)
        assert {id: persister[id] for id in items} == items

    def test_exactly_what_is_stored_is_listed(self, place: Path) -> None:
        """Iteration gives each stored id once, and nothing else: no temporary names."""
        persister, items = self.filled(place)
        assert sorted(persister) == sorted(items)
        assert len(persister) == len(items)

    def test_absence_is_a_key_error_with_the_id(self, place: Path) -> None:
        """An absent id raises KeyError(id) from every verb that reads."""
        persister, _ = self.filled(place)
        for read in (
            persister.__getitem__,
            persister.read,
            persister.stat,
            persister.reader,
            persister.getter,
        ):
            with pytest.raises(KeyError) as caught:
                read("absent")
            assert caught.value.args == ("absent",)
        with pytest.raises(KeyError):
            persister.fetch("absent", 10)
        assert "absent" not in persister

    def test_a_stat_and_its_data_are_one_snapshot(self, place: Path) -> None:
        """read() gives the data of [] and the stat of stat()."""
        persister, items = self.filled(place)
        for id, data in items.items():
            read, stat = persister.read(id)
            assert read == data
            assert stat.etag == persister.stat(id).etag
            assert isinstance(stat.etag, str)

    def test_the_size_is_that_of_the_data(self, place: Path) -> None:
        """Stats have the length in bytes."""
        persister, items = self.filled(place, Capability.BYTES)
        for id, data in items.items():
            assert persister.stat(id).size == len(data)

    def test_overrides_give_what_the_defaults_give(self, place: Path) -> None:
        """Overrides of listing, counting and bulk reading may be faster, never different."""
        persister, items = self.filled(place)
        assert len(persister) == Reader.__len__(persister)
        for prefix in ("", "a", "folder/", "folder/d", "fol", "none", "d", "folder/deep/d"):
            expected = sorted(id for id in items if id.startswith(prefix))
            assert sorted(persister.ids(prefix)) == expected
            assert sorted(id for page in persister.pages(prefix) for id in page) == expected
            assert sorted(persister.peek(prefix, seconds=60)) == expected
            few = persister.peek(prefix, limit=2, seconds=60)
            assert len(set(few)) == len(few) <= 2
            assert set(few) <= set(expected)
            assert set(persister.peek(prefix, seconds=0)) <= set(expected)
            stats = {id: stat.etag for id, stat in persister.scan(prefix)}
            assert stats == {id: persister.stat(id).etag for id in expected}
        assert all(id in persister for id in items)
        asked = [*items, "absent"]
        assert list(persister.read_many(asked)) == list(Reader.read_many(persister, asked))
        assert {id: persister.getter(id) for id in items} == items

    def test_fetch_and_reader_give_the_data(self, place: Path) -> None:
        """Whole or as a file, above the limit or below, the data are the same."""
        persister, items = self.filled(place, Capability.BYTES)
        for id, data in items.items():
            for limit in (0, len(data), 1 << 40):
                fetched = persister.fetch(id, limit)
                if not isinstance(fetched, bytes):
                    with fetched as file:
                        fetched = file.read()
                assert fetched == data
            with persister.reader(id) as file:
                assert file.read() == data

    def test_times_are_those_of_the_writes(self, place: Path) -> None:
        """Modification times are POSIX seconds, and do not decrease from write to write."""
        persister = self.fresh(place, Capability.MTIME, Capability.WRITABLE)
        before = time.time()
        times = []
        count = 5 if self.tick < 0.1 else 2
        for number in range(count):
            persister["x"] = self.data(number)
            times.append(persister.stat("x").mtime)
            time.sleep(self.tick)
        assert times == sorted(times)
        assert len(set(times)) == count
        assert before - 5 < times[0] < time.time() + 5
        assert not math.isnan(times[0])

    # ------------------------------------------------------------------ writing

    def test_a_write_replaces(self, place: Path) -> None:
        """Writing an id again replaces its data, and leaves the others alone."""
        persister, items = self.filled(place, Capability.WRITABLE)
        persister["a"] = self.data(77)
        persister.put("b1", self.data(78))
        persister.write("folder/c", self.data(79))
        items |= {"a": self.data(77), "b1": self.data(78), "folder/c": self.data(79)}
        assert {id: persister[id] for id in persister} == items

    def test_a_deleted_id_is_absent(self, place: Path) -> None:
        """Deleting removes an id, once; a second time it is a KeyError(id)."""
        persister, items = self.filled(place, Capability.WRITABLE)
        del persister["a"]
        persister.remove("folder/c")
        assert sorted(persister) == sorted(set(items) - {"a", "folder/c"})
        assert "a" not in persister
        with pytest.raises(KeyError) as caught:
            del persister["a"]
        assert caught.value.args == ("a",)
        with pytest.raises(KeyError):
            persister.remove("folder/c")

    def test_data_may_come_in_pieces(self, place: Path) -> None:
        """A list of buffers is stored joined, by every verb."""
        persister = self.fresh(place, Capability.WRITABLE, Capability.BYTES)
        pieces = [b"head", bytearray(b"-body-"), memoryview(b"tail")]
        persister.put("x", pieces)
        persister.write("y", pieces)
        persister.write_many([("z", pieces)])
        assert [bytes(persister[id]) for id in "xyz"] == [b"head-body-tail"] * 3

    def test_what_is_stored_is_a_snapshot(self, place: Path) -> None:
        """Changing a buffer after the write does not change what is stored."""
        persister = self.fresh(place, Capability.WRITABLE, Capability.BYTES)
        buffer = bytearray(b"before")
        persister.put("x", [buffer])
        buffer[:] = b"after!"
        assert persister["x"] == b"before"

    def test_empty_and_large_data(self, place: Path) -> None:
        """Empty data are data too, and so are millions of bytes."""
        persister = self.fresh(place, Capability.WRITABLE, Capability.BYTES)
        large = bytes(range(256)) * 12_000
        persister.put("empty", b"")
        persister.put("large", large)
        assert persister["empty"] == b""
        assert "empty" in persister
        assert persister["large"] == large
        assert persister.read("large")[0] == large

    def test_many_at_once(self, place: Path) -> None:
        """Bulk writes store all of their items; bulk deletes ignore absent ids."""
        persister = self.fresh(place, Capability.WRITABLE)
        items = {f"n{number}": self.data(number) for number in range(50)}
        persister.write_many(items.items())
        assert dict(persister.read_many(list(items))) == items
        persister.remove_many(["n0", "absent", "n49"])
        assert sorted(persister) == sorted(set(items) - {"n0", "n49"})
        persister.clear()
        assert list(persister) == []

    def test_a_writer_stores_when_it_is_left(self, place: Path) -> None:
        """What is written to the file of writer() is stored at the end, and not after an error."""
        persister = self.fresh(place, Capability.WRITABLE, Capability.BYTES)
        with persister.writer("x") as file:
            file.write(b"one")
            file.write(b"two")
            assert "x" not in persister
        assert persister["x"] == b"onetwo"
        with pytest.raises(ZeroDivisionError), persister.writer("x") as file:
            file.write(b"three")
            raise ZeroDivisionError
        assert persister["x"] == b"onetwo"
        assert list(persister) == ["x"]

    # ------------------------------------------------------------------ compare and swap

    def test_every_change_has_an_etag_of_its_own(self, place: Path) -> None:
        """However fast writes follow each other, no two states have the same etag."""
        persister = self.fresh(place, Capability.WRITABLE, Capability.CAS_THREADS)
        etags: dict[str, set[int]] = {}
        for number in range(self.times(600)):
            persister["x"] = self.data(number % 7 + 1)
            etags.setdefault(persister.stat("x").etag, set()).add(number % 7)
        assert all(len(states) == 1 for states in etags.values())

    def test_an_etag_does_not_come_back_after_a_deletion(self, place: Path) -> None:
        """Deleting and writing again does not give an old etag to another state."""
        persister = self.fresh(place, Capability.WRITABLE, Capability.CAS_THREADS)
        etags: dict[str, set[int]] = {}
        for number in range(self.times(200)):
            persister["x"] = self.data(number % 7 + 1)
            etags.setdefault(persister.stat("x").etag, set()).add(number % 7)
            del persister["x"]
        assert all(len(states) == 1 for states in etags.values())

    def test_a_write_goes_ahead_in_the_expected_state_only(self, place: Path) -> None:
        """Inserting needs absence, replacing the etag; a refused write changes nothing."""
        persister = self.fresh(place, Capability.CAS_THREADS)
        with pytest.raises(ConflictError) as caught:
            persister.write("x", self.data(1), "no such etag")
        assert caught.value.actual is ITEM_NOT_AVAILABLE
        assert "x" not in persister
        first = persister.write("x", self.data(1), ITEM_NOT_AVAILABLE)
        assert first.etag == persister.stat("x").etag
        with pytest.raises(ConflictError) as caught:
            persister.write("x", self.data(2), ITEM_NOT_AVAILABLE)
        assert caught.value.actual == first.etag
        second = persister.write("x", self.data(3), first.etag)
        assert second.etag != first.etag
        with pytest.raises(ConflictError) as caught:
            persister.write("x", self.data(4), first.etag)
        assert caught.value.actual == second.etag
        assert persister["x"] == self.data(3)
        assert list(persister) == ["x"]

    def test_a_deletion_goes_ahead_in_the_expected_state_only(self, place: Path) -> None:
        """Deleting with another etag is refused and changes nothing."""
        persister = self.fresh(place, Capability.CAS_THREADS)
        stat = persister.write("x", self.data(1))
        for etag in ("no such etag", "", ITEM_NOT_AVAILABLE):
            with pytest.raises(ConflictError) as caught:
                persister.remove("x", etag)
            assert caught.value.actual == stat.etag
        assert persister["x"] == self.data(1)
        persister.remove("x", stat.etag)
        assert "x" not in persister
        with pytest.raises(KeyError):
            persister.remove("x", ITEM_NOT_AVAILABLE)

    def test_plain_writes_change_the_etag(self, place: Path) -> None:
        """A write by any verb between read and swap makes the swap a conflict."""
        persister = self.fresh(place, Capability.CAS_THREADS)
        for write in (
            persister.put,
            persister.__setitem__,
            lambda name, data: persister.write_many([(name, data)]),
        ):
            etag = persister.write("x", self.data(1)).etag
            write("x", self.data(2))
            with pytest.raises(ConflictError):
                persister.write("x", self.data(3), etag)
            assert persister["x"] == self.data(2)

    def test_plain_verbs_of_a_versioned_place_are_its_conditional_ones(self, place: Path) -> None:
        """A VersionedPersister leaves the plain verbs as they are, so nothing bypasses its four."""
        persister = self.fresh(place)
        if not isinstance(persister, VersionedPersister):
            pytest.skip("is not a VersionedPersister")
        for verb in ("__getitem__", "__setitem__", "__delitem__", "__iter__", "put"):
            assert getattr(type(persister), verb) is getattr(VersionedPersister, verb), verb

    # ------------------------------------------------------------------ handles

    def test_a_second_handle_sees_the_same(self, place: Path) -> None:
        """What one handle writes or deletes, another one of the same place sees at once."""
        persister, items = self.filled(place, Capability.PERSISTENT, Capability.WRITABLE)
        second = self.open(place)
        assert {id: second[id] for id in second} == items
        persister["new"] = self.data(9)
        assert second["new"] == self.data(9)
        del second["a"]
        assert "a" not in persister
        assert len(second) == len(persister)

    def test_reopening_finds_everything(self, place: Path) -> None:
        """After flush and close, the place holds what was stored."""
        persister, items = self.filled(place, Capability.PERSISTENT)
        persister.flush()
        persister.close()
        persister.close()
        again = self.open(place)
        assert {id: again[id] for id in again} == items

    def test_a_pickled_handle_is_a_handle_of_the_same_place(self, place: Path) -> None:
        """Handles can be sent to other processes by pickle."""
        persister, items = self.filled(place, Capability.PERSISTENT)
        again = pickle.loads(pickle.dumps(persister))
        assert {id: again[id] for id in again} == items
        assert {id: handle[id] for handle in [copy.copy(persister)] for id in handle} == items

    def test_a_read_only_place_refuses_writes(self, place: Path) -> None:
        """Without the claim WRITABLE, every write raises, and changes nothing."""
        persister, items = self.filled(place)
        if Capability.WRITABLE in persister.capabilities or not hasattr(persister, "write"):
            pytest.skip("claims WRITABLE, or has no verb to write")
        for write in (
            lambda: persister.put("a", self.data(5)),
            lambda: persister.__setitem__("a", self.data(5)),
            lambda: persister.write("new", self.data(5)),
            lambda: persister.remove("a"),
            lambda: persister.__delitem__("a"),
            lambda: persister.write_many([("a", self.data(5))]),
            lambda: persister.remove_many(["a"]),
            persister.clear,
        ):
            with pytest.raises((ReadOnlyError, UnsupportedError)):
                write()
        assert {id: persister[id] for id in persister} == items
