"""Functions whose results are kept: computed once, then found in memory, a store, or another process."""

from holdall.memo._asking import CacheInfo
from holdall.memo._decorator import memoize
from holdall.memo._details import Result
from holdall.memo._fingerprint import register
from holdall.memo._inspecting import Kept, inspect
from holdall.memo._memoized import Memoized
from holdall.memo._options import MEMORY
from holdall.memo._plotting import plot
from holdall.memo._references import Hit, Reference
from holdall.memo._version import VersionInfo

__all__ = [
    "MEMORY",
    "CacheInfo",
    "Hit",
    "Kept",
    "Memoized",
    "Reference",
    "Result",
    "VersionInfo",
    "inspect",
    "memoize",
    "plot",
    "register",
]
