"""Small disks for tests that fill them."""

import pytest

from processes._support import mount, unmount


@pytest.fixture
def disk(tmp_path):
    """Give a function that mounts a small file system in memory."""
    mounted = []

    def make(options):
        at = tmp_path / f"disk{len(mounted)}"
        mount("-t", "tmpfs", "-o", f"mode=700,{options}", "holdall-test", at=at)
        mounted.append(at)
        return at

    yield make
    for at in mounted:
        unmount(at)


@pytest.fixture
def small(disk):
    """Give a small disk."""
    return disk("size=1m")
