"""S3Store keeps the contract of stores."""

import pytest

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


class TestS3Store(OnABucket):
    @pytest.mark.soak  # a thousand requests
    def test_set_item_if_follows_the_table(self, place):
        super().test_set_item_if_follows_the_table(place)
