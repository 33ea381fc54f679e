"""The servers, the fake and the proxy do what the tests of S3 rely on."""

import socket
import ssl
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from s3._places import client_of, moto, new_bucket
from s3._wire import Answer, LoseEvery


def code(call, **arguments):
    """Give the code of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def counted(client, bucket, times):
    """Count on in an object, by compare-and-swap, and give the numbers that were reached."""
    reached = []
    while len(reached) < times:
        got = client.get_object(Bucket=bucket.name, Key="n")
        number = int(got["Body"].read()) + 1
        try:
            client.put_object(Bucket=bucket.name, Key="n", Body=b"%d" % number, IfMatch=got["ETag"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
        else:
            reached.append(number)
    return reached


def count_in_threads(bucket, endpoint, threads, times):
    """Count on in several threads, and give all the numbers that were reached."""
    bucket.put("n", b"0")
    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(counted, client_of(endpoint), bucket, times) for _ in range(threads)]
        return sorted(number for future in running for number in future.result())


def test_the_locked_server_compares_and_swaps(faces, plain_bucket):
    assert count_in_threads(plain_bucket, faces["locked"], 2, 10) == list(range(1, 21))
    assert plain_bucket.get("n") == b"20"


def test_the_raw_server_loses_a_write(faces, plain_bucket):
    """The negative control: what compares and swaps rightly on the other server cannot do so here."""
    reached = count_in_threads(plain_bucket, faces["raw"], 2, 10)
    assert reached != list(range(1, 21))
    assert int(plain_bucket.get("n")) < 20


@pytest.mark.soak
def test_the_raw_server_loses_writes_when_threads_change_quickly():
    with moto("--switch-interval=1e-6") as urls:
        for _ in range(20):
            bucket = new_bucket(urls["locked"])
            try:
                reached = count_in_threads(bucket, urls["raw"], 8, 50)
            except ClientError as error:
                reached = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if reached != list(range(1, 401)):
                break
        assert reached == 500 or len(set(reached)) < 400


def test_the_hiding_server_tells_403_for_what_is_absent(faces, plain_bucket):
    hidden = client_of(faces["hiding"])
    where = {"Bucket": plain_bucket.name, "Key": "x"}
    assert code(hidden.get_object, **where) == "AccessDenied"
    assert code(hidden.head_object, **where) == "403"
    assert code(hidden.list_objects_v2, Bucket=plain_bucket.name) == "AccessDenied"
    assert code(hidden.get_object, Bucket="no-such-bucket", Key="x") == "NoSuchBucket"
    hidden.put_object(**where, Body=b"1", IfNoneMatch="*")
    assert code(hidden.put_object, **where, Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    assert hidden.get_object(**where)["Body"].read() == b"1"
    assert hidden.head_object(**where)["ContentLength"] == 1
    hidden.delete_object(**where)
    hidden.delete_object(**where)


def test_the_slow_server_answers_as_the_others(faces, plain_bucket):
    start = time.perf_counter()
    client_of(faces["slow"]).put_object(Bucket=plain_bucket.name, Key="x", Body=b"1")
    assert time.perf_counter() - start >= 0.02
    assert plain_bucket.get("x") == b"1"


@pytest.mark.soak
def test_a_server_ends_with_who_started_it():
    with moto() as urls:
        port = int(urls["locked"].rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_buckets_are_of_the_kind_that_was_asked_for(bucket):
    bucket.put("a", b"1")
    bucket.put("a", b"2")
    bucket.delete("a")
    versions = [] if bucket.kind == "plain" else [("a", "marker")]
    if bucket.kind == "versioned":
        versions += [("a", "version")] * 2
    assert sorted(bucket.versions()) == sorted(versions)
    assert bucket.keys() == bucket.uploads() == []


def test_the_proxy_loses_each_fifth_success(proxy, plain_bucket):
    """The write is done, and the client is not told."""
    rule = LoseEvery(5)
    between = client_of(proxy(rule).url)
    lossless = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    import boto3

    between = boto3.client("s3", endpoint_url=between.meta.endpoint_url, config=lossless)
    lost = []
    for number in range(15):
        try:
            between.put_object(Bucket=plain_bucket.name, Key=str(number), Body=b"%d" % number)
        except ConnectionClosedError:
            lost.append(number)
    assert lost == [4, 9, 14]
    assert rule.lost == 3
    found = plain_bucket.keys()
    assert {int(plain_bucket.get(key)) for key in found} == set(range(15))


@pytest.fixture
def hasty():
    """Give a function that makes a client which tries once, and waits shortly."""
    import boto3

    config = Config(retries={"total_max_attempts": 1}, read_timeout=0.3, s3={"addressing_style": "path"})
    return lambda url: boto3.client("s3", endpoint_url=url, config=config)


def test_bodies_are_cut_stalled_and_unmeasured(proxy, plain_bucket, hasty):
    plain_bucket.put("x", b"0123456789")
    where = {"Bucket": plain_bucket.name, "Key": "x"}

    def read(change):
        with proxy(lambda _, answer: change(answer)) as between:
            return hasty(between.url).get_object(**where)["Body"].read()

    assert read(lambda answer: answer) == b"0123456789"
    with pytest.raises(ResponseStreamingError):
        read(lambda answer: answer.cut(5))
    with pytest.raises(ReadTimeoutError):
        read(lambda answer: answer.stalled(5))
    assert read(lambda answer: answer.unmeasured(5)) == b"01234"
    with pytest.raises(ConnectionClosedError):
        read(lambda answer: answer.lost())


def test_the_proxy_can_answer_in_place_of_the_server(proxy, plain_bucket, hasty):
    between = proxy(before=lambda request: Answer.error(503, "SlowDown") if request.method == "PUT" else None)
    client = hasty(between.url)
    assert code(client.put_object, Bucket=plain_bucket.name, Key="x", Body=b"1") == "SlowDown"
    assert code(client.get_object, Bucket=plain_bucket.name, Key="x") == "NoSuchKey"
    assert between.operations() == ["PutObject", "GetObject"]
    assert between.requests[0].path == f"/{plain_bucket.name}/x"
    assert between.requests[0].body == b"1"


def test_the_fake_plays_its_script(fake, hasty):
    server = fake(
        Answer(200, b"<html>log in</html>", {"Content-Type": "text/html"}),
        Answer.error(409, "ConditionalRequestConflict"),
        Answer(200, headers={"ETag": '"1"'}),
    )
    client = hasty(server.url)
    where = {"Bucket": "b", "Key": "k"}
    assert client.get_object(**where)["Body"].read() == b"<html>log in</html>"
    assert code(client.put_object, **where, Body=b"1", IfMatch='"0"') == "ConditionalRequestConflict"
    assert client.put_object(**where, Body=b"1")["ETag"] == '"1"'
    assert client.put_object(**where, Body=b"1")["ETag"] == '"1"'
    assert server.requests[1].headers["if-match"] == '"0"'
    server.play(lambda request: Answer(200, request.method.encode()))
    assert client.get_object(**where)["Body"].read() == b"GET"


def test_requests_over_tls_are_seen_as_they_are(certificate, faces, proxy, plain_bucket):
    """Here, and only here, boto3 frames a body in chunks unless it is told otherwise."""
    import boto3

    between = proxy(upstream=faces["locked"], certificate=certificate)
    assert between.url.startswith("https:")
    client = boto3.client("s3", endpoint_url=between.url, config=Config(s3={"addressing_style": "path"}))
    client.put_object(Bucket=plain_bucket.name, Key="x", Body=b"value")
    [seen] = between.requests
    assert seen.headers["content-encoding"] == "aws-chunked"
    assert seen.body != b"value"
    careful = Config(request_checksum_calculation="when_required", s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=between.url, config=careful)
    client.put_object(Bucket=plain_bucket.name, Key="x", Body=b"value")
    assert "content-encoding" not in between.requests[-1].headers
    assert between.requests[-1].body == b"value"
    with pytest.raises(urllib.error.URLError) as caught:
        urllib.request.urlopen(between.url, timeout=5)
    assert isinstance(caught.value.reason, ssl.SSLError)


@pytest.mark.soak
def test_nothing_of_moto_is_left_behind():
    """A server that is not stopped ends with the input it waits for."""
    from processes._support import PYTHON, child_environment

    process = subprocess.Popen(
        [PYTHON, "-m", "s3._server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environment(),
    )
    assert process.stdout.readline().startswith(b"{")
    process.stdin.close()
    assert process.wait(30) == 0
    process.stdout.close()
