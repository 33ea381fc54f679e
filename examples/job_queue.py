"""A queue of jobs for several processes: each job is done once, also if a worker dies while it has one.

The queue is a store. A worker claims a job by writing a lease into it, on the condition that nobody else was
faster; a lease that is too old may be claimed by another one.

    python examples/job_queue.py [QUEUE.db]
"""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from holdall import KEEP_CURRENT, SQLiteStore

WORKERS, JOBS, LEASE = 4, 40, 60.0  # processes, jobs, seconds


def claimed(job: dict[str, Any]) -> Any:
    """Return the job with a lease of ours; leave it alone if somebody else has one."""
    if job["state"] == "done" or (job["state"] == "claimed" and time.time() - job["since"] < LEASE):
        return KEEP_CURRENT
    return {**job, "state": "claimed", "since": time.time(), "by": os.getpid()}


def work(path: str) -> int:
    """Do jobs until there are none; return how many."""
    done = 0
    with SQLiteStore(path, table="jobs", serializer="json") as jobs:
        for name in jobs:
            claim = jobs.transform_item(name, claimed)
            if claim.value_was_mutated:
                job = claim.new_value
                result = job["number"] ** 2
                jobs[name] = {**job, "state": "done", "result": result}
                done += 1
    return done


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else "queue.db"
    with SQLiteStore(path, table="jobs", serializer="json") as jobs:
        jobs.clear()
        jobs.update({f"job {n:02}": {"number": n, "state": "new"} for n in range(JOBS)})
    with ProcessPoolExecutor(WORKERS) as pool:
        shares = list(pool.map(work, [path] * WORKERS))
    with SQLiteStore(path, table="jobs") as jobs:
        print(
            f"{WORKERS} workers did {shares} jobs; the last result is {jobs[f'job {JOBS - 1:02}']['result']}"
        )
        assert sum(shares) == JOBS
        assert all(job["state"] == "done" for job in jobs.values())
