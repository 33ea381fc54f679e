"""Workers that write data sets, read them through a handle and by import, and are killed."""

import importlib
import os
import random
import signal
import struct
import sys

import numpy as np

from holdall.archive import DataSet

NAME = "measured"
BASE = 20
SHARED = [f"shared{number}" for number in range(4)]
MOST = 100  # names of a writer's own
FORMATS = ["npy", "hdf5", "npz", "npy"]
_ACK = struct.Struct("<q")


def stamped(count):
    """Make a value that shows whether it is whole: two arrays and a number that go together."""
    return {"count": count, "large": np.full(300, count), "other": [np.full(150 + count % 3, count)]}


def is_whole(value):
    """Tell whether a value is one that `stamped` made."""
    count = value["count"]
    return (
        value.keys() == {"count", "large", "other"}
        and value["large"].tolist() == [count] * 300
        and value["other"][0].tolist() == [count] * (150 + count % 3)
    )


def prepare(path):
    """Make a set with so many names that no reader may see fewer."""
    ds = DataSet(NAME, "w", path=path)
    for number in range(BASE - len(SHARED)):
        ds._insert(**{f"base{number}": number}, info=number)
    for number, name in enumerate(SHARED):
        ds._insert(**{name: stamped(number)}, info="shared")


def write_beside_readers(number, path, n_opens):
    """Write in workers 0 to 3, until the readers, workers 4 to 7, have opened the set so many times."""
    if number < 4:
        return _write(number, path)
    wrong = []
    for turn in range(n_opens // 4):
        try:
            reason = (_look, _import)[turn % 2](path)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if reason:
            wrong.append(reason)
    open(os.path.join(path, f"reader{number}"), "x").close()
    return wrong


def _write(number, path):
    """Insert names of one's own, and write those that all share; give the own ones."""
    ds = DataSet(NAME, "w", path=path, data_format=FORMATS[number])
    mine = []
    count = number
    readers = [os.path.join(path, f"reader{reader}") for reader in range(4, 8)]
    while len(mine) < 5 or not all(map(os.path.exists, readers)):
        count += 4
        name = f"own{number}_{count}"
        ds._insert(**{name: count}, info=count)
        mine.append(name)
        setattr(ds, SHARED[count % 3], stamped(count))
        if count % 5 == 0:
            del ds[f"own{number}_{count}"]
            mine.remove(name)
        if len(mine) > MOST:  # or readers take longer and longer
            del ds[mine.pop(0)]
        if count % 7 == 0:
            ds[SHARED[3]] = f"shared {count}"
    return mine


def _look(path):
    """Open the set, and give what is wrong with it."""
    ds = DataSet(NAME, "r", path=path)
    names = list(ds)
    if len(names) < BASE:
        return f"{len(names)} names"
    if ds["base3"] != 3 or ds.base5 != 5 or not str(ds["shared3"]).startswith("shared"):
        return "other values"
    if not is_whole(ds.shared0) or not is_whole(ds.shared1):
        return "a half of a value"
    own = [name for name in names if name.startswith("own")]
    if own and getattr(ds, own[-1], None) not in (None, int(own[-1].partition("_")[2])):
        return f"{own[-1]} is {getattr(ds, own[-1])}"
    return None


def _import(path):
    """Import the set and items of it as a program does that knows nothing of holdall."""
    if path not in sys.path:
        sys.path.insert(0, path)
    importlib.invalidate_caches()
    sys.dont_write_bytecode = False
    try:
        module = importlib.import_module(NAME)
        if len(module._info_dict) < BASE:
            return f"{len(module._info_dict)} names imported"
        for name in ("base3", "shared0", "shared2"):
            importlib.import_module(f"{NAME}.{name}")
        if module.base3 != 3 or not is_whole(module.shared0) or not is_whole(module.shared2):
            return "a half of a value imported"
    finally:
        for name in list(sys.modules):
            if name.partition(".")[0] == NAME:
                del sys.modules[name]
    return None


# -- killing


def kill_writers(_number, path, kills, seed):
    """Kill writers of one set at any moment; give what was lost, torn or locked."""
    chance = random.Random(seed)
    prepare(path)
    acknowledged = {name: number for number, name in enumerate(SHARED)}
    acknowledged |= {f"base{number}": number for number in range(BASE - len(SHARED))}
    wrong, last = [], 1000
    for _ in range(kills):
        end, start = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.close(end)
                _write_for_ever(path, start, last)
            finally:
                os._exit(1)
        os.close(start)
        for _ in range(chance.randint(1, 6)):
            (count,) = _ACK.unpack(os.read(end, _ACK.size))
            acknowledged[f"new{count}"] = count
            acknowledged[SHARED[count % 4]] = count
            last = count
        for _ in range(chance.randint(0, 20_000)):
            pass
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while data := os.read(end, _ACK.size):
            (last,) = _ACK.unpack(data)
            acknowledged[f"new{last}"] = acknowledged[SHARED[last % 4]] = last
        os.close(end)
        wrong += _damage(path, acknowledged, last + 1)
        last += 1
    return wrong


def _write_for_ever(path, pipe, count):
    ds = DataSet(NAME, "w", path=path)
    while True:
        count += 1
        ds._insert(**{f"new{count}": count}, info=count)
        setattr(ds, SHARED[count % 4], stamped(count))
        os.write(pipe, _ACK.pack(count))


def _damage(path, acknowledged, tried):
    """Tell what is not as it was acknowledged; the last write that was tried may have happened or not."""
    wrong = []
    ds = DataSet(NAME, "w", path=path, timeout=10)
    wrong += [name for name in os.listdir(os.path.join(path, NAME)) if name.startswith(".")]
    reason = _import(path)
    if reason:
        wrong.append(reason)
    for name, count in list(acknowledged.items()):
        value = getattr(ds, name, None)
        if name in SHARED:
            if not is_whole(value) or value["count"] not in (count, tried):
                wrong.append(f"{name} is {value}, not {count}")
            acknowledged[name] = value["count"]
        elif value != count:
            wrong.append(f"{name} is {value}, not {count}")
    ds.after = 1  # nobody holds the lock any more
    del ds.after
    return wrong


def make_at_once(number, path):
    """Make the same set in all workers, and write to it."""
    ds = DataSet("fresh", "w", path=path)
    setattr(ds, f"from{number}", number)
    return len(ds)
