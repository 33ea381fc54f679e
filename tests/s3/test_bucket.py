"""Buckets, rights, options, names, and what others put into a bucket."""

import io
import pickle
import threading
import uuid
from functools import partial

import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given
from hypothesis import strategies as st

from exploring import in_soak
from holdall import (
    ITEM_NOT_AVAILABLE,
    CorruptValueError,
    FileDirStore,
    InvalidArgumentError,
    InvalidKeyError,
    MultiFormatStore,
    S3Store,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.conditional import ETAG_IS_THE_SAME
from holdall.keys import AnyKeys, IdentityKeys, PathKeys
from holdall.persisters.s3 import S3Persister
from s3._places import ENGINES, client_of, new_bucket
from s3._wire import Answer


def store_in(bucket, **options):
    return S3Store(bucket.name, **{"prefix": "p", "client": bucket.client, **options})


# ---------------------------------------------------------------------- making a bucket


def test_the_first_write_makes_the_bucket(endpoint, proxy):
    wire = proxy()
    store = S3Store("made-by-the-first-write", prefix="p", endpoint_url=wire.url)
    assert "k" not in store
    assert dict(store) == {}
    assert "CreateBucket" not in wire.operations()
    wire.forget()
    store["k"] = 1
    assert wire.operations() == ["PutObject", "CreateBucket", "PutObject"]
    wire.forget()
    store["k"] = 2
    assert wire.operations() == ["PutObject"]


def test_conditional_and_large_writes_make_it_too(endpoint):
    store = S3Store("made-by-an-insertion", endpoint_url=endpoint)
    assert store.setdefault("k", 1) == 1
    store = S3Store("made-by-a-large-value", endpoint_url=endpoint, serializer="bytes", part_bytes=5 << 20)
    store["k"] = bytes(6 << 20)
    assert len(store["k"]) == 6 << 20


def test_several_threads_make_it_once(endpoint, proxy):
    wire = proxy()
    store = S3Store("made-by-threads", endpoint_url=wire.url)
    failed = []

    def write(number):
        try:
            store[f"k{number}"] = number
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert len(store) == 8
    assert wire.operations().count("CreateBucket") == 1


SIGHTS = {
    "write": lambda place: place.put("k", b"1"),
    "insert": lambda place: place.write("k", b"1", ITEM_NOT_AVAILABLE),
    "look": lambda place: place.stat("there"),
    "read": lambda place: place.read("there"),
    "look for what is absent": lambda place: place.get("absent"),
    "list": list,
    "discard": lambda place: place.discard("absent"),
    "delete many": lambda place: place.remove_many(["absent", "gone"]),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sight", ["read", "discard", *in_soak(*sorted(SIGHTS.keys() - {"read", "discard"}))])
def test_a_bucket_that_was_seen_is_not_made_again(endpoint, proxy, engine, sight):
    """It would have lost its policies."""
    bucket = new_bucket(endpoint)
    bucket.put("there")
    wire = proxy()
    store = S3Store(bucket.name, endpoint_url=wire.url, engine=engine)
    SIGHTS[sight](store.persister)
    for key in list(bucket.keys()):
        bucket.delete(key)
    bucket.client.delete_bucket(Bucket=bucket.name)
    for verb in (
        lambda: store.__setitem__("k", 2),
        lambda: store.setdefault("k", 2),
        lambda: store["k"],
        lambda: len(store),
    ):
        with pytest.raises(StoreNotFoundError, match=bucket.name):
            verb()
    assert "CreateBucket" not in wire.operations()


def test_who_may_not_make_it_is_told_once(fake):
    def script(request):
        create = request.operation == "CreateBucket"
        return Answer.error(403, "AccessDenied") if create else Answer.error(404, "NoSuchBucket")

    server = fake(script)
    store = S3Store("misspelt", endpoint_url=server.url)
    with pytest.raises(StoreNotFoundError, match=r"no bucket 'misspelt'.*cannot be made \(AccessDenied"):
        store["k"] = 1
    assert server.operations() == ["PutObject", "CreateBucket"]
    server.forget()
    careful = S3Store("misspelt", endpoint_url=server.url, create_bucket=False)
    with pytest.raises(StoreNotFoundError, match="misspelt"):
        careful["k"] = 1
    assert server.operations() == ["PutObject"]


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject", "ListObjectsV2"])
def test_nothing_but_a_write_makes_it(fake, operation):
    """Neither a refused listing nor a refused write, for instance."""
    server = fake(Answer.error(403, "AccessDenied"))
    store = S3Store("bucket", endpoint_url=server.url)
    for verb in (
        lambda: store.get("k"),
        lambda: "k" in store,
        lambda: len(store),
        lambda: store.__setitem__("k", 1),
    ):
        with pytest.raises(StoreUnavailableError):
            verb()
    assert "CreateBucket" not in server.operations()


def test_a_bucket_lies_in_the_region_of_its_client(endpoint):
    import boto3

    for region, place in (("eu-west-1", "eu-west-1"), ("us-east-1", None)):
        client = boto3.Session().client("s3", region_name=region, endpoint_url=endpoint)
        store = S3Store(f"in-{region}", client=client)
        store["k"] = 1
        assert client.get_bucket_location(Bucket=f"in-{region}")["LocationConstraint"] == place


@pytest.mark.parametrize(("region", "place"), [("eu-west-1", b">eu-west-1<"), ("us-east-1", None)])
@pytest.mark.parametrize("code", ["OK", "BucketAlreadyOwnedByYou", "BucketAlreadyExists"])
def test_at_aws_the_region_is_told_at_once(region, place, code):
    """And a bucket that is ours already is as good as made."""
    store = S3Store("bucket-of-ours", region=region)
    client = store.persister.requests.source()
    sent = []
    answers = [(404, "NoSuchBucket"), (200 if code == "OK" else 409, code), (200, "OK")]

    def answer(request, **_):
        sent.append(request)
        status, said = answers.pop(0)
        raw = io.BytesIO(b"" if status == 200 else f"<Error><Code>{said}</Code></Error>".encode())
        raw.stream = lambda: iter([raw.read()])
        return AWSResponse(request.url, status, {"ETag": '"1"'}, raw)

    client.meta.events.register("before-send.s3", answer)
    if code == "BucketAlreadyExists":
        with pytest.raises(StoreNotFoundError, match="cannot be made"):
            store["k"] = 1
        assert len(sent) == 2
    else:
        store["k"] = 1
        assert len(sent) == 3
    assert "amazonaws.com" in sent[1].url
    assert sent[1].body is None if place is None else place in sent[1].body


# ---------------------------------------------------------------------- options


def test_options_reach_every_write_and_no_other_request(plain_bucket, proxy):
    wire = proxy()
    options = {"StorageClass": "STANDARD_IA", "Tagging": "a=b", "Metadata": {"owner": "me"}}
    store = S3Store(
        plain_bucket.name,
        prefix="p",
        endpoint_url=wire.url,
        serializer="bytes",
        part_bytes=5 << 20,
        put_options=options,
        request_options={"ExpectedBucketOwner": "123456789012"},
    )
    again = pickle.loads(pickle.dumps(store.get_subdict("x")))
    again["k"] = b"1"
    store["large"] = bytes(6 << 20)
    store.copy_to(
        S3Store(
            plain_bucket.name,
            prefix="q",
            endpoint_url=wire.url,
            put_options={"Tagging": "c=d"},
            serializer="bytes",
        )
    )
    seen = {}
    for request in wire.requests:
        seen.setdefault(request.operation, []).append(request)
        if request.path.startswith(f"/{plain_bucket.name}/p"):
            assert request.headers.get("x-amz-expected-bucket-owner") == "123456789012"
    for operation in ("PutObject", "CreateMultipartUpload"):
        assert {"/p/" in r.path: r for r in seen[operation]}[True].headers[
            "x-amz-storage-class"
        ] == "STANDARD_IA"
        assert {"/p/" in r.path: r for r in seen[operation]}[True].headers["x-amz-meta-owner"] == "me"
    assert all("x-amz-storage-class" not in request.headers for request in seen["UploadPart"])
    assert any(
        request.headers["x-amz-tagging"] == "c=d" for request in seen["PutObject"] if "/q/" in request.path
    )
    assert all("x-amz-acl" not in request.headers for request in wire.requests)
    tags = plain_bucket.client.get_object_tagging(Bucket=plain_bucket.name, Key="p/large")["TagSet"]
    assert tags == [{"Key": "a", "Value": "b"}]


def test_views_and_handles_share_a_client(plain_bucket):
    store = S3Store(plain_bucket.name, endpoint_url=plain_bucket.endpoint_url)
    store["a/b"] = 1
    view = store.get_subdict("a")
    assert view["b"] == 1
    assert view.pipeline.persister is store.pipeline.persister
    assert store.get_params()["endpoint_url"] == plain_bucket.endpoint_url
    assert repr(store) == repr(pickle.loads(pickle.dumps(store)))


# ---------------------------------------------------------------------- names


@pytest.mark.parametrize("prefix", ["/a", "a//b", ".", "a/../b", "//", 5, None, "\ud800", "x" * 1030])
def test_prefixes_that_cannot_be(prefix):
    with pytest.raises(InvalidArgumentError):
        S3Store("bucket", prefix=prefix)


def test_the_edge_of_a_prefix(plain_bucket):
    short, long = store_in(plain_bucket, prefix="a"), store_in(plain_bucket, prefix="ab")
    for store in (short, long):
        store.update({"x/1": 1, "xy/2": 2})
    assert sorted(short) == sorted(long) == ["x/1", "xy/2"]
    assert sorted(short.subdicts()) == ["x", "xy"]
    short.get_subdict("x").clear()
    assert sorted(short) == ["xy/2"]
    short.clear()
    assert sorted(long) == ["x/1", "xy/2"]


def test_names_that_are_too_long(plain_bucket):
    store = store_in(plain_bucket)
    room = 1024 - len("p/") - len(".json")
    store["é" * 60 + "/" + "x" * 100] = 1
    longest = "/".join(["x" * 99] * 11)[:room]
    store[longest] = 2
    with pytest.raises(InvalidKeyError, match="1025 bytes"):
        store[longest + "x"] = 3
    assert longest + "x" not in store
    assert store.get(longest + "x") is None
    assert store.discard(longest + "x") is False
    store.update({longest: 4})
    assert store[longest] == 4


@pytest.mark.parametrize("id", ["", "a/", ".", "a/../b", "./a", "\ud800", 5])
def test_ids_that_cannot_be(plain_bucket, id):
    place = S3Persister(plain_bucket.name, client=plain_bucket.client)
    for verb in (lambda: place.put(id, b"1"), lambda: place.read(id), lambda: place.remove(id)):
        with pytest.raises(InvalidKeyError):
            verb()
    assert id not in place
    assert place.discard(id) is False
    place.remove_many([id])
    assert list(place.read_many([id])) == []
    assert plain_bucket.keys() == []


@given(st.sets(st.text(max_size=20), min_size=2, max_size=12))
def test_no_object_is_a_folder_of_another(keys):
    """Gateways over folders hide or refuse an object "a" beside "a/b"."""
    store = S3Store("bucket")
    ids = [store.object_key(key) for key in keys]
    assert len(set(ids)) == len(keys)
    for id in ids:
        assert not any(other.startswith(id + "/") for other in ids)
        assert all(part not in ("", ".", "..") and len(part.encode()) <= 255 for part in id.split("/"))


def test_keys_that_want_one_name(plain_bucket):
    store = store_in(plain_bucket)
    items = {"a": 1, "a/b": 2, "a.json": 3, "a.json/b": 4, "a b": 5, "a+b": 6, "a%20b": 7, "a%2Bb": 8}
    store.update(items)
    assert dict(store.items()) == items
    assert "+" not in "".join(plain_bucket.keys())
    assert set(store.subdicts()) == {"a", "a.json"}


def test_names_that_xml_cannot_carry(plain_bucket):
    ids = [f"k{number}" for number in range(20)] + ["a\ufffe", "b\uffff", "c\x01"]
    place = S3Persister(plain_bucket.name, prefix="p", client=plain_bucket.client)
    place.write_many((id, b"1") for id in ids)
    assert sorted(place) == sorted(ids)
    place.clear()
    assert plain_bucket.keys() == []


def test_keys_of_other_kinds(plain_bucket):
    store = store_in(plain_bucket, keys=AnyKeys() | PathKeys(suffix=".json"))
    store[1, "a"] = 1
    store["1"] = 2
    assert dict(store.items()) == {(1, "a"): 1, "1": 2}
    tuples = store_in(plain_bucket, prefix="t", keys=tuple)
    tuples["a", "b/c", "d"] = 1
    assert dict(tuples.items()) == {("a", "b/c", "d"): 1}
    assert list(tuples.subdicts()) == ["a"]
    assert dict(tuples.get_subdict(("a", "b/c")).items()) == {("d",): 1}


def test_long_parts_of_keys_have_no_folder_of_their_own(plain_bucket):
    store = store_in(plain_bucket)
    store["x" * 300 + "/b"] = 1
    assert list(store.subdicts()) == ["x" * 300]


# ---------------------------------------------------------------------- what others wrote


def test_folders_that_others_made_are_no_items(plain_bucket):
    for key in ("p/", "p/x/", "p/x/y.json"):
        plain_bucket.put(key, b"1" if key.endswith("n") else b"")
    store = store_in(plain_bucket)
    assert list(store) == ["x/y"]
    assert dict(store.items()) == {"x/y": 1}
    assert list(store.subdicts()) == ["x"]
    store.clear()
    assert sorted(plain_bucket.keys()) == ["p/", "p/x/"]


def test_objects_of_others_are_not_seen_or_are_told_of_by_name(plain_bucket):
    plain_bucket.put("p/notes.txt", b"no JSON")
    plain_bucket.put("p/broken.json", b"{no JSON")
    store = store_in(plain_bucket)
    store["fine"] = 1
    assert sorted(store) == ["broken", "fine"]
    with pytest.raises(CorruptValueError, match=r"'broken' in s3://test-"):
        store["broken"]
    store["broken"] = 2
    assert dict(store.items()) == {"broken": 2, "fine": 1}
    assert plain_bucket.get("p/notes.txt") == b"no JSON"


def test_a_whole_bucket_is_cleared_by_force_only(plain_bucket):
    plain_bucket.put("theirs.json", b"1")
    store = store_in(plain_bucket, prefix="")
    with pytest.raises(UnsupportedError, match="force"):
        store.clear()
    store.clear(force=True)
    assert plain_bucket.keys() == []


def test_all_looks_tell_one_time(plain_bucket):
    place = store_in(plain_bucket).persister
    place.put("k", b"1")
    assert place.stat("k") == dict(place.scan())["k"] == place.read("k")[1]
    assert place.stat("k").mtime == int(place.stat("k").mtime)


def test_pickles_and_text_and_arrays(plain_bucket):
    import numpy as np

    pickles = store_in(plain_bucket, prefix="pickles", serializer="pickle")
    pickles["small"], pickles["array"] = {1, 2}, np.arange(400_000)
    assert pickles["small"] == {1, 2}
    assert (pickles["array"] == np.arange(400_000)).all()
    assert pickle.loads(plain_bucket.get("pickles/small.pkl")) == {1, 2}
    arrays = store_in(plain_bucket, prefix="arrays", serializer="npy")
    arrays["a"] = np.arange(300_000)
    assert (arrays["a"] == np.arange(300_000)).all()
    texts = store_in(plain_bucket, prefix="texts", serializer="text")
    texts["a"] = "naïve\n"
    assert plain_bucket.get("texts/a") == "naïve\n".encode()
    mixed = store_in(plain_bucket, prefix="mixed", serializer="by_suffix", keys=IdentityKeys())
    mixed["a.json"], mixed["b.txt"] = [1], "one"
    assert dict(mixed.items()) == {"a.json": [1], "b.txt": "one"}
    assert mixed.transform_item("a.json", transformer=lambda old: [*old, 2]).new_value == [1, 2]


def test_clients_are_left_as_they_are(plain_bucket):
    """A client that was given keeps its settings; without a prefix of its own the whole bucket is shown."""
    client = client_of(plain_bucket.endpoint_url)
    before = client.meta.config.max_pool_connections
    store = S3Store(plain_bucket.name, client=client, workers=1000)
    store["k"] = 1
    assert store.persister.workers == before == client.meta.config.max_pool_connections
    store.close()
    assert store["k"] == 1
    with pytest.raises(InvalidArgumentError, match="has its own region"):
        S3Store(plain_bucket.name, client=client, region="eu-west-1")


def test_several_formats_in_one_bucket(plain_bucket):
    make = partial(S3Store, plain_bucket.name, prefix="p", endpoint_url=plain_bucket.endpoint_url)
    formats = MultiFormatStore.over(
        make, "json", notes={"serializer": "text", "suffix": ".md"}, pickles="pickle"
    )
    formats.json["a"] = {"loss": 0.5}
    formats["notes"]["a"] = "# It converges"
    formats.pickles["b/c"] = {1, 2}
    assert sorted(plain_bucket.keys()) == ["p/a.json", "p/a.md", "p/b/c.pkl"]
    assert [*formats] == ["json", "notes", "pickles"]
    assert {name: dict(store.items()) for name, store in formats.items()} == {
        "json": {"a": {"loss": 0.5}},
        "notes": {"a": "# It converges"},
        "pickles": {"b/c": {1, 2}},
    }
    formats.json.clear()
    assert sorted(plain_bucket.keys()) == ["p/a.md", "p/b/c.pkl"]
    with pickle.loads(pickle.dumps(formats)) as again:
        assert again.notes["a"] == "# It converges"
    assert formats.get_params()["make"] is make
    assert "notes=" in repr(formats)
    with pytest.raises(UnsupportedError, match="no path"):
        formats.path
    with pytest.raises(AttributeError, match="did you mean 'notes'"):
        formats.note
    for wrong in (
        lambda: MultiFormatStore.over(make, "json", other={"serializer": "text", "suffix": ".JSON"}),
        lambda: MultiFormatStore.over(make),
        lambda: MultiFormatStore.over("bucket", "json"),
        lambda: MultiFormatStore.over(make, items="json"),
    ):
        with pytest.raises(InvalidArgumentError):
            wrong()


def test_several_formats_over_any_store():
    formats = MultiFormatStore.over(partial(FileDirStore, None), "json", "text")
    formats.json["a"], formats.text["a"] = [1], "one"
    assert (formats.json["a"], formats.text["a"]) == ([1], "one")


def test_nothing_is_deleted_where_no_bucket_is_yet(endpoint):
    """Each first operation finds an empty store, conditional deletions included."""
    for delete in (
        lambda store: store.discard_if("x", condition=ETAG_IS_THE_SAME, expected_etag="no etag"),
        lambda store: store.discard_if("x", condition=ETAG_IS_THE_SAME, expected_etag="1" * 32),
        lambda store: store.discard("x"),
        lambda store: store.pop("x", None),
        lambda store: store.clear(force=True),
    ):
        store = S3Store(f"missing-{uuid.uuid4().hex}", endpoint_url=endpoint)
        delete(store)
        assert not list(store)
