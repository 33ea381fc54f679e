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
        KeyCodec,
        Persister,
        PersisterWrapper,
        Reader,
        Serializer,
    )
    from holdall.addresses import open as open  # noqa: A004  (exported, though * leaves it out)
    from holdall.archive import Archive, ArchiveStore, DataSet
    from holdall.conditional import (
        DELETE_CURRENT,
        ITEM_NOT_AVAILABLE,
        KEEP_CURRENT,
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
# The module of each public name, which is imported on first use.
_home = {
    name: module
    for module, names in {
        "abc": "KeyCodec Persister PersisterWrapper Reader Serializer",
        "addresses": "open",
        "archive": "Archive ArchiveStore DataSet",
        "conditional": "DELETE_CURRENT ITEM_NOT_AVAILABLE KEEP_CURRENT TransformResult",
        "errors": _errors,
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
# Names that were here before, by the module that has them now.
_moved = {
    name: module
    for module, names in {
        "abc": "NOT_MINE",
        "conditional": (
            "ALWAYS_RETRIEVE ANY_ETAG ETAG_HAS_CHANGED ETAG_IS_THE_SAME IF_ETAG_CHANGED NEVER_RETRIEVE "
            "VALUE_NOT_RETRIEVED"
        ),
        "keys": "AnyKeys PathKeys Prefix Suffix Template",
    }.items()
    for name in names.split()
}
# Public modules, imported when they are first used, as in ``holdall.wrappers.bounded``.
_modules = (
    "abc addresses archive conditional errors keys memo migrate nested persisters recipes search serializers "
    "serve store stores testing wrappers"
)
# Where to find names that are often looked for here.
_elsewhere = {
    name: module
    for module, names in {
        "recipes": "web_cache",
        "search": "SearchStore",
        "stores.document": "DocumentStore",
        "stores.tar": "TarStore",
        "wrappers": (
            "append_only bounded cached_keys cached_values compose expiring filt_iter flatten on_missing "
            "overlay read_only wrap_keys wrap_kvs write_back write_once"
        ),
    }.items()
    for name in names.split()
}

# All but `open`, which would hide the built-in after ``from holdall import *``.
__all__ = [
    "DELETE_CURRENT",
    "ITEM_NOT_AVAILABLE",
    "KEEP_CURRENT",
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
    "Persister",
    "PersisterWrapper",
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
    from importlib import import_module  # noqa: PLC0415  (only on first use)

    if name in _modules.split():
        return import_module(f"holdall.{name}")
    module = _home.get(name) or _moved.get(name)
    if module is None:
        hint = f": write `from holdall.{_elsewhere[name]} import {name}`" if name in _elsewhere else ""
        error = AttributeError(f"module 'holdall' has no attribute {name!r}{hint}", name=name)
        error.obj = import_module("holdall")  # so that a traceback proposes a name like it
        raise error
    value: object = getattr(import_module(f"holdall.{module}"), name)
    if name in _home:
        globals()[name] = value
    else:
        from warnings import warn  # noqa: PLC0415  (as above)

        text = f"holdall.{name} goes with holdall 0.4: write `from holdall.{module} import {name}`"
        warn(text, DeprecationWarning, stacklevel=2)
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "open"])
