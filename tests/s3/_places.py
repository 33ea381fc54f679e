"""Where the tests of S3 keep things: servers, and buckets of one test each."""

import importlib.util
import itertools
import json
import os
import subprocess
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import pytest

from processes._support import PYTHON, child_environment

KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testsecret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""Environment variables: credentials of all servers here, and nothing of those of the user."""

ENGINES = ["boto3", *(["obstore"] if importlib.util.find_spec("obstore") else [])]
"""The clients that a store can talk by here."""

SOME_ENGINES = [ENGINES[0], *(pytest.param(engine, marks=pytest.mark.soak) for engine in ENGINES[1:])]
"""The same, of which the ordinary run takes the first."""

_numbers = itertools.count(1)


@cache
def client_of(endpoint_url):
    """Make a client of boto3 for the tests' own requests."""
    import boto3
    from botocore.config import Config

    session = boto3.Session(
        aws_access_key_id=os.environ.get("HOLDALL_S3_ACCESS_KEY", KEYS["AWS_ACCESS_KEY_ID"]),
        aws_secret_access_key=os.environ.get("HOLDALL_S3_SECRET_KEY", KEYS["AWS_SECRET_ACCESS_KEY"]),
        region_name="us-east-1",
    )
    config = Config(
        s3={"addressing_style": "path"},
        max_pool_connections=64,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", endpoint_url=endpoint_url, config=config)


@dataclass(frozen=True)
class Bucket:
    """A bucket of one test; `obeys` tells whether its server honours conditions in it."""

    name: str
    endpoint_url: str
    kind: str = "plain"
    obeys: bool = True

    @property
    def client(self):
        """Give a client of boto3 for what the test itself asks the server."""
        return client_of(self.endpoint_url)

    def at(self, endpoint_url):
        """Give the same bucket, reached another way."""
        return Bucket(self.name, endpoint_url, self.kind, self.obeys)

    def put(self, key, body=b"", **options):
        """Write an object as somebody else, and give its etag."""
        return self.client.put_object(Bucket=self.name, Key=key, Body=body, **options)["ETag"]

    def get(self, key):
        """Read an object as somebody else."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def delete(self, key):
        """Delete an object as somebody else."""
        self.client.delete_object(Bucket=self.name, Key=key)

    def keys(self):
        """List the keys of all objects."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def versions(self):
        """List every version and every delete marker, as (key, "version" or "marker")."""
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name)
        return [
            (item["Key"], kind)
            for page in pages
            for field, kind in (("Versions", "version"), ("DeleteMarkers", "marker"))
            for item in page.get(field, ())
        ]

    def uploads(self):
        """List the keys of unfinished multipart uploads."""
        answer = self.client.list_multipart_uploads(Bucket=self.name)
        return [upload["Key"] for upload in answer.get("Uploads", ())]


def new_bucket(endpoint_url, kind="plain"):
    """Make a bucket: plain, with versions, or with versions suspended."""
    client = client_of(endpoint_url)
    name = f"test-{next(_numbers)}-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    for status in {"plain": (), "versioned": ("Enabled",), "suspended": ("Enabled", "Suspended")}[kind]:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
    return Bucket(name, endpoint_url, kind, obeys(endpoint_url, kind))


@cache
def obeys(endpoint_url, kind):
    """Tell whether a server honours write conditions in buckets of a kind, by trying it."""
    from botocore.exceptions import ClientError

    if kind == "plain":
        return True
    client = client_of(endpoint_url)
    name = f"trial-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    for status in ("Enabled", "Suspended")[: 1 + (kind == "suspended")]:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
    client.put_object(Bucket=name, Key="x", Body=b"1")
    try:
        client.put_object(Bucket=name, Key="x", Body=b"2", IfNoneMatch="*")
    except ClientError:
        return True
    return False


@contextmanager
def moto(*options):
    """Run the server of `s3._server`; give the URL of each of its faces."""
    process = subprocess.Popen(
        [PYTHON, "-m", "s3._server", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**child_environment(), **KEYS},
        start_new_session=True,
    )
    try:
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"the S3 server did not start: exit status {process.wait()}")
        urls = {face: f"http://127.0.0.1:{port}" for face, port in json.loads(line).items()}
        answers(urls["locked"])
        yield urls
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def answers(url):
    """Return when a server answers, whatever it says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=30).close()
    except urllib.error.HTTPError as error:
        error.close()


def real():
    """Give the URL of the real server that the run is told to use, or None."""
    return os.environ.get("HOLDALL_S3_ENDPOINT")


def kinds():
    """Give the kinds of buckets that the contracts run on: all three on a real server."""
    return ("plain", "versioned", "suspended") if real() else ("plain",)
