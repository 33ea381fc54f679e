"""The client of boto3: made at the first request, safe in threads and forks, pickled without secrets."""

import os
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from holdall._options import not_imported
from holdall._posix.fork import new_lock
from holdall.errors import InvalidArgumentError, StoreUnavailableError

__all__ = ["ClientSource", "is_aws", "require_boto3"]

# Seconds and counts, so that a dead endpoint is reported within 20 seconds, a stalled one within 65.
_CONNECT, _READ, _SENDS = 5, 20, 3
_AT_ONCE = 1 << 16  # bytes of a body that is sent with its head
_making = new_lock()  # boto3 must not make clients concurrently


def require_boto3() -> Any:
    """Import boto3.

    Raises
    ------
    UnsupportedError
        If it is not installed.
    """
    try:
        import boto3  # noqa: PLC0415  (only for S3)
    except ImportError as error:
        raise not_imported("S3", error, "s3") from error
    return boto3


def is_aws(endpoint_url: str | None) -> bool:
    """Return whether an endpoint is one of AWS; None is."""
    host = urlsplit(endpoint_url).hostname if endpoint_url else "amazonaws.com"
    return bool(host) and f".{host}".endswith((".amazonaws.com", ".amazonaws.com.cn"))


class ClientSource:
    """Return the client of boto3 for a request.

    Parameters
    ----------
    client
        A client for S3, a `boto3.Session`, or None for a client of boto3's default session.
    region
        Name of the region; None for the default one.
    endpoint_url
        URL of the server; None for the default one.
    anonymous
        Whether to send unsigned requests.
    connections
        How many simultaneous requests there may be.

    Notes
    -----
    Credentials are never read: session and client keep and renew them. A pickle contains neither, so the copy
    uses the default credentials where it is loaded.
    """

    def __init__(
        self,
        client: Any = None,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        anonymous: bool = False,
        connections: int = 32,
    ) -> None:
        self._given = self._session = None
        self._region, self._endpoint_url, self._anonymous = region, endpoint_url, anonymous
        self._connections = connections
        self._style: str | None = None
        self._client: Any = None
        self._single: tuple[int, Any] | None = None  # by process
        self._pid = 0  # of the process that the client is for
        self._home = os.getpid()  # the process in which a client was given
        if client is None:
            return
        if hasattr(client, "get_object") and hasattr(client, "meta"):
            if region is not None or endpoint_url is not None or anonymous:
                raise InvalidArgumentError(
                    "a client has its own region, endpoint_url and signature: give a client, or these options"
                )
            self._given = client
            self._region, self._endpoint_url = client.meta.region_name, client.meta.endpoint_url
            config = client.meta.config
            self._style = (config.s3 or {}).get("addressing_style")
            self._anonymous = _unsigned(config)
            self._connections = config.max_pool_connections
        elif callable(getattr(client, "client", None)):
            self._session = client
        else:
            raise InvalidArgumentError(
                f"client is a client of boto3 for S3, a boto3.Session or None, got {type(client).__name__}",
            )

    @property
    def connections(self) -> int:
        """How many simultaneous requests the client can have."""
        return self._connections

    @property
    def anonymous(self) -> bool:
        """Whether requests are unsigned."""
        return self._anonymous

    def session(self) -> Any:
        """Return the session whose credentials sign requests, for other clients.

        Raises
        ------
        InvalidArgumentError
            If a client was given, which does not expose its session.
        """
        if self._given is not None:
            raise InvalidArgumentError(
                "a client does not expose its credentials: give the boto3.Session it was made by"
            )
        return self._session if self._session is not None else require_boto3().Session()

    def __call__(self) -> Any:
        """Return the client; one made before a fork is not used after it."""
        if self._pid != os.getpid():
            with _making:
                if self._pid != os.getpid():
                    self._client = self._open()
                    self._pid = os.getpid()
        return self._client

    def once(self) -> Any:
        """Return a client that sends each request once, for callers that check the outcome themselves.

        A client that was given keeps its own retries.
        """
        client = self()
        if self._given is not None:
            return client
        if self._single is None or self._single[0] != os.getpid():
            with _making:
                aws = is_aws(client.meta.endpoint_url)
                self._single = os.getpid(), self._made(self._sessions(), aws=aws, sends=1)
        return self._single[1]

    def _sessions(self) -> Any:
        return self._session if self._session is not None else require_boto3()  # has a default one

    def _open(self) -> Any:
        if self._given is None:
            return self._make()
        if os.getpid() != self._home:  # a forked child must not use the connections of its parent
            self._given.close()
        return self._given

    def _make(self) -> Any:
        session = self._sessions()
        client = self._made(session, aws=is_aws(self._endpoint_url))
        if self._endpoint_url is None and not is_aws(client.meta.endpoint_url):  # set elsewhere
            client = self._made(session, aws=False)
        return client

    def _made(self, session: Any, *, aws: bool, sends: int = _SENDS) -> Any:
        import botocore  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        options: dict[str, Any] = {
            "connect_timeout": _CONNECT,
            "read_timeout": _READ,
            "retries": {"total_max_attempts": sends, "mode": "standard"},
            "max_pool_connections": self._connections,
        }
        if self._anonymous:
            options["signature_version"] = botocore.UNSIGNED
        style = self._style
        if not aws:
            # Other servers support neither trailing checksums nor, often, buckets in host names.
            options["request_checksum_calculation"] = options["response_checksum_validation"] = (
                "when_required"
            )
            style = style or "path"
        if style:
            options["s3"] = {"addressing_style": style}
        try:
            client = session.client(
                "s3",
                region_name=self._region,
                endpoint_url=self._endpoint_url,
                config=Config(**options),
            )
        except ValueError as error:  # invalid URL or region
            raise InvalidArgumentError(f"no client for S3 can be made: {error}") from error
        except BotoCoreError as error:
            raise StoreUnavailableError(f"no client for S3 can be made: {error}") from error
        client.meta.events.register_last("before-call.s3", _send_at_once)
        _read_times_quickly(client)
        return client

    def close(self) -> None:
        """Close idle connections of a client made here; the next request opens new ones."""
        if self._given is None and self._client is not None and self._pid == os.getpid():
            self._client.close()
        if self._single is not None and self._single[0] == os.getpid():
            self._single[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_given": None, "_session": None, "_client": None, "_single": None, "_pid": 0}


def _send_at_once(params: dict[str, Any], **_: Any) -> None:
    """Let a small body go with the head of its request.

    boto3 asks first whether the server wants it ("Expect: 100-continue"), which costs a round trip.
    """
    if "Expect" in params["headers"]:
        from botocore.utils import determine_content_length  # noqa: PLC0415

        size = determine_content_length(params["body"])
        if size is not None and size <= _AT_ONCE:
            del params["headers"]["Expect"]


def _read_times_quickly(client: Any) -> None:
    """Let a client made here read the times of a listing without a parser of dates in any language.

    That one takes 43 µs per object, a tenth of the time of a small object that is read with many others.
    """
    from botocore.parsers import ResponseParserFactory  # noqa: PLC0415

    endpoint: Any = getattr(client, "_endpoint", None)
    if hasattr(endpoint, "_response_parser_factory"):
        factory = ResponseParserFactory()
        factory.set_parser_defaults(timestamp_parser=_time_of)
        endpoint._response_parser_factory = factory  # noqa: SLF001  (a session's would be for all its clients)


def _time_of(value: Any) -> datetime:
    if isinstance(value, str) and value.endswith("Z"):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    from botocore.utils import parse_timestamp  # noqa: PLC0415

    return parse_timestamp(value)  # type: ignore[no-any-return]


def _unsigned(config: Any) -> bool:
    import botocore  # noqa: PLC0415  (already imported)

    return config.signature_version is botocore.UNSIGNED
