"""A MariaDB server from the packages of Debian, unpacked and not installed.

``python -m engines._mariadb FOLDER [OPTION...] -- COMMAND...`` starts the server with more options of its
own, runs a command beside it with HOLDALL_TEST_MYSQL, and stops it. All it needs lies in the folder: packages
(downloaded once, 27 MB), what they hold (245 MB) and, anew each time, the data.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120  # seconds for the start


def unpack(folder):
    """Download the packages and unpack them, unless that was done; give the folder of what they hold."""
    root = folder / "root"
    if root.exists():
        return root
    packages = folder / "packages"
    (packages / "partial").mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-qq", "-o", f"Dir::Cache::archives={packages}"]
    options = ["--no-install-recommends", "--download-only"]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "install", "-y", *options, "mariadb-server"], check=True, stdout=subprocess.DEVNULL)
    unpacked = folder / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in sorted(packages.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), str(unpacked)], check=True)
    unpacked.rename(root)
    return root


@contextmanager
def mariadb(folder, *options):
    """Run the server with some options, and give the URL of a database on it."""
    root = unpack(folder)
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    [lib] = root.glob("usr/lib/*-linux-gnu")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(lib), "PATH": f"{root}/usr/bin:{os.environ['PATH']}"}
    # It may run as root only if that is said; the data are nobody else's.
    common = ["--no-defaults", f"--basedir={root}/usr", f"--lc-messages-dir={root}/usr/share/mysql"]
    common += [f"--datadir={data}", *(["--user=root"] if os.geteuid() == 0 else [])]
    install = [f"{root}/usr/bin/mariadb-install-db", *common]
    install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    made = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(made.stdout + made.stderr)
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    command = [f"{root}/usr/sbin/mariadbd", *common, f"--socket={data}/s", f"--pid-file={data}/pid"]
    command += [f"--port={port}", "--bind-address=127.0.0.1", *options]
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        make_database(server, port, "holdall")
        yield f"mysql://root@127.0.0.1:{port}/holdall"
    finally:
        server.terminate()
        server.wait()


def make_database(server, port, name):
    """Wait until the server answers, and make a database."""
    import pymysql

    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection = pymysql.connect(host="127.0.0.1", port=port, user="root")
        except pymysql.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            break
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")


def main():
    """Run a command beside the server, and end as it ends."""
    folder, *rest = sys.argv[1:]
    end = rest.index("--")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server ends, too
    with mariadb(Path(folder).resolve(), *rest[:end]) as url:
        variables = {**os.environ, "HOLDALL_TEST_MYSQL": url}
        return subprocess.run(rest[end + 1 :], env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
