"""A Redis server keeps the contracts of places and stores."""

import pytest

from holdall import RedisStore
from holdall.persisters.redis import RedisPersister
from holdall.testing import PersisterContract, StoreContract


@pytest.fixture(autouse=True)
def server(redis_url, request):
    request.cls.url = redis_url


class TestRedisPersister(PersisterContract):
    def open(self, place):
        return RedisPersister(self.url, prefix=f"{place}/")


class TestRedisStore(StoreContract):
    def open(self, place):
        return RedisStore(self.url, prefix=f"{place}/")

    def open_with(self, place, **options):
        return RedisStore(self.url, prefix=f"{place}/", **options)


@pytest.mark.soak
class TestRedisStoreOfPickles(StoreContract):
    keys = (1, "1", "c/d", (True, 1.5))

    def open(self, place):
        from holdall.keys import AnyKeys

        return RedisStore(self.url, prefix=f"{place}/", serializer="pickle", keys=AnyKeys(), ttl=3600)
