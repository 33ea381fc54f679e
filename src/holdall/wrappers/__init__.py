"""Wrappers: what changes a store in one respect and leaves the rest as it is.

Each takes a store, a store class, any mapping or mapping class, or only options, and gives the same kind of
thing: a changed handle, a subclass, a store over the mapping, or a decorator of all these. What is given is
never changed. They compose in any order.

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

from holdall.wrappers._base import Decorator, Wrapper, wrapper
from holdall.wrappers.bounding import BoundedStats, bounded
from holdall.wrappers.buffer import write_back
from holdall.wrappers.expiry import expiring
from holdall.wrappers.guards import Checks, append_only, read_only, write_once, write_once_checks
from holdall.wrappers.layers import overlay
from holdall.wrappers.listing import cached_keys
from holdall.wrappers.manners import Stack, add_ipython_key_completions, aliases, appendable, compose
from holdall.wrappers.nesting import flatten
from holdall.wrappers.transforms import filt_iter, wrap_keys, wrap_kvs
from holdall.wrappers.values import cached_values

__all__ = [
    "BoundedStats",
    "Checks",
    "Decorator",
    "Stack",
    "Wrapper",
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
    "overlay",
    "read_only",
    "wrap_keys",
    "wrap_kvs",
    "wrapper",
    "write_back",
    "write_once",
    "write_once_checks",
]
