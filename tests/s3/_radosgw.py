"""A real S3 server: radosgw of Ceph from the packages of Debian, unpacked and not installed.

``python -m s3._radosgw FOLDER COMMAND...`` runs a command beside it, with the environment variables that
the fixtures understand, and stops it. All it needs lies in the folder: packages (downloaded once, 66 MB),
what they hold (260 MB) and, anew each time, the data, which live in memory.

It takes a monitor, one store of objects and the gateway. Nobody proves who they are to each other, so the
gateway must talk to the monitor in the mode "crc": its default is a secure mode, which that excludes.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path

PACKAGES = ("radosgw", "ceph-mon", "ceph-osd")
PATIENCE = 120  # seconds for each step of the start

USERS = {
    "owner": ("test", "testsecret"),
    "guest": ("other", "othersecret"),  # has the rights that a policy gives
    "tenant": ("nomake", "nomakesecret"),  # may not make buckets
}

CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
run dir = {run}/run
admin socket = {run}/$name.asok
log file = {run}/$name.log
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
osd class dir = {lib}/rados-classes
plugin dir = {lib}/ceph
erasure code dir = {lib}/ceph/erasure-code
crush location = root=default host=localhost
[mon]
mon data = {run}/mon
[osd]
osd data = {run}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
[client.rgw]
ms mon client mode = crc
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw enable apis = s3
"""


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
    subprocess.run([*apt, "install", "-y", *options, *PACKAGES], check=True, stdout=subprocess.DEVNULL)
    unpacked = folder / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in sorted(packages.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), str(unpacked)], check=True)
    unpacked.rename(root)
    return root


def free_port():
    """Give a port that nobody listens at."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def wait_until(happens, what):
    """Return when something happens; a start that takes too long is an error."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took more than {PATIENCE} s")
        time.sleep(0.2)


class Ceph:
    """The programs of the packages, with the environment that they need.

    Parameters
    ----------
    root
        What `unpack` gives.
    run
        A new folder for data, logs and sockets.
    """

    def __init__(self, root, run):
        self.root, self.run = root, run
        [lib] = root.glob("usr/lib/*-linux-gnu")
        self.mon_port, self.port = free_port(), free_port()
        self.fsid = str(uuid.uuid4())
        for name in ("mon", "osd", "run"):
            (run / name).mkdir(parents=True)
        (run / "ceph.conf").write_text(CONFIGURATION.format(lib=lib, **vars(self)))
        libraries = [lib, lib / "ceph", *root.glob("lib/*-linux-gnu")]
        self.environment = {
            "PATH": f"{root}/usr/bin:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
            "PYTHONPATH": f"{root}/usr/lib/python3/dist-packages",
            "CEPH_CONF": str(run / "ceph.conf"),
        }

    def call(self, program, *arguments):
        """Run a program to its end; whether it worked, and what it printed."""
        command = [shutil.which(program, path=self.environment["PATH"]), *arguments]
        if program == "ceph":  # it is written in Python, and its extension fits the one of the system
            command[:1] = ["/usr/bin/python3", command[0], "--connect-timeout", "2"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    def do(self, program, *arguments):
        """Run a program that has to work."""
        worked, said = self.call(program, *arguments)
        if not worked:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {said}")

    @contextmanager
    def serving(self, program, *arguments):
        """Run a program until the block ends."""
        with open(self.run / f"{program}.out", "wb") as out:
            process = subprocess.Popen(
                [shutil.which(program, path=self.environment["PATH"]), *arguments, "-f"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def answers(url):
    """Tell whether a server answers, whatever it says."""
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


@contextmanager
def radosgw(folder):
    """Run the server, and give its URL."""
    root = unpack(folder)
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    ceph = Ceph(root, run)
    monitors = str(run / "monitors")
    osd = str(uuid.uuid4())
    with ExitStack() as stack:
        address = f"[v2:127.0.0.1:{ceph.mon_port}]"
        ceph.do("monmaptool", "--create", "--addv", "m", address, "--fsid", ceph.fsid, monitors)
        ceph.do("ceph-mon", "--mkfs", "-i", "m", "--monmap", monitors)
        stack.enter_context(ceph.serving("ceph-mon", "-i", "m"))
        wait_until(lambda: ceph.call("ceph", "-s")[0], "the start of the monitor")
        ceph.do("ceph", "osd", "new", osd)
        ceph.do("ceph-osd", "-i", "0", "--osd-uuid", osd, "--mkfs", "--mkkey")
        stack.enter_context(ceph.serving("ceph-osd", "-i", "0"))
        wait_until(lambda: "1 up" in ceph.call("ceph", "osd", "stat")[1], "the start of the object store")
        stack.enter_context(ceph.serving("radosgw", "-n", "client.rgw"))
        url = f"http://127.0.0.1:{ceph.port}"
        wait_until(lambda: answers(url), "the start of the gateway")
        for name, (access_key, secret_key) in USERS.items():
            user = [f"--uid={name}", f"--display-name={name}"]
            keys = [f"--access-key={access_key}", f"--secret-key={secret_key}"]
            limit = f"--max-buckets={-1 if name == 'tenant' else 100_000}"
            ceph.do("radosgw-admin", "-n", "client.rgw", "user", "create", *user, *keys, limit)
        yield url


def main():
    """Run a command beside the server, and end as it ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers end, too
    with radosgw(options.folder.resolve()) as url:
        access_key, secret_key = USERS["owner"]
        variables = {
            "HOLDALL_S3_ENDPOINT": url,
            "HOLDALL_S3_ACCESS_KEY": access_key,
            "HOLDALL_S3_SECRET_KEY": secret_key,
            "HOLDALL_S3_GUEST": ":".join(USERS["guest"]),
            "HOLDALL_S3_TENANT": ":".join(USERS["tenant"]),
        }
        return subprocess.run(options.command, env={**os.environ, **variables}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
