"""A LMDB database keeps the contracts of places and stores."""

import pytest

from holdall import LmdbStore
from holdall.persisters.lmdb import LmdbPersister
from holdall.testing import PersisterContract, StoreContract


class TestLmdbPersister(PersisterContract):
    def open(self, place):
        return LmdbPersister(place / "db")


class TestLmdbStore(StoreContract):
    def open(self, place):
        return LmdbStore(place / "db", serializer="json")

    def open_with(self, place, **options):
        return LmdbStore(place / "db", serializer="json", **options)


@pytest.mark.soak
class TestDurableLmdbStore(StoreContract):
    keys = (1, "1", "c/d", (True, 1.5))

    def open(self, place):
        return LmdbStore(place / "db", table="of its own", durability="power")
