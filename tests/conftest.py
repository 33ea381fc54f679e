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
