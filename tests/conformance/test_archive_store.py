"""A package of modules keeps the laws of persisters and stores."""

import pytest
from hypothesis import strategies as st

from exploring import examples
from holdall.archive.store import ArchivePersister, ArchiveStore
from holdall.testing import PersisterContract, StoreContract, store_machine


class TestArchivePersister(PersisterContract):
    pace = 0.25

    def open(self, place):
        return ArchivePersister(place / "package")

    def break_place(self, place):
        (place / "package").rename(place / "moved")
        (place / "package").write_text("no package")


@pytest.mark.soak
class TestArchivePersisterAtFullPace(TestArchivePersister):
    pace = 1


class TestArchivePersisterReadOnly(PersisterContract):
    def open(self, place):
        ArchivePersister(place / "package")
        return ArchivePersister(place / "package", read_only=True)

    def fill(self, persister, place):
        return super().fill(ArchivePersister(place / "package"), place)


class TestArchiveStore(StoreContract):
    def open(self, place):
        return ArchiveStore(place / "package")

    def open_with(self, place, **options):
        return ArchiveStore(place / "package", **options)


@pytest.mark.soak
class TestArchiveStoreOfAnyKeys(StoreContract):
    keys = (1, "1", "c/d", (True, 1.5))

    def open(self, place):
        return ArchiveStore(place / "package")


keys = st.sampled_from(["", "a", "a/b", "class", "A", "é", "..", "x" * 300, 5, (1, "a"), None])
values = st.none() | st.integers() | st.lists(st.text(max_size=3), max_size=3)
TestArchiveStoreMachine = store_machine(lambda place: ArchiveStore(place / "s"), keys, values).TestCase
TestArchiveStoreMachine.settings = examples(12, stateful_step_count=20)
