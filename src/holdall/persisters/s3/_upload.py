"""Bodies of writes: in one request or in parts, without copies of large values, with checksums in headers."""

import base64
import hashlib
import zlib
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

from holdall._remote.data import Pieces, buffers
from holdall.persisters.s3._requests import Requests, ServerError, UnansweredError

__all__ = ["Upload", "body_of", "upload_parts"]

_CHECKSUMS = ("CRC32", "SHA1", "SHA256")  # boto3 makes others
_JOINED = 1 << 20  # bytes up to which pieces are joined
_PARTS = 10_000  # the maximum per upload
_AT_ONCE = 4
_AGAIN = 3  # how often an upload is begun that others prevent


class Upload:
    """The contents of one write.

    Parameters
    ----------
    key
        The key of the object.
    data
        Its data, in one piece or several.
    metadata
        Metadata of the object.
    checksum
        The name of the checksum that each request has in its header, or None. If the client requires
        checksums and finds none, it wraps the body in a framing of its own, which some servers store.
    """

    def __init__(self, key: str, data: Any, metadata: dict[str, str], *, checksum: str | None) -> None:
        self.key = key
        self.data = data
        self.metadata = metadata
        self.checksum = checksum
        self.md5 = False  # whether each request has a Content-MD5
        self.views, self.size = buffers(data)


def body_of(upload: Upload, start: int, stop: int) -> dict[str, Any]:
    """Return the parameters for the bytes from one offset to another.

    Parameters
    ----------
    upload
        The write.
    start, stop
        The first offset, and the end.
    """
    pieces = Pieces(upload.views, start, stop)
    body: Any = pieces
    if isinstance(upload.data, bytes) and len(pieces) == len(upload.data):
        body = upload.data
    elif len(pieces) <= _JOINED:
        body = pieces.whole()
    parameters: dict[str, Any] = {"Body": body}
    if upload.checksum in _CHECKSUMS:
        parameters[f"Checksum{upload.checksum}"] = _digest(upload.checksum, pieces)
    if upload.md5:
        parameters["ContentMD5"] = _digest("MD5", pieces)
    return parameters


def _digest(name: str, pieces: Pieces) -> str:
    if name == "CRC32":
        crc = 0
        for view in pieces.views:
            crc = zlib.crc32(view, crc)
        return base64.b64encode(crc.to_bytes(4)).decode()
    digest = hashlib.new(name, usedforsecurity=False)
    for view in pieces.views:
        digest.update(view)
    return base64.b64encode(digest.digest()).decode()


def upload_parts(
    requests: Requests,
    upload: Upload,
    part_bytes: int,
    holds_token: Callable[[Upload], dict[str, Any] | None],
) -> dict[str, Any]:
    """Write an object in parts, a few at once; abort a failed upload, so that nothing is left.

    Parameters
    ----------
    requests
        Sends the requests.
    upload
        The write.
    part_bytes
        Size of the parts.
    holds_token
        Returns the head of the object if this upload made it.
    """
    step = max(part_bytes, -(-upload.size // _PARTS))
    for again in range(_AGAIN):
        options = {"ChecksumAlgorithm": upload.checksum} if upload.checksum else {}
        begun = requests.send_in_turn(
            "create_multipart_upload", Key=upload.key, Metadata=upload.metadata, **options
        )
        this = {"Key": upload.key, "UploadId": begun["UploadId"]}
        try:
            parts = _send_parts(requests, upload, this, step)
            return requests.send("complete_multipart_upload", MultipartUpload={"Parts": parts}, **this)
        except BaseException as error:
            unsure = isinstance(error, UnansweredError) or (
                isinstance(error, ServerError)
                and (error.told.status >= 500 or error.told.code == "NoSuchUpload")
            )
            done = holds_token(upload) if unsure else None
            if done is not None:
                return done
            _abort(requests, this)
            others = isinstance(error, ServerError) and error.told.status == 409
            if not others or again == _AGAIN - 1:
                raise
    raise AssertionError  # the last round returns or raises


def _send_parts(requests: Requests, upload: Upload, this: dict[str, Any], step: int) -> list[dict[str, Any]]:
    def send(number: int) -> dict[str, Any]:
        start = (number - 1) * step
        body = body_of(upload, start, min(start + step, upload.size))
        answer = requests.send("upload_part", PartNumber=number, **this, **body)
        part = {"PartNumber": number, "ETag": answer["ETag"]}
        return part | {name: body[name] for name in body if name.startswith("Checksum")}

    count = -(-upload.size // step)
    with ThreadPoolExecutor(_AT_ONCE, "holdall-parts") as pool:
        parts = [pool.submit(send, number) for number in range(1, count + 1)]
        try:
            wait(parts, return_when=FIRST_EXCEPTION)
            return [part.result() for part in parts]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _abort(requests: Requests, this: dict[str, Any]) -> None:
    """Abort an upload; its parts would be invisible, but billed."""
    try:
        requests.send("abort_multipart_upload", **this)
    except (ServerError, UnansweredError):
        return  # the first error matters more
