"""Objects as importable Python source that outlives the library."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdall.archive.archivable import Archivable, Container
    from holdall.archive.archive import Archive
    from holdall.archive.dataset import DataSet
    from holdall.archive.reading import load, loads
    from holdall.archive.store import ArchiveStore

__all__ = ["Archivable", "Archive", "ArchiveStore", "Container", "DataSet", "load", "loads"]

# Only the store needs the other stores, and reading needs nothing of writing.
_LAZY = {
    "Archivable": "archivable",
    "Archive": "archive",
    "ArchiveStore": "store",
    "Container": "archivable",
    "DataSet": "dataset",
    "load": "reading",
    "loads": "reading",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"holdall.archive.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
