"""A backend of one's own: a REST service as a dict, with everything that a store can do.

The service keeps a version with each item, its ETag, and writes "only if it is still this one" (If-Match), as
many services do. Four methods say so to holdall; no increment is lost then, whoever writes to the service. It
is started here, on this machine, and keeps in memory what is put to it.

    python examples/rest_backend.py
"""

import http.client
import itertools
import json
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from holdall import ITEM_NOT_AVAILABLE, Store, StoreUnavailableError
from holdall.abc import Capability, VersionedPersister, conflict, join_parts
from holdall.conditional import ANY_ETAG, Expected, Stat


class RestPersister(VersionedPersister):
    """The items of a service at a host and port."""

    capabilities = VersionedPersister.capabilities | {Capability.PERSISTENT, Capability.CAS_WORLD}

    def __init__(self, host: str) -> None:
        self.host = host

    @property
    def place(self) -> str:
        """How messages call it."""
        return f"http://{self.host}"

    def ask(
        self, method: str, path: str, data: bytes | None = None, expected: Expected = ANY_ETAG
    ) -> tuple[int, bytes, str]:
        """Return status, body and version; what is neither done, absent nor a conflict is an error."""
        headers = {}
        if expected is ITEM_NOT_AVAILABLE:
            headers = {"If-None-Match": "*"}
        elif expected is not ANY_ETAG:
            headers = {"If-Match": str(expected)}
        connection = http.client.HTTPConnection(self.host, timeout=10)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise StoreUnavailableError(f"{self.place} does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status not in {200, 204, 404, 412}:  # a failure is not absence: KeyError would be wrong
            raise StoreUnavailableError(f"{self.place} answers {answer.status} {answer.reason}")
        return answer.status, body, answer.headers.get("ETag", "")

    def read(self, id: str) -> tuple[bytes, Stat]:
        """Return data and version."""
        status, data, etag = self.ask("GET", f"/items/{quote(id, safe='')}")
        if status == 404:
            raise KeyError(id)
        return data, Stat(etag, math.nan, len(data))

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:
        """Store data, if the item is as expected."""
        body = bytes(join_parts(data))
        status, _, etag = self.ask("PUT", f"/items/{quote(id, safe='')}", body, expected)
        if status == 412:
            raise conflict(self, id, expected, etag or ITEM_NOT_AVAILABLE)
        return Stat(etag, math.nan, len(body))

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:
        """Delete an item, if it is as expected."""
        status, _, etag = self.ask("DELETE", f"/items/{quote(id, safe='')}", None, expected)
        if status == 204:
            return
        if not etag and expected in {ANY_ETAG, ITEM_NOT_AVAILABLE}:
            raise KeyError(id)
        raise conflict(self, id, expected, etag or ITEM_NOT_AVAILABLE)

    def ids(self, prefix: str = "") -> Iterator[str]:
        """List the names that begin so."""
        return iter(json.loads(self.ask("GET", f"/items?prefix={quote(prefix, safe='')}")[1]))


class Service(BaseHTTPRequestHandler):
    """The service: GET, PUT and DELETE of /items/NAME, and GET of /items?prefix=TEXT."""

    protocol_version = "HTTP/1.1"
    items: dict[str, tuple[bytes, str]] = {}
    lock = threading.Lock()
    versions = itertools.count(1)

    def _answer(self, status: int, data: bytes = b"", etag: str | None = None) -> None:
        self.send_response(status)
        if etag:
            self.send_header("ETag", etag)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        """Give an item, or a list of names."""
        url = urlsplit(self.path)
        if url.path == "/items":
            (prefix,) = parse_qs(url.query, errors="surrogateescape").get("prefix", [""])
            names = [name for name in list(self.items) if name.startswith(prefix)]
            self._answer(200, json.dumps(names).encode())
        elif (item := self.items.get(unquote(url.path[7:]))) is not None:
            self._answer(200, *item)
        else:
            self._answer(404)

    def _change(self, data: bytes | None) -> None:
        """Look and write in one step, which is what makes it safe."""
        name = unquote(urlsplit(self.path).path[7:])
        with self.lock:
            etag = self.items[name][1] if name in self.items else None
            wanted = self.headers.get("If-Match", etag)
            if wanted != etag or (self.headers.get("If-None-Match") == "*" and etag):
                self._answer(412, b"", etag)
            elif data is not None:
                self.items[name] = data, f'"{next(self.versions)}"'
                self._answer(204, b"", self.items[name][1])
            else:
                self._answer(204 if self.items.pop(name, None) else 404)

    def do_PUT(self) -> None:
        """Keep an item."""
        self._change(self.rfile.read(int(self.headers["Content-Length"])))

    def do_DELETE(self) -> None:
        """Delete an item."""
        self._change(None)

    def log_message(self, *args: object) -> None:
        """Write no log."""


def serve() -> ThreadingHTTPServer:
    """Start a service without items; its host and port are `server_address`."""
    fresh = type("Fresh", (Service,), {"items": {}, "lock": threading.Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), fresh)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    server = serve()
    store: Store[str, Any] = Store(RestPersister(f"127.0.0.1:{server.server_port}"), serializer="json")
    store["greeting"] = {"en": "hello"}
    store.update(tea=1, coffee=2)
    with store.edit("greeting") as words:
        words["fr"] = "bonjour"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.increment("tea"), range(100)))
    print(dict(store), "milk" in store, store.pop("coffee"), len(store))
    assert dict(store) == {"greeting": {"en": "hello", "fr": "bonjour"}, "tea": 101}
    server.shutdown()
    server.server_close()
