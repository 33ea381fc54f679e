"""Functions whose results are kept: computed once, found again in memory, in a store, in another process."""

from holdall.memo._decorator import memoize
from holdall.memo._fingerprint import register
from holdall.memo._memoized import CacheInfo, Memoized
from holdall.memo._version import VersionInfo

__all__ = ["CacheInfo", "Memoized", "VersionInfo", "memoize", "register"]
