"""Names that differ by case only stay apart where the file system ignores case."""

import os

import pytest
from tests.posix._exfat import mounted

from holdall import ArchiveStore, FileDirStore, MultiFormatStore
from holdall._posix.case import folder_ignores_case, would_ignore_case
from holdall.archive import DataSet
from holdall.errors import InvalidKeyError, MismatchError
from holdall.keys import PathKeys

KEYS = ["Readme", "README", "x/A", "x/a", "X/a", "ÄÖ", "äö", "ß", "SS"]


@pytest.fixture
def ignoring(monkeypatch):
    """Take every new folder for one that ignores case."""
    monkeypatch.setattr("holdall.stores._case.would_ignore_case", lambda path: True)


@pytest.mark.parametrize("empty", [True, False])
def test_this_file_system_tells_names_by_case(tmp_path, empty):
    if not empty:
        (tmp_path / "1").touch()
        (tmp_path / "Name").touch()
    assert not would_ignore_case(str(tmp_path))
    assert not would_ignore_case(str(tmp_path / "not" / "there"))
    store = FileDirStore(tmp_path / "new", serializer="json")
    store["Readme"] = 1
    assert not folder_ignores_case(store.path)
    assert os.path.basename(store.file_of("Readme")) == "Readme.json"


def test_a_name_in_both_cases_tells_nothing_wrong(tmp_path):
    for name in ("a", "A"):
        (tmp_path / name).touch()
    assert not would_ignore_case(str(tmp_path))


@pytest.mark.usefixtures("ignoring")
def test_names_differ_by_more_than_case(tmp_path):
    store = FileDirStore(tmp_path, serializer="json")
    for number, key in enumerate(KEYS):
        store[key] = number
    files = [os.path.relpath(store.file_of(key), store.path) for key in KEYS]
    assert len({file.casefold() for file in files}) == len(KEYS)
    assert dict(store) == dict(zip(KEYS, range(len(KEYS)), strict=True))
    assert store.get_subdict("X") == {"a": 4}


@pytest.mark.parametrize("keys", [None, tuple])
def test_a_folder_is_reopened_as_it_was_made(tmp_path, monkeypatch, keys):
    monkeypatch.setattr("holdall.stores._case.would_ignore_case", lambda path: True)
    FileDirStore(tmp_path, serializer="json", keys=keys)["A"] = 1
    monkeypatch.undo()
    assert FileDirStore(tmp_path, serializer="json", keys=keys)["A"] == 1
    assert FileDirStore(tmp_path, suffix=".json", keys=keys)["A"] == 1
    with pytest.raises(MismatchError, match="fold_case"):
        FileDirStore(tmp_path, serializer="json", keys=PathKeys(suffix=".json", tuples=keys is tuple))


@pytest.mark.usefixtures("ignoring")
def test_formats_of_one_folder(tmp_path, monkeypatch):
    store = MultiFormatStore(tmp_path, "json", "text")
    store.json.update({"A": 1, "a": 2})
    monkeypatch.undo()
    again = MultiFormatStore(tmp_path)
    assert again.json == {"A": 1, "a": 2}
    assert sorted(os.listdir(tmp_path)) == ["%41.json", ".holdall", "a.json"]


@pytest.mark.usefixtures("ignoring")
def test_names_of_others_stay_what_they_are(tmp_path):
    (tmp_path / "Readme.txt").write_text("theirs")
    store = FileDirStore(tmp_path, serializer="text")
    assert dict(store) == {"Readme.txt": "theirs"}


def test_a_folder_that_was_moved_to_such_a_place_is_told(tmp_path, monkeypatch):
    FileDirStore(tmp_path, serializer="json")["a"] = 1
    monkeypatch.setattr("holdall.stores._case.folder_ignores_case", lambda path: True)
    with pytest.warns(UserWarning, match="copy_to"):
        store = FileDirStore(tmp_path)
    assert store["a"] == 1


@pytest.mark.soak
class TestOnExfat:
    @pytest.fixture(scope="class")
    @staticmethod
    def place(tmp_path_factory):
        with mounted(tmp_path_factory.mktemp("exfat")) as place:
            yield place

    @pytest.fixture(autouse=True)
    def _folder(self, place, request):
        """Have a folder a test; the first one is made in a file system without a name to look at."""
        self.folder = place / request.node.name

    def test_a_folder(self):
        store = FileDirStore(self.folder, serializer="json")
        for number, key in enumerate(KEYS):
            store[key] = number
        assert dict(store) == dict(zip(KEYS, range(len(KEYS)), strict=True))
        assert FileDirStore(self.folder) == dict(store)
        assert folder_ignores_case(str(self.folder))

    def test_formats(self):
        store = MultiFormatStore(self.folder, "json", "text")
        store.json.update({"A": 1, "a": 2})
        store.text.update({"A": "x", "a": "y"})
        again = MultiFormatStore(self.folder)
        assert again.json == {"A": 1, "a": 2}
        assert again.text == {"A": "x", "a": "y"}

    def test_a_folder_that_was_moved_here(self):
        store = FileDirStore(self.folder, serializer="json", keys=PathKeys(suffix=".json"))
        store["a"] = 1
        with pytest.warns(UserWarning, match="copy_to"):
            FileDirStore(self.folder)

    def test_an_archive_refuses_a_second_item_of_one_module(self):
        store = ArchiveStore(self.folder, trust=True)
        store["a"] = 1
        with pytest.raises(InvalidKeyError, match="ignores the case"):
            store["A"] = 2
        assert dict(store) == {"a": 1}
        del store["a"]
        store["A"] = 3
        assert dict(ArchiveStore(self.folder, trust=True)) == {"A": 3}

    def test_a_data_set_refuses_it_too(self, monkeypatch):
        self.folder.mkdir()
        monkeypatch.chdir(self.folder)
        with DataSet("ds", "w", trust=True) as ds:
            ds.a = 1
            with pytest.raises(InvalidKeyError, match="ignores the case"):
                ds.A = 2
            assert ds.a == 1
