"""Work that laws run in processes of their own.

Nothing here imports pytest or Hypothesis: a new process imports this module alone, which takes a tenth of a
second instead of half of one.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable
from typing import Any

from holdall.abc import Persister
from holdall.conditional import ITEM_NOT_AVAILABLE
from holdall.errors import ConflictError


def in_processes(tasks: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
    """Run functions in new processes at once; all of them must succeed."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=arguments) for work, arguments in tasks]
    for process in processes:
        process.start()
    hanging = []
    for process in processes:
        process.join(240)
        if process.is_alive():
            process.kill()
            hanging.append(process.name)
    assert not hanging, f"hanging processes: {hanging}"
    assert [process.exitcode for process in processes] == [0] * len(processes)


def as_bytes(number: int) -> bytes:
    """Return a number as data."""
    return b"%d" % number


def add_one(persister: Any, id: str, data: Callable[[int], Any], value: Callable[[Any], int]) -> None:
    """Increment a counter by compare-and-swap, with as many attempts as needed."""
    while True:
        old, stat = persister.read(id)
        try:
            persister.write(id, data(value(old) + 1), stat.etag)
        except ConflictError:
            continue
        return


def count_up(persister: Persister, times: int) -> None:
    """Increment the item "counter" so many times."""
    for _ in range(times):
        add_one(persister, "counter", as_bytes, int)


def insert(persister: Persister, me: int, queue: Any) -> None:
    """Try to insert thirty items, and report which of them this process has inserted."""
    won = []
    for number in range(30):
        try:
            persister.write(f"key{number}", as_bytes(me), ITEM_NOT_AVAILABLE)
        except ConflictError:
            continue
        won.append(number)
    queue.put(won)


def fork_and_write(persister: Persister) -> None:
    """Write from a parent and its forked child, in turns and at once."""
    persister["counter"] = as_bytes(0)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            count_up(persister, 30)
            persister["child"] = as_bytes(2)
            status = 0
        finally:
            os._exit(status)
    count_up(persister, 30)
    persister["parent"] = as_bytes(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert persister["child"] == as_bytes(2)
    thread = threading.Thread(target=count_up, args=(persister, 1))  # locks survive the fork
    thread.start()
    thread.join(240)
    assert not thread.is_alive()
