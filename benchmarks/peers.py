"""Contestants that keep a mapping somewhere: ``MAKERS[name](place)`` opens one over the folder `place`.

A peer is imported only when it is made, so one that is missing costs nobody else anything. Each is used as
its own documentation shows it, with its own default serializer where it has one. To add a peer: one
function, one line in `MAKERS`, and its name in the workloads it can run.
"""

from __future__ import annotations

import os


def holdall(serializer, durability="process"):
    def make(place):
        from holdall import FileDirStore

        return FileDirStore(place, serializer=serializer, durability=durability)

    return make


def two_tiers(files_from):
    def make(place):
        from holdall import SQLiteStore

        return SQLiteStore(os.path.join(place, "store.db"), files_from=files_from)

    return make


def zict(place):
    from zict import File

    return File(place)


def persidict(place):
    from persidict import FileDirDict

    return FileDirDict(base_dir=place)


def dol(place):
    from dol import PickleFiles

    os.makedirs(place, exist_ok=True)
    return PickleFiles(place)


def py2store(place):
    from py2store import LocalPickleStore

    os.makedirs(place, exist_ok=True)
    return LocalPickleStore(place)


def diskcache(place):
    from diskcache import Index

    return Index(place)


def klepto(place):
    from klepto.archives import dir_archive

    return dir_archive(place, serialized=True, cached=False)


MAKERS = {
    "holdall": holdall("pickle"),
    "holdall (bytes)": holdall("bytes"),
    "holdall (npy)": holdall("npy"),
    "holdall (power)": holdall("pickle", "power"),
    "holdall (two tiers)": two_tiers(100_000),
    "holdall (database)": two_tiers(None),
    "zict": zict,
    "persidict": persidict,
    "dol": dol,
    "py2store": py2store,
    "diskcache": diskcache,
    "klepto": klepto,
}

PEERS = tuple(name for name in MAKERS if not name.startswith("holdall"))


def sqlite(serializer, durability="process"):
    def make(place):
        from holdall import SQLiteStore

        return SQLiteStore(os.path.join(place, "store.db"), serializer=serializer, durability=durability)

    return make


def sqlitedict(place, *, autocommit=True):
    from sqlitedict import SqliteDict

    return SqliteDict(os.path.join(place, "dict.db"), autocommit=autocommit, journal_mode="WAL")


def diskcache_at_once(index, pairs):
    with index.transact():
        index.update(pairs)


def sqlitedict_at_once(store, pairs):
    place = os.path.dirname(store.filename)
    store.close()
    store = sqlitedict(place, autocommit=False)
    store.update(pairs)
    store.commit()
    store.close()


# One file for all values, or nearly so.
DATABASES = {
    "holdall": sqlite("pickle"),
    "holdall (bytes)": sqlite("bytes"),
    "holdall (power)": sqlite("bytes", "power"),
    "diskcache": diskcache,
    "sqlitedict": sqlitedict,
}
DATABASE_PEERS = tuple(name for name in DATABASES if not name.startswith("holdall"))

# How those write many values in one transaction whose own `update` does not.
BULK = {"diskcache": diskcache_at_once, "sqlitedict": sqlitedict_at_once}


def close(store):
    """Close a store that may be a diskcache.Index, whose cache is what can be closed."""
    getattr(store, "cache", store).close()


class Batch:
    """Dict verbs over many keys at a time, in plain loops, so that nothing but the store is timed."""

    def __init__(self, store):
        self.store = store

    def set(self, keys, value):
        store = self.store
        for key in keys:
            store[key] = value

    def get(self, keys):
        store = self.store
        for key in keys:
            value = store[key]
        return value

    def contains(self, keys):
        store = self.store
        for key in keys:
            found = key in store
        return found

    def keys(self):
        return list(self.store)
