"""Stores with one planted bug each: what the suite must catch, and by which law.

`Sound` keeps the contract; all stores of one place share a dict.
"""

import copy
import itertools
import threading
import warnings
from contextlib import contextmanager, nullcontext

from conformance.mutants import PATIENCE, Meeting
from holdall import DELETE_CURRENT, ITEM_NOT_AVAILABLE, KEEP_CURRENT, FileDirStore, SQLiteStore, Store
from holdall.conditional import ANY_ETAG
from holdall.errors import CorruptValueError, InvalidKeyError
from holdall.persisters.guards import AppendOnlyPersister

DICTS = {}


class Sound(Store):
    """A store of JSON in memory, opened by its place."""

    def __init__(self, place="", **options):
        super().__init__(DICTS.setdefault(str(place), {}), serializer="json", **options)


class SoundFiles(FileDirStore):
    """A store in a folder."""

    def __init__(self, place, **options):
        super().__init__(place / "store", serializer="json", **options)


class SoundTable(SQLiteStore):
    """A store in a table."""

    def __init__(self, place, **options):
        super().__init__(place / "store.db", serializer="json", **options)


MUTANTS = []


def mutant(caught_by):
    def mark(cls):
        marked = type(cls.__name__, (cls,), {"caught_by": caught_by})
        MUTANTS.append(marked)
        return cls

    return mark


@mutant("test_a_decoder_that_raises_is_not_absence")
class TakesAnErrorOfTheDecoderForAbsence(Sound):
    def __getitem__(self, key):
        try:
            return super().__getitem__(key)
        except CorruptValueError as error:
            raise KeyError(key) if isinstance(error.__cause__, KeyError) else error from None


@mutant("test_setdefault")
class SetdefaultOverwrites(Sound):
    def setdefault(self, key, default=None):
        self[key] = default
        return default


@mutant("test_one_of_several_threads_inserts_an_item")
class SetdefaultLooksFirst(Sound):
    def setdefault(self, key, default=None):
        if key in self:
            return self[key]
        Meeting.at(self)
        self[key] = default
        return default


@mutant("test_popping_threads_get_different_items")
class PopReadsThenDeletes(Sound):
    def pop(self, key, default=None):
        value = self.get(key, default)
        Meeting.at(self)
        self.discard(key)
        return value


@mutant("test_writing_by_every_verb")
class CountsOnce(Sound):
    def __len__(self):
        return vars(self).setdefault("count", sum(1 for _ in self))


@mutant("test_views_are_live")
class KeysAreACopy(Sound):
    def keys(self):
        return dict.fromkeys(self).keys()


@mutant("test_absence_is_a_key_error_with_the_users_key")
class KeyErrorOfTheName(Sound):
    def __getitem__(self, key):
        try:
            return super().__getitem__(key)
        except KeyError:
            raise KeyError(f"{key}.json") from None


@mutant("test_an_impossible_key_is_absent")
class InInsistsOnItsKey(Sound):
    def __contains__(self, key):
        hash(key)
        return super().__contains__(key)


@mutant("test_an_impossible_key_is_absent")
class ImpossibleIsJustAbsent(Sound):
    def __getitem__(self, key):
        try:
            return super().__getitem__(key)
        except InvalidKeyError:
            raise KeyError(key) from None


@mutant("test_jokers_are_commands")
class KeepingDeletes(Sound):
    def __setitem__(self, key, value):
        if value is KEEP_CURRENT:
            self.discard(key)
        super().__setitem__(key, value)


@mutant("test_items_know_their_age")
class NewestAreOldest(Sound):
    def newest_keys(self, max_n=None):
        return self.oldest_keys(max_n)


@mutant("test_views_of_a_prefix")
class PartIsACopy(Sound):
    def get_subdict(self, prefix):
        part = type(self)(f"{id(self)}-{prefix}")
        part.update((key[len(prefix) + 1 :], value) for key, value in self.items() if key.startswith(prefix))
        return part


@mutant("test_a_value_that_cannot_be_written_leaves_the_old_one")
class DeletesBeforeItWrites(Sound):
    def __setitem__(self, key, value):
        self.discard(key)
        super().__setitem__(key, value)


@mutant("test_get_item_if_follows_the_table")
class BringsTheValueAlong(Sound):
    def get_item_if(self, key, **options):
        result = super().get_item_if(key, **options)
        return result._replace(new_value=self.get(key, ITEM_NOT_AVAILABLE))


@mutant("test_set_item_if_follows_the_table")
class WritesWhateverTheCondition(Sound):
    def set_item_if(self, key, *, condition, **options):
        return super().set_item_if(key, condition=ANY_ETAG, **options)


@mutant("test_setdefault_if_follows_the_table")
class InsertsOverWhatIsThere(Sound):
    def setdefault_if(self, key, *, default_value, **options):
        return self.set_item_if(key, value=default_value, **options)


@mutant("test_discard_if_follows_the_table")
class AlwaysSaysThatItDeleted(Sound):
    def discard_if(self, key, **options):
        return super().discard_if(key, **options)._replace(condition_was_satisfied=True)


@mutant("test_transform_item_tries_again_as_often_as_it_may")
class TriesOnceTooOften(Sound):
    def transform_item(self, key, transformer, *, n_retries=None):
        n_retries = n_retries if n_retries is None else n_retries + 1
        return super().transform_item(key, transformer, n_retries=n_retries)


@mutant("test_transform_item_tries_again_as_often_as_it_may")
class GivesUpByDefault(Sound):
    def transform_item(self, key, transformer, *, n_retries=6):
        return super().transform_item(key, transformer, n_retries=n_retries)


@mutant("test_an_item_that_others_took_is_passed_over")
class StopsAtTheFirstLostItem(Sound):
    def popitem(self):
        for key in self:
            return key, self.pop(key)
        raise KeyError


@mutant("test_an_item_that_others_took_is_passed_over")
class ListsOnce(Sound):
    def head(self):
        for key in self:
            if (value := self.get(key)) is not None:
                return key, value
        raise KeyError


@mutant("test_a_transformer_of_an_absent_item_gets_the_default")
class HandsOutTheDefaultItself(Sound):
    def transform_item(self, key, transformer, default=ITEM_NOT_AVAILABLE, **options):
        def replace(old):
            return transformer(default if old is ITEM_NOT_AVAILABLE else old)

        return super().transform_item(key, replace, **options)


@mutant("test_a_transformer_that_forgets_to_return_is_refused")
class StoresWhatWasForgotten(Sound):
    def transform_item(self, key, transformer, default=ITEM_NOT_AVAILABLE, **options):
        def replace(old):
            new = transformer(old)
            return "null" if new is None else new

        return super().transform_item(key, replace, default, **options)


@mutant("test_a_transformation_tells_whether_it_changed_the_item")
class SaysThatItClaimedWhatItLeft(Sound):
    def transform_item(self, key, transformer, **options):
        return super().transform_item(key, transformer, **options)._replace(actual_etag="before")


@mutant("test_no_transformation_of_threads_is_lost")
class TransformsWithoutComparing(Sound):
    def transform_item(self, key, *, transformer, n_retries=None):
        new = transformer(self.get(key, ITEM_NOT_AVAILABLE))
        Meeting.at(self)
        self[key] = new


@mutant("test_copying_to_another_mapping")
class CountsTooMany(Sound):
    def copy_to(self, other, **options):
        return super().copy_to(other, **options) + 1


@mutant("test_copying_what_is_new_leaves_the_rest")
class CopiesWhatIsThereToo(Sound):
    def copy_to(self, other, *, only_new=False, **options):
        return super().copy_to(other, **options)


@mutant("test_copying_skips_what_cannot_be_read")
class SkipsWithoutAWord(Sound):
    def copy_to(self, other, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().copy_to(other, **options)


@mutant("test_copying_skips_what_cannot_be_read")
class StopsAtDamage(Sound):
    def copy_to(self, other, *, on_error="raise", **options):
        return super().copy_to(other, **options)


@mutant("test_copying_skips_what_cannot_be_stored")
class TakesAnyKey(Sound):
    def _id_of_key(self, key):
        return str(key)


@mutant("test_copying_into_a_store_writes_many_at_once")
class WritesOneByOne(Sound):
    def update(self, other=(), progress=None, /, **named):
        for key, value in other:
            self[key] = value


@mutant("test_copying_keeps_times_or_refuses")
class CopiesWithoutTimes(Sound):
    def copy_to(self, other, *, keep_times=False, **options):
        return super().copy_to(other, **options)


@mutant("test_what_is_copied_to_is_a_mapping")
class CopiesIntoAnything(Sound):
    def copy_to(self, other, **options):
        return super().copy_to(other if hasattr(other, "__setitem__") else {})


@mutant("test_update_and_reading_tell_their_progress")
class TellsNothing(Sound):
    def update(self, other=(), progress=None, /, **named):
        super().update(other, **named)


@mutant("test_update_and_reading_tell_their_progress")
class TellsTooEarly(Sound):
    def copy(self, *, progress=None):
        items = super().copy()
        progress(len(items))
        return items


@mutant("test_clearing")
class ClearLeavesOne(Sound):
    def clear(self, *, force=False):
        for key in list(self)[1:]:
            del self[key]


@mutant("test_update_takes_keywords")
class ForgetsKeywords(Sound):
    def update(self, other=(), /, **named):
        super().update(other)


@mutant("test_writing_by_every_verb")
class UpdateTakesMappingsOnly(Sound):
    def update(self, other=(), /, **named):
        super().update(dict(other) if isinstance(other, dict) else (), **named)


@mutant("test_merging_gives_plain_dicts")
class MergesInPlace(Sound):
    def __or__(self, other):
        self.update(other)
        return dict(self)


@mutant("test_a_copied_handle_shares_the_place")
class CopyIsDetached(Sound):
    def __copy__(self):
        other = type(self)(f"copy of {id(self)}")
        other.update(self)
        return other


@mutant("test_values_of_another_type_are_refused")
class ChecksAfterWriting(Sound):
    def __setitem__(self, key, value):
        sound = self.pipeline
        self._install(sound._replace(value_type=None))
        super().__setitem__(key, value)
        self._install(sound)
        if sound.value_type is not None and not isinstance(value, sound.value_type):
            self._compiled.refuse_value(key, value)


@mutant("test_values_of_another_type_are_not_read")
class ReadsWhatItRefusesToWrite(Sound):
    def pop(self, key, *default):
        sound = self.pipeline
        self._install(sound._replace(value_type=None))
        value = super().pop(key, *default)
        self._install(sound)
        return value


@mutant("test_an_append_only_store_only_grows")
class GrowsOnlyByItems(Sound):
    def update(self, other=(), /, **named):
        sound = self.pipeline
        if isinstance(sound.persister, AppendOnlyPersister):
            self._install(sound.over(sound.persister.inner))
        super().update(other, **named)
        self._install(sound)


@mutant("test_refreshing_and_purging_lose_nothing")
class PurgesWhatIsYoung(Sound):
    def purge(self):
        self.clear()
        return 0


@mutant("test_each_hook_alone_takes_part")
class ForgetsTheHookOfListing(Sound):
    def _install(self, pipeline):
        without(self, "_key_of_id", super()._install, pipeline)


def without(store, hook, install, pipeline):
    """Compile a store as if one of its hooks had not been given."""
    given = vars(store).pop(hook, None)
    install(pipeline)
    if given is not None:
        vars(store)[hook] = given


@mutant("test_hooks_of_values_change_what_is_kept")
class ForgetsTheHookOfReading(Sound):
    def _install(self, pipeline):
        without(self, "_obj_of_data", super()._install, pipeline)


@mutant("test_what_is_shown_is_escaped_and_bounded")
class ShowsKeysAsTheyAre(Sound):
    def _repr_html_(self):
        return f"<p>{next(iter(self), '')}</p>"


@mutant("test_what_is_shown_is_escaped_and_bounded")
class OffersEveryKey(Sound):
    def _ipython_key_completions_(self):
        return list(self)


@mutant("test_hostile_names_are_kept_apart_or_refused")
class CutsLongNames(Sound):
    def _id_of_key(self, key):
        return key[:255]


@mutant("test_hostile_names_are_kept_apart_or_refused")
class IgnoresCase(Sound):
    def _id_of_key(self, key):
        return key.lower()


@mutant("test_hostile_names_are_kept_apart_or_refused")
class EatsSlashesAtTheEnd(Sound):
    def _id_of_key(self, key):
        return key.rstrip("/")


@mutant("test_equality_is_that_of_a_dict")
class EqualToWhateverHasItsKeys(Sound):
    def __eq__(self, other):
        return isinstance(other, dict | Store) and set(self) == set(other)

    __hash__ = None


@mutant("test_items_leave_out_what_vanishes")
class ItemsFailOnWhatVanished(Sound):
    def _iter_items(self):
        return ((key, self[key]) for key in self)


@mutant("test_an_error_of_a_hook_reaches_the_user")
class SwallowsErrorsOfHooks(Sound):
    def __setitem__(self, key, value):
        try:
            super().__setitem__(key, value)
        except ArithmeticError:
            pass


@mutant("test_clear_asks_before_it_deletes_what_others_wrote")
class ClearsWithoutAsking(SoundFiles):
    def clear(self, *, force=False):
        super().clear(force=True)


@mutant("test_reopening_and_pickling_find_everything")
class PicklesWithoutItsPlace(SoundFiles):
    def __reduce__(self):
        return FileDirStore, ()


@mutant("test_two_stores_of_one_place_are_one")
class RemembersWhatItRead(SoundFiles):
    def __getitem__(self, key):
        seen = vars(self).setdefault("seen", {})
        if key not in seen:
            seen[key] = super().__getitem__(key)
        return seen[key]

    def __contains__(self, key):
        return key in vars(self).get("seen", ()) or super().__contains__(key)


@mutant("test_jokers_are_commands")
class UpdateDeletesFirst(Sound):
    def update(self, other=(), /, **named):
        pairs = [*dict(other).items()] if hasattr(other, "keys") else [*other]
        for key, value in pairs:
            if value is DELETE_CURRENT:
                self[key] = value
        super().update([pair for pair in pairs if pair[1] is not DELETE_CURRENT], **named)


@mutant("test_what_is_edited_is_stored_at_the_end")
class EditsACopy(Sound):
    @contextmanager
    def edit(self, key, default=None):
        with super().edit(key, default) as value:
            yield copy.deepcopy(value)


@mutant("test_an_edit_that_fails_stores_nothing")
class StoresWhatWasEditedHalfway(Sound):
    @contextmanager
    def edit(self, key, default=None):
        value = self.get(key, default)
        try:
            yield value
        finally:
            self[key] = value


@mutant("test_an_edit_that_lost_its_race_is_refused")
class EditsWithoutComparing(Sound):
    @contextmanager
    def edit(self, key, default=None):
        value = self.get(key, default)
        yield value
        self[key] = value


@mutant("test_an_edit_begins_with_its_default")
class EditsTheDefaultItself(Sound):
    @contextmanager
    def edit(self, key, **options):
        if key in self or "default" not in options:
            with super().edit(key, **options) as value:
                yield value
        else:
            yield options["default"]
            self[key] = options["default"]


@mutant("test_an_edit_begins_with_its_default")
class EditsNothing(Sound):
    def edit(self, key, default=None):
        return super().edit(key, default)


@mutant("test_what_cannot_change_in_place_is_not_edited")
class EditsText(Sound):
    @contextmanager
    def edit(self, key, default=None):
        yield self.get(key, default)


@mutant("test_increment_adds_and_gives_the_sum")
class IncrementGivesWhatWas(Sound):
    def increment(self, key, by=1, default=0):
        return super().increment(key, by, default) - by


@mutant("test_what_is_no_number_is_not_incremented")
class IncrementsText(Sound):
    def increment(self, key, by=1, default=0):
        new = self.get(key, default) + (str(by) if isinstance(self.get(key), str) else by)
        self[key] = new
        return new


@mutant("test_no_increment_of_threads_is_lost")
class IncrementsWithoutComparing(Sound):
    def increment(self, key, by=1, default=0):
        new = self.get(key, default) + by
        Meeting.at(self)
        self[key] = new
        return new


@mutant("test_a_place_without_transactions_says_so")
class PretendsToHaveTransactions(Sound):
    def transaction(self):
        return nullcontext()


@mutant("test_a_transaction_that_fails_was_not")
@mutant("test_nobody_sees_half_a_transaction")
class WritesAtOnce(SoundTable):
    def transaction(self):
        return nullcontext()


@mutant("test_transactions_of_threads_follow_each_other")
class LetsTransactionsOverlap(SoundTable):
    """The others begin when the first has written one key of two; it goes on when one of them has ended."""

    def __init__(self, place, **options):
        super().__init__(place, **options)
        self.entries = itertools.count()
        self.entered, self.written, self.ended = threading.Event(), threading.Event(), threading.Event()

    @contextmanager
    def transaction(self):
        if next(self.entries):
            self.written.wait(PATIENCE)
        self.entered.set()
        try:
            yield
        finally:
            self.ended.set()

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        if self.entered.is_set():
            self.written.set()
            self.ended.wait(PATIENCE)


@mutant("test_a_transaction_is_made_whole")
class UndoesAllTransactions(SoundTable):
    @contextmanager
    def transaction(self):
        before = dict(self.items())
        yield
        self.clear()
        self.update(before)


@mutant("test_a_transaction_in_a_transaction_is_a_part_of_it")
class UndoesOnlyAllOfIt(SoundTable):
    inside = False

    @contextmanager
    def transaction(self):
        if self.inside:
            yield
            return
        with super().transaction():
            self.inside = True
            try:
                yield
            finally:
                self.inside = False
