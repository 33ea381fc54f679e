"""Laws of reading and writing many items at once: lists of items, and ids by age."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability
from holdall.errors import ConflictError, UnsupportedError


class BulkLaws:
    """Laws of `contents` and `by_age`; `PersisterContract` inherits them."""

    filled: Callable[..., Any]

    #: Prefixes of the ids of `fill`: of all, of some, of one, of none.
    _prefixes = ("", "a", "folder/", "folder/d", "fol", "folder/deep/d", "none")

    def test_lists_of_items_hold_what_single_reads_give(self, place: Path) -> None:
        """contents() gives each item below a prefix once, in the order of ids(); files come alone."""
        persister, items = self._that_lists(place)
        for prefix in self._prefixes:
            ids = list(persister.ids(prefix))
            for limit in (None, 0, 1 << 40):
                found: list[tuple[str, Any]] = []
                for page in persister.contents(prefix, limit):
                    assert page, "a list without items"
                    found += [(id, self._whole(data, limit, len(page))) for id, data in page]
                assert found == [(id, items[id]) for id in ids]

    def test_lists_of_items_may_be_iterated_over_while_others_write(self, place: Path) -> None:
        """Items that vanish while contents() is iterated over are no error, remaining ones are yielded."""
        persister, items = self._that_lists(place, Capability.WRITABLE)
        last = list(persister.ids())[-1]
        seen: dict[str, Any] = {}
        pages = persister.contents("", 0)
        for page in pages:
            seen.update((id, self._whole(data, 0, len(page))) for id, data in page)
            persister.remove_many([id for id in items if id != last])
        assert seen[last] == items[last]
        assert {id: items[id] for id in seen} == seen
        assert [id for page in persister.contents() for id, _ in page] == [last]
        persister.clear()
        assert list(persister.contents()) == []

    def test_new_items_never_take_the_place_of_old_ones(self, place: Path) -> None:
        """write_new() stores items under new ids, and reports the id that stopped it."""
        persister, items = self.filled(place, Capability.WRITABLE, Capability.CAS_THREADS)
        old, data = min(items), list(items.values())
        persister.write_new([("new1", data[0]), ("new2", data[1])])
        assert (persister["new1"], persister["new2"]) == (data[0], data[1])
        for wrong in ([("new3", data[0]), (old, data[1])], [("new4", data[0]), ("new4", data[1])]):
            with pytest.raises(ConflictError) as caught:
                persister.write_new(wrong)
            assert caught.value.key == wrong[1][0]
        assert persister[old] == items[old]
        for id in ("new3", "new4"):  # all of them, or those before the one that was refused
            assert id not in persister or persister[id] == data[0]

    def test_items_are_given_times_or_refused(self, place: Path) -> None:
        """write_dated() stores items with given times, under new etags each time, or takes none of them."""
        persister, items = self.filled(place, Capability.WRITABLE)
        ids = sorted(items)[:2]
        then = time.time() - 250
        taken: list[str] = []

        def dated() -> Any:
            for id, mtime in zip(ids, (then, math.nan), strict=True):
                taken.append(id)
                yield id, items[id], mtime

        before = persister.stat(ids[0])
        try:
            persister.write_dated(dated())
        except UnsupportedError:
            assert taken == []
            assert persister.stat(ids[0]) == before
            return
        first = persister.stat(ids[0])
        assert first.mtime == pytest.approx(then, abs=2)
        assert persister.stat(ids[1]).mtime > then + 100
        assert {id: persister[id] for id in ids} == {id: items[id] for id in ids}
        persister.write_dated([(ids[0], items[ids[1]], then)])
        again = persister.stat(ids[0])
        assert again.mtime == pytest.approx(then, abs=2)
        assert again.etag not in {first.etag, before.etag}
        assert persister[ids[0]] == items[ids[1]]

    def test_ids_by_age_are_in_the_order_of_their_times(self, place: Path) -> None:
        """by_age() gives the ids below a prefix by the times of their stats, from either end."""
        persister, items = self.filled(place, Capability.MTIME)
        if Capability.WRITABLE in persister.capabilities:
            for id in sorted(items, key=lambda name: name[::-1]):
                time.sleep(0.002)
                persister.put(id, items[id])
        for prefix in self._prefixes:
            wanted = sorted(id for id in items if id.startswith(prefix))
            for newest in (False, True):
                ordered = list(persister.by_age(prefix, newest=newest))
                assert sorted(ordered) == wanted
                times = [persister.stat(id).mtime for id in ordered]
                assert times == sorted(times, reverse=newest)
                for limit in (-1, 0, 1, 2, len(items), 1 << 70):
                    some = list(persister.by_age(prefix, newest=newest, limit=limit))
                    assert len(some) == min(max(limit, 0), len(ordered))
                    assert [persister.stat(id).mtime for id in some] == times[: len(some)]

    def test_folders_are_what_ids_have_up_to_a_slash(self, place: Path) -> None:
        """folders() gives the next part of the ids below a prefix, with its slash, each once."""
        persister, items = self.filled(place)
        if persister.folders() is None:
            pytest.skip("tells no folders")
        for prefix in ("", "folder/", "folder/deep/", "none/"):
            below = [id[len(prefix) :] for id in items if id.startswith(prefix)]
            wanted = {prefix + rest[: rest.index("/") + 1] for rest in below if "/" in rest}
            told = list(persister.folders(prefix))
            assert sorted(told) == sorted(wanted)

    def test_discarding_deletes_what_is_there_and_minds_no_absence(self, place: Path) -> None:
        """discard() returns whether there was an item, or True where this is unknown."""
        persister, items = self.filled(place, Capability.WRITABLE)
        assert persister.discard("a") is True
        assert "a" not in persister
        assert persister.discard("a") in {True, False}
        assert sorted(persister) == sorted(set(items) - {"a"})

    def test_reading_unless_the_etag_is_known(self, place: Path) -> None:
        """read_unless() returns nothing for the present etag, data and stat for any other."""
        persister, items = self.filled(place)
        for id, data in items.items():
            etag = persister.stat(id).etag
            assert persister.read_unless(id, etag) is None
            assert persister.read_unless(id, "no such etag") == persister.read(id)
            assert persister.read_unless(id, "no such etag")[0] == data
        with pytest.raises(KeyError) as caught:
            persister.read_unless("absent", "no such etag")
        assert caught.value.args == ("absent",)

    # ------------------------------------------------------------------ pieces

    def _that_lists(self, place: Path, *claims: Capability) -> tuple[Any, dict[str, Any]]:
        persister, items = self.filled(place, *claims)
        if persister.contents() is None:
            pytest.skip("gives no lists of items")
        return persister, items

    @staticmethod
    def _whole(data: Any, limit: int | None, together: int) -> Any:
        """Return data that may be an open file as a whole; check that they may be one here."""
        if not hasattr(data, "readinto"):
            return data
        with data as file:
            whole = file.read()
        assert limit is not None, "a file where whole data were asked for"
        assert len(whole) > limit, "a file of data within the limit"
        assert together == 1, "a file in a list of several items"
        return whole
