"""A collection behind one lock keeps the contracts of places and stores; see `_mongo` for what that shows."""

import pytest

from engines._mongo import Collection
from holdall import MongoStore
from holdall.persisters.mongo import MongoPersister
from holdall.testing import PersisterContract, StoreContract


@pytest.fixture(autouse=True)
def server(mongo_server, request):
    request.cls.address = mongo_server.address


class TestMongoPersister(PersisterContract):
    def open(self, place):
        return MongoPersister(Collection(self.address, str(place)))


@pytest.mark.soak
class TestMongoStore(StoreContract):
    def open(self, place):
        return MongoStore(Collection(self.address, str(place)))

    def open_with(self, place, **options):
        return MongoStore(Collection(self.address, str(place)), **options)
