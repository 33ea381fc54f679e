"""The schemes of addresses: their classes by name, and the ends of paths that select them."""

import os
from typing import Final

__all__ = ["CLASSES", "FOREIGN", "LOCAL", "MONGO", "PARTS", "REDIS", "SQL", "WITHOUT_PLACE", "scheme_of"]

# Stores and readers in a file or folder, and where to find what opens them.
LOCAL: Final = {
    "archive": "holdall.archive:ArchiveStore",
    "chest": "holdall.migrate:open_chest",
    "dir": "holdall.stores.files:FileDirStore",
    "diskcache": "holdall.migrate:open_diskcache",
    "document": "holdall.stores.document:DocumentStore",
    "joblib": "holdall.migrate:open_joblib",
    "lmdb": "holdall.stores.lmdb:LmdbStore",
    "persidict": "holdall.migrate:open_persidict",
    "persist": "holdall.migrate:open_persist",
    "pickles": "holdall.migrate:open_pickles",
    "pycaboose": "holdall.migrate:open_pycaboose",
    "script": "holdall.stores.script:ScriptStore",
    "shelve": "holdall.migrate:open_shelve",
    "spill": "holdall.stores.spill:SpillStore",
    "sqlite": "holdall.stores.sqlite:SQLiteStore",
    "sqlitedict": "holdall.migrate:open_sqlitedict",
    "tar": "holdall.stores.tar:TarStore",
    "zip": "holdall.stores.zip:ZipStore",
}
# Formats of other libraries, which are only read.
FOREIGN: Final = frozenset(scheme for scheme, where in LOCAL.items() if where.startswith("holdall.migrate:"))
WITHOUT_PLACE: Final = {
    "memory": "holdall.stores.memory:MemoryStore",
    "null": "holdall.stores.null:NullStore",
}
# File systems of fsspec with their own scheme; others are opened by "fsspec:" and their URL.
FSSPEC: Final = frozenset(
    {"abfs", "abfss", "az", "dropbox", "file", "ftp", "gcs", "gs", "hdfs", "hf", "http", "https", "github"}
    | {"sftp", "smb", "ssh", "webdav", "webdavs", "webhdfs"}
)
MONGO: Final = frozenset({"mongodb", "mongodb+srv"})
REDIS: Final = frozenset({"redis", "rediss", "unix", "valkey", "valkeys"})
SQL: Final = frozenset({"postgresql", "postgres", "mysql", "mariadb"})
#: All schemes of holdall.
CLASSES: Final = {
    **LOCAL,
    **WITHOUT_PLACE,
    "s3": "holdall.stores.s3:S3Store",
    **dict.fromkeys({"fsspec", *FSSPEC}, "holdall.stores.fsspec:FsspecStore"),
    **dict.fromkeys(MONGO, "holdall.stores.mongo:MongoStore"),
    **dict.fromkeys(REDIS, "holdall.stores.redis:RedisStore"),
    **dict.fromkeys(SQL, "holdall.stores.sql:SQLStore"),
}
# The option that the part of an address stands for; the stores of other schemes have no parts.
PARTS: Final = {
    **dict.fromkeys({"lmdb", "sqlite", "sqlitedict", *SQL}, "table"),
    **dict.fromkeys(REDIS, "prefix"),
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


def scheme_of(path: str) -> str:
    """Return the scheme of a path without one."""
    if os.path.isdir(path):
        return "lmdb" if os.path.exists(os.path.join(path, "data.mdb")) else "dir"
    name = os.path.basename(path).lower()
    ends = [end for end in _BY_END if name.endswith(end)]
    return _BY_END[max(ends, key=len)] if ends else "dir"
