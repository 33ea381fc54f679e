"""A store in a bucket of S3."""

import os
from collections.abc import Mapping
from typing import Any, Literal

from holdall._options import given
from holdall._remote.data import as_given, unique
from holdall._remote.persister import ObjectPersister
from holdall._shown import shown
from holdall.abc import Persister
from holdall.errors import InvalidArgumentError
from holdall.persisters.local_cache import LocalCachePersister
from holdall.persisters.s3 import S3Persister
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._typing import K, V
from holdall.stores._paths import path_codec

__all__ = ["S3Store"]


# Characters that some servers list as others, or that XML cannot contain.
_ENCODED = "+\ufffe\uffff"


class S3Store(Store[K, V]):
    """A bucket of S3, or a part of one, as a dict: one object per value, shared by any number of machines.

    Parameters
    ----------
    bucket
        Name of the bucket. The first write makes a missing one, unless `create_bucket` is false.
    prefix
        The text that the keys of all objects start with; a "/" is added at its end. "" for the whole bucket.
    client
        A client of boto3 for S3, or a `boto3.Session`; None for the default credentials.
    region
        Name of the region; None for the default one.
    endpoint_url
        URL of a server with the S3 protocol; None for AWS.
    create_bucket
        Whether to make a missing bucket: only by the first write, once, and never after it was seen.
    serializer
        How values are written: a name (``"json"``, ``"pickle"``, ``"text"``, ``"bytes"``, ``"npy"``, …), a
        `Serializer`, or anything with ``dumps`` and ``loads``. Loading a pickle runs code in it: with
        ``"pickle"``, everyone with write access to the bucket can run code here.
    keys
        How keys are named: None for `PathKeys`, text with ``/`` for folders; ``tuple`` for tuples of text;
        the text of a `Template`; a `KeyCodec`; or a pair of functions.
    suffix
        The suffix of all objects; None for the serializer's own. Other objects are ignored.
    put_options
        Parameters of boto3 for each request that writes an object: ``{"ServerSideEncryption": "aws:kms"}``.
    request_options
        Parameters of boto3 for each request that knows them: ``{"ExpectedBucketOwner": "111122223333"}``.
    denied_is_absent
        Whether an object without read access counts as absent: without the right to list the bucket, S3 does
        not distinguish the two.
    anonymous
        Whether to send unsigned requests, to a public bucket.
    cache_dir
        A folder of this machine for values that were read or written, so that they need not be sent again.
        Each read still checks that the etag is the same, unless `append_only`. None: no cache.
    cache_bytes
        Bytes that the cache may take; None for no limit.
    max_age
        Seconds that a cached value is returned without a request: what others write in that time is not seen.
    workers
        How many requests bulk operations send at once.
    part_bytes
        Size in bytes from which values are written in parts, and size of the parts; at least 5 MiB.
    engine
        What sends the requests that read and write: ``"boto3"``, or ``"obstore"``, a client written in Rust
        that takes less processor time. boto3 still lists, deletes, writes large values, and writes with
        `put_options`. With ``"obstore"``, `client` must be a session or None.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Making a store sends no request; the client is made by the first one. Threads, processes, machines: any
    number; conditional operations are linearizable where the server obeys conditions, plain writes included.
    The first conditional operation in a bucket tests whether it does; a server that does not is refused with
    `UnsupportedError`. A write whose answer is lost is not counted twice, and raises `OutcomeUnknownError` if
    the outcome cannot be determined. After a crash: returned writes are there.

    Cost: one request to read, write, insert, look up or discard an item, two to change one, one per 1,000
    keys to list. JSON and pickles get some bytes at their end that readers ignore, so that equal values
    written twice are two versions.

    A pickled copy contains no credentials: it uses the default ones where it is loaded.

    Examples
    --------
    >>> store = S3Store("my-bucket", prefix="runs/7", region="eu-west-1")
    >>> store.bucket, store.prefix, store.object_key("model/loss")
    ('my-bucket', 'runs/7/', 'runs/7/model/loss.json')
    """

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        client: Any = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        create_bucket: bool = True,
        serializer: Any = "json",
        keys: Any = None,
        suffix: str | None = None,
        put_options: Mapping[str, Any] | None = None,
        request_options: Mapping[str, Any] | None = None,
        denied_is_absent: bool = False,
        anonymous: bool = False,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_bytes: int | None = None,
        max_age: float = 0.0,
        workers: int = 16,
        part_bytes: int = 16 << 20,
        engine: Literal["boto3", "obstore"] = "boto3",
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        how = get_serializer(serializer)
        persister = S3Persister(
            bucket,
            prefix=prefix,
            client=client,
            region=region,
            endpoint_url=endpoint_url,
            create_bucket=create_bucket,
            put_options=put_options,
            request_options=request_options,
            denied_is_absent=denied_is_absent,
            anonymous=anonymous,
            workers=workers,
            part_bytes=part_bytes,
        )
        self._params = options
        self._s3 = persister
        self._assemble(
            self._cached(_through(engine, persister)),
            path_codec(keys, suffix, how, encode=_ENCODED),
            unique(how),
            value_type=value_type,
            append_only=append_only,
        )

    def _cached(self, persister: ObjectPersister) -> Persister:
        """Return a persister with the cache in front of it, if one was requested."""
        options = self._params
        if options["cache_dir"] is not None:
            return LocalCachePersister(
                persister,
                options["cache_dir"],
                namespace=persister.namespace,
                max_bytes=options["cache_bytes"],
                max_age=options["max_age"],
                append_only=options["append_only"],
            )
        if options["cache_bytes"] is not None or options["max_age"]:
            raise InvalidArgumentError("cache_bytes and max_age are options of a cache: give cache_dir")
        return persister

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {**state, "_params": {**self._params, "client": None}}  # it contains credentials

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self._s3.bucket

    @property
    def prefix(self) -> str:
        """The text that the keys of all objects start with."""
        return self._s3.prefix

    @property
    def serializer(self) -> Any:
        """How values are written."""
        return as_given(super().serializer)

    def object_key(self, key: K) -> str:
        """Return the key of the object for the value of a key, even if there is none.

        Parameters
        ----------
        key
            A key, present or not.

        Raises
        ------
        InvalidKeyError
            If the key cannot be the name of an object.
        """
        return self.prefix + str(self._compiled.id(key))


def _through(engine: Any, persister: S3Persister) -> ObjectPersister:
    """Return a persister of the same location whose requests an engine sends."""
    if engine == "boto3":
        return persister
    if engine != "obstore":
        raise InvalidArgumentError(f"engine is 'boto3' or 'obstore', got {shown(engine)}")
    from holdall.persisters.obstore import TranslatedS3Engine  # noqa: PLC0415  (an extra)

    translated = TranslatedS3Engine.beside(persister.engine, persister.requests)
    return ObjectPersister(translated, prefix=persister.prefix, workers=persister.workers)
