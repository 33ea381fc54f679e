"""Users with few rights: of a server that checks them, which moto does not."""

import json
import os
import uuid

import boto3
import pytest

from holdall import ITEM_NOT_AVAILABLE, ConflictError, S3Store, StoreNotFoundError, StoreUnavailableError
from s3._places import new_bucket

pytestmark = pytest.mark.skipif(
    "HOLDALL_S3_GUEST" not in os.environ, reason="for the users that `nox -s s3-real` makes"
)


def session_of(user):
    """Give a session of a user whom `s3._radosgw` makes."""
    access_key, secret_key = os.environ[f"HOLDALL_S3_{user}"].split(":")
    return boto3.Session(access_key, secret_key, region_name="us-east-1")


def test_who_may_not_make_the_bucket_has_one_error_and_two_requests(proxy, endpoint):
    session, wire = session_of("TENANT"), proxy()
    store = S3Store(f"no-{uuid.uuid4().hex}", client=session, endpoint_url=wire.url)
    with pytest.raises(StoreNotFoundError, match=r"no bucket 'no-\w+'.*cannot be made"):
        store["k"] = 1
    assert wire.operations() == ["PutObject", "CreateBucket"]


@pytest.fixture
def guest(proxy, endpoint):
    """Give a bucket, and how a user reaches it who may read, write and delete below p/, and not list."""
    session, wire = session_of("GUEST"), proxy()
    bucket = new_bucket(endpoint)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam:::user/guest"]},
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": [f"arn:aws:s3:::{bucket.name}/p/*"],
            }
        ],
    }
    bucket.client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))
    return bucket, wire, {"prefix": "p", "client": session, "endpoint_url": wire.url}


def test_who_may_not_list_writes_and_reads(guest):
    bucket, wire, options = guest
    store = S3Store(bucket.name, **options, serializer="bytes", part_bytes=5 << 20)
    store["k"] = b"1"
    assert wire.operations() == ["PutObject"]
    store["large"] = bytes(6 << 20)
    assert (store["k"], len(store["large"]), "k" in store) == (b"1", 6 << 20, True)
    assert store.persister.write("new", b"1", ITEM_NOT_AVAILABLE)
    with pytest.raises(ConflictError):
        store.persister.write("new", b"2", ITEM_NOT_AVAILABLE)
    assert store.transform_item("k", transformer=lambda old: old + b"2").new_value == b"12"
    for _ in range(2):
        assert store.discard("k") in (True, False)
    store.update({f"k{number}": b"1" for number in range(5)})
    store.persister.remove_many(f"k{number}" for number in range(5))
    assert sorted(bucket.keys()) == ["p/large", "p/new"]
    assert set(wire.operations()) & {"CreateBucket", "ListObjectsV2", "HeadBucket"} == set()
    assert bucket.uploads() == []


def test_without_the_right_to_list_absence_is_told_by_request_only(guest):
    bucket, _, options = guest
    store = S3Store(bucket.name, **options)
    looks = {
        "[]": lambda store: store["absent"],
        "get": lambda store: store.get("absent"),
        "in": lambda store: "absent" in store,
        "etag": lambda store: store.etag("absent"),
        "len": len,
    }
    for look in looks.values():
        with pytest.raises(StoreUnavailableError, match="s3:ListBucket"):
            look(store)
    trusting = S3Store(bucket.name, **options, denied_is_absent=True)
    assert "absent" not in trusting
    assert trusting.get("absent") is None
    for look in (looks["[]"], looks["etag"]):
        with pytest.raises(KeyError):
            look(trusting)
    with pytest.raises(StoreUnavailableError):
        len(trusting)
