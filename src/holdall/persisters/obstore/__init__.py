"""Objects through obstore, a client written in Rust: S3, Google Cloud Storage, Azure, folders, memory.

It speaks a dialect of its own, of which these lines are the translation. Its listings drop slashes at the
ends of names, so that folders which others marked look like objects; they know no prefixes but whole
folders, and end at the first name with an empty part. An empty name means the bucket. What it says of
errors is text for people; the codes of the servers stand in it.
"""

from typing import Any

from holdall._remote.persister import ObjectPersister
from holdall.abc import Capability
from holdall.errors import UnsupportedError

try:
    from holdall.persisters.obstore._engine import ObstoreEngine
    from holdall.persisters.obstore._s3 import TranslatedS3Engine, open_s3
except ImportError as error:
    raise UnsupportedError(
        f'obstore cannot be used here ({error}): pip install "holdall[obstore]"'
    ) from error

__all__ = ["ObjectStorePersister", "TranslatedS3Engine", "open_s3"]

_CLAIMS = frozenset({Capability.WRITABLE, Capability.BYTES, Capability.MTIME, Capability.CHEAP_STAT})


class ObjectStorePersister(ObjectPersister):
    """Objects of S3, Google Cloud Storage or Azure, files, or memory: whatever obstore reaches.

    Parameters
    ----------
    store
        A store of obstore (``GCSStore``, ``AzureStore``, ``S3Store``, ``LocalStore`` or ``MemoryStore`` of
        ``obstore.store``), or a function that makes it when it is first needed. A persister made with a
        function can be pickled; its pickle holds what the function does.
    prefix
        With what the names of all objects start; a "/" is put at its end.
    workers
        How many requests bulk operations send at once.

    Raises
    ------
    UnsupportedError
        If obstore is not installed: it comes with the extra ``holdall[obstore]``. Also for what obstore has
        no request for: deletions on a condition, which `pop` is too, on servers.

    Notes
    -----
    Threads, processes, machines: on servers, insertions and replacements on a condition are those of the
    server, and deletions on a condition are refused, since obstore cannot send them; for S3,
    `S3Store(engine="obstore")` sends them another way. In memory and folders compare-and-swap holds among
    the threads of a process. A process forked from one that used obstore cannot use it. After a crash: what
    was returned is stored; in a folder, unless the machine crashed. Cost: one request an operation; bulk
    operations send as many at once as there are `workers`.

    Objects of others whose names have empty parts end a listing with an error that names one. Empty objects
    cost a request each when they are listed, since obstore shows marks of folders like objects.

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
        """What the place claims: compare-and-swap where deletions take part in it, among threads."""
        claims = _CLAIMS if self._obstore.kind == "memory" else _CLAIMS | {Capability.PERSISTENT}
        return claims | {Capability.CAS_THREADS} if self._obstore.is_local else claims

    def __repr__(self) -> str:
        return f"ObjectStorePersister({self.place}{self.prefix})"
