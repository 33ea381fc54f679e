"""A server that says, and goes on saying, that another write of the object is just under way."""

import pytest

from exploring import in_soak
from holdall import (
    ITEM_NOT_AVAILABLE,
    ConflictError,
    OutcomeUnknownError,
    S3Store,
    StoreUnavailableError,
    UnsupportedError,
)
from s3._places import ENGINES, SOME_ENGINES
from s3._wire import Answer, Proxy

BUSY = ["ConditionalRequestConflict", pytest.param("OperationAborted", marks=pytest.mark.soak)]


def plus_one(number):
    return number + 1


def store_at(bucket, url=None, **options):
    return S3Store(bucket.name, prefix="p", endpoint_url=url or bucket.endpoint_url, **options)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Take no pause between attempts, which are counted and not timed."""
    monkeypatch.setattr("holdall.persisters.s3._requests._PAUSE", 0)
    monkeypatch.setattr("holdall._remote.swap._PAUSE", 0)
    if "obstore" in ENGINES:
        monkeypatch.setattr("holdall.persisters.obstore._engine._PAUSE", 0)


class Switch:
    """Answers writes of the methods by an error, while it is on."""

    def __init__(self, status, code):
        self.answer = Answer.error(status, code)
        self.methods = ()

    def __call__(self, request):
        return self.answer if request.method in self.methods else None


VERBS = {
    "replace": ("PUT", lambda store: store.transform_item("n", transformer=plus_one, n_retries=None)),
    "insert": ("PUT", lambda store: store.setdefault("new", 1)),
    "write": ("PUT", lambda store: store.__setitem__("n", 1)),
    "pop": ("DELETE", lambda store: store.pop("n")),
    "del": ("DELETE", lambda store: store.__delitem__("n")),
    "discard": ("DELETE", lambda store: store.discard("n")),
}


def use_all(store):
    """Use every verb that finds out what the server does."""
    assert store.setdefault("known", 1) == 1
    assert store.transform_item("known", transformer=plus_one).new_value == 2
    try:
        store.pop("known")
    except UnsupportedError:  # some servers bind no deletions
        del store["known"]


@pytest.mark.parametrize("engine", SOME_ENGINES)
@pytest.mark.parametrize(
    ("known", "verb"),
    [*((True, verb) for verb in VERBS), *((False, verb) for verb in ("replace", "insert", "pop"))],
)
@pytest.mark.parametrize("code", BUSY)
def test_a_write_that_is_under_way_for_ever(plain_bucket, engine, known, verb, code):
    """Nobody can tell what the server can do: it is busy, and what it can do is found out afterwards."""
    method, use = VERBS[verb]
    switch = Switch(409, code)
    with Proxy(plain_bucket.endpoint_url, before=switch) as wire:
        store = store_at(plain_bucket, wire.url, engine=engine)
        store["n"] = 1
        if known:
            use_all(store)
        switch.methods = (method,)
        with pytest.raises(
            StoreUnavailableError, match=r"'p/(n|new|\.holdall-probe-[-\w]+)(\.json)?'"
        ) as caught:
            use(store)
        assert type(caught.value) is StoreUnavailableError
        assert len(wire.requests) < 200
        switch.methods = ()
        assert store["n"] == 1
        use_all(store)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("verb", ["replace", *in_soak("insert", "write", "pop")])
def test_another_reason_to_refuse_is_no_missed_condition(plain_bucket, engine, verb):
    """Codes tell, not statuses: 409 has many reasons."""
    method, use = VERBS[verb]
    switch = Switch(409, "InvalidBucketState")
    with Proxy(plain_bucket.endpoint_url, before=switch) as wire:
        store = store_at(plain_bucket, wire.url, engine=engine)
        store["n"] = 1
        use_all(store)
        switch.methods = (method,)
        with pytest.raises(StoreUnavailableError, match="InvalidBucketState") as caught:
            use(store)
        assert type(caught.value) is StoreUnavailableError
        switch.methods = ()
        assert store["n"] == 1
        use_all(store)


@pytest.mark.parametrize("engine", ENGINES)
def test_who_was_overtaken_meanwhile_has_a_conflict(plain_bucket, engine):
    """A server may tell so those who come late, too: the state that they started from is gone."""
    direct = store_at(plain_bucket)
    direct["n"] = 1
    busy = []

    def before(request):
        if request.method == "PUT" and request.body.strip() == b"2":
            if not busy:
                direct["n"] = 10
            busy.append(request)
            return Answer.error(409, "ConditionalRequestConflict")
        if request.method == "PUT" and "if-none-match" in request.headers and "new" in request.path:
            direct["new"] = 5
            return Answer.error(409, "ConditionalRequestConflict")
        return None

    with Proxy(plain_bucket.endpoint_url, before=before) as wire:
        store = store_at(plain_bucket, wire.url, engine=engine)
        assert store.transform_item("n", transformer=plus_one).new_value == 11
        assert busy
        with pytest.raises(ConflictError):
            store.persister.write("new.json", b"1", ITEM_NOT_AVAILABLE)


@pytest.mark.parametrize("operation", ["replace", "insert", "remove"])
def test_what_was_sent_before_it_was_busy_is_not_forgotten(plain_bucket, operation):
    """A client that was given repeats by itself: done and not answered, then busy, then refused."""
    plain_bucket.put("p/n", b"5")
    direct = store_at(plain_bucket, serializer="bytes").persister
    method = "DELETE" if operation == "remove" else "PUT"
    name = "new" if operation == "insert" else "n"
    answers = []

    def rule(request, answer):
        if not answers or request.method != method or not request.path.endswith(f"/{name}"):
            return answer
        if len(answers) == 1:  # who has done it lost the trace of it
            plain_bucket.put(f"p/{name}", b"7")
        return answers.pop(0)

    with Proxy(plain_bucket.endpoint_url, rule) as wire:
        client = plain_bucket.at(wire.url).client
        place = S3Store(plain_bucket.name, prefix="p", serializer="bytes", client=client).persister
        place.write("known", b"1", ITEM_NOT_AVAILABLE)
        place.write("known", b"2", place.stat("known").etag)
        etag = direct.stat("n").etag
        answers[:] = [Answer.error(500, "InternalError"), Answer.error(409, "ConditionalRequestConflict")]
        use = {
            "replace": lambda: place.write("n", b"6", etag),
            "insert": lambda: place.write("new", b"6", ITEM_NOT_AVAILABLE),
            "remove": lambda: place.remove("n", etag),
        }
        with pytest.raises(OutcomeUnknownError):
            use[operation]()
        assert not answers
        assert direct[name] == b"7"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("last", [(409, "ConditionalRequestConflict"), *in_soak((403, "AccessDenied"))])
@pytest.mark.parametrize("operation", ["replace", "insert"])
def test_a_refusal_does_not_undo_what_was_not_answered(plain_bucket, engine, last, operation):
    """The first sending may still arrive, though the second one is refused for another reason."""
    direct = store_at(plain_bucket)
    direct["n"] = 1
    sent = []

    def before(request):
        if request.method != "PUT" or b"2" not in request.body:
            return None
        sent.append(request)
        return Answer.error(500, "InternalError") if len(sent) == 1 else Answer.error(*last)

    with Proxy(plain_bucket.endpoint_url, before=before) as wire:
        store = store_at(plain_bucket, wire.url, engine=engine)
        store.setdefault("known", 1)
        use = {
            "replace": lambda: store.transform_item("n", transformer=plus_one, n_retries=None),
            "insert": lambda: store.setdefault("new", 2),
        }
        with pytest.raises(OutcomeUnknownError):
            use[operation]()
    assert len(sent) > 1
