"""The engine of S3 over boto3, which determines outcomes by the code of the server."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from holdall._remote.engine import (
    Answer,
    BrokenBodyError,
    Engine,
    Found,
    Page,
    RefusedError,
    UnchangedError,
    UnsureError,
)
from holdall._remote.facts import Facts, facts_of
from holdall._remote.swap import NO_ETAG
from holdall._remote.tokens import FIELD, read_tokens
from holdall._shown import shown
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected
from holdall.errors import StoreNotFoundError, StoreUnavailableError, UnsupportedError
from holdall.persisters.s3._bucket import Bucket
from holdall.persisters.s3._bulk import delete_many
from holdall.persisters.s3._errors import Told, lost
from holdall.persisters.s3._listing import list_pages
from holdall.persisters.s3._requests import CONFLICT, Requests, ServerError, UnansweredError
from holdall.persisters.s3._upload import Upload, body_of, upload_parts

__all__ = ["S3Engine"]

_BUSY = {"SlowDown", "ServiceUnavailable", "503", "429"}
_NOT_KNOWN = {"NotImplemented", "InvalidArgument", "InvalidRequest", "MethodNotAllowed"}
# Codes for "writes must come with a digest": of AWS, of others, of moto.
_WANTS_DIGEST = {"MissingContentMD5", "MissingUploadObjectWithObjectLockHeaders"}


class S3Engine(Engine):
    """Sends single requests to a bucket of S3.

    Parameters
    ----------
    requests
        Sends them.
    create_bucket
        Whether the first write makes a missing bucket.
    denied_is_absent
        Whether an object without read access counts as absent.
    part_bytes
        Size from which objects are uploaded in parts, and size of the parts.
    workers
        How many requests bulk operations send at once.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        create_bucket: bool,
        denied_is_absent: bool,
        part_bytes: int,
        workers: int,
    ) -> None:
        self.requests = requests
        self.bucket = Bucket(requests, create=create_bucket)
        self.denied_is_absent = denied_is_absent
        self.part_bytes = part_bytes
        self.workers = workers

    @property
    def location(self) -> str:  # docstring inherited
        return self.requests.location()

    def identity(self) -> tuple[str, str]:  # docstring inherited
        return str(self.requests.source().meta.endpoint_url), self.requests.bucket

    @property
    def _facts(self) -> Facts:
        return facts_of(self.identity())

    def close(self) -> None:  # docstring inherited
        self.requests.source.close()

    # ------------------------------------------------------------------ reading

    def head(self, key: str) -> Found:  # docstring inherited
        try:
            answer = self._answer("head_object", Key=key)
        except ServerError as error:
            # The answer to a HEAD has no body, so no code of the reason: a GET has one.
            status = error.told.status
            if status == 404 and self.requests.seen:
                raise KeyError(key) from None
            if status not in {301, 400, 403, 404}:
                raise error.for_users() from error.__cause__
        else:
            return self._found(answer, key)
        return self._explained(key)

    def _explained(self, key: str) -> Found:
        """Find out by a GET of one byte what a HEAD did not report."""
        try:
            answer = self._answer("get_object", Key=key, Range="bytes=0-0")
        except ServerError as error:
            if error.told.status != 416:
                raise self._absent_or(error, key) from error.__cause__
            answer = self._get(key, {})  # empty: no first byte
        answer["Body"].close()
        return self._found(answer, key)

    def get(
        self, key: str, *, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> Answer:  # docstring inherited
        wanted: dict[str, Any] = {}
        if start or stop is not None:
            wanted["Range"] = f"bytes={start}-" if stop is None else f"bytes={start}-{stop - 1}"
        if etag is not None:
            wanted["IfMatch"] = f'"{etag}"'
        answer = self._get(key, wanted)
        if start and "ContentRange" not in answer:
            answer["Body"].close()
            raise StoreUnavailableError(f"{self.location} ignores ranges: it sent all of {shown(key, 120)}")
        return Answer(self._found(answer, key), start, _Body(answer["Body"]))

    def get_unless(self, key: str, etag: str) -> Answer:  # docstring inherited
        answer = self._get(key, {"IfNoneMatch": f'"{etag}"'})
        return Answer(self._found(answer, key), 0, _Body(answer["Body"]))

    def _get(self, key: str, wanted: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._answer("get_object", Key=key, **wanted)
        except ServerError as error:
            if error.told.status == 304 and "IfNoneMatch" in wanted:
                raise UnchangedError from None
            if error.told.status == 412 and "IfMatch" in wanted:
                raise RefusedError from None
            raise self._absent_or(error, key) from error.__cause__

    def _found(self, answer: dict[str, Any], key: str) -> Found:
        """Return the head of an object; raise for one without version or length."""
        etag, size, time = answer.get("ETag"), answer.get("ContentLength"), answer.get("LastModified")
        if not etag or size is None or time is None:
            if "Body" in answer:
                answer["Body"].close()
            raise StoreUnavailableError(
                f"the answer for {shown(key, 120)} in {self.location} is no object: it lacks etag, length or "
                "time",
            )
        if "ContentRange" in answer:
            size = int(answer["ContentRange"].rpartition("/")[2])
        fields = answer.get("Metadata", {})
        tokens = fields.get(FIELD) or next((fields[name] for name in fields if name.lower() == FIELD), None)
        return Found(_etag(etag), float(int(time.timestamp())), size, read_tokens(tokens))

    # ------------------------------------------------------------------ writing

    def put(
        self, key: str, data: Any, tokens: str, expected: Expected = ANY_ETAG
    ) -> str:  # docstring inherited
        upload = Upload(key, data, {FIELD: tokens}, checksum=self._checksum())
        if expected is ANY_ETAG and upload.size > self.part_bytes:
            return self._put_parts(upload)
        condition: dict[str, str] = {}
        if expected is ITEM_NOT_AVAILABLE:
            condition["IfNoneMatch"] = "*"
        elif expected is not ANY_ETAG:
            condition["IfMatch"] = self._quoted(expected)
        try:
            answer = self._put_whole(upload, condition)
        except ServerError as error:
            raise self._not_written(error, bool(condition)) from error.__cause__
        except UnansweredError as error:
            if condition or error.sent:
                raise UnsureError(str(error.error)) from error.__cause__
            raise error.error from error.__cause__
        if "IfMatch" in condition and self._facts.quoted is None:
            self._facts.quoted = True
        return _etag(answer["ETag"])

    def _checksum(self) -> str | None:
        """Return the name of the checksum that is wanted of each write."""
        wanted = self.requests.put_options.get("ChecksumAlgorithm")
        if wanted is None and _digests(self.requests.source()):
            return "CRC32"
        return wanted

    def _put_whole(self, upload: Upload, condition: dict[str, str]) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            body = body_of(upload, 0, upload.size)
            return self.requests.send_in_turn(
                "put_object",
                bool(condition),
                Key=upload.key,
                Metadata=upload.metadata,
                **body,
                **condition,
            )

        return self._written(upload, send)

    def _written(self, upload: Upload, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Send a write; repeat it with digests if the server requires them, as for buckets with locks."""
        upload.md5 = self._facts.checksum
        try:
            return self.bucket.write(send)
        except ServerError as error:
            wants = error.told.code in _WANTS_DIGEST or "Content-MD5" in error.told.message
            if upload.md5 or not wants:
                raise
        self._facts.checksum = upload.md5 = True
        return self.bucket.write(send)

    def _put_parts(self, upload: Upload) -> str:
        try:
            answer = self._written(
                upload,
                lambda: upload_parts(self.requests, upload, self.part_bytes, self._holds_token),
            )
        except ServerError as error:
            raise self._not_written(error, False) from error.__cause__
        except UnansweredError as error:
            if error.sent:
                raise lost(
                    error.error, f"the upload of {shown(upload.key, 120)} to {self.location}"
                ) from error.error
            raise error.error from error.__cause__
        return _etag(answer["ETag"])

    def _holds_token(self, upload: Upload) -> dict[str, Any] | None:
        """Return the head of an object if an upload whose answer was lost made it."""
        try:
            found = self.head(upload.key)
        except (KeyError, StoreUnavailableError):
            return None
        return {"ETag": found.etag} if upload.metadata[FIELD] in found.tokens[-1:] else None

    def _not_written(self, error: ServerError, conditional: bool) -> Exception:
        told = error.told
        if conditional:
            if told.status in {304, 412} or told.code in {"NoSuchKey", "PreconditionFailed"} | CONFLICT:
                return _refused(told)
            if told.status == 501:
                return UnsupportedError(f"{error.what}: the server knows no conditions ({told.code})")
            if told.repeated:  # an earlier sending may have succeeded
                return UnsureError(str(error.for_users()))
        if told.status >= 500 and (conditional or told.code not in _BUSY) and told.status != 507:
            return UnsureError(str(error.for_users()))
        return error.for_users()

    def _quoted(self, etag: str) -> str:
        return etag if self._facts.quoted is False else f'"{etag}"'

    @property
    def spelling(self) -> bool | None:  # docstring inherited
        return self._facts.quoted

    def respell(self, tried: bool | None) -> bool:  # docstring inherited
        facts = self._facts
        with facts.lock:
            if facts.quoted is not tried:  # tested by another thread meanwhile
                return True
            if tried is not None:
                return False
            facts.quoted = False
            return True

    # ------------------------------------------------------------------ deleting

    def delete(
        self, key: str, expected: Expected = ANY_ETAG, *, present: bool = False
    ) -> bool:  # docstring inherited
        condition: dict[str, str] = {}
        if expected is not ANY_ETAG:
            condition["IfMatch"] = self._quoted(str(expected))
        elif present:
            condition["IfMatch"] = "*"
        try:
            self._delete(key, condition)
        except ServerError as error:
            told = error.told
            if told.code == "NoSuchKey" and not condition:
                return False
            if condition and (told.status == 412 or told.code in {"NoSuchKey", *CONFLICT}):
                raise _refused(told) from error.__cause__
            if condition and (told.status == 501 or told.code in _NOT_KNOWN):
                raise UnsupportedError(
                    f"{error.what}: deletions have no conditions there"
                ) from error.__cause__
            if expected is not ANY_ETAG and (told.status >= 500 or told.repeated):
                raise UnsureError(str(error.for_users())) from error.__cause__
            raise self._absent_or(error, key) from error.__cause__
        except UnansweredError as error:
            if expected is not ANY_ETAG:
                raise UnsureError(str(error.error)) from error.__cause__
            raise error.error from error.__cause__
        return True

    def _delete(self, key: str, condition: dict[str, str]) -> dict[str, Any]:
        return self.requests.send_in_turn("delete_object", Key=key, **condition)

    def obeys_deletions(self, key: str) -> bool:  # docstring inherited
        for condition in (f'"{NO_ETAG}"', "*"):
            try:
                answer = self._delete(key, {"IfMatch": condition})
            except ServerError as error:
                if error.told.status == 412 or error.told.code == "NoSuchKey":
                    continue
                if error.told.status == 501 or error.told.code in _NOT_KNOWN:
                    return False
                raise error.for_users() from error.__cause__
            except UnansweredError as error:
                raise error.error from error.__cause__
            if answer.get("DeleteMarker") and answer.get("VersionId"):
                self._sweep(key, answer["VersionId"])
            return False
        return True

    def _sweep(self, key: str, version: str) -> None:
        """Delete the marker that a test left where versions are kept."""
        try:
            self.requests.send("delete_object", Key=key, VersionId=version)
        except (ServerError, UnansweredError):
            return  # needs another right; a harmless marker stays

    def delete_many(self, keys: Iterable[str]) -> None:  # docstring inherited
        try:
            delete_many(self.requests, self._facts, keys, self.workers)
        except StoreNotFoundError:
            if self.requests.seen or not self.bucket.create:
                raise

    # ------------------------------------------------------------------ listing

    def pages(self, prefix: str, delimiter: str = "") -> Iterator[Page]:  # docstring inherited
        def ask(**parameters: Any) -> dict[str, Any]:
            try:
                return self._answer("list_objects_v2", **parameters)
            except ServerError as error:
                if self.bucket.is_to_come(error):
                    raise KeyError(prefix) from None
                raise error.for_users() from error.__cause__

        try:
            yield from list_pages(ask, self._facts, prefix, delimiter, self.location)
        except KeyError:
            return  # the bucket does not exist yet

    # ------------------------------------------------------------------ the bucket

    def _answer(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Send a request that reads."""
        try:
            return self.requests.send(operation, **parameters)
        except UnansweredError as error:
            raise error.error from error.__cause__

    def _absent_or(self, error: ServerError, key: str) -> Exception:
        """Return the error for a failed read: absence, or an error for users."""
        code = error.told.code
        if code == "NoSuchKey":
            return KeyError(key)
        if self.bucket.is_to_come(error):
            return KeyError(key)
        told = error.for_users()
        if self.denied_is_absent and getattr(told, "denied", False):
            return KeyError(key)
        return told


class _Body:
    """The body of an answer of boto3."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int, /) -> bytes:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415  (already imported)
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            return self._body.read(size)  # type: ignore[no-any-return]
        except (BotoCoreError, HTTPError, OSError, ValueError) as error:
            raise BrokenBodyError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        self._body.close()


def _refused(told: Told) -> RefusedError:
    return RefusedError(repeated=told.repeated, absent=told.code == "NoSuchKey", busy=told.code in CONFLICT)


def _etag(text: str) -> str:
    return text.removeprefix("W/").strip('"')


def _digests(client: Any) -> bool:
    """Return whether the client sends a checksum with each write."""
    return getattr(client.meta.config, "request_checksum_calculation", None) == "when_supported"
