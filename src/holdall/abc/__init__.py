"""All that can be plugged into holdall: persisters, serializers, key codecs.

This page is the contract for extensions. The implementations are in `holdall.persisters`,
`holdall.serializers` and `holdall.keys`; `holdall.testing` checks any implementation.

A persister maps *ids* (``str``) to *data* (``bytes``). Four methods make one::

    class Redis(Persister):
        def __getitem__(self, id): ...      # KeyError(id) means absent, and nothing else does
        def __setitem__(self, id, data): ...
        def __delitem__(self, id): ...
        def __iter__(self): ...

Everything else has a correct default built on those, to be overridden where the backend does better. An
override may be faster, never different. Override `Reader.stat` first: ``in``, etags, times, sizes and
compare-and-swap then need not read the data. If you override `Persister.write`, override `Persister.put` too
and make ``__setitem__`` call it, so that unconditional writers take part in compare-and-swap. For a backend
with a compare-and-swap of its own, start from `VersionedPersister`, which does so already.
"""

from typing import TYPE_CHECKING

from holdall._lazy import on_first_use
from holdall.abc.capability import Capability, Data, Unary, join_parts
from holdall.abc.keys import NOT_MINE, KeyCodec, NotMine
from holdall.abc.persister import Persister, Reader, conflict
from holdall.abc.serializer import KeyedSerializer, Serializer

if TYPE_CHECKING:
    from holdall.abc.versioned import VersionedPersister
    from holdall.abc.wrapper import PersisterWrapper

__all__ = [
    "NOT_MINE",
    "Capability",
    "Data",
    "KeyCodec",
    "KeyedSerializer",
    "NotMine",
    "Persister",
    "PersisterWrapper",
    "Reader",
    "Serializer",
    "Unary",
    "VersionedPersister",
    "conflict",
    "join_parts",
]

# Imported on first use: not every store needs them.
_LAZY = {
    "PersisterWrapper": "holdall.abc.wrapper",
    "VersionedPersister": "holdall.abc.versioned",
}

__getattr__, __dir__ = on_first_use(__name__, _LAZY)
