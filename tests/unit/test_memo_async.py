"""Memoized coroutine functions: tasks wait for each other without standing in the way of others."""

import asyncio
import inspect
import pickle
import threading

import pytest

from holdall import SQLiteStore, memoize
from holdall.memo import MEMORY, Memoized


@pytest.fixture(params=["memory", "database", "folder"])
def place(request, tmp_path):
    if request.param == "database":
        with SQLiteStore(tmp_path / "x.db") as store:
            yield store
    else:
        yield MEMORY if request.param == "memory" else tmp_path / "folder"


def test_tasks_compute_once(place):
    calls = []

    @memoize(place)
    async def f(x, y=1):
        calls.append(x)
        await asyncio.sleep(0.05)
        return [x]

    async def main():
        assert await asyncio.gather(*(f(1) for _ in range(50)), f(x=1, y=1)) == [[1]] * 51
        assert await f(1) == [1]
        assert f.peek(1) == [1]
        assert f.forget(1)
        assert await f(1) == [1]
        assert await f.refresh(1) == [1]

    asyncio.run(main())
    assert calls == [1, 1, 1]
    assert f.cache_info()[:2] == (51, 3)
    asyncio.run(main())  # another loop


def test_another_function_object_finds_what_is_stored(tmp_path):
    async def f(x):
        return x

    assert asyncio.run(memoize(tmp_path / "kept", name="f")(f)(1)) == 1
    again = memoize(tmp_path / "kept", name="f")(f)
    assert asyncio.run(again(1)) == 1
    assert again.cache_info().store_hits == 1


def test_it_is_known_as_a_coroutine_function():
    @memoize
    async def f():
        return 1

    assert isinstance(f, Memoized)
    assert asyncio.iscoroutinefunction(f)
    waiting = f()
    assert inspect.iscoroutine(waiting)
    assert asyncio.run(waiting) == 1


def test_an_error_reaches_all_who_wait_and_is_not_kept(place):
    calls = []

    @memoize(place)
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.02)
        raise LookupError(x)

    async def main():
        return await asyncio.gather(*(f(1) for _ in range(5)), return_exceptions=True)

    for count in (1, 2):
        assert {type(error) for error in asyncio.run(main())} == {LookupError}
        assert len(calls) == count


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
def test_errors_with_a_meaning_for_generators_pass(error):
    async def function():
        raise error

    kinds = []
    for f in (function, memoize(function)):
        with pytest.raises((RuntimeError, StopAsyncIteration)) as caught:
            asyncio.run(f())
        kinds.append(caught.type)
    assert kinds[0] is kinds[1]


def test_if_the_one_who_computes_is_cancelled_another_takes_over(place):
    calls = []

    @memoize(place)
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.1)
        return x

    async def main():
        tasks = [asyncio.create_task(f(1)) for _ in range(4)]
        await asyncio.sleep(0.05)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    cancelled, *others = asyncio.run(main())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert others == [1, 1, 1]
    assert calls == [1, 1]


def test_if_one_who_waits_is_cancelled_nobody_else_is():
    @memoize
    async def f(x):
        await asyncio.sleep(0.1)
        return x

    async def main():
        tasks = [asyncio.create_task(f(1)) for _ in range(3)]
        await asyncio.sleep(0.02)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, cancelled, last = asyncio.run(main())
    assert (first, last) == (1, 1)
    assert isinstance(cancelled, asyncio.CancelledError)


def test_loops_of_several_threads_compute_once(place):
    calls = []

    @memoize(place)
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.2)
        return x

    barrier, results = threading.Barrier(4), []

    def work():
        barrier.wait(10)
        results.append(asyncio.run(f(1)))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [1] * 4
    assert calls == [1]


def test_a_loop_goes_on_while_another_thread_computes(tmp_path):
    """The one computes until the loop of the other has turned: a loop that stands still hangs both."""
    started, turned = threading.Event(), threading.Event()

    async def function(x):
        started.set()
        assert turned.wait(100), "the other loop stood still"
        return x

    one = memoize(tmp_path / "x.db", name="f")(function)
    other = memoize(tmp_path / "x.db", name="f")(function)
    thread = threading.Thread(target=lambda: asyncio.run(one(1)), daemon=True)

    async def main():
        thread.start()
        started.wait(100)
        waiting = asyncio.create_task(other(1))
        for _ in range(20):
            await asyncio.sleep(0.005)
        turned.set()
        return await waiting

    assert asyncio.run(main()) == 1
    thread.join(100)
    assert (one.cache_info().misses, other.cache_info().misses) == (1, 0)
    for f in (one, other):
        f.store.close()


def test_recursion(place):
    @memoize(place)
    async def fib(n):
        return n if n < 2 else sum(await asyncio.gather(fib(n - 1), fib(n - 2)))

    assert asyncio.run(fib(30)) == 832040
    assert fib.cache_info().misses == 31

    depth = []

    @memoize(place)
    async def own(x):
        depth.append(x)
        return await own(x) + 1 if len(depth) < 3 else 0

    assert asyncio.run(own(1)) == 2


def test_methods():
    class Client:
        def __init__(self):
            self.calls = 0

        @memoize
        async def get(self, url):
            self.calls += 1
            return url

    async def main():
        client = Client()
        assert await client.get("a") == await client.get(url="a") == "a"
        assert client.calls == 1
        assert client.get.peek("a") == "a"
        assert await client.get.refresh("a") == "a"
        assert client.calls == 2

    asyncio.run(main())


@memoize({})
async def at_module_level(x):
    return x


def test_wrong_calls_and_pickles():
    with pytest.raises(TypeError, match="unexpected keyword"):
        asyncio.run(at_module_level(1, z=2))
    assert pickle.loads(pickle.dumps(at_module_level)) is at_module_level
