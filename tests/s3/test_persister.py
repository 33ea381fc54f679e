"""S3Persister keeps the contract of persisters."""

import pytest

from exploring import soaks
from holdall.persisters.s3 import S3Persister
from holdall.testing import PersisterContract


@soaks(
    "test_a_forked_child_shares_the_place",
    "test_ids_by_age_are_in_the_order_of_their_times",
    "test_iteration_is_safe_while_others_write",
    "test_lists_of_items_hold_what_single_reads_give",
    "test_no_increment_of_processes_is_lost",
    "test_no_increment_of_threads_is_lost",
    "test_one_of_several_inserting_processes_wins",
    "test_one_of_several_inserting_threads_wins",
    "test_times_are_those_of_the_writes",
    "test_two_thousand_rapid_writes_have_as_many_etags",
)
class TestS3(PersisterContract):
    tick = 1.0
    pace = 0.1

    @pytest.fixture(autouse=True)
    def _bucket(self, bucket):
        self.bucket = bucket

    def open(self, place):
        return S3Persister(self.bucket.name, prefix="p", client=self.bucket.client)

    def raw_read(self, place, id):
        return self.bucket.get(f"p/{id}")

    def raw_write(self, place, id, data):
        self.bucket.put(f"p/{id}", data)
