"""As few requests as can be right: each method is counted."""

from collections import Counter

import pytest

from holdall import DELETE_CURRENT, ITEM_NOT_AVAILABLE, S3Store
from holdall.conditional import ANY_ETAG, ETAG_IS_THE_SAME, NEVER_RETRIEVE
from s3._places import client_of, moto, new_bucket


class Log:
    """Records the operations of a client of boto3, and their parameters."""

    def __init__(self, client):
        self.client = client
        self.sent = []
        client.meta.events.register("provide-client-params.s3", self._note, unique_id=self)

    def _note(self, params, model, **_):
        self.sent.append((model.name, params))

    def of(self, call):
        """Give the operations of a call, in order, with HEAD for HeadObject and so on."""
        self.sent.clear()
        call()
        return [name.removesuffix("Object") for name, _ in self.sent]


@pytest.fixture
def client(plain_bucket):
    client = client_of.__wrapped__(plain_bucket.endpoint_url)
    yield client
    client.close()


@pytest.fixture
def log(client):
    return Log(client)


@pytest.fixture
def store(plain_bucket, client):
    """A store whose bucket is known, as after its first operations."""
    store = S3Store(plain_bucket.name, prefix="p", client=client)
    store.setdefault("warm", 0)
    store.pop("warm")
    store["warm"] = 1
    store.transform_item("warm", transformer=lambda n: n + 1)
    store.discard("warm")
    return store


def test_nothing_is_asked_before_the_first_use(plain_bucket, client, log):
    def make():
        store = S3Store(plain_bucket.name, prefix="p", client=client)
        store.get_subdict("a").get_subdict("b")
        assert "test-" in repr(store)

    assert log.of(make) == []


def test_single_items(store, log):
    assert log.of(lambda: store.__setitem__("k", 1)) == ["Put"]
    assert log.of(lambda: store["k"]) == ["Get"]
    assert log.of(lambda: store.get("k")) == ["Get"]
    assert log.of(lambda: store.get("absent")) == ["Get"]
    assert log.of(lambda: "k" in store) == ["Head"]
    assert log.of(lambda: "absent" in store) == ["Head"]
    assert log.of(lambda: store.etag("k")) == ["Head"]
    assert log.of(lambda: store.timestamp("k")) == ["Head"]
    assert log.of(lambda: store.setdefault("k", 2)) == ["Get"]
    assert log.of(lambda: store.setdefault("new", 2)) == ["Get", "Put"]
    assert log.of(lambda: store.discard("new")) == ["Delete"]
    assert log.of(lambda: store.discard("new")) == ["Delete"]
    assert log.of(lambda: store.__setitem__("k", DELETE_CURRENT)) == ["Delete"]
    assert log.of(lambda: store.pop("k", None)) == ["Get"]
    store["k"] = 1
    assert log.of(lambda: store.pop("k")) == ["Get", "Delete"]
    store["k"] = 1
    assert log.of(lambda: store.__delitem__("k")) == ["Delete"]


def test_conditional_operations(store, log):
    def insert():
        return store.set_item_if(
            "k",
            value=1,
            condition=ETAG_IS_THE_SAME,
            expected_etag=ITEM_NOT_AVAILABLE,
            retrieve_value=NEVER_RETRIEVE,
        )

    assert log.of(insert) == ["Put"]
    assert log.of(insert) == ["Put", "Head"]  # the conflict tells the etag
    assert log.of(lambda: store.transform_item("k", transformer=lambda n: n + 1)) == ["Get", "Put"]
    etag = store.etag("k")

    def replace():
        return store.set_item_if("k", value=5, condition=ETAG_IS_THE_SAME, expected_etag=etag)

    assert log.of(replace) == ["Put"]
    assert log.of(replace) == ["Head", "Get"]  # the etag is known to be an old one
    assert log.of(lambda: store.set_item_if("k", value=6, condition=ANY_ETAG, expected_etag=etag)) == [
        "Head",
        "Put",
    ]
    assert log.of(
        lambda: store.discard_if(
            "k", condition=ETAG_IS_THE_SAME, expected_etag=store.persister.stat("k.json").etag
        )
    ) == ["Head", "Delete"]


def test_the_first_conditional_operations_find_out_what_the_server_does(plain_bucket, client, log):
    store = S3Store(plain_bucket.name, prefix="p", client=client)
    assert log.of(lambda: store.setdefault("a", 1)) == ["Get", "Head", "Put", "Put"]
    assert log.of(lambda: store.transform_item("a", transformer=lambda n: n + 1)) == ["Get", "Put", "Put"]
    assert log.of(lambda: store.pop("a")) == ["Get", "Delete", "Delete", "Delete"]
    other = S3Store(plain_bucket.name, prefix="q", client=client)  # what was learnt is learnt
    assert log.of(lambda: other.setdefault("a", 1)) == ["Get", "Put"]


@pytest.fixture
def short_pages(monkeypatch):
    """A server whose pages have 25 keys instead of 1,000, so that few keys make two of them."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "25")
    with moto() as urls:
        yield new_bucket(urls["locked"])


def test_listing(short_pages):
    client = client_of(short_pages.endpoint_url)
    log = Log(client)
    store = S3Store(short_pages.name, prefix="p", client=client)
    store.update((f"d{number % 4}/{number}", number) for number in range(30))
    store["top"] = 0
    assert log.of(lambda: len(store)) == ["ListObjectsV2"] * 2
    for listing in (lambda: list(store), lambda: sorted(store.keys()), lambda: [*store], lambda: set(store)):
        assert log.of(listing) == ["ListObjectsV2"] * 2
    assert log.of(lambda: bool(store)) == ["ListObjectsV2"]
    assert log.of(lambda: next(iter(store))) == ["ListObjectsV2"]
    assert log.of(lambda: store.newest_keys(3)) == ["ListObjectsV2"] * 2
    assert log.of(store.oldest_keys) == ["ListObjectsV2"] * 2
    assert log.of(store.random_key) == ["ListObjectsV2"] * 2
    assert log.of(lambda: store.newest_values(2)) == ["ListObjectsV2"] * 2 + ["Get"] * 2
    assert log.of(lambda: store.get_subdict("d1")) == []
    assert log.of(lambda: len(store.get_subdict("d1"))) == ["ListObjectsV2"]
    assert log.of(store.subdicts) == ["ListObjectsV2"]
    assert sorted(store.subdicts()) == ["d0", "d1", "d2", "d3"]
    assert log.of(store.head) == ["ListObjectsV2", "Get"]
    assert log.of(lambda: store.get_subdict("d1").clear()) == ["ListObjectsV2", "DeleteObjects"]
    assert Counter(log.of(store.clear)) == {"ListObjectsV2": 1, "DeleteObjects": 1}
    assert len(store) == 0


def test_many_items(store, log):
    items = {f"k{number}": number for number in range(20)}
    assert log.of(lambda: store.update(items)) == ["Put"] * 20
    assert Counter(log.of(lambda: dict(store.items()))) == {"ListObjectsV2": 1, "Get": 20}
    assert Counter(log.of(lambda: list(store.values()))) == {"ListObjectsV2": 1, "Get": 20}
    assert Counter(log.of(lambda: store.copy_to({}))) == {"ListObjectsV2": 1, "Get": 20}
    assert dict(store.items()) == items
    assert list(store.items()) == sorted(items.items())


def test_only_what_belongs_to_the_prefix_is_asked_for(plain_bucket, store, log):
    """No rights beyond the prefix are needed: no request names another key, bucket or listing."""
    plain_bucket.put("other", b"1")
    allowed = {
        *("PutObject", "GetObject", "HeadObject", "DeleteObject", "DeleteObjects", "ListObjectsV2"),
        *("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"),
    }
    sent = []
    log.client.meta.events.register(
        "provide-client-params.s3", lambda params, model, **_: sent.append((model.name, params))
    )
    store.update(a=1, b=2)
    store.setdefault("c", 3)
    store.transform_item("a", transformer=lambda n: n + 1)
    store.pop("b")
    del store["c"]
    list(store.items())
    store.subdicts()
    store.newest_keys()
    store.clear()
    assert len(sent) > 12
    for name, params in sent:
        assert name in allowed
        assert params["Bucket"] == plain_bucket.name
        keys = [
            params.get("Key"),
            params.get("Prefix"),
            *(o["Key"] for o in params.get("Delete", {}).get("Objects", ())),
        ]
        assert any(key is not None for key in keys)
        assert all(key.startswith("p/") for key in keys if key is not None)


def test_a_listing_is_taken_over_once_and_by_an_iterator_that_was_there(store, log):
    """What was made after a listing lists anew, so that it shows what was written since."""
    store["a"] = 1
    early = iter(store)
    assert log.of(lambda: len(store)) == ["ListObjectsV2"]
    store["b"] = 2
    assert log.of(lambda: set(store)) == ["ListObjectsV2"]
    late = iter(store)
    assert set(store) == {"a", "b"}
    assert log.of(lambda: set(early)) == []
    assert log.of(lambda: set(late)) == []
    view = store.get_subdict("x")
    waiting = iter(view)
    assert len(store) == 2
    store["x/y"] = 3
    assert list(waiting) == ["y"], "a listing of another prefix was taken over"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-27T14:06:41.000Z",
        "2026-11-27T14:06:41Z",
        "2026-11-27T14:06:41",
        "Fri, 27 Nov 2026 14:06:41 GMT",
        "Z",
    ],
)
def test_times_are_those_of_boto3(text):
    from botocore.utils import parse_timestamp

    from holdall.persisters.s3._client import _time_of

    try:
        expected = parse_timestamp(text)
    except ValueError:
        with pytest.raises(ValueError, match="Invalid timestamp"):
            _time_of(text)
    else:
        found = _time_of(text)
        assert (found, found.utcoffset()) == (expected, expected.utcoffset())
    assert _time_of(1_800_000_000).timestamp() == 1_800_000_000


def test_the_times_of_a_listing_are_read_without_the_parser_of_all_dates(plain_bucket, monkeypatch):
    store = S3Store(plain_bucket.name, endpoint_url=plain_bucket.endpoint_url, prefix="times")
    store.update({f"{number}": number for number in range(3)})
    before = store.newest_keys(1)
    monkeypatch.setattr("dateutil.parser.parse", None)
    assert store.newest_keys(1) == before
