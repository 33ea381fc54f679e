"""What Redis does not do by itself: lost answers, restarts, eviction, rights, keys listed twice."""

import contextlib
import os
import pickle
import socket
import threading
import time
import warnings

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import holdall
from engines._dropping import Dropping
from engines._valkey import Server, free_port
from holdall import ITEM_NOT_AVAILABLE, RedisStore, memoize
from holdall.conditional import ANY_ETAG
from holdall.errors import (
    InvalidArgumentError,
    MismatchError,
    OutcomeUnknownError,
    StoreFullError,
    StoreUnavailableError,
    UnsupportedError,
    ValueTooLargeError,
)
from holdall.persisters.redis import RedisPersister
from holdall.persisters.redis._client import translated
from holdall.persisters.redis._scripts import run
from holdall.wrappers import bounded, cached_values


@pytest.fixture
def own(tmp_path):
    server = Server(tmp_path)
    yield server
    server.stop()


def test_an_increment_whose_answer_is_lost_counts_once(own):
    done = unknown = 0
    with Dropping(own.port, 7) as proxy, RedisStore(f"redis://{proxy}/0", prefix="p/") as store:
        for _ in range(150):
            try:
                store.increment("n")
                done += 1
            except OutcomeUnknownError:
                unknown += 1
            except StoreUnavailableError:
                continue
    direct = RedisStore(own.url, prefix="p/")
    assert done <= direct["n"] <= done + unknown
    assert done > 100


def test_a_write_and_a_deletion_whose_answers_are_lost(own):
    seen = []
    with Dropping(own.port, 11) as proxy, RedisStore(f"redis://{proxy}/0", prefix="p/") as store:
        for number in range(40):
            try:
                store["a"] = number
                seen.append((number, store["a"]))
                store.discard("a")
            except StoreUnavailableError:
                continue
    assert len(seen) > 10
    assert all(written == read for written, read in seen)


@pytest.mark.parametrize("expected", [ANY_ETAG, ITEM_NOT_AVAILABLE])
def test_a_write_whose_answer_is_lost_undoes_no_later_one(own, monkeypatch, expected):
    place, other = RedisPersister(own.url), RedisPersister(own.url)

    def lost(client, script, *args):
        monkeypatch.undo()
        run(client, script, *args)
        if expected is ANY_ETAG:
            other["a"] = b"later"
        else:
            del other["a"]
        raise redis.ConnectionError("Connection closed by server.")

    monkeypatch.setattr("holdall.persisters.redis.run", lost)
    with pytest.raises(OutcomeUnknownError):
        place.write("a", b"first", expected)
    assert dict(place.items()) == ({"a": b"later"} if expected is ANY_ETAG else {})


def counted(client):
    """Count the commands that the server has carried out."""
    found = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): facts["calls"] for name, facts in found.items()}


def test_items_are_listed_in_one_pass_though_python_asks_for_a_length(own):
    store = RedisStore(own.url, prefix="p/")
    store.update({f"k{number}": number for number in range(3000)})
    client = redis.Redis(port=own.port)
    passes = []
    for listed in (
        lambda: list(store),
        lambda: list(store.items()),
        lambda: list(store.values()),
        lambda: [*store],
    ):
        before = counted(client).get("scan", 0)
        assert len(listed()) == 3000
        passes.append(counted(client)["scan"] - before)
    assert len(set(passes)) == 1
    assert passes[0] <= 8  # of 1,000 keys each, which SCAN may pass a little at


def test_large_values_are_read_a_few_at_a_time(own, monkeypatch):
    monkeypatch.setattr("holdall.persisters.redis._BYTES", 1000)
    place = RedisPersister(own.url)
    items = {f"k{number}": bytes([number]) * 300 for number in range(250)}
    place.write_many(items.items())
    pages = list(place.contents())
    assert dict(item for page in pages for item in page) == items
    assert max(map(len, pages[1:])) == 3
    assert dict(place.read_many([*items, "none"])) == items
    assert {id: stat.size for id, stat in place.scan()} == dict.fromkeys(items, 300)


def test_a_client_that_retries_is_taken_without_its_retries(redis_url):
    client = redis.Redis.from_url(redis_url, retry=Retry(NoBackoff(), 5), decode_responses=True)
    store = RedisStore(client, prefix="retries/", serializer="bytes")
    store["a"] = b"\x80\xff"
    assert store["a"] == b"\x80\xff"
    assert store.pipeline.persister.client.connection_pool.connection_kwargs["retry"]._retries == 0
    assert pickle.loads(pickle.dumps(store))["a"] == b"\x80\xff"
    store.clear(force=True)


def test_a_cluster_is_refused():
    cluster = object.__new__(redis.RedisCluster)
    with pytest.raises(UnsupportedError, match="cluster"):
        RedisStore(cluster)


def test_a_server_of_a_cluster_is_refused(tmp_path):
    # The servers of a cluster talk by a second port: 10,000 above the first, if none is given.
    server = Server(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        with RedisStore(server.url) as store:
            uses = (lambda: store["a"], lambda: store.__setitem__("a", 1), lambda: store.update(a=1, b=2))
            for use in uses:
                with pytest.raises(UnsupportedError, match="part of a cluster"):
                    use()
    finally:
        server.stop()
    crossing = redis.exceptions.ClusterCrossSlotError("Keys in request don't hash to the same slot")
    for error in (crossing, redis.exceptions.MovedError("1 127.0.0.1:7000")):
        assert type(translated(error, "it cannot be read", "here")) is UnsupportedError


@pytest.mark.parametrize("wrong", ["http://localhost", "localhost:6379", 5, None, {"a": 1}])
def test_what_is_no_server_is_refused(wrong):
    with pytest.raises(InvalidArgumentError):
        RedisStore(wrong)


@pytest.mark.parametrize("ttl", [0, -1, "5", True, float("nan")])
def test_wrong_times_to_live_are_refused(ttl):
    with pytest.raises(InvalidArgumentError):
        RedisStore("redis://localhost", ttl=ttl)


def test_making_a_store_sends_nothing_and_no_server_is_told():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = RedisStore(f"redis://user:secret@127.0.0.1:{port}/3")
    assert "secret" not in repr(store)
    for use in (
        lambda: store["a"],
        lambda: store.update(a=1),
        lambda: store.__setitem__("a", 1),
        lambda: list(store),
    ):
        with pytest.raises(StoreUnavailableError) as caught:
            use()
        assert type(caught.value) is StoreUnavailableError
        assert "secret" not in str(caught.value)


def test_a_wrong_password_is_told(tmp_path):
    server = Server.__new__(Server)
    server.folder, server.options = tmp_path, ()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server.port = free.getsockname()[1]
    server.start()
    try:
        redis.Redis(port=server.port).config_set("requirepass", "secret")
        store = RedisStore(f"redis://:wrong@127.0.0.1:{server.port}")
        with pytest.raises(StoreUnavailableError, match="password"):
            store["a"] = 1
    finally:
        server.stop()


def test_scripts_that_a_server_forgot_are_sent_again(own):
    store = RedisStore(own.url)
    store["a"] = 1
    redis.Redis(port=own.port).script_flush()
    store["a"] = 2
    assert store.etag("a")
    assert store["a"] == 2


def test_keys_are_listed_once_however_the_server_moves_them(own):
    store = RedisStore(own.url, prefix="p/")
    store.update({f"k{number}": number for number in range(5000)})
    seen = []
    for count, key in enumerate(store):
        seen.append(key)
        if count == 1500:
            store.pipeline.persister.remove_many([f"k{number}" for number in range(100, 5000)])
    assert len(seen) == len(set(seen))
    assert {f"k{number}" for number in range(100)} <= set(seen)


def test_prefixes_are_no_patterns(redis_url):
    place = RedisPersister(redis_url, prefix="[p*]?/")
    other = RedisPersister(redis_url, prefix="p0/")
    place.write_many([("a*1", b"1"), ("ab", b"2"), ("a\\x", b"3"), ("", b"4")])
    other["x"] = b"5"
    assert sorted(place) == ["", "a*1", "a\\x", "ab"]
    assert list(place.ids("a*")) == ["a*1"]
    assert list(place.ids("a\\")) == ["a\\x"]
    place.clear()
    assert list(other) == ["x"]
    other.clear()


def test_items_expire_and_each_write_says_when(own):
    store = RedisStore(own.url, ttl=100)
    store["a"] = 1
    assert 99 < store.time_left("a") <= 100
    store.set("b", 2, ttl=0.05)
    store.set("c", 3)
    assert store.time_left("c") == float("inf")
    deadline = time.monotonic() + 30
    while "b" in store and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "b" not in store
    store["c"] = 4
    assert 99 < store.time_left("c") <= 100
    store.update(d=5)
    assert 99 < store.time_left("d") <= 100
    assert store.increment("d") == 6
    assert store.time_left("d") <= 100
    with pytest.raises(KeyError):
        store.time_left("none")
    with pytest.raises(InvalidArgumentError):
        store.set("x", 1, ttl=-1)


def test_a_value_and_its_time_left_are_read_at_one_moment(own, monkeypatch):
    store, other = RedisStore(own.url, prefix="p/"), RedisStore(own.url, prefix="p/")
    store.set("a", "short", ttl=5)
    value, left = store.get_with_time_left("a")
    assert (value, 4 < left <= 5) == ("short", True)
    command = redis.Redis.pttl

    def overtaken(self, name):  # as two requests would be
        other.set("a", "long")
        return command(self, name)

    monkeypatch.setattr(redis.Redis, "pttl", overtaken)
    assert store.get_with_time_left("a") == ("long", float("inf"))
    monkeypatch.undo()
    with pytest.raises(KeyError, match="none"):
        store.get_with_time_left("none")
    redis.Redis(port=own.port).set("p/foreign", "text")
    with pytest.raises(MismatchError):
        store.get_with_time_left("foreign")


def test_an_error_of_many_writes_shows_none_of_their_values(own):
    client = redis.Redis(port=own.port)
    client.replicaof("127.0.0.1", 1)
    store = RedisStore(own.url, serializer="text")
    with pytest.raises(StoreUnavailableError, match="read only") as caught:
        store.update(a="a secret value")
    assert "secret" not in str(caught.value)
    client.replicaof("NO", "ONE")
    store.update(a="a secret value")
    assert store["a"] == "a secret value"


def test_foreign_values_are_told_apart(own):
    client = redis.Redis(port=own.port)
    client.set("p/text", "plain")
    client.set("p/short", b"h1")
    client.rpush("p/list", 1)
    store = RedisStore(own.url, prefix="p/")
    for key in ("text", "list", "short"):
        for read in (store.__getitem__, store.etag, store.pipeline.persister.read):
            with pytest.raises(MismatchError):
                read(key)
    for keys in (["text"], ["short"]):
        with pytest.raises(MismatchError):
            list(store.pipeline.persister.read_many(keys))
    with pytest.raises(MismatchError):
        store["list"] = 1
    store["text"] = 1
    assert store["text"] == 1


def test_what_others_keep_on_the_server_is_never_cleared(own):
    client = redis.Redis(port=own.port)
    client.set("text", "plain")
    client.set(b"\xff", "no text")
    client.rpush("list", 1)
    client.hset("hash", "a", 1)
    store = RedisStore(own.url)
    store.update({str(number): number for number in range(1200)})
    assert set(store) == {*map(str, range(1200)), "text", "list", "hash"}
    store.clear()
    assert set(client.keys()) == {b"text", b"\xff", b"list", b"hash"}


def test_a_full_server_keeps_the_old_value(own):
    client = redis.Redis(port=own.port)
    store = RedisStore(own.url, serializer="bytes")
    store["a"] = b"old"
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "3mb")
    stored = 0
    with contextlib.suppress(StoreFullError):
        for stored in range(100):
            store[f"n{stored}"] = b"x" * 1_000_000
    assert stored < 10
    with pytest.raises(StoreFullError, match="no memory left"):
        store["a"] = b"new" * 1_000_000
    assert store["a"] == b"old"


def test_what_a_server_promises_may_be_asked(own):
    store = RedisStore(own.url)
    assert store.durability() == {"log": "always", "eviction": "noeviction"}
    client = redis.Redis(port=own.port)
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("appendonly", "no")
    assert store.durability() == {"log": "off", "eviction": "allkeys-lru"}
    for forbidden, eviction in (("-config", "allkeys-lru"), ("-info", "unknown")):
        client.execute_command("ACL", "SETUSER", "guest", "on", ">word", "~*", "+@all", "-config", forbidden)
        guest = RedisStore(f"redis://guest:word@127.0.0.1:{own.port}/0")
        assert guest.durability()["eviction"] == eviction
        guest["a"] = 1
        assert guest["a"] == 1


def test_the_first_write_warns_of_a_server_that_may_delete_items(own):
    client = redis.Redis(port=own.port)
    client.config_set("maxmemory-policy", "allkeys-lru")
    RedisStore(own.url)["a"] = 1  # there is no limit yet
    client.config_set("maxmemory", "100mb")
    writes = (
        lambda store: store.__setitem__("a", 1),
        lambda store: store.update(a=2),
        lambda store: store.increment("a"),
    )
    for write in writes:
        store = RedisStore(own.url)
        assert store["a"]  # a read does not ask
        with pytest.warns(RuntimeWarning, match=r"of keys '' of redis://.* allkeys-lru\): set noeviction"):
            write(store)
        write(store)  # it has said so
        store["a"] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RedisStore(own.url, ttl=60)["a"] = 1
        RedisStore(own.url).set("a", 1, ttl=60)
        with pytest.raises(RuntimeWarning):
            RedisStore(own.url)["b"] = 1
        assert "b" not in store
        client.config_set("maxmemory-policy", "volatile-lru")
        RedisStore(own.url)["a"] = 1


def test_a_value_over_the_limit_is_refused_before_it_is_sent(redis_url, monkeypatch):
    monkeypatch.setattr("holdall.persisters.redis._items._LARGEST", 1000)
    store = RedisStore(redis_url, prefix="large/", serializer="bytes")
    store["a"] = b"x" * 1000
    with pytest.raises(ValueTooLargeError, match="1,001"):
        store["a"] = b"x" * 1001
    assert len(store["a"]) == 1000
    store.clear(force=True)


def test_a_dropped_store_ends_its_connections(redis_url):
    store = RedisStore(redis_url, prefix="dropped/")
    assert "a" not in store
    [connection] = store.pipeline.persister.client.connection_pool._available_connections
    assert connection.is_connected
    del store
    assert not connection.is_connected


def test_forked_children_have_connections_of_their_own(redis_url):
    store = RedisStore(redis_url, prefix="fork/")
    store.update({str(number): number for number in range(50)})
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            try:
                good = all(store[str(number)] == number for number in range(50))
                os._exit(0 if good else 1)
            finally:
                os._exit(2)
        children.append(child)
    assert all(store[str(number)] == number for number in range(50))
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    store.clear(force=True)


def test_readers_never_miss_an_item_that_is_overwritten(redis_url):
    store = RedisStore(redis_url, prefix="over/")
    store["a"] = 0
    stop = threading.Event()
    missed = []

    def read():
        while not stop.is_set():
            try:
                store["a"]
            except KeyError:
                missed.append(1)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(300):
        store["a"] = number
    stop.set()
    thread.join()
    assert not missed
    store.clear(force=True)


def test_addresses_memoize_and_caches(redis_url):
    store = holdall.open(f"{redis_url}?ttl=60#open/")
    store["a"] = [1]
    assert RedisStore(redis_url, prefix="open/")["a"] == [1]
    near = cached_values(store)
    assert (near["a"], near["a"]) == ([1], [1])
    calls = []

    @memoize(RedisStore(redis_url, prefix="memo/"))
    def double(number):
        calls.append(number)
        return 2 * number

    assert (double(3), double(3), calls) == (6, 6, [3])
    for prefix in ("open/", "memo/"):
        RedisStore(redis_url, prefix=prefix).clear(force=True)


def test_a_store_of_redis_can_be_bounded(redis_url):
    with bounded(RedisStore(redis_url, prefix="bounded/"), max_items=3) as store:
        store.update({str(number): number for number in range(10)})
        assert len(store) <= 3
        store.set("brief", 1, ttl=60)
        assert store["brief"] == 1
        assert store.stats().hits == 1
        store.set("brief", 2, ttl=1e-9)
        assert "brief" not in store
        store.clear(force=True)


def test_one_of_several_first_writers_wins(redis_url):
    place = RedisPersister(redis_url, prefix="first/")
    place.write("a", b"1", ITEM_NOT_AVAILABLE)
    with pytest.raises(holdall.ConflictError) as caught:
        place.write("a", b"2", ITEM_NOT_AVAILABLE)
    assert caught.value.actual == place.stat("a").etag
    with pytest.raises(holdall.ConflictError):
        place.remove("a", "no etag")
    place.clear()
