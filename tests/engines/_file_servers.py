"""Servers of SFTP, FTP and HTTP on loopback, each in a thread, with a folder of the tests' own."""

import asyncio
import functools
import http.server
import logging
import threading
import warnings
from contextlib import contextmanager

logging.getLogger("pyftpdlib").setLevel(logging.ERROR)
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


@contextmanager
def ftp(folder):
    """Serve a folder by FTP; give the URL of its root."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it stands on asyncore
        from pyftpdlib.authorizers import DummyAuthorizer
        from pyftpdlib.handlers import FTPHandler
        from pyftpdlib.ioloop import IOLoop
        from pyftpdlib.servers import ThreadedFTPServer

    users = DummyAuthorizer()
    users.add_user("user", "secret", str(folder), perm="elradfmwMT")
    handler = type("Handler", (FTPHandler,), {"authorizer": users})
    alone = {"_exit": threading.Event(), "_lock": threading.Lock()}  # otherwise all servers end with one
    server = type("Server", (ThreadedFTPServer,), alone)(("127.0.0.1", 0), handler, ioloop=IOLoop())
    thread = threading.Thread(target=server.serve_forever, kwargs={"timeout": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"ftp://user:secret@127.0.0.1:{server.address[1]}"
    finally:
        server.close_all()
        thread.join(20)


@contextmanager
def sftp(folder):
    """Serve a folder by SFTP; give the URL of its root."""
    import asyncssh

    class Anybody(asyncssh.SSHServer):
        def password_auth_supported(self):
            return True

        def validate_password(self, username, password):
            return (username, password) == ("user", "secret")

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start():
        return await asyncssh.create_server(
            Anybody,
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=functools.partial(asyncssh.SFTPServer, chroot=str(folder).encode()),
        )

    async def stop(server):
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield f"sftp://user:secret@127.0.0.1:{server.get_port()}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


@contextmanager
def web(folder):
    """Serve a folder by HTTP, to be read; give the URL of its root."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        server.server_close()
        thread.join(20)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass
