"""A queue of jobs for several processes: each job is done once, also if a worker dies while it has one.

Jobs are items of a store. What does them is a memoized function: its results are kept, and who asks for a job
that another worker has in hand waits for it. Each worker takes the jobs in an order of its own, so that they
seldom meet. Here one of four dies with its first job in hand, and another one does that job.

A second run finds all jobs done. docs/howto/queues.md shows other queues: with leases, on several machines.

    python examples/job_queue.py [QUEUE.db]
"""

import multiprocessing
import os
import random
import sys
import time
from collections import Counter

from holdall import SQLiteStore, memoize

WORKERS, JOBS = 4, 40


@memoize("results.db", ignore="dies")
def do(number: int, *, dies: bool = False) -> dict[str, int]:
    """Do a job; say who did it."""
    if dies:
        os._exit(1)  # as bad as it gets
    time.sleep(0.005)  # stands for the work
    return {"square": number**2, "by": os.getpid()}


def work(path: str, *, dies: bool) -> None:
    """Do all jobs that nobody has done."""
    with SQLiteStore[str, int](path, serializer="json") as jobs:
        for name in random.sample(sorted(jobs), len(jobs)):
            do(jobs[name], dies=dies)


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else "queue.db"
    with SQLiteStore[str, int](path, serializer="json") as jobs:
        jobs.update({f"job {n:02}": n for n in range(JOBS)})
        spawn = multiprocessing.get_context("spawn")
        workers = [spawn.Process(target=work, args=(path,), kwargs={"dies": n == 0}) for n in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        done = {name: do(number) for name, number in jobs.items()}
    shares = Counter(job["by"] for job in done.values())
    print(f"workers ended with {[worker.exitcode for worker in workers]}")
    print(f"{len(done)} jobs, done by {[shares[worker.pid] for worker in workers]}")
    assert all(done[f"job {n:02}"]["square"] == n**2 for n in range(JOBS))
    assert shares[workers[0].pid] == 0
    assert do.cache_info().misses == 0
