"""Wrappers: each changes one aspect of a store and leaves the rest as it is.

Each takes a store, a store class, any mapping or mapping class, or only options, and returns accordingly: a
changed handle, a subclass, a store over the mapping, or a decorator of all these. The argument is never
changed. Wrappers compose in any order.

>>> from holdall import FileDirStore
>>> from holdall.wrappers import append_only, read_only
>>> @append_only
... class Log(FileDirStore):
...     '''Entries that stay.'''
>>> log = Log()
>>> log["1"] = "start"
>>> read_only(log)["1"]
'start'
"""

from holdall.wrappers._aliases import add_ipython_key_completions, aliases, appendable
from holdall.wrappers._base import Decorator, Wrapper, wrapper
from holdall.wrappers._bounded import BoundedPersister, BoundedStats, bounded
from holdall.wrappers._cached_keys import CachedKeysPersister, cached_keys
from holdall.wrappers._cached_values import CachedValuesPersister, cached_values
from holdall.wrappers._compose import Stack, compose
from holdall.wrappers._expiring import ExpiringPersister, expiring
from holdall.wrappers._filt_iter import filt_iter
from holdall.wrappers._flatten import flatten
from holdall.wrappers._on_missing import ComputingPersister, on_missing
from holdall.wrappers._overlay import OverlayPersister, overlay
from holdall.wrappers._read_only import append_only, read_only
from holdall.wrappers._wrap_kvs import wrap_keys, wrap_kvs
from holdall.wrappers._write_back import WriteBackPersister, write_back
from holdall.wrappers._write_once import Checks, write_once, write_once_checks

__all__ = [
    "BoundedPersister",
    "BoundedStats",
    "CachedKeysPersister",
    "CachedValuesPersister",
    "Checks",
    "ComputingPersister",
    "Decorator",
    "ExpiringPersister",
    "OverlayPersister",
    "Stack",
    "Wrapper",
    "WriteBackPersister",
    "add_ipython_key_completions",
    "aliases",
    "append_only",
    "appendable",
    "bounded",
    "cached_keys",
    "cached_values",
    "compose",
    "expiring",
    "filt_iter",
    "flatten",
    "on_missing",
    "overlay",
    "read_only",
    "wrap_keys",
    "wrap_kvs",
    "wrapper",
    "write_back",
    "write_once",
    "write_once_checks",
]
