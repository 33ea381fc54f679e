"""S3Persister keeps the contract of persisters."""

import pytest

from holdall.persisters.s3 import S3Persister
from holdall.testing import PersisterContract


class TestS3(PersisterContract):
    tick = 1.0
    pace = 0.1

    @pytest.fixture(autouse=True)
    def _bucket(self, bucket):
        self.bucket = bucket

    @pytest.mark.soak  # processes take seconds to import boto3
    def test_one_of_several_inserting_processes_wins(self, place):
        super().test_one_of_several_inserting_processes_wins(place)

    @pytest.mark.soak
    def test_no_increment_of_processes_is_lost(self, place):
        super().test_no_increment_of_processes_is_lost(place)

    def open(self, place):
        return S3Persister(self.bucket.name, prefix="p", client=self.bucket.client)

    def raw_read(self, place, id):
        return self.bucket.get(f"p/{id}")

    def raw_write(self, place, id, data):
        self.bucket.put(f"p/{id}", data)
