"""Values are spilled to a disk: a folder in memory would be told by a warning."""

import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def _disk():
    with tempfile.TemporaryDirectory(prefix="holdall-spill-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def tmp_path(_disk):
    """Give a folder that lies on a disk where the temporary files of the machine do."""
    return Path(tempfile.mkdtemp(dir=_disk))
