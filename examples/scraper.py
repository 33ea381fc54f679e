"""A scraper that goes on where it stopped: no page is downloaded twice, and a page that fails stops nothing.

Pages are a dict that downloads what it does not have; what was found in them is a table of a SQLite file. The
example scrapes a site of its own on this machine, which fails for one page in the first run.

    python examples/scraper.py [FOLDER]
"""

import re
import sys
import threading
from collections.abc import MutableMapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from holdall import FileDirStore, SQLiteStore, StoreUnavailableError
from holdall.recipes import download
from holdall.wrappers import on_missing

PAGES = 20


class Site(BaseHTTPRequestHandler):
    """Pages 1 to 20, each with links to two others; page 7 fails, and page 13 is gone."""

    asked = 0
    fails = False

    def do_GET(self) -> None:
        """Answer a request."""
        Site.asked += 1
        number = int(self.path[1:])
        links = "".join(f'<a href="/{n}">{n}</a>' for n in (2 * number, 2 * number + 1) if n <= PAGES)
        self.send_response(404 if number == 13 else 503 if number == 7 and self.fails else 200)
        self.end_headers()
        self.wfile.write(f"<title>Page {number}</title>{links}".encode())

    def log_message(self, *args: object) -> None:
        """Write no log."""


def scrape(pages: MutableMapping[str, bytes], titles: MutableMapping[str, str]) -> list[str]:
    """Follow all links from page 1, and return what should be tried again."""
    todo, known, failed = ["1"], {"1"}, []
    while todo:
        path = todo.pop()
        try:
            text = pages[path].decode()  # downloaded, unless it is there
        except KeyError:
            continue  # the site has no such page
        except StoreUnavailableError as error:
            print("not now:", error)
            failed.append(path)
            continue
        (titles[path],) = re.findall("<title>(.*?)</title>", text)
        links = set(re.findall('href="/(.*?)"', text))
        todo += sorted(links - known)
        known |= links
    return failed


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "scraped")
    Site.fails = not folder.exists()
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kept: FileDirStore[str, bytes] = FileDirStore(folder / "pages", serializer="bytes", suffix=".html")
        pages = on_missing(
            kept, compute=lambda path: download(f"http://127.0.0.1:{server.server_port}/{path}")
        )
        with SQLiteStore(folder / "titles.db", serializer="text") as titles:
            failed = scrape(pages, titles)
            print(f"{len(titles)} titles; asked the site {Site.asked} times; to be tried again: {failed}")
            assert len(titles) == len(kept) == (PAGES - 4 if Site.fails else PAGES - 1)
            assert Site.asked in ({len(kept) + 2} if Site.fails else {4, 1})
        server.shutdown()
