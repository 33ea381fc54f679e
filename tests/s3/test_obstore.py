"""Objects through obstore keep the laws of persisters and stores, wherever they lie."""

import pickle
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import boto3
import pytest
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore

from holdall import (
    ITEM_NOT_AVAILABLE,
    InvalidArgumentError,
    InvalidKeyError,
    OutcomeUnknownError,
    S3Store,
    Store,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall._remote.engine import RefusedError
from holdall.abc import Capability
from holdall.keys import PathKeys
from holdall.persisters.obstore import ObjectStorePersister
from holdall.testing import PersisterContract, StoreContract
from processes._support import PYTHON, child_environment
from s3._wire import Answer, LoseEvery


@pytest.fixture
def memory():
    """Give one memory to all handles of a test."""
    return MemoryStore()


class TestMemory(PersisterContract):
    @pytest.fixture
    def place(self, memory):
        return memory

    def open(self, place):
        return ObjectStorePersister(place, prefix="of/holdall")


@pytest.mark.soak
class TestFolder(PersisterContract):
    def open(self, place):
        return ObjectStorePersister(partial(LocalStore, place / "objects", mkdir=True))


class TestStoreInMemory(StoreContract):
    @pytest.fixture
    def place(self, memory):
        return memory

    def open(self, place):
        return self.open_with(place)

    def open_with(self, place, **options):
        return Store(ObjectStorePersister(place, prefix="store"), serializer="json", **options)


@pytest.mark.soak
class TestStoreInAFolder(StoreContract):
    def open(self, place):
        return self.open_with(place)

    def open_with(self, place, **options):
        persister = ObjectStorePersister(partial(LocalStore, place, mkdir=True), prefix="store")
        return Store(persister, keys=PathKeys(suffix=".json"), serializer="json", **options)


def translated(bucket, **options):
    """Open a bucket through obstore."""
    where = {"prefix": "of/holdall", "endpoint_url": bucket.endpoint_url}
    return S3Store(bucket.name, engine="obstore", **{**where, **options})


def persister_of(bucket, **options):
    """Open a bucket through obstore, and give what lies below the store."""
    return translated(bucket, **options).pipeline.persister


@pytest.mark.soak  # each law takes a hundred requests
class TestS3(PersisterContract):
    tick = 1.0
    pace = 0.1

    @pytest.fixture
    def place(self, bucket):
        return bucket

    def open(self, place):
        return persister_of(place)


@pytest.mark.soak
class TestS3Store(StoreContract):
    tick = 1.0
    pace = 0.2

    @pytest.fixture
    def place(self, bucket):
        return bucket

    def open(self, place):
        return translated(place)

    def open_with(self, place, **options):
        return translated(place, **options)


# ---------------------------------------------------------------------- S3, at a glance


@pytest.fixture
def store(plain_bucket):
    """Give an empty store through obstore."""
    return translated(plain_bucket)


def operations_of(proxy, bucket, **options):
    """Open a store behind a proxy that records what is asked."""
    between = proxy()
    return between, translated(bucket.at(between.url), **options)


def test_what_obstore_writes_is_what_boto3_reads(store, plain_bucket):
    beside = S3Store(plain_bucket.name, prefix="of/holdall", endpoint_url=plain_bucket.endpoint_url)
    store["a/b"] = {"n": 1}
    beside["c"] = [2]
    assert dict(store.items()) == dict(beside.items()) == {"a/b": {"n": 1}, "c": [2]}
    assert store.etag("a/b") == beside.etag("a/b")
    assert {key: store.timestamp(key) for key in store} == {key: beside.timestamp(key) for key in beside}


def test_single_items_cost_one_request(proxy, plain_bucket):
    between, store = operations_of(proxy, plain_bucket)
    for do, cost in (
        (lambda: store.__setitem__("x", 1), ["PutObject"]),
        (lambda: store["x"], ["GetObject"]),
        (lambda: "x" in store, ["HeadObject"]),
        (lambda: "y" in store, ["HeadObject"]),
        (lambda: store.etag("x"), ["HeadObject"]),
        (lambda: store.discard("x"), ["DeleteObject"]),
    ):
        between.forget()
        do()
        assert between.operations() == cost


def test_names_that_obstore_would_take_for_others_are_themselves(plain_bucket):
    """Of others, and of ours: empty parts, slashes at the ends, control characters, marks of folders."""
    foreign = [
        "q//r.json",
        "/lead.json",
        "mark/",
        "dir.json",
        "dir/x.json",
        "a+b.json",
        "a b.json",
        "é\x01.json",
    ]
    for name in foreign:
        plain_bucket.put(name, b'"of %s"' % name.encode())
    place = persister_of(plain_bucket, prefix="")
    ids = {name for name in foreign if name[-1] != "/"}
    assert set(place) == ids
    for id in ids:
        assert place[id] == plain_bucket.get(id)
        assert id in place
        place[id] = b"mine"
        assert plain_bucket.get(id) == b"mine"
    assert sorted(place.ids("di")) == ["dir.json", "dir/x.json"]
    for id in ("", "x/", "a/../b"):
        with pytest.raises(InvalidKeyError):
            place[id] = b"1"
        assert id not in place
    place.clear()
    assert plain_bucket.keys() == ["mark/"]


def test_a_missing_bucket_is_no_missing_key(endpoint):
    name = "missing-bucket-of-obstore"
    store = S3Store(name, endpoint_url=endpoint, engine="obstore", create_bucket=False)
    for look in (lambda: store["x"], lambda: "x" in store, lambda: list(store), lambda: store.etag("x")):
        with pytest.raises(StoreNotFoundError, match=name):
            look()
    with pytest.raises(StoreNotFoundError, match=name):
        store["x"] = 1


def test_the_first_write_makes_the_bucket(endpoint):
    name = f"made-{uuid.uuid4().hex}"
    store = S3Store(name, endpoint_url=endpoint, engine="obstore")
    assert "x" not in store
    store["x"] = 1
    assert S3Store(name, endpoint_url=endpoint)["x"] == 1


@pytest.mark.soak
def test_no_increment_is_lost_or_done_twice_when_answers_are_lost(proxy, plain_bucket):
    between = proxy(LoseEvery(20))
    store = translated(plain_bucket.at(between.url))
    store["n"] = 0

    def count(_):
        return [
            store.transform_item("n", transformer=lambda n: n + 1, n_retries=None).new_value
            for _ in range(15)
        ]

    with ThreadPoolExecutor(4) as pool:
        reached = sorted(number for numbers in pool.map(count, range(4)) for number in numbers)
    assert reached == list(range(1, 61))
    assert store["n"] == 60
    assert between.rule.lost >= 3


def test_large_values_are_whole(plain_bucket):
    value = bytes(range(256)) * (12 << 12)
    raw = translated(plain_bucket, serializer="bytes")
    raw["large"] = value
    assert raw["large"] == value
    raw["empty"] = b""
    assert raw["empty"] == b""
    assert set(raw) == {"large", "empty"}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda answer: Answer.error(400, "ExpiredToken"), "expired"),
        (lambda answer: Answer.error(403, "AccessDenied"), "denied"),
        (lambda answer: Answer.error(503, "SlowDown"), "SlowDown"),
        (lambda answer: Answer.error(404, "NoSuchBucket"), "NoSuchBucket"),
        (lambda answer: Answer(404, b"<html>nothing here</html>"), "404"),
        (lambda answer: Answer(200, b"<html>log in</html>"), "no etag"),
        (lambda answer: answer.unmeasured(5), "Content-Length"),
        (lambda answer: answer.lost(), "sending"),
    ],
)
def test_what_is_no_answer_is_neither_a_value_nor_absence(proxy, plain_bucket, spoil, told):
    plain_bucket.put("of/holdall/x.json", b'"a value of some length"')
    between = proxy(lambda request, answer: spoil(answer))
    store = translated(plain_bucket.at(between.url), create_bucket=False)
    with pytest.raises(StoreUnavailableError, match=told):
        store["x"]
    assert len(between.requests) <= 4


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda answer: Answer.error(400, "ExpiredToken"), StoreUnavailableError),
        (lambda answer: Answer.error(403, "AccessDenied"), StoreUnavailableError),
        (lambda answer: Answer.error(404, "NoSuchBucket"), StoreNotFoundError),
        (lambda answer: Answer.error(500, "InternalError"), OutcomeUnknownError),
        (lambda answer: Answer(200, b"<html>log in</html>"), OutcomeUnknownError),
        (lambda answer: answer.lost(), OutcomeUnknownError),
    ],
)
def test_what_is_no_answer_is_no_write(proxy, plain_bucket, spoil, error):
    between = proxy(lambda request, answer: spoil(answer))
    store = translated(plain_bucket.at(between.url), create_bucket=False)
    with pytest.raises(StoreUnavailableError, match=r"x\.json") as caught:
        store["x"] = 1
    if error is StoreUnavailableError:
        assert not isinstance(caught.value, OutcomeUnknownError)
    else:
        assert type(caught.value) is error
    assert len(between.requests) <= 4


def test_a_body_that_breaks_is_taken_up_again(proxy, plain_bucket):
    plain_bucket.put("of/holdall/x.json", b'"a value of some length"')
    spoilt = iter([True])
    between = proxy(lambda request, answer: answer.cut(9) if next(spoilt, False) else answer)
    assert translated(plain_bucket.at(between.url))["x"] == "a value of some length"


def test_credentials_that_change_sign_the_next_request(proxy, plain_bucket, monkeypatch):
    """They are asked for at each request, and lie neither in the store nor in its pickle."""
    session = boto3.Session()
    held = session.get_credentials()
    between = proxy()
    store = translated(plain_bucket.at(between.url), client=session)
    store["x"] = 1
    held.access_key, held.secret_key = "renewed", "renewed-secret"
    store["x"] = 2
    signed = [request.headers["authorization"] for request in between.requests]
    assert ["test/" in signed[0], "renewed/" in signed[1]] == [True, True]
    assert b"renewed" not in pickle.dumps(store)
    assert pickle.loads(pickle.dumps(store))["x"] == 2


def test_requests_go_over_tls_as_they_are(certificate, faces, proxy, plain_bucket):
    between = proxy(upstream=faces["locked"], certificate=certificate)
    store = translated(plain_bucket.at(between.url))
    store["x"] = "value"
    assert between.requests[0].body.startswith(b'"value"')
    assert "content-encoding" not in between.requests[0].headers
    assert store["x"] == "value"


def test_options_of_the_organisation_reach_every_write(proxy, plain_bucket):
    between = proxy()
    store = translated(plain_bucket.at(between.url), put_options={"ServerSideEncryption": "AES256"})
    store["x"] = 1
    store.setdefault("y", 2)
    writes = [request for request in between.requests if request.method == "PUT"]
    assert len(writes) >= 2
    assert {request.headers["x-amz-server-side-encryption"] for request in writes} == {"AES256"}
    with pytest.raises(UnsupportedError, match="request_options"):
        translated(plain_bucket, request_options={"ExpectedBucketOwner": "1"})


def test_engines_are_known_ones(plain_bucket):
    for engine in ("rust", None, 3):
        with pytest.raises(InvalidArgumentError, match="boto3"):
            S3Store(plain_bucket.name, engine=engine)
    with pytest.raises(InvalidArgumentError, match="Session"):
        S3Store(plain_bucket.name, client=plain_bucket.client, engine="obstore")


# ---------------------------------------------------------------------- other places


def test_a_store_of_obstore_is_not_pickled_with_its_credentials():
    from obstore.store import S3Store as Raw

    place = ObjectStorePersister(
        Raw("b", access_key_id="key", secret_access_key="secret", region="us-east-1")
    )
    with pytest.raises(UnsupportedError, match="function"):
        pickle.dumps(place)
    assert "secret" not in repr(place)


def test_what_is_no_store_of_obstore_is_refused():
    for store in ({}, "s3://bucket", None):
        with pytest.raises(InvalidArgumentError, match="obstore"):
            ObjectStorePersister(store)
    with pytest.raises(InvalidArgumentError, match="no store"):
        list(ObjectStorePersister(dict))


def test_a_forked_child_is_told_that_it_cannot_go_on(tmp_path):
    """Its threads are gone, and it would wait for them for ever."""
    script = tmp_path / "forking.py"
    script.write_text(
        "import os, sys\n"
        "from obstore.store import LocalStore\n"
        "from holdall import UnsupportedError\n"
        "from holdall.persisters.obstore import ObjectStorePersister\n"
        "place = ObjectStorePersister(LocalStore(sys.argv[1]))\n"
        "place['x'] = b'1'\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    try:\n"
        "        place['x']\n"
        "    except UnsupportedError as error:\n"
        "        os._exit('spawn' in str(error))\n"
        "    os._exit(9)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run(
        [PYTHON, str(script), str(tmp_path)], env=child_environment(), timeout=60, check=False
    )
    assert done.returncode == 1


WHEN = "Thu, 26 Nov 2026 07:00:00 GMT"


def requests_of(fake, make, write, *, actual="1"):
    """Let a persister write to a fake in which each object has an etag, and give the requests."""
    head = {"ETag": f'"{actual}"', "x-goog-generation": "7", "Last-Modified": WHEN}
    server = fake(lambda request: Answer(200 if request.method == "HEAD" else 201, b"", head))
    write(ObjectStorePersister(make(server.url)).engine)
    return [(request.method, request.headers) for request in server.requests]


def google(url):
    token = {"token": "secret", "expires_at": None}
    options = {"allow_http": True}
    return GCSStore("bucket", base_url=url, credential_provider=lambda: token, client_options=options)


def azure(url):
    return AzureStore(
        "container",
        account_name="account",
        endpoint=url,
        skip_signature=True,
        client_options={"allow_http": True},
    )


def test_google_compares_generations(fake):
    """It compares no etags; the generation is that of the object whose etag is the expected one."""
    [(method, headers)] = requests_of(
        fake, google, lambda engine: engine.put("x", b"1", "t", ITEM_NOT_AVAILABLE)
    )
    assert (method, headers["x-goog-if-generation-match"]) == ("PUT", "0")
    assert headers["x-goog-meta-holdall"] == "t"
    looked, (method, headers) = requests_of(fake, google, lambda engine: engine.put("x", b"1", "t", "1"))
    assert looked[0] == "HEAD"
    assert (method, headers["x-goog-if-generation-match"]) == ("PUT", "7")

    def too_late(engine):
        with pytest.raises(RefusedError):
            engine.put("x", b"1", "t", "0")

    assert [method for method, _ in requests_of(fake, google, too_late)] == ["HEAD"]


def test_azure_compares_etags(fake):
    [(method, headers)] = requests_of(
        fake, azure, lambda engine: engine.put("x", b"1", "t", ITEM_NOT_AVAILABLE)
    )
    assert (method, headers["if-none-match"]) == ("PUT", "*")
    assert headers["x-ms-meta-holdall"] == "t"
    [(method, headers)] = requests_of(fake, azure, lambda engine: engine.put("x", b"1", "t", "1"))
    assert (method, headers["if-match"]) == ("PUT", '"1"')


@pytest.mark.parametrize("make", [google, azure])
def test_deletions_on_a_condition_are_refused_where_others_write(fake, make):
    """Obstore cannot send the condition, and what another writer just stored could be deleted."""
    head = {"ETag": '"1"', "Last-Modified": WHEN, "x-goog-generation": "7"}
    server = fake(lambda request: Answer(200 if request.method == "HEAD" else 204, b"", head))
    place = ObjectStorePersister(make(server.url))
    with pytest.raises(UnsupportedError, match="deletion"):
        place.remove("x", "1")
    assert "DELETE" not in [request.method for request in server.requests]
    assert not place.capabilities & {Capability.CAS_THREADS, Capability.CAS_HOST, Capability.CAS_WORLD}
