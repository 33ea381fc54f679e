"""Workers that fork while they have a SQLite file open, and try to lose writes by it."""

import multiprocessing
import os
import threading

import holdall._sqlite.connections as forks_module
import holdall.persisters.sqlite._batches as batches_module
from holdall import SQLiteStore, StoreUnavailableError
from processes._support import collect, fork

_PATIENCE = 30


class Baton:
    """A signal that any process or thread gives once, and all others can wait for."""

    def __init__(self):
        self._end, self._start = os.pipe()

    def give(self):
        """Let all go on that wait."""
        os.write(self._start, b"x" * 64)

    def wait(self):
        """Wait until somebody gives the signal."""
        os.read(self._end, 1)


class Threads:
    """Threads that have connections of their own, idle or in use."""

    def __init__(self, store, count, *, busy):
        self.acknowledged = {}
        self._store = store
        self._busy = busy
        self._stop = threading.Event()
        ready = threading.Barrier(count + 1)
        self._threads = [threading.Thread(target=self._work, args=(n, ready)) for n in range(count)]
        for thread in self._threads:
            thread.start()
        ready.wait(_PATIENCE)

    def _work(self, number, ready):
        turn = 0
        while True:
            key, value = f"thread {number}-{turn % 50}", turn
            self._store[key] = value
            self.acknowledged[key] = value
            assert self._store[key] == value
            turn += 1
            if turn == 1:
                ready.wait(_PATIENCE)
            if self._stop.is_set() or (not self._busy and self._stop.wait(_PATIENCE)):
                return

    def end(self):
        """End them all; their connections are closed then."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_PATIENCE)
            assert not thread.is_alive()


def write_some(store, who, count):
    """Write items and give them."""
    items = {f"{who} {number}": number for number in range(count)}
    for key, value in items.items():
        store[key] = value
    return items


def missing(path, expected):
    """Give what a new process finds missing, and what is wrong with the file."""

    def look():
        store = SQLiteStore(path)
        return [key for key, value in expected.items() if store.get(key) != value] + store.check()

    return wait_for(fork(look))


def wait_for(*workers):
    """Give what forked processes returned; the last one's answer if there is one only."""
    answers = []
    for worked, answer in collect(list(workers), _PATIENCE):
        assert worked, answer
        answers.append(answer)
    return answers[0] if len(answers) == 1 else answers


def share_handle(_number, path, busy, parent_first):
    """Let parent and child go on with one handle; the first closes while the other writes on."""
    store = SQLiteStore(path)
    expected = {"large": b"x" * 3_000_000, **write_some(store, "before", 50)}
    store["large"] = expected["large"]
    threads = Threads(store, 3, busy=busy)
    one_closed = Baton()

    def be_child():
        assert store["large"] == expected["large"]
        mine = write_some(store, "child", 100)
        if parent_first:
            one_closed.wait()
            mine |= write_some(store, "child later", 100)
            store["large"] = b"y" * 3_000_000
            return mine  # and ends without closing
        store.close()
        one_closed.give()
        return mine

    worker = fork(be_child)
    expected |= write_some(store, "parent", 100)
    if parent_first:
        threads.end()
        store.close()
        one_closed.give()
        expected["large"] = b"y" * 3_000_000
    else:
        one_closed.wait()
        expected |= write_some(store, "parent later", 100)
        threads.end()
        store.close()
    expected |= wait_for(worker) | threads.acknowledged
    return missing(path, expected)


def fork_often(_number, path, forks):
    """Fork while threads write; children write on while the parent closes, and fork too."""
    expected = {}
    for turn in range(forks):
        store = SQLiteStore(path)
        threads = Threads(store, 2, busy=True)

        def be_child(turn=turn, store=store):
            mine = write_some(store, f"{turn} child", 20)
            grandchild = fork(write_some, store, f"{turn} grandchild", 20)
            mine |= write_some(store, f"{turn} child later", 20)
            return mine | wait_for(grandchild)

        workers = [fork(be_child), fork(be_child)]
        threads.end()
        store.close()  # the last connections of the parent, while the children write
        first, second = wait_for(*workers)
        expected |= first | second | threads.acknowledged
    return missing(path, expected)


def fork_amid_reading(_number, path):
    """Fork with a large value open for reading, whose connection is none of a thread's."""
    store = SQLiteStore(path, serializer="bytes")
    store["large"] = b"x" * 3_000_000
    [id] = store.persister
    file = store.persister.reader(id)
    assert file.read(1000) == b"x" * 1000
    closed = Baton()

    def be_child():
        try:
            file.read(1_000_000)
        except StoreUnavailableError as error:
            said = str(error)
        else:
            said = "nothing"
        store["child"] = b"1"
        closed.wait()
        store["child later"] = b"2"
        return said

    worker = fork(be_child)
    assert len(file.read()) == 3_000_000 - 1000
    file.close()
    store.close()
    closed.give()
    return wait_for(worker), missing(path, {"child": b"1", "child later": b"2"})


def fork_amid_openings(_number, path, forks):
    """Fork while threads open and close handles all the time."""
    SQLiteStore(path).close()
    stop = threading.Event()
    failures = []

    def come_and_go():
        try:
            while not stop.is_set():
                with SQLiteStore(path) as store:
                    store["x"] = 1
        except BaseException as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in threads:
        thread.start()
    expected = {}
    try:
        for turn in range(forks):
            store = SQLiteStore(path)

            def be_child(turn=turn, store=store):
                return write_some(store, turn, 10)

            worker = fork(be_child)
            store.close()
            expected |= wait_for(worker)
    finally:
        stop.set()
        for thread in threads:
            thread.join(_PATIENCE)
    return failures + missing(path, expected)


def fork_amid_a_write(_number, path, same_thread):
    """Fork in the middle of a bulk write, of this thread or another; give what the child was told."""
    forks_module._FORK_PATIENCE = 0.2
    batches_module.BATCH = 10_000  # so that some are written while others are made
    store = SQLiteStore(path, timeout=2)
    other = SQLiteStore(path, table="other", timeout=2)
    store["before"] = other["before"] = 1
    amid, forked = threading.Event(), threading.Event()
    closed = Baton()
    workers = []

    def be_child():
        closed.wait()
        said = []
        for attempt in (
            lambda: store["before"],
            lambda: store.update({"child": 1}),
            lambda: other.update({"child": 1}),
            lambda: SQLiteStore(path, table="third"),
            lambda: SQLiteStore(path, read_only=True)["before"],
        ):
            try:
                attempt()
            except StoreUnavailableError as error:
                said.append(str(error))
            else:
                said.append("nothing")
        with SQLiteStore(f"{path}-elsewhere.db") as elsewhere:
            elsewhere["child"] = 1  # other files are none of this
        return said

    def items():
        for number in range(25_000):
            yield number, b"x" * 800
            if number == 24_000:  # by now pages have been written to the log
                if same_thread:
                    workers.append(fork(be_child))
                else:
                    amid.set()
                    forked.wait(_PATIENCE)

    writing = threading.Thread(target=store.update, args=(items(),))
    if same_thread:
        store.update(items())
    else:
        writing.start()
        amid.wait(_PATIENCE)
        workers.append(fork(be_child))
        forked.set()
        writing.join(_PATIENCE)
    write_some(store, "after", 10)
    store.close()
    other.close()
    closed.give()
    told = wait_for(*workers)
    expected = dict.fromkeys(range(25_000), b"x" * 800) | {"before": 1, "after 9": 9}
    return told, missing(path, expected)


def fork_by_multiprocessing(_number, path):
    """Use one handle in processes and pools that multiprocessing forks."""
    store = SQLiteStore(path)
    threads = Threads(store, 2, busy=True)
    forks = multiprocessing.get_context("fork")
    processes = [forks.Process(target=write_some, args=(store, name, 50)) for name in "abc"]
    for process in processes:
        process.start()
    with forks.Pool(3) as pool:
        written = pool.starmap(write_some, [(store, f"pool {number}", 20) for number in range(6)])
    for process in processes:
        process.join(_PATIENCE)
        assert process.exitcode == 0
    threads.end()
    store.close()
    expected = {f"{name} {number}": number for name in "abc" for number in range(50)}
    for items in written:
        expected |= items
    return missing(path, expected | threads.acknowledged)


def end_threads_while_forking(_number, path, forks):
    """Fork while threads end, whose connections are being closed then."""
    store = SQLiteStore(path)
    stop = threading.Event()

    def breed():
        while not stop.is_set():
            thread = threading.Thread(target=store.get, args=("x",))
            thread.start()
            thread.join(_PATIENCE)

    breeders = [threading.Thread(target=breed) for _ in range(2)]
    for breeder in breeders:
        breeder.start()
    expected = {}
    try:
        for turn in range(forks):
            expected |= wait_for(fork(write_some, store, turn, 5))
    finally:
        stop.set()
        for breeder in breeders:
            breeder.join(_PATIENCE)
    if os.path.exists("/proc/self/fd"):
        assert len(os.listdir("/proc/self/fd")) < 40, "ended threads left their connections open"
    return missing(path, expected)
