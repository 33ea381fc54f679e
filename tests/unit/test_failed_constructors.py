"""What a constructor that failed leaves behind can be shown."""

from functools import partial

import pytest

import holdall
from holdall.search import SearchStore
from holdall.store._compiled import Compiled
from holdall.wrappers._overlay import OverlayPersister


@pytest.mark.parametrize(
    "cls",
    [
        *(
            getattr(holdall, name)
            for name in holdall.__all__
            if name.endswith("Store") and name != "ArchiveStore"
        ),
        holdall.ArchiveStore,
        holdall.SQLRows,
        holdall.SQLTables,
        holdall.Value,
        SearchStore,
        OverlayPersister,
        holdall.DataSet,
    ],
)
def test_what_was_not_made_has_a_plain_repr(cls):
    """As tracebacks with variables show it, when a constructor has failed."""
    assert repr(cls.__new__(cls)).startswith(f"<{cls.__module__}.{cls.__qualname__} object at ")


def test_a_store_whose_making_fails_half_way_has_a_plain_repr(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no place")

    monkeypatch.setattr(Compiled, "__init__", fail)
    for make in (
        holdall.MemoryStore,
        partial(holdall.FileDirStore, tmp_path / "folder"),
        partial(holdall.SQLiteStore, tmp_path / "store.db"),
        partial(holdall.MultiFormatStore, tmp_path / "formats", "json"),
    ):
        with pytest.raises(OSError, match="no place") as caught:
            make()
        shown = [
            repr(entry.frame.f_locals["self"]) for entry in caught.traceback if "self" in entry.frame.f_locals
        ]
        assert any("Store object at" in one for one in shown)
