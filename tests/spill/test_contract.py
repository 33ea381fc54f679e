"""Spilling stores are stores: they pass the one suite, with room for all, for some, and for nothing."""

import pytest

from holdall import ITEM_NOT_AVAILABLE, FileDirStore, MemoryStore, SerializationError, SpillStore, Store
from holdall.conditional import ANY_ETAG
from holdall.persisters.mapping import MappingPersister
from holdall.testing import PersisterContract, StoreContract
from holdall.testing._store_base import same_items
from holdall.wrappers.spilling import SpillPersister


class SpillContract(StoreContract):
    """The suite, but for one law: what cannot be written stays in memory, as in a dict."""

    def test_a_value_that_cannot_be_written_leaves_the_old_one(self, place):
        store, model = self.partly(place)
        roomy = store.stats().budget > 1  # a lock takes 40 bytes
        for key in (self.keys[0], self.absent):
            if roomy:
                store[key] = self.unstorable
                assert store[key] is self.unstorable
                with pytest.raises(SerializationError, match="stay in memory only"):
                    store.flush()
                del store[key]
                model.pop(key, None)
            else:
                with pytest.raises(SerializationError, match="there is no room"):
                    store[key] = self.unstorable
            with pytest.raises(SerializationError):
                store.set_item_if(
                    key,
                    value=self.unstorable,
                    condition=ANY_ETAG,
                    expected_etag=ITEM_NOT_AVAILABLE,
                )
            assert same_items(store, model)


class TestWithRoomForAll(SpillContract):
    def open(self, place):
        return SpillStore(place / "store")

    def open_with(self, place, **options):
        return SpillStore(place / "store", **options)


@pytest.mark.soak
class TestWithRoomForTwo(SpillContract):
    def open(self, place):
        return SpillStore(place / "store", memory=110, policy="lru")


@pytest.mark.soak
class TestWithRoomForNothing(SpillContract):
    def open(self, place):
        return SpillStore(place / "store", memory=1)


@pytest.mark.soak
class TestOfAnyKeys(SpillContract):
    keys = (1, "1", "c/d", (True, 1.5))

    def open(self, place):
        return SpillStore(place / "store", memory=110)


@pytest.mark.soak
class TestWritingAtOnce(StoreContract):
    def open(self, place):
        return SpillStore(place / "store", memory=110, sync="always")


@pytest.mark.soak
class TestTemporary(SpillContract):
    def open(self, place):
        return SpillStore(memory=110)

    def open_with(self, place, **options):
        return SpillStore(memory=110, **options)


@pytest.mark.soak
class TestOverAFolder(SpillContract):
    def open(self, place):
        return SpillStore(slow=FileDirStore(place / "store", serializer="json"), memory=110, policy="sieve")


@pytest.mark.soak
class TestOverMemory(SpillContract):
    def open(self, place):
        return SpillStore(slow=MemoryStore(serializer="pickle"), memory=110)


class TestPersister(PersisterContract):
    def open(self, place):
        return SpillPersister(Store(MappingPersister({}), serializer="pickle"), memory=200)


@pytest.mark.soak
class TestPersisterOverObjects(PersisterContract):
    def open(self, place):
        return SpillPersister(MappingPersister({}), memory=70, policy="lfu")
