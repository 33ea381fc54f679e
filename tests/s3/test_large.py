"""Large values: in parts, without copies, and nothing left of an upload that failed; requests over TLS."""

import base64
import hashlib
import io
import shutil
import threading
import tracemalloc
from contextlib import closing

import pytest

from exploring import in_soak
from holdall import ITEM_NOT_AVAILABLE, ConflictError, S3Store, StoreUnavailableError
from holdall.persisters.s3 import S3Persister
from s3._wire import Answer, Proxy

MEBI = 1 << 20
LARGE = b"".join(hashlib.sha256(b"%d" % number).digest() * 1024 for number in range(400))  # 12.5 MiB


def place_at(bucket, url=None, **options):
    options = {"prefix": "p", "part_bytes": 5 * MEBI, **options}
    return S3Persister(bucket.name, endpoint_url=url or bucket.endpoint_url, **options)


def test_large_data_come_back(plain_bucket, proxy):
    wire = proxy()
    place = place_at(plain_bucket, wire.url)
    place.put("a", LARGE)
    assert wire.operations().count("UploadPart") == 3
    place.put("b", [LARGE[: 7 * MEBI], memoryview(LARGE)[7 * MEBI :]])
    wire.forget()
    for id in "ab":
        assert place[id] == LARGE
        with place.reader(id) as file:
            assert file.read(10) == LARGE[:10]
            assert file.read() == LARGE[10:]
        with place.fetch(id, MEBI) as file:
            assert file.read() == LARGE
    assert plain_bucket.get("p/b") == LARGE
    assert plain_bucket.uploads() == []
    later = [request for request in wire.requests if "range" in request.headers]
    assert later
    assert all("if-match" in request.headers for request in later)


def test_conditional_writes_are_single_requests(plain_bucket, proxy):
    """Some servers ignore the condition at the end of an upload in parts."""
    wire = proxy()
    place = place_at(plain_bucket, wire.url)
    first = place.write("a", LARGE, ITEM_NOT_AVAILABLE)
    place.write("a", LARGE[::-1], first.etag)
    assert "UploadPart" not in wire.operations()
    assert place["a"] == LARGE[::-1]


def test_one_of_several_that_insert_a_large_value_wins(plain_bucket):
    won = []

    def insert(number):
        try:
            place_at(plain_bucket).write("a", bytes([number]) * 6 * MEBI, ITEM_NOT_AVAILABLE)
        except ConflictError:
            return
        won.append(number)

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(won) == 1
    assert place_at(plain_bucket)["a"] == bytes(won) * 6 * MEBI


@pytest.mark.parametrize("error", [Answer.error(403, "AccessDenied"), Answer.error(400, "InvalidPart")])
@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_nothing_is_left_of_an_upload_that_failed(plain_bucket, operation, error):
    plain_bucket.put("p/a", b"old")
    with Proxy(
        plain_bucket.endpoint_url,
        before=lambda request: error if request.operation == operation else None,
    ) as wire:
        with pytest.raises(StoreUnavailableError):
            place_at(plain_bucket, wire.url).put("a", LARGE)
        assert "AbortMultipartUpload" in wire.operations()
    assert plain_bucket.uploads() == []
    assert plain_bucket.get("p/a") == b"old"


def test_nothing_is_left_of_an_upload_that_was_interrupted(plain_bucket, monkeypatch):
    place = place_at(plain_bucket)
    send = place.engine.requests.send

    def interrupted(operation, *once, **parameters):
        if operation == "complete_multipart_upload":
            raise KeyboardInterrupt
        return send(operation, *once, **parameters)

    monkeypatch.setattr(place.engine.requests, "send", interrupted)
    with pytest.raises(KeyboardInterrupt):
        place.put("a", LARGE)
    assert plain_bucket.uploads() == []
    assert plain_bucket.keys() == []


def test_a_lost_end_of_an_upload_is_found_by_its_token(plain_bucket, proxy):
    wire = proxy(
        lambda request, answer: answer.lost() if request.operation == "CompleteMultipartUpload" else answer
    )
    place_at(plain_bucket, wire.url).put("a", LARGE)
    assert plain_bucket.get("p/a") == LARGE


def test_an_upload_that_others_got_in_the_way_of_is_begun_anew(plain_bucket):
    refused = [1]

    def before(request):
        if request.operation == "CompleteMultipartUpload" and refused:
            refused.pop()
            return Answer.error(409, "ConditionalRequestConflict")
        return None

    with Proxy(plain_bucket.endpoint_url, before=before) as wire:
        place_at(plain_bucket, wire.url).put("a", LARGE)
        assert wire.operations().count("CreateMultipartUpload") == 2
    assert plain_bucket.get("p/a") == LARGE
    assert plain_bucket.uploads() == []


@pytest.mark.soak
def test_a_large_value_replaced_while_it_is_streamed_is_a_conflict(plain_bucket):
    place = place_at(plain_bucket)
    place.put("a", LARGE * 5)
    with closing(place.reader("a")) as file:
        file.read(100)
        place.put("a", b"new")
        with pytest.raises(ConflictError):
            shutil.copyfileobj(file, io.BytesIO())


def test_an_empty_value(plain_bucket):
    place = place_at(plain_bucket)
    place.put("a", b"")
    assert place["a"] == b""
    assert place.reader("a").read() == b""
    assert "a" in place


@pytest.mark.soak
def test_streaming_takes_little_memory(plain_bucket):
    """The parts in hand, whatever the size of the value."""
    plain_bucket.put("p/a", bytes(100 * MEBI))
    place = place_at(plain_bucket)
    place["small"] = b""
    tracemalloc.start()
    try:
        with place.reader("a") as file:
            size = 0
            while piece := file.read(MEBI):
                size += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 100 * MEBI
    assert peak < 80 * MEBI


# ---------------------------------------------------------------------- over TLS


def test_no_framing_gets_into_values(plain_bucket, certificate):
    """Over TLS boto3 wraps bodies in chunks, with checksums at their ends; some servers store the frames."""
    with Proxy(plain_bucket.endpoint_url, certificate=certificate) as wire:
        assert wire.url.startswith("https:")
        place = place_at(plain_bucket, wire.url)
        place.put("a", b"1")
        place.put("b", [b"1" * MEBI, b"2" * MEBI])
        place.put("c", LARGE)
        place.write("d", b"1", ITEM_NOT_AVAILABLE)
        writes = [request for request in wire.requests if request.method == "PUT"]
    assert len(writes) >= 6
    for request in writes:
        assert "aws-chunked" not in request.headers.get("content-encoding", "")
        assert "x-amz-trailer" not in request.headers
        assert request.headers.get("transfer-encoding") is None
        assert not any(name.startswith("x-amz-checksum-") for name in request.headers)
    assert plain_bucket.get("p/c") == LARGE


def test_a_client_of_ones_own_sends_no_frames_either(plain_bucket, certificate):
    """It wants checksums, and finds them in the headers."""
    import boto3

    with Proxy(plain_bucket.endpoint_url, certificate=certificate) as wire:
        client = boto3.Session().client("s3", endpoint_url=wire.url)
        place = S3Persister(plain_bucket.name, client=client, part_bytes=5 * MEBI)
        place.put("a", b"1")
        place.put("b", [b"1" * MEBI, b"2" * MEBI])
        place.put("c", LARGE)
        writes = [request for request in wire.requests if request.method == "PUT"]
    assert len(writes) == 5
    for request in writes:
        assert "aws-chunked" not in request.headers.get("content-encoding", "")
        assert "x-amz-trailer" not in request.headers
        assert "x-amz-checksum-crc32" in request.headers
    assert plain_bucket.get("c") == LARGE


@pytest.mark.parametrize("name", ["SHA256", *in_soak("CRC32", "SHA1")])
def test_a_checksum_that_is_wanted_goes_with_the_head(plain_bucket, certificate, name):
    """Of each part, too: boto3 would put it behind the body, in a framing that some servers store."""
    with Proxy(plain_bucket.endpoint_url, certificate=certificate) as wire:
        place = place_at(plain_bucket, wire.url, put_options={"ChecksumAlgorithm": name})
        place.put("a", b"1")
        place.put("b", LARGE[: 6 * MEBI])
        writes = [request for request in wire.requests if request.method == "PUT"]
        [end] = [request for request in wire.requests if request.operation == "CompleteMultipartUpload"]
    assert len(writes) == 3
    small, *parts = (request.headers[f"x-amz-checksum-{name.lower()}"] for request in writes)
    assert len(base64.b64decode(small)) == {"SHA256": 32, "SHA1": 20, "CRC32": 4}[name]
    assert all(f"<Checksum{name}>{checksum}</".encode() in end.body for checksum in parts)
    assert not any("content-encoding" in request.headers for request in writes)
    assert plain_bucket.get("p/a") == b"1"
    assert plain_bucket.get("p/b") == LARGE[: 6 * MEBI]


def test_a_bucket_with_locks(plain_bucket):
    """It wants digests of all that is written: asked for once, and sent from then on."""
    name = plain_bucket.name + "-locked"
    client = plain_bucket.client
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    client.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )
    place = S3Persister(name, endpoint_url=plain_bucket.endpoint_url, part_bytes=5 * MEBI)
    place.put("large", LARGE)
    place.put("small", b"1")
    assert (place["small"], place["large"]) == (b"1", LARGE)


def test_a_bucket_that_wants_digests(plain_bucket):
    """Object lock does: the write is repeated once with one, and it is remembered."""
    asked = []

    def before(request):
        if request.operation == "PutObject":
            asked.append(request.headers.get("content-md5"))
            if asked[-1] is None:
                return Answer.error(400, "InvalidRequest", "Content-MD5 HTTP header is required")
        return None

    with Proxy(plain_bucket.endpoint_url, before=before) as wire:
        store = S3Store(plain_bucket.name, endpoint_url=wire.url)
        store["a"] = 1
        store["b"] = 2
    assert [digest is None for digest in asked] == [True, False, False]
    assert dict(S3Store(plain_bucket.name, endpoint_url=plain_bucket.endpoint_url).items()) == {
        "a": 1,
        "b": 2,
    }
