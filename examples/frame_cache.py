"""Keep frames of pandas that take long to make: they are read from the disk in the next run.

python examples/frame_cache.py
"""

import time

import pandas as pd

from holdall import memoize


@memoize("frames")
def daily(year: int) -> pd.DataFrame:
    """Return the days of a year with some numbers; pretend that this takes long."""
    time.sleep(0.2)
    days = pd.date_range(f"{year}-01-01", f"{year}-12-31", freq="D")
    return pd.DataFrame({"day": days, "number": range(len(days))})


if __name__ == "__main__":
    started = time.perf_counter()
    frame = daily(2024)
    print(f"{len(frame)} rows after {time.perf_counter() - started:.3f} s")
    frame.loc[0, "number"] = -1  # a caller's change is the caller's alone
    assert daily(2024).loc[0, "number"] == 0
