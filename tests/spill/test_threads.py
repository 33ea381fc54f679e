"""Threads and processes that share a spilling place."""

import os
import threading

import pytest
from tests.spill._support import run, script, wait_for_line

from exploring import in_soak
from holdall import FileDirStore, InvalidArgumentError, MemoryStore, SpillStore, Store
from holdall.conditional import ALWAYS_RETRIEVE, ANY_ETAG
from holdall.persisters.mapping import MappingPersister
from holdall.testing._races import in_threads


class Gated(MappingPersister):
    """A place where each read and write of a key waits until the test lets it pass."""

    def __init__(self):
        super().__init__({})
        self.closed = set()  # keys
        self.gate = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.reads = []

    def _pass(self, id):
        if id in self.closed:
            self.arrived.release()
            assert self.gate.wait(60)

    def __getitem__(self, id):
        self.reads.append(id)
        self._pass(id)
        return super().__getitem__(id)

    @property
    def getter(self):
        return self.__getitem__

    def put(self, id, data):
        self._pass(id)
        super().put(id, data)


@pytest.fixture
def gated():
    place = Gated()
    yield place
    place.gate.set()


def started(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    return thread


def test_a_hit_waits_for_no_load_and_no_eviction(gated):
    store = SpillStore(slow=Store(gated, serializer="pickle"), memory=100_000, policy="lru")
    store["cold"], store["hot"] = [1], [2]
    store.shrink()
    assert store["hot"] == [2]
    gated.closed = {"cold", "leaving"}
    loading = started(lambda: store["cold"])
    assert gated.arrived.acquire(timeout=60)
    assert store["hot"] == [2], "while another value is read"
    store["leaving"] = [3]
    assert store["hot"] == [2]
    evicting = started(store.shrink, 88)
    assert gated.arrived.acquire(timeout=60)
    assert store["leaving"] == [3], "it can be read while it is written"
    assert store["hot"] == [2], "while another value is written"
    store["new"] = [4]
    assert store["new"] == [4]
    gated.gate.set()
    loading.join()
    evicting.join()
    assert store["cold"] == [1]
    assert store["leaving"] == [3]


def test_a_cold_value_is_loaded_once(gated):
    store = SpillStore(slow=Store(gated, serializer="pickle"), memory=100_000)
    store["cold"] = ["value"]
    store.shrink()
    gated.reads.clear()
    gated.closed = {"cold"}
    found = []
    threads = [started(lambda: found.append(store["cold"])) for _ in range(8)]
    assert gated.arrived.acquire(timeout=60)
    gated.gate.set()
    for thread in threads:
        thread.join()
    assert found == [["value"]] * 8
    assert len({id(value) for value in found}) == 1
    assert gated.reads == ["cold"]
    assert store.stats().misses == 1


def test_a_write_during_a_load_wins(gated):
    store = SpillStore(slow=Store(gated, serializer="pickle"), memory=100_000)
    store["x"] = ["old"]
    store.shrink()
    gated.closed = {"x"}
    loading = started(lambda: store["x"])
    assert gated.arrived.acquire(timeout=60)
    store["x"] = ["new"]
    gated.gate.set()
    loading.join()
    assert store["x"] == ["new"]
    store.shrink()
    assert store["x"] == ["new"]


def test_a_write_during_an_eviction_wins(gated):
    store = SpillStore(slow=Store(gated, serializer="pickle"), memory=100_000)
    store["x"] = ["old"]
    gated.closed = {"x"}
    evicting = started(store.shrink)
    assert gated.arrived.acquire(timeout=60)
    store["x"] = ["new"]
    assert store["x"] == ["new"]
    gated.gate.set()
    evicting.join()
    assert store["x"] == ["new"]
    store.shrink()
    assert store["x"] == ["new"]


def test_a_change_during_an_eviction_is_kept(gated):
    store = SpillStore(slow=Store(gated, serializer="pickle"), memory=100_000)
    store["x"] = [1]
    gated.closed = {"x"}
    evicting = started(store.shrink)
    assert gated.arrived.acquire(timeout=60)
    store["x"].append(2)
    gated.gate.set()
    evicting.join()
    assert store["x"] == [1, 2]
    store.shrink()
    store["x"].append(3)
    store.shrink()
    assert store["x"] == [1, 2, 3]


@pytest.mark.parametrize("policy", ["gdsf", *in_soak("lru", "lfu", "sieve")])
def test_writers_spill_themselves(policy):
    store = SpillStore(slow=MemoryStore(serializer="pickle"), memory=100_000, policy=policy)
    seen = []

    def work(me):
        for n in range(150):
            store[me, n] = bytes([me]) * 5_000
            seen.append(store.stats().memory)

    in_threads(4, work)
    assert max(seen) <= 100_000 + 4 * 5_033
    assert store.stats().memory <= 100_000
    assert all(store[me, n] == bytes([me]) * 5_000 for me in range(4) for n in range(150))


@pytest.mark.parametrize("memory", [*in_soak(1), 20_000])
def test_threads_that_do_everything_agree_with_a_dict(memory):
    store = SpillStore(memory=memory)

    def work(me):
        model = {}
        for n in range(250):
            key = (me, n * 7 % 13)
            step = n * 5 % 8
            if step < 3:
                store[key] = model[key] = [me, n, *range(n % 60)]
            elif step == 3:
                assert store.pop(key, None) == model.pop(key, None)
            elif step == 4 and key in model:
                store[key].append(n)
                model[key] = [*model[key], n]
            elif step == 5:
                store.prefetch([(me, other) for other in range(13)], threads=2)
            elif step == 6:
                store.flush()
            else:
                assert store.get(key) == model.get(key)
        assert {key: store[key] for key in store if key[0] == me} == model
        return len(model)

    assert sum(in_threads(4, work)) == len(store)
    used, total = counted(store)
    assert used == total <= memory


def counted(store):
    items = store._spill.spill.items
    return items.used, sum(item.size for item in items.by_name.values() if not item.loose)


def test_threads_lose_no_increment():
    store = SpillStore(memory=100)
    store["n"] = 0

    def work(me):
        for _ in range(50):
            store.transform_item("n", transformer=lambda n: n + 1, n_retries=None)
            store[me] = [me] * 20

    in_threads(4, work)
    assert store["n"] == 200


def test_prefetching_reads_what_is_not_in_memory():
    store = SpillStore(memory=1_000_000)
    store.update((n, [n]) for n in range(20))
    store.shrink()
    assert store[3] == [3]
    done = []
    assert store.prefetch([*range(10), "absent"], threads=4, progress=done.append) == 9
    assert done == list(range(1, 12))
    before = store.stats()
    assert [store[n] for n in range(10)] == [[n] for n in range(10)]
    assert store.stats().misses == before.misses
    assert store.stats().hits == before.hits + 10


def test_prefetching_is_no_miss_and_so_prepares_for_reads_that_must_not_miss():
    missed = []
    store = SpillStore(memory=1_000_000, on_miss=missed.append)
    store.update(a=[1], b=[2])
    store.shrink()
    assert store.prefetch(["a", "b"]) == 2
    assert (store["a"], store["b"], missed) == ([1], [2], [])


@pytest.mark.parametrize("keys", ["word", b"word", 3, None])
def test_what_is_no_collection_of_keys_is_not_prefetched(keys):
    store = SpillStore(memory=1_000_000)
    with pytest.raises(InvalidArgumentError, match=r"prefetch takes several keys.*\[key\]"):
        store.prefetch(keys)


# ---------------------------------------------------------------------- processes


@pytest.mark.parametrize(
    "make",
    ["SpillStore(path, memory=2000)", pytest.param("SpillStore(path)", marks=pytest.mark.soak)],
)
def test_processes_keep_each_others_values(tmp_path, make):
    code = f"""
        path, me = sys.argv[1], int(sys.argv[2])
        with {make} as store:
            print("ready", flush=True)
            sys.stdin.read()
            for n in range(100):
                store[me, n] = [me] * 20
    """
    processes = [script(code, tmp_path / "store", me) for me in range(4)]
    for process in processes:
        wait_for_line(process)
    for process in processes:
        process.stdin.close()
        process.stdin = None
    for process in processes:
        _, err = process.communicate()
        assert process.returncode == 0, err
    store = SpillStore(tmp_path / "store", memory=5_000)
    assert len(store) == 400
    assert all(store[me, n] == [me] * 20 for me in range(4) for n in range(100))


def test_what_others_write_is_seen_after_refresh(tmp_path):
    one, other = SpillStore(tmp_path / "store"), SpillStore(tmp_path / "store")
    one["a"] = 1
    one.flush()
    assert other["a"] == 1
    other["a"] = 2
    other.flush()
    assert one["a"] == 1
    one.refresh()
    assert one["a"] == 2
    assert (
        one.get_item_if("a", condition=ANY_ETAG, expected_etag="", retrieve_value=ALWAYS_RETRIEVE).new_value
        == 2
    )
    other["a"] = 3
    other.flush()
    assert one.transform_item("a", transformer=lambda n: n + 1).new_value == 4
    assert one["a"] == 4


FORKED = """
    warnings.simplefilter("ignore", DeprecationWarning)
    store = {store}
    store.update({{n: [n] for n in range(50)}})
    store[0].append("of the parent")
    pid = os.fork()
    if not pid:
        try:
            assert [store[n][0] for n in range(50)] == list(range(50)), dict(store)
            assert store[0] == [0, "of the parent"]
            store["of the child"] = ["x" * 1000]
            store[1] = "changed"
            del store[2]
            store[3].append("in the child")
            store.shrink()
            assert store[1] == "changed" and 2 not in store and store[3] == [3, "in the child"]
            assert len(store) == 50
            assert set(store) == {{"of the child", *range(50)}} - {{2}}
            assert store["of the child"] == ["x" * 1000]
            store.close()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        sys.exit()
    assert os.waitpid(pid, 0)[1] == 0
    store.refresh()
    print(sorted(key for key in map(str, store) if not key.isdigit()), store[1], 2 in store, store[3])
    store.close()
"""


@pytest.mark.parametrize("memory", [1, *in_soak(10**6)])
def test_a_child_of_a_temporary_store_reads_and_keeps_its_writes_to_itself(memory):
    out, err = run(FORKED.format(store=f"SpillStore(memory={memory})"))
    assert out.strip() == "[] [1] True [3]", err


@pytest.mark.parametrize("memory", [*in_soak(1), 10**6])
def test_a_child_of_a_store_with_a_path_is_another_process(tmp_path, memory):
    out, err = run(FORKED.format(store=f"SpillStore({str(tmp_path / 'store')!r}, memory={memory})"))
    assert out.strip() == "['of the child'] changed False [3, 'in the child']", err


def test_a_large_value_is_read_whole_while_others_write_it(tmp_path):
    code = """
        store = SpillStore(slow=FileDirStore(sys.argv[1]), memory=1)
        me = sys.argv[2]
        print("ready", flush=True)
        sys.stdin.read()
        for n in range(12):
            store["x"] = me * 300_000
            got = store["x"]
            assert len(got) == 300_000 and len(set(got)) == 1, set(got)
    """
    SpillStore(slow=FileDirStore(tmp_path), memory=1)["x"] = "0" * 300_000
    processes = [script(code, tmp_path, me) for me in range(2)]
    for process in processes:
        wait_for_line(process)
    for process in processes:
        process.stdin.close()
        process.stdin = None
    for process in processes:
        _, err = process.communicate()
        assert process.returncode == 0, err


@pytest.mark.parametrize(("how", "sync"), [("kill", "flush"), ("exit", "always")])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path, how, sync):
    code = f"""
        store = SpillStore(sys.argv[1], memory=3000, sync={sync!r})
        n = 0
        while True:
            store[n % 40] = [n] * 20
            store["list"] = store.get("list", []) + [n]
            if {sync == "flush"} and n % 10 == 0:
                store.flush()
            if {sync == "always"} or n % 10 == 0:
                print(n, flush=True)
            n += 1
            if {how == "exit"} and n == 300:
                os._exit(9)
    """
    process = script(code, tmp_path / "store")
    for _ in range(25):
        wait_for_line(process)
    if how == "kill":
        process.kill()
    rest, _ = process.communicate()
    last = int(rest.split("\n")[-2]) if "\n" in rest else 240 if sync == "flush" else 24
    store = SpillStore(tmp_path / "store")
    for slot in range(40):
        newest = last - (last - slot) % 40
        if newest >= 0:
            found = store[slot]
            assert found == [found[0]] * 20
            assert found[0] >= newest
            assert found[0] % 40 == slot
    assert store["list"][: last + 1] == list(range(last + 1))
    assert os.path.isdir(tmp_path / "store")


@pytest.mark.soak
def test_forty_kills_lose_nothing_that_was_acknowledged(tmp_path):
    for turn in range(40):
        folder = tmp_path / str(turn)
        folder.mkdir()
        test_a_kill_loses_nothing_that_was_acknowledged(folder, "kill", ("flush", "always")[turn % 2])


def test_what_is_unwritten_is_listed_under_the_lock(tmp_path):
    """A collection of garbage amid the listing may let another thread write."""
    store = SpillStore(tmp_path / "store")
    items = store.pipeline.persister.spill.items

    class Watched(dict):
        def __iter__(self):
            assert items.lock._is_owned()
            return super().__iter__()

    store["a"] = 1
    with items.lock:
        items.dirty = Watched(items.dirty)
    assert (len(store), list(store), store.pipeline.persister.peek()) == (1, ["a"], ["a"])
