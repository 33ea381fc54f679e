"""File systems of fsspec keep the contracts of places and stores, on real servers."""

import pytest

from holdall import FsspecStore
from holdall.persisters.fsspec import FsspecPersister
from holdall.testing import PersisterContract, StoreContract


class InMemory:
    def url(self, place):
        return f"memory://{place}"


class OnDisk:
    def url(self, place):
        return f"file://{place}/store"


class Served:
    """A folder on a server."""

    served = ""
    tick = 1.1  # times are told in whole seconds
    pace = 0.05

    @pytest.fixture(autouse=True)
    def server(self, request):
        request.cls.root = request.getfixturevalue(self.served)

    def url(self, place):
        return f"{self.root}/{place.name}/store"


class Persisting(PersisterContract):
    def open(self, place):
        return FsspecPersister(self.url(place))


class Storing(StoreContract):
    def open(self, place):
        return FsspecStore(self.url(place))


class TestPersisterInMemory(InMemory, Persisting):
    pass


@pytest.mark.soak
class TestPersisterOnDisk(OnDisk, Persisting):
    pass


class TestStoreInMemory(InMemory, Storing):
    pass


@pytest.mark.soak
class TestStoreOnDisk(OnDisk, Storing):
    pass


@pytest.mark.soak
class TestPersisterOverSftp(Served, Persisting):
    served = "sftp_url"


@pytest.mark.soak
class TestPersisterOverFtp(Served, Persisting):
    served = "ftp_url"


@pytest.mark.soak
class TestStoreOverSftp(Served, Storing):
    served = "sftp_url"


@pytest.mark.soak
class TestStoreOverFtp(Served, Storing):
    served = "ftp_url"
