"""Stores with caches, buffers, expiry and layers are stores: they pass the one suite."""

import re
import types

import pytest
from hypothesis import strategies as st

from exploring import examples
from holdall import (
    FileDirStore,
    MemoryStore,
    PersisterWrapper,
    ReadOnlyError,
    SQLiteStore,
    Store,
    UnsupportedError,
)
from holdall.abc import Capability
from holdall.persisters.files import FilesPersister
from holdall.persisters.mapping import MappingPersister
from holdall.testing import PersisterContract, StoreContract, store_machine
from holdall.wrappers import cached_keys, cached_values, expiring, overlay, read_only, write_back
from holdall.wrappers._cached_keys import CachedKeysPersister
from holdall.wrappers._cached_values import CachedValuesPersister
from holdall.wrappers._expiring import ExpiringPersister
from holdall.wrappers._overlay import OverlayPersister
from holdall.wrappers._write_back import WriteBackPersister


class Refreshing(PersisterWrapper):
    """Forgets before each look: what a cache of keys shows after refresh()."""

    def __iter__(self):
        self.inner.refresh()
        return iter(self.inner)

    def ids(self, prefix=""):
        self.inner.refresh()
        return self.inner.ids(prefix)

    def pages(self, prefix=""):
        self.inner.refresh()
        return self.inner.pages(prefix)

    def __len__(self):
        self.inner.refresh()
        return len(self.inner)

    def __contains__(self, id):
        self.inner.refresh()
        return id in self.inner


def refreshed(store):
    return store.with_persister(Refreshing(store.pipeline.persister))


# ---------------------------------------------------------------------- cached_keys


class TestCachedKeys(StoreContract):
    def open(self, place):
        return cached_keys(MemoryStore())

    def open_with(self, place, **options):
        return cached_keys(MemoryStore(**options))


@pytest.mark.soak
class TestSortedKeys(StoreContract):
    def open(self, place):
        return cached_keys({}, keys_cache=sorted)


@pytest.mark.soak
class TestKeysByAFunction(StoreContract):
    def open(self, place):
        return cached_keys({}, keys_cache=reversed)


@pytest.mark.soak
class TestGivenKeys(StoreContract):
    def open(self, place):
        return cached_keys({}, keys_cache=())


@pytest.mark.soak
class TestCachedKeysOfAFolder(StoreContract):
    """Handles of one folder see each other's writes after refresh(), and this one refreshes all the time."""

    def open(self, place):
        return refreshed(cached_keys(FileDirStore(place / "store", serializer="json")))

    def open_with(self, place, **options):
        return cached_keys(FileDirStore(place / "store", serializer="json", **options))


class TestCachedKeysPersister(PersisterContract):
    def open(self, place):
        return CachedKeysPersister(MappingPersister({}))


@pytest.mark.soak
class TestCachedKeysOfFiles(PersisterContract):
    def open(self, place):
        return Refreshing(CachedKeysPersister(FilesPersister(place / "files"), sorted))


# ---------------------------------------------------------------------- cached_values


class TestCachedValues(StoreContract):
    def open(self, place):
        return cached_values(MemoryStore())

    def open_with(self, place, **options):
        return cached_values(MemoryStore(**options))


@pytest.mark.soak
class TestCachedValuesOfAFolderInAFolder(StoreContract):
    def open(self, place):
        return cached_values(
            FileDirStore(place / "store", serializer="json"), cache=FileDirStore(place / "cache")
        )


@pytest.mark.soak
class TestValidatedValues(StoreContract):
    def open(self, place):
        return cached_values(FileDirStore(place / "store"), cache=dict, validate="etag")


@pytest.mark.soak
class TestValidatedValuesInAFolder(StoreContract):
    def open(self, place):
        return cached_values(
            FileDirStore(place / "store"),
            cache=FileDirStore(place / "cache"),
            validate="etag",
            etags=FileDirStore(place / "etags", serializer="json"),
            max_age=3600,
        )


@pytest.mark.soak
class TestValuesOfAnAge(StoreContract):
    def open(self, place):
        return cached_values({}, cache=dict, max_age=3600)


class TestCachedValuesPersister(PersisterContract):
    def open(self, place):
        return CachedValuesPersister(MappingPersister({}), {}, validate="etag")


@pytest.mark.soak
class TestCachedValuesPersisterOfFiles(PersisterContract):
    def open(self, place):
        return CachedValuesPersister(FilesPersister(place / "files"), {}, validate="etag")


# ---------------------------------------------------------------------- write_back


class TestWriteBack(StoreContract):
    def open(self, place):
        return write_back(MemoryStore())

    def open_with(self, place, **options):
        return write_back(MemoryStore(**options))


@pytest.mark.soak
class TestWriteBackToAFolder(StoreContract):
    def open(self, place):
        return write_back(FileDirStore(place / "store"), max_items=2, max_bytes=1000)


class TestWriteBackPersister(PersisterContract):
    def open(self, place):
        return WriteBackPersister(FilesPersister(place / "files"), max_items=None, max_bytes=100)


@pytest.mark.soak
class TestWriteBackOfObjects(PersisterContract):
    def open(self, place):
        return WriteBackPersister(MappingPersister({}), max_items=3)


# ---------------------------------------------------------------------- expiring


class TestExpiring(StoreContract):
    def open(self, place):
        return expiring(FileDirStore(place / "store"), ttl=3600)

    def open_with(self, place, **options):
        return expiring(FileDirStore(place / "store", **options), ttl=3600)


@pytest.mark.soak
class TestExpiringInMemory(StoreContract):
    def open(self, place):
        return expiring({}, ttl=3600)


class TestExpiringPersister(PersisterContract):
    def open(self, place):
        return ExpiringPersister(MappingPersister({}), ttl=3600)


@pytest.mark.soak
class TestExpiringPersisterOfFiles(PersisterContract):
    def open(self, place):
        return ExpiringPersister(FilesPersister(place / "files"), ttl=3600)


# ---------------------------------------------------------------------- overlay


class TestOverlay(StoreContract):
    def open(self, place):
        return overlay(FileDirStore(place / "first"), types.MappingProxyType({}))


@pytest.mark.soak
class TestOverlayOfWritableStores(StoreContract):
    def open(self, place):
        return overlay(FileDirStore(place / "first"), FileDirStore(place / "second"), MemoryStore())


@pytest.mark.soak
class TestOverlayThatWritesToAll(StoreContract):
    def open(self, place):
        return overlay(FileDirStore(place / "first"), FileDirStore(place / "second"), write="all")


@pytest.mark.soak
class TestOverlayThatPromotes(StoreContract):
    def open(self, place):
        return overlay(MemoryStore(), FileDirStore(place / "second"), promote=True, write="all")


class TestOverlayPersister(PersisterContract):
    def open(self, place):
        return OverlayPersister([Store(FilesPersister(place / "files")), Store({})])


@pytest.mark.soak
class TestOverlayPersisterThatWritesToAll(PersisterContract):
    def open(self, place):
        return OverlayPersister([Store({}), Store(FilesPersister(place / "files"))], "all")


# ---------------------------------------------------------------------- several at once


@pytest.mark.soak
class TestAllAtOnce(StoreContract):
    def open(self, place):
        store = expiring(FileDirStore(place / "store"), ttl=3600)
        return write_back(cached_keys(cached_values(overlay(store, read_only({})))))


@pytest.mark.soak
class TestAllAtOnceTheOtherWayRound(StoreContract):
    def open(self, place):
        store = write_back(FileDirStore(place / "store"), max_items=3)
        return expiring(cached_values(cached_keys(store, keys_cache=sorted), validate="etag"), ttl=3600)


@pytest.mark.soak
class TestPartOfACachedStore(StoreContract):
    def open(self, place):
        store = cached_values(cached_keys(FileDirStore(place / "store").get_subdict("a")))
        return refreshed(store.get_subdict("b"))


# ---------------------------------------------------------------------- claims


def claims(store):
    return store.pipeline.persister.capabilities


def test_wrappers_that_remember_have_no_transactions(tmp_path):
    table = SQLiteStore(tmp_path / "store.db")
    assert Capability.TRANSACTIONS in claims(table)
    for plain in (Store(table), table.get_subdict("a"), expiring(table, ttl=1)):
        assert Capability.TRANSACTIONS in claims(plain)
        with plain.transaction():
            plain["x"] = 1
        assert plain.pop("x") == 1
    for remembers in (cached_keys(table), cached_values(table), write_back(table), overlay(table, table)):
        assert Capability.TRANSACTIONS not in claims(remembers)
        with pytest.raises(UnsupportedError, match=re.escape(table.path)), remembers.transaction():
            pytest.fail("the block must not run")
    with pytest.raises(ReadOnlyError), read_only(table).transaction():
        pytest.fail("the block must not run")


def test_wrappers_claim_what_is_true_of_them(tmp_path):
    host = {Capability.CAS_HOST, Capability.PERSISTENT}
    folder = FileDirStore(tmp_path / "a")
    assert host <= claims(expiring(folder, ttl=1))
    assert host <= claims(cached_keys(folder))
    assert host <= claims(cached_values(folder))
    assert not host & claims(write_back(folder))
    assert Capability.CAS_THREADS in claims(write_back(folder))
    fixed = FileDirStore(tmp_path / "b", read_only=False)
    assert host <= claims(overlay(folder, read_only(fixed)))
    for several in (overlay(folder, fixed), overlay(folder, fixed, write="all")):
        assert Capability.CAS_HOST not in claims(several)
        assert Capability.CAS_THREADS in claims(several)
    assert Capability.CAS_THREADS not in claims(overlay(folder, fixed, promote=True))
    assert Capability.PERSISTENT not in claims(overlay(folder, {}))
    assert Capability.WRITABLE not in claims(overlay(read_only(folder), fixed))


# ---------------------------------------------------------------------- machines

keys = st.sampled_from(["", "a", "a/b", "a.json/b", "A", "é", "..", "con"])
values = st.none() | st.integers() | st.lists(st.text(max_size=3), max_size=3)
few = examples(12, stateful_step_count=25)


def machine(open):
    case = store_machine(open, keys, values).TestCase
    case.settings = few
    return case


soak = pytest.mark.soak


TestMachineOfCachedKeys = machine(lambda place: cached_keys(MemoryStore()))
TestMachineOfSortedKeys = soak(machine(lambda place: cached_keys({}, keys_cache=sorted)))
TestMachineOfGivenKeys = soak(machine(lambda place: cached_keys({}, keys_cache=[])))
TestMachineOfCachedValues = machine(lambda place: cached_values(MemoryStore(), cache={}))
TestMachineOfValidatedValues = machine(
    lambda place: cached_values(FileDirStore(place / "s", serializer="json"), cache=dict, validate="etag")
)
TestMachineOfWriteBack = machine(lambda place: write_back(MemoryStore(), max_items=3))
TestMachineOfWriteBackToAFolder = soak(
    machine(lambda place: write_back(FileDirStore(place / "s"), max_items=4, max_bytes=60))
)
TestMachineOfOverlay = machine(lambda place: overlay({}, types.MappingProxyType({})))
TestMachineOfOverlayOfAll = soak(
    machine(lambda place: overlay(MemoryStore(), FileDirStore(place / "s"), write="all"))
)
TestMachineOfPromotion = machine(lambda place: overlay({}, MemoryStore(), write="all", promote=True))
TestMachineOfExpiry = machine(lambda place: expiring({}, ttl=3600))
