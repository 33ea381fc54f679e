"""Reduce arrays that are larger, all together, than the memory that they may take.

A hundred arrays of 1 MB are made and summed within a budget of 10 MB; the rest waits on the disk.

    python examples/larger_than_memory.py
"""

import numpy as np

from holdall import SpillStore

MANY, SIZE = 100, 125_000  # arrays, numbers of 8 bytes in each

if __name__ == "__main__":
    with SpillStore(memory="10 MB") as arrays:
        for n in range(MANY):
            arrays[n] = np.full(SIZE, float(n))
        total = sum(float(array.sum()) for array in arrays.values())
        stats = arrays.stats()
        print(f"{len(arrays)} arrays, sum {total:,.0f}; {stats.memory / 1e6:.1f} MB of 10 are in memory")
        assert total == SIZE * sum(range(MANY))
        assert stats.memory <= 10e6
