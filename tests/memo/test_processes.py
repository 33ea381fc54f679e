"""Memoized functions go to other processes, those of a script by cloudpickle, with their results."""

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading

import cloudpickle
import pytest

from holdall import memoize

SCRIPT = """
import asyncio, os, subprocess, sys
import cloudpickle
from holdall import memoize

FACTOR = 10

def helper(x):
    return x * FACTOR

@memoize("kept.db")
def f(x):
    print("computing", file=sys.stderr)
    return helper(x) if x < 5 else f(x - 5)

@memoize("kept.db")
async def wait(x):
    return helper(x)

def caller(x):
    return f(x) + 1

class Model:
    def __init__(self, n):
        self.n = n
    def __memo_key__(self):
        return self.n
    @memoize("kept.db")
    def run(self, x):
        return self.n * helper(x)

def factory(n):
    @memoize("kept.db")
    def inner(x):
        return n * helper(x)
    return inner

f(2)
f.store.close()
THINGS = [
    (f, (2,)), (f, (7,)), (f.peek, (2,)), (caller, (2,)), (Model(3).run, (2,)), (Model.run, (Model(3), 2)),
    (factory(4), (2,)), (lambda x: asyncio.run(wait(x)), (2,)), (lambda x: Model(5).run(x), (2,)),
]
sys.stdout.buffer.write(cloudpickle.dumps(THINGS))
"""
WORKER = """
import pickle, sys
things = pickle.loads(sys.stdin.buffer.read())
print([thing(*arguments) for thing, arguments in things])
print(sorted({key.split("/")[0] for key in things[0][0].store}))
"""


def test_functions_of_a_script_go_through_cloudpickle(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)

    def run(*command, data=None):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, input=data, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done

    made = run("script.py")
    worked = run("-c", WORKER, data=made.stdout)
    results, names = worked.stdout.decode().splitlines()
    assert results == "[20, 20, 20, 21, 60, 60, 80, 20, 100]"
    assert worked.stderr.decode().split() == ["computing"]  # 7, of which the rest was known
    assert {name.partition("+")[2] for name in eval(names)} == {
        *("script.f", "script.wait", "script.Model.run", "script.factory.<locals>.inner"),
    }


@pytest.mark.soak
def test_functions_of_a_script_go_to_joblib(tmp_path):
    pytest.importorskip("joblib")
    (tmp_path / "script.py").write_text(
        textwrap.dedent(
            """
            import joblib
            from holdall import memoize
            def helper(x): return x * 10
            @memoize("kept.db")
            def f(x): return helper(x)
            if __name__ == "__main__":
                parallel = joblib.Parallel(2)
                print(parallel(joblib.delayed(f)(x) for x in range(4)))
                print([f.peek(x) for x in range(4)], f.cache_info().misses)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[0, 10, 20, 30]", "[0, 10, 20, 30] 0"]


def test_what_was_sent_keeps_its_options_and_its_version():
    place = {}

    def make():
        @memoize(place, copy=False, readable=True)
        def f(x):
            return [x]

        return f

    f = make()
    sent = cloudpickle.loads(cloudpickle.dumps(f))
    assert sent is not f
    assert sent._place_of_entries() == f._place_of_entries()
    assert sent.version_info().version == f.version_info().version
    assert sent(1) is sent(1)


@pytest.mark.parametrize("place", [None, "database"])
def test_a_call_left_in_a_closed_loop_keeps_nobody_waiting(place, tmp_path, monkeypatch):
    monkeypatch.setattr("holdall.memo._flight.PATIENCE", 0.02)
    monkeypatch.setattr("holdall.memo._async.PATIENCE", 0.02)
    release = []

    @memoize(*([] if place is None else [tmp_path / "kept.db"]), version=1)
    async def f(x):
        if not release:
            await asyncio.Event().wait()
        return x

    loop = asyncio.new_event_loop()
    task = loop.create_task(f(1))
    loop.run_until_complete(asyncio.sleep(0))
    waiting = threading.Thread(target=lambda: asyncio.run(f(1)))  # waits since before the loop is closed
    waiting.start()
    while not _waiting():
        pass
    release.append(True)
    loop.close()
    waiting.join(20)
    assert not waiting.is_alive()
    assert asyncio.run(f(1)) == 1
    task._log_destroy_pending = False
    del task
    gc.collect()
    if place:
        f.store.close()


def _waiting():
    from holdall.memo import _flight

    return dict(_flight._waiting)
