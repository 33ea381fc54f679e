"""What the workers of a crew do with memoized functions: each gets its number first."""

import asyncio
import os
import random
import signal
import threading
import time

from holdall import memoize
from processes._support import collect, fork


def _note(log, x):
    with open(log, "ab", buffering=0) as file:
        file.write(b"%d\n" % x)


def _logged(place, log, seconds):
    """Memoize a slow function that notes each of its calls in a file."""

    @memoize(place, name="slow")
    def slow(x):
        _note(log, x)
        time.sleep(seconds)
        return {"x": x, "square": x * x}

    return slow


def _threads(n, function):
    """Run a function in threads, with their numbers, and give what went wrong."""
    wrong = []

    def work(number):
        try:
            function(number)
        except BaseException as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
        if thread.is_alive():
            wrong.append("a thread hangs")
    return wrong


def stampede(number, place, log, size, seconds):
    """Call a slow function with all keys, in any order, in several threads."""
    n_keys, n_threads = size
    slow = _logged(place, log, seconds)

    def work(thread):
        keys = list(range(n_keys))
        random.Random(1000 * number + thread).shuffle(keys)
        for x in keys:
            assert slow(x) == {"x": x, "square": x * x}

    wrong = _threads(n_threads, work)
    info = slow.cache_info()
    return wrong, info.misses, info.hits


def stampede_of_tasks(number, place, log, size, seconds):
    """The same with tasks."""
    n_keys, n_tasks = size

    @memoize(place, name="slow")
    async def slow(x):
        _note(log, x)
        await asyncio.sleep(seconds)
        return x * x

    async def work(task):
        keys = list(range(n_keys))
        random.Random(1000 * number + task).shuffle(keys)
        for x in keys:
            assert await slow(x) == x * x

    async def main():
        await asyncio.gather(*(work(task) for task in range(n_tasks)))

    asyncio.run(main())


def compute_until_a_loop_turns(number, place):
    """In one process, compute until the other, which waits for the result, says that its loop goes on."""
    started, turned = f"{place}-started", f"{place}-turned"

    @memoize(place, name="patient")
    async def patient(x):
        _note(started, x)
        _wait_for(turned)
        return x

    async def main():
        waiting = asyncio.create_task(patient(1))
        if number == 1:
            for _ in range(20):
                await asyncio.sleep(0.005)
            _note(turned, 1)
        return await waiting

    if number == 1:
        _wait_for(started)
    return asyncio.run(main())


def _wait_for(path):
    """Wait until somebody has written a file."""
    while not os.path.exists(path) or not os.path.getsize(path):
        time.sleep(0.005)


def recursion(number, place):
    """Compute a recursive function from several processes and threads at once, each from its own end."""
    calls = []

    @memoize(place, name="fib")
    def fib(n):
        calls.append(n)
        time.sleep(0.001)
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    def work(thread):
        assert fib(30 - thread - number) == [0, 1, *_fibonacci(40)][30 - thread - number]

    return _threads(4, work), len(calls)


def _fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
        yield b


def _compute_and_hang(place, started, with_child):
    @memoize(place, name="fragile", version=1)
    def fragile(x):
        child = os.fork() if with_child else 1
        if not child:
            time.sleep(60)  # outlives its parent, and has all that was inherited
            os._exit(0)
        with open(started, "w") as file:
            file.write(str(child))
        time.sleep(60)

    fragile(1)


def take_over(number, place, started, with_child):
    """See that a process that is killed while it computes does not keep those who wait."""
    pid, end = fork(_compute_and_hang, place, started, with_child)
    _wait_for(started)

    def wait_and_compute():
        @memoize(place, name="fragile", version=1)
        def fragile(x):
            return ("computed", os.getpid())

        return fragile(1), time.monotonic()

    waiters = [fork(wait_and_compute) for _ in range(3)]
    time.sleep(0.3)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(end)
    results = collect(waiters, 100)
    if with_child:
        with open(started) as file:
            os.kill(int(file.read()), signal.SIGKILL)
    return [
        (worked, result[0], result[1] - killed) if worked else (worked, result, 0)
        for worked, result in results
    ]


def fork_while_computing(number, place, log):
    """See that a child waits for the thread of its parent that computes, and does not wait for ever."""
    slow = _logged(place, log, 0.6)
    thread = threading.Thread(target=slow, args=(1,), daemon=True)
    thread.start()
    _wait_for(log)
    waiters = [fork(lambda: (slow(1), slow(2), slow.cache_info().misses)) for _ in range(2)]
    results = collect(waiters, 100)
    thread.join(10)
    return results


def errors(number, place, log):
    """See that each process gets the error, each from its own computation."""

    @memoize(place, name="failing")
    def failing(x):
        _note(log, x)
        time.sleep(0.1)
        raise LookupError(x)

    return _threads(3, lambda _: failing(1))


def interrupt_calls(number, place, n, seed):
    """Interrupt calls at any moment; give what is still locked, or waited for, afterwards."""

    class StrikeError(BaseException):
        pass

    def strike(*_):
        raise StrikeError

    random.seed(seed)

    @memoize(place, name="interrupted")
    def function(x):
        return x

    function(0)
    signal.signal(signal.SIGALRM, strike)
    struck, x = 0, 0
    while struck < n:
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(50e-6, 1e-3))
            while True:
                x += 1
                function(x)
        except StrikeError:
            struck += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    running = [flight for flight in function._flights._all.values() if flight.is_running]
    wrong = _threads(1, lambda _: [function(key) for key in range(x - 50, x + 50)])
    return wrong, len(running), len(function._locks._held)
