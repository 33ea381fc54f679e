"""Many items at once: in order, bounded, the last of one key last, and errors told when all else is done."""

import threading

import pytest

from holdall import S3Store, SerializationError, StoreUnavailableError
from holdall._remote import pool
from s3._wire import Answer, Proxy


def store_at(url, name="bucket", **options):
    return S3Store(name, prefix="p", endpoint_url=url, **options)


def test_the_last_of_one_key_is_the_last(plain_bucket):
    store = store_at(plain_bucket.endpoint_url, plain_bucket.name)
    for _ in range(3):
        store.update((f"k{number % 3}", number) for number in range(30))
        assert dict(store.items()) == {"k0": 27, "k1": 28, "k2": 29}


def test_what_was_given_before_an_error_is_stored(plain_bucket):
    store = store_at(plain_bucket.endpoint_url, plain_bucket.name)

    def broken():
        yield from ((f"k{number}", number) for number in range(10))
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        store.update(broken())
    assert len(store) == 10
    with pytest.raises(SerializationError, match="'bad'"):
        store.update([("fine", 1), ("bad", {1, 2}), ("never", 3)])
    assert ("fine" in store, "bad" in store, "never" in store) == (True, False, False)


def test_after_a_refusal_nothing_more_is_begun(plain_bucket):
    def before(request):
        return Answer.error(403, "AccessDenied") if request.path.endswith("/k5.json") else None

    pulled = []

    def items():
        for number in range(1000):
            pulled.append(number)
            yield f"k{number}", number

    with Proxy(plain_bucket.endpoint_url, before=before) as wire:
        store = store_at(wire.url, plain_bucket.name, workers=4)
        with pytest.raises(StoreUnavailableError, match=r"'p/k5\.json'"):
            store.update(items())
    assert len(pulled) <= 20
    assert {"k0", "k1", "k2", "k3", "k4"} <= set(store_at(plain_bucket.endpoint_url, plain_bucket.name))


def test_no_more_is_pulled_than_can_be_sent():
    """A generator of a million values is not drawn into memory."""
    begun, lead = threading.Semaphore(0), []
    done = []

    def items():
        for number in range(200):
            lead.append(number - len(done))
            yield number

    def work(number):
        begun.release()
        done.append(number)

    pool.for_each(work, items(), 4)
    assert sorted(done) == list(range(200))
    assert max(lead) <= 2 * 4 + 1
    lead.clear()
    done.clear()
    assert [result for _, result in pool.in_order(lambda n: done.append(n) or n * n, items(), 4)] == [
        number * number for number in range(200)
    ]
    assert max(lead) <= 2 * 4 + 1


def test_bytes_on_their_way_are_bounded(monkeypatch):
    monkeypatch.setattr(pool, "BUDGET", 100)
    under_way, most, lock = 0, 0, threading.Lock()

    def work(size):
        nonlocal under_way, most
        with lock:
            under_way += size
            most = max(most, under_way)
        with lock:
            under_way -= size
        return size

    sizes = [30, 30, 30, 30, 500, 30, 30, 90, 20] * 10
    assert [size for _, size in pool.in_order(work, sizes, 8, lambda size: size)] == sizes
    assert most <= 500
    pool.for_each(work, sizes, 8, lambda size: size)
    assert most <= 500


def test_who_stops_iterating_begins_nothing_more():
    done = []
    results = pool.in_order(lambda number: done.append(number) or number, range(1000), 4)
    assert [next(results)[1] for _ in range(3)] == [0, 1, 2]
    results.close()
    assert len(done) <= 3 + 2 * 4 + 1


def test_items_come_in_the_order_of_their_keys_and_without_what_vanished(plain_bucket):
    items = {f"k{number:03}": number for number in range(40)}
    writer = store_at(plain_bucket.endpoint_url, plain_bucket.name)
    writer.update(items)

    def before(request):
        if request.path.endswith("/k020.json") and request.method == "GET":
            plain_bucket.delete("p/k020.json")

    with Proxy(plain_bucket.endpoint_url, before=before) as wire:
        store = store_at(wire.url, plain_bucket.name, workers=4)
        del items["k020"]
        assert list(store.items()) == list(items.items())


def test_copying_between_stores_sends_many_at_once_and_counts(plain_bucket, proxy):
    source = store_at(plain_bucket.endpoint_url, plain_bucket.name)
    source.update((f"k{number}", number) for number in range(30))
    target = S3Store(plain_bucket.name, prefix="q", endpoint_url=plain_bucket.endpoint_url)
    counts = []
    assert source.copy_to(target, progress=counts.append) == 30
    assert counts == list(range(1, 31))
    assert dict(target.items()) == dict(source.items())
    target.clear()
    assert source.copy_to(target, on_error="skip", progress=counts.append) == 30
    assert dict(target.items()) == dict(source.items())
