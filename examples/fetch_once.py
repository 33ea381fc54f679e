"""Fetch pages of a web server once, keep them in a folder, and fetch them again when they are too old.

A web server is a mapping of addresses to pages that can only be read. A folder is a mapping too. One line
puts the folder in front of the server. The example starts a server of its own on this machine, which counts
what it is asked for. A second run finds the first two pages in the folder and asks for none of them.

    python examples/fetch_once.py [FOLDER]
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from holdall import FileDirStore, Reader, Store, StoreUnavailableError, UnsupportedError
from holdall.wrappers import cached_values

PAGES = {"planets/mars.html": "<h1>Mars</h1>", "planets/venus.html": "<h1>Venus</h1>"}


class Planets(BaseHTTPRequestHandler):
    """Serves the pages above, and the time of day."""

    asked: list[str] = []

    def do_GET(self) -> None:
        """Answer a request."""
        path = self.path.lstrip("/")
        self.asked.append(path)
        text = str(time.time_ns()) if path == "clock" else PAGES.get(path)
        self.send_response(404 if text is None else 200)
        self.end_headers()
        self.wfile.write((text or "no such page").encode())

    def log_message(self, *args: object) -> None:
        """Write no log."""


class Web(Reader):
    """A web server as a mapping of paths to pages."""

    def __init__(self, address: str) -> None:
        self.address = address

    @property
    def place(self) -> str:
        """How messages call it."""
        return self.address

    def __getitem__(self, id: str) -> bytes:
        try:
            with urlopen(f"{self.address}/{quote(id)}", timeout=10) as answer:  # noqa: S310  (our own server)
                return bytes(answer.read())
        except HTTPError as error:
            error.close()
            if error.code == 404:
                raise KeyError(id) from None  # absent, and nothing else is
            raise StoreUnavailableError(f"{self.address} answered {error.code} for {id!r}") from error
        except OSError as error:
            raise StoreUnavailableError(f"{self.address} does not answer: {error}") from error

    def __iter__(self) -> Iterator[str]:
        raise UnsupportedError(f"{self.address} does not tell what pages it has")


def main(folder: str) -> None:
    """Read pages through a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Planets) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        web = Store(Web(f"http://127.0.0.1:{server.server_port}"), serializer="text")

        # Fetch once, keep for ever: this is the line.
        kept = FileDirStore(f"{folder}/pages", serializer="text", suffix="")
        pages = cached_values(web, cache=kept)

        for path in (*PAGES, *PAGES):
            print(f"{path}: {pages[path]}")
        print(f"asked the server {len(Planets.asked)} times; absent pages stay absent:", pages.get("pluto"))
        print("kept, as plain files:", *sorted(kept))

        # What is older than max_age seconds is fetched again.
        times = FileDirStore(f"{folder}/clock", serializer="text")
        clock = cached_values(web, cache=times, max_age=3600)
        first = clock["clock"]
        assert clock["clock"] == first
        os.utime(times.file_of("clock"), (0, 0))  # as if it were read long ago
        assert clock["clock"] != first
        print("the clock was read again when it was older than an hour")

        # To forget a page is to delete it from the folder.
        del kept["planets/mars.html"]
        del Planets.asked[:]
        assert pages["planets/mars.html"] == PAGES["planets/mars.html"]
        assert Planets.asked == ["planets/mars.html"]
        server.shutdown()

    # The server is gone; what was fetched is not.
    assert pages["planets/venus.html"] == PAGES["planets/venus.html"]
    print("without the server:", pages["planets/venus.html"])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "fetched")
