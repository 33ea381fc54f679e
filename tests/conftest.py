"""Settings of all tests."""

import gc
import os
import sys

import pytest

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


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    """Give the URL of a Redis server: one a worker, started when it is first asked for."""
    from engines._valkey import url_of

    url, stop = url_of(tmp_path_factory.mktemp("valkey"))
    yield url
    stop()
