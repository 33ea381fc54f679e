"""Settings of all tests."""

import contextlib
import gc
import inspect
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule

from exploring import register_profiles

# Byte code is kept, whatever the environment says: hundreds of tests start processes, each of which would
# compile the library again for a quarter of a second.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Many of these processes import numpy, whose threads wait in a busy loop for work: 40 % of its import.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

register_profiles()

TESTS = Path(__file__).parent


def _memory():
    """Give the path of a file system in memory that has room for all tests; None where there is none."""
    place = "/dev/shm"
    with contextlib.suppress(OSError):
        found = os.statvfs(place)
        if os.access(place, os.W_OK) and found.f_bavail * found.f_frsize > 4e9:
            return place
    return None


# Folders of tests are in memory: on a disk, thousands of small writes that are synchronized take a third of
# the time. What needs a disk makes a folder of its own.
_IN_MEMORY = None if "PYTEST_DEBUG_TEMPROOT" in os.environ else _memory()
if _IN_MEMORY:
    os.environ["PYTEST_DEBUG_TEMPROOT"] = _IN_MEMORY


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Give the memory back after a run without failures; the next run deletes what others have left."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    if _IN_MEMORY and exitstatus == 0 and factory is not None and not hasattr(session.config, "workerinput"):
        shutil.rmtree(factory.getbasetemp(), ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Leave out classes and functions of the soak session, before tests that nobody runs are made of them.

    Where a test is named, they are collected: it is then said why it does not run.
    """
    config = collector.config
    if config.option.markexpr != "not soak" or any("::" in arg for arg in config.args):
        return None
    marks = getattr(obj, "pytestmark", []) if inspect.isclass(obj) or inspect.isfunction(obj) else []
    return [] if any(mark.name == "soak" for mark in marks) else None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[object], list[object]]:
    """Look for examples in docstrings of the sources only: no test has any."""
    found = yield
    return [one for one in found if not (file_path.is_relative_to(TESTS) and isinstance(one, DoctestModule))]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of a folder follow each other, in whatever order folders and tests have been shuffled.

    A worker then imports and starts what few folders need: the servers of an engine run once, not in each.
    """
    folders = {folder: number for number, folder in enumerate(dict.fromkeys(i.path.parent for i in items))}
    items.sort(key=lambda item: folders[item.path.parent])


def _freeze() -> None:
    """Take what stays for the whole run out of the garbage collector's sight.

    A collection took 0.2 s in the beginning, and 0.5 s after the libraries of all engines had been imported.
    """
    with warnings.catch_warnings():
        # Of what is garbage together, a socket may come before the client that would close it.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.freeze()


def _empty_memory() -> None:
    """Delete what is in the file system in memory of fsspec, which is one for all that a process runs."""
    if memory := sys.modules.get("fsspec.implementations.memory"):
        memory.MemoryFileSystem.store.clear()
        memory.MemoryFileSystem.pseudo_dirs[:] = [""]


class _Examples:
    """Leave nothing of what examples in docstrings make by `tempfile`, and let them find nothing either."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        if not isinstance(item, pytest.DoctestItem):
            return (yield)
        _empty_memory()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            tempfile.tempdir = folder
            try:
                return (yield)
            finally:
                tempfile.tempdir = None


def pytest_configure(config: pytest.Config) -> None:
    """Register what concerns the examples in `src` as well, which this file is not above."""
    config.pluginmanager.register(_Examples())


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without looking for garbage, which took a second of each worker."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()  # with the garbage of it, to look for which took a quarter of a second
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Leave out what a file has imported and made for others."""
    if nextitem is None or nextitem.path != item.path:
        _freeze()


@pytest.fixture
def empty_memory():
    """Let the test find nothing in the file system in memory of fsspec."""
    _empty_memory()


@pytest.fixture
def reachable(tmp_path):
    """Give a folder that other users can enter: those of pytest are closed again by each session that begins.

    Only root can be another user, so anyone else gets a folder as usual.
    """
    if os.geteuid() != 0:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    """Give the URL of a Redis server: one a worker, started when it is first asked for."""
    from engines._valkey import url_of

    url, stop = url_of(tmp_path_factory.mktemp("valkey"))
    yield url
    stop()


@pytest.fixture(scope="session")
def mongo_server():
    """Serve collections of mongomock, one command at a time."""
    from engines._mongo import Server

    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sftp_url(tmp_path_factory):
    """Give the URL of a SFTP server with a folder of its own."""
    from engines._file_servers import sftp

    with sftp(tmp_path_factory.mktemp("sftp")) as url:
        yield url


@pytest.fixture(scope="session")
def ftp_url(tmp_path_factory):
    """Give the URL of a FTP server with a folder of its own."""
    from engines._file_servers import ftp

    with ftp(tmp_path_factory.mktemp("ftp")) as url:
        yield url


@pytest.fixture
def web_url(tmp_path):
    """Give the URL of a web server that serves the folder of the test."""
    from engines._file_servers import web

    with web(tmp_path) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory):
    """Give the URL of a PostgreSQL server: one a worker, started when it is first asked for."""
    from engines._postgres import url_of

    url, stop = url_of(tmp_path_factory.mktemp("postgres"))
    yield url
    stop()
