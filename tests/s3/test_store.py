"""S3Store keeps the contract of stores."""

import pytest

from exploring import soaks
from holdall import S3Store
from holdall.testing import StoreContract


class OnABucket(StoreContract):
    """The contract on a fresh bucket."""

    tick = 1.0
    pace = 0.1

    @pytest.fixture(autouse=True)
    def _bucket(self, bucket):
        self.bucket = bucket

    def open(self, place):
        return self.open_with(place)

    def open_with(self, place, **options):
        return S3Store(self.bucket.name, prefix="p", endpoint_url=self.bucket.endpoint_url, **options)


# What hangs on the class and on how it names objects. All else holds of any store over objects, which
# `test_obstore` tries in memory.
OF_THE_CLASS = {
    "test_a_closed_store_is_open_again_when_it_is_used",
    "test_a_copied_handle_shares_the_place",
    "test_a_large_value_comes_back_as_it_was",
    "test_a_pickled_store_keeps_its_options",
    "test_clear_asks_before_it_deletes_what_others_wrote",
    "test_hostile_names_are_kept_apart_or_refused",
    "test_it_holds_what_a_dict_holds",
    "test_it_shows_itself_briefly",
    "test_reopening_and_pickling_find_everything",
    "test_two_stores_of_one_place_are_one",
    "test_values_of_another_type_are_refused",
    "test_views_of_a_prefix",
}


@soaks(but=OF_THE_CLASS)
class TestS3Store(OnABucket):
    pass
