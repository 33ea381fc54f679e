"""Persisters with one planted bug each: what the suite must catch, and by which law.

`Sound` keeps the contract. Each mutant changes one thing; ``caught_by`` names the law that must fail.
"""

import contextlib
import io
import itertools
import os
import threading
import time

from holdall.abc import Capability, Persister, Reader, VersionedPersister, conflict, join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Stat
from holdall.persisters.files import FilesPersister

PLACES = {}
_counter = itertools.count(1)


class Sound(Persister):
    """A persister in memory, shared by all handles of a place."""

    capabilities = frozenset(
        {
            Capability.WRITABLE,
            Capability.PERSISTENT,
            Capability.BYTES,
            Capability.MTIME,
            Capability.CHEAP_STAT,
            Capability.CAS_THREADS,
        }
    )

    def __init__(self, place):
        self.where = str(place)

    @property
    def items_here(self):
        return PLACES.setdefault(self.where, ({}, threading.RLock()))[0]

    @property
    def lock(self):
        self.items_here
        return PLACES[self.where][1]

    def make_stat(self, id, data):
        return Stat(f"{next(_counter)}", time.time(), len(data))

    def __getitem__(self, id):
        return self.items_here[id][0]

    def read(self, id):
        return self.items_here[id]

    def stat(self, id):
        return self.items_here[id][1]

    def __iter__(self):
        return iter(list(self.items_here))

    def __len__(self):
        return len(self.items_here)

    def folders(self, prefix=""):
        below = [id[len(prefix) :] for id in self.items_here if id.startswith(prefix)]
        return iter({prefix + rest[: rest.index("/") + 1] for rest in below if "/" in rest})

    def contents(self, prefix="", limit=None):
        ids = list(self.ids(prefix))
        for start in range(0, len(ids), 2):
            page = list(self.read_many(ids[start : start + 2]))
            if page:
                yield page

    def store(self, id, data):
        data = bytes(join_parts(data))
        stat = self.make_stat(id, data)
        self.items_here[id] = data, stat
        return stat

    def put(self, id, data):
        with self.lock:
            self.store(id, data)

    __setitem__ = put

    def write(self, id, data, expected=ANY_ETAG):
        with self.lock:
            self.require(id, expected)
            return self.store(id, data)

    def remove(self, id, expected=ANY_ETAG):
        with self.lock:
            self.require(id, expected)
            del self.items_here[id]

    def __delitem__(self, id):
        self.remove(id)


class Meeting:
    """Where the first thread that comes waits for the second: so a race is lost each time, not by chance."""

    def __init__(self):
        self._second = threading.Barrier(2)
        self._places = itertools.count()

    @classmethod
    def at(cls, owner):
        """Let two threads meet once in the life of a persister or store; all others pass."""
        meeting = vars(owner).setdefault("meeting", cls())
        if next(meeting._places) < 2:
            meeting._second.wait(PATIENCE)


PATIENCE = 20  # seconds, which only a law without a second thread uses up
MUTANTS = []


def mutant(caught_by):
    def mark(cls):
        cls.caught_by = caught_by
        MUTANTS.append(cls)
        return cls

    return mark


@mutant("test_readers_see_whole_values")
class WritesInTwoHalves(Sound):
    def __init__(self, place):
        super().__init__(place)
        self.half, self.was_read = None, threading.Event()

    def __getitem__(self, id):
        data = super().__getitem__(id)
        if data == self.half:
            self.was_read.set()
        return data

    def put(self, id, data):
        data = bytes(join_parts(data))
        if id in self.items_here:
            self.half = data[: len(data) // 2]
            self.store(id, self.half)
            self.was_read.wait(PATIENCE)
        self.store(id, data)

    __setitem__ = put


@mutant("test_exactly_what_is_stored_is_listed")
class CountsOneMore(Sound):
    def __len__(self):
        return len(self.items_here) + 1


@mutant("test_exactly_what_is_stored_is_listed")
class ListsTemporaryNames(Sound):
    def __iter__(self):
        return iter([*self.items_here, ".tmp-1"])


@mutant("test_items_are_given_times_or_refused")
class ForgetsTimes(Sound):
    def write_dated(self, items):
        self.write_many((id, data) for id, data, _ in items)


@mutant("test_items_are_given_times_or_refused")
class TakesItemsBeforeItRefuses(Sound):
    def write_dated(self, items):
        for id, data, _ in items:
            self.put(id, data)
        super().write_dated(items)


@mutant("test_a_write_replaces")
class SwallowsFailedReplacements(Sound):
    def put(self, id, data):
        if id not in self.items_here:
            self.store(id, data)

    __setitem__ = put


@mutant("test_a_deleted_id_is_absent")
class SwallowsDeletionOfNothing(Sound):
    def remove(self, id, expected=ANY_ETAG):
        with contextlib.suppress(KeyError):
            super().remove(id, expected)


@mutant("test_a_deleted_id_is_absent")
class DeletesNothing(Sound):
    def remove(self, id, expected=ANY_ETAG):
        self.items_here[id]


@mutant("test_every_change_has_an_etag_of_its_own")
class EtagOfACoarseClock(Sound):
    def make_stat(self, id, data):
        return Stat(f"{int(time.time())}-{len(data)}", time.time(), len(data))


@mutant("test_an_etag_does_not_come_back_after_a_deletion")
class CountsVersionsAnewAfterDeletion(Sound):
    def make_stat(self, id, data):
        old = self.items_here.get(id)
        return Stat(str(int(old[1].etag) + 1 if old else 1), time.time(), len(data))


@mutant("test_absence_is_a_key_error_with_the_id")
class KeyErrorOfSomethingElse(Sound):
    def __getitem__(self, id):
        return self.items_here["prefix/" + id if id not in self.items_here else id][0]


@mutant("test_absence_is_a_key_error_with_the_id")
class AbsentIsEmpty(Sound):
    def __getitem__(self, id):
        return self.items_here.get(id, (b"",))[0]


@mutant("test_absence_is_a_key_error_with_the_id")
class ContainsEverything(Sound):
    def __contains__(self, id):
        return True


@mutant("test_a_write_goes_ahead_in_the_expected_state_only")
class IgnoresTheExpectedEtag(Sound):
    def write(self, id, data, expected=ANY_ETAG):
        return self.store(id, data)


@mutant("test_a_write_goes_ahead_in_the_expected_state_only")
class InsertsOverWhatIsThere(Sound):
    def write(self, id, data, expected=ANY_ETAG):
        return super().write(id, data, ANY_ETAG if expected is ITEM_NOT_AVAILABLE else expected)


@mutant("test_a_write_goes_ahead_in_the_expected_state_only")
class WritesBeforeItRefuses(Sound):
    def write(self, id, data, expected=ANY_ETAG):
        try:
            self.require(id, expected)
        finally:
            stat = self.store(id, data)
        return stat


@mutant("test_a_deletion_goes_ahead_in_the_expected_state_only")
class DeletesWhateverIsThere(Sound):
    def remove(self, id, expected=ANY_ETAG):
        super().remove(id)


@mutant("test_plain_writes_change_the_etag")
class PlainWritesKeepTheEtag(Sound):
    def put(self, id, data):
        old = self.items_here.get(id)
        stat = self.store(id, data)
        if old:
            self.items_here[id] = bytes(join_parts(data)), stat._replace(etag=old[1].etag)

    __setitem__ = put


@mutant("test_a_plain_write_is_never_overwritten_by_a_stale_one")
class PlainWritesPassTheLock(Sound):
    def __init__(self, place):
        super().__init__(place)
        self.swapping, self.passed, self.swapped = (threading.Event() for _ in range(3))

    def put(self, id, data):
        amid = self.swapping.is_set()
        self.store(id, data)
        if amid:
            self.passed.set()
            self.swapped.wait(PATIENCE)

    __setitem__ = put

    def write(self, id, data, expected=ANY_ETAG):
        with self.lock:
            self.require(id, expected)
            self.swapping.set()
            self.passed.wait(PATIENCE)
            stat = self.store(id, data)
            self.swapped.set()
            return stat


@mutant("test_no_increment_of_threads_is_lost")
class ComparesOutsideTheLock(Sound):
    def write(self, id, data, expected=ANY_ETAG):
        self.require(id, expected)
        Meeting.at(self)
        return self.store(id, data)


@mutant("test_one_of_several_inserting_threads_wins")
class InsertsOutsideTheLock(Sound):
    def write(self, id, data, expected=ANY_ETAG):
        self.require(id, expected)
        Meeting.at(self)
        return self.store(id, data)


@mutant("test_a_stat_and_its_data_are_one_snapshot")
class StatsOfTheWriteBefore(Sound):
    def read(self, id):
        return self[id], Stat("0", 0.0, 0)


@mutant("test_overrides_give_what_the_defaults_give")
class PrefixAnywhere(Sound):
    def ids(self, prefix=""):
        return (id for id in self if prefix in id)


@mutant("test_overrides_give_what_the_defaults_give")
class ReadManyInventsItems(Sound):
    def read_many(self, ids):
        return ((id, self.items_here.get(id, (b"0",))[0]) for id in ids)


@mutant("test_a_second_handle_sees_the_same")
class CachesItsListing(Sound):
    def __iter__(self):
        if not hasattr(self, "listing"):
            self.listing = list(self.items_here)
        return iter([id for id in self.listing if id in self.items_here])

    def __contains__(self, id):
        return id in self.items_here and (not hasattr(self, "listing") or id in self.listing)

    def __len__(self):
        return len(list(iter(self)))

    def __getitem__(self, id):
        if hasattr(self, "listing") and id not in self.listing:
            raise KeyError(id)
        return super().__getitem__(id)


@mutant("test_iteration_is_safe_while_others_write")
class IteratesOverTheLiveDict(Sound):
    def __iter__(self):
        size = len(self.items_here)
        for id in self.items_here:
            yield id
            until = time.monotonic() + PATIENCE
            while len(self.items_here) == size and time.monotonic() < until:
                time.sleep(0)  # another thread writes soon


@mutant("test_what_is_stored_is_a_snapshot")
class KeepsTheBuffer(Sound):
    def store(self, id, data):
        if type(data) is list and len(data) == 1:
            data = data[0]
            stat = self.make_stat(id, data)
            self.items_here[id] = data, stat
            return stat
        return super().store(id, data)


@mutant("test_data_may_come_in_pieces")
class KeepsTheFirstPiece(Sound):
    def store(self, id, data):
        return super().store(id, data[0] if type(data) is list else data)


@mutant("test_many_at_once")
class ClearLeavesOne(Sound):
    def clear(self):
        self.remove_many(list(self)[1:])


@mutant("test_many_at_once")
class WriteManyDropsTheLast(Sound):
    def write_many(self, items):
        super().write_many(list(items)[:-1])


@mutant("test_a_pickled_handle_is_a_handle_of_the_same_place")
class PicklesWithoutItsPlace(Sound):
    def __reduce__(self):
        return type(self), ("elsewhere",)


@mutant("test_the_size_is_that_of_the_data")
class CountsCharacters(Sound):
    def make_stat(self, id, data):
        return super().make_stat(id, data)._replace(size=len(id))


@mutant("test_times_are_those_of_the_writes")
class OneTimeForAll(Sound):
    def make_stat(self, id, data):
        return super().make_stat(id, data)._replace(mtime=1_700_000_000.0)


@mutant("test_fetch_and_reader_give_the_data")
class FetchesUpToTheLimit(Sound):
    def fetch(self, id, limit):
        return self[id][:limit]


@mutant("test_reopening_finds_everything")
class LosesWhatIsNotFlushedTwice(Sound):
    def close(self):
        for id in list(self.items_here)[:1]:
            del self.items_here[id]


@mutant("test_empty_and_large_data")
class EmptyIsAbsent(Sound):
    def __contains__(self, id):
        return bool(self.items_here.get(id, (b"",))[0])


@mutant("test_a_writer_stores_when_it_is_left")
class StoresAfterAnError(Sound):
    @contextlib.contextmanager
    def writer(self, id):
        import io

        file = io.BytesIO()
        try:
            yield file
        finally:
            self.put(id, file.getvalue())


@mutant("test_a_read_only_place_refuses_writes")
class ReadOnlyInNameOnly(Sound):
    def __init__(self, place):
        super().__init__(place)
        self.capabilities = Sound.capabilities - {Capability.WRITABLE, Capability.CAS_THREADS}


@mutant("test_no_increment_of_processes_is_lost")
class FilesWithoutALock(FilesPersister):
    """Claims to compare and swap among processes, and has nothing to exclude them."""

    def write(self, id, data, expected=ANY_ETAG):
        self.require(id, expected)
        self._meet()
        return super().write(id, data)

    def _meet(self):
        """Wait for a second process to come here, as threads do at a `Meeting`."""
        folder, until = f"{self.path}-meeting", time.monotonic() + PATIENCE
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, str(os.getpid())), "w"):
            pass
        while len(os.listdir(folder)) < 2 and time.monotonic() < until:
            time.sleep(0.001)


@mutant("test_a_write_gives_the_stat_of_what_it_stored")
class TellsAnotherStatThanItKeeps(Sound):
    def write(self, id, data, expected=ANY_ETAG):
        super().write(id, data, expected)
        return self.make_stat(id, data)


@mutant("test_a_failed_write_changes_nothing")
class EmptiesBeforeItWrites(Sound):
    def store(self, id, data):
        super().store(id, b"")
        return super().store(id, data)


@mutant("test_a_failed_write_changes_nothing")
class SwallowsErrorsOfWriting(Sound):
    def put(self, id, data):
        with contextlib.suppress(TypeError):
            self.store(id, data)

    __setitem__ = put


@mutant("test_two_thousand_rapid_writes_have_as_many_etags")
class EtagOfMicroseconds(Sound):
    def make_stat(self, id, data):
        return Stat(f"{time.time() * 1000:.0f}", time.time(), len(data))


@mutant("test_no_two_swaps_succeed_from_one_state")
class SwapsTwiceFromOneState(Sound):
    def __init__(self, place):
        super().__init__(place)
        self.both_compared = threading.Event()

    def write(self, id, data, expected=ANY_ETAG):
        self.require(id, expected)
        if expected is ANY_ETAG:
            self.both_compared.wait(PATIENCE)  # a plain write between the two would part them
        else:
            Meeting.at(self)
            self.both_compared.set()
        return self.store(id, data)


@mutant("test_whoever_deletes_while_iterating_meets_every_id")
class IteratesByPosition(Sound):
    def __iter__(self):
        for position in itertools.count():
            ids = list(self.items_here)
            if position >= len(ids):
                return
            yield ids[position]


@mutant("test_telling_of_data_does_not_read_them")
class ReadsToTell(Sound):
    def __contains__(self, id):
        try:
            self[id]
        except KeyError:
            return False
        return True


@mutant("test_a_closed_handle_works_again_or_says_so")
class EmptyOnceItIsClosed(Sound):
    def close(self):
        self.where += "-closed"


@mutant("test_a_forked_child_shares_the_place")
class ForkedChildLosesItsWrites(FilesPersister):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.pid = os.getpid()

    def write(self, id, data, expected=ANY_ETAG):
        if self.pid != os.getpid():
            return self.stat(id)
        return super().write(id, data, expected)


@mutant("test_data_lie_as_they_were_written")
class AddsALineToEachFile(FilesPersister):
    def put(self, id, data):
        super().put(id, join_parts(data) + b"\n")

    __setitem__ = put

    def __getitem__(self, id):
        return super().__getitem__(id).removesuffix(b"\n")


@mutant("test_an_unavailable_place_is_not_an_empty_one")
class UnavailableIsEmpty(FilesPersister):
    def __init__(self, path, **options):
        with contextlib.suppress(OSError):
            super().__init__(path, **options)
            return
        super().__init__(None, **options)


@mutant("test_a_stat_and_its_data_are_one_snapshot")
class SizeOfTheDigest(Sound):
    def read(self, id):
        return self[id], Reader.read(self, id)[1]


@mutant("test_a_deletion_goes_ahead_in_the_expected_state_only")
class DeletesBeforeItRefuses(Sound):
    def remove(self, id, expected=ANY_ETAG):
        with self.lock:
            try:
                self.require(id, expected)
            finally:
                self.items_here.pop(id)


@mutant("test_many_at_once")
class RemoveManyStopsAtTheFirstAbsent(Sound):
    def remove_many(self, ids):
        with contextlib.suppress(KeyError):
            for id in ids:
                self.remove(id)


LISTS = "test_lists_of_items_hold_what_single_reads_give"


@mutant(LISTS)
class ListsItemsOfAllPrefixes(Sound):
    def contents(self, prefix="", limit=None):
        return super().contents("", limit)


@mutant(LISTS)
class ListsNoIncompletePage(Sound):
    def contents(self, prefix="", limit=None):
        return (page for page in super().contents(prefix, limit) if len(page) == 2)


@mutant(LISTS)
class ListsTheNewestFirst(Sound):
    def contents(self, prefix="", limit=None):
        return reversed(list(super().contents(prefix, limit)))


@mutant(LISTS)
class ListsFilesAmongOthers(Sound):
    def contents(self, prefix="", limit=None):
        for page in super().contents(prefix, limit):
            yield [(id, io.BytesIO(data) if limit == 0 else data) for id, data in page]


@mutant(LISTS)
class ListsFilesWhereNobodyAskedForThem(Sound):
    def contents(self, prefix="", limit=None):
        for page in super().contents(prefix, limit):
            for id, data in page:
                yield [(id, io.BytesIO(data) if limit is None else data)]


@mutant("test_lists_of_items_may_be_iterated_over_while_others_write")
class ListsWhatWasThere(Sound):
    def contents(self, prefix="", limit=None):
        for page in self.pages(prefix):
            for id in page:
                yield [(id, self[id])]


@mutant("test_lists_of_items_may_be_iterated_over_while_others_write")
class ListsByPosition(Sound):
    def contents(self, prefix="", limit=None):
        number = 0
        while page := list(self.items_here)[number : number + 1]:
            yield list(self.read_many(page))
            number += 1


AGES = "test_ids_by_age_are_in_the_order_of_their_times"


@mutant(AGES)
class AgesOfAllPrefixes(Sound):
    def by_age(self, prefix="", *, newest=False, limit=None):
        return super().by_age("", newest=newest, limit=limit)


@mutant(AGES)
class AgesOfTheFirstWrites(Sound):
    def by_age(self, prefix="", *, newest=False, limit=None):
        ids = list(self.ids(prefix))
        ids = ids[::-1] if newest else ids
        return iter(ids if limit is None else ids[: max(limit, 0)])


@mutant(AGES)
class NewestOfTheOldest(Sound):
    def by_age(self, prefix="", *, newest=False, limit=None):
        ids = list(super().by_age(prefix, limit=limit))
        return iter(ids[::-1] if newest else ids)


@mutant(AGES)
class NoLimitBelowZero(Sound):
    def by_age(self, prefix="", *, newest=False, limit=None):
        return super().by_age(prefix, newest=newest, limit=None if limit is not None and limit < 0 else limit)


@mutant("test_a_deletion_goes_ahead_in_the_expected_state_only")
class DeletesWhatMustNotBeThere(Sound):
    def remove(self, id, expected=ANY_ETAG):
        super().remove(id, ANY_ETAG if expected is ITEM_NOT_AVAILABLE else expected)


class SoundVersioned(VersionedPersister):
    """A versioned place in memory, which forwards its four methods."""

    capabilities = Sound.capabilities

    def __init__(self, place):
        self.inner = Sound(place)

    def read(self, id):
        return self.inner.read(id)

    def stat(self, id):
        return self.inner.stat(id)

    def write(self, id, data, expected=ANY_ETAG):
        return self.inner.write(id, data, expected)

    def remove(self, id, expected=ANY_ETAG):
        self.inner.remove(id, expected)

    def ids(self, prefix=""):
        return self.inner.ids(prefix)


@mutant("test_plain_verbs_of_a_versioned_place_are_its_conditional_ones")
class PutsPastItsWrite(SoundVersioned):
    def put(self, id, data):
        self.inner.put(id, data)


@mutant("test_telling_of_data_does_not_read_them")
class TellsByReading(SoundVersioned):
    stat = VersionedPersister.stat


@mutant("test_a_write_goes_ahead_in_the_expected_state_only")
class AnswersTheOldEtag(SoundVersioned):
    def write(self, id, data, expected=ANY_ETAG):
        try:
            return self.inner.write(id, data, expected)
        except Exception:
            raise conflict(self, id, expected, expected) from None


@mutant("test_folders_are_what_ids_have_up_to_a_slash")
class TellsFoldersOfAllLevels(Sound):
    def folders(self, prefix=""):
        below = [id for id in self.items_here if id.startswith(prefix)]
        return (id.rpartition("/")[0] + "/" for id in below if "/" in id[len(prefix) :])


@mutant("test_discarding_deletes_what_is_there_and_minds_no_absence")
class DiscardsOnPaper(Sound):
    def discard(self, id):
        return id in self.items_here


@mutant("test_discarding_deletes_what_is_there_and_minds_no_absence")
class DiscardsWithComplaints(Sound):
    def discard(self, id):
        self.remove(id)
        return True


@mutant("test_reading_unless_the_etag_is_known")
class SendsWhatIsKnown(Sound):
    def read_unless(self, id, etag):
        return self.read(id)


@mutant("test_reading_unless_the_etag_is_known")
class TakesAbsenceForNoChange(Sound):
    def read_unless(self, id, etag):
        return super().read_unless(id, etag) if id in self.items_here else None
