"""One dict-like interface for everything in which Python can keep data.

>>> import holdall
>>> store = holdall.FileDirStore(serializer="json")
>>> store["x"] = [1, 2, 3]
>>> holdall.FileDirStore(store.path)["x"]
[1, 2, 3]
"""

from holdall._version import __version__

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without the import
if TYPE_CHECKING:
    from holdall.abc import (
        NOT_MINE,
        KeyCodec,
        Persister,
        PersisterWrapper,
        Reader,
        Serializer,
    )
    from holdall.addresses import open as open  # noqa: A004  (exported, though * leaves it out)
    from holdall.archive import Archive, ArchiveStore, DataSet
    from holdall.conditional import (
        ALWAYS_RETRIEVE,
        ANY_ETAG,
        DELETE_CURRENT,
        ETAG_HAS_CHANGED,
        ETAG_IS_THE_SAME,
        IF_ETAG_CHANGED,
        ITEM_NOT_AVAILABLE,
        KEEP_CURRENT,
        NEVER_RETRIEVE,
        VALUE_NOT_RETRIEVED,
        TransformResult,
    )
    from holdall.errors import (
        ConflictError,
        CorruptValueError,
        HoldallError,
        InvalidArgumentError,
        InvalidKeyError,
        MismatchError,
        OutcomeUnknownError,
        ReadOnlyError,
        SerializationError,
        StoreFullError,
        StoreNotFoundError,
        StoreUnavailableError,
        UnsupportedError,
        UntrustedStoreError,
        ValueTooLargeError,
    )
    from holdall.keys import AnyKeys, PathKeys, Prefix, Suffix, Template
    from holdall.memo import memoize
    from holdall.store import Store
    from holdall.stores.files import FileDirStore
    from holdall.stores.fsspec import FsspecStore
    from holdall.stores.lmdb import LmdbStore
    from holdall.stores.memory import MemoryStore
    from holdall.stores.mongo import MongoStore
    from holdall.stores.multiformat import MultiFormatStore
    from holdall.stores.null import NullStore
    from holdall.stores.redis import RedisStore
    from holdall.stores.s3 import S3Store
    from holdall.stores.script import ScriptStore
    from holdall.stores.spill import SpillStore
    from holdall.stores.sql import SQLStore
    from holdall.stores.sql_rows import SQLRows, SQLTables
    from holdall.stores.sqlite import SQLiteStore
    from holdall.stores.zip import ZipStore
    from holdall.value import Value

_errors = (
    "ConflictError CorruptValueError HoldallError InvalidArgumentError InvalidKeyError MismatchError "
    "OutcomeUnknownError ReadOnlyError SerializationError StoreFullError StoreNotFoundError "
    "StoreUnavailableError UnsupportedError UntrustedStoreError ValueTooLargeError"
)
_conditional = (
    "ALWAYS_RETRIEVE ANY_ETAG DELETE_CURRENT ETAG_HAS_CHANGED ETAG_IS_THE_SAME IF_ETAG_CHANGED "
    "ITEM_NOT_AVAILABLE KEEP_CURRENT NEVER_RETRIEVE VALUE_NOT_RETRIEVED "
    "TransformResult"
)
# The module of each public name, which is imported on first use.
_home = {
    name: module
    for module, names in {
        "abc": "NOT_MINE KeyCodec Persister PersisterWrapper Reader Serializer",
        "addresses": "open",
        "archive": "Archive ArchiveStore DataSet",
        "conditional": _conditional,
        "errors": _errors,
        "keys": "AnyKeys PathKeys Prefix Suffix Template",
        "memo": "memoize",
        "store": "Store",
        "stores.files": "FileDirStore",
        "stores.fsspec": "FsspecStore",
        "stores.lmdb": "LmdbStore",
        "stores.memory": "MemoryStore",
        "stores.mongo": "MongoStore",
        "stores.multiformat": "MultiFormatStore",
        "stores.null": "NullStore",
        "stores.redis": "RedisStore",
        "stores.s3": "S3Store",
        "stores.script": "ScriptStore",
        "stores.spill": "SpillStore",
        "stores.sql": "SQLStore",
        "stores.sql_rows": "SQLRows SQLTables",
        "stores.sqlite": "SQLiteStore",
        "stores.zip": "ZipStore",
        "value": "Value",
    }.items()
    for name in names.split()
}

# All but `open`, which would hide the built-in after ``from holdall import *``.
__all__ = [
    "ALWAYS_RETRIEVE",
    "ANY_ETAG",
    "DELETE_CURRENT",
    "ETAG_HAS_CHANGED",
    "ETAG_IS_THE_SAME",
    "IF_ETAG_CHANGED",
    "ITEM_NOT_AVAILABLE",
    "KEEP_CURRENT",
    "NEVER_RETRIEVE",
    "NOT_MINE",
    "VALUE_NOT_RETRIEVED",
    "AnyKeys",
    "Archive",
    "ArchiveStore",
    "ConflictError",
    "CorruptValueError",
    "DataSet",
    "FileDirStore",
    "FsspecStore",
    "HoldallError",
    "InvalidArgumentError",
    "InvalidKeyError",
    "KeyCodec",
    "LmdbStore",
    "MemoryStore",
    "MismatchError",
    "MongoStore",
    "MultiFormatStore",
    "NullStore",
    "OutcomeUnknownError",
    "PathKeys",
    "Persister",
    "PersisterWrapper",
    "Prefix",
    "ReadOnlyError",
    "Reader",
    "RedisStore",
    "S3Store",
    "SQLRows",
    "SQLStore",
    "SQLTables",
    "SQLiteStore",
    "ScriptStore",
    "SerializationError",
    "Serializer",
    "SpillStore",
    "Store",
    "StoreFullError",
    "StoreNotFoundError",
    "StoreUnavailableError",
    "Suffix",
    "Template",
    "TransformResult",
    "UnsupportedError",
    "UntrustedStoreError",
    "Value",
    "ValueTooLargeError",
    "ZipStore",
    "__version__",
    "memoize",
]


def __getattr__(name: str) -> object:
    try:
        module = _home[name]
    except KeyError:
        raise AttributeError(f"module 'holdall' has no attribute {name!r}") from None
    from importlib import import_module  # noqa: PLC0415  (only on first use)

    value: object = getattr(import_module(f"holdall.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "open"])
