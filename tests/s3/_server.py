"""An S3 server of its own process: moto, with the faces of S3 that tests need, each at a port of its own.

All faces show the same buckets:

locked
    One request at a time. Moto looks and writes in separate steps, so that only this makes it atomic.
slow
    The same, 20 ms later, as over a network. Requests wait side by side.
hiding
    Who may not list is told 403 for a missing key, as by AWS.
raw
    Nothing is locked: the negative control. The first conditional replacement of a key is held between
    moto's look and moto's write until somebody else has replaced the key.

Run as a program, it prints the ports as JSON, once they answer.
"""

import argparse
import json
import logging
import sys
import threading
import time
from collections import Counter

DELAY = 0.02  # seconds
PATIENCE = 20  # seconds that a held request waits for another one: longer means that none comes
DENIED = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>'


def locked(app):
    """Let one request at a time through."""
    lock = threading.Lock()

    def answer(environ, start_response):
        with lock:
            return list(app(environ, start_response))

    return answer


def slow(app):
    """Answer later."""

    def answer(environ, start_response):
        time.sleep(DELAY)
        return app(environ, start_response)

    return answer


def hiding(app):
    """Tell 403 for each missing key, and refuse to list."""

    def answer(environ, start_response):
        got = []
        body = b"".join(app(environ, lambda *head: got.append(head)))
        status, headers = got[0][:2]
        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        lists = reads and environ["PATH_INFO"].strip("/").count("/") == 0
        if lists or (reads and status.startswith("404") and b"NoSuchBucket" not in body):
            body = DENIED if environ["REQUEST_METHOD"] == "GET" else b""
            status, headers = "403 Forbidden", [("Content-Type", "application/xml")]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]

    return answer


class Hold:
    """What holds a conditional replacement between look and write."""

    def __init__(self):
        self.replacing = threading.local()
        self.changed = threading.Condition()
        self.held = set()
        self.replaced = Counter()

    def raw(self, app):
        """Mark requests that replace under a condition, and count those that succeed."""

        def answer(environ, start_response):
            path = environ["PATH_INFO"]
            replaces = environ["REQUEST_METHOD"] == "PUT" and "HTTP_IF_MATCH" in environ
            self.replacing.path = path if replaces else None
            got = []
            body = list(app(environ, lambda *head: got.append(head)))
            self.replacing.path = None
            if replaces and got[0][0].startswith("200"):
                with self.changed:
                    self.replaced[path] += 1
                    self.changed.notify_all()
            start_response(*got[0])
            return body

        return answer

    def wait(self):
        """Hold the first replacement of a key until there was another one."""
        path = getattr(self.replacing, "path", None)
        with self.changed:
            if path is None or path in self.held:
                return
            self.held.add(path)
            self.changed.wait_for(lambda: self.replaced[path], PATIENCE)


def serve(app, handler):
    """Serve an application at a free port as long as this process lives, and give the port."""
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def main():
    """Serve until the standard input ends: so no server outlives who started it."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from moto.s3.models import S3Backend

    parser = argparse.ArgumentParser()
    parser.add_argument("--switch-interval", type=float)
    options = parser.parse_args()
    if options.switch_interval:
        sys.setswitchinterval(options.switch_interval)

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)  # each request, and each error of moto's

    hold = Hold()
    put_object = S3Backend.put_object

    def put_object_later(self, *args, **arguments):
        hold.wait()
        return put_object(self, *args, **arguments)

    app = create_backend_app("s3").wsgi_app
    one = locked(app)
    faces = {"locked": one, "slow": slow(one), "hiding": hiding(one), "raw": app}
    if not options.switch_interval:
        S3Backend.put_object = put_object_later
        faces["raw"] = hold.raw(app)
    ports = {name: serve(face, MotoRequestHandler) for name, face in faces.items()}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
