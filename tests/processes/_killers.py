"""Workers that kill writers, and look at what these leave; and one that interrupts its own writes."""

import fcntl
import gc
import os
import random
import signal
import sqlite3
import struct
import sys
import threading
import time

from holdall import FileDirStore, SerializationError, SQLiteStore
from processes._support import control, files_below, leftovers, open_store

KEYS = {
    "small": ["a", "b", "c"],
    "large": ["a", "big-1", "big-2"],
    "huge": ["a", "huge-1", "huge-2"],
    "nested": ["x/a", "x/y/b", "z/c"],
    "transform": ["a", "b", "big-1"],
    "delete": ["a", "x/b", "big-1"],
    "update": ["a", "b", "c", "big-1", "huge-1"],
    "transaction": ["a", "b", "big-1"],
}
_SIZES = {"big": 300_000, "huge": 3_000_000}
_ACK = struct.Struct("<IQ")


def stamped(key, count):
    """Make a value that shows whether it is whole, and which write made it."""
    size = _SIZES.get(key.partition("-")[0], 100)
    return {"key": key, "count": count, "payload": count.to_bytes(8, "little") * (size // 8)}


def is_whole(key, value):
    """Tell whether a value is one that `stamped` made for a key."""
    return isinstance(value, dict) and value == stamped(key, value.get("count", -1))


def _torn_write(store, key, value):
    """Write a value as nobody should: in place, in two halves."""
    data = store.serializer.dumps(value)
    with open(store.file_of(key), "wb", buffering=0) as file:
        file.write(data[: len(data) // 2])
        file.write(data[len(data) // 2 :])


def _late_write(store, key, value):
    """Acknowledge a write as nobody should: before its transaction has ended."""
    session = store.pipeline.persister._table.session()
    if not session.connection.in_transaction:
        session.execute("BEGIN IMMEDIATE")
    store[key] = value


def _write_for_ever(path, kind, counts, pipe):
    store = open_store(path)
    while True:
        if kind in {"update", "transaction"}:
            _update(store, counts, pipe, one_by_one=kind == "transaction")
            continue
        for number, key in enumerate(KEYS.get(kind, KEYS["large"])):
            counts[key] += 1
            value = stamped(key, counts[key])
            if kind == "torn":
                _torn_write(store, key, value)
            elif kind == "late":
                _late_write(store, key, value)
            elif kind == "transform":
                store.transform_item(key, transformer=lambda _, value=value: value, n_retries=None)
            elif kind == "delete" and counts[key] % 4 == 0:
                store.discard(key)
            else:
                store[key] = value
            os.write(pipe, _ACK.pack(number, counts[key]))


def _update(store, counts, pipe, *, one_by_one):
    for key in counts:
        counts[key] += 1
    items = {key: stamped(key, count) for key, count in counts.items()}
    if one_by_one:
        with store.transaction():
            for key, value in items.items():
                store[key] = value
    else:
        store.update(items)
    os.write(pipe, b"".join(_ACK.pack(number, count) for number, count in enumerate(counts.values())))


def _fork_writer(path, kind, counts):
    end, start = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(end)
            _write_for_ever(path, kind, dict(counts), start)
        finally:
            os._exit(1)
    os.close(start)
    return pid, end


def kill_writers(_number, path, kind, kills, seed):
    """Kill writers at random moments, and report what is found after each."""
    chance = random.Random(seed)
    keys = KEYS.get(kind, KEYS["large"])
    counts = dict.fromkeys(keys, 0)
    litter = Litter(path)
    report = {"kills": 0, "acknowledged": 0, "leftovers": 0, "slowest": 0.0, "wrong": []}
    for _ in range(kills):
        pid, end = _fork_writer(path, kind, counts)
        try:
            acks = b"" if chance.random() < 0.25 else os.read(end, _ACK.size)
            time.sleep(chance.uniform(0, 0.05 if "huge-1" in keys else 0.012))
        finally:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        if os.WTERMSIG(status) != signal.SIGKILL:
            report["wrong"].append("the writer failed by itself")
        while piece := os.read(end, 1 << 16):
            acks += piece
        os.close(end)
        whole = len(acks) // _ACK.size * _ACK.size
        for number, count in _ACK.iter_unpack(acks[:whole]):
            counts[keys[number]] = count
        report["kills"] += 1
        report["acknowledged"] += whole // _ACK.size
        report["leftovers"] += litter.is_there()
        _inspect(path, kind, counts, litter, report)
    litter.close()
    return report


class Litter:
    """What the dead leave beside the items, and what is to be left of it after the next opening."""

    def __init__(self, path):
        self.path = path
        # For a folder, a writer that lives all the while: its workspace must never be swept. A log is
        # only there for the next one to work up if nobody lives.
        self.bystander = None if path.endswith(".db") else open_store(path)
        if self.bystander is not None:
            self.bystander["bystander"] = 0
            self.alive = control(path)

    def is_there(self):
        """Tell whether a kill left something to sweep."""
        if self.bystander is None:
            return os.path.exists(f"{self.path}-wal")
        return bool(control(self.path) - self.alive)

    def problems(self, store, counts):
        """Close the store, which was opened after a kill, and give what is wrong with its place."""
        if self.bystander is None:
            wrong = store.check()
            beside = f"{self.path}-files"
            used = {os.path.relpath(file, beside) for file in map(store.file_of, store) if file}
            store.close()
            wrong += [f"unused file: {file}" for file in files_below(beside) - used - {".holdall/store.json"}]
            names = set(os.listdir(os.path.dirname(self.path)))
            expected = {os.path.basename(path) for path in (self.path, beside)}
            names = {name for name in names if ".model." not in name}
            return wrong + [f"foreign files: {names}" for _ in names - expected]
        files = {os.path.relpath(store.file_of(key), store.path) for key in (*counts, "bystander", "next")}
        store.close()
        foreign = files_below(self.path) - files - {".holdall/store.json"}
        unswept = control(self.path) - self.alive | leftovers(self.path)
        return [f"foreign files: {foreign}"] * bool(foreign) + [f"not swept: {unswept}"] * bool(unswept)

    def close(self):
        """Let go of the place."""
        if self.bystander is not None:
            self.bystander.close()


def _inspect(path, kind, counts, litter, report):
    """See that each key holds the acknowledged or the next value, and that no litter stays."""
    wrong = report["wrong"]
    started = time.monotonic()
    store = open_store(path)
    len(store)
    report["slowest"] = max(report["slowest"], time.monotonic() - started)
    found = set()
    for key, count in counts.items():
        try:
            value = store.get(key)
        except SerializationError as error:
            wrong.append(f"torn: {key}: {error!r:.200}")
            value = None
        else:
            wrong += _judge(kind, key, count, value)
        found.add(value and value["count"])
        counts[key] = value["count"] if value else count + (count % 4 == 3)
    if kind in {"update", "transaction"} and len(found) != 1:
        wrong.append(f"half an update: {found}")
    if not set(store) <= {*counts, "bystander", "next"}:
        wrong.append(f"foreign keys: {set(store)}")
    store["next"] = 0
    wrong += litter.problems(store, counts)


def _judge(kind, key, count, value):
    if value is None:
        # Absent is right before the first write, and where the acknowledged or next step deletes.
        if count == 0 or (kind == "delete" and (count % 4 == 0 or (count + 1) % 4 == 0)):
            return []
        return [f"lost: {key} was acknowledged at {count}"]
    if not is_whole(key, value):
        return [f"torn: {key} at {count}"]
    if value["count"] not in {count, count + 1}:
        return [f"stale: {key} is at {value['count']}, acknowledged {count}"]
    if kind == "delete" and value["count"] % 4 == 0:
        return [f"undeleted: {key} at {value['count']}"]
    return []


# ---------------------------------------------------------------------- interrupted writers


def is_locked(path):
    """Tell whether somebody, in this process or another, keeps writers from a store."""
    if path.endswith(".db"):
        # In a process of its own: what SQLite does there drops no lock of this one.
        pid = os.fork()
        if pid == 0:
            try:
                connection = sqlite3.connect(path, timeout=0, isolation_level=None)
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError:
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        return status != 0
    other = os.open(path, os.O_RDONLY)  # for the eyes of another process: locks belong to descriptors
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(other)
    return False


def interrupt_writes(_number, path, times, seed):
    """Interrupt writes at random moments, as Ctrl-C does; give what each left behind that it should not."""

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    chance = random.Random(seed)
    store = open_store(path)
    store["start"] = store["a/start"] = 0
    large = stamped("big-1", 1)
    wrong = []
    kept = []  # an interactive session keeps the last error, and all that its frames hold

    def take_turns():
        store["from a thread"] = 1

    store.close()
    open_before = len(os.listdir("/proc/self/fd"))
    for turn in range(times):
        moment = chance.uniform(0.00002, 0.0015)
        try:
            # Again if it is lost: Python ignores what is raised when an object is collected.
            signal.setitimer(signal.ITIMER_REAL, moment, 0.2)
            while True:
                store["x"] = stamped("x", turn)
                store["a/x"] = stamped("a/x", turn)
                store.update({"u": 1, "v": 2})
                store.transform_item("n", transformer=lambda _: large)
                store.discard("a/x")
        except KeyboardInterrupt as error:
            signal.setitimer(signal.ITIMER_REAL, 0)
            kept[-20:] = [*kept[-19:], error]
        if is_locked(path):
            wrong.append("lock kept")
        thread = threading.Thread(target=take_turns, daemon=True)
        thread.start()
        thread.join(5)
        if thread.is_alive():
            return [*wrong, "threads shut out"]
        wrong += ["torn value" for key in ("x", "a/x") if key in store and not is_whole(key, store[key])]
    kept.clear()
    store.close()
    gc.collect()
    if not isinstance(
        store, SQLiteStore
    ):  # which closes some later, for the sake of other locks of the process
        wrong += ["descriptor kept"] * (len(os.listdir("/proc/self/fd")) - open_before)
    if isinstance(store, FileDirStore):
        return wrong + ["unfinished file kept" for _ in leftovers(path)]
    if isinstance(store, SQLiteStore):
        return wrong + store.check()
    return wrong + [f"{name} kept" for name in os.listdir(os.path.dirname(path)) if name.startswith(".")]


# ---------------------------------------------------------------------- death at each step


STEPS = {
    "insert": lambda store: store.__setitem__("x", stamped("big", 2)),
    "replace": lambda store: store.__setitem__("old", stamped("big", 2)),
    "shrink": lambda store: store.__setitem__("old", stamped("a", 2)),
    "delete": lambda store: store.__delitem__("old"),
    "swap": lambda store: store.transform_item("old", transformer=lambda _: stamped("big", 2)),
    "update": lambda store: store.update({"old": stamped("a", 2), "x": stamped("big", 2)}),
    "clear": lambda store: store.clear(),
}


def die_at_each_step(_number, path, step, stride):
    """Let a writer die before each so-manieth call into C of one write.

    Gives what is wrong then, and how many calls there are.
    """
    write, wrong = STEPS[step], []
    for count in range(0, 10_000, stride):
        with open_store(path) as store:
            store.clear()
            store["old"] = stamped("big", 1)
            before = dict(store.items())
            with open_store(f"{path}.model.files.db") as model:
                model.clear()
                model.update(before)
                write(model)
                after = dict(model.items())
        pid = os.fork()
        if pid == 0:
            _write_and_die(path, write, count)
        _, status = os.waitpid(pid, 0)
        with open_store(path) as store:
            found = dict(store.items())
            if found not in ([before, after] if status else [after]):
                wrong.append(f"{step} {count}: {found!r:.80}")
            wrong += [f"{step} {count}: {problem}" for problem in Litter(path).problems(store, {})]
        if status == 0:
            return wrong, count
    return ["it never came to its end"], 0


def _write_and_die(path, write, count):
    store = open_store(path)
    left = [count]

    def look(_frame, event, _what):
        if event == "c_call":
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.setprofile(look)
        write(store)
        sys.setprofile(None)
        os._exit(0)
    finally:
        os._exit(1)
