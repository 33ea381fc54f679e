"""No increment is lost, whoever counts, where the server obeys conditions; elsewhere nobody counts."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from holdall import OutcomeUnknownError, S3Store, UnsupportedError
from holdall.conditional import ETAG_IS_THE_SAME
from s3._counting import count_in_processes, count_in_threads, plus_one
from s3._places import ENGINES, SOME_ENGINES, real


def store_in(bucket, engine="boto3", **options):
    """Open a store in a bucket."""
    options = {"endpoint_url": bucket.endpoint_url, **options}
    return S3Store(bucket.name, prefix="p", engine=engine, **options)


def obeying(bucket):
    """Skip a test where the server has no conditions; others see to it that the store says so."""
    if not bucket.obeys:
        pytest.skip(f"the server ignores conditions in {bucket.kind} buckets")


def test_threads_lose_no_increment(plain_bucket):
    assert count_in_threads(store_in(plain_bucket), 2, 10) == list(range(1, 21))


def test_on_the_negative_control_an_increment_is_lost(faces, plain_bucket):
    """The same test, on a server that looks and writes in two steps: one number is reached twice."""
    store = store_in(plain_bucket, endpoint_url=faces["raw"])
    reached = count_in_threads(store, 2, 10)
    assert len(reached) == 20
    assert len(set(reached)) == store["n"] == 19


@pytest.mark.parametrize("engine", SOME_ENGINES)
def test_processes_lose_no_increment(bucket, engine):
    obeying(bucket)
    assert count_in_processes(bucket, engine, 2, 10) == list(range(1, 21))
    assert store_in(bucket)["n"] == 20


def count_text(store, times):
    """Count in a format without filler: the numbers that were reached, and how often nobody knows."""
    reached, unknown = [], 0
    for _ in range(times):
        try:
            result = store.transform_item("n", transformer=lambda text: str(int(text) + 1), n_retries=None)
        except OutcomeUnknownError:
            unknown += 1
        else:
            reached.append(int(result.new_value))
    return reached, unknown


@pytest.mark.parametrize(
    ("threads", "times"), [(2, 10), pytest.param(8, 50, marks=pytest.mark.soak)], ids=["small", "large"]
)
@pytest.mark.parametrize("engine", ENGINES)
def test_without_filler_each_increment_counts_or_is_unknown(bucket, engine, threads, times):
    """None is told to have happened that did not, none to have failed that did."""
    obeying(bucket)
    store = store_in(bucket, engine, serializer="text")
    store["n"] = "0"
    with ThreadPoolExecutor(threads) as pool:
        counted = list(pool.map(count_text, [store] * threads, [times] * threads))
    reached = [number for numbers, _ in counted for number in numbers]
    unknown = sum(number for _, number in counted)
    assert len(set(reached)) == len(reached) == threads * times - unknown
    assert len(reached) <= int(store["n"]) <= len(reached) + unknown
    assert real() or not unknown  # a server that answers, and answers 412 to who is late, leaves no doubt


@pytest.mark.soak
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("run", range(5))
def test_eight_threads_lose_no_increment(bucket, engine, run):
    obeying(bucket)
    store = store_in(bucket, engine)
    assert count_in_threads(store, 8, 50) == list(range(1, 401))
    assert store["n"] == 400


@pytest.mark.soak
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("run", range(5))
def test_four_processes_lose_no_increment(bucket, engine, run):
    obeying(bucket)
    assert count_in_processes(bucket, engine, 4, 100) == list(range(1, 401))
    assert store_in(bucket)["n"] == 400


@pytest.mark.parametrize("engine", ENGINES)
def test_a_bucket_without_conditions_is_refused(bucket, engine):
    """Plain verbs work there, and nothing that compares pretends to."""
    if bucket.obeys:
        pytest.skip(f"the server obeys conditions in {bucket.kind} buckets")
    store = store_in(bucket, engine)
    store["n"] = 1
    etag = store.etag("n")
    for compare in (
        lambda: store.transform_item("n", transformer=plus_one),
        lambda: store.set_item_if("n", value=2, condition=ETAG_IS_THE_SAME, expected_etag=etag),
        lambda: store.setdefault("other", 1),
        lambda: store.pop("n"),
    ):
        with pytest.raises(UnsupportedError, match="condition"):
            compare()
    assert dict(store.items()) == {"n": 1}
    store["n"] = 3
    del store["n"]
    assert store.discard("n") in (True, False)
    assert not list(store)


@pytest.mark.parametrize("engine", ENGINES)
def test_deletions_without_conditions_are_refused(bucket, engine):
    if not real():
        pytest.skip("moto binds deletions to etags")
    store = store_in(bucket, engine)
    store["n"] = 1
    with pytest.raises(UnsupportedError, match="deletion"):
        store.discard_if("n", condition=ETAG_IS_THE_SAME, expected_etag=store.etag("n"))
    with pytest.raises(UnsupportedError, match="deletion"):
        store.pop("n")
    assert store["n"] == 1
    del store["n"]
    with pytest.raises(KeyError):
        del store["n"]


@pytest.mark.parametrize("engine", SOME_ENGINES)
def test_folders_and_many_items(bucket, engine):
    """By one listing a folder, by threads for values, and by few requests to delete."""
    store = store_in(bucket, engine)
    items = {f"{folder}/{number}": number for folder in ("a", "ab", "c d/é") for number in range(7)}
    store.update(items)
    assert dict(store.items()) == items
    assert len(store) == 21
    assert set(store.subdicts()) == {"a", "ab", "c d"}
    part = store.get_subdict("a")
    assert dict(part.items()) == {str(number): number for number in range(7)}
    assert sorted(store.newest_keys(5)) == sorted(set(store.newest_keys(5)) & set(items))
    part.clear(force=True)
    assert set(store) == {key for key in items if not key.startswith("a/")}
    copied = S3Store(bucket.name, prefix="copy", endpoint_url=bucket.endpoint_url, engine=engine)
    copied.update(store.items())
    assert copied == store
    store.clear(force=True)
    assert not store
    assert len(copied) == 14
