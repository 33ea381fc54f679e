"""The same program on any place: only the address changes.

    python examples/one_line_elsewhere.py [ADDRESS]

An address is a folder, ``sqlite:counts.db``, ``lmdb:counts.lmdb``, ``s3://bucket/prefix``,
``redis://localhost:6379/0#counts/``. Four workers share it, and no count is lost.
"""

import sys
from concurrent.futures import ProcessPoolExecutor

import holdall

WORKERS, TIMES = 4, 25


def count(address: str) -> None:
    """Count some visits."""
    with holdall.open(address, serializer="json") as store:
        for _ in range(TIMES):
            store.increment("visits")


if __name__ == "__main__":
    for address in sys.argv[1:] or ["dir:counts", "sqlite:counts.db"]:
        with holdall.open(address, serializer="json") as store:
            before = store.get("visits", 0)
            with ProcessPoolExecutor(WORKERS) as pool:
                list(pool.map(count, [address] * WORKERS))
            print(f"{address}: {store['visits']} visits")
            assert store["visits"] == before + WORKERS * TIMES
