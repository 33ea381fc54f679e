"""Single requests to one bucket, with the options that the organisation wants in each of them."""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from holdall.errors import HoldallError, InvalidArgumentError
from holdall.persisters.s3._client import ClientSource
from holdall.persisters.s3._errors import Told, as_holdall, told_by, unanswered

__all__ = ["CONFLICT", "Requests", "ServerError", "UnansweredError"]

_RESERVED = {
    "Body",
    "Bucket",
    "Delete",
    "IfMatch",
    "IfNoneMatch",
    "Key",
    "MultipartUpload",
    "Prefix",
    "Range",
}
#: What a server says while another write is under way.
CONFLICT = {"ConditionalRequestConflict", "OperationAborted"}
_TURNS, _PAUSE, _LONGEST = 10, 0.02, 1.0  # attempts, and seconds between them

#: The options in `put_options` that the parts of an upload take, too.
_OF_PARTS = (
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "SSECustomerKeyMD5",
    "RequestPayer",
    "ExpectedBucketOwner",
)


class ServerError(Exception):
    """The server told that it did not carry a request out.

    Parameters
    ----------
    told
        What it told.
    what
        The operation, the key and the place.
    """

    def __init__(self, told: Told, what: str) -> None:
        super().__init__(told, what)
        self.told = told
        self.what = what

    def for_users(self) -> HoldallError:
        """Return the error for users, chained to that of boto3."""
        return as_holdall(self.told, self.what, self.__cause__ or self)


class UnansweredError(Exception):
    """No answer came, or the request could not be sent.

    Parameters
    ----------
    sent
        Whether the server may have got it.
    error
        The error for users.
    """

    def __init__(self, error: HoldallError, *, sent: bool) -> None:
        super().__init__(error)
        self.error = error
        self.sent = sent


class Requests:
    """Sends requests of boto3 to one bucket.

    Parameters
    ----------
    bucket
        Name of the bucket.
    source
        Gives the client.
    request_options
        Parameters for all requests that know them.
    put_options
        Parameters for the requests that write objects.
    """

    def __init__(
        self,
        bucket: str,
        source: ClientSource,
        request_options: Mapping[str, Any],
        put_options: Mapping[str, Any],
    ) -> None:
        self.bucket = bucket
        self.source = source
        self.request_options = _checked(request_options, "request_options")
        self.put_options = _checked(put_options, "put_options")
        self._options: dict[str, dict[str, Any]] = {}  # by operation

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_options": {}}

    def send(self, operation: str, once: bool = False, /, **parameters: Any) -> dict[str, Any]:
        """Send a request and return its answer.

        Parameters
        ----------
        operation
            Its name, as ``"get_object"``.
        once
            Whether the caller himself sends it again where that helps.
        **parameters
            Its parameters, but for bucket and options.

        Raises
        ------
        ServerError
            If the server does not carry it out.
        UnansweredError
            If no answer came.
        InvalidArgumentError
            If the request cannot be one.
        """
        client = self.source.once() if once else self.source()
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (there is a client of it)
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        options = self._options.get(operation)
        if options is None:
            options = self._options_of(client, operation)
        if "Metadata" in parameters:
            parameters["Metadata"] = {**options.get("Metadata", {}), **parameters["Metadata"]}
        try:
            answer = getattr(client, operation)(**{"Bucket": self.bucket, **options, **parameters})
        except ClientError as error:
            raise ServerError(told_by(error), self._what(operation, parameters)) from error
        except BotoCoreError as error:
            told = unanswered(error, self._what(operation, parameters))
            if isinstance(told, InvalidArgumentError):
                raise told from error
            raise UnansweredError(told, sent=_sent(error)) from error
        except ResponseParserError as error:
            told = unanswered(error, self._what(operation, parameters))
            raise UnansweredError(told, sent=True) from error
        return answer  # type: ignore[no-any-return]

    def send_in_turn(self, operation: str, once: bool = False, /, **parameters: Any) -> dict[str, Any]:
        """Send a write; where another one is just under way, again after a while."""
        return in_turn(lambda: self.send(operation, once, **parameters))

    def location(self) -> str:
        """Return the name of the place, for messages."""
        return f"s3://{self.bucket}"

    def _what(self, operation: str, parameters: dict[str, Any]) -> str:
        name = "".join(word.capitalize() for word in operation.split("_"))
        key = parameters.get("Key", parameters.get("Prefix"))
        return f"{name} of {key!r:.200} in {self.location()}" if key else f"{name} in {self.location()}"

    def _options_of(self, client: Any, operation: str) -> dict[str, Any]:
        """Choose the options that an operation knows."""
        name = client.meta.method_to_api_mapping[operation]
        known = client.meta.service_model.operation_model(name).input_shape.members
        options = {key: value for key, value in self.request_options.items() if key in known}
        if operation in {"put_object", "create_multipart_upload"}:
            unknown = [key for key in self.put_options if key not in known]
            if unknown:
                raise InvalidArgumentError(f"put_options has {unknown[0]!r}, which {name} does not know")
            options |= self.put_options
        elif operation in {"upload_part", "complete_multipart_upload"}:
            options |= {
                key: value for key, value in self.put_options.items() if key in _OF_PARTS and key in known
            }
        return self._options.setdefault(operation, options)


def in_turn(send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Send a write again where another one is just under way, after a random pause.

    What the last answer tells is told of all of them: whether any of them was to a second sending.
    """
    repeated = False
    for turn in range(_TURNS):
        try:
            return send()
        except ServerError as error:
            repeated = repeated or error.told.repeated
            error.told = error.told._replace(repeated=repeated)
            if error.told.code not in CONFLICT or turn == _TURNS - 1:
                raise
        pause = min(_PAUSE * 2**turn, _LONGEST)
        time.sleep(random.uniform(pause / 4, pause))  # noqa: S311  (jitter, not a secret)
    raise AssertionError("the last turn returns or raises")


def _checked(options: Any, name: str) -> dict[str, Any]:
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise InvalidArgumentError(f"{name} is a dict of parameters by name, got {options!r:.100}")
    if taken := _RESERVED & set(options):
        raise InvalidArgumentError(f"{name} cannot have {min(taken)!r}, which each request sets for itself")
    metadata = options.get("Metadata", {})
    size = sum(len(str(key)) + len(str(value)) for key, value in metadata.items())
    if size > 1600:  # of 2,048 bytes, the tokens of holdall take up to 400
        raise InvalidArgumentError(f"{name} has {size} bytes of Metadata, and 1600 are possible")
    return dict(options)


def _sent(error: Exception) -> bool:
    """Return whether a request may have reached the server."""
    from botocore import exceptions as boto  # noqa: PLC0415

    unreached = (
        boto.EndpointConnectionError,
        boto.ConnectTimeoutError,
        boto.SSLError,
        boto.ProxyConnectionError,
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.TokenRetrievalError,
        boto.SSOError,
    )
    return isinstance(error, boto.HTTPClientError) and not isinstance(error, unreached)
