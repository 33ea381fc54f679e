"""Two workers on S3: they share jobs, results and a count, as two machines would, and lose nothing.

Without arguments, the example starts a server of its own on this machine (moto[server] plays S3). With the
name of a bucket it uses a part of that one, with the credentials, region and endpoint that boto3 finds:

    python examples/s3_workers.py [BUCKET]
"""

import logging
import multiprocessing
import os
import sys
import threading
from typing import Any

from holdall import S3Store

JOBS = 5


def open_bucket(bucket: str) -> S3Store[str, Any]:
    """Return the part of the bucket that belongs to this example."""
    return S3Store(bucket, prefix="holdall-example")


def work(bucket: str, name: str) -> None:
    """Take jobs until there are none."""
    store = open_bucket(bucket)
    for job, number in store.get_subdict("jobs").items():
        if store.setdefault(f"claims/{job}", name) == name:  # of all who ask, one gets it
            store[f"results/{job}"] = {"square": number**2, "by": name}
            store.increment("done")  # by compare-and-swap of the server


def start_server() -> str:
    """Start a server of S3 in this process, and let boto3 find it; return the name of a bucket."""
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415  (slow to import)
        DomainDispatcherApplication,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # One request at a time: moto itself does not look and write in one step, as S3 does.
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.port}",
        AWS_ACCESS_KEY_ID="example",
        AWS_SECRET_ACCESS_KEY="example",  # noqa: S106  (not a secret)
        AWS_DEFAULT_REGION="us-east-1",
        NO_PROXY="127.0.0.1",
    )
    return "example-bucket"  # it is made by the first write


if __name__ == "__main__":
    bucket = sys.argv[1] if len(sys.argv) > 1 else start_server()
    store = open_bucket(bucket)
    store.clear(force=True)  # what an earlier run has left
    store.update({f"jobs/{n}": n for n in range(JOBS)})

    spawn = multiprocessing.get_context("spawn")  # nothing is shared but the bucket
    workers = [spawn.Process(target=work, args=(bucket, name)) for name in ("ann", "bob")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    results = dict(store.get_subdict("results"))
    print(f"{store['done']} jobs done, the last one by {results[str(JOBS - 1)]['by']}: {results}")
    assert {job: result["square"] for job, result in results.items()} == {str(n): n**2 for n in range(JOBS)}
    assert store["done"] == JOBS
    assert [worker.exitcode for worker in workers] == [0, 0]
