"""Memoized functions over buckets: leases by conditional requests, which do not stay."""

import threading

import pytest

from holdall import S3Store, memoize
from holdall.memo._lease import Keeper


def test_of_two_machines_one_computes_and_the_newest_result_counts(bucket, monkeypatch):
    if not bucket.obeys:
        pytest.skip(f"the server ignores conditions in {bucket.kind} buckets, so that there are no leases")
    monkeypatch.setattr(Keeper, "held", lambda *_: None)  # as if each handle were another machine's
    started, go, answers = threading.Event(), threading.Event(), []

    def work(x):
        started.set()
        go.wait()
        return x

    def on_a_machine(function):
        store = S3Store(bucket.name, prefix="p", endpoint_url=bucket.endpoint_url)
        return memoize(store, name="f", version=1)(function)

    numbers = iter((1, 2))
    one, other = on_a_machine(work), on_a_machine(lambda x: next(numbers))
    threads = [threading.Thread(target=lambda f=f: answers.append(f(0))) for f in (one, other)]
    threads[0].start()
    started.wait()
    threads[1].start()
    assert any("~lease" in key for key in one.store)
    go.set()
    for thread in threads:
        thread.join()
    assert answers == [0, 0]
    assert [other.refresh(0), other.refresh(0), other(0)] == [1, 2, 2]
    assert list(one.store.values()) == [2]


def test_without_conditions_each_machine_computes_for_itself(bucket, monkeypatch):
    if bucket.obeys:
        pytest.skip(f"the server obeys conditions in {bucket.kind} buckets")
    monkeypatch.setattr(Keeper, "held", lambda *_: None)
    calls = []

    def on_a_machine():
        store = S3Store(bucket.name, prefix="p", endpoint_url=bucket.endpoint_url)
        return memoize(store, name="f", version=1)(lambda x: calls.append(x) or x + 1)

    one, other = on_a_machine(), on_a_machine()
    assert [one(1), other(1), other(2), one(2)] == [2, 2, 3, 3]
    assert calls == [1, 2]
    assert one.refresh(1) == 2
    assert set(one.store.values()) == {2, 3}
