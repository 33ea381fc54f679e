"""Bounded stores are stores: as long as there is room, nothing tells them from what they bound."""

import pytest
from hypothesis import strategies as st

from exploring import AMONG_PROCESSES, examples, soaks
from holdall import FileDirStore, MemoryStore, ScriptStore, SQLiteStore, Store
from holdall.persisters.files import FilesPersister
from holdall.persisters.mapping import MappingPersister
from holdall.stores.sqlite import database
from holdall.testing import PersisterContract, StoreContract, store_machine
from holdall.wrappers import bounded, cached_keys, cached_values, expiring, write_back


def bounded_persister(persister, **options):
    return bounded(Store(persister), max_bytes="1GB", **options).pipeline.persister


@pytest.mark.soak
class TestBoundedDict(PersisterContract):
    def open(self, place):
        return bounded_persister(MappingPersister({}))


@pytest.mark.soak
class TestBoundedFiles(PersisterContract):
    def open(self, place):
        return bounded_persister(FilesPersister(place / "files"), policy="gdsf")

    def raw_read(self, place, id):
        return (place / "files" / id).read_bytes()


@soaks(*AMONG_PROCESSES)
class TestBoundedTable(PersisterContract):
    def open(self, place):
        return bounded_persister(database(place / "store.db"), policy="lfu")


@pytest.mark.soak
class TestBoundedTableWithFiles(PersisterContract):
    def open(self, place):
        return bounded_persister(database(place / "store.db", files_from=1000), policy="sieve")

    def data(self, number):
        return b"%d" % number + b" " * 3000 * (number % 2)


class TestBoundedMemoryStore(StoreContract):
    def open(self, place):
        return bounded(MemoryStore(), max_items=100_000)

    def open_with(self, place, **options):
        return bounded(MemoryStore(**options), max_items=100_000)


@pytest.mark.soak
class TestBoundedFolder(StoreContract):
    def open(self, place):
        return bounded(FileDirStore(place / "store", serializer="json"), max_bytes="1GB")

    def open_with(self, place, **options):
        return bounded(FileDirStore(place / "store", serializer="json", **options), max_bytes="1GB")


@pytest.mark.soak
class TestBoundedSQLiteStore(StoreContract):
    def open(self, place):
        return bounded(SQLiteStore(place / "store.db"), max_bytes="1GB")

    def open_with(self, place, **options):
        return bounded(SQLiteStore(place / "store.db", serializer="json", **options), max_bytes="1GB")


@pytest.mark.soak
class TestBoundedPart(StoreContract):
    def open(self, place):
        return bounded(SQLiteStore(place / "store.db"), max_bytes="1GB", policy="sieve").get_subdict("part")


@pytest.mark.soak
class TestBoundedScript(StoreContract):
    def open(self, place):
        return bounded(ScriptStore(place / "script.py", create=True), max_items=100_000, policy="lfu")


@pytest.mark.soak
class TestBoundedStoreOverAStore(StoreContract):
    def open(self, place):
        return bounded(Store(Store(SQLiteStore(place / "store.db", serializer="text"))), max_bytes="1GB")


@pytest.mark.soak
class TestWrappersAroundABoundedStore(StoreContract):
    def open(self, place):
        return expiring(bounded(FileDirStore(place / "store"), max_bytes="1GB"), ttl=3600)


@pytest.mark.soak
class TestCachesAroundABoundedStore(StoreContract):
    def open(self, place):
        return cached_keys(cached_values(bounded(SQLiteStore(place / "store.db"), max_bytes="1GB")))

    @pytest.mark.skip("caches show what others did after refresh()")
    def test_two_stores_of_one_place_are_one(self, place):
        """As of cached_keys."""


@pytest.mark.soak
class TestABoundAroundWrappers(StoreContract):
    def open(self, place):
        return bounded(write_back(expiring(FileDirStore(place / "store"), ttl=3600)), max_bytes="1GB")


keys = st.sampled_from(["", "a", "a/b", "a.json/b", "A", "é", "..", "con"])
values = st.none() | st.integers() | st.lists(st.text(max_size=3), max_size=3)
few = examples(12, stateful_step_count=25)


def machine(open):
    case = store_machine(open, keys, values).TestCase
    case.settings = few
    return case


TestMachineOfABoundedTable = pytest.mark.soak(
    machine(lambda place: bounded(SQLiteStore(place / "s.db"), max_bytes="1GB"))
)
TestMachineOfABoundedDict = machine(lambda place: bounded({}, max_items=100))
TestMachineOfABoundedFolder = pytest.mark.soak(
    machine(lambda place: bounded(FileDirStore(place / "s"), max_bytes="1GB"))
)
