"""Single requests to one bucket, with the options for all of them."""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from holdall._shown import shown
from holdall.errors import HoldallError, InvalidArgumentError, StoreUnavailableError
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
#: Codes of servers while another write is running.
CONFLICT = {"ConditionalRequestConflict", "OperationAborted"}
_TURNS, _PAUSE, _LONGEST = 10, 0.02, 1.0  # attempts, and seconds between them

_IN_A_BUCKET = {"NoSuchKey", "PreconditionFailed"}  # codes that say that there is one

# What the answer to a write has, if it is one of S3.
_TOLD = {
    "put_object": "ETag",
    "create_multipart_upload": "UploadId",
    "upload_part": "ETag",
    "complete_multipart_upload": "ETag",
}
_DELETES = {"delete_object", "delete_objects"}

#: The options in `put_options` that the parts of an upload take, too.
_OF_PARTS = (
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "SSECustomerKeyMD5",
    "RequestPayer",
    "ExpectedBucketOwner",
)


class ServerError(Exception):
    """The server did not carry out a request.

    Parameters
    ----------
    told
        Its answer.
    what
        The operation, the key and the location.
    """

    def __init__(self, told: Told, what: str) -> None:
        super().__init__(told, what)
        self.told = told
        self.what = what

    def for_users(self) -> HoldallError:
        """Return the error for users, chained to that of boto3."""
        return as_holdall(self.told, self.what, self.__cause__ or self)


class UnansweredError(Exception):
    """There was no answer, or the request could not be sent.

    Parameters
    ----------
    sent
        Whether the server may have received it.
    error
        The error for users.
    """

    def __init__(self, error: HoldallError, *, sent: bool) -> None:
        super().__init__(error)
        self.error = error
        self.sent = sent


class Requests:
    """Send requests of boto3 to one bucket.

    Parameters
    ----------
    bucket
        Name of the bucket.
    source
        Returns the client.
    request_options
        Parameters for all requests that know them.
    put_options
        Parameters for the requests that write objects.

    Attributes
    ----------
    seen
        Whether an answer showed that there is a bucket, which is never made again if it vanishes.
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
        self.seen = False
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
            Whether the caller itself repeats it where that helps.
        **parameters
            Its parameters, except bucket and options.

        Raises
        ------
        ServerError
            If the server does not carry it out.
        UnansweredError
            If there was no answer.
        InvalidArgumentError
            If the request is invalid.
        """
        client = self.source.once() if once else self.source()
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (already imported)
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        options = self._options.get(operation)
        if options is None:
            options = self._options_of(client, operation)
        if "Metadata" in parameters:
            parameters["Metadata"] = {**options.get("Metadata", {}), **parameters["Metadata"]}
        try:
            answer = getattr(client, operation)(**{"Bucket": self.bucket, **options, **parameters})
        except ClientError as error:
            answered = told_by(error)
            self.seen = self.seen or answered.code in _IN_A_BUCKET
            raise ServerError(answered, self._what(operation, parameters)) from error
        except BotoCoreError as error:
            told = unanswered(error, self._what(operation, parameters))
            if isinstance(told, InvalidArgumentError):
                raise told from error
            raise UnansweredError(told, sent=_sent(error)) from error
        except ResponseParserError as error:
            told = unanswered(error, self._what(operation, parameters))
            raise UnansweredError(told, sent=True) from error
        if not _is_of_s3(operation, answer):
            what = self._what(operation, parameters)
            told = StoreUnavailableError(f"{what}: the answer is not one of S3, so nothing is known of it")
            raise UnansweredError(told, sent=True)
        if operation != "create_bucket":
            self.seen = True
        return answer  # type: ignore[no-any-return]

    def send_in_turn(self, operation: str, once: bool = False, /, **parameters: Any) -> dict[str, Any]:
        """Send a write; while another one is running, repeat it after a pause."""
        return in_turn(lambda: self.send(operation, once, **parameters))

    def location(self) -> str:
        """Return the location, for messages."""
        return f"s3://{self.bucket}"

    def _what(self, operation: str, parameters: dict[str, Any]) -> str:
        name = "".join(word.capitalize() for word in operation.split("_"))
        key = parameters.get("Key", parameters.get("Prefix"))
        return f"{name} of {shown(key, 200)} in {self.location()}" if key else f"{name} in {self.location()}"

    def _options_of(self, client: Any, operation: str) -> dict[str, Any]:
        """Return the options that an operation knows."""
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
    """Repeat a write while another one is running, after random pauses.

    The answer returned also says whether any of the requests was sent more than once.
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
        raise InvalidArgumentError(f"{name} is a dict of parameters by name, got {shown(options, 100)}")
    if taken := _RESERVED & set(options):
        raise InvalidArgumentError(f"{name} cannot have {min(taken)!r}, which each request sets for itself")
    metadata = options.get("Metadata", {})
    size = sum(len(str(key)) + len(str(value)) for key, value in metadata.items())
    if size > 1600:  # of 2,048 bytes, tokens take up to 400
        raise InvalidArgumentError(f"{name} has {size} bytes of Metadata, and 1600 are possible")
    return dict(options)


def _is_of_s3(operation: str, answer: dict[str, Any]) -> bool:
    """Return whether an answer is one of S3, and not the page of a proxy that wants a log-in."""
    if operation in _TOLD:
        return bool(answer.get(_TOLD[operation]))
    if operation not in _DELETES:
        return True
    http = answer["ResponseMetadata"]
    kind = http["HTTPHeaders"].get("content-type", "")
    return http["HTTPStatusCode"] != 200 or not kind.startswith("text/html")


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
