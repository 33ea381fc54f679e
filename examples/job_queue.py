"""A queue of jobs for several processes: each job gets one result, also if a worker dies while it has one.

The queue is a store. A worker claims a job by writing a lease into it, on the condition that nobody else was
faster, and stores the result on the condition that the job is still its own. Whose lease has run out loses
the job to another worker. Here one of four dies with its first job, and another one does that job in the end.

    python examples/job_queue.py [QUEUE.db]
"""

import multiprocessing
import os
import sys
import time
from collections import Counter
from typing import Any

from holdall import KEEP_CURRENT, SQLiteStore, Store
from holdall.conditional import ETAG_IS_THE_SAME

WORKERS, JOBS, LEASE = 4, 40, 0.5  # processes, jobs, seconds: longer than any job takes

Job = dict[str, Any]


def open_queue(path: str) -> Store[str, Any]:
    """Return the jobs by name."""
    return SQLiteStore(path, table="jobs", serializer="json")


def claim(job: Job) -> Any:
    """Return the job with a lease of ours; leave it alone if it is done, or somebody else has it."""
    if "result" in job or time.time() < job.get("until", 0):
        return KEEP_CURRENT
    return {**job, "by": os.getpid(), "until": time.time() + LEASE}


def work(path: str, *, dies: bool) -> None:
    """Do jobs until all are done."""
    with open_queue(path) as jobs:
        while open_jobs := [name for name, job in jobs.items() if "result" not in job]:
            for name in open_jobs:
                claimed = jobs.transform_item(name, claim)
                if not claimed.value_was_mutated:
                    continue
                if dies:
                    os._exit(1)
                time.sleep(0.005)  # stands for the work
                job: Any = claimed.new_value
                done = {**job, "result": job["number"] ** 2}
                jobs.set_item_if(
                    name, value=done, condition=ETAG_IS_THE_SAME, expected_etag=claimed.resulting_etag
                )
            time.sleep(0.05)  # others have the rest


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else "queue.db"
    with open_queue(path) as jobs:
        jobs.clear()
        jobs.update({f"job {n:02}": {"number": n} for n in range(JOBS)})
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=work, args=(path,), kwargs={"dies": n == 0}) for n in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with open_queue(path) as jobs:
        shares = Counter(job["by"] for job in jobs.values())
        print(f"workers ended with {[worker.exitcode for worker in workers]}")
        print(f"{len(jobs)} jobs, done by {[shares[worker.pid] for worker in workers]}")
        assert all(job["result"] == job["number"] ** 2 for job in jobs.values())
        assert shares[workers[0].pid] == 0
