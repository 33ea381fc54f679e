"""A bucket that is 20 ms away: stores beside boto3 and obstore as their users call them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from harness import HERE, Op, Workload, check, seconds

SERVER = os.path.join(os.path.dirname(HERE), "tests", "s3", "_server.py")
BOTO3, THREADS = "limit: boto3", "limit: boto3, 16 threads"
OBSTORE, OBSTORE_THREADS = "limit: obstore", "limit: obstore, 16 threads"
HOLDALL, THROUGH = "holdall", 'holdall (engine="obstore")'
BUCKET, WORKERS, PASSES = "benchmark", 16, 3
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@contextmanager
def server():
    """Run moto, each answer 20 ms late, and give its URL."""
    process = subprocess.Popen(
        [sys.executable, SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **CREDENTIALS},
    )
    try:
        line = process.stdout.readline()
        check(line, f"the server did not start: exit status {process.poll()}")
        yield f"http://127.0.0.1:{json.loads(line)['slow']}"
    finally:
        process.kill()
        process.wait()


# ------------------------------------------------------------------------- contestants


class Contestant:
    """Sequential operations by `set`, `get` and `has`; many at once by `set_all` and `get_all`."""

    def set_all(self, items):
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda item: self.set(*item), items.items()))

    def get_all(self):
        with ThreadPoolExecutor(WORKERS) as pool:
            keys = self.keys()
            return dict(zip(keys, pool.map(self.get, keys), strict=True))


class Boto3(Contestant):
    def __init__(self, url, prefix):
        import boto3
        from botocore.config import Config

        config = Config(s3={"addressing_style": "path"}, max_pool_connections=2 * WORKERS)
        self.client = boto3.client("s3", endpoint_url=url, config=config)
        self.prefix = prefix

    def set(self, key, value):
        body = json.dumps(value).encode()
        self.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}.json", Body=body)

    def get(self, key):
        answer = self.client.get_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}.json")
        return json.loads(answer["Body"].read())

    def has(self, key):
        from botocore.exceptions import ClientError

        try:
            self.client.head_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}.json")
        except ClientError:
            return False
        return True

    def keys(self):
        answer = self.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.prefix}/")
        start = len(self.prefix) + 1
        return [entry["Key"][start:].removesuffix(".json") for entry in answer["Contents"]]


class Obstore(Contestant):
    def __init__(self, url, prefix):
        from obstore.store import S3Store

        self.store = S3Store(
            BUCKET,
            prefix=prefix,
            endpoint=url,
            region="us-east-1",
            access_key_id="test",
            secret_access_key="test",
            client_options={"allow_http": True},
        )

    def set(self, key, value):
        self.store.put(f"{key}.json", json.dumps(value).encode())

    def get(self, key):
        return json.loads(bytes(self.store.get(f"{key}.json").bytes()))

    def has(self, key):
        try:
            self.store.head(f"{key}.json")
        except FileNotFoundError:
            return False
        return True

    def keys(self):
        return [entry["path"].removesuffix(".json") for page in self.store.list() for entry in page]


class Mapping(Contestant):
    """A store that is a mapping: many at once by its own verbs."""

    def set(self, key, value):
        self.store[key] = value

    def get(self, key):
        return self.store[key]

    def has(self, key):
        return key in self.store

    def set_all(self, items):
        self.store.update(items)

    def get_all(self):
        return dict(self.store.items())


class Holdall(Mapping):
    engine = "boto3"

    def __init__(self, url, prefix):
        from holdall import S3Store

        self.store = S3Store(BUCKET, prefix=prefix, endpoint_url=url, engine=self.engine)


class Through(Holdall):
    engine = "obstore"


class Persidict(Mapping):
    def __init__(self, url, prefix):
        from persidict import BasicS3Dict

        os.environ["AWS_ENDPOINT_URL_S3"] = url  # it has no option for it
        self.store = BasicS3Dict(bucket_name=BUCKET, root_prefix=prefix, serialization_format="json")

    def get_all(self):
        return {key[0]: value for key, value in self.store.items()}


class S3fs(Contestant):
    def __init__(self, url, prefix):
        from s3fs import S3FileSystem

        options = {"use_listings_cache": False, "skip_instance_cache": True}
        self.files = S3FileSystem(key="test", secret="test", endpoint_url=url, **options)
        self.folder = f"{BUCKET}/{prefix}"

    def set(self, key, value):
        self.files.pipe_file(f"{self.folder}/{key}.json", json.dumps(value).encode())

    def get(self, key):
        return json.loads(self.files.cat_file(f"{self.folder}/{key}.json"))

    def has(self, key):
        return self.files.exists(f"{self.folder}/{key}.json")

    def set_all(self, items):
        self.files.pipe({f"{self.folder}/{key}.json": json.dumps(items[key]).encode() for key in items})

    def get_all(self):
        start = len(self.folder) + 1
        found = self.files.cat(self.files.find(self.folder))
        return {path[start:].removesuffix(".json"): json.loads(data) for path, data in found.items()}


MAKERS = {
    BOTO3: Boto3,
    THREADS: Boto3,
    OBSTORE: Obstore,
    OBSTORE_THREADS: Obstore,
    HOLDALL: Holdall,
    THROUGH: Through,
    "persidict": Persidict,
    "s3fs": S3fs,
}
ALONE, TOGETHER = ("set", "get", "in"), ("set many", "get many")


# ------------------------------------------------------------------------------ a cell


def value_of(number):
    return {"number": number, "loss": number / 7, "name": f"run {number}", "tags": ["a", "b", "c"]}


def measure(contestant, place, *, single, many):
    del place
    os.environ.update(CREDENTIALS)
    make = MAKERS[contestant]
    if contestant in (BOTO3, OBSTORE):
        wanted = ALONE
    elif contestant in (THREADS, OBSTORE_THREADS):
        wanted = TOGETHER
    else:
        wanted = (*ALONE, *TOGETHER)
    with server() as url:
        Boto3(url, "").client.create_bucket(Bucket=BUCKET)
        answer = {}
        if "set" in wanted:
            answer |= one_by_one(lambda: make(url, "single"), single)
        if "set many" in wanted:
            answer |= many_at_once(lambda: make(url, "many"), many)
        return answer


def one_by_one(make, count):
    """Give operations a second, one after the other."""
    items = {f"key{number}": value_of(number) for number in range(count)}
    writer, reader = make(), make()
    writer.set("warm", 1)  # clients connect, stores find out what there is
    check(reader.get("warm") == 1, "what was written is not what is read")
    check(reader.has("warm") and not reader.has("absent"), "in")
    return {
        "set": 1 / typical(lambda key: writer.set(key, items[key]), items, lambda _: None),
        "get": 1 / typical(reader.get, items, items.get),
        "in": 1 / typical(reader.has, items, lambda _: True),
    }


def typical(do, keys, right):
    """Give the median of the seconds that an operation takes: one slow answer tells nothing."""
    times = []
    for key in keys:
        took, got = seconds(do, key)
        check(got == right(key), f"{key} is {got!r:.80}")
        times.append(took)
    return statistics.median(times)


def many_at_once(make, count):
    """Give items a second, all in one call."""
    items = {f"key{number}": value_of(number) for number in range(count)}
    writer, reader = make(), make()
    writer.set("key0", 1)
    reader.get("key0")
    set_times, get_times = [], []
    for _ in range(PASSES):
        set_times.append(seconds(writer.set_all, items)[0])
        took, got = seconds(reader.get_all)
        check(got == items, "what was written is not what is read")
        get_times.append(took)
    return {"set many": count / min(set_times), "get many": count / min(get_times)}


def workloads(places, *, quick):
    del places
    options = {"single": 10 if quick else 40, "many": 200}

    def ops(alone, together, goal):
        return (
            *(Op(name, "ops/s", limit=alone, at_least=goal) for name in ALONE),
            *(Op(name, "items/s", limit=together, at_least=0.95) for name in TOGETHER),
        )

    yield Workload(
        "s3",
        "s3, 20 ms away",
        (BOTO3, THREADS, HOLDALL, "persidict", "s3fs"),
        ops(BOTO3, THREADS, 0.97),
        options=options,
        judged=(HOLDALL,),
        notes=(
            "The limits call boto3 for each item. Many are 200, listed before they are read; best of three.",
        ),
    )
    yield Workload(
        "s3",
        "s3 through obstore, 20 ms away",
        (OBSTORE, OBSTORE_THREADS, THROUGH),
        ops(OBSTORE, OBSTORE_THREADS, 0.95),
        options=options,
        judged=(THROUGH,),
    )
