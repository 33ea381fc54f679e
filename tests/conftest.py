"""Settings of all tests."""

import gc
import os
import sys

from exploring import register_profiles

# Byte code is kept, whatever the environment says: hundreds of tests start processes, each of which would
# compile the library again for a quarter of a second.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

register_profiles()


def pytest_collection_finish() -> None:
    """Take what stays for the whole run out of the garbage collector's sight: a collection took 0.2 s."""
    gc.collect()
    gc.freeze()
