"""A server of SecantusDB, which speaks the protocol of MongoDB over the storage engine of MongoDB.

``python -m engines._secantus FOLDER -- COMMAND...`` starts it on a free port of loopback with its data in the
folder, runs a command beside it with HOLDALL_TEST_MONGO, and stops it.
"""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pymongo

from engines._valkey import free_port

PATIENCE = 60  # seconds for the start


@contextmanager
def secantus(folder):
    """Run the server, and give its URL."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("secantusd-py")), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--storage-path", str(folder / "data"), "--sync-on-commit"]
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    url = f"mongodb://127.0.0.1:{port}"
    try:
        with pymongo.MongoClient(url, serverSelectionTimeoutMS=PATIENCE * 1000) as client:
            client.admin.command("ping")
        yield url
    finally:
        server.terminate()
        server.wait()


def main():
    """Run a command beside the server, and end as it ends."""
    folder, separator, *rest = sys.argv[1:]
    assert separator == "--"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server ends, too
    with secantus(Path(folder).resolve()) as url:
        variables = {**os.environ, "HOLDALL_TEST_MONGO": url}
        return subprocess.run(rest, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
