"""Tables of SQL keep the contracts of places and stores, on SQLite and on a real PostgreSQL."""

import hashlib
import os

import pytest

from holdall import SQLStore
from holdall.persisters.sql import SqlPersister
from holdall.testing import PersisterContract, StoreContract


def table(place):
    return "t" + hashlib.md5(str(place).encode(), usedforsecurity=False).hexdigest()


class OnSqlite:
    def target(self, place):
        return f"sqlite:///{place}/x.db"


class OnPostgres:
    @pytest.fixture(autouse=True)
    def server(self, postgres_url, request):
        request.cls.url = postgres_url

    def target(self, place):
        return self.url


class OnMysql:
    def target(self, place):
        given = os.environ.get("HOLDALL_TEST_MYSQL")
        return given or pytest.skip("HOLDALL_TEST_MYSQL names no server")


class Persisting(PersisterContract):
    def open(self, place):
        return SqlPersister(self.target(place), table=table(place))


class Storing(StoreContract):
    keys = (1, "1", "c/d", (True, 1.5))

    def open(self, place):
        return SQLStore(self.target(place), table=table(place))

    def open_with(self, place, **options):
        return SQLStore(self.target(place), table=table(place), **options)


@pytest.mark.soak
class TestPersisterOnSqlite(OnSqlite, Persisting):
    pace = 0.3


class TestPersisterOnPostgres(OnPostgres, Persisting):
    pace = 0.5


@pytest.mark.soak
class TestStoreOnSqlite(OnSqlite, Storing):
    pass


class TestStoreOnPostgres(OnPostgres, Storing):
    pass


@pytest.mark.soak
class TestPersisterOnMysql(OnMysql, Persisting):
    pace = 0.5


@pytest.mark.soak
class TestStoreOnMysql(OnMysql, Storing):
    pass
