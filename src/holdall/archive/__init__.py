"""Objects as importable Python source that outlives the library."""

from holdall.archive.archivable import Archivable, Container
from holdall.archive.archive import Archive

__all__ = ["Archivable", "Archive", "Container"]
