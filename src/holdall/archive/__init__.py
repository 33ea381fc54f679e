"""Objects as importable Python source that outlives the library."""

from typing import TYPE_CHECKING

from holdall._lazy import on_first_use

if TYPE_CHECKING:
    from holdall.archive.archivable import Archivable, Container
    from holdall.archive.archive import Archive
    from holdall.archive.dataset import DataSet
    from holdall.archive.reading import load, loads
    from holdall.archive.store import ArchiveStore

__all__ = ["Archivable", "Archive", "ArchiveStore", "Container", "DataSet", "load", "loads"]

# Only the store needs the other stores, and reading needs nothing of writing.
_LAZY = {
    "Archivable": "holdall.archive.archivable",
    "Archive": "holdall.archive.archive",
    "ArchiveStore": "holdall.archive.store",
    "Container": "holdall.archive.archivable",
    "DataSet": "holdall.archive.dataset",
    "load": "holdall.archive.reading",
    "loads": "holdall.archive.reading",
}

__getattr__, __dir__ = on_first_use(__name__, _LAZY)
