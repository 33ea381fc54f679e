"""A persister over obstore, a client written in Rust: S3, Google Cloud Storage, Azure, folders, memory.

This package adapts the behaviour of obstore. Its listings drop slashes at the ends of names, so that folders
marked by others look like objects; they take whole folders instead of prefixes, and end at the first name
with an empty part. An empty name means the bucket. Its errors are text for people, which contains the codes
of the servers.
"""

from typing import Any

from holdall._options import not_imported
from holdall._remote.persister import ObjectPersister
from holdall.abc import Capability

try:
    from holdall.persisters.obstore._engine import ObstoreEngine
    from holdall.persisters.obstore._s3 import TranslatedS3Engine, open_s3
except ImportError as error:
    raise not_imported("holdall.persisters.obstore", error, "obstore") from error

__all__ = ["ObjectStorePersister", "TranslatedS3Engine", "open_s3"]

_CLAIMS = frozenset({Capability.WRITABLE, Capability.BYTES, Capability.MTIME, Capability.CHEAP_STAT})


class ObjectStorePersister(ObjectPersister):
    """Objects of S3, Google Cloud Storage or Azure, files, or memory: anything that obstore supports.

    Parameters
    ----------
    store
        A store of obstore (``GCSStore``, ``AzureStore``, ``S3Store``, ``LocalStore`` or ``MemoryStore`` of
        ``obstore.store``), or a function that returns it on first use. A persister made with a function can
        be pickled, as far as the function can.
    prefix
        The text that the names of all objects start with; a "/" is added at its end.
    workers
        How many requests bulk operations send at once.

    Raises
    ------
    UnsupportedError
        If obstore is not installed: it comes with the extra ``holdall[obstore]``. Also for requests that
        obstore lacks: conditional deletions, including `pop`, on servers.

    Notes
    -----
    Threads, processes, machines: on servers, conditional insertions and replacements are those of the server,
    and conditional deletions are refused, since obstore cannot send them; for S3, `S3Store(engine="obstore")`
    sends them another way. In memory and folders compare-and-swap holds among the threads of a process. A
    process forked from one that used obstore cannot use it. After a crash: returned writes are stored; in a
    folder, unless the machine crashed. Cost: one request per operation; bulk operations send as many at once
    as there are `workers`.

    Objects of others whose names have empty parts end a listing with an error that names one. Empty objects
    cost a request each when they are listed, since obstore lists marks of folders like objects.

    Examples
    --------
    >>> from obstore.store import MemoryStore
    >>> from holdall import Store
    >>> store = Store(ObjectStorePersister(MemoryStore()), serializer="json")
    >>> store["runs/1"] = {"loss": 0.5}
    >>> store.get_subdict("runs")["1"], store.etag("runs/1") == store.etag("runs/1")
    ({'loss': 0.5}, True)
    """

    def __init__(self, store: Any, *, prefix: str = "", workers: int = 16) -> None:
        self._obstore = ObstoreEngine(store)
        super().__init__(self._obstore, prefix=prefix, workers=workers)

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the store supports: compare-and-swap among threads, where deletions take part in it."""
        claims = _CLAIMS if self._obstore.kind == "memory" else _CLAIMS | {Capability.PERSISTENT}
        return claims | {Capability.CAS_THREADS} if self._obstore.is_local else claims

    def __repr__(self) -> str:
        return f"ObjectStorePersister({self.place}{self.prefix})"
