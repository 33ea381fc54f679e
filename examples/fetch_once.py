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
from urllib.parse import quote

from holdall import FileDirStore, Reader, Store, UnsupportedError
from holdall.recipes import download
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
    """A web server as a mapping of paths to pages: a backend of one's own, in 15 lines."""

    def __init__(self, address: str) -> None:
        self.place = address  # which is how messages call it

    def __getitem__(self, id: str) -> bytes:
        try:
            return download(f"{self.place}/{quote(id)}")
        except KeyError:
            raise KeyError(id) from None  # absent, and nothing else is: no answer is another error

    def __iter__(self) -> Iterator[str]:
        raise UnsupportedError(f"{self.place} does not tell what pages it has")


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
