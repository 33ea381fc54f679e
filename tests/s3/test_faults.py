"""Servers that fail: the right error, in bounded time, and never a partial value."""

import pickle

import pytest

from holdall import (
    ITEM_NOT_AVAILABLE,
    ConflictError,
    InvalidArgumentError,
    S3Store,
    StoreFullError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from holdall.conditional import ETAG_IS_THE_SAME, NEVER_RETRIEVE
from holdall.errors import OutcomeUnknownError
from s3._wire import Answer, Proxy

OBJECT = {"ETag": '"0123456789abcdef"', "Last-Modified": "Thu, 26 Nov 2026 07:00:00 GMT"}


def impatient(url, read_timeout=1, **options):
    """Make a client that waits for a second at the most."""
    import boto3
    from botocore.config import Config

    config = Config(
        read_timeout=read_timeout, connect_timeout=1, retries={"total_max_attempts": 2}, **options
    )
    return boto3.Session().client("s3", endpoint_url=url, config=config)


def store_at(url, name="bucket", **options):
    return S3Store(name, prefix="p", endpoint_url=url, **options)


# ---------------------------------------------------------------------- listings


PAGE = (
    "<ListBucketResult><Name>bucket</Name><Prefix>p/</Prefix><EncodingType>url</EncodingType>{}"
    "<IsTruncated>{}</IsTruncated>{}</ListBucketResult>"
)


def entry(key):
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-11-26T07:00:00.500Z</LastModified>"
        '<ETag>"0123456789abcdef"</ETag><Size>1</Size></Contents>'
    )


def page(keys=(), following=None, truncated=None):
    more = following is not None if truncated is None else truncated
    token = "" if following is None else f"<NextContinuationToken>{following}</NextContinuationToken>"
    return Answer.xml(PAGE.format("".join(map(entry, keys)), str(more).lower(), token))


@pytest.mark.parametrize(
    "answers",
    [
        [page(["p/a.json"], truncated=True)],
        [page(["p/a.json"], "again"), page(["p/b.json"], "again")],
        [page(["p/a.json"], "1"), page(["p/b.json"], "2"), page(["p/a.json"], "1")],
        [Answer(200, b"<html>log in</html>", {"Content-Type": "text/html"})],
        [Answer(200, b"<html><p>log in", {"Content-Type": "text/html"})],
        [Answer.xml("<ListBucketResult><Name>bucket</Name></ListBucketResult>")],
    ],
    ids=["no token", "the same token", "tokens in a circle", "a page of a proxy", "half a page", "no end"],
)
def test_a_listing_that_ends_too_early_is_not_complete(fake, answers):
    server = fake(*answers)
    store = store_at(server.url)
    for verb in (
        lambda: len(store),
        store.clear,
        lambda: store.copy_to({}),
        lambda: list(store.persister.scan()),
    ):
        server.play(*answers)
        with pytest.raises(StoreUnavailableError):
            verb()
    assert "DeleteObjects" not in server.operations()


def test_empty_pages_are_followed(fake):
    server = fake(page([], "1"), page(["p/a.json"], "2"), page([], "3"), page(["p/b.json"]))
    assert [*store_at(server.url).persister.ids()] == ["a.json", "b.json"]
    server.play(page([], "1"), page(["p/a.json"], "2"))
    assert bool(store_at(server.url))


@pytest.mark.parametrize("style", ["+ and %2B", "%20 and +"])
def test_plus_and_space_are_listed_as_they_were_written(fake, style):
    """Servers differ in how they spell a listing; a key is never taken for another one."""
    keys = ["a b", "a+b", "a%20b", "a%2Bb"]
    space, plus = ("+", "%2B") if style == "+ and %2B" else ("%20", "+")
    store = store_at("http://127.0.0.1:9")
    names = [store.object_key(key) for key in keys]
    spelled = [name.replace("%", "%25").replace("+", plus).replace(" ", space) for name in names]
    server = fake(page(spelled))
    assert sorted(store_at(server.url)) == sorted(keys)
    server.play(page([*spelled, f"p/x{plus}y.json"]))  # of somebody else
    assert sorted(store_at(server.url)) == sorted(keys)


# ---------------------------------------------------------------------- deleting many


def errors(**codes):
    rows = "".join(f"<Error><Key>p/{key}</Key><Code>{code}</Code></Error>" for key, code in codes.items())
    return Answer.xml(f"<DeleteResult>{rows}</DeleteResult>")


def test_what_a_bulk_deletion_left_is_deleted_again(fake):
    server = fake(errors(k3="InternalError", k5="SlowDown"), errors())
    store_at(server.url).persister.remove_many(f"k{number}" for number in range(10))
    first, second = server.requests
    assert first.body.count(b"<Object>") == 10
    assert second.body.count(b"<Object>") == 2


def test_what_cannot_be_deleted_is_told_after_all_else_is_deleted(fake):
    server = fake(errors(k1="AccessDenied", k2="AccessDenied"), errors())
    with pytest.raises(StoreUnavailableError, match=r"2 objects.*'p/k1' \(AccessDenied\)"):
        store_at(server.url).persister.remove_many(f"k{number}" for number in range(1500))
    assert len(server.requests) == 2


@pytest.mark.parametrize("code", ["NotImplemented", "MissingContentMD5", "InvalidRequest"])
def test_servers_that_cannot_delete_many_delete_one_by_one(fake, code):
    def script(request):
        if request.operation == "DeleteObjects":
            return Answer.error(501 if code == "NotImplemented" else 400, code)
        return Answer(204)

    server = fake(script)
    place = store_at(server.url).persister
    for _ in range(2):
        place.remove_many(f"k{number}" for number in range(5))
    operations = server.operations()
    assert operations.count("DeleteObjects") == 1  # it is remembered
    assert operations.count("DeleteObject") == 10


@pytest.mark.parametrize("may_delete", [True, False])
def test_who_may_not_delete_many_at_once_deletes_one_by_one(fake, may_delete):
    """Ceph asks for a right to the bucket then; who may not delete at all is told at once."""

    def script(request):
        denied = request.operation == "DeleteObjects" or not may_delete
        return Answer.error(403, "AccessDenied") if denied else Answer(204)

    server = fake(script)
    place = store_at(server.url).persister
    if may_delete:
        place.remove_many(f"k{number}" for number in range(5))
        assert server.operations() == ["DeleteObjects"] + ["DeleteObject"] * 5
    else:
        with pytest.raises(StoreUnavailableError, match="denied"):
            place.remove_many(f"k{number}" for number in range(5))
        assert server.operations() == ["DeleteObjects", "DeleteObject"]


# ---------------------------------------------------------------------- why a HEAD failed


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [("ExpiredToken", 400, "credentials are expired"), ("AccessDenied", 403, "without s3:ListBucket")],
)
def test_a_head_that_cannot_say_why_is_explained(fake, code, status, said):
    def script(request):
        return Answer(status) if request.method == "HEAD" else Answer.error(status, code)

    server = fake(script)
    store = store_at(server.url)
    for verb in (lambda: "k" in store, lambda: store.etag("k"), lambda: store["k"], lambda: store.get("k")):
        server.forget()
        with pytest.raises(StoreUnavailableError, match=said):
            verb()
        assert len(server.requests) <= 3  # one of them is boto3's own


def test_a_missing_bucket_is_not_an_empty_one(endpoint):
    store = store_at(endpoint, "no-such-bucket", create_bucket=False)
    for verb in (
        lambda: "k" in store,
        lambda: store.get("k"),
        lambda: len(store),
        lambda: store.etag("k"),
        store.clear,
    ):
        with pytest.raises(StoreNotFoundError, match="no-such-bucket"):
            verb()
    made_later = store_at(endpoint, "no-such-bucket-yet")
    assert "k" not in made_later
    assert made_later.get("k") is None
    assert made_later.discard("k") is False
    assert len(made_later) == 0
    made_later.clear()


def test_absence_is_confirmed_once(plain_bucket, proxy):
    wire = proxy()
    store = store_at(wire.url, plain_bucket.name)
    assert "absent" not in store
    assert wire.operations() == ["HeadObject", "GetObject"]
    wire.forget()
    assert "absent" not in store
    assert wire.operations() == ["HeadObject"]


def test_who_may_not_list(faces, plain_bucket):
    """Without that right 403 stands for absence, too; it is an error unless one says otherwise."""
    store = store_at(faces["hiding"], plain_bucket.name)
    store["k"] = 1
    assert "k" in store
    for verb in (lambda: "absent" in store, lambda: store["absent"], lambda: store.get("absent")):
        with pytest.raises(StoreUnavailableError, match="s3:ListBucket"):
            verb()
    assert store.discard("k") is True
    assert store.discard("k") in {True, False}
    options = {
        "condition": ETAG_IS_THE_SAME,
        "expected_etag": ITEM_NOT_AVAILABLE,
        "retrieve_value": NEVER_RETRIEVE,
    }
    assert [store.set_item_if("new", value=1, **options)[0] for _ in range(2)] == [True, False]
    store["new"] = 2
    trusting = store_at(faces["hiding"], plain_bucket.name, denied_is_absent=True)
    assert "absent" not in trusting
    assert trusting.get("absent") is None
    with pytest.raises(KeyError):
        trusting["absent"]
    assert trusting.setdefault("absent", 1) == 1
    with pytest.raises(StoreUnavailableError):
        len(trusting)


# ---------------------------------------------------------------------- bodies


def body_of(size):
    return b"%b" % (b'"' + b"x" * (size - 2) + b'"')


def test_a_small_body_goes_with_the_head_of_its_request(plain_bucket, proxy):
    wire = proxy()
    store = store_at(wire.url, plain_bucket.name)
    store["small"], store["large"] = "x", "x" * 200_000
    assert (store["small"], len(store["large"])) == ("x", 200_000)
    asked = {
        request.path.rpartition("/")[2]: "expect" in request.headers
        for request in wire.requests
        if request.method == "PUT" and "/p/" in request.path
    }
    assert asked == {"small.json": False, "large.json": True}


def test_a_broken_body_is_taken_up_where_it_broke(plain_bucket, proxy):
    plain_bucket.put("p/k.json", body_of(3_000_000))
    cuts = [1_000_000, 500_000]

    def rule(request, answer):
        return answer.cut(cuts.pop()) if request.method == "GET" and cuts else answer

    wire = proxy(rule)
    assert store_at(wire.url, plain_bucket.name)["k"] == "x" * 2_999_998
    ranges = [request.headers.get("range") for request in wire.requests]
    assert ranges[0] is None
    assert all(text.startswith("bytes=") and not text.startswith("bytes=0-") for text in ranges[1:])
    assert all("if-match" in request.headers for request in wire.requests[1:])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: answer.cut(len(answer.body) // 2),
        lambda answer: answer.unmeasured(len(answer.body) // 2),
    ],
    ids=["cut", "no length"],
)
def test_a_short_body_is_never_a_value(plain_bucket, proxy, spoil):
    plain_bucket.put("p/k.json", b"1234567890")  # of which half is JSON, too
    wire = proxy(lambda request, answer: spoil(answer) if request.method == "GET" else answer)
    store = store_at(wire.url, plain_bucket.name)
    for verb in (lambda: store["k"], lambda: store.persister.fetch("k.json", 4).read()):
        with pytest.raises(StoreUnavailableError):
            verb()
    assert len(wire.requests) <= 6


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>log in</html>", {"Content-Type": "text/html"}),
        Answer(304),
        Answer(200, b"1", OBJECT).unmeasured(),
    ],
    ids=["a page of a proxy", "not modified", "no length"],
)
def test_what_is_no_object_is_no_value(fake, answer):
    with pytest.raises(StoreUnavailableError):
        store_at(fake(answer).url)["k"]


def test_a_value_replaced_while_it_is_read_is_read_anew(plain_bucket, proxy):
    old, new = body_of(2_000_000), body_of(1_500_000)
    plain_bucket.put("p/k.json", old)
    replaced = []

    def rule(request, answer):
        if request.method == "GET" and not replaced:
            replaced.append(plain_bucket.put("p/k.json", new))
            return answer.cut(1_000_000)
        return answer

    store = store_at(proxy(rule).url, plain_bucket.name)
    assert store["k"] == "x" * 1_499_998


def test_a_value_replaced_again_and_again_is_a_conflict(plain_bucket, proxy):
    plain_bucket.put("p/k.json", body_of(2_000_000))

    def rule(request, answer):
        if request.method == "GET" and answer.status == 200:
            plain_bucket.put("p/k.json", body_of(2_000_000 + len(wire.requests)))
            return answer.cut(1_000_000)
        return answer

    wire = proxy(rule)
    with pytest.raises(ConflictError, match="while it was read"):
        store_at(wire.url, plain_bucket.name)["k"]


# ---------------------------------------------------------------------- time, credentials, room


@pytest.mark.parametrize(
    ("answer", "kind", "sends"),
    [
        (Answer.error(403, "AccessDenied"), StoreUnavailableError, 1),
        (Answer.error(400, "ExpiredToken"), StoreUnavailableError, 1),
        (Answer.error(400, "EntityTooLarge"), StoreFullError, 1),
        (Answer.error(507, "InsufficientStorage"), StoreFullError, 1),
        (Answer.error(503, "SlowDown"), StoreUnavailableError, 2),
        (Answer.error(500, "InternalError"), OutcomeUnknownError, 2),
        (Answer(200).lost(), OutcomeUnknownError, 2),
    ],
    ids=lambda value: "" if isinstance(value, int | type) else str(value.body[-80:-50] or value.status),
)
def test_a_write_that_fails(fake, answer, kind, sends):
    server = fake(answer)
    store = S3Store("bucket", prefix="p", client=impatient(server.url))
    with pytest.raises(kind) as caught:
        store["k"] = 1
    assert type(caught.value) is kind
    assert "'p/k.json'" in str(caught.value)
    assert "ListBucket" not in str(caught.value)  # which only tells something of reads
    assert "s3://bucket" in str(caught.value)
    assert server.operations().count("PutObject") == sends


@pytest.mark.parametrize(
    "answer",
    [Answer(200, b"<html>log in</html>", {"Content-Type": "text/html; charset=utf-8"}), Answer(200)],
    ids=["a page of a proxy", "no etag"],
)
def test_what_is_no_answer_is_no_write(plain_bucket, answer):
    """Neither a stored value nor a deleted one, whatever the status says."""
    spoil = []
    with Proxy(plain_bucket.endpoint_url, before=lambda request: answer if spoil else None) as wire:
        store = store_at(wire.url, plain_bucket.name, part_bytes=5 << 20)
        place = store.persister
        place.write("k", b"1", ITEM_NOT_AVAILABLE)
        etag = place.write("k", b"2", place.stat("k").etag).etag
        verbs = [
            lambda: place.put("k", b"3"),
            lambda: place.put("k", bytes(6 << 20)),
            lambda: place.write("k", b"3", etag),
            lambda: place.write("new", b"3", ITEM_NOT_AVAILABLE),
        ]
        if answer.body:  # a deletion is answered by the status alone
            verbs += [
                lambda: place.discard("k"),
                lambda: place.remove("k"),
                lambda: place.remove("k", etag),
                lambda: place.remove_many(["k", "l"]),
            ]
        spoil.append(True)
        for verb in verbs:
            with pytest.raises(StoreUnavailableError, match=r"not one of S3|no object"):
                verb()
    assert plain_bucket.keys() == ["p/k"]
    assert plain_bucket.get("p/k") == b"2"


def test_a_read_that_stalls(fake):
    server = fake(Answer(200, b"1" * 1000, OBJECT).stalled(500))
    store = S3Store("bucket", prefix="p", client=impatient(server.url, read_timeout=0.2))
    with pytest.raises(StoreUnavailableError, match="broke off"):
        store["k"]
    assert len(server.requests) <= 4


def test_a_server_that_is_not_there():
    store = store_at("http://127.0.0.1:9")
    for verb in (
        lambda: store["k"],
        lambda: store.__setitem__("k", 1),
        lambda: len(store),
        lambda: "k" in store,
    ):
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            verb()


def test_times_and_attempts_are_bounded(fake):
    config = store_at("http://127.0.0.1:9", workers=32).persister.engine.requests.source().meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 20)
    assert config.retries["total_max_attempts"] == 3
    assert config.max_pool_connections >= 32


def test_without_credentials(monkeypatch, plain_bucket):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    store = store_at(plain_bucket.endpoint_url, plain_bucket.name)
    with pytest.raises(StoreUnavailableError, match="no credentials were found"):
        store["k"] = 1


def test_credentials_that_change_are_the_new_ones(fake):
    """The session renews them, and nobody here keeps a copy."""
    from datetime import UTC, datetime, timedelta

    import boto3
    from botocore.credentials import RefreshableCredentials
    from botocore.session import get_session

    names = iter(["first", "second", "third"])

    def refresh():
        soon = datetime.now(UTC) + timedelta(seconds=1)
        return {"access_key": next(names), "secret_key": "s", "token": "t", "expiry_time": soon.isoformat()}

    core = get_session()
    core._credentials = RefreshableCredentials.create_from_metadata(refresh(), refresh, "test")
    server = fake(Answer(200, b"", OBJECT))
    store = S3Store(
        "bucket",
        client=boto3.Session(botocore_session=core, region_name="us-east-1"),
        endpoint_url=server.url,
    )
    store["a"] = 1
    store["b"] = 1
    signed = [request.headers["authorization"] for request in server.requests]
    assert "Credential=first/" not in signed[1]
    assert signed[0].split("/")[0] != signed[1].split("/")[0]


def test_a_pickle_holds_no_credentials(plain_bucket, monkeypatch):
    import boto3

    session = boto3.Session(aws_access_key_id="AKIASECRET", aws_secret_access_key="verysecret")
    client = session.client("s3", endpoint_url=plain_bucket.endpoint_url, region_name="eu-west-1")
    for given in ({"client": client}, {"client": session, "endpoint_url": plain_bucket.endpoint_url}):
        store = S3Store(plain_bucket.name, prefix="p", **given)
        store["k"] = 1
        data = pickle.dumps(store)
        assert b"SECRET" not in data
        assert b"verysecret" not in data
        again = pickle.loads(data)
        assert again["k"] == 1
        assert (
            pickle.loads(pickle.dumps(store.get_subdict("x"))).pipeline.persister.engine.requests.bucket
            == plain_bucket.name
        )


def test_many_workers_do_not_overflow_the_pool(plain_bucket, caplog):
    store = store_at(plain_bucket.endpoint_url, plain_bucket.name, workers=32)
    store.update((f"k{number}", number) for number in range(80))
    assert len(dict(store.items())) == 80
    assert "pool is full" not in caplog.text


@pytest.mark.parametrize("name", ["", "a", "no/slash", "no space", 7, None])
def test_what_cannot_name_a_bucket(name):
    with pytest.raises(InvalidArgumentError):
        S3Store(name)


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 0},
        {"part_bytes": 1000},
        {"client": "a client"},
        {"put_options": {"Key": "k"}},
        {"put_options": {"Metadata": {"x": "y" * 2000}}},
        {"request_options": ["RequestPayer"]},
    ],
)
def test_options_that_cannot_be(options):
    with pytest.raises(InvalidArgumentError):
        S3Store("bucket", **options)


def test_a_misspelt_option_is_told_of(plain_bucket):
    store = store_at(plain_bucket.endpoint_url, plain_bucket.name, put_options={"StorageKlass": "GLACIER"})
    with pytest.raises(InvalidArgumentError, match="StorageKlass"):
        store["k"] = 1


def test_boto3_that_is_not_installed(monkeypatch):
    import sys

    from holdall import UnsupportedError

    monkeypatch.setitem(sys.modules, "boto3", None)
    store = S3Store("bucket")
    with pytest.raises(UnsupportedError, match=r"holdall\[s3\]"):
        store["k"] = 1
