"""A process that forks writers of a script and kills them: ``python -m processes._scripter PATH KILLS SEED``.

After each kill it looks whether the script is still Python, and whether all is there that was acknowledged.
It prints what it found as JSON.
"""

import json
import os
import random
import signal
import struct
import sys
import time

from holdall import ScriptStore

_ACK = struct.Struct("<I")


def write_for_ever(path, counts, pipe):
    """Write values of all sizes, delete some, and acknowledge each."""
    store = ScriptStore(path)
    number = max(counts.values(), default=0)
    while True:
        number += 1
        key = f"key{number % 7}"
        store[key] = [number, "x" * (number * 37 % 3000)]
        if number % 5 == 0:
            store["big"] = b"\0" * 20_000
            store.discard("big")
        os.write(pipe, _ACK.pack(number))


def kill_one(path, counts, chance):
    """Fork a writer, kill it, and give the number of writes that it acknowledged."""
    end, start = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(end)
            write_for_ever(path, counts, start)
        finally:
            os._exit(1)
    os.close(start)
    acks = b"" if chance.random() < 0.2 else os.read(end, _ACK.size)
    time.sleep(chance.uniform(0, 0.01))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, "the writer failed by itself"
    while piece := os.read(end, 1 << 16):
        acks += piece
    os.close(end)
    for (number,) in _ACK.iter_unpack(acks[: len(acks) // _ACK.size * _ACK.size]):
        counts[f"key{number % 7}"] = number
    return len(acks) // _ACK.size


def main():
    """Kill, look, and report."""
    path, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(seed)
    with open(path, "rb") as file:
        code = file.read()
    counts, report = {}, {"kills": 0, "acknowledged": 0, "wrong": [], "largest": 0}
    for _ in range(kills):
        report["acknowledged"] += kill_one(path, counts, chance)
        report["kills"] += 1
        with open(path, "rb") as file:
            text = file.read()
        report["largest"] = max(report["largest"], len(text))
        if not text.startswith(code):
            report["wrong"].append("the program has changed")
        compile(text, path, "exec")
        with ScriptStore(path) as store:
            for key, count in counts.items():
                found = store.get(key, [0])[0]
                if found < count:
                    report["wrong"].append(f"{key} is {found}, {count} was acknowledged")
                counts[key] = found  # a write that was not acknowledged may be there
    report["left"] = os.listdir(os.path.dirname(path))
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
