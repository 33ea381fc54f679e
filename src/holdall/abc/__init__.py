"""All that can be plugged into holdall: persisters, serializers, key codecs.

This page is the contract for extensions; what implements it lies in `holdall.persisters`,
`holdall.serializers` and `holdall.keys`, and `holdall.testing` checks any implementation.

A persister maps *ids* (``str``) to *data* (``bytes``). Four methods make one::

    class Redis(Persister):
        def __getitem__(self, id): ...      # KeyError(id) means absent, and nothing else does
        def __setitem__(self, id, data): ...
        def __delitem__(self, id): ...
        def __iter__(self): ...

Everything else has a correct default built on those, and may be overridden where the place does it
better. An override may be faster, never different. `Reader.stat` is the one to override first: it buys
``in``, etags, times, sizes and cheap compare-and-swap. Whoever overrides `Persister.write` overrides
`Persister.put` and makes ``__setitem__`` go the same way, so that unconditional writers take part in
compare-and-swap. A place that compares and swaps by itself is a `VersionedPersister`, where that is so
already.
"""

from holdall.abc.capability import Capability, Data, Unary, join_parts
from holdall.abc.keys import NOT_MINE, KeyCodec, NotMine
from holdall.abc.persister import Persister, Reader, conflict
from holdall.abc.serializer import KeyedSerializer, Serializer
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
