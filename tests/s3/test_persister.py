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

    # Processes take seconds to import boto3.
    test_one_of_several_inserting_processes_wins = pytest.mark.soak(
        PersisterContract.test_one_of_several_inserting_processes_wins
    )

    def open(self, place):
        return S3Persister(self.bucket.name, prefix="p", client=self.bucket.client)

    def raw_read(self, place, id):
        return self.bucket.get(f"p/{id}")

    def raw_write(self, place, id, data):
        self.bucket.put(f"p/{id}", data)
