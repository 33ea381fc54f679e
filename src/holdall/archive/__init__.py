"""Objects as importable Python source that outlives the library."""

from holdall.archive.archive import Archive

__all__ = ["Archive"]
