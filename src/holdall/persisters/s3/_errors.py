"""The meaning of errors of boto3, by the code of the server, never by the status alone."""

from typing import Any, NamedTuple

from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    OutcomeUnknownError,
    StoreFullError,
    StoreNotFoundError,
    StoreUnavailableError,
)

__all__ = ["Told", "as_holdall", "told_by", "unanswered"]

_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "403", "Forbidden"}
_READS = ("GetObject", "HeadObject", "ListObjects")  # for which absence is denied, too
_FULL = {"EntityTooLarge", "QuotaExceeded", "InsufficientStorage", "StorageFull", "XMinioStorageFull", "507"}
_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "301"}
_BUSY = {
    "SlowDown",
    "ServiceUnavailable",
    "RequestLimitExceeded",
    "Throttling",
    "TooManyRequests",
    "503",
    "429",
}


class Told(NamedTuple):
    """The answer of a server to a request that it did not carry out.

    Parameters
    ----------
    code
        Its code for the reason; the status where it has none.
    status
        The HTTP status.
    repeated
        Whether the request was sent more than once.
    message
        Its message.
    """

    code: str
    status: int
    repeated: bool
    message: str


def told_by(error: Any) -> Told:
    """Return the answer in a `botocore.exceptions.ClientError`."""
    reason = error.response.get("Error", {})
    answer = error.response.get("ResponseMetadata", {})
    status = int(answer.get("HTTPStatusCode", 0))
    code = str(reason.get("Code") or status)  # answers that are not from S3 have none
    return Told(code, status, bool(answer.get("RetryAttempts")), str(reason.get("Message", "")))


def as_holdall(told: Told, what: str, cause: BaseException) -> HoldallError:
    """Return the error for users.

    Parameters
    ----------
    told
        The answer of the server.
    what
        The operation, the key and the location, for the message.
    cause
        The error of boto3.
    """
    code, message = told.code, told.message
    said = f"{what}: {code}" + (f" ({message})" if message and message != code else "")
    error: HoldallError
    if code == "NoSuchBucket":
        error = StoreNotFoundError(f"{said}: there is no such bucket")
    elif code in _CREDENTIALS:
        error = StoreUnavailableError(f"{said}: the credentials are expired or not accepted; renew them")
    elif code in _DENIED:
        hint = (
            "; without s3:ListBucket S3 does not tell absent from forbidden (denied_is_absent=True takes it "
            "for absent)"
        )
        error = StoreUnavailableError(f"{said}: denied" + (hint if what.startswith(_READS) else ""))
        error.denied = True  # type: ignore[attr-defined]
    elif code in _FULL or told.status == 507:
        error = StoreFullError(f"{said}: the server has no room for it; what was stored is untouched")
    elif code == "KeyTooLongError":
        return InvalidKeyError(said)
    elif code == "InvalidBucketName":
        return InvalidArgumentError(said)
    elif code in _REGION:
        error = StoreUnavailableError(f"{said}: the bucket lies in another region; give region=")
    elif code in _BUSY:
        error = StoreUnavailableError(f"{said}: the server is busy; try again later")
    else:
        error = StoreUnavailableError(said)
    error.__cause__ = cause
    return error


def unanswered(error: Exception, what: str) -> HoldallError:
    """Return the error for a request without an answer, or one that could not be sent."""
    from botocore import exceptions as boto  # noqa: PLC0415  (already imported)

    if isinstance(error, boto.ParamValidationError):
        return InvalidArgumentError(f"{what}: boto3 refuses the request: {error}")
    if isinstance(error, boto.NoRegionError):
        return InvalidArgumentError(f"{what}: no region is set; give region=")
    if isinstance(error, boto.NoCredentialsError):
        return StoreUnavailableError(
            f"{what}: no credentials were found; give a client or a session, set them as boto3 expects, or "
            "use anonymous=True",
        )
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError | boto.SSLError):
        return StoreUnavailableError(f"{what}: the server cannot be reached: {error}")
    return StoreUnavailableError(f"{what}: {type(error).__name__}: {error}")


def lost(error: Exception, what: str) -> OutcomeUnknownError:
    """Return the error for a write whose answer was lost."""
    return OutcomeUnknownError(f"{what}: the answer was lost ({error}), so it may or may not have happened")
