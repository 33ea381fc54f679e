"""The schemes of addresses: their classes by name, and the ends of paths that select them."""

import os
from typing import Final

__all__ = ["CLASSES", "FOREIGN", "FSSPEC", "MONGO", "REDIS", "SQL", "WITHOUT_PLACE", "class_of", "scheme_of"]

# The class of each scheme, and the option for the part of an address.
CLASSES: Final = {
    "archive": ("holdall.archive:ArchiveStore", None),
    "chest": ("holdall.migrate:open_chest", None),
    "dir": ("holdall.stores.files:FileDirStore", None),
    "diskcache": ("holdall.migrate:open_diskcache", None),
    "document": ("holdall.stores.document:DocumentStore", None),
    "joblib": ("holdall.migrate:open_joblib", None),
    "lmdb": ("holdall.stores.lmdb:LmdbStore", "table"),
    "persidict": ("holdall.migrate:open_persidict", None),
    "persist": ("holdall.migrate:open_persist", None),
    "pickles": ("holdall.migrate:open_pickles", None),
    "pycaboose": ("holdall.migrate:open_pycaboose", None),
    "script": ("holdall.stores.script:ScriptStore", None),
    "shelve": ("holdall.migrate:open_shelve", None),
    "spill": ("holdall.stores.spill:SpillStore", None),
    "sqlite": ("holdall.stores.sqlite:SQLiteStore", "table"),
    "sqlitedict": ("holdall.migrate:open_sqlitedict", "table"),
    "tar": ("holdall.stores.tar:TarStore", None),
    "zip": ("holdall.stores.zip:ZipStore", None),
}
# Formats of other libraries, which are only read.
FOREIGN: Final = frozenset(
    scheme for scheme, (where, _) in CLASSES.items() if where.startswith("holdall.migrate:")
)
WITHOUT_PLACE: Final = {
    "memory": "holdall.stores.memory:MemoryStore",
    "null": "holdall.stores.null:NullStore",
}
_BY_END: Final = {
    ".db": "sqlite",
    ".ini": "document",
    ".json": "document",
    ".lmdb": "lmdb",
    ".py": "script",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".tar": "tar",
    ".tar.bz2": "tar",
    ".tar.gz": "tar",
    ".tar.xz": "tar",
    ".tgz": "tar",
    ".toml": "document",
    ".yaml": "document",
    ".yml": "document",
    ".zip": "zip",
}
# File systems of fsspec with their own scheme; others are opened by "fsspec:" and their URL.
FSSPEC: Final = frozenset(
    {"abfs", "abfss", "az", "dropbox", "file", "ftp", "gcs", "gs", "hdfs", "hf", "http", "https", "github"}
    | {"sftp", "smb", "ssh", "webdav", "webdavs", "webhdfs"}
)
FSSPEC_CLASS: Final = "holdall.stores.fsspec:FsspecStore"
MONGO: Final = frozenset({"mongodb", "mongodb+srv"})
MONGO_CLASS: Final = "holdall.stores.mongo:MongoStore"
REDIS: Final = frozenset({"redis", "rediss", "unix", "valkey", "valkeys"})
REDIS_CLASS: Final = "holdall.stores.redis:RedisStore"
SQL: Final = frozenset({"postgresql", "postgres", "mysql", "mariadb"})
SQL_CLASS: Final = "holdall.stores.sql:SQLStore"
S3_CLASS: Final = "holdall.stores.s3:S3Store"


def scheme_of(path: str) -> str:
    """Return the scheme of a path without one."""
    if os.path.isdir(path):
        return "lmdb" if os.path.exists(os.path.join(path, "data.mdb")) else "dir"
    name = os.path.basename(path).lower()
    ends = [end for end in _BY_END if name.endswith(end)]
    return _BY_END[max(ends, key=len)] if ends else "dir"


def class_of(scheme: str) -> str:
    """Return where to find the class, or function, of a scheme of holdall; "" for other schemes."""
    if scheme in MONGO:
        return MONGO_CLASS
    if scheme in REDIS:
        return REDIS_CLASS
    if scheme in SQL:
        return SQL_CLASS
    if scheme in FSSPEC or scheme == "fsspec":
        return FSSPEC_CLASS
    return S3_CLASS if scheme == "s3" else WITHOUT_PLACE.get(scheme) or CLASSES.get(scheme, ("", None))[0]
