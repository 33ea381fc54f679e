"""A persister over objects of S3, and of servers with the same protocol, below a prefix of a bucket."""

import re
from collections.abc import Mapping
from typing import Any

from holdall._remote.persister import ObjectPersister
from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.persisters.s3._client import ClientSource
from holdall.persisters.s3._engine import S3Engine
from holdall.persisters.s3._requests import Requests

__all__ = ["S3Persister"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{1,254}|arn:[^\s/]+[/:][^\s]+")
_LEAST_PART = 5 << 20  # bytes; the smallest parts that S3 takes


class S3Persister(ObjectPersister):
    """The objects of an S3 bucket below a prefix, as bytes by id.

    Parameters
    ----------
    bucket
        Name of the bucket, or ARN of an access point.
    prefix
        The text that the keys of all objects start with; a "/" is added at its end. "" for the whole bucket.
    client
        A client of boto3 for S3, or a `boto3.Session`; None for the default credentials.
    region
        Name of the region; None for the default one.
    endpoint_url
        URL of the server; None for the default one, that of AWS.
    create_bucket
        Whether the first write makes a missing bucket, once.
    put_options
        Parameters of boto3 for each request that writes an object, such as ``ServerSideEncryption``.
    request_options
        Parameters of boto3 for each request that knows them, such as ``ExpectedBucketOwner``.
    denied_is_absent
        Whether an object without read access counts as absent. Without the right to list a bucket, S3 does
        not distinguish the two.
    anonymous
        Whether to send unsigned requests, to a public bucket.
    workers
        How many requests bulk operations send at once.
    part_bytes
        Size from which plain writes are uploaded in parts, and size of the parts.

    Raises
    ------
    InvalidArgumentError
        If bucket, prefix or an option is invalid.

    Notes
    -----
    Threads, processes, machines: compare-and-swap is linearizable where the server obeys conditions, plain
    writes included; this is tested at the first conditional write in a bucket, and a server that does not is
    refused with `UnsupportedError`. After a crash: returned writes are stored. Cost: one request per read or
    write; nothing is sent before the first use.

    Lost answers: each write adds a random token to the metadata of its object, behind those of the 15 writes
    before. A conditional write whose answer is lost looks for its own token there.

    Examples
    --------
    >>> persister = S3Persister("my-bucket", prefix="runs/7")
    >>> persister.place, persister.prefix
    ('s3://my-bucket', 'runs/7/')
    """

    def __init__(
        self,
        bucket: Any,
        *,
        prefix: str = "",
        client: Any = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        create_bucket: bool = True,
        put_options: Mapping[str, Any] | None = None,
        request_options: Mapping[str, Any] | None = None,
        denied_is_absent: bool = False,
        anonymous: bool = False,
        workers: int = 16,
        part_bytes: int = 16 << 20,
    ) -> None:
        if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
            raise InvalidArgumentError(
                f"{shown(bucket, 120)} cannot name a bucket: give 3 to 63 lower-case letters, digits, '.' "
                "and '-'"
                "; what lies below is the prefix=, and holdall.open takes 's3://bucket/prefix'",
            )
        if type(workers) is not int or workers < 1:
            raise InvalidArgumentError(f"workers is a number from 1 on, got {workers!r}")
        if type(part_bytes) is not int or part_bytes < _LEAST_PART:
            raise InvalidArgumentError(f"part_bytes is {_LEAST_PART} or more, got {part_bytes!r}")
        source = ClientSource(
            client,
            region=region,
            endpoint_url=endpoint_url,
            anonymous=anonymous,
            connections=max(10, workers + 8),  # for a bulk operation, and parts of large values
        )
        workers = min(workers, source.connections)
        engine = S3Engine(
            Requests(bucket, source, request_options or {}, put_options or {}),
            create_bucket=create_bucket,
            denied_is_absent=denied_is_absent,
            part_bytes=part_bytes,
            workers=workers,
        )
        super().__init__(engine, prefix=prefix, workers=workers)

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self.requests.bucket

    @property
    def requests(self) -> Requests:
        """The sender of the requests."""
        return self.engine.requests  # type: ignore[attr-defined,no-any-return]

    def close(self) -> None:
        """Close idle connections; the next request opens new ones."""
        self.engine.close()
