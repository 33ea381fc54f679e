"""Archives pass the suites of persisters and stores."""

import io
import zipfile

import pytest

from holdall import ZipStore
from holdall.keys import Suffix
from holdall.persisters.zip import ZipPersister
from holdall.serializers import by_suffix
from holdall.testing import PersisterContract, StoreContract


class TestZipPersister(PersisterContract):
    pace = 0.2  # each write makes the archive anew

    def open(self, place):
        return ZipPersister(place / "archive.zip")

    def raw_read(self, place, id):
        with zipfile.ZipFile(place / "archive.zip") as archive:
            return archive.read(id)

    def raw_write(self, place, id, data):
        with (
            zipfile.ZipFile(place / "archive.zip", "a") as archive,
            pytest.warns(UserWarning, match="Duplicate name"),
        ):
            archive.writestr(id, data)

    def break_place(self, place):
        (place / "archive.zip").write_bytes(b"not an archive any more")


@pytest.mark.soak
class TestZipInMemory(PersisterContract):
    def open(self, place):
        return ZipPersister(None, compression="bzip2", level=1)


@pytest.mark.soak
class TestZipInAnOpenFile(PersisterContract):
    def open(self, place):
        return ZipPersister(io.BytesIO(), compression="store")


class TestReadOnlyZip(PersisterContract):
    def open(self, place):
        path = place / "archive.zip"
        if not path.exists():
            zipfile.ZipFile(path, "w").close()
        return ZipPersister(path, read_only=True)

    def fill(self, persister, place):
        items = {"a": b"0", "folder/deep/d": b"1", "other": b"2"}
        with zipfile.ZipFile(place / "archive.zip", "a") as archive:
            archive.mkdir("folder")
            for id, data in items.items():
                archive.writestr(id, data)
        return items


class ZipStoreContract(StoreContract):
    def test_fromkeys_makes_a_store(self, place):
        made = ZipStore.fromkeys(["one", "two"], b"value")
        assert type(made) is ZipStore
        assert made == {"one": b"value", "two": b"value"}


class TestZipStore(ZipStoreContract):
    values = (b"one", b"two", b"three")

    def open(self, place):
        return ZipStore(place / "store.zip")

    def open_with(self, place, **options):
        return ZipStore(place / "store.zip", **options)

    def intrude(self, place):
        with zipfile.ZipFile(place / "store.zip", "w") as archive:
            archive.writestr("foreign", b"of somebody else")
        return "foreign"


@pytest.mark.soak
class TestZipStoreOfPickles(ZipStoreContract):
    def open(self, place):
        return ZipStore(place / "store.zip", serializer="pickle")


@pytest.mark.soak
class TestZipStoreBySuffix(ZipStoreContract):
    keys = ("a.txt", "b.md", "c/d.json", "é ü.pkl.gz")

    def open(self, place):
        return ZipStore(place / "store.zip", serializer=by_suffix(other="json"), keys=Suffix(""))
