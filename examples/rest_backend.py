"""A backend of one's own in 15 lines: a REST service as a dict, with everything that a store can do.

The service is started here, on this machine; it keeps what is put to it in memory.

    python examples/rest_backend.py
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

from holdall import Persister, Store


class RestPersister(Persister):
    """Items of a service that knows GET, PUT and DELETE."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _ask(self, method: str, id: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.url}/{quote(id, safe='')}", data, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            raise KeyError(id) from None

    def __getitem__(self, id: str) -> bytes:
        return self._ask("GET", id)

    def __setitem__(self, id: str, data: Any) -> None:
        self._ask("PUT", id, data)

    def __delitem__(self, id: str) -> None:
        self._ask("DELETE", id)

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self._ask("GET", "")))


class Service(BaseHTTPRequestHandler):
    """The service."""

    kept: dict[str, bytes] = {}

    def _answer(self, data: bytes | None) -> None:
        self.send_response(404 if data is None else 200)
        self.end_headers()
        self.wfile.write(data or b"")

    def do_GET(self) -> None:
        """Give an item, or the list of all."""
        name = self.path[1:]
        self._answer(self.kept.get(name) if name else json.dumps(list(self.kept)).encode())

    def do_PUT(self) -> None:
        """Keep an item."""
        self.kept[self.path[1:]] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")

    def do_DELETE(self) -> None:
        """Delete an item."""
        self._answer(self.kept.pop(self.path[1:], None))

    def log_message(self, *args: object) -> None:
        """Write no log."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    store: Store[str, Any] = Store(RestPersister(f"http://127.0.0.1:{server.server_port}"), serializer="json")
    store["greeting"] = {"en": "hello"}
    store.update(tea=1, coffee=2)
    store.increment("tea")
    print(dict(store), "milk" in store, store.pop("coffee"), len(store))
    assert dict(store) == {"greeting": {"en": "hello"}, "tea": 2}
    server.shutdown()
    server.server_close()
