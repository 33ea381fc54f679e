"""Compare-and-swap holds: on servers that obey conditions, when answers are lost, and nowhere else."""

import threading
from contextlib import contextmanager

import pytest

from holdall import (
    ITEM_NOT_AVAILABLE,
    ConflictError,
    OutcomeUnknownError,
    S3Store,
    StoreNotFoundError,
    UnsupportedError,
)
from s3._places import new_bucket
from s3._wire import Answer, LoseEvery, Proxy


def store_at(bucket, url=None, **options):
    """Open a store in a bucket, perhaps by another way."""
    return S3Store(bucket.name, prefix="p", endpoint_url=url or bucket.endpoint_url, **options)


def plus_one(number):
    return number + 1


def minus_one(number):
    return number - 1


def once(wanted, then):
    """Make a rule that does something to the first answer that is wanted."""
    done = []

    def rule(request, answer):
        if done or not wanted(request, answer):
            return answer
        done.append(1)
        return then(request, answer)

    return rule


def replaces(request, answer):
    """Tell a replacement that happened."""
    return request.method == "PUT" and "if-match" in request.headers and answer.status == 200


def inserts(request, answer):
    """Tell an insertion that happened."""
    return request.method == "PUT" and "if-none-match" in request.headers and answer.status == 200


# ---------------------------------------------------------------------- lost answers


def test_a_lost_answer_is_not_counted_twice_though_the_value_came_back(plain_bucket, proxy):
    """Y takes a permit and hears nothing, Z gives one back; X, with an old etag, does not get through."""
    direct = store_at(plain_bucket)
    direct["permits"] = 5
    data, old = direct.persister.read("permits.json")
    refused = []

    def meanwhile(request, answer):
        direct.transform_item("permits", transformer=plus_one)  # 4 → 5, as before
        with pytest.raises(ConflictError) as caught:
            direct.persister.write("permits.json", data, old.etag)
        refused.append(caught.value)
        return answer.lost()

    y = store_at(plain_bucket, proxy(once(replaces, meanwhile)).url)
    result = y.transform_item("permits", transformer=minus_one)
    assert refused
    assert (result.new_value, result.attempts) == (4, 1)
    assert direct["permits"] == 5
    assert result.resulting_etag != direct.etag("permits")


def test_without_filler_the_outcome_is_unknown_and_never_a_conflict(plain_bucket, proxy):
    """Text has no filler: an etag comes back with its value, and X erases the trace of Y."""
    direct = store_at(plain_bucket, serializer="text")
    direct["permits"] = "5"
    x = store_at(plain_bucket, serializer="text").persister
    data, old = x.read("permits")

    def meanwhile(request, answer):
        direct.transform_item("permits", transformer=lambda n: "5")
        x.write("permits", b"4", old.etag)
        return answer.lost()

    y = store_at(plain_bucket, proxy(once(replaces, meanwhile)).url, serializer="text")
    with pytest.raises(OutcomeUnknownError, match="may or may not have happened"):
        y.transform_item("permits", transformer=lambda n: "4")
    assert data == b"5"


@pytest.mark.parametrize("who", ["somebody else", "a plain write"])
def test_what_erases_the_tokens_makes_the_outcome_unknown(plain_bucket, proxy, who):
    direct = store_at(plain_bucket)
    direct["n"] = 1

    def meanwhile(request, answer):
        if who == "a plain write":
            direct["n"] = 7
        else:
            plain_bucket.put("p/n.json", b"7")
        return answer.lost()

    y = store_at(plain_bucket, proxy(once(replaces, meanwhile)).url)
    with pytest.raises(OutcomeUnknownError):
        y.transform_item("n", transformer=plus_one)
    assert direct["n"] == 7


@pytest.mark.parametrize("repeats", [False, True])
def test_a_refusal_of_a_repeated_request_is_a_conflict_where_the_tokens_tell(plain_bucket, repeats):
    """The first sending never arrived, and another writer was faster: the tokens show both.

    Only a client that was given repeats a swap by itself.
    """
    direct = store_at(plain_bucket)
    direct["n"] = 1
    sent = []

    def before(request):
        if request.method == "PUT" and "if-match" in request.headers and b"2" in request.body:
            sent.append(request)
            if len(sent) == 1:
                direct.transform_item("n", transformer=lambda n: 10)
                return Answer.error(500, "InternalError")
        return None

    with Proxy(plain_bucket.endpoint_url, before=before) as wire:
        options = {"client": plain_bucket.at(wire.url).client} if repeats else {"endpoint_url": wire.url}
        store = S3Store(plain_bucket.name, prefix="p", **options)
        result = store.transform_item("n", transformer=plus_one)
    assert (result.new_value, result.attempts) == (11, 2)
    assert len(sent) == 1 + repeats


def test_a_write_that_nobody_answers_is_found_by_its_token(plain_bucket, proxy):
    direct = store_at(plain_bucket)
    direct["n"] = 1

    def silent(request, answer):
        swaps = request.method == "PUT" and "if-match" in request.headers and b"2" in request.body
        return answer.lost() if swaps else answer

    y = store_at(plain_bucket, proxy(silent).url)
    assert y.transform_item("n", transformer=plus_one).new_value == 2
    assert direct["n"] == 2


def test_without_any_answer_the_outcome_is_unknown(plain_bucket, proxy):
    direct = store_at(plain_bucket)
    direct["n"] = 1
    lost = threading.Event()

    def dead(request, answer):
        if request.method == "PUT" and b"2" in request.body:
            lost.set()
        return answer.lost() if lost.is_set() else answer

    y = store_at(plain_bucket, proxy(dead).url)
    with pytest.raises(OutcomeUnknownError, match=r"'p/n\.json' in s3://test-"):
        y.transform_item("n", transformer=plus_one)
    lost.clear()
    with pytest.raises(OutcomeUnknownError):
        y["n"] = 12
    assert direct["n"] == 12


def test_a_lost_answer_to_an_insertion(plain_bucket, proxy):
    wire = proxy(once(inserts, lambda request, answer: answer.lost()))
    y = store_at(plain_bucket, wire.url)
    assert y.setdefault("n", 1) == 1
    assert "PutObject" in wire.operations()
    other = store_at(plain_bucket, proxy(once(inserts, lambda request, answer: answer.lost())).url)
    with pytest.raises(ConflictError):
        other.persister.write("n.json", b"2", ITEM_NOT_AVAILABLE)
    assert store_at(plain_bucket)["n"] == 1


def test_a_lost_answer_to_a_deletion(plain_bucket, proxy):
    """What cannot have a token is unknown if it was bound to an etag, and done if it was not."""

    def deletes(request, answer):
        return request.method == "DELETE" and answer.status == 204

    y = store_at(plain_bucket, proxy(once(deletes, lambda request, answer: answer.lost())).url)
    y["n"] = 1
    with pytest.raises(OutcomeUnknownError):
        y.pop("n")
    assert "n" not in y
    z = store_at(plain_bucket, proxy(once(deletes, lambda request, answer: answer.lost())).url)
    z["n"] = 1
    assert z.discard("n") is True
    assert "n" not in z


def count_up(store, times):
    for _ in range(times):
        store.transform_item("n", transformer=plus_one, n_retries=None)


def in_threads(count, work):
    errors = []

    def run():
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]


def count_through_losses(bucket, proxy, threads, times, nth):
    rule = LoseEvery(nth)
    store = store_at(bucket, proxy(rule).url)
    store.setdefault("n", 0)
    in_threads(threads, lambda: count_up(store, times))
    assert rule.lost >= threads * times // nth
    assert store_at(bucket)["n"] == threads * times


def take_and_give_back(bucket, proxy, threads, times, nth):
    rule = LoseEvery(nth)
    store = store_at(bucket, proxy(rule).url)
    store.setdefault("permits", 5)

    def work():
        for _ in range(times):
            store.transform_item("permits", transformer=minus_one, n_retries=None)
            store.transform_item("permits", transformer=plus_one, n_retries=None)

    in_threads(threads, work)
    assert rule.lost >= 2 * threads * times // nth
    assert store_at(bucket)["permits"] == 5


def test_increments_add_up_though_answers_are_lost(plain_bucket, proxy):
    count_through_losses(plain_bucket, proxy, 3, 10, 5)


@pytest.mark.soak
def test_permits_add_up_though_answers_are_lost(plain_bucket, proxy):
    take_and_give_back(plain_bucket, proxy, 3, 5, 5)


@pytest.mark.soak
def test_two_hundred_increments_and_pairs_with_five_percent_lost(plain_bucket, proxy):
    count_through_losses(plain_bucket, proxy, 8, 25, 20)
    take_and_give_back(plain_bucket, proxy, 8, 25, 20)


# ---------------------------------------------------------------------- servers that are not to be trusted


class Ignoring(Proxy):
    """A server that ignores conditions of writes."""

    def _pass_on(self, request):
        if request.method in ("PUT", "DELETE"):
            for name in ("if-match", "if-none-match"):
                request.headers.pop(name, None)
        return super()._pass_on(request)


def test_a_server_that_ignores_conditions_is_refused(plain_bucket):
    with Ignoring(plain_bucket.endpoint_url) as wire:
        store = store_at(plain_bucket, wire.url)
        with pytest.raises(UnsupportedError, match="ignores the condition of an insertion"):
            store.setdefault("a", 1)
        assert plain_bucket.keys() == []
        store["a"] = 1
        with pytest.raises(UnsupportedError, match="ignores the condition of a replacement"):
            store.transform_item("a", transformer=plus_one)
        with pytest.raises(UnsupportedError, match="ignores the condition of a deletion"):
            store.pop("a")
        wire.forget()
        for verb in (
            lambda: store.setdefault("b", 1),
            lambda: store.transform_item("a", transformer=plus_one),
        ):
            with pytest.raises(UnsupportedError):
                verb()
        assert "PutObject" not in wire.operations()  # it is remembered
        assert store["a"] == 1
        assert plain_bucket.keys() == ["p/a.json"]
        with pytest.raises(KeyError):
            del store["absent"]
        del store["a"]
        assert store.discard("absent") is True  # it does not tell


@pytest.mark.parametrize("kind", ["plain", "versioned", "suspended"])
def test_finding_out_leaves_nothing(endpoint, kind):
    """No object, no version and no marker but the user's own."""
    bucket = new_bucket(endpoint, kind)
    store = store_at(bucket)
    if bucket.obeys:
        assert store.setdefault("a", 1) == 1
        assert bucket.versions() == [("p/a.json", "version")]
        store.transform_item("a", transformer=plus_one)
        assert {key for key, _ in bucket.versions()} == {"p/a.json"}
    else:
        for verb in (
            lambda: store.setdefault("a", 1),
            lambda: store.transform_item("a", transformer=plus_one),
        ):
            with pytest.raises((UnsupportedError, KeyError, TypeError)):
                verb()
        assert {key for key, _ in bucket.versions()} <= {"p/a.json"}


@pytest.mark.parametrize("kind", ["plain", "versioned", "suspended"])
def test_deleting_what_is_absent_leaves_no_marker(endpoint, kind):
    bucket = new_bucket(endpoint, kind)
    store = store_at(bucket)
    with pytest.raises(KeyError):
        del store["absent"]
    assert bucket.versions() == []
    store["a"] = 1
    del store["a"]
    with pytest.raises(KeyError):
        del store["absent"]
    assert {key for key, _ in bucket.versions()} <= {"p/a.json"}


@contextmanager
def spelling(bucket, accepts):
    """A server that knows etags in one spelling only."""

    def before(request):
        etag = request.headers.get("if-match", "")
        if request.method == "PUT" and etag.strip('"') != "0" * 32 and etag and not accepts(etag):
            return Answer.error(412, "PreconditionFailed")
        return None

    with Proxy(bucket.endpoint_url, before=before) as wire:
        yield wire


def test_etags_without_quotes(plain_bucket):
    with spelling(plain_bucket, lambda etag: not etag.startswith('"')) as wire:
        store = store_at(plain_bucket, wire.url)
        store["n"] = 1
        assert store.transform_item("n", transformer=plus_one).attempts == 1
        wire.forget()
        assert store.transform_item("n", transformer=plus_one).new_value == 3
        assert wire.operations() == ["GetObject", "PutObject"]


def test_a_server_that_refuses_every_etag(plain_bucket):
    """Not an endless conflict."""
    with spelling(plain_bucket, lambda etag: False) as wire:
        store = store_at(plain_bucket, wire.url)
        store["n"] = 1
        with pytest.raises(UnsupportedError, match="though its etag is the expected one"):
            store.transform_item("n", transformer=plus_one, n_retries=None)
        assert store["n"] == 1


def test_a_server_that_takes_the_mark_of_a_deletion_for_an_object(plain_bucket, proxy, monkeypatch):
    """Ceph does where versions are suspended; nobody waits for ever for what cannot be inserted."""
    monkeypatch.setattr("holdall._remote.swap._PAUSE", 0)
    full = Answer.error(412, "PreconditionFailed")
    between = proxy(before=lambda request: full if "if-none-match" in request.headers else None)
    store = store_at(plain_bucket, between.url)
    for insert in (
        lambda: store.setdefault("x", 1),
        lambda: store.transform_item("x", transformer=lambda _: 1, n_retries=None),
    ):
        with pytest.raises(UnsupportedError, match="mark of a deletion"):
            insert()
    store["x"] = 2
    assert store.setdefault("x", 1) == 2


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_a_write_under_way_is_waited_for(plain_bucket, code):
    turns = [409, 409]

    def before(request):
        if request.method == "PUT" and request.body.startswith(b"2") and turns:
            return Answer.error(turns.pop(), code)
        return None

    with Proxy(plain_bucket.endpoint_url, before=before) as wire:
        store = store_at(plain_bucket, wire.url)
        store["n"] = 1
        assert store.transform_item("n", transformer=plus_one, n_retries=0).new_value == 2
        assert not turns


def test_a_missing_bucket_is_not_an_absent_object(endpoint):
    store = S3Store("no-such-bucket", endpoint_url=endpoint, create_bucket=False)
    with pytest.raises(StoreNotFoundError):
        store.persister.write("n.json", b"1", ITEM_NOT_AVAILABLE)
    with pytest.raises(StoreNotFoundError):
        store.persister.write("n.json", b"1", "0123456789abcdef")


def test_ten_writers_in_turn_leave_a_short_trace(plain_bucket):
    """The tokens of sixteen writes at the most, in a field that every server takes."""
    store = store_at(plain_bucket)
    store["n"] = 0
    count_up(store, 20)
    head = plain_bucket.client.head_object(Bucket=plain_bucket.name, Key="p/n.json")
    tokens = head["Metadata"]["holdall"].split(".")
    assert len(set(tokens)) == 16
    assert len(head["Metadata"]["holdall"]) <= 400
    assert plain_bucket.get("p/n.json").strip() == b"20"  # and other programs read the value
